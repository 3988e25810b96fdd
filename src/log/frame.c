/* frame.c -- encoding and decoding of frames; frame.h describes the bytes. */
#include "log/frame.h"

#include "base/coding.h"
#include "base/hash.h"

#include <assert.h>

enum {
    AT_LENGTH = 0,
    AT_TYPE = 4,
    AT_SALT = 8,
    AT_OFFSET = 16,
    AT_PREVIOUS = 24,
    AT_NUMBER = 32,
    AT_SYNCED_SEGMENT = 40,
    AT_SYNCED_OFFSET = 48,
    AT_PAYLOAD_LENGTH = 56,
    AT_OPERATIONS = 60,
    AT_HEADER_CHECKSUM = 64
};
_Static_assert(AT_HEADER_CHECKSUM + 8 == FRAME_HEADER, "the header ends with its checksum");
_Static_assert(AT_SALT + 8 == FRAME_SALT_END, "a search compares the salt there");

static void encode_header(uint8_t *at, const frame *f)
{
    assert(f->offset % FRAME_ALIGN == 0 && f->type >= FRAME_COMMIT && f->type <= FRAME_RECORD);
    put_u32le(at + AT_LENGTH, f->length);
    put_u32le(at + AT_TYPE, f->type); /* and three zeros */
    put_u64le(at + AT_SALT, f->salt);
    put_u64le(at + AT_OFFSET, f->offset);
    put_u64le(at + AT_PREVIOUS, f->previous);
    put_u64le(at + AT_NUMBER, f->number);
    put_u64le(at + AT_SYNCED_SEGMENT, f->synced.segment);
    put_u64le(at + AT_SYNCED_OFFSET, f->synced.offset);
    put_u32le(at + AT_PAYLOAD_LENGTH, (uint32_t)f->payload.size);
    put_u32le(at + AT_OPERATIONS, f->operations);
    put_u64le(at + AT_HEADER_CHECKSUM, hash_bytes(at, AT_HEADER_CHECKSUM));
}

static void set_length(frame *f)
{
    size_t length = frame_length(f->payload.size);
    assert(length <= UINT32_MAX);
    f->length = (uint32_t)length;
}

void frame_encode(uint8_t *at, frame *f)
{
    set_length(f);
    encode_header(at, f);
    size_t padded = FRAME_HEADER + f->payload.size, end = f->length - FRAME_TRAILER;
    memset(at + padded, 0, end - padded);
    f->checksum = hash_bytes(at, end);
    put_u64le(at + end, f->checksum);
}

void frame_encode_around(uint8_t *header, uint8_t *tail, frame *f)
{
    set_length(f);
    encode_header(header, f);
    size_t padding = frame_tail_size(f->payload.size) - FRAME_TRAILER;
    memset(tail, 0, padding);
    const slice parts[] = {slice_of(header, FRAME_HEADER), f->payload, slice_of(tail, padding)};
    f->checksum = hash_parts(parts, sizeof parts / sizeof *parts);
    put_u64le(tail + padding, f->checksum);
}

uint32_t frame_header_check(const uint8_t *at, uint64_t salt, uint64_t offset)
{
    /* The cheap comparisons first: most candidates of a search fail them. */
    if (get_u64le(at + AT_SALT) != salt || get_u64le(at + AT_OFFSET) != offset) return 0;
    if (get_u64le(at + AT_HEADER_CHECKSUM) != hash_bytes(at, AT_HEADER_CHECKSUM)) return 0;
    uint32_t type = get_u32le(at + AT_TYPE), length = get_u32le(at + AT_LENGTH);
    if (type < FRAME_COMMIT || type > FRAME_RECORD) return 0;
    if (frame_length(get_u32le(at + AT_PAYLOAD_LENGTH)) != length) return 0;
    return length;
}

bool frame_decode(const uint8_t *at, uint32_t length, frame *out)
{
    assert(length >= FRAME_HEADER + FRAME_TRAILER);
    size_t end = length - FRAME_TRAILER, payload = get_u32le(at + AT_PAYLOAD_LENGTH);
    out->length = length;
    out->type = at[AT_TYPE];
    out->salt = get_u64le(at + AT_SALT);
    out->offset = get_u64le(at + AT_OFFSET);
    out->previous = get_u64le(at + AT_PREVIOUS);
    out->number = get_u64le(at + AT_NUMBER);
    out->synced.segment = get_u64le(at + AT_SYNCED_SEGMENT);
    out->synced.offset = get_u64le(at + AT_SYNCED_OFFSET);
    out->operations = get_u32le(at + AT_OPERATIONS);
    out->checksum = get_u64le(at + end);
    out->payload = slice_of(at + FRAME_HEADER, payload);
    if (out->checksum != hash_bytes(at, end)) return false;
    for (size_t i = FRAME_HEADER + payload; i < end; i++)
        if (at[i]) return false;
    return true;
}
