/* http_collections.c -- the complete API, version 1: collections as a whole, and many keys at a time.
 *
 *     POST   /v1/collections            {"name":"c","kind":"btree"}                  201
 *     GET    /v1/collections/{c}                                                     its figures
 *     DELETE /v1/collections/{c}                                                     204
 *     DELETE /v1/collections/{c}/range?from=&to=                                     204
 *     POST   /v1/batch                  {"operations":[{"op":"put",...},...]}        all or nothing
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/http_json.h"
#include "http/http_request.h"

static const char JSON[] = "application/json";

enum { PART_COLLECTION = 2, OPERATIONS_MAX = 100000 };

/* ---------------------------------------------------------------- collections */

/* Reads the optional member "kind". */
static bool read_kind(http_request *r, json_object *object, uint32_t *kind)
{
    json_object *member;
    *kind = (uint32_t)r->config->number[CONFIG_kind];
    if (!json_object_object_get_ex(object, "kind", &member)) return true;
    const char *text = json_object_is_type(member, json_type_string) ? json_object_get_string(member) : "";
    if (strcmp(text, "lsm") == 0) {
        *kind = HOLT_LSM;
    } else if (strcmp(text, "btree") == 0) {
        *kind = HOLT_BTREE;
    } else {
        return http_error(r, 400, "invalid", "the member 'kind' must be 'lsm' or 'btree'");
    }
    return true;
}

static bool copy_new_name(http_request *r, holt_slice name, char text[HTTP_NAME_BYTES_MAX + 1])
{
    if (!http_copy_name(r, name, text)) return false;
    return !http_name_is_reserved(text) ||
           http_error(r, 400, "invalid", "names that begin with 'holt.' are for Holt's own collections");
}

void http_v1_create(http_request *r)
{
    static const char *const names[] = {"name", "kind", NULL};
    char text[HTTP_NAME_BYTES_MAX + 1];
    bytes decoded = {0};
    holt_slice name;
    holt_collection_options o = {0};
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!bytes_reserve(&decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    } else if (http_read_member(r, object, "name", &decoded, &name) && copy_new_name(r, name, text) &&
               read_kind(r, object, &o.kind)) {
        holt_collection *c;
        (void)batch_commit(r->batch); /* others are told if it fails */
        holt_status status = holt_collection_create(r->db, text, &o, &c);
        if (status == HOLT_OK) {
            bytes_append_text(&r->answer, "{\"success\":true}\n");
            http_reply(r, 201, JSON);
            holt_collection_close(c);
        } else {
            (void)http_database_failed(r, status);
        }
    }
    bytes_deinit(&decoded);
    json_object_put(object);
}

/* Appends one element of "tree". */
static holt_status append_run(void *ctx, const holt_run *run)
{
    bytes *out = ctx;
    bytes_append_format(out,
                        "%s{\"level\":%u,\"parts\":%" PRIu64 ",\"entries\":%" PRIu64
                        ",\"tombstones\":%" PRIu64 ",\"disk_bytes\":%" PRIu64 "}",
                        out->data[out->size - 1] == '[' ? "" : ",", run->level, run->parts, run->entries,
                        run->tombstones, run->disk_bytes);
    return out->failed ? HOLT_NO_MEMORY : HOLT_OK;
}

holt_status http_append_collection(bytes *out, const char *name, holt_collection *c)
{
    holt_collection_info i;
    holt_status status = holt_collection_stats(c, &i, sizeof i);
    if (status != HOLT_OK) return status;
    bytes_append_text(out, "{\"name\":");
    http_json_string(out, holt_str(name));
    bytes_append_format(out,
                        ",\"kind\":\"%s\",\"entries\":%" PRIu64 ",\"tombstones\":%" PRIu64
                        ",\"memtable_entries\":%" PRIu64 ",\"disk_bytes\":%" PRIu64 ",\"runs\":%" PRIu64
                        ",\"levels\":%" PRIu64 ",\"block_bytes\":%u,\"tree\":[",
                        i.kind == HOLT_LSM ? "lsm" : "btree", i.entries, i.tombstones, i.memtable_entries,
                        i.disk_bytes, i.runs, i.levels, i.block_bytes);
    if (out->failed) return HOLT_OK; /* whoever sends the answer sees it */
    status = holt_runs(c, append_run, out);
    bytes_append_text(out, "]}");
    return out->failed ? HOLT_OK : status;
}

void http_v1_describe(http_request *r)
{
    holt_collection *c;
    char name[HTTP_NAME_BYTES_MAX + 1];
    if (!http_copy_name(r, r->parts[PART_COLLECTION], name) || !http_open_collection(r, holt_str(name), &c))
        return;
    holt_status status = http_append_collection(&r->answer, name, c);
    if (status == HOLT_OK) {
        bytes_append_text(&r->answer, "\n");
        http_reply(r, 200, JSON);
    } else {
        (void)http_database_failed(r, status);
    }
    holt_collection_close(c);
}

void http_v1_drop(http_request *r)
{
    char text[HTTP_NAME_BYTES_MAX + 1];
    if (!http_copy_plain_name(r, r->parts[PART_COLLECTION], text)) return;
    /* Otherwise what others have written to it in this batch would make their commit fail. */
    (void)batch_commit(r->batch);
    holt_status status =
        http_written(r, holt_str(text), holt_bytes(NULL, 0), holt_collection_drop(r->db, text));
    batch_collections_changed(r->batch);
    if (status == HOLT_OK) {
        http_reply(r, 204, NULL);
    } else {
        (void)http_database_failed(r, status);
    }
}

/* ---------------------------------------------------------------- many writes */

static holt_slice optional(const http_request *r, const char *name)
{
    const http_parameter *p = http_parameter_find(r, name);
    return p ? p->value : holt_bytes(NULL, 0);
}

void http_v1_delete_range(http_request *r)
{
    holt_collection *c = NULL;
    holt_txn *t;
    holt_slice from = optional(r, "from"), to = optional(r, "to");
    if (!from.data && !to.data) {
        (void)http_error(r, 400, "invalid", "the parameters 'from' and 'to' are both missing");
        return;
    }
    if (http_open_plain_collection(r, r->parts[PART_COLLECTION], &c) && http_writer(r, &t)) {
        holt_status status = http_written(r, r->parts[PART_COLLECTION], holt_bytes(NULL, 0),
                                          holt_delete_range(c, t, from, to));
        if (status == HOLT_OK) {
            http_reply(r, 204, NULL);
        } else {
            (void)http_database_failed(r, status);
        }
    }
    holt_collection_close(c);
}

/* Reads an optional member that is a number above 0. */
static bool read_number(http_request *r, json_object *object, const char *name, uint64_t *number)
{
    json_object *member;
    *number = 0;
    if (!json_object_object_get_ex(object, name, &member)) return true;
    if (json_object_is_type(member, json_type_int) && json_object_get_int64(member) > 0) {
        *number = json_object_get_uint64(member);
        return true;
    }
    return http_error(r, 400, "invalid", "a number is not above 0");
}

/* Reads the condition of a put: "if_absent":true or "if_present":true. */
static bool read_condition(http_request *r, json_object *object, uint32_t *flags)
{
    json_object *absent = NULL, *present = NULL;
    bool has_absent = json_object_object_get_ex(object, "if_absent", &absent);
    bool has_present = json_object_object_get_ex(object, "if_present", &present);
    *flags = 0;
    if ((has_absent && !json_object_is_type(absent, json_type_boolean)) ||
        (has_present && !json_object_is_type(present, json_type_boolean)) || (has_absent && has_present))
        return http_error(r, 400, "invalid",
                          "a condition must be one of if_absent and if_present, true or false");
    if (has_absent && json_object_get_boolean(absent)) *flags = HOLT_PUT_IF_ABSENT;
    if (has_present && json_object_get_boolean(present)) *flags = HOLT_PUT_IF_PRESENT;
    return true;
}

/* Carries out one operation. *status is what the database said, unless false was returned after an answer. */
static bool do_operation(http_request *r, json_object *object, bytes *decoded, holt_txn *t,
                         holt_status *status)
{
    static const char *const names[] = {"op",        "collection", "key", "value", "expires_at_ms",
                                        "if_absent", "if_present", NULL};
    holt_slice op, name = holt_str("default"), key, value;
    holt_collection *c = NULL;
    holt_put_options o = {0};
    bool put, done = false;
    if (!json_object_is_type(object, json_type_object) || !http_json_only(object, names))
        return http_error(r, 400, "invalid", "an operation is not an object or has an unknown member");
    if (!http_read_member(r, object, "op", decoded, &op) ||
        !http_read_member(r, object, "key", decoded, &key))
        return false;
    put = op.size == 3 && memcmp(op.data, "put", 3) == 0;
    if (!put && !(op.size == 6 && memcmp(op.data, "delete", 6) == 0))
        return http_error(r, 400, "invalid", "the member 'op' must be 'put' or 'delete'");
    if (json_object_object_get_ex(object, "collection", NULL) &&
        !http_read_member(r, object, "collection", decoded, &name))
        return false;
    if (put &&
        (!http_read_member(r, object, "value", decoded, &value) ||
         !read_number(r, object, "expires_at_ms", &o.expires_at_ms) || !read_condition(r, object, &o.flags)))
        return false;
    if (http_open_plain_collection(r, name, &c)) {
        *status = put ? holt_put_with(c, t, key, value, &o) : holt_delete(c, t, key);
        *status = http_written(r, name, key, *status);
        done = true;
    }
    holt_collection_close(c);
    return done;
}

static bool do_operations(http_request *r, json_object *list, bytes *decoded, holt_txn *t)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        holt_status status = HOLT_OK;
        char message[80];
        if (!do_operation(r, json_object_array_get_idx(list, i), decoded, t, &status)) return false;
        if (status == HOLT_EXISTS || status == HOLT_NOT_FOUND) {
            snprintf(message, sizeof message, "the condition of operation %zu does not hold", i);
            return http_error(r, 412, "precondition_failed", message);
        }
        if (status != HOLT_OK) return http_database_failed(r, status);
    }
    return true;
}

void http_v1_batch(http_request *r)
{
    static const char *const names[] = {"operations", NULL};
    json_object *list = NULL;
    bytes decoded = {0};
    holt_txn *t;
    uint32_t mark;
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!json_object_object_get_ex(object, "operations", &list) ||
        !json_object_is_type(list, json_type_array) || json_object_array_length(list) > OPERATIONS_MAX) {
        (void)http_error(r, 400, "invalid", "the member 'operations' must be an array of at most 100000");
    } else if (!bytes_reserve(&decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    } else if (http_writer(r, &t)) {
        holt_status status = holt_savepoint(t, &mark);
        if (status != HOLT_OK) {
            (void)http_database_failed(r, status);
        } else if (do_operations(r, list, &decoded, t)) {
            bytes_append_format(&r->answer, "{\"success\":true,\"count\":%zu}\n",
                                json_object_array_length(list));
            http_reply(r, 200, JSON);
        } else {
            (void)holt_rollback_to(t, mark); /* the mark is there, so it does not fail */
        }
        if (status == HOLT_OK) (void)holt_release(t, mark);
    }
    bytes_deinit(&decoded);
    json_object_put(object);
}
