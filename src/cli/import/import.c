/* import.c -- see import.h. */
#include "import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt/table.h>

#include "cli_values.h"
#include "common/number.h"
#include "formats/records.h"
#include "import/columns.h"
#include "import/row_writer.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/progress.h"

enum { PROBLEMS_PRINTED = 20 /* of the rows that are left out */ };

typedef struct import {
    holt *db;
    const import_settings *settings;
    import_report *report;
    const char *name; /* of the file */
    int file;
    records_options options;
    records rows;
    columns columns;
    holt_table *table;
    holt_table_info *info;
    progress progress;
} import;

/* ---------------------------------------------------------------- problems */

__attribute__((format(printf, 2, 3))) static bool problem(import *m, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    progress_erase(&m->progress);
    va_start(arguments, format);
    int size = vasprintf(&message, format, arguments);
    va_end(arguments);
    m->settings->problem(m->settings->ctx, size < 0 ? "out of memory" : message);
    if (size >= 0) free(message);
    return false;
}

static bool library_problem(import *m, const char *what)
{
    return problem(m, "%s: %s", what, holt_error_message());
}

/* A problem of the row that was read last. */
static bool row_problem(import *m, const char *what)
{
    return problem(m, "%s: row %" PRIu64 " (line %" PRIu64 "): %s", m->name, m->rows.csv.row,
                   m->rows.first_line, what);
}

/* Prints why a row could not be read. */
static bool unreadable_row(import *m)
{
    if (m->rows.problem_line == 0) return problem(m, "%s: %s", m->name, m->rows.problem);
    return problem(m, "%s: line %" PRIu64 ": %s", m->name, m->rows.problem_line, m->rows.problem);
}

/* Counts a row that is left out. Returns whether to say why. */
static bool may_print_skipped(import *m)
{
    if (++m->report->skipped == PROBLEMS_PRINTED + 1) {
        (void)problem(m, "further rows that are wrong are only counted");
    }
    return m->report->skipped <= PROBLEMS_PRINTED;
}

/* Says what is wrong with the row that was read last. Returns whether the import goes on without it. */
static bool skip(import *m, const char *what)
{
    if (!m->settings->skip_errors) return row_problem(m, what);
    if (may_print_skipped(m)) (void)row_problem(m, what);
    return true;
}

/* ---------------------------------------------------------------- reading rows */

/* Copies a pipe into a file without a name. */
static bool copy_pipe(import *m)
{
    char buffer[64 * 1024];
    FILE *copy = tmpfile();
    int from = m->file;
    m->file = copy ? dup(fileno(copy)) : -1;
    ssize_t got = 0;
    bool ok = m->file >= 0;
    while (ok && !output_interrupted() && (got = read(from, buffer, sizeof buffer)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        ok = got > 0 && fwrite(buffer, 1, (size_t)got, copy) == (size_t)got;
    }
    ok = ok && fflush(copy) == 0;
    int error = errno;
    if (copy) fclose(copy);
    if (from != STDIN_FILENO) close(from);
    if (output_interrupted()) return problem(m, "interrupted; nothing was imported");
    return ok || problem(m, "%s: %s", m->name, strerror(error));
}

static bool open_file(import *m)
{
    struct stat info;
    bool is_stdin = strcmp(m->settings->path, "-") == 0;
    m->name = is_stdin ? "stdin" : m->settings->path;
    m->file = is_stdin ? STDIN_FILENO : open(m->settings->path, O_RDONLY | O_CLOEXEC);
    if (m->file < 0 || fstat(m->file, &info) != 0) return problem(m, "%s: %s", m->name, strerror(errno));
    if (S_ISDIR(info.st_mode)) return problem(m, "%s: this is a directory", m->name);
    if (!S_ISREG(info.st_mode) && !copy_pipe(m)) return false;
    if (fstat(m->file, &info) == 0) m->report->file_bytes = (uint64_t)info.st_size;
    return true;
}

static void close_file(import *m)
{
    if (m->file >= 0 && m->file != STDIN_FILENO) close(m->file);
}

static char delimiter_of(const import_settings *settings)
{
    const char *dot = strrchr(settings->path, '.');
    if (settings->delimiter) return settings->delimiter;
    return dot && (strcasecmp(dot, ".tsv") == 0 || strcasecmp(dot, ".tab") == 0) ? '\t' : ',';
}

/* Begins to read the file from its start, up to the header. */
static bool begin_rows(import *m)
{
    records_deinit(&m->rows);
    m->options = (records_options){.format = RECORDS_CSV,
                                   .delimiter = delimiter_of(m->settings),
                                   .value_max = cli_value_max(m->settings->memory_bytes)};
    records_init(&m->rows, &m->options, m->name, m->file);
    if (lseek(m->file, 0, SEEK_SET) < 0) return problem(m, "%s: %s", m->name, strerror(errno));
    progress_begin(&m->progress, m->report->file_bytes);
    record_kind kind = records_csv_header(&m->rows);
    if (kind == RECORD_INTERRUPTED) return problem(m, "interrupted; nothing was imported");
    if (kind == RECORD_ENTRY) return true;
    return unreadable_row(m);
}

/* What a pass over the file does with each row. Returns false after printing why the import ends. */
typedef bool (*row_fn)(import *m, void *ctx);

/* Calls `each` for the rows of the file. report_skipped: say which cannot be read
 * and are left out. */
static bool each_row(import *m, row_fn each, void *ctx, bool report_skipped)
{
    for (uint64_t count = 0;; count++) {
        uint64_t line = m->rows.lines.number;
        record_kind kind = records_csv_row(&m->rows);
        if (kind == RECORD_END) return true;
        if (kind == RECORD_INTERRUPTED || output_interrupted()) {
            return problem(m, "interrupted; nothing was imported");
        }
        if (kind == RECORD_ENTRY) {
            if (!each(m, ctx)) return false;
        } else if (m->rows.lines.number == line || !m->settings->skip_errors) {
            return unreadable_row(m);
        } else if (report_skipped && may_print_skipped(m)) {
            (void)unreadable_row(m);
        }
        /* Reading the clock for each row would take as long as parsing it. */
        if (count % 64 == 0) progress_update(&m->progress, count, m->rows.lines.bytes_read);
    }
}

/* ---------------------------------------------------------------- the table */

/* Opens the table, if there is one. */
static bool open_table(import *m)
{
    holt_status status = holt_table_open(m->db, m->settings->table, &m->table);
    if (status == HOLT_NOT_FOUND) {
        m->report->made = true;
        return true;
    }
    if (status == HOLT_OK) status = holt_table_describe(m->table, &m->info);
    if (status != HOLT_OK) return library_problem(m, m->settings->table);
    if (!m->settings->key) return true;
    return problem(m, "the table %s exists: its primary key cannot be chosen", m->settings->table);
}

/* Creates the table, once the columns are known. */
static bool make_table(import *m)
{
    columns *c = &m->columns;
    holt_key_part key = {.column = m->settings->key};
    holt_table_options options;
    memset(&options, 0, sizeof options);
    options.columns = c->made;
    options.column_count = c->count;
    options.key = &key;
    options.key_count = m->settings->key ? 1 : 0;
    options.kind = m->settings->kind;
    for (size_t i = 0; i < c->count; i++) {
        if (m->settings->key && strcasecmp(c->made[i].name, m->settings->key) == 0) {
            c->made[i].flags |= HOLT_COLUMN_NOT_NULL;
        }
    }
    holt_status status = holt_table_create(m->db, m->settings->table, &options, &m->table);
    if (status == HOLT_OK) status = holt_table_describe(m->table, &m->info);
    return status == HOLT_OK || library_problem(m, m->settings->table);
}

/* Returns the position of a column that is numbered if it is missing: an INTEGER primary key. */
static uint32_t numbered_column(const holt_table_info *info)
{
    bool numbered = info && info->key_count == 1 && !(info->key[0].flags & HOLT_PART_DESCENDING) &&
                    info->columns[info->key_columns[0]].type == HOLT_INTEGER;
    return numbered ? info->key_columns[0] : UINT32_MAX;
}

/* ---------------------------------------------------------------- the passes */

static bool check_row(import *m, void *ctx)
{
    (void)ctx;
    bool good = m->report->made ? columns_guess(&m->columns, &m->rows)
                                : columns_convert(&m->columns, &m->rows) && columns_check(&m->columns);
    /* One that is left out is reported when that happens. */
    return good || m->settings->skip_errors || row_problem(m, m->columns.problem);
}

static bool check_file(import *m)
{
    const holt_table_info *info = m->info;
    if (!begin_rows(m)) return false;
    if (!columns_init(&m->columns, &m->rows, info ? info->columns : NULL, info ? info->column_count : 0,
                      numbered_column(info))) {
        return problem(m, "%s: line %" PRIu64 ": %s", m->name, m->rows.first_line, m->columns.problem);
    }
    if (!each_row(m, check_row, NULL, false)) return false;
    if (m->report->made) columns_end_guess(&m->columns);
    return true;
}

static bool write_row(import *m, void *ctx)
{
    row_writer *writer = ctx;
    if (!columns_convert(&m->columns, &m->rows)) return skip(m, m->columns.problem);
    holt_status status = row_writer_add(writer, m->columns.row, m->rows.csv.bytes.size);
    if (status == HOLT_OK) return true;
    if (writer->unsorted) return false; /* not the row's fault: the rows will be inserted */
    bool is_row = status == HOLT_EXISTS || status == HOLT_INVALID || status == HOLT_TOO_LARGE;
    return is_row ? skip(m, holt_error_message()) : row_problem(m, holt_error_message());
}

/* Writes the rows. load: try to load them. *unsorted: that was not possible, which was not printed. */
static bool write_file(import *m, bool load, bool *unsorted)
{
    row_writer writer;
    *unsorted = false;
    if (!begin_rows(m)) return false;
    m->report->skipped = 0;
    holt_status status = row_writer_begin(&writer, m->db, m->table, m->info, load);
    bool ok =
        status == HOLT_OK ? each_row(m, write_row, &writer, true) : library_problem(m, m->settings->table);
    if (ok) {
        status = row_writer_commit(&writer);
        ok = status == HOLT_OK || library_problem(m, m->settings->table);
    }
    *unsorted = writer.unsorted;
    m->report->rows = writer.rows;
    if (!ok && !row_writer_undo(&writer)) (void)library_problem(m, "rows could not be deleted again");
    row_writer_end(&writer);
    return ok;
}

static bool import_rows(import *m)
{
    bool unsorted;
    if (!open_file(m) || !open_table(m) || !check_file(m)) return false;
    if (m->report->made && !make_table(m)) return false;
    bool ok = write_file(m, true, &unsorted);
    if (!ok && unsorted) ok = write_file(m, false, &unsorted);
    return ok;
}

bool import_file(holt *db, const import_settings *settings, import_report *report)
{
import m = {.db = db, .settings = settings, .report = report, .file = - 1 };
    *report = (import_report){.rows = 0};
    uint64_t start_ns = number_clock_ns();
    bool ok = import_rows(&m);
    (void)progress_end(&m.progress);
    bool drop = !ok && report->made && m.table;
    holt_free(m.info);
    holt_table_close(m.table);
    if (drop && holt_table_drop(db, settings->table) != HOLT_OK) (void)library_problem(&m, settings->table);
    columns_deinit(&m.columns);
    records_deinit(&m.rows);
    close_file(&m);
    report->took_ns = number_clock_ns() - start_ns;
    return ok;
}

void import_print_report(const import_settings *settings, const import_report *report)
{
    char rows[NUMBER_TEXT], skipped[NUMBER_TEXT], took[NUMBER_TEXT], rate[NUMBER_TEXT];
    printf("%s %s into %s%s", number_grouped(rows, report->rows), report->rows == 1 ? "row" : "rows",
           report->made ? "the new table " : "", settings->table);
    if (report->skipped) printf(", %s left out", number_grouped(skipped, report->skipped));
    printf(", in %s, %s/s\n", number_duration(took, report->took_ns),
           number_grouped(rate, (uint64_t)number_rate(report->rows, report->took_ns)));
}
