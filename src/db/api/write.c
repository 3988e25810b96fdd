/* write.c -- holt_put, holt_put_with and holt_delete: a commit of its own, or part of a transaction. */
#include "db/read/get.h"

#include "db/args.h"
#include "db/commit/commit.h"
#include "db/db.h"
#include "db/txn/txn.h"

#include "base/status.h"

/* Commits one operation. With if_absent the key is looked up first; the commit leader then checks for newer
 * versions of it. If the leader cannot tell, the lookup is repeated. */
static holt_status commit_one(holt_collection *c, const operation *o, bool if_absent)
{
    holt *db = c->db;
    commit_request request = {
        .collection = c, .operation = *o, .durability = db->set.durability, .if_absent = if_absent};
    for (;;) {
        holt_status rc = HOLT_OK;
        /* Acquire: the lookup sees every load that is counted here. */
        request.absent_loads = atomic_load_explicit(&c->loads, memory_order_acquire);
        if (if_absent) rc = get_absent(c, o->key, &request.absent_seqno);
        if (rc == HOLT_OK) rc = commit_submit(db, &request);
        if (rc != HOLT_OK || !request.undecided) return rc;
    }
}

static holt_status write_operation(holt_collection *c, holt_txn *t, const operation *o, bool if_absent)
{
    holt *db = c->db;
    holt_status rc = txn_check(db, t);
    if (rc == HOLT_OK) rc = key_check(o->key);
    if (rc == HOLT_OK && o->op != ENTRY_DELETE) rc = value_check(db, o->value);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc != HOLT_OK) return rc;
    if (t && if_absent)
        return t->flags & HOLT_TXN_READ_ONLY
                   ? status_set(HOLT_READ_ONLY, "the transaction is a snapshot (HOLT_TXN_READ_ONLY)")
                   : status_set(HOLT_INVALID, "HOLT_PUT_IF_ABSENT cannot be used in a blind transaction");
    return t ? txn_write(t, c, o) : commit_one(c, o, if_absent);
}

static operation operation_of(const holt_collection *c, entry_op op, slice key, slice value)
{
    operation o = {.op = (uint8_t)op, .collection = c->spec.id, .key = key, .value = value};
    return o;
}

holt_status holt_put(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    operation o = operation_of(c, ENTRY_PUT, key, value);
    return api_exit(c->db, write_operation(c, t, &o, false));
}

holt_status holt_put_with(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value,
                          const holt_put_options *options)
{
    status_begin_call();
    static const holt_put_options defaults;
    if (!options) options = &defaults;
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    if (!reserved_zero(options->reserved, 8) || options->reserved32)
        return status_set(HOLT_INVALID, "holt_put_options: reserved words must be zero");
    if (options->flags & ~(uint32_t)HOLT_PUT_IF_ABSENT)
        return status_set(HOLT_INVALID, "holt_put_options.flags = %u: unknown flags", options->flags);
    if (options->expires_at_ms)
        return status_set(HOLT_UNSUPPORTED, "expiry is not supported in this release");
    operation o = operation_of(c, ENTRY_PUT, key, value);
    return api_exit(c->db, write_operation(c, t, &o, options->flags & HOLT_PUT_IF_ABSENT));
}

holt_status holt_delete(holt_collection *c, holt_txn *t, holt_slice key)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    operation o = operation_of(c, ENTRY_DELETE, key, slice_of(NULL, 0));
    return api_exit(c->db, write_operation(c, t, &o, false));
}
