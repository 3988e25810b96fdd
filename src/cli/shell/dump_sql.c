/* dump_sql.c -- see dump_sql.h. */
#include "shell/dump_sql.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <holt/table.h>

#include "cli_values.h"
#include "common/text.h"
#include "terminal/output.h"

/* ---------------------------------------------------------------- literals */

/* Writes text in single quotes, which are doubled inside. */
static void write_quoted(holt_slice text)
{
    const char *p = text.data, *end = p + text.size;
    putchar('\'');
    while (p < end) {
        const char *quote = memchr(p, '\'', (size_t)(end - p));
        size_t size = (size_t)((quote ? quote + 1 : end) - p);
        fwrite(p, 1, size, stdout);
        if (quote) putchar('\'');
        p += size;
    }
    putchar('\'');
}

static void write_hex(holt_slice bytes)
{
    fputs("x'", stdout);
    text_write_hex(stdout, bytes);
    putchar('\'');
}

static void write_text(holt_slice text)
{
    if (!text.size || !memchr(text.data, '\0', text.size)) {
        write_quoted(text);
        return;
    }
    fputs("CAST(", stdout);
    write_hex(text);
    fputs(" AS TEXT)", stdout);
}

static void write_integer(int64_t number)
{
    /* Without the sign this one would be too large, and so read as a real. */
    if (number == INT64_MIN) {
        printf("(%" PRId64 " - 1)", number + 1);
    } else {
        printf("%" PRId64, number);
    }
}

static void write_real(double number)
{
    if (isinf(number)) {
        fputs(number > 0 ? "9e999" : "-9e999", stdout);
    } else {
        printf("%.17e", number);
    }
}

static void write_datum(const holt_datum *d)
{
    switch ((holt_type)d->type) {
    case HOLT_NULL:
        fputs("NULL", stdout);
        break;
    case HOLT_BOOLEAN:
        putchar(d->as.boolean ? '1' : '0');
        break;
    case HOLT_INTEGER:
        write_integer(d->as.integer);
        break;
    case HOLT_REAL:
        write_real(d->as.real);
        break;
    case HOLT_TEXT:
        write_text(d->as.bytes);
        break;
    case HOLT_BLOB:
        write_hex(d->as.bytes);
        break;
    }
}

static void write_name(const char *name)
{
    char *quoted = sql_quoted(name);
    fputs(quoted ? quoted : name, stdout);
    sqlite3_free(quoted);
}

/* ---------------------------------------------------------------- rows */

static bool has_column(const holt_table_info *info, const char *name)
{
    for (size_t i = 0; i < info->column_count; i++) {
        if (strcasecmp(info->columns[i].name, name) == 0) return true;
    }
    return false;
}

/* Returns the name by which SQL knows the implicit row id: one that no column takes. NULL: the table has
 * none, or its columns take all of them, and then nothing but a scan can see it. */
static const char *row_id_name(const holt_table_info *info)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t i = 0; i < sizeof names / sizeof *names && info->key_count == 0; i++) {
        if (!has_column(info, names[i])) return names[i];
    }
    return NULL;
}

static void write_insert(const holt_table_info *info, const char *row_id)
{
    fputs("INSERT INTO ", stdout);
    write_name(info->name);
    if (row_id) {
        printf(" (%s", row_id);
        for (size_t i = 0; i < info->column_count; i++) {
            fputs(", ", stdout);
            write_name(info->columns[i].name);
        }
        putchar(')');
    }
    fputs(" VALUES (", stdout);
}

/* Returns about how many bytes the row has. */
static size_t write_row(const holt_table_info *info, const char *row_id, holt_scan *scan)
{
    size_t bytes = 0;
    write_insert(info, row_id);
    if (row_id) printf("%" PRId64 ", ", holt_scan_row_id(scan));
    for (size_t i = 0; i < info->column_count; i++) {
        holt_datum value = holt_scan_column(scan, i);
        bool is_bytes = value.type == HOLT_TEXT || value.type == HOLT_BLOB;
        if (i > 0) fputs(", ", stdout);
        write_datum(&value);
        bytes += sizeof value + (is_bytes ? value.as.bytes.size : 0);
    }
    fputs(");\n", stdout);
    return bytes;
}

/* ---------------------------------------------------------------- transactions */

/* The transaction that the lines written last are in. */
typedef struct dump_transaction {
    const char *mark;    /* before BEGIN and COMMIT */
    size_t lines, bytes; /* 0 lines: none is open */
} dump_transaction;

static void end_transaction(dump_transaction *t)
{
    if (t->lines) printf("%sCOMMIT;\n", t->mark);
    t->lines = 0;
    t->bytes = 0;
}

/* Comes before each line. */
static void begin_line(dump_transaction *t)
{
    if (t->lines == DUMP_LINES || t->bytes >= DUMP_BYTES) end_transaction(t);
    if (t->lines++ == 0) printf("%sBEGIN;\n", t->mark);
}

/* Writes the rows in transactions. */
static bool dump_rows(shell *s, holt_table *table, holt_txn *txn, const holt_table_info *info)
{
    holt_scan_options options;
    holt_scan *scan = NULL;
    dump_transaction written = {.mark = ""};
    const char *row_id = row_id_name(info);
    memset(&options, 0, sizeof options);
    holt_status status = holt_scan_open(table, txn, &options, &scan);
    if (!shell_check(s, status)) return false;
    while (!output_interrupted() && output_ok() && holt_scan_next(scan)) {
        begin_line(&written);
        written.bytes += write_row(info, row_id, scan);
    }
    end_transaction(&written);
    return shell_check(s, holt_scan_close(scan)) && !shell_interrupted(s);
}

static bool dump_table(shell *s, const char *name, holt_txn *txn)
{
    holt_table *table = NULL;
    holt_table_info *info = NULL;
    bool ok = shell_print_schema(s, name) && shell_check(s, holt_table_open(s->session->db, name, &table)) &&
              shell_check(s, holt_table_describe(table, &info));
    if (info) ok = dump_rows(s, table, txn, info);
    holt_free(info);
    holt_table_close(table);
    return ok;
}

/* ---------------------------------------------------------------- plain collections */

/* Writes a word as words.h reads it. */
static void write_word(holt_slice bytes)
{
    const char *p = bytes.data, *end = p + bytes.size;
    putchar('"');
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        text_write_escaped(stdout, holt_bytes(p, (size_t)((quote ? quote : end) - p)));
        if (quote) fputs("\\\"", stdout);
        p = quote ? quote + 1 : end;
    }
    putchar('"');
}

/* Returns how many bytes the entry has. */
static size_t write_entry(holt_cursor *cursor)
{
    fputs("--! put ", stdout);
    write_word(holt_cursor_key(cursor));
    putchar(' ');
    write_word(holt_cursor_value(cursor));
    if (holt_cursor_expires_at(cursor)) printf(" until %" PRIu64, holt_cursor_expires_at(cursor));
    putchar('\n');
    return holt_cursor_key(cursor).size + holt_cursor_value(cursor).size;
}

static bool dump_collection(shell *s, const char *name, holt_txn *txn)
{
    holt_collection *collection = NULL;
    holt_cursor *cursor = NULL;
    dump_transaction written = {.mark = "--! "};
    holt_status status = holt_collection_open(s->session->db, name, &collection);
    if (status == HOLT_OK) status = holt_cursor_open(collection, txn, NULL, &cursor);
    if (status == HOLT_OK) {
        if (strcmp(name, "default") != 0) {
            fputs("--! create ", stdout);
            write_word(holt_str(name));
            printf(" %s\n", cli_kind_name(holt_collection_kind(collection)));
        }
        fputs("--! use ", stdout);
        write_word(holt_str(name));
        putchar('\n');
    }
    while (status == HOLT_OK && !output_interrupted() && output_ok() && holt_cursor_next(cursor)) {
        begin_line(&written);
        written.bytes += write_entry(cursor);
    }
    end_transaction(&written);
    holt_status closed = holt_cursor_close(cursor);
    holt_collection_close(collection);
    return shell_check(s, status == HOLT_OK ? closed : status) && !shell_interrupted(s);
}

static bool dump_all(shell *s, holt_txn *txn)
{
    shell_names names;
    bool ok = shell_list_names(s, &names);
    for (size_t i = 0; i < names.count && ok; i++) {
        ok = names.names[i].is_table ? dump_table(s, names.names[i].name, txn)
                                     : dump_collection(s, names.names[i].name, txn);
    }
    shell_free_names(&names);
    return ok;
}

bool dump_sql(shell *s, const char *table)
{
    holt_txn_options options;
    holt_txn *open = NULL, *snapshot = NULL;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_READ_ONLY;
    options.label = ".dump";
    if (!shell_transaction(s, &open)) return false;
    if (!open && !shell_check(s, holt_begin(s->session->db, &options, &snapshot))) return false;
    holt_txn *txn = open ? open : snapshot;
    bool ok = table ? dump_table(s, table, txn) : dump_all(s, txn);
    holt_rollback(snapshot);
    return ok;
}
