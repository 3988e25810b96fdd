/* db_fixture.h -- a small database for one test: on sim, where everything replays, or on posix, where there
 * are processes and files.
 *
 * For cmocka: db_fixture_sim or db_fixture_posix as set-up, db_fixture_teardown as tear-down; *state is the
 * fixture. memory_bytes is 8 MiB, memtable_bytes 64 KiB.
 */
#ifndef HOLT_TESTS_DB_FIXTURE_H
#define HOLT_TESTS_DB_FIXTURE_H

#include "os/os.h"
#include "support/expect.h"
#include "support/temp_dir.h"

typedef struct db_fixture {
    os *os;
    bool simulated;
    temp_dir dir; /* posix: the parent of `path` */
    char path[TEMP_PATH_BYTES];
    holt *db;           /* NULL: closed */
    holt_collection *c; /* "default" */
} db_fixture;

int db_fixture_sim(void **state);
int db_fixture_posix(void **state);
int db_fixture_teardown(void **state);

holt_options db_fixture_options(uint32_t flags);
holt_status  db_fixture_try_open(db_fixture *f, uint32_t flags, holt **db);
void         db_fixture_open(db_fixture *f, uint32_t flags);
void         db_fixture_close(db_fixture *f);
void         db_fixture_reopen(db_fixture *f);
/* For tests that close the database themselves. */
void         db_fixture_forget(db_fixture *f);

/* Calls that must succeed. */
void      put(holt_collection *c, const char *key, const char *value);
void      put_in(holt_collection *c, holt_txn *t, const char *key, const char *value);
holt_txn *begin(holt *db, uint32_t flags);
holt_cursor *open_cursor(holt_collection *c, holt_txn *t);
holt_collection *create(holt *db, const char *name);

/* The get must return this value; NULL: HOLT_NOT_FOUND. */
#define expect_get(c, t, key, value) expect_get_at(c, t, key, value, __FILE__, __LINE__)
void expect_get_at(holt_collection *c, holt_txn *t, const char *key, const char *value, const char *file,
                   int line);

/* The cursor must be on this entry; key NULL: not positioned, and without an error. */
#define expect_entry(cursor, key, value) expect_entry_at(cursor, key, value, __FILE__, __LINE__)
void expect_entry_at(holt_cursor *cursor, const char *key, const char *value, const char *file, int line);

#endif
