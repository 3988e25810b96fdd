/* cmd_sql.c -- HOLT.SQL: a statement of SQL over the tables and collections of the database.
 *
 *     HOLT.SQL statement [parameter ...]
 *
 * The reply to a statement that returns rows is an array: the names of the columns, then the rows. To another
 * one it is the number of rows changed. Parameters stand for ?1, ?2 and so on.
 *
 * The executor waits for the statement, so it is given a limited time (sql_ms), and its reply a limited size
 * (output_bytes). Statements that write need the setting sql_write. They see what was written before, and are
 * committed on their own; transactions that span several commands are refused, because other clients'
 * commands would come between them.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "sql/sql.h"

enum { STEPS_BETWEEN_LOOKS = 10000 }; /* of SQLite's machine, between looks at the clock */

struct resp_sql {
    sql_connection *connection;
    uint64_t stop_ns; /* when the statement has had its time; UINT64_MAX = never */
};

/* What becomes of the rows of a statement. */
typedef struct rows {
    resp_call *call;
    bytes text; /* the rows as replies */
    size_t count;
    size_t parameters; /* of the statement, once they are bound */
    bool any;          /* it is a statement that returns rows */
    bool too_large;
} rows;

/* ---------------------------------------------------------------- the connection */

/* Files of the machine and settings of the process are none of a client's business. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)ctx, (void)b, (void)c, (void)d;
    static const char *const pragmas[] = {"table_info", "table_xinfo", "table_list", "index_list",
                                          "index_info"};
    if (action == SQLITE_ATTACH || action == SQLITE_DETACH) return SQLITE_DENY;
    if (action != SQLITE_PRAGMA) return SQLITE_OK;
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        if (sqlite3_stricmp(a, pragmas[i]) == 0) return SQLITE_OK;
    }
    return SQLITE_DENY;
}

static int out_of_time(void *ctx)
{
    const resp_sql *s = ctx;
    return uv_hrtime() >= s->stop_ns;
}

static resp_sql *sql_of(resp_call *call)
{
    resp_engine *e = call->engine;
    sql_error error;
    if (e->sql) return e->sql;
    resp_sql *s = calloc(1, sizeof *s);
    if (!s) {
        (void)call_error(call, "ERR out of memory");
        return NULL;
    }
    if (sql_open(e->db, &s->connection, &error) != SQLITE_OK) {
        (void)call_error_format(call, "ERR %s", error.message);
        free(s);
        return NULL;
    }
    sqlite3 *sqlite = sql_sqlite(s->connection);
    sqlite3_set_authorizer(sqlite, authorize, s);
    sqlite3_progress_handler(sqlite, STEPS_BETWEEN_LOOKS, out_of_time, s);
    e->sql = s;
    return s;
}

void sql_deinit(resp_engine *e)
{
    if (!e->sql) return;
    sql_close(e->sql->connection);
    free(e->sql);
    e->sql = NULL;
}

/* ---------------------------------------------------------------- rows */

static bool rows_begin(void *ctx, sqlite3_stmt *statement)
{
    rows *r = ctx;
    resp_reply out = {&r->text, r->call->reply.protocol};
    int columns = sqlite3_column_count(statement);
    r->any = true;
    reply_array(&out, (size_t)columns);
    for (int i = 0; i < columns; i++) {
        const char *name = sqlite3_column_name(statement, i);
        reply_bulk_text(&out, name ? name : "");
    }
    return true;
}

static void reply_column(resp_reply *out, sqlite3_stmt *statement, int i)
{
    char text[32];
    double number;
    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
        reply_integer(out, sqlite3_column_int64(statement, i));
        break;
    case SQLITE_FLOAT:
        number = sqlite3_column_double(statement, i);
        snprintf(text, sizeof text, "%.17g", number);
        if (isinf(number)) snprintf(text, sizeof text, number < 0 ? "-inf" : "inf");
        reply_double_text(out, text);
        break;
    case SQLITE_NULL:
        reply_null(out);
        break;
    default: {
        /* The bytes of a text are those of a blob. */
        const void *data = sqlite3_column_blob(statement, i);
        reply_bulk(out, holt_bytes(data, (size_t)sqlite3_column_bytes(statement, i)));
    }
    }
}

static bool rows_add(void *ctx, sqlite3_stmt *statement)
{
    rows *r = ctx;
    resp_reply out = {&r->text, r->call->reply.protocol};
    int columns = sqlite3_column_count(statement);
    reply_array(&out, (size_t)columns);
    for (int i = 0; i < columns; i++)
        reply_column(&out, statement, i);
    r->count++;
    r->too_large = r->text.size > config_live(r->call->engine->config, CONFIG_output_bytes);
    return !r->too_large && !r->text.failed;
}

/* ---------------------------------------------------------------- running */

/* A sql_sink's function. */
static int bind_parameters(void *ctx, sqlite3_stmt *statement)
{
    rows *r = ctx;
    const resp_call *call = r->call;
    size_t count = call->count - 2;
    r->parameters = statement ? (size_t)sqlite3_bind_parameter_count(statement) : 0;
    if (r->parameters != count) return SQLITE_RANGE;
    for (size_t i = 0; i < count; i++) {
        holt_slice value = call->arguments[i + 2];
        bool text = !(value.size && memchr(value.data, '\0', value.size)) && text_is_utf8(value);
        int rc = text ? sqlite3_bind_text64(statement, (int)i + 1, value.data, value.size, SQLITE_STATIC,
                                            SQLITE_UTF8)
                      : sqlite3_bind_blob64(statement, (int)i + 1, value.data, value.size, SQLITE_STATIC);
        if (rc != SQLITE_OK) return rc;
    }
    return SQLITE_OK;
}

/* Replies with what a statement that failed has to say. */
static bool sql_failed(resp_call *call, const rows *r, int rc, const char *message)
{
    if (r->text.failed) return call_error(call, "ERR out of memory");
    if (r->too_large) return call_error(call, "ERR the reply is larger than output_bytes");
    if (rc == SQLITE_RANGE) {
        return call_error_format(call, "ERR the statement has %zu parameters, not %zu", r->parameters,
                                 call->count - 2);
    }
    if ((rc & 0xff) == SQLITE_INTERRUPT)
        return call_error(call, "ERR the statement takes longer than sql_ms");
    return call_error_format(call, "ERR %s", message);
}

/* Steps through a statement that reads. */
static bool run_read(resp_call *call, sqlite3_stmt *statement, rows *r)
{
    int rc = bind_parameters(r, statement);
    if (rc == SQLITE_OK && sqlite3_column_count(statement) > 0) rows_begin(r, statement);
    if (rc == SQLITE_OK) rc = SQLITE_ROW;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!rows_add(r, statement)) rc = SQLITE_INTERRUPT;
    }
    return rc == SQLITE_DONE || sql_failed(call, r, rc, sqlite3_errmsg(sqlite3_db_handle(statement)));
}

/* A statement has written: what was kept of collections and watched keys may not hold any longer. */
static void note_writes(resp_call *call)
{
    batch_collections_changed(call->batch);
    batch_written(call->batch, holt_bytes(NULL, 0), holt_bytes(NULL, 0)); /* it is not known what */
}

static bool run_write(resp_call *call, resp_sql *s, holt_slice text, rows *r)
{
    const sql_sink sink = {.bind = bind_parameters, .begin = rows_begin, .row = rows_add, .ctx = r};
    sql_error error;
    if (!call->engine->config->number[CONFIG_sql_write])
        return call_error(call, "ERR statements that write are refused: see the setting sql_write");
    if (call->session->user && call->session->user->role < ACCESS_WRITE)
        return call_error(call, "NOPERM this user has no permissions to run statements that write");
    int rc = sql_run(s->connection, text.data, text.size, &sink, NULL, &error);
    note_writes(call);
    return rc == SQLITE_OK || sql_failed(call, r, rc, error.message);
}

/* Runs the statement, whose rows go to *r. Replies if it fails. */
static bool run_sql(resp_call *call, resp_sql *s, holt_slice text, rows *r)
{
    sqlite3_stmt *statement = NULL;
    sql_error error;
    size_t used = 0;
    bool ok;
    /* Collections may have been created by other commands. */
    int rc = sql_refresh(s->connection, &error);
    if (rc != SQLITE_OK) return sql_failed(call, r, rc, error.message);
    rc = sql_prepare_read(s->connection, text.data, text.size, &statement, &used, &error);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_READONLY) {
        ok = sql_failed(call, r, rc, error.message);
    } else if (used < text.size) {
        ok = call_error(call, "ERR there is more than one statement");
    } else if (rc != SQLITE_OK) {
        ok = run_write(call, s, text, r);
    } else if (statement) {
        ok = run_read(call, statement, r);
    } else {
        ok = call_error(call, "ERR there is no statement");
    }
    sqlite3_finalize(statement);
    if (!sql_in_transaction(s->connection)) return ok;
    (void)sqlite3_exec(sql_sqlite(s->connection), "ROLLBACK", NULL, NULL,
                       NULL); /* unless SQLite has done so */
    return ok && call_error(call, "ERR transactions of several commands are not supported; use holt sql");
}

void resp_run_holt_sql(resp_call *call)
{
    holt_slice text = call->arguments[1];
    uint64_t limit_ms = call->engine->config->number[CONFIG_sql_ms];
    rows r = {.call = call};
    resp_sql *s = sql_of(call);
    if (!s) return;
    if (!text_is_utf8(text) || (text.size && memchr(text.data, '\0', text.size))) {
        (void)call_error(call, "ERR the statement is not valid UTF-8");
        return;
    }
    call_commit(call);
    s->stop_ns = limit_ms ? uv_hrtime() + limit_ms * 1000000 : UINT64_MAX;
    int64_t before = sql_changes(s->connection);
    bool ok = run_sql(call, s, text, &r);
    s->stop_ns = UINT64_MAX;
    if (ok && r.any) {
        reply_array(&call->reply, r.count + 1);
        bytes_append(call->reply.out, r.text.data, r.text.size);
        call->reply.out->failed = call->reply.out->failed || r.text.failed;
    } else if (ok) {
        reply_integer(&call->reply, sql_changes(s->connection) - before);
    }
    bytes_deinit(&r.text);
}
