/* lsm_estimate.c -- the entries of runs in a key range, estimated: of parts that lie wholly in it by what the manifest says
 * of them, of the others by a look into their trees. */
#include "lsm/lsm_internal.h"

static bool is_within(const lsm_file_range *p, slice begin, slice end)
{
    bool from = slice_is_open(begin) || (!slice_is_open(p->lower) && slice_compare(p->lower, begin) >= 0);
    bool to = slice_is_open(end) || (!slice_is_open(p->upper) && slice_compare(p->upper, end) <= 0);
    return from && to;
}

static holt_status estimate_file_range(const open_file_range *p, slice begin, slice end, estimate_sums *sums)
{
    const lsm_file_range *file_range = &p->file_range;
    if (is_within(file_range, begin, end)) {
        sums->entries += (double)(file_range->root.entries - file_range->root.tombstones);
        sums->bytes += (double)file_range->root.bytes;
        return HOLT_OK;
    }
    return tree_estimate(p->file, &file_range->root, slice_tighter_lower(begin, file_range->lower),
                         slice_tighter_upper(end, file_range->upper), sums);
}

static holt_status estimate_run(const lsm_run *r, slice begin, slice end, estimate_sums *sums)
{
    size_t at = slice_is_open(begin) ? 0 : lsm_run_file_range_at(r, begin);
    holt_status rc = HOLT_OK;
    for (; at < r->info.file_range_count && rc == HOLT_OK; at++) {
        const open_file_range *p = &r->file_ranges[at];
        bool behind = !slice_is_open(end) && !slice_is_open(p->file_range.lower) &&
                      slice_compare(p->file_range.lower, end) >= 0;
        if (behind) break;
        rc = estimate_file_range(p, begin, end, sums);
    }
    return rc;
}

holt_status lsm_estimate(const lsm_tree *t, slice begin, slice end, estimate_sums *sums)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < t->count && rc == HOLT_OK; i++)
        rc = estimate_run(t->runs[i], begin, end, sums);
    return rc;
}
