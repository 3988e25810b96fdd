/* tree_format.c -- encoding, decoding and checking the header of a tree file. */
#include "tree/file/tree_format.h"

#include "base/coding.h"
#include "base/hash.h"
#include "base/status.h"

enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 8,
    HEADER_PURPOSE = 12,
    HEADER_DATABASE = 16,
    HEADER_NUMBER = 32,
    HEADER_ZEROS = 40,
    HEADER_CHECKSUM = TREE_HEADER_BYTES - 8,
    MAGIC_SIZE = 8
};

static const char magic[] = "HOLTTREE";
_Static_assert(sizeof magic == MAGIC_SIZE + 1, "the magic fills its field");

void tree_header_encode(uint8_t out[TREE_HEADER_BYTES], const tree_header *h)
{
    memset(out, 0, TREE_HEADER_BYTES);
    memcpy(out + HEADER_MAGIC, magic, MAGIC_SIZE);
    put_u32le(out + HEADER_VERSION, TREE_FORMAT_VERSION);
    put_u32le(out + HEADER_PURPOSE, h->purpose);
    put_u64le(out + HEADER_DATABASE, h->database_id[0]);
    put_u64le(out + HEADER_DATABASE + 8, h->database_id[1]);
    put_u64le(out + HEADER_NUMBER, h->number);
    put_u64le(out + HEADER_CHECKSUM, hash_bytes(out, HEADER_CHECKSUM));
}

static bool zeros_intact(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

holt_status tree_header_decode(const uint8_t in[TREE_HEADER_BYTES], const char *file, tree_header *out)
{
    if (memcmp(in + HEADER_MAGIC, magic, MAGIC_SIZE) != 0)
        return status_set_file(HOLT_CORRUPT, file, 0, "not a tree file: header has a wrong magic");

    uint64_t checksum = hash_bytes(in, HEADER_CHECKSUM), expected = get_u64le(in + HEADER_CHECKSUM);
    if (checksum != expected)
        return status_set_file(HOLT_CORRUPT, file, 0, "header: checksum %016llx, expected %016llx",
                               (unsigned long long)checksum, (unsigned long long)expected);

    uint32_t version = get_u32le(in + HEADER_VERSION);
    if (version > TREE_FORMAT_VERSION)
        return status_set_file(HOLT_UNSUPPORTED, file, 0, "tree file version %u; this Holt reads up to %u",
                               version, TREE_FORMAT_VERSION);
    if (version == 0 || !zeros_intact(in + HEADER_ZEROS, HEADER_CHECKSUM - HEADER_ZEROS))
        return status_set_file(HOLT_CORRUPT, file, 0, "header: malformed");

    out->purpose = get_u32le(in + HEADER_PURPOSE);
    out->database_id[0] = get_u64le(in + HEADER_DATABASE);
    out->database_id[1] = get_u64le(in + HEADER_DATABASE + 8);
    out->number = get_u64le(in + HEADER_NUMBER);
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
