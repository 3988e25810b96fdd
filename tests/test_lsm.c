/* test_lsm.c -- tests src/lsm/ against a model that is an array: runs of several parts, trees, choosing and merging. */
#include "db/state.h"
#include "lsm/compaction.h"
#include "os/sim.h"
#include "support/expect.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"

#include <errno.h>
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
static slice key_of(size_t n, char *out)
{
    int size = snprintf(out, 32, "key%05u", (unsigned)n);
    return slice_of(out, (size_t)size);
}

static slice value_of(const version *v, uint8_t *out)
{
    size_t size = v->op == ENTRY_DELETE ? 0 : 8 + (size_t)(v->value % 300);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(v->value + i);
    return slice_of(out, size);
}

static void model_fill(model *m, rng *r, uint32_t one_in)
{
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < KEYS; i++) {
        if (!rng_chance(r, one_in)) continue;
        m->at[i].op = rng_chance(r, 5) ? ENTRY_DELETE : rng_chance(r, 5) ? ENTRY_PUT_UNTIL : ENTRY_PUT;
        m->at[i].value = rng_next(r);
    }
}

/* What is in `over` hides what is in `m`. */
static void model_put_over(model *m, const model *over)
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

static void fixture_open(fixture *f, uint64_t seed)
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

static void fixture_close(fixture *f)
{
    assert_int_equal(tree_files_count(f->files), 0);
    tree_files_destroy(f->files);
    cache_destroy(f->cache);
    os_dir_close(f->dir);
    sim_destroy(f->machine);
}

static holt_status count_one(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx;
    return HOLT_OK;
}

static size_t files_on_disk(const fixture *f)
{
    size_t count = 0;
    expect_ok(os_dir_list(f->dir, count_one, &count));
    return count;
}

/* Keys [begin, end) of the model as a tree in a file of its own. */
static tree_file *build(fixture *f, const model *m, size_t begin, size_t end, lsm_part *part)
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

/* A run of parts cut at random keys. Each part's tree also holds keys beyond its bounds, as after a split: they must not
 * be seen. */
static lsm_run *make_run(fixture *f, uint64_t age, const model *m, size_t parts_count)
{
    lsm_part parts[PARTS_MAX] = {{0}};
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

static void check_lookup(const lsm_tree *t, const model *m, size_t n, tree_buffer *room)
{
    char key[32];
    uint8_t value[400];
    slice k = key_of(n, key);
    const version *want = &m->at[n];
    lsm_entry e;
    holt_status rc;
    expect_ok(epoch_enter());
    tree_answer cached = lsm_get_cached(t, k, hash_slice(k), &e);
    if (cached == TREE_FOUND) assert_int_equal(e.entry.op, want->op);
    if (cached == TREE_ABSENT) assert_int_equal(want->op, 0);
    epoch_leave();
    tree_answer answer = lsm_get(t, k, hash_slice(k), room, &e, &rc);
    assert_int_equal(answer, want->op ? TREE_FOUND : TREE_ABSENT);
    if (!want->op) return;
    assert_int_equal(e.entry.op, want->op);
    assert_true(slice_equal(e.entry.value, value_of(want, value)));
    if (want->op == ENTRY_PUT_UNTIL) assert_true(e.entry.expires_at_ms == want->value);
}

static void check_lookups(const lsm_tree *t, const model *m)
{
    tree_buffer room = {NULL, 0};
    for (size_t i = 0; i < KEYS; i++)
        check_lookup(t, m, i, &room);
    tree_buffer_deinit(&room);
}

/* The source stands on key `n`, or on nothing when n is outside [begin, end). */
static void check_at(source *s, const model *m, size_t begin, size_t end, size_t n)
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

static size_t next_key(const model *m, size_t n, size_t end)
{
    while (n < end && !m->at[n].op)
        n++;
    return n < end ? n : KEYS;
}

/* SIZE_MAX when there is none from `begin` on. */
static size_t last_key(const model *m, size_t n, size_t begin)
{
    while (n + 1 > begin && !m->at[n].op)
        n--;
    return n + 1 > begin ? n : SIZE_MAX;
}

static void check_source(source *s, const model *m, size_t begin, size_t end)
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

static void check_sources(fixture *f, const lsm_tree *t, const model *m)
{
    for (int i = 0; i < 4; i++) {
        size_t begin = i ? (size_t)rng_below(&f->r, KEYS) : 0;
        size_t end = i ? begin + (size_t)rng_below(&f->r, KEYS - begin) : KEYS;
        char lower[32], upper[32];
        tree_source_options options = {0};
        source *s;
        if (i) options.lower = key_of(begin, lower);
        if (i) options.upper = key_of(end, upper);
        expect_ok(lsm_source_open(t, &options, &s));
        check_source(s, m, begin, end);
        source_close(s);
    }
}

/* ---------------------------------------------------------------- runs and trees */

/* A random tree, newest run last made; the model says what it shows. */
static lsm_tree *make_tree(fixture *f, size_t runs_count, model *m)
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

static uint64_t test_seed(void)
{
    const char *given = getenv("HOLT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261122;
    print_message("HOLT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Bounds clip all that is read of a part: an entry beyond them belongs to another part, or to nobody. */
static void lsm_reads_parts_within_their_bounds_and_the_newest_run_first(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 24; i++) {
        fixture f;
        model m;
        fixture_open(&f, seed + i);
        lsm_tree *t = make_tree(&f, (size_t)(i % 6), &m);
        check_lookups(t, &m);
        check_sources(&f, t, &m);
        lsm_tree_unref(t);
        fixture_close(&f);
    }
}

static void lsm_tree_orders_runs_by_age(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 1);
    lsm_tree *t = make_tree(&f, 9, &m);
    assert_int_equal(lsm_tree_runs(t), 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(lsm_run_describe(lsm_tree_run(t, i)).age, 90 - 10 * i);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A merge that ends after its inputs are gone (cleared) must not put its output back. */
static void lsm_tree_replace_finds_what_it_replaces_or_says_so(void **state)
{
    fixture f;
    model m, one;
    lsm_tree *next, *none;
    fixture_open(&f, 1);
    lsm_tree *t = make_tree(&f, 3, &m);
    model_fill(&one, &f.r, 2);
    lsm_run *run = make_run(&f, 40, &one, 2);
    uint64_t wrong[] = {10, 15}, right[] = {10, 30};
    assert_int_equal(lsm_tree_replace(t, wrong, 2, run, &none), HOLT_NOT_FOUND);
    assert_null(none);
    expect_ok(lsm_tree_replace(t, NULL, 0, run, &next));
    model_put_over(&m, &one);
    check_lookups(next, &m);
    lsm_tree_unref(next);
    expect_ok(lsm_tree_replace(t, right, 2, NULL, &next));
    assert_int_equal(lsm_tree_runs(next), 1);
    assert_int_equal(lsm_run_describe(lsm_tree_run(next, 0)).age, 20);
    lsm_tree_unref(next);
    lsm_run_unref(run);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A run that could not be opened whole holds neither memory nor files. */
static void lsm_without_memory_says_so(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 3);
    lsm_tree *t = make_tree(&f, 4, &m);
    const lsm_run *from = lsm_tree_run(t, 0);
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        lsm_part parts[PARTS_MAX];
        tree_file *files[PARTS_MAX];
        size_t count = lsm_run_describe(from).part_count;
        for (size_t i = 0; i < count; i++) {
            parts[i] = *lsm_run_part(from, i);
            files[i] = lsm_run_file(from, i);
        }
        lsm_run *run = NULL;
        lsm_tree *next = NULL;
        source *s = NULL;
        tree_source_options options = {0};
        mem_fail_at(n, false);
        rc = lsm_run_open(99, 1, parts, files, count, &run);
        if (rc == HOLT_OK) rc = lsm_tree_replace(t, NULL, 0, run, &next);
        if (rc == HOLT_OK) rc = lsm_source_open(next, &options, &s);
        for (int i = 0; rc == HOLT_OK && i < 2; i++) {
            i ? s->ops->last(s) : s->ops->first(s);
            rc = s->status;
        }
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        source_close(s);
        lsm_tree_unref(next);
        lsm_run_unref(run);
    }
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* What the manifest keeps of a run is all that a new process knows of it. */
static void lsm_run_comes_back_from_a_manifest_record(void **state)
{
    fixture f;
    model m;
    db_state s = {0};
    buffer b = {0};
    collection_spec spec = {
        .id = 1, .kind = HOLT_LSM, .compression = HOLT_COMPRESSION_NONE, .block_bytes = 4096};
    fixture_open(&f, 4);
    model_fill(&m, &f.r, 2);
    lsm_run *run = make_run(&f, 77, &m, 4), *back;
    edit_collection(&b, &spec, "c", 0);
    edit_run(&b, 1, run);
    assert_false(b.failed);
    expect_ok(state_apply(&s, 0, buffer_slice(&b)));
    const state_run *r = &s.collections[0].runs[0];
    tree_file *files[PARTS_MAX];
    for (size_t i = 0; i < r->count; i++)
        files[i] = lsm_run_file(run, i);
    expect_ok(lsm_run_open(r->age, r->level, r->parts, files, r->count, &back));
    lsm_tree *t;
    expect_ok(lsm_tree_create(&back, 1, &t));
    check_lookups(t, &m);
    check_sources(&f, t, &m);
    lsm_tree_unref(t);
    lsm_run_unref(back);
    lsm_run_unref(run);
    buffer_deinit(&b);
    state_deinit(&s);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- choosing */

/* A tree whose runs only claim their sizes; index 0 of `bytes` is the newest. */
static lsm_tree *pretend_tree(tree_file *file, const uint64_t *bytes, size_t count)
{
    lsm_run *runs[64];
    lsm_tree *t;
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        lsm_part part = {.root = {.bytes = bytes[i], .entries = 1}};
        expect_ok(lsm_run_open(1000 - i, 0, &part, &file, 1, &runs[i]));
    }
    expect_ok(lsm_tree_create(runs, count, &t));
    for (size_t i = 0; i < count; i++)
        lsm_run_unref(runs[i]);
    return t;
}

typedef struct policy {
    uint64_t bytes[64]; /* of runs, newest first */
    size_t count, count_max;
    uint64_t flushed, written;
} policy;

static void policy_flush(policy *p, tree_file *file, uint64_t bytes)
{
    memmove(p->bytes + 1, p->bytes, p->count++ * sizeof p->bytes[0]);
    p->bytes[0] = bytes;
    p->flushed += bytes;
    p->written += bytes;
    for (;;) {
        lsm_pick pick;
        lsm_tree *t = pretend_tree(file, p->bytes, p->count);
        bool wanted = lsm_pick_merge(t, LSM_WANT_BOUND, 1000, &pick);
        lsm_tree_unref(t);
        if (!wanted) break;
        assert_true(pick.count >= 2 && pick.first + pick.count <= p->count && pick.level >= 1);
        uint64_t sum = 0;
        for (size_t i = 0; i < pick.count; i++)
            sum += p->bytes[pick.first + i];
        p->written += sum;
        p->bytes[pick.first] = sum;
        memmove(p->bytes + pick.first + 1, p->bytes + pick.first + pick.count,
                (p->count - pick.first - pick.count) * sizeof p->bytes[0]);
        p->count -= pick.count - 1;
    }
    if (p->count > p->count_max) p->count_max = p->count;
}

static uint64_t flush_size(int pattern, int n, rng *r)
{
    switch (pattern) {
    case 0:
        return 1000;
    case 1:
        return (uint64_t)n + 1; /* growing */
    case 2:
        return 2000 - (uint64_t)n; /* shrinking */
    case 3:
        return 1 + rng_below(r, 100000);
    case 4:
        return n % 100 ? 10 : 1000000; /* a bulk load now and then */
    case 5:
        return UINT64_C(1) << (40 - n % 40); /* each half of the one before */
    case 6:
        return UINT64_C(1) << (n % 40);
    default:
        return n % 2; /* nothing at all */
    }
}

/* Reads pay for every run, writes for every merge; neither may grow without bound, whatever sizes flushes have. */
static void lsm_policy_bounds_runs_and_write_amplification(void **state)
{
    fixture f;
    model m;
    lsm_part part;
    fixture_open(&f, test_seed());
    model_fill(&m, &f.r, 2);
    tree_file *file = build(&f, &m, 0, 4, &part);
    for (int pattern = 0; pattern < 8; pattern++) {
        policy p = {.count = 0};
        for (int n = 0; n < 1000; n++)
            policy_flush(&p, file, flush_size(pattern, n, &f.r));
        assert_true(p.count_max <= LSM_RUNS_MAX);
        double amplification = (double)p.written / (double)p.flushed;
        print_message("pattern %d: at most %zu runs, written %.1f times\n", pattern, p.count_max,
                      amplification);
        if (pattern == 0) assert_true(amplification < 10); /* log2(1000) */
        if (pattern <= 3) assert_true(amplification < 12);
    }
    tree_file_unref(file);
    fixture_close(&f);
}

static void lsm_pick_knows_when_there_is_nothing_to_do(void **state)
{
    static const uint64_t sizes[] = {1, 10, 100};
    fixture f;
    model m;
    lsm_part part;
    lsm_pick pick;
    fixture_open(&f, 1);
    model_fill(&m, &f.r, 2);
    tree_file *file = build(&f, &m, 0, 4, &part);
    for (size_t count = 0; count <= 3; count++) {
        lsm_tree *t = pretend_tree(file, sizes, count);
        assert_false(lsm_pick_merge(t, LSM_WANT_BOUND, 1000, &pick));
        assert_int_equal(lsm_pick_merge(t, LSM_WANT_SETTLE, 1000, &pick), count > 1);
        assert_int_equal(lsm_pick_merge(t, LSM_WANT_ALL, 1000, &pick), count > 1);
        if (count > 1) assert_int_equal(pick.count, count);
        lsm_tree_unref(t);
    }
    tree_file_unref(file);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- merging */

static uint64_t give_file(void *ctx)
{
    return ((fixture *)ctx)->next_file++;
}

static lsm_merge_options merge_options(fixture *f, uint64_t file_bytes_max)
{
    lsm_merge_options options = {.files = f->files,
                                 .build = BUILD,
                                 .file_bytes_max = file_bytes_max,
                                 .next_file = give_file,
                                 .ctx = f};
    return options;
}

static holt_status merge(fixture *f, lsm_tree *t, const lsm_pick *pick, uint64_t file_bytes_max,
                         uint64_t step, lsm_run **out)
{
    lsm_merge *m;
    lsm_merge_options options = merge_options(f, file_bytes_max);
    *out = NULL;
    holt_status rc = lsm_merge_open(&m, t, pick, &options);
    for (bool done = false; rc == HOLT_OK && !done;)
        rc = lsm_merge_step(m, step, &done);
    if (rc == HOLT_OK) rc = lsm_merge_output(m, out);
    lsm_merge_destroy(m);
    return rc;
}

/* Parts follow each other without gap or overlap: a key between two of them must have one place. */
static void check_bounds(const lsm_run *run)
{
    size_t count = lsm_run_describe(run).part_count;
    assert_true(slice_is_open(lsm_run_part(run, 0)->lower));
    assert_true(slice_is_open(lsm_run_part(run, count - 1)->upper));
    for (size_t i = 1; i < count; i++) {
        assert_true(slice_equal(lsm_run_part(run, i)->lower, lsm_run_part(run, i - 1)->upper));
        assert_false(slice_is_open(lsm_run_part(run, i)->lower));
    }
}

static void model_drop_tombstones(model *m)
{
    for (size_t i = 0; i < KEYS; i++)
        if (m->at[i].op == ENTRY_DELETE) m->at[i].op = 0;
}

/* As check_lookups, where a tombstone and nothing are the same. */
static void check_what_is_there(const lsm_tree *t, const model *m)
{
    tree_buffer room = {NULL, 0};
    for (size_t i = 0; i < KEYS; i++) {
        char key[32];
        lsm_entry e;
        holt_status rc;
        slice k = key_of(i, key);
        bool there = lsm_get(t, k, hash_slice(k), &room, &e, &rc) == TREE_FOUND && e.entry.op != ENTRY_DELETE;
        if (m->at[i].op == 0 || m->at[i].op == ENTRY_DELETE)
            assert_false(there);
        else
            check_lookup(t, m, i, &room);
    }
    tree_buffer_deinit(&room);
}

/* The tree with merged runs shows what it showed; without tombstones only where nothing older can come to light. */
static void lsm_merge_shows_what_its_inputs_showed(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 24; i++) {
        fixture f;
        model m;
        fixture_open(&f, seed + i);
        size_t runs = 1 + (size_t)(i % 6);
        lsm_tree *t = make_tree(&f, runs, &m), *next;
        lsm_pick pick = {.first = (size_t)rng_below(&f.r, runs), .level = 3};
        pick.count = 1 + (size_t)rng_below(&f.r, runs - pick.first);
        lsm_run *out;
        expect_ok(merge(&f, t, &pick, i % 2 ? 8 << 10 : 1 << 20, 1 + rng_below(&f.r, 20000), &out));
        assert_non_null(out);
        lsm_run_info info = lsm_run_describe(out);
        assert_int_equal(info.level, 3);
        assert_int_equal(info.age, lsm_run_describe(lsm_tree_run(t, pick.first)).age);
        assert_true(i % 2 ? info.part_count >= 1 : info.part_count == 1);
        check_bounds(out);
        bool oldest = pick.first + pick.count == runs;
        if (oldest) assert_int_equal(info.tombstones, 0);
        uint64_t ages[RUNS_MAX];
        for (size_t k = 0; k < pick.count; k++)
            ages[k] = lsm_run_describe(lsm_tree_run(t, pick.first + k)).age;
        expect_ok(lsm_tree_replace(t, ages, pick.count, out, &next));
        if (oldest && pick.first == 0) model_drop_tombstones(&m);
        if (!oldest || pick.first == 0) {
            check_lookups(next, &m);
            check_sources(&f, next, &m);
        } else {
            check_what_is_there(next, &m);
        }
        lsm_run_discard(out);
        lsm_tree_unref(next);
        lsm_tree_unref(t);
        fixture_close(&f);
    }
}

static void lsm_merge_cuts_files_at_their_size(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 5);
    lsm_tree *t = make_tree(&f, 5, &m);
    lsm_pick pick = {.count = 5, .level = 1};
    expect_ok(merge(&f, t, &pick, 8 << 10, 1 << 20, &out));
    lsm_run_info info = lsm_run_describe(out);
    assert_true(info.part_count > 3);
    for (size_t i = 0; i < info.part_count; i++) {
        const lsm_part *part = lsm_run_part(out, i);
        assert_true(part->root.bytes < 24 << 10);
        assert_int_equal(part->file_size, tree_file_size(lsm_run_file(out, i)));
    }
    lsm_run_discard(out);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A collection of which all was deleted takes no space at all. */
static void lsm_merge_of_tombstones_only_leaves_nothing(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 5);
    model_fill(&m, &f.r, 2);
    for (size_t i = 0; i < KEYS; i++)
        if (m.at[i].op) m.at[i].op = ENTRY_DELETE;
    lsm_run *run = make_run(&f, 10, &m, 1);
    lsm_tree *t;
    lsm_pick pick;
    expect_ok(lsm_tree_create(&run, 1, &t));
    assert_true(lsm_pick_merge(t, LSM_WANT_ALL, 1000, &pick));
    size_t files = files_on_disk(&f);
    expect_ok(merge(&f, t, &pick, 8 << 10, 1 << 20, &out));
    assert_null(out);
    assert_int_equal(files_on_disk(&f), files);
    lsm_run_unref(run);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* Close, drop and clear abandon merges at any step: nobody would ever delete what they leave. */
static void lsm_merge_abandoned_at_any_step_leaves_no_file(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 6);
    lsm_tree *t = make_tree(&f, 4, &m);
    size_t files = files_on_disk(&f);
    lsm_pick pick = {.count = 4, .level = 1};
    lsm_merge_options options = merge_options(&f, 8 << 10);
    bool done = false;
    for (int steps = 0; !done; steps++) {
        lsm_merge *merge;
        expect_ok(lsm_merge_open(&merge, t, &pick, &options));
        for (int i = 0; i < steps && !done; i++)
            expect_ok(lsm_merge_step(merge, 4000, &done));
        lsm_merge_destroy(merge);
        assert_int_equal(files_on_disk(&f), files);
    }
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* Taken over by a run, the files live as long as it does, or until it is discarded. */
static void lsm_merge_hands_its_files_to_the_run(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 6);
    lsm_tree *t = make_tree(&f, 4, &m);
    size_t files = files_on_disk(&f);
    lsm_pick pick = {.count = 4, .level = 1};
    expect_ok(merge(&f, t, &pick, 8 << 10, 4000, &out));
    size_t parts = lsm_run_describe(out).part_count;
    assert_int_equal(files_on_disk(&f), files + parts);
    lsm_run_ref(out);
    lsm_run_discard(out);
    assert_int_equal(files_on_disk(&f), files + parts);
    lsm_run_unref(out);
    assert_int_equal(files_on_disk(&f), files);
    lsm_tree_unref(t);
    fixture_close(&f);
}

static void lsm_merge_hands_on_every_error_and_leaves_no_file(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    for (int e = 0; e < 3; e++) { /* the third time: memory */
        holt_status rc = HOLT_IO;
        for (uint64_t n = 1; rc != HOLT_OK; n += e == 2 ? 1 : 2) {
            fixture f;
            model m;
            lsm_run *out;
            fixture_open(&f, 8);
            lsm_tree *t = make_tree(&f, 3, &m);
            size_t files = files_on_disk(&f);
            lsm_pick pick = {.count = 3, .level = 1};
            if (e < 2)
                sim_fail(f.machine, SIM_CALLS, n, errors[e], false);
            else
                mem_fail_at(n, false);
            rc = merge(&f, t, &pick, 8 << 10, 4000, &out);
            mem_fail_at(0, false);
            sim_fail(f.machine, SIM_CALLS, 0, 0, false);
            if (e < 2 && !sim_fault_hit(f.machine)) assert_int_equal(rc, HOLT_OK);
            if (e == 2) assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
            if (rc != HOLT_OK) assert_null(out);
            if (rc != HOLT_OK) assert_int_equal(files_on_disk(&f), files);
            lsm_run_discard(out);
            lsm_tree_unref(t);
            fixture_close(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsm_reads_parts_within_their_bounds_and_the_newest_run_first),
        cmocka_unit_test(lsm_tree_orders_runs_by_age),
        cmocka_unit_test(lsm_tree_replace_finds_what_it_replaces_or_says_so),
        cmocka_unit_test(lsm_without_memory_says_so),
        cmocka_unit_test(lsm_run_comes_back_from_a_manifest_record),
        cmocka_unit_test(lsm_policy_bounds_runs_and_write_amplification),
        cmocka_unit_test(lsm_pick_knows_when_there_is_nothing_to_do),
        cmocka_unit_test(lsm_merge_shows_what_its_inputs_showed),
        cmocka_unit_test(lsm_merge_cuts_files_at_their_size),
        cmocka_unit_test(lsm_merge_of_tombstones_only_leaves_nothing),
        cmocka_unit_test(lsm_merge_abandoned_at_any_step_leaves_no_file),
        cmocka_unit_test(lsm_merge_hands_its_files_to_the_run),
        cmocka_unit_test(lsm_merge_hands_on_every_error_and_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
