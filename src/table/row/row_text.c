/* row_text.c -- a row's primary key as words. */
#include "table/row/row_text.h"

#include "base/utf8.h"
#include "table/key/key_code.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PART_BYTES_SHOWN = 40 };

typedef struct writer {
    char *out;
    size_t used; /* without the terminating zero */
} writer;

__attribute__((format(printf, 2, 3))) static void add(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->out + w->used, ROW_TEXT_BYTES - w->used, format, args);
    va_end(args);
    w->used += n > 0 ? (size_t)n : 0;
    if (w->used >= ROW_TEXT_BYTES) w->used = ROW_TEXT_BYTES - 1;
}

static void add_hex(writer *w, slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    add(w, "x'");
    for (size_t i = 0; i < bytes.size && i < PART_BYTES_SHOWN / 2; i++)
        add(w, "%02x", at[i]);
    add(w, bytes.size > PART_BYTES_SHOWN / 2 ? "...'" : "'");
}

/* Text is shown as such if it is printable and short enough to be shown whole. */
static void add_datum(writer *w, const holt_datum *d)
{
    slice bytes = d->as.bytes;
    switch (d->type) {
    case HOLT_BOOLEAN:
        add(w, d->as.boolean ? "true" : "false");
        break;
    case HOLT_INTEGER:
        add(w, "%" PRId64, d->as.integer);
        break;
    case HOLT_REAL:
        add(w, "%.17g", d->as.real);
        break;
    case HOLT_TEXT:
        if (utf8_find_unprintable(bytes) == bytes.size)
            add(w, "\"%.*s\"", (int)bytes.size, (const char *)bytes.data);
        else
            add_hex(w, bytes);
        break;
    case HOLT_BLOB:
        add_hex(w, bytes);
        break;
    default:
        add(w, "null");
    }
}

/* Adds the next part. Returns false if it is not one. */
static bool add_part(writer *w, key_reader *r, bool descending)
{
    uint8_t room[PART_BYTES_SHOWN];
    holt_datum d;
    key_reader part = *r;
    if (!key_code_skip(r, descending)) return false;
    part.end = r->at;
    part.room = room;
    if (part.end - part.at > PART_BYTES_SHOWN) {
        add(w, "...");
        return true;
    }
    if (!key_code_next(&part, descending, &d)) return false;
    add_datum(w, &d);
    return true;
}

const char *row_text_key(char out[ROW_TEXT_BYTES], const schema *s, slice key)
{
    writer w = {.out = out};
    key_reader r = key_reader_of(key, NULL);
    add(&w, "(");
    for (uint32_t i = 0; i < schema_key_parts(s); i++) {
        if (i) add(&w, ", ");
        if (!add_part(&w, &r, schema_key_descending(s, i))) goto damaged;
    }
    add(&w, ")");
    if (key_reader_done(&r)) return out;
damaged:
    w.used = 0;
    add_hex(&w, key);
    return out;
}
