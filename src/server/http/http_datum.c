/* http_datum.c -- see http_datum.h. */
#include "http/http_datum.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "http/http_json.h"

enum { NUMBER_BYTES_MAX = 400 };

/* ---------------------------------------------------------------- writing */

void http_datum_append_real(bytes *out, double value)
{
    char text[40];
    if (isinf(value)) {
        bytes_append_text(out, value < 0 ? "-1e999" : "1e999");
        return;
    }
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) snprintf(text, sizeof text, "%.17g", value);
    bytes_append_text(out, text);
    if (!strpbrk(text, ".e")) bytes_append_text(out, ".0");
}

void http_datum_append_blob(bytes *out, holt_slice value)
{
    bytes_append_text(out, "{\"base64\":");
    http_json_base64(out, value);
    bytes_append_text(out, "}");
}

void http_datum_append(bytes *out, holt_datum d)
{
    switch (d.type) {
    case HOLT_BOOLEAN:
        bytes_append_text(out, d.as.boolean ? "true" : "false");
        break;
    case HOLT_INTEGER:
        bytes_append_format(out, "%" PRId64, d.as.integer);
        break;
    case HOLT_REAL:
        http_datum_append_real(out, d.as.real);
        break;
    case HOLT_TEXT:
        http_json_string(out, d.as.bytes);
        break;
    case HOLT_BLOB:
        http_datum_append_blob(out, d.as.bytes);
        break;
    default:
        bytes_append_text(out, "null");
    }
}

/* ---------------------------------------------------------------- reading */

static const char *read_blob(json_object *value, bytes *decoded, holt_datum *d)
{
    holt_slice blob;
    json_object *text;
    if (json_object_object_length(value) != 1 || !json_object_object_get_ex(value, "base64", &text) ||
        !http_json_read_base64(text, decoded, &blob))
        return "is an object other than {\"base64\":\"...\"}";
    *d = holt_blob(blob.data, blob.size);
    return NULL;
}

/* json-c takes an integer that is out of range for the nearest one that is not, so that the smallest one
 * cannot be told from what is below it. */
static const char *read_integer(json_object *value, holt_datum *d)
{
    *d = holt_integer(json_object_get_int64(value));
    bool large = d->as.integer > 0 && json_object_get_uint64(value) > INT64_MAX;
    return large || d->as.integer == INT64_MIN ? "is out of range" : NULL;
}

const char *http_datum_read(json_object *value, bytes *decoded, holt_datum *d)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        *d = holt_null();
        return NULL;
    case json_type_boolean:
        *d = holt_boolean(json_object_get_boolean(value));
        return NULL;
    case json_type_int:
        return read_integer(value, d);
    case json_type_double:
        *d = holt_real(json_object_get_double(value));
        return NULL;
    case json_type_string:
        *d = holt_text_bytes(json_object_get_string(value), (size_t)json_object_get_string_len(value));
        return NULL;
    case json_type_object:
        return read_blob(value, decoded, d);
    default:
        return "is an array";
    }
}

static const char *parse_integer(const char *text, holt_datum *d)
{
    char *end;
    errno = 0;
    *d = holt_integer(strtoll(text, &end, 10));
    return errno || *end || text[strspn(text, "-0123456789")] ? "is not an integer" : NULL;
}

static const char *parse_real(const char *text, holt_datum *d)
{
    char *end;
    *d = holt_real(strtod(text, &end));
    return *end || text[strspn(text, "+-.0123456789eE")] ? "is not a number" : NULL;
}

const char *http_datum_parse(holt_slice text, uint32_t type, holt_datum *d)
{
    char number[NUMBER_BYTES_MAX];
    if (type == HOLT_TEXT) {
        *d = holt_text_bytes(text.data, text.size);
        return NULL;
    }
    if (type == HOLT_BLOB) {
        *d = holt_blob(text.data, text.size);
        return NULL;
    }
    if (text.size == 0 || text.size >= sizeof number || memchr(text.data, '\0', text.size))
        return "is not a value of its column's type";
    memcpy(number, text.data, text.size);
    number[text.size] = '\0';
    if (type == HOLT_INTEGER) return parse_integer(number, d);
    if (type == HOLT_REAL) return parse_real(number, d);
    *d = holt_boolean(strcmp(number, "true") == 0);
    return d->as.boolean || strcmp(number, "false") == 0 ? NULL : "is neither true nor false";
}
