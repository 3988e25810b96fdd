/* cursor_lead.c -- finding a lead, or deciding to do without; see cursor_lead.h. */
#include "db/read/cursor.h"

#include "db/db.h"

/* Entering and leaving the snapshot for a lead costs as much as reading so many entries ahead. */
enum { STEPS_MIN = 2 };
/* How many misses to take before reading ahead. A walk that ends sooner would read for nothing. */
enum { MISSES_MAX = 6 };

void cursor_lead_deinit(cursor_lead *l)
{
    buffer_deinit(&l->bytes);
}

void cursor_lead_end(cursor_lead *l)
{
    if (l->child && l->beyond) {
        l->was_short = l->steps < STEPS_MIN;
        l->misses = l->was_short ? l->misses + 1 : 0;
    }
    l->child = NULL;
    l->steps = 0;
    l->beyond = false;
}

/* Copies the limit, tightened by the end of the cursor's range. false: out of memory. */
static bool set_limit(holt_cursor *cur, slice limit, bool forward)
{
    cursor_lead *l = &cur->lead;
    limit = forward ? slice_tighter_upper(limit, cur->upper) : slice_tighter_lower(limit, cur->lower);
    l->limit = limit;
    if (slice_is_open(limit)) return true;
    buffer_clear(&l->bytes);
    uint8_t *at = buffer_extend(&l->bytes, limit.size + 1); /* data is never NULL */
    if (!at) return false;
    bytes_copy(at, limit.data, limit.size);
    l->limit = slice_of(at, limit.size);
    l->limit_words = key_words_of(l->limit);
    return true;
}

/* false: there is no lead. */
static bool take(holt_cursor *cur, bool forward)
{
    cursor_lead *l = &cur->lead;
    iterator *s = cur->read_state->hold.iterator;
    slice limit;
    if (cur->txn || !s->ops->leader || cur->db->set.max_reader_age_ns) return false;
    iterator *child = s->ops->leader(s, &limit);
    if (!s->valid) cur->displaced = true; /* it has failed: the next step seeks again, and says so */
    if (!child || !set_limit(cur, limit, forward)) return false;
    l->child = child;
    l->backward = !forward;
    return true;
}

void cursor_lead_prepare(holt_cursor *cur, bool forward)
{
    cursor_lead *l = &cur->lead;
    if (l->backward == forward) l->misses = 0; /* it has turned */
    l->backward = !forward;
    const bool ahead = l->misses >= MISSES_MAX;
    /* After a short lead in a row of misses the next one is likely to be short, too. */
    const bool tries = !(ahead && l->was_short);
    l->was_short = false;
    if ((tries && take(cur, forward)) || cur->displaced) return;
    if (ahead)
        cursor_ahead_read(cur, forward);
    else
        l->misses++;
}
