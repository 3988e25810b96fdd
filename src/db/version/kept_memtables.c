/* kept_memtables.c -- keeping flushed memtables as long as read-write transactions need them. */
#include "db/version/kept_memtables.h"

#include "base/memory.h"
#include "db/db.h"

#include <assert.h>

/* The oldest moment at which an open read-write transaction began that can still commit; UINT64_MAX: there is
 * none. Their snapshots are in the order of their seqnos (snapshot_take). */
static seqno oldest_beginning(const holt *db)
{
    const snapshot_list *l = &db->snapshots;
    os_mutex_assert_held(&db->handles.mu);
    for (const snapshot *s = l->oldest; s; s = s->newer)
        if (s->commits && s->version) return s->seqno;
    return UINT64_MAX;
}

void kept_memtables_add(holt *db, memtable_generation *flushed)
{
    kept_memtables *k = &db->snapshots.kept;
    os_mutex_lock(&db->handles.mu);
    assert(k->count == 0 || k->generations[k->count - 1]->last_seqno <= flushed->last_seqno);
    kept_memtables_trim(db);
    bool needed = oldest_beginning(db) < flushed->last_seqno;
    if (needed && mem_grow((void **)&k->generations, &k->capacity, k->count + 1, sizeof *k->generations))
        k->generations[k->count++] = generation_ref(flushed);
    else if (flushed->last_seqno > k->floor)
        k->floor = flushed->last_seqno;
    os_mutex_unlock(&db->handles.mu);
}

void kept_memtables_trim(holt *db)
{
    kept_memtables *k = &db->snapshots.kept;
    if (k->count == 0) return;
    seqno oldest = oldest_beginning(db);
    size_t dropped = 0;
    while (dropped < k->count && k->generations[dropped]->last_seqno <= oldest) {
        k->floor = k->generations[dropped]->last_seqno;
        generation_unref(k->generations[dropped++]);
    }
    k->count -= dropped;
    memmove(k->generations, k->generations + dropped, k->count * sizeof *k->generations);
}

void kept_memtables_deinit(kept_memtables *k)
{
    assert(k->count == 0);
    mem_free(k->generations);
}
