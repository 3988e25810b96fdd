/* text.c -- see text.h. */
#include "text.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes that a first byte announces, and the range its second byte must be in: that is where overlong forms,
 * surrogates and numbers past U+10FFFF are refused. */
static size_t utf8_announced(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0) *low = 0xa0;
        if (first == 0xed) *high = 0x9f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0) *low = 0x90;
        if (first == 0xf4) *high = 0x8f;
        return 4;
    }
    return 0;
}

size_t text_utf8_character(const uint8_t *p, size_t size)
{
    if (size == 0) return 0;
    if (p[0] < 0x80) return 1;
    uint8_t low, high;
    size_t length = utf8_announced(p[0], &low, &high);
    if (length == 0 || length > size) return 0;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(p[i])) return 0;
    }
    return length;
}

bool text_is_utf8(holt_slice bytes)
{
    const uint8_t *p = bytes.data;
    size_t i = 0;
    while (i < bytes.size) {
        size_t length = text_utf8_character(p + i, bytes.size - i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

size_t text_columns(holt_slice text)
{
    const uint8_t *p = text.data;
    size_t columns = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_continuation(p[i])) columns++;
    }
    return columns;
}

/* Bytes of the printable character at p, 0 when what stands there is to be escaped. U+0080 to U+009F are
 * control characters, which some terminals obey. */
static size_t printable_character(const uint8_t *p, size_t size)
{
    if (p[0] >= 0x20 && p[0] < 0x7f) return 1;
    if (p[0] < 0x80) return 0;
    if (p[0] == 0xc2 && size > 1 && p[1] < 0xa0) return 0;
    return text_utf8_character(p, size);
}

/* Writes the escape of one byte into out and returns its length. */
static size_t escape_byte(uint8_t byte, char out[4])
{
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    switch (byte) {
    case '\n':
        out[1] = 'n';
        return 2;
    case '\t':
        out[1] = 't';
        return 2;
    case '\r':
        out[1] = 'r';
        return 2;
    case '\\':
        out[1] = '\\';
        return 2;
    default:
        out[1] = 'x';
        out[2] = digits[byte >> 4];
        out[3] = digits[byte & 15];
        return 4;
    }
}

/* Bytes from p on that need no escape; `kept` are the characters that would need one but stay. */
static size_t plain_run(const uint8_t *p, size_t size, const char *kept)
{
    size_t i = 0;
    while (i < size) {
        size_t length = printable_character(p + i, size - i);
        bool special = length == 0 || p[i] == '\\';
        if (special && (p[i] == 0 || !strchr(kept, p[i]))) break;
        i += length ? length : 1;
    }
    return i;
}

static void write_text(FILE *out, holt_slice bytes, const char *kept)
{
    const uint8_t *p = bytes.data;
    size_t i = 0;
    while (i < bytes.size) {
        size_t run = plain_run(p + i, bytes.size - i, kept);
        if (run) fwrite(p + i, 1, run, out);
        i += run;
        if (i == bytes.size) break;
        char escape[4];
        fwrite(escape, 1, escape_byte(p[i], escape), out);
        i++;
    }
}

void text_write_escaped(FILE *out, holt_slice bytes)
{
    write_text(out, bytes, "");
}

void text_write_for_people(FILE *out, holt_slice bytes)
{
    write_text(out, bytes, "\n\t\\");
}

void text_write_hex(FILE *out, holt_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes.data;
    for (size_t i = 0; i < bytes.size; i++) {
        putc_unlocked(digits[p[i] >> 4], out);
        putc_unlocked(digits[p[i] & 15], out);
    }
}

void text_append_cut(buffer *out, holt_slice bytes, size_t columns)
{
    const uint8_t *p = bytes.data;
    size_t used = 0;
    size_t cut = out->size; /* where an ellipsis still fits */
    for (size_t i = 0; i < bytes.size;) {
        char escape[4];
        size_t length = printable_character(p + i, bytes.size - i);
        bool plain = length > 0 && p[i] != '\\';
        size_t width = plain ? 1 : escape_byte(p[i], escape);
        if (used + width > columns) {
            out->size = cut;
            if (columns > 0) buffer_append_string(out, "\xe2\x80\xa6");
            return;
        }
        buffer_append(out, plain ? (const void *)(p + i) : escape, plain ? length : width);
        i += plain ? length : 1;
        used += width;
        if (used < columns) cut = out->size;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte that the escape at p means, and the escape's length; 0 when it is none. */
static size_t read_escape(const char *p, size_t size, char *byte)
{
    if (size < 2) return 0;
    switch (p[1]) {
    case 'n':
        *byte = '\n';
        return 2;
    case 't':
        *byte = '\t';
        return 2;
    case 'r':
        *byte = '\r';
        return 2;
    case '\\':
        *byte = '\\';
        return 2;
    case 'x':
        if (size < 4 || hex_digit(p[2]) < 0 || hex_digit(p[3]) < 0) return 0;
        *byte = (char)(hex_digit(p[2]) * 16 + hex_digit(p[3]));
        return 4;
    default:
        return 0;
    }
}

const char *text_unescape(char *bytes, size_t *size)
{
    size_t from = 0, to = 0;
    while (from < *size) {
        const char *backslash = memchr(bytes + from, '\\', *size - from);
        size_t run = backslash ? (size_t)(backslash - (bytes + from)) : *size - from;
        if (to != from) memmove(bytes + to, bytes + from, run);
        from += run;
        to += run;
        if (!backslash) break;
        size_t length = read_escape(bytes + from, *size - from, &bytes[to]);
        if (length == 0) return bytes + from;
        from += length;
        to++;
    }
    *size = to;
    return NULL;
}

bool text_unhex(char *bytes, size_t *size)
{
    if (*size % 2) return false;
    for (size_t i = 0; i < *size; i++) {
        if (hex_digit(bytes[i]) < 0) return false;
    }
    for (size_t i = 0; i < *size; i += 2) {
        bytes[i / 2] = (char)(hex_digit(bytes[i]) * 16 + hex_digit(bytes[i + 1]));
    }
    *size /= 2;
    return true;
}
