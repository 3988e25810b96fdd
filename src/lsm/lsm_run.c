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

static void part_deinit(open_part *p)
{
    tree_filter_close(p->filter);
    tree_file_unref(p->file);
    mem_free((void *)p->part.lower.data);
    mem_free((void *)p->part.upper.data);
}

static holt_status part_init(open_part *p, tree_file *file, const lsm_part *part)
{
    p->part = *part;
    p->part.lower = p->part.upper = slice_of(NULL, 0);
    if (!bound_copy(&p->part.lower, part->lower) || !bound_copy(&p->part.upper, part->upper))
        return status_no_memory(part->lower.size + part->upper.size);
    p->file = tree_file_ref(file);
    return tree_filter_open(&p->filter, p->file, &part->root);
}

holt_status lsm_run_open(uint64_t age, uint32_t level, const lsm_part *parts, tree_file *const *files,
                         size_t count, lsm_run **out)
{
    assert(count > 0);
    *out = NULL;
    lsm_run *r = mem_alloc_zero(1, sizeof *r + count * sizeof r->parts[0]);
    if (!r) return status_no_memory(sizeof *r);
    atomic_init(&r->refs, 1);
    r->info.age = age;
    r->info.level = level;
    for (size_t i = 0; i < count; i++) {
        r->info.part_count++;
        r->info.entries += parts[i].root.entries;
        r->info.tombstones += parts[i].root.tombstones;
        r->info.bytes += parts[i].root.bytes;
        holt_status rc = part_init(&r->parts[i], files[i], &parts[i]);
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
    for (size_t i = 0; i < r->info.part_count; i++)
        part_deinit(&r->parts[i]);
    mem_free(r);
}

lsm_run_info lsm_run_describe(const lsm_run *r)
{
    return r->info;
}

const lsm_part *lsm_run_part(const lsm_run *r, size_t index)
{
    assert(index < r->info.part_count);
    return &r->parts[index].part;
}

tree_file *lsm_run_file(const lsm_run *r, size_t index)
{
    assert(index < r->info.part_count);
    return r->parts[index].file;
}

size_t lsm_run_part_at(const lsm_run *r, slice key)
{
    size_t low = 0, high = r->info.part_count; /* parts before `low` end at or below the key */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        slice upper = r->parts[middle].part.upper;
        if (!slice_is_open(upper) && slice_compare(upper, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const open_part *lsm_run_find(const lsm_run *r, slice key)
{
    size_t index = lsm_run_part_at(r, key);
    if (index == r->info.part_count) return NULL;
    const open_part *p = &r->parts[index];
    if (!slice_is_open(p->part.lower) && slice_compare(key, p->part.lower) < 0) return NULL;
    return p;
}
