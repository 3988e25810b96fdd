/* test_directory.c -- which files an open creates, deletes and leaves alone in a directory. */
#include "support/db_fixture.h"

#include "db/open/directory.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *in(const char *directory, const char *name)
{
    static char path[4][TEMP_PATH_BYTES + 100];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", directory, name);
    return to;
}

static size_t entries_of(const char *path)
{
    DIR *d = opendir(path);
    size_t count = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

static holt_status try_open(const char *path, uint32_t flags)
{
    holt_options o = {.flags = flags};
    holt *db = NULL;
    holt_status rc = holt_open(path, &o, &db);
    assert_true((rc == HOLT_OK) == (db != NULL));
    if (rc == HOLT_OK) expect_ok(holt_close(db));
    return rc;
}

/* ---------------------------------------------------------------- what is deleted */

/* Names that look much like the engine's, and some that people use. */
static const char *const users[] = {"notes.tmp",
                                    "a.tmp",
                                    ".tmp",
                                    "CURRENT.tmp.bak",
                                    "MANIFEST-1",
                                    "run-1.sst",
                                    "run-0000001.sst",
                                    "wal-1.log",
                                    "wal-000009.log~",
                                    "tree-7.bt",
                                    "spare-2.log",
                                    "spare-.log",
                                    "BALLAST.tmp",
                                    "BALLASTS",
                                    "LOG.old.tmp",
                                    "run-000009.sst.tmp",
                                    "backup of run-000009.sst",
                                    ".DS_Store",
                                    ".nfs000000000012",
                                    "current.tmp"};
/* Left by the engine when it was interrupted. */
static const char *const ours[] = {"CURRENT.tmp",    "spare-000077.log", "run-000077.sst",
                                   "wal-000077.log", "MANIFEST-000077",  "tree-000077.bt"};

/* Opening cleans up after a crash. It must not touch files of others, even when their names end in ".tmp". */
static void only_the_engines_own_files_are_deleted(void **state)
{
    db_fixture *f = *state;
    put(f->c, "a", "1");
    db_fixture_close(f);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        file_write(in(f->path, users[i]), "mine", 4);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        file_write(in(f->path, ours[i]), "left", 4);
    assert_int_equal(mkdir(in(f->path, "lost+found"), 0700), 0);

    db_fixture_open(f, HOLT_OPEN_READ_ONLY); /* deletes nothing at all */
    expect_get(f->c, NULL, "a", "1");
    db_fixture_close(f);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(file_exists(in(f->path, ours[i])));
    holt_verify_report report;
    expect_ok(holt_verify(f->path, NULL, &report, sizeof report));
    assert_int_equal(report.orphans, sizeof ours / sizeof *ours - 1); /* a later segment might be the log's */

    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        size_t size;
        char *bytes = (char *)file_read(in(f->path, users[i]), &size);
        if (!bytes) print_error("%s was deleted\n", users[i]);
        assert_non_null(bytes);
        assert_int_equal(size, 4);
        assert_memory_equal(bytes, "mine", 4);
        free(bytes);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_false(file_exists(in(f->path, ours[i])));
    assert_true(file_exists(in(f->path, "lost+found")));
}

/* File names get more digits when six are not enough, and never leading zeros then. */
static void names_are_classified_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        file_kind kind;
        uint64_t number;
    } cases[] = {{"CURRENT", FILE_CURRENT, 0},
                 {"LOCK", FILE_LOCK, 0},
                 {"LOG", FILE_EVENT_LOG, 0},
                 {"LOG.old", FILE_EVENT_LOG, 0},
                 {"MANIFEST-000007", FILE_MANIFEST, 7},
                 {"MANIFEST-1234567", FILE_MANIFEST, 1234567},
                 {"MANIFEST-0234567", FILE_FOREIGN, 0},
                 {"MANIFEST-00007", FILE_FOREIGN, 0},
                 {"wal-000001.log", FILE_SEGMENT, 1},
                 {"wal-1000000.log", FILE_SEGMENT, 1000000},
                 {"run-000012.sst", FILE_RUN, 12},
                 {"tree-000012.bt", FILE_PAGES, 12},
                 {"spare-000002.log", FILE_TEMPORARY, 2},
                 {"BALLAST", FILE_TEMPORARY, 0},
                 {"RESERVE", FILE_TEMPORARY, 0},
                 {"CURRENT.tmp", FILE_TEMPORARY, 0},
                 {"notes.tmp", FILE_FOREIGN, 0},
                 {"lost+found", FILE_BYSTANDER, 0},
                 {".hidden", FILE_BYSTANDER, 0},
                 {"wal-000001.log.bak", FILE_FOREIGN, 0},
                 {"wal-99999999999999999999999.log", FILE_FOREIGN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number;
        file_kind kind = file_classify(cases[i].name, &number);
        if (kind != cases[i].kind || number != cases[i].number) print_error("%s\n", cases[i].name);
        assert_int_equal(kind, cases[i].kind);
        assert_int_equal(number, cases[i].number);
    }
}

/* ---------------------------------------------------------------- where a database may be made */

/* A new file system has lost+found, and file managers leave their marks everywhere. */
static void a_database_is_created_next_to_harmless_files(void **state)
{
    db_fixture *f = *state;
    static const char *const names[] = {".DS_Store", ".nfs0000000001234567", ".hidden", ".tmp", ".gitkeep"};
    const char *path = in(f->dir.path, "mount");
    char there[TEMP_PATH_BYTES];
    snprintf(there, sizeof there, "%s", path);
    assert_int_equal(mkdir(there, 0777), 0);
    assert_int_equal(mkdir(in(there, "lost+found"), 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        file_write(in(there, names[i]), "", 0);
    expect_status(HOLT_NOT_FOUND, try_open(there, HOLT_OPEN_READ_ONLY));
    expect_status(HOLT_NOT_FOUND, try_open(there, HOLT_OPEN_MUST_EXIST));
    expect_ok(try_open(there, HOLT_OPEN_MUST_CREATE));
    expect_ok(try_open(there, HOLT_OPEN_READ_ONLY));
    expect_ok(try_open(there, 0));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(file_exists(in(there, names[i])));
}

/* A wrong path must not fill a directory with files. */
static void a_database_is_not_created_among_other_files(void **state)
{
    db_fixture *f = *state;
    static const char *const names[] = {"notes.tmp", "letter.txt", "run-1.sst", "lost+found.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char there[TEMP_PATH_BYTES];
        snprintf(there, sizeof there, "%.400s/%zu", f->dir.path, i);
        assert_int_equal(mkdir(there, 0777), 0);
        file_write(in(there, names[i]), "", 0);
        file_write(in(there, ".hidden"), "", 0);
        for (uint32_t flags = 0; flags <= HOLT_OPEN_MUST_CREATE; flags += flags ? flags : 1) {
            expect_status(HOLT_INVALID, try_open(there, flags));
            expect_words("other files");
        }
        assert_int_equal(entries_of(there), 2);
    }
}

/* ---------------------------------------------------------------- nothing left behind */

/* An open that requires an existing database may be a try with a wrong path: it must create neither the
 * directory nor LOCK nor LOG. */
static void an_open_that_is_refused_leaves_nothing_behind(void **state)
{
    db_fixture *f = *state;
    static const uint32_t flags[] = {HOLT_OPEN_MUST_EXIST, HOLT_OPEN_READ_ONLY,
                                     HOLT_OPEN_READ_ONLY | HOLT_OPEN_MUST_EXIST};
    char missing[TEMP_PATH_BYTES], empty[TEMP_PATH_BYTES], headless[TEMP_PATH_BYTES];
    temp_dir_join(f->dir.path, "missing", missing);
    temp_dir_join(f->dir.path, "empty", empty);
    temp_dir_join(f->dir.path, "headless", headless);
    assert_int_equal(mkdir(empty, 0777), 0);
    assert_int_equal(mkdir(headless, 0777), 0);
    file_write(in(headless, "run-000005.sst"), "", 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        expect_status(HOLT_NOT_FOUND, try_open(missing, flags[i]));
        expect_words("no such directory");
        assert_false(file_exists(missing));
        expect_status(HOLT_NOT_FOUND, try_open(in(missing, "below"), flags[i]));
        expect_status(HOLT_NOT_FOUND, try_open(empty, flags[i]));
        expect_words("no database");
        assert_int_equal(entries_of(empty), 0);
        expect_status(HOLT_CORRUPT, try_open(headless, flags[i]));
        assert_int_equal(entries_of(headless), 1);
    }
    expect_status(HOLT_CORRUPT, try_open(headless, 0));
    assert_int_equal(entries_of(headless), 1);
    expect_status(HOLT_NOT_FOUND, holt_verify(missing, NULL, NULL, 0));
    expect_status(HOLT_NOT_FOUND, holt_verify(empty, NULL, NULL, 0));
    assert_int_equal(entries_of(empty), 0);

    db_fixture_close(f);
    assert_int_equal(unlink(in(f->path, "LOCK")), 0); /* as in a copy without it */
    size_t before = entries_of(f->path);
    expect_status(HOLT_EXISTS, try_open(f->path, HOLT_OPEN_MUST_CREATE));
    assert_int_equal(entries_of(f->path), before);
    expect_ok(try_open(f->path, HOLT_OPEN_READ_ONLY));
    assert_int_equal(entries_of(f->path), before);
    db_fixture_open(f, 0);
}

/* The library creates one directory, not a whole path: a typing error near its root would create a tree of
 * them. */
static void a_missing_parent_is_named(void **state)
{
    db_fixture *f = *state;
    char parent[TEMP_PATH_BYTES], path[TEMP_PATH_BYTES];
    static const char *const tails[] = {"db", "db/", "db///"};
    temp_dir_join(f->dir.path, "no/such", parent);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char words[TEMP_PATH_BYTES + 80];
        temp_dir_join(parent, tails[i], path);
        expect_status(HOLT_NOT_FOUND, try_open(path, 0));
        snprintf(words, sizeof words, "the directory %s does not exist; create it first", parent);
        expect_words(words);
    }
    assert_false(file_exists(in(f->dir.path, "no")));
}

#define POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POSIX(only_the_engines_own_files_are_deleted),
        cmocka_unit_test(names_are_classified_exactly),
        POSIX(a_database_is_created_next_to_harmless_files),
        POSIX(a_database_is_not_created_among_other_files),
        POSIX(an_open_that_is_refused_leaves_nothing_behind),
        POSIX(a_missing_parent_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
