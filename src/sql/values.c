/* values.c -- conversions between values of SQLite and datums. */
#include "values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

/* Longer text is passed on as it is. */
enum { TEXT_COPIED = 512 };

/* 2^63: the first double above all 64-bit integers. */
static const double INTEGER_END = 9223372036854775808.0;

static holt_datum text_of(sqlite3_value *value)
{
    const unsigned char *text = sqlite3_value_text(value);
    return holt_text_bytes(text ? (const char *)text : "", (size_t)sqlite3_value_bytes(value));
}

static holt_datum blob_of(sqlite3_value *value)
{
    const void *blob = sqlite3_value_blob(value);
    return holt_blob(blob ? blob : "", (size_t)sqlite3_value_bytes(value));
}

/* ---- storing */

/* SQLite converts a real to an integer only strictly inside the range, so that the conversion is certain to
 * lose nothing. */
static bool integer_of_real(double real, int64_t *out)
{
    if (!(real > -INTEGER_END && real < INTEGER_END)) return false;
    *out = (int64_t)real;
    return (double)*out == real && *out != INT64_MIN && *out != INT64_MAX;
}

static bool to_integer(sqlite3_value *value, int64_t *out)
{
    switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
        *out = sqlite3_value_int64(value);
        return true;
    case SQLITE_FLOAT:
        return integer_of_real(sqlite3_value_double(value), out);
    default:
        return false;
    }
}

static bool to_real(sqlite3_value *value, double *out)
{
    const int type = sqlite3_value_numeric_type(value);
    *out = sqlite3_value_double(value);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

bool value_to_column(sqlite3_value *value, uint32_t type, holt_datum *out)
{
    int64_t integer;
    double real;
    const int stored = sqlite3_value_type(value);
    *out = holt_null();
    if (stored == SQLITE_NULL) return true;
    switch (type) {
    case HOLT_BOOLEAN:
        if (!to_integer(value, &integer) || integer < 0 || integer > 1) return false;
        *out = holt_boolean(integer == 1);
        return true;
    case HOLT_INTEGER:
        if (!to_integer(value, &integer)) return false;
        *out = holt_integer(integer);
        return true;
    case HOLT_REAL:
        if (!to_real(value, &real)) return false;
        *out = holt_real(real);
        return true;
    case HOLT_TEXT:
        if (stored == SQLITE_BLOB) return false;
        *out = text_of(value);
        return true;
    default:
        if (stored != SQLITE_BLOB) return false;
        *out = blob_of(value);
        return true;
    }
}

/* ---- comparing */

static value_place find_integer(sqlite3_value *value, int64_t *out)
{
    switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
        *out = sqlite3_value_int64(value);
        return VALUE_EQUAL;
    case SQLITE_FLOAT:
        break;
    default:
        return VALUE_ABOVE; /* text and blobs */
    }
    const double real = sqlite3_value_double(value), whole = floor(real);
    if (real >= INTEGER_END) return VALUE_ABOVE;
    if (real < -INTEGER_END) return VALUE_BELOW;
    *out = (int64_t)whole;
    return whole == real ? VALUE_EQUAL : VALUE_BETWEEN;
}

static value_place find_boolean(sqlite3_value *value, holt_datum *out)
{
    int64_t integer = 0;
    const value_place place = find_integer(value, &integer);
    if (place != VALUE_EQUAL && place != VALUE_BETWEEN) return place;
    if (integer < 0) return VALUE_BELOW;
    if (integer > 1 || (integer == 1 && place == VALUE_BETWEEN)) return VALUE_ABOVE;
    *out = holt_boolean(integer == 1);
    return place;
}

/* An integer beyond 2^53 may lie between two reals. */
static value_place find_real_of_integer(int64_t integer, double *out)
{
    *out = (double)integer;
    const bool above = *out >= INTEGER_END || (int64_t)*out > integer;
    if (!above && (int64_t)*out == integer) return VALUE_EQUAL;
    if (above) *out = nextafter(*out, -INFINITY);
    return VALUE_BETWEEN;
}

static value_place find_real(sqlite3_value *value, double *out)
{
    switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER:
        return find_real_of_integer(sqlite3_value_int64(value), out);
    case SQLITE_FLOAT:
        *out = sqlite3_value_double(value);
        return VALUE_EQUAL;
    default:
        return VALUE_ABOVE;
    }
}

static value_place find_text(sqlite3_value *value, holt_datum *out)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_TEXT:
        break;
    case SQLITE_BLOB:
        return VALUE_ABOVE;
    default:
        return VALUE_UNKNOWN;
    }
    *out = text_of(value);
    return text_is_utf8(out->as.bytes) ? VALUE_EQUAL : VALUE_UNKNOWN;
}

value_place value_find(sqlite3_value *value, uint32_t type, holt_datum *out)
{
    *out = holt_null();
    if (sqlite3_value_type(value) == SQLITE_NULL) return VALUE_NULL;
    out->type = type;
    switch (type) {
    case HOLT_BOOLEAN:
        return find_boolean(value, out);
    case HOLT_INTEGER:
        return find_integer(value, &out->as.integer);
    case HOLT_REAL:
        return find_real(value, &out->as.real);
    case HOLT_TEXT:
        return find_text(value, out);
    default:
        break;
    }
    if (sqlite3_value_type(value) != SQLITE_BLOB) return VALUE_BELOW;
    *out = blob_of(value);
    return VALUE_EQUAL;
}

static int compare_bytes(holt_slice a, holt_slice b)
{
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

int value_compare(const holt_datum *a, const holt_datum *b)
{
    if (a->type != b->type) return (a->type > b->type) - (a->type < b->type);
    switch (a->type) {
    case HOLT_NULL:
        return 0;
    case HOLT_BOOLEAN:
        return a->as.boolean - b->as.boolean;
    case HOLT_INTEGER:
        return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    case HOLT_REAL:
        return (a->as.real > b->as.real) - (a->as.real < b->as.real);
    default:
        return compare_bytes(a->as.bytes, b->as.bytes);
    }
}

/* ---- results and text */

/* Text as SQLite likes it best: with a zero byte behind it, which it would otherwise allocate memory for once
 * a function or the program asks for the text. */
static void text_result(sqlite3_context *context, holt_slice text)
{
    char copy[TEXT_COPIED];
    if (text.size >= sizeof copy || (text.size > 0 && memchr(text.data, 0, text.size))) {
        sqlite3_result_text64(context, text.data, text.size, SQLITE_TRANSIENT, SQLITE_UTF8);
        return;
    }
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    sqlite3_result_text(context, copy, -1, SQLITE_TRANSIENT);
}

void value_result(sqlite3_context *context, const holt_datum *datum)
{
    const holt_slice bytes = datum->as.bytes;
    switch (datum->type) {
    case HOLT_NULL:
        sqlite3_result_null(context);
        break;
    case HOLT_BOOLEAN:
        sqlite3_result_int(context, datum->as.boolean);
        break;
    case HOLT_INTEGER:
        sqlite3_result_int64(context, datum->as.integer);
        break;
    case HOLT_REAL:
        sqlite3_result_double(context, datum->as.real);
        break;
    case HOLT_TEXT:
        text_result(context, bytes);
        break;
    default:
        sqlite3_result_blob64(context, bytes.data ? bytes.data : "", bytes.size, SQLITE_TRANSIENT);
        break;
    }
}

const char *value_type_name(sqlite3_value *value)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return "INT";
    case SQLITE_FLOAT:
        return "REAL";
    case SQLITE_TEXT:
        return "TEXT";
    case SQLITE_BLOB:
        return "BLOB";
    default:
        return "NULL";
    }
}

const char *value_column_type(uint32_t type)
{
    switch (type) {
    case HOLT_BOOLEAN:
        return "BOOLEAN";
    case HOLT_INTEGER:
        return "INTEGER";
    case HOLT_REAL:
        return "REAL";
    case HOLT_TEXT:
        return "TEXT";
    default:
        return "BLOB";
    }
}

/* Text with a zero byte has no literal: a zero byte would end the statement. */
static void append_text(sqlite3_str *out, holt_slice text)
{
    if (!text.size || !memchr(text.data, 0, text.size)) {
        sqlite3_str_appendf(out, "'%.*q'", (int)text.size, text.data ? (const char *)text.data : "");
        return;
    }
    sqlite3_str_appendall(out, "CAST(X'");
    for (size_t i = 0; i < text.size; i++) {
        sqlite3_str_appendf(out, "%02X", ((const uint8_t *)text.data)[i]);
    }
    sqlite3_str_appendall(out, "' AS TEXT)");
}

/* 17 digits name every double exactly, which SQLite's own formatting does not promise. */
static void append_real(sqlite3_str *out, double real)
{
    char digits[40];
    if (isinf(real)) {
        sqlite3_str_appendall(out, real > 0 ? "9e999" : "-9e999");
        return;
    }
    snprintf(digits, sizeof digits, "%.17g", real);
    char *comma = strchr(digits, ','); /* the program may have set a locale */
    if (comma) *comma = '.';
    sqlite3_str_appendall(out, digits);
    if (!strpbrk(digits, ".e")) sqlite3_str_appendall(out, ".0");
}

void value_append_literal(sqlite3_str *out, const holt_datum *datum)
{
    switch (datum->type) {
    case HOLT_NULL:
        sqlite3_str_appendall(out, "NULL");
        break;
    case HOLT_BOOLEAN:
        sqlite3_str_appendall(out, datum->as.boolean ? "TRUE" : "FALSE");
        break;
    case HOLT_INTEGER:
        sqlite3_str_appendf(out, "%lld", (long long)datum->as.integer);
        break;
    case HOLT_REAL:
        append_real(out, datum->as.real);
        break;
    case HOLT_TEXT:
        append_text(out, datum->as.bytes);
        break;
    default:
        sqlite3_str_appendall(out, "X'");
        for (size_t i = 0; i < datum->as.bytes.size; i++) {
            sqlite3_str_appendf(out, "%02X", ((const uint8_t *)datum->as.bytes.data)[i]);
        }
        sqlite3_str_appendall(out, "'");
        break;
    }
}
