/* lsm_tree.c -- trees: making them from runs, their references, and point lookups. */
#include "lsm/lsm_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* Inserts a run in the order of newest_seqno, and takes a reference on it. */
static void insert_run(lsm_tree *t, lsm_run *run)
{
    size_t at = t->count++;
    for (; at > 0 && t->runs[at - 1]->info.newest_seqno < run->info.newest_seqno; at--)
        t->runs[at] = t->runs[at - 1];
    assert(at == 0 || t->runs[at - 1]->info.newest_seqno > run->info.newest_seqno); /* no two have the same */
    t->runs[at] = lsm_run_ref(run);
}

static lsm_tree *allocate(size_t runs)
{
    lsm_tree *t = mem_alloc_zero(1, sizeof *t + runs * sizeof t->runs[0]);
    if (t) atomic_init(&t->refs, 1);
    return t;
}

holt_status lsm_tree_create(lsm_run *const *runs, size_t count, lsm_tree **out)
{
    *out = allocate(count);
    if (!*out) return status_no_memory(sizeof **out);
    for (size_t i = 0; i < count; i++)
        insert_run(*out, runs[i]);
    return HOLT_OK;
}

static bool is_one_of(uint64_t newest_seqno, const uint64_t *newest_seqnos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (newest_seqnos[i] == newest_seqno) return true;
    return false;
}

holt_status lsm_tree_replace(const lsm_tree *base, const uint64_t *without, size_t without_count,
                             lsm_run *with, lsm_tree **out)
{
    *out = NULL;
    lsm_tree *t = allocate(base->count + 1);
    if (!t) return status_no_memory(sizeof *t);
    size_t left_out = 0;
    for (size_t i = 0; i < base->count; i++) {
        if (is_one_of(base->runs[i]->info.newest_seqno, without, without_count))
            left_out++;
        else
            insert_run(t, base->runs[i]);
    }
    if (left_out != without_count) {
        lsm_tree_unref(t);
        return HOLT_NOT_FOUND;
    }
    if (with) insert_run(t, with);
    *out = t;
    return HOLT_OK;
}

lsm_tree *lsm_tree_ref(lsm_tree *t)
{
    /* Relaxed: the caller holds a reference, or is in an epoch section that keeps the last one from being
     * dropped. */
    uint32_t before = atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return t;
}

void lsm_tree_unref(lsm_tree *t)
{
    /* Acq_rel: the thread that frees the tree sees all that others have done with it. */
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < t->count; i++)
        lsm_run_unref(t->runs[i]);
    mem_free(t);
}

size_t lsm_tree_runs(const lsm_tree *t)
{
    return t->count;
}

lsm_run *lsm_tree_run(const lsm_tree *t, size_t index)
{
    assert(index < t->count);
    return t->runs[index];
}

bool lsm_tree_has(const lsm_tree *t, const lsm_run *run)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->runs[i] == run) return true;
    return false;
}

/* ---------------------------------------------------------------- point lookup */

/* Counts the result of a filter test. Without a filter there was none. */
static void count_filter_result(tree_query *q, const open_file_range *p, tree_result result)
{
    q->filter_checks += p->filter != NULL;
    q->filter_negatives += result == TREE_ABSENT;
}

tree_result lsm_get_cached(const lsm_tree *t, tree_query *q, tree_hit *out)
{
    enum { PREFETCH_RUNS = 8 };
    const open_file_range *found[PREFETCH_RUNS];
    const uint64_t hash = hash_slice(q->key);
    size_t ahead = t->count < PREFETCH_RUNS ? t->count : PREFETCH_RUNS;
    /* Prefetch the cache lines of all filters before the first is tested, so that the misses overlap. */
    for (size_t i = 0; i < ahead; i++) {
        found[i] = lsm_run_find(t->runs[i], q->key);
        if (found[i]) tree_filter_prefetch(found[i]->filter, hash);
    }
    q->filter_checks = q->filter_negatives = q->trees = q->blocks = 0;
    for (size_t i = 0; i < t->count; i++) {
        const open_file_range *p = i < ahead ? found[i] : lsm_run_find(t->runs[i], q->key);
        if (!p) continue;
        tree_result result = tree_filter_test(p->filter, hash);
        count_filter_result(q, p, result);
        if (result == TREE_ABSENT) {
            if (!p->gaps) continue;
            result = tree_lookup_gap_cached(p->file, &p->file_range.root, q->key, &out->entry);
        } else {
            q->trees++;
            q->blocks += p->file_range.root.height;
            if (result == TREE_FOUND)
                result = tree_lookup_cached(p->file, &p->file_range.root, q->key, &out->entry);
        }
        out->file = p->file;
        if (result != TREE_ABSENT) return result;
    }
    return TREE_ABSENT;
}

/* The first entry of a file range at or after the key. Its tree may have entries outside the range, which do
 * not count. */
static tree_result first_of_range(const open_file_range *p, slice lower, tree_first *out)
{
    const slice from = p->file_range.lower, upper = p->file_range.upper;
    if (p->gaps) return TREE_NOT_CACHED;
    if (!slice_is_open(from) && slice_compare(lower, from) < 0) lower = from;
    tree_result result = tree_first_cached(p->file, &p->file_range.root, lower, out);
    if (result != TREE_FOUND || slice_is_open(upper)) return result;
    return slice_compare(slice_of(out->key, out->key_size), upper) < 0 ? TREE_FOUND : TREE_ABSENT;
}

static tree_result first_of_run(const lsm_run *r, slice lower, tree_first *out)
{
    tree_result result = TREE_ABSENT;
    size_t i = lsm_run_range_ending_after(r, lower);
    for (; i < r->info.file_range_count && result == TREE_ABSENT; i++)
        result = first_of_range(&r->file_ranges[i], lower, out);
    return result;
}

tree_result lsm_first_cached(const lsm_tree *t, slice lower, tree_first *out)
{
    tree_first other;
    bool found = false;
    for (size_t i = 0; i < t->count; i++) {
        tree_first *first = found ? &other : out;
        tree_result result = first_of_run(t->runs[i], lower, first);
        if (result == TREE_NOT_CACHED) return result;
        if (result == TREE_ABSENT) continue;
        /* Of the same key, the entry of the newer run stays. */
        if (found &&
            slice_compare(slice_of(other.key, other.key_size), slice_of(out->key, out->key_size)) < 0)
            *out = other;
        found = true;
    }
    return found ? TREE_FOUND : TREE_ABSENT;
}

tree_result lsm_get(const lsm_tree *t, tree_query *q, tree_buffer *buffer, tree_hit *out, holt_status *status)
{
    const uint64_t hash = hash_slice(q->key);
    q->filter_checks = q->filter_negatives = q->trees = q->blocks = 0;
    for (size_t i = 0; i < t->count; i++) {
        const open_file_range *p = lsm_run_find(t->runs[i], q->key);
        if (!p) continue;
        tree_result result = tree_filter_test_read(p->filter, hash, buffer, status);
        count_filter_result(q, p, result);
        if (result == TREE_ABSENT && !p->gaps) continue;
        q->trees++;
        if (result == TREE_FOUND)
            result = tree_lookup(p->file, &p->file_range.root, q->key, buffer, &out->entry, status);
        else if (result == TREE_ABSENT)
            result = tree_lookup_gap(p->file, &p->file_range.root, q->key, buffer, &out->entry, status);
        out->file = p->file;
        if (result != TREE_ABSENT) return result;
    }
    return TREE_ABSENT;
}

/* ---------------------------------------------------------------- the lookup of one of many keys */

/* Leaves the run, which does not have the key. */
static bool search_next_run(batch_search *s)
{
    s->runs.run++;
    s->runs.in_filter = true;
    return true;
}

/* Acts on what the filter of the run says: in s->result. */
static bool search_after_filter(batch_search *s, const open_file_range *p)
{
    if (s->result != TREE_NOT_CACHED) count_filter_result(&s->query, p, s->result);
    if (s->result == TREE_ABSENT && !p->gaps) return search_next_run(s);
    if (s->result == TREE_NOT_CACHED) {
        s->descent = (tree_descent){.file = p->file, .at = tree_filter_page(p->filter, s->runs.hash)};
        return false;
    }
    const bool only_gaps = s->result == TREE_ABSENT;
    if (!tree_descent_begin(&s->descent, p->file, &p->file_range.root)) return search_next_run(s);
    s->descent.only_gaps = only_gaps;
    s->hit.file = p->file;
    s->runs.in_filter = false;
    return true;
}

/* Acts on what a block of the run says: in s->result, if there are no more blocks. */
static bool search_after_block(batch_search *s, bool more)
{
    return more || (s->result == TREE_ABSENT && search_next_run(s));
}

static const open_file_range *search_range(const lsm_tree *t, const batch_search *s)
{
    return lsm_run_find(t->runs[s->runs.run], s->query.key);
}

void lsm_search_begin(const lsm_tree *t, batch_search *s)
{
    enum { PREFETCH_RUNS = 8 };
    s->query.filter_checks = s->query.filter_negatives = 0;
    s->result = TREE_NOT_CACHED;
    s->runs.hash = hash_slice(s->query.key);
    s->runs.run = 0;
    s->runs.in_filter = true;
    for (size_t i = 0; i < t->count && i < PREFETCH_RUNS; i++) {
        const open_file_range *p = lsm_run_find(t->runs[i], s->query.key);
        if (p) tree_filter_prefetch(p->filter, s->runs.hash);
    }
}

bool lsm_search_step(const lsm_tree *t, batch_search *s)
{
    if (!s->runs.in_filter) {
        bool more = tree_descent_step(&s->descent, s->query.key, &s->hit.entry, &s->result);
        return search_after_block(s, more);
    }
    for (; s->runs.run < t->count; s->runs.run++) {
        const open_file_range *p = search_range(t, s);
        if (!p) continue;
        s->result = tree_filter_test(p->filter, s->runs.hash);
        if (s->result != TREE_ABSENT || p->gaps) return search_after_filter(s, p);
        count_filter_result(&s->query, p, s->result);
    }
    s->result = TREE_ABSENT;
    return false;
}

holt_status lsm_search_read(const lsm_tree *t, const batch_search *s, tree_buffer *buffer)
{
    if (!s->runs.in_filter) return tree_descent_read(&s->descent, buffer);
    return tree_filter_read_page(search_range(t, s)->filter, s->descent.at, buffer);
}

bool lsm_search_step_read(const lsm_tree *t, batch_search *s, const tree_buffer *buffer)
{
    if (!s->runs.in_filter) {
        bool more = tree_descent_step_read(&s->descent, s->query.key, buffer, &s->hit.entry, &s->result);
        return search_after_block(s, more);
    }
    const open_file_range *p = search_range(t, s);
    s->result = tree_filter_test_page(p->filter, s->runs.hash, buffer);
    return search_after_filter(s, p);
}
