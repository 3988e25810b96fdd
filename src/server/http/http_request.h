/* http_request.h -- one HTTP request: what was asked, and what is answered.
 *
 * http_service.c collects the request on the loop; the handler of its endpoint answers it on the executor,
 * or on another thread (http_lane); then the loop sends the answer. A handler answers exactly once,
 * with http_reply or http_error; the body of the answer is what it has appended to `answer`.
 */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <holt.h>

#include "access/access_store.h"
#include "config/config.h"
#include "loop/bytes.h"
#include "loop/executor.h"
#include "loop/metrics.h"

enum { HTTP_PARAMETERS_MAX = 16, HTTP_PATH_PARTS_MAX = 8, HTTP_NAME_BYTES_MAX = 128 };

typedef enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_PUT,
    HTTP_POST,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OTHER
} http_method;

typedef struct http_parameter {
    holt_slice name, value;
} http_parameter;

typedef struct http_header {
    const char *name, *value;
} http_header;

typedef struct http_request http_request;
typedef void (*http_handler)(http_request *r);

/* Where a request is answered. All but the first run on threads of libuv's pool, without a batch, and write
 * nothing to the database; each has a limit of requests at a time. */
typedef enum http_lane { HTTP_EXECUTOR, HTTP_ADMIN, HTTP_SQL, HTTP_SCAN, HTTP_LANES } http_lane;

/* The rest of an answer, which is made while it is sent: the client never waits for all of it, and it is
 * never in memory as a whole. */
typedef struct http_stream {
    bool (*more)(http_request *r); /* appends the next piece to r->answer; false: it was the last */
    void (*close)(void *ctx);      /* releases ctx, after the last piece or when the client is gone */
    void *ctx;                     /* NULL = there is no stream */
} http_stream;

/* A line of the table of routes. */
typedef struct http_endpoint {
    const char *path; /* parts between slashes; "*" stands for any */
    http_method method;
    http_handler handler;
    metrics_kind kind;
    http_lane lane;
    access_role role; /* that a user needs */
    bool whole;       /* only for users who may use all collections */
} http_endpoint;

struct http_request {
    holt *db;
    config *config; /* of which PUT /v1/admin/log-level changes the level */
    http_method method;
    const http_endpoint *endpoint; /* NULL = there is none */
    holt_slice parts[HTTP_PATH_PARTS_MAX]; /* of the path, decoded; lie in `text` */
    size_t part_count;
    http_parameter parameters[HTTP_PARAMETERS_MAX]; /* of the query, decoded; lie in `text` */
    size_t parameter_count;
    const access_user *user; /* who makes the request; NULL = no login was needed */
    char peer[64];           /* the client's address */
    const char *problem; /* a client's mistake in path or query; NULL = none */
    char *if_match, *if_none_match, *ttl; /* headers; NULL = not given; owned */
    bytes text, body;

    batch *batch; /* while a handler runs on the executor */
    char **tables; /* the names of all tables, sorted, once a write has needed them; else NULL; owned */
    size_t table_count;

    http_handler then; /* set by a handler that leaves the rest to the executor; NULL = it has answered */
    http_stream stream;
    bool broken;            /* the stream has failed: the answer must not look complete */
    bool wants_lines;       /* the client prefers JSON lines */
    bool wants_gzip;        /* the client takes gzip */
    bool gzipped;           /* the answer is compressed */
    bool may_be_json;       /* by its type, the body may be JSON */
    _Atomic bool cancelled; /* the client is gone, or the server stops: whatever takes long may give up */

    unsigned status; /* 0 = not answered yet */
    bytes answer;
    const char *type; /* of the answer; static */
    uint64_t etag;    /* version of the value in the answer; 0 = none */
    uint64_t expires_at_ms;
    unsigned allow; /* methods that a 405 names: bits by http_method */
    const http_header *headers; /* more of the answer; static, the last has no name; NULL = none */
};

/* Takes the target in r->text ("/path?query") apart: decodes the parts of the path and the parameters of
 * the query, in place. A mistake becomes r->problem. */
void http_target_parse(http_request *r);

/* Returns the name of a method, such as "GET"; not for HTTP_OTHER. */
const char *http_method_name(http_method method);

/* Sets r->endpoint by path and method. Answers with 404 or 405 if there is none. */
void http_route(http_request *r);

/* Answers with the status and what was appended to the answer. */
void http_reply(http_request *r, unsigned status, const char *type);

/* Appends {"error":{"code":...,"message":...}} and a line feed. */
void http_append_error(bytes *out, const char *code, const char *message);

/* Answers with {"error":{"code":...,"message":...}}. Returns false. */
bool http_error(http_request *r, unsigned status, const char *code, const char *message);

/* Returns the code of an error for a status of the database. The string is static. */
const char *http_error_code(holt_status status);

/* Answers for a status of the database, with its message. */
bool http_database_error(http_request *r, holt_status status, const char *message);

/* Returns whether the request was cancelled. Any thread. */
bool http_is_cancelled(http_request *r);

/* Returns the parameter with that name, or NULL. */
const http_parameter *http_parameter_find(const http_request *r, const char *name);

/* Sets *value to a parameter that must be there; answers otherwise. */
bool http_parameter_get(http_request *r, const char *name, holt_slice *value);

/* Sets *limit to the parameter "limit": how many entries or rows a page has at most. Answers if it is
 * wrong. */
bool http_read_limit(http_request *r, uint64_t *limit);

/* Sets *flag to a parameter that is "true" or "false"; false if it is not there. Answers if it is wrong. */
bool http_read_flag(http_request *r, const char *name, bool *flag);

/* Answers for the database's last error. Returns false. */
bool http_database_failed(http_request *r, holt_status status);

/* Copies the name of a collection or table, which the database checks. Answers if it cannot be one, or if the
 * user may not use it. Every name that a client gives comes through here. */
bool http_copy_name(http_request *r, holt_slice name, char text[HTTP_NAME_BYTES_MAX + 1]);

/* Returns whether If-None-Match, a list of tags or *, names the version: the client has it already. */
bool http_knows(const http_request *r, uint64_t version);

/* Returns whether a collection of that name can only be one of Holt's own. */
bool http_name_is_reserved(const char *name);

/* The same as http_copy_name for what is to be changed: answers too if the collection is a table's, whose
 * rows and indexes would no longer agree. */
bool http_copy_plain_name(http_request *r, holt_slice name, char text[HTTP_NAME_BYTES_MAX + 1]);

/* Opens a collection: to read it, or also to write to it, if it is not a table's. The caller closes it. */
bool http_open_collection(http_request *r, holt_slice name, holt_collection **c);
bool http_open_plain_collection(http_request *r, holt_slice name, holt_collection **c);

/* Returns the transaction to read with; NULL: what was committed. */
holt_txn *http_reader(const http_request *r);

/* Sets *t to the transaction to write to. */
bool http_writer(http_request *r, holt_txn **t);

/* Ends a write with its status, which it returns: if it succeeded, those who watch the key are told. key
 * {NULL, 0}: any key of the collection. */
holt_status http_written(http_request *r, holt_slice collection, holt_slice key, holt_status status);

/* Returns whether the bytes are those of the word. */
bool http_slice_is(holt_slice text, const char *word);

/* Appends bytes in hexadecimal, as tokens of pages are written. */
void http_append_hex(bytes *out, holt_slice data);

/* Parses the body, an object with members of these names only; names NULL: with any members. The caller
 * releases it. NULL: it has answered. */
json_object *http_parse_body(http_request *r, const char *const *names);

/* Sets *value to a member of the object, as http_json_get does. Answers otherwise. */
bool http_read_member(http_request *r, json_object *object, const char *name, bytes *decoded,
                      holt_slice *value);

/* Appends a collection with its figures, as a JSON object. After an error the object may be
 * incomplete. */
holt_status http_append_collection(bytes *out, const char *name, holt_collection *c);

/* http_simple.c: the simple API. */
void http_simple_get(http_request *r);
void http_simple_put(http_request *r);
void http_simple_delete(http_request *r);
void http_simple_batch(http_request *r);

/* http_v1.c: the complete API. */
void http_v1_collections(http_request *r);
void http_v1_create(http_request *r);
void http_v1_describe(http_request *r);
void http_v1_drop(http_request *r);
void http_v1_delete_range(http_request *r);
void http_v1_batch(http_request *r);
void http_v1_get(http_request *r);
void http_v1_put(http_request *r);
void http_v1_delete(http_request *r);

/* http_tables.c: tables and rows. */
void http_tables_list(http_request *r);
void http_tables_describe(http_request *r);
void http_rows_list(http_request *r);
void http_rows_insert(http_request *r);
void http_rows_get(http_request *r);
void http_rows_update(http_request *r);
void http_rows_delete(http_request *r);

/* http_scan.c: ranges of keys. */
void http_simple_range(http_request *r);
void http_v1_scan(http_request *r);

/* http_openapi.c */
void http_openapi(http_request *r);

/* http_sql.c */
void http_sql(http_request *r);

/* http_admin.c: what administrators and the console ask. */
void http_admin_stats(http_request *r);
void http_admin_collections(http_request *r);
void http_admin_readers(http_request *r);
void http_admin_flush(http_request *r);
void http_admin_compact(http_request *r);
void http_admin_check(http_request *r);
void http_admin_log_level(http_request *r);
void http_admin_set_log_level(http_request *r);

/* http_watch.c: for those who watch the server. */
void http_health(http_request *r);
void http_ready(http_request *r);
void http_metrics(http_request *r);

/* http_console.c: the page for people. */
void http_console(http_request *r);

#endif
