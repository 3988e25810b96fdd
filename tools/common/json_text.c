/* json_text.c -- see json_text.h. */
#include "common/json_text.h"

#include <string.h>

#include "common/text.h"

/* Returns the number that the four hexadecimal digits at p mean, or -1. */
static int read_unit(const char *p, size_t size)
{
    int unit = 0;
    if (size < 4) return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = text_hex_digit(p[i]);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Checks the escape at p (a backslash) and sets its length, which is 12 for a pair of surrogates. Returns
 * NULL or a description of the problem. */
static const char *check_escape(const char *p, size_t size, size_t *length, bool *zero)
{
    if (size < 2) return "the text ends inside a string";
    *length = 2;
    if (p[1] != 'u')
        return p[1] && strchr("\"\\/bfnrt", p[1]) ? NULL : "a backslash that does not begin a JSON escape";
    int unit = read_unit(p + 2, size - 2);
    if (unit < 0) return "\\u without four hexadecimal digits";
    *length = 6;
    if (unit == 0) *zero = true;
    if (unit < 0xd800 || unit > 0xdfff) return NULL;
    int low = size >= 12 && p[6] == '\\' && p[7] == 'u' ? read_unit(p + 8, size - 8) : -1;
    *length = 12;
    return unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff ? NULL : "half of a pair of surrogates";
}

/* Checks the string at p (its quote) and sets its length. Returns NULL or a description of the problem. */
static const char *check_string(const char *p, size_t size, size_t *length, bool *zero)
{
    *zero = false;
    for (size_t i = 1, step; i < size; i += step) {
        step = 1;
        if (p[i] == '"') {
            *length = i + 1;
            return NULL;
        }
        if ((unsigned char)p[i] < 0x20) return "a control character in a string; JSON requires an escape";
        const char *problem = p[i] == '\\' ? check_escape(p + i, size - i, &step, zero) : NULL;
        if (problem) return problem;
    }
    return "the text ends inside a string";
}

const char *json_text_check(const char *text, size_t size, bool lines, size_t *names)
{
    bool zero = false; /* the previous string contains a zero character */
    *names = 0;
    if (!text_is_utf8(holt_bytes(text, size))) return "the text is not UTF-8";
    for (size_t i = 0, step; i < size; i += step) {
        step = 1;
        if (text[i] == '"') {
            const char *problem = check_string(text + i, size - i, &step, &zero);
            if (problem) return problem;
        } else if (text[i] == ':') {
            if (zero) return "a name with a zero character";
            ++*names;
        } else if (text[i] == '\'') {
            return "a string in single quotes";
        } else if ((unsigned char)text[i] < 0x20 && text[i] != '\t' && text[i] != '\r' &&
                   !(lines && text[i] == '\n')) {
            return "a control character";
        }
    }
    return NULL;
}

/* Returns six bits, or -1. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool json_text_decode_base64(const char *p, size_t size, char *out, size_t *out_size)
{
    *out_size = 0;
    if (size % 4) return false;
    for (size_t i = 0; i < size; i += 4) {
        size_t padding = i + 4 < size || p[i + 3] != '=' ? 0 : p[i + 2] == '=' ? 2 : 1;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            int digit = k < 4 - padding ? base64_digit(p[i + k]) : 0;
            if (digit < 0) return false;
            group = group << 6 | (uint32_t)digit;
        }
        const char bytes[] = {(char)(group >> 16), (char)(group >> 8), (char)group};
        if (group & ((1u << 8 * padding) - 1)) return false;
        memcpy(out + *out_size, bytes, 3 - padding);
        *out_size += 3 - padding;
    }
    return true;
}
