/* test_btree.c -- tests src/btree: changes, reuse of pages, loads, vacuum and map groups; trees are compared
 * with sorted arrays. */
#include "support/btree_fixture.h"

#include "base/memory.h"

#include <pthread.h>

/* ---------------------------------------------------------------- changes and reopening */

/* Several trees share pages, maps and records. At any time the state in memory must agree with that of the
 * record. */
static void trees_agree_with_sorted_arrays_and_survive_reopening(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    for (int i = 0; i < 60; i++) {
        entries a = batch_make(&f, 1 + (size_t)rng_below(&f.random, 200), 2000),
                b = batch_make(&f, 1 + (size_t)rng_below(&f.random, 20), 300);
        work both[] = {{.tree = 0, .batch = &a}, {.tree = 1 + (size_t)(i % 2), .batch = &b}};
        if (i % 17 == 16) both[1].drop = true;
        if (i % 17 == 16) both[1].batch = NULL;
        if (i % 13 == 12) both[1].dense = true;
        if (i % 13 == 12) both[1].batch = NULL;
        must_change(&f, both, 2);
        entries_free(&a);
        entries_free(&b);
        if (i % 5 == 4) btree_fixture_reopen(&f);
        check(&f);
        assert_int_equal(stats_of(&f).pages_held, 0);
    }
    btree_fixture_close(&f);
}

/* An empty change does no harm, and a second one at the same time is refused. */
static void one_change_at_a_time(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 500, 1, ENTRY_PUT));
    btree_change *c, *second;
    tree_report report = {0};
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_OK);
    assert_int_equal(btree_change_begin(&second, f.at.store), HOLT_BUSY);
    assert_null(second);
    assert_int_equal(page_store_verify(f.at.store, f.now.roots, TREES, &report), HOLT_BUSY);
    assert_int_equal(page_store_trim(f.at.store), HOLT_OK);
    btree_change_abandon(c);
    must_change(&f, NULL, 0);
    check(&f);

    os *machine = f.at.machine;
    place_close(&f.at);
    place_prepare(&f.at, machine);
    assert_int_equal(page_store_open(&f.at.store, f.at.files, &f.now.store, false), HOLT_OK);
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_READ_ONLY);
    for (size_t i = 0; i < TREES; i++)
        assert_int_equal(btree_version_open(&f.at.versions[i], f.at.store, &f.now.roots[i]), HOLT_OK);
    check(&f);
    btree_fixture_close(&f);
}

/* One change applies batches that are based on each other, as recovery does. The later ones must not reuse
 * pages that the record needs, and pages that the earlier ones wrote and the later ones replaced must become
 * free. */
static void batches_build_on_each_other_in_one_change(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_make(&f, 300, 500));
    for (int commit = 0; commit < 2; commit++) {
        enum { BATCHES = 6 };
        btree_change *c;
        btree_version *versions[BATCHES + 1] = {f.at.versions[0]}, *next[TREES] = {NULL};
        const page_store_state *prepared;
        entries after = entries_copy(&f.now.models[0]);
        assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_OK);
        for (int i = 0; i < BATCHES; i++) {
            entries batch = batch_make(&f, 100, 500);
            assert_int_equal(do_batch(c, versions[i], &batch, &versions[i + 1]), HOLT_OK);
            entries_apply(&after, &batch);
            entries_free(&batch);
            check_walk(&f.at, &f.now.roots[0], &f.now.models[0]);
            check_walk(&f.at, btree_version_root(versions[i + 1]), &after);
        }
        for (int i = 1; i < BATCHES; i++)
            btree_version_unref(versions[i]);
        assert_int_equal(btree_change_prepare(c, &prepared), HOLT_OK);
        if (commit) {
            entries_free(&f.now.models[0]);
            f.now.models[0] = after;
            next[0] = versions[BATCHES];
            record_change(&f, c, prepared, next);
        } else {
            btree_change_abandon(c);
            btree_version_unref(versions[BATCHES]);
            entries_free(&after);
        }
        check(&f);
        assert_int_equal(stats_of(&f).pages_held, 0);
        btree_fixture_reopen(&f);
        check(&f);
    }
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- reusing pages */

/* Without old versions, a tree that is rewritten again and again needs at most twice its size. */
static void rewriting_reuses_pages(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    for (int i = 0; i < 10; i++)
        must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    assert_true(file_bytes(&f) <= 2 * f.now.roots[0].bytes + 16 * TREE_PAGE_BYTES);
    check(&f);
    btree_fixture_close(&f);
}

static bool root_uses_page(btree_fixture *f, const tree_root *root, uint32_t page)
{
    tree_entry e;
    tree_buffer room = {NULL, 0};
    holt_status rc;
    tree_lookup(page_store_file(f->at.store), root, slice_of("key", 3), &room, &e, &rc);
    tree_buffer_deinit(&room);
    return root->root.ordinal == page;
}

/* A reader may insert a block of an old tree into the cache after its page was reused. A reader of the new
 * tree must not get it. */
static void reused_page_is_never_read_from_its_old_cache_frame(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    tree_file *file = page_store_file(f.at.store);
    must_apply(&f, 0, batch_of_numbers(&f, 0, 10, 1, ENTRY_PUT));
    tree_root old = f.now.roots[0];
    uint8_t *stale = mem_alloc_aligned(8, old.root.length);
    assert_non_null(stale);
    assert_int_equal(tree_file_read(file, old.root, stale), HOLT_OK);

    btree_version *held = btree_version_ref(f.at.versions[0]);
    entries held_model = entries_copy(&f.now.models[0]);
    must_apply(&f, 0, batch_of_numbers(&f, 5, 10, 1, ENTRY_PUT)); /* a new page: the old one is held */
    assert_int_not_equal(f.now.roots[0].root.ordinal, old.root.ordinal);
    check_walk(&f.at, &old, &held_model);
    btree_version_unref(held);
    entries_free(&held_model);

    must_apply(&f, 1, batch_of_numbers(&f, 100, 10, 1, ENTRY_PUT)); /* another tree gets it */
    assert_true(root_uses_page(&f, &f.now.roots[1], old.root.ordinal));
    cache_insert(tree_file_cache(file), old.root, stale, CACHE_WARM); /* late */
    check(&f);
    assert_int_equal(epoch_enter(), HOLT_OK);
    const uint8_t *frame = cache_lookup(tree_file_cache(file), f.now.roots[1].root);
    if (frame) assert_memory_not_equal(frame, stale, old.root.length);
    epoch_leave();
    cache_insert(tree_file_cache(file), old.root, stale, CACHE_WARM);
    check_walk(&f.at, &f.now.roots[1], &f.now.models[1]);
    mem_free(stale);
    btree_fixture_close(&f);
}

/* Blocks of free pages are of no use to any reader, but would take room in the cache from others. */
static void blocks_of_free_pages_leave_the_cache(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    tree_file *file = page_store_file(f.at.store);
    must_apply(&f, 0, batch_of_numbers(&f, 0, 10, 1, ENTRY_PUT));
    tree_root old = f.now.roots[0];
    check_walk(&f.at, &old, &f.now.models[0]); /* which caches it, if the change has not */
    assert_int_equal(epoch_enter(), HOLT_OK);
    assert_non_null(cache_peek(tree_file_cache(file), old.root));
    epoch_leave();
    must_apply(&f, 0, batch_of_numbers(&f, 5, 10, 1, ENTRY_PUT));
    assert_int_equal(page_store_trim(f.at.store), HOLT_OK); /* collects the version */
    assert_int_not_equal(f.now.roots[0].root.ordinal, old.root.ordinal);
    assert_int_equal(epoch_enter(), HOLT_OK);
    assert_null(cache_peek(tree_file_cache(file), old.root));
    epoch_leave();
    btree_fixture_close(&f);
}

/* A batch based on a version that another change has replaced would release pages a second time. */
static void replaced_version_takes_no_changes(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 300, 1, ENTRY_PUT));
    btree_version *old = btree_version_ref(f.at.versions[0]), *next;
    must_apply(&f, 0, batch_of_numbers(&f, 0, 10, 1, ENTRY_PUT));
    entries batch = batch_of_numbers(&f, 5, 10, 1, ENTRY_PUT);
    btree_change *c;
    btree_vacuum vacuum = {.limit = 3, .bytes_max = 1000};
    bool done, rest;
    assert_int_equal(btree_change_begin(&c, f.at.store), HOLT_OK);
    assert_int_equal(btree_change_drop(c, old, 10, &done), HOLT_CONFLICT);
    assert_int_equal(btree_change_vacuum(c, &vacuum, old, 10, &done, &rest, &next), HOLT_CONFLICT);
    assert_int_equal(do_batch(c, old, &batch, &next), HOLT_CONFLICT); /* abandons */
    entries_free(&batch);
    btree_version_unref(old);
    check(&f);
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- loads and vacuum */

static bool next_leaf_is_behind(tree_file *file, const tree_root *root)
{
    tree_buffer room = {NULL, 0};
    block b;
    bool dense = true;
    if (root->height != 2) return false;
    room.bytes = mem_alloc_aligned(8, root->root.length);
    assert_int_equal(tree_file_read(file, root->root, room.bytes), HOLT_OK);
    block_open(&b, room.bytes, root->root.length);
    for (uint32_t i = 1; i < b.count; i++)
        dense = dense && block_child(&b, i).ordinal == block_child(&b, i - 1).ordinal + 1;
    tree_buffer_deinit(&room);
    return dense;
}

/* Dense rewrites are for scans: leaves are full, and consecutive in the file. */
static void dense_rewrite_is_in_file_order(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    for (uint32_t i = 0; i < 7; i++)
        must_apply(&f, 0, batch_of_numbers(&f, i, 200, 7, ENTRY_PUT));
    uint64_t loose = f.now.roots[0].bytes;
    work dense = {.tree = 0, .dense = true};
    must_change(&f, &dense, 1);
    check(&f);
    assert_true(f.now.roots[0].bytes < loose);
    assert_true(next_leaf_is_behind(page_store_file(f.at.store), &f.now.roots[0]));
    must_vacuum(&f, 1 << 20);
    check(&f);
    btree_fixture_close(&f);
}

/* Deletes alone leave holes. Moving later pages into them lets the file end earlier. */
static void file_shrinks_after_large_deletes(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 8000, 1, ENTRY_PUT));
    must_apply(&f, 1, batch_make(&f, 200, 1000)); /* with overflow pieces */
    must_apply(&f, 0, batch_of_numbers(&f, 0, 8000, 1, ENTRY_PUT));
    must_apply(&f, 2, batch_of_numbers(&f, 0, 100, 1, ENTRY_PUT));
    uint64_t before = file_bytes(&f);
    for (uint32_t i = 0; i < 19; i++)
        must_apply(&f, 0, batch_of_numbers(&f, i, 400, 20, ENTRY_DELETE));
    must_apply(&f, 1, batch_of_numbers(&f, 0, 950, 1, ENTRY_DELETE));
    check(&f);
    must_vacuum(&f, 64 << 10);
    check(&f);
    uint64_t after = file_bytes(&f);
    print_message("%llu, then %llu\n", (unsigned long long)before, (unsigned long long)after);
    assert_true(after * 100 <= before * 15);
    btree_fixture_reopen(&f);
    check(&f);
    assert_int_equal(file_bytes(&f), after);
    btree_fixture_close(&f);
}

/* The file must not be truncated before the last page of a version that is still in use. */
static void file_is_not_truncated_before_a_held_page(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    btree_version *old = btree_version_ref(f.at.versions[0]);
    entries model = entries_copy(&f.now.models[0]);
    uint64_t before = file_bytes(&f);
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_DELETE));
    assert_int_equal(f.now.store.pages, PAGES_MIN);
    assert_int_equal(file_bytes(&f), before);
    check_walk(&f.at, btree_version_root(old), &model);
    btree_version_unref(old);
    entries_free(&model);
    assert_int_equal(file_bytes(&f), PAGES_MIN * TREE_PAGE_BYTES);
    check(&f);
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- map groups */

/* The second 128 MiB have maps of their own. After the file has shrunk, these must not be used when it grows
 * again. */
static void store_grows_by_a_map_group_and_shrinks(void **state)
{
    (void)state;
    btree_fixture f;
    btree_fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 100, 1, ENTRY_PUT));
    for (int i = 0; i < 2; i++) {
        page_map *taken = &f.at.store->taken; /* as if the first group were full */
        uint64_t end = page_map_end(&f.at.store->live), rest = MAP_GROUP_PAGES - end;
        page_map_set(taken, end, rest, true);
        f.at.store->held += rest;
        must_apply(&f, 1, batch_of_numbers(&f, 0, 300, 1, ENTRY_PUT));
        assert_int_equal(f.now.store.map_group_count, 2);
        page_map_set(taken, end, rest, false);
        f.at.store->held -= rest;
        check(&f);
        btree_fixture_reopen(&f);
        check(&f);
        must_apply(&f, 1, batch_of_numbers(&f, 0, 300, 1, ENTRY_DELETE));
        assert_int_equal(f.now.store.map_group_count, 1);
        check(&f);
        must_change(&f, NULL, 0);
        assert_true(file_bytes(&f) < 1 << 20);
    }
    btree_fixture_close(&f);
}

/* ---------------------------------------------------------------- threads */

enum { READERS = 3 };

typedef struct shared {
    btree_fixture f;
    pthread_mutex_t mutex; /* of versions[0] and models[0] */
    atomic_bool stop, failed;
    entries model; /* its keys never change */
} shared;

static void *read_until_stopped(void *ctx)
{
    shared *s = ctx;
    while (!atomic_load(&s->stop)) {
        pthread_mutex_lock(&s->mutex);
        btree_version *v = btree_version_ref(s->f.at.versions[0]);
        pthread_mutex_unlock(&s->mutex);
        tree_iterator_options options = {.read_ahead = true};
        iterator *in;
        size_t count = 0;
        if (tree_iterator_open(page_store_file(s->f.at.store), btree_version_root(v), &options, &in) ==
            HOLT_OK) {
            for (in->ops->first(in); in->valid; in->ops->next(in))
                count++;
            if (in->status != HOLT_OK || count != s->model.count) atomic_store(&s->failed, true);
            iterator_close(in);
        }
        btree_version_unref(v);
    }
    return NULL;
}

static void rewrite(shared *s)
{
    btree_fixture *f = &s->f;
    btree_change *c;
    btree_version *next;
    const page_store_state *state;
    entries batch = batch_of_numbers(f, (uint32_t)rng_below(&f->random, 500), 500, 1, ENTRY_PUT);
    assert_int_equal(btree_change_begin(&c, f->at.store), HOLT_OK);
    assert_int_equal(do_batch(c, f->at.versions[0], &batch, &next), HOLT_OK);
    assert_int_equal(btree_change_prepare(c, &state), HOLT_OK);
    record_store(&f->now, state);
    f->now.roots[0] = *btree_version_root(next);
    entries_apply(&f->now.models[0], &batch);
    btree_change_commit(c);
    pthread_mutex_lock(&s->mutex);
    btree_version *old = f->at.versions[0];
    f->at.versions[0] = next;
    pthread_mutex_unlock(&s->mutex);
    btree_version_unref(old);
    entries_free(&batch);
    assert_int_equal(page_store_trim(f->at.store), HOLT_OK);
}

/* Readers take versions, read and drop them while the tree is rewritten and its pages are reused. */
static void readers_go_on_while_pages_are_reused(void **state)
{
    (void)state;
    shared s = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    sim_options options = {.seed = 1, .threads = true};
    btree_fixture_open_with(&s.f, &options, test_seed());
    must_apply(&s.f, 0, batch_of_numbers(&s.f, 0, 1000, 1, ENTRY_PUT));
    s.model = entries_copy(&s.f.now.models[0]);
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_stopped, &s), 0);
    for (int i = 0; i < 60; i++)
        rewrite(&s);
    atomic_store(&s.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&s.failed));
    check(&s.f);
    entries_free(&s.model);
    btree_fixture_close(&s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_agree_with_sorted_arrays_and_survive_reopening),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(batches_build_on_each_other_in_one_change),
        cmocka_unit_test(rewriting_reuses_pages),
        cmocka_unit_test(reused_page_is_never_read_from_its_old_cache_frame),
        cmocka_unit_test(blocks_of_free_pages_leave_the_cache),
        cmocka_unit_test(replaced_version_takes_no_changes),
        cmocka_unit_test(dense_rewrite_is_in_file_order),
        cmocka_unit_test(file_shrinks_after_large_deletes),
        cmocka_unit_test(file_is_not_truncated_before_a_held_page),
        cmocka_unit_test(store_grows_by_a_map_group_and_shrinks),
        cmocka_unit_test(readers_go_on_while_pages_are_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
