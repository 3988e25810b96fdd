/* token.c -- splits SQL into tokens. */
#include "token.h"

#include <string.h>

#include "sqlite_api.h"

void tokens_init(tokens *t, const char *text, size_t size)
{
    memset(t, 0, sizeof *t);
    t->text = text;
    t->size = size;
    t->now.text = text;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What an identifier consists of; every byte of a character beyond ASCII belongs to one. */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static char peek(const tokens *t, size_t ahead)
{
    if (t->at + ahead >= t->size) return '\0';
    return t->text[t->at + ahead];
}

/* Skips a comment. A block comment that is not closed ends with the text, as in SQLite. */
static void skip_comment(tokens *t)
{
    if (peek(t, 0) == '-') {
        while (t->at < t->size && t->text[t->at] != '\n') {
            t->at++;
        }
        return;
    }
    t->at += 2;
    while (t->at < t->size && !(peek(t, 0) == '*' && peek(t, 1) == '/')) {
        t->at++;
    }
    t->at = t->at < t->size ? t->at + 2 : t->size;
}

static void skip_blanks(tokens *t)
{
    while (t->at < t->size) {
        const char c = peek(t, 0), next = peek(t, 1);
        if (is_blank(c)) {
            t->at++;
        } else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
            skip_comment(t);
        } else {
            return;
        }
    }
}

/* Moves behind a quoted token; `close` within it is written twice, except in brackets. */
static token_kind skip_quoted(tokens *t, token_kind kind, char close)
{
    t->at++;
    for (; t->at < t->size; t->at++) {
        if (t->text[t->at] != close) continue;
        if (close != ']' && peek(t, 1) == close) {
            t->at++;
            continue;
        }
        t->at++;
        return kind;
    }
    return TOKEN_BAD;
}

static token_kind skip_number(tokens *t)
{
    for (; t->at < t->size; t->at++) {
        const char c = t->text[t->at];
        const bool exponent = t->at > 0 && (t->text[t->at - 1] == 'e' || t->text[t->at - 1] == 'E');
        const bool sign = exponent && (c == '+' || c == '-');
        if (!is_word(c) && c != '.' && !sign) break;
    }
    return TOKEN_NUMBER;
}

static token_kind skip_word(tokens *t, token_kind kind)
{
    do {
        t->at++;
    } while (t->at < t->size && is_word(t->text[t->at]));
    return kind;
}

static token_kind skip_token(tokens *t)
{
    const char c = peek(t, 0);
    switch (c) {
    case '\'':
        return skip_quoted(t, TOKEN_STRING, '\'');
    case '"':
        return skip_quoted(t, TOKEN_QUOTED, '"');
    case '`':
        return skip_quoted(t, TOKEN_QUOTED, '`');
    case '[':
        return skip_quoted(t, TOKEN_QUOTED, ']');
    case '?':
    case ':':
    case '@':
    case '$':
    case '#':
        return skip_word(t, TOKEN_VARIABLE);
    default:
        break;
    }
    if ((c == 'x' || c == 'X') && peek(t, 1) == '\'') {
        t->at++;
        return skip_quoted(t, TOKEN_BLOB, '\'');
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(t, 1)))) return skip_number(t);
    if (is_word(c)) return skip_word(t, TOKEN_WORD);
    t->at++;
    return TOKEN_MARK;
}

token_kind tokens_next(tokens *t)
{
    skip_blanks(t);
    const size_t start = t->at;
    t->now.text = t->text + start;
    t->now.kind = start == t->size ? TOKEN_END : skip_token(t);
    t->now.size = t->at - start;
    return t->now.kind;
}

size_t tokens_offset(const tokens *t)
{
    return (size_t)(t->now.text - t->text);
}

bool token_is(const token *k, const char *word)
{
    if (k->kind != TOKEN_WORD && k->kind != TOKEN_MARK) return false;
    return strlen(word) == k->size && sqlite3_strnicmp(k->text, word, (int)k->size) == 0;
}

bool token_is_name(const token *k)
{
    return k->kind == TOKEN_WORD || k->kind == TOKEN_QUOTED || k->kind == TOKEN_STRING;
}

/* Takes the next character of what a token stands for, from *at on, which begins at 0. false: there are no
 * more. */
static bool next_character(const token *k, size_t *at, char *out)
{
    const bool quoted = k->kind == TOKEN_QUOTED || k->kind == TOKEN_STRING;
    if (quoted && *at == 0) ++*at;
    if (*at + quoted >= k->size) return false;
    *out = k->text[(*at)++];
    if (quoted && *out == k->text[k->size - 1]) ++*at; /* written twice */
    return true;
}

size_t token_copy(const token *k, char *out, size_t size)
{
    size_t at = 0, length = 0;
    char c;
    while (next_character(k, &at, &c)) {
        if (length + 1 < size) out[length] = c;
        length++;
    }
    out[length < size ? length : size - 1] = '\0';
    return length;
}

char *token_value(const token *k)
{
    char *value = sqlite3_malloc64(k->size + 1);
    if (value) (void)token_copy(k, value, k->size + 1); /* a value is not longer than its token */
    return value;
}

bool token_names(const token *k, const char *name)
{
    size_t at = 0;
    char c;
    if (!token_is_name(k)) return false;
    while (next_character(k, &at, &c)) {
        if (sqlite3_strnicmp(&c, name, 1) != 0 || !*name++) return false;
    }
    return !*name;
}

bool tokens_skip_parentheses(tokens *t)
{
    size_t depth = 1;
    while (depth > 0) {
        const token_kind kind = tokens_next(t);
        if (kind == TOKEN_END || kind == TOKEN_BAD) return false;
        if (token_is(&t->now, "(")) depth++;
        if (token_is(&t->now, ")")) depth--;
    }
    tokens_next(t);
    return true;
}
