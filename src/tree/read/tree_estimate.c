/* tree_estimate.c -- estimates the entries of a tree in a key range (base/range_estimate.h).
 *
 * The weight of a block is its length, which is in the pointer to it: so how full leaves are is known from
 * their parents.
 */
#include "tree/tree_internal.h"

#include "base/range_estimate.h"

_Static_assert(sizeof(block_ptr) == sizeof((estimate_node *)0)->words, "an estimate_node holds a block_ptr");

typedef struct tree_estimator {
    tree_file *file;
    tree_buffer buffer;
} tree_estimator;

static estimate_node block_estimate(block_ptr p)
{
    estimate_node n = {.weight = p.length};
    memcpy(n.words, &p, sizeof p);
    return n;
}

static void visit_inner_block(const block *b, estimate_visit *v)
{
    uint32_t first = 0, end = b->count, begin_at = 0, end_at = 0;
    v->has_begin = !slice_is_open(v->begin);
    v->has_end = !slice_is_open(v->end);
    if (v->has_begin) {
        begin_at = block_child_index(b, v->begin);
        v->begin_child = block_estimate(block_child(b, begin_at));
        first = begin_at + 1;
    }
    if (v->has_end) {
        end_at = block_child_index(b, v->end);
        v->end_child = block_estimate(block_child(b, end_at));
        end = end_at;
    }
    v->same = v->has_begin && v->has_end && begin_at == end_at;
    for (uint32_t i = first; i < end; i++) {
        block_ptr child = block_child(b, i);
        v->covered += child.length;
        if (estimate_takes(i - first, end - first)) v->samples[v->sample_count++] = block_estimate(child);
    }
}

/* Each entry counts for an equal share of the block, and for the overflow pieces of its value. */
static void visit_leaf_block(const tree_estimator *e, const block *b, estimate_visit *v)
{
    bool equal;
    uint32_t first = slice_is_open(v->begin) ? 0 : block_lower_bound(b, v->begin, &equal);
    uint32_t end = slice_is_open(v->end) ? b->count : block_lower_bound(b, v->end, &equal);
    if (first >= end) return;
    v->bytes = (double)tree_file_space(e->file, b->size) * (end - first) / b->count;
    for (uint32_t i = first; i < end; i++) {
        block_entry entry = block_at(b, i);
        v->covered += !entry_op_is_empty(entry.op);
        if (entry.overflow) v->bytes += (double)block_overflow_size(entry.value);
    }
}

static holt_status visit_block(void *ctx, estimate_visit *v)
{
    tree_estimator *e = ctx;
    block_ptr p;
    block b;
    bool cached;
    memcpy(&p, v->node.words, sizeof p);
    holt_status rc = tree_block_fetch(e->file, p, v->level, &e->buffer, &b, &cached);
    if (rc != HOLT_OK) return rc;
    if (!cached) cache_insert(tree_file_cache(e->file), p, b.bytes, v->level ? CACHE_RESIDENT : CACHE_COLD);
    if (v->level > 0)
        visit_inner_block(&b, v);
    else
        visit_leaf_block(e, &b, v);
    return HOLT_OK;
}

holt_status tree_estimate(tree_file *f, const tree_root *root, slice begin, slice end, estimate_sums *sums)
{
    if (root->root.length == 0) return HOLT_OK;
    if (slice_is_open(begin) && slice_is_open(end)) { /* the numbers are known exactly */
        sums->entries += (double)(root->entries - root->tombstones);
        sums->bytes += (double)root->bytes;
        return HOLT_OK;
    }
    tree_estimator e = {.file = f};
    holt_status rc = tree_root_check(f, root);
    if (rc == HOLT_OK)
        rc = range_estimate(visit_block, &e, block_estimate(root->root), root->height, begin, end, sums);
    tree_buffer_deinit(&e.buffer);
    return rc;
}
