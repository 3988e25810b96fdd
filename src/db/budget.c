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

/* In steps of a sixty-fourth of the budget. */
static uint64_t cache_share(const holt *db)
{
    os_mutex_assert_held(&db->budget.mu);
    uint64_t step = db->set.memory_bytes / 64, free = db->set.memory_bytes / 16;
    uint64_t taken = db->budget.txn_bytes > free ? (db->budget.txn_bytes - free + step - 1) / step * step : 0;
    return db->set.cache_bytes + db->budget.lent_bytes - taken;
}

/* change: two's complement. */
static void add_writes(holt *db, uint64_t change)
{
    uint64_t before = cache_share(db);
    db->budget.txn_bytes += change;
    uint64_t after = cache_share(db);
    if (after != before) cache_set_limit(db->cache, after);
}

bool budget_charge_writes(holt *db, uint64_t bytes, uint64_t limit)
{
    os_mutex_lock(&db->budget.mu);
    bool fits = db->budget.txn_bytes + bytes <= limit;
    if (fits) add_writes(db, bytes);
    os_mutex_unlock(&db->budget.mu);
    return fits;
}

void budget_release_writes(holt *db, uint64_t bytes)
{
    if (bytes == 0) return;
    os_mutex_lock(&db->budget.mu);
    assert(db->budget.txn_bytes >= bytes);
    add_writes(db, 0 - bytes);
    os_mutex_unlock(&db->budget.mu);
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
    if (changes) cache_set_limit(db->cache, cache_share(db));
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
