/* test_btree_failures.c -- tests src/btree: calls that fail, power cuts, damaged maps and states, and
 * verification. */
#include "support/btree_fixture.h"

#include "base/memory.h"

#include <errno.h>

/* ---------------------------------------------------------------- failures */

/* The changes that are tried while calls fail: two trees, a drop, and a vacuum. */
static holt_status try_changes(btree_fixture *f, const work *w, size_t count, btree_vacuum *vacuum)
{
    bool more;
    size_t tree = 0;
    holt_status rc = change(f, w, count);
    if (rc != HOLT_OK) return rc;
    vacuum->limit = 3;
    vacuum->bytes_max = 1 << 20;
    buffer_clear(&vacuum->from);
    return vacuum_once(f, vacuum, &tree, &more);
}

static void fail_everywhere(sim_call kind, int os_errno, bool onwards)
{
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    entries a = batch_make(&f, 60, 500);
    work w[] = {{.tree = 0, .batch = &a}, {.tree = 1, .dense = true}, {.tree = 2, .drop = true}};
    btree_vacuum vacuum = {0};
    holt_status rc = HOLT_IO;
    for (uint64_t n = 1; rc != HOLT_OK; n += 1 + n / 10) {
        if (kind == SIM_CALLS)
            mem_fail_at(n, onwards);
        else
            sim_fail(f.at.machine, kind, n, os_errno, onwards);
        rc = try_changes(&f, w, 3, &vacuum);
        mem_fail_at(0, false);
        sim_fail(f.at.machine, SIM_CALLS, 0, 0, false);
        check(&f);
        assert_int_equal(stats_of(&f).pages_held, 0);
        if (rc != HOLT_OK) {
            btree_fixture_reopen(&f);
            check(&f);
        }
    }
    btree_vacuum_deinit(&vacuum);
    entries_free(&a);
    check(&f);
    btree_fixture_close(&f);
}

/* Whatever call fails, the state is as before the change, and all pages are accounted for. */
static void failed_change_has_no_effect(void **state)
{
    (void)state;
    fail_everywhere(SIM_READ, EIO, false);
    fail_everywhere(SIM_WRITE, EIO, false);
    fail_everywhere(SIM_WRITE, ENOSPC, true);
    fail_everywhere(SIM_SYNC, EIO, false);
    fail_everywhere(SIM_TRUNCATE, EIO, true);
    fail_everywhere(SIM_CALLS, 0, false);
    fail_everywhere(SIM_CALLS, 0, true);
}

/* If the file cannot be created or opened, nothing is left of it, in memory or on disk. */
static void failed_create_and_open_leave_nothing(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    page_store *s;
    for (uint64_t n = 1, made = 0; !made; n++) {
        mem_fail_at(n, false);
        holt_status rc = page_store_create(&s, f.at.files, 77);
        mem_fail_at(0, false);
        made = rc == HOLT_OK;
        if (!made) assert_int_equal(rc, HOLT_NO_MEMORY);
    }
    tree_file_obsolete(page_store_file(s));
    page_store_close(s);
    static const sim_call kinds[] = {SIM_OPEN, SIM_WRITE, SIM_SYNC};
    for (size_t i = 0; i < 3; i++) {
        sim_fail(f.at.machine, kinds[i], 1, EIO, false);
        assert_int_equal(page_store_create(&s, f.at.files, 77), HOLT_IO);
        sim_fail(f.at.machine, SIM_CALLS, 0, 0, false);
        bool exists;
        uint64_t size;
        assert_int_equal(os_dir_stat(f.at.dir, "tree-000077.bt", &exists, &size), HOLT_OK);
        assert_false(exists);
    }
    for (uint64_t n = 1, made = 0; !made; n++) {
        mem_fail_at(n, false);
        holt_status rc = page_store_open(&s, f.at.files, &f.now.store, true);
        mem_fail_at(0, false);
        made = rc == HOLT_OK;
        if (!made) assert_int_equal(rc, HOLT_NO_MEMORY);
    }
    page_store_close(s);
    assert_int_equal(page_store_create(&s, f.at.files, FILE_NUMBER), HOLT_EXISTS);
    check(&f);
    btree_fixture_close(&f);
}

/* A record whose write failed may be on disk all the same. Until another one is, both states must stay
 * intact. */
static void record_in_doubt_keeps_both_states(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    record maybe = record_copy(&f.now);
    entries batch = batch_make(&f, 100, 500);
    btree_change *c;
    btree_version *next;
    const page_store_state *prepared;
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_OK);
    assert_int_equal(do_batch(c, f.at.versions[0], &batch, &next), HOLT_OK);
    assert_int_equal(btree_change_prepare(c, &prepared), HOLT_OK);
    record_store(&maybe, prepared);
    maybe.roots[0] = *btree_version_root(next);
    entries_apply(&maybe.models[0], &batch);
    btree_change_doubt(c);
    btree_version_unref(next);

    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_IO);
    assert_int_equal(page_store_trim(f.at.store), HOLT_OK);
    check(&f);
    for (int i = 0; i < 2; i++) {
        place other;
        os *copy = sim_clone(f.at.machine, 1);
        place_open(&other, copy, i ? &maybe : &f.now);
        check_place(&other, i ? &maybe : &f.now);
        place_close(&other);
        sim_destroy(copy);
    }
    page_store_resolve(f.at.store);
    work w = {.tree = 0, .batch = &batch};
    must_change(&f, &w, 1);
    check(&f);
    assert_int_equal(stats_of(&f).pages_held, 0);
    entries_free(&batch);
    record_free(&maybe);
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- crashes */

typedef struct crash_test {
    btree_fixture *f;
    uint64_t seed, crashes;
} crash_test;

/* Cuts the power before this call. The trees that are opened afterwards must be those of the manifest. */
static void crash(void *ctx, uint64_t call)
{
    static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME, SIM_KEEP_SIZES,
                                     SIM_KEEP_GARBAGE};
    crash_test *t = ctx;
    rng r;
    rng_seed(&r, t->seed + call);
    os *machine = sim_clone(t->f->at.machine, call);
    sim_cut cut = {.files = keeps[rng_below(&r, 5)],
                   .entries = SIM_KEEP_ALL,
                   .tear_bytes = rng_chance(&r, 2) ? 512 : 4096};
    sim_power_cut(machine, &cut, rng_next(&r));
    btree_fixture other = {.now = record_copy(&t->f->now)};
    rng_seed(&other.random, call);
    place_open(&other.at, machine, &other.now);
    check(&other);
    if (t->crashes++ % 4 == 0) { /* and changes go on */
        must_apply(&other, 0, batch_make(&other, 30, 500));
        check(&other);
        assert_int_equal(page_store_trim(other.at.store), HOLT_OK);
        btree_fixture_reopen(&other);
        check(&other);
    }
    btree_fixture_close(&other);
}

/* Power cuts at every write, sync and truncate of batches, drops, rewrites and vacuum, with a reader that is
 * sometimes renewed. */
static void crash_anywhere_leaves_the_last_record_intact(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    crash_test t = {.f = &f, .seed = test_seed()};
    fill(&f);
    sim_on_io(f.at.machine, crash, &t);
    btree_vacuum vacuum = {0};
    btree_version *reader = btree_version_ref(f.at.versions[0]);
    for (int i = 0; i < 8; i++) {
        if (i % 3 == 2) {
            btree_version_unref(reader);
            reader = btree_version_ref(f.at.versions[i % TREES]);
        }
        entries a = batch_make(&f, 40, 500), b = batch_of_numbers(&f, (uint32_t)i * 20, 60, 1, ENTRY_DELETE);
        work w[] = {{.tree = 0, .batch = &a}, {.tree = 2, .batch = &b}, {.tree = 1, .dense = true}};
        must_change(&f, w, i % 2 ? 2 : 3);
        entries_free(&a);
        entries_free(&b);
        size_t tree = 0;
        bool more = true;
        vacuum.limit = 3;
        vacuum.bytes_max = 30000;
        buffer_clear(&vacuum.from);
        while (more)
            assert_int_equal(vacuum_once(&f, &vacuum, &tree, &more), HOLT_OK);
        check(&f);
    }
    sim_on_io(f.at.machine, NULL, NULL);
    btree_version_unref(reader);
    print_message("%llu crashes\n", (unsigned long long)t.crashes);
    btree_vacuum_deinit(&vacuum);
    btree_fixture_close(&f);
}

/* Several changes are committed without a record. After a crash the state before them must be there. */
static void crash_in_recovery_leaves_the_record_it_began_with(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    btree_fixture before = {.now = record_copy(&f.now)};
    os *machine = f.at.machine;
    place_close(&f.at);
    place_open(&f.at, machine, &f.now);
    assert_int_equal(page_store_unrecorded(f.at.store), HOLT_OK);
    before.at.machine = machine;
    crash_test t = {.f = &before, .seed = test_seed()};
    sim_on_io(machine, crash, &t);
    uint64_t held = 0;
    for (int i = 0; i < 6; i++) {
        must_apply(&f, 0, batch_make(&f, 60, 500));
        work w[] = {{.tree = 2, .drop = i % 2 == 0}, {.tree = 1, .dense = true}};
        entries batch = batch_of_numbers(&f, 0, 200, 1, ENTRY_PUT);
        if (!w[0].drop) w[0].batch = &batch;
        must_change(&f, w, 2);
        entries_free(&batch);
        check(&f);
        assert_true(stats_of(&f).pages_held > held);
        held = stats_of(&f).pages_held;
    }
    sim_on_io(machine, NULL, NULL);
    page_store_resolve(f.at.store);
    assert_int_equal(stats_of(&f).pages_held, 0);
    check(&f);
    btree_fixture_reopen(&f);
    check(&f);
    print_message("%llu crashes\n", (unsigned long long)t.crashes);
    record_free(&before.now);
    btree_fixture_close(&f);
}

/* A new manifest may be written for other reasons, also while a change is open, and before one fails. */
static void resolving_is_harmless_at_any_time(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    btree_change *c;
    const page_store_state *prepared;
    page_store_resolve(f.at.store);
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_OK);
    page_store_resolve(f.at.store);
    assert_int_equal(btree_change_prepare(c, &prepared), HOLT_OK);
    btree_change_doubt(c);
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_IO);
    page_store_resolve(f.at.store);
    must_apply(&f, 0, batch_make(&f, 60, 500));
    check(&f);
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- damage */

static void expect_open_fails(btree_fixture *f, const page_store_state *s, holt_status expected)
{
    page_store *store;
    assert_int_equal(page_store_open(&store, f->at.files, s, true), expected);
    assert_non_null(strstr(holt_error_message(), "tree-000005.bt"));
}

/* Each error that a manifest or a map can have is found, and the message names the file. */
static void damaged_maps_and_states_are_refused(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    page_store_state s = f.now.store;
    map_group good = s.map_groups[0];
    s.map_groups[0].checksum ^= 1;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.map_groups[0] = good;
    s.map_groups[0].copy ^= 1;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.map_groups[0].copy = 2;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.map_groups[0] = good;
    s.pages--;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.pages = f.now.store.pages + 1;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.pages = 2;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    s.pages = MAP_GROUP_PAGES + 10;
    expect_open_fails(&f, &s, HOLT_CORRUPT);
    btree_fixture_close(&f);
}

/* Pages that are lost or shared are found even if each tree is valid by itself. */
static void verify_counts_every_page_once(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    fill(&f);
    tree_report report = {0};
    tree_root twice[] = {f.now.roots[0], f.now.roots[1], f.now.roots[2], f.now.roots[1]};
    assert_int_equal(page_store_verify(f.at.store, twice, 4, &report), HOLT_CORRUPT);
    assert_non_null(strstr(holt_error_message(), "used twice"));
    assert_int_equal(page_store_verify(f.at.store, twice, 2, &report), HOLT_CORRUPT);
    assert_non_null(strstr(holt_error_message(), "not used by any tree"));

    uint32_t page = f.now.roots[0].root.ordinal;
    page_map_set(&f.at.store->live, page, 1, false);
    f.at.store->held++;
    assert_int_equal(page_store_verify(f.at.store, f.now.roots, TREES, &report), HOLT_CORRUPT);
    assert_non_null(strstr(holt_error_message(), "used, but free in the map"));
    entries batch = batch_of_numbers(&f, 0, 10, 1, ENTRY_PUT);
    work w = {.tree = 0, .batch = &batch};
    assert_int_equal(change(&f, &w, 1), HOLT_CORRUPT);
    page_map_set(&f.at.store->live, page, 1, true);
    f.at.store->held--;
    check(&f);
    entries_free(&batch);
    btree_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_change_has_no_effect),
        cmocka_unit_test(failed_create_and_open_leave_nothing),
        cmocka_unit_test(record_in_doubt_keeps_both_states),
        cmocka_unit_test(crash_anywhere_leaves_the_last_record_intact),
        cmocka_unit_test(crash_in_recovery_leaves_the_record_it_began_with),
        cmocka_unit_test(resolving_is_harmless_at_any_time),
        cmocka_unit_test(damaged_maps_and_states_are_refused),
        cmocka_unit_test(verify_counts_every_page_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
