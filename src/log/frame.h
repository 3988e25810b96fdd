/* frame.h -- the framed, checksummed record that the write-ahead log and the manifest are made of.
 *
 * A frame, little-endian, 8-byte aligned in its file:
 *   offset  size  field
 *        0     4  length of the whole frame, a multiple of 8
 *        4     1  type: 1 commit, 2 seal, 3 close, 4 manifest record
 *        5     3  zero
 *        8     8  salt of the file: drawn at random when the file is named, so that stale bytes never
 *              validate
 *       16     8  offset of this frame in its file
 *       24     8  checksum of the frame before it (of the file's header for the first one)
 *       32     8  commit: seqno of its first operation; seal, close: the next seqno; manifest record: its
 *              number
 *       40    16  position (segment, offset) known synced when the frame was built; never its own sync
 *       56     4  payload length
 *       60     4  operations in the payload
 *       64     8  XXH3-64 of bytes 0..63
 *       72     n  payload, then zeros up to a multiple of 8
 * length-8     8  XXH3-64 of everything before it
 *
 * The header's own checksum lets a reader trust the length before it reads that much. Epoch, offset and the
 * chain of checksums make it impossible for a frame of a recycled, cut or copied file to pass for one of this
 * place.
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

/* Bytes that a frame with so much payload takes. */
static inline size_t frame_length(size_t payload_size)
{
    return (FRAME_HEADER + payload_size + FRAME_TRAILER + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* Completes the frame at `at`, whose payload of f->payload.size bytes already stands at at + FRAME_HEADER
 * (f->payload.data is not read). Sets f->length and f->checksum. */
void frame_encode(uint8_t *at, frame *f);

/* The length that a valid header of this salt and offset states, or 0. `at` has FRAME_HEADER bytes. */
uint32_t frame_header_check(const uint8_t *at, uint64_t salt, uint64_t offset);

/* Decodes a frame whose header passed the check and that is wholly at `at`. false: its checksum or structure
 * is bad. The payload is borrowed. */
bool frame_decode(const uint8_t *at, uint32_t length, frame *out);

#endif
