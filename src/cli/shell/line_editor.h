/* line_editor.h -- reads lines from a person at a terminal: editing, history, completion (libedit).
 *
 * Ctrl-C drops the line that is being typed. The keys are those of libedit, which reads ~/.editrc; Tab
 * completes, and lists the possibilities if there are several; Ctrl-R searches the history. The history is
 * kept in a file, which only its owner can read: what is typed may be anyone's data.
 *
 * One at a time, from one thread.
 */
#ifndef CLI_LINE_EDITOR_H
#define CLI_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct line_editor line_editor;

/* The words that a completion may choose from. add(list, word) copies the word; a word that does not begin
 * with what was typed is ignored. */
typedef struct completions completions;
void completions_add(completions *list, const char *word);

/* Adds all words that can stand at the end of line[0, size), where a word begins at `word`. */
typedef void (*line_editor_complete_fn)(void *ctx, const char *line, size_t word, completions *list);

/* history: the file of the history; NULL = it is not kept. Returns NULL if the terminal cannot be used. */
line_editor *line_editor_create(const char *history, line_editor_complete_fn complete, void *ctx);

/* Saves the history. Accepts NULL. */
void line_editor_destroy(line_editor *e);

typedef enum line_result {
    LINE_READ,
    LINE_END,        /* Ctrl-D, or the terminal is gone */
    LINE_INTERRUPTED /* Ctrl-C, or a signal that ends the program: output_interrupted() tells */
} line_result;

/* Reads a line without its line feed into *line, borrowed until the next call. */
line_result line_editor_read(line_editor *e, const char *prompt, const char **line, size_t *size);

/* Adds a command, which may have been typed in several lines, to the history. */
void line_editor_remember(line_editor *e, const char *command);

#endif
