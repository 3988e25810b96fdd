/* clock.c -- wall-clock time that never goes back. */
#include "db/clock.h"

#include "db/db.h"

uint64_t db_time_ms(holt *db)
{
    uint64_t now = os_time_ms(db->os);
    /* Relaxed: only the value matters, and changes of one variable have one order. */
    uint64_t last = atomic_load_explicit(&db->manifest.time_ms, memory_order_relaxed);
    while (now > last)
        if (atomic_compare_exchange_weak_explicit(&db->manifest.time_ms, &last, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    return last;
}

void db_time_begin(holt *db, uint64_t time_ms)
{
    /* Relaxed: no other thread has the database yet. */
    atomic_store_explicit(&db->manifest.time_ms, time_ms, memory_order_relaxed);
}
