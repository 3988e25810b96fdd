/* test_api_processes.c -- databases and processes: forked children, locks, and readers that write nothing. */
#include "support/child.h"
#include "support/db_fixture.h"

#include <stdio.h>
#include <unistd.h>

/* ---------------------------------------------------------------- fork */

typedef struct inherited {
    db_fixture *f;
    holt_txn *batch, *snapshot;
    holt_cursor *cursor;
} inherited;

static bool inherited_handles_are_closed(inherited *i)
{
    db_fixture *f = i->f;
    holt_value v = HOLT_VALUE_INIT;
    holt_txn_options o = {.flags = HOLT_TXN_BLIND};
    holt_db_stats stats;
    holt_collection *c = NULL;
    holt_cursor *cursor = NULL;
    holt_txn *t = NULL;
    char **names = NULL;
    size_t count = 0;
    bool good = child_check(holt_put(f->c, NULL, holt_str("a"), holt_str("child")) == HOLT_CLOSED);
    good &= child_check(holt_get(f->c, NULL, holt_str("a"), &v) == HOLT_CLOSED);
    good &= child_check(holt_exists(f->c, NULL, holt_str("a")) == HOLT_CLOSED);
    good &= child_check(holt_delete(f->c, NULL, holt_str("a")) == HOLT_CLOSED);
    good &= child_check(holt_put(f->c, i->batch, holt_str("a"), holt_str("child")) == HOLT_CLOSED);
    good &= child_check(holt_get(f->c, i->snapshot, holt_str("a"), &v) == HOLT_CLOSED);
    good &= child_check(holt_commit(i->batch) == HOLT_CLOSED);
    good &= child_check(!holt_cursor_first(i->cursor));
    good &= child_check(holt_cursor_status(i->cursor) == HOLT_CLOSED);
    good &= child_check(holt_cursor_open(f->c, NULL, NULL, &cursor) == HOLT_CLOSED);
    good &= child_check(holt_begin(f->db, &o, &t) == HOLT_CLOSED);
    good &= child_check(holt_sync(f->db) == HOLT_CLOSED);
    good &= child_check(holt_flush(f->db) == HOLT_CLOSED);
    good &= child_check(holt_health(f->db) == HOLT_CLOSED);
    good &= child_check(holt_stats(f->db, &stats, sizeof stats) == HOLT_CLOSED);
    good &= child_check(holt_collection_create(f->db, "x", NULL, &c) == HOLT_CLOSED);
    good &= child_check(holt_collection_open(f->db, "default", &c) == HOLT_CLOSED);
    good &= child_check(holt_collection_drop(f->db, "x") == HOLT_CLOSED);
    good &= child_check(holt_collection_list(f->db, &names, &count) == HOLT_CLOSED);
    good &= child_check(holt_collection_clear(f->c) == HOLT_CLOSED);
    good &= child_check(holt_compact(f->c, holt_str(NULL), holt_str(NULL)) == HOLT_CLOSED);
    holt_value_free(&v);
    return good;
}

/* Closing inherited handles must neither unlock, nor write, nor wait for threads that do not exist here. */
static void close_inherited(inherited *i)
{
    (void)holt_cursor_close(i->cursor); /* returns HOLT_CLOSED or nothing: its database is gone here */
    holt_rollback(i->batch);
    holt_rollback(i->snapshot);
    holt_collection_close(i->f->c);
    (void)holt_close(i->f->db);
}

static bool own_database_works(db_fixture *f)
{
    db_fixture own = *f;
    holt_value v = HOLT_VALUE_INIT;
    holt *db = NULL;
    holt_collection *c = NULL;
    bool good = child_check(db_fixture_try_open(f, 0, &db) == HOLT_BUSY); /* the parent has it */
    temp_dir_join(f->dir.path, "child", own.path);
    good &= child_check(db_fixture_try_open(&own, 0, &db) == HOLT_OK);
    if (!good) return false;
    good &= child_check(holt_collection_open(db, "default", &c) == HOLT_OK);
    good &= child_check(holt_put(c, NULL, holt_str("a"), holt_str("1")) == HOLT_OK);
    good &= child_check(holt_flush(db) == HOLT_OK);
    good &= child_check(holt_get(c, NULL, holt_str("a"), &v) == HOLT_OK);
    good &= child_check(holt_close(db) == HOLT_OK);
    holt_value_free(&v);
    return good;
}

static bool live_as_child(void *ctx)
{
    inherited *i = (inherited *)ctx;
    bool good = inherited_handles_are_closed(i) && own_database_works(i->f);
    close_inherited(i);
    return good;
}

/* Two processes with the same handles would both write to one log. The child gets an error, may open a
 * database of its own, and the parent is not affected. */
static void a_forked_child_cannot_use_what_it_inherited(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "parent");
    inherited i = {f, begin(f->db, HOLT_TXN_BLIND), begin(f->db, HOLT_TXN_READ_ONLY),
                   open_cursor(f->c, NULL)};
    put_in(f->c, i.batch, "b", "batch");
    assert_true(child_run(live_as_child, &i));

    expect_get(f->c, i.snapshot, "a", "parent");
    assert_true(holt_cursor_first(i.cursor));
    expect_entry(i.cursor, "a", "parent");
    expect_ok(holt_commit(i.batch));
    put(f->c, "c", "later");
    expect_ok(holt_cursor_close(i.cursor));
    holt_rollback(i.batch);
    holt_rollback(i.snapshot);
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "a", "parent");
    expect_get(f->c, NULL, "b", "batch");
    expect_get(f->c, NULL, "c", "later");
}

static bool find_it_locked(void *ctx)
{
    holt *db = NULL;
    return child_check(db_fixture_try_open((db_fixture *)ctx, 0, &db) == HOLT_BUSY);
}

static bool close_only(void *ctx)
{
    close_inherited((inherited *)ctx);
    return true;
}

/* POSIX record locks would be released by any close in the process; these must not be. */
static void a_childs_close_does_not_unlock_the_parents_database(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    inherited i = {f, NULL, NULL, open_cursor(f->c, NULL)};
    assert_true(child_run(close_only, &i));
    assert_true(child_run(find_it_locked, f));
    expect_ok(holt_cursor_close(i.cursor));
    put(f->c, "a", "1");
    expect_get(f->c, NULL, "a", "1");
}

/* A child that outlives the parent's close holds the inherited descriptors; the lock must be released all the
 * same. */
static bool wait_for_end_of_pipe(void *ctx)
{
    int *ends = (int *)ctx;
    char byte;
    close(ends[1]);
    return read(ends[0], &byte, 1) == 0;
}

static void a_living_child_does_not_keep_the_database_locked(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = child_start(wait_for_end_of_pipe, ends);
    db_fixture_reopen(f);
    put(f->c, "a", "1");
    expect_get(f->c, NULL, "a", "1");
    close(ends[1]);
    assert_true(child_wait(child));
    close(ends[0]);
}

/* ---------------------------------------------------------------- locks between processes */

/* A child that opens the database, reports it, and keeps it open until its pipe ends. */
typedef struct holder {
    db_fixture *f;
    uint32_t flags;
    int opened[2], release[2]; /* pipes */
} holder;

static bool hold(void *ctx)
{
    holder *h = (holder *)ctx;
    holt *db = NULL;
    char byte = 'x';
    close(h->release[1]);
    bool good = child_check(db_fixture_try_open(h->f, h->flags, &db) == HOLT_OK);
    good &= write(h->opened[1], &byte, 1) == 1;
    good &= read(h->release[0], &byte, 1) == 0;
    return child_check(holt_close(db) == HOLT_OK) && good;
}

static pid_t start_holder(holder *h, db_fixture *f, uint32_t flags)
{
    char byte;
    h->f = f;
    h->flags = flags;
    assert_int_equal(pipe(h->opened), 0);
    assert_int_equal(pipe(h->release), 0);
    pid_t child = child_start(hold, h);
    assert_int_equal(read(h->opened[0], &byte, 1), 1);
    return child;
}

static void end_holder(holder *h, pid_t child)
{
    close(h->release[1]);
    assert_true(child_wait(child));
    close(h->release[0]);
    close(h->opened[0]);
    close(h->opened[1]);
}

/* A message that says "busy" must name the process that holds the lock. */
static void busy_names_the_process_that_has_the_database(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holder h;
    char pid[32];
    holt *db = NULL;
    db_fixture_close(f);
    pid_t child = start_holder(&h, f, 0);
    snprintf(pid, sizeof pid, "%ld", (long)child);
    expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &db));
    expect_words(pid);
    assert_null(db);
    expect_status(HOLT_BUSY, db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &db));
    expect_words(pid);
    end_holder(&h, child);
    db_fixture_open(f, 0);
}

static void readers_share_the_database_and_keep_writers_out(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holder h;
    holt *db = NULL;
    put(f->c, "a", "1");
    db_fixture_close(f);
    pid_t child = start_holder(&h, f, HOLT_OPEN_READ_ONLY);
    expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &db));
    expect_words("reader");
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    expect_get(f->c, NULL, "a", "1");
    end_holder(&h, child);
    db_fixture_close(f);
    db_fixture_open(f, 0);
}

static bool fill_and_die(void *ctx)
{
    db_fixture *f = (db_fixture *)ctx;
    holt *db = NULL;
    holt_collection *c = NULL;
    bool good = child_check(db_fixture_try_open(f, 0, &db) == HOLT_OK);
    good &= child_check(holt_collection_open(db, "default", &c) == HOLT_OK);
    good &= child_check(holt_put(c, NULL, holt_str("unclean"), holt_str("4")) == HOLT_OK);
    _exit(good ? 0 : 1); /* without a close: the next open finds a log to replay */
}

/* A killed writer leaves its process id in LOCK: readers must not look for that process, let alone kill
 * another one that now has its number. Finding out who holds the lock leaves nothing locked. */
static void readers_are_not_taken_for_the_writer_that_died(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holder h;
    holt *db = NULL;
    db_fixture_close(f);
    assert_true(child_run(fill_and_die, f));
    pid_t child = start_holder(&h, f, HOLT_OPEN_READ_ONLY);
    for (int i = 0; i < 2; i++) {
        expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &db));
        expect_words("open by readers");
    }
    db_fixture_open(f, HOLT_OPEN_READ_ONLY); /* as a reader, in this process */
    expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &db));
    expect_words("open by readers");
    end_holder(&h, child);
    expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &db));
    expect_words("open by readers");
    db_fixture_close(f);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "unclean", "4");
}

/* ---------------------------------------------------------------- read-only */

/* What is in runs, and what only the log holds. */
static void fill(db_fixture *f)
{
    put(f->c, "run", "1");
    expect_ok(holt_flush(f->db));
    put(f->c, "log", "2");
    expect_ok(holt_delete(f->c, NULL, holt_str("run")));
    put(create(f->db, "other"), "a", "3");
}

static void expect_filled(db_fixture *f)
{
    holt_collection *other = NULL;
    expect_get(f->c, NULL, "run", NULL);
    expect_get(f->c, NULL, "log", "2");
    expect_get(f->c, NULL, "unclean", "4");
    expect_ok(holt_collection_open(f->db, "other", &other));
    expect_get(other, NULL, "a", "3");
    holt_collection_close(other);
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_last(c));
    expect_entry(c, "unclean", "4");
    expect_ok(holt_cursor_close(c));
}

static void expect_writes_refused(db_fixture *f)
{
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    holt_collection *c = NULL;
    holt_txn *t = NULL;
    expect_status(HOLT_READ_ONLY, holt_put(f->c, NULL, holt_str("a"), holt_str("1")));
    expect_status(HOLT_READ_ONLY, holt_delete(f->c, NULL, holt_str("a")));
    expect_status(HOLT_READ_ONLY, holt_collection_clear(f->c));
    expect_status(HOLT_READ_ONLY, holt_collection_create(f->db, "new", NULL, &c));
    expect_status(HOLT_READ_ONLY, holt_collection_drop(f->db, "other"));
    expect_status(HOLT_READ_ONLY, holt_collection_rename(f->db, "other", "new"));
    if (holt_begin(f->db, &blind, &t) == HOLT_OK) /* a batch may be begun, but not filled */
        expect_status(HOLT_READ_ONLY, holt_put(f->c, t, holt_str("a"), holt_str("1")));
    holt_rollback(t);
    /* Whatever these return, they write nothing: the caller compares the directory. */
    (void)holt_flush(f->db);
    (void)holt_compact(f->c, holt_str(NULL), holt_str(NULL));
    (void)holt_sync(f->db);
    holt_txn *snapshot = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_get(f->c, snapshot, "log", "2");
    holt_rollback(snapshot);
}

/* A reader must not change a byte of a database, not even by recovering it. */
static void a_read_only_open_shows_everything_and_writes_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    fill(f);
    db_fixture_close(f);
    assert_true(child_run(fill_and_die, f));
    uint64_t before = directory_fingerprint(f->path, NULL);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    expect_filled(f);
    expect_writes_refused(f);
    db_fixture_close(f);
    assert_true(directory_fingerprint(f->path, NULL) == before);
    db_fixture_open(f, 0);
    expect_filled(f);
}

/* In one process as well; both see all of the contents. */
static void two_readers_open_at_once(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    db_fixture second = *f;
    put(f->c, "a", "1");
    db_fixture_close(f);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    db_fixture_open(&second, HOLT_OPEN_READ_ONLY);
    expect_get(f->c, NULL, "a", "1");
    expect_get(second.c, NULL, "a", "1");
    db_fixture_close(&second);
    expect_get(f->c, NULL, "a", "1");
}

/* Also where the user has no right to write at all. */
static bool read_as_nobody(void *ctx)
{
    db_fixture *f = (db_fixture *)ctx;
    holt *db = NULL;
    holt_collection *c = NULL;
    holt_value v = HOLT_VALUE_INIT;
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return child_check(false);
    bool good = child_check(db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &db) == HOLT_OK);
    good = good && child_check(holt_collection_open(db, "default", &c) == HOLT_OK);
    good = good && child_check(holt_get(c, NULL, holt_str("a"), &v) == HOLT_OK);
    holt_value_free(&v);
    return child_check(holt_close(db) == HOLT_OK) && good;
}

static void a_read_only_open_needs_no_write_permission(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    db_fixture_close(f);
    assert_true(directory_set_modes(f->dir.path, 0555, 0444));
    assert_true(child_run(read_as_nobody, f));
    assert_true(directory_set_modes(f->dir.path, 0755, 0644));
    db_fixture_open(f, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_forked_child_cannot_use_what_it_inherited),
        TEST(a_childs_close_does_not_unlock_the_parents_database),
        TEST(a_living_child_does_not_keep_the_database_locked),
        TEST(busy_names_the_process_that_has_the_database),
        TEST(readers_share_the_database_and_keep_writers_out),
        TEST(readers_are_not_taken_for_the_writer_that_died),
        TEST(a_read_only_open_shows_everything_and_writes_nothing),
        TEST(two_readers_open_at_once),
        TEST(a_read_only_open_needs_no_write_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
