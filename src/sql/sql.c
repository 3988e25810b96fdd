/* sql.c -- connections, and running statements of any kind. */
#include "sqlite_api.h"

#include "sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attach.h"
#include "catalog.h"
#include "database.h"
#include "ddl.h"
#include "ddl_run.h"
#include "error.h"
#include "schema_text.h"
#include "statement.h"
#include "token.h"
#include "upsert.h"

/* How often a statement of its own is repeated when it conflicts, and the longest pause before that. */
static const unsigned TRIES_MAX = 100, PAUSE_MAX_MS = 20;

/* ---- connections */

int sql_attach(sqlite3 *sqlite, const char *schema, sql_connection **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return SQLITE_NOMEM;
    (*out)->database.sqlite = sqlite;
    (*out)->database.schema = schema;
    const int rc = database_register(&(*out)->database);
    if (rc == SQLITE_OK) return rc;
    free(*out);
    *out = NULL;
    return rc;
}

static int refresh(sql_connection *c, sql_error *error)
{
    char *message = NULL;
    const int rc = catalog_refresh(&c->database, &message);
    if (rc != SQLITE_OK) error_set(error, rc, SIZE_MAX, "%s", message ? message : sqlite3_errstr(rc));
    sqlite3_free(message);
    return rc;
}

int sql_use(sql_connection *c, holt *db, sql_error *error)
{
    c->database.db = db;
    const int rc = refresh(c, error);
    if (rc != SQLITE_OK) sql_forget(c);
    return rc;
}

void sql_forget(sql_connection *c)
{
    sql_database *d = &c->database;
    catalog_clear(d);
    database_abandon(d);
    d->db = NULL;
    d->read_only = false;
}

void sql_abandon(sql_connection *c)
{
    catalog_free(&c->database);
    database_abandon(&c->database);
    c->database.db = NULL;
}

bool sql_is_reading(sql_connection *c)
{
    return c->database.readers > 0 || c->database.txn_readers;
}

void sql_detach(sql_connection *c)
{
    free(c->database.marks);
    free(c);
}

int sql_open(holt *db, sql_connection **out, sql_error *error)
{
    sqlite3 *sqlite = NULL;
    *out = NULL;
    int rc = sqlite3_open(":memory:", &sqlite);
    if (rc == SQLITE_OK) rc = sql_attach(sqlite, "main", out);
    if (rc != SQLITE_OK) {
        sqlite3_close(sqlite);
        return error_set(error, rc, SIZE_MAX, "%s", sqlite3_errstr(rc));
    }
    (*out)->owns_sqlite = true;
    rc = sql_use(*out, db, error);
    if (rc == SQLITE_OK) return rc;
    sql_close(*out);
    *out = NULL;
    return rc;
}

void sql_close(sql_connection *c)
{
    if (!c) return;
    if (c->database.db) {
        (void)sqlite3_exec(c->database.sqlite, "ROLLBACK", NULL, NULL, NULL); /* fails if nothing is open */
        sql_forget(c);
    }
    if (c->owns_sqlite) sqlite3_close(c->database.sqlite);
    sql_detach(c);
}

sqlite3 *sql_sqlite(sql_connection *c)
{
    return c->database.sqlite;
}

int64_t sql_changes(sql_connection *c)
{
    return sqlite3_total_changes64(c->database.sqlite) - c->database.rows_aside;
}

void sql_interrupt(sql_connection *c)
{
    /* Only a flag: nothing else is read because of it. */
    atomic_store_explicit(&c->database.interrupted, true, memory_order_relaxed);
    sqlite3_interrupt(c->database.sqlite);
}

bool sql_complete(const char *text)
{
    return sqlite3_complete(text);
}

bool sql_in_transaction(sql_connection *c)
{
    return !sqlite3_get_autocommit(c->database.sqlite);
}

int sql_transaction(sql_connection *c, holt_txn **t)
{
    sql_database *d = &c->database;
    *t = NULL;
    if (!sql_in_transaction(c) || d->object_count == 0) return SQLITE_OK;
    const int rc = sql_code(database_join(d, d->objects[0].name));
    *t = d->txn;
    return rc == SQLITE_OK && !d->txn ? SQLITE_READONLY : rc;
}

/* ---- the catalog */

int sql_refresh(sql_connection *c, sql_error *error)
{
    return sql_in_transaction(c) ? SQLITE_OK : refresh(c, error);
}

/* Lists the indexes of a table. Returns false if `each` has stopped, or after an error in *rc. */
static bool list_indexes(const sql_object *object, sql_object_fn each, void *ctx, int *rc)
{
    holt_table_info *info = NULL;
    *rc = sql_code(holt_table_describe(object->table, &info));
    bool go_on = *rc == SQLITE_OK;
    for (size_t i = 0; go_on && i < info->index_count; i++) {
        go_on = each(ctx, SQL_INDEX, info->indexes[i].name, object->name);
    }
    holt_free(info);
    return go_on;
}

int sql_list(sql_connection *c, sql_object_fn each, void *ctx)
{
    const sql_database *d = &c->database;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < d->object_count; i++) {
        const sql_object *object = &d->objects[i];
        if (!object->table) continue;
        if (!each(ctx, SQL_TABLE, object->name, object->name)) return SQLITE_OK;
        if (!list_indexes(object, each, ctx, &rc)) return rc;
    }
    for (size_t i = 0; i < d->object_count; i++) {
        const sql_object *object = &d->objects[i];
        if (!object->table && !each(ctx, SQL_COLLECTION, object->name, object->name)) break;
    }
    return SQLITE_OK;
}

char *sql_schema_text(sql_connection *c, const char *table)
{
    const sql_object *object = catalog_find(&c->database, table);
    if (!object || !object->table) return NULL;
    sqlite3_str *out = sqlite3_str_new(NULL);
    const holt_status status = schema_append(out, object->table);
    char *text = sqlite3_str_finish(out);
    if (status == HOLT_OK) return text;
    sqlite3_free(text);
    return NULL;
}

char *sql_quoted(const char *name)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    schema_append_name(out, name);
    return sqlite3_str_finish(out);
}

/* ---- statements */

static int run_ddl(sql_connection *c, const char *text, size_t start, size_t end, sql_error *error)
{
    ddl statement;
    if (sql_in_transaction(c)) {
        return error_set(error, SQLITE_ERROR, start,
                         "schemas cannot be changed within a transaction: COMMIT or ROLLBACK first");
    }
    int rc = catalog_is_stale(&c->database) ? refresh(c, error) : SQLITE_OK;
    if (rc != SQLITE_OK) return rc;
    rc = ddl_parse(&statement, text + start, end - start);
    if (rc == SQLITE_ERROR) error_set(error, rc, start + statement.error_offset, "%s", statement.error);
    if (rc == SQLITE_OK) {
        rc = ddl_run(&c->database, &statement, text + start, error);
        if (rc != SQLITE_OK && error->offset != SIZE_MAX) error->offset += start;
        /* The change is durable or undone, whatever becomes of the virtual tables: if they cannot be made
         * now, the next statement finds them stale, and says why. */
        (void)refresh(c, NULL);
    }
    ddl_deinit(&statement);
    return rc;
}

/* A short pause of random length, longer with each try. */
static void pause_before(unsigned attempt)
{
    const unsigned most_ms = attempt < PAUSE_MAX_MS ? attempt : PAUSE_MAX_MS;
    unsigned random;
    sqlite3_randomness((int)sizeof random, &random);
    const struct timespec pause = {.tv_nsec = (long)(random % (most_ms * 1000000))};
    nanosleep(&pause, NULL);
}

/* Runs a statement once. */
static int run_once(sql_connection *c, statement_kind kind, const char *text, size_t start, size_t end,
                    const sql_sink *sink, bool *delivered, sql_error *error)
{
    if (kind == STATEMENT_UPSERT) return upsert_run(&c->database, text, start, end, error);
    int rc = statement_run(&c->database, text, start, end, sink, delivered, error);
    if (rc != SQLITE_ERROR || sql_in_transaction(c) || strncmp(error->message, "no such table", 13) != 0)
        return rc;
    /* It may have been created by other means. */
    if (refresh(c, NULL) != SQLITE_OK) return rc;
    return statement_run(&c->database, text, start, end, sink, delivered, error);
}

static int run_repeatedly(sql_connection *c, statement_kind kind, const char *text, size_t start, size_t end,
                          const sql_sink *sink, sql_error *error)
{
    const bool alone = !sql_in_transaction(c);
    bool delivered = false;
    int rc = SQLITE_OK;
    for (unsigned attempt = 1; attempt <= TRIES_MAX; attempt++) {
        rc = run_once(c, kind, text, start, end, sink, &delivered, error);
        if (!alone || delivered || (rc & 0xff) != SQLITE_BUSY) return rc;
        if (atomic_load_explicit(&c->database.interrupted, memory_order_relaxed)) {
            return error_set(error, SQLITE_INTERRUPT, SIZE_MAX, "interrupted");
        }
        pause_before(attempt);
    }
    return rc;
}

/* Before a statement that may see tables that were changed by other means. */
static int refresh_if_stale(sql_connection *c, const char *text, size_t start, size_t end, sql_error *error)
{
    tokens t;
    if (sql_in_transaction(c)) return SQLITE_OK;
    tokens_init(&t, text + start, end - start);
    bool lists = tokens_next(&t) == TOKEN_WORD && token_is(&t.now, "pragma");
    while (!lists && t.now.kind != TOKEN_END && t.now.kind != TOKEN_BAD) {
        lists = t.now.size > 7 && sqlite3_strnicmp(t.now.text, "sqlite_", 7) == 0;
        tokens_next(&t);
    }
    return lists || catalog_is_stale(&c->database) ? refresh(c, error) : SQLITE_OK;
}

/* Finds the first statement of the text: text[*start, *end). Makes what it may see visible. */
static int find_statement(sql_connection *c, const char *text, size_t size, statement_kind *kind,
                          size_t *start, size_t *end, sql_error *error)
{
    *error = (sql_error){.offset = SIZE_MAX};
    atomic_store_explicit(&c->database.interrupted, false, memory_order_relaxed);
    *kind = statement_classify(&c->database, text, size, start, error);
    *end = *kind == STATEMENT_NONE ? size : statement_end(text, size, *start);
    const bool runs = *kind == STATEMENT_SQLITE || *kind == STATEMENT_UPSERT;
    return runs ? refresh_if_stale(c, text, *start, *end, error) : error->code;
}

/* Returns the end of the blanks and comments behind a statement, which belong to it. */
static size_t end_of_blanks(const char *text, size_t size, size_t end)
{
    tokens rest;
    tokens_init(&rest, text + end, size - end);
    tokens_next(&rest);
    return end + tokens_offset(&rest);
}

/* Sees to it that an error has a code and a message. */
static int finish_error(sql_error *error, int rc)
{
    if (rc != SQLITE_OK && !error->message[0]) error_set(error, rc, SIZE_MAX, "%s", sqlite3_errstr(rc));
    if (rc != SQLITE_OK) error->code = rc;
    return rc;
}

/* Before a statement that SQLite does not run as it is. */
static int refuse_parameters(const char *text, size_t start, size_t end, const sql_sink *sink,
                             sql_error *error)
{
    tokens t;
    tokens_init(&t, text + start, end - start);
    while (tokens_next(&t) != TOKEN_END && t.now.kind != TOKEN_BAD) {
        if (t.now.kind == TOKEN_VARIABLE)
            return error_set(error, SQLITE_ERROR, start + tokens_offset(&t),
                             "this statement cannot have parameters: write the values into it");
    }
    const int rc = sink->bind(sink->ctx, NULL);
    return rc == SQLITE_OK ? rc : error_set(error, rc, start, "the parameters do not fit");
}

int sql_run(sql_connection *c, const char *text, size_t size, const sql_sink *sink, size_t *used,
            sql_error *error)
{
    sql_error unused;
    statement_kind kind;
    size_t start, end;
    error = error ? error : &unused;
    int rc = find_statement(c, text, size, &kind, &start, &end, error);
    const bool ours = kind == STATEMENT_DDL || kind == STATEMENT_UPSERT;
    if (rc == SQLITE_OK && ours && sink && sink->bind) rc = refuse_parameters(text, start, end, sink, error);
    if (rc == SQLITE_OK && kind == STATEMENT_DDL) {
        rc = run_ddl(c, text, start, end, error);
    } else if (rc == SQLITE_OK && kind != STATEMENT_NONE) {
        rc = run_repeatedly(c, kind, text, start, end, sink, error);
    }
    if (used) *used = end_of_blanks(text, size, end);
    return finish_error(error, rc);
}

int sql_prepare_read(sql_connection *c, const char *text, size_t size, sqlite3_stmt **out, size_t *used,
                     sql_error *error)
{
    sql_error unused;
    statement_kind kind;
    size_t start, end;
    *out = NULL;
    error = error ? error : &unused;
    int rc = find_statement(c, text, size, &kind, &start, &end, error);
    if (rc == SQLITE_OK && kind == STATEMENT_SQLITE) {
        sqlite3 *sqlite = c->database.sqlite;
        rc = sqlite3_prepare_v2(sqlite, text + start, (int)(end - start), out, NULL);
        if (rc != SQLITE_OK) rc = error_of_sqlite(error, rc, sqlite, start);
    }
    const bool writes =
        kind == STATEMENT_DDL || kind == STATEMENT_UPSERT || (*out && !sqlite3_stmt_readonly(*out));
    if (rc == SQLITE_OK && writes) {
        sqlite3_finalize(*out);
        *out = NULL;
        rc = error_set(error, SQLITE_READONLY, start, "the statement changes something");
    }
    if (used) *used = end_of_blanks(text, size, end);
    return finish_error(error, rc);
}
