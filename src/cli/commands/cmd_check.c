/* cmd_check.c -- holt check. */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/progress.h"

/* The three forms of the answer: for people, as lines for programs, as JSON. */
typedef enum check_form { FORM_PEOPLE, FORM_PLAIN, FORM_JSON } check_form;

typedef struct check {
    cli_call call;
    bool quiet;
    check_form form;
    json_writer json;
    progress progress;
} check;

/* ---------------------------------------------------------------- problems, as they are found */

/* The message without "FILE: ", for the forms that have the file in a place of its own. */
static void message_alone(const holt_error *problem, char out[sizeof problem->message])
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
    message_alone(problem, message);
    json_object_begin(w);
    json_name(w, "file");
    json_string(w, problem->file);
    if (problem->offset != HOLT_NO_OFFSET) {
        json_name(w, "offset");
        json_u64(w, problem->offset);
    }
    json_name(w, "message");
    json_string(w, message);
    json_object_end(w);
}

static void print_problem_plain(const holt_error *problem)
{
    char message[sizeof problem->message];
    message_alone(problem, message);
    output_write_text(holt_str(problem->file));
    if (problem->offset == HOLT_NO_OFFSET)
        fputs("\t-\t", stdout);
    else
        printf("\t%" PRIu64 "\t", problem->offset);
    output_write_text(holt_str(message));
    putchar('\n');
}

static void on_problem(void *ctx, const holt_error *problem)
{
    check *c = ctx;
    switch (c->form) {
    case FORM_PEOPLE:
        progress_wipe(&c->progress);
        output_write_text(holt_str(problem->message));
        putchar('\n');
        break;
    case FORM_PLAIN:
        print_problem_plain(problem);
        break;
    case FORM_JSON:
        print_problem_json(&c->json, problem);
        break;
    }
}

static void on_progress(void *ctx, uint64_t bytes_done, uint64_t bytes_total)
{
    check *c = ctx;
    c->progress.bytes_total = bytes_total;
    if (!c->quiet) progress_update_bytes(&c->progress, bytes_done);
}

/* ---------------------------------------------------------------- totals */

static void print_for_people(const holt_verify_report *r, uint64_t took_ns)
{
    char files[NUMBER_TEXT], blocks[NUMBER_TEXT], entries[NUMBER_TEXT], bytes[NUMBER_TEXT], took[NUMBER_TEXT];
    char problems[NUMBER_TEXT];
    printf("%s files, %s blocks, %s entries, %s read in %s: ", number_grouped(files, r->files),
           number_grouped(blocks, r->blocks), number_grouped(entries, r->entries),
           number_bytes(bytes, r->bytes), number_duration(took, took_ns));
    if (r->problems == 0)
        puts("no problem");
    else
        printf("%s problem%s\n", number_grouped(problems, r->problems), r->problems == 1 ? "" : "s");
    if (r->orphans > 0)
        printf("%s more file%s left by a crash, which the next opening for writing deletes\n",
               number_grouped(files, r->orphans), r->orphans == 1 ? "" : "s");
}

static void print_numbers(check *c, const holt_verify_report *r, uint64_t took_ns)
{
    const struct {
        const char *name;
        uint64_t number;
    } totals[] = {
        {"problems_found", r->problems}, {"orphans", r->orphans}, {"files", r->files},  {"blocks", r->blocks},
        {"entries", r->entries},         {"bytes", r->bytes},     {"took_ns", took_ns},
    };
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        if (c->form == FORM_PLAIN) {
            printf("%s\t%" PRIu64 "\n", totals[i].name, totals[i].number);
        } else {
            json_name(&c->json, totals[i].name);
            json_u64(&c->json, totals[i].number);
        }
    }
}

static void print_totals(check *c, const holt_verify_report *r, uint64_t took_ns)
{
    if (c->quiet) return;
    if (c->form == FORM_PEOPLE)
        print_for_people(r, took_ns);
    else
        print_numbers(c, r, took_ns); /* beside the problems, in JSON */
}

/* ---------------------------------------------------------------- the command */

static void begin_json(check *c)
{
    json_init(&c->json, stdout, output_is_terminal());
    if (c->form != FORM_JSON) return;
    json_object_begin(&c->json);
    json_name(&c->json, "problems");
    json_array_begin(&c->json);
}

static void end_problems(check *c)
{
    if (c->form == FORM_JSON) json_array_end(&c->json);
}

static void end_json(check *c)
{
    if (c->form != FORM_JSON) return;
    json_object_end(&c->json);
    json_line_end(&c->json);
}

static int check_database(check *c)
{
    holt_verify_report report;
    holt_verify_options options;
    memset(&options, 0, sizeof options);
    options.problem = on_problem;
    options.progress = on_progress;
    options.ctx = c;
    begin_json(c);
    progress_begin(&c->progress, 0);
    holt_status status = holt_verify(c->call.operands[0], &options, &report, sizeof report);
    uint64_t took_ns = progress_end(&c->progress);
    end_problems(c);
    bool read = status == HOLT_OK || status == HOLT_CORRUPT;
    if (read) print_totals(c, &report, took_ns);
    end_json(c);
    if (!read) session_tell(&c->call, status, NULL);
    return status == HOLT_OK ? CLI_OK : CLI_FAILED;
}

static bool check_option(cli_call *call, int code, char *value)
{
    bool *quiet = call->own;
    (void)code; /* there is only one */
    (void)value;
    *quiet = true;
    return true;
}

static int run(const cli_command *self, int argc, char **argv)
{
    check c = {.form = FORM_PLAIN};
    int code = cli_parse(&c.call, self, argc, argv, &c.quiet);
    if (code != CLI_GO_ON) return code;
    if (output_is_terminal()) c.form = FORM_PEOPLE;
    if (c.call.json) c.form = FORM_JSON;
    return check_database(&c);
}

static const cli_option options[] = {
    {'q', "quiet", NULL, "only the problems: no totals, no progress"},
    {0, NULL, NULL, NULL},
};

const cli_command command_check = {
    .name = "check",
    .alias = "verify",
    .operands = "DIR",
    .summary = "read everything and tell what is damaged",
    .description =
        "Reads all of a database that nobody has open for writing, and writes nothing: every file, every\n"
        "checksum, the order of keys, the counts, and the log. Each problem is a line: FILE, a tab, the\n"
        "OFFSET in it (- = none), a tab, and what is wrong; on a terminal what is wrong only. Below them\n"
        "stand the totals: into a pipe a line is NAME, a tab, NUMBER (bytes and nanoseconds), with --json\n"
        "all is one object. The first problem of each tree is told, and the first of the log; without a\n"
        "whole manifest nothing else can be judged.",
    .examples = "  holt check data\n"
                "  holt check data --quiet | cut -f1 | sort -u",
    .exit_codes = "  0    nothing is wrong\n"
                  "  1    there are problems, or it could not be read; standard error says why\n"
                  "  2    the command line makes no sense",
    .groups = CLI_GROUP_JSON,
    .options = options,
    .option = check_option,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
