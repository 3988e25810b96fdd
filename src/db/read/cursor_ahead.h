/* cursor_ahead.h -- entries that a cursor has read ahead of its moves.
 *
 * A cursor that can be revoked enters its snapshot for a move and copies the entry that it shows
 * (snapshot.h). While it walks on in one direction, and no tree is ahead of all else (cursor_lead.h), it
 * reads some more entries each time, 4 at first, then 8 and so on, and copies them too. Its next steps show
 * these: they only look whether the snapshot has been revoked.
 *
 *     shown     entries[at]  ...  entries[count - 1]
 *     --k------------l------m-----------n----------------o---->  in the direction of travel
 *
 * The iterator stands at the last of them or, where reading ended before an entry, beyond it, at that entry.
 * Any other move than the next step in that direction forgets them, and so does a write of the cursor's
 * transaction.
 *
 * Reading ahead stops before an entry that is too large, and fails silently: what could not be read is tried
 * again when the cursor gets there. It passes few tombstones, so that it does not take the time that a later
 * move may never ask for.
 *
 * Concurrency  that of the cursor.
 */
#ifndef HOLT_DB_READ_CURSOR_AHEAD_H
#define HOLT_DB_READ_CURSOR_AHEAD_H

#include "base/slice.h"

enum { AHEAD_FIRST = 4, AHEAD_MAX = 64, AHEAD_BYTES = 16 << 10 };

typedef struct ahead_entry {
    slice key, value;
    uint64_t expires_at_ms; /* 0: it has no expiry */
} ahead_entry;

/* The memory for entries and their bytes. */
typedef struct ahead_room {
    ahead_entry entries[AHEAD_MAX];
    uint8_t bytes[AHEAD_BYTES];
} ahead_room;

typedef struct cursor_ahead {
    ahead_room *room;   /* owned; NULL until it is needed */
    uint32_t at, count; /* entries[at..count-1] have not been shown */
    uint32_t wanted;    /* how many to read after the next step; 0: not decided */
    bool backward;      /* the direction in which they were read */
    bool beyond;        /* the iterator stands beyond them, at what the cursor has yet to look at */
} cursor_ahead;

void cursor_ahead_deinit(cursor_ahead *a);

/* Forgets the entries. The iterator is left where it is. */
static inline void cursor_ahead_forget(cursor_ahead *a)
{
    a->at = a->count = 0;
    a->beyond = false;
}

/* Whether there is an entry for a step in that direction. */
static inline bool cursor_ahead_has(const cursor_ahead *a, bool forward)
{
    return a->at < a->count && a->backward == !forward;
}

struct holt_cursor;
/* Reads on from the entry that the cursor shows. The snapshot has been entered, and the iterator is at that
 * entry. */
void cursor_ahead_read(struct holt_cursor *cur, bool forward);

#endif
