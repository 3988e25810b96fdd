/* memtable_estimate.c -- estimates the entries of a memtable in a key range (base/range_estimate.h).
 *
 * The weight of a node is the number of its slots. Each node is read as it was at one moment, but the writer
 * may change the tree between two nodes: the estimate is then a little older or newer than the seqno says.
 */
#include "base/range_estimate.h"
#include "memtable/memtable_internal.h"

#include <sched.h>

_Static_assert(sizeof(memnode *) <= sizeof(uint64_t), "an estimate_node holds a pointer to a memnode");

typedef struct memtable_scope {
    uint64_t seqno, after;
} memtable_scope;

static estimate_node memnode_estimate(const memnode *n)
{
    uint32_t count = memnode_count(n);
    return (estimate_node){.words = {(uint64_t)(uintptr_t)n}, .weight = count ? count : 1};
}

static void visit_inner_node(const memnode *n, estimate_visit *v)
{
    bool equal;
    uint32_t first = 0, end = memnode_count(n), begin_at = 0, end_at = 0;
    v->has_begin = !slice_is_open(v->begin);
    v->has_end = !slice_is_open(v->end);
    if (v->has_begin) {
        begin_at = memnode_search(n, v->begin, ABOVE, &equal) - 1;
        v->begin_child = memnode_estimate(memnode_child(n, begin_at));
        first = begin_at + 1;
    }
    if (v->has_end) {
        end_at = memnode_search(n, v->end, ABOVE, &equal) - 1;
        v->end_child = memnode_estimate(memnode_child(n, end_at));
        end = end_at;
    }
    v->same = v->has_begin && v->has_end && begin_at == end_at;
    for (uint32_t i = first; i < end; i++) {
        estimate_node child = memnode_estimate(memnode_child(n, i));
        v->covered += (double)child.weight;
        if (estimate_takes(i - first, end - first)) v->samples[v->sample_count++] = child;
    }
}

static void visit_leaf_node(const memtable_scope *e, const memnode *n, estimate_visit *v)
{
    bool equal;
    uint32_t count = memnode_count(n);
    uint32_t first = slice_is_open(v->begin) ? 0 : memnode_search(n, v->begin, AT_OR_ABOVE, &equal);
    uint32_t end = slice_is_open(v->end) ? count : memnode_search(n, v->end, AT_OR_ABOVE, &equal);
    for (uint32_t i = first; i < end; i++) {
        const memtable_record *r = record_at(memnode_record(n, i), e->seqno);
        if (!r || r->seqno <= e->after || r->op == ENTRY_DELETE) continue;
        v->covered++;
        v->bytes += (double)r->key_size + r->value_size;
    }
}

static holt_status visit_node(void *ctx, estimate_visit *v)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): memnode_estimate() has stored a pointer
    const memnode *n = (const memnode *)(uintptr_t)v->node.words[0];
    const estimate_visit before = *v;
    for (;;) {
        uint64_t version;
        if (memnode_read_begin(n, &version)) {
            if (v->level > 0)
                visit_inner_node(n, v);
            else
                visit_leaf_node(ctx, n, v);
            if (memnode_read_end(n, version)) return HOLT_OK;
        }
        sched_yield(); /* the writer is changing the node: rare, and over within microseconds */
        *v = before;
    }
}

void memtable_estimate(memtable *m, uint32_t collection, uint64_t seqno, uint64_t after, slice begin,
                       slice end, estimate_sums *sums)
{
    const memmap *map = memdirectory_find(&m->directory, collection);
    if (!map) return;
    memtable_scope e = {.seqno = seqno, .after = after};
    const memnode *root = atomic_load_explicit(&map->root, memory_order_acquire);
    (void)range_estimate(visit_node, &e, memnode_estimate(root), root->level + 1, begin, end, sums);
}
