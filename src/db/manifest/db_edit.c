/* db_edit.c -- gathering an edit, and making it; db_edit.h has the protocol. */
#include "db/manifest/db_edit.h"
#include "db/manifest/manifest_state.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/catalog/catalog_internal.h"
#include "db/db.h"
#include "db/manifest/file_uses.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <assert.h>

/* ---------------------------------------------------------------- begin and end */

holt_status edit_begin(db_edit *e, holt *db)
{
    memset(e, 0, sizeof *e);
    e->db = db;
    os_mutex_lock(&db->manifest.mu);
    holt_status rc = version_acquire(&db->versions, &e->base);
    if (rc != HOLT_OK) os_mutex_unlock(&db->manifest.mu);
    return rc;
}

void edit_fail(db_edit *e, holt_status rc)
{
    if (rc == HOLT_OK || e->status != HOLT_OK) return;
    e->status = rc;
    status_keep(rc, &e->error);
}

/* Ends the page change as the record turned out: committed, abandoned, or, while it is in doubt, kept so that
 * its pages are not overwritten until a new manifest is current. */
static void end_pages(db_edit *e)
{
    if (!e->pages) return;
    os_mutex_assert_held(&e->db->manifest.mu);
    if (e->outcome == EDIT_MADE)
        btree_change_commit(e->pages);
    else if (e->outcome == EDIT_IN_DOUBT)
        btree_change_doubt(e->pages);
    else
        btree_change_abandon(e->pages);
}

static void release_slot(holt *db, uint32_t slot)
{
    os_mutex_lock(&db->catalog.mu);
    catalog_release_slot(&db->catalog, slot);
    os_mutex_unlock(&db->catalog.mu);
}

static void end(db_edit *e)
{
    holt *db = e->db;
    assert(e->status == HOLT_OK || e->outcome != EDIT_MADE);
    manifest_writer_check(&db->manifest);
    if (e->catalog == EDIT_CREATE && e->outcome != EDIT_MADE) release_slot(db, e->collection->slot);
    end_pages(e);
    for (size_t i = 0; i < e->collection_count; i++) /* those not installed */
        collection_version_unref(e->collections[i].state);
    btree_version_unref(e->garbage);
    os_mutex_unlock(&db->manifest.mu);
    version_release(&db->versions, e->base);
    mem_free(e->collections);
    mem_free(e->new_name);
    buffer_deinit(&e->items);
}

void edit_abandon(db_edit *e)
{
    assert(e->outcome == EDIT_NOT_MADE);
    end(e);
}

/* ---------------------------------------------------------------- gathering: trees */

/* Takes over the reference. */
static void add_collection(db_edit *e, uint32_t slot, collection_version *state)
{
    for (size_t i = 0; i < e->collection_count; i++)
        assert(e->collections[i].slot != slot); /* a collection changes once in an edit */
    if (!mem_grow((void **)&e->collections, &e->collection_capacity, e->collection_count + 1,
                  sizeof *e->collections)) {
        edit_fail(e, status_no_memory(sizeof *e->collections));
        collection_version_unref(state);
        return;
    }
    e->collections[e->collection_count++] = (edit_collection){.slot = slot, .state = state};
}

/* Adds the collection's new version and the items that lead to it; before NULL: it was empty. */
static void add_state(db_edit *e, uint32_t slot, const collection_spec *spec, seqno cleared,
                      const collection_version *before, const collection_tree *tree)
{
    collection_version *state;
    holt_status rc = collection_version_create(&state, spec, cleared, tree);
    edit_fail(e, rc);
    if (rc != HOLT_OK) return;
    encode_tree(&e->items, spec->id, before ? &before->tree : NULL, &state->tree);
    add_collection(e, slot, state);
}

void edit_put_tree(db_edit *e, uint32_t slot, const collection_version *now, const collection_tree *tree)
{
    assert(now && slot < e->base->slot_count && e->base->slots[slot] == now);
    assert(now->spec.kind == tree->kind);
    add_state(e, slot, &now->spec, now->cleared_seqno, now, tree);
}

/* ---------------------------------------------------------------- gathering: the catalog */

/* Turns the collection's B+tree into garbage, whose pages are reclaimed later. */
static void leave_garbage(db_edit *e, const holt_collection *c)
{
    holt *db = e->db;
    assert(!e->garbage);
    const collection_version *now = edit_current(e, c->slot, c->spec.id);
    btree_version *tree = now ? collection_tree_btree(&now->tree) : NULL;
    if (!tree || collection_tree_is_empty(&now->tree)) return;
    if (!mem_grow((void **)&db->manifest.garbage, &db->manifest.garbage_capacity,
                  db->manifest.garbage_count + 1, sizeof *db->manifest.garbage)) {
        edit_fail(e, status_no_memory(sizeof *db->manifest.garbage));
        return;
    }
    e->garbage = btree_version_ref(tree);
    encode_garbage(&e->items, btree_version_root(e->garbage));
}

void edit_clear(db_edit *e, const holt_collection *c, seqno cleared, const collection_tree *tree)
{
    assert(commit_queue_is_led(&e->db->commits) && cleared < e->db->commits.next_seqno);
    e->orders_commits = true;
    encode_clear(&e->items, c->spec.id, cleared);
    add_state(e, c->slot, &c->spec, cleared, NULL, tree);
    leave_garbage(e, c);
    edit_raise_min_seqno(e, cleared);
}

void edit_create(db_edit *e, holt_collection *c, const collection_tree *tree)
{
    holt *db = e->db;
    assert(commit_queue_is_led(&db->commits) && e->catalog == EDIT_CATALOG_SAME);
    os_mutex_lock(&db->catalog.mu);
    holt_status rc = catalog_reserve(&db->catalog);
    if (rc == HOLT_OK) c->slot = catalog_take_slot(&db->catalog);
    os_mutex_unlock(&db->catalog.mu);
    edit_fail(e, rc);
    if (rc != HOLT_OK) {
        collection_tree_unref(tree);
        return;
    }
    e->catalog = EDIT_CREATE;
    e->collection = c;
    e->orders_commits = true;
    c->spec.id = (uint32_t)db->manifest.next_collection++; /* never reused, whatever the outcome */
    encode_collection(&e->items, &c->spec, c->name, 0);
    /* Only the first time, when no change of it can be open; later its state is recorded with each change. */
    e->records_page_store = tree_kind_of(c->spec.kind)->paged && !db->manifest.page_store_named;
    if (e->records_page_store) encode_page_store(&e->items, page_store_recorded(page_store_of(db)), true);
    add_state(e, c->slot, &c->spec, 0, NULL, tree);
}

void edit_drop(db_edit *e, holt_collection *c)
{
    assert(commit_queue_is_led(&e->db->commits) && e->catalog == EDIT_CATALOG_SAME);
    e->catalog = EDIT_DROP;
    e->collection = c;
    e->orders_commits = true;
    encode_drop(&e->items, c->spec.id);
    add_collection(e, c->slot, NULL);
    leave_garbage(e, c);
}

void edit_rename(db_edit *e, holt_collection *c, const char *name)
{
    assert(commit_queue_is_led(&e->db->commits) && e->catalog == EDIT_CATALOG_SAME);
    e->catalog = EDIT_RENAME;
    e->collection = c;
    e->orders_commits = true;
    e->new_name = mem_copy_string(name);
    if (!e->new_name) edit_fail(e, status_no_memory(strlen(name)));
    encode_rename(&e->items, c->spec.id, name);
}

/* ---------------------------------------------------------------- gathering: the rest */

void edit_raise_min_seqno(db_edit *e, seqno min_seqno)
{
    if (min_seqno > e->min_seqno) e->min_seqno = min_seqno;
}

void edit_flushed(db_edit *e, memtable_generation *flushed)
{
    /* Memtables are flushed in the order in which they were sealed. */
    assert(!e->flushed && e->base->generations[e->base->generation_count - 1] == flushed);
    assert(flushed->last_seqno >= e->db->manifest.log.flushed_seqno);
    e->flushed = flushed;
    e->log = e->db->manifest.log;
    e->log.closed = false;
    e->log.flushed_seqno = flushed->last_seqno;
    if (flushed->last_recovered) e->log.recovered_count = 0; /* the array stays db->manifest.log's */
    if (flushed->segment) {
        e->log.next_segment = flushed->next_segment;
        e->log.next_salt = flushed->next_salt;
    }
    encode_log(&e->items, &e->log);
    edit_raise_min_seqno(e, flushed->last_seqno);
}

void edit_pages(db_edit *e, btree_change *change, const page_store_state *prepared)
{
    assert(!e->pages && change && prepared);
    e->pages = change;
    e->page_store = prepared;
    encode_page_store(&e->items, prepared, false);
}

void edit_reclaimed(db_edit *e, size_t count)
{
    assert(e->pages || count == 0);
    assert(count <= e->db->manifest.garbage_count);
    e->reclaimed = count;
    for (size_t i = 0; i < count; i++)
        encode_reclaimed(&e->items, btree_version_root(e->db->manifest.garbage[i]));
}

/* ---------------------------------------------------------------- making it */

/* Reserves the memory for everything that follows the record. */
static holt_status reserve(db_edit *e, version **next)
{
    size_t slots = 0, file_ranges = 0, runs = 0;
    for (size_t i = 0; i < e->collection_count; i++) {
        const edit_collection *c = &e->collections[i];
        if (c->slot >= slots) slots = (size_t)c->slot + 1;
        if (!c->state) continue;
        file_ranges += file_uses_needed(&c->state->tree);
        runs += collection_tree_runs(&c->state->tree);
    }
    holt_status rc = file_uses_reserve(&e->db->manifest.uses, file_ranges);
    if (rc == HOLT_OK) rc = manifest_reserve_doubt(&e->db->manifest, runs);
    return rc == HOLT_OK ? version_change_reserve(&e->db->versions, slots, next) : rc;
}

/* Applies the edit to the reserved version, and installs that. HOLT_NO_MEMORY: more memtables were added
 * since than it has room for; nothing is installed. */
static holt_status install_version(db_edit *e, version *next)
{
    holt *db = e->db;
    assert(next); /* reserved */
    holt_status rc = version_change_begin(&db->versions, next);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < e->collection_count; i++) {
        edit_collection *c = &e->collections[i];
        const collection_version *before = next->slots[c->slot];
        file_uses_change(&db->manifest.uses, before ? &before->tree : NULL,
                         c->state ? &c->state->tree : NULL);
        version_set_slot(next, c->slot, c->state);
        c->state = NULL;
    }
    if (e->flushed) {
        /* As long as old versions or transactions have it. */
        generation_retain(e->flushed, &db->versions.retained_bytes);
        kept_memtables_add(db, e->flushed);
        version_remove_generation(next, e->flushed);
    }
    if (e->min_seqno > next->min_seqno) next->min_seqno = e->min_seqno;
    /* Before the version is installed, so that a reader that does not find the collection there finds it
     * dropped. Release: pairs with collection_lives. */
    if (e->catalog == EDIT_DROP) atomic_store_explicit(&e->collection->dropped, true, memory_order_release);
    version_change_install(&db->versions, next);
    return HOLT_OK;
}

static void install_catalog(db_edit *e)
{
    holt *db = e->db;
    holt_collection *c = e->collection;
    assert(!c == (e->catalog == EDIT_CATALOG_SAME));
    os_mutex_lock(&db->catalog.mu);
    switch (e->catalog) {
    case EDIT_CATALOG_SAME:
        break;
    case EDIT_CREATE:
        catalog_put(&db->catalog, c);
        break;
    case EDIT_DROP:
        catalog_take(&db->catalog, c);
        catalog_release_slot(&db->catalog, c->slot);
        catalog_keep_dropped(&db->catalog, c);
        break;
    case EDIT_RENAME: {
        char *old = c->name;
        catalog_take(&db->catalog, c);
        c->name = e->new_name;
        catalog_put(&db->catalog, c);
        e->new_name = old;
        break;
    }
    }
    catalog_check(&db->catalog);
    os_mutex_unlock(&db->catalog.mu);
}

/* The record is durable: installs what it says. */
static holt_status install(db_edit *e, version *next)
{
    holt *db = e->db;
    holt_status rc = install_version(e, next);
    if (rc != HOLT_OK) return rc;
    install_catalog(e);
    if (e->records_page_store) db->manifest.page_store_named = true;
    if (e->flushed) db->manifest.log = e->log;
    if (e->reclaimed) {
        for (size_t i = 0; i < e->reclaimed; i++)
            btree_version_unref(db->manifest.garbage[i]);
        db->manifest.garbage_count -= e->reclaimed;
        memmove(db->manifest.garbage, db->manifest.garbage + e->reclaimed,
                db->manifest.garbage_count * sizeof *db->manifest.garbage);
    }
    assert(!e->garbage || db->manifest.garbage_count < db->manifest.garbage_capacity); /* leave_garbage */
    if (e->garbage) db->manifest.garbage[db->manifest.garbage_count++] = e->garbage;
    e->garbage = NULL;
    return HOLT_OK;
}

holt_status edit_commit(db_edit *e)
{
    version *next = NULL;
    os_mutex_assert_held(&e->db->manifest.mu);
    assert(e->outcome == EDIT_NOT_MADE);
    if (e->items.failed) edit_fail(e, status_no_memory(e->items.size));
    if (e->status == HOLT_OK) edit_fail(e, reserve(e, &next));
    if (e->status == HOLT_OK) edit_fail(e, manifest_record(e));
    if (e->status == HOLT_OK) {
        holt_status rc = install(e, next);
        next = NULL;
        e->outcome = rc == HOLT_OK ? EDIT_MADE : EDIT_IN_DOUBT;
        if (rc != HOLT_OK) edit_fail(e, status_wrap(HOLT_IO, "a recorded change cannot be installed"));
    }
    version_destroy(next);
    if (e->outcome == EDIT_IN_DOUBT) manifest_doubt(e);
    end(e);
    return e->status == HOLT_OK ? HOLT_OK : status_restore(&e->error);
}
