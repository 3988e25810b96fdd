/* json.c -- see json.h. */
#include "common/json.h"

#include <inttypes.h>
#include <math.h>

#include "common/text.h"

void json_init(json_writer *w, FILE *out, bool visible)
{
    *w = (json_writer){.out = out, .visible = visible};
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

/* Returns the bytes of the character at p in valid UTF-8, or 0 if it must be escaped. */
static size_t plain_character(const json_writer *w, const uint8_t *p, size_t size)
{
    if (p[0] < 0x20 || p[0] == '"' || p[0] == '\\') return 0;
    if (p[0] < 0x7f) return 1;
    size_t length = text_utf8_character(p, size);
    bool control = p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
    return w->visible && (control || text_is_invisible(p, length)) ? 0 : length;
}

static void write_unit(FILE *out, uint32_t unit)
{
    fprintf(out, "\\u%04" PRIx32, unit);
}

/* Writes the escape of the character at p and returns its bytes. */
static size_t write_escape(FILE *out, const uint8_t *p, size_t size)
{
    static const char letters[][2] = {{'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if ((char)p[0] != letters[i][0]) continue;
        putc_unlocked('\\', out);
        putc_unlocked(letters[i][1], out);
        return 1;
    }
    size_t length = text_utf8_character(p, size);
    uint32_t character = text_utf8_decode(p, length);
    if (character < 0x10000) {
        write_unit(out, character);
    } else {
        write_unit(out, 0xd800 + ((character - 0x10000) >> 10));
        write_unit(out, 0xdc00 + ((character - 0x10000) & 0x3ff));
    }
    return length;
}

static void write_quoted(const json_writer *w, holt_slice text)
{
    const uint8_t *p = text.data;
    size_t start = 0;
    putc_unlocked('"', w->out);
    for (size_t i = 0; i < text.size;) {
        size_t length = plain_character(w, p + i, text.size - i);
        if (length == 0) {
            if (i > start) fwrite(p + start, 1, i - start, w->out);
            length = write_escape(w->out, p + i, text.size - i);
            start = i + length;
        }
        i += length;
    }
    if (text.size > start) fwrite(p + start, 1, text.size - start, w->out);
    putc_unlocked('"', w->out);
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
    write_quoted(w, holt_str(name));
    putc_unlocked(':', w->out);
    w->comma = false;
}

void json_bytes(json_writer *w, holt_slice bytes)
{
    separate(w);
    if (text_is_utf8(bytes)) {
        write_quoted(w, bytes);
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

void json_literal(json_writer *w, const char *text)
{
    separate(w);
    fputs(text, w->out);
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

void json_member_bytes(json_writer *w, const char *name, holt_slice bytes)
{
    json_name(w, name);
    json_bytes(w, bytes);
}

void json_member_string(json_writer *w, const char *name, const char *string)
{
    json_name(w, name);
    json_string(w, string);
}

void json_member_u64(json_writer *w, const char *name, uint64_t number)
{
    json_name(w, name);
    json_u64(w, number);
}

void json_member_double(json_writer *w, const char *name, double number)
{
    json_name(w, name);
    json_double(w, number);
}

void json_line_end(json_writer *w)
{
    putc_unlocked('\n', w->out);
    w->comma = false;
}
