/* btree_fixture.h -- a page store on a simulated machine, with a manifest that is a variable, and sorted
 * arrays that its trees are compared with.
 */
#ifndef HOLT_TESTS_BTREE_FIXTURE_H
#define HOLT_TESTS_BTREE_FIXTURE_H

#include "btree/btree_internal.h"
#include "os/sim/sim.h"
#include "support/entries.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define DIRECTORY "/db"

enum { CACHE_BYTES = 1 << 20, TREES = 3, STEP = 100, FILE_NUMBER = 5, BLOCK_BYTES = 4096 };

static const uint64_t DATABASE_ID[2] = {7, 9};

/* ---------------------------------------------------------------- the manifest */

typedef struct record {
    page_store_state store;
    tree_root roots[TREES];
    entries models[TREES]; /* the entries that the trees must have */
} record;

static inline void record_store(record *r, const page_store_state *s)
{
    map_group *map_groups = must_alloc(s->map_group_count * sizeof *map_groups);
    memcpy(map_groups, s->map_groups, s->map_group_count * sizeof *map_groups);
    free(r->store.map_groups);
    r->store = *s;
    r->store.map_groups = map_groups;
}

static inline record record_copy(const record *from)
{
    record r = *from;
    r.store.map_groups = NULL;
    record_store(&r, &from->store);
    for (size_t i = 0; i < TREES; i++)
        r.models[i] = entries_copy(&from->models[i]);
    return r;
}

static inline void record_free(record *r)
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

static inline void place_prepare(place *p, os *machine)
{
    memset(p, 0, sizeof *p);
    p->machine = machine;
    assert_int_equal(os_dir_open(machine, DIRECTORY, &p->dir), HOLT_OK);
    assert_int_equal(cache_create(&p->cache, CACHE_BYTES), HOLT_OK);
    assert_int_equal(tree_files_create(&p->files, p->dir, p->cache, DATABASE_ID, 4), HOLT_OK);
}

static inline void place_open(place *p, os *machine, const record *r)
{
    place_prepare(p, machine);
    holt_status rc = page_store_open(&p->store, p->files, &r->store, true);
    if (rc != HOLT_OK) fail_msg("%s", holt_error_message());
    for (size_t i = 0; i < TREES; i++)
        assert_int_equal(btree_version_open(&p->versions[i], p->store, &r->roots[i]), HOLT_OK);
}

static inline void place_close(place *p)
{
    for (size_t i = 0; i < TREES; i++)
        btree_version_unref(p->versions[i]);
    page_store_close(p->store);
    tree_files_destroy(p->files);
    cache_destroy(p->cache);
    os_dir_close(p->dir);
    memset(p, 0, sizeof *p);
}

typedef struct btree_fixture {
    place at;
    record now; /* the manifest */
    rng random;
} btree_fixture;

static inline void btree_fixture_open_with(btree_fixture *f, const sim_options *options, uint64_t seed)
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

static inline void btree_fixture_open(btree_fixture *f, uint64_t seed)
{
    sim_options options = {.seed = 1};
    btree_fixture_open_with(f, &options, seed);
}

static inline void btree_fixture_close(btree_fixture *f)
{
    os *machine = f->at.machine;
    place_close(&f->at);
    record_free(&f->now);
    sim_destroy(machine);
}

static inline void btree_fixture_reopen(btree_fixture *f)
{
    os *machine = f->at.machine;
    place_close(&f->at);
    place_open(&f->at, machine, &f->now);
}

/* ---------------------------------------------------------------- batches */

static inline void batch_add(entries *b, slice key, uint8_t op, rng *r, size_t value_size)
{
    entry e = {.key = (uint8_t *)(uintptr_t)key.data, .key_size = key.size, .op = op};
    if (op != ENTRY_DELETE) {
        e.seed = rng_next(r);
        e.value_size = value_size;
    }
    entries_put(b, &e);
}

static inline slice number_key(uint64_t number, char out[32])
{
    return slice_of(out, (size_t)snprintf(out, 32, "key%09u", (unsigned)number));
}

static inline entries batch_of_numbers(btree_fixture *f, uint32_t from, uint32_t count, uint32_t step,
                                       uint8_t op)
{
    entries b = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        batch_add(&b, number_key(from + i * step, key), op, &f->random, 100);
    }
    return b;
}

/* Puts, some of them large, and deletes. */
static inline entries batch_make(btree_fixture *f, size_t count, uint32_t keys)
{
    entries b = {.count = 0};
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

static inline holt_status do_batch(btree_change *c, btree_version *base, const entries *batch,
                                   btree_version **next)
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

static inline holt_status do_dense(place *p, btree_change *c, btree_version *base, btree_version **next)
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

static inline holt_status do_drop(place *p, btree_change *c, btree_version *base, btree_version **next)
{
    bool done = false;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !done)
        rc = btree_change_drop(c, base, 10, &done);
    if (rc == HOLT_OK) rc = btree_version_open(next, p->store, NULL);
    if (rc != HOLT_OK) btree_change_abandon(c);
    return rc;
}

static inline holt_status do_work(place *p, btree_change *c, const work *w, btree_version **next)
{
    if (w->drop) return do_drop(p, c, p->versions[w->tree], next);
    if (w->dense) return do_dense(p, c, p->versions[w->tree], next);
    return do_batch(c, p->versions[w->tree], w->batch, next);
}

/* Records what the change has prepared, commits it, and takes the new versions. */
static inline void record_change(btree_fixture *f, btree_change *c, const page_store_state *state,
                                 btree_version **next)
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

static inline void update_models(record *r, const work *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (w[i].drop) entries_free(&r->models[w[i].tree]);
        if (w[i].batch) entries_apply(&r->models[w[i].tree], w[i].batch);
    }
}

/* Makes one change; abandons it if it fails. */
static inline holt_status change(btree_fixture *f, const work *w, size_t count)
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

static inline void must_change(btree_fixture *f, const work *w, size_t count)
{
    if (change(f, w, count) != HOLT_OK) fail_msg("%s", holt_error_message());
}

static inline void must_apply(btree_fixture *f, size_t tree, entries batch)
{
    work w = {.tree = tree, .batch = &batch};
    must_change(f, &w, 1);
    entries_free(&batch);
}

/* Makes one change of a vacuum, which visits the trees in turn; *more: it has not visited all. */
static inline holt_status vacuum_once(btree_fixture *f, btree_vacuum *vacuum, size_t *tree, bool *more)
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

static inline void must_vacuum(btree_fixture *f, uint64_t bytes_max)
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

static inline void check_value(const entry *want, slice value)
{
    uint8_t *expected = must_alloc(want->value_size);
    entry_value(want, expected);
    assert_int_equal(value.size, want->value_size);
    if (value.size) assert_memory_equal(value.data, expected, value.size);
    free(expected);
}

static inline void check_walk(const place *p, const tree_root *root, const entries *model)
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
static inline void check_place(const place *p, const record *r)
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
static inline void check(btree_fixture *f)
{
    check_place(&f->at, &f->now);
}

static inline page_store_stats stats_of(btree_fixture *f)
{
    page_store_stats s;
    assert_int_equal(page_store_trim(f->at.store), HOLT_OK);
    page_store_stats_get(f->at.store, &s);
    return s;
}

static inline uint64_t file_bytes(btree_fixture *f)
{
    return stats_of(f).file_bytes;
}

/* Fills three trees, with overflow pieces and holes. */
static inline void fill(btree_fixture *f)
{
    must_apply(f, 0, batch_make(f, 300, 500));
    must_apply(f, 1, batch_make(f, 100, 500));
    must_apply(f, 2, batch_of_numbers(f, 0, 300, 1, ENTRY_PUT));
    must_apply(f, 0, batch_make(f, 100, 500));
}

#endif
