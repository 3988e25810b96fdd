/* directory.c -- the hash table of the collections of a memtable. */
#include "memtable/directory.h"

#include <assert.h>

enum { BITS_FIRST = 3 };

struct directory_table {
    unsigned bits; /* constant: 1 << bits slots */
    _Atomic(map *) slots[];
};

void directory_init(directory *d)
{
    atomic_init(&d->table, NULL);
    d->count = 0;
}

static size_t slot_count(const directory_table *t)
{
    return (size_t)1 << t->bits;
}

/* The slot of a collection, or the empty one where it belongs. There always is an empty one. */
static _Atomic(map *) *find_slot(directory_table *t, uint32_t collection, map **found)
{
    size_t mask = slot_count(t) - 1;
    size_t i = (size_t)(collection * UINT64_C(0x9e3779b97f4a7c15) >> (64 - t->bits)); /* Fibonacci hashing */
    for (;; i = (i + 1) & mask) {
        /* Acquire: the map is made before it is put here. */
        *found = atomic_load_explicit(&t->slots[i], memory_order_acquire);
        if (!*found || (*found)->collection == collection) return &t->slots[i];
    }
}

map *directory_find(const directory *d, uint32_t collection)
{
    map *found = NULL;
    directory_table *t = atomic_load_explicit(&d->table, memory_order_acquire); /* and its slots as copied */
    if (t) find_slot(t, collection, &found);
    return found;
}

static directory_table *own_table(const directory *d)
{
    return atomic_load_explicit(&d->table, memory_order_relaxed); /* the writer's own store */
}

static directory_table *table_create(chunks *c, unsigned bits)
{
    size_t size = sizeof(directory_table) + (sizeof(_Atomic(map *)) << bits);
    directory_table *t;
    if (chunks_is_large(c, size)) {
        t = chunks_alloc_alone(c, size);
        if (!t) return NULL;
    } else {
        if (!chunks_reserve(c, size + alignof(directory_table))) return NULL;
        t = chunks_take(c, size, alignof(directory_table));
    }
    t->bits = bits;
    for (size_t i = 0; i < slot_count(t); i++)
        atomic_init(&t->slots[i], NULL);
    return t;
}

/* Makes sure that there is a table with room for one more map. */
static bool make_room(directory *d, chunks *c)
{
    directory_table *old = own_table(d);
    if (old && d->count < slot_count(old) / 2) return true;
    directory_table *t = table_create(c, old ? old->bits + 1 : BITS_FIRST);
    if (!t) return false;
    size_t position = 0;
    for (map *m; (m = directory_next(d, &position));) {
        map *none;
        /* Relaxed: the table is published as a whole. */
        atomic_store_explicit(find_slot(t, m->collection, &none), m, memory_order_relaxed);
    }
    /* Release: who loads the table finds it filled. */
    atomic_store_explicit(&d->table, t, memory_order_release);
    return true;
}

map *directory_find_or_create(directory *d, chunks *c, uint32_t collection)
{
    map *m = directory_find(d, collection);
    if (m) return m;
    if (!make_room(d, c)) return NULL;
    m = map_create(c, collection);
    if (!m) return NULL;
    map *none;
    /* Release: who loads it finds it made. */
    atomic_store_explicit(find_slot(own_table(d), collection, &none), m, memory_order_release);
    d->count++;
    return m;
}

map *directory_next(const directory *d, size_t *position)
{
    directory_table *t = atomic_load_explicit(&d->table, memory_order_acquire); /* as in directory_find */
    while (t && *position < slot_count(t)) {
        map *m = atomic_load_explicit(&t->slots[(*position)++], memory_order_acquire); /* as in find_slot */
        if (m) return m;
    }
    return NULL;
}
