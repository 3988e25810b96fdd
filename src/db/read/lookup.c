/* lookup.c -- where a point lookup's value goes, and taking it out of a tree. */
#include "db/read/lookup.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/txn/txn.h"

/* ---------------------------------------------------------------- where a value goes */

holt_status sink_room(value_sink *s, size_t size, void **room)
{
    *room = NULL;
    cost_add_bytes_out(size);
    if (s->size) *s->size = size;
    if (s->value) {
        if (size > s->value->capacity || !s->value->data) {
            void *data = mem_realloc(s->value->data, size ? size : 1);
            if (!data) return status_no_memory(size);
            s->value->data = data;
            s->value->capacity = size ? size : 1;
        }
        s->value->size = size;
        *room = s->value->data;
        return HOLT_OK;
    }
    if (!s->wanted) return HOLT_OK;
    if (size > s->capacity)
        return status_set(HOLT_TOO_LARGE, "the value has %zu bytes, the buffer %zu", size, s->capacity);
    *room = s->room;
    return HOLT_OK;
}

holt_status sink_put(value_sink *s, slice value)
{
    void *room;
    holt_status rc = sink_room(s, value.size, &room);
    if (rc == HOLT_OK && room) bytes_copy(room, value.data, value.size);
    return rc;
}

void sink_clear(value_sink *s)
{
    s->expires_at_ms = 0;
    if (s->value) s->value->size = 0;
    if (s->value) s->value->expires_at_ms = 0;
    if (s->value) s->value->version = 0;
    if (s->size) *s->size = 0;
}

/* ---------------------------------------------------------------- out of a tree */

holt_status lookup_take(read_view *view, value_sink *out, const tree_hit *hit)
{
    uint64_t size;
    void *room = NULL;
    if (!view_has_value(view, hit->entry.op, hit->entry.expires_at_ms, out)) return HOLT_NOT_FOUND;
    if (!hit->entry.overflow) return sink_put(out, hit->entry.value);
    holt_status rc = tree_overflow_size(hit->file, hit->entry.value, &size);
    if (rc == HOLT_OK) rc = sink_room(out, (size_t)size, &room);
    return rc == HOLT_OK && room ? tree_read_overflow(hit->file, hit->entry.value, room) : rc;
}

void lookup_count_filters(holt *db, const tree_query *query)
{
    cost_add_cached(query->blocks);
    cost_add_trees(query->trees);
    if (query->filter_checks == 0) return;
    cost_add_filters(query->filter_checks, query->filter_negatives);
    counter_add(&db->counts, COUNT_FILTER_CHECKS, query->filter_checks);
    if (query->filter_negatives) counter_add(&db->counts, COUNT_FILTER_NEGATIVES, query->filter_negatives);
}

/* ---------------------------------------------------------------- own writes */

bool lookup_own(holt_txn *t, holt_collection *c, slice key, value_sink *out, holt_status *rc)
{
    operation own;
    if (!txn_is_read_write(t)) return false;
    *rc = write_set_find(&t->writes, c, key, &own);
    if (*rc == HOLT_NOT_FOUND) {
        *rc = txn_is_serializable(t) ? txn_reads_key(t, c, key) : HOLT_OK;
        return *rc != HOLT_OK;
    }
    if (*rc != HOLT_OK) return true;
    bool live = snapshot_entry_is_live(t->db, &t->snapshot, own.op, own.expires_at_ms);
    *rc = live ? sink_put(out, own.value) : HOLT_NOT_FOUND;
    if (live) sink_expires(out, own.expires_at_ms);
    return true;
}
