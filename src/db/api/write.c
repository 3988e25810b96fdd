/* write.c -- holt_put, holt_put_with, holt_add, holt_expire, holt_delete and holt_delete_range: a commit of
 * its own, or part of a transaction. */
#include "db/read/get.h"

#include "db/args.h"
#include "db/clock.h"
#include "db/commit/commit.h"
#include "db/db.h"
#include "db/txn/txn.h"

#include "base/status.h"

/* Commits one operation, after looking its key up if it has a condition. */
static holt_status commit_one(holt_collection *c, const operation *o, write_condition *wanted)
{
    holt *db = c->db;
    commit_request request = {.collection = c, .operation = *o, .durability = db->set.durability};
    if (!wanted) return commit_submit(db, &request);
    for (;;) {
        holt_status rc = get_condition(c, NULL, o->key, wanted);
        if (rc != HOLT_OK) return rc;
        request.condition = *wanted;
        /* As long as it may be: the leader, which makes the operation, makes room for it before. */
        if (wanted->kind == CONDITION_NUMBER || wanted->kind == CONDITION_EXPIRE)
            request.operation.op = ENTRY_PUT_UNTIL;
        if (wanted->kind == CONDITION_NUMBER)
            request.operation.value = slice_of(request.number, NUMBER_BYTES_MAX);
        if (wanted->kind == CONDITION_EXPIRE)
            request.operation.value = slice_of(wanted->value->data, wanted->value->size);
        rc = commit_submit(db, &request);
        if (rc == HOLT_OK && request.undecided) continue;
        *wanted = request.condition;
        return rc;
    }
}

/* What a program calls to write with the condition. */
static const char *condition_call(const write_condition *wanted)
{
    if (wanted->kind == CONDITION_NUMBER) return "holt_add";
    return wanted->kind == CONDITION_EXPIRE ? "holt_expire" : "HOLT_PUT_IF_...";
}

/* Adds one operation to the transaction, if its condition holds as the transaction sees the key. What it has
 * seen is checked at its commit, for it writes the key. */
static holt_status write_in(holt_collection *c, holt_txn *t, const operation *o, write_condition *wanted)
{
    char digits[NUMBER_BYTES_MAX];
    if (!wanted) return txn_write(t, c, o);
    operation final = *o;
    holt_status rc = txn_check_writable(t);
    if (rc == HOLT_OK && !txn_is_read_write(t))
        rc = status_set(HOLT_INVALID, "%s cannot be used in a blind transaction", condition_call(wanted));
    if (rc == HOLT_OK) rc = get_condition(c, t, o->key, wanted);
    if (rc != HOLT_OK) return rc;
    if (wanted->value) final.value = slice_of(wanted->value->data, wanted->value->size);
    condition_apply(c->db, wanted, digits, &final);
    return txn_write(t, c, &final);
}

/* wanted: NULL for none. */
static holt_status write_operation(holt_collection *c, holt_txn *t, const operation *o,
                                   write_condition *wanted)
{
    holt *db = c->db;
    holt_status rc = txn_enter(db, t);
    if (rc != HOLT_OK) return rc;
    rc = key_check(o->key);
    if (rc == HOLT_OK && operation_is_put(o)) rc = value_check(db, o->value);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc == HOLT_OK) rc = t ? write_in(c, t, o, wanted) : commit_one(c, o, wanted);
    txn_leave(t);
    return rc;
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
    return api_exit(c->db, write_operation(c, t, &o, NULL));
}

static holt_status condition_of(const holt_put_options *options, write_condition *out)
{
    *out = (write_condition){.version = options->version};
    if (options->version && options->flags != HOLT_PUT_IF_VERSION)
        return status_set(HOLT_INVALID, "holt_put_options.version is set without HOLT_PUT_IF_VERSION");
    switch (options->flags) {
    case 0:
        return HOLT_OK;
    case HOLT_PUT_IF_ABSENT:
        out->kind = CONDITION_ABSENT;
        return HOLT_OK;
    case HOLT_PUT_IF_PRESENT:
        out->kind = CONDITION_PRESENT;
        return HOLT_OK;
    case HOLT_PUT_IF_VERSION:
        out->kind = CONDITION_VERSION;
        return HOLT_OK;
    }
    bool known = options->flags < HOLT_PUT_IF_VERSION * 2;
    return status_set(HOLT_INVALID, "holt_put_options.flags = %u: %s", options->flags,
                      known ? "at most one HOLT_PUT_IF_... may be set" : "unknown flags");
}

holt_status holt_put_with(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value,
                          const holt_put_options *options)
{
    status_begin_call();
    static const holt_put_options defaults;
    if (!options) options = &defaults;
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    if (!reserved_zero(options->reserved, 7) || options->reserved32)
        return status_set(HOLT_INVALID, "holt_put_options: reserved words must be zero");
    write_condition wanted;
    rc = condition_of(options, &wanted);
    if (rc != HOLT_OK) return rc;
    operation o = operation_of(c, ENTRY_PUT, key, value);
    if (options->expires_at_ms) {
        o.op = ENTRY_PUT_UNTIL;
        o.expires_at_ms = options->expires_at_ms;
        o.time_ms = db_time_ms(c->db);
        db_expiry_begins(c->db);
    }
    return api_exit(c->db, write_operation(c, t, &o, wanted.kind ? &wanted : NULL));
}

holt_status holt_add(holt_collection *c, holt_txn *t, holt_slice key, int64_t delta, int64_t *result)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    write_condition wanted = {.kind = CONDITION_NUMBER, .delta = delta};
    operation o = operation_of(c, ENTRY_PUT, key, slice_of(NULL, 0)); /* the commit leader sets the value */
    rc = write_operation(c, t, &o, &wanted);
    if (rc == HOLT_OK && result) *result = wanted.sum;
    return api_exit(c->db, rc);
}

holt_status holt_expire(holt_collection *c, holt_txn *t, holt_slice key, uint64_t ms)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    holt_value value = HOLT_VALUE_INIT;
    write_condition wanted = {.kind = CONDITION_EXPIRE, .expire_ms = ms, .value = &value};
    if (ms) db_expiry_begins(c->db);
    operation o = operation_of(c, ENTRY_PUT, key, slice_of(NULL, 0)); /* set by the commit leader */
    rc = write_operation(c, t, &o, &wanted);
    holt_value_free(&value);
    return api_exit(c->db, rc);
}

holt_status holt_delete(holt_collection *c, holt_txn *t, holt_slice key)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    operation o = operation_of(c, ENTRY_DELETE, key, slice_of(NULL, 0));
    return api_exit(c->db, write_operation(c, t, &o, NULL));
}

/* Refuses what every write would be refused for, and writes nothing. */
static holt_status write_nothing(holt *db, holt_txn *t)
{
    holt_status rc = txn_enter(db, t);
    if (rc != HOLT_OK) return rc;
    rc = writable_check(db);
    if (rc == HOLT_OK && t) rc = txn_check_writable(t);
    txn_leave(t);
    return rc;
}

static holt_status range_check(slice begin, slice end)
{
    holt_status rc = bound_check(begin, "begin");
    if (rc == HOLT_OK) rc = bound_check(end, "end");
    if (rc == HOLT_OK) rc = key_check(begin);
    if (rc == HOLT_OK) rc = key_check(end);
    if (rc != HOLT_OK) return rc;
    if (slice_is_open(begin) && slice_is_open(end))
        return status_set(HOLT_INVALID,
                          "both bounds are open: use holt_collection_clear to delete everything");
    return slice_is_open(end) || slice_compare(begin, end) <= 0
               ? HOLT_OK
               : status_set(HOLT_INVALID, "the begin of the range is above its end");
}

holt_status holt_delete_range(holt_collection *c, holt_txn *t, holt_slice begin, holt_slice end)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = range_check(begin, end);
    if (rc != HOLT_OK) return rc;
    if (!slice_is_open(end) && slice_equal(begin, end)) return api_exit(c->db, write_nothing(c->db, t));
    operation o = operation_of(c, ENTRY_DELETE_RANGE, begin, end);
    return api_exit(c->db, write_operation(c, t, &o, NULL));
}
