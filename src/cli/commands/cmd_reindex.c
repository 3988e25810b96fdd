/* cmd_reindex.c -- holt reindex: rebuilds the indexes of tables from their rows. */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>
#include <holt/table.h>

#include "common/json.h"
#include "common/number.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/progress.h"

typedef struct reindex {
    session *session;
    output_form form;
    progress progress;
    uint64_t rows; /* that the current index was built from */
} reindex;

static holt_status on_progress(void *ctx, uint64_t rows_done, uint64_t rows_total)
{
    reindex *r = ctx;
    r->rows = rows_done;
    progress_update_rows(&r->progress, rows_done, rows_total);
    return HOLT_OK;
}

static void print_for_people(const char *table, const char *index, uint64_t rows, uint64_t took_ns)
{
    char count[NUMBER_TEXT], took[NUMBER_TEXT];
    output_write_text(holt_str(table));
    fputs(": ", stdout);
    output_write_text(holt_str(index));
    printf(": %s rows, %s\n", number_grouped(count, rows), number_duration(took, took_ns));
}

static void print_json(const char *table, const char *index, uint64_t rows, uint64_t took_ns)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "table", table);
    json_member_string(&w, "index", index);
    json_member_u64(&w, "rows", rows);
    json_member_u64(&w, "took_ns", took_ns);
    json_object_end(&w);
    json_line_end(&w);
}

static void print_plain(const char *table, const char *index, uint64_t rows, uint64_t took_ns)
{
    output_write_text(holt_str(table));
    putchar('\t');
    output_write_text(holt_str(index));
    printf("\t%" PRIu64 "\t%" PRIu64 "\n", rows, took_ns);
}

static holt_status rebuild(reindex *r, holt_table *t, const char *table, const char *index)
{
    r->rows = 0;
    progress_begin(&r->progress, 0);
    holt_status status = holt_table_reindex(t, index, on_progress, r);
    uint64_t took_ns = progress_end(&r->progress);
    if (status != HOLT_OK) return status;
    switch (r->form) {
    case OUTPUT_PEOPLE:
        print_for_people(table, index, r->rows, took_ns);
        break;
    case OUTPUT_PLAIN:
        print_plain(table, index, r->rows, took_ns);
        break;
    case OUTPUT_JSON:
        print_json(table, index, r->rows, took_ns);
        break;
    }
    return HOLT_OK;
}

/* only: the name of an index; NULL = all of them. */
static holt_status rebuild_table(reindex *r, const char *name, const char *only)
{
    holt_table *t = NULL;
    holt_table_info *info = NULL;
    holt_status status = holt_table_open(r->session->db, name, &t);
    if (status == HOLT_OK) status = holt_table_describe(t, &info);
    if (status == HOLT_OK && only) status = rebuild(r, t, info->name, only);
    for (size_t i = 0; status == HOLT_OK && !only && i < info->index_count; i++)
        status = rebuild(r, t, info->name, info->indexes[i].name);
    holt_free(info);
    holt_table_close(t);
    return status;
}

static holt_status rebuild_all(reindex *r)
{
    char **names = NULL;
    size_t count = 0;
    holt_status status = holt_table_list(r->session->db, &names, &count);
    for (size_t i = 0; i < count && status == HOLT_OK; i++)
        status = rebuild_table(r, names[i], NULL);
    holt_free(names);
    return status;
}

static int reindex_database(session *s, void *ctx)
{
    reindex r = {.session = s, .form = output_form_for(s->call->json)};
    char **operands = s->call->operands;
    (void)ctx;
    if (s->call->operand_count == 1) return session_result(s, rebuild_all(&r));
    return session_result(s, rebuild_table(&r, operands[1], s->call->operand_count > 2 ? operands[2] : NULL));
}

static int run(cli_call *call)
{
    return session_run(call, SESSION_WRITE, reindex_database, NULL);
}

const cli_command command_reindex = {
    .name = "reindex",
    .operands = "DIR [TABLE [INDEX]]",
    .summary = "rebuild the indexes of tables",
    .description =
        "Rebuilds the index, or all of the table's, or those of all tables, from the rows: what to do when\n"
        "'holt check' finds index entries that are missing or surplus. For each index a line is printed: in\n"
        "a pipe TABLE, INDEX, the number of ROWS and the time in NANOSECONDS, with tabs between them. If "
        "the\n"
        "command is interrupted, the next opening for writing goes on. A unique index of which two rows "
        "have\n"
        "the same values is dropped; the message says which rows.",
    .examples = "  holt reindex data\n"
                "  holt reindex data users users_email",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .operands_min = 1,
    .operands_max = 3,
    .run = run,
};
