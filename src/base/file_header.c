/* file_header.c -- encoding and decoding the common part of file headers; the bytes are in file_header.h. */
#include "base/file_header.h"

#include "base/coding.h"
#include "base/hash.h"

#include <assert.h>

_Static_assert(sizeof FILE_MAGIC_MANIFEST == FILE_MAGIC_BYTES, "the magic and its zero byte fill the field");
_Static_assert(sizeof FILE_MAGIC_SEGMENT == FILE_MAGIC_BYTES, "the magic and its zero byte fill the field");
_Static_assert(sizeof FILE_MAGIC_TREE == FILE_MAGIC_BYTES + 1, "the magic fills the field");

void file_header_encode(uint8_t *out, size_t size, const char *magic, const file_header *h)
{
    assert(size >= FILE_HEADER_FIELDS + 8);
    memset(out, 0, size);
    memcpy(out + FILE_HEADER_MAGIC, magic, FILE_MAGIC_BYTES);
    put_u32le(out + FILE_HEADER_VERSION, h->version);
    put_u32le(out + FILE_HEADER_FLAGS, h->flags);
    put_u64le(out + FILE_HEADER_DATABASE, h->database_id[0]);
    put_u64le(out + FILE_HEADER_DATABASE + 8, h->database_id[1]);
    put_u64le(out + FILE_HEADER_NUMBER, h->number);
    put_u64le(out + FILE_HEADER_SALT, h->salt);
}

uint64_t file_header_seal(uint8_t *out, size_t size)
{
    uint64_t checksum = hash_bytes(out, size - 8);
    put_u64le(out + size - 8, checksum);
    return checksum;
}

bool file_header_has_magic(const uint8_t *in, const char *magic)
{
    return memcmp(in + FILE_HEADER_MAGIC, magic, FILE_MAGIC_BYTES) == 0;
}

bool file_header_decode(const uint8_t *in, size_t size, file_header *out)
{
    out->version = get_u32le(in + FILE_HEADER_VERSION);
    out->flags = get_u32le(in + FILE_HEADER_FLAGS);
    out->database_id[0] = get_u64le(in + FILE_HEADER_DATABASE);
    out->database_id[1] = get_u64le(in + FILE_HEADER_DATABASE + 8);
    out->number = get_u64le(in + FILE_HEADER_NUMBER);
    out->salt = get_u64le(in + FILE_HEADER_SALT);
    out->checksum = get_u64le(in + size - 8);
    return out->checksum == hash_bytes(in, size - 8);
}
