/* compaction.h -- picking runs to merge, and merging them in steps.
 *
 * Each flush adds a run, and each run costs every lookup a filter test and perhaps a read. Compaction merges
 * runs of similar size: a tree that has had n flushes of one size keeps about log2(n) runs, and each entry is
 * rewritten about as often. Runs are numbered from the newest, 0.
 *
 * How a merge is picked (lsm_pick_merge)
 *
 *     1. Gather similar runs: the newest run, then the next older one as long as it is at most twice as large
 *        as all those gathered before it together.
 *     2. LSM_WANT_BOUND: if LSM_RUNS_TRIGGER or more are gathered, pick them. If not, but the tree has more
 *        than LSM_RUNS_MAX runs, pick them all the same, and at least the two newest. Otherwise pick nothing.
 *        LSM_WANT_FEW_RUNS: the same, but instead of nothing pick all runs, if there is more than one.
 *        LSM_WANT_ALL: pick all runs, if there is more than one or if the only one has tombstones or deleted
 *        gaps.
 *     3. Make it fit: leave out the oldest of the picked runs until the rest has at most bytes_max bytes. If
 *        that leaves a single run, pick nothing; rewriting it would not reduce the number of runs.
 *     4. Derive the level of the output from the bytes of the inputs (lsm_level_of). Levels are for
 *        statistics; they do not affect picking.
 *
 *     So the inputs are adjacent in age and begin with the newest run: no run of the tree is older than one
 *     input and newer than another, and the output can take their place.
 *
 * How a merge is made
 *
 *     1. lsm_merge_open: if the key ranges of the inputs do not overlap, the output gets their files as they
 *        are (trivial_move.h), and the merge is done. Otherwise an iterator over all inputs is opened, which
 *        shows the newest entry of each key.
 *     2. lsm_merge_step: copies entries and deleted gaps to new files until about as many bytes as asked for
 *        are read. It drops tombstones and deleted gaps if the oldest run is among the inputs: there is
 *        nothing left for them to hide. An entry that has expired is a tombstone. The entries of older inputs
 *        that are in a deleted gap of a newer one are not even read.
 *     3. lsm_merge_output: the new run, with the newest_seqno of the newest input.
 *     4. The caller checks that the inputs are still in the current tree (lsm_merge_applies), replaces them
 *        by the output (lsm_tree_replace) and records that in the manifest; or gives the output up
 *        (lsm_run_discard).
 *
 * Concurrency  a merge belongs to one thread at a time; its inputs are immutable, and it has a reference on
 *              their tree.
 */
#ifndef HOLT_LSM_COMPACTION_H
#define HOLT_LSM_COMPACTION_H

#include "lsm/run_writer.h"

typedef struct lsm_pick {
    size_t first, count; /* runs [first, first + count) of the tree, newest first */
    uint64_t bytes;      /* of them */
    uint32_t level;      /* of the output */
} lsm_pick;

enum {
    LSM_RUNS_TRIGGER = 4, /* runs of similar size that are merged into one */
    LSM_RUNS_MAX = 12     /* more are merged whatever their sizes */
};

typedef enum lsm_want {
    LSM_WANT_BOUND,    /* a bounded number of runs: after each flush */
    LSM_WANT_FEW_RUNS, /* one run, in as many merges as it takes: while the database is idle */
    LSM_WANT_ALL       /* one run without tombstones, in one merge: when a user asks for it */
} lsm_want;

/* Whether the tree needs a merge, and which. level_bytes: see lsm_level_of. bytes_max: limit of the inputs,
 * for a disk that has no room for more; UINT64_MAX: none. */
bool lsm_pick_merge(const lsm_tree *t, lsm_want want, uint64_t level_bytes, uint64_t bytes_max,
                    lsm_pick *out);

/* Whether the tree's only run should be rewritten because of entries that have expired: for LSM_WANT_ALL if
 * it may have any, for LSM_WANT_FEW_RUNS if they are many (tree/expiry_summary.h). Several runs are merged
 * anyway. */
bool lsm_pick_expired(const lsm_tree *t, lsm_want want, uint64_t time_ms, uint64_t level_bytes,
                      uint64_t bytes_max, lsm_pick *out);
/* The time at which that will be so for LSM_WANT_FEW_RUNS; UINT64_MAX: never. */
uint64_t lsm_expiry_due_ms(const lsm_tree *t);

/* The level of a merged run of this size: 1 for up to eight times level_bytes, and one more for each further
 * factor of eight; at most 8. */
uint32_t lsm_level_of(uint64_t bytes, uint64_t level_bytes);

typedef struct lsm_merge_options {
    lsm_writer_options output;
    uint64_t time_ms;        /* entries that have expired by then are tombstones */
    uint64_t move_bytes_min; /* files are moved, if possible, if they have at least this size on average */
} lsm_merge_options;

typedef struct lsm_merge lsm_merge;

/* Takes a reference on the tree. */
holt_status lsm_merge_open(lsm_merge **out, lsm_tree *t, const lsm_pick *pick,
                           const lsm_merge_options *options);
/* Deletes the files of an output that was not taken. Accepts NULL. */
void        lsm_merge_destroy(lsm_merge *m);
/* Merges about `bytes` more bytes of input; *done when everything is written and synced. */
holt_status lsm_merge_step(lsm_merge *m, uint64_t bytes, bool *done);
/* The output, once done; the caller's to unref. NULL: no entry was left. */
holt_status lsm_merge_output(lsm_merge *m, lsm_run **out);
/* Whether all inputs are still in the tree: these very runs, not later ones with the same newest_seqno. */
bool        lsm_merge_applies(const lsm_merge *m, const lsm_tree *t);
/* The newest_seqno of each input; borrowed. */
const uint64_t *lsm_merge_inputs(const lsm_merge *m, size_t *count);
uint64_t lsm_merge_bytes_read(const lsm_merge *m);
uint64_t lsm_merge_bytes_written(const lsm_merge *m);

#endif
