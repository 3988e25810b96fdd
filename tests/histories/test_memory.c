/* test_memory.c -- the anonymous memory of a process stays within memory_bytes and 32 MiB, whatever it does.
 *
 * What is measured is what the system sees (RssAnon), not what the engine counts: so it includes buffers that
 * are not counted, and freed memory that the allocator keeps. Each load runs with threads, since each has an
 * arena of its own in the C library. Under the address and thread sanitizers, whose own memory would be
 * measured, the loads run and the figures are only printed.
 *
 * HOLT_MEMORY_FULL=1 (make nightly) runs 64, 128 and 512 MiB with a million entries; otherwise 64 MiB and
 * fewer entries.
 */
#include "base/random.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/must.h"
#include "support/resources.h"

#include <pthread.h>
#include <unistd.h>
#include <stdio.h>

enum { MIB = 1 << 20, VALUE_BYTES = 100, BATCH = 1000, LARGE_BYTES = 100 << 10, THREADS_MAX = 4 };
static const uint64_t BESIDE = 32 << 20;

typedef struct measured_db {
    temp_dir dir;
    holt_options options;
    uint32_t kind;
    holt *db;
    holt_collection *c;
    uint64_t entries;
    memory_watch *watch;
    uint64_t before; /* memory of this process */
    verdict verdict;
} measured_db;

/* A thread's part of a load. */
typedef struct part {
    measured_db *m;
    void (*run)(struct part *p);
    uint64_t first, count;
    rng rng;
} part;

static bool ok(part *p, holt_status rc, const char *call)
{
    return verdict_status(&p->m->verdict, rc, HOLT_OK, "%s", call);
}

static holt_slice key_of(uint64_t i, char buffer[32])
{
    snprintf(buffer, 32, "%016llu", (unsigned long long)(i * 2654435761u % 10000000019u));
    return holt_str(buffer);
}

static holt_slice value_of(part *p, uint8_t *buffer, size_t size)
{
    rng_fill(&p->rng, buffer, size / 2);
    return holt_bytes(buffer, size);
}

/* ---------------------------------------------------------------- loads */

static bool put_one(part *p, uint64_t i)
{
    char key[32];
    uint8_t value[VALUE_BYTES] = {0};
    holt_status rc;
    do
        rc = holt_put(p->m->c, NULL, key_of(i, key), value_of(p, value, sizeof value));
    while (rc == HOLT_BUSY);
    return ok(p, rc, "put");
}

static void fill(part *p)
{
    for (uint64_t i = p->first; i < p->first + p->count && put_one(p, i); i++)
        continue;
}

static void overwrite(part *p)
{
    for (uint64_t n = 0; n < p->count && put_one(p, rng_below(&p->rng, p->m->entries)); n++)
        continue;
}

static void read_random(part *p)
{
    char key[32];
    holt_value v = HOLT_VALUE_INIT;
    for (uint64_t n = 0; n < p->count; n++)
        if (!ok(p, holt_get(p->m->c, NULL, key_of(rng_below(&p->rng, p->m->entries), key), &v), "get")) break;
    holt_value_free(&v);
}

/* Forward and backward. */
static void scan(part *p)
{
    holt_cursor *cursor = NULL;
    if (!ok(p, holt_cursor_open(p->m->c, NULL, NULL, &cursor), "cursor")) return;
    for (bool on = holt_cursor_first(cursor); on; on = holt_cursor_next(cursor))
        continue;
    for (bool on = holt_cursor_last(cursor); on; on = holt_cursor_prev(cursor))
        continue;
    holt_status rc = holt_cursor_close(cursor);
    if (rc != HOLT_BUSY) ok(p, rc, "scan"); /* HOLT_BUSY: revoked */
}

static void put_batches(part *p)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND};
    char key[32];
    uint8_t value[VALUE_BYTES] = {0};
    bool good = true;
    for (uint64_t n = 0; n < p->count && good; n += BATCH) {
        holt_txn *t = NULL;
        good = ok(p, holt_begin(p->m->db, &o, &t), "begin");
        for (int i = 0; i < BATCH && good; i++) {
            uint64_t number = rng_below(&p->rng, p->m->entries);
            good = ok(p, holt_put(p->m->c, t, key_of(number, key), value_of(p, value, sizeof value)), "put");
        }
        holt_status rc = HOLT_OK;
        while (good && (rc = holt_commit(t)) == HOLT_BUSY)
            continue;
        good = good && ok(p, rc, "commit");
        holt_rollback(t);
    }
}

/* Values that are large compared with a block, each with a key of its own so that they stay few. */
static void put_large(part *p)
{
    static const char *const names[THREADS_MAX] = {"large/0", "large/1", "large/2", "large/3"};
    uint8_t *value = (uint8_t *)must_alloc(LARGE_BYTES);
    holt_slice key = holt_str(names[p->first * THREADS_MAX / (p->m->entries + 1) % THREADS_MAX]);
    for (uint64_t n = 0; n < p->count; n += LARGE_BYTES / VALUE_BYTES / 4) {
        holt_status rc;
        do
            rc = holt_put(p->m->c, NULL, key, value_of(p, value, LARGE_BYTES));
        while (rc == HOLT_BUSY);
        if (!ok(p, rc, "put of a large value")) break;
    }
    free(value);
}

/* Old snapshots while others write: what they keep is bounded, and the oldest is revoked. */
static void overwrite_under_snapshots(part *p)
{
    enum { HELD = 8 };
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    holt_txn *held[HELD] = {NULL};
    for (uint64_t n = 0; n < p->count && put_one(p, rng_below(&p->rng, p->m->entries)); n++) {
        if (n % (p->count / HELD + 1)) continue;
        holt_txn **t = &held[n / (p->count / HELD + 1) % HELD];
        holt_rollback(*t);
        *t = NULL;
        if (!ok(p, holt_begin(p->m->db, &o, t), "begin of a snapshot")) break;
    }
    for (int i = 0; i < HELD; i++)
        holt_rollback(held[i]);
}

static void *run_part(void *ctx)
{
    part *p = (part *)ctx;
    p->run(p);
    return NULL;
}

static void run(measured_db *m, const char *name, void (*first)(part *p), void (*others)(part *p),
                uint64_t threads)
{
    pthread_t ids[THREADS_MAX];
    part parts[THREADS_MAX];
    for (uint64_t i = 0; i < threads; i++) {
        parts[i] = (part){.m = m,
                          .run = i ? others : first,
                          .first = m->entries * i / threads,
                          .count = m->entries * (i + 1) / threads - m->entries * i / threads};
        rng_seed(&parts[i].rng, i + 1);
        assert_int_equal(pthread_create(&ids[i], NULL, run_part, &parts[i]), 0);
    }
    for (uint64_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    verdict_assert(&m->verdict);
    uint64_t most = memory_watch_most(m->watch), used = most > m->before ? most - m->before : 0;
    print_message("    %-20s %4llu MiB\n", name, (unsigned long long)(used / MIB));
    if (resources_rss_is_ours() && used > m->options.memory_bytes + BESIDE)
        fail_msg("%s: %llu MiB of anonymous memory, memory_bytes is %llu MiB", name,
                 (unsigned long long)(used / MIB), (unsigned long long)(m->options.memory_bytes / MIB));
}

static void run_all(measured_db *m)
{
    run(m, "fillrandom", fill, fill, 2);
    run(m, "readrandom", read_random, read_random, 2);
    run(m, "scan", scan, scan, 2);
    run(m, "overwrite", overwrite, overwrite, 4);
    run(m, "batches", put_batches, put_batches, 4);
    run(m, "large values", put_large, put_large, 4);
    run(m, "readwhilewriting", read_random, overwrite, 2);
    run(m, "scan while writing", scan, overwrite, 3);
    run(m, "long snapshots", overwrite_under_snapshots, overwrite, 2);
    expect_ok(holt_flush(m->db));
    expect_ok(holt_compact(m->c, holt_str(NULL), holt_str(NULL)));
    run(m, "readrandom, settled", read_random, read_random, 2);
    usleep(1500 * 1000); /* writers pause: the cache gets more, and must give it back */
    run(m, "readrandom, rested", read_random, read_random, 2);
    run(m, "overwrite after it", overwrite, overwrite, 2);
}

static void live(uint32_t kind, uint64_t memory_mib, uint64_t entries)
{
    measured_db m = {.kind = kind, .entries = entries, .verdict = VERDICT_INIT};
    char path[TEMP_PATH_BYTES];
    holt_collection_options o = {.kind = kind};
    print_message("%s, memory_bytes = %llu MiB, %llu entries\n", kind == HOLT_LSM ? "lsm" : "btree",
                  (unsigned long long)memory_mib, (unsigned long long)entries);
    temp_dir_create(&m.dir);
    m.options.memory_bytes = memory_mib * MIB;
    m.options.durability = HOLT_PROCESS;
    m.before = resources_rss_anon();
    m.watch = memory_watch_start();
    expect_ok(holt_open(temp_dir_join(m.dir.path, "db", path), &m.options, &m.db));
    expect_ok(holt_collection_create(m.db, "c", &o, &m.c));
    run_all(&m);
    expect_ok(holt_close(m.db));
    memory_watch_stop(m.watch);
    temp_dir_remove(&m.dir);
}

static void live_with_all_sizes(uint32_t kind)
{
    static const uint64_t sizes_mib[] = {64, 128, 512};
    bool full = environment_number("HOLT_MEMORY_FULL", 0) != 0;
    for (size_t i = 0; i < (full ? 3 : 1); i++)
        live(kind, sizes_mib[i], full ? sizes_mib[i] * 20000 : 300000);
}

/* Runs, their indexes and filters, merges and their buffers. */
static void memory_stays_within_the_budget_with_lsm_trees(void **state)
{
    live_with_all_sizes(HOLT_LSM);
}

/* Pages, maps, and what a batch reads and writes. */
static void memory_stays_within_the_budget_with_btrees(void **state)
{
    live_with_all_sizes(HOLT_BTREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays_within_the_budget_with_lsm_trees),
        cmocka_unit_test(memory_stays_within_the_budget_with_btrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
