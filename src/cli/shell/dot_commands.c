/* dot_commands.c -- see shell.h: .help, .tables, .mode and so on. */
#include "shell/shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/stats.h"
#include "import/import.h"
#include "shell/dump_sql.h"
#include "terminal/output.h"

/* ---------------------------------------------------------------- what there is */

static bool run_tables(shell *s, line_words *w)
{
    return shell_need_end(s, w) && shell_print_names(s, true, false);
}

static bool run_collections(shell *s, line_words *w)
{
    return shell_need_end(s, w) && shell_print_names(s, false, true);
}

/* Reads the name of a table, if there is one. Sets `name` as it is spelled, "" if there is none. */
static bool read_table(shell *s, line_words *w, char name[SHELL_NAME_MAX + 1])
{
    line_word word;
    bool given, found;
    name[0] = '\0';
    if (!shell_word(s, w, &word, &given)) return false;
    if (!given) return true;
    if (!shell_name_of(s, &word, name) || !shell_find_table(s, name, &found) || !shell_need_end(s, w))
        return false;
    return found || shell_error_at(s, word.at, "there is no table '%s'", name);
}

static bool run_schema(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    if (!read_table(s, w, name)) return false;
    if (*name) return shell_print_schema(s, name);
    shell_names names;
    bool ok = shell_list_names(s, &names);
    for (size_t i = 0; i < names.count && ok && names.names[i].is_table; i++) {
        ok = shell_print_schema(s, names.names[i].name);
    }
    shell_free_names(&names);
    return ok;
}

/* What print_index needs. */
typedef struct index_list {
    const char *table; /* "" = of all tables */
} index_list;

static bool print_index(void *ctx, sql_kind kind, const char *name, const char *table)
{
    const index_list *list = ctx;
    if (kind != SQL_INDEX || (*list->table && strcmp(list->table, table) != 0)) return true;
    output_write_text(holt_str(name));
    fputs(output_is_terminal() ? "  on " : "\t", stdout);
    output_write_text(holt_str(table));
    putchar('\n');
    return true;
}

static bool run_indexes(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    sql_connection *sql = shell_sql(s);
    if (!sql || !read_table(s, w, name)) return false;
    index_list list = {.table = name};
    int code = sql_list(sql, print_index, &list);
    return code == SQLITE_OK || shell_error(s, "%s", sqlite3_errstr(code));
}

static bool run_stats(shell *s, line_words *w)
{
    return shell_need_end(s, w) && shell_check(s, stats_print(s->session, false));
}

/* ---------------------------------------------------------------- how results are shown */

static bool run_timer(shell *s, line_words *w)
{
    line_word setting;
    if (!shell_need_word(s, w, "on or off", &setting) || !shell_need_end(s, w)) return false;
    if (!word_is(&setting, "on") && !word_is(&setting, "off")) {
        return shell_error_at(s, setting.at, "'%.40s' is neither on nor off", setting.bytes);
    }
    s->timed = word_is(&setting, "on");
    return true;
}

static bool run_mode(shell *s, line_words *w)
{
    line_word mode;
    bool found;
    if (!shell_word(s, w, &mode, &found) || !shell_need_end(s, w)) return false;
    if (!found) {
        puts(sql_rows_mode_name(s->rows.mode));
        return true;
    }
    return sql_rows_mode_parse(mode.bytes, &s->rows.mode) ||
           shell_error_at(s, mode.at, "'%.40s' is not " SQL_ROWS_MODES, mode.bytes);
}

static bool run_output(shell *s, line_words *w)
{
    line_word path;
    bool found;
    if (!shell_word(s, w, &path, &found) || !shell_need_end(s, w)) return false;
    if (found && word_is(&path, "stdout")) found = false;
    bool written = output_flush() || shell_error(s, "what was printed is not all there: %s", strerror(errno));
    bool ok = output_redirect(found ? path.bytes : NULL);
    s->rows.terminal = output_is_terminal();
    return ok ? written : shell_error(s, "%s: %s", found ? path.bytes : "standard output", strerror(errno));
}

/* ---------------------------------------------------------------- files */

static bool run_read(shell *s, line_words *w)
{
    line_word path;
    return shell_need_word(s, w, "the name of a file", &path) && shell_need_end(s, w) &&
           shell_run_file(s, path.bytes);
}

static bool run_dump(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    return read_table(s, w, name) && dump_sql(s, *name ? name : NULL);
}

static void print_import_problem(void *ctx, const char *message)
{
    (void)shell_error(ctx, "%s", message);
}

static bool run_import(shell *s, line_words *w)
{
    import_settings settings = {
        .memory_bytes = s->session->call->memory_bytes, .problem = print_import_problem, .ctx = s};
    import_report report;
    line_word path, table, key;
    if (s->sql && sql_in_transaction(s->sql)) {
        return shell_error(s, "an import is a transaction of its own: commit or roll back first");
    }
    for (;;) {
        if (!shell_need_word(s, w, "the name of a file", &path)) return false;
        if (word_is(&path, "--skip-errors")) {
            settings.skip_errors = true;
        } else if (word_is(&path, "--key")) {
            if (!shell_need_word(s, w, "the column of the primary key", &key)) return false;
            settings.key = key.bytes;
        } else {
            break;
        }
    }
    char name[SHELL_NAME_MAX + 1];
    if (!shell_need_word(s, w, "the name of a table", &table) || !shell_name_of(s, &table, name) ||
        !shell_need_end(s, w)) {
        return false;
    }
    settings.path = path.bytes;
    settings.table = name;
    if (!import_file(s->session->db, &settings, &report)) return false;
    import_print_report(&settings, &report);
    return shell_refresh_sql(s);
}

/* ---------------------------------------------------------------- the shell itself */

static void print_commands(const char *heading, const shell_command *commands)
{
    printf("\n%s\n", heading);
    for (const shell_command *c = commands; c->name; c++) {
        char usage[80];
        snprintf(usage, sizeof usage, "%s%s%s", c->name, *c->operands ? " " : "", c->operands);
        printf("  %-46s %s\n", usage, c->summary);
    }
}

static bool run_help(shell *s, line_words *w)
{
    if (!shell_need_end(s, w)) return false;
    puts("A line is a command, or SQL up to a semicolon. Words with spaces need quotes; escapes are\n"
         "\\n \\t \\r \\\\ \\xNN. begin, commit and rollback are for keys, rows and SQL together.");
    print_commands("Keys of the current collection, and whole collections", shell_key_commands);
    print_commands("Rows of the current table", shell_row_commands);
    print_commands("The shell", shell_dot_commands);
    puts("\nSQL: select, insert into, update, delete from, create table, create index, alter table, drop,\n"
         "with, explain query plan, begin, commit, rollback ...");
    return true;
}

static bool run_exit(shell *s, line_words *w)
{
    if (!shell_need_end(s, w)) return false;
    s->ended = true;
    return true;
}

const shell_command shell_dot_commands[] = {
    {".help", "", "print this", run_help},
    {".tables", "", "list the tables", run_tables},
    {".collections", "", "list the plain collections", run_collections},
    {".schema", "[TABLE]", "print the SQL that makes the tables", run_schema},
    {".indexes", "[TABLE]", "list the indexes", run_indexes},
    {".stats", "", "print statistics, as 'holt stats' does", run_stats},
    {".timer", "on|off", "print how long commands take", run_timer},
    {".mode", "[MODE]", "how rows are shown: " SQL_ROWS_MODES, run_mode},
    {".import", "[--skip-errors] [--key COLUMN] FILE TABLE", "insert the rows of a CSV or TSV file",
     run_import},
    {".dump", "[TABLE]", "print the SQL that makes tables and rows", run_dump},
    {".read", "FILE", "run the commands of a file", run_read},
    {".output", "[FILE]", "print to a file, or again to the terminal", run_output},
    {".exit", "", "end the shell", run_exit},
    {".quit", "", "end the shell", run_exit},
    {NULL, NULL, NULL, NULL},
};
