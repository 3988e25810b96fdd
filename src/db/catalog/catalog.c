/* catalog.c -- the collections by name and by slot, and how long each lives. */
#include "db/catalog/catalog_internal.h"
#include "db/catalog/collection_options.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "db/db.h"

#include <assert.h>

/* ---------------------------------------------------------------- the part */

void catalog_init(catalog *c)
{
    os_mutex_init(&c->mu, LOCK_RANK_ADMIN);
}

void catalog_deinit(catalog *c)
{
    for (size_t i = 0; i < c->count; i++)
        collection_destroy_object(c->list[i]);
    while (c->dropped) {
        holt_collection *next = c->dropped->next_dropped;
        collection_destroy_object(c->dropped);
        c->dropped = next;
    }
    mem_free(c->list);
    mem_free(c->slots_used);
    os_mutex_deinit(&c->mu);
}

void catalog_check(const catalog *c)
{
    os_mutex_assert_held(&c->mu);
    size_t used = 0;
    for (size_t i = 0; i < c->slot_count; i++) {
        used += c->slots_used[i];
        assert(i >= c->slot_free || c->slots_used[i]);
    }
    /* A slot is taken before its collection is listed. */
    (void)used;
    assert(c->count <= used && c->count <= c->capacity && c->slot_count <= c->slot_capacity);
    for (size_t i = 0; i < c->count; i++) {
        assert(c->list[i]->slot < c->slot_count && c->slots_used[c->list[i]->slot]);
        assert(i == 0 || strcmp(c->list[i - 1]->name, c->list[i]->name) < 0);
    }
}

/* ---------------------------------------------------------------- names and slots */

static int compare_name(const void *collections, size_t i, const void *name)
{
    return strcmp(((holt_collection *const *)collections)[i]->name, name);
}

/* Where the name is, or would be inserted. */
static size_t find_place(const catalog *c, const char *name, bool *found)
{
    os_mutex_assert_held(&c->mu);
    size_t at;
    *found = search_find(c->list, c->count, name, compare_name, &at);
    return at;
}

holt_collection *catalog_find(const catalog *c, const char *name)
{
    bool found;
    size_t at = find_place(c, name, &found);
    return found ? c->list[at] : NULL;
}

holt_status catalog_reserve(catalog *c)
{
    os_mutex_assert_held(&c->mu);
    size_t old = c->slot_capacity;
    if (!mem_grow((void **)&c->list, &c->capacity, c->count + 1, sizeof *c->list) ||
        !mem_grow((void **)&c->slots_used, &c->slot_capacity, c->slot_count + 1, sizeof *c->slots_used))
        return status_no_memory(sizeof *c->list);
    if (c->slot_capacity > old)
        memset(c->slots_used + old, 0, (c->slot_capacity - old) * sizeof *c->slots_used);
    return HOLT_OK;
}

uint32_t catalog_take_slot(catalog *c)
{
    os_mutex_assert_held(&c->mu);
    size_t slot = c->slot_free;
    while (slot < c->slot_count && c->slots_used[slot])
        slot++;
    assert(slot < c->slot_capacity);
    if (slot == c->slot_count) c->slot_count++;
    c->slots_used[slot] = true;
    c->slot_free = slot + 1;
    return (uint32_t)slot;
}

void catalog_release_slot(catalog *c, uint32_t slot)
{
    os_mutex_assert_held(&c->mu);
    assert(slot < c->slot_count && c->slots_used[slot]);
    c->slots_used[slot] = false;
    if (slot < c->slot_free) c->slot_free = slot;
}

void catalog_put(catalog *c, holt_collection *collection)
{
    bool found;
    size_t at = find_place(c, collection->name, &found);
    assert(!found && c->count < c->capacity);
    memmove(c->list + at + 1, c->list + at, (c->count - at) * sizeof *c->list);
    c->list[at] = collection;
    c->count++;
}

void catalog_take(catalog *c, const holt_collection *collection)
{
    bool found;
    size_t at = find_place(c, collection->name, &found);
    assert(found && c->list[at] == collection);
    c->count--;
    memmove(c->list + at, c->list + at + 1, (c->count - at) * sizeof *c->list);
}

/* ---------------------------------------------------------------- collection objects */

holt_status collection_create_object(holt *db, const collection_spec *spec, const char *name,
                                     holt_collection **out)
{
    holt_collection *c = *out = mem_alloc_zero(1, sizeof *c);
    if (!c) return status_no_memory(sizeof *c);
    c->db = db;
    c->spec = *spec;
    atomic_init(&c->users, 1);
    c->name = mem_copy_string(name);
    if (c->name) return HOLT_OK;
    mem_free(c);
    *out = NULL;
    return status_no_memory(strlen(name));
}

void collection_destroy_object(holt_collection *c)
{
    if (!c) return;
    mem_free(c->name);
    mem_free(c);
}

void collection_set_replaced(holt_collection *c)
{
    holt *db = c->db;
    /* Release: a reader that finds the replacement counted also finds the new contents. */
    uint64_t number = atomic_fetch_add_explicit(&db->catalog.replacements, 1, memory_order_release) + 1;
    atomic_store_explicit(&c->replaced, number, memory_order_release);
}

void collection_use(holt_collection *c)
{
    /* Relaxed: the caller can reach the collection, and the count publishes nothing. */
    uint32_t before = atomic_fetch_add_explicit(&c->users, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

/* Returns whether that was the last user. */
static bool end_use(holt_collection *c)
{
    /* Release: our use comes before the free. Acquire: so do those of all other threads. */
    uint32_t before = atomic_fetch_sub_explicit(&c->users, 1, memory_order_acq_rel);
    assert(before > 0);
    return before == 1;
}

void catalog_keep_dropped(catalog *c, holt_collection *collection)
{
    os_mutex_assert_held(&c->mu);
    collection->next_dropped = c->dropped;
    c->dropped = collection;
    bool last = end_use(collection);
    assert(!last);
    (void)last;
}

static void forget_dropped(catalog *all, const holt_collection *c)
{
    holt_collection **at = &all->dropped;
    while (*at && *at != c)
        at = &(*at)->next_dropped;
    if (*at) *at = c->next_dropped;
}

/* Nobody can find it any more, so the count cannot rise again. */
static void free_dropped(holt_collection *c)
{
    holt *db = c->db;
    assert(atomic_load_explicit(&c->dropped, memory_order_relaxed));
    os_mutex_lock(&db->catalog.mu);
    forget_dropped(&db->catalog, c);
    os_mutex_unlock(&db->catalog.mu);
    collection_destroy_object(c);
}

void collection_unuse(holt_collection *c)
{
    if (end_use(c)) free_dropped(c);
}

void collection_add_handle(holt_collection *c)
{
    if (c->handles++ == 0) collection_use(c);
}

void collection_close(holt_collection *c)
{
    holt *db = c->db;
    os_mutex_lock(&db->catalog.mu);
    bool last = c->handles == 1;
    if (c->handles > 0) c->handles--; /* a close too many is ignored while there are other users */
    os_mutex_unlock(&db->catalog.mu);
    if (last) collection_unuse(c);
}

holt_status catalog_restore(holt *db, const collection_spec *spec, const char *name, holt_collection **out)
{
    holt_status rc = collection_create_object(db, spec, name, out);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    rc = catalog_reserve(&db->catalog);
    if (rc == HOLT_OK && catalog_find(&db->catalog, name))
        rc = status_set(HOLT_CORRUPT, "the manifest names two collections \"%s\"", name);
    if (rc == HOLT_OK) {
        (*out)->slot = catalog_take_slot(&db->catalog);
        catalog_put(&db->catalog, *out);
    }
    os_mutex_unlock(&db->catalog.mu);
    if (rc == HOLT_OK) return rc;
    collection_destroy_object(*out);
    *out = NULL;
    return rc;
}

holt_status collection_not_found(const char *name)
{
    return status_set(HOLT_NOT_FOUND, "there is no collection \"%s\"", name);
}
