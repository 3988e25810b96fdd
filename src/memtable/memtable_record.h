/* memtable_record.h -- the layout of one version of one key in the memtable's memory.
 *
 * A record is filled before it is published and constant afterwards, except for is_aborted. The versions of a
 * key are a list, newest first; the node's slot points to the newest.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_RECORD_H
#define HOLT_MEMTABLE_MEMTABLE_RECORD_H

#include <stdatomic.h>

#include "base/coding.h"
#include "memtable/memtable.h"

struct memtable_record {
    const memtable_record *older; /* the next older version; NULL: none */
    uint64_t seqno;
    uint32_t value_size;
    uint16_t key_size;
    uint8_t op; /* entry_op */
    /* Relaxed: no reader's seqno reaches the version before it is aborted, and the abort is published to
     * later readers together with the seqno. */
    _Atomic bool is_aborted;
    uint8_t bytes[]; /* the key, the value, and record_tail() */
};

/* The bytes after the value: for ENTRY_PUT_UNTIL the expiry as u64le; for ENTRY_DELETE_RANGE, which is in no
 * chain, the collection as u32le. */
static inline size_t record_tail(uint8_t op)
{
    return op == ENTRY_PUT_UNTIL ? sizeof(uint64_t) : op == ENTRY_DELETE_RANGE ? sizeof(uint32_t) : 0;
}

static inline size_t record_size(const memtable_entry *e)
{
    return sizeof(memtable_record) + e->key.size + e->value.size + record_tail(e->op);
}

static inline void record_fill(memtable_record *r, const memtable_entry *e, const memtable_record *older)
{
    r->older = older;
    r->seqno = e->seqno;
    r->key_size = (uint16_t)e->key.size;
    r->value_size = (uint32_t)e->value.size;
    r->op = e->op;
    atomic_init(&r->is_aborted, false);
    bytes_copy(r->bytes, e->key.data, e->key.size);
    bytes_copy(r->bytes + e->key.size, e->value.data, e->value.size);
    uint8_t *tail = r->bytes + e->key.size + e->value.size;
    if (e->op == ENTRY_PUT_UNTIL) put_u64le(tail, e->expires_at_ms);
    if (e->op == ENTRY_DELETE_RANGE) put_u32le(tail, e->collection);
}

static inline slice record_key(const memtable_record *r)
{
    return slice_of(r->bytes, r->key_size);
}

static inline slice record_value(const memtable_record *r)
{
    return slice_of(r->bytes + r->key_size, r->value_size);
}

static inline uint64_t record_expires_at_ms(const memtable_record *r)
{
    return r->op == ENTRY_PUT_UNTIL ? get_u64le(r->bytes + r->key_size + r->value_size) : 0;
}

static inline uint32_t record_collection(const memtable_record *r)
{
    return get_u32le(r->bytes + r->key_size + r->value_size); /* ENTRY_DELETE_RANGE */
}

static inline bool record_is_aborted(const memtable_record *r)
{
    return atomic_load_explicit(&r->is_aborted, memory_order_relaxed);
}

/* The newest version at or below `seqno` in the chain whose newest is `r`; NULL: none. */
static inline const memtable_record *record_at(const memtable_record *r, uint64_t seqno)
{
    while (r && (r->seqno > seqno || record_is_aborted(r)))
        r = r->older;
    return r;
}

#endif
