/* approximate.c -- holt_approximate_size: what a key range holds, from a few nodes of each tree and memtable. */
#include "base/range_estimate.h"
#include "base/status.h"
#include "db/tree/collection_tree.h"
#include "db/version/install.h"

static holt_status estimate(const view *v, const collection_state *s, seqno at, slice begin, slice end,
                            estimate_sums *sums)
{
    for (size_t i = 0; i < v->table_count; i++)
        memtable_estimate(v->tables[i]->memtable, s->spec.id, at, s->cleared_seqno, begin, end, sums);
    return trees_estimate(s, begin, end, sums);
}

/* Outside the section that shows the view: blocks may have to be read. */
static holt_status estimate_now(const holt_collection *c, slice begin, slice end, estimate_sums *sums)
{
    holt *db = c->db;
    view *v;
    /* Acquire, and before the view: every version up to it is in the view. */
    seqno at = atomic_load_explicit(&db->visible, memory_order_acquire);
    holt_status rc = view_acquire(db, &v);
    if (rc != HOLT_OK) return rc;
    if (at < v->floor) at = v->floor;
    const collection_state *s = view_collection(v, c->slot, c->spec.id);
    if (s) rc = estimate(v, s, at, begin, end, sums);
    view_release(db, v);
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
    estimate_sums sums = {0};
    if (bytes) *bytes = 0;
    if (entries) *entries = 0;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = bound_check(begin, "begin");
    if (rc == HOLT_OK) rc = bound_check(end, "end");
    if (rc != HOLT_OK) return rc;
    if (!is_empty(begin, end)) rc = estimate_now(c, begin, end, &sums);
    if (rc == HOLT_OK && bytes) *bytes = rounded(sums.bytes);
    if (rc == HOLT_OK && entries) *entries = rounded(sums.entries);
    return db_leave(c->db, rc);
}
