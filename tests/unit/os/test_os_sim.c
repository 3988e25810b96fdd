/* test_os_sim.c -- the disks of the simulated machine: what they show, and what a power cut leaves of it. */
#include "support/machine.h"

#include "base/pages.h"
#include "base/random.h"

#include <errno.h>

/* ---------------------------------------------------------------- what a power cut leaves */

/* The essence of the machine: without a sync nothing is promised, with one everything. */
static void unsynced_write_is_kept_or_lost_as_the_cut_says(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "old");
    put(f, 0, "newer");
    assert_string_equal(text_of(o, "a"), "newer");
    assert_after_cut(o, SIM_KEEP_ALL, SIM_KEEP_ALL, "a", "newer");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "old");
    assert_after_cut(o, SIM_KEEP_SIZES, SIM_KEEP_NONE, "a", "old00");
    ok(os_file_sync(f));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "newer");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The classic mistake: a file that was synced, in a directory that was not. */
static void synced_file_without_synced_directory_loses_its_name(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = file_of(d, "a");
    put(f, 0, "x");
    ok(os_file_sync(f));
    assert_after_cut(o, SIM_KEEP_ALL, SIM_KEEP_NONE, "a", "(none)");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_ALL, "a", "x");
    ok(os_dir_sync(d));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "x");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* And the other half of it: the name exists, what it names is empty. */
static void synced_directory_without_synced_file_leaves_it_empty(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = file_of(d, "a");
    put(f, 0, "x");
    ok(os_dir_sync(d));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "");
    assert_after_cut(o, SIM_KEEP_SIZES, SIM_KEEP_NONE, "a", "0");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* CURRENT is replaced by rename: at every cut one of the two must be there, whole. */
static void rename_replaces_whole_or_not_at_all(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "CURRENT", "one"));
    os_file *f = file_of(d, "CURRENT.tmp");
    put(f, 0, "two");
    ok(os_file_sync(f));
    os_file_close(f);
    ok(os_dir_rename(d, "CURRENT.tmp", "CURRENT"));
    assert_string_equal(text_of(o, "CURRENT"), "two");
    assert_string_equal(text_of(o, "CURRENT.tmp"), "(none)");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "CURRENT", "one");

    int seen[2] = {0, 0}; /* one, two */
    for (uint64_t seed = 0; seed < 100; seed++) {
        os *clone = after_cut(o, SIM_KEEP_NONE, SIM_KEEP_SOME, seed);
        const char *text = text_of(clone, "CURRENT");
        assert_true(strcmp(text, "one") == 0 || strcmp(text, "two") == 0);
        seen[strcmp(text, "two") == 0]++;
        sim_destroy(clone);
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    ok(os_dir_sync(d));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "CURRENT", "two");
    os_dir_close(d);
    sim_destroy(o);
}

/* Any subset of pending directory operations, without those that make no sense when others are lost. */
static void pending_names_survive_in_every_combination(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "old", "o"));
    os_file_close(file_of(d, "a"));
    os_file_close(file_of(d, "b"));
    ok(os_dir_unlink(d, "old"));
    ok(os_dir_rename(d, "b", "c"));

    bool seen[16] = {false};
    for (uint64_t seed = 0; seed < 300; seed++) {
        os *clone = after_cut(o, SIM_KEEP_NONE, SIM_KEEP_SOME, seed);
        bool has_old = strcmp(text_of(clone, "old"), "(none)") != 0;
        bool has_a = strcmp(text_of(clone, "a"), "(none)") != 0;
        bool has_b = strcmp(text_of(clone, "b"), "(none)") != 0;
        bool has_c = strcmp(text_of(clone, "c"), "(none)") != 0;
        assert_false(has_b && has_c);
        seen[has_old | has_a << 1 | has_b << 2 | has_c << 3] = true;
        sim_destroy(clone);
    }
    int combinations = 0;
    for (int i = 0; i < 16; i++)
        combinations += seen[i];
    assert_int_equal(combinations, 12); /* old, a, and one of: neither, b, c */
    os_dir_close(d);
    sim_destroy(o);
}

/* A name that is unlinked and made again is another file, and until the sync the disk has the old one. */
static void unlinked_file_is_back_after_a_cut_without_sync(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "a", "first"));
    ok(os_dir_unlink(d, "a"));
    assert_int_equal(os_dir_unlink(d, "a"), HOLT_NOT_FOUND);
    os_file *f = file_of(d, "a");
    put(f, 0, "second");
    ok(os_file_sync(f));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "first");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_ALL, "a", "second");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* Writes reach a disk in any order: each combination of four must come up, also the last alone. */
static void pending_writes_survive_in_every_combination(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "....");
    for (uint64_t i = 0; i < 4; i++)
        put(f, i, "x");
    bool seen[16] = {false};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        os *clone = after_cut(o, SIM_KEEP_SOME, SIM_KEEP_NONE, seed);
        const char *text = text_of(clone, "a");
        int bits = 0;
        for (int i = 0; i < 4; i++) {
            assert_true(text[i] == 'x' || text[i] == '.');
            bits |= (text[i] == 'x') << i;
        }
        seen[bits] = true;
        sim_destroy(clone);
    }
    for (int i = 0; i < 16; i++)
        assert_true(seen[i]);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

static bool all_are(const uint8_t *bytes, size_t size, uint8_t value)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) return false;
    }
    return true;
}

/* What a torn write leaves of the sector-aligned pieces of a file of 3000 'o' with 'n' written over [300,
 * 2800): how many of them are mixed from both, and whether there is anything other than the two. */
static void look_at_pieces(const uint8_t *bytes, bool *torn, bool *garbage)
{
    bool has_old = false, has_new = false;
    *garbage = false;
    for (size_t begin = 300, end; begin < 2800; begin = end) {
        end = (begin / 512 + 1) * 512 < 2800 ? (begin / 512 + 1) * 512 : 2800;
        bool old = all_are(bytes + begin, end - begin, 'o'), new = all_are(bytes + begin, end - begin, 'n');
        has_old = has_old || old;
        has_new = has_new || new;
        *garbage = *garbage || !(old || new);
    }
    *torn = has_old && has_new;
}

/* A tear is at a multiple of tear_bytes of the file, never within, and never outside what was written. */
static void torn_write_breaks_at_sectors_of_the_file_only(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = file_of(d, "a");
    uint8_t bytes[3000];
    memset(bytes, 'o', sizeof bytes);
    ok(os_file_write(f, 0, bytes, sizeof bytes));
    ok(os_file_sync(f));
    ok(os_dir_sync(d));
    memset(bytes, 'n', sizeof bytes);
    ok(os_file_write(f, 300, bytes, 2500));

    sim_keep modes[] = {SIM_KEEP_SOME, SIM_KEEP_GARBAGE};
    for (int m = 0; m < 2; m++) {
        int torn_count = 0, garbage_count = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            os *clone = after_cut(o, modes[m], SIM_KEEP_NONE, seed);
            void *left;
            size_t size;
            ok(sim_peek(clone, "/db/a", &left, &size));
            assert_int_equal(size, 3000);
            assert_true(all_are(left, 300, 'o') && all_are((uint8_t *)left + 2800, 200, 'o'));
            bool torn, garbage;
            look_at_pieces(left, &torn, &garbage);
            torn_count += torn;
            garbage_count += garbage;
            mem_free(left);
            sim_destroy(clone);
        }
        assert_true(torn_count > 5);
        assert_int_equal(garbage_count > 0, modes[m] == SIM_KEEP_GARBAGE);
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* per_file: one file wholly there and another wholly gone, which no order of writes within a file gives. */
static void per_file_cut_keeps_whole_files_or_nothing_of_them(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *a = durable_file(d, "a", "-"), *b = durable_file(d, "b", "-");
    put(a, 0, "12345");
    put(a, 5, "678");
    put(b, 0, "12345");
    int seen[2][2] = {{0, 0}, {0, 0}};
    for (uint64_t seed = 0; seed < 100; seed++) {
        sim_cut cut = {.per_file = true, .entries = SIM_KEEP_NONE, .tear_bytes = 4096};
        os *clone = sim_clone(o, seed);
        sim_power_cut(clone, &cut, seed);
        bool whole_a = strcmp(text_of(clone, "a"), "12345678") == 0;
        if (!whole_a) assert_string_equal(text_of(clone, "a"), "-");
        bool whole_b = strcmp(text_of(clone, "b"), "12345") == 0;
        if (!whole_b) assert_string_equal(text_of(clone, "b"), "-");
        seen[whole_a][whole_b]++;
        sim_destroy(clone);
    }
    assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
    os_file_close(a);
    os_file_close(b);
    os_dir_close(d);
    sim_destroy(o);
}

/* A truncate is a change like a write: lost or kept, and what it cut off comes back as zeros. */
static void truncate_and_allocate_are_pending_until_the_sync(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "12345");
    ok(os_file_truncate(f, 2));
    ok(os_file_allocate(f, 4));
    assert_string_equal(text_of(o, "a"), "1200");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "12345");
    assert_after_cut(o, SIM_KEEP_ALL, SIM_KEEP_NONE, "a", "1200");
    ok(os_file_sync(f));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "1200");
    ok(os_file_allocate(f, 3)); /* never shrinks */
    assert_string_equal(text_of(o, "a"), "1200");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The kernel may have dropped the pages of a failed sync: the next one succeeds and proves nothing. */
static void failed_sync_leaves_writes_uncertain_for_ever(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "....");
    put(f, 0, "ab");
    sim_fail(o, SIM_SYNC, 1, EIO, false);
    assert_int_equal(os_file_sync(f), HOLT_IO);
    assert_non_null(strstr(holt_error_message(), "a: sync"));
    assert_true(sim_fault_hit(o));
    put(f, 1, "c");
    ok(os_file_sync(f));
    put(f, 3, "d");
    assert_string_equal(text_of(o, "a"), "ac.d");

    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", ".c..");
    assert_after_cut(o, SIM_KEEP_ALL, SIM_KEEP_NONE, "a", "ac.d");
    bool lost = false, kept = false;
    for (uint64_t seed = 0; seed < 100; seed++) {
        os *clone = after_cut(o, SIM_KEEP_SOME, SIM_KEEP_NONE, seed);
        const char *text = text_of(clone, "a");
        assert_int_equal(text[1], 'c'); /* synced, on top of what is uncertain */
        lost = lost || text[0] == '.';
        kept = kept || text[0] == 'a';
        sim_destroy(clone);
    }
    assert_true(lost && kept);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The same for names. */
static void failed_directory_sync_leaves_names_uncertain(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(file_of(d, "a"));
    sim_fail(o, SIM_DIR_SYNC, 1, EIO, false);
    assert_int_equal(os_dir_sync(d), HOLT_IO);
    os_file_close(file_of(d, "b"));
    ok(os_dir_sync(d));
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "(none)");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "b", "");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_ALL, "a", "");
    os_dir_close(d);
    sim_destroy(o);
}

/* The page cache outlives a killed process, and what is in it may still be lost when the power goes later. */
static void killed_process_leaves_its_writes_pending(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "old");
    put(f, 0, "new");
    ok(os_file_lock(f, true));
    os *killed = sim_clone(o, 2);
    assert_string_equal(text_of(killed, "a"), "new");
    assert_after_cut(killed, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "old");

    os_dir *d2 = db_of(killed);
    os_file *f2 = file_of(d2, "a");
    ok(os_file_lock(f2, true)); /* the lock went with the process */
    ok(os_file_sync(f2));
    assert_after_cut(killed, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "new");
    os_file_close(f2);
    os_dir_close(d2);
    sim_destroy(killed);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A clone shares pages with its original: a write to one must not show in the other, whichever it is. */
static void clone_and_original_are_independent(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "same");
    os *clone = sim_clone(o, 9);
    os_dir *d2 = db_of(clone);
    os_file *f2 = file_of(d2, "a");
    put(f, 0, "S");
    put(f2, 3, "E");
    assert_string_equal(text_of(o, "a"), "Same");
    assert_string_equal(text_of(clone, "a"), "samE");
    os_file_close(file_of(d2, "b"));
    assert_string_equal(text_of(o, "b"), "(none)");

    uint64_t one[2], two[2];
    os_dir_identity(d, one);
    os_dir_identity(d2, two);
    assert_memory_not_equal(one, two, sizeof one); /* another machine's directory is another directory */
    assert_int_not_equal(os_process_id(o), os_process_id(clone));
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o); /* the clone's pages outlive it */
    assert_string_equal(text_of(clone, "a"), "samE");
    os_file_close(f2);
    os_dir_close(d2);
    sim_destroy(clone);
}

/* A file that is unlinked while it is open stays readable, and is gone on a clone. */
static void open_file_outlives_its_name(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "text");
    ok(os_dir_unlink(d, "a"));
    ok(os_dir_sync(d));
    char text[4];
    ok(os_file_read_exact(f, 0, text, 4));
    assert_memory_equal(text, "text", 4);
    put(f, 4, "more");
    os *clone = sim_clone(o, 1);
    assert_string_equal(text_of(clone, "a"), "(none)");
    sim_destroy(clone);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* ---------------------------------------------------------------- a model of files */

enum { MODEL_SIZE = 20000 };

typedef struct model {
    uint8_t bytes[MODEL_SIZE];
    size_t size;
} model;

static void model_resize(model *m, size_t size)
{
    if (size > m->size) memset(m->bytes + m->size, 0, size - m->size);
    m->size = size;
}

static void assert_file_is(os *o, const model *m)
{
    void *bytes;
    size_t size;
    ok(sim_peek(o, "/db/a", &bytes, &size));
    assert_int_equal(size, m->size);
    assert_memory_equal(bytes, m->bytes, size);
    mem_free(bytes);
}

/* One random change to the file and to the model. */
static void change_both(rng *r, os_file *f, model *m)
{
    size_t a = (size_t)rng_below(r, MODEL_SIZE), b = (size_t)rng_below(r, MODEL_SIZE);
    size_t from = a < b ? a : b, size = a < b ? b - a : a - b;
    switch (rng_below(r, 6)) {
    case 0:
        ok(os_file_truncate(f, from));
        model_resize(m, from);
        break;
    case 1:
        ok(os_file_allocate(f, from));
        if (m->size < from) model_resize(m, from);
        break;
    default: {
        uint8_t data[MODEL_SIZE];
        rng_fill(r, data, size);
        ok(os_file_write(f, from, data, size));
        if (size > 0 && m->size < from + size) model_resize(m, from + size);
        memcpy(m->bytes + from, data, size);
    }
    }
}

/* Pages are shared, copied, cut and left out: contents must agree with a plain array, current and durable. */
static void random_changes_agree_with_a_plain_array(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    static model current, durable;
    for (int i = 0; i < 400; i++) {
        change_both(&r, f, &current);
        assert_file_is(o, &current);
        if (rng_chance(&r, 3)) {
            ok(os_file_sync(f));
            durable = current;
        }
        os *clone = after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, 1);
        assert_file_is(clone, &durable);
        sim_destroy(clone);
        clone = after_cut(o, SIM_KEEP_ALL, SIM_KEEP_NONE, 1);
        assert_file_is(clone, &current);
        sim_destroy(clone);
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* ---------------------------------------------------------------- maps */

/* A map shows the file, the file shows the map, and a store is as unsynced as a write. */
static void map_and_file_show_the_same(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    os_map m;
    const size_t page = page_bytes();
    assert_int_equal(os_file_map(f, 0, page, &m), HOLT_IO); /* past the end: a store there would be SIGBUS */
    assert_null(m.bytes);
    ok(os_file_allocate(f, 2 * page));
    ok(os_file_sync(f));
    ok(os_file_map(f, page, page, &m));
    os_map_store(&m, 10, "stored", 6);
    char text[6];
    ok(os_file_read_exact(f, page + 10, text, 6));
    assert_memory_equal(text, "stored", 6);
    ok(os_file_write(f, page - 2, "written", 7));
    assert_memory_equal(m.bytes, "itten", 5);

    os *clone = after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, 1);
    void *bytes;
    size_t size;
    ok(sim_peek(clone, "/db/a", &bytes, &size));
    assert_int_equal(size, 2 * page);
    assert_true(all_are(bytes, size, 0));
    mem_free(bytes);
    sim_destroy(clone);

    ok(os_file_truncate(f, page + 900));
    assert_int_equal(m.bytes[10], 's');
    os_file_unmap(&m);
    assert_null(m.bytes);
    os_file_unmap(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

typedef struct kills {
    os *o;
    bool seen[2][2]; /* [first byte stored][last byte stored] */
} kills;

static void look_at_store(void *ctx, uint64_t call)
{
    kills *k = ctx;
    os *clone = sim_clone(k->o, call);
    void *bytes;
    size_t size;
    ok(sim_peek(clone, "/db/a", &bytes, &size));
    k->seen[((char *)bytes)[0] == 'x'][((char *)bytes)[99] == 'x'] = true;
    mem_free(bytes);
    sim_destroy(clone);
}

/* A kill may come in the middle of a store, as it may in the middle of a memcpy. */
static void kill_can_come_within_a_store(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    ok(os_file_allocate(f, 4096));
    os_map m;
    ok(os_file_map(f, 0, 4096, &m));
    kills k = {.o = o};
    char x[100], y[100];
    memset(x, 'x', sizeof x);
    memset(y, 'y', sizeof y);
    for (int i = 0; i < 20; i++) {
        sim_on_io(o, look_at_store, &k);
        os_map_store(&m, 0, x, sizeof x);
        sim_on_io(o, NULL, NULL);
        os_map_store(&m, 0, y, sizeof y);
    }
    assert_true(k.seen[0][0] && k.seen[1][0] && !k.seen[0][1]);
    os_file_unmap(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* ---------------------------------------------------------------- directories */

static holt_status join_names(void *ctx, const char *name)
{
    char *text = ctx;
    strcat(text, name);
    strcat(text, " ");
    return HOLT_OK;
}

static holt_status stop_at_first(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return HOLT_BUSY;
}

/* Listings are sorted, so that what a database does at open replays. */
static void listing_is_sorted_and_shows_directories(void **state)
{
    os *o = machine(1);
    ok(os_dir_create(o, "/db/m"));
    ok(os_dir_create(o, "/db/m/deep/"));
    assert_int_equal(os_dir_create(o, "/db/m"), HOLT_EXISTS);
    assert_int_equal(os_dir_create(o, "/none/m"), HOLT_NOT_FOUND);
    os_dir *d = db_of(o);
    os_file_close(file_of(d, "z"));
    os_file_close(file_of(d, "a"));
    char text[100] = "";
    ok(os_dir_list(d, join_names, text));
    assert_string_equal(text, "a m z ");
    int count = 0;
    assert_int_equal(os_dir_list(d, stop_at_first, &count), HOLT_BUSY);
    assert_int_equal(count, 1);

    os_dir *other;
    assert_int_equal(os_dir_open(o, "/db/a", &other), HOLT_INVALID);
    assert_int_equal(os_dir_open(o, "/db/b", &other), HOLT_NOT_FOUND);
    assert_int_equal(os_dir_open(o, "/none/b", &other), HOLT_NOT_FOUND);
    ok(os_dir_open(o, "/", &other));
    text[0] = '\0';
    ok(os_dir_list(other, join_names, text));
    assert_string_equal(text, "db ");
    os_dir_close(other);
    assert_int_equal(os_dir_unlink(d, "m"), HOLT_IO);
    assert_int_equal(os_dir_rename(d, "a", "m"), HOLT_IO);
    assert_int_equal(os_dir_rename(d, "none", "b"), HOLT_IO);
    os_dir_close(d);
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "(none)");
    sim_destroy(o);
}

/* A file opened for reading is not written, by whatever call. */
static void file_opened_for_reading_is_not_written(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "a", "text"));
    os_file *f;
    ok(os_file_open(d, "a", OS_READ, &f));
    os_map m;
    assert_int_equal(os_file_write(f, 0, "x", 1), HOLT_IO);
    assert_int_equal(os_file_truncate(f, 0), HOLT_IO);
    assert_int_equal(os_file_allocate(f, 100), HOLT_IO);
    assert_int_equal(os_file_map(f, 0, 4, &m), HOLT_IO);
    assert_int_equal(os_file_lock(f, true), HOLT_IO);
    ok(os_file_lock(f, false));
    assert_string_equal(text_of(o, "a"), "text");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* Two opens in one process conflict, as for the real machine. */
static void locks_conflict_between_two_opens(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = file_of(d, "LOCK"), *g = file_of(d, "LOCK");
    ok(os_file_lock(f, true));
    assert_int_equal(os_file_lock(g, false), HOLT_BUSY);
    os_file_unlock(f);
    ok(os_file_lock(g, false));
    assert_int_equal(os_file_lock(f, true), HOLT_BUSY);
    ok(os_file_lock(f, false));
    os_file_close(f);
    os_file_close(g); /* unlocks */
    f = file_of(d, "LOCK");
    ok(os_file_lock(f, true));
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* What the test itself does to the disk survives any cut, and neither counts nor fails. */
static void poke_and_remove_are_durable_at_once(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "a", "old"));
    os_dir_close(d);
    uint64_t calls = sim_calls(o, SIM_CALLS);
    sim_fail(o, SIM_CALLS, 1, EIO, true);
    ok(sim_poke(o, "/db/a", "poked", 5));
    ok(sim_poke(o, "/db/b", "made", 4));
    assert_int_equal(sim_poke(o, "/none/b", "", 0), HOLT_NOT_FOUND);
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "poked");
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "b", "made");
    ok(sim_remove(o, "/db/a"));
    assert_int_equal(sim_remove(o, "/db/a"), HOLT_NOT_FOUND);
    assert_after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, "a", "(none)");
    assert_int_equal(sim_calls(o, SIM_CALLS), calls);
    sim_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsynced_write_is_kept_or_lost_as_the_cut_says),
        cmocka_unit_test(synced_file_without_synced_directory_loses_its_name),
        cmocka_unit_test(synced_directory_without_synced_file_leaves_it_empty),
        cmocka_unit_test(rename_replaces_whole_or_not_at_all),
        cmocka_unit_test(pending_names_survive_in_every_combination),
        cmocka_unit_test(unlinked_file_is_back_after_a_cut_without_sync),
        cmocka_unit_test(pending_writes_survive_in_every_combination),
        cmocka_unit_test(torn_write_breaks_at_sectors_of_the_file_only),
        cmocka_unit_test(per_file_cut_keeps_whole_files_or_nothing_of_them),
        cmocka_unit_test(truncate_and_allocate_are_pending_until_the_sync),
        cmocka_unit_test(failed_sync_leaves_writes_uncertain_for_ever),
        cmocka_unit_test(failed_directory_sync_leaves_names_uncertain),
        cmocka_unit_test(killed_process_leaves_its_writes_pending),
        cmocka_unit_test(clone_and_original_are_independent),
        cmocka_unit_test(open_file_outlives_its_name),
        cmocka_unit_test(random_changes_agree_with_a_plain_array),
        cmocka_unit_test(map_and_file_show_the_same),
        cmocka_unit_test(kill_can_come_within_a_store),
        cmocka_unit_test(listing_is_sorted_and_shows_directories),
        cmocka_unit_test(file_opened_for_reading_is_not_written),
        cmocka_unit_test(locks_conflict_between_two_opens),
        cmocka_unit_test(poke_and_remove_are_durable_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
