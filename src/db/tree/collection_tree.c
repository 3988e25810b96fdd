/* collection_tree.c -- every operation on a collection's tree, dispatched by its kind. */
#include "db/tree/collection_tree.h"

#include "base/status.h"

#include <assert.h>

static bool is_btree(const collection_tree *t)
{
    assert(t->kind == HOLT_LSM || t->kind == HOLT_BTREE);
    return t->kind == HOLT_BTREE;
}

/* ---------------------------------------------------------------- life */

collection_tree collection_tree_of_lsm(lsm_tree *t)
{
    return (collection_tree){.kind = HOLT_LSM, .as.lsm = t};
}

collection_tree collection_tree_of_btree(btree_version *v)
{
    return (collection_tree){.kind = HOLT_BTREE, .as.btree = v};
}

holt_status collection_tree_empty(uint32_t kind, page_store *store, collection_tree *out)
{
    memset(out, 0, sizeof *out);
    holt_status rc = kind == HOLT_BTREE ? btree_version_open(&out->as.btree, store, NULL)
                                        : lsm_tree_create(NULL, 0, &out->as.lsm);
    if (rc == HOLT_OK) out->kind = kind;
    return rc;
}

collection_tree collection_tree_ref(const collection_tree *t)
{
    if (is_btree(t)) return collection_tree_of_btree(btree_version_ref(t->as.btree));
    return collection_tree_of_lsm(lsm_tree_ref(t->as.lsm));
}

void collection_tree_unref(const collection_tree *t)
{
    lsm_tree_unref(collection_tree_lsm(t));
    btree_version_unref(collection_tree_btree(t));
}

/* ---------------------------------------------------------------- reading */

tree_result collection_tree_get_cached(const collection_tree *t, tree_query *q, tree_hit *out)
{
    return is_btree(t) ? btree_get_cached(t->as.btree, q, out) : lsm_get_cached(t->as.lsm, q, out);
}

tree_result collection_tree_first_cached(const collection_tree *t, slice lower, tree_first *out)
{
    return is_btree(t) ? btree_first_cached(t->as.btree, lower, out)
                       : lsm_first_cached(t->as.lsm, lower, out);
}

tree_result collection_tree_get(const collection_tree *t, tree_query *q, tree_buffer *scratch, tree_hit *out,
                                holt_status *status)
{
    return is_btree(t) ? btree_get(t->as.btree, q, scratch, out, status)
                       : lsm_get(t->as.lsm, q, scratch, out, status);
}

void collection_tree_search_begin(const collection_tree *t, batch_search *s)
{
    if (is_btree(t))
        btree_search_begin(t->as.btree, s);
    else
        lsm_search_begin(t->as.lsm, s);
}

/* Round by round, each search does one step, after what all of them read in the round was prefetched. */
void collection_tree_search_cached(const collection_tree *t, batch_search **searches, size_t count)
{
    while (count > 0) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++)
            if (!searches[i]->runs.in_filter) tree_descent_prefetch(&searches[i]->descent);
        for (size_t i = 0; i < count; i++) {
            batch_search *s = searches[i];
            bool more = is_btree(t) ? tree_descent_step(&s->descent, s->query.key, &s->hit.entry, &s->result)
                                    : lsm_search_step(t->as.lsm, s);
            if (more) searches[left++] = s;
        }
        count = left;
    }
}

holt_status collection_tree_search_read(const collection_tree *t, const batch_search *s, tree_buffer *piece)
{
    return is_btree(t) ? tree_descent_read(&s->descent, piece) : lsm_search_read(t->as.lsm, s, piece);
}

void collection_tree_search_feed(const collection_tree *t, batch_search *s, const tree_buffer *piece)
{
    bool more = is_btree(t)
                    ? tree_descent_step_read(&s->descent, s->query.key, piece, &s->hit.entry, &s->result)
                    : lsm_search_step_read(t->as.lsm, s, piece);
    if (more) s->result = TREE_NOT_CACHED;
}

size_t collection_tree_iterators_max(const collection_tree *t)
{
    return is_btree(t) ? 1 : lsm_tree_runs(t->as.lsm);
}

holt_status collection_tree_iterators_open(const collection_tree *t, const tree_iterator_options *options,
                                           iterator **children, size_t *count)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < collection_tree_iterators_max(t); i++) {
        rc = is_btree(t) ? btree_iterator_open(t->as.btree, options, &children[*count])
                         : lsm_run_iterator_open(lsm_tree_run(t->as.lsm, i), options, &children[*count]);
        if (rc != HOLT_OK) break;
        (*count)++;
    }
    return rc;
}

holt_status collection_tree_estimate(const collection_tree *t, slice begin, slice end, estimate_sums *sums)
{
    return is_btree(t) ? btree_estimate(t->as.btree, begin, end, sums)
                       : lsm_estimate(t->as.lsm, begin, end, sums);
}

/* ---------------------------------------------------------------- measuring */

bool collection_tree_is_empty(const collection_tree *t)
{
    return is_btree(t) ? btree_version_root(t->as.btree)->root.length == 0 : lsm_tree_runs(t->as.lsm) == 0;
}

size_t collection_tree_runs(const collection_tree *t)
{
    return is_btree(t) ? 0 : lsm_tree_runs(t->as.lsm);
}

collection_run_info collection_tree_describe_run(const collection_tree *t, size_t index)
{
    collection_run_info info = {0};
    if (is_btree(t)) {
        const tree_root *root = btree_version_root(t->as.btree);
        info.file_ranges = 1;
        info.entries = root->entries;
        info.bytes = root->bytes;
    } else {
        lsm_run_info run = lsm_run_describe(lsm_tree_run(t->as.lsm, index));
        info.level = run.level;
        info.file_ranges = run.file_range_count;
        info.entries = run.entries;
        info.tombstones = run.tombstones;
        info.bytes = run.bytes;
    }
    return info;
}

collection_tree_info collection_tree_describe(const collection_tree *t)
{
    collection_tree_info info = {.runs = is_btree(t) ? 1 : (uint32_t)lsm_tree_runs(t->as.lsm)};
    for (size_t i = 0; i < info.runs; i++) {
        collection_run_info run = collection_tree_describe_run(t, i);
        info.file_ranges += run.file_ranges;
        info.entries += run.entries;
        info.tombstones += run.tombstones;
        info.bytes += run.bytes;
        if (run.level + 1 > info.levels) info.levels = run.level + 1;
    }
    return info;
}
