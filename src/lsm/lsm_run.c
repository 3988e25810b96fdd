/* lsm_run.c -- runs: opening them, their references, and finding the file range of a key. */
#include "lsm/lsm_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

static bool bound_copy(slice *to, slice from)
{
    *to = from;
    if (slice_is_open(from)) return true;
    to->data = mem_copy(from.data, from.size);
    return to->data != NULL;
}

static void open_file_range_deinit(open_file_range *r)
{
    tree_filter_close(r->filter);
    tree_file_unref(r->file);
    mem_free((void *)r->file_range.lower.data);
    mem_free((void *)r->file_range.upper.data);
}

/* After a failure open_file_range_deinit releases what there is. */
static holt_status open_file_range_init(open_file_range *r, tree_file *file, const lsm_file_range *from)
{
    r->file_range = *from;
    r->file_range.lower = r->file_range.upper = slice_of(NULL, 0);
    if (!bound_copy(&r->file_range.lower, from->lower) || !bound_copy(&r->file_range.upper, from->upper))
        return status_no_memory(from->lower.size + from->upper.size);
    r->file = tree_file_ref(file);
    r->gaps = from->root.gaps > 0;
    return tree_filter_open(&r->filter, r->file, &from->root);
}

holt_status lsm_run_open(uint64_t newest_seqno, uint32_t level, const lsm_file_range *file_ranges,
                         tree_file *const *files, size_t count, lsm_run **out)
{
    assert(count > 0);
    *out = NULL;
    lsm_run *r = mem_alloc_zero(1, sizeof *r + count * sizeof r->file_ranges[0]);
    if (!r) return status_no_memory(sizeof *r);
    atomic_init(&r->refs, 1);
    r->info.newest_seqno = newest_seqno;
    r->info.level = level;
    for (size_t i = 0; i < count; i++) {
        r->info.file_range_count++;
        r->info.entries += file_ranges[i].root.entries;
        r->info.tombstones += file_ranges[i].root.tombstones;
        r->info.gaps += file_ranges[i].root.gaps;
        r->info.bytes += file_ranges[i].root.bytes;
        expiry_summary_merge(&r->info.expiry, &file_ranges[i].root.expiry);
        holt_status rc = open_file_range_init(&r->file_ranges[i], files[i], &file_ranges[i]);
        if (rc != HOLT_OK) {
            lsm_run_unref(r);
            return rc;
        }
    }
    *out = r;
    return HOLT_OK;
}

lsm_run *lsm_run_ref(lsm_run *r)
{
    /* Relaxed: the caller holds a reference, or is in an epoch section that keeps the last one from being
     * dropped. */
    uint32_t before = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return r;
}

void lsm_run_unref(lsm_run *r)
{
    /* Acq_rel: the thread that frees the run sees all that others have done with it. */
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < r->info.file_range_count; i++)
        open_file_range_deinit(&r->file_ranges[i]);
    mem_free(r);
}

lsm_run_info lsm_run_describe(const lsm_run *r)
{
    return r->info;
}

const lsm_file_range *lsm_run_file_range(const lsm_run *r, size_t index)
{
    assert(index < r->info.file_range_count);
    return &r->file_ranges[index].file_range;
}

tree_file *lsm_run_file(const lsm_run *r, size_t index)
{
    assert(index < r->info.file_range_count);
    return r->file_ranges[index].file;
}

size_t lsm_run_range_ending_after(const lsm_run *r, slice key)
{
    size_t low = 0, high = r->info.file_range_count; /* ranges before `low` end at or before the key */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        slice upper = r->file_ranges[middle].file_range.upper;
        if (!slice_is_open(upper) && slice_compare(upper, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const open_file_range *lsm_run_find(const lsm_run *r, slice key)
{
    size_t index = lsm_run_range_ending_after(r, key);
    if (index == r->info.file_range_count) return NULL;
    slice lower = r->file_ranges[index].file_range.lower;
    return slice_is_open(lower) || slice_compare(key, lower) >= 0 ? &r->file_ranges[index] : NULL;
}
