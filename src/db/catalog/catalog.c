/* catalog.c -- the collections by name, their objects and handles; catalog_change.c makes, drops, renames and
 * clears them. */
#include "db/catalog/catalog_internal.h"
#include "db/catalog/collection_options.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/api/args.h"
#include "db/db.h"
#include "db/txn/txn.h"

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
    assert(c->count <= used && c->count <= c->capacity && c->slot_count <= c->slot_capacity);
    for (size_t i = 0; i < c->count; i++) {
        assert(c->list[i]->slot < c->slot_count && c->slots_used[c->list[i]->slot]);
        assert(i == 0 || strcmp(c->list[i - 1]->name, c->list[i]->name) < 0);
    }
}

/* ---------------------------------------------------------------- names and slots */

/* Where the name is, or would be inserted. */
static size_t find_place(const catalog *c, const char *name, bool *found)
{
    os_mutex_assert_held(&c->mu);
    size_t low = 0, high = c->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, c->list[middle]->name);
        *found = order == 0;
        if (order == 0)
            low = middle;
        else if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
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

/* A dropped collection is freed with its last handle or user. */
static bool collection_unused(const holt_collection *c)
{
    os_mutex_assert_held(&c->db->catalog.mu);
    return atomic_load_explicit(&c->dropped, memory_order_relaxed) && c->handles == 0 && c->users == 0;
}

void collection_use(holt_collection *c)
{
    os_mutex_lock(&c->db->catalog.mu);
    c->users++;
    os_mutex_unlock(&c->db->catalog.mu);
}

void catalog_keep_dropped(catalog *c, holt_collection *collection)
{
    os_mutex_assert_held(&c->mu);
    assert(collection->handles > 0 || collection->users > 0);
    collection->next_dropped = c->dropped;
    c->dropped = collection;
}

static void forget_dropped(catalog *all, const holt_collection *c)
{
    holt_collection **at = &all->dropped;
    while (*at && *at != c)
        at = &(*at)->next_dropped;
    if (*at) *at = c->next_dropped;
}

static void give_back(holt_collection *c, uint32_t *count)
{
    holt *db = c->db;
    os_mutex_lock(&db->catalog.mu);
    if (*count > 0) --*count;
    bool last = collection_unused(c);
    if (last) forget_dropped(&db->catalog, c);
    os_mutex_unlock(&db->catalog.mu);
    if (last) collection_destroy_object(c);
}

void collection_unuse(holt_collection *c)
{
    give_back(c, &c->users);
}

holt_status catalog_restore(holt *db, const manifest_collection *from, holt_collection **out)
{
    holt_status rc = collection_create_object(db, &from->spec, from->name, out);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    rc = catalog_reserve(&db->catalog);
    if (rc == HOLT_OK && catalog_find(&db->catalog, from->name))
        rc = status_set(HOLT_CORRUPT, "the manifest names two collections \"%s\"", from->name);
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

/* ---------------------------------------------------------------- opening and asking */

holt_status holt_collection_open(holt *db, const char *name, holt_collection **out)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "the place for the collection is NULL");
    *out = NULL;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    holt_collection *c = catalog_find(&db->catalog, name);
    if (c) c->handles++;
    os_mutex_unlock(&db->catalog.mu);
    *out = c;
    return api_exit(db, c ? HOLT_OK : collection_not_found(name));
}

void holt_collection_close(holt_collection *c)
{
    if (!c || db_check(c->db) != HOLT_OK) return; /* a forked child: the parent's memory is let be */
    give_back(c, &c->handles);
}

static size_t names_size(const holt *db)
{
    size_t size = (db->catalog.count + 1) * sizeof(char *);
    for (size_t i = 0; i < db->catalog.count; i++)
        size += strlen(db->catalog.list[i]->name) + 1;
    return size;
}

holt_status holt_collection_list(holt *db, char ***names, size_t *count)
{
    status_begin_call();
    if (!names || !count) return status_set(HOLT_INVALID, "the place for the names or their count is NULL");
    *names = NULL;
    *count = 0;
    holt_status rc = db_check(db);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    size_t size = names_size(db);
    char **list = mem_alloc(size);
    if (list) {
        char *at = (char *)(list + db->catalog.count + 1);
        for (size_t i = 0; i < db->catalog.count; i++) {
            list[i] = at;
            at = stpcpy(at, db->catalog.list[i]->name) + 1;
        }
        list[db->catalog.count] = NULL;
        *count = db->catalog.count;
    }
    os_mutex_unlock(&db->catalog.mu);
    *names = list;
    return api_exit(db, list ? HOLT_OK : status_no_memory(size));
}

holt_status holt_collection_name(holt_collection *c, char *into, size_t capacity, size_t *size)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    if (!into && capacity)
        return status_set(HOLT_INVALID, "the buffer is NULL with a capacity of %zu", capacity);
    os_mutex_lock(&c->db->catalog.mu);
    size_t length = strlen(c->name), fits = capacity == 0 ? 0 : length < capacity ? length : capacity - 1;
    bytes_copy(into, c->name, fits);
    os_mutex_unlock(&c->db->catalog.mu);
    if (capacity) into[fits] = '\0';
    if (size) *size = length;
    if (fits == length && capacity) return HOLT_OK;
    return status_set(HOLT_TOO_LARGE, "the name has %zu bytes, the buffer %zu", length, capacity);
}

holt_kind holt_collection_kind(holt_collection *c)
{
    return c ? (holt_kind)c->spec.kind : HOLT_KIND_DEFAULT;
}
