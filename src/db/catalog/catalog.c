/* catalog.c -- the collections by name, their objects and handles; catalog_change.c makes, drops, renames and
 * clears them. */
#include "db/catalog/catalog_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/txn/txn.h"

#include <assert.h>

/* ---------------------------------------------------------------- the catalog's arrays: admin_mu held */

/* Where the name is, or would be put. */
static size_t find_place(const holt *db, const char *name, bool *found)
{
    size_t low = 0, high = db->catalog_count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, db->catalog[middle]->name);
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

holt_collection *catalog_find(const holt *db, const char *name)
{
    bool found;
    size_t at = find_place(db, name, &found);
    return found ? db->catalog[at] : NULL;
}

/* Room for one more; so that putting it in cannot fail. */
holt_status catalog_reserve(holt *db)
{
    size_t old = db->slot_capacity;
    if (!mem_grow((void **)&db->catalog, &db->catalog_capacity, db->catalog_count + 1, sizeof *db->catalog) ||
        !mem_grow((void **)&db->slots_used, &db->slot_capacity, db->slot_count + 1, sizeof *db->slots_used))
        return status_no_memory(sizeof *db->catalog);
    if (db->slot_capacity > old)
        memset(db->slots_used + old, 0, (db->slot_capacity - old) * sizeof *db->slots_used);
    return HOLT_OK;
}

uint32_t catalog_take_slot(holt *db)
{
    size_t slot = db->slot_free;
    while (slot < db->slot_count && db->slots_used[slot])
        slot++;
    if (slot == db->slot_count) db->slot_count++;
    db->slots_used[slot] = true;
    db->slot_free = slot + 1;
    return (uint32_t)slot;
}

void catalog_release_slot(holt *db, uint32_t slot)
{
    assert(db->slots_used[slot]);
    db->slots_used[slot] = false;
    if (slot < db->slot_free) db->slot_free = slot;
}

void catalog_put(holt *db, holt_collection *c)
{
    bool found;
    size_t at = find_place(db, c->name, &found);
    assert(!found);
    memmove(db->catalog + at + 1, db->catalog + at, (db->catalog_count - at) * sizeof *db->catalog);
    db->catalog[at] = c;
    db->catalog_count++;
}

void catalog_take(holt *db, const holt_collection *c)
{
    bool found;
    size_t at = find_place(db, c->name, &found);
    assert(found && db->catalog[at] == c);
    db->catalog_count--;
    memmove(db->catalog + at, db->catalog + at + 1, (db->catalog_count - at) * sizeof *db->catalog);
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

/* admin_mu held. A dropped collection goes with its last handle and user. */
static bool collection_unused(const holt_collection *c)
{
    return atomic_load_explicit(&c->dropped, memory_order_relaxed) && c->handles == 0 && c->users == 0;
}

void collection_use(holt_collection *c)
{
    os_mutex_lock(&c->db->admin_mu);
    c->users++;
    os_mutex_unlock(&c->db->admin_mu);
}

void catalog_keep_dropped(holt *db, holt_collection *c)
{
    c->next_dropped = db->dropped;
    db->dropped = c;
}

/* admin_mu held. */
static void forget_dropped(holt *db, const holt_collection *c)
{
    holt_collection **at = &db->dropped;
    while (*at && *at != c)
        at = &(*at)->next_dropped;
    if (*at) *at = c->next_dropped;
}

static void give_back(holt_collection *c, uint32_t *count)
{
    holt *db = c->db;
    os_mutex_lock(&db->admin_mu);
    if (*count > 0) --*count;
    bool last = collection_unused(c);
    if (last) forget_dropped(db, c);
    os_mutex_unlock(&db->admin_mu);
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
    os_mutex_lock(&db->admin_mu);
    rc = catalog_reserve(db);
    if (rc == HOLT_OK && catalog_find(db, from->name))
        rc = status_set(HOLT_CORRUPT, "the manifest names two collections \"%s\"", from->name);
    if (rc == HOLT_OK) {
        (*out)->slot = catalog_take_slot(db);
        catalog_put(db, *out);
    }
    os_mutex_unlock(&db->admin_mu);
    if (rc == HOLT_OK) return rc;
    collection_destroy_object(*out);
    *out = NULL;
    return rc;
}

void catalog_destroy(holt *db)
{
    for (size_t i = 0; i < db->catalog_count; i++)
        collection_destroy_object(db->catalog[i]);
    while (db->dropped) {
        holt_collection *c = db->dropped;
        db->dropped = c->next_dropped;
        collection_destroy_object(c);
    }
    mem_free(db->catalog);
    mem_free(db->slots_used);
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
    os_mutex_lock(&db->admin_mu);
    holt_collection *c = catalog_find(db, name);
    if (c) c->handles++;
    os_mutex_unlock(&db->admin_mu);
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
    size_t size = (db->catalog_count + 1) * sizeof(char *);
    for (size_t i = 0; i < db->catalog_count; i++)
        size += strlen(db->catalog[i]->name) + 1;
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
    os_mutex_lock(&db->admin_mu);
    size_t size = names_size(db);
    char **list = mem_alloc(size);
    if (list) {
        char *at = (char *)(list + db->catalog_count + 1);
        for (size_t i = 0; i < db->catalog_count; i++) {
            list[i] = at;
            at = stpcpy(at, db->catalog[i]->name) + 1;
        }
        list[db->catalog_count] = NULL;
        *count = db->catalog_count;
    }
    os_mutex_unlock(&db->admin_mu);
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
    os_mutex_lock(&c->db->admin_mu);
    size_t length = strlen(c->name), fits = capacity == 0 ? 0 : length < capacity ? length : capacity - 1;
    bytes_copy(into, c->name, fits);
    os_mutex_unlock(&c->db->admin_mu);
    if (capacity) into[fits] = '\0';
    if (size) *size = length;
    if (fits == length && capacity) return HOLT_OK;
    return status_set(HOLT_TOO_LARGE, "the name has %zu bytes, the buffer %zu", length, capacity);
}

holt_kind holt_collection_kind(holt_collection *c)
{
    return c ? (holt_kind)c->spec.kind : HOLT_KIND_DEFAULT;
}
