/* flush_chunk.c -- flushing into a B+tree in pieces, while the disk is full (ballast.h).
 *
 * A flush in one go needs room for all the pages that it rewrites, before it gives back any. In pieces it needs room
 * for those of one piece: each is recorded by itself, and what it gave back serves those after it. The memtable
 * stays in front of the tree until all of it is there, so readers see no difference; its log has been synced
 * before, so after a crash it is replayed over the pieces. Begun anew after a failure, a flush finds what has been deleted
 * gone, and needs no room for it.
 */
#include "db/background/flush/flush_internal.h"

#include "db/background/page_reclaim.h"
#include "db/db.h"
#include "db/version/version_set.h"

static holt_status apply_chunk(const flush *f, btree_change *change, const collection_version *s,
                               btree_version **next)
{
    btree_batch batch = {
        .base = collection_tree_btree(&s->tree), .changes = f->input, .block_bytes = s->spec.block_bytes};
    bool done;
    holt_status rc = btree_change_apply(change, &batch, f->chunk, &done, next);
    if (rc != HOLT_OK || done) return rc;
    btree_change_cut(change);
    return btree_change_apply(change, &batch, 1, &done, next);
}

static bool has_changed(const btree_version *base, const btree_version *next)
{
    return btree_version_root(base)->root.offset != btree_version_root(next)->root.offset;
}

static holt_status write_chunk(flush *f, btree_change *change, const flush_output *o,
                               const collection_version *s)
{
    reclaim_tree t = {.collection = o->collection, .slot = o->slot, .base = collection_tree_btree(&s->tree)};
    holt_status rc = apply_chunk(f, change, s, &t.next);
    if (rc == HOLT_OK && has_changed(t.base, t.next)) {
        f->bytes += btree_change_bytes(change);
        rc = reclaim_record_tree(f->db, change, &t, f->generation->last_seqno);
    } else {
        btree_change_abandon(change);
    }
    btree_version_unref(t.next);
    return rc;
}

holt_status flush_chunk(flush *f, const flush_output *o, bool *gone)
{
    version *now;
    btree_change *change;
    *gone = false;
    holt_status rc = btree_change_begin(&change, page_store_of(f->db));
    if (rc != HOLT_OK) return rc;
    rc = version_acquire(&f->db->versions, &now);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        return rc;
    }
    const collection_version *s = version_collection(now, o->slot, o->collection);
    *gone = !s || s->cleared_seqno >= f->generation->last_seqno;
    if (*gone)
        btree_change_abandon(change);
    else
        rc = write_chunk(f, change, o, s);
    version_release(&f->db->versions, now);
    return rc;
}
