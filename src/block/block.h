/* block.h -- the unit of storage: sorted entries that are searched where they lie.
 *
 * A block is {header, prefix, heads, offsets, entries}. The prefix is what all keys of the block have in
 * common; heads are the next four bytes of each key as numbers, zero-padded, dense, so that a search counts
 * how many are smaller without touching a key; offsets lead to the entries, any of them by its number, so
 * that both directions cost the same. Leaves of runs, leaves of B+trees and inner nodes are all such blocks.
 *
 * In an inner node an entry's key is a separator and its value a block_ptr: child i holds the keys k with
 * separator[i] <= k < separator[i + 1]. The first separator of a node on the left edge of the tree is the
 * empty key.
 *
 * The empty key would leave every block that holds it without a prefix, the root of every tree among them. So
 * it stands outside: a first entry with the empty key has no part in the prefix, and block_key() is the one
 * way to a whole key.
 *
 * On disk      block_format.h has the table of bytes. A block carries no checksum of its own: the pointer to
 *              it does.
 * Trust        block_check() validates everything once, when the bytes enter memory; the accessors then trust
 *              them.
 * Concurrency  a block is immutable.
 */
#ifndef HOLT_BLOCK_BLOCK_H
#define HOLT_BLOCK_BLOCK_H

#include "base/iterator.h"

/* Where a block is and what it must be. The pointer vouches for the child: a lost, torn, stale or misdirected
 * write is found when it is followed. */
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

/* A block opened for reading: pointers into the bytes, which the caller keeps. */
typedef struct block {
    const uint8_t *bytes;
    size_t   size;
    uint32_t count;        /* entries; at least 1 */
    uint32_t tombstones;
    uint8_t  level;        /* 0 = leaf */
    bool     wide_offsets; /* u32 instead of u16 */
    bool     first_empty;  /* entry 0 has the empty key, and the prefix is not part of it */
    uint16_t prefix_size;
    const uint8_t *prefix;
    const uint8_t *heads;   /* u32 little-endian numbers, 4-byte aligned relative to bytes */
    const uint8_t *offsets;
} block;

/* Validates the bytes completely: lengths, order of heads and keys, entries within bounds, separators and
 * pointers in inner nodes. HOLT_CORRUPT with what is wrong (the caller puts file and offset in front). bytes
 * must be 8-byte aligned. */
holt_status block_check(const void *bytes, size_t size);
/* Opens bytes that block_check has accepted: no checks, no failure. */
static inline void block_open(block *b, const void *bytes, size_t size);

typedef struct block_entry {
    uint8_t  op;         /* entry_op: ENTRY_PUT, ENTRY_DELETE or ENTRY_PUT_UNTIL */
    bool     overflow;    /* value is a list of block_ptr, encoded, of the extents that hold the real value */
    slice    suffix;     /* the key after the block's prefix; of an empty first key: empty */
    slice    value;      /* of a tombstone: empty */
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL */
} block_entry;

static inline block_entry block_at(const block *b, uint32_t index);
/* Number of the first entry whose key is >= key (count if none); *equal: it is the key itself. */
static inline uint32_t block_lower_bound(const block *b, slice key, bool *equal);
/* The same as far as the heads tell, without a look at any entry: at most what block_lower_bound answers. */
static inline uint32_t block_head_bound(const block *b, slice key);
/* Asks for the memory that a search goes through, all at once. */
static inline void block_prefetch_search(const block *b);
/* The child of an inner node that may hold the key: 0 also for a key below the first separator. */
static inline uint32_t block_child_index(const block *b, slice key);
static inline block_ptr block_child(const block *b, uint32_t index);
/* The key of an entry compared with another: < 0, 0, > 0. */
int block_compare_key(const block *b, uint32_t index, slice key);
/* Copies the whole key into buffer, which has room for block_key_size() (BLOCK_KEY_BYTES_MAX always suffice). Returns
 * its size. */
size_t block_key(const block *b, uint32_t index, uint8_t *buffer);
static inline size_t block_key_size(const block *b, uint32_t index);

/* The size of the value of an entry with extents: the sum of their lengths. */
uint64_t block_overflow_size(slice overflow);

/* ---------------------------------------------------------------- building */

typedef struct block_builder block_builder;

holt_status block_builder_create(block_builder **out, uint8_t level, size_t block_bytes);
void        block_builder_destroy(block_builder *b); /* accepts NULL */
/* Begins a new, empty block of the given level. */
void        block_builder_reset(block_builder *b, uint8_t level);
/* Whether the entry can be added within block_bytes. An empty builder takes any entry; an inner node takes at
 * least four. */
bool        block_builder_fits(const block_builder *b, slice key, const block_entry *entry);
/* Adds an entry (key whole; entry->suffix is ignored), copying it. Keys ascend strictly. HOLT_TOO_LARGE past
 * 4 GiB. */
holt_status block_builder_add(block_builder *b, slice key, const block_entry *entry);
uint32_t    block_builder_count(const block_builder *b);
/* As it would be stored now: exact while keys are below 128 bytes, with longer ones a few bytes an entry too
 * many. */
size_t      block_builder_bytes(const block_builder *b);
/* Of a builder that has entries. Borrowed until the next add or reset. */
slice       block_builder_first_key(const block_builder *b);
slice       block_builder_last_key(const block_builder *b);
/* Encodes what was added, at least one entry. A block larger than block_bytes is padded with zeros to a
 * multiple of 4 KiB. *out (8-byte aligned) is borrowed until the next call on the builder. */
holt_status block_builder_finish(block_builder *b, slice *out);

/* A shortest key s with a < s <= b, for a < b: the first bytes of b. */
slice block_separator(slice a, slice b);

#include "block/block_read.h"
#include "block/block_search.h"

#endif
