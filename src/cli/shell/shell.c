/* shell.c -- see shell.h: errors, the words of a command, and what a line is. */
#include "shell/shell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "common/text.h"
#include "terminal/output.h"

/* ---------------------------------------------------------------- errors */

/* Prints where the line came from. `at`: SIZE_MAX if the column does not matter. */
static void print_place(const shell *s, size_t at)
{
    bool colours = output_error_has_colours(), typed = s->people && !s->source->outer;
    fflush(stdout); /* so that results and errors appear in the order in which they were made */
    fputs(colours ? "\033[1;31m" : "", stderr);
    if (typed && s->row > 1) {
        fprintf(stderr, "error, line %" PRIu64, s->row);
    } else if (typed) {
        fputs("error", stderr);
    } else {
        fputs("holt shell: ", stderr);
        if (s->source->name) fprintf(stderr, "%s: ", s->source->name);
        fprintf(stderr, "line %" PRIu64, s->source->line);
    }
    if (at != SIZE_MAX && s->line) fprintf(stderr, ", column %zu", words_column(s->line, at));
    fprintf(stderr, ": %s", colours ? "\033[0m" : "");
}

static void print_error(shell *s, size_t at, const char *format, va_list arguments)
{
    char *message = NULL;
    s->failed = true;
    print_place(s, at);
    int size = vasprintf(&message, format, arguments);
    if (size < 0) {
        fputs("out of memory\n", stderr);
        return;
    }
    /* It may contain names and values from elsewhere. */
    text_write_message(stderr, holt_bytes(message, (size_t)size));
    fputc('\n', stderr);
    free(message);
}

bool shell_error(shell *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_error(s, SIZE_MAX, format, arguments);
    va_end(arguments);
    return false;
}

bool shell_error_at(shell *s, size_t at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_error(s, at, format, arguments);
    va_end(arguments);
    return false;
}

bool shell_check(shell *s, holt_status status)
{
    if (status == HOLT_OK) return true;
    const char *message = holt_error_message();
    return shell_error(s, "%s", *message ? message : holt_status_name(status));
}

bool shell_interrupted(shell *s)
{
    if (!output_interrupted()) return false;
    (void)shell_error(s, "interrupted");
    return true;
}

/* ---------------------------------------------------------------- the words of a command */

bool shell_word(shell *s, line_words *w, line_word *out, bool *found)
{
    words_result result = words_next(w, "", out);
    *found = result == WORDS_READ;
    return result != WORDS_BAD || shell_error_at(s, w->problem_at, "%s", w->problem);
}

bool shell_need_word(shell *s, line_words *w, const char *what, line_word *out)
{
    bool found;
    if (!shell_word(s, w, out, &found)) return false;
    return found || shell_error_at(s, w->next, "%s is missing", what);
}

bool shell_need_end(shell *s, line_words *w)
{
    const char *rest = words_rest(w);
    if (!*rest) return true;
    return shell_error_at(s, w->next, "'%.40s' is too much; a word with spaces in it needs quotes", rest);
}

bool shell_name_of(shell *s, const line_word *word, char name[SHELL_NAME_MAX + 1])
{
    if (word->size > SHELL_NAME_MAX || strlen(word->bytes) != word->size) {
        return shell_error_at(s, word->at, "a name has at most %d bytes, and no zero byte", SHELL_NAME_MAX);
    }
    memcpy(name, word->bytes, word->size + 1);
    return true;
}

/* ---------------------------------------------------------------- one line */

const shell_command *shell_find(const shell_command *commands, const line_word *name)
{
    for (const shell_command *c = commands; c->name; c++) {
        if (word_is(name, c->name)) return c;
    }
    return NULL;
}

static bool run_command(shell *s, line_words *w)
{
    line_word first;
    bool found;
    if (!shell_word(s, w, &first, &found)) return false;
    const shell_command *command = *first.bytes == '.'               ? shell_find(shell_dot_commands, &first)
                                   : shell_is_row_command(&first, w) ? shell_find(shell_row_commands, &first)
                                                                     : shell_find(shell_key_commands, &first);
    if (command) return command->run(s, w);
    return shell_error_at(s, first.at, "there is no command '%.40s'; .help lists the commands", first.bytes);
}

static bool is_comment(const char *line)
{
    return strncmp(line, "--", 2) == 0 || *line == '#';
}

/* Skips the mark of a comment of SQL that the shell runs: what .dump writes for plain collections. */
static void skip_comment_mark(line_words *w)
{
    if (strncmp(words_rest(w), "--!", 3) == 0) w->next += 3;
}

void shell_take_line(shell *s, const char *line, size_t size)
{
    line_words w;
    uint64_t start_ns = number_clock_ns();
    words_init(&w, line, size);
    if (s->statement.size == 0) skip_comment_mark(&w);
    size_t marked = w.next;
    const char *begin = words_rest(&w);
    s->line = line;
    if (memchr(line, '\0', size)) {
        (void)shell_error(s, "the line contains a zero byte; \\x00 stands for one");
    } else if (s->statement.size || shell_is_sql(begin)) {
        (void)shell_add_sql(s, line + marked, size - marked);
    } else if (*begin && !is_comment(begin)) {
        bool timed = s->timed;
        (void)run_command(s, &w);
        if (timed && s->timed) shell_print_time(number_clock_ns() - start_ns);
    }
    s->line = NULL;
    words_deinit(&w);
}

void shell_print_time(uint64_t took_ns)
{
    char text[NUMBER_TEXT];
    fflush(stdout);
    fprintf(stderr, "%s\n", number_duration(text, took_ns));
}

bool shell_transaction(shell *s, holt_txn **t)
{
    *t = NULL;
    if (!s->sql || !sql_in_transaction(s->sql)) return true;
    if (sql_transaction(s->sql, t) == SQLITE_OK) return true;
    return shell_error(s, "%s", *holt_error_message() ? holt_error_message() : "the transaction has ended");
}
