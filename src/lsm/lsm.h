/* lsm.h -- the LSM tree of one collection: runs, newest first, each a list of parts.
 *
 * A run is an immutable sorted set of entries: what one flush or one merge wrote. Its `age` is the newest
 * seqno it may contain, and 0 that of a load, which is older than all others; runs of a tree have different ages, and a younger run's entry hides an older run's of
 * the same key. A run consists of parts in key order that do not overlap: each a tree in a file, clipped to
 * [lower, upper). All that is read from a part is clipped by its bounds.
 *
 * An lsm_tree is immutable: a flush or a merge makes a new one, which shares the runs it kept. Trees and runs
 * are reference-counted; the files of a part are referenced by it.
 *
 * Concurrency  any number of readers; whoever reads holds a reference on the tree, or is inside an epoch
 *              section in which it found it.
 */
#ifndef HOLT_LSM_LSM_H
#define HOLT_LSM_LSM_H

#include "tree/tree.h"
#include "tree/tree_filter.h"

typedef struct lsm_run lsm_run;
typedef struct lsm_tree lsm_tree;

/* One part, as the manifest describes it. Bounds are {NULL, 0} where they are open. */
typedef struct lsm_file_range {
    uint64_t file;
    uint64_t file_size; /* at least so long */
    tree_root root;
    slice lower, upper;
} lsm_file_range;

typedef struct lsm_run_info {
    uint64_t newest_seqno;
    uint32_t level; /* 0 = as flushed */
    uint32_t file_range_count;
    uint64_t entries, tombstones, bytes;
} lsm_run_info;

/* ---------------------------------------------------------------- runs */

/* Opens a run: opens its parts' filters and references their files, open ones, which stand in `files` beside
 * the parts. Bounds are copied. */
holt_status lsm_run_open(uint64_t newest_seqno, uint32_t level, const lsm_file_range *file_ranges, tree_file *const *files, size_t count, lsm_run **out);
lsm_run    *lsm_run_ref(lsm_run *r);
void        lsm_run_unref(lsm_run *r); /* accepts NULL */
lsm_run_info lsm_run_describe(const lsm_run *r);
const lsm_file_range *lsm_run_file_range(const lsm_run *r, size_t index);
tree_file  *lsm_run_file(const lsm_run *r, size_t index); /* borrowed */

/* ---------------------------------------------------------------- trees */

/* A tree of these runs, in any order; each is referenced. */
holt_status lsm_tree_create(lsm_run *const *runs, size_t count, lsm_tree **out);
/* The tree with the runs whose ages are in `without` left out and `with` (may be NULL) put in.
 * HOLT_NOT_FOUND: one of `without` is not in it. */
holt_status lsm_tree_replace(const lsm_tree *base, const uint64_t *without, size_t without_count, lsm_run *with, lsm_tree **out);
lsm_tree   *lsm_tree_ref(lsm_tree *t);
void        lsm_tree_unref(lsm_tree *t); /* accepts NULL */
size_t      lsm_tree_runs(const lsm_tree *t);
lsm_run    *lsm_tree_run(const lsm_tree *t, size_t index); /* 0 = the newest; borrowed */
bool        lsm_tree_has(const lsm_tree *t, const lsm_run *run);

/* ---------------------------------------------------------------- reading */

/* The newest entry of the key; a tombstone is TREE_FOUND. Inside an epoch section; touches memory only. */
tree_answer lsm_get_cached(const lsm_tree *t, tree_query *q, tree_hit *out);
/* The same, but reads what is not cached. Outside sections. */
tree_answer lsm_get(const lsm_tree *t, tree_query *q, tree_buffer *buffer, tree_hit *out,
                    holt_status *status);

/* One iterator over all runs, newest winning, clipped to [options->lower, options->upper). The caller holds the
 * tree while it lives. */
holt_status lsm_iterator_open(const lsm_tree *t, const tree_iterator_options *options, iterator **out);
/* Adds to *sums what all runs have in [begin, end), as tree_estimate does: an entry that an older run has, too, counts
 * twice. */
holt_status lsm_estimate(const lsm_tree *t, slice begin, slice end, estimate_sums *sums);
/* One iterator over one run. */
holt_status lsm_run_iterator_open(const lsm_run *r, const tree_iterator_options *options, iterator **out);

#endif
