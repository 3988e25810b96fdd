/* test_wal_faults.c -- tests the writer of the log when space, calls or memory fail, and when threads
 * meet. */
#include "support/wal_fixture.h"

#include "log/wal_internal.h"

#include <errno.h>
#include <pthread.h>

/* ---------------------------------------------------------------- no space */

static uint64_t disk_used(const wal_fixture *f)
{
    wal_stats stats;
    wal_stats_get(f->wal, &stats);
    return stats.disk_bytes;
}

static void wal_without_space_changes_nothing_and_works_again_later(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 10);
    sim_set_disk_bytes_max(f.machine.os, disk_used(&f));
    for (int i = 0; i < 3; i++) {
        expect_status(HOLT_NO_SPACE, wal_prepare(f.wal));
        assert_false(exists(&f, "spare-000002.log"));
        expect_status(HOLT_NO_SPACE, rotate(&f, 100));
        assert_false(exists(&f, "wal-000002.log"));
        expect_ok(wal_health(f.wal));
        put(&f, 1);
        expect_ok(wal_sync(f.wal));
    }
    sim_set_disk_bytes_max(f.machine.os, 0);
    expect_ok(wal_prepare(f.wal));
    expect_ok(rotate(&f, 100));
    put(&f, 1);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(last_after_power_cut(&f), 14);
    wal_fixture_close(&f);
}

/* After a failed sync of the directory, a second one that succeeds proves nothing about the names of before:
 * a seal must not lead to a segment that a power cut removes. */
static void wal_failed_directory_sync_costs_the_next_segment_its_name(void **state)
{
    for (int prepared = 0; prepared < 2; prepared++) {
        wal_fixture f;
        wal_fixture_open(&f);
        put(&f, 2);
        sim_fail(f.machine.os, SIM_DIR_SYNC, 1, EIO, false);
        if (prepared)
            expect_status(HOLT_IO, wal_prepare(f.wal));
        else
            expect_status(HOLT_IO, rotate(&f, 100));
        expect_ok(wal_health(f.wal));
        assert_false(wal_has_next(f.wal));
        assert_false(exists(&f, "wal-000002.log"));
        put(&f, 2);
        expect_ok(rotate(&f, 100));
        put(&f, 2);
        expect_ok(wal_sync(f.wal));
        assert_int_equal(last_after_power_cut(&f), 6);
        wal_fixture_close(&f);
    }
}

/* The prepared segment is too small for a huge commit, and cannot grow. */
static void wal_rotation_without_space_to_grow_keeps_the_prepared_segment(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 1);
    expect_ok(wal_prepare(f.wal));
    sim_set_disk_bytes_max(f.machine.os, disk_used(&f));
    expect_status(HOLT_NO_SPACE, rotate(&f, 8 << 20));
    assert_true(wal_has_next(f.wal));
    expect_ok(rotate(&f, 100));
    put(&f, 1);
    assert_int_equal(last_after_crash(&f, NULL), 2);
    wal_fixture_close(&f);
}

/* ---------------------------------------------------------------- failure */

static void expect_frozen(wal_fixture *f)
{
    log_position end;
    expect_status(HOLT_IO, wal_health(f->wal));
    expect_words("the log has failed");
    expect_status(HOLT_IO, commit_append(f->wal, f->next));
    expect_status(HOLT_IO, wal_sync(f->wal));
    expect_status(HOLT_IO, rotate(f, 100));
    expect_status(HOLT_IO, wal_finish(f->wal, f->next, MARK, &end));
    expect_ok(wal_prepare(f->wal)); /* nothing to do any more */
    assert_false(wal_has_next(f->wal));
}

/* A kernel drops dirty pages when a sync fails: one that succeeds afterwards proves nothing. */
static void wal_failed_sync_is_final(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 2);
    expect_ok(wal_sync(f.wal));
    put(&f, 2);
    log_position synced = wal_synced_position(f.wal);
    sim_fail(f.machine.os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, wal_sync(f.wal));
    assert_int_equal(log_position_compare(wal_synced_position(f.wal), synced), 0);
    expect_frozen(&f);
    assert_true(last_after_power_cut(&f) >= 2);
    wal_fixture_close(&f);
}

/* Also when the disk is full: in a prepared segment that is no ordinary refusal. */
static void wal_failed_write_is_final(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    for (int i = 0; i < 2; i++) {
        wal_fixture f;
        wal_fixture_open(&f);
        put(&f, 2);
        sim_fail(f.machine.os, SIM_WRITE, 1, errors[i], false);
        expect_status(HOLT_IO, commit_append(f.wal, f.next));
        expect_frozen(&f);
        assert_true(last_after_crash(&f, NULL) >= 2);
        wal_fixture_close(&f);
    }
}

/* Sealed, but not continued: the log must not grow after a seal that leads to a segment without a header. */
static void wal_failed_header_write_is_final(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 2);
    expect_ok(wal_prepare(f.wal));
    sim_fail(f.machine.os, SIM_WRITE, 2, EIO, false);
    expect_status(HOLT_IO, rotate(&f, 100));
    expect_status(HOLT_IO, wal_health(f.wal));
    expect_status(HOLT_IO, commit_append(f.wal, f.next));
    assert_int_equal(last_after_crash(&f, NULL), 2);
    wal_fixture_close(&f);
}

/* ---------------------------------------------------------------- any failure at any place */

typedef struct promise {
    seqno appended, synced; /* acknowledged */
} promise;

/* One history with everything a writer does; ends at the first failure that is not for lack of space or
 * memory. */
static void history(wal_fixture *f, promise *p, bool plain)
{
    wal_rotation rotation;
    log_position end;
    holt_status rc = HOLT_OK;
    for (int i = 0; i < 12 && rc != HOLT_IO; i++) {
        rc = wal_prepare(f->wal);
        for (int k = 0; k < 3 && rc != HOLT_IO; k++) {
            rc = commit_append_as(f->wal, f->next, plain);
            wal_stage_clear(f->wal);
            if (rc == HOLT_OK) p->appended = f->next++;
        }
        if (i % 3 == 0 && rc != HOLT_IO) rc = wal_sync(f->wal);
        if (i % 3 == 0 && rc == HOLT_OK) p->synced = p->appended;
        if (rc != HOLT_IO) rc = wal_rotate(f->wal, 500, f->next, MARK, &rotation);
        if (i == 8) wal_release(f->wal, 3);
        if (wal_health(f->wal) == HOLT_OK) rc = HOLT_OK; /* a file could not be prepared */
    }
    if (rc != HOLT_OK) return;
    rc = wal_finish(f->wal, f->next, MARK, &end);
    if (rc == HOLT_OK) p->synced = p->appended;
}

/* The log holds all that was promised, after a kill and after a power cut. */
static void check_promise(const wal_fixture *f, const promise *p)
{
    sim_cut cut = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 4096};
    seqno killed = last_after_crash(f, NULL);
    assert_true(killed >= p->appended && killed <= p->appended + 1);
    assert_true(last_after_crash(f, &cut) >= p->synced);
    cut.files = cut.entries = SIM_KEEP_SOME;
    assert_true(last_after_crash(f, &cut) >= p->synced);
}

static void short_history(wal_fixture *f, promise *p, bool plain, int rotations)
{
    wal_rotation rotation;
    holt_status rc = HOLT_OK;
    for (int i = 0; i < rotations && wal_health(f->wal) == HOLT_OK; i++) {
        for (int k = 0; k < 3; k++) {
            rc = commit_append_as(f->wal, f->next, plain);
            wal_stage_clear(f->wal);
            if (rc == HOLT_OK) p->appended = f->next++;
        }
        (void)wal_prepare(f->wal);
        if (i % 2) rc = wal_sync(f->wal);
        if (i % 2 && rc == HOLT_OK) p->synced = p->appended;
        (void)wal_rotate(f->wal, 500, f->next, MARK, &rotation);
    }
}

static void wal_keeps_its_promise_whatever_call_fails(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, SIM_SHORT};
    for (int e = 0; e < 8; e++) { /* each error with writes and with stores */
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            wal_fixture f;
            promise p = {0, 0};
            wal_fixture_open(&f);
            sim_fail(f.machine.os, SIM_CALLS, n, errors[e / 2], n % 2);
            short_history(&f, &p, e % 2, 4);
            sim_fail(f.machine.os, SIM_CALLS, 0, 0, false);
            hit = sim_fault_hit(f.machine.os);
            check_promise(&f, &p);
            wal_fixture_close(&f);
        }
    }
}

static void wal_closes_cleanly_whatever_call_fails(void **state)
{
    bool hit = true;
    for (uint64_t n = 1; hit; n += 3) {
        wal_fixture f;
        promise p = {0, 0};
        wal_fixture_open(&f);
        sim_fail(f.machine.os, SIM_CALLS, n, EIO, false);
        history(&f, &p, n % 2);
        sim_fail(f.machine.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(f.machine.os);
        wal_fixture_close(&f);
    }
}

/* Ten rotations, so that the list of live segments has to grow: between a seal and the next header nothing
 * may be allocated, or the log could end there. */
static void wal_keeps_its_promise_whatever_allocation_fails(void **state)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        wal_fixture f;
        promise p = {0, 0};
        log_machine_open(&f.machine, 1);
        f.next = 1;
        uint64_t before = mem_allocations();
        mem_fail_at(n, n % 2);
        holt_status rc = first_wal(f.machine.dir, &f.wal);
        if (rc == HOLT_OK) short_history(&f, &p, n % 4 < 2, 10);
        mem_fail_at(0, false);
        failed = mem_allocations() - before >= n;
        assert_true(rc == HOLT_OK || (rc == HOLT_NO_MEMORY && !f.wal));
        if (rc == HOLT_OK) {
            expect_ok(wal_health(f.wal));
            check_promise(&f, &p);
        }
        wal_fixture_close(&f);
    }
}

/* ---------------------------------------------------------------- prepare against rotate */

typedef struct interleaving {
    wal_fixture f;
    uint64_t at; /* the n-th disk call within the outer verb */
    bool rotate_inner;
    bool done;
} interleaving;

/* The other verb runs here, if it can: not where the lock is held, or where what it waits for is further down
 * this stack. */
static void interleave(void *ctx, uint64_t call)
{
    interleaving *i = ctx;
    (void)call;
    if (i->at == 0 || --i->at) return;
    if (!os_mutex_try_lock(&i->f.wal->mu)) return;
    bool would_wait = i->rotate_inner && i->f.wal->has_next && !i->f.wal->next_entry_synced;
    os_mutex_unlock(&i->f.wal->mu);
    if (would_wait) return;
    i->done = true;
    if (i->rotate_inner) {
        expect_ok(rotate(&i->f, 100));
        put(&i->f, 1);
    } else {
        expect_ok(wal_prepare(i->f.wal));
    }
}

/* Both want to give a file the next segment's name: exactly one may, wherever they meet. */
static void wal_prepare_and_rotate_may_meet_anywhere(void **state)
{
    for (int rotate_inner = 0; rotate_inner < 2; rotate_inner++) {
        bool done = true;
        for (uint64_t n = 1; n < 40 && (done || n < 20); n++) {
            interleaving i = {.rotate_inner = rotate_inner, .at = n};
            wal_fixture_open(&i.f);
            put(&i.f, 2);
            sim_on_io(i.f.machine.os, interleave, &i);
            if (rotate_inner)
                expect_ok(wal_prepare(i.f.wal));
            else
                expect_ok(rotate(&i.f, 100));
            sim_on_io(i.f.machine.os, NULL, NULL);
            done = i.done;
            put(&i.f, 1);
            expect_ok(wal_prepare(i.f.wal));
            assert_true(wal_has_next(i.f.wal));
            expect_ok(rotate(&i.f, 100));
            put(&i.f, 1);
            expect_ok(wal_sync(i.f.wal));
            assert_int_equal(last_after_power_cut(&i.f), i.f.next - 1);
            assert_false(exists(&i.f, "spare-000002.log") || exists(&i.f, "spare-000003.log"));
            wal_fixture_close(&i.f);
        }
    }
}

/* ---------------------------------------------------------------- threads */

typedef struct rival {
    wal_fixture f;
    pthread_t thread;
    uint64_t syncs, unlinks;
    bool started;
    atomic_bool rotated;
} rival;

static void *rotate_thread(void *ctx)
{
    rival *r = ctx;
    if (rotate(&r->f, 100) != HOLT_OK) abort();
    atomic_store(&r->rotated, true);
    return NULL;
}

/* The rotation begins while the new name is being synced, and gets all the time it needs before the name is
 * removed. */
static void let_the_rotation_meet(void *ctx, uint64_t call)
{
    rival *r = ctx;
    os *o = r->f.machine.os;
    (void)call;
    if (!r->started && sim_calls(o, SIM_DIR_SYNC) != r->syncs) {
        r->started = true;
        if (pthread_create(&r->thread, NULL, rotate_thread, r) != 0) abort();
        os_sleep(o, 5000000);
    }
    if (sim_calls(o, SIM_UNLINK) == r->unlinks) return;
    for (int i = 0; i < 50 && !atomic_load(&r->rotated); i++)
        os_sleep(o, 1000000);
}

/* A name that could not be synced is removed. The rotation that waited for it makes a segment of the same
 * name, which must not be removed in its place. */
static void wal_failed_preparation_does_not_remove_the_segment_of_a_rotation(void **state)
{
    sim_options options = {.seed = 1, .threads = true};
    rival r = {.f = {.next = 1}};
    log_machine_open_with(&r.f.machine, &options);
    expect_ok(first_wal(r.f.machine.dir, &r.f.wal));
    put(&r.f, 1);
    r.syncs = calls(&r.f, SIM_DIR_SYNC);
    r.unlinks = calls(&r.f, SIM_UNLINK);
    sim_fail(r.f.machine.os, SIM_DIR_SYNC, 1, EIO, false);
    sim_on_io(r.f.machine.os, let_the_rotation_meet, &r);
    expect_status(HOLT_IO, wal_prepare(r.f.wal));
    sim_on_io(r.f.machine.os, NULL, NULL);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_true(exists(&r.f, "wal-000002.log"));
    put(&r.f, 1);
    expect_ok(wal_sync(r.f.wal));
    assert_int_equal(last_after_power_cut(&r.f), 2);
    wal_fixture_close(&r.f);
}

enum { THREAD_COMMITS = 3000 };

typedef struct shared_log {
    wal *wal;
    _Atomic bool stop;
} shared_log;

static void *sync_thread(void *ctx)
{
    shared_log *s = ctx;
    while (!atomic_load_explicit(&s->stop, memory_order_acquire)) {
        log_position before = wal_written(s->wal);
        if (wal_sync(s->wal) != HOLT_OK || log_position_compare(wal_synced_position(s->wal), before) < 0)
            abort();
    }
    return NULL;
}

static void *prepare_thread(void *ctx)
{
    shared_log *s = ctx;
    while (!atomic_load_explicit(&s->stop, memory_order_acquire)) {
        wal_stats stats;
        if (wal_prepare(s->wal) != HOLT_OK) abort();
        wal_stats_get(s->wal, &stats);
        (void)wal_has_next(s->wal);
    }
    return NULL;
}

/* Syncs, preparation and release run at the same time as the appends. */
static void wal_is_written_synced_and_prepared_by_several_threads(void **state)
{
    sim_options options = {.seed = 1, .threads = true};
    wal_fixture f = {.next = 1};
    log_machine_open_with(&f.machine, &options);
    expect_ok(first_wal(f.machine.dir, &f.wal));
    shared_log shared = {.wal = f.wal};
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, sync_thread, &shared), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, sync_thread, &shared), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, prepare_thread, &shared), 0);
    uint64_t segment = 1;
    for (int i = 1; i <= THREAD_COMMITS; i++) {
        put(&f, 1);
        if (i % 100) continue;
        wal_rotation r;
        expect_ok(wal_rotate(f.wal, 500, f.next, MARK, &r));
        segment = r.next;
        if (segment > 3) wal_release(f.wal, segment - 3);
    }
    atomic_store_explicit(&shared.stop, true, memory_order_release);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(segment, THREAD_COMMITS / 100 + 1);
    wal_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_without_space_changes_nothing_and_works_again_later),
        cmocka_unit_test(wal_failed_directory_sync_costs_the_next_segment_its_name),
        cmocka_unit_test(wal_rotation_without_space_to_grow_keeps_the_prepared_segment),
        cmocka_unit_test(wal_failed_sync_is_final),
        cmocka_unit_test(wal_failed_write_is_final),
        cmocka_unit_test(wal_failed_header_write_is_final),
        cmocka_unit_test(wal_keeps_its_promise_whatever_call_fails),
        cmocka_unit_test(wal_closes_cleanly_whatever_call_fails),
        cmocka_unit_test(wal_keeps_its_promise_whatever_allocation_fails),
        cmocka_unit_test(wal_prepare_and_rotate_may_meet_anywhere),
        cmocka_unit_test(wal_failed_preparation_does_not_remove_the_segment_of_a_rotation),
        cmocka_unit_test(wal_is_written_synced_and_prepared_by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
