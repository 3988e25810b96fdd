/* test_soak.c -- a mixed load for as long as wanted, each thread checked against a model of its own.
 *
 * Every thread has its own keys, in one collection of each kind, and knows what they hold; batches span both.
 * It puts, deletes, gets, scans its range in both directions, holds snapshots, and now and then flushes,
 * compacts or syncs. Together the threads make the traffic that each meets. At the end the database is
 * reopened and every key is compared.
 *
 * HOLT_SOAK_SECONDS sets how long it runs (make nightly: 600, under the address sanitizer), HOLT_SEED the
 * choices.
 */
#include "base/random.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 4,
    KEYS = 400,
    KINDS = 2,
    VALUE_BYTES = 3000,
    SECONDS = 2,
    SCAN_EACH = 50,
    UPKEEP_EACH = 400
};

typedef struct soak_db {
    holt *db;
    holt_collection *c[KINDS];
    uint64_t seconds;
    verdict verdict;
} soak_db;

typedef struct actor {
    soak_db *soak;
    unsigned number;
    rng rng;
    uint64_t versions[KINDS][KEYS]; /* 0: absent */
    uint64_t next;                  /* version */
    uint64_t steps;
} actor;

/* ---------------------------------------------------------------- keys and values */

static holt_slice key_of(const actor *a, uint64_t key, char buffer[32])
{
    snprintf(buffer, 32, "%u/%05llu", a->number, (unsigned long long)key);
    return holt_str(buffer);
}

static holt_slice value_of(uint64_t version, uint8_t buffer[VALUE_BYTES])
{
    rng r;
    rng_seed(&r, version);
    size_t size = 8 + (size_t)rng_below(&r, rng_below(&r, 10) ? 200 : VALUE_BYTES - 8);
    rng_fill(&r, buffer, size);
    memcpy(buffer, &version, sizeof version);
    return holt_bytes(buffer, size);
}

static bool shows(actor *a, uint64_t version, holt_slice got, const char *what)
{
    uint8_t buffer[VALUE_BYTES];
    holt_slice expected = value_of(version, buffer);
    if (got.size == expected.size && memcmp(got.data, expected.data, got.size) == 0) return true;
    return verdict_fail(&a->soak->verdict, "thread %u, step %llu: %s is not version %llu", a->number,
                        (unsigned long long)a->steps, what, (unsigned long long)version);
}

static bool ok(actor *a, holt_status rc, const char *call)
{
    return verdict_status(&a->soak->verdict, rc, HOLT_OK, "thread %u, step %llu: %s", a->number,
                          (unsigned long long)a->steps, call);
}

/* ---------------------------------------------------------------- steps */

static holt_status write_key(actor *a, holt_txn *t, int kind, uint64_t key, uint64_t version)
{
    char name[32];
    uint8_t value[VALUE_BYTES];
    holt_slice k = key_of(a, key, name);
    holt_collection *c = a->soak->c[kind];
    return version ? holt_put(c, t, k, value_of(version, value)) : holt_delete(c, t, k);
}

/* One commit over both kinds. */
static bool write_step(actor *a)
{
    enum { MOST = 8 };
    uint64_t keys[MOST], versions[MOST];
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = 1 + (uint32_t)rng_below(&a->rng, 3)};
    holt_txn *t = NULL;
    int count = 1 + (int)rng_below(&a->rng, MOST);
    if (!ok(a, holt_begin(a->soak->db, &o, &t), "begin")) return false;
    holt_status rc = HOLT_OK;
    for (int i = 0; i < count && rc == HOLT_OK; i++) {
        keys[i] = rng_below(&a->rng, KEYS);
        versions[i] = rng_below(&a->rng, 4) ? ++a->next * THREADS + a->number + 1 : 0;
        rc = write_key(a, t, i % KINDS, keys[i], versions[i]);
    }
    if (rc == HOLT_OK)
        while ((rc = holt_commit(t)) == HOLT_BUSY) /* the disk is behind */
            continue;
    holt_rollback(t);
    for (int i = 0; i < count && rc == HOLT_OK; i++)
        a->versions[i % KINDS][keys[i]] = versions[i];
    return ok(a, rc, "commit");
}

static bool get_key(actor *a, holt_txn *t, int kind, uint64_t key, uint64_t version)
{
    char name[32];
    holt_value v = HOLT_VALUE_INIT;
    holt_status rc = holt_get(a->soak->c[kind], t, key_of(a, key, name), &v);
    bool good = version
                    ? ok(a, rc, name) && shows(a, version, holt_bytes(v.data, v.size), name)
                    : verdict_status(&a->soak->verdict, rc, HOLT_NOT_FOUND, "thread %u, step %llu: get of %s",
                                     a->number, (unsigned long long)a->steps, name);
    holt_value_free(&v);
    return good;
}

/* The entry of a key, under a cursor. */
static bool shows_entry(actor *a, holt_cursor *cursor, int kind, uint64_t key)
{
    char name[32];
    holt_slice expected = key_of(a, key, name), got = holt_cursor_key(cursor);
    if (got.size != expected.size || memcmp(got.data, expected.data, got.size) != 0)
        return verdict_fail(&a->soak->verdict, "thread %u: the scan is not at %s", a->number, name);
    return shows(a, a->versions[kind][key], holt_cursor_value(cursor), name);
}

/* The thread's whole range in one direction. */
static bool scan(actor *a, int kind, bool forward)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%u/", a->number);
    holt_cursor_options o = {.prefix = holt_str(prefix)};
    holt_cursor *cursor = NULL;
    if (!ok(a, holt_cursor_open(a->soak->c[kind], NULL, &o, &cursor), "cursor")) return false;
    bool on = forward ? holt_cursor_first(cursor) : holt_cursor_last(cursor), good = true, missing = false;
    for (uint64_t n = 0; n < KEYS && good && !missing; n++) {
        uint64_t key = forward ? n : KEYS - 1 - n;
        if (!a->versions[kind][key]) continue;
        missing = !on;
        good = missing || shows_entry(a, cursor, kind, key);
        if (on) on = forward ? holt_cursor_next(cursor) : holt_cursor_prev(cursor);
    }
    holt_status rc = holt_cursor_close(cursor);
    if (rc == HOLT_BUSY || !good) return good; /* HOLT_BUSY: revoked in the middle of it */
    if (!ok(a, rc, "scan")) return false;
    return !(on || missing) || verdict_fail(&a->soak->verdict, "thread %u: the scan shows too %s", a->number,
                                            on ? "much" : "little");
}

static bool reclaim(actor *a)
{
    holt_collection *c = a->soak->c[rng_below(&a->rng, KINDS)];
    switch (rng_below(&a->rng, 3)) {
    case 0:
        return ok(a, holt_flush(a->soak->db), "flush");
    case 1:
        return ok(a, holt_compact(c, holt_str(NULL), holt_str(NULL)), "compact");
    default:
        return ok(a, holt_sync(a->soak->db), "sync");
    }
}

/* A snapshot that stays as it was while this thread writes on. */
static bool snapshot_step(actor *a)
{
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    uint64_t key = rng_below(&a->rng, KEYS), versions[KINDS];
    holt_txn *t = NULL;
    for (int kind = 0; kind < KINDS; kind++)
        versions[kind] = a->versions[kind][key];
    bool good = ok(a, holt_begin(a->soak->db, &o, &t), "begin of a snapshot");
    for (int i = 0; i < 20 && good; i++)
        good = write_step(a);
    for (int kind = 0; kind < KINDS && good; kind++) {
        char name[32];
        if (holt_exists(a->soak->c[kind], t, key_of(a, key, name)) == HOLT_BUSY) break; /* revoked */
        good = get_key(a, t, kind, key, versions[kind]);
    }
    holt_rollback(t);
    return good;
}

static bool step(actor *a)
{
    a->steps++;
    if (a->steps % UPKEEP_EACH == 0) return reclaim(a);
    if (a->steps % SCAN_EACH == 0) return scan(a, (int)rng_below(&a->rng, KINDS), rng_below(&a->rng, 2) == 0);
    if (rng_below(&a->rng, 100) == 0) return snapshot_step(a);
    if (rng_below(&a->rng, 2)) return write_step(a);
    int kind = (int)rng_below(&a->rng, KINDS);
    uint64_t key = rng_below(&a->rng, KEYS);
    return get_key(a, NULL, kind, key, a->versions[kind][key]);
}

static void *act(void *ctx)
{
    actor *a = (actor *)ctx;
    time_t end = time(NULL) + (time_t)a->soak->seconds;
    while (time(NULL) < end && !verdict_failed(&a->soak->verdict))
        if (!step(a)) break;
    return NULL;
}

/* ---------------------------------------------------------------- the whole */

static void soak_open(soak_db *soak, const char *path)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 128 << 10, .interval_ms = 5};
    holt_collection_options lsm = {.kind = HOLT_LSM, .flags = HOLT_CREATE_OR_OPEN},
                            btree = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
    expect_ok(holt_open(path, &o, &soak->db));
    expect_ok(holt_collection_create(soak->db, "lsm", &lsm, &soak->c[0]));
    expect_ok(holt_collection_create(soak->db, "btree", &btree, &soak->c[1]));
}

static void check_everything(soak_db *soak, actor *actors)
{
    for (unsigned i = 0; i < THREADS; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            for (uint64_t key = 0; key < KEYS; key++)
                get_key(&actors[i], NULL, kind, key, actors[i].versions[kind][key]);
            scan(&actors[i], kind, true);
            scan(&actors[i], kind, false);
        }
    verdict_assert(&soak->verdict);
}

/* What only time brings about: jobs that overtake each other, files and pages that are reused for the tenth
 * time. */
static void a_mixed_load_agrees_with_the_model_of_each_thread(void **state)
{
    static actor actors[THREADS];
    pthread_t threads[THREADS];
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    uint64_t seed = fresh_seed(), steps = 0;
    soak_db soak = {.seconds = environment_number("HOLT_SOAK_SECONDS", SECONDS), .verdict = VERDICT_INIT};
    temp_dir_create(&dir);
    soak_open(&soak, temp_dir_join(dir.path, "db", path));
    for (unsigned i = 0; i < THREADS; i++) {
        actors[i].soak = &soak;
        actors[i].number = i;
        rng_seed(&actors[i].rng, seed + i);
        assert_int_equal(pthread_create(&threads[i], NULL, act, &actors[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        steps += actors[i].steps;
    }
    verdict_assert(&soak.verdict);
    check_everything(&soak, actors);
    expect_ok(holt_health(soak.db));
    expect_ok(holt_close(soak.db));
    expect_ok(holt_verify(path, NULL, NULL, 0));
    soak_open(&soak, path);
    check_everything(&soak, actors);
    expect_ok(holt_close(soak.db));
    print_message("%llu steps\n", (unsigned long long)steps);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_load_agrees_with_the_model_of_each_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
