/* test_btree.c -- tests src/btree: versions of trees in a file of pages, compared with sorted arrays, on a
 * simulated machine whose calls fail and whose power is cut. The manifest is a variable. */
#include "btree/btree.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "btree/btree_internal.h"
#include "os/sim/sim.h"
#include "support/entries.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define DIRECTORY "/db"

enum { CACHE_BYTES = 1 << 20, TREES = 3, STEP = 100, FILE_NUMBER = 5, BLOCK_BYTES = 4096 };

static const uint64_t DATABASE_ID[2] = {7, 9};

static uint64_t test_seed(void)
{
    const char *given = getenv("HOLT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20250301;
    print_message("HOLT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* ---------------------------------------------------------------- the manifest */

typedef struct record {
    page_store_state store;
    tree_root roots[TREES];
    entries models[TREES]; /* the entries that the trees must have */
} record;

static void record_store(record *r, const page_store_state *s)
{
    map_group *map_groups = must_alloc(s->map_group_count * sizeof *map_groups);
    memcpy(map_groups, s->map_groups, s->map_group_count * sizeof *map_groups);
    free(r->store.map_groups);
    r->store = *s;
    r->store.map_groups = map_groups;
}

static record record_copy(const record *from)
{
    record r = *from;
    r.store.map_groups = NULL;
    record_store(&r, &from->store);
    for (size_t i = 0; i < TREES; i++)
        r.models[i] = entries_copy(&from->models[i]);
    return r;
}

static void record_free(record *r)
{
    free(r->store.map_groups);
    for (size_t i = 0; i < TREES; i++)
        entries_free(&r->models[i]);
    memset(r, 0, sizeof *r);
}

/* ---------------------------------------------------------------- a machine with a page store */

typedef struct place {
    os *machine;
    os_dir *dir;
    cache *cache;
    tree_files *files;
    page_store *store;
    btree_version *versions[TREES];
} place;

static void place_prepare(place *p, os *machine)
{
    memset(p, 0, sizeof *p);
    p->machine = machine;
    assert_int_equal(os_dir_open(machine, DIRECTORY, &p->dir), HOLT_OK);
    assert_int_equal(cache_create(&p->cache, CACHE_BYTES), HOLT_OK);
    assert_int_equal(tree_files_create(&p->files, p->dir, p->cache, DATABASE_ID, 4), HOLT_OK);
}

static void place_open(place *p, os *machine, const record *r)
{
    place_prepare(p, machine);
    holt_status rc = page_store_open(&p->store, p->files, &r->store, true);
    if (rc != HOLT_OK) fail_msg("%s", holt_error_message());
    for (size_t i = 0; i < TREES; i++)
        assert_int_equal(btree_version_open(&p->versions[i], p->store, &r->roots[i]), HOLT_OK);
}

static void place_close(place *p)
{
    for (size_t i = 0; i < TREES; i++)
        btree_version_unref(p->versions[i]);
    page_store_close(p->store);
    tree_files_destroy(p->files);
    cache_destroy(p->cache);
    os_dir_close(p->dir);
    memset(p, 0, sizeof *p);
}

typedef struct fixture {
    place at;
    record now; /* the manifest */
    rng random;
} fixture;

static void fixture_open_with(fixture *f, const sim_options *options, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    os *machine = sim_create(options);
    assert_non_null(machine);
    assert_int_equal(os_dir_create(machine, DIRECTORY), HOLT_OK);
    place_prepare(&f->at, machine);
    assert_int_equal(page_store_create(&f->at.store, f->at.files, FILE_NUMBER), HOLT_OK);
    assert_int_equal(os_dir_sync(f->at.dir), HOLT_OK);
    record_store(&f->now, page_store_recorded(f->at.store));
    for (size_t i = 0; i < TREES; i++)
        assert_int_equal(btree_version_open(&f->at.versions[i], f->at.store, NULL), HOLT_OK);
    rng_seed(&f->random, seed);
}

static void fixture_open(fixture *f, uint64_t seed)
{
    sim_options options = {.seed = 1};
    fixture_open_with(f, &options, seed);
}

static void fixture_close(fixture *f)
{
    os *machine = f->at.machine;
    place_close(&f->at);
    record_free(&f->now);
    sim_destroy(machine);
}

static void fixture_reopen(fixture *f)
{
    os *machine = f->at.machine;
    place_close(&f->at);
    place_open(&f->at, machine, &f->now);
}

/* ---------------------------------------------------------------- batches */

static void batch_add(entries *b, slice key, uint8_t op, rng *r, size_t value_size)
{
    entry e = {.key = (uint8_t *)(uintptr_t)key.data, .key_size = key.size, .op = op};
    if (op != ENTRY_DELETE) {
        e.seed = rng_next(r);
        e.value_size = value_size;
    }
    entries_put(b, &e);
}

static slice number_key(uint64_t number, char out[32])
{
    return slice_of(out, (size_t)snprintf(out, 32, "key%09u", (unsigned)number));
}

static entries batch_of_numbers(fixture *f, uint32_t from, uint32_t count, uint32_t step, uint8_t op)
{
    entries b = {NULL, 0, 0};
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        batch_add(&b, number_key(from + i * step, key), op, &f->random, 100);
    }
    return b;
}

/* Puts, some of them large, and deletes. */
static entries batch_make(fixture *f, size_t count, uint32_t keys)
{
    entries b = {NULL, 0, 0};
    for (size_t i = 0; i < count; i++) {
        char key[32];
        size_t size = rng_chance(&f->random, 40)   ? (size_t)rng_below(&f->random, 30000)
                      : rng_chance(&f->random, 20) ? 2048 + (size_t)rng_below(&f->random, 3)
                                                   : (size_t)rng_below(&f->random, 150);
        uint8_t op = rng_chance(&f->random, 3) ? ENTRY_DELETE : ENTRY_PUT;
        batch_add(&b, number_key(rng_below(&f->random, keys), key), op, &f->random, size);
    }
    return b;
}

/* ---------------------------------------------------------------- changes */

/* What a change does to one tree: apply a batch, drop its pages, or rewrite it into full blocks. */
typedef struct work {
    size_t tree;
    const entries *batch;
    bool drop, dense;
} work;

static holt_status do_batch(btree_change *c, btree_version *base, const entries *batch, btree_version **next)
{
    iterator *in = entries_iterator_open(batch);
    btree_batch b = {.base = base, .changes = in, .block_bytes = BLOCK_BYTES};
    bool done = false;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !done)
        rc = btree_change_apply(c, &b, STEP, &done, next);
    if (rc != HOLT_OK) btree_change_abandon(c); /* before the batch is closed */
    iterator_close(in);
    return rc;
}

static holt_status do_dense(place *p, btree_change *c, btree_version *base, btree_version **next)
{
    tree_iterator_options options = {.bypass_cache = true};
    iterator *in = NULL;
    bool done = false;
    holt_status rc = tree_iterator_open(page_store_file(p->store), btree_version_root(base), &options, &in);
    if (rc == HOLT_OK) in->ops->first(in);
    while (rc == HOLT_OK && !done)
        rc = btree_change_load(c, in, BLOCK_BYTES, STEP, &done, next);
    for (done = false; rc == HOLT_OK && !done;)
        rc = btree_change_drop(c, base, 10, &done);
    if (rc != HOLT_OK) btree_change_abandon(c);
    iterator_close(in);
    return rc;
}

static holt_status do_drop(place *p, btree_change *c, btree_version *base, btree_version **next)
{
    bool done = false;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !done)
        rc = btree_change_drop(c, base, 10, &done);
    if (rc == HOLT_OK) rc = btree_version_open(next, p->store, NULL);
    if (rc != HOLT_OK) btree_change_abandon(c);
    return rc;
}

static holt_status do_work(place *p, btree_change *c, const work *w, btree_version **next)
{
    if (w->drop) return do_drop(p, c, p->versions[w->tree], next);
    if (w->dense) return do_dense(p, c, p->versions[w->tree], next);
    return do_batch(c, p->versions[w->tree], w->batch, next);
}

/* Records what the change has prepared, commits it, and takes the new versions. */
static void record_change(fixture *f, btree_change *c, const page_store_state *state, btree_version **next)
{
    record_store(&f->now, state);
    for (size_t i = 0; i < TREES; i++)
        if (next[i]) f->now.roots[i] = *btree_version_root(next[i]);
    btree_change_commit(c);
    for (size_t i = 0; i < TREES; i++) {
        if (!next[i]) continue;
        btree_version_unref(f->at.versions[i]);
        f->at.versions[i] = next[i];
    }
}

static void update_models(record *r, const work *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (w[i].drop) entries_free(&r->models[w[i].tree]);
        if (w[i].batch) entries_apply(&r->models[w[i].tree], w[i].batch);
    }
}

/* Makes one change; abandons it if it fails. */
static holt_status change(fixture *f, const work *w, size_t count)
{
    btree_change *c;
    btree_version *next[TREES] = {NULL};
    const page_store_state *state;
    holt_status rc = btree_change_begin(&c, f->at.store);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < count && rc == HOLT_OK; i++)
        rc = do_work(&f->at, c, &w[i], &next[w[i].tree]); /* abandons on failure */
    if (rc == HOLT_OK) {
        rc = btree_change_prepare(c, &state);
        if (rc != HOLT_OK) btree_change_abandon(c);
    }
    if (rc == HOLT_OK) {
        update_models(&f->now, w, count);
        record_change(f, c, state, next);
    }
    for (size_t i = 0; i < TREES && rc != HOLT_OK; i++)
        btree_version_unref(next[i]);
    return rc;
}

static void must_change(fixture *f, const work *w, size_t count)
{
    if (change(f, w, count) != HOLT_OK) fail_msg("%s", holt_error_message());
}

static void must_apply(fixture *f, size_t tree, entries batch)
{
    work w = {.tree = tree, .batch = &batch};
    must_change(f, &w, 1);
    entries_free(&batch);
}

/* Makes one change of a vacuum, which visits the trees in turn; *more: it has not visited all. */
static holt_status vacuum_once(fixture *f, btree_vacuum *vacuum, size_t *tree, bool *more)
{
    btree_change *c;
    btree_version *next[TREES] = {NULL};
    const page_store_state *state;
    bool done = false, rest = false;
    holt_status rc = btree_change_begin(&c, f->at.store);
    if (rc != HOLT_OK) return rc;
    while (rc == HOLT_OK && !done)
        rc = btree_change_vacuum(c, vacuum, f->at.versions[*tree], 20, &done, &rest, &next[*tree]);
    if (rc == HOLT_OK) rc = btree_change_prepare(c, &state);
    if (rc != HOLT_OK) {
        btree_change_abandon(c);
        btree_version_unref(next[*tree]);
        return rc;
    }
    record_change(f, c, state, next);
    if (!rest) ++*tree;
    *more = *tree < TREES;
    return page_store_trim(f->at.store);
}

static void must_vacuum(fixture *f, uint64_t bytes_max)
{
    for (int round = 0; round < 4; round++) {
        btree_vacuum vacuum = {0};
        size_t tree = 0;
        bool more = btree_vacuum_begin(&vacuum, f->at.store, bytes_max);
        while (more)
            if (vacuum_once(f, &vacuum, &tree, &more) != HOLT_OK) fail_msg("%s", holt_error_message());
        btree_vacuum_deinit(&vacuum);
    }
}

/* ---------------------------------------------------------------- checks */

static void check_value(const entry *want, slice value)
{
    uint8_t *expected = must_alloc(want->value_size);
    entry_value(want, expected);
    assert_int_equal(value.size, want->value_size);
    if (value.size) assert_memory_equal(value.data, expected, value.size);
    free(expected);
}

static void check_walk(const place *p, const tree_root *root, const entries *model)
{
    tree_iterator_options options = {.read_ahead = true};
    iterator *s;
    assert_int_equal(tree_iterator_open(page_store_file(p->store), root, &options, &s), HOLT_OK);
    s->ops->first(s);
    for (size_t i = 0; i < model->count; i++) {
        if (!s->valid) fail_msg("ends at %zu of %zu: %s", i, model->count, holt_error_message());
        assert_true(slice_equal(s->key, entry_key(&model->items[i])));
        if (s->value_pending) assert_int_equal(s->ops->load_value(s), HOLT_OK);
        check_value(&model->items[i], s->value);
        s->ops->next(s);
    }
    assert_false(s->valid);
    assert_int_equal(s->status, HOLT_OK);
    iterator_close(s);
}

/* Trees, maps and counts agree, and the trees have the entries of the models. */
static void check_place(const place *p, const record *r)
{
    tree_report report = {0};
    page_store_stats stats;
    uint64_t bytes = 0;
    holt_status rc = page_store_verify(p->store, r->roots, TREES, &report);
    if (rc != HOLT_OK) fail_msg("%s", holt_error_message());
    for (size_t i = 0; i < TREES; i++) {
        assert_int_equal(r->roots[i].entries, r->models[i].count);
        bytes += r->roots[i].bytes;
        check_walk(p, &r->roots[i], &r->models[i]);
    }
    page_store_stats_get(p->store, &stats);
    assert_int_equal(stats.pages_live * TREE_PAGE_BYTES, bytes);
}

/* As check_place, for what the manifest has. */
static void check(fixture *f)
{
    check_place(&f->at, &f->now);
}

static page_store_stats stats_of(fixture *f)
{
    page_store_stats s;
    assert_int_equal(page_store_trim(f->at.store), HOLT_OK);
    page_store_stats_get(f->at.store, &s);
    return s;
}

static uint64_t file_bytes(fixture *f)
{
    return stats_of(f).file_bytes;
}

/* ---------------------------------------------------------------- changes and reopening */

/* Several trees share pages, maps and records. At any time the state in memory must agree with that of the
 * record. */
static void trees_agree_with_sorted_arrays_and_survive_reopening(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
        if (i % 5 == 4) fixture_reopen(&f);
        check(&f);
        assert_int_equal(stats_of(&f).pages_held, 0);
    }
    fixture_close(&f);
}

/* An empty change does no harm, and a second one at the same time is refused. */
static void one_change_at_a_time(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* One change applies batches that are based on each other, as recovery does. The later ones must not reuse
 * pages that the record needs, and pages that the earlier ones wrote and the later ones replaced must become
 * free. */
static void batches_build_on_each_other_in_one_change(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
        fixture_reopen(&f);
        check(&f);
    }
    fixture_close(&f);
}

/* ---------------------------------------------------------------- old versions */

/* The pages of a snapshot must not be reused, however often the tree is rewritten, and all of them must
 * become free when it ends. */
static void held_version_stays_readable_and_its_pages_come_back(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* An old reader holds the pages of its version. Pages that were written and replaced later are visible to no
 * version: if they were held, too, the file would grow with every batch. */
static void old_version_holds_only_its_own_pages(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* ---------------------------------------------------------------- random histories of versions */

enum { MOMENTS = 10, PAGES_MAX = 8192 };

/* A version that a reader holds, and the entries it must have. */
typedef struct moment {
    btree_version *version; /* NULL: none */
    entries model;
} moment;

typedef struct history {
    fixture f;
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
    fixture *f = &h->f;
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
    fixture *f = &h->f;
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

static void vacuum_all(fixture *f)
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
        if (what == 55) fixture_reopen(&h->f);
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
    fixture_open(&h.f, seed);
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
    fixture_close(&h.f);
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

/* Without old versions, a tree that is rewritten again and again needs at most twice its size. */
static void rewriting_reuses_pages(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
    must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    for (int i = 0; i < 10; i++)
        must_apply(&f, 0, batch_of_numbers(&f, 0, 3000, 1, ENTRY_PUT));
    assert_true(file_bytes(&f) <= 2 * f.now.roots[0].bytes + 16 * TREE_PAGE_BYTES);
    check(&f);
    fixture_close(&f);
}

static bool root_uses_page(fixture *f, const tree_root *root, uint32_t page)
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
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* Blocks of free pages are of no use to any reader, but would take room in the cache from others. */
static void blocks_of_free_pages_leave_the_cache(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* A batch based on a version that another change has replaced would release pages a second time. */
static void replaced_version_takes_no_changes(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
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
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* Deletes alone leave holes. Moving later pages into them lets the file end earlier. */
static void file_shrinks_after_large_deletes(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_reopen(&f);
    check(&f);
    assert_int_equal(file_bytes(&f), after);
    fixture_close(&f);
}

/* The file must not be truncated before the last page of a version that is still in use. */
static void file_is_not_truncated_before_a_held_page(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* ---------------------------------------------------------------- map groups */

/* The second 128 MiB have maps of their own. After the file has shrunk, these must not be used when it grows
 * again. */
static void store_grows_by_a_map_group_and_shrinks(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
        fixture_reopen(&f);
        check(&f);
        must_apply(&f, 1, batch_of_numbers(&f, 0, 300, 1, ENTRY_DELETE));
        assert_int_equal(f.now.store.map_group_count, 1);
        check(&f);
        must_change(&f, NULL, 0);
        assert_true(file_bytes(&f) < 1 << 20);
    }
    fixture_close(&f);
}

/* ---------------------------------------------------------------- failures */

/* The changes that are tried while calls fail: two trees, a drop, and a vacuum. */
static holt_status try_changes(fixture *f, const work *w, size_t count, btree_vacuum *vacuum)
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

static void fill(fixture *f)
{
    must_apply(f, 0, batch_make(f, 300, 500));
    must_apply(f, 1, batch_make(f, 100, 500));
    must_apply(f, 2, batch_of_numbers(f, 0, 300, 1, ENTRY_PUT));
    must_apply(f, 0, batch_make(f, 100, 500));
}

static void fail_everywhere(sim_call kind, int os_errno, bool onwards)
{
    fixture f;
    fixture_open(&f, test_seed());
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
            fixture_reopen(&f);
            check(&f);
        }
    }
    btree_vacuum_deinit(&vacuum);
    entries_free(&a);
    check(&f);
    fixture_close(&f);
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
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* A record whose write failed may be on disk all the same. Until another one is, both states must stay
 * intact. */
static void record_in_doubt_keeps_both_states(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* ---------------------------------------------------------------- crashes */

typedef struct crash_test {
    fixture *f;
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
    fixture other = {.now = record_copy(&t->f->now)};
    rng_seed(&other.random, call);
    place_open(&other.at, machine, &other.now);
    check(&other);
    if (t->crashes++ % 4 == 0) { /* and changes go on */
        must_apply(&other, 0, batch_make(&other, 30, 500));
        check(&other);
        assert_int_equal(page_store_trim(other.at.store), HOLT_OK);
        fixture_reopen(&other);
        check(&other);
    }
    fixture_close(&other);
}

/* Power cuts at every write, sync and truncate of batches, drops, rewrites and vacuum, with a reader that is
 * sometimes renewed. */
static void crash_anywhere_leaves_the_last_record_intact(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* Several changes are committed without a record. After a crash the state before them must be there. */
static void crash_in_recovery_leaves_the_record_it_began_with(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
    fill(&f);
    fixture before = {.now = record_copy(&f.now)};
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
    fixture_reopen(&f);
    check(&f);
    print_message("%llu crashes\n", (unsigned long long)t.crashes);
    record_free(&before.now);
    fixture_close(&f);
}

/* A new manifest may be written for other reasons, also while a change is open, and before one fails. */
static void resolving_is_harmless_at_any_time(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* ---------------------------------------------------------------- damage */

static void expect_open_fails(fixture *f, const page_store_state *s, holt_status expected)
{
    page_store *store;
    assert_int_equal(page_store_open(&store, f->at.files, s, true), expected);
    assert_non_null(strstr(holt_error_message(), "tree-000005.bt"));
}

/* Each error that a manifest or a map can have is found, and the message names the file. */
static void damaged_maps_and_states_are_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* Pages that are lost or shared are found even if each tree is valid by itself. */
static void verify_counts_every_page_once(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, test_seed());
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
    fixture_close(&f);
}

/* ---------------------------------------------------------------- threads */

enum { READERS = 3 };

typedef struct shared {
    fixture f;
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
    fixture *f = &s->f;
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
    fixture_open_with(&s.f, &options, test_seed());
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
    fixture_close(&s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_agree_with_sorted_arrays_and_survive_reopening),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(batches_build_on_each_other_in_one_change),
        cmocka_unit_test(held_version_stays_readable_and_its_pages_come_back),
        cmocka_unit_test(old_version_holds_only_its_own_pages),
        cmocka_unit_test(pages_are_taken_exactly_while_a_version_needs_them),
        cmocka_unit_test(births_are_noted_as_far_as_there_is_memory),
        cmocka_unit_test(versions_keep_their_pages_when_memory_fails),
        cmocka_unit_test(rewriting_reuses_pages),
        cmocka_unit_test(reused_page_is_never_read_from_its_old_cache_frame),
        cmocka_unit_test(blocks_of_free_pages_leave_the_cache),
        cmocka_unit_test(replaced_version_takes_no_changes),
        cmocka_unit_test(dense_rewrite_is_in_file_order),
        cmocka_unit_test(file_shrinks_after_large_deletes),
        cmocka_unit_test(file_is_not_truncated_before_a_held_page),
        cmocka_unit_test(store_grows_by_a_map_group_and_shrinks),
        cmocka_unit_test(failed_change_has_no_effect),
        cmocka_unit_test(failed_create_and_open_leave_nothing),
        cmocka_unit_test(record_in_doubt_keeps_both_states),
        cmocka_unit_test(crash_anywhere_leaves_the_last_record_intact),
        cmocka_unit_test(crash_in_recovery_leaves_the_record_it_began_with),
        cmocka_unit_test(resolving_is_harmless_at_any_time),
        cmocka_unit_test(damaged_maps_and_states_are_refused),
        cmocka_unit_test(verify_counts_every_page_once),
        cmocka_unit_test(readers_go_on_while_pages_are_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
