/* collection_tree.h -- the tree of a collection: the seam between LSM trees and B+trees.
 *
 * A collection has one tree: an LSM tree (lsm/lsm.h), or one version of a B+tree (btree/btree.h). The rest of
 * db/ reads and measures it through this header, so the switch on the kind is in this folder only. What
 * exists for one kind, such as compaction for LSM trees and page reclamation for B+trees, asks for its own
 * kind with collection_tree_lsm() or collection_tree_btree(), which return NULL for the other one. What must
 * know the kind before there is a tree asks tree_kind.h.
 *
 * Ownership    A collection_tree is a value that carries one reference. A function that takes over the
 *              reference does so on failure, too.
 * Concurrency  Trees are immutable. References may be added and dropped in any thread.
 */
#ifndef HOLT_DB_TREE_COLLECTION_TREE_H
#define HOLT_DB_TREE_COLLECTION_TREE_H

#include "btree/btree.h"
#include "db/tree/tree_kind.h"
#include "lsm/lsm.h"

typedef struct collection_tree {
    uint32_t kind; /* holt_kind; 0: no tree, which may be released like one */
    union {        /* for this folder only */
        lsm_tree *lsm;
        btree_version *btree;
    } as;
} collection_tree;

/* ---------------------------------------------------------------- life */

/* These take over the reference. */
collection_tree collection_tree_of_lsm(lsm_tree *t);
collection_tree collection_tree_of_btree(btree_version *v);
/* A tree without entries. The store may be NULL if the kind is not paged. */
holt_status     collection_tree_empty(uint32_t kind, page_store *store, collection_tree *out);
collection_tree collection_tree_ref(const collection_tree *t);
void            collection_tree_unref(const collection_tree *t);

/* The tree if it is of that kind, borrowed; else NULL, as for a t of NULL. */
static inline lsm_tree *collection_tree_lsm(const collection_tree *t)
{
    return t && t->kind == HOLT_LSM ? t->as.lsm : NULL;
}

static inline btree_version *collection_tree_btree(const collection_tree *t)
{
    return t && t->kind == HOLT_BTREE ? t->as.btree : NULL;
}

/* ---------------------------------------------------------------- reading */

/* The newest entry of the key; a tombstone is TREE_FOUND. Inside an epoch section; touches memory only. */
tree_result collection_tree_get_cached(const collection_tree *t, tree_query *q, tree_hit *out);
/* The first entry at or after the key; a tombstone is TREE_FOUND. Inside an epoch section; touches memory
 * only. TREE_NOT_CACHED: only iterators can tell. */
tree_result collection_tree_first_cached(const collection_tree *t, slice lower, tree_first *out);
/* The same as collection_tree_get_cached, but reads what is not cached. Outside sections. */
tree_result collection_tree_get(const collection_tree *t, tree_query *q, tree_buffer *scratch, tree_hit *out,
                                holt_status *status);

/* Searches for many keys, which wait for memory and for the disk together:
 *
 *     begin ──> cached, in an epoch section ──> those that are TREE_NOT_CACHED: tree_searches_request for all,
 *                  ^                            read each piece once, feed it to all that wait for it ──┐
 *                  └────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Begins the search for s->query.key. */
void        collection_tree_search_begin(const collection_tree *t, batch_search *s);
/* Takes all searches as far as the cache goes. They must be TREE_NOT_CACHED; the array is used up. The values
 * found are borrowed until the section ends. */
void        collection_tree_search_cached(const collection_tree *t, batch_search **searches, size_t count);
/* Reads the piece that a search waits for into the buffer, verifies it, and offers it to the cache. Outside
 * sections. */
holt_status collection_tree_search_read(const collection_tree *t, const batch_search *s, tree_buffer *piece);
/* Takes a search that waits for that piece one step further. A value found lies in `piece`. */
void        collection_tree_search_feed(const collection_tree *t, batch_search *s, const tree_buffer *piece);

/* How many iterators collection_tree_iterators_open opens, at most. */
size_t      collection_tree_iterators_max(const collection_tree *t);
/* Appends iterators over all of the tree, newest first. On failure *count is of those opened so far. */
holt_status collection_tree_iterators_open(const collection_tree *t, const tree_iterator_options *options,
                                           iterator **children, size_t *count);

/* Adds to *sums an estimate of what the tree has in [begin, end). Outside sections. */
holt_status collection_tree_estimate(const collection_tree *t, slice begin, slice end, estimate_sums *sums);

/* ---------------------------------------------------------------- measuring */

bool   collection_tree_is_empty(const collection_tree *t);
/* Sorted runs, whose number compaction keeps low. A B+tree has none. */
size_t collection_tree_runs(const collection_tree *t);

/* What statistics say of a tree; a B+tree is one run in one part on one level. */
typedef struct collection_tree_info {
    uint32_t runs, levels;
    uint64_t file_ranges, entries, tombstones, bytes;
} collection_tree_info;
collection_tree_info collection_tree_describe(const collection_tree *t);

/* What statistics say of one run. index: below the runs of collection_tree_describe; 0 is the newest. */
typedef struct collection_run_info {
    uint32_t level;
    uint64_t file_ranges, entries, tombstones, bytes;
} collection_run_info;
collection_run_info collection_tree_describe_run(const collection_tree *t, size_t index);

#endif
