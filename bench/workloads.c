/* workloads.c -- the operations of each workload: the same as in `holt bench`, for any engine. */
#include "compare.h"

#include <string.h>

#include "common/bench_keys.h"
#include "worker.h"

/* ---------------------------------------------------------------- which entry */

enum { DRAW_DELETE = DRAW_OWN, DRAW_TRANSACTION };

static uint64_t shuffled(const worker *w, uint64_t i, uint64_t purpose)
{
    return keys_shuffle(keys_seed(w->settings->seed, purpose), i % w->settings->num, w->settings->num);
}

static uint64_t drawn(const worker *w, uint64_t i, uint64_t purpose)
{
    return keys_draw(keys_seed(w->settings->seed, purpose), i, w->settings->num);
}

static bytes key_of(worker *w, uint64_t number)
{
    keys_write(w->key, w->settings->key_bytes, number, false);
    return (bytes){w->key, w->settings->key_bytes};
}

static bytes value_for(const worker *w, uint64_t i)
{
    const compare_settings *s = w->settings;
    return (bytes){s->values + values_place(i, s->value_bytes, s->values_bytes), s->value_bytes};
}

/* ---------------------------------------------------------------- operations */

void worker_put(worker *w, uint64_t number, uint64_t i)
{
    w->engine->put(w->session, key_of(w, number), value_for(w, i));
}

static uint64_t run_fill_in_order(worker *w, uint64_t i)
{
    worker_put(w, i, i);
    return 1;
}

uint64_t worker_fill_random(worker *w, uint64_t i)
{
    worker_put(w, shuffled(w, i, DRAW_SHUFFLE), i);
    return 1;
}

void worker_check_filled(worker *w, uint64_t i)
{
    bytes key = key_of(w, shuffled(w, i, DRAW_SHUFFLE)), value = value_for(w, i);
    size_t size = value.size;
    bool found = w->engine->get(w->session, key, w->value, &size);
    if (!found || size != value.size || memcmp(w->value, value.data, size) != 0) w->wrong++;
}

uint64_t worker_overwrite(worker *w, uint64_t i)
{
    worker_put(w, drawn(w, i, DRAW_OVERWRITE), i);
    return 1;
}

static uint64_t run_batch(worker *w, uint64_t i)
{
    const compare_settings *s = w->settings;
    uint64_t first = i * s->batch;
    uint64_t count = s->num - first < s->batch ? s->num - first : s->batch;
    for (uint64_t n = 0; n < count; n++) {
        char *key = w->batch_keys + n * s->key_bytes;
        keys_write(key, s->key_bytes, first + n, false);
        w->entries[n] = (entry){{key, s->key_bytes}, value_for(w, first + n)};
    }
    w->engine->batch(w->session, w->entries, count);
    return count;
}

static uint64_t run_delete(worker *w, uint64_t i)
{
    w->engine->remove(w->session, key_of(w, shuffled(w, i, DRAW_DELETE)));
    return 1;
}

static uint64_t run_get(worker *w, uint64_t i)
{
    size_t size = w->settings->value_bytes;
    bool found = w->engine->get(w->session, key_of(w, drawn(w, i, DRAW_READ)), w->value, &size);
    if (!found || size != w->settings->value_bytes) w->wrong++;
    return 1;
}

/* The next ENGINE_MANY entries of readrandom, together. */
static uint64_t run_get_many(worker *w, uint64_t i)
{
    const compare_settings *s = w->settings;
    bytes keys[ENGINE_MANY];
    size_t found = 0;
    for (unsigned n = 0; n < ENGINE_MANY; n++) {
        char *key = w->batch_keys + n * s->key_bytes;
        keys_write(key, s->key_bytes, drawn(w, i * ENGINE_MANY + n, DRAW_READ), false);
        keys[n] = (bytes){key, s->key_bytes};
    }
    if (w->engine->get_many) {
        found = w->engine->get_many(w->session, keys, w->value, s->value_bytes);
    } else {
        for (unsigned n = 0; n < ENGINE_MANY; n++) {
            size_t size = s->value_bytes;
            bool there = w->engine->get(w->session, keys[n], w->value + n * s->value_bytes, &size);
            found += there && size == s->value_bytes;
        }
    }
    w->wrong += ENGINE_MANY - found;
    return ENGINE_MANY;
}

/* An existing key with one byte more, which lies between two existing ones. */
static uint64_t run_missing(worker *w, uint64_t i)
{
    size_t size = w->settings->value_bytes;
    bytes key = key_of(w, drawn(w, i, DRAW_MISSING));
    w->key[key.size++] = '.';
    if (w->engine->get(w->session, key, w->value, &size)) w->wrong++;
    return 1;
}

static uint64_t run_seek(worker *w, uint64_t i)
{
    uint64_t number = drawn(w, i, DRAW_SEEK), there = w->settings->num - number;
    uint64_t wanted = there < w->settings->range + 1 ? there : w->settings->range + 1;
    size_t visited = w->engine->seek(w->session, key_of(w, number), w->settings->range, &w->sink);
    if (visited != wanted) w->wrong++;
    return 1;
}

/* The same put as in `overwrite`. */
static uint64_t run_put_in_transaction(worker *w, uint64_t i)
{
    do {
        w->engine->txn_begin(w->session);
        w->engine->txn_put(w->session, key_of(w, drawn(w, i, DRAW_OVERWRITE)), value_for(w, i));
    } while (!w->engine->txn_commit(w->session));
    return 1;
}

enum { GETS = 10, PUTS = 10 };

/* Entry `n` of the transaction. */
static uint64_t in_transaction(const worker *w, uint64_t i, uint64_t n)
{
    const uint64_t draw = i * (GETS + PUTS) + n;
    return w->kind->zipfian ? w->settings->zipfian[draw % ZIPFIAN_DRAWS] : drawn(w, draw, DRAW_TRANSACTION);
}

/* false: it was aborted. */
static bool try_transaction(worker *w, uint64_t i)
{
    uint64_t missing = 0, n = 0;
    w->engine->txn_begin(w->session);
    for (; n < GETS; n++) {
        size_t size = w->settings->value_bytes;
        bytes key = key_of(w, in_transaction(w, i, n));
        missing += !w->engine->txn_get(w->session, key, w->value, &size) || size != w->settings->value_bytes;
    }
    for (; n < GETS + PUTS; n++) {
        w->engine->txn_put(w->session, key_of(w, in_transaction(w, i, n)), value_for(w, i + n));
    }
    if (!w->engine->txn_commit(w->session)) return false;
    w->wrong += missing;
    return true;
}

static uint64_t run_transaction(worker *w, uint64_t i)
{
    while (!try_transaction(w, i)) {
        w->aborted++;
    }
    return 1;
}

/* All entries, in random order. */
static uint64_t run_large_transaction(worker *w, uint64_t i)
{
    const uint64_t count = w->settings->num;
    (void)i;
    w->engine->txn_begin(w->session);
    for (uint64_t n = 0; n < count; n++) {
        w->engine->txn_put(w->session, key_of(w, shuffled(w, n, DRAW_OVERWRITE)), value_for(w, n));
    }
    if (!w->engine->txn_commit(w->session)) w->wrong++;
    return count;
}

enum { UNTIMED_MOVES = 63 };

/* Visits one entry if it is timed, else many; starts again at the end. */
static uint64_t scan(worker *w, bool forward)
{
    size_t entries = w->timed ? 1 : UNTIMED_MOVES;
    if (w->scanned == 0) w->engine->rewind(w->session, forward);
    size_t visited = w->engine->scan(w->session, forward, entries, &w->sink);
    w->scanned += visited;
    if (visited == entries) return visited;
    if (w->scanned != w->settings->num) w->wrong++;
    w->scanned = 0;
    return visited;
}

static uint64_t run_forward(worker *w, uint64_t i)
{
    (void)i;
    return scan(w, true);
}

static uint64_t run_backward(worker *w, uint64_t i)
{
    (void)i;
    return scan(w, false);
}

/* ---------------------------------------------------------------- how many */

static uint64_t all(const compare_settings *s)
{
    return s->num;
}

static uint64_t half(const compare_settings *s)
{
    return s->num > 1 ? s->num / 2 : 1;
}

static uint64_t one(const compare_settings *s)
{
    (void)s;
    return 1;
}

static uint64_t batches(const compare_settings *s)
{
    return (s->num + s->batch - 1) / s->batch;
}

/* ---------------------------------------------------------------- the table */

/* A write may stall, so every one is timed; a read is so short that reading the clock would distort it. */
enum { EVERY = 1, ONE_READ_IN = 16, EVERY_OTHER_SCAN = 2 };

/* What similar workloads have in common. */
#define OPENS                                                                                                \
    .unit = "ms", .leaves = LEAVES_OTHER, .whole = true, .opens = true, .threads = 1, .sample = EVERY
#define FILLS                                                                                                \
    .need = NEED_EMPTY, .leaves = LEAVES_FULL, .puts = true, .whole = true, .threads = 1, .sample = EVERY
#define ALTERS    .need = NEED_FULL, .whole = true, .threads = 1, .sample = EVERY
#define TRANSACTS .leaves = LEAVES_FULL, .transacts = true, .sample = EVERY
#define SYNCS                                                                                                \
    .unit = "puts", .need = NEED_EMPTY, .leaves = LEAVES_OTHER, .puts = true, .sync = true, .sample = EVERY

const workload workloads[] = {
    {"opennew", "open a new database", OPENS, .need = NEED_NOTHING},

    {"fillseq", "put all entries in key order", FILLS, .unit = "puts", .operations = all,
     .run = run_fill_in_order},
    {"fillbatch", "the same in atomic batches of --batch entries", FILLS, .unit = "entries",
     .operations = batches, .run = run_batch},
    {"fillrandom", "put all entries in random order, each once", FILLS, .unit = "puts", .operations = all,
     .run = worker_fill_random},

    {"overwrite", "put random entries again", ALTERS, .unit = "puts", .leaves = LEAVES_FULL, .puts = true,
     .operations = all, .run = worker_overwrite},
    {"deleterandom", "delete half of the entries, in random order", ALTERS, .unit = "deletes",
     .leaves = LEAVES_OTHER, .operations = half, .run = run_delete},

    {"readrandom", "get random entries", .need = NEED_SETTLED, .sample = ONE_READ_IN, .unit = "gets",
     .threads = 1, .run = run_get},
    {"readrandom2", "the same with two threads", .need = NEED_SETTLED, .sample = ONE_READ_IN, .unit = "gets",
     .threads = 2, .run = run_get},
    {"readmany", "get random entries, 16 at a time", .need = NEED_SETTLED, .sample = EVERY, .unit = "gets",
     .threads = 1, .run = run_get_many},
    {"readmissing", "get absent keys that lie between existing ones", .need = NEED_SETTLED,
     .sample = ONE_READ_IN, .unit = "gets", .threads = 1, .run = run_missing},
    {"readseq", "scan all entries", .need = NEED_SETTLED, .sample = EVERY_OTHER_SCAN, .unit = "entries",
     .threads = 1, .run = run_forward},
    {"readreverse", "scan all entries backward", .need = NEED_SETTLED, .sample = EVERY_OTHER_SCAN,
     .unit = "entries", .threads = 1, .run = run_backward},
    {"seekrandom", "seek a random entry and move on --range times", .need = NEED_SETTLED, .sample = EVERY,
     .unit = "seeks", .threads = 1, .run = run_seek},
    {"readwhilewriting", "readrandom beside a thread that overwrites at full speed", .need = NEED_SETTLED,
     .sample = ONE_READ_IN, .unit = "gets", .leaves = LEAVES_FULL, .writer = true, .threads = 1,
     .run = run_get},

    {"txnput", "the puts of overwrite, each in a read-write transaction", TRANSACTS, .unit = "transactions",
     .need = NEED_FULL, .puts = true, .whole = true, .threads = 1, .operations = all,
     .run = run_put_in_transaction},
    {"txnlarge", "put all entries again, in one transaction", TRANSACTS, .unit = "puts", .need = NEED_FULL,
     .puts = true, .whole = true, .threads = 1, .operations = one, .run = run_large_transaction},
    {"txn8", "eight threads: transactions of ten gets and ten puts of random entries", TRANSACTS,
     .unit = "transactions", .need = NEED_SETTLED, .threads = 8, .run = run_transaction},
    {"txn8zipf", "the same with a zipfian distribution (0.99) of the entries", TRANSACTS,
     .unit = "transactions", .need = NEED_SETTLED, .threads = 8, .zipfian = true, .run = run_transaction},

    {"fillsync", "put entries, each on stable storage before the next", SYNCS, .threads = 1,
     .run = worker_fill_random},
    {"fillsync8", "the same with eight threads", SYNCS, .threads = 8, .run = worker_fill_random},

    {"openunclean", "open after a kill, all entries in the log, none known to be on disk", OPENS,
     .need = NEED_UNCLEAN},
    {"opensynced", "the same, all but the last MiB known to be on disk", OPENS, .need = NEED_SYNCED},
    {.name = NULL},
};

const workload *workload_find(const char *name, size_t size)
{
    for (const workload *w = workloads; w->name; w++) {
        if (strlen(w->name) == size && memcmp(w->name, name, size) == 0) return w;
    }
    return NULL;
}
