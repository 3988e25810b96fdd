/* resp_reply.c -- see resp_reply.h. */
#include "resp/resp_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 24 };

/* Writes the type, a number in decimal, and a line end. */
static void header(resp_reply *r, char type, int64_t number)
{
    char text[HEADER_BYTES_MAX];
    char *end = text + sizeof text, *at = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) *--at = '-';
    *--at = type;
    bytes_append(r->out, at, (size_t)(end - at));
}

void reply_status(resp_reply *r, const char *text)
{
    bytes_append(r->out, "+", 1);
    bytes_append_text(r->out, text);
    bytes_append(r->out, "\r\n", 2);
}

void reply_error(resp_reply *r, const char *text)
{
    bytes_append(r->out, "-", 1);
    for (; *text; text++) {
        char c = *text;
        if (c == '\r' || c == '\n') c = ' ';
        bytes_append(r->out, &c, 1);
    }
    bytes_append(r->out, "\r\n", 2);
}

void reply_error_format(resp_reply *r, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reply_error(r, text);
}

void reply_integer(resp_reply *r, int64_t number)
{
    header(r, ':', number);
}

void reply_bulk_begin(resp_reply *r, size_t size)
{
    header(r, '$', (int64_t)size);
}

void reply_bulk_end(resp_reply *r)
{
    bytes_append(r->out, "\r\n", 2);
}

void reply_bulk(resp_reply *r, holt_slice bulk)
{
    reply_bulk_begin(r, bulk.size);
    bytes_append(r->out, bulk.data, bulk.size);
    reply_bulk_end(r);
}

void reply_bulk_text(resp_reply *r, const char *text)
{
    reply_bulk(r, holt_str(text));
}

void reply_null(resp_reply *r)
{
    bytes_append_text(r->out, r->protocol == 3 ? "_\r\n" : "$-1\r\n");
}

void reply_null_array(resp_reply *r)
{
    bytes_append_text(r->out, r->protocol == 3 ? "_\r\n" : "*-1\r\n");
}

void reply_array(resp_reply *r, size_t count)
{
    header(r, '*', (int64_t)count);
}

void reply_map(resp_reply *r, size_t count)
{
    header(r, r->protocol == 3 ? '%' : '*', (int64_t)(r->protocol == 3 ? count : 2 * count));
}

void reply_set(resp_reply *r, size_t count)
{
    header(r, r->protocol == 3 ? '~' : '*', (int64_t)count);
}

void reply_push(resp_reply *r, size_t count)
{
    header(r, r->protocol == 3 ? '>' : '*', (int64_t)count);
}

void reply_boolean(resp_reply *r, bool value)
{
    if (r->protocol == 3) {
        bytes_append_text(r->out, value ? "#t\r\n" : "#f\r\n");
    } else {
        reply_integer(r, value);
    }
}

void reply_attribute(resp_reply *r, const char *name, const char *text, int64_t number)
{
    if (r->protocol != 3) return;
    header(r, '|', 1);
    reply_bulk_text(r, name);
    reply_array(r, 2);
    reply_bulk_text(r, text);
    reply_integer(r, number);
}

/* A number after the letter that RESP3 has for its type. */
static void number_text(resp_reply *r, const char *type, const char *text)
{
    if (r->protocol != 3) {
        reply_bulk_text(r, text);
        return;
    }
    bytes_append_text(r->out, type);
    bytes_append_text(r->out, text);
    bytes_append(r->out, "\r\n", 2);
}

void reply_big_number(resp_reply *r, const char *text)
{
    number_text(r, "(", text);
}

void reply_double_text(resp_reply *r, const char *text)
{
    number_text(r, ",", text);
}

void reply_verbatim(resp_reply *r, holt_slice text)
{
    if (r->protocol != 3) {
        reply_bulk(r, text);
        return;
    }
    header(r, '=', (int64_t)(text.size + 4));
    bytes_append(r->out, "txt:", 4);
    bytes_append(r->out, text.data, text.size);
    reply_bulk_end(r);
}
