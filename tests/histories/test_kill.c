/* test_kill.c -- kill -9 of a real process under write load, again and again on one database.
 *
 * Four threads of the child write numbered commits, each with its own durability; every commit is a batch
 * that puts four keys of a slot in two collections, one of each kind, or deletes them. When a commit is
 * acknowledged, its number is stored in memory shared with the parent, which survives the kill. So after each
 * kill the parent knows the exact contents of every slot, except for the one commit of each thread that was
 * in flight, which must be whole or absent.
 *
 * HOLT_KILLS sets the number of rounds (make nightly: 100), HOLT_SEED when the kills come.
 */
#include "base/random.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, WRITERS = 4, SLOTS = 64, KEYS_PER_SLOT = 4, VALUE_BYTES = 700 };

/* What the child reports to the parent; shared memory. */
typedef struct report {
    /* The number of the last acknowledged commit of each writer. Stored with release by the writer after the
     * acknowledgement; the parent reads it when the child is dead. */
    _Atomic uint64_t acknowledged[WRITERS];
    atomic_bool failed;
} report;

typedef struct writer {
    report *report;
    holt *db;
    holt_collection *collections[2];
    unsigned number;
} writer;

static const uint32_t durabilities[WRITERS] = {HOLT_COMMIT, HOLT_PROCESS, HOLT_INTERVAL, HOLT_COMMIT};

/* ---------------------------------------------------------------- what commit n does */

static uint64_t slot_of(uint64_t n)
{
    return n % SLOTS;
}

static bool deletes(uint64_t n)
{
    return n % 7 == 3;
}

static holt_slice key_of(unsigned writer_number, uint64_t slot, unsigned key, char buffer[32])
{
    snprintf(buffer, 32, "%u/%03u/%u", writer_number, (unsigned)slot, key);
    return holt_str(buffer);
}

static holt_slice value_of(uint64_t n, char buffer[VALUE_BYTES])
{
    int used = snprintf(buffer, VALUE_BYTES, "%llu;", (unsigned long long)n);
    size_t size = (size_t)used + (n * 37) % (VALUE_BYTES - (size_t)used);
    memset(buffer + used, 'v', size - (size_t)used);
    return holt_bytes(buffer, size);
}

/* ---------------------------------------------------------------- the child */

static holt_status write_key(writer *w, holt_txn *t, uint64_t n, unsigned key)
{
    char name[32], value[VALUE_BYTES];
    holt_collection *c = w->collections[key % 2];
    holt_slice k = key_of(w->number, slot_of(n), key, name);
    return deletes(n) ? holt_delete(c, t, k) : holt_put(c, t, k, value_of(n, value));
}

static holt_status commit_number(writer *w, uint64_t n)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = durabilities[w->number]};
    holt_txn *t = NULL;
    holt_status rc = holt_begin(w->db, &o, &t);
    for (unsigned key = 0; key < KEYS_PER_SLOT && rc == HOLT_OK; key++)
        rc = write_key(w, t, n, key);
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static void *write_for_ever(void *ctx)
{
    writer *w = (writer *)ctx;
    _Atomic uint64_t *acknowledged = &w->report->acknowledged[w->number];
    uint64_t n = atomic_load_explicit(acknowledged, memory_order_relaxed); /* set before this thread began */
    for (;;) {
        holt_status rc = commit_number(w, n + 1);
        if (rc == HOLT_BUSY) continue; /* the disk is behind */
        if (rc != HOLT_OK) break;
        atomic_store_explicit(acknowledged, ++n, memory_order_release);
    }
    fprintf(stderr, "writer %u: %s\n", w->number, holt_error_message());
    atomic_store_explicit(&w->report->failed, true, memory_order_relaxed); /* a flag alone */
    return NULL;
}

static holt_status open_database(const char *path, holt **db, holt_collection *collections[2])
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .interval_ms = 5};
    holt_collection_options or_open = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
    holt_status rc = holt_open(path, &o, db);
    if (rc == HOLT_OK) rc = holt_collection_open(*db, "default", &collections[0]);
    if (rc == HOLT_OK) rc = holt_collection_create(*db, "other", &or_open, &collections[1]);
    return rc;
}

typedef struct victim {
    const char *path;
    report *report;
} victim;

static bool write_until_killed(void *ctx)
{
    victim *v = (victim *)ctx;
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    writer w = {v->report, NULL, {NULL, NULL}, 0};
    if (!child_check(open_database(v->path, &w.db, w.collections) == HOLT_OK)) return false;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = w;
        writers[i].number = i;
        if (pthread_create(&threads[i], NULL, write_for_ever, &writers[i]) != 0) return false;
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    return false; /* writers end only when they fail */
}

/* ---------------------------------------------------------------- the parent */

/* Whether all keys of a slot are as commit n left them; n 0: never written. */
static bool slot_shows(holt_collection *const collections[2], unsigned number, uint64_t slot, uint64_t n)
{
    char name[32], value[VALUE_BYTES];
    holt_value v = HOLT_VALUE_INIT;
    bool same = true;
    for (unsigned key = 0; key < KEYS_PER_SLOT && same; key++) {
        holt_status rc = holt_get(collections[key % 2], NULL, key_of(number, slot, key, name), &v);
        if (n == 0 || deletes(n)) {
            same = rc == HOLT_NOT_FOUND;
            continue;
        }
        holt_slice expected = value_of(n, value);
        same = rc == HOLT_OK && v.size == expected.size && memcmp(v.data, expected.data, v.size) == 0;
    }
    holt_value_free(&v);
    return same;
}

/* The last commit up to n that wrote to the slot; 0: none. */
static uint64_t last_of_slot(uint64_t n, uint64_t slot)
{
    uint64_t back = (slot_of(n) + SLOTS - slot) % SLOTS;
    return back < n ? n - back : 0;
}

/* Checks all slots of one writer and returns whether the commit in flight is there. */
static bool check_writer(holt_collection *const collections[2], unsigned number, uint64_t acknowledged)
{
    uint64_t in_flight = acknowledged + 1;
    bool there = slot_shows(collections, number, slot_of(in_flight), in_flight);
    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        if (there && slot == slot_of(in_flight)) continue;
        if (slot_shows(collections, number, slot, last_of_slot(acknowledged, slot))) continue;
        fail_msg("writer %u, slot %u does not show commit %llu as a whole; acknowledged up to %llu", number,
                 (unsigned)slot, (unsigned long long)last_of_slot(acknowledged, slot),
                 (unsigned long long)acknowledged);
    }
    return there;
}

/* Entries in a scan; both directions must agree. */
static uint64_t count_entries(holt_collection *c)
{
    uint64_t forward = 0, backward = 0;
    holt_cursor *cursor = open_cursor(c, NULL);
    for (bool on = holt_cursor_first(cursor); on; on = holt_cursor_next(cursor))
        forward++;
    for (bool on = holt_cursor_last(cursor); on; on = holt_cursor_prev(cursor))
        backward++;
    expect_ok(holt_cursor_close(cursor));
    assert_int_equal(forward, backward);
    return forward;
}

/* Slots that hold entries when everything up to these numbers has been done. */
static uint64_t count_expected(const report *r)
{
    uint64_t slots = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        for (uint64_t slot = 0; slot < SLOTS; slot++) {
            uint64_t n = last_of_slot(atomic_load_explicit(&r->acknowledged[i], memory_order_relaxed), slot);
            slots += n != 0 && !deletes(n);
        }
    return slots;
}

/* Opens what the kill left; commits in flight that are there count as made from now on. */
static void check_database(const char *path, report *r)
{
    holt *db = NULL;
    holt_collection *collections[2] = {NULL, NULL};
    expect_ok(open_database(path, &db, collections));
    for (unsigned i = 0; i < WRITERS; i++) {
        uint64_t n = atomic_load_explicit(&r->acknowledged[i], memory_order_acquire);
        if (check_writer(collections, i, n))
            atomic_store_explicit(&r->acknowledged[i], n + 1, memory_order_relaxed);
    }
    assert_int_equal(count_entries(collections[0]), count_expected(r) * KEYS_PER_SLOT / 2);
    assert_int_equal(count_entries(collections[1]), count_expected(r) * KEYS_PER_SLOT / 2);
    expect_ok(holt_close(db));
}

static void kill_after(victim *v, uint64_t microseconds)
{
    int status = 0;
    pid_t child = child_start(write_until_killed, v);
    usleep((useconds_t)microseconds);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* otherwise it ended by itself: a writer failed */
    assert_false(atomic_load_explicit(&v->report->failed, memory_order_relaxed));
}

/* The real page cache, real threads and a death at any instruction, without any simulation. */
static void what_was_acknowledged_survives_kill_9(void **state)
{
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    rng r;
    uint64_t seed = fresh_seed();
    uint64_t rounds = environment_number("HOLT_KILLS", ROUNDS), commits = 0;
    report *shared =
        (report *)mmap(NULL, sizeof(report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    rng_seed(&r, seed);
    temp_dir_create(&dir);
    victim v = {temp_dir_join(dir.path, "db", path), shared};
    for (uint64_t i = 0; i < rounds; i++) {
        kill_after(&v, rng_below(&r, 250 * 1000));
        check_database(v.path, shared);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        commits += atomic_load_explicit(&shared->acknowledged[i], memory_order_relaxed);
    print_message("%llu kills, %llu commits\n", (unsigned long long)rounds, (unsigned long long)commits);
    assert_true(commits > 0);
    munmap(shared, sizeof(report));
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
