/* lsm_fixture.h -- runs and trees, a model of them that is an array, and checks that both show the same. */
#ifndef HOLT_TESTS_LSM_FIXTURE_H
#define HOLT_TESTS_LSM_FIXTURE_H

#include "lsm/compaction.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/seed.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 400, RUNS_MAX = 16, PARTS_MAX = 5 };

static const uint64_t DATABASE_ID[2] = {11, 12};
static const tree_build_options BUILD = {.block_bytes = 4096, .filter_bits = 10};

/* ---------------------------------------------------------------- the model: keys are numbers */

typedef struct version {
    uint8_t op; /* 0: the key is not there */
    uint64_t value;
} version;

typedef struct model {
    version at[KEYS];
} model;

/* With a tail that differs in length, so that no key has the size of the next. */
static inline slice key_of(size_t n, char *out)
{
    int size = snprintf(out, 32, "key%05u", (unsigned)n);
    return slice_of(out, (size_t)size);
}

static inline slice value_of(const version *v, uint8_t *out)
{
    size_t size = v->op == ENTRY_DELETE ? 0 : 8 + (size_t)(v->value % 300);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(v->value + i);
    return slice_of(out, size);
}

static inline void model_fill(model *m, rng *r, uint32_t one_in)
{
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < KEYS; i++) {
        if (!rng_chance(r, one_in)) continue;
        m->at[i].op = rng_chance(r, 5) ? ENTRY_DELETE : rng_chance(r, 5) ? ENTRY_PUT_UNTIL : ENTRY_PUT;
        m->at[i].value = rng_next(r);
    }
}

/* What is in `over` hides what is in `m`. */
static inline void model_put_over(model *m, const model *over)
{
    for (size_t i = 0; i < KEYS; i++)
        if (over->at[i].op) m->at[i] = over->at[i];
}

/* ---------------------------------------------------------------- files */

typedef struct fixture {
    os *machine;
    os_dir *dir;
    cache *cache;
    tree_files *files;
    uint64_t next_file;
    rng r;
} fixture;

static inline void fixture_open(fixture *f, uint64_t seed)
{
    sim_options options = {.seed = seed};
    memset(f, 0, sizeof *f);
    rng_seed(&f->r, seed);
    f->machine = sim_create(&options);
    assert_non_null(f->machine);
    f->next_file = 1;
    expect_ok(os_dir_create(f->machine, "/db"));
    expect_ok(os_dir_open(f->machine, "/db", &f->dir));
    expect_ok(cache_create(&f->cache, 4 << 20));
    expect_ok(tree_files_create(&f->files, f->dir, f->cache, DATABASE_ID, 8));
}

static inline void fixture_close(fixture *f)
{
    assert_int_equal(tree_files_count(f->files), 0);
    tree_files_destroy(f->files);
    cache_destroy(f->cache);
    os_dir_close(f->dir);
    sim_destroy(f->machine);
}

static inline holt_status count_one(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx;
    return HOLT_OK;
}

static inline size_t files_on_disk(const fixture *f)
{
    size_t count = 0;
    expect_ok(os_dir_list(f->dir, count_one, &count));
    return count;
}

/* Keys [begin, end) of the model as a tree in a file of its own. */
static inline tree_file *build(fixture *f, const model *m, size_t begin, size_t end, lsm_file_range *part)
{
    tree_file_writer *w;
    tree_builder *b;
    tree_file *file;
    char key[32];
    uint8_t value[400];
    memset(part, 0, sizeof *part);
    part->file = f->next_file++;
    expect_ok(tree_file_writer_create(&w, f->files, part->file));
    expect_ok(tree_builder_create(&b, w, &BUILD));
    for (size_t i = begin; i < end; i++) {
        const version *v = &m->at[i];
        if (v->op) expect_ok(tree_builder_add(b, key_of(i, key), v->op, value_of(v, value), v->value));
    }
    expect_ok(tree_builder_finish(b, &part->root));
    part->file_size = tree_file_writer_bytes(w);
    expect_ok(tree_file_writer_finish(w, &file));
    tree_builder_destroy(b);
    tree_file_writer_destroy(w);
    return file;
}

/* A run of parts cut at random keys. Each part's tree also holds keys beyond its bounds, as after a split:
 * they must not be seen. */
static inline lsm_run *make_run(fixture *f, uint64_t age, const model *m, size_t parts_count)
{
    lsm_file_range parts[PARTS_MAX] = {{0}};
    tree_file *files[PARTS_MAX] = {NULL};
    char keys[PARTS_MAX + 1][32];
    lsm_run *run;
    size_t begin = 0;
    for (size_t i = 0; i < parts_count; i++) {
        size_t end = i + 1 == parts_count ? KEYS : begin + (size_t)rng_below(&f->r, KEYS - begin + 1);
        model with_more = *m;
        for (size_t k = 0; k < KEYS; k++) {
            if (k >= begin && k < end) continue;
            with_more.at[k].op = rng_chance(&f->r, 2) ? ENTRY_PUT : ENTRY_DELETE;
            with_more.at[k].value = 666;
        }
        files[i] = build(f, parts_count > 1 ? &with_more : m, 0, KEYS, &parts[i]);
        if (i > 0) parts[i].lower = key_of(begin, keys[i]);
        if (i + 1 < parts_count) parts[i].upper = key_of(end, keys[i + 1]);
        begin = end;
    }
    expect_ok(lsm_run_open(age, 0, parts, files, parts_count, &run));
    for (size_t i = 0; i < parts_count; i++)
        tree_file_unref(files[i]);
    return run;
}

/* ---------------------------------------------------------------- checks */

/* The first entry from a key on, where the cache can tell. */
static inline void check_first(const lsm_tree *t, const model *m, size_t n)
{
    char lower[32], key[32];
    tree_first first;
    size_t want = n;
    while (want < KEYS && !m->at[want].op)
        want++;
    expect_ok(epoch_enter());
    tree_result cached = lsm_first_cached(t, key_of(n, lower), &first);
    if (cached == TREE_ABSENT) assert_int_equal(want, KEYS);
    if (cached == TREE_FOUND) {
        assert_true(want < KEYS);
        assert_true(slice_equal(slice_of(first.key, first.key_size), key_of(want, key)));
        assert_int_equal(first.entry.op, m->at[want].op);
    }
    epoch_leave();
}

static inline void check_lookup(const lsm_tree *t, const model *m, size_t n, tree_buffer *room)
{
    char key[32];
    uint8_t value[400];
    slice k = key_of(n, key);
    const version *want = &m->at[n];
    tree_hit e;
    holt_status rc;
    expect_ok(epoch_enter());
    tree_query q = {.key = k};
    tree_result cached = lsm_get_cached(t, &q, &e);
    if (cached == TREE_FOUND) assert_int_equal(e.entry.op, want->op);
    if (cached == TREE_ABSENT) assert_int_equal(want->op, 0);
    epoch_leave();
    check_first(t, m, n);
    tree_result answer = lsm_get(t, &q, room, &e, &rc);
    assert_int_equal(answer, want->op ? TREE_FOUND : TREE_ABSENT);
    if (!want->op) return;
    assert_int_equal(e.entry.op, want->op);
    assert_true(slice_equal(e.entry.value, value_of(want, value)));
    if (want->op == ENTRY_PUT_UNTIL) assert_true(e.entry.expires_at_ms == want->value);
}

static inline void check_found(const batch_search *s, const version *want)
{
    uint8_t value[400];
    if (s->result == TREE_NOT_CACHED) return;
    assert_int_equal(s->result, want->op ? TREE_FOUND : TREE_ABSENT);
    if (!want->op) return;
    assert_int_equal(s->hit.entry.op, want->op);
    assert_true(slice_equal(s->hit.entry.value, value_of(want, value)));
}

static inline void search_cached(const lsm_tree *t, batch_search *s, const version *want)
{
    if (s->result != TREE_NOT_CACHED) return;
    expect_ok(epoch_enter());
    while (lsm_search_step(t, s))
        continue;
    check_found(s, want);
    epoch_leave();
}

/* Searches for two keys side by side, reading a piece that both wait for once. */
static inline void check_searches(const lsm_tree *t, const model *m, size_t n, size_t k, tree_buffer *room)
{
    char key[2][32];
    const version *want[2] = {&m->at[n], &m->at[k]};
    batch_search s[2] = {{.query.key = key_of(n, key[0])}, {.query.key = key_of(k, key[1])}};
    lsm_search_begin(t, &s[0]);
    lsm_search_begin(t, &s[1]);
    for (;;) {
        for (size_t i = 0; i < 2; i++)
            search_cached(t, &s[i], want[i]);
        const bool waits[2] = {s[0].result == TREE_NOT_CACHED, s[1].result == TREE_NOT_CACHED};
        const bool same = waits[0] && waits[1] && tree_searches_same(&s[0], &s[1]);
        if (!waits[0] && !waits[1]) break;
        for (size_t i = 0; i < 2; i++) {
            if (!waits[i]) continue;
            if (i == 0 || !same) expect_ok(lsm_search_read(t, &s[i], room));
            if (lsm_search_step_read(t, &s[i], room)) s[i].result = TREE_NOT_CACHED;
            check_found(&s[i], want[i]);
        }
    }
}

static inline void check_lookups(const lsm_tree *t, const model *m)
{
    tree_buffer room = {NULL, 0};
    for (size_t i = 0; i < KEYS; i++) {
        check_searches(t, m, i, (i * 7 + i % 2) % KEYS, &room);
        check_searches(t, m, i, (i + 1) % KEYS, &room);
        check_lookup(t, m, i, &room);
    }
    tree_buffer_deinit(&room);
}

/* The iterator is on key `n`, or not positioned when n is outside [begin, end). */
static inline void check_at(iterator *s, const model *m, size_t begin, size_t end, size_t n)
{
    char key[32];
    uint8_t value[400];
    assert_int_equal(s->status, HOLT_OK);
    assert_int_equal(s->valid, n >= begin && n < end);
    if (!s->valid) return;
    assert_true(slice_equal(s->key, key_of(n, key)));
    assert_int_equal(s->op, m->at[n].op);
    if (s->value_pending) expect_ok(s->ops->load_value(s));
    assert_true(slice_equal(s->value, value_of(&m->at[n], value)));
}

static inline size_t next_key(const model *m, size_t n, size_t end)
{
    while (n < end && !m->at[n].op)
        n++;
    return n < end ? n : KEYS;
}

/* SIZE_MAX when there is none from `begin` on. */
static inline size_t last_key(const model *m, size_t n, size_t begin)
{
    while (n + 1 > begin && !m->at[n].op)
        n--;
    return n + 1 > begin ? n : SIZE_MAX;
}

/* All but the tombstones, which are passed over, up to a limit now and then. */
static inline void check_skips(iterator *s, const model *m, size_t begin, size_t end)
{
    char key[32];
    size_t n = next_key(m, begin, end);
    s->ops->first(s);
    for (check_at(s, m, begin, end, n); s->valid; check_at(s, m, begin, end, n)) {
        const size_t to = n + 7;
        const bool skips = s->op == ENTRY_DELETE, limited = n % 3 == 0 && to < KEYS;
        n = next_key(m, n + 1, end);
        while (skips && n < end && m->at[n].op == ENTRY_DELETE && !(limited && n >= to))
            n = next_key(m, n + 1, end);
        if (skips)
            s->ops->skip_tombstones(s, false, limited ? key_of(to, key) : slice_of(NULL, 0));
        else
            s->ops->next(s);
    }
    n = begin < end ? last_key(m, end - 1, begin) : SIZE_MAX;
    s->ops->last(s);
    for (check_at(s, m, begin, end, n); s->valid; check_at(s, m, begin, end, n)) {
        const size_t to = n - 7;
        const bool skips = s->op == ENTRY_DELETE, limited = n % 3 == 0 && n >= 7;
        n = last_key(m, n - 1, begin);
        while (skips && n != SIZE_MAX && m->at[n].op == ENTRY_DELETE && !(limited && n <= to))
            n = last_key(m, n - 1, begin);
        if (skips)
            s->ops->skip_tombstones(s, true, limited ? key_of(to, key) : slice_of(NULL, 0));
        else
            s->ops->prev(s);
    }
}

static inline void check_iterator(iterator *s, const model *m, size_t begin, size_t end)
{
    size_t n = next_key(m, begin, end);
    for (s->ops->first(s);; n = next_key(m, n + 1, end)) {
        check_at(s, m, begin, end, n);
        if (!s->valid) break;
        s->ops->next(s);
    }
    n = begin < end ? last_key(m, end - 1, begin) : SIZE_MAX;
    for (s->ops->last(s);; n = last_key(m, n - 1, begin)) {
        check_at(s, m, begin, end, n);
        if (!s->valid) break;
        s->ops->prev(s);
    }
    check_skips(s, m, begin, end);
    for (size_t to = 0; to < KEYS; to += 3) {
        char key[32];
        s->ops->seek(s, key_of(to, key));
        check_at(s, m, begin, end, next_key(m, to < begin ? begin : to, end));
        if (s->valid && to % 2) s->ops->prev(s);
        s->ops->seek_last(s, key_of(to, key));
        check_at(s, m, begin, end,
                 begin < end && to >= begin ? last_key(m, to < end ? to : end - 1, begin) : SIZE_MAX);
        if (s->valid && to % 2) s->ops->next(s);
    }
}

static inline void check_iterators(fixture *f, const lsm_tree *t, const model *m)
{
    for (int i = 0; i < 4; i++) {
        size_t begin = i ? (size_t)rng_below(&f->r, KEYS) : 0;
        size_t end = i ? begin + (size_t)rng_below(&f->r, KEYS - begin) : KEYS;
        char lower[32], upper[32];
        tree_iterator_options options = {0};
        iterator *s;
        if (i) options.lower = key_of(begin, lower);
        if (i) options.upper = key_of(end, upper);
        expect_ok(lsm_iterator_open(t, &options, &s));
        check_iterator(s, m, begin, end);
        iterator_close(s);
    }
}

/* ---------------------------------------------------------------- runs and trees */

/* A random tree, newest run last made; the model says what it shows. */
static inline lsm_tree *make_tree(fixture *f, size_t runs_count, model *m)
{
    lsm_run *runs[RUNS_MAX] = {NULL};
    lsm_tree *t;
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < runs_count; i++) {
        model one;
        model_fill(&one, &f->r, 2 + (uint32_t)rng_below(&f->r, 6));
        runs[i] = make_run(f, 10 * (i + 1), &one, 1 + (size_t)rng_below(&f->r, PARTS_MAX));
        model_put_over(m, &one);
    }
    for (size_t i = 0; i + 1 < runs_count; i++) { /* any order will do */
        size_t k = i + (size_t)rng_below(&f->r, runs_count - i);
        lsm_run *swap = runs[i];
        runs[i] = runs[k];
        runs[k] = swap;
    }
    expect_ok(lsm_tree_create(runs, runs_count, &t));
    for (size_t i = 0; i < runs_count; i++)
        lsm_run_unref(runs[i]);
    return t;
}

#endif
