/* json.c -- see json.h. */
#include "json.h"

#include <inttypes.h>
#include <math.h>

#include "text.h"

void json_init(json_writer *w, FILE *out)
{
    w->out = out;
    w->comma = false;
}

static void separate(json_writer *w)
{
    if (w->comma) putc_unlocked(',', w->out);
    w->comma = true;
}

static void open_with(json_writer *w, char bracket)
{
    separate(w);
    putc_unlocked(bracket, w->out);
    w->comma = false;
}

static void close_with(json_writer *w, char bracket)
{
    putc_unlocked(bracket, w->out);
    w->comma = true;
}

void json_object_begin(json_writer *w)
{
    open_with(w, '{');
}

void json_object_end(json_writer *w)
{
    close_with(w, '}');
}

void json_array_begin(json_writer *w)
{
    open_with(w, '[');
}

void json_array_end(json_writer *w)
{
    close_with(w, ']');
}

/* The one place where text is escaped for JSON. */
static void write_quoted(FILE *out, holt_slice text)
{
    const uint8_t *p = text.data;
    size_t start = 0;
    putc_unlocked('"', out);
    for (size_t i = 0; i < text.size; i++) {
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') continue;
        fwrite(p + start, 1, i - start, out);
        start = i + 1;
        switch (p[i]) {
        case '"':
            fputs("\\\"", out);
            break;
        case '\\':
            fputs("\\\\", out);
            break;
        case '\n':
            fputs("\\n", out);
            break;
        case '\r':
            fputs("\\r", out);
            break;
        case '\t':
            fputs("\\t", out);
            break;
        default:
            fprintf(out, "\\u%04x", p[i]);
        }
    }
    if (text.size > start) fwrite(p + start, 1, text.size - start, out);
    putc_unlocked('"', out);
}

static void write_base64(FILE *out, holt_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = bytes.data;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)p[i] << 16;
        if (left > 1) group |= (uint32_t)p[i + 1] << 8;
        if (left > 2) group |= p[i + 2];
        putc_unlocked(digits[group >> 18], out);
        putc_unlocked(digits[group >> 12 & 63], out);
        putc_unlocked(left > 1 ? digits[group >> 6 & 63] : '=', out);
        putc_unlocked(left > 2 ? digits[group & 63] : '=', out);
    }
}

void json_name(json_writer *w, const char *name)
{
    separate(w);
    write_quoted(w->out, holt_str(name));
    putc_unlocked(':', w->out);
    w->comma = false;
}

void json_bytes(json_writer *w, holt_slice bytes)
{
    separate(w);
    if (text_is_utf8(bytes)) {
        write_quoted(w->out, bytes);
        return;
    }
    fputs("{\"base64\":\"", w->out);
    write_base64(w->out, bytes);
    fputs("\"}", w->out);
}

void json_string(json_writer *w, const char *string)
{
    json_bytes(w, holt_str(string));
}

void json_u64(json_writer *w, uint64_t number)
{
    separate(w);
    fprintf(w->out, "%" PRIu64, number);
}

void json_double(json_writer *w, double number)
{
    separate(w);
    fprintf(w->out, "%.3f", isfinite(number) ? number : 0.0);
}

void json_line_end(json_writer *w)
{
    putc_unlocked('\n', w->out);
    w->comma = false;
}
