/* test_threads.c -- eight threads on one database, and what must hold however they interleave.
 *
 * Two writers, two readers, a walker, one that flushes and merges, one that creates and drops collections,
 * and one that holds snapshots for long. Instead of following an order that cannot be known, they check what
 * is true in all orders:
 *
 *     - a writer's batches set all cells of a row, spread over two collections, so that their sum is zero:
 *       in a snapshot it always is;
 *     - a row's version only grows, for every reader;
 *     - a writer reads what it has written once that is acknowledged, its lone key too;
 *     - a walk is strictly ordered, and the same backward;
 *     - a snapshot shows the same sum of everything at any time.
 *
 * Meant for the thread sanitizer too. HOLT_STEPS makes it longer.
 */
#include "base/random.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { WRITERS = 2, READERS = 2, THREADS = 8, ROWS = 40, CELLS = 6, STEPS = 1500, PADDING = 300 };

typedef struct cell_db {
    holt *db;
    holt_collection *even, *odd; /* where the cells are, by their number */
    verdict verdict;
    uint64_t steps;
    atomic_int writing; /* writers that are not done; the other threads run until it is 0 */
} cell_db;

typedef struct actor {
    cell_db *cells;
    unsigned number;
    rng rng;
} actor;

typedef struct cell {
    uint64_t version;
    int64_t amount;
} cell;

static bool ok(cell_db *cells, holt_status rc, const char *call)
{
    return verdict_status(&cells->verdict, rc, HOLT_OK, "%s", call);
}

/* Whether to go on: relaxed, for the count is only a hint to stop. */
static bool goes_on(cell_db *cells)
{
    return atomic_load_explicit(&cells->writing, memory_order_relaxed) > 0 &&
           !verdict_failed(&cells->verdict);
}

/* ---------------------------------------------------------------- rows and cells */

static holt_slice cell_key(unsigned writer, unsigned row, unsigned number, char buffer[32])
{
    snprintf(buffer, 32, "w%u/row%02u/%u", writer, row, number);
    return holt_str(buffer);
}

static holt_collection *cell_home(const cell_db *cells, unsigned number)
{
    return number % 2 ? cells->odd : cells->even;
}

static holt_slice cell_encode(cell c, char buffer[PADDING])
{
    memset(buffer, '.', PADDING);
    memcpy(buffer, &c, sizeof c);
    return holt_bytes(buffer, sizeof c + (size_t)(c.version * 31 % (PADDING - sizeof c)));
}

static bool cell_decode(cell_db *cells, holt_slice s, cell *c)
{
    if (s.size < sizeof *c) return verdict_fail(&cells->verdict, "a cell of %zu bytes", s.size);
    memcpy(c, s.data, sizeof *c);
    return s.size == sizeof *c + (size_t)(c->version * 31 % (PADDING - sizeof *c)) ||
           verdict_fail(&cells->verdict, "a cell of version %llu has %zu bytes",
                        (unsigned long long)c->version, s.size);
}

/* ---------------------------------------------------------------- writers */

/* All cells of a row in one batch, with amounts that add up to nothing. */
static holt_status write_row(actor *a, unsigned row, uint64_t version)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = (uint32_t)rng_below(&a->rng, 4)};
    holt_txn *t = NULL;
    char key[32], bytes[PADDING];
    int64_t left = 0;
    holt_status rc = holt_begin(a->cells->db, &o, &t);
    for (unsigned i = 0; i < CELLS && rc == HOLT_OK; i++) {
        int64_t amount = i + 1 < CELLS ? (int64_t)rng_below(&a->rng, 1000) : -left;
        cell c = {version, amount};
        left += amount;
        rc = holt_put(cell_home(a->cells, i), t, cell_key(a->number, row, i, key), cell_encode(c, bytes));
    }
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

/* A writer reads back its own last write. */
static bool read_back(actor *a, unsigned row, uint64_t version)
{
    char key[32], bytes[PADDING];
    size_t size = 0;
    cell c = {0};
    unsigned i = (unsigned)rng_below(&a->rng, CELLS);
    holt_status rc =
        holt_get_into(cell_home(a->cells, i), NULL, cell_key(a->number, row, i, key), bytes, PADDING, &size);
    if (!ok(a->cells, rc, "get of an own cell") || !cell_decode(a->cells, holt_bytes(bytes, size), &c))
        return false;
    return c.version == version || verdict_fail(&a->cells->verdict, "own version %llu, wrote %llu",
                                                (unsigned long long)c.version, (unsigned long long)version);
}

/* A key of one writer, put and deleted in turns outside any batch. */
static bool toggle(actor *a, uint64_t step)
{
    char key[32];
    snprintf(key, sizeof key, "lone/%u", a->number);
    holt_slice k = holt_str(key);
    if (step % 2) {
        if (!ok(a->cells, holt_put(a->cells->even, NULL, k, k), "put")) return false;
        return ok(a->cells, holt_exists(a->cells->even, NULL, k), "exists of an own key");
    }
    if (!ok(a->cells, holt_delete(a->cells->even, NULL, k), "delete")) return false;
    return verdict_status(&a->cells->verdict, holt_exists(a->cells->even, NULL, k), HOLT_NOT_FOUND,
                          "exists after delete");
}

static bool write_step(actor *a, uint64_t step)
{
    unsigned row = (unsigned)rng_below(&a->rng, ROWS);
    holt_status rc;
    do
        rc = write_row(a, row, step + 1);
    while (rc == HOLT_BUSY); /* the disk is behind */
    if (!ok(a->cells, rc, "commit of a row") || !read_back(a, row, step + 1)) return false;
    return step % 5 || toggle(a, step / 5);
}

static void *write_rows(void *ctx)
{
    actor *a = (actor *)ctx;
    for (uint64_t step = 0; step < a->cells->steps && !verdict_failed(&a->cells->verdict); step++)
        if (!write_step(a, step)) break;
    atomic_fetch_sub_explicit(&a->cells->writing, 1, memory_order_relaxed);
    return NULL;
}

/* ---------------------------------------------------------------- readers */

/* The row's cells in a snapshot: all of one version, with a sum of zero; or none at all. */
static bool read_row(cell_db *cells, holt_txn *t, unsigned writer, unsigned row, uint64_t *version)
{
    holt_value v = HOLT_VALUE_INIT;
    char key[32];
    int64_t sum = 0;
    unsigned found = 0;
    bool good = true;
    *version = 0;
    for (unsigned i = 0; i < CELLS && good; i++) {
        cell c = {0};
        holt_status rc = holt_get(cell_home(cells, i), t, cell_key(writer, row, i, key), &v);
        if (rc == HOLT_NOT_FOUND) continue;
        good = ok(cells, rc, "get in a snapshot") && cell_decode(cells, holt_bytes(v.data, v.size), &c);
        if (good && found++ && c.version != *version)
            good = verdict_fail(&cells->verdict, "%s: versions %llu and %llu in one snapshot", key,
                                (unsigned long long)c.version, (unsigned long long)*version);
        if (!good) break;
        *version = c.version;
        sum += c.amount;
    }
    holt_value_free(&v);
    if (good && found != 0 && found != CELLS)
        good = verdict_fail(&cells->verdict, "w%u/row%02u: %u cells of %d", writer, row, found, CELLS);
    if (good && sum != 0)
        good = verdict_fail(&cells->verdict, "w%u/row%02u: the sum is %lld", writer, row, (long long)sum);
    return good;
}

static void *read_rows(void *ctx)
{
    actor *a = (actor *)ctx;
    uint64_t seen[WRITERS][ROWS] = {{0}};
    while (goes_on(a->cells)) {
        holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
        holt_txn *t = NULL;
        if (!ok(a->cells, holt_begin(a->cells->db, &o, &t), "begin of a snapshot")) break;
        for (unsigned i = 0; i < 10; i++) {
            unsigned writer = (unsigned)rng_below(&a->rng, WRITERS), row = (unsigned)rng_below(&a->rng, ROWS);
            uint64_t version;
            if (!read_row(a->cells, t, writer, row, &version)) break;
            if (version < seen[writer][row])
                verdict_fail(&a->cells->verdict, "w%u/row%02u went back from version %llu to %llu", writer,
                             row, (unsigned long long)seen[writer][row], (unsigned long long)version);
            seen[writer][row] = version;
        }
        holt_rollback(t);
    }
    return NULL;
}

/* ---------------------------------------------------------------- walkers */

static uint64_t mix(uint64_t sum, holt_slice key, holt_slice value)
{
    const unsigned char *k = (const unsigned char *)key.data, *v = (const unsigned char *)value.data;
    uint64_t h = key.size * 131 + value.size;
    for (size_t i = 0; i < key.size; i++)
        h = h * 31 + k[i];
    for (size_t i = 0; i < value.size && i < sizeof(cell); i++)
        h = h * 31 + v[i];
    return sum + h;
}

/* Walks to the end in one direction; the keys must be strictly ordered. false without a verdict: revoked. */
static bool walk(cell_db *cells, holt_cursor *c, bool forward, uint64_t *sum)
{
    char last[64];
    size_t last_size = 0;
    bool first = true;
    *sum = 0;
    for (bool on = forward ? holt_cursor_first(c) : holt_cursor_last(c); on;
         on = forward ? holt_cursor_next(c) : holt_cursor_prev(c)) {
        holt_slice k = holt_cursor_key(c);
        int order = slice_compare(k, holt_bytes(last, last_size));
        if (!first && (forward ? order <= 0 : order >= 0))
            return verdict_fail(&cells->verdict, "walk %s: %.*s after %.*s", forward ? "forward" : "backward",
                                (int)k.size, (const char *)k.data, (int)last_size, last);
        first = false;
        last_size = k.size < sizeof last ? k.size : sizeof last;
        memcpy(last, k.data, last_size);
        *sum = mix(*sum, k, holt_cursor_value(c));
    }
    holt_status rc = holt_cursor_status(c);
    return rc != HOLT_BUSY && ok(cells, rc, "walk"); /* HOLT_BUSY: its snapshot was revoked for memory */
}

static bool walk_both_ways(cell_db *cells, holt_cursor *c, uint64_t *sum)
{
    uint64_t backward;
    if (!walk(cells, c, true, sum) || !walk(cells, c, false, &backward)) return false;
    return *sum == backward ||
           verdict_fail(&cells->verdict, "a walk backward shows something else than one forward");
}

static void *walk_around(void *ctx)
{
    actor *a = (actor *)ctx;
    uint64_t sum;
    holt_cursor *c = NULL;
    if (!ok(a->cells, holt_cursor_open(a->cells->even, NULL, NULL, &c), "cursor")) return NULL;
    while (goes_on(a->cells)) {
        walk_both_ways(a->cells, c, &sum);
        if (!ok(a->cells, holt_cursor_refresh(c), "refresh")) break;
    }
    ok(a->cells, holt_cursor_close(c), "close of a cursor");
    return NULL;
}

/* Holds a snapshot for a while and reads it again. */
static void *look_twice(void *ctx)
{
    actor *a = (actor *)ctx;
    while (goes_on(a->cells)) {
        holt_cursor *c = NULL;
        uint64_t before, after = 0;
        if (!ok(a->cells, holt_cursor_open(a->cells->odd, NULL, NULL, &c), "cursor")) break;
        bool good = walk_both_ways(a->cells, c, &before);
        for (int i = 0; i < 3 && good; i++) {
            holt_db_stats stats;
            ok(a->cells, holt_stats(a->cells->db, &stats, sizeof stats), "holt_stats");
            good = walk(a->cells, c, i % 2 == 0, &after);
            if (good && before != after)
                good = verdict_fail(&a->cells->verdict, "a cursor's snapshot has changed");
        }
        (void)holt_cursor_close(c); /* every walk has checked its status */
    }
    return NULL;
}

/* ---------------------------------------------------------------- movers */

static void *move_data(void *ctx)
{
    actor *a = (actor *)ctx;
    holt_slice open = {NULL, 0};
    while (goes_on(a->cells)) {
        uint64_t dice = rng_below(&a->rng, 8);
        if (dice < 4)
            ok(a->cells, holt_flush(a->cells->db), "holt_flush");
        else if (dice < 6)
            ok(a->cells, holt_sync(a->cells->db), "holt_sync");
        else if (dice < 7)
            ok(a->cells, holt_compact(a->cells->even, open, open), "holt_compact");
        else
            ok(a->cells, holt_compact(a->cells->odd, holt_str("w0/row10"), holt_str("w1/row10")),
               "holt_compact");
    }
    return NULL;
}

/* The life of a collection that no other thread uses. */
static bool live_and_die(actor *a, uint64_t round)
{
    cell_db *cells = a->cells;
    char name[32], value[32];
    holt_collection *c = NULL;
    size_t size = 0;
    snprintf(name, sizeof name, "passing %llu", (unsigned long long)round);
    if (!ok(cells, holt_collection_create(cells->db, name, NULL, &c), "create")) return false;
    bool good = true;
    for (int i = 0; i < 20 && good; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        good = ok(cells, holt_put(c, NULL, holt_str(key), holt_str(name)), "put into a new collection");
    }
    if (round % 3 == 0)
        good = good && ok(cells, holt_collection_rename(cells->db, name, "renamed"), "rename");
    if (round % 2 == 0)
        good = good && ok(cells, holt_collection_clear(c), "clear");
    else
        good = good && ok(cells, holt_get_into(c, NULL, holt_str("7"), value, sizeof value, &size), "get");
    good = good && ok(cells, holt_collection_drop(cells->db, round % 3 == 0 ? "renamed" : name), "drop");
    good = good && verdict_status(&cells->verdict, holt_exists(c, NULL, holt_str("7")), HOLT_CLOSED,
                                  "get after drop");
    holt_collection_close(c);
    return good;
}

static void *come_and_go(void *ctx)
{
    actor *a = (actor *)ctx;
    for (uint64_t round = 0; goes_on(a->cells); round++)
        if (!live_and_die(a, round)) break;
    return NULL;
}

/* ---------------------------------------------------------------- all of them */

static void *(*const roles[THREADS])(void *) = {write_rows,  write_rows, read_rows, read_rows,
                                                walk_around, look_twice, move_data, come_and_go};

static void run_threads(cell_db *cells, uint64_t seed)
{
    pthread_t threads[THREADS];
    actor actors[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        actors[i].cells = cells;
        actors[i].number = i;
        rng_seed(&actors[i].rng, seed + i);
        assert_int_equal(pthread_create(&threads[i], NULL, roles[i], &actors[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static holt_status cells_open(cell_db *cells, os *platform, const char *path)
{
    holt_options o = {
        .memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .interval_ms = 5, .background_threads = 2};
    holt_collection_options or_open = {.flags = HOLT_CREATE_OR_OPEN};
    holt_status rc = holt_open_on(platform, path, &o, &cells->db);
    if (rc == HOLT_OK) rc = holt_collection_open(cells->db, "default", &cells->even);
    if (rc == HOLT_OK) rc = holt_collection_create(cells->db, "odd", &or_open, &cells->odd);
    return rc;
}

/* Everything still holds after the last thread has ended, and after a reopen. */
static void cells_check(cell_db *cells)
{
    uint64_t version;
    for (unsigned i = 0; i < WRITERS; i++)
        for (unsigned row = 0; row < ROWS; row++)
            read_row(cells, NULL, i, row, &version);
    verdict_assert(&cells->verdict);
}

static void cells_run(os *platform, const char *path)
{
    uint64_t seed = test_seed();
    cell_db cells = {
        .verdict = VERDICT_INIT, .steps = environment_number("HOLT_STEPS", STEPS), .writing = WRITERS};
    expect_ok(cells_open(&cells, platform, path));
    run_threads(&cells, seed);
    cells_check(&cells);
    expect_ok(holt_close(cells.db));
    expect_ok(cells_open(&cells, platform, path));
    cells_check(&cells);
    expect_ok(holt_close(cells.db));
}

/* Real threads, real files: the races that a deterministic simulation cannot have. */
static void eight_threads_agree_on_posix(void **state)
{
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    temp_dir_create(&dir);
    cells_run(os_posix(), temp_dir_join(dir.path, "db", path));
    temp_dir_remove(&dir);
}

/* The same without waiting for a disk: other interleavings, and more of them. */
static void eight_threads_agree_on_sim(void **state)
{
    sim_options o = {.seed = 1, .threads = true};
    os *sim = sim_create(&o);
    assert_non_null(sim);
    cells_run(sim, "/db");
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_agree_on_posix),
        cmocka_unit_test(eight_threads_agree_on_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
