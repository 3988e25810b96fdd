/* position.h -- a place in the log: a segment's number and a byte offset in its file. Positions are ordered.
 * */
#ifndef HOLT_LOG_POSITION_H
#define HOLT_LOG_POSITION_H

#include "base/slice.h"

typedef uint64_t seqno; /* number of one operation; a commit owns a consecutive range */

typedef struct log_position {
    uint64_t segment;
    uint64_t offset;
} log_position;

static inline int log_position_compare(log_position a, log_position b)
{
    if (a.segment != b.segment) return a.segment < b.segment ? -1 : 1;
    return (a.offset > b.offset) - (a.offset < b.offset);
}

static inline log_position log_position_max(log_position a, log_position b)
{
    return log_position_compare(a, b) >= 0 ? a : b;
}

/* A manifest record by name: segments name the last durable one, so that a manifest cut short is found out.
 * */
typedef struct manifest_mark {
    uint64_t number;   /* of the MANIFEST file */
    uint64_t record;   /* within it, from 0 */
    uint64_t checksum; /* of the record */
} manifest_mark;

#endif
