/* key_code.h -- tuples of typed values as bytes, in an order that memcmp knows.
 *
 * A key is the concatenation of its parts. Each part is a tag byte and a payload that tells its own end, and
 * no part's code is the beginning of another's: so comparing the bytes of two keys compares them part by
 * part, and the code of the first parts of a key is the beginning of its own code.
 *
 *     null < false < true < integers < reals < text < blobs
 *
 * A descending part has all of its bytes complemented. Tags are neither 0x00 nor 0xff, complemented or not:
 * so every code has a successor that is not longer (key_code_prefix_end), and keys that begin with one of
 * these two bytes are free for other purposes.
 *
 * Every value has exactly one code; the decoder refuses all other bytes, except that it accepts text that is
 * not UTF-8.
 *
 * Concurrency  one thread for each buffer and each reader.
 * Bytes        docs/FORMAT.md, "Keys of tables"
 */
#ifndef HOLT_TABLE_KEY_CODE_H
#define HOLT_TABLE_KEY_CODE_H

#include <holt/table.h>

#include "base/buffer.h"

/* No code of a value without bytes, that is neither text nor a blob, is longer. */
enum { KEY_CODE_SCALAR_MAX = 9 };

/* The bytes that the code of `d` takes. */
size_t key_code_size(const holt_datum *d);

/* Appends the code of one part. The datum has been checked: its type is known, it is no NaN. When out of
 * memory, the buffer is marked as failed. */
void key_code_append(buffer *b, const holt_datum *d, bool descending);

/* Writes the code of one part to memory of key_code_size() bytes, and returns their number. */
size_t key_code_write(uint8_t *at, const holt_datum *d, bool descending);

/* Turns a code in place into the end of the range of all keys that begin with it: its last byte that is not
 * 0xff is incremented, and those after it are cut off. */
void key_code_prefix_end(uint8_t *key, size_t *size);

/* Reads a key from untrusted bytes, part by part. Text and blobs that contain no zero byte and are not
 * descending point into the key, others into `room`. */
typedef struct key_reader {
    const uint8_t *at, *end;
    uint8_t *room;
} key_reader;

/* `room`: as many bytes as the key has, which are not used again for another part. It may be NULL if the
 * reader only skips, but not because a number is expected: the bytes may say otherwise. */
static inline key_reader key_reader_of(slice key, uint8_t *room)
{
    const uint8_t *at = key.data ? (const uint8_t *)key.data : (const uint8_t *)"";
    key_reader r = {at, at + key.size, room};
    return r;
}

static inline bool key_reader_done(const key_reader *r)
{
    return r->at == r->end;
}

/* What has not been read yet. */
static inline slice key_reader_rest(const key_reader *r)
{
    return slice_of(r->at, (size_t)(r->end - r->at));
}

/* Decodes the next part. Returns false at the end and if the bytes are no part of a key; the reader is then
 * of no further use, and *d is null. No message is set. Whether text is UTF-8 is not examined. */
bool key_code_next(key_reader *r, bool descending, holt_datum *d);

/* Moves over the next part. Returns false likewise; that the part can be decoded is not checked. */
bool key_code_skip(key_reader *r, bool descending);

#endif
