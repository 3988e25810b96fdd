/* flush_chunks.c -- flushing into a B+tree by chunks, while the disk is full (ballast.h).
 *
 * A whole flush needs room for all pages that it rewrites before it frees any. A chunk needs room only for
 * its own: it is recorded by itself, and the pages that it has freed serve later chunks.
 *
 * The memtable stays in front of the tree until all chunks are recorded, so readers see no difference. After
 * a crash it is replayed over the recorded chunks, for which the log was synced first (choose_mode in
 * flush.c). When a failed flush starts again, the deletes of recorded chunks find their entries gone, and
 * need no room.
 */
#include "db/background/flush/flush_internal.h"

#include "base/status.h"
#include "db/background/jobs.h"
#include "db/background/page_reclaim.h"

#include <assert.h>

static holt_status apply_chunk(const flush *f, btree_change *change, const collection_version *s,
                               btree_version **next)
{
    btree_batch batch = {.base = collection_tree_btree(&s->tree),
                         .changes = f->input,
                         .block_bytes = s->spec.block_bytes,
                         .time_ms = f->time_ms};
    bool done;
    holt_status rc = btree_change_apply(change, &batch, f->chunk_entries, &done, next);
    if (rc != HOLT_OK || done) return rc;
    btree_change_cut(change);
    rc = btree_change_apply(change, &batch, 1, &done, next);
    assert(rc != HOLT_OK || done);
    return rc;
}

/* Ends the change. A chunk that has not changed the tree, such as deletes of absent keys, is not recorded. */
static holt_status apply_and_record(flush *f, btree_change *change, const flush_output *o,
                                    const collection_version *s)
{
    reclaim_tree t = {.collection = o->collection, .slot = o->slot, .base = collection_tree_btree(&s->tree)};
    holt_status rc = apply_chunk(f, change, s, &t.next);
    if (rc == HOLT_OK && btree_version_root(t.base)->root.offset != btree_version_root(t.next)->root.offset) {
        f->bytes += btree_change_bytes(change);
        rc = reclaim_record_tree(f->db, change, &t, f->generation->last_seqno);
        if (rc == HOLT_OK) jobs_wake_workers(f->db); /* the freed pages may let the file become smaller */
    } else {
        btree_change_abandon(change);
    }
    btree_version_unref(t.next);
    return rc;
}

holt_status flush_write_chunk(flush *f)
{
    const flush_output *o = &f->outputs[f->output_count];
    btree_change *change;
    version *now;
    assert(f->input && !f->change);
    holt_status rc = flush_refresh_version(f);
    if (rc != HOLT_OK) return rc;
    rc = btree_change_begin(&change, page_store_of(f->db));
    if (rc == HOLT_BUSY && !status_no_descriptors(rc)) return HOLT_OK;
    if (rc != HOLT_OK) return rc;
    /* Inside the change, so that the tree which the version shows cannot be replaced. */
    rc = version_acquire(&f->db->versions, &now);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        return rc;
    }
    const collection_version *s = version_collection(now, o->slot, o->collection);
    bool gone = !s || s->cleared_seqno >= f->generation->last_seqno;
    if (gone)
        btree_change_abandon(change);
    else
        rc = apply_and_record(f, change, o, s);
    version_release(&f->db->versions, now);
    if (rc == HOLT_OK && (gone || !f->input->valid)) {
        iterator_close(f->input);
        f->input = NULL;
    }
    return rc;
}
