/* dump.c -- see dump.h: writes a dump. records_dump.c reads it. */
#include "formats/dump.h"

#include <inttypes.h>

#include "cli_values.h"
#include "common/text.h"

void dump_write_header(FILE *out)
{
    fputs(DUMP_HEADER "\n", out);
}

void dump_write_collection(FILE *out, const char *name, const holt_collection_info *info)
{
    fputs(DUMP_COLLECTION "\t", out);
    text_write_escaped(out, holt_str(name));
    fprintf(out, "\tkind=%s\tblock_bytes=%" PRIu32, cli_kind_name(info->kind), info->block_bytes);
    /* The library returns 0 for no filter, but 0 at creation means the default. */
    if (info->filter_bits == 0 || info->filter_bits == HOLT_FILTER_NONE) {
        fputs("\tfilter_bits=none\n", out);
    } else {
        fprintf(out, "\tfilter_bits=%" PRIu32 "\n", info->filter_bits);
    }
}

void dump_write_entry(FILE *out, holt_slice key, holt_slice value, uint64_t expires_at_ms)
{
    if (expires_at_ms) fprintf(out, DUMP_UNTIL "\t%" PRIu64 "\t", expires_at_ms);
    text_write_escaped(out, key);
    putc_unlocked('\t', out);
    text_write_escaped(out, value);
    putc_unlocked('\n', out);
}

void dump_write_end(FILE *out, uint64_t count)
{
    fprintf(out, DUMP_END "\t%" PRIu64 "\n", count);
}
