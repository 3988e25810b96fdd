/* txn.c -- transactions: their options, write set, commit and rollback.
 *
 * In this release a transaction is either a snapshot (HOLT_TXN_READ_ONLY) or a write batch (HOLT_TXN_BLIND).
 */
#include "db/txn/txn.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/budget.h"
#include "db/commit/commit.h"
#include "db/db.h"

#include <inttypes.h>

/* ---------------------------------------------------------------- checks */

holt_status txn_refuse(const holt_txn *t)
{
    return t->ended ? status_set(HOLT_CLOSED, "the transaction has ended") : handle_refuse();
}

holt_status txn_check(const holt *db, const holt_txn *t)
{
    if (!t) return HOLT_OK;
    if (!txn_is_open(t)) return txn_refuse(t);
    if (t->db != db) return status_set(HOLT_INVALID, "the transaction belongs to another database");
    return HOLT_OK;
}

holt_status txn_read(const holt *db, holt_txn *t, snapshot **out)
{
    *out = NULL;
    holt_status rc = txn_check(db, t);
    if (rc != HOLT_OK || !t) return rc;
    if (t->flags & HOLT_TXN_BLIND)
        return status_set(HOLT_INVALID, "a blind transaction (HOLT_TXN_BLIND) cannot read");
    *out = &t->snapshot;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the write set */

/* Charges bytes of keys and values against the limits of one transaction and of all open ones together. */
static holt_status charge(holt_txn *t, uint64_t bytes)
{
    holt *db = t->db;
    uint64_t limit = db->set.txn_bytes_max;
    if (t->writes.user_bytes + bytes > limit)
        return status_set(HOLT_TOO_LARGE,
                          "the transaction would exceed %" PRIu64
                          " bytes of keys and values (a quarter of memory_bytes, or 2 GiB)",
                          limit);
    if (budget_charge_writes(db, bytes, limit)) return HOLT_OK;
    return status_set(
        HOLT_BUSY, "all open transactions together would exceed %" PRIu64 " bytes; commit some of them first",
        limit);
}

static holt_status name_collection(write_set *w, holt_collection *c)
{
    for (size_t i = w->collection_count; i-- > 0;)
        if (w->collections[i] == c) return HOLT_OK;
    if (!mem_grow((void **)&w->collections, &w->collection_capacity, w->collection_count + 1, sizeof c))
        return status_no_memory(sizeof c);
    collection_use(c);
    w->collections[w->collection_count++] = c;
    return HOLT_OK;
}

holt_status txn_write(holt_txn *t, holt_collection *c, const operation *o)
{
    write_set *w = &t->writes;
    if (t->flags & HOLT_TXN_READ_ONLY)
        return status_set(HOLT_READ_ONLY, "the transaction is a snapshot (HOLT_TXN_READ_ONLY)");
    uint64_t bytes = o->key.size + o->value.size;
    holt_status rc = name_collection(w, c);
    if (rc == HOLT_OK) rc = charge(t, bytes);
    if (rc != HOLT_OK) return rc;
    size_t size = operation_size(o);
    if (w->operations.size + size > TXN_BYTES_LIMIT + TXN_BYTES_LIMIT / 2 || w->count == UINT32_MAX) {
        budget_release_writes(t->db, bytes);
        return status_set(HOLT_TOO_LARGE, "the transaction has too many operations");
    }
    uint8_t *at = buffer_extend(&w->operations, size);
    if (!at) {
        w->operations.failed = false; /* its contents are still complete */
        budget_release_writes(t->db, bytes);
        return status_no_memory(size);
    }
    operation_encode(at, o);
    w->count++;
    w->puts += o->op != ENTRY_DELETE;
    w->user_bytes += bytes;
    return HOLT_OK;
}

static void write_set_deinit(holt *db, write_set *w)
{
    budget_release_writes(db, w->user_bytes);
    for (size_t i = 0; i < w->collection_count; i++)
        collection_unuse(w->collections[i]);
    mem_free(w->collections);
    buffer_deinit(&w->operations);
    memset(w, 0, sizeof *w);
}

void txn_clear_writes(holt_txn *t)
{
    write_set_deinit(t->db, &t->writes);
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
    holt_status rc = label_check(o->label, "holt_txn_options.label");
    if (rc != HOLT_OK) return rc;
    if (o->flags == 0 || o->flags == HOLT_TXN_SERIALIZABLE)
        return status_set(HOLT_UNSUPPORTED, "transactions that read and write are not supported in this "
                                            "release; use HOLT_TXN_READ_ONLY or HOLT_TXN_BLIND");
    return HOLT_OK;
}

/* Releases what the transaction holds of the database. */
static void give_back(holt_txn *t)
{
    snapshot_release(t->db, &t->snapshot);
    write_set_deinit(t->db, &t->writes);
}

void txn_detach(handle *h)
{
    give_back((holt_txn *)h);
}

/* Ends the transaction and releases what it holds of the database, which a forced close may free from here
 * on. The handle remains. */
static holt_status end(holt_txn *t, holt_status rc)
{
    t->ended = true;
    give_back(t);
    api_exit(t->db, rc);
    handle_end(t->db, &t->handle);
    return rc;
}

holt_status holt_begin(holt *db, const holt_txn_options *o, holt_txn **out)
{
    status_begin_call();
    static const holt_txn_options defaults;
    if (!out) return status_set(HOLT_INVALID, "transaction (out) is NULL");
    *out = NULL;
    holt_status rc = db_check(db);
    if (!o) o = &defaults;
    if (rc == HOLT_OK) rc = check_options(o);
    if (rc == HOLT_OK && !(o->flags & HOLT_TXN_READ_ONLY)) rc = writable_check(db);
    if (rc != HOLT_OK) return rc;
    holt_txn *t = mem_alloc_zero(1, sizeof *t);
    if (!t) return status_no_memory(sizeof *t);
    t->db = db;
    t->users = 1;
    t->flags = o->flags;
    t->durability = o->durability ? o->durability : db->set.durability;
    handle_label(&t->handle, o->label);
    t->snapshot.label = t->handle.label;
    if (t->flags & HOLT_TXN_READ_ONLY) rc = snapshot_take(db, &t->snapshot);
    if (rc != HOLT_OK) {
        mem_free(t);
        return rc;
    }
    t->begun_ns = t->snapshot.taken_ns ? t->snapshot.taken_ns : os_clock_ns(db->os);
    handle_begin(db, &t->handle, HANDLE_TXN);
    *out = t;
    return api_exit(db, HOLT_OK);
}

static holt_status commit(holt_txn *t)
{
    if (t->writes.count == 0) return HOLT_OK;
    commit_request request = {.set = &t->writes, .durability = t->durability};
    return commit_submit(t->db, &request);
}

static holt_status commit_open(holt_txn *t)
{
    holt_status rc = db_check(t->db);
    if (rc != HOLT_OK) return rc;
    rc = commit(t);
    if (rc == HOLT_OK || rc == HOLT_CONFLICT || rc == HOLT_IO) return end(t, rc);
    return api_exit(t->db, rc);
}

holt_status holt_commit(holt_txn *t)
{
    status_begin_call();
    if (!t) return status_set(HOLT_INVALID, "the transaction handle is NULL");
    if (!handle_enter(&t->handle)) return txn_refuse(t);
    holt_status rc = commit_open(t);
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
    if (!handle_enter(&t->handle)) { /* it holds nothing of the database, which may have been closed */
        if (handle_await_closed(&t->handle)) txn_unref(t);
        return;
    }
    if (db_check(t->db) != HOLT_OK) return; /* a forked child leaves the parent's memory alone */
    end(t, HOLT_OK);
    txn_unref(t);
}
