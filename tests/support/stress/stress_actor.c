/* stress_actor.c -- what the threads of the stress suite do. */
#include "support/stress/stress_actor.h"

#include "base/memory.h"
#include "db/open/open.h"
#include "support/must.h"
#include "support/stress/disturb.h"
#include "support/stress/stress_race.h"
#include "support/stress/stress_txn.h"

typedef struct actor {
    stress_world *w;
    thread_record *record;
    unsigned number;
    rng rng;
    holdings now;                            /* as acknowledged */
    holt_collection *handles[STRESS_PLACES]; /* of the places that exist */
    uint32_t incarnations[STRESS_PLACES];    /* grow with each creation */
    bool doubtful[STRESS_PLACES];            /* the outcome of an operation on it is unknown */
    bool taken[NAMES];                       /* in use, or in doubt */
    unsigned doubts;
    uint64_t announcements;
    uint64_t steps;

    holt_txn *snapshot; /* NULL: none */
    holdings seen;      /* what it must show */
    uint32_t seen_incarnations[STRESS_PLACES];
    uint64_t snapshot_until; /* step */
} actor;

enum { DOUBTS_MAX = 3 }; /* then the thread stops: with so much in doubt, checks would say little */

static bool fails(actor *a, const char *what, holt_status rc)
{
    return verdict_fail(&a->w->record->verdict, "thread %u, operation %u, step %llu: %s: %s (%s)", a->number,
                        a->record->last_n, (unsigned long long)a->steps, what, holt_status_name(rc),
                        rc == HOLT_OK ? "" : holt_error_message());
}

/* ---------------------------------------------------------------- operations and their outcomes */

static uint64_t now_ns(actor *a)
{
    return os_clock_ns(a->w->os);
}

bool stress_excuses(const stress_world *w, holt_status rc)
{
    return (rc == HOLT_IO && w->io_faults) || (rc == HOLT_NO_MEMORY && w->memory_faults) ||
           (rc == HOLT_NO_SPACE && w->space_faults);
}

static bool is_excused(const actor *a, holt_status rc)
{
    return stress_excuses(a->w, rc);
}

static outcome outcome_of(holt_status rc)
{
    return rc == HOLT_OK ? OUTCOME_DONE : rc == HOLT_IO ? OUTCOME_UNKNOWN : OUTCOME_NOT_DONE;
}

static bool is_doubtful(const actor *a, const operation_record *op)
{
    bool doubtful = op->deed != DEED_WRITE && op->deed != DEED_SYNC && a->doubtful[op->place];
    for (unsigned i = 0; i < op->write_count; i++)
        doubtful |= a->doubtful[op->writes[i].place];
    return doubtful;
}

/* 0: no limit. */
static uint64_t reader_age_max_ms(const stress_world *w)
{
    return w->seed / 2 % 2 ? 20 : 0;
}

static bool may_answer(const actor *a, const operation_record *op, holt_status rc)
{
    if (rc == HOLT_OK || is_excused(a, rc)) return true;
    if (rc == HOLT_BUSY) return op->deed == DEED_WRITE || op->deed == DEED_LOAD;
    if (rc == HOLT_CONFLICT && op->deed == DEED_WRITE && reader_age_max_ms(a->w))
        return true; /* the transaction was open for longer than that */
    /* After a drop whose outcome is unknown, or a load into a collection that may not be empty. */
    return (rc == HOLT_CLOSED || rc == HOLT_CONFLICT || rc == HOLT_EXISTS) && is_doubtful(a, op);
}

static operation_record *begin(actor *a, const operation_record *op)
{
    disturb_memory();
    return record_begin(a->w->record, a->record, op, now_ns(a));
}

static void note_doubt(actor *a, const operation_record *op)
{
    a->doubts++;
    for (unsigned i = 0; i < op->write_count; i++)
        a->doubtful[op->writes[i].place] = true;
    if (op->deed == DEED_WRITE || op->deed == DEED_SYNC) return;
    a->doubtful[op->place] = true;
    if (op->deed == DEED_CREATE || op->deed == DEED_RENAME) a->taken[op->name] = true;
}

/* Notes the outcome. false: the call must not return this. */
static bool end(actor *a, operation_record *op, holt_status rc)
{
    outcome o = outcome_of(rc);
    char words[DEED_BYTES];
    if (!may_answer(a, op, rc)) return fails(a, describe_operation(op, true, words), rc);
    record_end(a->w->record, a->record, op, o, now_ns(a));
    if (o == OUTCOME_DONE) holdings_apply(&a->now, op);
    if (o == OUTCOME_UNKNOWN) note_doubt(a, op);
    return true;
}

/* ---------------------------------------------------------------- writes */

/* A condition on one of the thread's keys, of whose value nobody else decides. flags 0: none. */
static holt_put_options any_condition(actor *a, slot_write w, bool holds)
{
    char key[STRESS_KEY_BYTES];
    bool present = a->now.places[w.place].versions[w.slot] != 0;
    if (rng_chance(&a->rng, 2))
        return (holt_put_options){.flags = present == holds ? HOLT_PUT_IF_PRESENT : HOLT_PUT_IF_ABSENT};
    holt_value v = HOLT_VALUE_INIT;
    holt_status rc = holt_get(a->handles[w.place], NULL, stress_key(a->number, w.slot, key), &v);
    holt_put_options o = {.flags = HOLT_PUT_IF_VERSION, .version = holds ? v.version : v.version + 1};
    holt_value_free(&v);
    if (rc == HOLT_OK || rc == HOLT_NOT_FOUND) return o;
    return (holt_put_options){0}; /* a fault */
}

holt_status stress_delete(holt_collection *c, holt_txn *t, holt_slice key, bool as_range)
{
    char end[STRESS_KEY_BYTES + 1];
    if (!as_range) return holt_delete(c, t, key);
    bytes_copy(end, key.data, key.size);
    end[key.size] = 0;
    return holt_delete_range(c, t, key, holt_bytes(end, key.size + 1));
}

/* A time at which a value expires that no test lives to see, or 0. */
static uint64_t any_expiry(actor *a)
{
    return rng_chance(&a->rng, 3) ? UINT64_MAX - rng_below(&a->rng, 1000) : 0;
}

/* Deletes a key, perhaps by a value that has expired: for all readers that is the same. Not on a full disk,
 * which accepts only deletes. */
static holt_status remove_slot(actor *a, holt_collection *c, holt_txn *t, holt_slice key)
{
    const holt_put_options past = {.expires_at_ms = 1 + rng_below(&a->rng, 1000)};
    if (a->w->space_faults || rng_chance(&a->rng, 2)) return stress_delete(c, t, key, rng_chance(&a->rng, 2));
    return holt_put_with(c, t, key, holt_str("has expired"), &past);
}

/* Puts or deletes a key as a commit of its own; often under a condition that holds. */
static holt_status write_alone(actor *a, slot_write w, uint32_t n)
{
    char key[STRESS_KEY_BYTES];
    uint8_t value[STRESS_VALUE_BYTES];
    holt_put_options o = {0};
    holt_slice k = stress_key(a->number, w.slot, key);
    if (!w.put) return remove_slot(a, a->handles[w.place], NULL, k);
    if (!a->doubtful[w.place] && rng_chance(&a->rng, 2)) o = any_condition(a, w, true);
    o.expires_at_ms = any_expiry(a);
    return holt_put_with(a->handles[w.place], NULL, k, stress_value(a->number, w.slot, n, value), &o);
}

static holt_status write_slot(actor *a, holt_txn *t, slot_write w, uint32_t n)
{
    char key[STRESS_KEY_BYTES];
    uint8_t value[STRESS_VALUE_BYTES];
    holt_slice k = stress_key(a->number, w.slot, key);
    holt_collection *c = a->handles[w.place];
    const holt_put_options o = {.expires_at_ms = any_expiry(a)};
    if (!w.put) return remove_slot(a, c, t, k);
    return holt_put_with(c, t, k, stress_value(a->number, w.slot, n, value), &o);
}

static holt_status commit_writes(actor *a, const operation_record *op)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = op->durability};
    holt_txn *t = NULL;
    if (rng_chance(&a->rng, 2)) {
        stress_txn s = {a->w->db,    a->handles, a->number, &a->now,
                        a->doubtful, op,         &a->rng,   &a->w->record->verdict};
        return stress_txn_commit(&s);
    }
    holt_status rc = holt_begin(a->w->db, &o, &t);
    for (unsigned i = 0; i < op->write_count && rc == HOLT_OK; i++)
        rc = write_slot(a, t, op->writes[i], op->n);
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static bool commit_operation(actor *a, operation_record op)
{
    for (unsigned i = 0; i < op.write_count; i++)
        a->now.places[op.writes[i].place].pristine = false; /* whatever it returns */
    operation_record *r = begin(a, &op);
    /* The database's own durability is HOLT_COMMIT: such a write can do without a transaction. */
    bool alone = op.write_count == 1 && op.durability == HOLT_COMMIT;
    holt_status rc = alone ? write_alone(a, op.writes[0], r->n) : commit_writes(a, r);
    return end(a, r, rc);
}

static uint8_t any_durability(actor *a)
{
    if (a->w->only_interval) return HOLT_INTERVAL;
    static const uint8_t some[] = {HOLT_COMMIT, HOLT_INTERVAL, HOLT_PROCESS, HOLT_PROCESS};
    return some[rng_below(&a->rng, sizeof some)];
}

/* A place that exists. */
static uint8_t any_place(actor *a)
{
    for (;;) {
        uint8_t p = (uint8_t)rng_below(&a->rng, STRESS_PLACES);
        if (a->handles[p]) return p;
    }
}

/* Neither a row nor an anchor. */
static slot_write any_write(actor *a)
{
    slot_write w = {.place = any_place(a), .put = !rng_chance(&a->rng, 4)};
    w.slot = (uint8_t)(w.place < SHARED ? ROWS + rng_below(&a->rng, SLOTS - ROWS)
                                        : ANCHOR + 1 + rng_below(&a->rng, SLOTS - ANCHOR - 1));
    return w;
}

static bool has_write(const operation_record *op, slot_write w)
{
    for (unsigned i = 0; i < op->write_count; i++)
        if (op->writes[i].place == w.place && op->writes[i].slot == w.slot) return true;
    return false;
}

static bool write_some(actor *a)
{
    operation_record op = {.deed = DEED_WRITE, .durability = any_durability(a)};
    uint64_t count = rng_chance(&a->rng, 3) ? 1 : 1 + rng_below(&a->rng, WRITES_MAX);
    for (uint64_t i = 0; i < count; i++) {
        slot_write w = any_write(a);
        if (!has_write(&op, w)) op.writes[op.write_count++] = w;
    }
    return commit_operation(a, op);
}

/* The same row in both shared collections, in one commit. */
static bool write_row(actor *a)
{
    operation_record op = {.deed = DEED_WRITE, .durability = any_durability(a)};
    uint8_t slot = (uint8_t)rng_below(&a->rng, ROWS);
    for (uint8_t p = 0; p < SHARED; p++)
        op.writes[op.write_count++] = (slot_write){p, slot, true};
    return commit_operation(a, op);
}

/* ---------------------------------------------------------------- the catalog */

static bool free_name(actor *a, uint8_t *name)
{
    uint64_t first = rng_below(&a->rng, NAMES);
    for (unsigned i = 0; i < NAMES; i++) {
        *name = (uint8_t)((first + i) % NAMES);
        if (!a->taken[*name]) return true;
    }
    return false;
}

/* Tells the other threads that the anchor exists and will stay; and that it may not. */
static void announce_anchor(actor *a, uint8_t place)
{
    uint64_t announced = ++a->announcements * NAMES + a->now.places[place].name;
    atomic_store_explicit(&a->record->anchored[place], announced, memory_order_release);
}

static void withdraw_anchor(actor *a, uint8_t place)
{
    /* The next call, which would make it untrue, takes locks: its effect is not visible before this. */
    atomic_store_explicit(&a->record->anchored[place], 0, memory_order_seq_cst);
}

static bool put_anchor(actor *a, uint8_t place)
{
    operation_record op = {.deed = DEED_WRITE, .durability = any_durability(a), .write_count = 1};
    op.writes[0] = (slot_write){place, ANCHOR, true};
    if (!commit_operation(a, op)) return false;
    if (a->now.places[place].versions[ANCHOR] == a->record->last_n) announce_anchor(a, place);
    return true;
}

static bool create(actor *a, uint8_t place)
{
    char name[STRESS_NAME_BYTES];
    operation_record op = {.deed = DEED_CREATE, .place = place};
    op.kind = rng_chance(&a->rng, 2) ? HOLT_LSM : HOLT_BTREE;
    if (!free_name(a, &op.name)) return true;
    operation_record *r = begin(a, &op);
    holt_collection_options o = {.kind = op.kind};
    holt_collection *c = NULL;
    holt_status rc = holt_collection_create(a->w->db, stress_name(a->number, op.name, name), &o, &c);
    if (!end(a, r, rc)) return false;
    if (rc != HOLT_OK) return true;
    a->taken[op.name] = true;
    a->handles[place] = c;
    a->incarnations[place]++;
    return rng_chance(&a->rng, 3) || put_anchor(a, place);
}

static bool drop(actor *a, uint8_t place)
{
    char name[STRESS_NAME_BYTES];
    uint8_t was = a->now.places[place].name;
    operation_record op = {.deed = DEED_DROP, .place = place, .name = was};
    operation_record *r = begin(a, &op);
    holt_status rc = holt_collection_drop(a->w->db, stress_name(a->number, was, name));
    if (!end(a, r, rc)) return false;
    if (rc != HOLT_OK) return true;
    withdraw_anchor(a, place); /* not before: while it is being dropped, it has its anchor */
    holt_collection_close(a->handles[place]);
    a->handles[place] = NULL;
    a->taken[was] = false;
    return true;
}

static bool rename_one(actor *a, uint8_t place)
{
    char from[STRESS_NAME_BYTES], to[STRESS_NAME_BYTES];
    uint8_t was = a->now.places[place].name;
    operation_record op = {.deed = DEED_RENAME, .place = place};
    if (!free_name(a, &op.name)) return true;
    withdraw_anchor(a, place);
    operation_record *r = begin(a, &op);
    holt_status rc = holt_collection_rename(a->w->db, stress_name(a->number, was, from),
                                            stress_name(a->number, op.name, to));
    if (!end(a, r, rc)) return false;
    if (rc != HOLT_OK) return true;
    a->taken[was] = false;
    a->taken[op.name] = true;
    if (a->now.places[place].versions[ANCHOR]) announce_anchor(a, place);
    return true;
}

static bool clear(actor *a, uint8_t place)
{
    operation_record op = {.deed = DEED_CLEAR, .place = place};
    withdraw_anchor(a, place);
    operation_record *r = begin(a, &op);
    return end(a, r, holt_collection_clear(a->handles[place]));
}

static holt_status load_slots(actor *a, holt_load *load, uint32_t n)
{
    char key[STRESS_KEY_BYTES];
    uint8_t value[STRESS_VALUE_BYTES];
    holt_status rc = HOLT_OK;
    for (unsigned slot = 0; slot < SLOTS && rc == HOLT_OK; slot++)
        if (record_loads(n, slot))
            rc = holt_load_put(load, stress_key(a->number, slot, key),
                               stress_value(a->number, slot, n, value));
    return rc;
}

static bool load(actor *a, uint8_t place)
{
    holt_load *l = NULL;
    operation_record op = {.deed = DEED_LOAD, .place = place};
    operation_record *r = begin(a, &op);
    holt_status rc = holt_load_begin(a->handles[place], NULL, &l);
    if (rc == HOLT_OK) rc = load_slots(a, l, r->n);
    if (rc == HOLT_OK && !rng_chance(&a->rng, 8)) {
        rc = holt_load_commit(l);
    } else if (rc == HOLT_OK || rc == HOLT_IO) {
        /* Aborted, or never committed: it has had no effect. */
        holt_load_abort(l);
        record_end(a->w->record, a->record, r, OUTCOME_NOT_DONE, now_ns(a));
        return rc == HOLT_OK || is_excused(a, rc) || fails(a, "load", rc);
    }
    bool good = end(a, r, rc); /* while the message of the failure is still there */
    if (rc == HOLT_OK) announce_anchor(a, place);
    holt_load_abort(l);
    return good;
}

/* Does something to one of the thread's own collections, if it is not in doubt. */
static bool change_some_place(actor *a)
{
    uint8_t place = (uint8_t)(SHARED + rng_below(&a->rng, OWN));
    if (a->doubtful[place]) return true;
    if (!a->handles[place]) return create(a, place);
    if (a->now.places[place].pristine && rng_chance(&a->rng, 2)) return load(a, place);
    switch (rng_below(&a->rng, 6)) {
    case 0:
        return rename_one(a, place);
    case 1:
    case 2:
        return clear(a, place) && (rng_chance(&a->rng, 2) || put_anchor(a, place));
    default:
        return drop(a, place);
    }
}

/* When the catalog is busy, one change in eight is delayed wherever possible: other records must not come
 * between its parts. */
static bool change_catalog(actor *a)
{
    disturb_press_thread(a->w->busy_catalog && rng_chance(&a->rng, 8));
    bool good = change_some_place(a);
    disturb_press_thread(false);
    return good;
}

/* ---------------------------------------------------------------- flush, compaction, sync */

static bool upkeep_answer(actor *a, const char *what, holt_status rc)
{
    return rc == HOLT_OK || rc == HOLT_BUSY || is_excused(a, rc) || fails(a, what, rc);
}

/* Everything acknowledged before it is durable when it returns. */
static bool make_durable(actor *a)
{
    bool flushes = rng_chance(&a->rng, 2);
    operation_record op = {.deed = DEED_SYNC};
    holt_db_stats before, after;
    holt_status rc = holt_stats(a->w->db, &before, sizeof before);
    if (rc != HOLT_OK) return upkeep_answer(a, "stats", rc);
    operation_record *r = begin(a, &op);
    rc = flushes ? holt_flush(a->w->db) : holt_sync(a->w->db);
    if (rc != HOLT_OK) {
        bool good = upkeep_answer(a, flushes ? "flush" : "sync", rc);
        if (good) record_end(a->w->record, a->record, r, OUTCOME_NOT_DONE, now_ns(a));
        return good;
    }
    if (!end(a, r, rc)) return false;
    rc = holt_stats(a->w->db, &after, sizeof after);
    if (rc != HOLT_OK) return upkeep_answer(a, "stats", rc);
    if (after.durable_seqno >= before.last_seqno && after.last_seqno >= after.durable_seqno) return true;
    return verdict_fail(
        &a->w->record->verdict,
        "thread %u: durable_seqno %llu after a %s that came after seqno %llu; last_seqno %llu", a->number,
        (unsigned long long)after.durable_seqno, flushes ? "flush" : "sync",
        (unsigned long long)before.last_seqno, (unsigned long long)after.last_seqno);
}

static holt_status check_reader(void *ctx, const holt_reader *reader)
{
    unsigned *wrong = ctx;
    *wrong += reader->kind < HOLT_READER_SNAPSHOT || reader->kind > HOLT_READER_CURSOR || *reader->label;
    return HOLT_OK;
}

/* Beside readers that begin, end and are revoked. */
static bool list_readers(actor *a)
{
    unsigned wrong = 0;
    holt_status rc = holt_readers(a->w->db, check_reader, &wrong);
    if (rc != HOLT_OK) return upkeep_answer(a, "list of readers", rc);
    return wrong == 0 ||
           verdict_fail(&a->w->record->verdict, "thread %u: %u listed readers have a wrong kind or label",
                        a->number, wrong);
}

static bool compact(actor *a)
{
    static const holt_slice open_end = {NULL, 0};
    uint8_t place = any_place(a);
    holt_status rc = holt_compact(a->handles[place], open_end, open_end);
    return (rc == HOLT_CLOSED && a->doubtful[place]) || upkeep_answer(a, "compact", rc);
}

/* ---------------------------------------------------------------- reads */

static bool read_answer(actor *a, const char *what, holt_status rc)
{
    return is_excused(a, rc) || fails(a, what, rc);
}

/* A put under a condition that does not hold changes nothing. */
static bool check_refusal(actor *a)
{
    char key[STRESS_KEY_BYTES];
    slot_write w = any_write(a);
    if (a->doubtful[w.place]) return true;
    holt_put_options o = any_condition(a, w, false);
    if (!o.flags) return true;
    bool present = a->now.places[w.place].versions[w.slot] != 0;
    holt_status refusal = o.flags == HOLT_PUT_IF_VERSION ? HOLT_CONFLICT
                          : present                      ? HOLT_EXISTS
                                                         : HOLT_NOT_FOUND;
    holt_status rc =
        holt_put_with(a->handles[w.place], NULL, stress_key(a->number, w.slot, key), holt_str("refused"), &o);
    return rc == refusal || (rc != HOLT_OK && is_excused(a, rc)) ||
           fails(a, "a put that must be refused", rc);
}

/* A get by holt_get_first: the range ends at the shortest key that is larger. */
static holt_status get_as_first(holt_collection *c, holt_slice wanted, holt_value *value)
{
    char end[STRESS_KEY_BYTES + 1];
    holt_value key = HOLT_VALUE_INIT;
    memcpy(end, wanted.data, wanted.size);
    end[wanted.size] = 0;
    holt_status rc = holt_get_first(c, NULL, wanted, holt_bytes(end, wanted.size + 1), &key, value);
    if (rc == HOLT_OK && (key.size != wanted.size || memcmp(key.data, wanted.data, key.size) != 0)) abort();
    holt_value_free(&key);
    return rc;
}

static bool check_own_key(actor *a)
{
    char key[STRESS_KEY_BYTES];
    uint8_t place = any_place(a);
    unsigned slot = (unsigned)rng_below(&a->rng, SLOTS);
    if (a->doubtful[place]) return true;
    holt_value v = HOLT_VALUE_INIT;
    uint32_t expected = a->now.places[place].versions[slot];
    holt_slice wanted = stress_key(a->number, slot, key);
    holt_status rc = slot % 2 ? holt_get_cached(a->handles[place], NULL, wanted, &v) : HOLT_BUSY;
    if (rc == HOLT_BUSY)
        rc = slot % 4 ? holt_get(a->handles[place], NULL, wanted, &v)
                      : get_as_first(a->handles[place], wanted, &v);
    uint32_t got = rc == HOLT_OK ? stress_value_parse(holt_bytes(v.data, v.size), a->number, slot) : 0;
    holt_value_free(&v);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return read_answer(a, "get of an own key", rc);
    if (got == expected && (rc == HOLT_OK) == (expected != 0)) return true;
    return verdict_fail(
        &a->w->record->verdict,
        "thread %u, step %llu: get of own key %u in place %u: %s, version %u; wrote version %u", a->number,
        (unsigned long long)a->steps, slot, place, holt_status_name(rc), got, expected);
}

/* Takes in the entry under the cursor. `from`: the slot before, -1 or SLOTS; it must come before, in the
 * direction of the walk. */
static bool take_entry(holt_cursor *cursor, unsigned thread, bool forward, int *from,
                       uint32_t versions[SLOTS], verdict *v)
{
    char words[DESCRIBE_BYTES];
    unsigned slot;
    if (!stress_key_parse(holt_cursor_key(cursor), thread, &slot))
        return verdict_fail(v, "thread %u has no key %s", thread, describe(holt_cursor_key(cursor), words));
    if (forward ? (int)slot <= *from : (int)slot >= *from)
        return verdict_fail(v, "thread %u: a walk %s comes to key %u after %d", thread,
                            forward ? "forward" : "backward", slot, *from);
    *from = (int)slot;
    versions[slot] = stress_value_parse(holt_cursor_value(cursor), thread, slot);
    return versions[slot] != 0 || verdict_fail(v, "thread %u: key %u has a value of no version: %s", thread,
                                               slot, describe(holt_cursor_value(cursor), words));
}

static bool walk(holt_cursor *cursor, unsigned thread, bool forward, uint32_t versions[SLOTS], verdict *v)
{
    int from = forward ? -1 : SLOTS;
    memset(versions, 0, SLOTS * sizeof *versions);
    bool on = forward ? holt_cursor_first(cursor) : holt_cursor_last(cursor);
    while (on) {
        if (!take_entry(cursor, thread, forward, &from, versions, v)) return false;
        on = forward ? holt_cursor_next(cursor) : holt_cursor_prev(cursor);
    }
    return true;
}

bool stress_scan(holt_collection *c, holt_txn *t, unsigned thread, uint32_t versions[SLOTS], verdict *v,
                 holt_status *rc)
{
    char prefix[STRESS_KEY_BYTES];
    uint32_t backward[SLOTS];
    holt_cursor *cursor;
    holt_cursor_options o = {.prefix = stress_prefix(thread, prefix)};
    *rc = holt_cursor_open(c, t, &o, &cursor);
    if (*rc != HOLT_OK) return false;
    bool good = walk(cursor, thread, true, versions, v);
    *rc = holt_cursor_status(cursor); /* the first move of the next walk would hide it */
    if (good && *rc == HOLT_OK) {
        good = walk(cursor, thread, false, backward, v);
        *rc = holt_cursor_status(cursor);
    }
    (void)holt_cursor_close(cursor); /* repeats the status */
    if (!good || *rc != HOLT_OK) return false;
    return memcmp(versions, backward, sizeof backward) == 0 ||
           verdict_fail(v, "thread %u: the same cursor shows one thing forward and another backward", thread);
}

/* What stress_scan returns, by a get of all keys at once. A faulty read fails single keys. */
static bool get_all(holt_collection *c, holt_txn *t, unsigned thread, uint32_t versions[SLOTS], verdict *v,
                    holt_status *rc)
{
    char room[SLOTS][STRESS_KEY_BYTES];
    holt_slice keys[SLOTS];
    holt_value values[SLOTS];
    holt_status statuses[SLOTS];
    bool good = true;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        keys[slot] = stress_key(thread, slot, room[slot]);
        values[slot] = (holt_value)HOLT_VALUE_INIT;
    }
    *rc = holt_get_many(c, t, SLOTS, keys, values, statuses);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        holt_slice value = holt_bytes(values[slot].data, values[slot].size);
        bool found = statuses[slot] == HOLT_OK;
        versions[slot] = found ? stress_value_parse(value, thread, slot) : 0;
        good &= !found || versions[slot] != 0;
        holt_value_free(&values[slot]);
    }
    return (good || verdict_fail(v, "thread %u: a get of many finds a value of no version", thread)) &&
           *rc == HOLT_OK;
}

static bool read_all(actor *a, uint8_t place, holt_txn *t, uint32_t versions[SLOTS], holt_status *rc)
{
    verdict *v = &a->w->record->verdict;
    if (rng_chance(&a->rng, 3)) return get_all(a->handles[place], t, a->number, versions, v, rc);
    return stress_scan(a->handles[place], t, a->number, versions, v, rc);
}

static bool same_versions(actor *a, uint8_t place, const uint32_t got[SLOTS], const uint32_t expected[SLOTS],
                          const char *what)
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (got[slot] != expected[slot])
            return verdict_fail(
                &a->w->record->verdict,
                "thread %u, step %llu: %s of place %u shows version %u of key %u, expected %u", a->number,
                (unsigned long long)a->steps, what, place, got[slot], slot, expected[slot]);
    return true;
}

static bool check_own_place(actor *a)
{
    uint32_t versions[SLOTS];
    uint8_t place = any_place(a);
    holt_status rc;
    if (a->doubtful[place]) return true;
    if (read_all(a, place, NULL, versions, &rc))
        return same_versions(a, place, versions, a->now.places[place].versions, "a walk or a get");
    return rc != HOLT_OK && (rc == HOLT_BUSY || read_answer(a, "walk over an own collection", rc));
}

static holt_status begin_snapshot(actor *a, holt_txn **t)
{
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    return holt_begin(a->w->db, &o, t);
}

/* Version of a row in one shared collection; 0: absent, or *rc says why it could not be read. */
static uint32_t row_version(actor *a, holt_txn *t, unsigned p, unsigned owner, unsigned row, holt_status *rc)
{
    char key[STRESS_KEY_BYTES];
    holt_value v = HOLT_VALUE_INIT;
    *rc = holt_get(a->w->shared[p], t, stress_key(owner, row, key), &v);
    uint32_t n = *rc == HOLT_OK ? stress_value_parse(holt_bytes(v.data, v.size), owner, row) : 0;
    holt_value_free(&v);
    return n;
}

static holt_status begin_any_reader(actor *a, holt_txn **t)
{
    static const uint32_t flags[] = {HOLT_TXN_READ_ONLY, HOLT_TXN_READ_ONLY, 0, HOLT_TXN_SERIALIZABLE};
    holt_txn_options o = {.flags = flags[rng_below(&a->rng, 4)]};
    return holt_begin(a->w->db, &o, t);
}

/* A row of any thread, in a snapshot: the same version in both collections. */
static bool check_row(actor *a)
{
    unsigned owner = (unsigned)rng_below(&a->rng, STRESS_THREADS), row = (unsigned)rng_below(&a->rng, ROWS);
    uint32_t n[SHARED] = {0, 0};
    holt_txn *t = NULL;
    holt_status rc = begin_any_reader(a, &t);
    if (rc != HOLT_OK) return read_answer(a, "begin of a snapshot", rc);
    for (unsigned p = 0; p < SHARED && (rc == HOLT_OK || rc == HOLT_NOT_FOUND); p++)
        n[p] = row_version(a, t, p, owner, row, &rc);
    holt_rollback(t);
    if (rc == HOLT_BUSY) return true; /* revoked */
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return read_answer(a, "get of a row", rc);
    if (n[0] == n[1]) return true;
    return verdict_fail(
        &a->w->record->verdict,
        "thread %u: a snapshot shows a commit in part: row %u of thread %u has versions %u and %u", a->number,
        row, owner, n[0], n[1]);
}

/* ---------------------------------------------------------------- a snapshot that is kept */

static void end_snapshot(actor *a)
{
    holt_rollback(a->snapshot);
    a->snapshot = NULL;
}

static bool take_snapshot(actor *a)
{
    holt_status rc = begin_snapshot(a, &a->snapshot);
    if (rc != HOLT_OK) return read_answer(a, "begin of a snapshot", rc);
    a->seen = a->now;
    memcpy(a->seen_incarnations, a->incarnations, sizeof a->incarnations);
    a->snapshot_until = a->steps + 1 + rng_below(&a->rng, 200);
    return true;
}

static bool check_seen_place(actor *a, uint8_t place)
{
    uint32_t versions[SLOTS];
    holt_status rc;
    if (read_all(a, place, a->snapshot, versions, &rc))
        return same_versions(a, place, versions, a->seen.places[place].versions, "a kept snapshot");
    return rc != HOLT_OK && (rc == HOLT_BUSY || read_answer(a, "walk in a kept snapshot", rc));
}

static bool check_snapshot(actor *a)
{
    bool good = true;
    for (uint8_t p = 0; p < STRESS_PLACES && good; p++) {
        bool same =
            a->seen.places[p].exists && a->handles[p] && a->incarnations[p] == a->seen_incarnations[p];
        if (same && !a->doubtful[p]) good = check_seen_place(a, p);
    }
    end_snapshot(a);
    return good;
}

/* ---------------------------------------------------------------- the list of collections */

static bool check_list(actor *a)
{
    char **names;
    size_t count;
    bool there[NAMES] = {false};
    holt_status rc = holt_collection_list(a->w->db, &names, &count);
    if (rc != HOLT_OK) return read_answer(a, "list", rc);
    for (size_t i = 0; i < count; i++) {
        unsigned owner, number;
        if (stress_name_parse(names[i], &owner, &number) && owner == a->number) there[number] = true;
    }
    holt_free(names);
    bool doubts = a->doubts > 0;
    for (unsigned i = 0; i < NAMES; i++)
        if (there[i] != a->taken[i] && !doubts)
            return verdict_fail(&a->w->record->verdict,
                                "thread %u, step %llu: own collection %u is %s the list", a->number,
                                (unsigned long long)a->steps, i, there[i] ? "still in" : "not in");
    return true;
}

/* ---------------------------------------------------------------- other threads' collections */

static bool goes_on(const actor *a)
{
    stress_record *r = a->w->record;
    return !atomic_load_explicit(&r->stop, memory_order_relaxed) && !verdict_failed(&r->verdict) &&
           a->doubts < DOUBTS_MAX && !record_is_full(a->record);
}

/* Whether the collection still is the one announced; while it is, it may only be dropped. */
static bool is_still(const thread_record *t, uint8_t place, uint64_t announced)
{
    return atomic_load_explicit(&t->anchored[place], memory_order_seq_cst) == announced;
}

/* Looks for the anchor. HOLT_NOT_FOUND: it is not there. */
static holt_status look_for_anchor(actor *a, holt_collection *c, unsigned owner)
{
    char key[STRESS_KEY_BYTES];
    uint32_t versions[SLOTS];
    holt_status rc;
    if (!rng_chance(&a->rng, 4)) return holt_exists(c, NULL, stress_key(owner, ANCHOR, key));
    bool whole = stress_scan(c, NULL, owner, versions, &a->w->record->verdict, &rc);
    return whole && !versions[ANCHOR] ? HOLT_NOT_FOUND : rc;
}

/* Gets the anchor of another thread's collection again and again: it exists until the collection is gone. */
static bool watch_anchor(actor *a, holt_collection *c, unsigned owner, uint8_t place, uint64_t announced)
{
    const thread_record *t = &a->w->record->threads[owner];
    uint64_t looks = rng_below(&a->rng, 300);
    for (uint64_t i = 0; i < looks && is_still(t, place, announced) && goes_on(a); i++) {
        os_sleep(a->w->os, rng_below(&a->rng, 200000));
        holt_status rc = look_for_anchor(a, c, owner);
        if (rc == HOLT_CLOSED || !is_still(t, place, announced)) return true;
        if (rc == HOLT_NOT_FOUND)
            return verdict_fail(
                &a->w->record->verdict,
                "thread %u: the anchor of thread %u's place %u is not found, and was never deleted",
                a->number, owner, place);
        if (rc != HOLT_OK && rc != HOLT_BUSY && !is_excused(a, rc)) return fails(a, "get of an anchor", rc);
    }
    return true;
}

static bool watch_somebody(actor *a)
{
    char name[STRESS_NAME_BYTES];
    unsigned owner = (unsigned)rng_below(&a->rng, STRESS_THREADS);
    uint8_t place = (uint8_t)(SHARED + rng_below(&a->rng, OWN));
    const thread_record *t = &a->w->record->threads[owner];
    /* Acquire: the anchor is written before it is announced. */
    uint64_t announced = atomic_load_explicit(&t->anchored[place], memory_order_acquire);
    if (!announced) return true;
    holt_collection *c = NULL;
    holt_status rc =
        holt_collection_open(a->w->db, stress_name(owner, (unsigned)(announced % NAMES), name), &c);
    if (rc == HOLT_NOT_FOUND) return true;
    if (rc != HOLT_OK) return read_answer(a, "open of another thread's collection", rc);
    bool good = !is_still(t, place, announced) || watch_anchor(a, c, owner, place, announced);
    holt_collection_close(c);
    return good;
}

/* ---------------------------------------------------------------- the thread */

static bool excuses(void *ctx, holt_status rc)
{
    return is_excused((actor *)ctx, rc);
}

static bool race(actor *a)
{
    racer r = {a->w->record, a->record, a->number, a->w->db, a->w->os, excuses, a};
    return race_step(&r, &a->rng, &a->doubts);
}

static bool verify_live(actor *a)
{
    return upkeep_answer(a, "holt_verify_live", holt_verify_live(a->w->db, NULL, NULL, 0));
}

static bool step(actor *a)
{
    if (a->w->only_interval) {
        os_sleep(a->w->os, rng_below(&a->rng, 4000000));
        return write_row(a);
    }
    if (a->snapshot && a->steps >= a->snapshot_until && !check_snapshot(a)) return false;
    if (a->w->busy_catalog && !a->w->parts.no_catalog && rng_chance(&a->rng, 4))
        return rng_chance(&a->rng, 10) ? make_durable(a) : change_catalog(a);
    uint64_t choice = rng_below(&a->rng, 1000);
    if (choice < 450) return write_some(a);
    if (choice < 570) return write_row(a);
    if (choice < 650) return a->w->parts.no_catalog || change_catalog(a);
    if (choice < 660) return make_durable(a);
    if (choice < 665) return compact(a) && list_readers(a);
    if (choice < 667) return verify_live(a);
    if (choice < 697) return a->w->parts.no_catalog || race(a);
    if (choice < 730) return a->w->parts.no_watch || watch_somebody(a);
    if (choice < 750) return check_refusal(a);
    if (choice < 800) return check_own_key(a);
    if (choice < 850) return check_own_place(a);
    if (choice < 960) return check_row(a);
    if (choice < 970) return check_list(a);
    return a->snapshot || take_snapshot(a);
}

static bool rests(const actor *a)
{
    return atomic_load_explicit(&a->w->record->rest, memory_order_relaxed);
}

/* Opens what the thread has from earlier episodes. */
static bool take_over(actor *a)
{
    char name[STRESS_NAME_BYTES];
    a->now = a->record->base;
    for (uint8_t p = 0; p < STRESS_PLACES; p++) {
        holding *h = &a->now.places[p];
        if (p < SHARED) a->handles[p] = a->w->shared[p];
        if (p < SHARED || !h->exists) continue;
        a->taken[h->name] = true;
        holt_status rc =
            holt_collection_open(a->w->db, stress_name(a->number, h->name, name), &a->handles[p]);
        if (rc != HOLT_OK) return fails(a, "open of an own collection", rc);
    }
    return true;
}

/* Begins nothing more until the rest is over. Before it there is a last commit, which is delayed wherever
 * possible. */
static bool rest(actor *a)
{
    disturb_press_thread(true);
    bool good = write_row(a);
    disturb_press_thread(false);
    while (rests(a) && goes_on(a))
        os_sleep(a->w->os, 1000000);
    return good;
}

static void *act(void *ctx)
{
    actor *a = (actor *)ctx;
    bool good = take_over(a);
    while (good && goes_on(a)) {
        good = rests(a) ? rest(a) : step(a);
        a->steps++;
    }
    mem_fail_at(0, false);
    end_snapshot(a);
    return NULL;
}

struct stress_crew {
    actor actors[STRESS_THREADS];
    pthread_t threads[STRESS_THREADS];
};

stress_crew *stress_start(stress_world *w)
{
    stress_crew *crew = (stress_crew *)must_alloc(sizeof *crew);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        actor *a = &crew->actors[i];
        a->w = w;
        a->number = i;
        a->record = &w->record->threads[i];
        rng_seed(&a->rng, w->seed * STRESS_THREADS + i);
        if (pthread_create(&crew->threads[i], NULL, act, a) != 0) abort();
    }
    return crew;
}

void stress_join(stress_crew *crew)
{
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        pthread_join(crew->threads[i], NULL);
    free(crew);
}

holt_status stress_open(stress_world *w)
{
    holt_options o = {.memory_bytes = 16 << 20,
                      .memtable_bytes = 64 << 10,
                      .interval_ms = STRESS_INTERVAL_MS,
                      .background_threads = 2,
                      .max_reader_age_ms = reader_age_max_ms(w),
                      .slow_ms = w->seed / 4 % 2};
    static const uint32_t kinds[SHARED] = {HOLT_LSM, HOLT_BTREE};
    holt_status rc = holt_open_on(w->os, w->path, &o, &w->db);
    for (unsigned p = 0; p < SHARED && rc == HOLT_OK; p++) {
        holt_collection_options or_open = {.kind = kinds[p], .flags = HOLT_CREATE_OR_OPEN};
        rc = holt_collection_create(w->db, shared_names[p], &or_open, &w->shared[p]);
    }
    return rc;
}

stress_parts stress_parts_from_environment(void)
{
    const char *without = getenv("HOLT_STRESS_WITHOUT");
    stress_parts p = {0};
    if (!without) return p;
    p.no_files = strstr(without, "files") != NULL;
    p.no_disks = strstr(without, "disks") != NULL;
    p.no_catalog = strstr(without, "catalog") != NULL;
    p.no_interval = strstr(without, "interval") != NULL;
    p.no_watch = strstr(without, "watch") != NULL;
    return p;
}
