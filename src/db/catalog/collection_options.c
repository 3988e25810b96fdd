/* collection_options.c -- checks of names and options, and their defaults. */
#include "db/catalog/collection_options.h"

#include "base/status.h"
#include "block/filter.h"
#include "db/args.h"
#include "db/db.h"
#include "db/tree/tree_kind.h"

holt_status name_check(const char *name)
{
    if (!name) return status_set(HOLT_INVALID, "the collection name is NULL");
    if (!*name) return status_set(HOLT_INVALID, "the collection name is empty");
    size_t size = strlen(name);
    if (size > NAME_BYTES_MAX)
        return status_set(HOLT_INVALID, "the collection name has %zu bytes; at most %d are allowed", size,
                          NAME_BYTES_MAX);
    return text_check(name, size, "the collection name");
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
