/* http_request.c -- routes and answers; see http_request.h. */
#include "http/http_request.h"

#include <stdio.h>
#include <string.h>

#include "http/http_json.h"

/* ---------------------------------------------------------------- answers */

void http_reply(http_request *r, unsigned status, const char *type)
{
    r->status = status;
    r->type = type;
}

bool http_error(http_request *r, unsigned status, const char *code, const char *message)
{
    bytes_reset(&r->answer, SIZE_MAX);
    bytes_append_text(&r->answer, "{\"error\":{\"code\":");
    http_json_string(&r->answer, holt_str(code));
    bytes_append_text(&r->answer, ",\"message\":");
    http_json_string(&r->answer, holt_str(message));
    bytes_append_text(&r->answer, "}}\n");
    r->etag = r->expires_at_ms = 0;
    http_reply(r, status, "application/json");
    return false;
}

bool http_database_error(http_request *r, holt_status status, const char *message)
{
    static const struct {
        holt_status status;
        unsigned http;
        const char *code;
    } answers[] = {
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
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i].status == status) return http_error(r, answers[i].http, answers[i].code, message);
    }
    return http_error(r, 500, status == HOLT_CORRUPT ? "corrupt" : "io", message);
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

/* ---------------------------------------------------------------- routes */

typedef struct route {
    const char *path; /* parts between slashes; "*" stands for any */
    http_method method;
    http_handler handler;
} route;

static const route routes[] = {
    {"keys", HTTP_GET, http_simple_get},
    {"keys", HTTP_PUT, http_simple_put},
    {"keys", HTTP_DELETE, http_simple_delete},
    {"keys/range", HTTP_GET, http_simple_range},
    {"keys/batch", HTTP_POST, http_simple_batch},
    {"v1/collections", HTTP_GET, http_v1_collections},
    {"v1/collections", HTTP_POST, http_v1_create},
    {"v1/collections/*", HTTP_GET, http_v1_describe},
    {"v1/collections/*", HTTP_DELETE, http_v1_drop},
    {"v1/collections/*/scan", HTTP_GET, http_v1_scan},
    {"v1/collections/*/range", HTTP_DELETE, http_v1_delete_range},
    {"v1/batch", HTTP_POST, http_v1_batch},
    {"v1/collections/*/keys/*", HTTP_GET, http_v1_get},
    {"v1/collections/*/keys/*", HTTP_HEAD, http_v1_get},
    {"v1/collections/*/keys/*", HTTP_PUT, http_v1_put},
    {"v1/collections/*/keys/*", HTTP_DELETE, http_v1_delete},
    {"healthz", HTTP_GET, http_health},
    {"readyz", HTTP_GET, http_ready},
    {"metrics", HTTP_GET, http_metrics},
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

http_handler http_route(http_request *r)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_matches(r, routes[i].path)) continue;
        if (routes[i].method == r->method) return routes[i].handler;
        r->allow |= 1u << routes[i].method;
    }
    if (r->allow) {
        (void)http_error(r, 405, "method_not_allowed", "the path does not have this method");
    } else {
        (void)http_error(r, 404, "not_found", "there is no such path");
    }
    return NULL;
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

json_object *http_parse_body(http_request *r, const char *const *names)
{
    const char *problem = NULL;
    json_object *object = http_json_parse(r->body.data, r->body.size, &problem);
    if (!object) {
        (void)http_error(r, 400, "invalid_json", problem);
        return NULL;
    }
    if (http_json_only(object, names)) return object;
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
