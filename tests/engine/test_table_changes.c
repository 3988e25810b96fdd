/* test_table_changes.c -- changes of schemas that are interrupted: by a crash before any of their I/O, and by
 * any allocation that fails; and changes beside threads that write.
 */
#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/table_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 40 };

/* ---------------------------------------------------------------- what must hold at any time */

static size_t count_rows(holt_table *t, uint32_t index)
{
    holt_scan *s;
    holt_scan_options o = {.index = index};
    size_t n = 0;
    expect_ok(holt_scan_open(t, NULL, &o, &s));
    for (; holt_scan_next(s); n++)
        assert_int_equal(holt_scan_column(s, NAME).type, HOLT_TEXT); /* also reads the row of an entry */
    expect_ok(holt_scan_close(s));
    return n;
}

static void note(char **names, size_t *count, const char *name)
{
    assert_true(*count < 32);
    names[(*count)++] = strdup(name);
}

/* A table has all of its rows, or none if it was cleared or is new, and as many entries in each index. Notes
 * its collections. */
static void check_table(holt *db, const char *name, char **collections, size_t *collection_count)
{
    holt_table *t;
    holt_table_info *info;
    expect_ok(holt_table_open(db, name, &t));
    expect_ok(holt_table_describe(t, &info));
    size_t rows = count_rows(t, 0);
    assert_true(rows == 0 || rows == ROWS);
    note(collections, collection_count, info->name);
    for (size_t i = 0; i < info->index_count; i++) {
        assert_true(info->indexes[i].complete);
        assert_int_equal(count_rows(t, info->indexes[i].id), rows);
        note(collections, collection_count, info->indexes[i].collection);
    }
    /* It can be written to; with another column, too. */
    holt_datum row[] = {holt_integer(1000), holt_text("New"), holt_text("new@x"), holt_null(), holt_null()};
    expect_ok(holt_table_insert(t, NULL, row, info->column_count, 0, NULL));
    holt_free(info);
    expect_ok(delete_user(t, NULL, 1000));
    holt_table_close(t);
}

/* Every table is whole, and there are no collections but theirs. */
static void check_database(holt *db)
{
    char **tables, **all, *collections[32];
    size_t table_count, count, known = 0;
    expect_ok(holt_table_list(db, &tables, &table_count));
    note(collections, &known, "default");
    note(collections, &known, "holt.tables");
    for (size_t i = 0; i < table_count; i++)
        check_table(db, tables[i], collections, &known);
    expect_ok(holt_collection_list(db, &all, &count));
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t j = 0; j < known; j++)
            found = found || strcmp(all[i], collections[j]) == 0;
        if (!found) fail_msg("the collection %s belongs to no table", all[i]);
    }
    for (size_t i = 0; i < known; i++)
        free(collections[i]);
    holt_free(all);
    holt_free(tables);
}

/* ---------------------------------------------------------------- the changes */

static holt_status do_create(holt *db, holt_table *users)
{
    holt_table *t;
    holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                             {.name = "name", .type = HOLT_TEXT},
                             {.name = "email", .type = HOLT_TEXT},
                             {.name = "age", .type = HOLT_INTEGER}};
    holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns, .column_count = 4, .key = &key, .key_count = 1};
    holt_status rc = holt_table_create(db, "fresh", &o, &t);
    holt_table_close(t);
    return rc;
}

static holt_status do_drop(holt *db, holt_table *users)
{
    return holt_table_drop(db, "users");
}

static holt_status do_rename(holt *db, holt_table *users)
{
    return holt_table_alter(users, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "People"});
}

static holt_status do_rename_case(holt *db, holt_table *users)
{
    return holt_table_alter(users, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "USERS"});
}

static holt_status do_add_column(holt *db, holt_table *users)
{
    holt_column column = {.name = "city", .type = HOLT_TEXT};
    return holt_table_alter(users, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &column});
}

static holt_status do_create_index(holt *db, holt_table *users)
{
    return create_index(users, "by_email", "email", HOLT_INDEX_UNIQUE);
}

static holt_status do_reindex(holt *db, holt_table *users)
{
    return holt_table_reindex(users, NULL, NULL, NULL);
}

static holt_status do_drop_index(holt *db, holt_table *users)
{
    return holt_table_drop_index(users, "by_name");
}

static holt_status do_clear(holt *db, holt_table *users)
{
    return holt_table_clear(users);
}

static const struct change {
    const char *name;
    holt_status (*make)(holt *db, holt_table *users);
} changes[] = {
    {"create", do_create},         {"drop", do_drop},
    {"rename", do_rename},         {"rename in case", do_rename_case},
    {"add column", do_add_column}, {"create index", do_create_index},
    {"drop index", do_drop_index}, {"clear", do_clear},
    {"reindex", do_reindex},
};
enum { CHANGES = sizeof changes / sizeof *changes };

/* The table "users" with its rows and the index "by_name". */
static holt_table *fill(holt *db, uint32_t kind)
{
    holt_table *t = create_users(db, kind);
    expect_ok(create_index(t, "by_name", "name", 0));
    for (int i = 0; i < ROWS; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        expect_ok(insert_user(t, NULL, i, i % 2 ? "odd" : "even", email, i));
    }
    return t;
}

static void drop_all(holt *db)
{
    char **tables;
    size_t count;
    expect_ok(holt_table_list(db, &tables, &count));
    for (size_t i = 0; i < count; i++)
        expect_ok(holt_table_drop(db, tables[i]));
    holt_free(tables);
}

/* ---------------------------------------------------------------- crashes */

typedef struct crasher {
    os *machine;
    const char *change;
    uint64_t crashes;
} crasher;

static void crash_and_check(void *ctx, uint64_t call)
{
    static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME};
    crasher *c = (crasher *)ctx;
    holt_options o = db_fixture_options(0);
    status_aside aside;
    holt *db;
    status_put_aside(&aside);
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        os *clone = sim_clone(c->machine, call + i);
        sim_cut cut = {.files = keeps[i], .entries = keeps[i], .tear_bytes = 512};
        assert_non_null(clone);
        sim_power_cut(clone, &cut, call + i);
        expect_ok(holt_open_on(clone, "/db", &o, &db));
        check_database(db);
        check_database(db); /* what the first one found unfinished is finished */
        expect_ok(holt_close(db));
        sim_destroy(clone);
        c->crashes++;
    }
    status_put_back(&aside);
}

/* After a crash at any moment a change was made as a whole or not at all, and nothing is left over. */
static void a_crash_leaves_no_change_half_done(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < CHANGES; i++) {
            crasher c = {.machine = f->os, .change = changes[i].name};
            holt_table *t = fill(f->db, kinds[kind]);
            sim_on_io(f->os, crash_and_check, &c);
            expect_ok(changes[i].make(f->db, t));
            sim_on_io(f->os, NULL, NULL);
            if (c.crashes < 6) fail_msg("%s: only %u crashes", c.change, (unsigned)c.crashes);
            check_database(f->db);
            holt_table_close(t);
            drop_all(f->db);
        }
}

/* ---------------------------------------------------------------- memory */

/* Without memory a change is not made, and the table stays usable; a later try makes it. */
static void a_failed_allocation_leaves_no_change_half_done(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < CHANGES; i++) {
            holt_table *t = fill(f->db, kinds[kind]);
            holt_status rc = HOLT_NO_MEMORY;
            for (uint64_t n = 1; rc != HOLT_OK; n++) {
                mem_fail_at(n, false);
                rc = changes[i].make(f->db, t);
                mem_fail_at(0, false);
                if (rc == HOLT_NOT_FOUND) rc = HOLT_OK; /* what was left of a drop has been finished */
                if (rc == HOLT_OK) break;
                expect_status(HOLT_NO_MEMORY, rc);
                /* The next change, whichever it is, finishes what this one may have left. */
                expect_status(HOLT_NOT_FOUND, holt_table_drop(f->db, "nothing"));
                check_database(f->db);
            }
            check_database(f->db);
            holt_table_close(t);
            drop_all(f->db);
        }
}

/* ---------------------------------------------------------------- threads */

enum { THREADS = 4, TRIES = 300 };

typedef struct racer {
    holt *db;
    holt_table *t;
    int number;
    _Atomic int *round, *winners, *finished;
    _Atomic bool *stop;
} racer;

static void *race_for_a_value(void *ctx)
{
    racer *r = (racer *)ctx;
    for (int i = 0; i < TRIES; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        while (atomic_load(r->round) < i)
            sched_yield();
        holt_status rc = insert_user(r->t, NULL, i * THREADS + r->number, "n", email, 0);
        if (rc == HOLT_OK)
            atomic_fetch_add(r->winners, 1);
        else if (rc != HOLT_EXISTS && rc != HOLT_CONFLICT)
            abort();
        if (atomic_fetch_add(r->finished, 1) + 1 == (i + 1) * THREADS) atomic_store(r->round, i + 1);
    }
    return NULL;
}

/* Of several threads that insert the same value into a unique index, exactly one may succeed. */
static void one_of_several_threads_gets_a_unique_value(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        _Atomic int round = 0, winners = 0, finished = 0;
        racer racers[THREADS];
        pthread_t threads[THREADS];
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        for (int i = 0; i < THREADS; i++) {
            racers[i] = (racer){f->db, t, i, &round, &winners, &finished, NULL};
            assert_int_equal(pthread_create(&threads[i], NULL, race_for_a_value, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(winners, TRIES);
        uint32_t index;
        expect_ok(holt_table_find_index(t, "by_email", &index));
        assert_int_equal(count_rows(t, index), TRIES);
        assert_int_equal(count_rows(t, 0), TRIES);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

static void *end_soon(void *ctx)
{
    usleep(30000);
    holt_rollback((holt_txn *)ctx);
    return NULL;
}

typedef struct logger {
    holt *db;
    _Atomic bool stop, ready;
    _Atomic uint64_t lines;
} logger;

/* A program may keep its log in a table. */
static void open_a_table(void *ctx, uint32_t level, const char *line)
{
    logger *l = (logger *)ctx;
    holt_table *t;
    if (!atomic_load(&l->ready)) return;
    holt_status rc = holt_table_open(l->db, "users", &t);
    if (rc == HOLT_OK) {
        rc = insert_user(t, NULL, (int64_t)atomic_fetch_add(&l->lines, 1), "line", "x", 1);
        holt_table_close(t);
    }
    if (rc != HOLT_OK && rc != HOLT_CLOSED) abort(); /* closed: a last line, delivered by holt_close */
}

static void *make_lines(void *ctx)
{
    logger *l = (logger *)ctx;
    while (!atomic_load(&l->stop))
        event_log_write(l->db->events, HOLT_LOG_INFO, "a line");
    return NULL;
}

/* The engine may call the log callback in any of its calls, also in those that tables make to find out
 * whether an index is settled. */
static void the_log_callback_may_use_tables(void **state)
{
    enum { HANGS_S = 120 };
    db_fixture *f = (db_fixture *)*state;
    static logger l;
    char path[TEMP_PATH_BYTES];
    holt_options o = db_fixture_options(0);
    holt_scan_options by_name = {0};
    pthread_t thread;
    o.log = open_a_table;
    o.log_ctx = &l;
    expect_ok(holt_open(temp_dir_join(f->dir.path, "logged", path), &o, &l.db));
    holt_table *t = create_users(l.db, HOLT_BTREE);
    atomic_store(&l.ready, true);
    assert_int_equal(pthread_create(&thread, NULL, make_lines, &l), 0);
    alarm(HANGS_S);
    holt_txn *old = begin(l.db, HOLT_TXN_READ_ONLY);
    expect_ok(create_index(t, "by_name", "name", 0));
    expect_ok(holt_table_find_index(t, "by_name", &by_name.index));
    for (int i = 0; i < 20000; i++) {
        holt_scan *s;
        holt_txn *young = begin(l.db, HOLT_TXN_READ_ONLY);
        expect_ok(holt_scan_open(t, young, &by_name, &s));
        expect_ok(holt_scan_close(s));
        holt_rollback(young);
    }
    holt_rollback(old);
    atomic_store(&l.stop, true);
    pthread_join(thread, NULL);
    atomic_store(&l.ready, false);
    assert_true(atomic_load(&l.lines) > 0);
    expect_sound(t);
    holt_table_close(t);
    holt_status rc;
    while ((rc = holt_close(l.db)) == HOLT_BUSY) /* while the last callback has the table open */
        sched_yield();
    expect_ok(rc);
    alarm(0);
}

/* However long it may wait: also for more nanoseconds than a number holds. */
static void a_change_waits_for_as_long_as_it_may(void **state)
{
    static const uint64_t waits[] = {5000, UINT64_MAX / 1000000 + 1, UINT64_MAX};
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        holt_txn *old = begin(f->db, 0);
        pthread_t thread;
        expect_ok(holt_table_set_change_wait(t, waits[i]));
        assert_int_equal(pthread_create(&thread, NULL, end_soon, old), 0);
        holt_status rc = create_index(t, "by_age", "age", 0);
        pthread_join(thread, NULL);
        expect_ok(rc);
        expect_ok(holt_table_drop_index(t, "by_age"));
    }
    holt_table_close(t);
}

/* Writes rows of its own until it is stopped: alone, and several in a transaction. */
static void *write_rows(void *ctx)
{
    racer *r = (racer *)ctx;
    for (int64_t i = 0; !atomic_load(r->stop); i++) {
        int64_t id = (i % 200) * THREADS + r->number;
        holt_txn *txn = NULL;
        if (i % 3 == 0 && holt_begin(r->db, NULL, &txn) != HOLT_OK) abort();
        holt_status rc = insert_user(r->t, txn, id, "n", "e", i % 10);
        if (rc == HOLT_EXISTS)
            rc = i % 2 ? delete_user(r->t, txn, id) : update_user(r->t, txn, id, AGE, holt_integer(i % 7));
        if (rc == HOLT_NOT_FOUND && !txn) rc = HOLT_OK; /* the table was cleared in between */
        if (rc != HOLT_OK && rc != HOLT_CONFLICT) {
            print_error("a writer got %s: %s\n", holt_status_name(rc), holt_error_message());
            abort();
        }
        if (txn) {
            rc = holt_commit(txn);
            if (rc != HOLT_OK && rc != HOLT_CONFLICT) abort();
            holt_rollback(txn);
        }
    }
    return NULL;
}

/* Reads an index as often as it is there: each entry must have its row, in the same snapshot. */
static void *read_index(void *ctx)
{
    racer *r = (racer *)ctx;
    while (!atomic_load(r->stop)) {
        holt_scan *s;
        uint32_t index;
        if (holt_table_find_index(r->t, "by_age", &index) != HOLT_OK) continue;
        holt_scan_options o = {.index = index};
        holt_status rc = holt_scan_open(r->t, NULL, &o, &s);
        if (rc == HOLT_BUSY || rc == HOLT_INVALID || rc == HOLT_CLOSED || rc == HOLT_NOT_FOUND) continue;
        if (rc != HOLT_OK) abort();
        while (holt_scan_next(s))
            (void)holt_scan_column(s, EMAIL);
        rc = holt_scan_close(s);
        if (rc != HOLT_OK && rc != HOLT_CLOSED) {
            print_error("a reader got %s: %s\n", holt_status_name(rc), holt_error_message());
            abort();
        }
    }
    return NULL;
}

/* An index that is made while threads write must have exactly the rows, whatever came when. */
static void an_index_is_made_and_dropped_beside_writers(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        _Atomic bool stop = false;
        racer racers[THREADS + 1];
        pthread_t threads[THREADS + 1];
        uint32_t index;
        for (int i = 0; i <= THREADS; i++) {
            racers[i] = (racer){f->db, t, i, NULL, NULL, NULL, &stop};
            assert_int_equal(
                pthread_create(&threads[i], NULL, i < THREADS ? write_rows : read_index, &racers[i]), 0);
        }
        for (int round = 0; round < 5; round++) {
            expect_ok(create_index(t, "by_age", "age", 0));
            expect_ok(holt_table_find_index(t, "by_age", &index));
            expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "other"}));
            expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "users"}));
            holt_txn *reader = begin(f->db, HOLT_TXN_READ_ONLY);
            holt_scan *rows, *entries;
            size_t n = 0, m = 0;
            expect_ok(holt_scan_open(t, reader, NULL, &rows));
            expect_ok(holt_scan_open(t, reader, &(holt_scan_options){.index = index}, &entries));
            while (holt_scan_next(rows))
                n++;
            while (holt_scan_next(entries)) {
                (void)holt_scan_column(entries, EMAIL);
                m++;
            }
            expect_ok(holt_scan_close(rows));
            expect_ok(holt_scan_close(entries));
            holt_rollback(reader);
            assert_int_equal(n, m);
            expect_ok(holt_table_clear(t));
            expect_ok(holt_table_drop_index(t, "by_age"));
        }
        atomic_store(&stop, true);
        for (int i = 0; i <= THREADS; i++)
            pthread_join(threads[i], NULL);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

#define ON_SIM(name)   cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define ON_POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_crash_leaves_no_change_half_done),
        ON_SIM(a_failed_allocation_leaves_no_change_half_done),
        ON_POSIX(one_of_several_threads_gets_a_unique_value),
        ON_POSIX(the_log_callback_may_use_tables),
        ON_POSIX(a_change_waits_for_as_long_as_it_may),
        ON_POSIX(an_index_is_made_and_dropped_beside_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
