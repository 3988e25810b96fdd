/* segment.c -- names and headers of log segments; the bytes are in segment.h. */
#include "log/segment.h"

#include "base/coding.h"
#include "base/file_header.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>

enum { AT_PREDECESSOR = FILE_HEADER_FIELDS, AT_MANIFEST = 64, AT_SYNCED = 88, AT_SEQNO = 104, AT_ZERO = 112 };

static void put_position(uint8_t *p, log_position at)
{
    put_u64le(p, at.segment);
    put_u64le(p + 8, at.offset);
}

static log_position get_position(const uint8_t *p)
{
    log_position at = {get_u64le(p), get_u64le(p + 8)};
    return at;
}

void segment_header_encode(uint8_t out[SEGMENT_HEADER], segment_header *h)
{
    file_header common = {.version = LOG_FORMAT_VERSION, .number = h->number, .salt = h->salt};
    memcpy(common.database_id, h->database_id, sizeof common.database_id);
    file_header_encode(out, SEGMENT_HEADER, FILE_MAGIC_SEGMENT, &common);
    put_position(out + AT_PREDECESSOR, h->predecessor);
    put_u64le(out + AT_MANIFEST, h->manifest.number);
    put_u64le(out + AT_MANIFEST + 8, h->manifest.record);
    put_u64le(out + AT_MANIFEST + 16, h->manifest.checksum);
    put_position(out + AT_SYNCED, h->synced);
    put_u64le(out + AT_SEQNO, h->first_seqno);
    h->checksum = file_header_seal(out, SEGMENT_HEADER);
}

bool segment_header_intact(const uint8_t in[SEGMENT_HEADER])
{
    file_header common;
    return file_header_has_magic(in, FILE_MAGIC_SEGMENT) && file_header_decode(in, SEGMENT_HEADER, &common);
}

holt_status segment_header_decode(const uint8_t in[SEGMENT_HEADER], uint64_t number,
                                  const uint64_t database_id[2], segment_header *out)
{
    file_header common;
    if (!file_header_has_magic(in, FILE_MAGIC_SEGMENT)) return HOLT_NOT_FOUND;
    if (!file_header_decode(in, SEGMENT_HEADER, &common)) return HOLT_NOT_FOUND;
    if (common.number != number) return HOLT_NOT_FOUND; /* a recycled file's old header */
    if (memcmp(common.database_id, database_id, sizeof common.database_id) != 0) return HOLT_NOT_FOUND;
    if (common.version != LOG_FORMAT_VERSION || common.flags || get_u64le(in + AT_ZERO)) {
        char name[OS_NAME_MAX];
        segment_name(number, name);
        return status_set_file(HOLT_UNSUPPORTED, name, FILE_HEADER_VERSION,
                               "log format version %" PRIu32 ", flags %" PRIx32
                               "; this release reads version %d",
                               common.version, common.flags, LOG_FORMAT_VERSION);
    }
    memcpy(out->database_id, common.database_id, sizeof out->database_id);
    out->number = common.number;
    out->salt = common.salt;
    out->checksum = common.checksum;
    out->predecessor = get_position(in + AT_PREDECESSOR);
    out->manifest.number = get_u64le(in + AT_MANIFEST);
    out->manifest.record = get_u64le(in + AT_MANIFEST + 8);
    out->manifest.checksum = get_u64le(in + AT_MANIFEST + 16);
    out->synced = get_position(in + AT_SYNCED);
    out->first_seqno = get_u64le(in + AT_SEQNO);
    return HOLT_OK;
}

void segment_name(uint64_t number, char name[OS_NAME_MAX])
{
    snprintf(name, OS_NAME_MAX, "wal-%06" PRIu64 ".log", number);
}

void segment_spare_name(uint64_t number, char name[OS_NAME_MAX])
{
    snprintf(name, OS_NAME_MAX, "spare-%06" PRIu64 ".log", number);
}

bool file_name_number(const char *name, const char *prefix, const char *suffix, uint64_t *number)
{
    size_t skip = strlen(prefix), tail = strlen(suffix), size = strlen(name);
    if (size <= skip + tail || strncmp(name, prefix, skip) != 0 || strcmp(name + size - tail, suffix) != 0)
        return false;
    uint64_t n = 0;
    for (const char *p = name + skip; p < name + size - tail; p++) {
        if (*p < '0' || *p > '9' || n > (UINT64_MAX - 9) / 10) return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    *number = n;
    return true;
}
