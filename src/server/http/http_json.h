/* http_json.h -- JSON of requests and answers.
 *
 * Bytes that are not UTF-8 cannot be a JSON string. A member "value" with such bytes is written as
 * "value_base64", and a request may use that name too; likewise for keys.
 */
#ifndef SERVER_HTTP_JSON_H
#define SERVER_HTTP_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include <holt.h>

#include "loop/bytes.h"

/* Appends text, which is valid UTF-8, as a JSON string. */
void http_json_string(bytes *out, holt_slice text);

/* Appends bytes in base64, as a JSON string. */
void http_json_base64(bytes *out, holt_slice value);

/* Appends "name":"..." or "name_base64":"...". */
void http_json_member(bytes *out, const char *name, holt_slice value);

/* Parses the object in text[size], strictly: no duplicate members, nothing after it. Returns NULL with a
 * message in *problem, which is static. The caller releases the object with json_object_put. */
json_object *http_json_parse(const char *text, size_t size, const char **problem);

/* The same for any value. NULL is also the value null, with no message in *problem. */
json_object *http_json_parse_any(const char *text, size_t size, const char **problem);

/* Sets *value to what the string `text` encodes in base64. Its bytes are appended to *decoded, as by
 * http_json_get. Returns false if it is not such a string. */
bool http_json_read_base64(json_object *text, bytes *decoded, holt_slice *value);

/* Returns whether there is a member `name` or `name`_base64. */
bool http_json_has(json_object *object, const char *name);

/* Sets *value to the member `name`, or to the decoded member `name`_base64. Its bytes are appended to
 * *decoded, in which the caller has reserved as many bytes as the whole text has, so that it does not
 * move. Returns NULL or what is wrong with the member. */
const char *http_json_get(json_object *object, const char *name, bytes *decoded, holt_slice *value);

/* Returns whether the object has no member that is not among the names, with or without _base64. names
 * ends with NULL. */
bool http_json_only(json_object *object, const char *const *names);

#endif
