/* block.h -- the unit of storage: sorted entries that are searched in place, without decoding the block.
 *
 * A block is {header, prefix, heads, offsets, entries}. The prefix is what all keys of the block have in
 * common. The heads are the next four bytes of each key as a dense array of zero-padded numbers, so that a
 * search counts how many are smaller without touching a key. The offsets locate any entry by its index, so
 * that iterating costs the same in both directions. Leaves of runs, leaves of B+trees and inner nodes are all
 * such blocks.
 *
 * In an inner node an entry's key is a separator and its value a block_ptr: child i holds the keys k with
 * separator[i] <= k < separator[i + 1]. The first separator of a node on the left edge of the tree is the
 * empty key.
 *
 * The empty key would leave every block that holds it without a prefix, including the root of every tree. So
 * it is an exception: a first entry with the empty key does not take part in the prefix. block_key() is the
 * only way to get a whole key.
 *
 * Between two neighbouring entries of a leaf, before its first and after its last, there is a gap, which may
 * be deleted (base/iterator.h). Gaps are numbered: gap i is before entry i, and gap `count` after the last.
 *
 * On disk      block_format.h has the table of bytes. A block carries no checksum of its own: the pointer to
 *              it does.
 * Trust        block_check() validates everything once, when the bytes enter memory; afterwards the accessors
 *              trust them.
 * Concurrency  a block is immutable.
 */
#ifndef HOLT_BLOCK_BLOCK_H
#define HOLT_BLOCK_BLOCK_H

#include "base/iterator.h"

/* Where a block is, and the length and checksum it must have: following a pointer detects a lost, torn, stale
 * or misdirected write of the block. */
typedef struct block_ptr {
    uint64_t offset;   /* in the file */
    uint64_t checksum; /* XXH3-64 of the bytes as stored */
    uint32_t length;   /* bytes as stored; 0 = no block (an empty tree) */
    uint32_t ordinal;  /* number of the block within its file, across all roots in it */
} block_ptr;

enum { BLOCK_PTR_SIZE = 24 };
void block_ptr_encode(uint8_t out[BLOCK_PTR_SIZE], block_ptr p);
static inline block_ptr block_ptr_decode(const uint8_t in[BLOCK_PTR_SIZE]);

enum { BLOCK_BYTES_MIN = 4096, BLOCK_BYTES_MAX = 65536, BLOCK_KEY_BYTES_MAX = 65535 };

/* A block opened for reading: pointers into the bytes, which the caller must keep. */
typedef struct block {
    const uint8_t *bytes;
    size_t size;
    uint32_t count;        /* entries; at least 1 */
    uint32_t tombstones;   /* entries without a value: tombstones and boundaries */
    uint8_t level;         /* 0 = leaf */
    bool wide_offsets;     /* u32 instead of u16 */
    bool first_empty;      /* entry 0 has the empty key, and the prefix is not part of it */
    uint16_t prefix_size;
    const uint8_t *prefix;
    const uint8_t *heads; /* u32 little-endian numbers, 4-byte aligned relative to bytes */
    const uint8_t *offsets;
} block;

/* Validates the bytes completely: lengths, order of heads and keys, entries within bounds, separators and
 * pointers in inner nodes. Returns HOLT_CORRUPT with a message that tells what is wrong (the caller puts file
 * and offset in front). bytes must be 8-byte aligned. */
holt_status block_check(const void *bytes, size_t size);
/* Opens bytes that block_check has accepted. Checks nothing and cannot fail. */
static inline void block_open(block *b, const void *bytes, size_t size);

typedef struct block_entry {
    uint8_t op;    /* entry_op */
    bool overflow; /* the value is a list of encoded pointers to the pieces that hold the real value */
    slice suffix;  /* the key after the block's prefix; empty for an empty first key */
    slice value;   /* empty for a tombstone or a boundary */
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL */
} block_entry;

static inline block_entry block_at(const block *b, uint32_t index);
/* Whether gap `index` (0..count) of a leaf is deleted. */
static inline bool block_gap_deleted(const block *b, uint32_t index);
/* The index of the first entry whose key is >= key (count if none); *equal: its key is `key`. */
static inline uint32_t block_lower_bound(const block *b, slice key, bool *equal);
/* A lower limit for the result of block_lower_bound, found from the heads alone, without reading any
 * entry. */
static inline uint32_t block_head_bound(const block *b, slice key);
/* Prefetches the memory that a search reads. */
static inline void block_prefetch_search(const block *b);
/* The child of an inner node that may hold the key; also 0 for a key below the first separator. */
static inline uint32_t block_child_index(const block *b, slice key);
static inline block_ptr block_child(const block *b, uint32_t index);
/* Whether some gaps are deleted in the child's leaves. */
static inline bool block_child_has_gaps(const block *b, uint32_t index);
/* Compares the key of an entry with `key`: < 0, 0, > 0. */
int block_compare_key(const block *b, uint32_t index, slice key);
/* Copies the whole key into buffer, which must have room for block_key_size() bytes (BLOCK_KEY_BYTES_MAX
 * always suffices). Returns its size. */
size_t block_key(const block *b, uint32_t index, uint8_t *buffer);
static inline size_t block_key_size(const block *b, uint32_t index);

/* The size of the value of an entry with overflow pieces: the sum of their lengths. */
uint64_t block_overflow_size(slice overflow_list);

/* ---------------------------------------------------------------- building: block_builder.c */

typedef struct block_builder block_builder;

holt_status block_builder_create(block_builder **out, uint8_t level, size_t block_bytes);
void        block_builder_destroy(block_builder *b); /* accepts NULL */
/* Begins a new, empty block of the given level. */
void        block_builder_reset(block_builder *b, uint8_t level);
/* Whether the entry can be added without exceeding block_bytes. An empty builder takes any entry, and an
 * inner node takes at least four. */
bool        block_builder_fits(const block_builder *b, slice key, const block_entry *entry);
/* Adds a copy of an entry; `key` is the whole key, entry->suffix is ignored. Keys must ascend strictly.
 * Returns HOLT_TOO_LARGE if the block would exceed 4 GiB. */
holt_status block_builder_add(block_builder *b, slice key, const block_entry *entry);
/* In a leaf: marks the gap after the last entry so far (before the first one, if there is none yet) as
 * deleted. */
void        block_builder_delete_gap(block_builder *b);
/* In an inner node: marks the last child so far as having deleted gaps. */
void        block_builder_mark_child(block_builder *b);
/* Whether either has been called since the block was begun. */
bool        block_builder_has_gaps(const block_builder *b);
uint32_t    block_builder_count(const block_builder *b);
/* The size of the block if it were finished now: exact while keys are below 128 bytes, a few bytes per entry
 * too large with longer keys. */
size_t      block_builder_bytes(const block_builder *b);
/* The builder must have entries. The keys are borrowed until the next add or reset. */
slice       block_builder_first_key(const block_builder *b);
slice       block_builder_last_key(const block_builder *b);
/* Encodes the added entries, at least one. A block larger than block_bytes is padded with zeros to a multiple
 * of 4 KiB. *out (8-byte aligned) is borrowed until the next call on the builder. */
holt_status block_builder_finish(block_builder *b, slice *out);

/* The shortest key s with a < s <= b, for a < b: a prefix of b. */
slice block_separator(slice a, slice b);

#include "block/block_read.h"
#include "block/block_search.h"

#endif
