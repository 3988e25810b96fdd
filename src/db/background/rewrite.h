/* rewrite.h -- rewriting a B+tree collection densely, on request (holt_compact).
 *
 * The tree is rewritten in key order, chunk by chunk, each an edit of its own:
 *
 *   1. Open a change of the page store, and reference the collection's current tree. While another change is
 *      open, wait.
 *   2. Put the entries of the tree again, from where the last chunk ended, into full blocks on consecutive
 *      free pages, except those that have expired, which are deleted. The chunk ends when chunk_bytes are
 *      written, or with the last key.
 *   3. Record the new tree. If the collection got another tree since 1 (HOLT_CONFLICT), start the chunk
 *      again.
 *   4. If a sealed memtable is waiting, let it be flushed first: writers may be waiting for that. Continue at
 *      1.
 *   5. After the last chunk, vacuum the page store (page_reclaim.h), so that chunks that were written at the
 *      end of the file move down, as far as readers let them.
 *
 * The pages that a chunk frees serve later ones. If the rewrite fails halfway, the tree is dense up to there.
 *
 * Concurrency  On the caller's thread. Between chunks, flushes and page reclaim change the page store.
 */
#ifndef HOLT_DB_BACKGROUND_REWRITE_H
#define HOLT_DB_BACKGROUND_REWRITE_H

#include "db/db.h"

/* Keys in [lower, upper); open bounds are {NULL, 0}. */
holt_status rewrite_tree(holt *db, const holt_collection *c, slice lower, slice upper);

#endif
