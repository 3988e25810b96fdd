/* test_load.c -- bulk loads into collections of both kinds, combined with everything that can happen during
 * one.
 *
 * A load is atomic: after it the collection holds exactly what was put; before it, and after any crash,
 * failure or abort, the collection is empty, and nothing of the load is left on disk.
 */
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "db/commit/commit.h"
#include "db/db.h"
#include "db/open/open.h"
#include "db/read/get.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/must.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

enum { KEY_MAX = 65535, LARGE_BYTES = 40000 };

static const struct kind {
    uint32_t number;
    const char *name;
} kinds[] = {{HOLT_LSM, "lsm"}, {HOLT_BTREE, "btree"}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---------------------------------------------------------------- what is loaded */

typedef struct entry {
    char key[24];
    uint8_t *bytes; /* of the value */
    size_t size;
} entry;

/* The i-th entry: mostly small, now and then larger than a block. The value is in a buffer that the next call
 * reuses. */
static entry entry_of(unsigned i)
{
    static uint8_t bytes[LARGE_BYTES];
    entry e = {.bytes = bytes, .size = i % 97 == 50 ? LARGE_BYTES - i % 1000 : i % 180};
    rng r;
    rng_seed(&r, i);
    snprintf(e.key, sizeof e.key, "key %09u", i);
    rng_fill(&r, bytes, e.size);
    return e;
}

static holt_status put_entry(holt_load *load, unsigned i)
{
    entry e = entry_of(i);
    return holt_load_put(load, holt_str(e.key), holt_bytes(e.bytes, e.size));
}

static void put_entries(holt_load *load, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        expect_ok(put_entry(load, i));
}

static holt_collection *create_kind(holt *db, const struct kind *kind)
{
    holt_collection_options o = {.kind = kind->number, .flags = HOLT_CREATE_OR_OPEN};
    holt_collection *c = NULL;
    expect_ok(holt_collection_create(db, kind->name, &o, &c));
    return c;
}

static holt_collection *reopen(db_fixture *f, const struct kind *kind)
{
    holt_collection *c = NULL;
    db_fixture_reopen(f);
    expect_ok(holt_collection_open(f->db, kind->name, &c));
    return c;
}

static holt_load *begin_load(holt_collection *c)
{
    holt_load *load = NULL;
    expect_ok(holt_load_begin(c, NULL, &load));
    assert_non_null(load);
    return load;
}

static void load_all(holt_collection *c, unsigned count)
{
    holt_load *load = begin_load(c);
    put_entries(load, count);
    expect_ok(holt_load_commit(load));
    holt_load_abort(load);
}

/* ---------------------------------------------------------------- what is there */

static bool is_entry(const holt_cursor *cursor, unsigned i)
{
    entry e = entry_of(i);
    holt_slice key = holt_cursor_key(cursor), value = holt_cursor_value(cursor);
    return key.size == strlen(e.key) && memcmp(key.data, e.key, key.size) == 0 && value.size == e.size &&
           memcmp(value.data, e.bytes, e.size) == 0;
}

static void expect_entries_in(holt_collection *c, holt_txn *t, unsigned count)
{
    holt_cursor *cursor = open_cursor(c, t);
    unsigned seen = 0;
    for (; holt_cursor_next(cursor); seen++)
        assert_true(is_entry(cursor, seen));
    assert_int_equal(seen, count);
    while (holt_cursor_prev(cursor))
        assert_true(is_entry(cursor, --seen));
    assert_int_equal(seen, 0);
    expect_ok(holt_cursor_close(cursor));
}

/* All of them and nothing else, by scans and by gets. */
static void expect_entries(holt_collection *c, unsigned count)
{
    holt_value v = HOLT_VALUE_INIT;
    expect_entries_in(c, NULL, count);
    for (unsigned i = 0; i < count; i += 7) {
        entry e = entry_of(i);
        expect_ok(holt_get(c, NULL, holt_str(e.key), &v));
        assert_int_equal(v.size, e.size);
        assert_memory_equal(v.data, e.bytes, e.size);
    }
    holt_value_free(&v);
    expect_status(HOLT_NOT_FOUND, holt_exists(c, NULL, holt_str("key")));
    expect_status(HOLT_NOT_FOUND, holt_exists(c, NULL, holt_str("key 999999999")));
}

static unsigned count_entries(holt_collection *c)
{
    holt_cursor *cursor = open_cursor(c, NULL);
    unsigned count = 0;
    while (holt_cursor_next(cursor))
        count++;
    expect_ok(holt_cursor_close(cursor));
    return count;
}

static holt_status count_run(void *ctx, const char *name)
{
    *(unsigned *)ctx += strncmp(name, "run-", 4) == 0;
    return HOLT_OK;
}

static unsigned run_files(os *machine, const char *path)
{
    os_dir *d;
    unsigned count = 0;
    expect_ok(os_dir_open(machine, path, &d));
    expect_ok(os_dir_list(d, count_run, &count));
    os_dir_close(d);
    return count;
}

/* In a closed database: nothing is wrong, and nothing is left over. */
static void expect_sound(os *machine, const char *path)
{
    holt_verify_report report;
    expect_ok(holt_verify_on(machine, path, NULL, &report, sizeof report));
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.orphans, 0);
}

static void close_and_verify(db_fixture *f)
{
    db_fixture_close(f);
    expect_sound(f->os, f->path);
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- contents */

static void a_load_becomes_the_collection(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        load_all(c, 4000);
        expect_entries(c, 4000);
        holt_collection_info info;
        expect_ok(holt_collection_stats(c, &info, sizeof info));
        assert_int_equal(info.entries, 4000);
        assert_int_equal(info.runs, 1);
        assert_int_equal(info.memtable_entries, 0);
        expect_ok(holt_verify_live(f->db, NULL, NULL, 0));
        expect_entries(reopen(f, k), 4000);
        close_and_verify(f);
    }
}

/* The first load of a database comes before any commit: nothing has a sequence number yet. */
static void a_load_of_nothing_and_one_of_a_single_empty_entry(void **state)
{
    db_fixture *f = *state;
    load_all(f->c, 0);
    assert_int_equal(count_entries(f->c), 0);
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        load_all(c, 0);
        holt_load *load = begin_load(c);
        expect_ok(holt_load_put(load, holt_str(NULL), holt_str(NULL)));
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        expect_get(c, NULL, "", "");
        expect_get(reopen(f, k), NULL, "", "");
    }
    close_and_verify(f);
}

static void what_is_written_later_wins(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        load_all(c, 500);
        put(c, entry_of(3).key, "new");
        put(c, "zzz", "more");
        expect_ok(holt_delete(c, NULL, holt_str(entry_of(4).key)));
        for (int stage = 0; stage < 4; stage++) {
            expect_get(c, NULL, entry_of(3).key, "new");
            expect_get(c, NULL, entry_of(4).key, NULL);
            expect_get(c, NULL, "zzz", "more");
            assert_int_equal(count_entries(c), 500);
            if (stage == 0) c = reopen(f, k);
            if (stage == 1) expect_ok(holt_flush(f->db));
            if (stage == 2) expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL)));
        }
        close_and_verify(f);
    }
}

/* The log still holds what was cleared, in memtables that were never flushed: it must not reappear under the
 * loaded tree, neither at the next flush nor in a recovery. */
static void what_was_cleared_before_does_not_reappear(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        static char value[3000];
        memset(value, 'o', sizeof value - 1);
        for (unsigned i = 0; i < 60; i++)
            put(c, i % 2 ? entry_of(i).key : "old", value);
        expect_ok(holt_collection_clear(c));
        load_all(c, 300);
        os *clone = sim_clone(f->os, 5);
        holt *db;
        holt_collection *found;
        holt_options o = db_fixture_options(0);
        expect_ok(holt_open_on(clone, f->path, &o, &db));
        expect_ok(holt_collection_open(db, k->name, &found));
        expect_entries(found, 300);
        expect_ok(holt_flush(db));
        expect_entries(found, 300);
        expect_ok(holt_close(db));
        sim_destroy(clone);
        expect_ok(holt_flush(f->db));
        expect_entries(c, 300);
    }
    close_and_verify(f);
}

/* ---------------------------------------------------------------- visibility */

static void a_load_is_invisible_before_its_commit_and_to_older_readers(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY);
        holt_cursor *cursor = open_cursor(c, NULL);
        holt_load *load = begin_load(c);
        put_entries(load, 200);
        assert_int_equal(count_entries(c), 0);
        expect_get(c, NULL, entry_of(1).key, NULL);
        expect_ok(holt_load_commit(load));
        expect_entries(c, 200);
        expect_entries_in(c, before, 0);
        expect_get(c, before, entry_of(1).key, NULL);
        assert_false(holt_cursor_next(cursor));
        expect_ok(holt_cursor_refresh(cursor));
        assert_true(holt_cursor_next(cursor));
        assert_true(is_entry(cursor, 0));
        expect_ok(holt_cursor_close(cursor));
        holt_rollback(before);
        holt_load_abort(load);
    }
}

/* What comes between a lookup and its commit. A load or a clear is in no memtable, and has no sequence number
 * of its own. */
static void load_between(holt *db, holt_collection *c)
{
    (void)db;
    load_all(c, 10);
}

static void clear_between(holt *db, holt_collection *c)
{
    (void)db;
    expect_ok(holt_collection_clear(c));
}

static void flush_between(holt *db, holt_collection *c)
{
    put(c, "other", "1");
    expect_ok(holt_flush(db));
}

/* Looks a key up for a condition, lets something happen, and commits: the leader must not decide by what the
 * lookup has found. */
static void expect_undecided(holt *db, holt_collection *c, write_condition wanted,
                             void (*between)(holt *, holt_collection *))
{
    entry e = entry_of(3);
    commit_request r = {.collection = c,
                        .operation = {.op = ENTRY_PUT,
                                      .collection = c->spec.id,
                                      .key = holt_str(e.key),
                                      .value = holt_str("mine")},
                        .durability = HOLT_COMMIT,
                        .condition = wanted};
    expect_ok(get_condition(c, NULL, r.operation.key, &r.condition));
    between(db, c);
    expect_ok(commit_submit(db, &r));
    assert_true(r.undecided);
}

static void conditions_do_not_overlook_loads_clears_and_flushes(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        entry e = entry_of(3);
        holt_slice key = holt_str(e.key), mine = holt_str("mine");
        holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT}, present = {.flags = HOLT_PUT_IF_PRESENT};
        expect_undecided(f->db, c, (write_condition){.kind = CONDITION_ABSENT}, load_between);
        expect_status(HOLT_EXISTS, holt_put_with(c, NULL, key, mine, &absent));
        expect_ok(holt_put_with(c, NULL, holt_str("not loaded"), mine, &absent));
        expect_get(c, NULL, "not loaded", "mine");

        expect_undecided(f->db, c, (write_condition){.kind = CONDITION_PRESENT}, flush_between);
        expect_undecided(f->db, c, (write_condition){.kind = CONDITION_PRESENT}, clear_between);
        expect_status(HOLT_NOT_FOUND, holt_put_with(c, NULL, key, mine, &present));
        expect_undecided(f->db, c, (write_condition){.kind = CONDITION_VERSION}, clear_between);
        expect_undecided(f->db, c, (write_condition){.kind = CONDITION_NUMBER, .delta = 1}, clear_between);
        expect_entries(c, 0);
    }
}

/* ---------------------------------------------------------------- refusals */

static void a_collection_that_is_not_empty_is_refused(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        holt_load *load = (holt_load *)f;
        put(c, "a", "1");
        expect_status(HOLT_EXISTS, holt_load_begin(c, NULL, &load));
        assert_null(load);
        expect_words(k->name);
        expect_words("holt_collection_clear");
        expect_ok(holt_flush(f->db));
        expect_status(HOLT_EXISTS, holt_load_begin(c, NULL, &load));
        expect_ok(holt_collection_clear(c));
        expect_ok(holt_delete(c, NULL, holt_str("a")));
        expect_status(HOLT_EXISTS, holt_load_begin(c, NULL, &load));
        expect_ok(holt_collection_clear(c));
        load_all(c, 100);
        expect_entries(c, 100);
        expect_status(HOLT_EXISTS, holt_load_begin(c, NULL, &load));
    }
}

/* Another thread writes during the load. The load stays open, and can be committed once the collection is
 * cleared. */
static void writes_during_a_load_are_found_at_its_commit(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        for (int flushed = 0; flushed < 2; flushed++) {
            holt_collection *c = create_kind(f->db, k);
            holt_load *load = begin_load(c);
            put_entries(load, 150);
            put(c, "meanwhile", "1");
            if (flushed) expect_ok(holt_flush(f->db));
            expect_status(HOLT_EXISTS, holt_load_commit(load));
            assert_int_equal(count_entries(c), 1);
            expect_ok(holt_collection_clear(c));
            expect_ok(holt_load_commit(load));
            holt_load_abort(load);
            expect_entries(c, 150);
            expect_ok(holt_collection_clear(c));
        }
    }
    close_and_verify(f);
}

static void of_two_loads_the_first_to_commit_wins(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        holt_load *one = begin_load(c), *two = begin_load(c);
        put_entries(one, 100);
        put_entries(two, 50);
        expect_ok(holt_load_commit(two));
        expect_status(HOLT_EXISTS, holt_load_commit(one));
        holt_load_abort(two);
        holt_load_abort(one);
        expect_entries(c, 50);
    }
    close_and_verify(f);
}

static void keys_that_do_not_ascend_are_refused_and_the_load_stays_usable(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        holt_load *load = begin_load(c);
        put_entries(load, 5);
        expect_status(HOLT_INVALID, put_entry(load, 4));
        expect_words("entry 6");
        expect_words("the same as the one before it");
        expect_status(HOLT_INVALID, put_entry(load, 2));
        expect_words("less than the one before it");
        expect_status(HOLT_INVALID, holt_load_put(load, holt_str(NULL), holt_str(NULL)));
        expect_ok(put_entry(load, 5));
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        expect_entries(c, 6);
    }
}

static void what_is_too_large_is_refused_and_the_load_stays_usable(void **state)
{
    db_fixture *f = *state;
    static char key[KEY_MAX + 1];
    size_t limit = (size_t)db_fixture_options(0).memory_bytes / 4;
    char *value = must_alloc(limit + 1);
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        holt_load *load = begin_load(c);
        expect_status(HOLT_TOO_LARGE, holt_load_put(load, holt_bytes(key, KEY_MAX + 1), holt_str("")));
        expect_status(HOLT_TOO_LARGE, holt_load_put(load, holt_str("k"), holt_bytes(value, limit + 1)));
        expect_status(HOLT_INVALID, holt_load_put(load, holt_bytes(NULL, 3), holt_str("")));
        expect_status(HOLT_INVALID, holt_load_put(load, holt_str("k"), holt_bytes(NULL, 3)));
        expect_ok(holt_load_put(load, holt_bytes(key, KEY_MAX), holt_bytes(value, limit)));
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        size_t size;
        char *got = must_alloc(limit);
        expect_ok(holt_get_into(c, NULL, holt_bytes(key, KEY_MAX), got, limit, &size));
        assert_int_equal(size, limit);
        free(got);
        assert_int_equal(count_entries(c), 1);
    }
    free(value);
}

static void calls_that_make_no_sense_are_refused(void **state)
{
    db_fixture *f = *state;
    holt_load *load;
    holt_load_options o = {.flags = 1};
    expect_status(HOLT_INVALID, holt_load_begin(NULL, NULL, &load));
    expect_status(HOLT_INVALID, holt_load_begin(f->c, NULL, NULL));
    expect_status(HOLT_INVALID, holt_load_begin(f->c, &o, &load));
    o.flags = 0;
    o.reserved[7] = 1;
    expect_status(HOLT_INVALID, holt_load_begin(f->c, &o, &load));
    expect_status(HOLT_INVALID, holt_load_put(NULL, holt_str("a"), holt_str("b")));
    expect_status(HOLT_INVALID, holt_load_commit(NULL));
    holt_load_abort(NULL);

    load = begin_load(f->c);
    put(f->c, "a", "1");
    expect_ok(put_entry(load, 1));
    expect_status(HOLT_EXISTS, holt_load_commit(load));
    expect_ok(put_entry(load, 2)); /* it was refused before anything was done */
    expect_ok(holt_collection_clear(f->c));
    expect_ok(holt_load_commit(load));
    expect_status(HOLT_CLOSED, put_entry(load, 3));
    expect_status(HOLT_CLOSED, holt_load_commit(load));
    holt_load_abort(load);

    db_fixture_close(f);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    expect_status(HOLT_READ_ONLY, holt_load_begin(f->c, NULL, &load));
}

/* ---------------------------------------------------------------- the end of a load */

static void an_abort_leaves_nothing(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        unsigned files = run_files(f->os, f->path);
        for (int committing = 0; committing < 2; committing++) {
            holt_load *load = begin_load(c);
            put_entries(load, 1000);
            assert_true(run_files(f->os, f->path) > files);
            if (committing) put(c, "in the way", "1");
            if (committing) expect_status(HOLT_EXISTS, holt_load_commit(load));
            holt_load_abort(load);
            assert_int_equal(run_files(f->os, f->path), files);
        }
        assert_int_equal(count_entries(c), 1);
        close_and_verify(f);
    }
}

/* In a B+tree collection the run that the tree was made of is deleted when the commit returns. */
static void a_commit_leaves_the_tree_only(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        unsigned files = run_files(f->os, f->path);
        load_all(create_kind(f->db, k), 1000);
        assert_int_equal(run_files(f->os, f->path), files + (k->number == HOLT_LSM));
    }
    close_and_verify(f);
}

static void a_drop_ends_a_load(void **state)
{
    db_fixture *f = *state;
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        unsigned files = run_files(f->os, f->path);
        holt_load *load = begin_load(c);
        put_entries(load, 100);
        expect_ok(holt_collection_drop(f->db, k->name));
        holt_collection_close(c);
        expect_status(HOLT_CLOSED, put_entry(load, 100));
        expect_status(HOLT_CLOSED, holt_load_commit(load));
        holt_load_abort(load);
        assert_int_equal(run_files(f->os, f->path), files);
    }
    close_and_verify(f);
}

static void close_is_busy_until_the_load_has_ended(void **state)
{
    db_fixture *f = *state;
    holt_load *load = begin_load(f->c);
    expect_ok(put_entry(load, 1));
    expect_status(HOLT_BUSY, holt_close(f->db));
    expect_words("1 loads");
    expect_ok(holt_load_commit(load));
    db_fixture_close(f);
    holt_load_abort(load); /* of a load that has ended, whose database is closed */
    db_fixture_open(f, 0);
    assert_int_equal(count_entries(f->c), 1);
}

/* ---------------------------------------------------------------- large loads */

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* More than one file's worth goes through a database of 8 MiB; the cache takes its share, the load a few
 * MiB. */
static void a_large_load_takes_little_memory(void **state)
{
    enum { COUNT = 70000, VALUE = 1024, MEMORY = 24 << 20 };
    db_fixture *f = *state;
    static char value[VALUE];
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        holt_collection *c = create_kind(f->db, k);
        size_t before = heap_bytes(), most = before;
        holt_load *load = begin_load(c);
        for (unsigned i = 0; i < COUNT; i++) {
            char key[16];
            snprintf(key, sizeof key, "%08u", i);
            memcpy(value, key, 8);
            expect_ok(holt_load_put(load, holt_str(key), holt_bytes(value, VALUE)));
            if (i % 64 == 0 && heap_bytes() > most) most = heap_bytes();
        }
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        if (heap_bytes() > most) most = heap_bytes();
        assert_in_range(most - before, 0, MEMORY);
        assert_int_equal(count_entries(c), COUNT);
        holt_collection_info info;
        expect_ok(holt_collection_stats(c, &info, sizeof info));
        if (k->number == HOLT_LSM) assert_int_equal(info.parts, 2);
        expect_ok(holt_collection_drop(f->db, k->name));
    }
}

typedef struct writer {
    holt_collection *c;
    _Atomic bool stop;
    unsigned written;
} writer;

static void *write_on(void *ctx)
{
    writer *w = ctx;
    char key[16];
    while (!atomic_load(&w->stop) || w->written < 2000) {
        snprintf(key, sizeof key, "%08u", w->written++);
        if (holt_put(w->c, NULL, holt_str(key), holt_bytes(key, 8)) != HOLT_OK) abort();
    }
    return NULL;
}

/* The page changes of the load and of flushes take turns. */
static void loads_and_flushes_of_others_do_not_disturb_each_other(void **state)
{
    db_fixture *f = *state;
    holt_collection_options o = {.kind = HOLT_BTREE};
    writer w = {0};
    pthread_t thread;
    expect_ok(holt_close(f->db));
    holt_options options = db_fixture_options(0);
    options.durability = HOLT_PROCESS;
    expect_ok(holt_open_on(f->os, f->path, &options, &f->db));
    expect_ok(holt_collection_open(f->db, "default", &f->c));
    expect_ok(holt_collection_create(f->db, "other", &o, &w.c));
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    for (const struct kind *k = kinds; k < kinds + KINDS; k++)
        load_all(create_kind(f->db, k), 5000);
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(count_entries(w.c), w.written);
    for (const struct kind *k = kinds; k < kinds + KINDS; k++)
        expect_entries(create_kind(f->db, k), 5000);
    close_and_verify(f);
}

/* ---------------------------------------------------------------- crashes and failures */

enum { SMALL = 240 };

/* A machine with a closed database, in which the collections are empty and "default" has an entry. */
static os *prepare(void)
{
    sim_options options = {.seed = 3};
    os *machine = sim_create(&options);
    db_fixture f = {.os = machine, .simulated = true, .path = "/db"};
    assert_non_null(machine);
    db_fixture_open(&f, 0);
    put(f.c, "there", "before");
    for (const struct kind *k = kinds; k < kinds + KINDS; k++)
        create_kind(f.db, k);
    db_fixture_close(&f);
    return machine;
}

/* The database opens, "default" is unchanged, the collection is empty or whole (which of them is returned),
 * it remains usable, and nothing is left over. */
static bool judge(os *machine, const struct kind *k)
{
    db_fixture f = {.os = machine, .simulated = true, .path = "/db"};
    holt_collection *c;
    db_fixture_open(&f, 0);
    expect_ok(holt_collection_open(f.db, k->name, &c));
    expect_get(f.c, NULL, "there", "before");
    bool whole = count_entries(c) > 0;
    expect_entries(c, whole ? SMALL : 0);
    put(f.c, "there", "before");
    if (!whole) load_all(c, SMALL);
    expect_entries(c, SMALL);
    db_fixture_close(&f);
    expect_sound(machine, "/db");
    return whole;
}

typedef struct crashes {
    os *machine;
    const struct kind *kind;
    bool committed;
    unsigned points, empty, whole;
} crashes;

static void crash_here(void *ctx, uint64_t call)
{
    crashes *c = ctx;
    holt_error saved;
    status_save(&saved);
    uint64_t ranks = os_lock_ranks_take();
    for (uint64_t form = 0; form < 4; form++) {
        sim_cut cut = {.files = (sim_keep)((call + form) % (SIM_KEEP_GARBAGE + 1)),
                       .entries = (sim_keep)((call / 2 + form) % (SIM_KEEP_SOME + 1)),
                       .tear_bytes = 512};
        os *clone = sim_clone(c->machine, call * 4 + form);
        if (form > 0) sim_power_cut(clone, &cut, call * 4 + form); /* the first one is killed only */
        bool whole = judge(clone, c->kind);
        if (c->committed && !whole) print_error("call %llu: the load is gone\n", (unsigned long long)call);
        assert_true(whole || !c->committed);
        *(whole ? &c->whole : &c->empty) += 1;
        sim_destroy(clone);
    }
    c->points++;
    os_lock_ranks_give(ranks);
    status_restore(&saved);
}

static void a_crash_leaves_all_of_a_load_or_nothing(void **state)
{
    (void)state;
    os *base = prepare();
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        os *machine = sim_clone(base, 1);
        db_fixture f = {.os = machine, .simulated = true, .path = "/db"};
        crashes c = {.machine = machine, .kind = k};
        db_fixture_open(&f, 0);
        holt_collection *into = create_kind(f.db, k);
        sim_on_io(machine, crash_here, &c);
        holt_load *load = begin_load(into);
        put_entries(load, SMALL);
        expect_ok(holt_load_commit(load));
        c.committed = true;
        holt_load_abort(load);
        db_fixture_close(&f);
        sim_on_io(machine, NULL, NULL);
        assert_true(judge(machine, k));
        sim_destroy(machine);
        print_message("%s: %u points, %u empty, %u whole\n", k->name, c.points, c.empty, c.whole);
        assert_true(c.points > 5 && c.empty > 0 && c.whole > 0);
    }
    sim_destroy(base);
}

static bool is_refusal(holt_status rc)
{
    return rc == HOLT_IO || rc == HOLT_NO_SPACE || rc == HOLT_NO_MEMORY;
}

/* Begins, puts and commits until something fails. *load: what is to be aborted. */
static holt_status try_load(holt_collection *c, holt_load **load)
{
    holt_status rc = holt_load_begin(c, NULL, load);
    for (unsigned i = 0; i < SMALL && rc == HOLT_OK; i++)
        rc = put_entry(*load, i);
    return rc == HOLT_OK ? holt_load_commit(*load) : rc;
}

/* What fails: a call of the machine, or an allocation (os_errno 0). */
typedef struct fault {
    int os_errno;
    bool onwards;
    uint64_t n;
} fault;

static void arm(os *machine, const fault *f)
{
    if (f->os_errno)
        sim_fail(machine, SIM_CALLS, f->n, f->os_errno, f->onwards);
    else
        mem_fail_at(f->n, f->onwards);
}

static void disarm(os *machine)
{
    sim_fail(machine, SIM_CALLS, 0, 0, false);
    mem_fail_at(0, false);
}

/* A load in which the n-th call fails; false: there is no n-th call. */
static bool live_through(os *base, const struct kind *k, const fault *what)
{
    os *machine = sim_clone(base, what->n);
    db_fixture f = {.os = machine, .simulated = true, .path = "/db"};
    holt_load *load = NULL;
    db_fixture_open(&f, 0);
    holt_collection *c = create_kind(f.db, k);
    uint64_t allocations = mem_allocations();
    arm(machine, what);
    holt_status rc = try_load(c, &load);
    bool hit = what->os_errno ? sim_fault_hit(machine) : mem_allocations() - allocations >= what->n;
    disarm(machine);
    if (rc != HOLT_OK && !is_refusal(rc)) expect_ok(rc);
    if (rc != HOLT_OK) assert_true(holt_error_message()[0]);
    assert_int_equal(count_entries(c), rc == HOLT_OK ? SMALL : 0);
    holt_status again = rc != HOLT_OK && load ? holt_load_commit(load) : rc;
    if (again == HOLT_OK) expect_entries(c, rc == HOLT_OK || load ? SMALL : 0);
    if (again != HOLT_OK && again != HOLT_CLOSED) assert_true(is_refusal(again) || again == HOLT_INVALID);
    holt_load_abort(load);
    holt_status closed = holt_close(f.db);
    if (!what->os_errno) expect_ok(closed); /* a failed allocation does no lasting damage */
    bool whole = judge(machine, k);
    if (again == HOLT_OK) assert_true(whole);
    if (!what->os_errno && again != HOLT_OK) assert_false(whole);
    sim_destroy(machine);
    return hit;
}

static void a_failure_leaves_all_of_a_load_or_nothing(void **state)
{
    (void)state;
    static const fault faults[] = {{EIO, false, 0},   {EIO, true, 0}, {ENOSPC, false, 0},
                                   {ENOSPC, true, 0}, {0, false, 0},  {0, true, 0}};
    os *base = prepare();
    for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            fault one = faults[i];
            do
                one.n++;
            while (live_through(base, k, &one));
            print_message("%s: fault %zu at each of %u calls\n", k->name, i, (unsigned)one.n);
            assert_true(one.n > 10);
        }
    }
    sim_destroy(base);
}

int main(void)
{
#define ON(platform, test) cmocka_unit_test_setup_teardown(test, db_fixture_##platform, db_fixture_teardown)
    const struct CMUnitTest tests[] = {
        ON(sim, a_load_becomes_the_collection),
        ON(sim, a_load_of_nothing_and_one_of_a_single_empty_entry),
        ON(sim, what_is_written_later_wins),
        ON(sim, what_was_cleared_before_does_not_reappear),
        ON(sim, a_load_is_invisible_before_its_commit_and_to_older_readers),
        ON(sim, conditions_do_not_overlook_loads_clears_and_flushes),
        ON(sim, a_collection_that_is_not_empty_is_refused),
        ON(sim, writes_during_a_load_are_found_at_its_commit),
        ON(sim, of_two_loads_the_first_to_commit_wins),
        ON(sim, keys_that_do_not_ascend_are_refused_and_the_load_stays_usable),
        ON(sim, what_is_too_large_is_refused_and_the_load_stays_usable),
        ON(sim, calls_that_make_no_sense_are_refused),
        ON(sim, an_abort_leaves_nothing),
        ON(sim, a_commit_leaves_the_tree_only),
        ON(sim, a_drop_ends_a_load),
        ON(sim, close_is_busy_until_the_load_has_ended),
        ON(posix, a_large_load_takes_little_memory),
        ON(posix, loads_and_flushes_of_others_do_not_disturb_each_other),
        cmocka_unit_test(a_crash_leaves_all_of_a_load_or_nothing),
        cmocka_unit_test(a_failure_leaves_all_of_a_load_or_nothing),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
