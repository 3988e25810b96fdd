/* http_sql.c -- the complete API, version 1: SQL.
 *
 *     POST   /v1/sql    {"sql":"SELECT id FROM t WHERE a > ?","parameters":[7]}
 *
 *     {"columns":["id"],"rows":[[1],[2]]}         usually
 *     {"columns":["id"]}  [1]  [2]                in lines, with Accept: application/x-ndjson
 *     {"columns":[],"rows":[],"changes":3}        for a statement that writes
 *     {"error":{"code":"sql","message":"no such column: x","offset":7}}    offset: in the statement, in bytes
 *
 * One statement at a time, with a connection of its own (sql/sql.h), so that it sees one moment and leaves
 * nothing behind. Values are written as http_datum.h says.
 *
 * A statement that reads runs on another thread, piece by piece as its rows are sent (http_stream). If it
 * fails after the first piece the answer ends early, after an error object in the case of lines. A
 * statement that writes is refused unless the setting sql_write allows it. It runs on the executor, where
 * all writes are made, so it keeps others waiting, for at most sql_ms; its rows, if it returns any, are
 * sent as a whole.
 *
 * What a statement could do beside the database is forbidden: attaching files, and pragmas other than those
 * that describe tables. Memory is bounded by SQLite's limits and, for all connections together, by the memory
 * budget of the database once more; sorting uses temporary files. A statement that reads ends when
 * its client is gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "common/text.h"
#include "http/http_datum.h"
#include "http/http_json.h"
#include "http/http_request.h"
#include "sql/sql.h"

static const char JSON[] = "application/json", LINES[] = "application/x-ndjson";

enum {
    PIECE_BYTES = 64 * 1024,
    PIECE_NS = 200000000,  /* rows are not held back for longer */
    STEPS_PER_LOOK = 1000, /* of SQLite's machine, after which it is looked whether to go on */
    STATEMENT_BYTES_MAX = 1 << 20,
    EXPRESSION_DEPTH_MAX = 200
};

typedef struct sql_call {
    http_request *request;
    json_object *body;
    const char *text;
    size_t size;
    json_object *parameters; /* an array, or NULL */
    bytes decoded;           /* blobs of parameters */
    sql_connection *connection;
    sqlite3_stmt *statement;
    uint64_t rows;
    uint64_t stop_ns; /* when the statement has had its time, by uv_hrtime; 0 = never */
    bool may_write, too_large;
    char problem[160]; /* what is wrong with the parameters; "" = nothing */
} sql_call;

/* ---------------------------------------------------------------- answers */

/* Returns the status and the code of an answer for an SQLite result code. */
static unsigned http_status_of(int rc, const char **code)
{
    static const struct {
        int rc;
        unsigned status;
        const char *code;
    } answers[] = {
        {SQLITE_CONSTRAINT, 409, "exists"},  {SQLITE_BUSY, 409, "conflict"},
        {SQLITE_NOMEM, 503, "no_memory"},    {SQLITE_FULL, 507, "no_space"},
        {SQLITE_TOOBIG, 413, "too_large"},   {SQLITE_AUTH, 403, "forbidden"},
        {SQLITE_READONLY, 403, "read_only"}, {SQLITE_IOERR, 500, "io"},
        {SQLITE_CORRUPT, 500, "corrupt"},    {SQLITE_INTERRUPT, 503, "closed"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i].rc != (rc & 0xff)) continue;
        *code = answers[i].code;
        return answers[i].status;
    }
    *code = "sql";
    return 400;
}

/* Appends {"error":{...}}. */
static void append_error(bytes *out, const char *code, const sql_error *error)
{
    holt_slice message = holt_str(error->message);
    bytes_append_format(out, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    http_json_string(out, text_is_utf8(message) ? message : holt_str("the statement failed"));
    if (error->offset != SIZE_MAX) bytes_append_format(out, ",\"offset\":%zu", error->offset);
    bytes_append_text(out, "}}\n");
}

static void reply_error(http_request *r, int rc, const sql_error *error)
{
    const char *code;
    unsigned status = http_status_of(rc, &code);
    bytes_reset(&r->answer, SIZE_MAX);
    append_error(&r->answer, code, error);
    http_reply(r, status, JSON);
}

static void append_columns(bytes *out, sqlite3_stmt *s)
{
    bytes_append_text(out, "{\"columns\":[");
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *name = sqlite3_column_name(s, i);
        bytes_append_text(out, i ? "," : "");
        http_json_string(out, holt_str(name && text_is_utf8(holt_str(name)) ? name : "?"));
    }
    bytes_append_text(out, "]");
}

static void append_value(bytes *out, sqlite3_stmt *s, int column)
{
    const void *data;
    holt_slice value;
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        bytes_append_format(out, "%" PRId64, (int64_t)sqlite3_column_int64(s, column));
        break;
    case SQLITE_FLOAT:
        http_datum_append_real(out, sqlite3_column_double(s, column));
        break;
    case SQLITE_TEXT:
        data = sqlite3_column_text(s, column);
        value = holt_bytes(data, data ? (size_t)sqlite3_column_bytes(s, column) : 0);
        if (text_is_utf8(value)) {
            http_json_string(out, value);
        } else {
            http_datum_append_blob(out, value);
        }
        break;
    case SQLITE_BLOB:
        data = sqlite3_column_blob(s, column);
        http_datum_append_blob(out, holt_bytes(data, data ? (size_t)sqlite3_column_bytes(s, column) : 0));
        break;
    default:
        bytes_append_text(out, "null");
    }
}

static void append_row(bytes *out, sqlite3_stmt *s)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        bytes_append_text(out, i ? "," : "[");
        append_value(out, s, i);
    }
    bytes_append_text(out, "]");
}

/* ---------------------------------------------------------------- the connection */

static bool out_of_time(const sql_call *call)
{
    return call->stop_ns && uv_hrtime() >= call->stop_ns;
}

static int on_steps(void *ctx)
{
    const sql_call *call = ctx;
    return http_is_cancelled(call->request) || out_of_time(call);
}

static bool is_harmless_pragma(const char *name)
{
    static const char *const names[] = {"table_info",  "table_xinfo",   "table_list",     "index_list",
                                        "index_info",  "index_xinfo",   "function_list",  "collation_list",
                                        "pragma_list", "database_list", "compile_options"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (sqlite3_stricmp(name, names[i]) == 0) return true;
    }
    return false;
}

/* Called by SQLite for what a statement does, while it is prepared. */
static int on_authorize(void *ctx, int action, const char *first, const char *second, const char *schema,
                        const char *trigger)
{
    const sql_call *call = ctx;
    (void)schema;
    (void)trigger;
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return SQLITE_DENY;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: /* src/sql uses them for what it writes */
        return call->may_write ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
        return is_harmless_pragma(first) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

/* Opens the connection. Answers if it fails. */
static bool open_connection(sql_call *call)
{
    http_request *r = call->request;
    sql_error error;
    int rc = sql_open(r->db, &call->connection, &error);
    if (rc != SQLITE_OK) {
        reply_error(r, rc, &error);
        return false;
    }
    sqlite3 *sqlite = sql_sqlite(call->connection);
    sqlite3_hard_heap_limit64((sqlite3_int64)r->config->number[CONFIG_memory]);
    sqlite3_limit(sqlite, SQLITE_LIMIT_LENGTH, (int)config_live(r->config, CONFIG_request_bytes));
    sqlite3_limit(sqlite, SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX);
    sqlite3_progress_handler(sqlite, STEPS_PER_LOOK, on_steps, call);
    sqlite3_set_authorizer(sqlite, on_authorize, call);
    return true;
}

static void call_free(void *ctx)
{
    sql_call *call = ctx;
    if (!call) return;
    sqlite3_finalize(call->statement);
    sql_close(call->connection);
    json_object_put(call->body);
    bytes_deinit(&call->decoded);
    free(call);
}

/* ---------------------------------------------------------------- the statement */

/* Reads the body. Returns NULL after answering. */
static sql_call *call_new(http_request *r)
{
    static const char *const names[] = {"sql", "parameters", NULL};
    json_object *sql = NULL;
    sql_call *call = calloc(1, sizeof *call);
    if (!call || !bytes_reserve(&call->decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
        goto failed;
    }
    call->request = r;
    call->body = http_parse_body(r, names);
    if (!call->body) goto failed;
    if (!json_object_object_get_ex(call->body, "sql", &sql) || !json_object_is_type(sql, json_type_string)) {
        (void)http_error(r, 400, "invalid", "the member 'sql' must be a string");
        goto failed;
    }
    (void)json_object_object_get_ex(call->body, "parameters", &call->parameters);
    if (call->parameters && !json_object_is_type(call->parameters, json_type_array)) {
        (void)http_error(r, 400, "invalid", "the member 'parameters' must be an array");
        goto failed;
    }
    call->text = json_object_get_string(sql);
    call->size = (size_t)json_object_get_string_len(sql);
    if (call->size > STATEMENT_BYTES_MAX) {
        (void)http_error(r, 413, "too_large",
                         "the statement is longer than 1 MiB; use parameters for values");
        goto failed;
    }
    return call;

failed:
    call_free(call);
    return NULL;
}

static size_t parameter_count(const sql_call *call)
{
    return call->parameters ? json_object_array_length(call->parameters) : 0;
}

static int bind_value(sqlite3_stmt *s, int index, holt_datum d)
{
    switch (d.type) {
    case HOLT_BOOLEAN:
        return sqlite3_bind_int(s, index, d.as.boolean);
    case HOLT_INTEGER:
        return sqlite3_bind_int64(s, index, d.as.integer);
    case HOLT_REAL:
        return sqlite3_bind_double(s, index, d.as.real);
    case HOLT_TEXT:
        return sqlite3_bind_text64(s, index, d.as.bytes.data, d.as.bytes.size, SQLITE_STATIC, SQLITE_UTF8);
    case HOLT_BLOB:
        return sqlite3_bind_blob64(s, index, d.as.bytes.data, d.as.bytes.size, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(s, index);
    }
}

/* Binds the parameters. After SQLITE_RANGE and SQLITE_MISMATCH, call->problem says what is wrong with them.
 * */
static int bind_parameters(void *ctx, sqlite3_stmt *s)
{
    sql_call *call = ctx;
    size_t count = parameter_count(call);
    int rc = SQLITE_OK;
    call->decoded.size = 0; /* the statement may be run again */
    int wanted = s ? sqlite3_bind_parameter_count(s) : 0;
    if (count != (size_t)wanted) {
        snprintf(call->problem, sizeof call->problem, "the statement has %d parameters, but %zu were given",
                 wanted, count);
        return SQLITE_RANGE;
    }
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        holt_datum d;
        const char *problem =
            http_datum_read(json_object_array_get_idx(call->parameters, i), &call->decoded, &d);
        if (problem) {
            snprintf(call->problem, sizeof call->problem, "parameter %zu %s", i + 1, problem);
            return SQLITE_MISMATCH;
        }
        rc = bind_value(s, (int)i + 1, d);
    }
    return rc;
}

/* Answers for a statement that failed. */
static void refuse(sql_call *call, int rc, const sql_error *error)
{
    if (call->problem[0]) {
        (void)http_error(call->request, 400, "invalid", call->problem);
    } else if (call->too_large) {
        (void)http_error(call->request, 413, "too_large", "the rows are larger than output_bytes");
    } else if (out_of_time(call)) {
        (void)http_error(call->request, 503, "too_slow", "the statement takes longer than sql_ms");
    } else {
        reply_error(call->request, rc, error);
    }
}

/* Answers unless the text has one statement, which ends at `used`. */
static bool is_one_statement(sql_call *call, size_t used)
{
    if (used == call->size) return true;
    sql_error error = {.code = SQLITE_ERROR, .offset = used};
    snprintf(error.message, sizeof error.message, "there is more than one statement");
    reply_error(call->request, SQLITE_ERROR, &error);
    return false;
}

/* ---------------------------------------------------------------- reading */

/* Ends the rows. rc: SQLITE_DONE or an error. */
static void end_rows(sql_call *call, int rc)
{
    http_request *r = call->request;
    if (rc == SQLITE_DONE) {
        if (!r->wants_lines) bytes_append_text(&r->answer, "]}\n");
        return;
    }
    r->broken = true;
    if (!r->wants_lines) return;
    const char *code;
    sql_error error = {.code = rc, .offset = SIZE_MAX};
    snprintf(error.message, sizeof error.message, "%s", sqlite3_errmsg(sql_sqlite(call->connection)));
    (void)http_status_of(rc, &code);
    append_error(&r->answer, code, &error);
}

/* Appends rows until there are enough for a piece. Returns SQLITE_ROW, SQLITE_DONE or an error. */
static int append_rows(sql_call *call)
{
    http_request *r = call->request;
    uint64_t start_ns = uv_hrtime();
    int rc;
    while ((rc = sqlite3_step(call->statement)) == SQLITE_ROW) {
        bytes_append_text(&r->answer, call->rows++ && !r->wants_lines ? "," : "");
        append_row(&r->answer, call->statement);
        if (r->wants_lines) bytes_append_text(&r->answer, "\n");
        if (r->answer.size >= PIECE_BYTES || r->answer.failed || uv_hrtime() - start_ns >= PIECE_NS) break;
    }
    return rc;
}

static bool more_rows(http_request *r)
{
    sql_call *call = r->stream.ctx;
    int rc = append_rows(call);
    if (rc == SQLITE_ROW && !r->answer.failed) return true;
    end_rows(call, rc);
    return false;
}

/* Begins the answer with the first piece. Returns whether there is more, so that the call is still needed. */
static bool begin_rows(sql_call *call)
{
    http_request *r = call->request;
    append_columns(&r->answer, call->statement);
    bytes_append_text(&r->answer, r->wants_lines ? "}\n" : ",\"rows\":[");
    int rc = append_rows(call);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        sql_error error = {.code = rc, .offset = SIZE_MAX};
        snprintf(error.message, sizeof error.message, "%s", sqlite3_errmsg(sql_sqlite(call->connection)));
        reply_error(r, rc, &error);
        return false;
    }
    http_reply(r, 200, r->wants_lines ? LINES : JSON);
    if (rc == SQLITE_DONE) end_rows(call, rc);
    return rc == SQLITE_ROW;
}

/* ---------------------------------------------------------------- writing */

static bool on_begin(void *ctx, sqlite3_stmt *s)
{
    sql_call *call = ctx;
    append_columns(&call->request->answer, s);
    bytes_append_text(&call->request->answer, ",\"rows\":[");
    return true;
}

static bool on_row(void *ctx, sqlite3_stmt *s)
{
    sql_call *call = ctx;
    bytes *out = &call->request->answer;
    bytes_append_text(out, call->rows++ ? "," : "");
    append_row(out, s);
    call->too_large = out->size > config_live(call->request->config, CONFIG_output_bytes);
    return !call->too_large && !out->failed;
}

static void run_write(sql_call *call)
{
    http_request *r = call->request;
    const sql_sink sink = {.bind = bind_parameters, .begin = on_begin, .row = on_row, .ctx = call};
    sql_error error;
    size_t used;
    int rc = sql_run(call->connection, call->text, call->size, &sink, &used, &error);
    batch_collections_changed(r->batch);
    batch_written(r->batch, holt_bytes(NULL, 0), holt_bytes(NULL, 0)); /* it is not known what */
    if (rc != SQLITE_OK) {
        refuse(call, rc, &error);
        return;
    }
    if (r->answer.size == 0) bytes_append_text(&r->answer, "{\"columns\":[],\"rows\":[");
    bytes_append_format(&r->answer, "],\"changes\":%" PRId64 "}\n", sql_changes(call->connection));
    http_reply(r, 200, JSON);
}

/* On the executor. */
static void write_statement(http_request *r)
{
    sql_call *call = call_new(r);
    if (!call) return;
    call->may_write = true;
    uint64_t limit_ms = r->config->number[CONFIG_sql_ms];
    if (limit_ms) call->stop_ns = uv_hrtime() + limit_ms * 1000000;
    /* The statement is a transaction of its own, and must see what was written before. */
    (void)batch_commit(r->batch);
    if (open_connection(call)) run_write(call);
    call_free(call);
}

void http_sql(http_request *r)
{
    sql_error error;
    size_t used = 0;
    bool more = false;
    sql_call *call = call_new(r);
    if (!call || !open_connection(call)) goto done;
    int rc = sql_prepare_read(call->connection, call->text, call->size, &call->statement, &used, &error);
    if (!is_one_statement(call, used)) goto done;
    if (rc == SQLITE_READONLY) {
        if (r->config->number[CONFIG_sql_write] && (!r->user || r->user->role >= ACCESS_WRITE)) {
            r->then = write_statement;
        } else {
            (void)http_error(
                r, 403, "read_only",
                "SQL that changes something is refused unless the server has --sql-write yes and "
                "the user may write");
        }
        goto done;
    }
    if (rc == SQLITE_OK && !call->statement) {
        (void)http_error(r, 400, "sql", "there is no statement");
        goto done;
    }
    if (rc == SQLITE_OK) {
        rc = bind_parameters(call, call->statement);
        error = (sql_error){.code = rc, .offset = SIZE_MAX};
        snprintf(error.message, sizeof error.message, "%s", sqlite3_errstr(rc));
    }
    if (rc != SQLITE_OK) {
        refuse(call, rc, &error);
        goto done;
    }
    more = begin_rows(call);
    if (more) r->stream = (http_stream){.more = more_rows, .close = call_free, .ctx = call};
done:
    if (!more) call_free(call);
}
