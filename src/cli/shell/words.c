/* words.c -- see words.h. */
#include "shell/words.h"

#include <string.h>
#include <strings.h>

#include "common/text.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void words_init(line_words *w, const char *line, size_t size)
{
    *w = (line_words){.line = line, .size = size};
    /* Each word is at least one byte of the line, and gets one more for its zero. */
    byte_buffer_reserve(&w->decoded, 2 * size + 1);
}

void words_deinit(line_words *w)
{
    byte_buffer_deinit(&w->decoded);
}

static words_result bad(line_words *w, size_t at, const char *problem)
{
    w->problem = problem;
    w->problem_at = at;
    return WORDS_BAD;
}

const char *words_rest(line_words *w)
{
    while (w->next < w->size && is_space(w->line[w->next])) {
        w->next++;
    }
    return w->line + w->next;
}

static bool ends_word(const line_words *w, size_t at, const char *stops)
{
    return at == w->size || is_space(w->line[at]) || (w->line[at] && strchr(stops, w->line[at]));
}

/* Decodes the escape at line[at] into *byte. Returns its length, or 0 if it is none. */
static size_t read_escape(const line_words *w, size_t at, char *byte)
{
    size_t left = w->size - at;
    char escape[4];
    if (left < 2) return 0;
    if (strchr(" \t\"'", w->line[at + 1]) && w->line[at + 1]) {
        *byte = w->line[at + 1];
        return 2;
    }
    size_t length = w->line[at + 1] == 'x' ? 4 : 2, decoded = length;
    if (left < length) return 0;
    memcpy(escape, w->line + at, length);
    if (text_unescape(escape, &decoded) || decoded != 1) return 0;
    *byte = escape[0];
    return length;
}

/* Reads a quoted word, whose first quote is at w->next. */
static words_result read_quoted(line_words *w, const char *stops)
{
    size_t begin = w->next, i = begin + 1;
    char quote = w->line[begin];
    for (; i < w->size; i++) {
        char byte = w->line[i];
        if (byte == quote) {
            bool doubled = quote == '\'' && i + 1 < w->size && w->line[i + 1] == quote;
            if (!doubled) break;
            i++;
        } else if (byte == '\\' && quote == '"') {
            size_t length = read_escape(w, i, &byte);
            if (length == 0) return bad(w, i, "not an escape; the escapes are \\n \\t \\r \\\\ \\\" \\xNN");
            i += length - 1;
        }
        byte_buffer_append(&w->decoded, &byte, 1);
    }
    if (i == w->size) return bad(w, begin, "the quote that opens here is never closed");
    if (!ends_word(w, i + 1, stops)) return bad(w, i + 1, "a space is missing behind the closing quote");
    w->next = i + 1;
    return WORDS_READ;
}

static words_result read_bare(line_words *w, const char *stops)
{
    size_t i = w->next;
    while (!ends_word(w, i, stops)) {
        char byte = w->line[i];
        size_t length = 1;
        if (byte == '\\') {
            length = read_escape(w, i, &byte);
            if (length == 0) return bad(w, i, "not an escape; the escapes are \\n \\t \\r \\\\ \\xNN");
        }
        byte_buffer_append(&w->decoded, &byte, 1);
        i += length;
    }
    w->next = i;
    return WORDS_READ;
}

words_result words_next(line_words *w, const char *stops, line_word *out)
{
    (void)words_rest(w);
    if (w->next == w->size) return WORDS_END;
    size_t begin = w->decoded.size;
    *out = (line_word){.at = w->next, .quoted = w->line[w->next] == '"' || w->line[w->next] == '\''};
    words_result result = out->quoted ? read_quoted(w, stops) : read_bare(w, stops);
    if (result != WORDS_READ) return result;
    out->size = w->decoded.size - begin;
    byte_buffer_append(&w->decoded, "", 1);
    out->bytes = w->decoded.data + begin;
    return WORDS_READ;
}

words_result words_take_rest(line_words *w, line_word *out)
{
    size_t begin = w->decoded.size, end = w->size;
    const char *rest = words_rest(w);
    while (end > w->next && is_space(w->line[end - 1])) {
        end--;
    }
    if (end == w->next) return WORDS_END;
    *out = (line_word){.at = w->next, .size = end - w->next};
    byte_buffer_append(&w->decoded, rest, out->size);
    byte_buffer_append(&w->decoded, "", 1);
    out->bytes = w->decoded.data + begin;
    w->next = w->size;
    return WORDS_READ;
}

bool word_is(const line_word *w, const char *keyword)
{
    return !w->quoted && w->size == strlen(keyword) && strcasecmp(w->bytes, keyword) == 0;
}

size_t words_column(const char *line, size_t at)
{
    return text_columns(holt_bytes(line, at)) + 1;
}
