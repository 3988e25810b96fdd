/* records_csv.c -- comma-separated values as in RFC 4180, or separated by another character.
 *
 *     id,name,note
 *     7,"Doe, Jane","says ""hello""
 *     on two lines"
 *
 * The first row is the header. Its names say which column is the key and which is the value; the others are
 * not loaded. Commas separate fields, LF or CRLF separates rows. A quoted field may contain commas, line ends
 * (kept as they are) and doubled quotes. Spaces belong to their field. Fields are bytes and need not be
 * UTF-8; a byte order mark before the header is skipped.
 *
 * Programs disagree about everything else, so it is refused and not guessed at: a quote inside an unquoted
 * field, anything between a closing quote and the comma, a lone carriage return, a row with more or fewer
 * fields than the header, and a quote that is never closed.
 */
#include "formats/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 10000 /* a line of commas must not fill the memory */ };

/* The position of the parser in a field. */
typedef enum field_state {
    FIELD_START,  /* at its first byte */
    FIELD_PLAIN,  /* inside, without quotes */
    FIELD_QUOTED, /* inside quotes */
    FIELD_CLOSED  /* after the closing quote */
} field_state;

/* A problem of the whole row, reported with the line that the row begins on. */
#define ROW_BAD(r, ...) (records_bad((r), __VA_ARGS__), (r)->problem_line = (r)->first_line, RECORD_BAD)

static holt_slice field_at(const records_csv *csv, size_t index)
{
    size_t begin = 0, end;
    if (index > 0) memcpy(&begin, csv->ends.data + (index - 1) * sizeof begin, sizeof begin);
    memcpy(&end, csv->ends.data + index * sizeof end, sizeof end);
    return holt_bytes(end > begin ? csv->bytes.data + begin : "", end - begin);
}

holt_slice records_csv_field(const records *r, size_t index, bool *quoted)
{
    if (quoted) memcpy(quoted, r->csv.quoted.data + index * sizeof *quoted, sizeof *quoted);
    return field_at(&r->csv, index);
}

static void end_field(records_csv *csv, field_state state)
{
    bool quoted = state == FIELD_CLOSED;
    csv->fields++;
    if (csv->fields > COLUMNS_MAX) return;
    byte_buffer_append(&csv->ends, &csv->bytes.size, sizeof csv->bytes.size);
    byte_buffer_append(&csv->quoted, &quoted, sizeof quoted);
}

static char delimiter_of(const records *r)
{
    if (r->options->delimiter) return r->options->delimiter;
    return ',';
}

/* Returns the number of bytes from p on that have no special meaning. */
static size_t plain_bytes(const char *p, size_t size, field_state state, char delimiter)
{
    if (state == FIELD_QUOTED) {
        const char *quote = memchr(p, '"', size);
        return quote ? (size_t)(quote - p) : size;
    }
    size_t i = 0;
    while (i < size && p[i] != delimiter && p[i] != '"' && p[i] != '\r') {
        i++;
    }
    return i;
}

/* Updates the state for a byte with a special meaning. Returns RECORD_BAD if it is not allowed there. */
static record_kind take_special(records *r, char byte, bool doubled, field_state *state)
{
    records_csv *csv = &r->csv;
    if (*state == FIELD_QUOTED) { /* the byte is a quote */
        if (doubled) {
            byte_buffer_append(&csv->bytes, "\"", 1);
        } else {
            *state = FIELD_CLOSED;
        }
        return RECORD_ENTRY;
    }
    if (byte == delimiter_of(r)) {
        end_field(csv, *state);
        *state = FIELD_START;
        return RECORD_ENTRY;
    }
    if (byte == '\r')
        return records_bad(r, "a carriage return that is not part of a line end must be quoted");
    if (*state != FIELD_START) {
        return records_bad(r, "a quote inside a field; such a field must be quoted and its quotes doubled");
    }
    *state = FIELD_QUOTED;
    return RECORD_ENTRY;
}

/* Parses one line of the row. */
static record_kind take_line(records *r, const char *line, size_t size, field_state *state)
{
    for (size_t i = 0; i < size;) {
        size_t plain = plain_bytes(line + i, size - i, *state, delimiter_of(r));
        if (plain > 0 && *state == FIELD_CLOSED) {
            return records_bad(r, "there is text between a closing quote and the end of the field");
        }
        if (plain > 0) {
            byte_buffer_append(&r->csv.bytes, line + i, plain);
            if (*state == FIELD_START) *state = FIELD_PLAIN;
            i += plain;
            continue;
        }
        bool last = i + 1 == size;
        if (*state != FIELD_QUOTED && line[i] == '\r' && last) break; /* part of the line end */
        bool doubled = !last && line[i + 1] == '"';
        bool takes_two = *state == FIELD_QUOTED && doubled;
        record_kind kind = take_special(r, line[i], doubled, state);
        if (kind != RECORD_ENTRY) return kind;
        i += takes_two ? 2 : 1;
    }
    return RECORD_ENTRY;
}

/* Reads a row of one or more lines into r->csv. Returns RECORD_END if there is none. */
static record_kind read_row(records *r)
{
    records_csv *csv = &r->csv;
    field_state state = FIELD_START;
    r->first_line = r->lines.number + 1;
    csv->bytes.size = 0;
    csv->ends.size = 0;
    csv->quoted.size = 0;
    csv->fields = 0;
    for (bool first = true;; first = false) {
        char *line;
        size_t size;
        bool whole;
        record_kind kind = records_text_line(r, &line, &size, &whole);
        if (kind == RECORD_END && !first) return ROW_BAD(r, "a quote opened in this row is never closed");
        if (kind != RECORD_ENTRY) return kind;
        if (csv->bytes.size + size > r->lines.limit) {
            return ROW_BAD(r, "the row is longer than any entry that this --memory permits");
        }
        kind = take_line(r, line, size, &state);
        if (kind != RECORD_ENTRY) return kind;
        if (state != FIELD_QUOTED) break;
        if (whole) byte_buffer_append(&csv->bytes, "\n", 1);
    }
    end_field(csv, state);
    return RECORD_ENTRY;
}

/* Finds the column of that name, of which there must be exactly one. */
static record_kind find_column(records *r, const char *name, const char *option, size_t *out)
{
    size_t found = 0;
    for (size_t i = 0; i < r->csv.columns; i++) {
        holt_slice field = field_at(&r->csv, i);
        if (field.size != strlen(name) || memcmp(field.data, name, field.size) != 0) continue;
        found++;
        *out = i;
    }
    if (found == 1) return RECORD_ENTRY;
    if (found > 1) return ROW_BAD(r, "the header has %zu columns named '%.60s'", found, name);
    holt_slice first = field_at(&r->csv, 0);
    return ROW_BAD(r, "the header has no column '%.60s'; the first of its %zu is '%.*s'; choose one with %s",
                   name, r->csv.columns, (int)(first.size < 60 ? first.size : 60), (const char *)first.data,
                   option);
}

record_kind records_csv_header(records *r)
{
    record_kind kind = read_row(r);
    if (kind == RECORD_END) return records_bad(r, "the file is empty; it must begin with a header");
    if (kind != RECORD_ENTRY) return kind;
    r->begun = true;
    r->csv.columns = r->csv.fields;
    if (r->csv.columns <= COLUMNS_MAX) return RECORD_ENTRY;
    return ROW_BAD(r, "the header has %zu columns; at most %d are allowed", r->csv.columns, COLUMNS_MAX);
}

record_kind records_csv_row(records *r)
{
    record_kind kind = read_row(r);
    if (kind != RECORD_ENTRY) return kind;
    r->csv.row++;
    if (r->csv.fields == r->csv.columns) return RECORD_ENTRY;
    return ROW_BAD(r, "row %" PRIu64 " has %zu field%s, but the header has %zu", r->csv.row, r->csv.fields,
                   r->csv.fields == 1 ? "" : "s", r->csv.columns);
}

/* Finds the columns of keys and values in the header that was read. */
static record_kind find_columns(records *r)
{
    record_kind kind = find_column(r, r->options->key_column, "--key-column", &r->csv.key);
    if (kind != RECORD_ENTRY) return kind;
    return find_column(r, r->options->value_column, "--value-column", &r->csv.value);
}

record_kind records_next_csv(records *r, record *out)
{
    record_kind kind;
    if (!r->begun) {
        kind = records_csv_header(r);
        if (kind == RECORD_ENTRY) kind = find_columns(r);
        if (kind != RECORD_ENTRY) return kind;
    }
    kind = records_csv_row(r);
    if (kind != RECORD_ENTRY) return kind;
    out->key = field_at(&r->csv, r->csv.key);
    out->value = field_at(&r->csv, r->csv.value);
    return RECORD_ENTRY;
}
