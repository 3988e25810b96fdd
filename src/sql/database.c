/* database.c -- the transaction that the virtual tables of a connection share. */
#include "database.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "collection_module.h"
#include "table_module.h"

int sql_code(holt_status status)
{
    switch (status) {
    case HOLT_OK:
        return SQLITE_OK;
    case HOLT_EXISTS:
        return SQLITE_CONSTRAINT;
    /* Not plain SQLITE_BUSY: after that SQLite would keep a transaction open that has ended. */
    case HOLT_CONFLICT:
        return SQLITE_BUSY_SNAPSHOT;
    case HOLT_BUSY:
        return SQLITE_BUSY;
    case HOLT_READ_ONLY:
        return SQLITE_READONLY;
    case HOLT_TOO_LARGE:
        return SQLITE_TOOBIG;
    case HOLT_NO_SPACE:
        return SQLITE_FULL;
    case HOLT_NO_MEMORY:
        return SQLITE_NOMEM;
    case HOLT_IO:
        return SQLITE_IOERR;
    case HOLT_CORRUPT:
        return SQLITE_CORRUPT_VTAB;
    default:
        return SQLITE_ERROR;
    }
}

const char *sql_message(holt_status status)
{
    holt_error last;
    holt_error_get(&last, sizeof last);
    return last.status == (uint32_t)status ? holt_error_message() : sqlite3_errstr(sql_code(status));
}

int sql_failure(sqlite3_vtab *table, holt_status status)
{
    if (status == HOLT_OK) return SQLITE_OK;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", sql_message(status));
    return sql_code(status);
}

int sql_failure_text(sqlite3_vtab *table, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    return code;
}

int database_register(sql_database *d)
{
    int rc = sqlite3_create_module(d->sqlite, SQL_TABLE_MODULE, &sql_table_module, d);
    if (rc != SQLITE_OK) return rc;
    return sqlite3_create_module(d->sqlite, SQL_COLLECTION_MODULE, &sql_collection_module, d);
}

/* ---- reading */

/* What SQLite calls the SAVEPOINT that has begun a transaction. */
enum { TRANSACTION_MARK = -1 };

static void unlink_reader(sql_reader *reader)
{
    if (!reader || !reader->link) return;
    *reader->link = reader->next;
    if (reader->next) reader->next->link = reader->link;
    reader->link = NULL;
}

static void link_reader(sql_database *d, sql_reader *reader)
{
    if (!reader || reader->link) return;
    reader->next = d->txn_readers;
    reader->link = &d->txn_readers;
    if (reader->next) reader->next->link = &reader->next;
    d->txn_readers = reader;
}

/* Tells the cursors that read in the transaction that it ends, while they still can look at their rows. */
static void suspend_readers(sql_database *d)
{
    while (d->txn_readers) {
        sql_reader *reader = d->txn_readers;
        unlink_reader(reader);
        reader->suspend(reader);
    }
}

static void end_transaction(sql_database *d)
{
    assert(!d->txn_readers); /* none is left that would read in it */
    holt_rollback(d->txn);
    d->txn = NULL;
    d->mark_count = 0;
}

/* Makes a Holt savepoint for one of SQLite's. */
static holt_status add_mark(sql_database *d, int number)
{
    if (d->mark_count == d->mark_capacity) {
        const size_t capacity = d->mark_capacity ? d->mark_capacity * 2 : 8;
        savepoint_mark *marks = realloc(d->marks, capacity * sizeof *marks);
        if (!marks) return HOLT_NO_MEMORY;
        d->marks = marks;
        d->mark_capacity = capacity;
    }
    uint32_t id;
    const holt_status status = holt_savepoint(d->txn, &id);
    if (status != HOLT_OK) return status;
    const int first = d->mark_count ? d->marks[d->mark_count - 1].last + 1 : TRANSACTION_MARK;
    d->marks[d->mark_count++] = (savepoint_mark){.first = first, .last = number, .id = id};
    return HOLT_OK;
}

/* Begins the transaction of a BEGIN or of a statement that writes. In a read-only database it only reads, so
 * that BEGIN and SELECT work; writes are refused one by one. */
static holt_status begin_transaction(sql_database *d)
{
    holt_txn_options o = {.label = "SQL transaction"};
    holt_status status = d->read_only ? HOLT_READ_ONLY : holt_begin(d->db, &o, &d->txn);
    if (status == HOLT_READ_ONLY) {
        d->read_only = true;
        o.flags = HOLT_TXN_READ_ONLY;
        status = holt_begin(d->db, &o, &d->txn);
    }
    if (status != HOLT_OK) return status;
    d->txn_number++;
    if (d->read_only) return HOLT_OK; /* there will be nothing to undo */
    status = add_mark(d, TRANSACTION_MARK);
    if (status != HOLT_OK) end_transaction(d);
    return status;
}

holt_status database_join(sql_database *d, const char *table)
{
    if (d->txn || sqlite3_get_autocommit(d->sqlite)) return HOLT_OK;
    char *sql = sqlite3_mprintf("DELETE FROM %s.\"%w\" WHERE 0", d->schema, table);
    if (!sql) return HOLT_NO_MEMORY;
    /* A host may forbid writes (PRAGMA query_only, an authorizer): then each statement has a snapshot of its
     * own. A statement that is interrupted will not read much. With any other failure, reading on would break
     * the promise of one moment for all statements. */
    d->begun = HOLT_OK;
    const int code = sqlite3_exec(d->sqlite, sql, NULL, NULL, NULL) & 0xff;
    sqlite3_free(sql);
    switch (code) {
    case SQLITE_OK:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_INTERRUPT:
        return HOLT_OK;
    case SQLITE_NOMEM:
        return HOLT_NO_MEMORY;
    default:
        return d->begun != HOLT_OK ? d->begun : HOLT_BUSY;
    }
}

holt_status database_view(sql_database *d, const char *table, sql_view *view, sql_reader *reader)
{
    holt_status status = database_join(d, table);
    if (status != HOLT_OK) return status;
    if (d->txn) {
        link_reader(d, reader);
        view->txn = d->txn;
        view->number = d->txn_number;
        return HOLT_OK;
    }
    if (!d->snapshot) {
        const holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY, .label = "SQL statement"};
        status = holt_begin(d->db, &o, &d->snapshot);
        if (status != HOLT_OK) return status;
    }
    if (!view->counted) {
        view->counted = true;
        d->readers++;
    }
    view->txn = d->snapshot;
    view->number = 0;
    return HOLT_OK;
}

void database_view_end(sql_database *d, sql_view *view, sql_reader *reader)
{
    unlink_reader(reader);
    if (!view->counted) return;
    view->counted = false;
    assert(d->readers > 0);
    if (--d->readers > 0) return;
    holt_rollback(d->snapshot);
    d->snapshot = NULL;
}

/* ---- the transaction */

static sql_database *database_of(sqlite3_vtab *table)
{
    return ((sql_vtab *)table)->database;
}

int database_begin(sqlite3_vtab *table)
{
    sql_database *d = database_of(table);
    if (d->txn) return SQLITE_OK;
    d->begun = begin_transaction(d);
    return sql_failure(table, d->begun);
}

int database_sync(sqlite3_vtab *table)
{
    sql_database *d = database_of(table);
    if (!d->txn) return SQLITE_OK;
    suspend_readers(d);
    holt_status status = holt_commit(d->txn);
    /* After HOLT_BUSY and the like it is still open: COMMIT may be tried again. */
    if (status == HOLT_OK || status == HOLT_CONFLICT || status == HOLT_IO) end_transaction(d);
    return sql_failure(table, status);
}

int database_commit(sqlite3_vtab *table)
{
    (void)table; /* xSync has done it */
    return SQLITE_OK;
}

void database_abandon(sql_database *d)
{
    suspend_readers(d);
    end_transaction(d);
}

int database_rollback(sqlite3_vtab *table)
{
    database_abandon(database_of(table));
    return SQLITE_OK;
}

/* Returns the index of the mark that stands for this number, or else of the next one; mark_count if there is
 * none. */
static size_t find_mark(const sql_database *d, int number)
{
    size_t i = d->mark_count;
    while (i > 0 && d->marks[i - 1].last >= number) {
        i--;
    }
    return i;
}

int database_savepoint(sqlite3_vtab *table, int number)
{
    sql_database *d = database_of(table);
    /* A read-only transaction has nothing to undo. */
    if (!d->txn || d->read_only || find_mark(d, number) < d->mark_count) return SQLITE_OK;
    return sql_failure(table, add_mark(d, number));
}

int database_release(sqlite3_vtab *table, int number)
{
    sql_database *d = database_of(table);
    size_t i = find_mark(d, number);
    if (!d->txn || i == d->mark_count) return SQLITE_OK;
    if (d->marks[i].first < number) d->marks[i++].last = number - 1; /* it stands for older ones too */
    holt_status status = i < d->mark_count ? holt_release(d->txn, d->marks[i].id) : HOLT_OK;
    d->mark_count = i;
    return sql_failure(table, status);
}

int database_rollback_to(sqlite3_vtab *table, int number)
{
    sql_database *d = database_of(table);
    const size_t i = find_mark(d, number);
    if (!d->txn || i == d->mark_count) return SQLITE_OK;
    holt_status status = holt_rollback_to(d->txn, d->marks[i].id);
    d->marks[i].last = number;
    d->mark_count = i + 1;
    return sql_failure(table, status);
}
