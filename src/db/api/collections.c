/* collections.c -- calls on collections that change nothing on disk: open, close, list, name and kind. */
#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/catalog/catalog_internal.h"
#include "db/catalog/collection_options.h"
#include "db/db.h"

holt_status holt_collection_open(holt *db, const char *name, holt_collection **out)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "collection (out) is NULL");
    *out = NULL;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    holt_collection *c = catalog_find(&db->catalog, name);
    if (c) collection_add_handle(c);
    os_mutex_unlock(&db->catalog.mu);
    *out = c;
    return api_exit(db, c ? HOLT_OK : collection_not_found(name));
}

void holt_collection_close(holt_collection *c)
{
    status_begin_release();
    if (!c || db_check(c->db) != HOLT_OK) return; /* a forked child leaves the parent's memory alone */
    collection_close(c);
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
    if (!names || !count) return status_set(HOLT_INVALID, "names or count (out) is NULL");
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
