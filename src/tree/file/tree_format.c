/* tree_format.c -- encoding, decoding and checking the header of a tree file. */
#include "tree/file/tree_format.h"

#include "base/file_header.h"
#include "base/hash.h"
#include "base/status.h"

enum { HEADER_ZEROS = FILE_HEADER_SALT }; /* a tree file has no frames to salt */

void tree_header_encode(uint8_t out[TREE_HEADER_BYTES], const tree_header *h)
{
    file_header common = {.version = TREE_FORMAT_VERSION, .flags = h->purpose, .number = h->number};
    memcpy(common.database_id, h->database_id, sizeof common.database_id);
    file_header_encode(out, TREE_HEADER_BYTES, FILE_MAGIC_TREE, &common);
    (void)file_header_seal(out, TREE_HEADER_BYTES);
}

static bool zeros_intact(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

holt_status tree_header_decode(const uint8_t in[TREE_HEADER_BYTES], const char *file, tree_header *out)
{
    if (!file_header_has_magic(in, FILE_MAGIC_TREE))
        return status_set_file(HOLT_CORRUPT, file, 0, "not a tree file: header has a wrong magic");

    file_header common;
    if (!file_header_decode(in, TREE_HEADER_BYTES, &common))
        return status_set_file(HOLT_CORRUPT, file, 0, "header: checksum %016llx, expected %016llx",
                               (unsigned long long)hash_bytes(in, TREE_HEADER_BYTES - 8),
                               (unsigned long long)common.checksum);
    if (common.version > TREE_FORMAT_VERSION)
        return status_set_file(HOLT_UNSUPPORTED, file, 0, "tree file version %u; this Holt reads up to %u",
                               common.version, TREE_FORMAT_VERSION);
    if (common.version == 0 || !zeros_intact(in + HEADER_ZEROS, TREE_HEADER_BYTES - 8 - HEADER_ZEROS))
        return status_set_file(HOLT_CORRUPT, file, 0, "header: malformed");

    out->purpose = common.flags;
    memcpy(out->database_id, common.database_id, sizeof out->database_id);
    out->number = common.number;
    return HOLT_OK;
}

holt_status tree_header_check(const tree_header *h, const tree_header *expected, const char *file)
{
    if (h->database_id[0] != expected->database_id[0] || h->database_id[1] != expected->database_id[1])
        return status_set_file(HOLT_CORRUPT, file, 0, "belongs to another database");
    if (h->number != expected->number)
        return status_set_file(HOLT_CORRUPT, file, 0, "header: file number %llu, expected %llu",
                               (unsigned long long)h->number, (unsigned long long)expected->number);
    if (h->purpose != expected->purpose)
        return status_set_file(HOLT_UNSUPPORTED, file, 0, "tree file purpose %u, expected %u", h->purpose,
                               expected->purpose);
    return HOLT_OK;
}
