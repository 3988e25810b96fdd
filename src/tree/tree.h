/* tree.h -- a sorted tree of blocks, in any file: bulk build, point lookup, iterator, verification.
 *
 * A tree is named by its root pointer and the file it lies in. Its leaves hold entries, its inner nodes
 * separators and pointers (block.h). An LSM run's part is such a tree, and a B+tree's version is one. A file
 * may hold many roots (tree_file.h).
 *
 * A value larger than half a block is stored outside it as extents of at most TREE_OVERFLOW_BYTES, each with
 * its own pointer and checksum.
 *
 * Reading      Two ways. tree_lookup_cached() runs inside the caller's epoch section, touches memory only and
 *              answers TREE_NOT_CACHED where it would have to read. tree_lookup() runs outside sections and
 *              reads from the file into its own buffer, verifies, answers, and offers the block to the cache.
 * Concurrency  trees are immutable; any number of readers. A builder and a iterator belong to one thread.
 */
#ifndef HOLT_TREE_TREE_H
#define HOLT_TREE_TREE_H

#include "base/range_estimate.h"
#include "block/block.h"
#include "tree/file/tree_file.h"

enum { TREE_OVERFLOW_BYTES = 64 << 20, TREE_DEPTH_MAX = 24, TREE_KEY_BYTES_MAX = 65535 };

/* What describes a tree in the manifest. */
typedef struct tree_root {
    block_ptr root;       /* length 0: the tree is empty */
    uint32_t  height;     /* levels of blocks: 1 = the root is a leaf */
    uint64_t  entries;    /* tombstones included */
    uint64_t  tombstones;
    uint64_t  bytes;      /* of file space: blocks, extents and filter */
    block_ptr filter;     /* directory of the filter's pages (tree_filter.h); length 0: no filter */
    uint64_t  filter_lines;
    uint32_t  filter_probes;
} tree_root;

/* ---------------------------------------------------------------- building */

typedef struct tree_build_options {
    size_t   block_bytes;
    uint32_t filter_bits;   /* 0 = no filter */
} tree_build_options;

typedef struct tree_builder tree_builder;

/* Builds one tree at the end of the file being written. Several may be built in a file, one after another. */
holt_status tree_builder_create(tree_builder **out, tree_file_writer *file,
                                const tree_build_options *options);
/* Accepts NULL. What was not finished is garbage in the file. */
void tree_builder_destroy(tree_builder *b);
/* Keys ascend strictly. op is ENTRY_PUT, ENTRY_PUT_UNTIL or ENTRY_DELETE. */
holt_status tree_builder_add(tree_builder *b, slice key, uint8_t op, slice value, uint64_t expires_at_ms);
uint64_t    tree_builder_bytes(const tree_builder *b); /* written and buffered so far */
/* Writes what is left and gives the root. Adding nothing gives an empty tree. */
holt_status tree_builder_finish(tree_builder *b, tree_root *out);

/* ---------------------------------------------------------------- lookup */

typedef enum tree_answer { TREE_ABSENT, TREE_FOUND, TREE_NOT_CACHED, TREE_FAILED } tree_answer;

typedef struct tree_entry {
    uint8_t  op;
    bool     overflow; /* value is a list of extents: tree_read_overflow() */
    slice    value;   /* borrowed: until the section ends, or the buffer's next use */
    uint64_t expires_at_ms;
} tree_entry;

/* A key to look up in a tree of either kind, and what the lookup cost. */
typedef struct tree_query {
    slice key;
    uint32_t filter_checks;    /* filters that the last lookup asked, */
    uint32_t filter_negatives; /* and of these the ones that ruled the key out */
} tree_query;

/* The entry that a lookup found, a tombstone included. */
typedef struct tree_hit {
    tree_entry entry;
    tree_file *file; /* with the overflow of the value, if it has one; borrowed */
} tree_hit;

/* A reader's own block buffer, grown as needed. Zero-initialise; release with tree_buffer_deinit. */
typedef struct tree_buffer {
    void *bytes;
    size_t capacity;
} tree_buffer;
void tree_buffer_deinit(tree_buffer *b);

tree_answer tree_lookup_cached(tree_file *f, const tree_root *root, slice key, tree_entry *out);
/* TREE_FAILED: *status says why, its words are with the thread. Never TREE_NOT_CACHED. */
tree_answer tree_lookup(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer, tree_entry *out,
                        holt_status *status);

/* The size of the value that the extents describe: HOLT_CORRUPT where they cannot be, so that no memory is
 * asked for on their word alone. */
holt_status tree_overflow_size(tree_file *f, slice overflow, uint64_t *size);
/* Reads that value into `out` (of that size), verifying each extent. Outside sections. */
holt_status tree_read_overflow(tree_file *f, slice overflow, void *out);

/* ---------------------------------------------------------------- walking */

/* A iterator over the tree clipped to [lower, upper) ({NULL,0} = open), whose bytes are borrowed while the
 * iterator lives. It copies each leaf it stands on; a value in extents is read by load_value only. It holds no
 * reference on the file: the caller does. */
typedef struct tree_iterator_options {
    slice lower, upper;
    bool  bypass_cache; /* reads neither fill nor disturb the cache (compaction) */
    bool  read_ahead;   /* large scans: ask the system for what comes next */
} tree_iterator_options;
holt_status tree_iterator_open(tree_file *f, const tree_root *root, const tree_iterator_options *options,
                             iterator **out);

/* Adds to *sums the entries in [begin, end) that are no tombstones, and the file space of leaves and extents that
 * hold them: estimated. It looks at a bounded number of blocks on each level, and reads those that are not cached.
 * Outside sections. */
holt_status tree_estimate(tree_file *f, const tree_root *root, slice begin, slice end, estimate_sums *sums);

/* ---------------------------------------------------------------- verifying */

typedef struct tree_report {
    uint64_t blocks, entries, tombstones, bytes;
} tree_report;
/* Reads every block, extent and filter page from the file (not the cache) and checks checksums, structure,
 * key order, separator bounds, levels and counts, and that the filter knows every key. *report adds up. The
 * first problem ends it: HOLT_CORRUPT with file and offset. */
holt_status tree_verify(tree_file *f, const tree_root *root, tree_report *report);

/* Told of each piece of a tree; a status that is not HOLT_OK ends the walk. */
typedef holt_status (*tree_visit)(void *ctx, block_ptr piece);
/* The same, telling `visit` (may be NULL) of each piece once its pointer has been found possible. */
holt_status tree_verify_pieces(tree_file *f, const tree_root *root, tree_visit visit, void *ctx,
                               tree_report *report);

#endif
