/* flush_piece.c -- flushing into a B+tree in pieces, while the disk is full (reserve.h).
 *
 * A flush in one go needs room for all the pages that it rewrites, before it gives back any. In pieces it needs room
 * for those of one piece: each is recorded by itself, and what it gave back serves those after it. The memtable
 * stays in front of the tree until all of it is there, so readers see no difference; its log has been synced
 * before, so after a crash it is replayed over the pieces. Begun anew after a failure, a flush finds what has been deleted
 * gone, and needs no room for it.
 */
#include "db/background/flush/flush_internal.h"

#include "db/background/space.h"
#include "db/version/install.h"

static holt_status apply_piece(const flush *f, btree_change *change, const collection_state *s,
                               btree_version **next)
{
    btree_batch batch = {.base = s->btree, .changes = f->input, .block_bytes = s->spec.block_bytes};
    bool done;
    holt_status rc = btree_change_apply(change, &batch, f->piece, &done, next);
    if (rc != HOLT_OK || done) return rc;
    btree_change_cut(change);
    return btree_change_apply(change, &batch, 1, &done, next);
}

static bool has_changed(const btree_version *base, const btree_version *next)
{
    return btree_version_root(base)->root.offset != btree_version_root(next)->root.offset;
}

static holt_status write_piece(flush *f, btree_change *change, const flush_output *o,
                               const collection_state *s)
{
    space_tree t = {.collection = o->collection, .slot = o->slot, .base = s->btree};
    holt_status rc = apply_piece(f, change, s, &t.next);
    if (rc == HOLT_OK && has_changed(t.base, t.next)) {
        f->bytes += btree_change_bytes(change);
        rc = space_record_tree(f->db, change, &t, f->table->last_seqno);
    } else {
        btree_change_abandon(change);
    }
    btree_version_unref(t.next);
    return rc;
}

holt_status flush_piece(flush *f, const flush_output *o, bool *gone)
{
    view *now;
    btree_change *change;
    *gone = false;
    holt_status rc = btree_change_begin(&change, space_of(f->db));
    if (rc != HOLT_OK) return rc;
    rc = view_acquire(f->db, &now);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        return rc;
    }
    const collection_state *s = view_collection(now, o->slot, o->collection);
    *gone = !s || s->cleared_seqno >= f->table->last_seqno;
    if (*gone)
        btree_change_abandon(change);
    else
        rc = write_piece(f, change, o, s);
    view_release(f->db, now);
    return rc;
}
