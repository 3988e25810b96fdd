#include "lsm/join.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/lsm_internal.h"

#include <assert.h>
#include <stdlib.h>

typedef struct span {
    slice lower, upper;
    const lsm_run *run;
} span;

static int by_lower(const void *a, const void *b)
{
    return slice_compare(((const span *)a)->lower, ((const span *)b)->lower);
}

/* The runs' key ranges in order; false: one is open at an end that others lie behind, or there is no memory
 * to find out. */
static bool gather_spans(const lsm_tree *t, const lsm_pick *pick, span *spans)
{
    for (size_t i = 0; i < pick->count; i++) {
        const lsm_run *run = t->runs[pick->first + i];
        spans[i].run = run;
        spans[i].lower = run->parts[0].part.lower;
        spans[i].upper = run->parts[run->info.part_count - 1].part.upper;
        if (slice_is_open(spans[i].lower) || slice_is_open(spans[i].upper)) return false;
    }
    qsort(spans, pick->count, sizeof *spans, by_lower);
    for (size_t i = 1; i < pick->count; i++)
        if (slice_compare(spans[i - 1].upper, spans[i].lower) > 0) return false;
    return true;
}

static span *sorted_spans(const lsm_tree *t, const lsm_pick *pick)
{
    span *spans = mem_alloc_zero(pick->count, sizeof *spans);
    if (spans && gather_spans(t, pick, spans)) return spans;
    mem_free(spans);
    return NULL;
}

bool lsm_join_possible(const lsm_tree *t, const lsm_pick *pick, uint64_t part_bytes_min)
{
    uint64_t bytes = 0, tombstones = 0, parts = 0;
    for (size_t i = 0; i < pick->count; i++) {
        lsm_run_info info = t->runs[pick->first + i]->info;
        bytes += info.bytes;
        tombstones += info.tombstones;
        parts += info.part_count;
    }
    bool oldest = pick->first + pick->count == t->count;
    if (pick->count < 2 || parts == 0 || bytes / parts < part_bytes_min || (oldest && tombstones))
        return false;
    span *spans = sorted_spans(t, pick);
    mem_free(spans);
    return spans != NULL;
}

static size_t count_parts(const span *spans, size_t count)
{
    size_t parts = 0;
    for (size_t i = 0; i < count; i++)
        parts += spans[i].run->info.part_count;
    return parts;
}

/* All parts of the runs, one run after the other. */
static void gather_parts(const span *spans, size_t count, lsm_part *parts, tree_file **files)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < spans[i].run->info.part_count; j++) {
            *parts++ = spans[i].run->parts[j].part;
            *files++ = spans[i].run->parts[j].file;
        }
    }
}

holt_status lsm_join(const lsm_tree *t, const lsm_pick *pick, lsm_run **out)
{
    *out = NULL;
    assert(pick->count >= 2 && pick->first + pick->count <= t->count);
    span *spans = sorted_spans(t, pick);
    if (!spans) return status_no_memory(pick->count * sizeof *spans);
    size_t count = count_parts(spans, pick->count);
    lsm_part *parts = mem_alloc_zero(count, sizeof *parts);
    tree_file **files = mem_alloc_zero(count, sizeof *files);
    holt_status rc = parts && files ? HOLT_OK : status_no_memory(count * sizeof *parts);
    if (rc == HOLT_OK) {
        gather_parts(spans, pick->count, parts, files);
        rc = lsm_run_open(t->runs[pick->first]->info.age, pick->level, parts, files, count, out);
        if (rc == HOLT_OK) (*out)->joined = true;
    }
    mem_free(parts);
    mem_free(files);
    mem_free(spans);
    return rc;
}
