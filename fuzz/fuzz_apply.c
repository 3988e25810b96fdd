/* fuzz_apply.c -- arbitrary bytes as trees in a page file, for everything that reads and changes such trees.
 *
 * The input first builds a valid tree, then corrupts bytes in its pages, then supplies a batch of changes.
 * The result of applying them is a new tree or HOLT_CORRUPT; never a crash, a hang, or leaked pages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "btree/btree.h"
#include "image.h"
#include "os/sim/sim.h"
#include "tree/file/tree_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4096, CHANGES_MAX = 400, STEPS_MAX = 5000, BLOCK_BYTES = 4096 };

static const uint64_t DATABASE_ID[2] = {1, 2};

static void expect_answer(holt_status rc)
{
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT || rc == HOLT_TOO_LARGE);
}

/* ---------------------------------------------------------------- the input */

typedef struct input {
    const uint8_t *at, *end;
} input;

static uint8_t take(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* ---------------------------------------------------------------- batches */

/* A change: three bytes of the input. The key is a number, with a long form if it is odd; the length of
 * the value depends on `form`. */
typedef struct fuzz_change {
    uint16_t number;
    uint8_t form;
} fuzz_change;

enum { FORM_DELETE = 1, FORM_LARGE = 4, LONG_KEY = 3000, LARGE_VALUE = 9000 };

typedef struct fuzz_batch {
    iterator base;
    const fuzz_change *changes;
    size_t count, at;
    uint8_t key[LONG_KEY];
    uint8_t value[LARGE_VALUE];
} fuzz_batch;

static size_t make_key(const fuzz_change *c, uint8_t *out)
{
    size_t size = c->number & 1 ? LONG_KEY : 2; /* a function of the number, so that each key has one form */
    memset(out, 'k', size);
    out[0] = (uint8_t)(c->number >> 8);
    out[1] = (uint8_t)c->number;
    return size;
}

static void show(fuzz_batch *s, size_t at)
{
    s->at = at;
    s->base.valid = at < s->count;
    if (!s->base.valid) return;
    const fuzz_change *c = &s->changes[at];
    s->base.op = c->form & FORM_DELETE ? ENTRY_DELETE : ENTRY_PUT;
    s->base.key = slice_of(s->key, make_key(c, s->key));
    s->base.value = slice_of(s->value, c->form & FORM_LARGE ? LARGE_VALUE : c->form);
    if (c->form & FORM_DELETE) s->base.value.size = 0;
}

static void batch_first(iterator *s)
{
    show((fuzz_batch *)(void *)s, 0);
}

static void batch_next(iterator *s)
{
    fuzz_batch *f = (fuzz_batch *)(void *)s;
    show(f, f->at + 1);
}

static void batch_seek(iterator *s, slice key)
{
    uint8_t wanted[LONG_KEY];
    size_t size = key.size < sizeof wanted ? key.size : sizeof wanted;
    bytes_copy(wanted, key.data, size); /* it may be the iterator's own */
    for (batch_first(s); s->valid && slice_compare(s->key, slice_of(wanted, size)) < 0;)
        batch_next(s);
}

static int by_number(const void *a, const void *b)
{
    return (int)((const fuzz_change *)a)->number - (int)((const fuzz_change *)b)->number;
}

static size_t take_changes(input *in, fuzz_change *out)
{
    size_t count = take(in) * 2u, kept = 0;
    for (size_t i = 0; i < count && i < CHANGES_MAX; i++) {
        uint16_t number = (uint16_t)(take(in) << 8);
        out[kept].number = (uint16_t)(number | take(in));
        out[kept++].form = take(in);
    }
    qsort(out, kept, sizeof *out, by_number);
    size_t distinct = 0;
    for (size_t i = 0; i < kept; i++)
        if (distinct == 0 || out[distinct - 1].number != out[i].number) out[distinct++] = out[i];
    return distinct;
}

static void batch_unsupported(iterator *s)
{
    s->valid = false;
}

static void open_iterator(fuzz_batch *s, const fuzz_change *changes, size_t count)
{
    static const iterator_ops ops = {
        .first = batch_first, .last = batch_unsupported, .next = batch_next, .seek = batch_seek};
    memset(s, 0, sizeof *s);
    s->base.ops = &ops;
    s->changes = changes;
    s->count = count;
    show(s, 0);
}

/* ---------------------------------------------------------------- a space */

typedef struct place {
    os *machine;
    os_dir *dir;
    cache *cache;
    tree_files *files;
    page_store *store;
    btree_version *version;
} place;

static void open_place(place *p, os *machine)
{
    p->machine = machine;
    expect(os_dir_open(machine, "/db", &p->dir) == HOLT_OK);
    expect(cache_create(&p->cache, 1 << 20) == HOLT_OK);
    expect(tree_files_create(&p->files, p->dir, p->cache, DATABASE_ID, 4) == HOLT_OK);
}

static void close_place(place *p)
{
    btree_version_unref(p->version);
    page_store_close(p->store);
    tree_files_destroy(p->files);
    cache_destroy(p->cache);
    os_dir_close(p->dir);
}

/* Ends a change: commits it, or abandons it if rc is a failure. */
static void end_change(place *p, btree_change *c, btree_version *next, holt_status rc)
{
    const page_store_state *state;
    if (rc == HOLT_OK) rc = btree_change_prepare(c, &state);
    expect_answer(rc);
    if (rc != HOLT_OK) {
        btree_change_abandon(c);
        btree_version_unref(next);
        return;
    }
    btree_change_commit(c);
    if (!next) return;
    btree_version_unref(p->version);
    p->version = next;
}

static void apply(place *p, const fuzz_change *changes, size_t count)
{
    fuzz_batch *in = malloc(sizeof *in);
    btree_change *c;
    btree_version *next = NULL;
    bool done = false;
    holt_status rc = HOLT_OK;
    expect(in != NULL);
    open_iterator(in, changes, count);
    expect(btree_change_begin(&c, p->store) == HOLT_OK);
    btree_batch batch = {.base = p->version, .changes = &in->base, .block_bytes = BLOCK_BYTES};
    while (rc == HOLT_OK && !done)
        rc = btree_change_apply(c, &batch, 16, &done, &next);
    end_change(p, c, next, rc);
    free(in);
}

static void vacuum(place *p)
{
    btree_change *c;
    btree_version *next = NULL;
    btree_vacuum s = {.limit = 3, .bytes_max = 20000};
    bool done = false, rest;
    holt_status rc = HOLT_OK;
    expect(btree_change_begin(&c, p->store) == HOLT_OK);
    while (rc == HOLT_OK && !done)
        rc = btree_change_vacuum(c, &s, p->version, 10, &done, &rest, &next);
    end_change(p, c, next, rc);
    btree_vacuum_deinit(&s);
}

static void drop(place *p)
{
    btree_change *c;
    bool done = false;
    holt_status rc = HOLT_OK;
    expect(btree_change_begin(&c, p->store) == HOLT_OK);
    while (rc == HOLT_OK && !done)
        rc = btree_change_drop(c, p->version, 10, &done);
    end_change(p, c, NULL, rc);
}

/* ---------------------------------------------------------------- reading */

static void look_up(tree_file *f, const tree_root *root, slice key)
{
    tree_buffer room = {NULL, 0};
    tree_entry e;
    holt_status rc;
    tree_result answer = tree_lookup(f, root, key, &room, &e, &rc);
    expect_answer(rc);
    expect((answer == TREE_FAILED) == (rc != HOLT_OK));
    expect(epoch_enter() == HOLT_OK);
    tree_lookup_cached(f, root, key, &e);
    epoch_leave();
    tree_buffer_deinit(&room);
}

static void walk(tree_file *f, const tree_root *root, bool backward)
{
    tree_iterator_options options = {.read_ahead = true};
    iterator *s;
    holt_status rc = tree_iterator_open(f, root, &options, &s);
    expect_answer(rc);
    if (rc != HOLT_OK) return;
    int steps = 0;
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid && steps < STEPS_MAX; steps++) {
        if (steps % 32 == 0) look_up(f, root, s->key);
        expect_answer(s->ops->load_value(s));
        backward ? s->ops->prev(s) : s->ops->next(s);
    }
    expect_answer(s->status);
    iterator_close(s);
}

static void read_all(place *p)
{
    tree_file *f = page_store_file(p->store);
    tree_report report = {0};
    walk(f, btree_version_root(p->version), false);
    walk(f, btree_version_root(p->version), true);
    expect_answer(page_store_verify(p->store, btree_version_root(p->version), 1, &report));
}

/* ---------------------------------------------------------------- corrupting */

/* Corrupts bytes of the file after its header and maps, and perhaps the root. */
static void spoil(os *machine, input *in, tree_root *root)
{
    image f = {.mends = IMAGE_MENDS_MAX};
    void *bytes;
    uint8_t encoded[BLOCK_PTR_SIZE];
    expect(sim_peek(machine, "/db/tree-000001.bt", &bytes, &f.size) == HOLT_OK);
    f.bytes = bytes;
    const size_t first = 3 * TREE_PAGE_BYTES;
    for (int left = take(in) % 16; left > 0 && f.size > first; left--) {
        size_t at = (size_t)take(in) << 16;
        at |= (size_t)take(in) << 8;
        at |= take(in);
        f.bytes[first + at % (f.size - first)] ^= take(in);
    }
    uint8_t forge = take(in);
    if (forge & 1) root->height = take(in);
    if (forge & 2) root->entries = take(in);
    if (forge & 4) root->bytes = (uint64_t)take(in) << 12;
    block_ptr_encode(encoded, root->root);
    if (root->root.length) image_mend(&f, encoded, 1, TREE_DEPTH_MAX);
    root->root = block_ptr_decode(encoded);
    expect(sim_poke(machine, "/db/tree-000001.bt", f.bytes, f.size) == HOLT_OK);
    mem_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) return 0;
    input in = {data, data + size};
    fuzz_change changes[CHANGES_MAX];
    sim_options options = {.seed = 1};
    os *machine = sim_create(&options);
    place p = {0};
    expect(machine != NULL && os_dir_create(machine, "/db") == HOLT_OK);
    open_place(&p, machine);
    expect(page_store_create(&p.store, p.files, 1) == HOLT_OK);
    expect(btree_version_open(&p.version, p.store, NULL) == HOLT_OK);
    apply(&p, changes, take_changes(&in, changes));

    page_store_state state = *page_store_recorded(p.store);
    map_group group = state.map_groups[0]; /* a file this small has one */
    tree_root root = *btree_version_root(p.version);
    state.map_groups = &group;
    close_place(&p);
    spoil(machine, &in, &root);

    memset(&p, 0, sizeof p);
    open_place(&p, machine);
    expect(page_store_open(&p.store, p.files, &state, true) == HOLT_OK);
    expect(btree_version_open(&p.version, p.store, &root) == HOLT_OK);
    read_all(&p);
    apply(&p, changes, take_changes(&in, changes));
    vacuum(&p);
    read_all(&p);
    drop(&p);
    close_place(&p);
    sim_destroy(machine);
    return 0;
}
