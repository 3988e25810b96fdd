/* test_destroy.c -- deleting a database: what is deleted, what stays, and what a crash in the middle
 * leaves. */
#include "base/hash.h"
#include "base/memory.h"
#include "db/open/destroy.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/must.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { ENTRIES = 40 };

static void key_of(int i, char key[16])
{
    snprintf(key, 16, "key%03d", i);
}

/* Flushed into both kinds of files, and some more in the log. */
static void fill(db_fixture *f)
{
    holt_collection_options o = {.kind = HOLT_BTREE};
    holt_collection *tree;
    char key[16];
    expect_ok(holt_collection_create(f->db, "tree", &o, &tree));
    for (int i = 0; i < ENTRIES; i++) {
        key_of(i, key);
        put(f->c, key, "value");
        put(tree, key, "value");
        if (i == ENTRIES / 2) expect_ok(holt_flush(f->db));
    }
}

static holt_status destroy(db_fixture *f)
{
    return holt_destroy_on(f->os, f->path);
}

static bool directory_exists(os *o, const char *path)
{
    os_dir *d = NULL;
    holt_status rc = os_dir_open(o, path, &d);
    os_dir_close(d);
    return rc == HOLT_OK;
}

static holt_status count_name(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return HOLT_OK;
}

static int names_in(os *o, const char *path)
{
    os_dir *d;
    int count = 0;
    expect_ok(os_dir_open(o, path, &d));
    expect_ok(os_dir_list(d, count_name, &count));
    os_dir_close(d);
    return count;
}

/* A database of both kinds, with data in files and in the log, has files of every sort. */
static void destroy_removes_all_files_and_the_directory(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    fill(f);
    db_fixture_close(f);
    expect_ok(destroy(f));
    assert_false(directory_exists(f->os, f->path));
    expect_status(HOLT_NOT_FOUND, destroy(f));
    expect_words("no database");
    expect_status(HOLT_NOT_FOUND, db_fixture_try_open(f, HOLT_OPEN_MUST_EXIST, &f->db));
    db_fixture_open(f, HOLT_OPEN_MUST_CREATE);
    expect_get(f->c, NULL, "key001", NULL);
}

/* The files of an open database must stay: it would go on writing to files without names. */
static void destroy_of_an_open_database_is_busy(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt *reader;
    fill(f);
    expect_status(HOLT_BUSY, destroy(f));
    db_fixture_close(f);
    expect_ok(db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &reader));
    expect_status(HOLT_BUSY, destroy(f));
    expect_ok(holt_close(reader));
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "key001", "value");
}

/* A user may keep notes or certificates next to the database. */
static void destroy_keeps_foreign_files_and_their_directory(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES];
    size_t size;
    fill(f);
    db_fixture_close(f);
    file_write(temp_dir_join(f->path, "notes.txt", path), "mine", 4);
    expect_ok(destroy(f));
    assert_int_equal(names_in(f->os, f->path), 1);
    uint8_t *left = file_read(path, &size);
    assert_int_equal(size, 4);
    free(left);
    expect_status(HOLT_INVALID, destroy(f));
    expect_words("no database");
    assert_int_equal(names_in(f->os, f->path), 1);
}

/* The path may be a link to a directory elsewhere. */
static void destroy_through_a_symbolic_link_leaves_the_empty_directory(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char link_path[TEMP_PATH_BYTES];
    db_fixture_close(f);
    temp_dir_join(f->dir.path, "link", link_path);
    assert_int_equal(symlink(f->path, link_path), 0);
    expect_ok(holt_destroy(link_path));
    assert_int_equal(names_in(f->os, f->path), 0);
    expect_status(HOLT_NOT_FOUND, holt_destroy(link_path));
}

/* LevelDB and RocksDB name CURRENT, LOCK, LOG and MANIFEST as Holt does. A wrong path must not harm their
 * databases, nor a directory of logs. */
static void destroy_of_something_else_deletes_nothing(void **state)
{
    static const char *const others[][2] = {{"CURRENT", "MANIFEST-000004\n"},
                                            {"MANIFEST-000004", "\x56\xf9\xb8\xf8\x1c\x00\x01\x01"},
                                            {"LOCK", ""},
                                            {"LOG", "2026/01/01 recovered"},
                                            {"000003.log", "something"},
                                            {"wal-7.log", "a log of another program"}};
    enum { OTHERS = sizeof others / sizeof *others };
    db_fixture *f = (db_fixture *)*state;
    char path[64];
    db_fixture_close(f);
    expect_status(HOLT_INVALID, holt_destroy_on(f->os, NULL));
    expect_status(HOLT_INVALID, holt_destroy_on(f->os, ""));
    expect_status(HOLT_NOT_FOUND, holt_destroy_on(f->os, "/none"));
    expect_status(HOLT_INVALID, holt_destroy_on(f->os, "/db/CURRENT"));
    expect_ok(os_dir_create(f->os, "/other"));
    expect_status(HOLT_NOT_FOUND, holt_destroy_on(f->os, "/other"));
    assert_true(directory_exists(f->os, "/other"));
    for (int i = 0; i < OTHERS; i++) {
        snprintf(path, sizeof path, "/other/%s", others[i][0]);
        expect_ok(sim_poke(f->os, path, others[i][1], strlen(others[i][1])));
    }
    expect_status(HOLT_INVALID, holt_destroy_on(f->os, "/other"));
    assert_int_equal(names_in(f->os, "/other"), OTHERS);
    expect_ok(sim_remove(f->os, "/other/CURRENT"));
    expect_status(HOLT_INVALID, holt_destroy_on(f->os, "/other"));
    assert_int_equal(names_in(f->os, "/other"), OTHERS - 1);
}

/* A database that can no longer be opened is the one most worth deleting. */
static void destroy_of_a_damaged_database_works_but_not_of_a_newer_one(void **state)
{
    static const char newer[] = "holt 2 00000000000000000000000000000000 MANIFEST-000001 ",
                      damaged[] = "holt ?";
    db_fixture *f = (db_fixture *)*state;
    void *current;
    size_t size;
    fill(f);
    db_fixture_close(f);
    expect_ok(sim_peek(f->os, "/db/CURRENT", &current, &size));
    expect_ok(sim_poke(f->os, "/db/CURRENT", damaged, strlen(damaged)));
    os *copy = sim_clone(f->os, 1);
    expect_ok(holt_destroy_on(copy, "/db"));
    sim_destroy(copy);
    expect_ok(sim_remove(f->os, "/db/CURRENT"));
    copy = sim_clone(f->os, 1);
    expect_ok(holt_destroy_on(copy, "/db"));
    assert_false(directory_exists(copy, "/db"));
    sim_destroy(copy);

    /* The checksum of the line is at the same place in all versions. */
    char line[128];
    size_t length = strlen(newer);
    memcpy(line, newer, length);
    snprintf(line + length, sizeof line - length, "%016llx\n", (unsigned long long)hash_bytes(line, length));
    expect_ok(sim_poke(f->os, "/db/CURRENT", line, strlen(line)));
    int before = names_in(f->os, "/db");
    expect_status(HOLT_UNSUPPORTED, destroy(f));
    assert_int_equal(names_in(f->os, "/db"), before);
    expect_ok(sim_poke(f->os, "/db/CURRENT", current, size));
    mem_free(current);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "key001", "value");
}

/* ---------------------------------------------------------------- crashes */

static void expect_whole(os *machine, holt *db)
{
    char key[16];
    holt_collection *c, *tree;
    expect_ok(holt_collection_open(db, "default", &c));
    expect_ok(holt_collection_open(db, "tree", &tree));
    for (int i = 0; i < ENTRIES; i++) {
        key_of(i, key);
        expect_get(c, NULL, key, "value");
        expect_get(tree, NULL, key, "value");
    }
}

typedef struct found {
    int whole, refused, gone;
} found;

/* A destroy that was interrupted leaves the whole database, or none; and it can be repeated. */
static void expect_whole_or_gone(os *machine, found *counts)
{
    db_fixture f = {.os = machine, .path = "/db"};
    holt *db;
    holt_status rc = db_fixture_try_open(&f, HOLT_OPEN_MUST_EXIST, &db);
    if (rc == HOLT_OK) {
        expect_whole(machine, db);
        expect_ok(holt_close(db));
        counts->whole++;
    } else if (rc == HOLT_CORRUPT) {
        expect_words("holt_destroy did not finish");
        counts->refused++;
    } else {
        expect_status(HOLT_NOT_FOUND, rc);
        counts->gone++;
    }
    rc = holt_destroy_on(machine, "/db");
    if (rc != HOLT_NOT_FOUND) expect_ok(rc);
    holt_collection *c;
    expect_ok(db_fixture_try_open(&f, HOLT_OPEN_MUST_CREATE, &db));
    expect_ok(holt_collection_open(db, "default", &c));
    expect_get(c, NULL, "key001", NULL);
    expect_ok(holt_close(db));
}

typedef struct strikes {
    os *machine;
    found counts;
} strikes;

/* Before each change of the disk: a kill there, and power cuts. */
static void strike(void *ctx, uint64_t call)
{
    enum { CUTS = 6 };
    strikes *s = (strikes *)ctx;
    for (uint64_t i = 0; i <= CUTS; i++) {
        sim_cut cut = {.files = SIM_KEEP_SOME, .entries = SIM_KEEP_SOME, .tear_bytes = 512};
        if (i == 1) cut.entries = SIM_KEEP_NONE;
        os *left = sim_clone(s->machine, call * CUTS + i);
        if (i > 0) sim_power_cut(left, &cut, call * CUTS + i);
        expect_whole_or_gone(left, &s->counts);
        sim_destroy(left);
    }
}

/* If a manifest were deleted before CURRENT, or a log before a run, a crash would leave a database that opens
 * with part of its data, or one that can be neither opened nor destroyed. */
static void interrupted_destroy_leaves_all_or_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    strikes s = {.machine = f->os};
    fill(f);
    db_fixture_close(f);
    sim_on_io(f->os, strike, &s);
    expect_ok(destroy(f));
    sim_on_io(f->os, NULL, NULL);
    print_message("whole %d, refused %d, gone %d\n", s.counts.whole, s.counts.refused, s.counts.gone);
    assert_true(s.counts.whole > 0 && s.counts.refused > 0 && s.counts.gone > 0);
}

/* A killed process leaves unlinks that no sync has made durable, and another process continues from there. */
static void destroy_that_failed_can_be_repeated(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    found counts = {0};
    fill(f);
    db_fixture_close(f);
    for (uint64_t n = 1;; n++) {
        os *copy = sim_clone(f->os, n);
        sim_fail(copy, SIM_CALLS, n, EIO, n % 2 == 0);
        holt_status rc = holt_destroy_on(copy, "/db");
        bool hit = sim_fault_hit(copy);
        sim_fail(copy, SIM_CALLS, 0, 0, false);
        if (rc != HOLT_OK) assert_true(*holt_error_message());
        if (rc != HOLT_OK) expect_whole_or_gone(copy, &counts);
        sim_destroy(copy);
        if (!hit) break;
    }
    for (uint64_t n = 1;; n++) {
        os *copy = sim_clone(f->os, n);
        mem_fail_at(n, false);
        holt_status rc = holt_destroy_on(copy, "/db");
        mem_fail_at(0, false);
        if (rc != HOLT_OK) expect_status(HOLT_NO_MEMORY, rc);
        if (rc != HOLT_OK) expect_whole_or_gone(copy, &counts);
        sim_destroy(copy);
        if (rc == HOLT_OK) break;
    }
    print_message("whole %d, refused %d, gone %d\n", counts.whole, counts.refused, counts.gone);
}

#define on_sim(test)   cmocka_unit_test_setup_teardown(test, db_fixture_sim, db_fixture_teardown)
#define on_posix(test) cmocka_unit_test_setup_teardown(test, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_sim(destroy_removes_all_files_and_the_directory),
        {"destroy_removes_all_files_and_the_directory, posix", destroy_removes_all_files_and_the_directory,
         db_fixture_posix, db_fixture_teardown, NULL},
        on_sim(destroy_of_an_open_database_is_busy),
        on_posix(destroy_keeps_foreign_files_and_their_directory),
        on_posix(destroy_through_a_symbolic_link_leaves_the_empty_directory),
        on_sim(destroy_of_something_else_deletes_nothing),
        on_sim(destroy_of_a_damaged_database_works_but_not_of_a_newer_one),
        on_sim(interrupted_destroy_leaves_all_or_nothing),
        on_sim(destroy_that_failed_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
