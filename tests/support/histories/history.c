/* history.c -- the steps and their chances; opening, closing, reopening. */
#include "support/histories/history_internal.h"

#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/histories/compare.h"
#include "support/must.h"

#include <stdarg.h>
#include <stdio.h>

const history_configuration history_configurations[] = {
    {"lsm, commit", {HOLT_LSM}, 1, HOLT_COMMIT, false},
    {"lsm, process", {HOLT_LSM}, 1, HOLT_PROCESS, false},
    {"lsm, interval", {HOLT_LSM}, 1, HOLT_INTERVAL, false},
    {"lsm, mixed durabilities", {HOLT_LSM}, 1, HOLT_PROCESS, true},
    {"btree, commit", {HOLT_BTREE}, 1, HOLT_COMMIT, false},
    {"both kinds, commit", {HOLT_LSM, HOLT_BTREE}, 2, HOLT_COMMIT, false},
    {"both kinds, interval", {HOLT_BTREE, HOLT_LSM}, 2, HOLT_INTERVAL, false},
    {"both kinds, mixed durabilities", {HOLT_LSM, HOLT_BTREE}, 2, HOLT_PROCESS, true},
};
const size_t history_configuration_count = sizeof history_configurations / sizeof *history_configurations;

static bool reopen(history *h);
static bool let_time_pass(history *h);
static bool pass_epoch(history *h);

static const struct step_kind {
    history_operation run;
    unsigned chance;
    unsigned chance_small; /* in a small history */
} step_kinds[] = {
    {history_put, 30, 30},
    {history_delete, 10, 10},
    {history_delete_range, 4, 5},
    {history_put_if_absent, 5, 3},
    {history_put_if_present, 3, 2},
    {history_put_if_version, 3, 2},
    {history_add, 6, 4},
    {history_expire, 4, 3},
    {history_batch, 10, 15},
    {history_batch_grow, 6, 3},
    {history_batch_end, 3, 2},
    {history_flush, 2, 3},
    {history_compact, 1, 1},
    {history_sync, 1, 3},
    {history_clear, 1, 1},
    {history_create_collection, 1, 2},
    {history_drop, 1, 1},
    {history_rename, 1, 1},
    {history_list, 1, 0},
    {history_get, 20, 3},
    {history_get_into, 4, 1},
    {history_get_many, 4, 1},
    {history_exists, 4, 1},
    {history_get_first, 6, 1},
    {history_walk_once, 10, 1},
    {history_walk_open, 4, 1},
    {history_walk_on, 12, 1},
    {history_walk_refresh, 2, 0},
    {history_walk_close, 3, 1},
    {history_snapshot_begin, 3, 1},
    {history_snapshot_get, 8, 1},
    {history_snapshot_end, 2, 1},
    {history_statistics, 1, 0},
    {reopen, 1, 2},
    {let_time_pass, 2, 4},
    {pass_epoch, 1, 2},
    /* of read-write transactions */
    {history_txn_begin, 4, 3},
    {history_txn_write, 10, 6},
    {history_txn_write_if, 2, 1},
    {history_txn_add, 1, 1},
    {history_txn_get, 6, 1},
    {history_txn_first, 4, 1},
    {history_txn_walk, 8, 1},
    {history_txn_savepoint, 2, 1},
    {history_txn_rollback_to, 1, 1},
    {history_txn_release, 1, 1},
    {history_txn_end, 3, 3},
    {history_transact, 2, 2},
};
enum { STEP_KINDS = sizeof step_kinds / sizeof *step_kinds, TXN_STEP_KINDS = 11 /* the last ones */ };

/* ---------------------------------------------------------------- the trail */

void history_note(history *h, const char *format, ...)
{
    char *line = h->lines[h->step % TRAIL_LINES];
    int used = snprintf(line, TRAIL_BYTES, "%llu: ", (unsigned long long)h->step);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, TRAIL_BYTES - (size_t)used, format, args);
    va_end(args);
    if (getenv("HOLT_TRACE")) fprintf(stderr, "%s\n", line);
}

const char *history_trail(history *h)
{
    size_t used = 0;
    h->trail[0] = 0;
    for (uint64_t i = h->step < TRAIL_LINES ? 0 : h->step - TRAIL_LINES + 1; i <= h->step; i++) {
        const char *line = h->lines[i % TRAIL_LINES];
        if (!*line) continue;
        used += (size_t)snprintf(h->trail + used, sizeof h->trail - used, "%s\n", line);
        if (used >= sizeof h->trail) break;
    }
    return h->trail;
}

uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---------------------------------------------------------------- commits */

static void acknowledge(history *h)
{
    h->acknowledged = model_now(h->model);
    h->acknowledged_ns = (uint64_t *)must_grow(h->acknowledged_ns, (size_t)h->acknowledged,
                                               &h->acknowledged_capacity, sizeof *h->acknowledged_ns);
    h->acknowledged_ns[h->acknowledged] = os_clock_ns(h->options.platform);
}

moment history_acknowledged_by(const history *h, uint64_t ns)
{
    moment at = h->acknowledged;
    while (at > 0 && h->acknowledged_ns[at] > ns)
        at--;
    return at;
}

bool history_committed(history *h, holt_status rc, uint32_t durability, const char *call)
{
    if (rc != HOLT_OK) {
        model_undo(h->model);
        return verdict_status(h->verdict, rc, HOLT_OK, "%s", call);
    }
    if (durability == HOLT_DURABILITY_DEFAULT) durability = h->options.durability;
    acknowledge(h);
    if (durability == HOLT_COMMIT) h->durable = h->acknowledged;
    return true;
}

bool history_again(history *h, holt_status rc)
{
    if (rc != HOLT_BUSY || h->options.simulated) return false;
    os_sleep(h->options.platform, 10 * 1000 * 1000);
    return true;
}

bool history_revocable(const history *h, weight since)
{
    return h->weight - since > 1024 * 1024; /* half of what readers alone may hold of 8 MiB */
}

size_t history_any_collection(history *h)
{
    for (;;) {
        size_t c = (size_t)rng_below(&h->rng, model_collections(h->model));
        if (h->handles[c]) return c;
    }
}

/* ---------------------------------------------------------------- open and close */

holt_options history_open_options(const history *h)
{
    /* On a real machine flushes come at any time: readers must not keep so much in the meantime that one is
     * revoked. */
    holt_options o = {.memory_bytes = h->options.simulated ? 8 << 20 : 64 << 20,
                      .memtable_bytes = 64 << 10,
                      .durability = h->options.durability,
                      .interval_ms = HISTORY_INTERVAL_MS,
                      .default_kind = h->options.kinds[0],
                      .slow_ms = 1};
    return o;
}

static bool open_handles(history *h)
{
    for (size_t c = 0; c < model_collections(h->model); c++) {
        const char *name = model_name(h->model, c, model_now(h->model));
        if (!name) continue;
        holt_status rc = holt_collection_open(h->db, name, &h->handles[c]);
        if (!verdict_status(h->verdict, rc, HOLT_OK, "open of collection %s", name)) return false;
    }
    return true;
}

bool history_open(history *h)
{
    holt_options o = history_open_options(h);
    if (!rng_chance(&h->rng, 3)) o.memtable_bytes <<= rng_below(&h->rng, 3);
    o.background_threads = (uint32_t)rng_below(&h->rng, 4);
    holt_status rc = holt_open_on(h->options.platform, h->options.path, &o, &h->db);
    if (!verdict_status(h->verdict, rc, HOLT_OK, "holt_open")) return false;
    h->durable = h->acknowledged; /* what holt_open has shown is durable */
    return open_handles(h);
}

bool history_close_all(history *h)
{
    for (size_t i = 0; i < WALKS_MAX; i++)
        if (h->walks[i].walker.cursor && !history_close_walk(h, i)) return false;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        if (h->snapshots[i].txn && !history_end_snapshot(h, i)) return false;
    for (size_t i = 0; i < BATCHES_MAX; i++)
        history_batch_abandon(&h->batches[i]);
    for (size_t i = 0; i < TXNS_MAX; i++)
        if (!history_txn_abandon(h, &h->txns[i])) return false;
    return true;
}

static bool anything_open(const history *h)
{
    bool open = false;
    for (size_t i = 0; i < WALKS_MAX; i++)
        open |= h->walks[i].walker.cursor != NULL;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        open |= h->snapshots[i].txn != NULL;
    for (size_t i = 0; i < BATCHES_MAX; i++)
        open |= h->batches[i].txn != NULL;
    for (size_t i = 0; i < TXNS_MAX; i++)
        open |= h->txns[i].txn != NULL;
    return open;
}

/* Some handles are closed, the others are left to holt_close. */
static void drop_handles(history *h)
{
    for (size_t c = 0; c < COLLECTIONS_MAX; c++) {
        if (h->handles[c] && rng_chance(&h->rng, 2)) holt_collection_close(h->handles[c]);
        h->handles[c] = NULL;
    }
}

static bool close_database(history *h)
{
    if (!history_close_all(h)) return false;
    drop_handles(h);
    holt_status rc = holt_close(h->db);
    h->db = NULL;
    if (!verdict_status(h->verdict, rc, HOLT_OK, "holt_close")) return false;
    h->durable = h->acknowledged;
    return true;
}

/* Everything that a clean close has left must survive whatever happens to the disk. */
static void lose_power(history *h)
{
    sim_cut cut = {SIM_KEEP_NONE, SIM_KEEP_NONE, 4096, rng_chance(&h->rng, 2)};
    sim_power_cut(h->options.platform, &cut, rng_next(&h->rng));
}

static bool look_read_only(history *h)
{
    holt *db;
    holt_options o = history_open_options(h);
    o.flags = HOLT_OPEN_READ_ONLY;
    holt_status rc = holt_open_on(h->options.platform, h->options.path, &o, &db);
    if (!verdict_status(h->verdict, rc, HOLT_OK, "read-only open")) return false;
    bool good = compare_database(db, h->model, model_now(h->model), h->verdict);
    return verdict_status(h->verdict, holt_close(db), HOLT_OK, "close of a read-only database") && good;
}

bool history_reopen(history *h)
{
    if (!close_database(h)) return false;
    if (h->options.simulated && rng_chance(&h->rng, 3)) lose_power(h);
    if (rng_chance(&h->rng, 4) && !look_read_only(h)) return false;
    if (!history_open(h)) return false;
    return h->options.small || compare_database(h->db, h->model, model_now(h->model), h->verdict);
}

static bool reopen(history *h)
{
    history_note(h, "reopen");
    if (!anything_open(h) || !rng_chance(&h->rng, 3)) return history_reopen(h);
    /* Refused, and nothing has changed: later steps use what is open. */
    return verdict_status(h->verdict, holt_close(h->db), HOLT_BUSY, "holt_close with things open");
}

static bool let_time_pass(history *h)
{
    const uint64_t COME_TO_REST_NS = (uint64_t)30 * 1000000000; /* db/background/idle.h */
    history_note(h, "let time pass");
    if (!h->options.simulated) return true;
    if (rng_chance(&h->rng, 4))
        sim_run_until_idle(h->options.platform);
    else
        os_sleep(h->options.platform, rng_below(&h->rng, 10) * 1000 * 1000);
    if (rng_chance(&h->rng, 8)) os_sleep(h->options.platform, COME_TO_REST_NS);
    return true;
}

static bool set_clock(history *h, uint64_t ms)
{
    os *o = h->options.platform;
    sim_set_wall_clock(o, (int64_t)(ms - os_time_ms(o)));
    return true;
}

/* Lets the wall clock pass the next time at which values expire. Everything before is made durable, so that
 * after a crash no earlier moment can be shown: it would have to be shown as of now. */
static bool pass_epoch(history *h)
{
    if (!h->options.simulated) return true;
    if (!history_sync(h)) return false;
    history_note(h, "pass epoch %llu", (unsigned long long)h->epochs + 1);
    set_clock(h, history_epoch_ms(h, ++h->epochs));
    model_expire(h->model, history_epoch_ms(h, h->epochs));
    acknowledge(h);
    h->durable = h->acknowledged;
    if (!rng_chance(&h->rng, 3)) return true;
    /* Now the clock is set back, far enough for all that has expired. The database must have recorded the
     * time before: an entry in the log does that. */
    holt_put_options o = {.expires_at_ms = history_epoch_ms(h, h->epochs + 1)};
    model_write w = {.key = key_space_any(&h->keys, &h->rng), .value = model_value_of(holt_str("later"))};
    while (!h->handles[w.collection])
        w.collection++;
    w.value.expires = o.expires_at_ms;
    model_commit(h->model, &w, 1);
    holt_status rc = holt_put_with(h->handles[w.collection], NULL, w.key, holt_str("later"), &o);
    if (!history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_put_with") || !history_sync(h)) return false;
    return set_clock(h, h->born_ms);
}

/* ---------------------------------------------------------------- life */

history *history_create(const history_options *options, verdict *v)
{
    history *h = (history *)must_alloc(sizeof *h);
    h->options = *options;
    h->verdict = v;
    rng_seed(&h->rng, options->seed);
    key_space_init(&h->keys, &h->rng, options->transactions ? 60 : options->small ? 80 : 400);
    h->model = model_create(options->kinds[0]);
    h->value = (uint8_t *)must_alloc(VALUE_LIMIT);
    h->born_ms = os_time_ms(options->platform);
    acknowledge(h); /* moment 0: the new database */
    return h;
}

bool history_start(history *h)
{
    return history_open(h);
}

static unsigned chance_of(const history *h, size_t kind)
{
    if (h->options.transactions)
        return kind + TXN_STEP_KINDS >= STEP_KINDS ? 4 * step_kinds[kind].chance
                                                   : (step_kinds[kind].chance + 2) / 3;
    return h->options.small ? step_kinds[kind].chance_small : step_kinds[kind].chance;
}

bool history_step(history *h)
{
    unsigned all = 0;
    for (size_t i = 0; i < STEP_KINDS; i++)
        all += chance_of(h, i);
    unsigned dice = (unsigned)rng_below(&h->rng, all);
    size_t kind = 0;
    while (dice >= chance_of(h, kind))
        dice -= chance_of(h, kind++);

    h->step++;
    h->lines[h->step % TRAIL_LINES][0] = 0;
    return step_kinds[kind].run(h) && !verdict_failed(h->verdict);
}

bool history_steps(history *h, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (!history_step(h)) return false;
    return true;
}

bool history_end(history *h)
{
    h->step++;
    history_note(h, "end");
    if (!history_reopen(h)) return false;
    if (!compare_database(h->db, h->model, model_now(h->model), h->verdict)) return false;
    return close_database(h);
}

void history_destroy(history *h)
{
    if (!h) return;
    for (size_t i = 0; i < BATCHES_MAX; i++)
        free(h->batches[i].writes);
    for (size_t i = 0; i < TXNS_MAX; i++)
        free(h->txns[i].own.writes);
    key_space_deinit(&h->keys);
    model_destroy(h->model);
    holt_value_free(&h->got);
    free(h->acknowledged_ns);
    free(h->value);
    free(h);
}

const model *history_model(const history *h)
{
    return h->model;
}

moment history_acknowledged(const history *h)
{
    return h->acknowledged;
}

moment history_durable(const history *h)
{
    return h->durable;
}
