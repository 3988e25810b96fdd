/* trivial_move.c -- see trivial_move.h. */
#include "lsm/trivial_move.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/lsm_internal.h"

#include <assert.h>
#include <stdlib.h>

/* A run and its key range. */
typedef struct span {
    slice lower, upper;
    const lsm_run *run;
} span;

static int by_lower(const void *a, const void *b)
{
    return slice_compare(((const span *)a)->lower, ((const span *)b)->lower);
}

/* The picked runs in the order of their keys, mem_alloc'd. NULL: they overlap, one has an open end and may do
 * so, or there is no memory to find out. */
static span *sorted_spans(const lsm_tree *t, const lsm_pick *pick)
{
    span *spans = mem_alloc_zero(pick->count, sizeof *spans);
    if (!spans) return NULL;
    bool apart = true;
    for (size_t i = 0; i < pick->count; i++) {
        const lsm_run *run = t->runs[pick->first + i];
        spans[i].run = run;
        spans[i].lower = run->file_ranges[0].file_range.lower;
        spans[i].upper = run->file_ranges[run->info.file_range_count - 1].file_range.upper;
        if (slice_is_open(spans[i].lower) || slice_is_open(spans[i].upper)) apart = false;
    }
    if (apart) qsort(spans, pick->count, sizeof *spans, by_lower);
    for (size_t i = 1; apart && i < pick->count; i++)
        apart = slice_compare(spans[i - 1].upper, spans[i].lower) <= 0;
    if (apart) return spans;
    mem_free(spans);
    return NULL;
}

bool lsm_trivial_move_possible(const lsm_tree *t, const lsm_pick *pick, uint64_t bytes_min)
{
    uint64_t bytes = 0, deletes = 0, file_ranges = 0;
    for (size_t i = 0; i < pick->count; i++) {
        lsm_run_info info = t->runs[pick->first + i]->info;
        bytes += info.bytes;
        deletes += info.tombstones + info.gaps;
        file_ranges += info.file_range_count;
    }
    const bool oldest = pick->first + pick->count == t->count;
    if (pick->count < 2 || bytes / file_ranges < bytes_min || (oldest && deletes)) return false;
    span *spans = sorted_spans(t, pick);
    mem_free(spans);
    return spans != NULL;
}

holt_status lsm_trivial_move(const lsm_tree *t, const lsm_pick *pick, lsm_run **out)
{
    *out = NULL;
    assert(pick->count >= 2 && pick->first + pick->count <= t->count);
    span *spans = sorted_spans(t, pick);
    if (!spans) return status_no_memory(pick->count * sizeof *spans);
    size_t count = 0;
    for (size_t i = 0; i < pick->count; i++)
        count += spans[i].run->info.file_range_count;
    lsm_file_range *file_ranges = mem_alloc_zero(count, sizeof *file_ranges);
    tree_file **files = mem_alloc_zero(count, sizeof *files);
    holt_status rc = file_ranges && files ? HOLT_OK : status_no_memory(count * sizeof *file_ranges);
    for (size_t i = 0, n = 0; i < pick->count && rc == HOLT_OK; i++) {
        for (size_t j = 0; j < spans[i].run->info.file_range_count; j++, n++) {
            file_ranges[n] = spans[i].run->file_ranges[j].file_range;
            files[n] = spans[i].run->file_ranges[j].file;
        }
    }
    if (rc == HOLT_OK)
        rc = lsm_run_open(t->runs[pick->first]->info.newest_seqno, pick->level, file_ranges, files, count,
                          out);
    if (rc == HOLT_OK) (*out)->moved = true;
    mem_free(file_ranges);
    mem_free(files);
    mem_free(spans);
    return rc;
}
