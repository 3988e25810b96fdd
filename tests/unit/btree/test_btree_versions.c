/* test_btree_versions.c -- tests src/btree/held_pages.c and page_births.c: which pages old versions hold, and
 * for how long. */
#include "support/btree_fixture.h"

#include "base/memory.h"

/* ---------------------------------------------------------------- old versions */

/* The pages of a snapshot must not be reused, however often the tree is rewritten, and all of them must
 * become free when it ends. */
static void held_version_stays_readable_and_its_pages_come_back(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    must_vacuum(&f, 1 << 20);
    uint64_t before = file_bytes(&f);
    btree_version *old = btree_version_ref(f.at.versions[0]);
    entries model = entries_copy(&f.now.models[0]);
    for (int i = 0; i < 10; i++) {
        must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
        check(&f);
        check_walk(&f.at, btree_version_root(old), &model);
    }
    assert_true(stats_of(&f).pages_held * TREE_PAGE_BYTES >= btree_version_root(old)->bytes);
    btree_version_unref(old);
    entries_free(&model);
    assert_int_equal(stats_of(&f).pages_held, 0);
    must_vacuum(&f, 1 << 20);
    check(&f);
    print_message("%llu, then %llu\n", (unsigned long long)before, (unsigned long long)file_bytes(&f));
    assert_true(file_bytes(&f) * 10 <= before * 11);
    btree_fixture_close(&f);
}

/* An old reader holds the pages of its version. Pages that were written and replaced later are visible to no
 * version: if they were held, too, the file would grow with every batch. */
static void old_version_holds_only_its_own_pages(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    btree_version *old = btree_version_ref(f.at.versions[0]);
    entries model = entries_copy(&f.now.models[0]);
    uint64_t live = btree_version_root(old)->bytes;
    for (int i = 0; i < 25; i++) {
        must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
        assert_true(stats_of(&f).pages_held * TREE_PAGE_BYTES <= live);
        check(&f);
    }
    check_walk(&f.at, btree_version_root(old), &model);
    print_message("%llu live, file of %llu\n", (unsigned long long)live, (unsigned long long)file_bytes(&f));
    assert_true(file_bytes(&f) <= 3 * live + 16 * TREE_PAGE_BYTES);
    btree_version_unref(old);
    entries_free(&model);
    assert_int_equal(stats_of(&f).pages_held, 0);
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- random histories of versions */

enum { MOMENTS = 10, PAGES_MAX = 8192 };

/* A version that a reader holds, and the entries it must have. */
typedef struct moment {
    btree_version *version; /* NULL: none */
    entries model;
} moment;

typedef struct history {
    btree_fixture f;
    moment kept[MOMENTS];
    bool exact; /* since there were no readers, no birth was lost because there was no memory to note it */
} history;

static void keep_moment(history *h)
{
    moment *m = &h->kept[rng_below(&h->f.random, MOMENTS)];
    size_t tree = (size_t)rng_below(&h->f.random, TREES);
    if (m->version) return;
    m->version = btree_version_ref(h->f.at.versions[tree]);
    m->model = entries_copy(&h->f.now.models[tree]);
}

static void drop_moment(moment *m)
{
    btree_version_unref(m->version);
    entries_free(&m->model);
    memset(m, 0, sizeof *m);
}

static holt_status mark_piece(void *ctx, block_ptr p)
{
    bool *pages = ctx;
    uint64_t count = tree_page_space(p.length) / TREE_PAGE_BYTES;
    for (uint64_t i = p.ordinal; i < p.ordinal + count; i++) {
        assert_true(i < PAGES_MAX);
        pages[i] = true;
    }
    return HOLT_OK;
}

static void mark_pages(history *h, const btree_version *v, bool *pages)
{
    tree_walk *walk;
    bool done = false;
    holt_status rc =
        tree_walk_open(&walk, page_store_file(h->f.at.store), btree_version_root(v), mark_piece, pages);
    while (rc == HOLT_OK && !done)
        rc = tree_walk_step(walk, 100, &done);
    assert_int_equal(rc, HOLT_OK);
    tree_walk_close(walk);
}

/* The pages of living versions are taken; no others are, if all births are known. */
static void check_taken(history *h)
{
    static bool pages[PAGES_MAX];
    uint64_t count = 0;
    page_store_stats stats;
    memset(pages, 0, sizeof pages);
    for (size_t i = 0; i < TREES; i++)
        mark_pages(h, h->f.at.versions[i], pages);
    for (size_t i = 0; i < MOMENTS; i++)
        if (h->kept[i].version) mark_pages(h, h->kept[i].version, pages);
    page_store_collect(h->f.at.store);
    for (uint64_t i = PAGES_MIN; i < PAGES_MAX; i++) {
        bool taken = page_map_get(&h->f.at.store->taken, i);
        if (pages[i] && !taken) fail_msg("page %u is free, but a version sees it", (unsigned)i);
        if (!pages[i] && taken && h->exact) fail_msg("page %u is held, but no version sees it", (unsigned)i);
        count += pages[i];
    }
    page_store_stats_get(h->f.at.store, &stats);
    assert_true(stats.pages_live + stats.pages_held >= count);
    if (h->exact) assert_int_equal(stats.pages_live + stats.pages_held, count);
}

/* A change of one to three trees. */
static void random_change(history *h, bool may_fail)
{
    btree_fixture *f = &h->f;
    entries batches[TREES];
    work w[TREES] = {{0}};
    size_t count = 1 + (size_t)rng_below(&f->random, TREES), first = (size_t)rng_below(&f->random, TREES);
    for (size_t i = 0; i < count; i++) {
        batches[i] = batch_make(f, 1 + (size_t)rng_below(&f->random, 60), 200);
        w[i].tree = (first + i) % TREES;
        w[i].drop = rng_chance(&f->random, 15);
        w[i].dense = !w[i].drop && rng_chance(&f->random, 10);
        if (!w[i].drop && !w[i].dense) w[i].batch = &batches[i];
    }
    bool fails = may_fail && rng_chance(&f->random, 2);
    if (fails) mem_fail_at(1 + rng_below(&f->random, 200), false);
    holt_status rc = change(f, w, count);
    mem_fail_at(0, false);
    if (fails)
        h->exact = false;
    else
        assert_int_equal(rc, HOLT_OK);
    for (size_t i = 0; i < count; i++)
        entries_free(&batches[i]);
}

/* A reader begins while a change is open, which is then recorded, abandoned, or in doubt for a while. */
static void keep_moment_in_a_change(history *h)
{
    btree_fixture *f = &h->f;
    btree_change *c;
    btree_version *next[TREES] = {NULL};
    const page_store_state *prepared;
    size_t tree = (size_t)rng_below(&f->random, TREES);
    entries batch = batch_make(f, 1 + (size_t)rng_below(&f->random, 60), 200);
    work w = {.tree = tree, .batch = &batch};
    assert_int_equal(btree_change_begin(&c, f->at.store), HOLT_OK);
    assert_int_equal(do_work(&f->at, c, &w, &next[tree]), HOLT_OK);
    keep_moment(h);
    drop_moment(&h->kept[rng_below(&f->random, MOMENTS)]);
    assert_int_equal(btree_change_prepare(c, &prepared), HOLT_OK);
    uint64_t end = rng_below(&f->random, 4);
    if (end >= 2) {
        update_models(&f->now, &w, 1);
        record_change(f, c, prepared, next);
    } else {
        if (end)
            btree_change_doubt(c);
        else
            btree_change_abandon(c);
        btree_version_unref(next[tree]);
        drop_moment(&h->kept[rng_below(&f->random, MOMENTS)]);
        page_store_collect(f->at.store);
        page_store_resolve(f->at.store);
    }
    entries_free(&batch);
}

static void drop_all_moments(history *h)
{
    for (size_t i = 0; i < MOMENTS; i++)
        drop_moment(&h->kept[i]);
    page_store_collect(h->f.at.store);
    h->exact = true; /* no reader is left that could hold pages of which it has no use */
}

static void vacuum_all(btree_fixture *f)
{
    btree_vacuum vacuum = {.limit = PAGES_MIN, .bytes_max = 1 << 20};
    bool more = true;
    for (size_t tree = 0; more;)
        assert_int_equal(vacuum_once(f, &vacuum, &tree, &more), HOLT_OK);
    btree_vacuum_deinit(&vacuum);
}

static void random_step(history *h, bool may_fail)
{
    uint64_t what = rng_below(&h->f.random, 100);
    if (what < 30) {
        keep_moment(h);
    } else if (what < 55) {
        drop_moment(&h->kept[rng_below(&h->f.random, MOMENTS)]);
    } else if (what < 58) {
        drop_all_moments(h);
        if (what == 55) btree_fixture_reopen(&h->f);
    } else if (what < 64) {
        vacuum_all(&h->f);
    } else if (what < 75) {
        keep_moment_in_a_change(h);
    } else {
        random_change(h, may_fail);
    }
}

static void run_history(uint64_t seed, int steps, bool may_fail)
{
    history h = {.exact = true};
    btree_fixture_open(&h.f, seed);
    for (int i = 0; i < steps; i++) {
        random_step(&h, may_fail);
        check_taken(&h);
        const moment *m = &h.kept[rng_below(&h.f.random, MOMENTS)];
        if (m->version) check_walk(&h.f.at, btree_version_root(m->version), &m->model);
        if (i % 10 == 0) check(&h.f);
    }
    for (size_t i = 0; i < MOMENTS; i++)
        if (h.kept[i].version) check_walk(&h.f.at, btree_version_root(h.kept[i].version), &h.kept[i].model);
    drop_all_moments(&h);
    check_taken(&h);
    check(&h.f);
    assert_int_equal(stats_of(&h.f).pages_held, 0);
    btree_fixture_close(&h.f);
}

/* Readers begin and end in any order while pages are written and replaced. If the life of a page is taken to
 * be too short, a reader loses it; if too long, the file grows. */
static void pages_are_taken_exactly_while_a_version_needs_them(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 4; i++)
        run_history(seed + i, 400, false);
}

/* Births are a refinement. If there is no memory for one, no room in the cache's share, or its number is too
 * large, it stays unknown. All memory is released when births are cleared. */
static void births_are_noted_as_far_as_there_is_memory(void **state)
{
    (void)state;
    cache *c;
    cache_stats before, full, after;
    assert_int_equal(cache_create(&c, CACHE_BYTES), HOLT_OK);
    page_births b = {.charged = c};
    cache_stats_get(c, &before);
    assert_int_equal(page_births_get(&b, 7), 0);
    page_births_note(&b, MAP_GROUP_PAGES - 2, 4, 9); /* across the end of a map group */
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(page_births_get(&b, MAP_GROUP_PAGES - 3 + i), i == 0 || i == 5 ? 0 : 9);
    page_births_note(&b, MAP_GROUP_PAGES, 1, 10);
    assert_int_equal(page_births_get(&b, MAP_GROUP_PAGES), 10);

    page_births_note(&b, 0, 30 * (uint64_t)MAP_GROUP_PAGES, 11);
    cache_stats_get(c, &full);
    assert_true(full.resident_bytes > before.resident_bytes && full.resident_bytes <= CACHE_BYTES / 2);
    assert_int_equal(page_births_get(&b, 5), 11);
    assert_int_equal(page_births_get(&b, 29 * (uint64_t)MAP_GROUP_PAGES), 0);
    page_births_note(&b, 5, 1, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(page_births_get(&b, 5), 11); /* too far from the base: the old birth stays */

    page_births_clear(&b, UINT32_MAX);
    cache_stats_get(c, &after);
    assert_int_equal(after.resident_bytes, before.resident_bytes);
    assert_int_equal(page_births_get(&b, 5), 0);
    mem_fail_at(1, true);
    page_births_note(&b, 5, 1, (uint64_t)UINT32_MAX + 1);
    mem_fail_at(0, false);
    assert_int_equal(page_births_get(&b, 5), 0);
    mem_fail_at(2, false); /* the second allocation: the array of the group */
    page_births_note(&b, 5, 1, (uint64_t)UINT32_MAX + 1);
    mem_fail_at(0, false);
    cache_stats_get(c, &after);
    assert_int_equal(after.resident_bytes, before.resident_bytes);
    page_births_note(&b, 5, 1, (uint64_t)UINT32_MAX + 1);
    assert_int_equal(page_births_get(&b, 5), (uint64_t)UINT32_MAX + 1);
    page_births_clear(&b, 0);
    cache_destroy(c);
}

/* A page whose birth could not be noted counts as older than it is, never as younger. */
static void versions_keep_their_pages_when_memory_fails(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 2; i++)
        run_history(seed + i, 400, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_version_stays_readable_and_its_pages_come_back),
        cmocka_unit_test(old_version_holds_only_its_own_pages),
        cmocka_unit_test(pages_are_taken_exactly_while_a_version_needs_them),
        cmocka_unit_test(births_are_noted_as_far_as_there_is_memory),
        cmocka_unit_test(versions_keep_their_pages_when_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
