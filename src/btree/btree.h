/* btree.h -- B+tree collections: versions of their trees, and the store of the pages these are made of.
 *
 * All B+tree collections of a database share one file of pages (tree_page_file.h), the `page_store`. A
 * `btree_version` is the tree of one collection at one moment: a root, immutable and reference-counted. A
 * `btree_change` makes new versions from old ones by copy-on-write, in any number of collections. One
 * manifest record makes all of them durable together.
 *
 * A change, from begin to commit
 *
 *     1. btree_change_begin: the caller becomes the only changer of the store. Pages that no version needs
 *        any more are freed.
 *     2. Steps, one after the other: btree_change_apply, _load, _drop or _vacuum. Each is called until it is
 *        done; then it has made a new version, or given one up. A version that the change has made may be the
 *        base of its next step. Blocks are written to free pages only, so every older version stays readable;
 *        the pages that a step replaces are listed.
 *     3. btree_change_prepare: the free map of each touched map group is written to the copy that the durable
 *        record does not name, and the file is synced. From here on nothing is missing but the record.
 *     4. The caller writes the manifest record, with the new roots and the prepared state, and syncs it.
 *     5. btree_change_commit: the prepared state is the recorded one. The replaced pages become free, or are
 *        held as long as a version needs them. The next changer may begin.
 *
 *     Or, any time before step 4, btree_change_abandon: everything is as if the change had never begun. That
 *     is all that may follow a failed call on the change.
 *
 *     Or, if step 4 failed, btree_change_doubt: the record may be on disk or not. Nothing that either it or
 *     the record before it names may be overwritten, so the store takes no changes until page_store_resolve,
 *     after a manifest with the state from before the change (page_store_recorded) is current and durable.
 *
 * Free map     Every MAP_GROUP_PAGES pages, a map group, have two map pages, A and B (btree_format.h). A map
 *              has a bit for each page of the group: it is used by a tree of the record, or is a header or
 *              map page. The record names the valid copy of each group and its checksum, so the maps are
 *              always exactly those of some record.
 *
 * Life of a page
 *
 *     free --written by a change--> live --replaced by a change--> held --no version needs it--> free
 *
 *              Held pages are free in the map on disk: after a crash there are no versions that need them.
 *              The versions of a tree have ascending numbers. A page is needed by those from its birth up to,
 *              but not including, its death. It is free as soon as the change that replaced it is committed
 *              and none of these versions is alive; so an old version that is kept for long keeps its own
 *              pages, and not pages that were written and replaced later (held_pages.c). Births are known in
 *              memory only, and only as far as they matter and there is memory for them (page_births.h). A
 *              page of unknown birth counts as old as the oldest version.
 *
 * Recovery     may flush several times, but can record nothing before its end. After page_store_unrecorded,
 *              changes are committed without a record, and everything that the last record names, pages and
 *              map copies, stays as it is until page_store_resolve.
 *
 * Concurrency  versions: any thread; dropping the last reference only queues the version. One change at a
 *              time (HOLT_BUSY), on one thread at a time; page_store_verify, _trim and _collect count as
 *              changes. Statistics: any thread.
 * On disk      btree_format.h, docs/FORMAT.md
 */
#ifndef HOLT_BTREE_BTREE_H
#define HOLT_BTREE_BTREE_H

#include "base/buffer.h"
#include "tree/tree.h"
#include "tree/file/tree_page_file.h"

enum { MAP_GROUP_PAGES = 32768 }; /* 128 MiB */

typedef struct page_store page_store;
typedef struct btree_version btree_version;
typedef struct btree_change btree_change;

/* ---------------------------------------------------------------- the page store */

/* The map of one group of pages, as the manifest names it. */
typedef struct map_group {
    uint64_t checksum; /* XXH3-64 of the map page */
    uint8_t copy;      /* 0 = A, 1 = B */
    bool touched;      /* in a prepared state: differs from the last record */
} map_group;

/* What the manifest has of the page store. A record has the number of pages and the touched map groups;
 * groups from map_group_count on no longer exist. */
typedef struct page_store_state {
    uint64_t file;  /* its number */
    uint64_t pages; /* up to and including the last one in use */
    map_group *map_groups;
    size_t map_group_count; /* map_groups_of(pages) */
} page_store_state;

/* The number of map groups that this many pages take. */
size_t map_groups_of(uint64_t pages);

/* Creates a store without trees in a new file, and syncs the file, but not the directory. */
holt_status page_store_create(page_store **out, tree_files *t, uint64_t number);
/* Opens the store that a record describes, and reads its maps. HOLT_CORRUPT: the state or a map is not
 * valid. */
holt_status page_store_open(page_store **out, tree_files *t, const page_store_state *state, bool writable);
/* No version may be referenced and no change open. Accepts NULL. */
void        page_store_close(page_store *s);
tree_file  *page_store_file(const page_store *s); /* for lookups and iterators; borrowed */
/* The state that the last committed change prepared; borrowed until the next commit, so not while another
 * thread has a change open. */
const page_store_state *page_store_recorded(const page_store *s);

/* Truncates the file after the last page that the record or a version needs. Does nothing while a change is
 * open. */
holt_status page_store_trim(page_store *s);
/* From now on changes are committed without a record, until page_store_resolve. No change may be open. */
holt_status page_store_unrecorded(page_store *s);
/* A manifest with the state of page_store_recorded has become current and durable. Must be called when
 * recovery has made one, and after each later one; under the lock that orders records, like
 * btree_change_doubt. Another thread may have a change open. */
void        page_store_resolve(page_store *s);

/* Frees the pages that versions no longer need, so that the statistics are current. Does nothing while a
 * change is open. */
void        page_store_collect(page_store *s);

typedef struct page_store_stats {
    uint64_t pages_live; /* of trees */
    uint64_t pages_held; /* replaced, but needed by a version */
    uint64_t pages_free; /* before the last one in use */
    uint64_t file_bytes;
    uint64_t changes; /* committed since the store was opened, and one for that */
} page_store_stats;
/* As of the last begin or end of a change, or the last page_store_collect. */
void        page_store_stats_get(const page_store *s, page_store_stats *out);

/* Verifies the trees of the last record, all of which are in `roots`: each tree (tree_verify), that no page
 * is used twice, and that the maps, in memory and on disk, have exactly the used pages. Adds to *report. */
holt_status page_store_verify(page_store *s, const tree_root *roots, size_t count, tree_report *report);

/* ---------------------------------------------------------------- versions */

/* The version of a root in the record, or with NULL an empty tree. *out has one reference. To be called once
 * for each tree of the record; later versions come from changes. */
holt_status    btree_version_open(btree_version **out, page_store *s, const tree_root *root);
btree_version *btree_version_ref(btree_version *v);
void           btree_version_unref(btree_version *v); /* accepts NULL */
/* The pages that were replaced and are held for this version, for others too perhaps. Any thread. */
uint64_t       btree_version_held_pages(const btree_version *v);
const tree_root *btree_version_root(const btree_version *v);
/* Replaces the estimate of the expiries in a version that a change has made and that is not recorded yet. */
void           btree_version_set_expiry(btree_version *v, const expiry_summary *expiry);

/* ---------------------------------------------------------------- reading a version */

/* The entry of the key. Inside an epoch section; touches memory only. */
tree_result btree_get_cached(const btree_version *v, tree_query *q, tree_hit *out);
/* The same, but reads what is not cached. Outside sections. */
tree_result btree_get(const btree_version *v, tree_query *q, tree_buffer *scratch, tree_hit *out,
                      holt_status *status);
/* The first entry at or after the key. Inside an epoch section; touches memory only. */
tree_result btree_first_cached(const btree_version *v, slice lower, tree_first *out);
/* Begins the search for s->query.key; it proceeds by the steps of its descent. */
void        btree_search_begin(const btree_version *v, batch_search *s);
/* As tree_iterator_open, tree_estimate and tree_verify (tree.h). The caller holds the version. */
holt_status btree_iterator_open(const btree_version *v, const tree_iterator_options *options, iterator **out);
holt_status btree_estimate(const btree_version *v, slice begin, slice end, estimate_sums *sums);
holt_status btree_verify(const btree_version *v, tree_report *report);

/* ---------------------------------------------------------------- changes */

/* HOLT_BUSY: another change is open. HOLT_IO: the last record is in doubt. HOLT_READ_ONLY: the store was
 * opened for reading. */
holt_status btree_change_begin(btree_change **out, page_store *s);

/* The steps. Each is called again with the same arguments until *done; only then may another begin. All
 * return HOLT_CONFLICT if another change has replaced the version they are based on. */

typedef struct btree_batch {
    btree_version *base; /* borrowed */
    iterator *changes;   /* borrowed; on its first change (tree_apply.h has the requirements) */
    size_t block_bytes;
    bool dense;          /* full blocks, for entries that are unlikely to change soon */
    uint64_t time_ms;    /* changes that have expired by then are deletes */
} btree_batch;
/* Applies a batch to a version. Each call takes up to `changes` changes. When *done, *next is the new
 * version, with one reference. */
holt_status btree_change_apply(btree_change *c, const btree_batch *batch, size_t changes, bool *done,
                               btree_version **next);
/* Ends the batch with the changes taken so far: the next call completes the tree, and leaves the batch on the
 * first change that was not taken. */
void        btree_change_cut(btree_change *c);
/* Makes a new tree from entries: full blocks in file order, for loads. */
holt_status btree_change_load(btree_change *c, iterator *entries, size_t block_bytes, size_t count,
                              bool *done, btree_version **next);
/* Releases all pages of a version whose collection was dropped, cleared or replaced by a load. Each call
 * visits up to `blocks` blocks. */
holt_status btree_change_drop(btree_change *c, btree_version *v, size_t blocks, bool *done);

/* The state of a vacuum, which moves pages from the end of the file to free ones before them. It visits all
 * versions with the same limit, in changes of bounded size. Zero-initialise; release with
 * btree_vacuum_deinit. */
typedef struct btree_vacuum {
    uint64_t limit;     /* pages from here on are to move; set by btree_vacuum_begin */
    uint64_t bytes_max; /* to move in one change; set by btree_vacuum_begin */
    buffer from;        /* the key in the current tree from which to continue */
} btree_vacuum;
/* Sets the limit for the smallest file there could be. Returns whether that is smaller by at least an
 * eighth. */
bool        btree_vacuum_begin(btree_vacuum *vacuum, const page_store *s, uint64_t bytes_max);
void        btree_vacuum_deinit(btree_vacuum *vacuum);
/* Moves pieces of the version that are past the limit to free pages before them. Each call visits up to
 * `blocks` blocks. When *done, *next is the new version, or another reference on the same one if nothing was
 * moved; *rest: bytes_max was reached, and a later change must continue with this tree. */
holt_status btree_change_vacuum(btree_change *c, btree_vacuum *vacuum, btree_version *v, size_t blocks,
                                bool *done, bool *rest, btree_version **next);

/* Writes the remaining pages and the maps, and syncs the file. *state is what to record, borrowed until the
 * change ends. */
holt_status btree_change_prepare(btree_change *c, const page_store_state **state);
void        btree_change_commit(btree_change *c);
void        btree_change_abandon(btree_change *c); /* accepts NULL */
void        btree_change_doubt(btree_change *c);
uint64_t    btree_change_bytes(const btree_change *c); /* written so far */

#endif
