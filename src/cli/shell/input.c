/* input.c -- see shell.h: where lines come from: a terminal, a pipe, a file. */
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/lines.h"
#include "shell/completion.h"
#include "terminal/output.h"

/* The longest line of a pipe or file: a row of the largest possible value, written in hexadecimal. */
#define LINE_BYTES_MAX ((size_t)3 << 30)

enum { SOURCES_MAX = 16 /* files that read files */ };

/* ---------------------------------------------------------------- sources */

/* Runs the lines of an open file or pipe to its end. */
void shell_run_descriptor(shell *s, shell_source *source, int descriptor)
{
    lines input;
    byte_buffer copy = {NULL, 0, 0}; /* with a zero byte behind the line */
    char *line;
    size_t size;
    bool whole;
    lines_result result = LINES_READ;
    source->outer = s->source;
    s->source = source;
    lines_init(&input, descriptor, LINE_BYTES_MAX);
    while (!s->ended && !output_interrupted() &&
           (result = lines_next(&input, &line, &size, &whole)) == LINES_READ) {
        source->line = input.number;
        copy.size = 0;
        byte_buffer_append(&copy, line, size);
        byte_buffer_append(&copy, "", 1);
        shell_take_line(s, copy.data, size);
    }
    if (result == LINES_TOO_LONG) (void)shell_error(s, "the line is too long");
    if (result == LINES_FAILED) (void)shell_error(s, "%s", strerror(errno));
    if (result == LINES_END && s->statement.size) (void)shell_end_sql(s);
    s->statement.size = 0;
    lines_deinit(&input);
    byte_buffer_deinit(&copy);
    s->source = source->outer;
}

bool shell_run_file(shell *s, const char *path)
{
    shell_source source = {.name = path};
    size_t depth = 0;
    for (const shell_source *outer = s->source; outer; outer = outer->outer) {
        depth++;
    }
    if (depth > SOURCES_MAX) return shell_error(s, "%s: %d files read each other", path, SOURCES_MAX);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return shell_error(s, "%s: %s", path, strerror(errno));
    bool failed_before = s->failed;
    s->failed = false;
    shell_run_descriptor(s, &source, descriptor);
    close(descriptor);
    bool ok = !s->failed;
    s->failed |= failed_before;
    return ok;
}

/* ---------------------------------------------------------------- a person at a terminal */

/* The prompt names the current collection, unless it is default, and the current table, and has a star while
 * a transaction is open: holt:products/users*> */
static const char *prompt_of(const shell *s, char *out, size_t size)
{
    bool colours = output_has_colours();
    const char *begin = colours ? "\1\033[1;36m\1" : "", *end = colours ? "\1\033[0m\1" : "";
    if (s->statement.size) {
        snprintf(out, size, "%s   ...>%s ", begin, end);
    } else {
        bool is_default = strcmp(s->name, "default") == 0;
        snprintf(out, size, "%sholt%s%s%s%s%s>%s ", begin, is_default || !*s->name ? "" : ":",
                 is_default ? "" : s->name, *s->table ? "/" : "", s->table,
                 s->sql && sql_in_transaction(s->sql) ? "*" : "", end);
    }
    return out;
}

/* The file of the history, to be released with free(); NULL: it is not kept. */
static char *history_file(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (state && *state == '/') {
        if (asprintf(&path, "%s/holt_history", state) < 0) return NULL;
    } else if (home && *home) {
        if (asprintf(&path, "%s/.holt_history", home) < 0) return NULL;
    }
    return path;
}

/* Runs a line, and remembers the command when it is complete. */
static void take_typed_line(shell *s, line_editor *editor, byte_buffer *command, const char *line,
                            size_t size)
{
    s->source->line++;
    if (command->size) byte_buffer_append(command, "\n", 1);
    byte_buffer_append(command, line, size);
    byte_buffer_append(command, "", 1);
    shell_take_line(s, command->data + command->size - 1 - size, size);
    command->size--;
    if (s->statement.size) return;
    if (strspn(command->data, " \t") < command->size) line_editor_remember(editor, command->data);
    command->size = 0;
}

void shell_run_terminal(shell *s)
{
    shell_source source = {.name = NULL};
    byte_buffer command = {NULL, 0, 0};
    char prompt[2 * SHELL_NAME_MAX + 64];
    char *history = history_file();
    line_editor *editor = line_editor_create(history, completion_add_words, s);
    s->source = &source;
    while (editor && !s->ended) {
        const char *line;
        size_t size;
        output_clear_interrupt();
        line_result result = line_editor_read(editor, prompt_of(s, prompt, sizeof prompt), &line, &size);
        if (result == LINE_END || (result == LINE_INTERRUPTED && output_interrupted() != SIGINT)) break;
        if (result == LINE_READ) {
            take_typed_line(s, editor, &command, line, size);
        } else {
            s->statement.size = 0;
            command.size = 0;
        }
    }
    if (!editor) (void)shell_error(s, "the terminal cannot be used");
    line_editor_destroy(editor);
    byte_buffer_deinit(&command);
    free(history);
}
