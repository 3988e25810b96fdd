/* savepoint.c -- holt_savepoint, holt_rollback_to and holt_release: points in a transaction to which its
 * writes can return.
 *
 * A savepoint is a mark in the write set. Its id comes from a counter of the process, so the id of another
 * transaction is recognised as such. Rolling back to a savepoint removes those that were made after it;
 * releasing one removes it as well, and leaves the write set alone.
 */
#include "db/txn/txn.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"

static holt_status add_savepoint(holt_txn *t, uint32_t *id)
{
    static _Atomic uint32_t last;
    holt_status rc = txn_check_writable(t);
    if (rc != HOLT_OK) return rc;
    if (!mem_grow((void **)&t->savepoints, &t->savepoint_capacity, t->savepoint_count + 1,
                  sizeof *t->savepoints))
        return status_no_memory(sizeof *t->savepoints);
    do { /* Relaxed: nothing but distinct numbers is needed. */
        *id = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    } while (*id == 0);
    t->savepoints[t->savepoint_count++] = (savepoint){*id, write_set_mark_of(&t->writes)};
    return HOLT_OK;
}

holt_status holt_savepoint(holt_txn *t, uint32_t *id)
{
    status_begin_call();
    if (!id) return status_set(HOLT_INVALID, "id (out) is NULL");
    *id = 0;
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    rc = api_exit(t->db, add_savepoint(t, id));
    handle_leave(&t->handle);
    return rc;
}

/* Orders ids from the first one of the transaction on, as the counter may have wrapped around. */
static int compare_id(const void *txn, size_t i, const void *id)
{
    const savepoint *all = ((const holt_txn *)txn)->savepoints;
    return search_order(all[i].id - all[0].id, *(const uint32_t *)id - all[0].id);
}

static holt_status find_savepoint(const holt_txn *t, uint32_t id, size_t *at)
{
    holt_status rc = txn_check_writable(t);
    if (rc != HOLT_OK) return rc;
    if (search_find(t, t->savepoint_count, &id, compare_id, at)) return HOLT_OK;
    return status_set(HOLT_INVALID,
                      "the transaction has no savepoint %u: it was rolled back or released, or is that of "
                      "another transaction",
                      id);
}

static holt_status roll_back_to(holt_txn *t, uint32_t id)
{
    size_t at;
    holt_status rc = find_savepoint(t, id, &at);
    if (rc != HOLT_OK) return rc;
    if (t->walked)
        return status_set(HOLT_INVALID, "holt_rollback_to cannot be called from within holt_batch_iterate");
    txn_undo(t, &t->savepoints[at].mark);
    t->savepoint_count = at + 1;
    return HOLT_OK;
}

holt_status holt_rollback_to(holt_txn *t, uint32_t id)
{
    status_begin_call();
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    rc = api_exit(t->db, roll_back_to(t, id));
    handle_leave(&t->handle);
    return rc;
}

static holt_status release(holt_txn *t, uint32_t id)
{
    size_t at;
    holt_status rc = find_savepoint(t, id, &at);
    if (rc == HOLT_OK) t->savepoint_count = at;
    return rc;
}

holt_status holt_release(holt_txn *t, uint32_t id)
{
    status_begin_call();
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    rc = api_exit(t->db, release(t, id));
    handle_leave(&t->handle);
    return rc;
}
