/* stress_txn.c -- read-write transactions of the stress suite. */
#include "support/stress/stress_txn.h"

#include "support/stress/stress_actor.h"

#include <stdlib.h>

enum { TRIES = 50, DIGITS_BYTES = 24 };

/* A transaction that was revoked conflicts; it could as well have found that out by a read. */
static uint64_t revocations(holt *db)
{
    holt_db_stats stats = {0};
    return holt_stats(db, &stats, sizeof stats) == HOLT_OK ? stats.snapshots_revoked : UINT64_MAX;
}

static holt_status write_slot(const stress_txn *s, holt_txn *t, slot_write w)
{
    char key[STRESS_KEY_BYTES];
    uint8_t value[STRESS_VALUE_BYTES];
    holt_slice k = stress_key(s->thread, w.slot, key);
    holt_collection *c = s->handles[w.place];
    if (w.put) return holt_put(c, t, k, stress_value(s->thread, w.slot, s->op->n, value));
    return stress_delete(c, t, k, rng_chance(s->rng, 2));
}

/* The version of a slot after the first `done` writes of the operation. */
static uint32_t expected_version(const stress_txn *s, unsigned done, uint8_t place, unsigned slot)
{
    for (unsigned i = done; i > 0; i--)
        if (s->op->writes[i - 1].place == place && s->op->writes[i - 1].slot == slot)
            return s->op->writes[i - 1].put ? s->op->n : 0;
    return s->now->places[place].versions[slot];
}

/* A get of a key that the operation writes, or has written. */
static holt_status check_get(const stress_txn *s, holt_txn *t, unsigned done, slot_write w)
{
    char key[STRESS_KEY_BYTES];
    holt_value v = HOLT_VALUE_INIT;
    uint32_t expected = expected_version(s, done, w.place, w.slot);
    if (s->doubtful[w.place]) return HOLT_OK;
    holt_status rc = holt_get(s->handles[w.place], t, stress_key(s->thread, w.slot, key), &v);
    uint32_t got = rc == HOLT_OK ? stress_value_parse(holt_bytes(v.data, v.size), s->thread, w.slot) : 0;
    holt_value_free(&v);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    if (got != expected || (rc == HOLT_OK) != (expected != 0))
        verdict_fail(s->verdict,
                     "thread %u: a transaction sees version %u of key %u in place %u, expected %u", s->thread,
                     got, w.slot, w.place, expected);
    return HOLT_OK;
}

static holt_status check_scan(const stress_txn *s, holt_txn *t, unsigned done, uint8_t place)
{
    uint32_t versions[SLOTS];
    holt_status rc = HOLT_OK;
    if (s->doubtful[place]) return HOLT_OK;
    if (!stress_scan(s->handles[place], t, s->thread, versions, s->verdict, &rc)) return rc;
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (versions[slot] != expected_version(s, done, place, slot))
            verdict_fail(
                s->verdict,
                "thread %u: a scan in a transaction shows version %u of key %u in place %u, expected %u",
                s->thread, versions[slot], slot, place, expected_version(s, done, place, slot));
    return HOLT_OK;
}

/* Writes something else, perhaps sees it, and takes it back. */
static holt_status err(const stress_txn *s, holt_txn *t)
{
    char key[STRESS_KEY_BYTES];
    uint32_t id = 0;
    holt_status rc = holt_savepoint(t, &id);
    for (unsigned i = 0; i < s->op->write_count && rc == HOLT_OK; i++) {
        slot_write w = s->op->writes[i];
        holt_slice k = stress_key(s->thread, w.slot, key);
        holt_collection *c = s->handles[w.place];
        rc = rng_chance(s->rng, 2) ? holt_put(c, t, k, holt_str("an error")) : holt_delete(c, t, k);
    }
    holt_status back = id ? holt_rollback_to(t, id) : HOLT_OK;
    return rc == HOLT_OK ? back : rc;
}

static holt_status write_and_look(const stress_txn *s, holt_txn *t, unsigned done)
{
    slot_write w = s->op->writes[done];
    holt_status rc = HOLT_OK;
    if (rng_chance(s->rng, 3)) rc = err(s, t);
    if (rc == HOLT_OK && rng_chance(s->rng, 2)) rc = check_get(s, t, done, w);
    if (rc == HOLT_OK) rc = write_slot(s, t, w);
    if (rc == HOLT_OK && rng_chance(s->rng, 2)) rc = check_get(s, t, done + 1, w);
    if (rc == HOLT_OK && rng_chance(s->rng, 4)) rc = check_scan(s, t, done + 1, w.place);
    return rc;
}

holt_status stress_txn_commit(const stress_txn *s)
{
    holt_txn_options o = {.flags = rng_chance(s->rng, 2) ? HOLT_TXN_SERIALIZABLE : 0,
                          .durability = s->op->durability};
    holt_txn *t = NULL;
    uint64_t before = revocations(s->db);
    holt_status rc = holt_begin(s->db, &o, &t);
    for (unsigned i = 0; i < s->op->write_count && rc == HOLT_OK; i++)
        rc = write_and_look(s, t, i);
    if (rc == HOLT_OK) rc = holt_commit(t);
    if (rc == HOLT_CONFLICT && revocations(s->db) != before) rc = HOLT_BUSY;
    holt_rollback(t);
    return rc;
}

/* ---------------------------------------------------------------- sums */

typedef struct addition {
    holt_collection *c;
    holt_slice key;
    int64_t delta, *sum;
} addition;

static holt_status add(holt_txn *t, void *ctx)
{
    const addition *a = ctx;
    char digits[DIGITS_BYTES] = "";
    size_t size = 0;
    holt_status rc = holt_get_into(a->c, t, a->key, digits, sizeof digits - 1, &size);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    *a->sum = strtoll(digits, NULL, 10) + a->delta;
    snprintf(digits, sizeof digits, "%lld", (long long)*a->sum);
    return holt_put(a->c, t, a->key, holt_str(digits));
}

holt_status stress_txn_add(holt *db, holt_collection *c, holt_slice key, int64_t delta, uint32_t flags,
                           int64_t *sum)
{
    holt_transact_options o = {.txn = {.flags = flags}, .tries_max = TRIES};
    addition a = {c, key, delta, sum};
    holt_status rc = holt_transact(db, &o, add, &a);
    return rc == HOLT_CONFLICT ? HOLT_BUSY : rc;
}
