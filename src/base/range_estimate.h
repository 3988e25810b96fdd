/* range_estimate.h -- estimates how many entries of a tree lie in a key range, from a few of its nodes.
 *
 * The tree is descended along both ends of the range, level by level. What lies between the two paths is
 * measured by weight: the sum, over the nodes of a level, of a figure that a parent knows of each child and
 * that grows with its contents (the size of a block, the number of slots of a node in memory). Some of the
 * nodes between the paths are visited, evenly spread; the weight of the next level that they lead to, for
 * each unit of their own, is taken to be the same for all. If no more than ESTIMATE_SAMPLES lie between the
 * paths, all of them are visited and the result is exact.
 *
 * It visits at most ESTIMATE_SAMPLES + 2 nodes of each level, whatever the size of the range. (InnoDB's
 * records_in_range works likewise, with the number of nodes as the weight.)
 */
#ifndef HOLT_BASE_RANGE_ESTIMATE_H
#define HOLT_BASE_RANGE_ESTIMATE_H

#include "base/slice.h"

enum { ESTIMATE_SAMPLES = 32 };

/* How to find a node; the tree defines the words. */
typedef struct estimate_node {
    uint64_t words[3];
    uint64_t weight; /* at least 1 */
} estimate_node;

/* A visit to one node. */
typedef struct estimate_visit {
    estimate_node node;
    uint32_t level;   /* 0: a leaf */
    slice begin, end; /* the range, [begin, end); {NULL, 0}: open */

    /* Filled in by the visitor, zero before. For an inner node: the children that the bounds fall into,
     * unless open (they may be the same), the total weight of those between them, and some of those
     * (estimate_takes). */
    bool has_begin, has_end, same;
    estimate_node begin_child, end_child;
    uint32_t sample_count;
    estimate_node samples[ESTIMATE_SAMPLES];
    /* For a leaf: its entries in the range, and their bytes. For an inner node: `covered` is that total
     * weight. */
    double covered, bytes;
} estimate_visit;

typedef holt_status (*estimate_visitor)(void *ctx, estimate_visit *v);

typedef struct estimate_sums {
    double entries, bytes;
} estimate_sums;

/* Adds the estimate to *sums. height: the number of levels of the tree, at least 1. */
holt_status range_estimate(estimate_visitor visit, void *ctx, estimate_node root, uint32_t height,
                           slice begin, slice end, estimate_sums *sums);

/* For visitors: whether the child with this index, among `count` covered children, is one of the samples. */
static inline bool estimate_takes(uint32_t index, uint32_t count)
{
    if (count <= ESTIMATE_SAMPLES) return true;
    return ((uint64_t)index + 1) * ESTIMATE_SAMPLES / count != (uint64_t)index * ESTIMATE_SAMPLES / count;
}

#endif
