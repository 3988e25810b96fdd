/* memdirectory.c -- the hash table of the collections of a memtable. */
#include "memtable/memdirectory.h"

#include <assert.h>

enum { BITS_FIRST = 3 };

struct memdirectory_table {
    unsigned bits; /* constant: 1 << bits slots */
    _Atomic(memmap *) slots[];
};

void memdirectory_init(memdirectory *d)
{
    atomic_init(&d->table, NULL);
    d->count = 0;
}

static size_t slot_count(const memdirectory_table *t)
{
    return (size_t)1 << t->bits;
}

/* The slot of a collection, or the empty slot where it belongs. The table always has an empty slot. */
static _Atomic(memmap *) *find_slot(memdirectory_table *t, uint32_t collection, memmap **found)
{
    size_t mask = slot_count(t) - 1;
    size_t i = (size_t)(collection * UINT64_C(0x9e3779b97f4a7c15) >> (64 - t->bits)); /* Fibonacci hashing */
    for (;; i = (i + 1) & mask) {
        /* Acquire: pairs with the release in memdirectory_find_or_create, after which the map is complete. */
        *found = atomic_load_explicit(&t->slots[i], memory_order_acquire);
        if (!*found || (*found)->collection == collection) return &t->slots[i];
    }
}

memmap *memdirectory_find(const memdirectory *d, uint32_t collection)
{
    memmap *found = NULL;
    /* Acquire: pairs with the release in ensure_free_slot, after which the slots are copied. */
    memdirectory_table *t = atomic_load_explicit(&d->table, memory_order_acquire);
    if (t) find_slot(t, collection, &found);
    return found;
}

static memdirectory_table *own_table(const memdirectory *d)
{
    return atomic_load_explicit(&d->table, memory_order_relaxed); /* the writer's own store */
}

static memdirectory_table *table_create(memchunks *c, unsigned bits)
{
    size_t size = sizeof(memdirectory_table) + (sizeof(_Atomic(memmap *)) << bits);
    memdirectory_table *t;
    if (memchunks_is_large(c, size)) {
        t = memchunks_alloc_alone(c, size);
        if (!t) return NULL;
    } else {
        if (!memchunks_reserve(c, size + alignof(memdirectory_table))) return NULL;
        t = memchunks_take(c, size, alignof(memdirectory_table));
    }
    t->bits = bits;
    for (size_t i = 0; i < slot_count(t); i++)
        atomic_init(&t->slots[i], NULL);
    return t;
}

/* Makes sure that there is a table with room for one more map. false: out of memory. */
static bool ensure_free_slot(memdirectory *d, memchunks *c)
{
    memdirectory_table *old = own_table(d);
    if (old && d->count < slot_count(old) / 2) return true;
    memdirectory_table *t = table_create(c, old ? old->bits + 1 : BITS_FIRST);
    if (!t) return false;
    size_t position = 0;
    for (memmap *m; (m = memdirectory_next(d, &position));) {
        memmap *none;
        /* Relaxed: the table is published as a whole. */
        atomic_store_explicit(find_slot(t, m->collection, &none), m, memory_order_relaxed);
    }
    /* Release: a reader that loads the table sees its slots filled. */
    atomic_store_explicit(&d->table, t, memory_order_release);
    return true;
}

memmap *memdirectory_find_or_create(memdirectory *d, memchunks *c, uint32_t collection)
{
    memmap *m = memdirectory_find(d, collection);
    if (m) return m;
    if (!ensure_free_slot(d, c)) return NULL;
    m = memmap_create(c, collection);
    if (!m) return NULL;
    memmap *none;
    _Atomic(memmap *) *slot = find_slot(own_table(d), collection, &none);
    assert(!none);
    /* Release: a reader that loads the map sees it complete. */
    atomic_store_explicit(slot, m, memory_order_release);
    d->count++;
    return m;
}

memmap *memdirectory_next(const memdirectory *d, size_t *position)
{
    /* Acquire, of the table as in memdirectory_find and of the slot as in find_slot. */
    memdirectory_table *t = atomic_load_explicit(&d->table, memory_order_acquire);
    while (t && *position < slot_count(t)) {
        memmap *m = atomic_load_explicit(&t->slots[(*position)++], memory_order_acquire);
        if (m) return m;
    }
    return NULL;
}
