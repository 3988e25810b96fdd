/* row_check.c -- checks of rows, updates and keys. */
#include "table/access/row_check.h"

#include "base/status.h"
#include "base/utf8.h"
#include "table/key/key_code.h"
#include "table/row/row_code.h"

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"null", "a boolean", "an integer", "a real", "text", "a blob"};
    return type < sizeof names / sizeof *names ? names[type] : "a value of unknown type";
}

static const char *column_type_name(uint32_t type)
{
    static const char *const names[] = {"?", "BOOLEAN", "INTEGER", "REAL", "TEXT", "BLOB"};
    return type < sizeof names / sizeof *names ? names[type] : "?";
}

/* ---------------------------------------------------------------- values */

static holt_status check_type(const schema *s, uint32_t column, holt_datum *d)
{
    const schema_column *c = &s->columns[column];
    bool is_bytes = d->type == HOLT_TEXT || d->type == HOLT_BLOB;
    if (d->type == HOLT_REAL && d->as.real != d->as.real)
        return row_error_set(HOLT_INVALID, HOLT_ROW_TYPE, s, column, NULL, "a NaN is not a value; use null");
    if (is_bytes && !d->as.bytes.data && d->as.bytes.size)
        return row_error_set(HOLT_INVALID, HOLT_ROW_TYPE, s, column, NULL,
                             "the data is NULL with a size of %zu", d->as.bytes.size);
    if (d->type != c->type && !schema_convert(c, d))
        return row_error_set(HOLT_INVALID, HOLT_ROW_TYPE, s, column, NULL, "%s does not fit the type %s",
                             type_name(d->type), column_type_name(c->type));
    return HOLT_OK;
}

static holt_status check_bytes(const schema *s, uint32_t column, const holt_datum *d)
{
    const schema_column *c = &s->columns[column];
    size_t length = d->as.bytes.size;
    if (d->type == HOLT_TEXT && !utf8_valid(d->as.bytes, c->length_max ? &length : NULL))
        return row_error_set(HOLT_INVALID, HOLT_ROW_ENCODING, s, column, NULL,
                             "the text is not UTF-8; put such bytes into a BLOB column");
    if (c->length_max && length > c->length_max)
        return row_error_set(
            HOLT_TOO_LARGE, HOLT_ROW_LENGTH, s, column, NULL, "%zu %s exceed the limit of %llu", length,
            d->type == HOLT_TEXT ? "characters" : "bytes", (unsigned long long)c->length_max);
    return HOLT_OK;
}

holt_status row_check_value(const schema *s, uint32_t column, const holt_datum *value, holt_datum *out)
{
    *out = *value;
    if (value->type == HOLT_NULL) {
        if (!(s->columns[column].flags & HOLT_COLUMN_NOT_NULL)) return HOLT_OK;
        return row_error_set(HOLT_INVALID, HOLT_ROW_NULL, s, column, NULL, "the column is NOT NULL");
    }
    holt_status rc = check_type(s, column, out);
    if (rc != HOLT_OK || (out->type != HOLT_TEXT && out->type != HOLT_BLOB)) return rc;
    return check_bytes(s, column, out);
}

holt_status row_check(const schema *s, const holt_datum *values, size_t n, holt_datum *out)
{
    if (n != s->column_count)
        return row_error_set(HOLT_INVALID, HOLT_ROW_COUNT, s, SCHEMA_NONE, NULL,
                             "the row has %zu values, the table %u columns", n, s->column_count);
    if (!values) return status_set(HOLT_INVALID, "the row is NULL");
    for (uint32_t i = 0; i < s->column_count; i++) {
        if (i == s->auto_column && values[i].type == HOLT_NULL) {
            out[i] = values[i];
            continue;
        }
        holt_status rc = row_check_value(s, i, &values[i], &out[i]);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

holt_status row_check_update(const schema *s, const uint32_t *columns, const holt_datum *values, size_t n,
                             holt_datum *row)
{
    if (n && (!columns || !values)) return status_set(HOLT_INVALID, "columns or values is NULL");
    for (size_t i = 0; i < n; i++) {
        if (columns[i] >= s->column_count)
            return row_error_set(HOLT_INVALID, HOLT_ROW_COUNT, s, SCHEMA_NONE, NULL,
                                 "there is no column %u; the table has %u", columns[i], s->column_count);
        holt_status rc = row_check_value(s, columns[i], &values[i], &row[columns[i]]);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* ---------------------------------------------------------------- keys */

holt_status row_check_bound(const schema *s, uint32_t column, const holt_datum *value, holt_datum *out)
{
    *out = *value;
    if (value->type == HOLT_NULL) return HOLT_OK;
    holt_status rc = check_type(s, column, out);
    if (rc == HOLT_OK && out->type == HOLT_TEXT && !utf8_valid(out->as.bytes, NULL))
        rc = row_error_set(HOLT_INVALID, HOLT_ROW_ENCODING, s, column, NULL, "the text is not UTF-8");
    return rc;
}

static holt_status check_row_id(const schema *s, const holt_datum *key, buffer *out)
{
    if (key->type != HOLT_INTEGER && key->type != HOLT_NULL)
        return row_error_set(HOLT_INVALID, HOLT_ROW_TYPE, s, SCHEMA_NONE, NULL,
                             "a row id is an integer, not %s", type_name(key->type));
    key_code_append(out, key, false);
    return HOLT_OK;
}

holt_status row_check_key(const schema *s, const holt_datum *key, size_t n, buffer *out)
{
    holt_status rc = HOLT_OK;
    buffer_clear(out);
    if (n != schema_key_parts(s))
        return row_error_set(HOLT_INVALID, HOLT_ROW_COUNT, s, SCHEMA_NONE, NULL,
                             "the key has %zu values, the primary key %u parts", n, schema_key_parts(s));
    if (!key) return status_set(HOLT_INVALID, "the key is NULL");
    if (s->key_count == 0) rc = check_row_id(s, key, out);
    for (uint32_t i = 0; i < s->key_count && rc == HOLT_OK; i++) {
        holt_datum part;
        rc = row_check_bound(s, s->key[i].column, &key[i], &part);
        if (rc == HOLT_OK) key_code_append(out, &part, schema_key_descending(s, i));
    }
    if (rc == HOLT_OK && out->failed) rc = status_no_memory(out->size);
    if (rc == HOLT_OK && out->size > KEY_BYTES_MAX)
        rc = row_error_set(HOLT_TOO_LARGE, HOLT_ROW_SIZE, s, SCHEMA_NONE, NULL,
                           "the key has %zu bytes when encoded; the limit is %d", out->size, KEY_BYTES_MAX);
    return rc;
}
