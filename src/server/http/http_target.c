/* http_target.c -- takes apart the target of a request: http_target_parse in http_request.h. */
#include <stdint.h>
#include <string.h>

#include "common/text.h"
#include "http/http_request.h"

/* Decodes %XX in text[size] in place; '+' is a blank if plus. Returns the new size, or SIZE_MAX. */
static size_t decode(char *text, size_t size, bool plus)
{
    size_t to = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '%') {
            int high = size - i > 2 ? text_hex_digit(text[i + 1]) : -1,
                low = high < 0 ? -1 : text_hex_digit(text[i + 2]);
            if (low < 0) return SIZE_MAX;
            text[to++] = (char)(high * 16 + low);
            i += 2;
        } else {
            bool blank = plus && text[i] == '+';
            text[to] = text[i];
            if (blank) text[to] = ' ';
            to++;
        }
    }
    return to;
}

/* Splits the path at slashes, then decodes the parts, so that %2F is a slash within a part. */
static const char *parse_path(http_request *r, char *path, size_t size)
{
    char *end = path + size;
    for (char *p = path; p < end;) {
        p++; /* the slash */
        char *slash = memchr(p, '/', (size_t)(end - p));
        size_t length = (size_t)((slash ? slash : end) - p);
        if (r->part_count == HTTP_PATH_PARTS_MAX) return "the path has too many parts";
        size_t decoded = decode(p, length, false);
        if (decoded == SIZE_MAX) return "a '%' in the path is not followed by two hexadecimal digits";
        r->parts[r->part_count++] = holt_bytes(p, decoded);
        p += length;
    }
    return NULL;
}

static const char *parse_query(http_request *r, char *query, size_t size)
{
    char *end = query + size;
    for (char *p = query; p < end;) {
        char *ampersand = memchr(p, '&', (size_t)(end - p));
        size_t length = (size_t)((ampersand ? ampersand : end) - p);
        char *equals = memchr(p, '=', length);
        size_t name_size = equals ? (size_t)(equals - p) : length;
        char *value = equals ? equals + 1 : p + length;
        size_t value_size = decode(value, (size_t)(p + length - value), true);
        char *next = p + length + (ampersand != NULL);
        if (r->parameter_count == HTTP_PARAMETERS_MAX) return "the query has too many parameters";
        name_size = decode(p, name_size, true);
        if (value_size == SIZE_MAX || name_size == SIZE_MAX)
            return "a '%' in the query is not followed by two hexadecimal digits";
        if (length) {
            r->parameters[r->parameter_count++] =
                (http_parameter){holt_bytes(p, name_size), holt_bytes(value, value_size)};
        }
        p = next;
    }
    for (size_t i = 0; i < r->parameter_count; i++) {
        const http_parameter *p = &r->parameters[i];
        for (size_t j = 0; j < i; j++) {
            const http_parameter *q = &r->parameters[j];
            if (p->name.size == q->name.size && memcmp(p->name.data, q->name.data, p->name.size) == 0)
                return "a parameter occurs twice";
        }
    }
    return NULL;
}

void http_target_parse(http_request *r)
{
    char *text = r->text.data;
    char *query = memchr(text, '?', r->text.size);
    size_t path_size = query ? (size_t)(query - text) : r->text.size;
    if (r->problem) return;
    if (path_size == 0 || *text != '/') {
        r->problem = "the path does not begin with a slash";
        return;
    }
    r->problem = parse_path(r, text, path_size);
    if (query && !r->problem) r->problem = parse_query(r, query + 1, r->text.size - path_size - 1);
}
