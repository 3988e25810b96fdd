/* resp_parser.c -- see resp_parser.h. */
#include "resp/resp_parser.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARGUMENTS_KEPT = 64,       /* a longer list is freed after its command */
    LINE_BYTES_MAX = 64 * 1024 /* of an inline command, as in Redis */
};

void resp_parser_deinit(resp_parser *p)
{
    free(p->arguments);
    memset(p, 0, sizeof *p);
}

void resp_parser_next(resp_parser *p)
{
    if (p->capacity > ARGUMENTS_KEPT) resp_parser_deinit(p);
    p->position = p->left = p->need = p->count = 0;
}

static resp_found more(resp_parser *p, size_t need)
{
    p->need = need;
    return RESP_MORE;
}

static resp_found wrong(const char **error, const char *message)
{
    *error = message;
    return RESP_ERROR;
}

static bool add_argument(resp_parser *p, size_t offset, size_t size)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 8;
        resp_argument *arguments = realloc(p->arguments, capacity * sizeof *arguments);
        if (!arguments) return false;
        p->arguments = arguments;
        p->capacity = capacity;
    }
    p->arguments[p->count++] = (resp_argument){offset, size};
    return true;
}

/* Reads the number behind the character at p->position, up to "\r\n", and goes past it. RESP_COMMAND: it
 * was read. */
static resp_found read_number(resp_parser *p, const char *data, size_t size, int64_t *out, const char **error,
                              const char *message)
{
    size_t at = p->position + 1;
    bool negative = at < size && data[at] == '-';
    int64_t number = 0;
    if (negative) at++;
    size_t digits = at;
    for (; at < size && isdigit((unsigned char)data[at]); at++) {
        if (at - digits >= 18) return wrong(error, message);
        number = number * 10 + (data[at] - '0');
    }
    if (size - at < 2) {
        if (at < size && data[at] != '\r') return wrong(error, message);
        return more(p, size + 1);
    }
    if (at == digits || data[at] != '\r' || data[at + 1] != '\n') return wrong(error, message);
    p->position = at + 2;
    *out = negative ? -number : number;
    return RESP_COMMAND;
}

/* ---------------------------------------------------------------- arrays */

static resp_found parse_bulks(resp_parser *p, const char *data, size_t size, const resp_limits *limits,
                              size_t *used, const char **error)
{
    while (p->left > 0) {
        size_t before = p->position;
        int64_t length = 0;
        if (before >= size) return more(p, before + 1);
        if (data[before] != '$') {
            snprintf(p->message, sizeof p->message, "Protocol error: expected '$', got '%c'",
                     isprint((unsigned char)data[before]) ? data[before] : '?');
            return wrong(error, p->message);
        }
        resp_found found = read_number(p, data, size, &length, error, "Protocol error: invalid bulk length");
        if (found != RESP_COMMAND) return found;
        if (length < 0) return wrong(error, "Protocol error: invalid bulk length");
        if ((uint64_t)length + p->position > limits->command_bytes)
            return wrong(error,
                         "Protocol error: invalid bulk length: larger than request_bytes allows, or than "
                         "is allowed before a login");
        size_t end = p->position + (size_t)length;
        if (size < end + 2) {
            p->position = before;
            return more(p, end + 2);
        }
        if (data[end] != '\r' || data[end + 1] != '\n')
            return wrong(error, "Protocol error: expected CRLF after a bulk string");
        if (!add_argument(p, p->position, (size_t)length)) return wrong(error, "out of memory");
        p->position = end + 2;
        p->left--;
    }
    *used = p->position;
    return RESP_COMMAND;
}

static resp_found parse_array(resp_parser *p, const char *data, size_t size, const resp_limits *limits,
                              size_t *used, const char **error)
{
    if (p->position == 0) {
        int64_t count = 0;
        resp_found found =
            read_number(p, data, size, &count, error, "Protocol error: invalid multibulk length");
        if (found != RESP_COMMAND) return found;
        if (count > (int64_t)limits->arguments)
            return wrong(error, "Protocol error: invalid multibulk length");
        p->left = count > 0 ? (size_t)count : 0;
    }
    return parse_bulks(p, data, size, limits, used, error);
}

/* ---------------------------------------------------------------- lines */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Unescapes what follows a backslash at data[*at] between double quotes, and goes past it. */
static char unescape(const char *data, size_t size, size_t *at)
{
    static const char names[] = "nrtba", meanings[] = "\n\r\t\b\a";
    char c = data[*at];
    if (c == 'x' && size - *at > 2 && hex_digit(data[*at + 1]) >= 0 && hex_digit(data[*at + 2]) >= 0) {
        char byte = (char)(hex_digit(data[*at + 1]) * 16 + hex_digit(data[*at + 2]));
        *at += 3;
        return byte;
    }
    (*at)++;
    const char *name = c ? strchr(names, c) : NULL;
    if (name) c = meanings[name - names];
    return c;
}

/* Reads the word at data[*at] and goes past it, writing it to data from *to on: never past *at, because a
 * word does not get longer. Returns false if quotes are not balanced. */
static bool read_word(char *data, size_t size, size_t *at, size_t *to)
{
    char quote = '\0';
    while (*at < size) {
        char c = data[*at];
        if (!quote && isspace((unsigned char)c)) return true;
        (*at)++;
        if (!quote && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote && c == quote) {
            /* A closing quote must end the word. */
            return *at == size || isspace((unsigned char)data[*at]);
        } else if (quote == '"' && c == '\\' && *at < size) {
            data[(*to)++] = unescape(data, size, at);
        } else if (quote == '\'' && c == '\\' && *at < size && data[*at] == '\'') {
            data[(*to)++] = data[(*at)++];
        } else {
            data[(*to)++] = c;
        }
    }
    return !quote;
}

static resp_found parse_line(resp_parser *p, char *data, size_t size, const resp_limits *limits, size_t *used,
                             const char **error)
{
    size_t searched = p->position;
    const char *feed = memchr(data + searched, '\n', size - searched);
    size_t end = feed ? (size_t)(feed - data) : size;
    if (end > LINE_BYTES_MAX || end > limits->command_bytes)
        return wrong(error, "Protocol error: too big inline request");
    if (!feed) {
        p->position = size;
        return more(p, size + 1);
    }
    *used = end + 1;
    size_t at = 0;
    for (;;) {
        while (at < end && isspace((unsigned char)data[at]))
            at++;
        if (at == end) return RESP_COMMAND;
        size_t from = at, to = at;
        if (p->count == limits->arguments) return wrong(error, "Protocol error: too many words");
        if (!read_word(data, end, &at, &to))
            return wrong(error, "Protocol error: unbalanced quotes in request");
        if (!add_argument(p, from, to - from)) return wrong(error, "out of memory");
    }
}

resp_found resp_parse(resp_parser *p, char *data, size_t size, const resp_limits *limits, size_t *used,
                      const char **error)
{
    if (size == 0 || size < p->need) return RESP_MORE;
    return *data == '*' ? parse_array(p, data, size, limits, used, error)
                        : parse_line(p, data, size, limits, used, error);
}
