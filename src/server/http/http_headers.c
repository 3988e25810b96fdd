/* http_headers.c -- see http_headers.h. */
#include "http/http_headers.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char BLANKS[] = " \t";

/* A part of a list, without the blanks around it. */
typedef struct span {
    const char *text;
    size_t size;
} span;

/* Returns the part of *list up to `separator` and moves *list behind it; NULL at the end. */
static span next_part(const char **list, char separator)
{
    span part = {NULL, 0};
    if (!*list) return part;
    const char *end = strchr(*list, separator);
    part.text = *list + strspn(*list, BLANKS);
    part.size = end ? (size_t)(end - *list) : strlen(*list);
    part.size -= (size_t)(part.text - *list) < part.size ? (size_t)(part.text - *list) : part.size;
    while (part.size && strchr(BLANKS, part.text[part.size - 1]))
        part.size--;
    *list = end ? end + 1 : NULL;
    return part;
}

static bool is(span part, const char *word)
{
    return part.size == strlen(word) && strncasecmp(part.text, word, part.size) == 0;
}

/* Returns whether the weight "q=0", "q=0.000" is 0. */
static bool is_zero(span weight)
{
    if (weight.size < 3 || strncasecmp(weight.text, "q=", 2) != 0) return false;
    for (size_t i = 2; i < weight.size; i++) {
        if (weight.text[i] != '0' && weight.text[i] != '.') return false;
    }
    return true;
}

bool http_accepts_gzip(const char *accept_encoding)
{
    bool named = false, accepted = false, any = false;
    for (span part; (part = next_part(&accept_encoding, ',')).text;) {
        const char *rest = part.text;
        const char *semicolon = memchr(part.text, ';', part.size);
        span weight = {semicolon ? semicolon + 1 : "",
                       semicolon ? part.size - (size_t)(semicolon + 1 - rest) : 0};
        span coding = {part.text, semicolon ? (size_t)(semicolon - part.text) : part.size};
        while (coding.size && strchr(BLANKS, coding.text[coding.size - 1]))
            coding.size--;
        while (weight.size && strchr(BLANKS, *weight.text))
            weight.text++, weight.size--;
        bool allowed = !is_zero(weight);
        if (is(coding, "gzip") || is(coding, "x-gzip")) {
            named = true;
            accepted = accepted || allowed;
        } else if (is(coding, "*")) {
            any = allowed;
        }
    }
    return named ? accepted : any;
}

bool http_may_be_json(const char *content_type)
{
    static const char *const types[] = {"application/json", "text/json", "text/plain",
                                        "application/octet-stream", "application/x-www-form-urlencoded"};
    span type = next_part(&content_type, ';');
    if (!type.text || type.size == 0) return true;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (is(type, types[i])) return true;
    }
    static const char suffix[] = "+json";
    enum { SUFFIX = sizeof suffix - 1 };
    return type.size > SUFFIX && strncasecmp(type.text + type.size - SUFFIX, suffix, SUFFIX) == 0;
}

/* Returns the host and port of an origin, "scheme://host:port"; NULL if it has none. */
static const char *host_of(const char *origin)
{
    const char *found = strstr(origin, "://");
    return found ? found + 3 : NULL;
}

http_origin http_origin_of(const char *origin, const char *host, const char *allowed)
{
    if (!origin) return HTTP_ORIGIN_OURS;
    const char *from = host_of(origin);
    if (from && host && strcasecmp(from, host) == 0) return HTTP_ORIGIN_OURS;
    for (span part; (part = next_part(&allowed, ',')).text;) {
        if (is(part, "*") || (!is(part, "off") && is(part, origin))) return HTTP_ORIGIN_ALLOWED;
    }
    return HTTP_ORIGIN_FOREIGN;
}
