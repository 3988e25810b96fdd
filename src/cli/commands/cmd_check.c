/* cmd_check.c -- holt check: runs holt_verify, then holt_table_check for every table. Prints each problem
 * when it is found, then the totals.
 */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "commands/check_tables.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/progress.h"

typedef struct check_settings {
    bool quiet;
} check_settings;

/* One run of the command. */
typedef struct check {
    const check_settings *settings;
    output_form form;
    json_writer json;
    progress progress;
    holt_verify_report files;
    tables_report tables;
    bool tables_read; /* tables are checked only if the files are in order */
} check;

/* ---------------------------------------------------------------- problems */

/* The message without "FILE: ", for the forms that print the file in a column or member of its own. */
static void message_without_file(const holt_error *problem, char out[sizeof problem->message])
{
    size_t size = strlen(problem->file);
    const char *found = size ? strstr(problem->message, problem->file) : NULL;
    if (found && strncmp(found + size, ": ", 2) == 0) {
        snprintf(out, sizeof problem->message, "%.*s%s", (int)(found - problem->message), problem->message,
                 found + size + 2);
    } else {
        snprintf(out, sizeof problem->message, "%s", problem->message);
    }
}

static void print_problem_json(json_writer *w, const holt_error *problem)
{
    char message[sizeof problem->message];
    message_without_file(problem, message);
    json_object_begin(w);
    json_member_string(w, "file", problem->file);
    if (problem->offset != HOLT_NO_OFFSET) json_member_u64(w, "offset", problem->offset);
    json_member_string(w, "message", message);
    json_object_end(w);
}

static void print_problem_plain(const holt_error *problem)
{
    char message[sizeof problem->message];
    message_without_file(problem, message);
    output_write_text(holt_str(problem->file));
    if (problem->offset == HOLT_NO_OFFSET) {
        fputs("\t-\t", stdout);
    } else {
        printf("\t%" PRIu64 "\t", problem->offset);
    }
    output_write_text(holt_str(message));
    putchar('\n');
}

static void on_problem(void *ctx, const holt_error *problem)
{
    check *c = ctx;
    switch (c->form) {
    case OUTPUT_PEOPLE:
        progress_erase(&c->progress);
        output_write_text(holt_str(problem->message));
        putchar('\n');
        break;
    case OUTPUT_PLAIN:
        print_problem_plain(problem);
        break;
    case OUTPUT_JSON:
        print_problem_json(&c->json, problem);
        break;
    }
}

static void on_table_problem(void *ctx, const char *table, const char *message)
{
    check *c = ctx;
    if (c->form == OUTPUT_JSON) {
        json_object_begin(&c->json);
        json_member_string(&c->json, "table", table);
        json_member_string(&c->json, "message", message);
        json_object_end(&c->json);
        return;
    }
    if (c->form == OUTPUT_PEOPLE) progress_erase(&c->progress);
    if (c->form == OUTPUT_PLAIN) fputs("-\t-\t", stdout);
    output_write_text(holt_str(message));
    putchar('\n');
}

static void on_table_progress(void *ctx, uint64_t rows_done, uint64_t rows_total)
{
    check *c = ctx;
    if (!c->settings->quiet) progress_update_rows(&c->progress, rows_done, rows_total);
}

static void on_progress(void *ctx, uint64_t bytes_done, uint64_t bytes_total)
{
    check *c = ctx;
    c->progress.bytes_total = bytes_total;
    if (!c->settings->quiet) progress_update_bytes(&c->progress, bytes_done);
}

/* ---------------------------------------------------------------- totals */

static void print_tables_for_people(const check *c)
{
    char tables[NUMBER_TEXT], indexes[NUMBER_TEXT], rows[NUMBER_TEXT], entries[NUMBER_TEXT];
    if (!c->tables_read) {
        puts("tables were not checked");
    } else if (c->tables.tables > 0) {
        printf("%s table%s and %s index%s, %s rows, %s index entries\n",
               number_grouped(tables, c->tables.tables), c->tables.tables == 1 ? "" : "s",
               number_grouped(indexes, c->tables.indexes), c->tables.indexes == 1 ? "" : "es",
               number_grouped(rows, c->tables.rows), number_grouped(entries, c->tables.entries));
    }
}

static void print_for_people(const check *c, uint64_t took_ns)
{
    const holt_verify_report *r = &c->files;
    const uint64_t problem_count = r->problems + c->tables.problems;
    char files[NUMBER_TEXT], blocks[NUMBER_TEXT], entries[NUMBER_TEXT], bytes[NUMBER_TEXT], took[NUMBER_TEXT];
    char problems[NUMBER_TEXT];
    print_tables_for_people(c);
    printf("%s files, %s blocks, %s entries, %s read in %s: ", number_grouped(files, r->files),
           number_grouped(blocks, r->blocks), number_grouped(entries, r->entries),
           number_bytes(bytes, r->bytes), number_duration(took, took_ns));
    if (problem_count == 0) {
        puts("no problems");
    } else {
        printf("%s problem%s\n", number_grouped(problems, problem_count), problem_count == 1 ? "" : "s");
    }
    if (r->orphans > 0) {
        printf("%s orphan file%s left by a crash; the next opening for writing deletes %s\n",
               number_grouped(files, r->orphans), r->orphans == 1 ? "" : "s",
               r->orphans == 1 ? "it" : "them");
    }
}

static void print_numbers(check *c, uint64_t took_ns)
{
    const holt_verify_report *r = &c->files;
    const struct {
        const char *name;
        uint64_t number;
    } totals[] = {
        {"problems_found", r->problems + c->tables.problems},
        {"orphans", r->orphans},
        {"files", r->files},
        {"blocks", r->blocks},
        {"entries", r->entries},
        {"bytes", r->bytes},
        {"tables", c->tables.tables},
        {"indexes", c->tables.indexes},
        {"rows", c->tables.rows},
        {"index_entries", c->tables.entries},
        {"took_ns", took_ns},
    };
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        if (c->form == OUTPUT_PLAIN) {
            printf("%s\t%" PRIu64 "\n", totals[i].name, totals[i].number);
        } else {
            json_member_u64(&c->json, totals[i].name, totals[i].number);
        }
    }
}

static void print_totals(check *c, uint64_t took_ns)
{
    if (c->settings->quiet) return;
    if (c->form == OUTPUT_PEOPLE) {
        print_for_people(c, took_ns);
    } else {
        print_numbers(c, took_ns); /* as JSON, members beside "problems" */
    }
}

/* ---------------------------------------------------------------- the command */

static bool check_option(cli_call *call, int code, char *value)
{
    check_settings *settings = call->own;
    (void)code; /* there is only one */
    (void)value;
    settings->quiet = true;
    return true;
}

static holt_status check_files(check *c, const char *path)
{
    holt_verify_options options;
    memset(&options, 0, sizeof options);
    options.problem = on_problem;
    options.progress = on_progress;
    options.ctx = c;
    return holt_verify(path, &options, &c->files, sizeof c->files);
}

/* The tables of a database whose files are in order. A failure that is not a problem of the tables is
 * printed. */
static int check_open_database(session *s, void *ctx)
{
    check *c = ctx;
    const tables_watcher watcher = {on_table_problem, on_table_progress, c};
    holt_status status = check_tables(s->db, &watcher, &c->tables);
    c->tables_read = status == HOLT_OK || status == HOLT_CORRUPT;
    if (!c->tables_read) session_error(s->call, status, NULL);
    return status == HOLT_OK ? CLI_OK : CLI_FAILED;
}

static int run(cli_call *call)
{
    check c = {.settings = call->own, .form = output_form_for(call->json)};
    int code = CLI_FAILED;
    json_init(&c.json, stdout, output_is_terminal());
    if (c.form == OUTPUT_JSON) {
        json_object_begin(&c.json);
        json_name(&c.json, "problems");
        json_array_begin(&c.json);
    }
    progress_begin(&c.progress, 0);
    holt_status status = check_files(&c, call->operands[0]);
    bool was_read = status == HOLT_OK || status == HOLT_CORRUPT;
    if (!was_read) session_error(call, status, NULL);
    if (status == HOLT_OK) code = session_run(call, SESSION_READ, check_open_database, &c);
    uint64_t took_ns = progress_end(&c.progress);
    if (c.form == OUTPUT_JSON) json_array_end(&c.json);
    if (was_read) print_totals(&c, took_ns);
    if (c.form == OUTPUT_JSON) {
        json_object_end(&c.json);
        json_line_end(&c.json);
    }
    return code;
}

static const check_settings defaults = {.quiet = false};

static const cli_option options[] = {
    {'q', "quiet", NULL, "print only the problems: no totals, no progress"},
    {0, NULL, NULL, NULL},
};

const cli_command command_check = {
    .name = "check",
    .alias = "verify",
    .operands = "DIR",
    .summary = "read the whole database and report damage",
    .description =
        "Reads the whole of a database that is not open for writing, and writes nothing: every file, every\n"
        "checksum, the order of the keys, the counts and the log; then, if all that is in order, whether "
        "the\n"
        "rows of tables and the entries of their indexes agree. Each problem is a line: FILE, a tab, the\n"
        "OFFSET in the file (both - for a table), a tab, and a description; on a terminal only the\n"
        "description. The totals follow: in a pipe a line is NAME, a tab, NUMBER (bytes and nanoseconds).\n"
        "With --json all of it is one object. Reported are the first problem of each tree, the first of the\n"
        "log and the first 100 of each table; without an intact manifest nothing else can be checked.\n"
        "'holt reindex' mends indexes.",
    .examples = "  holt check data\n"
                "  holt check data --quiet | cut -f1 | sort -u",
    .exit_codes = "  0    no problems\n"
                  "  1    there are problems, or the database could not be read (see standard error)\n"
                  "  2    the command line is wrong",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .options = options,
    .option = check_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
