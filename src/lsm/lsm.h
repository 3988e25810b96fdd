/* lsm.h -- the LSM tree of one collection: a list of runs, newest first.
 *
 * A run is an immutable sorted set of entries, written by one flush, merge or load. It consists of file
 * ranges in key order that do not overlap: each is a key range [lower, upper) of one table file. The tree in
 * the file may have keys outside of that range; readers of the run do not see them.
 *
 * A run may have deleted gaps (base/iterator.h), which hide what older runs have there. None reaches past the
 * bounds of the run: where its first or last gap is deleted, that end is open. One that reaches from a file
 * range into the next is in both, and there are no keys between the two.
 *
 * Runs are ordered by newest_seqno, the newest seqno that a run may contain. It is 0 for a loaded run, which
 * is older than all others. No two runs of a tree have the same. The entry of a key in a newer run hides
 * those in older runs.
 *
 * An lsm_tree is immutable: a flush or a merge makes a new tree, which shares the runs that stay. Trees and
 * runs are reference-counted; a run holds references on its files.
 *
 * Concurrency  any number of readers. A reader must hold a reference on the tree, or be inside the epoch
 *              section in which it found it.
 */
#ifndef HOLT_LSM_LSM_H
#define HOLT_LSM_LSM_H

#include "tree/tree.h"
#include "tree/tree_filter.h"

typedef struct lsm_run lsm_run;
typedef struct lsm_tree lsm_tree;

/* A key range of a table file, as the manifest describes it. A bound is {NULL, 0} where the range is open. */
typedef struct lsm_file_range {
    uint64_t file;      /* its number */
    uint64_t file_size; /* at least; the file may be longer */
    tree_root root;
    slice lower, upper;
} lsm_file_range;

typedef struct lsm_run_info {
    uint64_t newest_seqno;
    uint32_t level; /* 0 = as flushed */
    uint32_t file_range_count;
    uint64_t entries, tombstones, gaps, bytes; /* as in tree_root */
    expiry_summary expiry;
} lsm_run_info;

/* ---------------------------------------------------------------- runs */

/* Opens a run of `count` file ranges, of which files[i] is the open file of file_ranges[i]. Takes references
 * on the files, opens their filters, and copies the bounds. */
holt_status lsm_run_open(uint64_t newest_seqno, uint32_t level, const lsm_file_range *file_ranges,
                         tree_file *const *files, size_t count, lsm_run **out);
lsm_run    *lsm_run_ref(lsm_run *r);
void        lsm_run_unref(lsm_run *r); /* accepts NULL */
lsm_run_info lsm_run_describe(const lsm_run *r);
const lsm_file_range *lsm_run_file_range(const lsm_run *r, size_t index);
tree_file  *lsm_run_file(const lsm_run *r, size_t index); /* borrowed */

/* ---------------------------------------------------------------- trees */

/* A tree of these runs, given in any order. Takes a reference on each. */
holt_status lsm_tree_create(lsm_run *const *runs, size_t count, lsm_tree **out);
/* The tree without the runs whose newest_seqno is in `without`, and with the run `with` unless it is NULL.
 * HOLT_NOT_FOUND: the tree does not have all of `without`. */
holt_status lsm_tree_replace(const lsm_tree *base, const uint64_t *without, size_t without_count,
                             lsm_run *with, lsm_tree **out);
lsm_tree   *lsm_tree_ref(lsm_tree *t);
void        lsm_tree_unref(lsm_tree *t); /* accepts NULL */
size_t      lsm_tree_runs(const lsm_tree *t);
lsm_run    *lsm_tree_run(const lsm_tree *t, size_t index); /* 0 = the newest; borrowed */
bool        lsm_tree_has(const lsm_tree *t, const lsm_run *run);

/* ---------------------------------------------------------------- reading */

/* The newest entry of the key; a tombstone is TREE_FOUND, and so is a deleted gap that has the key. Inside an
 * epoch section; touches memory only. */
tree_result lsm_get_cached(const lsm_tree *t, tree_query *q, tree_hit *out);
/* The first entry at or after the key, a tombstone included. Inside an epoch section; touches memory only.
 * TREE_NOT_CACHED also where the tree has deleted gaps. */
tree_result lsm_first_cached(const lsm_tree *t, slice lower, tree_first *out);
/* The same as lsm_get_cached, but reads what is not cached. Outside sections. */
tree_result lsm_get(const lsm_tree *t, tree_query *q, tree_buffer *buffer, tree_hit *out,
                    holt_status *status);

/* The search for one of many keys (tree.h). Begin: for s->query.key; prefetches the lines of the filters. */
void        lsm_search_begin(const lsm_tree *t, batch_search *s);
/* Does a step: tests filters, or searches a block. true: there is more to do; false: s->result says why not.
 * Inside an epoch section; touches memory only. */
bool        lsm_search_step(const lsm_tree *t, batch_search *s);
/* After TREE_NOT_CACHED: reads the piece that is next into the buffer. Outside sections. */
holt_status lsm_search_read(const lsm_tree *t, const batch_search *s, tree_buffer *buffer);
/* Does a step with that piece. */
bool        lsm_search_step_read(const lsm_tree *t, batch_search *s, const tree_buffer *buffer);

/* One iterator over all runs, which shows the newest entry of each key in [options->lower, options->upper).
 * The caller holds the tree until it is closed. */
holt_status lsm_iterator_open(const lsm_tree *t, const tree_iterator_options *options, iterator **out);
/* The same for one run. */
holt_status lsm_run_iterator_open(const lsm_run *r, const tree_iterator_options *options, iterator **out);
/* Adds to *sums an estimate of what all runs have in [begin, end), as tree_estimate does. A key that is in
 * two runs counts twice. */
holt_status lsm_estimate(const lsm_tree *t, slice begin, slice end, estimate_sums *sums);

#endif
