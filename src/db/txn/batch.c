/* batch.c -- the holt_batch_... calls: reading back and clearing what a transaction has written.
 *
 * The write set is a sequence of operations in the log's encoding (log/operation.h), which identify their
 * collections by id; the transaction keeps the handles. holt_batch_iterate decodes the operations one by one.
 * Its position is an offset rather than a pointer, because the callback may write to the transaction, which
 * may move the bytes.
 */
#include "db/txn/txn.h"

#include "base/cost.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"

#include <assert.h>

/* Entered like any other call, because a forced close on another thread clears the write set. */
static uint64_t figure(const holt_txn *t, bool bytes)
{
    handle *h = t ? (handle *)&t->handle : NULL;
    if (!h || !handle_enter(h)) return 0;
    uint64_t n = bytes ? t->writes.user_bytes : t->writes.count;
    handle_leave(h);
    return n;
}

uint64_t holt_batch_count(const holt_txn *t)
{
    return figure(t, false);
}

uint64_t holt_batch_bytes(const holt_txn *t)
{
    return figure(t, true);
}

/* ---------------------------------------------------------------- iterating */

static holt_batch_entry entry_of(const write_set *w, const operation *o, size_t *hint)
{
    const bool put = operation_is_put(o), range = o->op == ENTRY_DELETE_RANGE;
    holt_batch_entry e = {.op = put     ? HOLT_BATCH_PUT
                                : range ? HOLT_BATCH_DELETE_RANGE
                                        : HOLT_BATCH_DELETE,
                          .collection = write_set_collection(w, o->collection, hint),
                          .key = o->key,
                          .value = put ? o->value : slice_of(NULL, 0),
                          .expires_at_ms = o->expires_at_ms,
                          .end = range && o->value.size ? o->value : slice_of(NULL, 0)};
    assert(e.collection);
    return e;
}

/* Leaves the handle for the callback, which may call on the transaction or close the database by force. */
static holt_status show(holt_txn *t, holt_batch_fn each, void *ctx, const holt_batch_entry *e)
{
    cost_aside bill;
    handle_leave(&t->handle);
    cost_put_aside(&bill);
    holt_status rc = each(ctx, e);
    cost_put_back(&bill);
    if (handle_enter(&t->handle)) return rc;
    return rc == HOLT_OK ? txn_refuse(t) : rc;
}

/* Operations that the callback adds lie beyond `end` and are not visited. */
static holt_status walk(holt_txn *t, holt_batch_fn each, void *ctx)
{
    const write_set *w = &t->writes;
    size_t end = w->operations.size, at = 0, hint = 0;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && at < end) {
        const uint8_t *bytes = w->operations.data;
        decoder d = decoder_of(slice_of(bytes + at, end - at));
        operation o;
        if (!operation_decode(&d, &o))
            return status_set(HOLT_CORRUPT, "the transaction's operations are damaged in memory");
        at = (size_t)(d.at - bytes);
        holt_batch_entry e = entry_of(w, &o, &hint);
        rc = show(t, each, ctx, &e);
    }
    return rc;
}

holt_status holt_batch_iterate(holt_txn *t, holt_batch_fn each, void *ctx)
{
    status_begin_call();
    if (!each) return status_set(HOLT_INVALID, "each (callback) is NULL");
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    bool outer = !t->walked;
    t->walked = true;
    t->users++; /* the callback may roll it back */
    rc = walk(t, each, ctx);
    if (outer) t->walked = false;
    handle_leave(&t->handle);
    txn_unref(t);
    return rc;
}

static holt_status clear(holt_txn *t)
{
    static const write_set_mark beginning;
    holt_status rc = txn_check_writable(t);
    if (rc != HOLT_OK) return rc;
    if (t->walked)
        return status_set(HOLT_INVALID, "the transaction cannot be cleared from within holt_batch_iterate");
    txn_undo(t, &beginning);
    t->savepoint_count = 0;
    return HOLT_OK;
}

holt_status holt_batch_clear(holt_txn *t)
{
    status_begin_call();
    holt_status rc = txn_enter_alone(t);
    if (rc != HOLT_OK) return rc;
    rc = api_exit(t->db, clear(t));
    handle_leave(&t->handle);
    return rc;
}
