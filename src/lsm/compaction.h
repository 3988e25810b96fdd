/* compaction.h -- choosing runs to merge, and merging them in steps.
 *
 * Runs to merge are adjacent in age. The choice is by size: a young run joins the older one behind it as soon
 * as that one is not much larger, so that a tree of n entries keeps about log(n) runs and each entry is
 * rewritten about as often. A tombstone is dropped when the merge reads the oldest run.
 *
 * Concurrency  a merge belongs to one thread at a time; its inputs are immutable and held by it.
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

/* Whether the tree wants a merge, and which. `settle`: down to one run if that is worth it (idle). `all`: one
 * run, no tombstones. */
typedef enum lsm_want { LSM_WANT_BOUND, LSM_WANT_FEW_RUNS, LSM_WANT_ALL } lsm_want;
/* bytes_max: of the runs to be merged; fewer are picked on a disk that has no room for all, if that is of any use. */
bool lsm_pick_merge(const lsm_tree *t, lsm_want want, uint64_t level_bytes, uint64_t bytes_max, lsm_pick *out);

/* The level of a run of so many bytes. */
uint32_t lsm_level_of(uint64_t bytes, uint64_t level_bytes);

typedef struct lsm_merge_options {
    lsm_writer_options output;
    uint64_t move_bytes_min; /* parts of at least this size are joined, not rewritten, where they may */
} lsm_merge_options;

typedef struct lsm_merge lsm_merge;

/* Holds a reference on the tree. */
holt_status lsm_merge_open(lsm_merge **out, lsm_tree *t, const lsm_pick *pick, const lsm_merge_options *options);
/* Abandons what is not finished: its files are deleted. Accepts NULL. */
void        lsm_merge_destroy(lsm_merge *m);
/* Merges about `bytes` bytes on; *done when all is written and synced. */
holt_status lsm_merge_step(lsm_merge *m, uint64_t bytes, bool *done);
/* The finished output: a run to take the inputs' place, or NULL when nothing was left. The caller's to unref.
 * */
holt_status lsm_merge_output(lsm_merge *m, lsm_run **out);
/* Whether all inputs are still in the tree: the same runs, not only others of their ages. */
bool        lsm_merge_applies(const lsm_merge *m, const lsm_tree *t);
/* The ages of the inputs; borrowed. */
const uint64_t *lsm_merge_inputs(const lsm_merge *m, size_t *count);
uint64_t lsm_merge_bytes_read(const lsm_merge *m);
uint64_t lsm_merge_bytes_written(const lsm_merge *m);

#endif
