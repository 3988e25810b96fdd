/* utf8.c -- whether bytes are UTF-8. Runs of ASCII are passed over eight bytes at a time. */
#include "base/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* The length of the sequence at s, of which `left` bytes are there, or 0. */
static size_t sequence(const uint8_t *s, size_t left)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0; /* overlong; surrogates */
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* overlong; past U+10FFFF */
    return n;
}

static bool ascii_word(const uint8_t *s)
{
    uint64_t word;
    memcpy(&word, s, sizeof word);
    return (word & HIGH_BITS) == 0;
}

bool utf8_valid(slice text, size_t *characters)
{
    const uint8_t *s = (const uint8_t *)text.data;
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        if (text.size - at >= 8 && ascii_word(s + at)) {
            at += 8;
            count += 8;
            continue;
        }
        size_t n = sequence(s + at, text.size - at);
        if (n == 0) return false;
        at += n;
        count++;
    }
    if (characters) *characters = count;
    return true;
}

static bool control_character(const uint8_t *s)
{
    return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

size_t utf8_find_unprintable(slice text)
{
    const uint8_t *s = (const uint8_t *)text.data;
    size_t at = 0;
    while (at < text.size) {
        size_t n = sequence(s + at, text.size - at);
        if (n == 0 || control_character(s + at)) break;
        at += n;
    }
    return at;
}
