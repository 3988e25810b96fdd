/* text.c -- see text.h. */
#include "common/text.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Returns the size of a character from its first byte, and sets the range of its second byte, which excludes
 * overlong forms, surrogates and code points beyond U+10FFFF. */
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

uint32_t text_utf8_decode(const uint8_t *p, size_t length)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = p[0] & first_bits[length];
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | (p[i] & 0x3f);
    }
    return character;
}

bool text_is_invisible(const uint8_t *p, size_t length)
{
    /* Unicode's format characters (Cf) except the few that have a glyph, its line and paragraph separators,
     * and the rest of Default_Ignorable_Code_Point: fillers, joiners, variation selectors, tags. */
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
        {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x13430, 0x13440},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    };
    uint32_t character = text_utf8_decode(p, length);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && character >= ranges[i].first; i++) {
        if (character <= ranges[i].last) return true;
    }
    return false;
}

/* How bytes are written. `kept`: characters that are not escaped although they would be. */
typedef struct text_style {
    const char *kept;
    bool visible; /* escape invisible characters */
} text_style;

/* Returns the bytes of the printable character at p, or 0 if it must be escaped. U+0080 to U+009F are control
 * characters, which some terminals obey. */
static size_t printable_character(const uint8_t *p, size_t size, bool visible)
{
    if (p[0] >= 0x20 && p[0] < 0x7f) return 1;
    if (p[0] < 0x80) return 0;
    if (p[0] == 0xc2 && size > 1 && p[1] < 0xa0) return 0;
    size_t length = text_utf8_character(p, size);
    return visible && length > 1 && text_is_invisible(p, length) ? 0 : length;
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

/* Returns the number of bytes from p on that need no escape. */
static size_t plain_run(const uint8_t *p, size_t size, text_style style)
{
    size_t i = 0;
    while (i < size) {
        size_t length = printable_character(p + i, size - i, style.visible);
        bool special = length == 0 || p[i] == '\\';
        if (special && (p[i] == 0 || !strchr(style.kept, p[i]))) break;
        i += length ? length : 1;
    }
    return i;
}

static void write_text(FILE *out, holt_slice bytes, text_style style)
{
    const uint8_t *p = bytes.data;
    size_t i = 0;
    while (i < bytes.size) {
        size_t run = plain_run(p + i, bytes.size - i, style);
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
    write_text(out, bytes, (text_style){"", false});
}

void text_write_visible(FILE *out, holt_slice bytes)
{
    write_text(out, bytes, (text_style){"", true});
}

void text_write_for_people(FILE *out, holt_slice bytes)
{
    write_text(out, bytes, (text_style){"\n\t\\", true});
}

void text_write_message(FILE *out, holt_slice bytes)
{
    write_text(out, bytes, (text_style){"\\", true});
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

void text_append_cut(byte_buffer *out, holt_slice bytes, size_t columns)
{
    const uint8_t *p = bytes.data;
    size_t used = 0;
    size_t cut = out->size; /* the last place where an ellipsis fits */
    for (size_t i = 0; i < bytes.size;) {
        char escape[4];
        size_t length = printable_character(p + i, bytes.size - i, true);
        bool plain = length > 0 && p[i] != '\\';
        size_t width = plain ? 1 : escape_byte(p[i], escape);
        if (used + width > columns) {
            out->size = cut;
            if (columns > 0) byte_buffer_append_string(out, "\xe2\x80\xa6");
            return;
        }
        byte_buffer_append(out, plain ? (const void *)(p + i) : escape, plain ? length : width);
        i += plain ? length : 1;
        used += width;
        if (used < columns) cut = out->size;
    }
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Sets the byte that the escape at p means, and returns the length of the escape; 0 if it is not one. */
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
        if (size < 4 || text_hex_digit(p[2]) < 0 || text_hex_digit(p[3]) < 0) return 0;
        *byte = (char)(text_hex_digit(p[2]) * 16 + text_hex_digit(p[3]));
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
        if (text_hex_digit(bytes[i]) < 0) return false;
    }
    for (size_t i = 0; i < *size; i += 2) {
        bytes[i / 2] = (char)(text_hex_digit(bytes[i]) * 16 + text_hex_digit(bytes[i + 1]));
    }
    *size /= 2;
    return true;
}
