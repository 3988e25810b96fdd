/* database.h -- one Holt database as one SQLite connection sees it: its virtual tables and transaction.
 *
 * All virtual tables of a database share what is in here. There are two ways of reading:
 *
 *   transaction  SQLite has begun a write on one of the tables (xBegin), or is inside BEGIN or SAVEPOINT:
 *                everything reads and writes in one read-write transaction, which ends with SQLite's.
 *   snapshot     otherwise. The first cursor that reads begins a read-only transaction and the last one that
 *                closes ends it, so that all tables of a statement show the same moment.
 *
 * SQLite tells a virtual table of a BEGIN only once the table is written to. Therefore the first read inside
 * BEGIN runs a DELETE that deletes nothing: from then on SQLite reports the end of the transaction.
 *
 * Savepoints   SQLite numbers them from 0 (-1 is a SAVEPOINT outside of BEGIN, which is the transaction) and
 *              tells every table that is part of the transaction, so that the same number comes more than
 *              once, and a table that is written to later hears only of the newest one. database_savepoint()
 *              and the calls after it make one Holt savepoint of all that.
 * Commit       SQLite calls xSync on all tables before xCommit. The first xSync commits, so that a conflict
 *              still rolls the whole statement or transaction back.
 * Threads      As SQLite's connection: one at a time.
 */
#ifndef SQL_DATABASE_H
#define SQL_DATABASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>
#include <holt/table.h>

#include "sqlite_api.h"

/* A Holt savepoint, and the numbers of those of SQLite that it stands for: several if they were made before
 * the first table became part of the transaction. */
typedef struct savepoint_mark {
    int first, last;
    uint32_t id;
} savepoint_mark;

/* A cursor that reads in the transaction, in a list of them. */
typedef struct sql_reader {
    struct sql_reader *next, **link; /* link: what points to this one; NULL if it is in no list */
    void (*suspend)(struct sql_reader *reader); /* called when the transaction is about to end */
} sql_reader;

/* What a name stands for: a virtual table that exists in SQLite now. */
typedef struct sql_object {
    char *name;
    holt_table *table; /* NULL: a plain collection */
    uint64_t version;  /* of the schema that it was declared with */
    bool released;     /* SQLite has let go of it: the next refresh makes it again (catalog_release) */
} sql_object;

typedef struct sql_database {
    sqlite3 *sqlite;
    holt *db;
    const char *schema; /* where the virtual tables are: "main" or "temp" */
    bool read_only;     /* set by the first transaction that is refused for it */

    holt_txn *txn;       /* the transaction; NULL if there is none */
    uint64_t txn_number; /* grows with each, so that cursors recognise theirs */
    holt_status begun;   /* what came of the last attempt to begin one */
    sql_reader *txn_readers;
    holt_txn *snapshot;  /* NULL unless readers > 0 */
    uint32_t readers;    /* cursors that use the snapshot */

    savepoint_mark *marks; /* ascending; each begins behind the one before */
    size_t mark_count, mark_capacity;

    sql_object *objects; /* in bytewise order of their names; see catalog.h */
    size_t object_count, object_capacity;
    bool outdated;           /* the last catalog_refresh has failed half way */
    bool refreshing;         /* virtual tables may be dropped: it is the catalog that does it */
    int64_t rows_aside;      /* that ON CONFLICT has put into a table of its own, which are no changes */
    atomic_bool interrupted; /* set by sql_interrupt, cleared when a statement begins */
} sql_database;

/* What the virtual tables of both modules begin with. */
typedef struct sql_vtab {
    sqlite3_vtab base; /* first: SQLite's */
    sql_database *database;
} sql_vtab;

/* The name of the module of tables, and of that of collections. */
#define SQL_TABLE_MODULE "holt_table"
#define SQL_COLLECTION_MODULE "holt_collection"

/* A connection of sql.h: its database is NULL in the extension until holt_open. */
struct sql_connection {
    sql_database database;
    bool owns_sqlite; /* sql_close closes it */
};

/* Registers the modules with d->sqlite. `d` is borrowed for as long as the SQLite connection is open. Returns
 * a SQLite result code. */
int database_register(sql_database *d);

/* ---- reading */

/* What a cursor reads. */
typedef struct sql_view {
    holt_txn *txn;
    uint64_t number; /* changes with the transaction; 0 = the snapshot */
    bool counted;    /* the cursor is one of d->readers */
} sql_view;

/* Sets *view, at first zeroed, to what a cursor on `table` that begins to read must read now. In a
 * transaction, `reader` (may be NULL) is told of its end. */
holt_status database_view(sql_database *d, const char *table, sql_view *view, sql_reader *reader);

/* The cursor is closed. */
void database_view_end(sql_database *d, sql_view *view, sql_reader *reader);

/* Makes sure that d->txn is the transaction of the open BEGIN, if there is one. */
holt_status database_join(sql_database *d, const char *table);

/* Rolls back what is open. */
void database_abandon(sql_database *d);

/* ---- the transaction, as SQLite tells both modules of it: xBegin to xRollbackTo. `table` is the base of a
 * sql_vtab. Each returns a SQLite result code and leaves its message in table->zErrMsg. */

int database_begin(sqlite3_vtab *table);
int database_sync(sqlite3_vtab *table);
int database_commit(sqlite3_vtab *table);
int database_rollback(sqlite3_vtab *table);
int database_savepoint(sqlite3_vtab *table, int number);
int database_release(sqlite3_vtab *table, int number);
int database_rollback_to(sqlite3_vtab *table, int number);

/* ---- failures */

/* Returns the SQLite result code of a status. */
int sql_code(holt_status status);

/* Returns what to say of a status that is not HOLT_OK: Holt's message, or, if that is of an earlier failure
 * because src/sql itself has run out of memory, SQLite's. Valid until the thread's next call of Holt. */
const char *sql_message(holt_status status);

/* Leaves Holt's message in table->zErrMsg, and returns the code of the status. HOLT_OK: does nothing. */
int sql_failure(sqlite3_vtab *table, holt_status status);

/* Leaves a message of our own in table->zErrMsg, and returns `code`. */
__attribute__((format(printf, 3, 4))) int sql_failure_text(sqlite3_vtab *table, int code, const char *format,
                                                           ...);

#endif
