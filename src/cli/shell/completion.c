/* completion.c -- see completion.h. */
#include "shell/completion.h"

#include <string.h>

#include <holt/table.h>

#include "shell/shell.h"

static const char *const sql_words[] = {
    "select", "insert",   "into",      "update",  "delete",   "from",    "where",   "values", "set",
    "create", "table",    "index",     "unique",  "primary",  "key",     "integer", "real",   "text",
    "blob",   "boolean",  "not",       "null",    "default",  "alter",   "rename",  "column", "add",
    "drop",   "join",     "left",      "on",      "using",    "group",   "order",   "by",     "having",
    "limit",  "offset",   "distinct",  "union",   "with",     "explain", "query",   "plan",   "begin",
    "commit", "rollback", "savepoint", "release", "conflict", "count",   "between", "like",   "exists",
    "and",    "or",       "in",        "is",      "as",       "asc",     "desc",    "pragma", "table_info",
};

static void add_commands(const shell_command *commands, completions *list)
{
    for (const shell_command *c = commands; c->name; c++) {
        completions_add(list, c->name);
    }
}

static void add_columns(shell *s, const char *name, completions *list)
{
    holt_table *table = NULL;
    holt_table_info *info = NULL;
    holt_status status = holt_table_open(s->session->db, name, &table);
    if (status == HOLT_OK) status = holt_table_describe(table, &info);
    for (size_t i = 0; status == HOLT_OK && i < info->column_count; i++) {
        completions_add(list, info->columns[i].name);
    }
    for (size_t i = 0; status == HOLT_OK && i < info->index_count; i++) {
        completions_add(list, info->indexes[i].name);
    }
    holt_free(info);
    holt_table_close(table);
}

/* Adds the names of tables and collections, and those of columns. A failure is not printed: there is just
 * nothing to offer. */
static void add_names(shell *s, completions *list)
{
    char **names = NULL;
    size_t count = 0;
    if (holt_table_list(s->session->db, &names, &count) == HOLT_OK) {
        for (size_t i = 0; i < count; i++) {
            completions_add(list, names[i]);
            add_columns(s, names[i], list);
        }
        holt_free(names);
    }
    names = NULL;
    if (holt_collection_list(s->session->db, &names, &count) != HOLT_OK) return;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], "holt.", 5) != 0) completions_add(list, names[i]);
    }
    holt_free(names);
}

void completion_add_words(void *ctx, const char *line, size_t word, completions *list)
{
    shell *s = ctx;
    bool is_first = strspn(line, " \t") >= word && s->statement.size == 0;
    if (is_first) {
        add_commands(shell_key_commands, list);
        add_commands(shell_row_commands, list);
        add_commands(shell_dot_commands, list);
    } else if (strncmp(line, ".mode", 5) == 0) {
        for (int mode = 0; mode < SQL_ROWS_MODE_COUNT; mode++) {
            completions_add(list, sql_rows_mode_name((sql_rows_mode)mode));
        }
        return;
    } else {
        add_names(s, list);
    }
    if (line[strspn(line, " \t")] == '.') return;
    for (size_t i = 0; i < sizeof sql_words / sizeof *sql_words; i++) {
        completions_add(list, sql_words[i]);
    }
}
