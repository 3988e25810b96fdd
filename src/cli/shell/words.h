/* words.h -- the words of a line that was typed into the shell.
 *
 *     put  "two words"  'it''s'  caf\xc3\xa9  {"a":1}
 *
 * Words are separated by spaces and tabs. A word that begins with a quote ends with the next quote of that
 * kind, behind which the word must end:
 *
 *     'single'   every byte stands for itself; two quotes stand for one
 *     "double"   with the escapes of common/text.h, and \" for a quote
 *     bare       with these escapes too, and a backslash before a space or a quote takes away its meaning
 *
 * A quote inside a bare word is an ordinary character, so that JSON and it's can be typed as they are. The
 * number of bytes in the line limits that of all words together, so the decoded words never move.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/byte_buffer.h"

typedef struct line_word {
    char *bytes; /* decoded, with a zero byte behind them; valid until words_deinit */
    size_t size;
    size_t at;   /* where in the line it begins */
    bool quoted; /* it is not a keyword, nor a number */
} line_word;

typedef enum words_result {
    WORDS_READ,
    WORDS_END, /* there are no more */
    WORDS_BAD  /* words.problem says why, words.problem_at where */
} words_result;

typedef struct line_words {
    const char *line; /* borrowed */
    size_t size;
    size_t next; /* the first byte that was not read yet */
    byte_buffer decoded;
    const char *problem;
    size_t problem_at;
} line_words;

void words_init(line_words *w, const char *line, size_t size);
void words_deinit(line_words *w);

/* Reads a word. `stops`: bytes that end a word although no space is before them, and that are not read. */
words_result words_next(line_words *w, const char *stops, line_word *out);

/* Reads what is left of the line, without the spaces at its end, as one word without quotes or escapes. */
words_result words_take_rest(line_words *w, line_word *out);

/* Skips spaces, and returns the bytes that were not read yet: "" at the end of the line. */
const char *words_rest(line_words *w);

/* Returns whether the word is this keyword, in either case and not in quotes. */
bool word_is(const line_word *w, const char *keyword);

/* Returns the position in the line as people count it: characters, from 1. */
size_t words_column(const char *line, size_t at);

#endif
