/* history.c -- keeping flushed memtables as long as read-write transactions need them. */
#include "db/version/history.h"

#include "base/memory.h"
#include "db/db.h"

#include <assert.h>

/* The oldest moment at which an open read-write transaction began that can still commit; UINT64_MAX: there is
 * none. Their snapshots are in the order of their seqnos (snapshot_take). */
static seqno oldest_beginning(const snapshot_list *l)
{
    os_mutex_assert_held(&l->mu);
    for (const snapshot *s = l->oldest; s; s = s->newer)
        if (s->commits && s->version) return s->seqno;
    return UINT64_MAX;
}

void history_add(holt *db, memtable_generation *flushed)
{
    memtable_history *h = &db->snapshots.history;
    os_mutex_lock(&db->snapshots.mu);
    assert(h->count == 0 || h->generations[h->count - 1]->last_seqno <= flushed->last_seqno);
    history_trim(db);
    bool needed = oldest_beginning(&db->snapshots) < flushed->last_seqno;
    if (needed && mem_grow((void **)&h->generations, &h->capacity, h->count + 1, sizeof *h->generations))
        h->generations[h->count++] = generation_ref(flushed);
    else if (flushed->last_seqno > h->floor)
        h->floor = flushed->last_seqno;
    os_mutex_unlock(&db->snapshots.mu);
}

void history_trim(holt *db)
{
    memtable_history *h = &db->snapshots.history;
    if (h->count == 0) return;
    seqno oldest = oldest_beginning(&db->snapshots);
    size_t dropped = 0;
    while (dropped < h->count && h->generations[dropped]->last_seqno <= oldest) {
        h->floor = h->generations[dropped]->last_seqno;
        generation_unref(h->generations[dropped++]);
    }
    h->count -= dropped;
    memmove(h->generations, h->generations + dropped, h->count * sizeof *h->generations);
}

void history_deinit(memtable_history *h)
{
    assert(h->count == 0);
    mem_free(h->generations);
}
