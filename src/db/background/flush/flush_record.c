/* flush_record.c -- steps 4 and 5 of a flush: one edit with the new tree of every collection, then the
 * release of the log.
 */
#include "db/background/flush/flush_internal.h"

#include "base/status.h"
#include "db/manifest/db_edit.h"

#include <assert.h>
#include <inttypes.h>

/* *tree: the collection's LSM tree with the new run in front. */
static holt_status add_run(flush *f, const collection_version *now, const flush_output *o,
                           collection_tree *tree)
{
    const uint8_t *bounds = o->bounds.data;
    assert(f->finished && o->lower_size < o->bounds.size);
    lsm_file_range file_range = {
        .file = f->file,
        .file_size = f->run_bytes,
        .root = o->root,
        .lower = slice_of(bounds, o->lower_size),
        .upper = o->upper_open ? slice_of(NULL, 0)
                               : slice_of(bounds + o->lower_size, o->bounds.size - o->lower_size)};
    lsm_run *run;
    holt_status rc = lsm_run_open(f->generation->last_seqno, 0, &file_range, &f->finished, 1, &run);
    if (rc != HOLT_OK) return rc;
    lsm_tree *grown;
    rc = lsm_tree_replace(collection_tree_lsm(&now->tree), NULL, 0, run, &grown);
    if (rc == HOLT_OK) *tree = collection_tree_of_lsm(grown);
    lsm_run_unref(run);
    return rc;
}

/* Adds the new tree of one collection, unless it is gone or nothing was written. HOLT_CONFLICT: its B+tree
 * was replaced since the flush read it. */
static holt_status add_output(flush *f, db_edit *e, const flush_output *o)
{
    const collection_version *now = edit_current(e, o->slot, o->collection);
    if (o->base && (!now || collection_tree_btree(&now->tree) != o->base))
        return status_set(HOLT_CONFLICT, "the B+tree of collection %u was replaced during the flush",
                          o->collection);
    if (!now || now->cleared_seqno >= f->generation->last_seqno) return HOLT_OK;
    if (!o->next && !o->root.root.length) return HOLT_OK;
    collection_tree tree;
    if (o->next) {
        tree = collection_tree_of_btree(btree_version_ref(o->next));
    } else {
        holt_status rc = add_run(f, now, o, &tree);
        if (rc != HOLT_OK) return rc;
        f->file_used = true;
    }
    edit_put_tree(e, o->slot, now, &tree);
    return HOLT_OK;
}

holt_status flush_record(flush *f)
{
    db_edit e;
    holt_status rc = edit_begin(&e, f->db);
    if (rc != HOLT_OK) return rc;
    assert(!f->file_used);
    if (f->generation->last_recovered) f->recovered_count = f->db->manifest.log.recovered_count;
    edit_flushed(&e, f->generation);
    if (f->change) {
        edit_pages(&e, f->change, f->page_store);
        f->change = NULL; /* the edit's */
    }
    for (size_t i = 0; i < f->output_count && rc == HOLT_OK; i++)
        rc = add_output(f, &e, &f->outputs[i]);
    edit_fail(&e, rc);
    rc = edit_commit(&e);
    assert((rc == HOLT_OK) == (e.outcome == EDIT_MADE));
    /* While the record is in doubt the file must stay. If it is known not to exist, nothing will ever read
     * the file. */
    if (e.outcome == EDIT_NOT_MADE) f->file_used = false;
    return rc;
}

void flush_release_log(flush *f)
{
    holt *db = f->db;
    const memtable_generation *g = f->generation;
    if (g->segment) wal_release(db->wal, g->segment);
    for (size_t i = 0; i < f->recovered_count;
         i++) /* the edit has emptied the list, but not changed its array */
        wal_release_file(db->wal, db->manifest.log.recovered[i].segment);

    write_throttle_drained(&db->throttle, memtable_bytes(g->memtable), os_clock_ns(db->os) - f->began_ns);
    event_log_write(db->events, HOLT_LOG_INFO,
                    "flushed %zu collections, %" PRIu64 " entries into %" PRIu64
                    " bytes, up to operation %" PRIu64,
                    f->output_count, memtable_entries(g->memtable), f->bytes, g->last_seqno);
    os_mutex_lock(&db->jobs.mu);
    db->flushes.flushed_seqno = g->last_seqno;
    db->flushes.count++;
    db->flushes.bytes += f->bytes;
    os_mutex_unlock(&db->jobs.mu);
}
