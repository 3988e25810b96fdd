/* fuzz_tree.c -- arbitrary bytes as the pieces of a run: reading them terminates, and returns keys in order
 * or HOLT_CORRUPT.
 *
 * The input's last TAIL_SIZE bytes are the root; the rest follows a valid header.
 */
#include <stdlib.h>

#include "base/coding.h"
#include "image.h"
#include "os/sim/sim.h"
#include "tree/file/tree_format.h"
#include "tree/tree_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 << 10, STEPS_MAX = 5000 };

/* The tail: root {offset, length}, filter {offset, length, lines}, all u32; height and probes, u8, the
 * latter's high bit: some gaps are deleted; entries u16. */
enum { TAIL_SIZE = 5 * 4 + 2 + 2 };

static const uint64_t DATABASE_ID[2] = {1, 2};

/* ---------------------------------------------------------------- the file */

static void image_make(image *f, const uint8_t *data, size_t size)
{
    tree_header header = {TREE_PURPOSE_RUNS, {DATABASE_ID[0], DATABASE_ID[1]}, 1};
    f->size = TREE_HEADER_BYTES + size;
    f->bytes = malloc(f->size);
    f->mends = IMAGE_MENDS_MAX;
    expect(f->bytes != NULL);
    memcpy(f->bytes + TREE_HEADER_BYTES, data, size);
    tree_header_encode(f->bytes, &header);
}

static block_ptr mended_ptr(image *f, uint32_t offset, uint32_t length, uint32_t depth, bool directory)
{
    uint8_t encoded[BLOCK_PTR_SIZE];
    block_ptr p = {.offset = (uint64_t)TREE_HEADER_BYTES + offset, .length = length};
    if (directory && image_holds(f, p)) image_mend(f, f->bytes + p.offset, p.length / BLOCK_PTR_SIZE, 0);
    block_ptr_encode(encoded, p);
    image_mend(f, encoded, 1, depth);
    return block_ptr_decode(encoded);
}

static tree_root image_root(image *f, const uint8_t *tail)
{
    tree_root root = {.bytes = f->size, .height = tail[20], .entries = get_u16le(tail + 22)};
    root.filter = mended_ptr(f, get_u32le(tail + 8), get_u32le(tail + 12), 0, true);
    root.filter_lines = get_u32le(tail + 16);
    root.filter_probes = tail[21] & 0x7f;
    root.gaps = tail[21] >> 7;
    root.root = mended_ptr(f, get_u32le(tail), get_u32le(tail + 4), TREE_DEPTH_MAX, false);
    return root;
}

/* ---------------------------------------------------------------- reading it in all ways */

static void expect_answer(holt_status rc)
{
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT);
}

static void look_up(tree_file *f, const tree_root *root, slice key)
{
    tree_buffer buffer = {NULL, 0};
    tree_entry cached, read;
    holt_status rc;
    (void)tree_lookup_gap(f, root, key, &buffer, &read, &rc);
    expect_answer(rc);
    tree_result answer = tree_lookup(f, root, key, &buffer, &read, &rc);
    expect_answer(rc);
    expect((answer == TREE_FAILED) == (rc != HOLT_OK) && answer != TREE_NOT_CACHED);
    expect(epoch_enter() == HOLT_OK);
    tree_result again = tree_lookup_cached(f, root, key, &cached);
    expect(again == TREE_NOT_CACHED || again == answer);
    if (again == TREE_FOUND) expect(slice_equal(cached.value, read.value) && cached.op == read.op);
    epoch_leave();
    tree_buffer_deinit(&buffer);
}

static void walk(tree_file *f, const tree_root *root, const tree_iterator_options *options, bool backward)
{
    static uint8_t before[TREE_KEY_BYTES_MAX];
    size_t before_size = 0, steps = 0;
    iterator *s;
    expect_answer(tree_iterator_open(f, root, options, &s));
    if (!s) return;
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid && steps < STEPS_MAX; steps++) {
        int order = slice_compare(slice_of(before, before_size), s->key);
        expect(steps == 0 || (backward ? order > 0 : order < 0));
        expect(s->key.size <= sizeof before);
        before_size = s->key.size;
        bytes_copy(before, s->key.data, s->key.size);
        expect_answer(s->ops->load_value(s));
        if (steps % 16 == 0) look_up(f, root, slice_of(before, before_size));
        backward ? s->ops->prev(s) : s->ops->next(s);
    }
    expect_answer(s->status);
    iterator_close(s);
}

static void ask_filter(tree_file *f, const tree_root *root)
{
    tree_filter *filter;
    tree_buffer buffer = {NULL, 0};
    expect_answer(tree_filter_open(&filter, f, root));
    for (uint64_t i = 0; filter && i < 8; i++) {
        holt_status rc;
        (void)tree_filter_test_read(filter, i * UINT64_C(0x9e3779b97f4a7c15), &buffer, &rc);
        expect_answer(rc);
    }
    tree_filter_close(filter);
    tree_buffer_deinit(&buffer);
}

static void read_all(tree_file *f, const tree_root *root, slice key)
{
    tree_report report = {0};
    tree_iterator_options open = {.read_ahead = true}, bounded = {.lower = key, .bypass_cache = true};
    walk(f, root, &bounded, true);
    bounded.upper = key;
    bounded.lower = slice_of(NULL, 0);
    walk(f, root, &bounded, false);
    look_up(f, root, key);
    walk(f, root, &open, false);
    walk(f, root, &open, true);
    ask_filter(f, root);
    expect_answer(tree_verify(f, root, &report));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < TAIL_SIZE || size > INPUT_MAX) return 0;
    const uint8_t *tail = data + size - TAIL_SIZE;
    image f;
    image_make(&f, data, size - TAIL_SIZE);
    tree_root root = image_root(&f, tail);

    sim_options options = {.seed = 1};
    os *machine = sim_create(&options);
    os_dir *dir;
    cache *c;
    tree_files *files;
    tree_file *file;
    expect(machine != NULL);
    expect(os_dir_create(machine, "/db") == HOLT_OK);
    expect(os_dir_open(machine, "/db", &dir) == HOLT_OK);
    expect(sim_poke(machine, "/db/run-000001.sst", f.bytes, f.size) == HOLT_OK);
    expect(cache_create(&c, tail[0] & 1 ? 1 << 20 : 128 << 10) == HOLT_OK);
    expect(tree_files_create(&files, dir, c, DATABASE_ID, 1) == HOLT_OK);
    expect(tree_file_open(files, 1, 0, &file) == HOLT_OK);
    read_all(file, &root, slice_of(tail, tail[1] % TAIL_SIZE));

    tree_file_unref(file);
    tree_files_destroy(files);
    cache_destroy(c);
    os_dir_close(dir);
    sim_destroy(machine);
    free(f.bytes);
    return 0;
}
