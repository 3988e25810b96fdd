#include "db/catalog.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit.h"
#include "db/install.h"
#include "db/record.h"
#include "db/txn.h"

#include <assert.h>

/* ---------------------------------------------------------------- names and options */

/* The length of the UTF-8 sequence at s (valid, no control character), or 0. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    if (s[0] == 0xc2 && s[1] < 0xa0) return 0; /* control characters too: U+0080 to U+009F */
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0; /* too long; surrogates */
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* too long; past U+10FFFF */
    return n;
}

holt_status name_check(const char *name)
{
    if (!name) return status_set(HOLT_INVALID, "the collection name is NULL");
    if (!*name) return status_set(HOLT_INVALID, "the collection name is empty");
    size_t size = strlen(name);
    if (size > NAME_BYTES_MAX)
        return status_set(HOLT_INVALID, "the collection name has %zu bytes; at most %d are allowed", size,
                          NAME_BYTES_MAX);
    for (size_t at = 0, n; at < size; at += n) {
        n = utf8_length((const unsigned char *)name + at);
        if (n == 0)
            return status_set(HOLT_INVALID,
                              "the collection name must be UTF-8 without control characters; byte %zu is not",
                              at);
    }
    return HOLT_OK;
}

holt_status collection_spec_init(const holt *db, const holt_collection_options *o, collection_spec *out)
{
    static const holt_collection_options defaults;
    if (!o) o = &defaults;
    memset(out, 0, sizeof *out);
    if (!reserved_zero(o->reserved, 8) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_collection_options: reserved words must be zero");
    if (o->flags & ~(uint32_t)HOLT_CREATE_OR_OPEN)
        return status_set(HOLT_INVALID, "holt_collection_options.flags = %u: has bits that stand for nothing",
                          o->flags);
    if (o->kind > HOLT_BTREE)
        return status_set(HOLT_INVALID, "holt_collection_options.kind = %u: is no holt_kind", o->kind);
    if (o->compression > HOLT_COMPRESSION_ZSTD)
        return status_set(HOLT_INVALID, "holt_collection_options.compression = %u: is no holt_compression",
                          o->compression);
    uint32_t bytes = o->block_bytes ? o->block_bytes : 8192;
    if (bytes < BLOCK_BYTES_MIN || bytes > BLOCK_BYTES_MAX || (bytes & (bytes - 1)))
        return status_set(HOLT_INVALID,
                          "holt_collection_options.block_bytes = %u: must be 4, 8, 16, 32 or 64 KiB", bytes);
    if (o->filter_bits > 32 && o->filter_bits != HOLT_FILTER_NONE)
        return status_set(HOLT_INVALID,
                          "holt_collection_options.filter_bits = %u: must be 1 to 32, 0 or HOLT_FILTER_NONE",
                          o->filter_bits);
    out->kind = o->kind ? o->kind : db->set.default_kind;
    if (out->kind == HOLT_BTREE)
        return status_set(HOLT_UNSUPPORTED, "B+tree collections come with a later release");
    if (o->compression > HOLT_COMPRESSION_NONE)
        return status_set(HOLT_UNSUPPORTED, "compression comes with a later release");
    out->compression = HOLT_COMPRESSION_NONE;
    out->block_bytes = bytes;
    out->filter_bits = o->filter_bits == HOLT_FILTER_NONE ? 0 : o->filter_bits ? o->filter_bits : 10;
    return HOLT_OK;
}

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

static holt_collection *find(const holt *db, const char *name)
{
    bool found;
    size_t at = find_place(db, name, &found);
    return found ? db->catalog[at] : NULL;
}

/* Room for one more; so that putting it in cannot fail. */
static holt_status reserve_place(holt *db)
{
    size_t old = db->slot_capacity;
    if (!mem_grow((void **)&db->catalog, &db->catalog_capacity, db->catalog_count + 1, sizeof *db->catalog) ||
        !mem_grow((void **)&db->slots_used, &db->slot_capacity, db->slot_count + 1, sizeof *db->slots_used))
        return status_no_memory(sizeof *db->catalog);
    if (db->slot_capacity > old)
        memset(db->slots_used + old, 0, (db->slot_capacity - old) * sizeof *db->slots_used);
    return HOLT_OK;
}

static uint32_t take_slot(holt *db)
{
    size_t slot = 0;
    while (slot < db->slot_count && db->slots_used[slot])
        slot++;
    if (slot == db->slot_count) db->slot_count++;
    db->slots_used[slot] = true;
    return (uint32_t)slot;
}

static void put_in(holt *db, holt_collection *c)
{
    bool found;
    size_t at = find_place(db, c->name, &found);
    assert(!found);
    memmove(db->catalog + at + 1, db->catalog + at, (db->catalog_count - at) * sizeof *db->catalog);
    db->catalog[at] = c;
    db->catalog_count++;
}

static void take_out(holt *db, const holt_collection *c)
{
    bool found;
    size_t at = find_place(db, c->name, &found);
    assert(found && db->catalog[at] == c);
    db->catalog_count--;
    memmove(db->catalog + at, db->catalog + at + 1, (db->catalog_count - at) * sizeof *db->catalog);
}

/* ---------------------------------------------------------------- collection objects */

static holt_status create_object(holt *db, const collection_spec *spec, const char *name,
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

static void destroy_object(holt_collection *c)
{
    if (!c) return;
    mem_free(c->name);
    mem_free(c);
}

/* admin_mu held. A dropped collection goes with its last handle and user. */
static bool unused(const holt_collection *c)
{
    return atomic_load_explicit(&c->dropped, memory_order_relaxed) && c->handles == 0 && c->users == 0;
}

void collection_use(holt_collection *c)
{
    os_mutex_lock(&c->db->admin_mu);
    c->users++;
    os_mutex_unlock(&c->db->admin_mu);
}

static void give_back(holt_collection *c, uint32_t *count)
{
    holt *db = c->db;
    os_mutex_lock(&db->admin_mu);
    if (*count > 0) --*count;
    bool last = unused(c);
    os_mutex_unlock(&db->admin_mu);
    if (last) destroy_object(c);
}

void collection_unuse(holt_collection *c)
{
    give_back(c, &c->users);
}

holt_status catalog_restore(holt *db, const state_collection *from, holt_collection **out)
{
    holt_status rc = create_object(db, &from->spec, from->name, out);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->admin_mu);
    rc = reserve_place(db);
    if (rc == HOLT_OK && find(db, from->name))
        rc = status_set(HOLT_CORRUPT, "the manifest names two collections \"%s\"", from->name);
    if (rc == HOLT_OK) {
        (*out)->slot = take_slot(db);
        put_in(db, *out);
    }
    os_mutex_unlock(&db->admin_mu);
    if (rc == HOLT_OK) return rc;
    destroy_object(*out);
    *out = NULL;
    return rc;
}

void catalog_destroy(holt *db)
{
    for (size_t i = 0; i < db->catalog_count; i++)
        destroy_object(db->catalog[i]);
    mem_free(db->catalog);
    mem_free(db->slots_used);
}

/* ---------------------------------------------------------------- changing: under leadership */

static holt_status not_found(const char *name)
{
    return status_set(HOLT_NOT_FOUND, "there is no collection \"%s\"", name);
}

static holt_status exists(const char *name)
{
    return status_set(HOLT_EXISTS, "there is a collection \"%s\" already", name);
}

/* Records the change and installs the view in which the slot holds `state` (NULL: nothing). floor 0: as it
 * is. */
static holt_status record_and_install(holt *db, const record_change *change, uint32_t slot,
                                      collection_state *state, seqno floor)
{
    install_change install = {.floor = floor, .slots = &slot, .states = &state, .count = 1};
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = record_and_install_locked(db, change, &install);
    os_mutex_unlock(&db->manifest_mu);
    return rc;
}

/* Puts the new collection where opens find it. */
static void publish_object(holt *db, holt_collection *c)
{
    os_mutex_lock(&db->admin_mu);
    put_in(db, c);
    c->handles = 1;
    os_mutex_unlock(&db->admin_mu);
}

/* admin_mu held. An existing collection, as asked for by holt_collection_create. */
static holt_status reopen(holt_collection *c, const char *name, bool may_open, holt_collection **out)
{
    if (!may_open) return exists(name);
    c->handles++;
    *out = c;
    return HOLT_OK;
}

static holt_status new_state(const collection_spec *spec, seqno cleared, collection_state **out)
{
    lsm_tree *empty;
    holt_status rc = lsm_tree_create(NULL, 0, &empty);
    return rc == HOLT_OK ? collection_state_create(out, spec, cleared, empty) : rc;
}

static holt_status record_creation(holt *db, const holt_collection *c)
{
    collection_state *state = NULL;
    buffer edit = {0};
    holt_status rc = new_state(&c->spec, 0, &state);
    if (rc != HOLT_OK) return rc;
    edit_counters(&edit, atomic_load_explicit(&db->next_file, memory_order_relaxed), db->next_collection,
                  os_time_ms(db->os));
    edit_collection(&edit, &c->spec, c->name, 0);
    record_change change = {.edit = &edit, .created = &c->spec, .new_name = c->name};
    rc = record_and_install(db, &change, c->slot, state, 0);
    buffer_deinit(&edit);
    return rc;
}

static holt_status create_led(holt *db, const char *name, collection_spec *spec, bool may_open,
                              holt_collection **out)
{
    os_mutex_lock(&db->admin_mu);
    holt_collection *there = find(db, name);
    holt_status rc = there ? reopen(there, name, may_open, out) : reserve_place(db);
    uint32_t slot = !there && rc == HOLT_OK ? take_slot(db) : 0;
    os_mutex_unlock(&db->admin_mu);
    if (there || rc != HOLT_OK) return rc;

    os_mutex_lock(&db->manifest_mu);
    spec->id = (uint32_t)db->next_collection++;
    os_mutex_unlock(&db->manifest_mu);
    holt_collection *c = NULL;
    rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = create_object(db, spec, name, &c);
    if (rc == HOLT_OK) {
        c->slot = slot;
        rc = record_creation(db, c);
    }
    if (rc == HOLT_OK) {
        publish_object(db, c);
        *out = c;
        event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" created", name);
        return HOLT_OK;
    }
    destroy_object(c);
    os_mutex_lock(&db->admin_mu);
    db->slots_used[slot] = false;
    os_mutex_unlock(&db->admin_mu);
    return rc;
}

static holt_status writable(const holt *db)
{
    return db->read_only ? status_set(HOLT_READ_ONLY, "the database is open for reading only") : HOLT_OK;
}

holt_status holt_collection_create(holt *db, const char *name, const holt_collection_options *o,
                                   holt_collection **out)
{
    if (!out) return status_set(HOLT_INVALID, "the place for the collection is NULL");
    *out = NULL;
    collection_spec spec;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc == HOLT_OK) rc = collection_spec_init(db, o, &spec);
    if (rc == HOLT_OK) rc = writable(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = create_led(db, name, &spec, o && (o->flags & HOLT_CREATE_OR_OPEN), out);
    commit_unlead(db);
    return db_leave(db, rc);
}

/* The collection is found, syncs the log before the change, and is not the one that always exists. */
static holt_status begin_change(holt *db, const char *name, holt_collection **out)
{
    if (strcmp(name, "default") == 0)
        return status_set(HOLT_INVALID, "the collection \"default\" can be neither dropped nor renamed");
    os_mutex_lock(&db->admin_mu);
    *out = find(db, name);
    os_mutex_unlock(&db->admin_mu);
    return *out ? wal_sync(db->wal) : not_found(name);
}

static holt_status drop_led(holt *db, const char *name)
{
    holt_collection *c;
    holt_status rc = begin_change(db, name, &c);
    if (rc != HOLT_OK) return rc;
    buffer edit = {0};
    edit_drop(&edit, c->spec.id);
    record_change change = {.edit = &edit, .collection = c->spec.id, .dropped = true};
    rc = record_and_install(db, &change, c->slot, NULL, 0);
    buffer_deinit(&edit);
    if (rc != HOLT_OK) return rc;

    os_mutex_lock(&db->admin_mu);
    take_out(db, c);
    db->slots_used[c->slot] = false;
    /* Release: pairs with collection_check. */
    atomic_store_explicit(&c->dropped, true, memory_order_release);
    bool last = unused(c);
    os_mutex_unlock(&db->admin_mu);
    if (last) destroy_object(c);
    event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" dropped", name);
    return HOLT_OK;
}

holt_status holt_collection_drop(holt *db, const char *name)
{
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc == HOLT_OK) rc = writable(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = drop_led(db, name);
    commit_unlead(db);
    return db_leave(db, rc);
}

static holt_status rename_led(holt *db, const char *from, const char *to)
{
    holt_collection *c;
    holt_status rc = begin_change(db, from, &c);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->admin_mu);
    bool taken = find(db, to) != NULL;
    os_mutex_unlock(&db->admin_mu);
    if (taken) return exists(to);
    char *name = mem_copy_string(to);
    if (!name) return status_no_memory(strlen(to));

    buffer edit = {0};
    edit_rename(&edit, c->spec.id, to);
    record_change change = {.edit = &edit, .collection = c->spec.id, .new_name = to};
    os_mutex_lock(&db->manifest_mu);
    rc = record_edit(db, &change);
    os_mutex_lock(&db->admin_mu);
    if (rc == HOLT_OK) {
        char *old = c->name;
        take_out(db, c);
        c->name = name;
        put_in(db, c);
        name = old;
    }
    os_mutex_unlock(&db->admin_mu);
    os_mutex_unlock(&db->manifest_mu);
    mem_free(name);
    buffer_deinit(&edit);
    if (rc == HOLT_OK)
        event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" renamed to \"%s\"", from, to);
    return rc;
}

holt_status holt_collection_rename(holt *db, const char *from, const char *to)
{
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(from);
    if (rc == HOLT_OK) rc = name_check(to);
    if (rc == HOLT_OK) rc = writable(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = rename_led(db, from, to);
    commit_unlead(db);
    return db_leave(db, rc);
}

/* Everything up to now is void: versions in memtables by their seqno, runs by being taken away. Snapshots on
 * older views keep the old contents; those on the new one are not older than the clear. */
static holt_status clear_led(holt_collection *c)
{
    holt *db = c->db;
    seqno last = db->next_seqno - 1;
    collection_state *state = NULL;
    holt_status rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = new_state(&c->spec, last, &state);
    if (rc != HOLT_OK) return rc;
    buffer edit = {0};
    edit_clear(&edit, c->spec.id, last);
    tree_change tree = {.collection = c->spec.id, .cleared_seqno = last, .tree = state->lsm};
    record_change change = {.edit = &edit, .collection = c->spec.id, .trees = &tree, .tree_count = 1};
    rc = record_and_install(db, &change, c->slot, state, last);
    buffer_deinit(&edit);
    return rc;
}

holt_status holt_collection_clear(holt_collection *c)
{
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = writable(c->db);
    if (rc == HOLT_OK) rc = commit_lead(c->db);
    if (rc != HOLT_OK) return rc;
    rc = collection_check(c); /* it may have been dropped while we waited */
    if (rc == HOLT_OK) rc = clear_led(c);
    commit_unlead(c->db);
    return db_leave(c->db, rc);
}

/* ---------------------------------------------------------------- opening and asking */

holt_status holt_collection_open(holt *db, const char *name, holt_collection **out)
{
    if (!out) return status_set(HOLT_INVALID, "the place for the collection is NULL");
    *out = NULL;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->admin_mu);
    holt_collection *c = find(db, name);
    if (c) c->handles++;
    os_mutex_unlock(&db->admin_mu);
    *out = c;
    return db_leave(db, c ? HOLT_OK : not_found(name));
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
    return db_leave(db, list ? HOLT_OK : status_no_memory(size));
}

holt_status holt_collection_name(holt_collection *c, char *into, size_t capacity, size_t *size)
{
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
