/* txn.c -- transactions: their options, what they have written and read, commit and rollback. */
#include "db/txn/txn.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/budget.h"
#include "db/commit/commit.h"
#include "db/db.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

/* ---------------------------------------------------------------- checks */

holt_status txn_refuse(const holt_txn *t)
{
    return t->ended ? status_set(HOLT_CLOSED, "the transaction has ended") : handle_refuse();
}

holt_status txn_enter(const holt *db, holt_txn *t)
{
    if (!t) return HOLT_OK;
    if (!handle_enter(&t->handle)) return txn_refuse(t);
    if (t->db == db) return HOLT_OK;
    handle_leave(&t->handle);
    return status_set(HOLT_INVALID, "the transaction belongs to another database");
}

holt_status txn_enter_to_read(const holt *db, holt_txn *t)
{
    holt_status rc = txn_enter(db, t);
    if (rc != HOLT_OK || !t || !(t->flags & HOLT_TXN_BLIND)) return rc;
    handle_leave(&t->handle);
    return status_set(HOLT_INVALID, "a blind transaction (HOLT_TXN_BLIND) cannot read");
}

holt_status txn_enter_alone(holt_txn *t)
{
    if (!t) return status_set(HOLT_INVALID, "the transaction handle is NULL");
    if (!handle_enter(&t->handle)) return txn_refuse(t);
    holt_status rc = db_check(t->db);
    if (rc != HOLT_OK) handle_leave(&t->handle);
    return rc;
}

holt_status txn_check_writable(const holt_txn *t)
{
    if (!(t->flags & HOLT_TXN_READ_ONLY)) return HOLT_OK;
    return status_set(HOLT_READ_ONLY, "the transaction is a snapshot (HOLT_TXN_READ_ONLY)");
}

/* ---------------------------------------------------------------- what it has written and read */

/* Charges for keys and values of so many bytes in all, against the limits of one transaction and of all open
 * ones together. What fits into the transaction itself is free. */
static holt_status charge_for(holt_txn *t, uint64_t bytes)
{
    uint64_t limit = t->db->set.txn_bytes_max;
    if (bytes <= t->charged || bytes <= TXN_FEW_WRITES) return HOLT_OK;
    if (bytes > limit)
        return status_set(HOLT_TOO_LARGE,
                          "the transaction would exceed %" PRIu64
                          " bytes of keys and values (a quarter of memory_bytes, or 2 GiB)",
                          limit);
    if (!budget_charge_writes(t->db, bytes - t->charged, limit))
        return status_set(HOLT_BUSY,
                          "all open transactions together would exceed %" PRIu64
                          " bytes; commit some of them first",
                          limit);
    t->charged = bytes;
    return HOLT_OK;
}

static uint64_t bytes_of(const holt_txn *t)
{
    return t->writes.user_bytes + (txn_is_serializable(t) ? read_set_bytes(&t->reads) : 0);
}

/* Releases what has been charged for more than so many bytes. */
static void discharge_to(holt_txn *t, uint64_t bytes)
{
    if (t->charged <= bytes) return;
    budget_release_writes(t->db, t->charged - bytes);
    t->charged = bytes;
}

holt_status txn_write(holt_txn *t, holt_collection *c, const operation *o)
{
    const uint64_t bytes = o->key.size + o->value.size;
    cost_add_bytes_in(bytes);
    holt_status rc = txn_check_writable(t);
    if (rc == HOLT_OK) rc = charge_for(t, bytes_of(t) + bytes);
    if (rc != HOLT_OK) return rc;
    rc = write_set_add(&t->writes, c, o);
    if (rc != HOLT_OK) discharge_to(t, bytes_of(t));
    return rc;
}

void txn_undo(holt_txn *t, const write_set_mark *mark)
{
    write_set_undo(&t->writes, mark);
    discharge_to(t, bytes_of(t));
}

holt_status txn_charge_reads(holt_txn *t)
{
    return charge_for(t, bytes_of(t));
}

holt_status txn_reads_key(holt_txn *t, holt_collection *c, slice key)
{
    holt_status rc = read_set_add_key(&t->reads, c, key);
    return rc == HOLT_OK ? txn_charge_reads(t) : rc;
}

/* ---------------------------------------------------------------- begin, commit, roll back */

static holt_status check_options(const holt_txn_options *o)
{
    const uint32_t known = HOLT_TXN_READ_ONLY | HOLT_TXN_BLIND | HOLT_TXN_SERIALIZABLE;
    if (!reserved_zero(o->reserved, sizeof o->reserved / sizeof *o->reserved))
        return status_set(HOLT_INVALID, "holt_txn_options: reserved words must be zero");
    if (o->flags & ~known)
        return status_set(HOLT_INVALID, "holt_txn_options.flags = %u: unknown flags", o->flags);
    if (o->flags & (o->flags - 1))
        return status_set(HOLT_INVALID, "holt_txn_options.flags: at most one HOLT_TXN_... flag may be set");
    if (o->durability > HOLT_PROCESS)
        return status_set(HOLT_INVALID, "holt_txn_options.durability = %u: is not a holt_durability",
                          o->durability);
    return label_check(o->label, "holt_txn_options.label");
}

/* Releases what the transaction holds of the database, but for its snapshot. */
static void give_back(holt_txn *t)
{
    if (t->flags & HOLT_TXN_READ_ONLY) return; /* it has neither written nor noted anything */
    write_set_deinit(&t->writes);
    if (txn_is_serializable(t)) read_set_deinit(&t->reads);
    discharge_to(t, 0);
    mem_free(t->savepoints);
    t->savepoints = NULL;
    t->savepoint_count = t->savepoint_capacity = 0;
}

void txn_detach(handle *h)
{
    holt_txn *t = (holt_txn *)h;
    give_back(t);
    snapshot_release(t->db, &t->snapshot);
}

/* Ends the transaction and releases what it holds of the database, which a forced close may free from here
 * on. The handle remains. */
static holt_status end(holt_txn *t, holt_status rc)
{
    holt *db = t->db;
    t->ended = true;
    give_back(t);
    api_exit(db, rc);
    os_mutex_lock(&db->handles.mu);
    snapshot_release_locked(db, &t->snapshot);
    handle_end_locked(db, &t->handle);
    os_mutex_unlock(&db->handles.mu);
    return rc;
}

/* Takes the snapshot, and makes the transaction one of the open ones. */
static void open_handle(holt_txn *t)
{
    holt *db = t->db;
    os_mutex_lock(&db->handles.mu);
    if (!(t->flags & HOLT_TXN_BLIND)) snapshot_take_locked(db, &t->snapshot);
    t->begun_ns = t->snapshot.taken_ns ? t->snapshot.taken_ns : os_clock_coarse_ns(db->os);
    handle_begin_locked(db, &t->handle, HANDLE_TXN);
    os_mutex_unlock(&db->handles.mu);
}

/* NULL: out of memory. */
static holt_txn *create(holt *db, const holt_txn_options *o)
{
    holt_txn *t = mem_alloc_zero_head(sizeof *t, offsetof(holt_txn, reads));
    if (!t) return NULL;
    buffer_init_in(&t->writes.operations, t->few_writes, sizeof t->few_writes);
    t->db = db;
    t->users = 1;
    t->flags = o->flags;
    if (txn_is_serializable(t)) memset(&t->reads, 0, sizeof t->reads);
    t->durability = o->durability ? o->durability : db->set.durability;
    if (o->label) handle_label(&t->handle, o->label);
    t->snapshot.label = t->handle.label;
    t->snapshot.commits = txn_is_read_write(t);
    return t;
}

holt_status holt_begin(holt *db, const holt_txn_options *o, holt_txn **out)
{
    status_begin_call();
    static const holt_txn_options defaults;
    if (!out) return status_set(HOLT_INVALID, "transaction (out) is NULL");
    *out = NULL;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK && o) rc = check_options(o);
    if (!o) o = &defaults;
    if (rc == HOLT_OK && !(o->flags & HOLT_TXN_READ_ONLY)) rc = writable_check(db);
    if (rc != HOLT_OK) return rc;
    holt_txn *t = create(db, o);
    if (!t) return status_no_memory(sizeof *t);
    /* Before the snapshot: what is counted is in it. Acquire: pairs with collection_set_replaced. */
    t->basis.replacements = atomic_load_explicit(&db->catalog.replacements, memory_order_acquire);
    open_handle(t);
    t->basis.began = t->snapshot.seqno;
    t->basis.reads = txn_is_serializable(t) ? &t->reads : NULL;
    *out = t;
    return api_exit(db, HOLT_OK);
}

static holt_status commit(holt_txn *t)
{
    if (t->writes.count == 0) return HOLT_OK; /* what it has read was right when it began */
    commit_request request;
    commit_request_init(&request, t->durability);
    request.set = &t->writes;
    if (!txn_is_read_write(t)) return commit_submit(t->db, &request);
    /* The snapshot need not be entered: if it is revoked from here on, the check finds out whether a memtable
     * that it needs is gone. */
    if (snapshot_check(t->db, &t->snapshot) != HOLT_OK)
        return status_wrap(HOLT_CONFLICT, "the transaction cannot be checked for conflicts; repeat it");
    request.basis = &t->basis;
    return commit_submit(t->db, &request);
}

static holt_status commit_open(holt_txn *t)
{
    holt_status rc = commit(t);
    if (rc == HOLT_OK || rc == HOLT_CONFLICT || rc == HOLT_IO) return end(t, rc);
    return api_exit(t->db, rc);
}

holt_status holt_commit(holt_txn *t)
{
    status_begin_call();
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    rc = commit_open(t);
    handle_leave(&t->handle);
    return rc;
}

void txn_unref(holt_txn *t)
{
    if (--t->users == 0) mem_free(t);
}

void holt_rollback(holt_txn *t)
{
    if (!t) return;
    status_begin_release();
    if (!handle_enter(&t->handle)) { /* it holds nothing of the database, which may have been closed */
        if (!handle_await_closed(&t->handle)) return;
        t->released = true;
        txn_unref(t);
        return;
    }
    if (db_check(t->db) != HOLT_OK) return; /* a forked child leaves the parent's memory alone */
    t->released = true;
    end(t, HOLT_OK);
    handle_leave(&t->handle); /* its cursors will find it closed */
    txn_unref(t);
}
