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

static void file_range_deinit(open_file_range *p)
{
    tree_filter_close(p->filter);
    tree_file_unref(p->file);
    mem_free((void *)p->file_range.lower.data);
    mem_free((void *)p->file_range.upper.data);
}

static holt_status file_range_init(open_file_range *p, tree_file *file, const lsm_file_range *file_range)
{
    p->file_range = *file_range;
    p->file_range.lower = p->file_range.upper = slice_of(NULL, 0);
    if (!bound_copy(&p->file_range.lower, file_range->lower) ||
        !bound_copy(&p->file_range.upper, file_range->upper))
        return status_no_memory(file_range->lower.size + file_range->upper.size);
    p->file = tree_file_ref(file);
    return tree_filter_open(&p->filter, p->file, &file_range->root);
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
        r->info.bytes += file_ranges[i].root.bytes;
        holt_status rc = file_range_init(&r->file_ranges[i], files[i], &file_ranges[i]);
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
    /* Relaxed: who refs already holds one, or is in a section that keeps it from becoming zero. */
    uint32_t before = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return r;
}

void lsm_run_unref(lsm_run *r)
{
    /* Acq_rel: the last one sees all that the others did with the run before it frees it. */
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < r->info.file_range_count; i++)
        file_range_deinit(&r->file_ranges[i]);
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

size_t lsm_run_file_range_at(const lsm_run *r, slice key)
{
    size_t low = 0, high = r->info.file_range_count; /* parts before `low` end at or below the key */
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
    size_t index = lsm_run_file_range_at(r, key);
    if (index == r->info.file_range_count) return NULL;
    const open_file_range *p = &r->file_ranges[index];
    if (!slice_is_open(p->file_range.lower) && slice_compare(key, p->file_range.lower) < 0) return NULL;
    return p;
}
