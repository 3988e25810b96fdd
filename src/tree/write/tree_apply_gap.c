/* tree_apply_gap.c -- dropping what lies in a deleted gap of the batch: whole leaves, and going on after a
 * cut. */
#include "tree/write/tree_apply_internal.h"

#include "base/status.h"

#include <assert.h>

uint32_t apply_gap_end(const tree_apply *a, uint32_t level)
{
    const apply_level *l = &a->levels[level];
    assert(level > 0);
    if (!a->gap) return l->index;
    return apply_in_range(a, l) ? block_child_index(&l->block, a->batch->key) : l->count;
}

holt_status apply_drop_leaf(tree_apply *a)
{
    apply_level *l = &a->levels[1], *leaf = &a->levels[0];
    assert(l->open && l->index < l->count && (!leaf->open || leaf->index == leaf->count));
    const block_ptr p = block_child(&l->block, l->index);
    block b;
    bool cached;
    holt_status rc = apply_read_ahead_all(a, l->index, apply_gap_end(a, 1));
    if (rc == HOLT_OK) rc = tree_block_fetch(a->pages->file, p, 0, &leaf->bytes, &b, &cached);
    if (rc != HOLT_OK) return rc;
    if (b.count > a->root.entries || b.tombstones > a->root.tombstones)
        return tree_file_corrupt(a->pages->file, p.offset, "the tree has more entries than recorded");
    for (uint32_t i = 0; i < b.count && rc == HOLT_OK; i++) {
        block_entry e = block_at(&b, i);
        if (e.op == ENTRY_PUT_UNTIL) expiry_summary_remove(&a->root.expiry);
        if (e.overflow) rc = apply_release_overflow(a, e.value);
    }
    if (rc == HOLT_OK) rc = apply_release(a, p);
    if (rc != HOLT_OK) return rc;
    a->root.entries -= b.count;
    a->root.tombstones -= b.tombstones;
    a->removed = true;
    l->index++;
    l->growth--;
    l->dirty = true;
    l->append = false;
    return HOLT_OK;
}

holt_status apply_resume_gap(tree_apply *a)
{
    iterator *in = a->batch;
    in->ops->prev(in);
    if (in->valid) {
        a->applied = true;
    } else if (in->status == HOLT_OK) { /* the gap before the first entry of all */
        in->ops->first(in);
        a->gap = true;
    }
    return in->status;
}
