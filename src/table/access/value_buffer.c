/* value_buffer.c -- reading a value into memory that grows as needed. */
#include "table/access/value_buffer.h"

#include "base/memory.h"
#include "base/status.h"

enum { FIRST_BYTES = 512 };

void value_buffer_deinit(value_buffer *v)
{
    mem_free(v->data);
    memset(v, 0, sizeof *v);
}

static bool grow(value_buffer *v, size_t need)
{
    size_t capacity = need < FIRST_BYTES ? FIRST_BYTES : need;
    uint8_t *data = mem_alloc(capacity);
    if (!data) {
        status_set_no_memory(capacity);
        return false;
    }
    mem_free(v->data);
    v->data = data;
    v->capacity = capacity;
    return true;
}

holt_status value_buffer_get(value_buffer *v, holt_collection *c, holt_txn *txn, slice key)
{
    v->size = 0;
    if (!v->data && !grow(v, 0)) return HOLT_NO_MEMORY;
    holt_status rc = holt_get_into(c, txn, key, v->data, v->capacity, &v->size);
    while (rc == HOLT_TOO_LARGE) { /* and again, if it has grown in the meantime */
        if (!grow(v, v->size)) return HOLT_NO_MEMORY;
        rc = holt_get_into(c, txn, key, v->data, v->capacity, &v->size);
    }
    return rc;
}
