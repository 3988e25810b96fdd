/* sql_rows.c -- see sql_rows.h. */
#include "formats/sql_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "terminal/output.h"

/* Rows whose widths decide the layout of a table. */
enum { ROWS_HELD = 2000, HELD_BYTES = 4 << 20 };

static const char *const mode_names[SQL_ROWS_MODE_COUNT] = {"list", "table", "markdown",
                                                            "csv",  "json",  "line"};

const char *sql_rows_mode_name(sql_rows_mode mode)
{
    return mode_names[mode];
}

bool sql_rows_mode_parse(const char *text, sql_rows_mode *out)
{
    for (size_t i = 0; i < SQL_ROWS_MODE_COUNT; i++) {
        if (strcmp(text, mode_names[i]) != 0) continue;
        *out = (sql_rows_mode)i;
        return true;
    }
    return false;
}

void sql_rows_init(sql_rows *r, sql_rows_mode mode, bool header, FILE *out, bool terminal)
{
    *r = (sql_rows){.mode = mode, .header = header, .out = out, .terminal = terminal};
}

void sql_rows_deinit(sql_rows *r)
{
    byte_buffer_deinit(&r->held);
    free(r->widths);
    r->widths = NULL;
}

/* ---- values */

static holt_slice value_bytes(sqlite3_stmt *s, int i)
{
    /* Asked first: SQLite converts a number to text here. */
    const void *data =
        sqlite3_column_type(s, i) == SQLITE_BLOB ? sqlite3_column_blob(s, i) : sqlite3_column_text(s, i);
    return holt_bytes(data ? data : "", (size_t)sqlite3_column_bytes(s, i));
}

static bool is_binary(sqlite3_stmt *s, int i, holt_slice bytes)
{
    return sqlite3_column_type(s, i) == SQLITE_BLOB &&
           (!text_is_utf8(bytes) || memchr(bytes.data, 0, bytes.size));
}

static void write_raw(const sql_rows *r, holt_slice bytes)
{
    if (r->terminal) {
        text_write_for_people(r->out, bytes);
    } else {
        fwrite(bytes.data, 1, bytes.size, r->out);
    }
}

/* Writes a value for people: binary as x'...'. */
static void write_readable(const sql_rows *r, sqlite3_stmt *s, int i)
{
    const holt_slice bytes = value_bytes(s, i);
    if (!is_binary(s, i, bytes)) {
        write_raw(r, bytes);
        return;
    }
    fputs("x'", r->out);
    text_write_hex(r->out, bytes);
    fputc('\'', r->out);
}

/* ---- list, csv */

/* As the sqlite3 shell: everything but plain characters is quoted. */
static bool needs_quotes(holt_slice bytes)
{
    const unsigned char *p = bytes.data;
    if (bytes.size == 0) return true;
    for (size_t i = 0; i < bytes.size; i++) {
        if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '"' || p[i] == '\'' || p[i] == ',') return true;
    }
    return false;
}

static void write_csv(const sql_rows *r, holt_slice bytes)
{
    const char *p = bytes.data;
    if (!needs_quotes(bytes)) {
        write_raw(r, bytes);
        return;
    }
    fputc('"', r->out);
    for (size_t i = 0, start = 0; i <= bytes.size; i++) {
        if (i < bytes.size && p[i] != '"') continue;
        write_raw(r, holt_bytes(p + start, i - start));
        if (i < bytes.size) fputs("\"\"", r->out);
        start = i + 1;
    }
    fputc('"', r->out);
}

static void write_separated(const sql_rows *r, sqlite3_stmt *s, bool names)
{
    const bool csv = r->mode == SQL_ROWS_CSV;
    for (int i = 0; i < (int)r->columns; i++) {
        if (i > 0) fputc(csv ? ',' : '|', r->out);
        if (!names && sqlite3_column_type(s, i) == SQLITE_NULL) continue;
        const holt_slice bytes = names ? holt_str(sqlite3_column_name(s, i)) : value_bytes(s, i);
        if (csv) {
            write_csv(r, bytes);
        } else {
            write_raw(r, bytes);
        }
    }
    fputc('\n', r->out);
}

/* ---- json, line */

/* The shortest digits that name the number. JSON has no infinity; what is written is read as one. */
static void write_json_real(json_writer *json, double real)
{
    char digits[40];
    if (isinf(real)) {
        json_literal(json, real > 0 ? "9.0e+999" : "-9.0e+999");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        if (strtod(digits, NULL) == real) break;
    }
    json_literal(json, digits);
    if (!strpbrk(digits, ".e")) fputs(".0", json->out);
}

static void write_json_value(json_writer *json, sqlite3_stmt *s, int i)
{
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_NULL:
        json_literal(json, "null");
        break;
    case SQLITE_INTEGER:
        json_literal(json, (const char *)sqlite3_column_text(s, i));
        break;
    case SQLITE_FLOAT:
        write_json_real(json, sqlite3_column_double(s, i));
        break;
    default:
        json_bytes(json, value_bytes(s, i));
        break;
    }
}

static void write_json(sql_rows *r, sqlite3_stmt *s)
{
    json_writer json;
    json_init(&json, r->out, r->terminal);
    fputs(r->rows == 0 ? "[" : ",\n", r->out);
    json_object_begin(&json);
    for (int i = 0; i < (int)r->columns; i++) {
        json_name(&json, sqlite3_column_name(s, i));
        write_json_value(&json, s, i);
    }
    json_object_end(&json);
}

static void write_lines(sql_rows *r, sqlite3_stmt *s)
{
    size_t width = 5;
    for (int i = 0; i < (int)r->columns; i++) {
        const size_t name = text_columns(holt_str(sqlite3_column_name(s, i)));
        if (name > width) width = name;
    }
    if (r->rows > 0) fputc('\n', r->out);
    for (int i = 0; i < (int)r->columns; i++) {
        const holt_slice name = holt_str(sqlite3_column_name(s, i));
        fprintf(r->out, "%*s", (int)(width - text_columns(name)), "");
        write_raw(r, name);
        fputs(" = ", r->out);
        write_readable(r, s, i);
        fputc('\n', r->out);
    }
}

/* ---- table, markdown: cells are kept as text, which may have several lines */

static void append_cell(sql_rows *r, const char *data, size_t size)
{
    byte_buffer_append(&r->held, &size, sizeof size);
    byte_buffer_append(&r->held, data, size);
}

/* The width of the widest line of a cell. */
static size_t cell_width(const char *data, size_t size)
{
    size_t width = 0, start = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && data[i] != '\n') continue;
        const size_t line = text_columns(holt_bytes(data + start, i - start));
        if (line > width) width = line;
        start = i + 1;
    }
    return width;
}

static void hold_cell(sql_rows *r, size_t column, const char *data, size_t size)
{
    append_cell(r, data, size);
    if (r->fixed) return;
    const size_t width = cell_width(data, size);
    if (width > r->widths[column]) r->widths[column] = width;
}

/* Turns a value into the text of a cell. */
static void hold_value(sql_rows *r, sqlite3_stmt *s, int i)
{
    char *text = NULL;
    size_t size = 0;
    sql_rows cell = *r;
    cell.out = open_memstream(&text, &size);
    if (!cell.out) return;
    write_readable(&cell, s, i);
    fclose(cell.out);
    hold_cell(r, (size_t)i, text, size);
    free(text);
}

static void write_rule(const sql_rows *r)
{
    const char end = r->mode == SQL_ROWS_TABLE ? '+' : '|';
    for (size_t i = 0; i < r->columns; i++) {
        fputc(end, r->out);
        for (size_t k = 0; k < r->widths[i] + 2; k++) {
            fputc('-', r->out);
        }
    }
    fprintf(r->out, "%c\n", end);
}

/* The cells of one row, in r->held. */
typedef struct cell {
    const char *data;
    size_t size;
} cell;

/* Writes the next line of each cell. Returns whether there are more. */
static bool write_cell_lines(const sql_rows *r, cell *cells, bool centred)
{
    bool more = false;
    for (size_t i = 0; i < r->columns; i++) {
        const char *end = cells[i].size ? memchr(cells[i].data, '\n', cells[i].size) : NULL;
        const size_t size = end ? (size_t)(end - cells[i].data) : cells[i].size;
        const size_t width = text_columns(holt_bytes(cells[i].data, size));
        const size_t pad = r->widths[i] > width ? r->widths[i] - width : 0, left = centred ? pad / 2 : 0;
        fprintf(r->out, "| %*s%.*s%*s ", (int)left, "", (int)size, cells[i].data, (int)(pad - left), "");
        cells[i].data += end ? size + 1 : size;
        cells[i].size -= end ? size + 1 : size;
        more |= cells[i].size > 0;
    }
    fputs("|\n", r->out);
    return more;
}

/* Prints the rows that are held. The first one of a statement is the header. */
static void write_held(sql_rows *r)
{
    const char *at = r->held.data;
    cell *cells = allocate_or_exit(r->columns + 1, sizeof *cells);
    for (size_t row = 0; row < r->held_rows; row++) {
        for (size_t i = 0; i < r->columns; i++) {
            memcpy(&cells[i].size, at, sizeof cells[i].size);
            cells[i].data = at + sizeof cells[i].size;
            at = cells[i].data + cells[i].size;
        }
        const bool is_header = !r->fixed && row == 0;
        if (is_header && r->mode == SQL_ROWS_TABLE) write_rule(r);
        while (write_cell_lines(r, cells, is_header)) {
        }
        if (is_header) write_rule(r);
    }
    free(cells);
    r->held.size = 0;
    r->held_rows = 0;
    r->fixed = true;
}

static void hold_row(sql_rows *r, sqlite3_stmt *s)
{
    for (int i = 0; i < (int)r->columns; i++) {
        hold_value(r, s, i);
    }
    r->held_rows++;
    if (r->fixed || r->held_rows > ROWS_HELD || r->held.size > HELD_BYTES) write_held(r);
}

static void begin_table(sql_rows *r, sqlite3_stmt *s)
{
    free(r->widths);
    r->widths = allocate_or_exit(r->columns + 1, sizeof *r->widths);
    r->held.size = 0;
    r->fixed = false;
    for (int i = 0; i < (int)r->columns; i++) {
        const char *name = sqlite3_column_name(s, i);
        hold_cell(r, (size_t)i, name, strlen(name));
    }
    r->held_rows = 1;
}

/* ---- the sink */

static bool is_table(const sql_rows *r)
{
    return r->mode == SQL_ROWS_TABLE || r->mode == SQL_ROWS_MARKDOWN;
}

static bool begin(void *ctx, sqlite3_stmt *s)
{
    sql_rows *r = ctx;
    r->rows = 0;
    r->columns = (size_t)sqlite3_column_count(s);
    if (is_table(r)) begin_table(r, s);
    return true;
}

static bool row(void *ctx, sqlite3_stmt *s)
{
    sql_rows *r = ctx;
    if (output_interrupted()) return false;
    switch (r->mode) {
    case SQL_ROWS_JSON:
        write_json(r, s);
        break;
    case SQL_ROWS_LINE:
        write_lines(r, s);
        break;
    case SQL_ROWS_LIST:
    case SQL_ROWS_CSV:
        if (r->header && r->rows == 0) write_separated(r, s, true);
        write_separated(r, s, false);
        break;
    default:
        hold_row(r, s);
        break;
    }
    r->rows++;
    return !ferror(r->out);
}

static void end(void *ctx)
{
    sql_rows *r = ctx;
    if (r->rows == 0) return; /* nothing at all, as the sqlite3 shell */
    if (is_table(r)) {
        write_held(r);
        if (r->mode == SQL_ROWS_TABLE) write_rule(r);
    } else if (r->mode == SQL_ROWS_JSON) {
        fputs("]\n", r->out);
    }
}

sql_sink sql_rows_sink(sql_rows *r)
{
    return (sql_sink){.begin = begin, .row = row, .end = end, .ctx = r};
}
