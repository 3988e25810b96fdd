/* key_words.h -- the first 16 bytes of a key as two numbers, which order as the bytes do: most keys are
 * compared with them alone, without a call. What is shorter counts as padded with zeros.
 *
 * Concurrency  none: values.
 */
#ifndef HOLT_BASE_KEY_WORDS_H
#define HOLT_BASE_KEY_WORDS_H

#include "base/coding.h"
#include "base/slice.h"

enum { KEY_WORD_BYTES = 8 };

typedef struct key_words {
    uint64_t first, second;
} key_words;

static inline key_words key_words_of(slice key)
{
    key_words w = {get_head64((const uint8_t *)key.data, key.size), 0};
    if (key.size > KEY_WORD_BYTES)
        w.second = get_head64((const uint8_t *)key.data + KEY_WORD_BYTES, key.size - KEY_WORD_BYTES);
    return w;
}

/* The order of two keys, given with their words. */
static inline int key_words_compare(key_words a, slice a_key, key_words b, slice b_key)
{
    if (a.first != b.first) return a.first < b.first ? -1 : 1;
    if (a.second != b.second) return a.second < b.second ? -1 : 1;
    /* Short keys of one size have no more bytes. */
    if (a_key.size == b_key.size && a_key.size <= sizeof(key_words)) return 0;
    return slice_compare(a_key, b_key);
}

#endif
