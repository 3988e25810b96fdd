/* cursor_ahead.c -- reading ahead and copying what is read; see cursor_ahead.h. */
#include "db/read/cursor.h"

#include "base/memory.h"

void cursor_ahead_deinit(cursor_ahead *a)
{
    mem_free(a->room);
}

/* How many entries to read now: more each time that the cursor steps on in one direction. 0 if there is no
 * memory for them, as a cursor can do without. */
static uint32_t take_wanted(cursor_ahead *a, bool forward)
{
    if (a->backward == forward) a->wanted = 0; /* it has turned */
    const uint32_t wanted = a->wanted ? a->wanted : AHEAD_FIRST;
    a->backward = !forward;
    a->wanted = wanted < AHEAD_MAX ? 2 * wanted : AHEAD_MAX;
    if (!a->room) a->room = mem_alloc(sizeof *a->room);
    return a->room ? wanted : 0;
}

/* Copies short bytes without a call. */
static inline void copy_short(uint8_t *to, slice from)
{
    enum { HALF = 16, SHORT_MAX = 2 * HALF };
    if (from.size < HALF || from.size > SHORT_MAX) {
        bytes_copy(to, from.data, from.size);
        return;
    }
    const size_t last = from.size - HALF;
    memcpy(to, from.data, HALF);
    memcpy(to + last, (const uint8_t *)from.data + last, HALF);
}

/* Copies the iterator's entry to the end of the room. false: it does not fit, or its value would have to be
 * read first. */
static inline bool add_entry(cursor_ahead *a, const iterator *s, bool with_value, size_t *used)
{
    const slice value = with_value ? s->value : slice_of("", 0);
    if ((with_value && s->value_pending) || s->key.size + value.size > AHEAD_BYTES - *used) return false;
    uint8_t *at = a->room->bytes + *used;
    copy_short(at, s->key);
    bytes_copy(at + s->key.size, value.data, value.size);
    a->room->entries[a->count++] = (ahead_entry){
        .key = slice_of(at, s->key.size),
        .value = slice_of(at + s->key.size, value.size),
        .expires_at_ms = s->op == ENTRY_PUT_UNTIL ? s->expires_at_ms : 0,
    };
    *used += s->key.size + value.size;
    return true;
}

void cursor_ahead_read(holt_cursor *cur, bool forward)
{
    enum { DEAD_MAX = 16 }; /* tombstones and expired entries that are passed */
    cursor_ahead *a = &cur->ahead;
    iterator *s = cur->read_state->hold.iterator;
    snapshot *snap = cursor_snapshot(cur);
    const bool with_values = !(cur->flags & HOLT_CURSOR_KEYS_ONLY);
    size_t used = 0;
    cursor_ahead_forget(a);
    for (uint32_t wanted = take_wanted(a, forward), dead = 0; a->count < wanted && dead < DEAD_MAX;) {
        if (forward)
            s->ops->next(s);
        else
            s->ops->prev(s);
        a->beyond = true;
        if (!s->valid) break;
        if (!snapshot_entry_is_live(cur->db, snap, s->op, s->expires_at_ms)) {
            dead++;
        } else {
            if (!add_entry(a, s, with_values, &used)) break;
            a->beyond = false;
        }
    }
    if (s->valid || s->status == HOLT_OK) return;
    /* The step that needs what could not be read seeks it again. */
    a->beyond = false;
    cur->displaced = true;
}
