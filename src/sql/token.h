/* token.h -- splits SQL into tokens, as SQLite does.
 *
 * Blanks and comments are skipped. Text without its end (a quote or comment that is not closed) is
 * TOKEN_BAD and ends the sequence.
 */
#ifndef SQL_TOKEN_H
#define SQL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

typedef enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* a keyword or a plain identifier */
    TOKEN_QUOTED, /* "name", [name] or `name` */
    TOKEN_STRING, /* 'text' */
    TOKEN_BLOB,   /* x'00ff' */
    TOKEN_NUMBER,
    TOKEN_VARIABLE, /* ?1, :name, @name, $name */
    TOKEN_MARK,     /* anything else, one character: ( ) , ; = ... */
    TOKEN_BAD
} token_kind;

typedef struct token {
    token_kind kind;
    const char *text; /* in the statement, with its quotes */
    size_t size;
} token;

/* The place in a text. */
typedef struct tokens {
    const char *text;
    size_t size, at;
    token now; /* read last */
} tokens;

/* Begins before the first token. The text is borrowed. */
void tokens_init(tokens *t, const char *text, size_t size);

/* Moves to the next token, and returns its kind. */
token_kind tokens_next(tokens *t);

/* Returns where the token read last begins. */
size_t tokens_offset(const tokens *t);

/* Whether the token is this word, in any case, or this one-character mark. A quoted name is never a word. */
bool token_is(const token *k, const char *word);

/* Whether the token can be a name: a word or quoted, and, as SQLite accepts it, a string. */
bool token_is_name(const token *k);

/* Returns what a name or string stands for, without its quotes. Release with sqlite3_free. NULL: no memory.
 *  */
char *token_value(const token *k);

/* Writes the same into a buffer of `size` bytes, not 0, with a zero byte behind it; what has no room is left
 * out. Returns the length of all of it. */
size_t token_copy(const token *k, char *out, size_t size);

/* Whether the value of a name is `name`, in any case of ASCII letters. */
bool token_names(const token *k, const char *name);

/* Moves behind the parenthesis that closes the one read last. Returns false at the end of the text. */
bool tokens_skip_parentheses(tokens *t);

#endif
