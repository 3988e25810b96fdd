/* transact.c -- holt_transact: runs a function in a transaction, and again after a conflict.
 *
 * Between two tries the thread sleeps for a random time, whose limit doubles with each try (exponential
 * backoff with full jitter): transactions that have met in a conflict do not meet again, and the more of them
 * there are, the further apart they begin. A transaction that conflicts once, which is the usual case, loses
 * less than PAUSE_NS.
 *
 * Each try is made of the public calls, so each has its bill and its line in the event log if it is slow.
 */
#include "base/random.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/txn/txn.h"

static const uint64_t PAUSE_NS = 50000, PAUSE_NS_MAX = 20000000, MS_NS = 1000000;
enum { TRIES_DEFAULT = 100 };

typedef struct transaction {
    holt *db;
    const holt_transact_options *options;
    holt_transact_fn fn;
    void *ctx;
    uint32_t tries, tries_max;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    rng random;           /* seeded after the first conflict */
} transaction;

static holt_status check_options(const holt_transact_options *o)
{
    if (o->reserved32 || !reserved_zero(o->reserved, sizeof o->reserved / sizeof *o->reserved))
        return status_set(HOLT_INVALID, "holt_transact_options: reserved words must be zero");
    return HOLT_OK;
}

/* ---------------------------------------------------------------- one try */

/* fn has ended the transaction, which is ours to end. Frees what it has left of it. */
static holt_status refuse_ended(holt_txn *t)
{
    bool released = t->released;
    txn_unref(t);
    if (!released) holt_rollback(t);
    return status_set(HOLT_INVALID, "the function of holt_transact has ended its transaction itself, with %s",
                      released ? "holt_rollback" : "holt_commit");
}

/* A read that finds the snapshot revoked returns HOLT_BUSY, where a commit would return HOLT_CONFLICT: a new
 * transaction has a new snapshot. */
static holt_status conflict_if_revoked(holt_txn *t, holt_status rc)
{
    if (rc != HOLT_BUSY || (t->flags & HOLT_TXN_BLIND)) return rc;
    status_aside fns;
    status_put_aside(&fns);
    bool lost = snapshot_check(t->db, &t->snapshot) != HOLT_OK;
    status_put_back(&fns);
    return lost ? status_wrap(HOLT_CONFLICT, "the transaction has lost its snapshot") : rc;
}

static holt_status try_once(transaction *x)
{
    holt_txn *t;
    holt_status rc = holt_begin(x->db, &x->options->txn, &t);
    if (rc != HOLT_OK) return rc;
    t->users++; /* fn may free the handle */
    rc = x->fn(t, x->ctx);
    if (!txn_is_open(t)) return refuse_ended(t);
    txn_unref(t);
    rc = rc == HOLT_OK ? holt_commit(t) : conflict_if_revoked(t, rc);
    holt_rollback(t);
    return rc;
}

/* ---------------------------------------------------------------- between tries */

static holt_status give_up(const transaction *x, const char *limit)
{
    /* A HOLT_CONFLICT that fn made up has no message of its own. */
    holt_error last;
    status_save(&last);
    if (last.status != HOLT_CONFLICT) status_set(HOLT_CONFLICT, "the function returned HOLT_CONFLICT");
    return status_wrap(HOLT_CONFLICT,
                       "the transaction was tried %u times, until %s, and conflicted each time", x->tries,
                       limit);
}

/* Waits before the next try. HOLT_CONFLICT: there is to be none. */
static holt_status pause_or_give_up(transaction *x)
{
    if (x->tries >= x->tries_max) return give_up(x, "tries_max");
    if (x->tries == 1) rng_seed(&x->random, os_random(x->db->os));
    uint32_t doublings = x->tries - 1 < 16 ? x->tries - 1 : 16;
    uint64_t limit = PAUSE_NS << doublings;
    uint64_t pause = rng_below(&x->random, limit < PAUSE_NS_MAX ? limit : PAUSE_NS_MAX);
    if (x->deadline_ns != UINT64_MAX && os_clock_ns(x->db->os) + pause >= x->deadline_ns)
        return give_up(x, "its deadline");
    os_sleep(x->db->os, pause);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- public */

holt_status holt_transact(holt *db, const holt_transact_options *o, holt_transact_fn fn, void *ctx)
{
    static const holt_transact_options defaults;
    status_begin_call();
    if (!fn) return status_set(HOLT_INVALID, "the function is NULL");
    if (!o) o = &defaults;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = check_options(o);
    if (rc != HOLT_OK) return rc;
    transaction x = {.db = db,
                     .options = o,
                     .fn = fn,
                     .ctx = ctx,
                     .tries_max = o->tries_max ? o->tries_max : TRIES_DEFAULT,
                     .deadline_ns = UINT64_MAX};
    /* A deadline that the clock cannot reach is none. */
    if (o->deadline_ms && o->deadline_ms < UINT64_MAX / 2 / MS_NS)
        x.deadline_ns = os_clock_ns(db->os) + o->deadline_ms * MS_NS;
    for (;;) {
        x.tries++;
        rc = try_once(&x);
        if (rc != HOLT_CONFLICT) return rc;
        rc = pause_or_give_up(&x);
        if (rc != HOLT_OK) return rc;
    }
}
