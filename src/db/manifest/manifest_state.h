/* manifest_state.h -- what the manifest says: the catalog, each collection's runs, and where the log is.
 *
 * A manifest record is a list of items, each {tag, varint length, payload}. The first record of a manifest
 * rebuilds everything from nothing; later ones change it. The items, with their payloads (v = varint, s =
 * varint length and bytes, 8 = u64 little-endian):
 *
 *   tag  item          payload
 *     1  counters      v next file number, v next collection id, v time (ms since 1970, never goes back)
 *     2  log           v flushed seqno, v next segment, 8 its salt, v number of recovered segments, and for
 *                      each: v segment, v end offset, 8 checksum at the end, v next seqno
 *     3  collection    v id, s name, v kind, v compression, v block bytes, v filter bits (0 = none),
 *                      v cleared seqno
 *     4  drop          v id
 *     5  rename        v id, s new name
 *     6  clear         v id, v seqno: entries up to it are cleared, and all runs are removed
 *     7  run           v collection id, v newest seqno (0: of a load), v level, v number of file ranges, and
 *                      for each: v file number, v file size, pointer of the root (24 bytes), v height,
 *                      v entries, v tombstones, v bytes, pointer of the filter, v filter lines, v filter
 *                      probes, v bounds (1 = has lower, 2 = has upper), s lower, s upper. Replaces the run
 *                      with that newest seqno; without file ranges it removes it
 *     8  closed        v segment, v offset: the log's end at an orderly close. Holds until the next record
 *     9  root          v collection id, root: the B+tree of the collection from now on (of length 0: empty)
 *    10  page store    v file number, v pages, v number of map groups that changed, and for each: v index,
 *                      1 copy (0 = A, 1 = B), 8 checksum of the map. Groups past the last page are removed
 *    11  garbage       root: a B+tree that no collection has any more, whose pages are still in use
 *    12  reclaimed     v offset of a garbage root: its pages are free
 *    13  run with gaps like run, but each file range ends with v number of its deleted gaps
 *    14  expiry        v collection id, v newest seqno of a run (0: of a load, and for a B+tree), and for
 *                      each file range of the run, or for the B+tree: v entries with an expiry, v earliest
 *                      and v latest expiry (ms since 1970). Follows the item of the run or root; without it
 *                      there are no such entries, as far as is known
 * A root is: its pointer (24 bytes), v height, v entries, v bytes.
 * An unknown tag is HOLT_UNSUPPORTED; anything malformed, or a reference to something that does not exist,
 * HOLT_CORRUPT.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_DB_MANIFEST_MANIFEST_STATE_H
#define HOLT_DB_MANIFEST_MANIFEST_STATE_H

#include "base/buffer.h"
#include "btree/btree.h"
#include "db/tree/collection_spec.h"
#include "db/tree/collection_tree.h"
#include "log/replay.h"
#include "lsm/lsm.h"

typedef struct manifest_run {
    uint64_t newest_seqno;
    uint32_t level;
    lsm_file_range *file_ranges; /* owned, bounds too */
    size_t count;
} manifest_run;

typedef struct manifest_collection {
    collection_spec spec;
    char *name;           /* owned */
    seqno cleared_seqno;  /* versions up to it are gone */
    manifest_run *runs;
    size_t run_count, run_capacity;
    tree_root btree;      /* of a B+tree */
} manifest_collection;

typedef struct manifest_state {
    manifest_collection *collections; /* by id, ascending */
    size_t collection_count, collection_capacity;
    uint64_t next_file, next_collection, time_ms;
    bool expires; /* some tree has, or had, entries with an expiry */
    log_checkpoint log;
    page_store_state page_store; /* file 0: there is none; map groups owned */
    size_t map_group_capacity;
    tree_root *garbage;      /* B+trees whose pages are to be reclaimed */
    size_t garbage_count, garbage_capacity;
} manifest_state;

void manifest_state_deinit(manifest_state *s); /* accepts a zeroed one, which is the empty state */
/* Applies a manifest record; index 0 starts from the empty state. The caller prefixes the message with the
 * file's name. */
holt_status manifest_state_apply(manifest_state *s, uint64_t index, slice record);

/* ---------------------------------------------------------------- encoding items */

void encode_counters(buffer *b, uint64_t next_file, uint64_t next_collection, uint64_t time_ms);
void encode_log(buffer *b, const log_checkpoint *log);
void encode_collection(buffer *b, const collection_spec *spec, const char *name, seqno cleared_seqno);
void encode_drop(buffer *b, uint32_t id);
void encode_rename(buffer *b, uint32_t id, const char *name);
void encode_clear(buffer *b, uint32_t id, seqno cleared_seqno);
void encode_run(buffer *b, uint32_t id, const lsm_run *run);
void encode_run_removed(buffer *b, uint32_t id, uint64_t newest_seqno);
void encode_root(buffer *b, uint32_t id, const tree_root *root);
/* The items that lead from one tree of a collection to another. `before` is NULL if the collection had no
 * entries: then they describe all of `after`. */
void encode_tree(buffer *b, uint32_t id, const collection_tree *before, const collection_tree *after);
/* whole: all map groups; else those that were touched. */
void encode_page_store(buffer *b, const page_store_state *page_store, bool whole);
void encode_garbage(buffer *b, const tree_root *root);
void encode_reclaimed(buffer *b, const tree_root *root);
void encode_closed(buffer *b, log_position end);

#endif
