/* test_edits.c -- tests src/db/manifest/db_edit.c and manifest_writer.c: the manifest and the visible state
 * of the database change together, whatever fails. */
#include "base/memory.h"
#include "base/status.h"
#include "db/manifest/db_edit.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/temp_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- a manifest that cannot be written */

typedef struct rig {
    os *machine;
    holt *db;
    holt_collection *c; /* "c", with the key "before" */
    bool hit;           /* a sync has failed */
} rig;

static slice key_of(int n, char out[16])
{
    int size = snprintf(out, 16, "key%05d", n);
    return holt_bytes(out, (size_t)size);
}

static void put_many(holt_collection *c, int count)
{
    static const uint8_t value[1000];
    char key[16];
    for (int i = 0; i < count; i++)
        expect_ok(holt_put(c, NULL, key_of(i, key), holt_bytes(value, sizeof value)));
}

static const holt_options small = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10};

static void rig_open(rig *r, holt_kind kind)
{
    sim_options sim = {.seed = 11};
    holt_collection_options o = {.kind = kind};
    r->machine = sim_create(&sim);
    assert_non_null(r->machine);
    r->hit = false;
    expect_ok(holt_open_on(r->machine, "/db", &small, &r->db));
    expect_ok(holt_collection_create(r->db, "c", &o, &r->c));
    expect_ok(holt_put(r->c, NULL, holt_str("before"), holt_str("x")));
    expect_ok(holt_flush(r->db));
    sim_run_until_idle(r->machine);
}

static void rig_close(rig *r)
{
    expect_ok(holt_close(r->db));
    sim_destroy(r->machine);
}

/* Once a sync has failed, CURRENT cannot be switched either. */
static void then_fail_renames(void *ctx, uint64_t call)
{
    rig *r = ctx;
    (void)call;
    if (!sim_fault_hit(r->machine)) return;
    r->hit = true;
    sim_on_io(r->machine, NULL, NULL);
    sim_fail(r->machine, SIM_RENAME, 1, EIO, true);
}

static void mend_disk(rig *r)
{
    sim_on_io(r->machine, NULL, NULL);
    sim_fail(r->machine, SIM_SYNC, 0, 0, false);
}

/* ---------------------------------------------------------------- edits in doubt */

typedef holt_status (*change)(rig *r);

static holt_status create(rig *r)
{
    holt_collection *made;
    return holt_collection_create(r->db, "new", NULL, &made);
}

static holt_status drop(rig *r)
{
    return holt_collection_drop(r->db, "c");
}

static holt_status rename_it(rig *r)
{
    return holt_collection_rename(r->db, "c", "renamed");
}

static holt_status clear(rig *r)
{
    return holt_collection_clear(r->c);
}

/* Into "default", which is empty. */
static holt_status load(rig *r)
{
    holt_collection *c;
    holt_load *l;
    expect_ok(holt_collection_open(r->db, "default", &c));
    expect_ok(holt_load_begin(c, NULL, &l));
    expect_ok(holt_load_put(l, holt_str("loaded"), holt_str("x")));
    holt_status rc = holt_load_commit(l);
    holt_load_abort(l);
    return rc;
}

static const change changes[] = {create, drop, rename_it, clear, load};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static holt_status put_some(rig *r)
{
    put_many(r->c, 20);
    return HOLT_OK;
}

static holt_status flush_rig(rig *r)
{
    return holt_flush(r->db);
}

static holt_status prepare_nothing(rig *r)
{
    (void)r;
    return HOLT_OK;
}

static bool manifest_is_lost(rig *r)
{
    return holt_health(r->db) != HOLT_OK && strstr(holt_error_message(), "the manifest cannot be written");
}

/* A rig on which the change has failed with the manifest's sync. Other files are synced before it, so the
 * n-th sync fails, for n = 1, 2 ..., until it is that one. */
static void rig_in_doubt(rig *r, holt_kind kind, change prepare, change c)
{
    for (uint64_t n = 1;; n++) {
        rig_open(r, kind);
        expect_ok(prepare(r));
        expect_ok(holt_sync(r->db));
        sim_fail(r->machine, SIM_SYNC, n, EIO, false);
        sim_on_io(r->machine, then_fail_renames, r);
        holt_status rc = c(r);
        if (!r->hit && !sim_fault_hit(r->machine))
            fail_msg("the change has no %" PRIu64 "th sync, and none was the manifest's", n);
        if (manifest_is_lost(r)) {
            assert_int_equal(rc, HOLT_IO);
            return;
        }
        mend_disk(r);
        (void)holt_close(r->db); /* the log may have failed */
        sim_destroy(r->machine);
    }
}

/* Puts may be acknowledged only if they survive, whichever way the crash decides the change: so none of
 * `after` may be missing if the put was acknowledged. */
static void expect_after_crash(rig *r, const char *key, bool acknowledged)
{
    static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME};
    for (int i = 0; i < 3; i++) {
        os *after = sim_clone(r->machine, (uint64_t)i);
        sim_cut how = {.files = keeps[i], .entries = keeps[i], .tear_bytes = 512};
        holt *db;
        holt_collection *c;
        assert_non_null(after);
        sim_power_cut(after, &how, 5);
        expect_ok(holt_open_on(after, "/db", &small, &db));
        holt_status rc = holt_collection_open(db, "c", &c);
        if (rc == HOLT_NOT_FOUND) rc = holt_collection_open(db, "renamed", &c);
        if (acknowledged) expect_ok(rc);
        if (acknowledged) expect_ok(holt_exists(c, NULL, holt_str(key)));
        expect_ok(holt_close(db));
        sim_destroy(after);
    }
}

/* The record of the change may be on disk although the call failed. A commit acknowledged now would be lost
 * if a crash decides that the collection was dropped. */
static void commits_are_refused_while_a_catalog_change_is_in_doubt(void **state)
{
    (void)state;
    for (int kind = HOLT_LSM; kind <= HOLT_BTREE; kind++) {
        for (int i = 0; i < CHANGES; i++) {
            rig r;
            rig_in_doubt(&r, (holt_kind)kind, prepare_nothing, changes[i]);
            expect_status(HOLT_IO, holt_put(r.c, NULL, holt_str("after"), holt_str("x")));
            expect_status(HOLT_IO, holt_health(r.db));
            expect_ok(holt_exists(r.c, NULL, holt_str("before"))); /* reads go on */
            expect_after_crash(&r, "after", false);
            mend_disk(&r);
            rig_close(&r);
        }
    }
}

/* The first commit after the disk works again writes a new manifest, without the change: now its outcome is
 * known, and holds after a crash. */
static void a_change_in_doubt_is_resolved_by_the_next_commit(void **state)
{
    (void)state;
    for (int kind = HOLT_LSM; kind <= HOLT_BTREE; kind++) {
        for (int i = 0; i < CHANGES; i++) {
            rig r;
            rig_in_doubt(&r, (holt_kind)kind, prepare_nothing, changes[i]);
            mend_disk(&r);
            expect_ok(holt_put(r.c, NULL, holt_str("after"), holt_str("x")));
            expect_ok(holt_health(r.db));
            expect_ok(holt_exists(r.c, NULL, holt_str("before")));
            expect_after_crash(&r, "before", true);
            expect_after_crash(&r, "after", true);
            expect_ok(changes[i](&r)); /* and now it succeeds */
            rig_close(&r);
        }
    }
}

/* Commits do not depend on a flush in doubt: the log still has what it wrote. */
static void commits_go_on_while_a_flush_is_in_doubt(void **state)
{
    (void)state;
    rig r;
    rig_in_doubt(&r, HOLT_LSM, put_some, flush_rig);
    expect_ok(holt_put(r.c, NULL, holt_str("after"), holt_str("x")));
    expect_after_crash(&r, "key00019", true);
    expect_after_crash(&r, "after", true);
    mend_disk(&r);
    rig_close(&r);
}

/* The new manifest is written, but CURRENT still names the old one. A segment begun now must not name a
 * record of the new one: the next open would take the old one for an outdated copy, and refuse everything
 * acknowledged. */
static void segments_name_no_record_of_a_manifest_that_is_not_current(void **state)
{
    enum { PUTS = 300 }; /* several segments */
    (void)state;
    rig r;
    char key[16];
    rig_in_doubt(&r, HOLT_LSM, put_some, flush_rig);
    put_many(r.c, PUTS);
    expect_after_crash(&r, "before", true);
    expect_after_crash(&r, "key00000", true);
    key_of(PUTS - 1, key);
    expect_after_crash(&r, key, true);
    mend_disk(&r);
    expect_ok(holt_close(r.db)); /* finally writes it */
    expect_ok(holt_open_on(r.machine, "/db", &small, &r.db));
    expect_ok(holt_collection_open(r.db, "c", &r.c));
    for (int i = 0; i < PUTS; i++)
        expect_ok(holt_exists(r.c, NULL, key_of(i, key)));
    rig_close(&r);
}

/* ---------------------------------------------------------------- files that nothing names */

static holt_status count_runs(void *ctx, const char *name)
{
    *(uint64_t *)ctx += strstr(name, ".sst") != NULL;
    return HOLT_OK;
}

static void expect_no_run_file_left(rig *r)
{
    os_dir *dir;
    uint64_t there = 0;
    holt_db_stats stats;
    holt_collection_info info = {0};
    char **names;
    size_t count, parts = 0;
    sim_run_until_idle(r->machine);
    expect_ok(os_dir_open(r->machine, "/db", &dir));
    expect_ok(os_dir_list(dir, count_runs, &there));
    os_dir_close(dir);
    expect_ok(holt_stats(r->db, &stats, sizeof stats));
    expect_ok(holt_collection_list(r->db, &names, &count));
    for (size_t i = 0; i < count; i++) {
        holt_collection *c;
        expect_ok(holt_collection_open(r->db, names[i], &c));
        expect_ok(holt_collection_stats(c, &info, sizeof info));
        if (info.kind == HOLT_LSM) parts += info.parts;
        holt_collection_close(c);
    }
    holt_free(names);
    if (there > parts) fail_msg("%" PRIu64 " run files for %zu parts of runs", there, parts);
}

/* When the record fails and no manifest can be written either, the run that was to be added is kept, as the
 * record may name it. Once the next manifest is written it is known that none does. */
static void run_of_a_flush_in_doubt_is_deleted_once_that_is_resolved(void **state)
{
    (void)state;
    rig r;
    rig_in_doubt(&r, HOLT_LSM, put_some, flush_rig);
    mend_disk(&r);
    expect_ok(holt_flush(r.db));
    expect_no_run_file_left(&r);
    rig_close(&r);
}

static holt_status merge(rig *r)
{
    return holt_compact(r->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0));
}

/* The second one is still in memory, so that no job merges them before the call does. */
static void two_runs(rig *r)
{
    put_many(r->c, 20);
    expect_ok(holt_flush(r->db));
    put_many(r->c, 20);
}

/* A job that runs out of memory at any point, before its record or in it, deletes what it has written. Jobs
 * run on this thread, so it is their allocations that fail. */
static void fail_each_allocation(void (*prepare)(rig *r), change c)
{
    rig r;
    rig_open(&r, HOLT_LSM);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        prepare(&r);
        uint64_t before = mem_allocations();
        mem_fail_at(n, false);
        (void)c(&r);
        mem_fail_at(0, false);
        failed = mem_allocations() - before >= n;
        expect_ok(holt_flush(r.db));
        expect_no_run_file_left(&r);
    }
    rig_close(&r);
}

static void merge_without_memory_leaves_no_file(void **state)
{
    (void)state;
    fail_each_allocation(two_runs, merge);
}

static void one_memtable(rig *r)
{
    put_many(r->c, 20);
}

static void flush_without_memory_leaves_no_file(void **state)
{
    (void)state;
    fail_each_allocation(one_memtable, flush_rig);
}

/* A flush whose B+tree is cleared after it has written its run starts over with a new file. Its steps run at
 * the end of each call, so with each seed the clear comes at another step. */
static void flush_that_starts_over_leaves_no_file(void **state)
{
    enum { ENTRIES = 20000, SEEDS = 12 };
    (void)state;
    const holt_options options = {.memory_bytes = 64 << 20, .memtable_bytes = 2 << 20};
    const holt_collection_options o = {.kind = HOLT_BTREE};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        rig r;
        sim_options sim = {.seed = seed};
        holt_collection *paged;
        char key[16];
        r.machine = sim_create(&sim);
        assert_non_null(r.machine);
        expect_ok(holt_open_on(r.machine, "/db", &options, &r.db));
        expect_ok(holt_collection_create(r.db, "c", NULL, &r.c));
        expect_ok(holt_collection_create(r.db, "paged", &o, &paged));
        holt_db_stats stats = {0};
        for (int i = 0; i < ENTRIES || stats.memtables_sealed == 0; i++) {
            if (i % 10 == 0) expect_ok(holt_put(r.c, NULL, key_of(i, key), holt_str("x")));
            expect_ok(holt_put(paged, NULL, key_of(i, key), holt_str("a value that fills the memtable")));
            if (i >= ENTRIES) expect_ok(holt_stats(r.db, &stats, sizeof stats));
        }
        for (uint64_t i = 0; i < seed; i++)
            (void)holt_exists(r.c, NULL, holt_str("k"));
        expect_ok(holt_collection_clear(paged));
        expect_ok(holt_flush(r.db));
        expect_no_run_file_left(&r);
        rig_close(&r);
    }
}

/* ---------------------------------------------------------------- a full disk */

static holt_status find_manifest(void *ctx, const char *name)
{
    if (strncmp(name, "MANIFEST-", 9) == 0) *(int *)ctx = atoi(name + 9);
    return HOLT_OK;
}

static int manifest_number(rig *r)
{
    os_dir *dir;
    int number = 0;
    expect_ok(os_dir_open(r->machine, "/db", &dir));
    expect_ok(os_dir_list(dir, find_manifest, &number));
    os_dir_close(dir);
    return number;
}

/* A manifest that has grown long should be replaced; a full disk has no room for a new one, but the old one
 * can go on growing: a drop must work, since it makes room. */
static void grown_manifest_is_appended_to_on_a_full_disk(void **state)
{
    (void)state;
    enum { ROUNDS = 1500 }; /* of more than 300 bytes each */
    rig r;
    holt_collection *c;
    char name[101], other[101];
    rig_open(&r, HOLT_LSM);
    memset(name, 'a', sizeof name - 1);
    memset(other, 'b', sizeof other - 1);
    name[100] = other[100] = '\0';
    int before = manifest_number(&r);
    sim_fail(r.machine, SIM_DIR_SYNC, 1, ENOSPC, true); /* of a new manifest's name */
    for (int i = 0; i < ROUNDS; i++) {
        expect_ok(holt_collection_create(r.db, name, NULL, &c));
        holt_collection_close(c);
        expect_ok(holt_collection_rename(r.db, name, other));
        expect_ok(holt_collection_drop(r.db, other));
    }
    sim_fail(r.machine, SIM_DIR_SYNC, 0, 0, false);
    assert_int_equal(manifest_number(&r), before);
    expect_ok(holt_collection_create(r.db, name, NULL, &c));
    assert_int_equal(manifest_number(&r), before + 1); /* so it was tried all the time */
    expect_ok(holt_health(r.db));
    expect_after_crash(&r, "before", true);
    rig_close(&r);
}

/* The record did not fit: that is certain, so nothing is in doubt. */
static void change_that_does_not_fit_is_refused_and_not_in_doubt(void **state)
{
    (void)state;
    rig r;
    rig_open(&r, HOLT_LSM);
    expect_ok(holt_sync(r.db));
    sim_run_until_idle(r.machine);
    sim_fail(r.machine, SIM_WRITE, 1, ENOSPC, true);
    expect_status(HOLT_NO_SPACE, drop(&r));
    sim_fail(r.machine, SIM_WRITE, 0, 0, false);
    expect_ok(holt_health(r.db));
    expect_ok(holt_put(r.c, NULL, holt_str("after"), holt_str("x")));
    expect_after_crash(&r, "after", true);
    expect_ok(drop(&r));
    rig_close(&r);
}

/* ---------------------------------------------------------------- the first B+tree */

/* Its file of pages is made, and then the directory cannot be synced. */
static void first_btree_can_be_tried_again_after_any_failure(void **state)
{
    (void)state;
    const holt_collection_options o = {.kind = HOLT_BTREE};
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        rig r;
        holt_collection *c = NULL;
        rig_open(&r, HOLT_LSM);
        sim_fail(r.machine, SIM_DIR_SYNC, n, EIO, false);
        failed = holt_collection_create(r.db, "b", &o, &c) != HOLT_OK;
        sim_fail(r.machine, SIM_DIR_SYNC, 0, 0, false);
        if (failed) expect_ok(holt_collection_create(r.db, "b", &o, &c));
        expect_ok(holt_put(c, NULL, holt_str("k"), holt_str("v")));
        expect_ok(holt_flush(r.db));
        rig_close(&r);
    }
}

/* ---------------------------------------------------------------- readers during a drop */

typedef struct reading {
    holt_collection *c;
    bool walks;
    _Atomic bool begun;
    holt_status last;
} reading;

static holt_status walk(holt_collection *c)
{
    holt_cursor *cur;
    holt_status rc = holt_cursor_open(c, NULL, NULL, &cur);
    if (rc != HOLT_OK) return rc;
    bool on = holt_cursor_first(cur);
    rc = holt_cursor_close(cur);
    return on || rc != HOLT_OK ? rc : HOLT_NOT_FOUND;
}

/* Reads until something other than the value is returned. */
static void *read_on(void *ctx)
{
    reading *r = ctx;
    holt_value value = HOLT_VALUE_INIT;
    do {
        r->last = r->walks ? walk(r->c) : holt_get(r->c, NULL, holt_str("k"), &value);
        atomic_store_explicit(&r->begun, true, memory_order_release);
    } while (r->last == HOLT_OK);
    holt_value_free(&value);
    return NULL;
}

/* The key was never deleted, so a reader finds it, or gets HOLT_CLOSED; never HOLT_NOT_FOUND. */
static void reader_during_a_drop_finds_the_value_or_the_collection_closed(void **state)
{
    (void)state;
    temp_dir dir;
    temp_dir_create(&dir);
    holt_options o = {.durability = HOLT_PROCESS, .memory_bytes = 8 << 20};
    holt *db;
    expect_ok(holt_open(dir.path, &o, &db));
    for (int round = 0; round < 200; round++) {
        reading r = {.walks = round % 2};
        pthread_t thread;
        expect_ok(holt_collection_create(db, "c", NULL, &r.c));
        expect_ok(holt_put(r.c, NULL, holt_str("k"), holt_str("v")));
        assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
        while (!atomic_load_explicit(&r.begun, memory_order_acquire)) {
        }
        expect_ok(holt_collection_drop(db, "c"));
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(r.last, HOLT_CLOSED);
        holt_collection_close(r.c);
    }
    expect_ok(holt_close(db));
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_refused_while_a_catalog_change_is_in_doubt),
        cmocka_unit_test(a_change_in_doubt_is_resolved_by_the_next_commit),
        cmocka_unit_test(commits_go_on_while_a_flush_is_in_doubt),
        cmocka_unit_test(segments_name_no_record_of_a_manifest_that_is_not_current),
        cmocka_unit_test(run_of_a_flush_in_doubt_is_deleted_once_that_is_resolved),
        cmocka_unit_test(merge_without_memory_leaves_no_file),
        cmocka_unit_test(flush_without_memory_leaves_no_file),
        cmocka_unit_test(flush_that_starts_over_leaves_no_file),
        cmocka_unit_test(grown_manifest_is_appended_to_on_a_full_disk),
        cmocka_unit_test(change_that_does_not_fit_is_refused_and_not_in_doubt),
        cmocka_unit_test(first_btree_can_be_tried_again_after_any_failure),
        cmocka_unit_test(reader_during_a_drop_finds_the_value_or_the_collection_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
