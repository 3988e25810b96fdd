/* load_commit.c -- committing a bulk load: steps 3 to 6 of load_internal.h. */
#include "db/background/load_internal.h"

#include "base/status.h"
#include "db/commit/commit.h"
#include "db/manifest/db_edit.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <inttypes.h>

enum { STEP_ENTRIES = 8192, LOADED_RUN_SEQNO = 0 };
static const uint64_t BUSY_NS = 1000000;

/* The tree to be switched to. */
typedef struct new_tree {
    collection_tree tree;               /* a reference, until the edit takes it over */
    btree_change *change;               /* of a B+tree; NULL: none, or the edit's */
    const page_store_state *page_store; /* prepared by the change */
} new_tree;

/* ---------------------------------------------------------------- the collection is empty */

/* Whether the memtable shows no entry of the collection to a reader at this seqno. */
static holt_status generation_is_empty(const memtable_generation *g, const collection_version *s, seqno at,
                                       bool *empty)
{
    iterator *entries;
    *empty = true;
    if (memtable_collection_entries(g->memtable, s->spec.id) == 0) return HOLT_OK;
    const memtable_iterator_options options = {.seqno = at, .after = s->cleared_seqno};
    holt_status rc = memtable_iterator_open(g->memtable, s->spec.id, &options, &entries);
    if (rc != HOLT_OK) return rc;
    entries->ops->first(entries);
    *empty = !entries->valid;
    iterator_close(entries);
    return HOLT_OK;
}

static holt_status set_not_empty(const holt_collection *c)
{
    os_mutex_lock(&c->db->catalog.mu);
    holt_status rc =
        status_set(HOLT_EXISTS,
                   "collection \"%s\" is not empty, and a load does not replace or merge; empty it "
                   "with holt_collection_clear (deleted entries leave tombstones)",
                   c->name);
    os_mutex_unlock(&c->db->catalog.mu);
    return rc;
}

holt_status load_check_empty(const holt_collection *c)
{
    holt *db = c->db;
    version *v;
    bool empty = true;
    /* Acquire, and before the version: every commit up to it is in the version. */
    seqno visible = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    if (s) empty = collection_tree_is_empty(&s->tree);
    for (size_t i = 0; s && i < v->generation_count && empty && rc == HOLT_OK; i++)
        rc = generation_is_empty(v->generations[i], s, visible, &empty);
    version_release(&db->versions, v);
    return rc == HOLT_OK && !empty ? set_not_empty(c) : rc;
}

/* ---------------------------------------------------------------- the new tree */

/* 3. If that fails after the run is written, a later commit continues where this one failed. */
static holt_status complete_run(holt_load *load)
{
    if (!load->sealed) {
        load->sealed = true;
        load->last_key[load->last_size] = 0;
        slice upper = slice_of(load->last_key, load->last_size + 1);
        holt_status rc = load_keep_failure(load, lsm_run_writer_end(load->writer, upper));
        if (rc != HOLT_OK) return rc;
    }
    if (load->run) return HOLT_OK;
    holt_status rc = os_dir_sync(load->db->dir);
    if (rc != HOLT_OK) return rc;
    uint32_t level = lsm_level_of(lsm_run_writer_bytes(load->writer), load->db->set.memtable_bytes);
    rc = lsm_run_writer_take(load->writer, LOADED_RUN_SEQNO, level, &load->run);
    assert(rc != HOLT_OK || !load->run == !load->entries);
    return rc;
}

/* 4, for a B+tree collection. */
static holt_status build_btree(holt_load *load, new_tree *n)
{
    holt *db = load->db;
    tree_iterator_options options = {.bypass_cache = true, .read_ahead = true};
    iterator *entries;
    btree_version *loaded = NULL;
    holt_status rc = lsm_run_iterator_open(load->run, &options, &entries);
    if (rc != HOLT_OK) return rc;
    entries->ops->first(entries);
    rc = entries->status;
    if (rc == HOLT_OK) {
        while ((rc = btree_change_begin(&n->change, page_store_of(db))) == HOLT_BUSY)
            os_sleep(db->os, BUSY_NS); /* another change is open */
    }
    for (bool done = false; rc == HOLT_OK && !done;)
        rc = btree_change_load(n->change, entries, load->collection->spec.block_bytes, STEP_ENTRIES, &done,
                               &loaded);
    iterator_close(entries);
    if (loaded) n->tree = collection_tree_of_btree(loaded);
    if (rc == HOLT_OK) rc = btree_change_prepare(n->change, &n->page_store);
    return rc;
}

/* 4, for an LSM collection. */
static holt_status build_lsm(holt_load *load, new_tree *n)
{
    lsm_tree *loaded;
    holt_status rc = lsm_tree_create(&load->run, 1, &loaded);
    if (rc == HOLT_OK) n->tree = collection_tree_of_lsm(loaded);
    return rc;
}

/* ---------------------------------------------------------------- the switch */

/* 6. The edit takes over the tree and the change. */
static holt_status record_load(holt_load *load, new_tree *n)
{
    db_edit e;
    holt_status rc = edit_begin(&e, load->db);
    if (rc != HOLT_OK) return rc;
    bool paged = n->change != NULL;
    if (paged) edit_pages(&e, n->change, n->page_store);
    edit_clear(&e, load->collection, load->db->commits.next_seqno - 1, &n->tree);
    memset(n, 0, sizeof *n);
    rc = edit_commit(&e);
    if (!paged && e.outcome != EDIT_NOT_MADE) load->named = true;
    return rc;
}

/* 5 and 6. */
static holt_status switch_tree(holt_load *load, new_tree *n)
{
    holt *db = load->db;
    holt_collection *c = load->collection;
    assert(n->tree.kind == c->spec.kind);
    holt_status rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = collection_check(c); /* it may have been dropped since */
    if (rc == HOLT_OK) rc = load_check_empty(c);
    if (rc == HOLT_OK) rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = record_load(load, n);
    if (rc == HOLT_OK) collection_set_replaced(c);
    commit_queue_unlead(&db->commits);
    return rc;
}

holt_status load_commit(holt_load *load)
{
    new_tree n = {0};
    holt_error error;
    const bool paged = tree_kind_of(load->collection->spec.kind)->paged;
    holt_status rc = load_check_failure(load);
    if (rc == HOLT_OK) rc = load_check_empty(load->collection); /* before all that work */
    if (rc == HOLT_OK) rc = complete_run(load);
    if (rc != HOLT_OK || !load->run) return rc;
    rc = paged ? build_btree(load, &n) : build_lsm(load, &n);
    if (rc == HOLT_OK) rc = switch_tree(load, &n);
    if (rc == HOLT_OK)
        event_log_write(load->db->events, HOLT_LOG_INFO, "loaded %" PRIu64 " entries into collection %u",
                        load->entries, load->collection->spec.id);
    status_keep(rc, &error); /* cleaning up may fail, too */
    collection_tree_unref(&n.tree);
    btree_change_abandon(n.change);
    return rc == HOLT_OK ? rc : status_restore(&error);
}
