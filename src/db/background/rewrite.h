/* rewrite.h -- rewriting a B+tree densely, at a user's word.
 *
 * Leaf by leaf, in the order of the keys, entries are put again into full blocks that lie in line. That is done in
 * pieces, each a change of its own with a record of its own: between two of them flushes and upkeep have their turn,
 * and the pages of the first serve later ones. What has been written at the end of the file moves down at last, as far as
 * readers let it. Whoever stops halfway leaves a tree that is dense up to there.
 */
#ifndef HOLT_DB_BACKGROUND_REWRITE_H
#define HOLT_DB_BACKGROUND_REWRITE_H

#include "db/db.h"

/* Keys in [lower, upper); open bounds are {NULL, 0}. On this thread. */
holt_status rewrite_tree(holt *db, const holt_collection *c, slice lower, slice upper);

#endif
