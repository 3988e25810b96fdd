/* read_set.c -- noting keys and ranges that a transaction has read. */
#include "db/commit/read_set.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"

uint64_t read_set_bytes(const read_set *r)
{
    return r->keys.user_bytes + r->range_bytes;
}

holt_status read_set_add_key(read_set *r, holt_collection *c, slice key)
{
    operation o;
    holt_status rc = write_set_find(&r->keys, c, key, &o);
    if (rc != HOLT_NOT_FOUND) return rc;
    o = (operation){.op = ENTRY_DELETE, .collection = c->spec.id, .key = key};
    return write_set_add(&r->keys, c, &o);
}

/* Makes the bound that key; {NULL, 0}, or a failure: open. */
static holt_status set_bound(read_set *r, buffer *bound, bool *open, slice key)
{
    size_t before = bound->size;
    buffer_clear(bound);
    buffer_append(bound, key);
    *open = slice_is_open(key) || bound->failed;
    if (bound->failed) return status_no_memory(key.size);
    r->range_bytes += bound->size;
    r->range_bytes -= before;
    return HOLT_OK;
}

holt_status read_set_add_range(read_set *r, holt_collection *c, const memtable_range *bounds,
                               read_range **out)
{
    *out = NULL;
    holt_status rc = write_set_name(&r->keys, c);
    if (rc != HOLT_OK) return rc;
    read_range *range = mem_alloc_zero(1, sizeof *range);
    if (!range) return status_no_memory(sizeof *range);
    range->collection = c->spec.id;
    range->includes_upper = bounds->includes_upper;
    range->lower_open = range->upper_open = true; /* until set */
    range->next = r->ranges;
    r->ranges = range;
    r->range_bytes += sizeof *range;
    rc = set_bound(r, &range->lower, &range->lower_open, bounds->lower);
    if (rc == HOLT_OK) rc = set_bound(r, &range->upper, &range->upper_open, bounds->upper);
    *out = range;
    return rc;
}

holt_status read_range_extend_up(read_set *r, read_range *range, slice upper, bool includes_upper)
{
    if (range->upper_open) return HOLT_OK;
    int order = slice_is_open(upper) ? 1 : slice_compare(upper, buffer_slice(&range->upper));
    if (order < 0) return HOLT_OK;
    range->includes_upper = includes_upper || (order == 0 && range->includes_upper);
    return order == 0 ? HOLT_OK : set_bound(r, &range->upper, &range->upper_open, upper);
}

holt_status read_range_extend_down(read_set *r, read_range *range, slice lower)
{
    if (range->lower_open) return HOLT_OK;
    if (!slice_is_open(lower) && slice_compare(lower, buffer_slice(&range->lower)) >= 0) return HOLT_OK;
    return set_bound(r, &range->lower, &range->lower_open, lower);
}

void read_set_deinit(read_set *r)
{
    for (read_range *range = r->ranges, *next; range; range = next) {
        next = range->next;
        buffer_deinit(&range->lower);
        buffer_deinit(&range->upper);
        mem_free(range);
    }
    write_set_deinit(&r->keys);
    memset(r, 0, sizeof *r);
}
