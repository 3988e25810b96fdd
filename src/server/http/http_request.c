/* http_request.c -- routes and answers; see http_request.h. */
#include "http/http_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt/table.h>

#include "common/number.h"
#include "http/http_json.h"
#include "http/http_login.h"

enum { LIMIT = 100, LIMIT_MAX = 10000 };

/* ---------------------------------------------------------------- answers */

void http_reply(http_request *r, unsigned status, const char *type)
{
    r->status = status;
    r->type = type;
}

void http_append_error(bytes *out, const char *code, const char *message)
{
    bytes_append_text(out, "{\"error\":{\"code\":");
    http_json_string(out, holt_str(code));
    bytes_append_text(out, ",\"message\":");
    http_json_string(out, holt_str(message));
    bytes_append_text(out, "}}\n");
}

bool http_error(http_request *r, unsigned status, const char *code, const char *message)
{
    bytes_reset(&r->answer, SIZE_MAX);
    http_append_error(&r->answer, code, message);
    r->etag = r->expires_at_ms = 0;
    r->headers = NULL;
    r->gzipped = false;
    http_reply(r, status, "application/json");
    return false;
}

typedef struct database_answer {
    holt_status status;
    unsigned http;
    const char *code;
} database_answer;

static const database_answer *answer_for(holt_status status)
{
    static const database_answer answers[] = {
        {HOLT_NOT_FOUND, 404, "not_found"},
        {HOLT_EXISTS, 409, "exists"},
        {HOLT_INVALID, 400, "invalid"},
        {HOLT_CONFLICT, 409, "conflict"},
        {HOLT_BUSY, 503, "busy"},
        {HOLT_READ_ONLY, 403, "read_only"},
        {HOLT_TOO_LARGE, 413, "too_large"},
        {HOLT_NO_SPACE, 507, "no_space"},
        {HOLT_NO_MEMORY, 503, "no_memory"},
        {HOLT_CLOSED, 503, "closed"},
        {HOLT_UNSUPPORTED, 501, "unsupported"},
        {HOLT_CORRUPT, 500, "corrupt"},
        {HOLT_IO, 500, "io"}, /* and any other */
    };
    const database_answer *a = answers;
    while (a->status != status && a->status != HOLT_IO)
        a++;
    return a;
}

const char *http_error_code(holt_status status)
{
    return answer_for(status)->code;
}

bool http_database_error(http_request *r, holt_status status, const char *message)
{
    const database_answer *a = answer_for(status);
    return http_error(r, a->http, a->code, message);
}

bool http_is_cancelled(http_request *r)
{
    /* Nothing else is read because of it. */
    return atomic_load_explicit(&r->cancelled, memory_order_relaxed);
}

/* ---------------------------------------------------------------- parameters */

const http_parameter *http_parameter_find(const http_request *r, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < r->parameter_count; i++) {
        const http_parameter *p = &r->parameters[i];
        if (p->name.size == size && memcmp(p->name.data, name, size) == 0) return p;
    }
    return NULL;
}

bool http_parameter_get(http_request *r, const char *name, holt_slice *value)
{
    char message[128];
    const http_parameter *p = http_parameter_find(r, name);
    if (p) {
        *value = p->value;
        return true;
    }
    snprintf(message, sizeof message, "the parameter '%s' is missing", name);
    return http_error(r, 400, "invalid", message);
}

bool http_read_limit(http_request *r, uint64_t *limit)
{
    char text[24] = "";
    const http_parameter *p = http_parameter_find(r, "limit");
    *limit = LIMIT;
    if (!p) return true;
    if (p->value.size < sizeof text) memcpy(text, p->value.data, p->value.size);
    bool whole = strlen(text) == p->value.size; /* no zero byte ends it before */
    if (whole && number_parse(text, limit) == NUMBER_OK && *limit > 0 && *limit <= LIMIT_MAX) return true;
    return http_error(r, 400, "invalid", "the limit is not between 1 and 10000");
}

bool http_read_flag(http_request *r, const char *name, bool *flag)
{
    char message[128];
    const http_parameter *p = http_parameter_find(r, name);
    *flag = p && http_slice_is(p->value, "true");
    if (!p || *flag || http_slice_is(p->value, "false")) return true;
    snprintf(message, sizeof message, "the parameter '%s' must be true or false", name);
    return http_error(r, 400, "invalid", message);
}

/* ---------------------------------------------------------------- routes */

static const http_endpoint endpoints[] = {
    {"keys", HTTP_GET, http_simple_get, METRICS_READ, HTTP_EXECUTOR, ACCESS_READ, false},
    {"keys", HTTP_PUT, http_simple_put, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"keys", HTTP_DELETE, http_simple_delete, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"keys/range", HTTP_GET, http_simple_range, METRICS_READ, HTTP_SCAN, ACCESS_READ, false},
    {"keys/batch", HTTP_POST, http_simple_batch, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/collections", HTTP_GET, http_v1_collections, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_READ, false},
    {"v1/collections", HTTP_POST, http_v1_create, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/collections/*", HTTP_GET, http_v1_describe, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_READ, false},
    {"v1/collections/*", HTTP_DELETE, http_v1_drop, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/collections/*/scan", HTTP_GET, http_v1_scan, METRICS_READ, HTTP_SCAN, ACCESS_READ, false},
    {"v1/collections/*/range", HTTP_DELETE, http_v1_delete_range, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE,
     false},
    {"v1/batch", HTTP_POST, http_v1_batch, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/collections/*/keys/*", HTTP_GET, http_v1_get, METRICS_READ, HTTP_EXECUTOR, ACCESS_READ, false},
    {"v1/collections/*/keys/*", HTTP_PUT, http_v1_put, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/collections/*/keys/*", HTTP_DELETE, http_v1_delete, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE,
     false},
    {"v1/tables", HTTP_GET, http_tables_list, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_READ, true},
    {"v1/tables/*", HTTP_GET, http_tables_describe, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_READ, false},
    {"v1/tables/*/rows", HTTP_GET, http_rows_list, METRICS_READ, HTTP_SCAN, ACCESS_READ, false},
    {"v1/tables/*/rows", HTTP_POST, http_rows_insert, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/tables/*/rows/*", HTTP_GET, http_rows_get, METRICS_READ, HTTP_EXECUTOR, ACCESS_READ, false},
    {"v1/tables/*/rows/*", HTTP_PATCH, http_rows_update, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/tables/*/rows/*", HTTP_DELETE, http_rows_delete, METRICS_WRITE, HTTP_EXECUTOR, ACCESS_WRITE, false},
    {"v1/sql", HTTP_POST, http_sql, METRICS_OTHER, HTTP_SQL, ACCESS_READ, true},
    {"v1/admin/stats", HTTP_GET, http_admin_stats, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_ADMIN, false},
    {"v1/admin/collections", HTTP_GET, http_admin_collections, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_ADMIN,
     false},
    {"v1/admin/readers", HTTP_GET, http_admin_readers, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_ADMIN, false},
    {"v1/admin/flush", HTTP_POST, http_admin_flush, METRICS_OTHER, HTTP_ADMIN, ACCESS_ADMIN, false},
    {"v1/admin/compact", HTTP_POST, http_admin_compact, METRICS_OTHER, HTTP_ADMIN, ACCESS_ADMIN, false},
    {"v1/admin/check", HTTP_POST, http_admin_check, METRICS_OTHER, HTTP_ADMIN, ACCESS_ADMIN, false},
    {"v1/admin/log-level", HTTP_GET, http_admin_log_level, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_ADMIN, false},
    {"v1/admin/log-level", HTTP_PUT, http_admin_set_log_level, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_ADMIN,
     false},
    {"healthz", HTTP_GET, http_health, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_OPEN, false},
    {"readyz", HTTP_GET, http_ready, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_OPEN, false},
    {"metrics", HTTP_GET, http_metrics, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_READ, true},
    {"openapi.json", HTTP_GET, http_openapi, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_OPEN, false},
    {"console", HTTP_GET, http_console, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_OPEN, false},
    {"console/*", HTTP_GET, http_console, METRICS_OTHER, HTTP_EXECUTOR, ACCESS_OPEN, false},
};

static bool path_matches(const http_request *r, const char *path)
{
    for (size_t i = 0; i < r->part_count; i++) {
        size_t size = strcspn(path, "/");
        bool any = size == 1 && *path == '*';
        if (size == 0) return false;
        if (!any && (size != r->parts[i].size || memcmp(path, r->parts[i].data, size) != 0)) return false;
        path += size;
        if (*path == '/') path++;
    }
    return *path == '\0' && r->part_count > 0;
}

void http_route(http_request *r)
{
    /* HEAD is answered as GET; libmicrohttpd leaves the body out. */
    http_method method = r->method == HTTP_HEAD ? HTTP_GET : r->method;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0] && !r->endpoint; i++) {
        if (!path_matches(r, endpoints[i].path)) continue;
        if (endpoints[i].method == method) r->endpoint = &endpoints[i];
        r->allow |= 1u << endpoints[i].method;
    }
    if (r->endpoint) return;
    if (r->allow & 1u << HTTP_GET) r->allow |= 1u << HTTP_HEAD;
    if (r->allow) {
        (void)http_error(r, 405, "method_not_allowed", "the path does not have this method");
    } else {
        (void)http_error(r, 404, "not_found", "there is no such path");
    }
}

/* ---------------------------------------------------------------- what handlers share */

bool http_database_failed(http_request *r, holt_status status)
{
    return http_database_error(r, status, holt_error_message());
}

bool http_copy_name(http_request *r, holt_slice name, char text[HTTP_NAME_BYTES_MAX + 1])
{
    if (name.size == 0 || name.size > HTTP_NAME_BYTES_MAX || memchr(name.data, '\0', name.size))
        return http_error(r, 400, "invalid", "the name of the collection is not valid");
    if (!http_login_may_use(r, name))
        return http_error(r, 403, "forbidden", "this user may not use the collection");
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return true;
}

bool http_open_collection(http_request *r, holt_slice name, holt_collection **c)
{
    char text[HTTP_NAME_BYTES_MAX + 1];
    *c = NULL;
    if (!http_copy_name(r, name, text)) return false;
    holt_status status = holt_collection_open(r->db, text, c);
    return status == HOLT_OK || http_database_failed(r, status);
}

bool http_name_is_reserved(const char *name)
{
    static const char reserved[] = "holt."; /* holt/table.h */
    return strncmp(name, reserved, sizeof reserved - 1) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sets *rows to whether the entries of the collection are rows or indexes of tables, or their schemas. The
 * tables are listed once for a request, which may write to many collections: none comes or goes while it is
 * on the executor. */
static holt_status holds_rows(http_request *r, const char *name, bool *rows)
{
    *rows = http_name_is_reserved(name);
    if (*rows || strcmp(name, "default") == 0) return HOLT_OK; /* which is there before any table */
    holt_status status = r->tables ? HOLT_OK : holt_table_list(r->db, &r->tables, &r->table_count);
    if (status != HOLT_OK) return status;
    *rows = bsearch(&name, r->tables, r->table_count, sizeof *r->tables, compare_names) != NULL;
    return HOLT_OK;
}

bool http_copy_plain_name(http_request *r, holt_slice name, char text[HTTP_NAME_BYTES_MAX + 1])
{
    bool rows;
    if (!http_copy_name(r, name, text)) return false;
    holt_status status = holds_rows(r, text, &rows);
    if (status != HOLT_OK) return http_database_failed(r, status);
    return !rows ||
           http_error(r, 409, "is_table",
                      "the collection is a table's: rows and tables are changed with /v1/tables and /v1/sql");
}

bool http_open_plain_collection(http_request *r, holt_slice name, holt_collection **c)
{
    char text[HTTP_NAME_BYTES_MAX + 1];
    *c = NULL;
    if (!http_copy_plain_name(r, name, text)) return false;
    holt_status status = holt_collection_open(r->db, text, c);
    return status == HOLT_OK || http_database_failed(r, status);
}

bool http_knows(const http_request *r, uint64_t version)
{
    char tag[24];
    if (!r->if_none_match) return false;
    snprintf(tag, sizeof tag, "\"%016" PRIx64 "\"", version);
    return strcmp(r->if_none_match, "*") == 0 || strstr(r->if_none_match, tag);
}

holt_txn *http_reader(const http_request *r)
{
    return r->batch ? batch_reader(r->batch) : NULL;
}

bool http_writer(http_request *r, holt_txn **t)
{
    holt_status status = batch_writer(r->batch, t);
    return status == HOLT_OK || http_database_failed(r, status);
}

holt_status http_written(http_request *r, holt_slice collection, holt_slice key, holt_status status)
{
    if (status == HOLT_OK) batch_written(r->batch, collection, key);
    return status;
}

bool http_slice_is(holt_slice text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

void http_append_hex(bytes *out, holt_slice data)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data.data;
    for (size_t i = 0; i < data.size; i++) {
        const char pair[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
        bytes_append(out, pair, 2);
    }
}

json_object *http_parse_body(http_request *r, const char *const *names)
{
    const char *problem = NULL;
    if (!r->may_be_json) {
        (void)http_error(r, 415, "unsupported_type", "the body must be application/json");
        return NULL;
    }
    json_object *object = http_json_parse(r->body.data, r->body.size, &problem);
    if (!object) {
        (void)http_error(r, 400, "invalid_json", problem);
        return NULL;
    }
    if (!names || http_json_only(object, names)) return object;
    (void)http_error(r, 400, "invalid", "the object has an unknown member");
    json_object_put(object);
    return NULL;
}

bool http_read_member(http_request *r, json_object *object, const char *name, bytes *decoded,
                      holt_slice *value)
{
    const char *problem = http_json_get(object, name, decoded, value);
    char message[128];
    if (!problem) return true;
    snprintf(message, sizeof message, "the member '%s' %s", name, problem);
    return http_error(r, 400, "invalid", message);
}
