/* btree.h -- the space that B+tree collections live in: versions of trees, and the pages they are made of.
 *
 * All B+tree collections of a database share one file of pages (tree_page_file.h), a `page_store`. The tree of a
 * collection at one moment is a `btree_version`: a root, immutable and reference-counted. A `btree_change`
 * makes new versions out of old ones by copy-on-write, in any number of collections, and is made visible by
 * one manifest record.
 *
 * Free map     Every MAP_GROUP_PAGES pages have two map pages, A and B: pages 1 and 2 of the file for the
 *              first, page 0 being the header, and the first two of each later extent. A map has a bit for
 *              each page: the page is in use by a tree of the record, or is a header or map page. A change
 *              writes the copy that the durable record does not name, and its own record names it, with its
 *              checksum. So the maps are always exactly those of some record.
 *
 * Life of a page
 *
 *     free --written by a change--> live --replaced by a change--> held --no version needs it--> free
 *
 *              Held pages are free in the map already: after a crash nobody holds them. Versions have ascending
 *              numbers, and a page is needed by those of its tree from its birth up to, but without, its death.
 *              When the change that replaced it is committed and none of them is alive, it is free: so a version
 *              that is kept for long keeps its own pages, not those that were written and replaced after it
 *              (held_pages.c). Births are known in memory only, and only as far as they matter and there is memory for
 *              them (page_births.h); a page of unknown birth is as old as the oldest version.
 *
 * A change     btree_change_begin
 *              btree_change_apply, _load, _drop, _shrink: each in steps until done, one after the other. A
 *                version that the change has made may be the base of the next
 *              btree_change_prepare: the maps are written and the file is synced; what to record
 *              the caller writes the manifest record, and syncs it
 *              btree_change_commit: the record is durable, pages may become free
 *
 *              or btree_change_abandon, any time before the record is written: as if nothing had been done
 *
 *              or btree_change_doubt: the record failed, and nobody knows whether it is on disk. Nothing that
 *                it or the one before names may be overwritten: the space takes no changes until
 *                page_store_resolve, after a manifest with the state of before (page_store_recorded) has
 *                become current and durable
 *
 *              A failed call on a change leaves only abandon. Every version stays as it was.
 *
 * Recovery     has no record to write until its end, but may flush several times: after
 *              page_store_unrecorded changes are committed without a record, and all that the record of
 *              before names, pages and map copies, stays as it is, until page_store_resolve.
 *
 * Concurrency  versions: any thread; the last unref only queues. One change at a time (HOLT_BUSY), in any one
 *              thread at a time; verify, trim and collect count as changes. Statistics: any thread.
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

/* ---------------------------------------------------------------- the space */

/* The map of one extent, as the manifest names it. */
typedef struct map_group {
    uint64_t checksum; /* XXH3-64 of the map page */
    uint8_t copy;      /* 0 = A, 1 = B */
    bool touched;      /* in a prepared state: differs from the record before */
} map_group;

/* What describes the space in the manifest. A record names its pages and the touched extents; those from
 * map_group_count on are gone. */
typedef struct page_store_state {
    uint64_t file;  /* its number */
    uint64_t pages; /* up to the last one in use */
    map_group *map_groups;
    size_t map_group_count; /* map_groups_of(pages) */
} page_store_state;

size_t map_groups_of(uint64_t pages);

/* Makes a space without trees in a new file, and syncs it (not the directory). */
holt_status page_store_create(page_store **out, tree_files *t, uint64_t number);
/* Opens the space of a record and reads its maps. HOLT_CORRUPT: a map is damaged, or says what cannot be. */
holt_status page_store_open(page_store **out, tree_files *t, const page_store_state *state, bool writable);
/* All versions unreferenced, no change open. Accepts NULL. */
void        page_store_close(page_store *s);
tree_file  *page_store_file(const page_store *s); /* for lookups and iterators; borrowed */
/* What the last committed change prepared; borrowed until the next commit, so not while another thread
 * changes. */
const page_store_state *page_store_recorded(const page_store *s);

/* Cuts the file behind the last page that the record or a version needs. With a change open it does
 * nothing. */
holt_status page_store_trim(page_store *s);
/* The changes that follow are committed without a record, until page_store_resolve. No change is open. */
holt_status page_store_unrecorded(page_store *s);
/* A manifest with the state of page_store_recorded is current and durable: to be called when recovery has
 * made one, and after every one that is written anew. Under the lock that orders records, as is
 * btree_change_doubt; also while another thread changes. */
void        page_store_resolve(page_store *s);

/* Frees what versions do not need any more, if nobody is changing the space: so the statistics are of now. */
void        page_store_collect(page_store *s);

typedef struct page_store_stats {
    uint64_t pages_live; /* of trees */
    uint64_t pages_held; /* replaced, but a version needs them */
    uint64_t pages_free; /* between them */
    uint64_t file_bytes;
} page_store_stats;
/* As of the last begin or end of a change, or page_store_collect. */
void        page_store_stats_get(const page_store *s, page_store_stats *out);

/* Verifies the trees of the last record, which are all of `roots`: each one (tree_verify), that no page is
 * used twice, and that the maps, in memory and on disk, have exactly these pages. *report adds up. */
holt_status page_store_verify(page_store *s, const tree_root *roots, size_t count, tree_report *report);

/* ---------------------------------------------------------------- versions */

/* The tree of this root, one of the record's, or with NULL the empty one. *out has one reference. At most one
 * for each tree of the record: later ones come from changes. */
holt_status    btree_version_open(btree_version **out, page_store *s, const tree_root *root);
btree_version *btree_version_ref(btree_version *v);
void           btree_version_unref(btree_version *v); /* accepts NULL */
const tree_root *btree_version_root(const btree_version *v);

/* ---------------------------------------------------------------- changes */

/* HOLT_BUSY: there is one. HOLT_IO: the last record is in doubt. HOLT_READ_ONLY. */
holt_status btree_change_begin(btree_change **out, page_store *s);

/* A version that another change has replaced meanwhile is HOLT_CONFLICT in all of the following.
 *
 * Applies a batch, which stands on its first change (tree_apply.h says what it must be able to do), to a
 * version. Takes up to `changes` of them a call; the arguments stay the same until *done, when *next is the
 * new version, with one reference. Only then may the next thing be begun. */
typedef struct btree_batch {
    btree_version *base; /* borrowed */
    iterator *changes;     /* borrowed */
    size_t block_bytes;
    bool dense;          /* full blocks: for rewriting what will not change soon */
} btree_batch;
holt_status btree_change_apply(btree_change *c, const btree_batch *batch, size_t changes, bool *done,
                               btree_version **next);
/* The batch under way ends with what has been taken of it; the next call completes the tree. Its iterator then stands
 * on the first change that is left. */
void        btree_change_cut(btree_change *c);
/* The same on no version: full blocks one behind the other, for loads and dense rewrites. */
holt_status btree_change_load(btree_change *c, iterator *entries, size_t block_bytes, size_t count, bool *done,
                              btree_version **next);
/* Gives all pages of a version up: its collection was dropped or cleared, or rewritten by a load. Looks at up
 * to `blocks` a call. */
holt_status btree_change_drop(btree_change *c, btree_version *v, size_t blocks, bool *done);

/* How far a shrinking has come; zero-initialise, release with btree_vacuum_deinit. It goes over all versions
 * with one limit, in changes of bounded size. */
typedef struct btree_vacuum {
    uint64_t limit;     /* pages from here on are to move; btree_vacuum_begin sets it */
    uint64_t bytes_max; /* to move in one change; likewise */
    buffer from;        /* where in the tree to go on */
} btree_vacuum;
/* Whether the file could be at least an eighth smaller, and then how small. */
bool        btree_vacuum_begin(btree_vacuum *vacuum, const page_store *s, uint64_t bytes_max);
void        btree_vacuum_deinit(btree_vacuum *vacuum);
/* Moves pieces of the version that lie past the limit to free pages before them. Looks at up to `blocks` a
 * call; when *done, *next is the new version (the same one, referenced, when nothing moved), and *rest says
 * that a later change has to go on with it. */
holt_status btree_change_vacuum(btree_change *c, btree_vacuum *vacuum, btree_version *v, size_t blocks,
                                bool *done, bool *rest, btree_version **next);

/* Writes what is left and the maps, and syncs the file. *state is for the record, borrowed until the change
 * ends. */
holt_status btree_change_prepare(btree_change *c, const page_store_state **state);
void        btree_change_commit(btree_change *c);
void        btree_change_abandon(btree_change *c); /* accepts NULL */
void        btree_change_doubt(btree_change *c);
uint64_t    btree_change_bytes(const btree_change *c); /* written so far */

#endif
