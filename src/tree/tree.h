/* tree.h -- a sorted tree of blocks, in any file: bulk build, point lookup, iterator, verification.
 *
 * A tree is identified by its root pointer and its file. Its leaves hold entries, its inner nodes separators
 * and pointers (block.h). A run of an LSM tree consists of such trees, and a version of a B+tree is one. A
 * file may hold many roots (tree_file.h).
 *
 * A value larger than half a block is stored outside its leaf in overflow pieces of at most
 * TREE_OVERFLOW_BYTES, each with its own pointer and checksum. The leaf's entry has the list of these
 * pointers, the overflow list, in place of the value.
 *
 * Reading      There are two ways. tree_lookup_cached() runs inside the caller's epoch section, touches only
 *              memory and returns TREE_NOT_CACHED where it would have to read. tree_lookup() runs outside
 *              epoch sections, reads blocks that are not cached from the file into its own buffer, verifies
 *              them, and inserts them into the cache.
 * Concurrency  trees are immutable; any number of readers. A builder and an iterator belong to one thread.
 */
#ifndef HOLT_TREE_TREE_H
#define HOLT_TREE_TREE_H

#include "base/range_estimate.h"
#include "block/block.h"
#include "tree/expiry_summary.h"
#include "tree/file/tree_file.h"

enum { TREE_OVERFLOW_BYTES = 64 << 20, TREE_DEPTH_MAX = 24, TREE_KEY_BYTES_MAX = 65535 };

/* The description of a tree in the manifest. */
typedef struct tree_root {
    block_ptr root;       /* length 0: the tree is empty */
    uint32_t  height;     /* levels of blocks: 1 = the root is a leaf */
    uint64_t  entries;    /* tombstones and boundaries included */
    uint64_t  tombstones; /* and boundaries */
    uint64_t  gaps;       /* deleted gaps (base/iterator.h) */
    uint64_t  bytes;      /* of file space: blocks, overflow pieces and filter */
    expiry_summary expiry;
    block_ptr filter;     /* directory of the filter's pages (tree_filter.h); length 0: no filter */
    uint64_t  filter_lines;
    uint32_t  filter_probes;
} tree_root;

/* ---------------------------------------------------------------- building: write/tree_builder.c */

typedef struct tree_build_options {
    size_t   block_bytes;
    uint32_t filter_bits;   /* 0 = no filter */
} tree_build_options;

typedef struct tree_builder tree_builder;

/* Builds one tree at the end of the file being written. A file may get several trees, one after another. */
holt_status tree_builder_create(tree_builder **out, tree_file_writer *file,
                                const tree_build_options *options);
/* Accepts NULL. The blocks of a tree that was not finished are garbage in the file. */
void tree_builder_destroy(tree_builder *b);
/* Keys must ascend strictly. op is an entry_op. */
holt_status tree_builder_add(tree_builder *b, slice key, uint8_t op, slice value, uint64_t expires_at_ms);
/* Marks the gap between the last entry so far and the next one (or the ends of the tree) as deleted. It is
 * lost if the tree gets no entries. */
void        tree_builder_delete_gap(tree_builder *b);
uint64_t    tree_builder_bytes(const tree_builder *b); /* written and buffered so far */
/* Writes the rest and returns the root. Without entries it is the root of the empty tree. */
holt_status tree_builder_finish(tree_builder *b, tree_root *out);

/* ---------------------------------------------------------------- looking up: read/tree_lookup.c */

typedef enum tree_result { TREE_ABSENT, TREE_FOUND, TREE_NOT_CACHED, TREE_FAILED } tree_result;

typedef struct tree_entry {
    uint8_t  op;
    bool     overflow; /* value is an overflow list: tree_read_overflow() */
    slice    value;    /* borrowed until the epoch section ends, or until the buffer's next use */
    uint64_t expires_at_ms;
} tree_entry;

/* A key to look up in a tree of either kind, and what the lookup cost. */
typedef struct tree_query {
    slice key;
    uint32_t filter_checks;    /* filters that the last lookup asked, */
    uint32_t filter_negatives; /* and of these the ones that ruled the key out */
    uint32_t trees;            /* trees that it searched, */
    uint32_t blocks;           /* and blocks found in the cache, by a lookup that reads none */
} tree_query;

/* The entry that a lookup found, a tombstone included. A key in a deleted gap is found as a tombstone. */
typedef struct tree_hit {
    tree_entry entry;
    tree_file *file; /* with the overflow of the value, if it has one; borrowed */
} tree_hit;

/* The first entry of a tree at or after a key, of whatever op. */
enum { TREE_FIRST_KEY_MAX = 512 };
typedef struct tree_first {
    tree_entry entry;
    size_t key_size;
    uint8_t key[TREE_FIRST_KEY_MAX];
} tree_first;

/* A lookup of one key that proceeds block by block, so that the lookups of many keys can wait for memory and
 * for the disk together. */
typedef struct tree_descent {
    tree_file *file;
    block_ptr  at;    /* the block to search next, */
    uint32_t   level; /* and the level that it must have */
    bool       gaps;  /* some gaps of the tree are deleted */
    bool       only_gaps; /* only a deleted gap can have the key: as tree_lookup_gap */
} tree_descent;

/* The lookup of one of many keys, in a tree of either kind. It has ended when `result` is TREE_ABSENT or
 * TREE_FOUND. While it is TREE_NOT_CACHED, the piece at descent.at of descent.file is next. */
typedef struct batch_search {
    tree_query query;
    tree_result result;
    tree_hit hit; /* TREE_FOUND */
    tree_descent descent;
    struct { /* for lsm/, whose trees consist of several: */
        uint64_t hash;
        uint32_t run;   /* the index of the run that is being searched */
        bool in_filter; /* in its filter, of which a page is next; not in its tree yet */
    } runs;
} batch_search;

/* A reader's own block buffer, which grows as needed. Zero-initialise; release with tree_buffer_deinit. */
typedef struct tree_buffer {
    void *bytes;
    size_t capacity;
} tree_buffer;
void tree_buffer_deinit(tree_buffer *b);

/* The key's entry. A boundary is TREE_ABSENT; a key without an entry in a deleted gap is a tombstone. */
tree_result tree_lookup_cached(tree_file *f, const tree_root *root, slice key, tree_entry *out);
/* Never returns TREE_NOT_CACHED. TREE_FAILED: *status is the reason, whose message is this thread's
 * holt_error_message(). */
tree_result tree_lookup(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer, tree_entry *out,
                        holt_status *status);

/* Finds the first entry at or after the key, without regard to deleted gaps. Inside the caller's epoch
 * section, where it touches memory only, as tree_lookup_cached. TREE_NOT_CACHED also if the entry's key is
 * longer than TREE_FIRST_KEY_MAX. */
tree_result tree_first_cached(tree_file *f, const tree_root *root, slice lower, tree_first *out);

/* false: the tree is empty. */
bool tree_descent_begin(tree_descent *d, tree_file *f, const tree_root *root);
/* Prefetches the memory that the next step reads. Inside an epoch section. */
void tree_descent_prefetch(const tree_descent *d);
/* Searches the next block. true: another one is next; false: *result says why not. Inside an epoch section;
 * out->value is borrowed until it ends. TREE_NOT_CACHED: the block must be read with tree_descent_read. */
bool tree_descent_step(tree_descent *d, slice key, tree_entry *out, tree_result *result);
/* Reads the next block into the buffer, verifies it, and inserts it into the cache. Outside epoch
 * sections. */
holt_status tree_descent_read(const tree_descent *d, tree_buffer *buffer);
/* Does a step with the block that has just been read into the buffer, where out->value then lies. */
bool tree_descent_step_read(tree_descent *d, slice key, const tree_buffer *buffer, tree_entry *out,
                            tree_result *result);

/* Sorts searches that are TREE_NOT_CACHED by the place of the piece that is next, so that those which wait
 * for the same one are neighbours, and has the system read all pieces but the first, which the caller is
 * about to read, at once. */
void tree_searches_request(batch_search **searches, size_t count);
/* Whether two searches wait for the same piece. */
bool tree_searches_same(const batch_search *a, const batch_search *b);

/* The same for a key that the tree has no entry of, because its filter has ruled it out, so that only a
 * deleted gap can have it: they read leaves, and nodes above them, only where there are deleted gaps. */
tree_result tree_lookup_gap_cached(tree_file *f, const tree_root *root, slice key, tree_entry *out);
tree_result tree_lookup_gap(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer,
                            tree_entry *out, holt_status *status);

/* The size of the value that an overflow list describes. HOLT_CORRUPT if its pieces cannot exist: call it
 * before allocating memory for the value. */
holt_status tree_overflow_size(tree_file *f, slice list, uint64_t *size);
/* Reads that value into `out` (of that size), verifying each piece. Outside epoch sections. */
holt_status tree_read_overflow(tree_file *f, slice list, void *out);
/* Has the system read the pieces in advance. */
void        tree_request_overflow(tree_file *f, slice list);

/* ---------------------------------------------------------------- iterating: read/tree_iterator.c */

/* Opens an iterator over the tree, clipped to [lower, upper) ({NULL,0} = open); the bounds' bytes are
 * borrowed for the lifetime of the iterator. It copies each leaf it enters; values in overflow pieces are
 * read only by load_value. It holds no reference to the file: the caller must. */
typedef struct tree_iterator_options {
    slice lower, upper;
    bool  bypass_cache; /* neither use nor fill the cache (compaction) */
    bool  read_ahead;   /* have the system read blocks in advance (large scans) */
} tree_iterator_options;
holt_status tree_iterator_open(tree_file *f, const tree_root *root, const tree_iterator_options *options,
                               iterator **out);

/* Adds to *sums an estimate of the entries in [begin, end) that are not tombstones, and of the file space of
 * their leaves and overflow pieces. It looks at a bounded number of blocks on each level, and reads those
 * that are not cached. Outside epoch sections. */
holt_status tree_estimate(tree_file *f, const tree_root *root, slice begin, slice end, estimate_sums *sums);

/* ---------------------------------------------------------------- verifying: read/tree_verify.c */

typedef struct tree_report {
    uint64_t blocks, entries, tombstones, gaps, bytes;
} tree_report;
/* Reads every block, overflow piece and filter page from the file (not the cache) and checks checksums,
 * structure, key order, separators, levels and counts, and that the filter has every key. Adds its counts to
 * *report. Returns at the first problem: HOLT_CORRUPT with file and offset. */
holt_status tree_verify(tree_file *f, const tree_root *root, tree_report *report);

/* Called for each piece of a tree; any status but HOLT_OK ends the walk. */
typedef holt_status (*tree_visit)(void *ctx, block_ptr piece);
/* The same, calling `visit` (may be NULL) for each piece after checking that its pointer is possible. */
holt_status tree_verify_pieces(tree_file *f, const tree_root *root, tree_visit visit, void *ctx,
                               tree_report *report);

#endif
