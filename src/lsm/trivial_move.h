/* trivial_move.h -- merging runs without rewriting them: the new run has the files of the old ones.
 *
 * Possible if the key ranges of the runs do not overlap, which is what ascending writes leave behind. Runs
 * are rewritten all the same if the oldest run is among them and any has tombstones or deleted gaps, which
 * must go; and if their files are very small, because a run should not have many of those.
 */
#ifndef HOLT_LSM_TRIVIAL_MOVE_H
#define HOLT_LSM_TRIVIAL_MOVE_H

#include "lsm/compaction.h"

/* Whether the picked runs can be merged by moving their files, and these have at least bytes_min bytes on
 * average. */
bool        lsm_trivial_move_possible(const lsm_tree *t, const lsm_pick *pick, uint64_t bytes_min);
/* The new run, which has references on the files of the picked ones; only if possible. The caller's to
 * unref. */
holt_status lsm_trivial_move(const lsm_tree *t, const lsm_pick *pick, lsm_run **out);

#endif
