/* lsm_estimate.c -- estimates the entries of runs in a key range: of file ranges that lie wholly in it from
 * the figures in the manifest, of the others from their trees. */
#include "lsm/lsm_internal.h"

static bool is_within(const lsm_file_range *r, slice begin, slice end)
{
    bool from = slice_is_open(begin) || (!slice_is_open(r->lower) && slice_compare(r->lower, begin) >= 0);
    bool to = slice_is_open(end) || (!slice_is_open(r->upper) && slice_compare(r->upper, end) <= 0);
    return from && to;
}

static holt_status estimate_file_range(const open_file_range *open, slice begin, slice end,
                                       estimate_sums *sums)
{
    const lsm_file_range *r = &open->file_range;
    if (is_within(r, begin, end)) {
        sums->entries += (double)(r->root.entries - r->root.tombstones);
        sums->bytes += (double)r->root.bytes;
        return HOLT_OK;
    }
    return tree_estimate(open->file, &r->root, slice_tighter_lower(begin, r->lower),
                         slice_tighter_upper(end, r->upper), sums);
}

static holt_status estimate_run(const lsm_run *r, slice begin, slice end, estimate_sums *sums)
{
    size_t at = slice_is_open(begin) ? 0 : lsm_run_range_ending_after(r, begin);
    holt_status rc = HOLT_OK;
    for (; at < r->info.file_range_count && rc == HOLT_OK; at++) {
        slice lower = r->file_ranges[at].file_range.lower;
        if (!slice_is_open(end) && !slice_is_open(lower) && slice_compare(lower, end) >= 0) break;
        rc = estimate_file_range(&r->file_ranges[at], begin, end, sums);
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
