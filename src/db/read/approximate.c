/* approximate.c -- holt_approximate_size: an estimate of what a key range holds, from a few nodes of each
 * memtable and of the tree. */
#include "base/range_estimate.h"

#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/tree/collection_tree.h"
#include "db/version/version_set.h"

/* Holds the version by a reference, not by an epoch section, because blocks may have to be read. */
static holt_status estimate(const holt_collection *c, slice begin, slice end, estimate_sums *sums)
{
    holt *db = c->db;
    version *v;
    /* Acquire, and before the version is taken: so the version has all operations up to it. */
    seqno at = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    if (at < v->min_seqno) at = v->min_seqno;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    for (size_t i = 0; s && i < v->generation_count; i++)
        memtable_estimate(v->generations[i]->memtable, s->spec.id, at, s->cleared_seqno, begin, end, sums);
    if (s) rc = collection_tree_estimate(&s->tree, begin, end, sums);
    version_release(&db->versions, v);
    return rc;
}

static bool is_empty(slice begin, slice end)
{
    return !slice_is_open(begin) && !slice_is_open(end) && slice_compare(begin, end) >= 0;
}

static uint64_t rounded(double x)
{
    return (uint64_t)(x + 0.5);
}

holt_status holt_approximate_size(holt_collection *c, holt_slice begin, holt_slice end, uint64_t *bytes,
                                  uint64_t *entries)
{
    status_begin_call();
    estimate_sums sums = {0};
    if (bytes) *bytes = 0;
    if (entries) *entries = 0;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = bound_check(begin, "begin");
    if (rc == HOLT_OK) rc = bound_check(end, "end");
    if (rc != HOLT_OK) return rc;
    if (!is_empty(begin, end)) rc = estimate(c, begin, end, &sums);
    if (rc == HOLT_OK && bytes) *bytes = rounded(sums.bytes);
    if (rc == HOLT_OK && entries) *entries = rounded(sums.entries);
    return api_exit(c->db, rc);
}
