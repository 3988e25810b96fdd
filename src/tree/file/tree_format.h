/* tree_format.h -- the bytes of a tree file outside its blocks.
 *
 * The file begins with a page of TREE_HEADER_BYTES, little-endian:
 *   offset  size  field
 *        0     8  magic "HOLTTREE"
 *        8     4  format version
 *       12     4  purpose: 1 runs, 2 pages
 *       16    16  database id, two numbers
 *       32     8  number of the file
 *       40  4048  zero
 *     4088     8  XXH3-64 of the 4088 bytes before it
 * Magic, version and checksum stay at their offsets in all versions, so that a newer file can be told from a
 * damaged one.
 *
 * In a file of runs the header is followed by pieces (blocks, overflow pieces, filter pages), each at a
 * multiple of TREE_PIECE_ALIGN, the bytes between them zero. A file of pages (tree_page_file.h) consists of
 * pages of TREE_PAGE_BYTES, the first of which is the header; a piece takes as many consecutive pages as it
 * needs, the bytes after it zero. docs/FORMAT.md describes both.
 */
#ifndef HOLT_TREE_FILE_TREE_FORMAT_H
#define HOLT_TREE_FILE_TREE_FORMAT_H

#include "block/block.h"

enum { TREE_FORMAT_VERSION = 1, TREE_HEADER_BYTES = 4096, TREE_PIECE_ALIGN = 8, TREE_PAGE_BYTES = 4096 };

enum { TREE_PURPOSE_RUNS = 1, TREE_PURPOSE_PAGES = 2 };

typedef struct tree_header {
    uint32_t purpose;
    uint64_t database_id[2];
    uint64_t number;
} tree_header;

void tree_header_encode(uint8_t out[TREE_HEADER_BYTES], const tree_header *h);
/* Checks magic, checksum, version and the zeros. `file` is for the message. */
holt_status tree_header_decode(const uint8_t in[TREE_HEADER_BYTES], const char *file, tree_header *out);
/* Checks that the header is the expected one: HOLT_CORRUPT if not, or HOLT_UNSUPPORTED for another
 * purpose. */
holt_status tree_header_check(const tree_header *h, const tree_header *expected, const char *file);

/* The file space that a piece takes in a file of runs, including the bytes up to the next piece. */
static inline uint64_t tree_piece_space(uint64_t size)
{
    return (size + TREE_PIECE_ALIGN - 1) & ~(uint64_t)(TREE_PIECE_ALIGN - 1);
}

/* The same in a file of pages. */
static inline uint64_t tree_page_space(uint64_t size)
{
    return (size + TREE_PAGE_BYTES - 1) & ~(uint64_t)(TREE_PAGE_BYTES - 1);
}

#endif
