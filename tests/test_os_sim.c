/* test_os_sim.c -- the simulated machine: what it forgets, how it fails, and that it replays. */
#include "os/os.h"
#include "os/sim.h"

#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed_of_test(void)
{
    const char *text = getenv("HOLT_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;
    printf("HOLT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void ok(holt_status status)
{
    if (status != HOLT_OK) fail_msg("%s: %s", holt_status_name(status), holt_error_message());
}

/* ---------------------------------------------------------------- a machine with a directory */

static os *machine(uint64_t seed)
{
    sim_options options = {.seed = seed};
    os *o = sim_create(&options);
    assert_non_null(o);
    ok(os_dir_create(o, "/db"));
    return o;
}

static os_dir *db_of(os *o)
{
    os_dir *d;
    ok(os_dir_open(o, "/db", &d));
    return d;
}

static os_file *file_of(os_dir *d, const char *name)
{
    os_file *f;
    ok(os_file_open(d, name, OS_WRITE | OS_CREATE, &f));
    return f;
}

/* Writes a string at an offset. */
static void put(os_file *f, uint64_t offset, const char *string)
{
    ok(os_file_write(f, offset, string, strlen(string)));
}

/* A file with these contents, synced together with its name. */
static os_file *durable_file(os_dir *d, const char *name, const char *contents)
{
    os_file *f = file_of(d, name);
    put(f, 0, contents);
    ok(os_file_sync(f));
    ok(os_dir_sync(d));
    return f;
}

/* The contents of "/db/NAME" as a string, "(none)" if it is missing; in a buffer of the next call. */
static const char *text_of(os *o, const char *name)
{
    static char text[1024];
    char path[80];
    snprintf(path, sizeof path, "/db/%s", name);
    void *bytes;
    size_t size;
    holt_status status = sim_peek(o, path, &bytes, &size);
    if (status == HOLT_NOT_FOUND) return "(none)";
    ok(status);
    assert_true(size < sizeof text);
    for (size_t i = 0; i < size; i++)
        text[i] = ((char *)bytes)[i] ? ((char *)bytes)[i] : '0';
    text[size] = '\0';
    mem_free(bytes);
    return text;
}

/* The machine as it would be after a power cut now. */
static os *after_cut(os *o, sim_keep files, sim_keep entries, uint64_t seed)
{
    sim_cut cut = {.files = files, .entries = entries, .tear_bytes = 512};
    os *clone = sim_clone(o, seed);
    assert_non_null(clone);
    sim_power_cut(clone, &cut, seed);
    return clone;
}

static void assert_after_cut(os *o, sim_keep files, sim_keep entries, const char *name, const char *text)
{
    os *clone = after_cut(o, files, entries, 1);
    assert_string_equal(text_of(clone, name), text);
    sim_destroy(clone);
}

/* ---------------------------------------------------------------- what a power cut leaves */

/* The heart of the machine: without a sync nothing is promised, with one everything. */
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

/* And the other half of it: the name is there, what it names is empty. */
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

/* Any subset of pending directory operations, those that make no sense without the lost ones left out. */
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
 * 2800): how many of them are mixed from both, and whether anything else than the two is there. */
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
static void failed_sync_leaves_limbo_that_no_later_sync_ends(void **state)
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
static void failed_directory_sync_leaves_names_in_limbo(void **state)
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

/* A clone shares pages with its original: a write to one must not show in the other, whichever writes. */
static void clone_and_original_go_separate_ways(void **state)
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
    rng_seed(&r, seed_of_test());
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
    assert_int_equal(os_file_map(f, 0, 4096, &m), HOLT_IO); /* past the end: a store there would be SIGBUS */
    assert_null(m.bytes);
    ok(os_file_allocate(f, 8192));
    ok(os_file_sync(f));
    ok(os_file_map(f, 4096, 4096, &m));
    os_map_store(&m, 10, "stored", 6);
    char text[6];
    ok(os_file_read_exact(f, 4106, text, 6));
    assert_memory_equal(text, "stored", 6);
    ok(os_file_write(f, 4094, "written", 7));
    assert_memory_equal(m.bytes, "itten", 5);

    os *clone = after_cut(o, SIM_KEEP_NONE, SIM_KEEP_NONE, 1);
    void *bytes;
    size_t size;
    ok(sim_peek(clone, "/db/a", &bytes, &size));
    assert_int_equal(size, 8192);
    assert_true(all_are(bytes, size, 0));
    mem_free(bytes);
    sim_destroy(clone);

    ok(os_file_truncate(f, 5000));
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

/* A kill may come in the midst of a store, as it may in the midst of a memcpy. */
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

/* ---------------------------------------------------------------- faults */

/* One attempt at each call that can fail. The name of each call is the errand's. */
typedef struct errands {
    os *o;
    os_dir *d;
    os_file *f;
} errands;

static holt_status do_read(errands *e)
{
    char byte;
    size_t got;
    return os_file_read(e->f, 0, &byte, 1, &got);
}

static holt_status do_write(errands *e)
{
    return os_file_write(e->f, 0, "xyz", 3);
}

static holt_status do_sync(errands *e)
{
    return os_file_sync(e->f);
}

static holt_status do_dir_sync(errands *e)
{
    return os_dir_sync(e->d);
}

static holt_status do_open(errands *e)
{
    os_file *f;
    holt_status status = os_file_open(e->d, "a", OS_READ, &f);
    os_file_close(f);
    return status;
}

static holt_status do_dir_open(errands *e)
{
    os_dir *d;
    holt_status status = os_dir_open(e->o, "/db", &d);
    os_dir_close(d);
    return status;
}

static holt_status do_dir_create(errands *e)
{
    static int number;
    char path[40];
    snprintf(path, sizeof path, "/made-%d", number++);
    return os_dir_create(e->o, path);
}

static holt_status do_lock(errands *e)
{
    holt_status status = os_file_lock(e->f, true);
    os_file_unlock(e->f);
    return status;
}

static holt_status do_rename(errands *e)
{
    return os_dir_rename(e->d, "a", "a");
}

static holt_status do_unlink(errands *e)
{
    os_file_close(file_of(e->d, "b"));
    return os_dir_unlink(e->d, "b");
}

static holt_status do_truncate(errands *e)
{
    return os_file_truncate(e->f, 4096);
}

static holt_status do_allocate(errands *e)
{
    return os_file_allocate(e->f, 4096);
}

static holt_status do_map(errands *e)
{
    os_map m;
    holt_status status = os_file_map(e->f, 0, 4096, &m);
    os_file_unmap(&m);
    return status;
}

static holt_status count_name(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return HOLT_OK;
}

static holt_status do_list(errands *e)
{
    int count = 0;
    return os_dir_list(e->d, count_name, &count);
}

static holt_status do_stat(errands *e)
{
    bool exists;
    uint64_t size;
    return os_dir_stat(e->d, "a", &exists, &size);
}

static holt_status do_size(errands *e)
{
    uint64_t size;
    return os_file_size(e->f, &size);
}

static holt_status do_free_bytes(errands *e)
{
    uint64_t bytes;
    return os_dir_free_bytes(e->d, &bytes);
}

/* A fault of a kind hits the calls of that kind, in words, once; an interruption is never seen. */
static void every_kind_of_call_fails_on_demand(void **state)
{
    static const struct {
        sim_call kind;
        holt_status (*run)(errands *e);
    } all[] = {
        {SIM_READ, do_read},         {SIM_WRITE, do_write},       {SIM_SYNC, do_sync},
        {SIM_DIR_SYNC, do_dir_sync}, {SIM_OPEN, do_open},         {SIM_OPEN, do_dir_open},
        {SIM_OPEN, do_dir_create},   {SIM_OPEN, do_lock},         {SIM_RENAME, do_rename},
        {SIM_TRUNCATE, do_truncate}, {SIM_ALLOCATE, do_allocate}, {SIM_MAP, do_map},
        {SIM_UNLINK, do_unlink},     {SIM_LIST, do_list},         {SIM_LIST, do_stat},
        {SIM_LIST, do_size},         {SIM_LIST, do_free_bytes},
    };
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    ok(os_file_allocate(f, 4096));
    errands e = {o, d, f};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t calls = sim_calls(o, all[i].kind);
        ok(all[i].run(&e));
        assert_int_equal(sim_calls(o, all[i].kind), calls + 1);

        sim_fail(o, all[i].kind, 2, EIO, false);
        ok(all[i].run(&e));
        assert_false(sim_fault_hit(o));
        assert_int_equal(all[i].run(&e), HOLT_IO);
        assert_true(sim_fault_hit(o));
        holt_error error;
        holt_error_get(&error, sizeof error);
        assert_int_equal(error.os_errno, EIO);
        ok(all[i].run(&e));

        sim_fail(o, all[i].kind, 1, ENOSPC, true);
        assert_int_equal(all[i].run(&e), HOLT_NO_SPACE);
        assert_int_equal(all[i].run(&e), HOLT_NO_SPACE);
        sim_fail(o, all[i].kind, 1, EINTR, true);
        ok(all[i].run(&e));
        ok(all[i].run(&e));
        assert_true(sim_fault_hit(o));
        sim_fail(o, all[i].kind, 0, 0, false);
        ok(all[i].run(&e));
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The n-th call of any kind, with a store among them, which cannot fail: the next one does. */
static void fault_of_any_kind_passes_over_stores(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    ok(os_file_allocate(f, 4096));
    os_map m;
    ok(os_file_map(f, 0, 4096, &m));
    sim_fail(o, SIM_CALLS, 1, EIO, false);
    os_map_store(&m, 0, "x", 1);
    assert_false(sim_fault_hit(o));
    assert_int_equal(os_file_sync(f), HOLT_IO);
    ok(os_file_sync(f));
    os_file_unmap(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A loop that adds up wrongly after a short transfer writes or reads the wrong bytes. */
static void short_and_interrupted_transfers_are_completed(void **state)
{
    rng r;
    rng_seed(&r, seed_of_test());
    os *o = machine(r.state[0]);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    uint8_t data[10000], back[10000];
    static const int faults[] = {SIM_SHORT, EINTR};
    for (int i = 0; i < 40; i++) {
        rng_fill(&r, data, sizeof data);
        uint64_t offset = rng_below(&r, 5000);
        sim_fail(o, SIM_WRITE, 1, faults[i % 2], true);
        ok(os_file_write(f, offset, data, sizeof data));
        assert_true(sim_fault_hit(o));
        sim_fail(o, SIM_READ, 1, faults[i % 2], true);
        ok(os_file_read_exact(f, offset, back, sizeof back));
        assert_true(sim_fault_hit(o));
        assert_memory_equal(data, back, sizeof data);
        size_t got;
        uint64_t size;
        ok(os_file_size(f, &size));
        ok(os_file_read(f, size - 100, back, sizeof back, &got));
        assert_int_equal(got, 100);
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The person at night reads the message: file, call, place, reason. */
static void message_names_file_call_and_place(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "wal-000001.log", "12345");
    char buffer[100];
    assert_int_equal(os_file_read_exact(f, 3, buffer, 100), HOLT_CORRUPT);
    assert_string_equal(holt_error_message(), "wal-000001.log: file ends at 5: 100 bytes wanted at 3");
    sim_fail(o, SIM_WRITE, 1, ENOSPC, false);
    assert_int_equal(os_file_write(f, 8192, buffer, 100), HOLT_NO_SPACE);
    assert_string_equal(holt_error_message(),
                        "wal-000001.log: write of 100 bytes at 8192: No space left on device");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A disk that is full: what fits is written, allocation leaves the file as it was, unlinking makes room. */
static void full_disk_refuses_until_there_is_room(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "12345"), *g = durable_file(d, "b", "12345");
    sim_set_disk_bytes_max(o, 20);
    uint64_t room, size;
    ok(os_dir_free_bytes(d, &room));
    assert_int_equal(room, 10);
    assert_int_equal(os_file_allocate(f, 16), HOLT_NO_SPACE);
    assert_int_equal(os_file_truncate(f, 16), HOLT_NO_SPACE);
    ok(os_file_size(f, &size));
    assert_int_equal(size, 5);
    assert_int_equal(os_file_write(f, 5, "0123456789x", 11), HOLT_NO_SPACE);
    assert_string_equal(text_of(o, "a"), "123450123456789");
    assert_int_equal(os_file_write(f, 15, "x", 1), HOLT_NO_SPACE);
    ok(os_file_write(f, 0, "54321", 5)); /* rewriting needs no room */

    ok(os_dir_unlink(d, "b"));
    assert_int_equal(os_file_allocate(f, 16), HOLT_NO_SPACE); /* still open */
    os_file_close(g);
    ok(os_file_allocate(f, 20));
    sim_set_disk_bytes_max(o, 0);
    ok(os_file_allocate(f, 1000));
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A wrong offset from above must be an error, not a page table of all memory. */
static void absurd_offset_is_refused(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    assert_int_equal(os_file_write(f, UINT64_MAX - 1, "xyz", 3), HOLT_IO);
    assert_int_equal(os_file_truncate(f, UINT64_MAX), HOLT_IO);
    char byte;
    size_t got;
    ok(os_file_read(f, UINT64_MAX - 1, &byte, 1, &got));
    assert_int_equal(got, 0);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* Handles come from base/memory.h, so a failing allocation is a status and leaves nothing open. */
static void failed_allocation_opens_nothing(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "a", ""));
    for (uint64_t n = 1; n <= 2; n++) {
        os_dir *d2;
        mem_fail_at(n, false);
        assert_int_equal(os_dir_open(o, "/db", &d2), HOLT_NO_MEMORY);
        assert_null(d2);
    }
    os_file *f;
    mem_fail_at(1, false);
    assert_int_equal(os_file_open(d, "a", OS_READ, &f), HOLT_NO_MEMORY);
    assert_null(f);
    int count = 0;
    mem_fail_at(1, false);
    assert_int_equal(os_dir_list(d, count_name, &count), HOLT_NO_MEMORY);
    assert_int_equal(count, 0);
    mem_fail_at(1, false);
    assert_null(sim_clone(o, 1));
    void *bytes;
    size_t size;
    mem_fail_at(1, false);
    assert_int_equal(sim_peek(o, "/db/a", &bytes, &size), HOLT_NO_MEMORY);
    mem_fail_at(0, false);
    os_dir_close(d);
    sim_destroy(o); /* asserts that nothing is open */
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

/* A test's own hands: what they do survives any cut, and counts and fails nothing. */
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

/* ---------------------------------------------------------------- the hook */

typedef struct crash_suite {
    os *o;
    os_mutex *mutex;
    int calls, depth;
    uint64_t last;
} crash_suite;

/* What a crash test does at an I/O: clone, use the clone in full, with its hook, its jobs, its mutexes. */
static void crash_here(void *ctx, uint64_t call)
{
    crash_suite *c = ctx;
    assert_int_equal(c->depth++, 0);
    assert_true(call > c->last);
    c->last = call;
    c->calls++;
    os *clone = sim_clone(c->o, call);
    os_dir *d = db_of(clone);
    os_mutex m;
    os_mutex_init(&m, LOCK_RANK_OPEN_TABLE); /* below what the interrupted one holds */
    os_mutex_lock(&m);
    os_file *f = file_of(d, "inside");
    put(f, 0, "x");
    os_mutex_unlock(&m);
    os_mutex_deinit(&m);
    assert_int_equal(os_file_read_exact(f, 9, &d, 1), HOLT_CORRUPT);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(clone);

    d = db_of(c->o); /* the interrupted machine itself answers too */
    bool exists;
    uint64_t size;
    ok(os_dir_stat(d, "inside", &exists, &size));
    assert_false(exists);
    os_file_close(file_of(d, "written-in-hook")); /* does not call the hook again */
    os_dir_close(d);
    c->depth--;
}

/* The hook runs a whole database in the midst of a call of another: held mutexes and the last error must be
 * as before. */
static void hook_sees_each_change_and_disturbs_nothing(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "12345");
    char buffer[10];
    assert_int_equal(os_file_read_exact(f, 0, buffer, 10), HOLT_CORRUPT);
    char message[256];
    snprintf(message, sizeof message, "%s", holt_error_message());

    os_mutex m;
    os_mutex_init(&m, LOCK_RANK_WAL);
    crash_suite c = {.o = o, .mutex = &m};
    sim_on_io(o, crash_here, &c);
    os_mutex_lock(&m);
    put(f, 0, "x");
    ok(os_file_sync(f));
    ok(os_dir_sync(d));
    assert_int_equal(c.calls, 3);
    os_file_close(file_of(d, "a")); /* opens what is there: changes nothing */
    ok(os_file_read_exact(f, 0, buffer, 5));
    assert_int_equal(c.calls, 3);
    os_file_close(file_of(d, "b"));
    ok(os_dir_rename(d, "b", "c"));
    ok(os_dir_unlink(d, "c"));
    ok(os_file_truncate(f, 2));
    ok(os_file_allocate(f, 4));
    os_file *t;
    ok(os_file_open(d, "a", OS_WRITE | OS_TRUNCATE, &t));
    os_file_close(t);
    assert_int_equal(c.calls, 9);
    os_mutex_assert_held(&m);
    os_mutex_unlock(&m);
    sim_on_io(o, NULL, NULL);
    put(f, 0, "x");
    assert_int_equal(c.calls, 9);
    assert_string_equal(holt_error_message(), message);
    os_mutex_deinit(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* ---------------------------------------------------------------- time and jobs */

/* Time passes by itself, so that whoever polls the clock gets somewhere, and jumps when all wait. */
static void time_is_virtual_and_never_stands(void **state)
{
    os *o = machine(1);
    uint64_t last = os_clock_ns(o);
    for (int i = 0; i < 100; i++) {
        uint64_t now = os_clock_ns(o);
        assert_true(now > last && now - last <= 20000);
        last = now;
    }
    uint64_t wall = os_time_ms(o);
    os_sleep(o, UINT64_C(3600) * 1000000000);
    assert_in_range(os_time_ms(o) - wall, 3600000, 3600010);
    sim_advance(o, 1000000000);
    assert_in_range(os_time_ms(o) - wall, 3601000, 3601010);

    os_mutex m;
    os_cond c;
    os_mutex_init(&m, LOCK_RANK_LEAF);
    os_cond_init(&c, o);
    os_mutex_lock(&m);
    uint64_t deadline = os_clock_ns(o) + UINT64_C(5000000000);
    while (os_cond_wait(&c, &m, deadline)) {
    }
    assert_true(os_clock_ns(o) >= deadline);
    assert_false(os_cond_wait(&c, &m, 0));
    os_mutex_unlock(&m);
    os_cond_deinit(&c);
    os_mutex_deinit(&m);
    sim_destroy(o);
}

typedef struct worker {
    os *o;
    os_job *job;
    os_mutex mutex;
    os_cond done_cond;
    int steps, todo; /* mutex */
    int depth, depth_max;
    uint64_t period; /* 0: idle when nothing is to do */
    char *trace;
    char letter;
} worker;

static void worker_init(worker *w, os *o)
{
    memset(w, 0, sizeof *w);
    w->o = o;
    os_mutex_init(&w->mutex, LOCK_RANK_JOBS);
    os_cond_init(&w->done_cond, o);
}

static void worker_deinit(worker *w)
{
    os_cond_deinit(&w->done_cond);
    os_mutex_deinit(&w->mutex);
}

static uint64_t work(void *ctx)
{
    worker *w = ctx;
    os_mutex_lock(&w->mutex);
    w->steps++;
    if (w->trace) sprintf(w->trace + strlen(w->trace), "%c", w->letter);
    if (w->todo > 0) w->todo--;
    bool more = w->todo > 0;
    if (!more) os_cond_broadcast(&w->done_cond);
    os_mutex_unlock(&w->mutex);
    if (more) return OS_JOB_AGAIN;
    return w->period ? os_clock_ns(w->o) + w->period : OS_JOB_IDLE;
}

/* Waiting is what lets jobs run: a wait for a job's work ends when the work is done. */
static void waiting_runs_the_jobs_it_waits_for(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    ok(os_job_start(o, "worker", 0, work, &w, &w.job));
    os_sleep(o, 1000000);
    assert_int_equal(w.steps, 0); /* idle until first woken */
    w.todo = 10;
    os_job_wake(w.job);
    os_mutex_lock(&w.mutex);
    while (w.todo > 0)
        assert_true(os_cond_wait(&w.done_cond, &w.mutex, OS_FOREVER));
    os_mutex_unlock(&w.mutex);
    assert_int_equal(w.steps, 10);
    sim_settle(o);
    assert_int_equal(w.steps, 10);

    w.todo = 100;
    os_job_wake(w.job);
    int before = w.steps;
    for (int i = 0; i < 200 && w.todo > 0; i++) {
        int steps = w.steps;
        os_breathe(o);
        assert_in_range(w.steps - steps, 0, 3);
    }
    assert_int_equal(w.steps - before, 100);
    os_job_wake(w.job);
    os_job_stop(w.job);
    os_job_stop(NULL);
    assert_int_equal(w.steps - before, 100);
    worker_deinit(&w);
    sim_destroy(o);
}

/* A job that asks for a time steps then, and not before. */
static void sleeping_job_steps_when_its_time_comes(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    w.period = 1000000000;
    ok(os_job_start(o, "worker", 0, work, &w, &w.job));
    os_job_wake(w.job);
    sim_settle(o); /* comes back, as it sleeps and never idles */
    assert_in_range(w.steps, 9, 11);
    int before = w.steps;
    os_sleep(o, UINT64_C(100000000000));
    assert_in_range(w.steps - before, 95, 101);
    os_job_stop(w.job);
    worker_deinit(&w);
    sim_destroy(o);
}

static uint64_t wake_self_once(void *ctx)
{
    worker *w = ctx;
    if (w->steps++ == 0) os_job_wake(w->job);
    return OS_JOB_IDLE;
}

/* A wake in the midst of a step must not be taken for the one that began it. */
static void wake_during_a_step_is_not_lost(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    ok(os_job_start(o, "worker", 0, wake_self_once, &w, &w.job));
    os_job_wake(w.job);
    sim_settle(o);
    assert_int_equal(w.steps, 2);
    os_job_stop(w.job);
    worker_deinit(&w);
    sim_destroy(o);
}

/* A step that waits: sleeps, so that others (and never itself) run above it. */
static uint64_t step_that_waits(void *ctx)
{
    worker *w = ctx;
    assert_int_equal(w->depth++, 0);
    w->steps++;
    os_job_wake(w->job);
    os_sleep(w->o, 1000000);
    w->depth--;
    return w->steps < 20 ? OS_JOB_AGAIN : OS_JOB_IDLE;
}

static void waiting_step_lets_others_run_and_never_itself(void **state)
{
    os *o = machine(1);
    worker w, other;
    worker_init(&w, o);
    worker_init(&other, o);
    ok(os_job_start(o, "waits", 0, step_that_waits, &w, &w.job));
    ok(os_job_start(o, "works", 0, work, &other, &other.job));
    os_job_wake(w.job);
    other.todo = 50;
    os_job_wake(other.job);
    os_sleep(o, UINT64_C(1000000000));
    assert_true(w.steps >= 20);
    assert_int_equal(other.todo, 0);
    os_job_stop(w.job);
    os_job_stop(other.job);
    worker_deinit(&w);
    worker_deinit(&other);
    sim_destroy(o);
}

static void wait_for_nothing(void)
{
    os *o = machine(1);
    os_mutex m;
    os_cond c;
    os_mutex_init(&m, LOCK_RANK_LEAF);
    os_cond_init(&c, o);
    os_mutex_lock(&m);
    while (os_cond_wait(&c, &m, OS_FOREVER)) {
    }
}

/* A wait that nothing can end must not hang the suite: it dies, and says of what. */
static void endless_wait_aborts_with_words(void **state)
{
    int words[2];
    assert_int_equal(pipe(words), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(words[1], STDERR_FILENO);
        wait_for_nothing();
        _exit(0);
    }
    close(words[1]);
    char text[200] = "";
    assert_true(read(words[0], text, sizeof text - 1) > 0);
    close(words[0]);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
    assert_non_null(strstr(text, "sim: deadlock"));
}

/* ---------------------------------------------------------------- replay */

/* A history that uses all that draws on the seed. */
static uint64_t history(uint64_t seed, char trace[200])
{
    os *o = machine(seed);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    worker w[2];
    trace[0] = '\0';
    for (int i = 0; i < 2; i++) {
        worker_init(&w[i], o);
        w[i].todo = 20;
        w[i].trace = trace;
        w[i].letter = (char)('a' + i);
        ok(os_job_start(o, "worker", 0, work, &w[i], &w[i].job));
        os_job_wake(w[i].job);
    }
    sim_fail(o, SIM_WRITE, 3, EIO, false);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t bits[4] = {os_random(o), os_random(o), os_clock_ns(o), os_time_ms(o)};
        (void)os_file_write(f, i * sizeof bits, bits, sizeof bits); /* one fails, on purpose */
        os_breathe(o);
        os_sleep(o, 50000);
    }
    for (int i = 0; i < 2; i++) {
        os_job_stop(w[i].job);
        worker_deinit(&w[i]);
    }
    os *cut = after_cut(o, SIM_KEEP_GARBAGE, SIM_KEEP_SOME, seed);
    uint64_t print = sim_fingerprint(o) ^ sim_fingerprint(cut) * 3;
    sim_destroy(cut);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
    return print;
}

/* The point of it all: the same seed gives the same run, to the last bit; another gives another. */
static void same_seed_replays_exactly(void **state)
{
    uint64_t seed = seed_of_test();
    char one[200], two[200], three[200];
    uint64_t print = history(seed, one);
    assert_true(history(seed, two) == print);
    assert_string_equal(one, two);
    assert_true(history(seed + 1, three) != print);
    assert_string_not_equal(one, three);
}

/* ---------------------------------------------------------------- with threads */

/* The same calls with jobs on real threads; for the thread sanitizer. */
static void jobs_run_on_threads_when_asked(void **state)
{
    sim_options options = {.seed = 1, .threads = true};
    os *o = sim_create(&options);
    ok(os_dir_create(o, "/db"));
    worker w[3];
    for (int i = 0; i < 3; i++) {
        worker_init(&w[i], o);
        ok(os_job_start(o, "worker", 0, work, &w[i], &w[i].job));
        os_mutex_lock(&w[i].mutex);
        w[i].todo = 100;
        os_mutex_unlock(&w[i].mutex);
        os_job_wake(w[i].job);
    }
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "x");
    for (int i = 0; i < 3; i++) {
        os_mutex_lock(&w[i].mutex);
        while (w[i].todo > 0)
            os_cond_wait(&w[i].done_cond, &w[i].mutex, OS_FOREVER);
        os_mutex_unlock(&w[i].mutex);
        os_job_wake(w[i].job);
    }
    sim_settle(o);
    sim_advance(o, 1000000);
    assert_false(os_cond_wait(&w[0].done_cond, (os_mutex_lock(&w[0].mutex), &w[0].mutex), os_clock_ns(o)));
    os_mutex_unlock(&w[0].mutex);
    for (int i = 0; i < 3; i++) {
        os_job_stop(w[i].job);
        assert_int_equal(w[i].steps, 101);
        worker_deinit(&w[i]);
    }
    os_breathe(o);
    os_file_close(f);
    os_dir_close(d);
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
        cmocka_unit_test(failed_sync_leaves_limbo_that_no_later_sync_ends),
        cmocka_unit_test(failed_directory_sync_leaves_names_in_limbo),
        cmocka_unit_test(killed_process_leaves_its_writes_pending),
        cmocka_unit_test(clone_and_original_go_separate_ways),
        cmocka_unit_test(open_file_outlives_its_name),
        cmocka_unit_test(random_changes_agree_with_a_plain_array),
        cmocka_unit_test(map_and_file_show_the_same),
        cmocka_unit_test(kill_can_come_within_a_store),
        cmocka_unit_test(every_kind_of_call_fails_on_demand),
        cmocka_unit_test(fault_of_any_kind_passes_over_stores),
        cmocka_unit_test(short_and_interrupted_transfers_are_completed),
        cmocka_unit_test(message_names_file_call_and_place),
        cmocka_unit_test(full_disk_refuses_until_there_is_room),
        cmocka_unit_test(absurd_offset_is_refused),
        cmocka_unit_test(failed_allocation_opens_nothing),
        cmocka_unit_test(listing_is_sorted_and_shows_directories),
        cmocka_unit_test(locks_conflict_between_two_opens),
        cmocka_unit_test(poke_and_remove_are_durable_at_once),
        cmocka_unit_test(hook_sees_each_change_and_disturbs_nothing),
        cmocka_unit_test(time_is_virtual_and_never_stands),
        cmocka_unit_test(waiting_runs_the_jobs_it_waits_for),
        cmocka_unit_test(sleeping_job_steps_when_its_time_comes),
        cmocka_unit_test(wake_during_a_step_is_not_lost),
        cmocka_unit_test(waiting_step_lets_others_run_and_never_itself),
        cmocka_unit_test(endless_wait_aborts_with_words),
        cmocka_unit_test(same_seed_replays_exactly),
        cmocka_unit_test(jobs_run_on_threads_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
