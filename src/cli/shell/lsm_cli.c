/* lsm_cli.c -- lsm-cli: a small loop over collections, for people who know the program of this name.
 *
 *     > CREATE products
 *     Created the collection 'products'.
 *     > USE products
 *     > PUT apple 1.20
 *     > GET apple
 *     1.20
 *
 * `lsm-cli` is a link to `holt`; main.c looks at the name. The value of PUT is the rest of the line, so that
 * it may contain spaces; all words may be quoted (words.h).
 */
#include "commands/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <holt/table.h>

#include "common/text.h"
#include "formats/lines.h"
#include "session.h"
#include "shell/line_editor.h"
#include "shell/words.h"
#include "terminal/output.h"

enum { NAME_BYTES_MAX = 128, LINE_BYTES_MAX = 1 << 30 };

typedef struct lsm_cli {
    session *session;
    bool people;
    bool ended, failed;
    uint64_t line;                 /* of the pipe, from 1 */
    char name[NAME_BYTES_MAX + 1]; /* of the collection in use */
} lsm_cli;

/* A command: its words behind the name are words[0, count). */
typedef struct lsm_command {
    const char *name, *operands, *summary;
    size_t words; /* how many it takes */
    bool (*run)(lsm_cli *l, const line_word *words);
} lsm_command;

/* ---------------------------------------------------------------- messages */

/* Prints an error. Returns false. */
__attribute__((format(printf, 2, 3))) static bool fail(lsm_cli *l, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fflush(stdout);
    if (!l->people) fprintf(stderr, "lsm-cli: line %" PRIu64 ": ", l->line);
    text_write_message(stderr, holt_str(message));
    fputc('\n', stderr);
    return false;
}

/* Prints what was done, to a person. Returns true. */
__attribute__((format(printf, 2, 3))) static bool say(const lsm_cli *l, const char *format, ...)
{
    char message[512];
    va_list arguments;
    if (!l->people) return true;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    text_write_message(stdout, holt_str(message));
    putchar('\n');
    return true;
}

static bool check(lsm_cli *l, holt_status status)
{
    if (status == HOLT_OK) return true;
    const char *message = holt_error_message();
    return fail(l, "%s", *message ? message : holt_status_name(status));
}

/* ---------------------------------------------------------------- the commands */

/* Returns whether the word can be the name of a plain collection; prints why not. */
static bool is_name(lsm_cli *l, const line_word *word)
{
    if (strlen(word->bytes) != word->size) return fail(l, "A name has no zero byte.");
    return strncmp(word->bytes, "holt.", 5) != 0 || fail(l, "Names that begin with 'holt.' are for tables.");
}

static bool run_create(lsm_cli *l, const line_word *words)
{
    holt_collection *collection = NULL;
    if (!is_name(l, &words[0])) return false;
    holt_status status = holt_collection_create(l->session->db, words[0].bytes, NULL, &collection);
    holt_collection_close(collection);
    if (status == HOLT_EXISTS) return fail(l, "The collection '%s' exists already.", words[0].bytes);
    return check(l, status) && say(l, "Created the collection '%s'.", words[0].bytes);
}

static bool run_close(lsm_cli *l, const line_word *words)
{
    (void)words;
    if (!l->session->collection) return fail(l, "No collection is in use.");
    holt_collection_close(l->session->collection);
    l->session->collection = NULL;
    return say(l, "Closed the collection '%s'.", l->name);
}

/* Sets *is_table: the entries of that collection are rows, which PUT would harm. Returns false after printing
 * an error. */
static bool look_for_table(lsm_cli *l, const char *name, bool *is_table)
{
    char **names = NULL;
    size_t count = 0;
    *is_table = false;
    if (!check(l, holt_table_list(l->session->db, &names, &count))) return false;
    for (size_t i = 0; i < count; i++) {
        *is_table |= strcmp(names[i], name) == 0;
    }
    holt_free(names);
    return true;
}

static bool run_use(lsm_cli *l, const line_word *words)
{
    holt_collection *collection = NULL;
    const char *name = words[0].bytes;
    bool is_table;
    if (!is_name(l, &words[0]) || !look_for_table(l, name, &is_table)) return false;
    if (is_table) return fail(l, "'%s' is a table; 'holt shell' is for tables.", name);
    holt_status status = holt_collection_open(l->session->db, name, &collection);
    if (status == HOLT_NOT_FOUND) {
        return fail(l, "There is no collection '%s'; CREATE %s creates it.", name, name);
    }
    if (!check(l, status)) return false;
    holt_collection_close(l->session->collection);
    l->session->collection = collection;
    snprintf(l->name, sizeof l->name, "%s", name);
    return say(l, "Using the collection '%s'.", name);
}

static holt_slice bytes_of(const line_word *word)
{
    return holt_bytes(word->bytes, word->size);
}

static bool is_in_use(lsm_cli *l)
{
    return l->session->collection || fail(l, "No collection is in use: USE one first, or CREATE it.");
}

static bool run_put(lsm_cli *l, const line_word *words)
{
    return is_in_use(l) &&
           check(l, holt_put(l->session->collection, NULL, bytes_of(&words[0]), bytes_of(&words[1]))) &&
           say(l, "OK");
}

static bool run_get(lsm_cli *l, const line_word *words)
{
    holt_value value = HOLT_VALUE_INIT;
    if (!is_in_use(l)) return false;
    holt_status status = holt_get(l->session->collection, NULL, bytes_of(&words[0]), &value);
    if (status == HOLT_OK) {
        output_write_text(holt_bytes(value.data, value.size));
        putchar('\n');
    }
    holt_value_free(&value);
    return status == HOLT_NOT_FOUND ? fail(l, "There is no key '%s'.", words[0].bytes) : check(l, status);
}

/* Sets *exists. Returns false after printing an error. */
static bool look_up(lsm_cli *l, const line_word *key, bool *exists)
{
    if (!is_in_use(l)) return false;
    holt_status status = holt_exists(l->session->collection, NULL, bytes_of(key));
    *exists = status == HOLT_OK;
    return status == HOLT_NOT_FOUND || check(l, status);
}

static bool run_exists(lsm_cli *l, const line_word *words)
{
    bool exists;
    if (!look_up(l, &words[0], &exists)) return false;
    puts(exists ? "true" : "false");
    return true;
}

static bool run_delete(lsm_cli *l, const line_word *words)
{
    bool exists;
    if (!look_up(l, &words[0], &exists)) return false;
    if (!exists) return fail(l, "There is no key '%s'.", words[0].bytes);
    return check(l, holt_delete(l->session->collection, NULL, bytes_of(&words[0]))) && say(l, "OK");
}

static bool run_exit(lsm_cli *l, const line_word *words)
{
    (void)words;
    l->ended = true;
    return true;
}

static bool run_help(lsm_cli *l, const line_word *words);

static const lsm_command commands[] = {
    {"CREATE", "<collection>", "create a collection", 1, run_create},
    {"USE", "<collection>", "work with a collection", 1, run_use},
    {"PUT", "<key> <value>", "write a value", 2, run_put},
    {"GET", "<key>", "print the value", 1, run_get},
    {"DELETE", "<key>", "delete the key", 1, run_delete},
    {"EXISTS", "<key>", "print true or false", 1, run_exists},
    {"CLOSE", "", "close the collection in use", 0, run_close},
    {"HELP", "", "print this", 0, run_help},
    {"EXIT", "", "end, as Ctrl-C and Ctrl-D do", 0, run_exit},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static bool run_help(lsm_cli *l, const line_word *words)
{
    (void)l;
    (void)words;
    for (size_t i = 0; i < COMMANDS; i++) {
        char usage[40];
        snprintf(usage, sizeof usage, "%s %s", commands[i].name, commands[i].operands);
        printf("  %-22s %s\n", usage, commands[i].summary);
    }
    return true;
}

/* ---------------------------------------------------------------- lines */

/* Reads the words of a command. The last one of PUT is the rest of the line, unless it is quoted. */
static bool read_words(lsm_cli *l, const lsm_command *command, line_words *w, line_word out[2])
{
    for (size_t i = 0; i < command->words; i++) {
        const char *rest = words_rest(w);
        bool takes_rest = i == 1 && *rest != '"' && *rest != '\'' && strpbrk(rest, " \t");
        words_result result = takes_rest ? words_take_rest(w, &out[i]) : words_next(w, "", &out[i]);
        if (result == WORDS_BAD) {
            return fail(l, "column %zu: %s", words_column(w->line, w->problem_at), w->problem);
        }
        if (result == WORDS_END) return fail(l, "This is how: %s %s", command->name, command->operands);
    }
    if (!*words_rest(w)) return true;
    return fail(l, "'%.40s' is too much: %s %s", words_rest(w), command->name, command->operands);
}

static bool run_line(lsm_cli *l, line_words *w)
{
    line_word name, operands[2];
    words_result result = words_next(w, "", &name);
    if (result == WORDS_END) return true;
    if (result == WORDS_BAD)
        return fail(l, "column %zu: %s", words_column(w->line, w->problem_at), w->problem);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!word_is(&name, commands[i].name)) continue;
        return read_words(l, &commands[i], w, operands) && commands[i].run(l, operands);
    }
    return fail(l, "There is no command '%.40s'; HELP lists the commands.", name.bytes);
}

/* line[size] is a zero byte. */
static void take_line(lsm_cli *l, const char *line, size_t size)
{
    line_words w;
    l->line++;
    words_init(&w, line, size);
    if (!run_line(l, &w)) l->failed = true;
    words_deinit(&w);
}

static void run_pipe(lsm_cli *l)
{
    lines input;
    byte_buffer copy = {NULL, 0, 0};
    char *line;
    size_t size;
    bool whole;
    lines_result result = LINES_READ;
    lines_init(&input, STDIN_FILENO, LINE_BYTES_MAX);
    while (!l->ended && (result = lines_next(&input, &line, &size, &whole)) == LINES_READ) {
        copy.size = 0;
        byte_buffer_append(&copy, line, size);
        byte_buffer_append(&copy, "", 1);
        take_line(l, copy.data, size);
    }
    if (result == LINES_TOO_LONG || result == LINES_FAILED) {
        l->failed = true;
        (void)fail(l, "%s", result == LINES_FAILED ? strerror(errno) : "The line is too long.");
    }
    lines_deinit(&input);
    byte_buffer_deinit(&copy);
}

static void complete(void *ctx, const char *line, size_t word, completions *list)
{
    const lsm_cli *l = ctx;
    char **names = NULL;
    size_t count = 0;
    if (strspn(line, " ") >= word) {
        for (size_t i = 0; i < COMMANDS; i++) {
            completions_add(list, commands[i].name);
        }
    } else if (holt_collection_list(l->session->db, &names, &count) == HOLT_OK) {
        for (size_t i = 0; i < count; i++) {
            if (strncmp(names[i], "holt.", 5) != 0) completions_add(list, names[i]);
        }
        holt_free(names);
    }
}

static void run_terminal(lsm_cli *l)
{
    const char *line;
    size_t size;
    line_editor *editor = line_editor_create(NULL, complete, l);
    printf("Holt %s, database %s\n\n", holt_version(), l->session->call->operands[0]);
    (void)run_help(l, NULL);
    putchar('\n');
    while (editor && !l->ended && line_editor_read(editor, "> ", &line, &size) == LINE_READ) {
        char *copy = strndup(line, size);
        if (!copy) break;
        take_line(l, copy, size);
        if (strspn(copy, " \t") < size) line_editor_remember(editor, copy);
        free(copy);
    }
    line_editor_destroy(editor);
}

static int run_session(session *s, void *ctx)
{
    lsm_cli l = {.session = s, .people = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    (void)ctx;
    output_catch_interrupts();
    if (l.people) {
        run_terminal(&l);
    } else {
        run_pipe(&l);
    }
    /* At a terminal Ctrl-C is a way to end it. */
    if (output_interrupted() && (!l.people || output_interrupted() != SIGINT)) {
        return CLI_SIGNAL + output_interrupted();
    }
    return l.failed && !l.people ? CLI_FAILED : CLI_OK;
}

static int run(cli_call *call)
{
    static char default_directory[] = "data";
    static char *operands[] = {default_directory, NULL};
    if (call->operand_count == 0) {
        call->operands = operands;
        call->operand_count = 1;
    }
    return session_run(call, SESSION_WRITE_OR_CREATE, run_session, NULL);
}

const cli_command command_lsm_cli = {
    .name = "lsm-cli",
    .operands = "[DIR]",
    .summary = "a small loop: CREATE, USE, PUT, GET, DELETE, EXISTS",
    .description =
        "Reads simple commands on collections, until EXIT, Ctrl-C or Ctrl-D. DIR is ./data if it is not\n"
        "given; it is created if it is missing. HELP lists the commands, in either case; the value of PUT\n"
        "is the rest of the line. The program lsm-cli is a link to holt that does the same.\n"
        "'holt shell' can do more, and is for tables, which lsm-cli leaves alone.",
    .examples = "  lsm-cli\n"
                "  holt lsm-cli data",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_DURABILITY,
    .operands_min = 0,
    .operands_max = 1,
    .run = run,
};
