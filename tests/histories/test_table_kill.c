/* test_table_kill.c -- threads that write rows beside one that changes schemas, on a real machine: in one
 * process, and in a process that is killed, again and again on one database.
 *
 * Writers insert a row into a table of each kind, or delete it from both, in one transaction: so both tables
 * always have the same rows. All of them also write to a third table, which is cleared, renamed, dropped and
 * made again meanwhile. The indexes of all tables come and go, or are rebuilt.
 *
 * HOLT_KILLS sets the number of rounds, HOLT_SEED when the kills come.
 */
#include "base/random.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"

#include <holt/table.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 15, WRITERS = 3, ROWS = 300, ROUND_US = 300 * 1000, PAIR = 2 };

static const char *const names[PAIR] = {"left", "right"};
static const uint32_t kinds_of[PAIR] = {HOLT_LSM, HOLT_BTREE};

typedef struct work {
    holt *db;
    holt_table *pair[PAIR];
    atomic_bool stop;   /* a flag alone */
    atomic_bool failed; /* likewise */
    _Atomic uint64_t commits, changes;
} work;

typedef struct writer {
    work *work;
    uint64_t seed;
} writer;

/* ---------------------------------------------------------------- tables */

static holt_status open_table(holt *db, const char *name, uint32_t kind, holt_table **t)
{
    static const holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                                          {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
                                          {.name = "age", .type = HOLT_INTEGER}};
    static const holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns,
                            .column_count = 3,
                            .key = &key,
                            .key_count = 1,
                            .kind = kind,
                            .flags = HOLT_CREATE_OR_OPEN};
    return holt_table_create(db, name, &o, t);
}

static holt_status open_database(const char *path, work *w)
{
    holt_options o = {.memory_bytes = 16 << 20, .memtable_bytes = 64 << 10, .durability = HOLT_PROCESS};
    holt_status rc = holt_open(path, &o, &w->db);
    for (int i = 0; i < PAIR && rc == HOLT_OK; i++)
        rc = open_table(w->db, names[i], kinds_of[i], &w->pair[i]);
    return rc;
}

static holt_status close_database(work *w)
{
    for (int i = 0; i < PAIR; i++)
        holt_table_close(w->pair[i]);
    return holt_close(w->db);
}

/* Whether a call may return this beside changes of schemas. */
static bool is_fair(holt_status rc)
{
    return rc == HOLT_OK || rc == HOLT_CONFLICT || rc == HOLT_BUSY || rc == HOLT_CLOSED ||
           rc == HOLT_NOT_FOUND || rc == HOLT_EXISTS;
}

static bool check_fair(work *w, holt_status rc, const char *call)
{
    if (is_fair(rc)) return true;
    fprintf(stderr, "%s: %s: %s\n", call, holt_status_name(rc), holt_error_message());
    atomic_store_explicit(&w->failed, true, memory_order_relaxed);
    return false;
}

static bool goes_on(work *w)
{
    return !atomic_load_explicit(&w->stop, memory_order_relaxed) &&
           !atomic_load_explicit(&w->failed, memory_order_relaxed);
}

/* ---------------------------------------------------------------- writers */

static holt_status write_one(holt_table *t, holt_txn *txn, int64_t id, int64_t age, bool removes)
{
    char email[32];
    holt_datum key = holt_integer(id);
    snprintf(email, sizeof email, "%lld@example.org", (long long)id);
    const holt_datum row[] = {holt_integer(id), holt_text(email), holt_integer(age)};
    holt_status rc = removes ? holt_table_delete(t, txn, &key, 1) : holt_table_upsert(t, txn, row, 3);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

static holt_status write_pair(work *w, int64_t id, int64_t age, bool removes)
{
    holt_txn *txn;
    holt_status rc = holt_begin(w->db, NULL, &txn);
    for (int i = 0; i < PAIR && rc == HOLT_OK; i++)
        rc = write_one(w->pair[i], txn, id, age, removes);
    if (rc == HOLT_OK) rc = holt_commit(txn);
    holt_rollback(txn);
    return rc;
}

static holt_status write_third(work *w, int64_t id)
{
    holt_table *t;
    holt_status rc = holt_table_open(w->db, "third", &t);
    if (rc != HOLT_OK) return rc;
    rc = write_one(t, NULL, id, id % 10, id % 3 == 0);
    holt_table_close(t);
    return rc;
}

static void *write_rows(void *ctx)
{
    writer *self = (writer *)ctx;
    work *w = self->work;
    rng r;
    rng_seed(&r, self->seed);
    while (goes_on(w)) {
        int64_t id = (int64_t)rng_below(&r, ROWS);
        holt_status rc = write_pair(w, id, (int64_t)rng_below(&r, 10), rng_chance(&r, 3));
        if (!check_fair(w, rc, "a pair of rows")) break;
        if (rc == HOLT_OK) atomic_fetch_add_explicit(&w->commits, 1, memory_order_relaxed); /* a count */
        if (!check_fair(w, write_third(w, id), "a row of the third table")) break;
    }
    return NULL;
}

/* ---------------------------------------------------------------- changes of schemas */

static holt_status make_index(holt_table *t, const char *name, bool unique)
{
    holt_index_part part = {.column = unique ? "email" : "age", .flags = unique ? 0 : HOLT_PART_DESCENDING};
    holt_index_options o = {
        .name = name, .parts = &part, .part_count = 1, .flags = unique ? HOLT_INDEX_UNIQUE : 0};
    return holt_table_create_index(t, &o, NULL, NULL);
}

static holt_status change_index(holt_table *t, rng *r, const char *name)
{
    switch (rng_below(r, 3)) {
    case 0:
        return make_index(t, name, name[0] == 'u');
    case 1:
        return holt_table_drop_index(t, name);
    default:
        return holt_table_reindex(t, name, NULL, NULL);
    }
}

static holt_status change_third(work *w, rng *r)
{
    const holt_alteration away = {.op = HOLT_ALTER_RENAME, .to = "away"};
    const holt_alteration back = {.op = HOLT_ALTER_RENAME, .to = "third"};
    holt_table *t;
    holt_status rc = open_table(w->db, "third", HOLT_BTREE, &t);
    if (rc != HOLT_OK) return rc;
    switch (rng_below(r, 4)) {
    case 0:
        rc = holt_table_clear(t);
        break;
    case 1:
        rc = holt_table_drop(w->db, "third");
        break;
    case 2:
        rc = change_index(t, r, "u3");
        break;
    default:
        rc = holt_table_alter(t, &away);
        if (rc == HOLT_OK) rc = holt_table_alter(t, &back);
    }
    holt_table_close(t);
    return rc;
}

static void *change_schemas(void *ctx)
{
    static const char *const index_names[PAIR][2] = {{"u1", "a1"}, {"u2", "a2"}};
    writer *self = (writer *)ctx;
    work *w = self->work;
    rng r;
    rng_seed(&r, self->seed);
    while (goes_on(w)) {
        size_t i = rng_below(&r, PAIR + 1);
        holt_status rc =
            i < PAIR ? change_index(w->pair[i], &r, index_names[i][rng_below(&r, 2)]) : change_third(w, &r);
        if (!check_fair(w, rc, "a change of a schema")) break;
        if (rc == HOLT_OK) atomic_fetch_add_explicit(&w->changes, 1, memory_order_relaxed); /* a count */
    }
    return NULL;
}

/* Until w->stop is set, or for ever. */
static bool run_threads(work *w, uint64_t seed, uint64_t microseconds)
{
    writer writers[WRITERS + 1];
    pthread_t threads[WRITERS + 1];
    for (unsigned i = 0; i <= WRITERS; i++) {
        writers[i] = (writer){w, seed + i};
        if (pthread_create(&threads[i], NULL, i < WRITERS ? write_rows : change_schemas, &writers[i]) != 0)
            abort();
    }
    if (microseconds) {
        usleep((useconds_t)microseconds);
        atomic_store_explicit(&w->stop, true, memory_order_relaxed);
    }
    for (unsigned i = 0; i <= WRITERS; i++)
        pthread_join(threads[i], NULL);
    return !atomic_load_explicit(&w->failed, memory_order_relaxed);
}

/* ---------------------------------------------------------------- what must hold */

static void print_problem(void *ctx, const char *message)
{
    (void)ctx;
    print_error("%s\n", message);
}

static void check_pair(work *w)
{
    holt_scan *scans[PAIR];
    holt_scan_options all = {0};
    for (int i = 0; i < PAIR; i++)
        expect_ok(holt_scan_open(w->pair[i], NULL, &all, &scans[i]));
    while (holt_scan_next(scans[0])) {
        assert_true(holt_scan_next(scans[1]));
        for (size_t c = 0; c < 3; c += 2)
            assert_int_equal(holt_scan_column(scans[0], c).as.integer,
                             holt_scan_column(scans[1], c).as.integer);
    }
    assert_false(holt_scan_next(scans[1]));
    for (int i = 0; i < PAIR; i++)
        expect_ok(holt_scan_close(scans[i]));
}

static void check_tables(work *w)
{
    char **tables;
    size_t count;
    expect_ok(holt_table_list(w->db, &tables, &count));
    for (size_t i = 0; i < count; i++) {
        holt_table *t;
        holt_table_info *info;
        holt_table_check_options o = {.problem = print_problem};
        expect_ok(holt_table_open(w->db, tables[i], &t));
        expect_ok(holt_table_check(t, &o, NULL, 0));
        expect_ok(holt_table_describe(t, &info));
        for (size_t j = 0; j < info->index_count; j++)
            assert_true(info->indexes[j].complete);
        holt_free(info);
        holt_table_close(t);
    }
    holt_free(tables);
    check_pair(w);
}

/* ---------------------------------------------------------------- tests */

/* Writers and changes must get along; the thread sanitizer watches. */
static void rows_and_indexes_agree_after_threads_have_changed_both(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static work w;
    uint64_t seed = fresh_seed();
    char path[TEMP_PATH_BYTES];
    expect_ok(open_database(temp_dir_join(f->dir.path, "tables", path), &w));
    assert_true(run_threads(&w, seed, ROUND_US));
    check_tables(&w);
    print_message("%llu commits, %llu changes\n", (unsigned long long)w.commits,
                  (unsigned long long)w.changes);
    assert_true(w.commits > 0 && w.changes > 0);
    expect_ok(close_database(&w));
}

typedef struct victim {
    const char *path;
    uint64_t seed;
} victim;

static bool work_until_killed(void *ctx)
{
    static work w;
    const victim *v = (const victim *)ctx;
    if (!child_check(open_database(v->path, &w) == HOLT_OK)) return false;
    (void)run_threads(&w, v->seed, 0);
    return false; /* they end only when one has failed */
}

static void tables_are_sound_after_kill_9(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES];
    rng r;
    rng_seed(&r, fresh_seed());
    victim v = {.path = temp_dir_join(f->dir.path, "killed", path)};
    uint64_t rounds = environment_number("HOLT_KILLS", ROUNDS);
    for (uint64_t i = 0; i < rounds; i++) {
        static work w;
        int status = 0;
        v.seed = rng_next(&r);
        pid_t child = child_start(work_until_killed, &v);
        usleep((useconds_t)rng_below(&r, ROUND_US));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status)); /* otherwise it ended by itself: something failed */
        expect_ok(open_database(v.path, &w));
        check_tables(&w);
        expect_ok(close_database(&w));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_and_indexes_agree_after_threads_have_changed_both),
        TEST(tables_are_sound_after_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
