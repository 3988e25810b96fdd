#include "db/tree/collection_tree.h"

#include "base/status.h"

tree_answer trees_get_cached(const collection_version *s, tree_query *q, tree_hit *out)
{
    if (!s->btree) return lsm_get_cached(s->lsm, q, out);
    out->file = s->btree_file;
    return tree_lookup_cached(s->btree_file, btree_version_root(s->btree), q->key, &out->entry);
}

tree_answer trees_get(const collection_version *s, tree_query *q, tree_buffer *scratch, tree_hit *out,
                      holt_status *status)
{
    if (!s->btree) return lsm_get(s->lsm, q, scratch, out, status);
    out->file = s->btree_file;
    return tree_lookup(s->btree_file, btree_version_root(s->btree), q->key, scratch, &out->entry, status);
}

size_t trees_iterators_max(const collection_version *s)
{
    return s->btree ? 1 : lsm_tree_runs(s->lsm);
}

holt_status trees_iterators_open(const collection_version *s, const tree_iterator_options *options,
                                 iterator **children, size_t *count)
{
    holt_status rc = HOLT_OK;
    if (s->btree) {
        rc = tree_iterator_open(s->btree_file, btree_version_root(s->btree), options, &children[*count]);
        if (rc == HOLT_OK) (*count)++;
    }
    for (size_t i = 0; i < lsm_tree_runs(s->lsm) && rc == HOLT_OK; i++) {
        rc = lsm_run_iterator_open(lsm_tree_run(s->lsm, i), options, &children[*count]);
        if (rc == HOLT_OK) (*count)++;
    }
    return rc;
}

holt_status trees_estimate(const collection_version *s, slice begin, slice end, estimate_sums *sums)
{
    if (!s->btree) return lsm_estimate(s->lsm, begin, end, sums);
    return tree_estimate(s->btree_file, btree_version_root(s->btree), begin, end, sums);
}

holt_status trees_empty(const collection_spec *spec, page_store *store, collection_tree *out)
{
    memset(out, 0, sizeof *out);
    holt_status rc = lsm_tree_create(NULL, 0, &out->lsm);
    if (rc != HOLT_OK || spec->kind != HOLT_BTREE) return rc;
    rc = btree_version_open(&out->btree, store, NULL);
    if (rc != HOLT_OK) lsm_tree_unref(out->lsm);
    out->btree_file = page_store_file(store);
    return rc;
}
