/* columns.c -- see columns.h. */
#include "import/columns.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/byte_buffer.h"
#include "common/text.h"

enum { NAME_MAX_BYTES = 128, NUMBER_MAX = 400 /* bytes of a number, such as 1e308 written out */ };

/* The whole numbers that a double can hold all are within this. */
static const int64_t exact_max = (int64_t)1 << 53;

/* ---------------------------------------------------------------- numbers */

/* Parses a whole number. canonical: it is written as it would be printed. */
static bool parse_integer(holt_slice field, int64_t *out, bool *canonical)
{
    const char *p = field.data, *end = p + field.size;
    bool negative = p < end && *p == '-';
    if (negative || (p < end && *p == '+')) p++;
    if (p == end || end - p > 19) return false;
    *canonical = (negative || p == field.data) && (*p != '0' || (end - p == 1 && !negative));
    uint64_t number = 0; /* of at most 19 digits, so it cannot overflow */
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    if (number > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

/* Parses a decimal number. */
static bool parse_real(holt_slice field, double *out)
{
    char text[NUMBER_MAX + 1], *end;
    if (field.size == 0 || field.size > NUMBER_MAX) return false;
    memcpy(text, field.data, field.size);
    text[field.size] = '\0';
    /* Not what else strtod accepts: spaces, hexadecimal, inf, nan. */
    if (strspn(text, "+-.0123456789eE") != field.size) return false;
    *out = strtod(text, &end);
    return end == text + field.size && isfinite(*out);
}

static bool parse_boolean(holt_slice field, bool *out)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"t", true}, {"f", false},
                 {"yes", true},  {"no", false},    {"1", true}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (field.size != strlen(words[i].text)) continue;
        if (strncasecmp(field.data, words[i].text, field.size) != 0) continue;
        *out = words[i].value;
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the header */

__attribute__((format(printf, 2, 3))) static bool bad(columns *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->problem, sizeof c->problem, format, arguments);
    va_end(arguments);
    return false;
}

static bool take_names(columns *c, const records *header)
{
    for (size_t i = 0; i < c->count; i++) {
        holt_slice name = records_csv_field(header, i, NULL);
        if (name.size == 0) return bad(c, "the column %zu of the header has no name", i + 1);
        if (name.size > NAME_MAX_BYTES) {
            return bad(c, "the name of column %zu has %zu bytes; at most %d are allowed", i + 1, name.size,
                       NAME_MAX_BYTES);
        }
        c->names[i] = allocate_or_exit(name.size + 1, 1);
        memcpy(c->names[i], name.data, name.size);
        if (strlen(c->names[i]) != name.size) return bad(c, "the name of column %zu has a zero byte", i + 1);
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(c->names[i], c->names[j]) == 0) {
                return bad(c, "the header has two columns named '%s'", c->names[i]);
            }
        }
    }
    return true;
}

/* Finds the columns of the header in the table. */
static bool find_columns(columns *c)
{
    bool *given = allocate_or_exit(c->table_count, sizeof *given);
    bool ok = true;
    for (size_t i = 0; i < c->count && ok; i++) {
        uint32_t at = 0;
        while (at < c->table_count && strcasecmp(c->names[i], c->table[at].name) != 0) {
            at++;
        }
        ok = at < c->table_count || bad(c, "the table has no column '%s'", c->names[i]);
        if (ok) given[at] = true;
        c->positions[i] = at;
    }
    for (uint32_t i = 0; i < c->table_count && ok; i++) {
        c->row[i] = c->table[i].flags & HOLT_COLUMN_DEFAULT ? c->table[i].default_value : holt_null();
        bool needed = c->table[i].flags & HOLT_COLUMN_NOT_NULL && c->row[i].type == HOLT_NULL;
        if (needed && !given[i] && i != c->numbered) {
            ok = bad(c, "the header lacks the column '%s', which is NOT NULL and has no default",
                     c->table[i].name);
        }
    }
    free(given);
    return ok;
}

bool columns_init(columns *c, const records *header, const holt_column *table, size_t table_count,
                  uint32_t numbered)
{
    *c = (columns){
        .count = header->csv.columns, .table = table, .table_count = table_count, .numbered = numbered};
    c->positions = allocate_or_exit(c->count, sizeof *c->positions);
    c->names = allocate_or_exit(c->count, sizeof *c->names);
    if (!take_names(c, header)) return false;
    if (table) {
        c->row = allocate_or_exit(table_count, sizeof *c->row);
        return find_columns(c);
    }
    c->guesses = allocate_or_exit(c->count, sizeof *c->guesses);
    return true;
}

void columns_deinit(columns *c)
{
    for (size_t i = 0; c->names && i < c->count; i++) {
        free(c->names[i]);
    }
    free(c->names);
    free(c->positions);
    free(c->guesses);
    free(c->made);
    free(c->row);
}

/* ---------------------------------------------------------------- a new table */

bool columns_guess(columns *c, const records *r)
{
    for (size_t i = 0; i < c->count; i++) {
        bool quoted, canonical;
        int64_t integer;
        double real;
        column_guess *guess = &c->guesses[i];
        holt_slice field = records_csv_field(r, i, &quoted);
        if (field.size == 0) {
            guess->is_text |= quoted;
            continue;
        }
        guess->has_values = true;
        if (!guess->is_text && parse_integer(field, &integer, &canonical)) {
            guess->is_text |= !canonical;
            guess->is_wide |= integer > exact_max || integer < -exact_max;
        } else if (!guess->is_text && parse_real(field, &real)) {
            guess->is_real = true;
        } else {
            guess->is_text = true;
            if (!text_is_utf8(field)) return bad(c, "column %s: the field is not valid UTF-8", c->names[i]);
        }
    }
    return true;
}

void columns_end_guess(columns *c)
{
    c->made = allocate_or_exit(c->count, sizeof *c->made);
    c->row = allocate_or_exit(c->count, sizeof *c->row);
    for (size_t i = 0; i < c->count; i++) {
        const column_guess *guess = &c->guesses[i];
        bool is_text = guess->is_text || !guess->has_values || (guess->is_real && guess->is_wide);
        c->made[i] = (holt_column){.name = c->names[i],
                                   .type = is_text          ? HOLT_TEXT
                                           : guess->is_real ? HOLT_REAL
                                                            : HOLT_INTEGER};
        c->positions[i] = (uint32_t)i;
    }
    c->table = c->made;
    c->table_count = c->count;
}

/* ---------------------------------------------------------------- rows */

/* Sets the datum of a field, as its column wants it. */
static bool convert(columns *c, holt_slice field, bool quoted, const holt_column *column, holt_datum *out)
{
    bool canonical, boolean, is_bytes = column->type == HOLT_TEXT || column->type == HOLT_BLOB;
    int64_t integer;
    double real;
    if (field.size == 0 && !quoted && !(is_bytes && column->flags & HOLT_COLUMN_NOT_NULL)) {
        *out = holt_null();
        return true;
    }
    switch ((holt_type)column->type) {
    case HOLT_INTEGER:
        if (!parse_integer(field, &integer, &canonical)) break;
        *out = holt_integer(integer);
        return true;
    case HOLT_REAL:
        if (!parse_real(field, &real)) break;
        *out = holt_real(real);
        return true;
    case HOLT_BOOLEAN:
        if (!parse_boolean(field, &boolean)) break;
        *out = holt_boolean(boolean);
        return true;
    case HOLT_TEXT:
        *out = holt_text_bytes(field.data, field.size);
        return true;
    case HOLT_BLOB:
        *out = holt_blob(field.data, field.size);
        return true;
    case HOLT_NULL:
        break;
    }
    static const char *const names[] = {"?", "BOOLEAN", "INTEGER", "REAL"};
    return bad(c, "column %s: '%.*s' is not %s", column->name, (int)(field.size < 60 ? field.size : 60),
               (const char *)field.data, names[column->type < 4 ? column->type : 0]);
}

bool columns_convert(columns *c, const records *r)
{
    for (size_t i = 0; i < c->count; i++) {
        bool quoted;
        holt_slice field = records_csv_field(r, i, &quoted);
        uint32_t at = c->positions[i];
        if (!convert(c, field, quoted, &c->table[at], &c->row[at])) return false;
    }
    return true;
}

bool columns_check(columns *c)
{
    for (uint32_t i = 0; i < c->table_count; i++) {
        const holt_column *column = &c->table[i];
        const holt_datum *value = &c->row[i];
        if (value->type == HOLT_NULL && column->flags & HOLT_COLUMN_NOT_NULL && i != c->numbered) {
            return bad(c, "column %s: a value is missing, and the column is NOT NULL", column->name);
        }
        if (value->type != HOLT_TEXT && value->type != HOLT_BLOB) continue;
        bool is_text = value->type == HOLT_TEXT;
        if (is_text && !text_is_utf8(value->as.bytes)) {
            return bad(c, "column %s: the field is not valid UTF-8", column->name);
        }
        uint64_t length = is_text ? text_columns(value->as.bytes) : value->as.bytes.size;
        if (column->length_max && length > column->length_max) {
            return bad(c, "column %s: the field has %" PRIu64 " %s; at most %" PRIu64 " are allowed",
                       column->name, length, is_text ? "characters" : "bytes", column->length_max);
        }
    }
    return true;
}
