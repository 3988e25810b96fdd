/* budget.c -- moves memory between the cache, write sets and memtables. */
#include "db/budget.h"

#include "db/db.h"

#include <assert.h>

void memory_budget_init(memory_budget *b)
{
    os_mutex_init(&b->mu, LOCK_RANK_BUDGET);
}

void memory_budget_deinit(memory_budget *b)
{
    os_mutex_deinit(&b->mu);
}

/* What the cache gives up for write sets of so many bytes: in steps of a sixty-fourth of the budget. */
static uint64_t taken_from_cache(const holt *db, uint64_t txn_bytes)
{
    uint64_t step = db->set.memory_bytes / 64, free = db->set.memory_bytes / 16;
    return txn_bytes > free ? (txn_bytes - free + step - 1) / step * step : 0;
}

uint64_t budget_writes(const holt *db)
{
    return atomic_load_explicit(&db->budget.txn_bytes, memory_order_relaxed); /* budget.h */
}

static void set_cache_limit(holt *db)
{
    os_mutex_assert_held(&db->budget.mu);
    uint64_t taken = taken_from_cache(db, budget_writes(db));
    cache_set_limit(db->cache, db->set.cache_bytes + db->budget.lent_bytes - taken);
}

/* Adapts the cache to a change of the write sets' bytes. Each step that they take up or down is some thread's
 * change, and all of these come here after it: the last one to take the mutex sees the result of all. */
static void adapt_cache(holt *db, uint64_t before, uint64_t after)
{
    if (taken_from_cache(db, before) == taken_from_cache(db, after)) return;
    os_mutex_lock(&db->budget.mu);
    set_cache_limit(db);
    os_mutex_unlock(&db->budget.mu);
}

bool budget_charge_writes(holt *db, uint64_t bytes, uint64_t limit)
{
    uint64_t before = budget_writes(db);
    do {
        if (before + bytes > limit) return false;
    } while (!atomic_compare_exchange_weak_explicit(&db->budget.txn_bytes, &before, before + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    adapt_cache(db, before, before + bytes);
    return true;
}

void budget_release_writes(holt *db, uint64_t bytes)
{
    if (bytes == 0) return;
    uint64_t before = atomic_fetch_sub_explicit(&db->budget.txn_bytes, bytes, memory_order_relaxed);
    assert(before >= bytes);
    adapt_cache(db, before, before - bytes);
}

/* What can be lent: the whole budget but a sixteenth, one memtable, what readers keep, and chunks for new
 * memtables. */
static uint64_t to_lend(holt *db)
{
    uint64_t all = db->set.memory_bytes / 16 * 15;
    /* Relaxed: a recent figure will do. */
    uint64_t kept = atomic_load_explicit(&db->versions.retained_bytes, memory_order_relaxed);
    uint64_t others = db->set.cache_bytes + db->set.memtable_bytes + kept + chunk_pool_bytes(&db->chunks);
    return all > others ? all - others : 0;
}

static void set_lent(holt *db, uint64_t bytes)
{
    os_mutex_lock(&db->budget.mu);
    bool changes = db->budget.lent_bytes != bytes;
    db->budget.lent_bytes = bytes;
    if (changes) set_cache_limit(db);
    os_mutex_unlock(&db->budget.mu);
}

void budget_lend(holt *db)
{
    set_lent(db, to_lend(db));
}

void budget_claim(holt *db, uint64_t memtable_bytes)
{
    enum { CLAIM_PART = 32 };
    if (memtable_bytes >= db->set.memory_bytes / CLAIM_PART) set_lent(db, 0);
}
