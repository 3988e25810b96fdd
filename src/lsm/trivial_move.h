/* trivial_move.h -- runs whose key ranges do not overlap become one run without being rewritten: its parts are
 * theirs.
 *
 * That is what ascending writes leave behind. A tombstone has to go when the oldest run is reached, so such
 * runs are merged properly; and so are very small parts, of which a run should not have many.
 */
#ifndef HOLT_LSM_TRIVIAL_MOVE_H
#define HOLT_LSM_TRIVIAL_MOVE_H

#include "lsm/compaction.h"

/* Whether the picked runs can be joined; parts smaller than part_bytes_min on average are not. */
bool        lsm_trivial_move_possible(const lsm_tree *t, const lsm_pick *pick, uint64_t file_range_bytes_min);
/* The joined run, which references the files of the runs. The caller's to unref. */
holt_status lsm_trivial_move(const lsm_tree *t, const lsm_pick *pick, lsm_run **out);

#endif
