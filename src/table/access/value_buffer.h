/* value_buffer.h -- a value that was read from the database, in memory that is reused.
 *
 * As holt_value and holt_get, without the version, which takes time to compute and is not needed here.
 */
#ifndef HOLT_TABLE_VALUE_BUFFER_H
#define HOLT_TABLE_VALUE_BUFFER_H

#include "base/slice.h"

typedef struct value_buffer {
    uint8_t *data;
    size_t size, capacity;
} value_buffer;

/* Reads the value of the key. HOLT_NOT_FOUND, without a message: it has none. */
holt_status value_buffer_get(value_buffer *v, holt_collection *c, holt_txn *txn, slice key);
void        value_buffer_deinit(value_buffer *v);

static inline slice value_buffer_slice(const value_buffer *v)
{
    return slice_of(v->data, v->size);
}

#endif
