/* flush_record.c -- making a flush visible: one record of what became of every collection, then the version. */
#include "db/background/flush/flush_internal.h"

#include "base/status.h"
#include "db/commit/commit_queue.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"

#include <inttypes.h>

/* The collection's tree with its new run in front. */
static holt_status add_run(flush *f, const collection_version *now, const flush_output *o,
                           collection_tree *tree)
{
    const uint8_t *bounds = o->bounds.data;
    lsm_file_range file_range = {.file = f->file,
                                 .file_size = f->run_bytes,
                                 .root = o->root,
                                 .lower = slice_of(bounds, o->lower_size),
                                 .upper = slice_of(bounds + o->lower_size, o->bounds.size - o->lower_size)};
    lsm_run *run;
    holt_status rc = lsm_run_open(f->generation->last_seqno, 0, &file_range, &f->finished, 1, &run);
    if (rc != HOLT_OK) return rc;
    lsm_tree *grown;
    rc = lsm_tree_replace(collection_tree_lsm(&now->tree), NULL, 0, run, &grown);
    if (rc == HOLT_OK) *tree = collection_tree_of_lsm(grown);
    lsm_run_unref(run);
    return rc;
}

/* The new tree of one collection. HOLT_CONFLICT: its pages have been changed by another since the flush began, so that
 * the flush must begin again. */
static holt_status add_output(flush *f, db_edit *e, const flush_output *o)
{
    const collection_version *now = edit_current(e, o->slot, o->collection);
    if (o->base && (!now || collection_tree_btree(&now->tree) != o->base))
        return status_set(HOLT_CONFLICT, "collection %u has got another B+tree meanwhile", o->collection);
    bool nothing =
        !now || now->cleared_seqno >= f->generation->last_seqno || (!o->next && !o->root.root.length);
    if (nothing) return HOLT_OK;
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

static holt_status record_flush(flush *f)
{
    db_edit e;
    holt_status rc = edit_begin(&e, f->db);
    if (rc != HOLT_OK) return rc;
    f->file_used = false;
    edit_flushed(&e, f->generation);
    if (f->change && f->page_store) {
        edit_pages(&e, f->change, f->page_store);
        f->change = NULL;
    }
    for (size_t i = 0; i < f->output_count && rc == HOLT_OK; i++)
        rc = add_output(f, &e, &f->outputs[i]);
    edit_fail(&e, rc);
    rc = edit_commit(&e);
    /* What is in doubt stays until that is settled; otherwise nothing will ever read the file, for all it holds was
     * dropped or cleared, or the flush begins again with another. */
    if (e.outcome == EDIT_NOT_MADE) f->file_used = false;
    return rc;
}

/* The record is durable: the memtable's segments are not needed any more. */
static void release_log(holt *db, const memtable_generation *t, const log_end *recovered,
                        size_t recovered_count)
{
    if (t->segment) wal_release(db->wal, t->segment);
    for (size_t i = 0; t->last_recovered && i < recovered_count; i++)
        wal_release_file(db->wal, recovered[i].segment);
}

holt_status flush_finish(flush *f)
{
    holt *db = f->db;
    /* Only flushes change it, and there is one at a time. */
    size_t recovered_count = db->manifest.log.recovered_count;
    holt_status rc = record_flush(f);
    if (rc != HOLT_OK) return rc;
    release_log(db, f->generation, db->manifest.log.recovered, recovered_count);
    write_throttle_drained(&db->throttle, memtable_bytes(f->generation->memtable),
                           os_clock_ns(db->os) - f->began_ns);
    event_log_write(
        db->events, HOLT_LOG_INFO,
        "flushed %zu collections, %" PRIu64 " versions into %" PRIu64 " bytes, up to operation %" PRIu64,
        f->output_count, memtable_entries(f->generation->memtable), f->bytes, f->generation->last_seqno);
    os_mutex_lock(&db->jobs.mu);
    db->flushes.flushed_seqno = f->generation->last_seqno;
    db->flushes.count++;
    db->flushes.bytes += f->bytes;
    os_mutex_unlock(&db->jobs.mu);
    return HOLT_OK;
}
