/* line_editor.c -- see line_editor.h. */
#include "shell/line_editor.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

#include "common/byte_buffer.h"
#include "common/text.h"
#include "terminal/output.h"

enum { HISTORY_ENTRIES = 1000, GAP = 2 };

struct completions {
    const char *typed; /* the part of the word before the cursor */
    size_t typed_size;
    char **words;
    size_t count, capacity;
};

struct line_editor {
    EditLine *edit;
    History *history;
    HistEvent event;
    char *history_file; /* NULL = not kept */
    const char *prompt; /* of the line being read; '\1' surrounds what takes no columns */
    line_editor_complete_fn complete;
    void *ctx;
};

/* Set by the handler of SIGWINCH. */
static volatile sig_atomic_t terminal_was_resized;

static void on_resize(int signal_number)
{
    (void)signal_number;
    terminal_was_resized = 1;
}

/* ---------------------------------------------------------------- completion */

void completions_add(completions *list, const char *word)
{
    if (strncasecmp(word, list->typed, list->typed_size) != 0) return;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->words[i], word) == 0) return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        char **grown = allocate_or_exit(list->capacity, sizeof *grown);
        if (list->count) memcpy(grown, list->words, list->count * sizeof *grown);
        free(list->words);
        list->words = grown;
    }
    size_t size = strlen(word) + 1;
    list->words[list->count] = allocate_or_exit(size, 1);
    memcpy(list->words[list->count++], word, size);
}

static void completions_deinit(completions *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->words[i]);
    }
    free(list->words);
}

/* Returns how many bytes all words have in common, in whole characters. */
static size_t common_size(const completions *list)
{
    size_t size = strlen(list->words[0]);
    for (size_t i = 1; i < list->count; i++) {
        size_t same = 0;
        while (same < size && list->words[i][same] == list->words[0][same]) {
            same++;
        }
        size = same;
    }
    while (size > 0 && ((unsigned char)list->words[0][size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

static int compare_words(const void *a, const void *b)
{
    return strcasecmp(*(char *const *)a, *(char *const *)b);
}

/* Prints the words in columns below the line. */
static void print_words(completions *list)
{
    size_t width = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t columns = text_columns(holt_str(list->words[i]));
        if (columns > width) width = columns;
    }
    size_t per_line = output_columns() / (width + GAP);
    if (per_line == 0) per_line = 1;
    qsort(list->words, list->count, sizeof *list->words, compare_words);
    putchar('\n');
    for (size_t i = 0; i < list->count; i++) {
        bool last = i + 1 == list->count || (i + 1) % per_line == 0;
        size_t columns = text_columns(holt_str(list->words[i]));
        text_write_visible(stdout, holt_str(list->words[i]));
        printf("%*s", last ? 0 : (int)(width + GAP - columns), "");
        if (last) putchar('\n');
    }
    fflush(stdout);
}

/* Puts `text` behind what was typed, with a space if the word is complete. */
static bool insert_rest(EditLine *edit, const completions *list, size_t size)
{
    char rest[256];
    const char *word = list->words[0];
    bool complete = list->count == 1;
    if (size < list->typed_size || size - list->typed_size > sizeof rest - 2) return false;
    size_t used = size - list->typed_size;
    memcpy(rest, word + list->typed_size, used);
    /* Somebody who types SEL wants SELECT. */
    bool capitals = list->typed_size > 0 && list->typed[list->typed_size - 1] >= 'A' &&
                    list->typed[list->typed_size - 1] <= 'Z' && word[list->typed_size - 1] >= 'a';
    for (size_t i = 0; i < used && capitals; i++) {
        if (rest[i] >= 'a' && rest[i] <= 'z') rest[i] = (char)(rest[i] - 'a' + 'A');
    }
    if (complete) rest[used++] = ' ';
    rest[used] = '\0';
    return used > 0 && el_insertstr(edit, rest) == 0;
}

static bool ends_completed_word(char c)
{
    return strchr(" \t(),;=<>", c) != NULL;
}

/* The editor's function for Tab. */
static unsigned char complete_word(EditLine *edit, int ch)
{
    line_editor *e = NULL;
    unsigned char result = CC_ERROR;
    const LineInfo *info = el_line(edit);
    size_t end = (size_t)(info->cursor - info->buffer), begin = end;
    (void)ch;
    el_get(edit, EL_CLIENTDATA, &e);
    while (begin > 0 && !ends_completed_word(info->buffer[begin - 1])) {
        begin--;
    }
    completions list = {.typed = info->buffer + begin, .typed_size = end - begin};
    e->complete(e->ctx, info->buffer, begin, &list);
    if (list.count > 0) {
        size_t common = common_size(&list);
        if (insert_rest(edit, &list, common)) {
            result = CC_REFRESH;
        } else if (list.count > 1) {
            print_words(&list);
            result = CC_REDISPLAY;
        }
    }
    completions_deinit(&list);
    return result;
}

/* ---------------------------------------------------------------- input */

/* Reads a character for the editor. -1: interrupted, or failed; 0: the end. */
static int read_character(EditLine *edit, wchar_t *out)
{
    mbstate_t state;
    memset(&state, 0, sizeof state);
    for (;;) {
        char byte;
        output_wait_for_input(&terminal_was_resized);
        if (output_interrupted()) {
            errno = EINTR;
            return -1;
        }
        if (terminal_was_resized) {
            terminal_was_resized = 0;
            el_resize(edit);
            continue;
        }
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return (int)got;
        size_t used = mbrtowc(out, &byte, 1, &state);
        if (used <= 1) return 1;
        if (used == (size_t)-1) memset(&state, 0, sizeof state); /* not UTF-8: the byte is ignored */
    }
}

static char *prompt_of(EditLine *edit)
{
    line_editor *e = NULL;
    el_get(edit, EL_CLIENTDATA, &e);
    return (char *)(uintptr_t)e->prompt; /* the editor does not write to it */
}

line_result line_editor_read(line_editor *e, const char *prompt, const char **line, size_t *size)
{
    int count = 0;
    e->prompt = prompt;
    /* Before the prompt: a Ctrl-D that is typed as soon as it appears would otherwise be the terminal's. */
    el_set(e->edit, EL_PREP_TERM, 1);
    *line = el_gets(e->edit, &count);
    if (!*line || count <= 0) {
        putchar('\n');
        return output_interrupted() ? LINE_INTERRUPTED : LINE_END;
    }
    *size = strlen(*line);
    if (*size > 0 && (*line)[*size - 1] == '\n') --*size;
    return LINE_READ;
}

void line_editor_remember(line_editor *e, const char *command)
{
    history(e->history, &e->event, H_ENTER, command);
}

/* ---------------------------------------------------------------- life */

/* The editor decodes what is typed by the locale. Everything else in the program is UTF-8 in any locale. */
static void use_utf8(void)
{
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* without it, only ASCII can be typed */
}

static void load_history(line_editor *e, const char *file)
{
    e->history_file = strdup(file);
    /* A file that is not there yet is an empty history. */
    (void)history(e->history, &e->event, H_LOAD, file);
}

line_editor *line_editor_create(const char *history_file, line_editor_complete_fn complete, void *ctx)
{
    struct sigaction action;
    line_editor *e = allocate_or_exit(1, sizeof *e);
    use_utf8();
    e->complete = complete;
    e->ctx = ctx;
    e->history = history_init();
    e->edit = e->history ? el_init("holt", stdin, stdout, stderr) : NULL;
    if (!e->edit) {
        line_editor_destroy(e);
        return NULL;
    }
    history(e->history, &e->event, H_SETSIZE, HISTORY_ENTRIES);
    history(e->history, &e->event, H_SETUNIQUE, 1);
    if (history_file) load_history(e, history_file);

    el_set(e->edit, EL_CLIENTDATA, e);
    el_set(e->edit, EL_HIST, history, e->history);
    el_set(e->edit, EL_PROMPT_ESC, prompt_of, '\1');
    el_set(e->edit, EL_EDITOR, "emacs");
    el_set(e->edit, EL_SIGNAL, 0);
    el_set(e->edit, EL_GETCFN, read_character);
    el_set(e->edit, EL_ADDFN, "holt-complete", "complete the word", complete_word);
    el_set(e->edit, EL_BIND, "^I", "holt-complete", NULL);
    el_set(e->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_source(e->edit, NULL); /* the user's ~/.editrc, if there is one */

    memset(&action, 0, sizeof action);
    action.sa_handler = on_resize;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGWINCH, &action, NULL); /* SIGWINCH can be caught */
    return e;
}

/* The history is a convenience: if it cannot be saved, nothing is said. */
static void save_history(line_editor *e)
{
    int file = open(e->history_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    close(file);
    (void)history(e->history, &e->event, H_SAVE, e->history_file);
}

void line_editor_destroy(line_editor *e)
{
    if (!e) return;
    if (e->history_file) save_history(e);
    if (e->edit) el_end(e->edit);
    if (e->history) history_end(e->history);
    free(e->history_file);
    free(e);
}
