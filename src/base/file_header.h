/* file_header.h -- the header that every binary file of a database begins with.
 *
 * Little-endian; `size` is fixed for each kind of file:
 *   offset  size  field
 *        0     8  magic, which names the kind of file
 *        8     4  format version of that kind
 *       12     4  flags of a manifest or log segment, zero; purpose of a tree file
 *       16    16  database id, two numbers
 *       32     8  number of the file, the one in its name
 *       40     8  salt of its frames; zero in a tree file, which has none
 *       48     n  fields of this kind of file: log/manifest.h, log/segment.h, tree/file/tree_format.h
 *   size-8     8  XXH3-64 of everything before it
 *
 * Magic, version and checksum stay where they are in all versions, so that a file of a newer version can be
 * told from a damaged one. This module only encodes and decodes; what each kind makes of a wrong field is its
 * own decision and its own message.
 */
#ifndef HOLT_BASE_FILE_HEADER_H
#define HOLT_BASE_FILE_HEADER_H

#include "base/slice.h"

enum { FILE_MAGIC_BYTES = 8 };
#define FILE_MAGIC_MANIFEST "HOLTMAN" /* and a zero byte */
#define FILE_MAGIC_SEGMENT  "HOLTWAL" /* and a zero byte */
#define FILE_MAGIC_TREE     "HOLTTREE"

/* Offsets, for messages and for the fields of each kind. */
enum {
    FILE_HEADER_MAGIC = 0,
    FILE_HEADER_VERSION = 8,
    FILE_HEADER_FLAGS = 12,
    FILE_HEADER_DATABASE = 16,
    FILE_HEADER_NUMBER = 32,
    FILE_HEADER_SALT = 40,
    FILE_HEADER_FIELDS = 48
};

typedef struct file_header {
    uint32_t version;
    uint32_t flags;
    uint64_t database_id[2];
    uint64_t number;
    uint64_t salt;
    uint64_t checksum; /* set by file_header_decode() and returned by file_header_seal() */
} file_header;

/* Writes the common fields and zeros up to `size`. The caller then adds its own fields and seals the
 * header. */
void file_header_encode(uint8_t *out, size_t size, const char *magic, const file_header *h);
/* Writes the checksum, over everything before it, and returns it. */
uint64_t file_header_seal(uint8_t *out, size_t size);

bool file_header_has_magic(const uint8_t *in, const char *magic);
/* Reads the common fields. Returns whether the checksum matches; *out is filled in any case. */
bool file_header_decode(const uint8_t *in, size_t size, file_header *out);

#endif
