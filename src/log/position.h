/* position.h -- names for places: in the log (segment number, offset in its file; ordered) and in the
 * manifest. */
#ifndef HOLT_LOG_POSITION_H
#define HOLT_LOG_POSITION_H

#include "base/slice.h"

typedef uint64_t seqno; /* number of one operation; a commit has a consecutive range of them */

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

/* Names a manifest record. Each segment names the last durable one, so that recovery notices a manifest that
 * was cut short. */
typedef struct manifest_mark {
    uint64_t number;   /* of the MANIFEST file */
    uint64_t record;   /* within it, from 0 */
    uint64_t checksum; /* of the record */
} manifest_mark;

#endif
