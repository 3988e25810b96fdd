/* test_messages.c -- a failing call sets the thread's message: its own, with the status that it returns.
 *
 * Debug builds assert that in every public call, so every other test checks it too; here each call is made to
 * fail on purpose, right after another failure whose message must be replaced.
 */
#include "support/db_fixture.h"

#include "base/status.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char STALE[] = "the words of an older failure";

static holt_status stale(void)
{
    return status_set(HOLT_UNSUPPORTED, "%s", STALE);
}

static void check_failure(holt_status expected, holt_status got, const char *call, int line)
{
    holt_error e;
    holt_error_get(&e, sizeof e);
    if (got == expected && e.status == (uint32_t)got && e.message[0] && strcmp(e.message, STALE) != 0) return;
    print_error("%s\n    returned %s, expected %s; the message, of %s, is \"%s\"\n", call,
                holt_status_name(got), holt_status_name(expected), holt_status_name((holt_status)e.status),
                e.message);
    _fail(__FILE__, line);
}

#define FAILS(expected, call) check_failure(expected, (stale(), call), #call, __LINE__)
/* Of a cursor's move. */
#define MOVE_FAILS(expected, cursor, move)                                                                   \
    do {                                                                                                     \
        stale();                                                                                             \
        assert_false(move);                                                                                  \
        check_failure(expected, holt_cursor_status(cursor), #move, __LINE__);                                \
    } while (0)

static const holt_slice NO_BYTES = {NULL, 5};

/* ---------------------------------------------------------------- arguments */

/* NULL handles and outputs are checked by a line of code of their own in each call. */
static void a_null_argument_is_named(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    holt_value v = HOLT_VALUE_INIT;
    holt *db;
    holt_collection *c;
    holt_cursor *cur;
    holt_txn *t;
    holt_load *load;
    holt_db_stats stats;
    holt_collection_info info;
    char **names;
    size_t n;
    FAILS(HOLT_INVALID, holt_open(NULL, NULL, &db));
    FAILS(HOLT_INVALID, holt_open("", NULL, &db));
    FAILS(HOLT_INVALID, holt_open("x", NULL, NULL));
    FAILS(HOLT_INVALID, holt_health(NULL));
    FAILS(HOLT_INVALID, holt_sync(NULL));
    FAILS(HOLT_INVALID, holt_flush(NULL));
    FAILS(HOLT_INVALID, holt_collection_create(NULL, "a", NULL, &c));
    FAILS(HOLT_INVALID, holt_collection_create(f->db, NULL, NULL, &c));
    FAILS(HOLT_INVALID, holt_collection_create(f->db, "a", NULL, NULL));
    FAILS(HOLT_INVALID, holt_collection_open(NULL, "a", &c));
    FAILS(HOLT_INVALID, holt_collection_open(f->db, NULL, &c));
    FAILS(HOLT_INVALID, holt_collection_open(f->db, "a", NULL));
    FAILS(HOLT_INVALID, holt_collection_drop(NULL, "a"));
    FAILS(HOLT_INVALID, holt_collection_drop(f->db, NULL));
    FAILS(HOLT_INVALID, holt_collection_rename(NULL, "a", "b"));
    FAILS(HOLT_INVALID, holt_collection_rename(f->db, "a", NULL));
    FAILS(HOLT_INVALID, holt_collection_clear(NULL));
    FAILS(HOLT_INVALID, holt_collection_list(NULL, &names, &n));
    FAILS(HOLT_INVALID, holt_collection_list(f->db, NULL, &n));
    FAILS(HOLT_INVALID, holt_collection_name(NULL, NULL, 0, &n));
    FAILS(HOLT_INVALID, holt_collection_name(f->c, NULL, 5, &n));
    FAILS(HOLT_INVALID, holt_compact(NULL, a, a));
    FAILS(HOLT_INVALID, holt_compact(f->c, NO_BYTES, a));
    FAILS(HOLT_INVALID, holt_compact(f->c, a, NO_BYTES));
    FAILS(HOLT_INVALID, holt_put(NULL, NULL, a, a));
    FAILS(HOLT_INVALID, holt_put(f->c, NULL, NO_BYTES, a));
    FAILS(HOLT_INVALID, holt_put(f->c, NULL, a, NO_BYTES));
    FAILS(HOLT_INVALID, holt_put_with(NULL, NULL, a, a, NULL));
    FAILS(HOLT_INVALID, holt_get(NULL, NULL, a, &v));
    FAILS(HOLT_INVALID, holt_get(f->c, NULL, a, NULL));
    FAILS(HOLT_INVALID, holt_get(f->c, NULL, NO_BYTES, &v));
    FAILS(HOLT_INVALID, holt_get_into(NULL, NULL, a, NULL, 0, &n));
    FAILS(HOLT_INVALID, holt_get_into(f->c, NULL, a, NULL, 0, NULL));
    FAILS(HOLT_INVALID, holt_get_into(f->c, NULL, a, NULL, 5, &n));
    FAILS(HOLT_INVALID, holt_exists(NULL, NULL, a));
    FAILS(HOLT_INVALID, holt_exists(f->c, NULL, NO_BYTES));
    FAILS(HOLT_INVALID, holt_delete(NULL, NULL, a));
    FAILS(HOLT_INVALID, holt_delete(f->c, NULL, NO_BYTES));
    FAILS(HOLT_INVALID, holt_delete_range(NULL, NULL, a, a));
    FAILS(HOLT_INVALID, holt_begin(NULL, NULL, &t));
    FAILS(HOLT_INVALID, holt_begin(f->db, NULL, NULL));
    FAILS(HOLT_INVALID, holt_commit(NULL));
    FAILS(HOLT_INVALID, holt_savepoint(NULL, NULL));
    FAILS(HOLT_INVALID, holt_rollback_to(NULL, 0));
    FAILS(HOLT_INVALID, holt_release(NULL, 0));
    FAILS(HOLT_INVALID, holt_load_begin(NULL, NULL, &load));
    FAILS(HOLT_INVALID, holt_load_begin(f->c, NULL, NULL));
    FAILS(HOLT_INVALID, holt_load_put(NULL, a, a));
    FAILS(HOLT_INVALID, holt_load_commit(NULL));
    FAILS(HOLT_INVALID, holt_cursor_open(NULL, NULL, NULL, &cur));
    FAILS(HOLT_INVALID, holt_cursor_open(f->c, NULL, NULL, NULL));
    FAILS(HOLT_INVALID, holt_cursor_status(NULL));
    FAILS(HOLT_INVALID, holt_cursor_refresh(NULL));
    FAILS(HOLT_INVALID, holt_stats(NULL, &stats, sizeof stats));
    FAILS(HOLT_INVALID, holt_stats(f->db, NULL, 0));
    FAILS(HOLT_INVALID, holt_collection_stats(NULL, &info, sizeof info));
    FAILS(HOLT_INVALID, holt_collection_stats(f->c, NULL, 0));
    FAILS(HOLT_INVALID, holt_verify(NULL, NULL, NULL, 0));
    FAILS(HOLT_INVALID, holt_verify_live(NULL, NULL, NULL, 0));
    FAILS(HOLT_INVALID, holt_checkpoint(NULL, "x"));
}

/* Unknown options and flags, and limits. */
static void a_wrong_option_is_named(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    static char huge[70000];
    holt_value v = HOLT_VALUE_INIT;
    holt *db;
    holt_collection *c;
    holt_cursor *cur;
    holt_txn *t;
    holt_load *load;
    size_t n;
    char small[3];
    holt_options o = {.memory_bytes = 1};
    holt_collection_options co = {.kind = 77};
    holt_put_options po = {.flags = 64};
    holt_txn_options to = {.flags = 64};
    holt_load_options lo = {.flags = 64};
    holt_cursor_options uo = {.flags = 64};
    holt_verify_options vo = {.reserved = {1}};
    FAILS(HOLT_INVALID, holt_open_on(f->os, "/x", &o, &db));
    FAILS(HOLT_INVALID, holt_collection_create(f->db, "a", &co, &c));
    FAILS(HOLT_INVALID, holt_collection_create(f->db, "", NULL, &c));
    FAILS(HOLT_INVALID, holt_put_with(f->c, NULL, a, a, &po));
    FAILS(HOLT_INVALID, holt_begin(f->db, &to, &t));
    FAILS(HOLT_INVALID, holt_load_begin(f->c, &lo, &load));
    FAILS(HOLT_INVALID, holt_cursor_open(f->c, NULL, &uo, &cur));
    FAILS(HOLT_INVALID, holt_verify_on(f->os, f->path, &vo, NULL, 0));
    FAILS(HOLT_INVALID, holt_verify_live(f->db, &vo, NULL, 0));
    FAILS(HOLT_TOO_LARGE, holt_put(f->c, NULL, holt_bytes(huge, sizeof huge), a));
    FAILS(HOLT_TOO_LARGE, holt_put(f->c, NULL, a, holt_bytes(huge, 3 << 20)));
    FAILS(HOLT_TOO_LARGE, holt_get(f->c, NULL, holt_bytes(huge, sizeof huge), &v));
    FAILS(HOLT_TOO_LARGE, holt_delete(f->c, NULL, holt_bytes(huge, sizeof huge)));
    FAILS(HOLT_TOO_LARGE, holt_collection_name(f->c, small, sizeof small, &n));
    FAILS(HOLT_TOO_LARGE, holt_delete_range(f->c, NULL, holt_bytes(huge, sizeof huge), a));
    FAILS(HOLT_TOO_LARGE, holt_delete_range(f->c, NULL, a, holt_bytes(huge, sizeof huge)));
    FAILS(HOLT_INVALID, holt_delete_range(f->c, NULL, NO_BYTES, a));
    FAILS(HOLT_INVALID, holt_delete_range(f->c, NULL, a, NO_BYTES));
    FAILS(HOLT_INVALID, holt_delete_range(f->c, NULL, holt_str("b"), a));
    FAILS(HOLT_INVALID, holt_delete_range(f->c, NULL, holt_str(NULL), holt_str(NULL)));
    FAILS(HOLT_UNSUPPORTED, holt_checkpoint(f->db, "x"));
    FAILS(HOLT_INVALID, holt_checkpoint(f->db, NULL));
    put(f->c, "a", "12345");
    FAILS(HOLT_TOO_LARGE, holt_get_into(f->c, NULL, a, small, sizeof small, &n));
}

/* ---------------------------------------------------------------- states */

/* Statuses that depend on the state, not on the arguments. Some cross the commit queue. */
static void refusals_of_the_current_state_are_explained(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    holt_collection *c;
    holt_load *load;
    put(f->c, "a", "1");
    holt_put_options present = {.flags = HOLT_PUT_IF_PRESENT};
    holt_put_options nothing = {.flags = HOLT_PUT_IF_VERSION};
    holt_put_options other = {.flags = HOLT_PUT_IF_VERSION, .version = 1};
    FAILS(HOLT_NOT_FOUND, holt_put_with(f->c, NULL, holt_str("no"), a, &present));
    FAILS(HOLT_CONFLICT, holt_put_with(f->c, NULL, holt_str("no"), a, &other));
    FAILS(HOLT_CONFLICT, holt_put_with(f->c, NULL, a, a, &other));
    FAILS(HOLT_CONFLICT, holt_put_with(f->c, NULL, a, a, &nothing));
    FAILS(HOLT_INVALID, holt_add(f->c, NULL, a, INT64_MAX, NULL));
    put(f->c, "text", "five");
    FAILS(HOLT_INVALID, holt_add(f->c, NULL, holt_str("text"), 1, NULL));
    FAILS(HOLT_EXISTS, holt_put_with(f->c, NULL, a, a, &absent));
    expect_ok(holt_flush(f->db));
    FAILS(HOLT_EXISTS, holt_put_with(f->c, NULL, a, a, &absent));
    FAILS(HOLT_EXISTS, holt_load_begin(f->c, NULL, &load));
    FAILS(HOLT_EXISTS, holt_collection_create(f->db, "default", NULL, &c));
    FAILS(HOLT_NOT_FOUND, holt_collection_open(f->db, "b", &c));
    FAILS(HOLT_NOT_FOUND, holt_collection_drop(f->db, "b"));
    FAILS(HOLT_NOT_FOUND, holt_collection_rename(f->db, "b", "d"));
    FAILS(HOLT_INVALID, holt_collection_drop(f->db, "default"));
    FAILS(HOLT_INVALID, holt_collection_rename(f->db, "default", "d"));
    create(f->db, "b");
    create(f->db, "d");
    FAILS(HOLT_EXISTS, holt_collection_rename(f->db, "b", "d"));

    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    FAILS(HOLT_BUSY, holt_close(f->db));
    FAILS(HOLT_READ_ONLY, holt_put(f->c, t, a, a));
    FAILS(HOLT_READ_ONLY, holt_put_with(f->c, t, a, a, &absent));
    FAILS(HOLT_INVALID, holt_savepoint(t, NULL));
    FAILS(HOLT_READ_ONLY, holt_rollback_to(t, 0));
    FAILS(HOLT_READ_ONLY, holt_release(t, 0));
    expect_ok(holt_commit(t));
    FAILS(HOLT_CLOSED, holt_commit(t));
    FAILS(HOLT_CLOSED, holt_exists(f->c, t, a));
    holt_rollback(t);
    t = begin(f->db, 0);
    FAILS(HOLT_INVALID, holt_rollback_to(t, 0));
    put_in(f->c, t, "a", "2");
    put(f->c, "a", "1");
    FAILS(HOLT_CONFLICT, holt_commit(t));
    holt_rollback(t);
    t = begin(f->db, HOLT_TXN_BLIND);
    FAILS(HOLT_INVALID, holt_exists(f->c, t, a));
    FAILS(HOLT_INVALID, holt_put_with(f->c, t, a, a, &absent));
    holt_rollback(t);
}

/* Each call with a handle of a dropped collection says so, calls of its cursors included. */
static void calls_on_a_dropped_collection_say_so(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    holt_collection_info info;
    holt_load *load, *other;
    holt_cursor *cur, *second;
    holt_value v = HOLT_VALUE_INIT;
    holt_collection *c = create(f->db, "b");
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    expect_ok(holt_put(c, t, a, a));
    expect_ok(holt_load_begin(c, NULL, &load));
    cur = open_cursor(c, NULL);
    expect_ok(holt_collection_drop(f->db, "b"));
    FAILS(HOLT_CLOSED, holt_put(c, NULL, a, a));
    FAILS(HOLT_CLOSED, holt_put_with(c, NULL, a, a, NULL));
    FAILS(HOLT_CLOSED, holt_get(c, NULL, a, &v));
    FAILS(HOLT_CLOSED, holt_exists(c, NULL, a));
    FAILS(HOLT_CLOSED, holt_delete(c, NULL, a));
    FAILS(HOLT_CLOSED, holt_collection_clear(c));
    FAILS(HOLT_CLOSED, holt_collection_stats(c, &info, sizeof info));
    FAILS(HOLT_CLOSED, holt_compact(c, a, a));
    FAILS(HOLT_CLOSED, holt_load_put(load, a, a));
    FAILS(HOLT_CLOSED, holt_load_begin(c, NULL, &other));
    FAILS(HOLT_CLOSED, holt_cursor_open(c, NULL, NULL, &second));
    FAILS(HOLT_CLOSED, holt_cursor_refresh(cur));
    FAILS(HOLT_CONFLICT, holt_commit(t));
    MOVE_FAILS(HOLT_CLOSED, cur, holt_cursor_first(cur));
    FAILS(HOLT_CLOSED, holt_cursor_close(cur));
    holt_load_abort(load);
    holt_rollback(t);
    holt_collection_close(c);
}

static void a_failing_move_keeps_its_message(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    holt_cursor *cur = open_cursor(f->c, NULL);
    MOVE_FAILS(HOLT_INVALID, cur, holt_cursor_seek(cur, NO_BYTES));
    FAILS(HOLT_INVALID, holt_cursor_close(cur));
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    cur = open_cursor(f->c, t);
    FAILS(HOLT_INVALID, holt_cursor_refresh(cur));
    holt_rollback(t);
    MOVE_FAILS(HOLT_CLOSED, cur, holt_cursor_first(cur));
    FAILS(HOLT_CLOSED, holt_cursor_close(cur));
}

static void a_load_explains_its_refusals(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    holt_load *load;
    expect_ok(holt_load_begin(f->c, NULL, &load));
    FAILS(HOLT_BUSY, holt_close(f->db));
    expect_ok(holt_load_put(load, a, a));
    FAILS(HOLT_INVALID, holt_load_put(load, a, a));
    put(f->c, "b", "1");
    FAILS(HOLT_EXISTS, holt_load_commit(load));
    expect_ok(holt_collection_clear(f->c));
    expect_ok(holt_load_commit(load));
    FAILS(HOLT_CLOSED, holt_load_put(load, a, a));
    FAILS(HOLT_CLOSED, holt_load_commit(load));
    holt_load_abort(load);
}

static void writes_of_a_reader_are_refused_with_a_message(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_slice a = holt_str("a");
    holt_collection *c;
    holt_load *load;
    db_fixture_close(f);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    FAILS(HOLT_READ_ONLY, holt_put(f->c, NULL, a, a));
    FAILS(HOLT_READ_ONLY, holt_delete(f->c, NULL, a));
    FAILS(HOLT_READ_ONLY, holt_flush(f->db));
    FAILS(HOLT_READ_ONLY, holt_compact(f->c, a, a));
    FAILS(HOLT_READ_ONLY, holt_collection_create(f->db, "b", NULL, &c));
    FAILS(HOLT_READ_ONLY, holt_collection_drop(f->db, "b"));
    FAILS(HOLT_READ_ONLY, holt_collection_rename(f->db, "b", "c"));
    FAILS(HOLT_READ_ONLY, holt_collection_clear(f->c));
    FAILS(HOLT_READ_ONLY, holt_load_begin(f->c, NULL, &load));
}

/* ---------------------------------------------------------------- opening, on the real file system */

/* A dangling link exists for mkdir and does not exist for open: each result alone was expected, but for both
 * together there was no message. */
static void a_dangling_link_is_not_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char link[TEMP_PATH_BYTES];
    holt *db = (holt *)1;
    temp_dir_join(f->dir.path, "link", link);
    assert_int_equal(symlink("nowhere", link), 0);
    FAILS(HOLT_NOT_FOUND, holt_open(link, NULL, &db));
    assert_null(db);
    expect_words("symbolic link");
    expect_words(link);
    holt_options o = {.flags = HOLT_OPEN_MUST_EXIST};
    FAILS(HOLT_NOT_FOUND, holt_open(link, &o, &db));
    FAILS(HOLT_NOT_FOUND, holt_verify(link, NULL, NULL, 0));
    char target[TEMP_PATH_BYTES];
    temp_dir_join(f->dir.path, "nowhere", target);
    assert_int_equal(mkdir(target, 0777), 0); /* as the message says */
    expect_ok(holt_open(link, NULL, &db));
    expect_ok(holt_close(db));
}

/* The message names what stands in the way of an open. */
static void a_refused_open_names_what_is_in_the_way(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES], below[TEMP_PATH_BYTES];
    holt *db = (holt *)1;
    FAILS(HOLT_BUSY, holt_open(f->path, NULL, &db));
    FAILS(HOLT_BUSY, holt_verify(f->path, NULL, NULL, 0));
    temp_dir_join(f->dir.path, "file", path);
    file_write(path, "x", 1);
    FAILS(HOLT_INVALID, holt_open(path, NULL, &db));
    temp_dir_join(path, "below", below);
    FAILS(HOLT_INVALID, holt_open(below, NULL, &db));
    temp_dir_join(f->dir.path, "missing", path);
    temp_dir_join(path, "db", below);
    FAILS(HOLT_NOT_FOUND, holt_open(below, NULL, &db));
    expect_words("missing does not exist");
    expect_words("create it first");
    assert_false(file_exists(path));
    FAILS(HOLT_NOT_FOUND, holt_verify(path, NULL, NULL, 0));
    holt_options exists = {.flags = HOLT_OPEN_MUST_EXIST}, create = {.flags = HOLT_OPEN_MUST_CREATE};
    FAILS(HOLT_NOT_FOUND, holt_open(path, &exists, &db));
    db_fixture_close(f);
    FAILS(HOLT_EXISTS, holt_open(f->path, &create, &db));
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- clean-ups */

/* After a failure a half-made file is deleted; when that fails too, its message must not replace the
 * first. */
static void a_failing_clean_up_does_not_replace_the_message(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    os_dir *d;
    expect_ok(os_dir_open(f->os, f->path, &d));
    stale();
    os_dir_discard(d, "no-such-file");
    expect_words(STALE);
    os_dir_close(d);
}

#define SIM(name)   cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM(a_null_argument_is_named),
        SIM(a_wrong_option_is_named),
        SIM(refusals_of_the_current_state_are_explained),
        SIM(calls_on_a_dropped_collection_say_so),
        SIM(a_failing_move_keeps_its_message),
        SIM(a_load_explains_its_refusals),
        SIM(writes_of_a_reader_are_refused_with_a_message),
        POSIX(a_dangling_link_is_not_found),
        POSIX(a_refused_open_names_what_is_in_the_way),
        SIM(a_failing_clean_up_does_not_replace_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
