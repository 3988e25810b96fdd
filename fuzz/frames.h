/* frames.h -- repairs arbitrary bytes into a chain of frames: sets salts, offsets and checksums, which no
 * input would guess. */
#ifndef HOLT_FUZZ_FRAMES_H
#define HOLT_FUZZ_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include "base/coding.h"
#include "base/hash.h"
#include "log/frame.h"

static inline void expect(bool condition)
{
    if (!condition) abort();
}

/* Bits of a frame's byte 5 that say which of its fields are not repaired. */
enum { HABIT_KEEP_NUMBER = 1, HABIT_KEEP_PREVIOUS = 2, HABIT_KEEP_CHECKSUM = 4, HABIT_KEEP_SALT = 8 };

typedef struct chain {
    uint64_t salt, previous, number;
} chain;

/* The number of the frame after this one. */
static inline uint64_t chain_next_number(const uint8_t *at)
{
    uint64_t number = get_u64le(at + 32);
    if (at[4] == FRAME_COMMIT) return number + get_u32le(at + 60);
    return at[4] == FRAME_RECORD ? number + 1 : number;
}

/* Repairs the frame at `offset` of an image. Returns its length, or 0 if there is no room for one. */
static inline size_t frame_mend(uint8_t *image, size_t size, size_t offset, chain *c)
{
    uint8_t *at = image + offset;
    if (size - offset < frame_length(0)) return 0;
    uint8_t habits = at[5];
    size_t payload = get_u32le(at + 56) % 2048, room = size - offset - frame_length(0);
    if (frame_length(payload) > size - offset) payload = room / 8 * 8;
    size_t length = frame_length(payload);
    memset(at + 5, 0, 3);
    put_u32le(at, (uint32_t)length);
    put_u32le(at + 56, (uint32_t)payload);
    at[4] = (uint8_t)(1 + (at[4] + 4) % 5); /* 1 to 4 are valid, 5 is not */
    put_u64le(at + 16, offset);
    if (!(habits & HABIT_KEEP_SALT)) put_u64le(at + 8, c->salt);
    if (!(habits & HABIT_KEEP_PREVIOUS)) put_u64le(at + 24, c->previous);
    if (!(habits & HABIT_KEEP_NUMBER)) put_u64le(at + 32, c->number);
    put_u64le(at + 64, hash_bytes(at, 64));
    memset(at + FRAME_HEADER + payload, 0, length - FRAME_HEADER - payload - FRAME_TRAILER);
    c->previous = hash_bytes(at, length - FRAME_TRAILER);
    if (!(habits & HABIT_KEEP_CHECKSUM)) put_u64le(at + length - FRAME_TRAILER, c->previous);
    c->number = chain_next_number(at);
    return length;
}

/* Repairs frames from `offset` to the end of the image. */
static inline void frames_mend(uint8_t *image, size_t size, size_t offset, chain *c)
{
    for (size_t length = 1; length && offset < size; offset += length)
        length = frame_mend(image, size, offset, c);
}

#endif
