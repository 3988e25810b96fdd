/* segment.h -- names and headers of log segments.
 *
 * The header of wal-n.log, little-endian, in the first SEGMENT_FRAMES bytes (the rest of them zero):
 *   offset  size  field
 *        0    48  common header (base/file_header.h): "HOLTWAL\0", version 1, flags zero, database id, the
 *                 segment's own number, salt of its frames, drawn when the segment was named
 *       48    16  end of the predecessor (segment, offset); zero for the first segment of a process
 *       64    24  the last durable manifest record: manifest number, record number, checksum
 *       88    16  position up to which the log was synced when the header was built
 *      104     8  seqno of the first operation to come
 *      112     8  zero
 *      120     8  XXH3-64 of bytes 0..119
 * Frames follow, beginning at offset SEGMENT_FRAMES.
 */
#ifndef HOLT_LOG_SEGMENT_H
#define HOLT_LOG_SEGMENT_H

#include "log/position.h"
#include "os/os.h"

enum { SEGMENT_HEADER = 128, SEGMENT_FRAMES = 512, LOG_FORMAT_VERSION = 1 };

typedef struct segment_header {
    uint64_t database_id[2];
    uint64_t number;
    uint64_t salt;
    log_position predecessor;
    manifest_mark manifest;
    log_position synced;
    seqno first_seqno;
    uint64_t checksum; /* set by encode and decode */
} segment_header;

void segment_header_encode(uint8_t out[SEGMENT_HEADER], segment_header *h);
/* HOLT_NOT_FOUND: not a header of this segment and database (stale, zero or damaged). HOLT_UNSUPPORTED: a
 * header of a newer format. */
holt_status segment_header_decode(const uint8_t in[SEGMENT_HEADER], uint64_t number,
                                  const uint64_t database_id[2], segment_header *out);

/* Whether the bytes are an intact header of any segment of any database. */
bool segment_header_intact(const uint8_t in[SEGMENT_HEADER]);

void segment_name(uint64_t number, char name[OS_NAME_MAX]);       /* wal-000001.log */
void segment_spare_name(uint64_t number, char name[OS_NAME_MAX]); /* spare-000001.log */

/* Reads the number in a name of the form PREFIX, digits, SUFFIX ("wal-", ".log"). Returns false for other
 * names. */
bool file_name_number(const char *name, const char *prefix, const char *suffix, uint64_t *number);

#endif
