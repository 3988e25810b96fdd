/* text_cases.c -- reading files of text cases, running their commands and comparing the output. */
#include "support/text_cases.h"

#include "support/must.h"
#include "support/temp_dir.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { ARGUMENTS_MAX = 64 };

static const char SEPARATOR[] = "----";

typedef struct argument {
    const char *key, *value; /* in the file's text */
    bool used;
} argument;

struct text_case {
    const char *path;
    unsigned line; /* of the words last split */
    const char *command;
    argument arguments[ARGUMENTS_MAX];
    size_t count;
    struct case_file *file;
};

/* A file being read, line by line: newlines become terminators on the way. */
typedef struct case_file {
    char path[TEMP_PATH_BYTES];
    char *text;
    char *next;    /* line to read, or NULL at the end */
    unsigned line; /* its number */
    FILE *rewritten;
    char *rewritten_text;
    size_t rewritten_size;
    size_t blocks, mismatches;
} case_file;

void text_case_fail(const text_case *c, const char *format, ...)
{
    va_list args;
    char message[512];
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fail_msg("%s:%u: %s", c->path, c->line, message);
    abort(); /* fail_msg does not return, but does not say so */
}

/* ---------------------------------------------------------------- lines */

/* The next line, which goes to the rewritten file as well. NULL: there is none. */
static char *read_line(case_file *f)
{
    char *line = f->next;
    if (!line) return NULL;
    char *newline = strchr(line, '\n');
    if (newline) *newline = 0;
    f->next = newline && newline[1] ? newline + 1 : NULL;
    f->line++;
    fprintf(f->rewritten, "%s\n", line);
    return line;
}

/* Whether the next line begins a block's output; "" matches the blank line that ends a block. */
static bool next_is(const case_file *f, const char *line)
{
    size_t size = strlen(line);
    return f->next && strncmp(f->next, line, size) == 0 && (f->next[size] == '\n' || f->next[size] == 0);
}

const char *text_case_next_line(text_case *c)
{
    case_file *f = c->file;
    if (!f->next || next_is(f, SEPARATOR)) return NULL;
    if (next_is(f, "")) text_case_fail(c, "the block ends without a line %s", SEPARATOR);
    return read_line(f);
}

/* ---------------------------------------------------------------- words */

static void check_all_used(const text_case *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!c->arguments[i].used) text_case_fail(c, "unknown argument %s", c->arguments[i].key);
}

/* Splits a line into its first word, which is returned, and arguments. */
static const char *split(text_case *c, char *line)
{
    check_all_used(c);
    c->line = c->file->line;
    c->count = 0;
    char *rest = NULL, *first = strtok_r(line, " ", &rest);
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (c->count == ARGUMENTS_MAX) text_case_fail(c, "more than %d arguments", ARGUMENTS_MAX);
        if (equals) *equals = 0;
        c->arguments[c->count++] = (argument){.key = word, .value = equals ? equals + 1 : ""};
    }
    return first;
}

const char *text_case_next_words(text_case *c)
{
    const char *line = text_case_next_line(c);
    if (!line) check_all_used(c);
    return line ? split(c, (char *)line) : NULL;
}

bool text_case_is(const text_case *c, const char *command)
{
    return strcmp(c->command, command) == 0;
}

const char *text_case_argument(text_case *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->arguments[i].key, key) != 0) continue;
        c->arguments[i].used = true;
        return c->arguments[i].value;
    }
    return NULL;
}

uint64_t text_case_number(text_case *c, const char *key, uint64_t missing)
{
    const char *value = text_case_argument(c, key);
    if (!value) return missing;
    if (strcmp(value, "max") == 0) return UINT64_MAX;
    char *end;
    uint64_t number = strtoull(value, &end, 10);
    if (end == value || *end) text_case_fail(c, "%s=%s is not a number", key, value);
    return number;
}

/* ---------------------------------------------------------------- blocks */

/* The expected output of the block, with a newline after each line; release with free. */
static char *read_expected(case_file *f)
{
    char *expected = NULL;
    size_t size;
    FILE *lines = open_memstream(&expected, &size);
    assert_non_null(lines);
    for (; f->next && !next_is(f, ""); f->line++) {
        char *newline = strchr(f->next, '\n');
        if (newline) *newline = 0;
        fprintf(lines, "%s\n", f->next);
        f->next = newline && newline[1] ? newline + 1 : NULL;
    }
    fclose(lines);
    return expected;
}

static void run_block(case_file *f, char *command_line, text_command execute, void *ctx)
{
    text_case c = {.path = f->path, .line = f->line, .file = f};
    const unsigned line = f->line;
    char *actual = NULL;
    size_t size;
    FILE *out = open_memstream(&actual, &size);
    assert_non_null(out);
    c.command = split(&c, command_line);
    execute(ctx, &c, out);
    check_all_used(&c);
    fclose(out);
    if (text_case_next_line(&c)) text_case_fail(&c, "%s takes fewer lines of input", c.command);
    if (!read_line(f)) text_case_fail(&c, "the file ends without a line %s", SEPARATOR);

    char *expected = read_expected(f);
    fputs(actual, f->rewritten);
    f->blocks++;
    if (strcmp(actual, expected) != 0 && !getenv("HOLT_REWRITE")) {
        print_error("%s:%u: %s\nexpected:\n%sgot:\n%s\n", f->path, line, c.command, expected, actual);
        f->mismatches++;
    }
    free(expected);
    free(actual);
}

/* Runs the blocks of a file, and counts them and those whose output differs. */
static void run_file(const char *folder, const char *name, text_command execute, void *ctx, size_t *blocks,
                     size_t *mismatches)
{
    case_file f = {.line = 0};
    size_t size;
    snprintf(f.path, sizeof f.path, "%s/%s/%s", TESTDATA, folder, name);
    uint8_t *bytes = file_read(f.path, &size);
    if (!bytes) fail_msg("%s: cannot be read", f.path);
    f.text = (char *)must_alloc(size + 1);
    memcpy(f.text, bytes, size);
    free(bytes);
    f.next = size > 0 ? f.text : NULL;
    f.rewritten = open_memstream(&f.rewritten_text, &f.rewritten_size);
    assert_non_null(f.rewritten);

    for (char *line = read_line(&f); line; line = read_line(&f))
        if (*line && *line != '#') run_block(&f, line, execute, ctx);

    fclose(f.rewritten);
    if (getenv("HOLT_REWRITE")) file_write(f.path, f.rewritten_text, f.rewritten_size);
    free(f.rewritten_text);
    free(f.text);
    *blocks += f.blocks;
    *mismatches += f.mismatches;
}

static void check_mismatches(const char *folder, size_t blocks, size_t mismatches)
{
    if (mismatches > 0) fail_msg("%s: %zu of %zu blocks differ", folder, mismatches, blocks);
}

size_t text_cases_run(const char *folder, const char *name, text_command execute, void *ctx)
{
    size_t blocks = 0, mismatches = 0;
    run_file(folder, name, execute, ctx, &blocks, &mismatches);
    check_mismatches(folder, blocks, mismatches);
    return blocks;
}

static int is_case_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".txt") == 0;
}

size_t text_cases_run_folder(const char *folder, text_command execute, void *ctx)
{
    char path[TEMP_PATH_BYTES];
    struct dirent **entries;
    size_t blocks = 0, mismatches = 0;
    snprintf(path, sizeof path, "%s/%s", TESTDATA, folder);
    int count = scandir(path, &entries, is_case_file, alphasort);
    if (count <= 0) fail_msg("%s: no files of text cases", path);
    for (int i = 0; i < count; i++) {
        run_file(folder, entries[i]->d_name, execute, ctx, &blocks, &mismatches);
        free(entries[i]);
    }
    free((void *)entries);
    check_mismatches(folder, blocks, mismatches);
    return blocks;
}
