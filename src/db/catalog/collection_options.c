/* collection_options.c -- checks of names and options, and their defaults. */
#include "db/catalog/collection_options.h"

#include "base/status.h"
#include "block/filter.h"
#include "db/args.h"
#include "db/db.h"
#include "db/tree/tree_kind.h"

/* The length of the UTF-8 sequence at s (valid, no control character), or 0. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    if (s[0] == 0xc2 && s[1] < 0xa0) return 0; /* control characters too: U+0080 to U+009F */
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0; /* overlong; surrogates */
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* overlong; past U+10FFFF */
    return n;
}

holt_status name_check(const char *name)
{
    if (!name) return status_set(HOLT_INVALID, "the collection name is NULL");
    if (!*name) return status_set(HOLT_INVALID, "the collection name is empty");
    size_t size = strlen(name);
    if (size > NAME_BYTES_MAX)
        return status_set(HOLT_INVALID, "the collection name has %zu bytes; at most %d are allowed", size,
                          NAME_BYTES_MAX);
    for (size_t at = 0, n; at < size; at += n) {
        n = utf8_length((const unsigned char *)name + at);
        if (n == 0)
            return status_set(HOLT_INVALID,
                              "the collection name must be UTF-8 without control characters; byte %zu is not",
                              at);
    }
    return HOLT_OK;
}

holt_status collection_spec_init(const holt *db, const holt_collection_options *o, collection_spec *out)
{
    static const holt_collection_options defaults;
    if (!o) o = &defaults;
    memset(out, 0, sizeof *out);
    if (!reserved_zero(o->reserved, 8) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_collection_options: reserved words must be zero");
    if (o->flags & ~(uint32_t)HOLT_CREATE_OR_OPEN)
        return status_set(HOLT_INVALID, "holt_collection_options.flags = %u: unknown flags", o->flags);
    if (o->kind && !tree_kind_of(o->kind))
        return status_set(HOLT_INVALID, "holt_collection_options.kind = %u: is no holt_kind", o->kind);
    if (o->compression > HOLT_COMPRESSION_ZSTD)
        return status_set(HOLT_INVALID, "holt_collection_options.compression = %u: is no holt_compression",
                          o->compression);
    uint32_t kind = o->kind ? o->kind : db->set.default_kind;
    const tree_kind *traits = tree_kind_of(kind);
    uint32_t bytes = o->block_bytes ? o->block_bytes : traits->block_bytes;
    if (bytes < BLOCK_BYTES_MIN || bytes > BLOCK_BYTES_MAX || (bytes & (bytes - 1)))
        return status_set(HOLT_INVALID,
                          "holt_collection_options.block_bytes = %u: must be 4, 8, 16, 32 or 64 KiB", bytes);
    if (o->filter_bits > FILTER_BITS_MAX && o->filter_bits != HOLT_FILTER_NONE)
        return status_set(HOLT_INVALID,
                          "holt_collection_options.filter_bits = %u: must be 1 to 32, 0 or HOLT_FILTER_NONE",
                          o->filter_bits);
    out->kind = kind;
    if (o->compression > HOLT_COMPRESSION_NONE)
        return status_set(HOLT_UNSUPPORTED, "compression comes with a later release");
    out->compression = HOLT_COMPRESSION_NONE;
    out->block_bytes = bytes;
    out->filter_bits = o->filter_bits ? o->filter_bits : traits->filter_bits;
    if (traits->filter_bits == 0 || o->filter_bits == HOLT_FILTER_NONE) out->filter_bits = 0;
    return HOLT_OK;
}
