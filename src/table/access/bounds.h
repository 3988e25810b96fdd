/* bounds.h -- the range of keys that the bounds of a scan mean.
 *
 * The bounds are values of the first parts of a primary key or of an index. All keys that begin with the same
 * parts are neighbours, so a bound that includes them ends after their common beginning
 * (key_code_prefix_end).
 *
 * A part that is hashed has no order: it can be in a bound only if both bounds have the same values up to it.
 */
#ifndef HOLT_TABLE_BOUNDS_H
#define HOLT_TABLE_BOUNDS_H

#include "table/table.h"

typedef struct scan_bounds {
    buffer begin, end; /* [begin, end); open if size is 0 */
    /* Both bounds are the same, inclusive, and `begin` is the code of their parts. */
    bool equal;
    /* `begin` is the whole key of at most one entry: the primary key, or all parts of a unique index, none of
     * which is null. */
    bool point;
    /* The code of the equal parts without hashes, if the index has hashed ones among them: rows of other
     * values may have the same hashes. */
    buffer plain;
    uint32_t plain_parts;
} scan_bounds;

/* index: NULL = the primary key. `out` is empty, or was used before.
 *   HOLT_INVALID  an option is unknown, or a bound does not fit: too many parts, another type, or a range of
 *                 a hashed part */
holt_status bounds_encode(scan_bounds *out, const schema *s, const schema_index *index,
                          const holt_scan_options *o);
void bounds_deinit(scan_bounds *b);

static inline slice bounds_begin(const scan_bounds *b)
{
    return b->begin.size ? buffer_slice(&b->begin) : slice_of(NULL, 0);
}

static inline slice bounds_end(const scan_bounds *b)
{
    return b->end.size ? buffer_slice(&b->end) : slice_of(NULL, 0);
}

/* Whether a row that was found by the hashes has the values that were asked for. `room` is working memory. */
holt_status bounds_match(const scan_bounds *b, const schema_index *x, const holt_datum *row, buffer *room,
                         bool *equal);

/* Finds an index by its number, for reading. HOLT_INVALID: there is none. HOLT_BUSY: it is not complete. */
holt_status bounds_find_index(const table_layout *layout, uint32_t id, uint32_t *position);

#endif
