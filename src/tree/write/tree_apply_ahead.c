/* tree_apply_ahead.c -- reading leaves ahead of an apply, many at a time.
 *
 * When a leaf is not cached, the leaves that the batch changes after it probably are not either. So the batch
 * is scanned in advance, and the system is told to read all these leaves at once, so that the disk is kept
 * busy instead of being waited for leaf by leaf.
 */
#include "tree/write/tree_apply_internal.h"

#include "base/status.h"
#include "tree/read/tree_read_ahead.h"

/* The most at a time: what has been read early must still be in memory when it is needed. */
enum { AHEAD_LEAVES = 256, AHEAD_CHANGES = 8192 };

static holt_status is_cached(const tree_apply *a, block_ptr p, bool *cached)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    *cached = cache_lookup(tree_file_cache(a->pages->file), p) != NULL;
    epoch_leave();
    return HOLT_OK;
}

holt_status apply_read_ahead(tree_apply *a, uint32_t level, uint32_t index)
{
    apply_level *l = &a->levels[level];
    iterator *in = a->batch;
    if (index < l->ahead || !apply_in_range(a, l)) return HOLT_OK;
    bool cached;
    holt_status rc = is_cached(a, block_child(&l->block, index), &cached);
    if (rc != HOLT_OK || cached) return rc;

    buffer_clear(&a->key);
    buffer_append(&a->key, in->key);
    if (a->key.failed) return status_no_memory(in->key.size);
    ahead_stretch s = {0, 0};
    l->ahead = index;
    for (size_t changes = 0, leaves = 0; changes < AHEAD_CHANGES && apply_in_range(a, l); changes++) {
        uint32_t child = block_child_index(&l->block, in->key);
        if (child >= l->ahead) {
            if (leaves++ == AHEAD_LEAVES) break;
            ahead_add(&s, a->pages->file, block_child(&l->block, child));
            l->ahead = child + 1;
        }
        in->ops->next(in);
    }
    ahead_request(&s, a->pages->file);
    in->ops->seek(in, buffer_slice(&a->key));
    return in->status;
}

holt_status apply_read_ahead_all(tree_apply *a, uint32_t index, uint32_t end)
{
    apply_level *l = &a->levels[1];
    if (index < l->ahead) return HOLT_OK;
    bool cached;
    holt_status rc = is_cached(a, block_child(&l->block, index), &cached);
    if (rc != HOLT_OK || cached) return rc;
    ahead_stretch s = {0, 0};
    for (l->ahead = index; l->ahead < end && l->ahead < index + AHEAD_LEAVES; l->ahead++)
        ahead_add(&s, a->pages->file, block_child(&l->block, l->ahead));
    ahead_request(&s, a->pages->file);
    return HOLT_OK;
}
