/* frame.h -- the frame: the checksummed record that the write-ahead log and the manifest consist of.
 *
 * A frame, little-endian, 8-byte aligned in its file:
 *   offset  size  field
 *        0     4  length of the whole frame, a multiple of 8
 *        4     1  type: 1 commit, 2 seal, 3 close, 4 manifest record
 *        5     3  zero
 *        8     8  salt of the file: drawn at random when the file is named, so that stale bytes never
 *                 validate
 *       16     8  offset of this frame in its file
 *       24     8  checksum of the frame before it (of the file's header for the first one)
 *       32     8  commit: seqno of its first operation; seal, close: the next seqno; manifest record: its
 *                 number
 *       40    16  position (segment, offset) up to which the log was synced when the frame was built; never
 *                 covers the frame itself
 *       56     4  payload length
 *       60     4  operations in the payload
 *       64     8  XXH3-64 of bytes 0..63
 *       72     n  payload, then zeros up to a multiple of 8
 * length-8     8  XXH3-64 of everything before it
 *
 * The header has a checksum of its own, so a reader can trust the length before reading that many bytes.
 * Salt, offset and the chain of checksums ensure that a frame of a recycled, cut or copied file cannot pass
 * for a frame of this place.
 */
#ifndef HOLT_LOG_FRAME_H
#define HOLT_LOG_FRAME_H

#include "log/position.h"

enum { FRAME_HEADER = 72, FRAME_TRAILER = 8, FRAME_ALIGN = 8, FRAME_SALT_END = 16 };

typedef enum frame_type { FRAME_COMMIT = 1, FRAME_SEAL = 2, FRAME_CLOSE = 3, FRAME_RECORD = 4 } frame_type;

typedef struct frame {
    uint32_t length;     /* of the whole frame in the file */
    uint8_t type;        /* frame_type */
    uint64_t salt;
    uint64_t offset;
    uint64_t previous;
    uint64_t number;     /* first seqno, or record number */
    log_position synced;
    uint32_t operations;
    uint64_t checksum;   /* set by frame_encode and frame_decode */
    slice payload;
} frame;

/* Returns the size in the file of a frame with this payload. */
static inline size_t frame_length(size_t payload_size)
{
    return (FRAME_HEADER + payload_size + FRAME_TRAILER + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* Returns how many of these bytes follow the payload. */
static inline size_t frame_tail_size(size_t payload_size)
{
    return frame_length(payload_size) - FRAME_HEADER - payload_size;
}

/* Completes the frame at `at`. Its payload of f->payload.size bytes must already be at at + FRAME_HEADER
 * (f->payload.data is not read). Sets f->length and f->checksum. */
void frame_encode(uint8_t *at, frame *f);

/* Encodes the frame in three parts: FRAME_HEADER bytes, the payload, which is where f->payload.data points
 * to, and frame_tail_size() bytes. Sets f->length and f->checksum. */
void frame_encode_around(uint8_t *header, uint8_t *tail, frame *f);

/* Returns the frame length that the header at `at` states, or 0 unless it is valid and has this salt and
 * offset. `at` has FRAME_HEADER bytes. */
uint32_t frame_header_check(const uint8_t *at, uint64_t salt, uint64_t offset);

/* Decodes a frame whose header has passed the check and all of which is at `at`. Returns false when its
 * checksum or structure is bad. The payload is borrowed. */
bool frame_decode(const uint8_t *at, uint32_t length, frame *out);

#endif
