/* operation.h -- the operations in the payload of a commit frame. A transaction keeps its write set in the
 * same form.
 *
 * One operation:
 *   size    field
 *      1    op: 1 put, 2 delete, 3 put until, 5 delete range (entry_op in base/iterator.h)
 *   1..5    collection id, varint
 *   1..3    key length, varint
 *   1..5    all but delete: value length, varint
 *      8    put until: expiry, milliseconds since 1970
 *      8    put until: time at which it was written, likewise
 *      n    key
 *      m    value
 *
 * A delete range has the first key of the range as its key and the end of the range, exclusive, as its value.
 * A range without a first key begins with the empty key, and an empty value means that the range has no end.
 * It is not empty: the key is below the end.
 */
#ifndef HOLT_LOG_OPERATION_H
#define HOLT_LOG_OPERATION_H

#include "base/coding.h"
#include "base/iterator.h"

typedef struct operation {
    uint8_t op; /* entry_op */
    uint32_t collection;
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL, else 0; as is the next */
    uint64_t time_ms;       /* when it was written: the database's time never goes below that again */
    slice key, value;
} operation;

enum { OPERATION_TIMES_SIZE = 16 };

static inline bool operation_is_put(const operation *o)
{
    return o->op == ENTRY_PUT || o->op == ENTRY_PUT_UNTIL;
}

/* Whether an operation on the key's collection changes the key. */
static inline bool operation_covers(const operation *o, slice key)
{
    if (o->op != ENTRY_DELETE_RANGE) return slice_equal(o->key, key);
    return slice_compare(o->key, key) <= 0 && (o->value.size == 0 || slice_compare(key, o->value) < 0);
}

static inline size_t operation_size(const operation *o)
{
    size_t size = 1 + varint_size(o->collection) + varint_size(o->key.size) + o->key.size;
    if (o->op == ENTRY_DELETE) return size;
    const size_t times = o->op == ENTRY_PUT_UNTIL ? OPERATION_TIMES_SIZE : 0;
    return size + varint_size(o->value.size) + o->value.size + times;
}

/* Writes operation_size(o) bytes; returns the position after them. */
static inline uint8_t *operation_encode(uint8_t *p, const operation *o)
{
    *p++ = o->op;
    p = put_varint(p, o->collection);
    p = put_varint(p, o->key.size);
    if (o->op != ENTRY_DELETE) p = put_varint(p, o->value.size);
    if (o->op == ENTRY_PUT_UNTIL) {
        put_u64le(p, o->expires_at_ms);
        put_u64le(p + 8, o->time_ms);
        p += OPERATION_TIMES_SIZE;
    }
    bytes_copy(p, o->key.data, o->key.size);
    p += o->key.size;
    if (o->op == ENTRY_DELETE) return p;
    bytes_copy(p, o->value.data, o->value.size);
    return p + o->value.size;
}

/* Whether an operation has a kind that is known and is allowed in the log. */
static inline bool operation_is_valid(const operation *o)
{
    if (o->op == ENTRY_DELETE_RANGE) return o->value.size == 0 || slice_compare(o->key, o->value) < 0;
    return o->op >= ENTRY_PUT && o->op <= ENTRY_PUT_UNTIL;
}

/* Decodes the next operation; its slices point into the payload. Returns false at the end of the payload, and
 * when the payload is malformed (d->failed). */
static inline bool operation_decode(decoder *d, operation *o)
{
    if (d->failed || d->at == d->end) return false;
    o->op = decode_u8(d);
    uint64_t collection = decode_varint(d), key_size = decode_varint(d), value_size = 0;
    o->expires_at_ms = o->time_ms = 0;
    if (o->op != ENTRY_DELETE) value_size = decode_varint(d);
    if (o->op == ENTRY_PUT_UNTIL) {
        o->expires_at_ms = decode_u64(d);
        o->time_ms = decode_u64(d);
    }
    o->key = decode_bytes(d, key_size);
    o->value = decode_bytes(d, value_size);
    o->collection = (uint32_t)collection;
    if (d->failed || !operation_is_valid(o) || collection > UINT32_MAX) d->failed = true;
    return !d->failed;
}

#endif
