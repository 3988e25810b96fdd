/* clock.c -- the largest time seen so far, and the wall clock. */
#include "db/clock.h"

#include "db/db.h"

/* Returns the larger of the two times, which every later call takes into account. */
static uint64_t raise(holt *db, uint64_t now)
{
    /* Relaxed: only the value matters, and changes of one variable have one order. */
    uint64_t last = atomic_load_explicit(&db->manifest.time_ms, memory_order_relaxed);
    while (now > last)
        if (atomic_compare_exchange_weak_explicit(&db->manifest.time_ms, &last, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    return last;
}

uint64_t db_time_ms(holt *db)
{
    return raise(db, os_time_ms(db->os));
}

uint64_t db_time_of_snapshot(holt *db)
{
    /* Relaxed: the acquire of the seqno or the version that shows an entry with an expiry comes after the
     * store, which the entry's writer has made before the commit. */
    bool expires = atomic_load_explicit(&db->manifest.expires, memory_order_relaxed);
    return expires ? db_time_ms(db) : 0;
}

uint64_t db_time_before_ms(holt *db, uint64_t ago_ms)
{
    uint64_t now = db_time_ms(db);
    return now > ago_ms ? now - ago_ms : 1;
}

void db_expiry_begins(holt *db)
{
    /* Relaxed: see above. Loaded first, so that the line stays shared. */
    if (atomic_load_explicit(&db->manifest.expires, memory_order_relaxed)) return;
    atomic_store_explicit(&db->manifest.expires, true, memory_order_relaxed);
}

void db_time_raise(holt *db, uint64_t time_ms)
{
    raise(db, time_ms);
}
