/* http_simple.c -- the simple API: keys and values of the collection "default" as JSON.
 *
 *     PUT    /keys          {"key":"a","value":"b"}            {"success":true}
 *     GET    /keys?key=a                                       {"key":"a","value":"b"}, null if there is none
 *     DELETE /keys?key=a                                       {"success":true}
 *     POST   /keys/batch    {"keys":["a"],"values":["b"]}      {"success":true,"count":1}
 *
 * A batch is atomic. The range of this API is in http_scan.c.
 */
#include <stdio.h>
#include <string.h>

#include "http/http_json.h"
#include "http/http_request.h"

static const char JSON[] = "application/json";

/* The collection of this API. */
static holt_slice default_name(void)
{
    return holt_str("default");
}

static bool open_default(http_request *r, holt_collection **c)
{
    return http_open_collection(r, default_name(), c);
}

static void reply_success(http_request *r)
{
    bytes_append_text(&r->answer, "{\"success\":true}");
    http_reply(r, 200, JSON);
}

void http_simple_get(http_request *r)
{
    holt_collection *c;
    holt_slice key;
    holt_value value = HOLT_VALUE_INIT;
    if (!http_parameter_get(r, "key", &key) || !open_default(r, &c)) return;
    holt_status status = holt_get(c, batch_reader(r->batch), key, &value);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) {
        (void)http_database_failed(r, status);
    } else {
        bytes_append(&r->answer, "{", 1);
        http_json_member(&r->answer, "key", key);
        bytes_append(&r->answer, ",", 1);
        if (status == HOLT_OK) {
            http_json_member(&r->answer, "value", holt_bytes(value.data, value.size));
        } else {
            bytes_append_text(&r->answer, "\"value\":null");
        }
        bytes_append(&r->answer, "}", 1);
        http_reply(r, 200, JSON);
    }
    holt_value_free(&value);
    holt_collection_close(c);
}

void http_simple_put(http_request *r)
{
    static const char *const names[] = {"key", "value", NULL};
    holt_collection *c = NULL;
    holt_txn *t;
    holt_slice key, value;
    bytes decoded = {0};
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!bytes_reserve(&decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    } else if (http_read_member(r, object, "key", &decoded, &key) &&
               http_read_member(r, object, "value", &decoded, &value) && open_default(r, &c) &&
               http_writer(r, &t)) {
        holt_status status = http_written(r, default_name(), key, holt_put(c, t, key, value));
        if (status == HOLT_OK) {
            reply_success(r);
        } else {
            (void)http_database_failed(r, status);
        }
    }
    holt_collection_close(c);
    bytes_deinit(&decoded);
    json_object_put(object);
}

void http_simple_delete(http_request *r)
{
    holt_collection *c = NULL;
    holt_slice key;
    holt_txn *t;
    if (http_parameter_get(r, "key", &key) && open_default(r, &c) && http_writer(r, &t)) {
        holt_status status = http_written(r, default_name(), key, holt_delete(c, t, key));
        if (status == HOLT_OK) {
            reply_success(r);
        } else {
            (void)http_database_failed(r, status);
        }
    }
    holt_collection_close(c);
}

/* Sets *text to element i of an array of strings. */
static bool string_at(http_request *r, json_object *array, size_t i, holt_slice *text)
{
    json_object *element = json_object_array_get_idx(array, i);
    if (!json_object_is_type(element, json_type_string))
        return http_error(r, 400, "invalid", "keys and values must be strings");
    *text = holt_bytes(json_object_get_string(element), (size_t)json_object_get_string_len(element));
    return true;
}

/* Puts all entries, or none: they are undone by the caller after false. */
static bool put_all(http_request *r, holt_collection *c, holt_txn *t, json_object *keys, json_object *values)
{
    for (size_t i = 0; i < json_object_array_length(keys); i++) {
        holt_slice key = {NULL, 0}, value = {NULL, 0};
        if (!string_at(r, keys, i, &key) || !string_at(r, values, i, &value)) return false;
        holt_status status = http_written(r, default_name(), key, holt_put(c, t, key, value));
        if (status != HOLT_OK) return http_database_failed(r, status);
    }
    return true;
}

static void put_batch(http_request *r, json_object *keys, json_object *values)
{
    holt_collection *c = NULL;
    holt_txn *t;
    uint32_t mark;
    if (!open_default(r, &c)) return;
    if (http_writer(r, &t)) {
        holt_status status = holt_savepoint(t, &mark);
        if (status != HOLT_OK) {
            (void)http_database_failed(r, status);
        } else if (put_all(r, c, t, keys, values)) {
            bytes_append_format(&r->answer, "{\"success\":true,\"count\":%zu}",
                                json_object_array_length(keys));
            http_reply(r, 200, JSON);
        } else {
            (void)holt_rollback_to(t, mark); /* the mark is there, so it does not fail */
        }
        if (status == HOLT_OK) (void)holt_release(t, mark);
    }
    holt_collection_close(c);
}

void http_simple_batch(http_request *r)
{
    static const char *const names[] = {"keys", "values", NULL};
    json_object *keys = NULL, *values = NULL;
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!json_object_object_get_ex(object, "keys", &keys) ||
        !json_object_object_get_ex(object, "values", &values) ||
        !json_object_is_type(keys, json_type_array) || !json_object_is_type(values, json_type_array)) {
        (void)http_error(r, 400, "invalid", "the members 'keys' and 'values' must be arrays");
    } else if (json_object_array_length(keys) != json_object_array_length(values)) {
        (void)http_error(r, 400, "invalid", "there must be as many keys as values");
    } else {
        put_batch(r, keys, values);
    }
    json_object_put(object);
}
