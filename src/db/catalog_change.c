/* catalog_change.c -- creating, dropping, renaming and clearing collections: under leadership, so in commit
 * order, and durable when done. */
#include "db/catalog_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit.h"
#include "db/install.h"
#include "db/jobs.h"
#include "db/record.h"
#include "db/trees.h"

#include <assert.h>

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
    catalog_put(db, c);
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

static holt_status new_state(holt *db, const collection_spec *spec, seqno cleared, collection_state **out)
{
    collection_tree empty;
    holt_status rc = trees_empty(spec, db->space, &empty);
    return rc == HOLT_OK ? collection_state_create(out, spec, cleared, &empty) : rc;
}

/* The first B+tree collection brings the file for the pages of all. */
static holt_status need_space(holt *db)
{
    if (db->space) return HOLT_OK;
    btree_space *space;
    holt_status rc = btree_space_create(&space, db->files, next_file_number(db));
    if (rc == HOLT_OK) rc = os_dir_sync(db->dir);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->manifest_mu);
    db->space = space;
    os_mutex_unlock(&db->manifest_mu);
    return HOLT_OK;
}

static holt_status record_creation(holt *db, const holt_collection *c)
{
    collection_state *state = NULL;
    buffer edit = {0};
    bool paged = c->spec.kind == HOLT_BTREE;
    holt_status rc = paged ? need_space(db) : HOLT_OK;
    if (rc == HOLT_OK) rc = new_state(db, &c->spec, 0, &state);
    if (rc != HOLT_OK) return rc;
    edit_counters(&edit, atomic_load_explicit(&db->next_file, memory_order_relaxed), db->next_collection,
                  os_time_ms(db->os));
    edit_collection(&edit, &c->spec, c->name, 0);
    /* Only the first time, when nobody can be changing it: later on its state is the changes' to record. */
    if (paged && !db->space_recorded) edit_space(&edit, btree_space_recorded(db->space), true);
    record_change change = {.edit = &edit, .created = &c->spec, .new_name = c->name};
    rc = record_and_install(db, &change, c->slot, state, 0);
    buffer_deinit(&edit);
    if (paged && rc == HOLT_OK) db->space_recorded = true;
    return rc;
}

static holt_status create_led(holt *db, const char *name, collection_spec *spec, bool may_open,
                              holt_collection **out)
{
    os_mutex_lock(&db->admin_mu);
    holt_collection *there = catalog_find(db, name);
    holt_status rc = there ? reopen(there, name, may_open, out) : catalog_reserve(db);
    uint32_t slot = !there && rc == HOLT_OK ? catalog_take_slot(db) : 0;
    os_mutex_unlock(&db->admin_mu);
    if (there || rc != HOLT_OK) return rc;

    os_mutex_lock(&db->manifest_mu);
    spec->id = (uint32_t)db->next_collection++;
    os_mutex_unlock(&db->manifest_mu);
    holt_collection *c = NULL;
    rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = collection_create_object(db, spec, name, &c);
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
    collection_destroy_object(c);
    os_mutex_lock(&db->admin_mu);
    db->slots_used[slot] = false;
    os_mutex_unlock(&db->admin_mu);
    return rc;
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
    if (rc == HOLT_OK) rc = writable_check(db);
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
    *out = catalog_find(db, name);
    os_mutex_unlock(&db->admin_mu);
    return *out ? wal_sync(db->wal) : collection_not_found(name);
}

/* The tree that the collection has now; it becomes garbage with the change. */
static holt_status find_garbage(holt *db, const holt_collection *c, btree_version **out)
{
    view *v;
    *out = NULL;
    holt_status rc = view_acquire(db, &v);
    if (rc != HOLT_OK) return rc;
    const collection_state *s = view_collection(v, c->slot, c->spec.id);
    if (s && s->btree && btree_version_root(s->btree)->root.length) *out = btree_version_ref(s->btree);
    view_release(db, v);
    return HOLT_OK;
}

/* manifest_mu held, so that no flush gives the collection another tree meanwhile. */
static holt_status record_end_locked(holt *db, const holt_collection *c, record_change *change, buffer *edit,
                                     const install_change *install)
{
    btree_version *garbage;
    holt_status rc = find_garbage(db, c, &garbage);
    if (rc == HOLT_OK &&
        !mem_grow((void **)&db->garbage, &db->garbage_capacity, db->garbage_count + 1, sizeof *db->garbage))
        rc = status_no_memory(sizeof *db->garbage);
    if (rc == HOLT_OK && garbage) {
        change->garbage = btree_version_root(garbage);
        edit_garbage(edit, change->garbage);
    }
    if (rc == HOLT_OK)
        rc = record_and_install_locked(db, change, install);
    else
        collection_state_unref(install->states[0]);
    if (rc == HOLT_OK && garbage)
        db->garbage[db->garbage_count++] = garbage;
    else
        btree_version_unref(garbage);
    return rc;
}

/* Records what leaves the collection empty or gone, and remembers the pages that its B+tree still takes. */
static holt_status record_end(holt *db, const holt_collection *c, record_change *change, buffer *edit,
                              collection_state *state, seqno floor)
{
    install_change install = {.floor = floor, .slots = &c->slot, .states = &state, .count = 1};
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = record_end_locked(db, c, change, edit, &install);
    os_mutex_unlock(&db->manifest_mu);
    jobs_wake_workers(db);
    return rc;
}

static holt_status drop_led(holt *db, const char *name)
{
    holt_collection *c = NULL;
    holt_status rc = begin_change(db, name, &c);
    if (rc != HOLT_OK) return rc;
    assert(c);
    buffer edit = {0};
    edit_drop(&edit, c->spec.id);
    record_change change = {.edit = &edit, .collection = c->spec.id, .dropped = true};
    rc = record_end(db, c, &change, &edit, NULL, 0);
    buffer_deinit(&edit);
    if (rc != HOLT_OK) return rc;

    os_mutex_lock(&db->admin_mu);
    catalog_take(db, c);
    db->slots_used[c->slot] = false;
    /* Release: pairs with collection_check. */
    atomic_store_explicit(&c->dropped, true, memory_order_release);
    bool last = collection_unused(c);
    if (!last) catalog_keep_dropped(db, c);
    os_mutex_unlock(&db->admin_mu);
    if (last) collection_destroy_object(c);
    event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" dropped", name);
    return HOLT_OK;
}

holt_status holt_collection_drop(holt *db, const char *name)
{
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = drop_led(db, name);
    commit_unlead(db);
    return db_leave(db, rc);
}

static holt_status rename_led(holt *db, const char *from, const char *to)
{
    holt_collection *c = NULL;
    holt_status rc = begin_change(db, from, &c);
    if (rc != HOLT_OK) return rc;
    assert(c);
    os_mutex_lock(&db->admin_mu);
    bool taken = catalog_find(db, to) != NULL;
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
        catalog_take(db, c);
        c->name = name;
        catalog_put(db, c);
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
    if (rc == HOLT_OK) rc = writable_check(db);
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
    if (rc == HOLT_OK) rc = new_state(db, &c->spec, last, &state);
    if (rc != HOLT_OK) return rc;
    buffer edit = {0};
    edit_clear(&edit, c->spec.id, last);
    tree_change tree = {.collection = c->spec.id,
                        .cleared_seqno = last,
                        .tree = state->lsm,
                        .root = state->btree ? btree_version_root(state->btree) : NULL};
    record_change change = {.edit = &edit, .collection = c->spec.id, .trees = &tree, .tree_count = 1};
    rc = record_end(db, c, &change, &edit, state, last);
    buffer_deinit(&edit);
    return rc;
}

holt_status holt_collection_clear(holt_collection *c)
{
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = writable_check(c->db);
    if (rc == HOLT_OK) rc = commit_lead(c->db);
    if (rc != HOLT_OK) return rc;
    rc = collection_check(c); /* it may have been dropped while we waited */
    if (rc == HOLT_OK) rc = clear_led(c);
    commit_unlead(c->db);
    return db_leave(c->db, rc);
}
