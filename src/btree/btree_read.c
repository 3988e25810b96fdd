/* btree_read.c -- reading one version of a B+tree: the tree of its root, in the store's file. */
#include "btree/btree_internal.h"

tree_result btree_get_cached(const btree_version *v, tree_query *q, tree_hit *out)
{
    q->filter_checks = q->filter_negatives = 0; /* it has no filters */
    q->trees = 1;
    q->blocks = v->root.height;
    out->file = v->file;
    return tree_lookup_cached(v->file, &v->root, q->key, &out->entry);
}

tree_result btree_get(const btree_version *v, tree_query *q, tree_buffer *scratch, tree_hit *out,
                      holt_status *status)
{
    q->filter_checks = q->filter_negatives = 0;
    q->trees = 1;
    q->blocks = 0;
    out->file = v->file;
    return tree_lookup(v->file, &v->root, q->key, scratch, &out->entry, status);
}

tree_result btree_first_cached(const btree_version *v, slice lower, tree_first *out)
{
    /* A gap that is deleted hides nothing: there is one tree. */
    return tree_first_cached(v->file, &v->root, lower, out);
}

void btree_search_begin(const btree_version *v, batch_search *s)
{
    s->query.filter_checks = s->query.filter_negatives = 0;
    s->runs.in_filter = false;
    s->hit.file = v->file;
    s->result = tree_descent_begin(&s->descent, v->file, &v->root) ? TREE_NOT_CACHED : TREE_ABSENT;
}

holt_status btree_iterator_open(const btree_version *v, const tree_iterator_options *options, iterator **out)
{
    return tree_iterator_open(v->file, &v->root, options, out);
}

holt_status btree_estimate(const btree_version *v, slice begin, slice end, estimate_sums *sums)
{
    return tree_estimate(v->file, &v->root, begin, end, sums);
}

holt_status btree_verify(const btree_version *v, tree_report *report)
{
    return tree_verify(v->file, &v->root, report);
}
