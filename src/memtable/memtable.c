/* memtable.c -- the memtable as a whole: lifetime, counts, and finding a collection's map. */
#include "memtable/memtable.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "memtable/memtable_internal.h"

enum { KEY_SIZE_MAX = UINT16_MAX }; /* the limit in holt.h; memtable_record.h has 16 bits for it */

holt_status memtable_create(memtable **out, chunk_pool *pool)
{
    *out = NULL;
    memtable *m = mem_alloc_aligned(alignof(memtable), sizeof *m);
    if (!m) return status_no_memory(sizeof *m);
    memdirectory_init(&m->directory);
    atomic_init(&m->refs, 1);
    m->last = NULL;
    atomic_init(&m->entries, 0);
    atomic_init(&m->has_aborted, false);
    memchunks_init(&m->chunks, pool);
    *out = m;
    return HOLT_OK;
}

memtable *memtable_ref(memtable *m)
{
    /* Relaxed: the caller can reach the memtable already, and the count publishes nothing of its contents. */
    uint32_t before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return m;
}

void memtable_unref(memtable *m)
{
    if (!m) return;
    /* Release: our reads come before the free. Acquire: so do those of all other threads. */
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1) return;
    memchunks_deinit(&m->chunks);
    mem_free(m);
}

size_t memtable_bytes(const memtable *m)
{
    return sizeof *m + memchunks_bytes(&m->chunks);
}

uint64_t memtable_entries(const memtable *m)
{
    return atomic_load_explicit(&m->entries, memory_order_relaxed); /* a statistic */
}

holt_status memtable_insert(memtable *m, const memtable_entry *entry, memtable_record **record)
{
    memtable_entry e = *entry;
    const bool is_range = e.op == ENTRY_DELETE_RANGE;
    assert(e.op == ENTRY_PUT || e.op == ENTRY_DELETE || e.op == ENTRY_PUT_UNTIL || is_range);
    assert(e.key.size <= KEY_SIZE_MAX && e.value.size <= (is_range ? KEY_SIZE_MAX : UINT32_MAX));
    assert(e.op != ENTRY_DELETE || e.value.size == 0);
    e.key = with_address(e.key);

    if (!m->last || m->last->collection != e.collection) {
        memmap *found = memdirectory_find_or_create(&m->directory, &m->chunks, e.collection);
        if (!found) return status_no_memory(sizeof(memmap) + sizeof(memnode));
        m->last = found;
    }
    memtable_record *r =
        is_range ? memmap_insert_range(m->last, &m->chunks, &e) : memmap_insert(m->last, &m->chunks, &e);
    if (!r) return status_no_memory(sizeof *r + e.key.size + e.value.size);
    /* Relaxed: a statistic. A load and a store suffice, as only one thread writes it. */
    atomic_store_explicit(&m->entries, memtable_entries(m) + 1, memory_order_relaxed);
    if (record) *record = r;
    return HOLT_OK;
}

void memtable_abort(memtable *m, memtable_record *record)
{
    assert(!record_is_aborted(record));
    if (record->op == ENTRY_DELETE_RANGE) {
        memranges_abort(&memdirectory_find(&m->directory, record_collection(record))->ranges, record);
        return;
    }
    /* Relaxed: see memtable_record.h and memtable_internal.h. */
    atomic_store_explicit(&record->is_aborted, true, memory_order_relaxed);
    atomic_store_explicit(&m->has_aborted, true, memory_order_relaxed);
}

bool memtable_get(memtable *m, uint32_t collection, slice key, uint64_t seqno, memtable_entry *out)
{
    const memmap *map = memdirectory_find(&m->directory, collection);
    if (!map) return false;
    key = with_address(key);
    const memtable_record *r = record_at(memmap_find(map, key), seqno);
    const uint64_t deleted = memranges_covering(&map->ranges, key, seqno);
    if (deleted > (r ? r->seqno : 0)) {
        *out = (memtable_entry){.collection = collection,
                                .op = ENTRY_DELETE,
                                .seqno = deleted,
                                .key = key,
                                .value = slice_of("", 0)};
        return true;
    }
    if (!r) return false;
    *out = (memtable_entry){.collection = collection,
                            .op = r->op,
                            .seqno = r->seqno,
                            .expires_at_ms = record_expires_at_ms(r),
                            .key = record_key(r),
                            .value = record_value(r)};
    return true;
}

uint64_t memtable_newest(memtable *m, uint32_t collection, slice key)
{
    const memmap *map = memdirectory_find(&m->directory, collection);
    if (!map) return 0;
    key = with_address(key);
    const memtable_record *r = record_at(memmap_find(map, key), UINT64_MAX);
    const uint64_t deleted = memranges_covering(&map->ranges, key, UINT64_MAX);
    return r && r->seqno > deleted ? r->seqno : deleted;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

holt_status memtable_collections(memtable *m, uint32_t **ids, size_t *count)
{
    *count = 0;
    *ids = mem_alloc(m->directory.count * sizeof **ids);
    if (!*ids) return status_no_memory(m->directory.count * sizeof **ids);
    size_t position = 0;
    for (memmap *found; (found = memdirectory_next(&m->directory, &position));) {
        if (memmap_entries(found) > 0) (*ids)[(*count)++] = found->collection;
    }
    qsort(*ids, *count, sizeof **ids, compare_ids);
    return HOLT_OK;
}

uint64_t memtable_collection_entries(memtable *m, uint32_t collection)
{
    memmap *found = memdirectory_find(&m->directory, collection);
    return found ? memmap_entries(found) : 0;
}
