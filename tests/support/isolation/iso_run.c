/* iso_run.c -- random concurrent transactions, recorded. */
#include "support/isolation/iso_run.h"

#include "base/random.h"
#include "support/must.h"

#include <sched.h>
#include <unistd.h>

enum { OPERATIONS_MAX = 8, KEYS_MAX = 256 };

typedef struct run {
    const iso_plan *plan;
    verdict *verdict;
    /* Sequentially consistent: what a call returned before another began must have the lower number. */
    _Atomic uint64_t clock;
    _Atomic uint32_t ids; /* relaxed: they need only differ */
} run;

typedef struct client {
    run *run;
    iso_history *history;
    rng rng;
    /* The transaction that runs. */
    void *t; /* NULL: operations without one */
    iso_txn *record;
    uint32_t flags;
    bool over; /* a call has ended it, or it must not go on */
    bool saved;
    uint32_t savepoint;
    /* What it saw last of each key, for the values that it writes. */
    struct sight {
        uint32_t number;
        unsigned collection;
        iso_version version;
    } seen[KEYS_MAX];
    size_t seen_count;
    iso_value found[ISO_SCAN_MAX];
    iso_item items[ISO_SCAN_MAX];
} client;

static uint64_t tick(client *c)
{
    return atomic_fetch_add(&c->run->clock, 1) + 1;
}

/* Lets others come between, in all lengths. */
static void dawdle(client *c)
{
    if (rng_chance(&c->rng, 4)) sched_yield();
    if (rng_chance(&c->rng, 24)) usleep((useconds_t)rng_below(&c->rng, 300));
}

/* ---------------------------------------------------------------- statuses */

/* Whether the operation was done. If not, the transaction goes on no more. */
static bool went_well(client *c, holt_status rc, const char *call)
{
    if (rc == HOLT_OK) return true;
    c->over = true;
    /* A revoked snapshot, a full budget, or a conflict that is found early. */
    if (rc == HOLT_BUSY || (rc == HOLT_CONFLICT && c->t)) return false;
    return verdict_fail(c->run->verdict, "T%u: %s: %s (%s)", iso_id(c->record), call, holt_status_name(rc),
                        holt_error_message());
}

/* ---------------------------------------------------------------- what was seen */

static void remember(client *c, iso_key key, iso_version v)
{
    unsigned collection = (unsigned)(key >> 32);
    uint32_t number = (uint32_t)key;
    size_t i = 0;
    while (i < c->seen_count && (c->seen[i].number != number || c->seen[i].collection != collection))
        i++;
    if (i == KEYS_MAX) return;
    if (i == c->seen_count) c->seen_count++;
    c->seen[i] = (struct sight){number, collection, v};
}

static iso_version remembered(const client *c, iso_key key)
{
    for (size_t i = 0; i < c->seen_count; i++)
        if (iso_key_in(c->seen[i].collection, c->seen[i].number) == key) return c->seen[i].version;
    return ISO_ABSENT;
}

/* A value that was read, with what it says of its predecessor. */
static void take_value(client *c, const iso_value *v)
{
    remember(c, v->key, v->self);
    if (v->before.txn != ISO_ABSENT.txn) iso_order(c->history, v->key, v->before, v->self);
}

/* ---------------------------------------------------------------- operations */

static iso_key any_key(client *c)
{
    const iso_plan *p = c->run->plan;
    unsigned collection = p->first_collection + (unsigned)rng_below(&c->rng, p->collections);
    return iso_key_in(collection, p->first_key + (uint32_t)rng_below(&c->rng, p->keys));
}

/* Returns whether the key has a value. */
static bool read_key(client *c, iso_key key)
{
    const iso_store *s = &c->run->plan->store;
    iso_value v;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->get(s->ctx, c->t, key, &v);
    span.returned = tick(c);
    if (rc != HOLT_NOT_FOUND && !went_well(c, rc, "get")) return false;
    iso_read(c->record, key, rc == HOLT_OK ? v.self : ISO_ABSENT, span);
    if (rc == HOLT_OK)
        take_value(c, &v);
    else
        remember(c, key, ISO_ABSENT);
    return rc == HOLT_OK;
}

/* Several keys of a collection, as of one moment. */
static void read_many(client *c)
{
    const iso_store *s = &c->run->plan->store;
    iso_key keys[ISO_MANY_MAX];
    iso_value values[ISO_MANY_MAX];
    holt_status statuses[ISO_MANY_MAX];
    size_t count = 1 + (size_t)rng_below(&c->rng, ISO_MANY_MAX);
    iso_key first = any_key(c);
    for (size_t i = 0; i < count; i++)
        keys[i] = (first & ~(iso_key)UINT32_MAX) | (any_key(c) & UINT32_MAX);
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->get_many(s->ctx, c->t, count, keys, values, statuses);
    span.returned = tick(c);
    if (!went_well(c, rc, "get_many")) return;
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] != HOLT_NOT_FOUND && !went_well(c, statuses[i], "get_many, of one key")) return;
        iso_read(c->record, keys[i], statuses[i] == HOLT_OK ? values[i].self : ISO_ABSENT, span);
        if (statuses[i] == HOLT_OK)
            take_value(c, &values[i]);
        else
            remember(c, keys[i], ISO_ABSENT);
    }
}

static uint32_t any_size(client *c)
{
    return (uint32_t)rng_below(&c->rng, c->run->plan->value_bytes_max + 1);
}

/* A put that is made only if the key has no value, which it then has seen. */
static void insert_key(client *c, iso_key key)
{
    const iso_store *s = &c->run->plan->store;
    iso_value v = {.key = key, .self = iso_next(c->record), .before = ISO_ABSENT, .size = any_size(c)};
    v.self.op++; /* the read is recorded first */
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->insert(s->ctx, c->t, &v);
    span.returned = tick(c);
    if (rc == HOLT_EXISTS || !went_well(c, rc, "insert")) return;
    iso_read(c->record, key, ISO_ABSENT, span);
    iso_put(c->record, key, span);
    remember(c, key, v.self);
}

/* Without a transaction: a get, and a put that is made only if nobody has written the key since. */
static void compare_and_set(client *c, iso_key key)
{
    const iso_store *s = &c->run->plan->store;
    iso_value v;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->get(s->ctx, NULL, key, &v);
    span.returned = tick(c);
    if (rc == HOLT_NOT_FOUND || !went_well(c, rc, "get")) return;
    iso_read(c->record, key, v.self, span);
    take_value(c, &v);
    dawdle(c);
    v = (iso_value){key, iso_next(c->record), v.self, any_size(c), v.check};
    span.asked = tick(c);
    rc = s->replace(s->ctx, &v);
    span.returned = tick(c);
    if (rc == HOLT_CONFLICT || !went_well(c, rc, "replace")) return;
    iso_put(c->record, key, span);
}

static void put_key(client *c, iso_key key)
{
    const iso_plan *p = c->run->plan;
    iso_value v = {
        .key = key, .self = iso_next(c->record), .before = remembered(c, key), .size = any_size(c)};
    iso_span span = {.asked = tick(c)};
    holt_status rc = p->store.put(p->store.ctx, c->t, &v);
    span.returned = tick(c);
    if (!went_well(c, rc, "put")) return;
    iso_put(c->record, key, span);
    remember(c, key, v.self);
}

static void remove_key(client *c, iso_key key)
{
    const iso_store *s = &c->run->plan->store;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->remove(s->ctx, c->t, key);
    span.returned = tick(c);
    if (!went_well(c, rc, "delete")) return;
    iso_delete(c->record, key, span);
    remember(c, key, ISO_ABSENT);
}

/* Every key of the collection that there can be in the range. */
static void record_removal(client *c, iso_key begin, iso_key end, iso_span span)
{
    const iso_plan *p = c->run->plan;
    iso_key base = begin & ~(iso_key)UINT32_MAX;
    for (iso_key k = base + p->first_key; k < base + p->first_key + p->keys; k++)
        if (k >= begin && k < end) {
            iso_delete(c->record, k, span);
            remember(c, k, ISO_ABSENT);
        }
}

static void clear_collection(client *c)
{
    const iso_store *s = &c->run->plan->store;
    iso_key key = any_key(c), base = key & ~(iso_key)UINT32_MAX;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->clear(s->ctx, (unsigned)(key >> 32));
    span.returned = tick(c);
    if (went_well(c, rc, "clear")) record_removal(c, base, base + UINT32_MAX, span);
}

static void remove_range(client *c)
{
    const iso_plan *p = c->run->plan;
    iso_key begin = any_key(c), end = begin + 1 + rng_below(&c->rng, 1 + p->keys / 4);
    iso_span span = {.asked = tick(c)};
    holt_status rc = p->store.remove_range(p->store.ctx, c->t, begin, end);
    span.returned = tick(c);
    if (went_well(c, rc, "delete_range")) record_removal(c, begin, end, span);
}

static bool is_in_order(client *c, const iso_scan *scan, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        iso_key key = c->found[i].key;
        bool good = key >= scan->begin && key < scan->end;
        if (i) good &= scan->backward ? key < c->found[i - 1].key : key > c->found[i - 1].key;
        if (!good)
            return verdict_fail(c->run->verdict, "T%u: a scan %s shows key %llu after %llu",
                                iso_id(c->record), scan->backward ? "backward" : "forward",
                                (unsigned long long)key, i ? (unsigned long long)c->found[i - 1].key : 0);
    }
    return true;
}

/* Scans a part of a collection, and records how much of it has been seen. */
static void scan_some(client *c)
{
    const iso_plan *p = c->run->plan;
    iso_key begin = any_key(c), end = begin + 1 + rng_below(&c->rng, p->keys);
    iso_scan scan = {begin, end, rng_chance(&c->rng, 2), ISO_SCAN_MAX};
    if (rng_chance(&c->rng, 4)) scan.max = 1 + (size_t)rng_below(&c->rng, 4);
    size_t count = 0;
    iso_span span = {.asked = tick(c)};
    holt_status rc = p->store.scan(p->store.ctx, c->t, &scan, c->found, &count);
    span.returned = tick(c);
    if (!went_well(c, rc, "scan") || !is_in_order(c, &scan, count)) return;
    for (size_t i = 0; i < count; i++) {
        c->items[i] = (iso_item){c->found[i].key, c->found[i].self};
        take_value(c, &c->found[i]);
    }
    if (count == scan.max && scan.backward) begin = c->found[count - 1].key;
    if (count == scan.max && !scan.backward) end = c->found[count - 1].key + 1;
    iso_range(c->record, begin, end, c->items, count, span);
}

static void save(client *c)
{
    const iso_store *s = &c->run->plan->store;
    if (!went_well(c, s->savepoint(c->t, &c->savepoint), "savepoint")) return;
    iso_savepoint(c->record, c->savepoint);
    c->saved = true;
}

static void return_to_savepoint(client *c)
{
    const iso_store *s = &c->run->plan->store;
    if (!c->saved) return;
    if (!went_well(c, s->rollback_to(c->t, c->savepoint), "rollback_to")) return;
    iso_rollback_to(c->record, c->savepoint);
    c->seen_count = 0;
}

/* ---------------------------------------------------------------- transactions */

static void operate(client *c)
{
    iso_key key = any_key(c);
    switch (rng_below(&c->rng, 18)) {
    case 0:
    case 1:
    case 2:
        read_key(c, key);
        break;
    case 3:
        read_many(c);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        read_key(c, key);
        dawdle(c);
        if (!c->over) put_key(c, key);
        break;
    case 8:
        put_key(c, key);
        break;
    case 9:
    case 10:
        if (read_key(c, key)) remove_key(c, key);
        break;
    case 11:
        save(c);
        break;
    case 12:
        return_to_savepoint(c);
        break;
    case 13:
        insert_key(c, key);
        break;
    case 14:
        if (rng_chance(&c->rng, 4)) remove_range(c);
        break;
    default:
        scan_some(c);
    }
}

static void operate_read_only(client *c)
{
    if (rng_chance(&c->rng, 3))
        scan_some(c);
    else if (rng_chance(&c->rng, 3))
        read_many(c);
    else
        read_key(c, any_key(c));
}

static void operate_blind(client *c)
{
    if (rng_chance(&c->rng, 4))
        remove_key(c, any_key(c));
    else if (rng_chance(&c->rng, 16))
        remove_range(c);
    else
        put_key(c, any_key(c));
}

static uint32_t next_id(client *c)
{
    return atomic_fetch_add_explicit(&c->run->ids, 1, memory_order_relaxed);
}

static void commit(client *c)
{
    const iso_store *s = &c->run->plan->store;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->commit(c->t);
    span.returned = tick(c);
    iso_outcome o = rc == HOLT_OK ? ISO_COMMITTED : rc == HOLT_IO ? ISO_UNKNOWN : ISO_ABORTED;
    if (rc != HOLT_OK && rc != HOLT_CONFLICT) went_well(c, rc, "commit");
    iso_end(c->record, o, span);
}

static void run_transaction(client *c, uint32_t flags, iso_level level, void (*one)(client *c))
{
    const iso_store *s = &c->run->plan->store;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->begin(s->ctx, flags, &c->t);
    span.returned = tick(c);
    c->record = iso_begin(c->history, next_id(c), level, span);
    c->over = c->saved = false;
    c->seen_count = 0;
    if (!went_well(c, rc, "begin")) return;
    for (uint64_t i = 1 + rng_below(&c->rng, OPERATIONS_MAX); i > 0 && !c->over; i--) {
        one(c);
        dawdle(c);
    }
    if (!c->over && !rng_chance(&c->rng, 12)) {
        commit(c);
    } else {
        span.asked = tick(c);
        span.returned = tick(c);
        iso_end(c->record, ISO_ABORTED, span);
    }
    s->end(c->t);
    c->t = NULL;
}

/* An operation that is a transaction of its own. */
static void run_alone(client *c)
{
    iso_span span = {.asked = tick(c)};
    c->t = NULL;
    c->over = false;
    c->seen_count = 0;
    c->record = iso_begin(c->history, next_id(c), ISO_SNAPSHOT, span);
    switch (rng_chance(&c->rng, 40) ? 6 : rng_below(&c->rng, 8)) {
    case 0:
        put_key(c, any_key(c));
        break;
    case 1:
        remove_key(c, any_key(c));
        break;
    case 2:
        scan_some(c);
        break;
    case 3:
        read_many(c);
        break;
    case 4:
        insert_key(c, any_key(c));
        break;
    case 5:
        compare_and_set(c, any_key(c));
        break;
    case 6:
        if (rng_chance(&c->rng, 4))
            clear_collection(c);
        else
            remove_range(c);
        break;
    default:
        read_key(c, any_key(c));
    }
    span.returned = tick(c);
    iso_begun_within(c->record, span);
    iso_end(c->record, c->over ? ISO_ABORTED : ISO_COMMITTED, span);
}

static bool is_serializable(client *c)
{
    iso_mode mode = c->run->plan->mode;
    return mode == ISO_RUN_SERIALIZABLE || (mode == ISO_RUN_MIXED && rng_chance(&c->rng, 2));
}

static void run_any(client *c)
{
    uint64_t dice = rng_below(&c->rng, 20);
    if (dice < 13 && is_serializable(c))
        run_transaction(c, HOLT_TXN_SERIALIZABLE, ISO_SERIALIZABLE, operate);
    else if (dice < 13)
        run_transaction(c, 0, ISO_SNAPSHOT, operate);
    else if (dice < 15)
        run_transaction(c, HOLT_TXN_READ_ONLY, ISO_SNAPSHOT, operate_read_only);
    else if (dice < 16)
        run_transaction(c, HOLT_TXN_BLIND, ISO_SNAPSHOT, operate_blind);
    else
        run_alone(c);
}

/* ---------------------------------------------------------------- threads */

static void *run_client(void *ctx)
{
    client *c = (client *)ctx;
    for (unsigned i = 0; i < c->run->plan->transactions && !verdict_failed(c->run->verdict); i++) {
        run_any(c);
        dawdle(c);
    }
    return NULL;
}

static client *client_create(run *r, uint64_t seed)
{
    client *c = (client *)must_alloc(sizeof *c);
    c->run = r;
    c->history = iso_create();
    rng_seed(&c->rng, seed);
    return c;
}

static void fill(client *c)
{
    const iso_plan *p = c->run->plan;
    for (unsigned i = 0; i < p->collections; i++)
        for (uint32_t k = 0; k < p->keys; k += 2)
            put_key(c, iso_key_in(p->first_collection + i, p->first_key + k));
}

/* Every other key has a value at first. */
static void run_filler(client *c)
{
    const iso_store *s = &c->run->plan->store;
    iso_span span = {.asked = tick(c)};
    holt_status rc = s->begin(s->ctx, HOLT_TXN_BLIND, &c->t);
    span.returned = tick(c);
    c->record = iso_begin(c->history, next_id(c), ISO_SNAPSHOT, span);
    if (!went_well(c, rc, "begin")) return;
    fill(c);
    commit(c);
    s->end(c->t);
}

iso_history *iso_run(const iso_plan *plan, verdict *v)
{
    run r = {.plan = plan, .verdict = v};
    client *filler = client_create(&r, plan->seed);
    client **clients = (client **)must_alloc(plan->threads * sizeof *clients);
    pthread_t *threads = (pthread_t *)must_alloc(plan->threads * sizeof *threads);
    run_filler(filler);
    for (unsigned i = 0; i < plan->threads; i++) {
        clients[i] = client_create(&r, plan->seed * 1000 + i);
        if (pthread_create(&threads[i], NULL, run_client, clients[i]) != 0) abort();
    }
    for (unsigned i = 0; i < plan->threads; i++) {
        pthread_join(threads[i], NULL);
        iso_merge(filler->history, clients[i]->history);
        iso_destroy(clients[i]->history);
        free(clients[i]);
    }
    iso_history *all = filler->history;
    free(filler);
    free(clients);
    free(threads);
    return all;
}
