/* coding.h -- integers as bytes: little-endian of fixed width, and varints (LEB128, at most 10 bytes).
 *
 * Untrusted bytes are read with a `decoder`. It never reads past its end, and once it has failed it stays
 * failed, so that a series of reads needs only one check at its end.
 */
#ifndef HOLT_BASE_CODING_H
#define HOLT_BASE_CODING_H

#include "base/slice.h"

static inline void put_u16le(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32le(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline void put_u64le(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint16_t get_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64le(const uint8_t *p)
{
    return (uint64_t)get_u32le(p) | (uint64_t)get_u32le(p + 4) << 32;
}

/* Returns up to 8 bytes as a big-endian number, zero-padded on the right. Such numbers order as the bytes
 * do. */
static inline uint64_t get_head64(const uint8_t *p, size_t size)
{
    uint64_t v = 0;
    if (size >= 8) {
        memcpy(&v, p, 8);
        return __builtin_bswap64(v); /* both supported machines are little-endian */
    }
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)p[i] << (56 - 8 * i);
    return v;
}

static inline uint32_t get_head32(const uint8_t *p, size_t size)
{
    return (uint32_t)(get_head64(p, size < 4 ? size : 4) >> 32);
}

enum { VARINT_BYTES_MAX = 10 };

static inline size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

/* Writes v and returns the position after it. */
static inline uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* Reads a varint from [p, end). Returns the position after it, or NULL if it is cut off or longer than 64
 * bits. */
static inline const uint8_t *get_varint(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift <= 63 && p < end; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1) return NULL;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *v = result;
            return p;
        }
    }
    return NULL;
}

typedef struct decoder {
    const uint8_t *at, *end;
    bool failed;
} decoder;

static inline decoder decoder_of(slice s)
{
    const uint8_t *at = s.data ? (const uint8_t *)s.data : (const uint8_t *)""; /* NULL + 0 is undefined */
    decoder d = {at, at + s.size, false};
    return d;
}

static inline size_t decoder_left(const decoder *d)
{
    return d->failed ? 0 : (size_t)(d->end - d->at);
}

/* Returns the next `size` bytes; if fewer are left, fails the decoder and returns an empty slice. */
static inline slice decode_bytes(decoder *d, uint64_t size)
{
    if (d->failed || size > (uint64_t)(d->end - d->at)) {
        d->failed = true;
        return slice_of("", 0);
    }
    slice s = slice_of(d->at, (size_t)size);
    d->at += size;
    return s;
}

static inline uint8_t decode_u8(decoder *d)
{
    slice s = decode_bytes(d, 1);
    return s.size ? *(const uint8_t *)s.data : 0;
}

static inline uint32_t decode_u32(decoder *d)
{
    slice s = decode_bytes(d, 4);
    return s.size ? get_u32le((const uint8_t *)s.data) : 0;
}

static inline uint64_t decode_u64(decoder *d)
{
    slice s = decode_bytes(d, 8);
    return s.size ? get_u64le((const uint8_t *)s.data) : 0;
}

static inline uint64_t decode_varint(decoder *d)
{
    uint64_t v = 0;
    const uint8_t *p = d->failed ? NULL : get_varint(d->at, d->end, &v);
    if (!p) {
        d->failed = true;
        return 0;
    }
    d->at = p;
    return v;
}

/* Decodes a varint that must fit in 32 bits. */
static inline uint32_t decode_varint32(decoder *d)
{
    uint64_t v = decode_varint(d);
    if (v > UINT32_MAX) d->failed = true;
    return d->failed ? 0 : (uint32_t)v;
}

/* Decodes a varint length and that many bytes. */
static inline slice decode_string(decoder *d)
{
    uint64_t size = decode_varint(d);
    return decode_bytes(d, size);
}

#endif
