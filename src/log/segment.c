#include "log/segment.h"

#include "base/coding.h"
#include "base/hash.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_FLAGS = 12,
    AT_DATABASE = 16,
    AT_NUMBER = 32,
    AT_SALT = 40,
    AT_PREDECESSOR = 48,
    AT_MANIFEST = 64,
    AT_SYNCED = 88,
    AT_SEQNO = 104,
    AT_ZERO = 112,
    AT_CHECKSUM = 120
};

static const uint8_t magic[8] = "HOLTWAL";

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
    memset(out, 0, SEGMENT_HEADER);
    memcpy(out + AT_MAGIC, magic, sizeof magic);
    put_u32le(out + AT_VERSION, LOG_FORMAT_VERSION);
    put_u64le(out + AT_DATABASE, h->database_id[0]);
    put_u64le(out + AT_DATABASE + 8, h->database_id[1]);
    put_u64le(out + AT_NUMBER, h->number);
    put_u64le(out + AT_SALT, h->salt);
    put_position(out + AT_PREDECESSOR, h->predecessor);
    put_u64le(out + AT_MANIFEST, h->manifest.number);
    put_u64le(out + AT_MANIFEST + 8, h->manifest.record);
    put_u64le(out + AT_MANIFEST + 16, h->manifest.checksum);
    put_position(out + AT_SYNCED, h->synced);
    put_u64le(out + AT_SEQNO, h->first_seqno);
    h->checksum = hash_bytes(out, AT_CHECKSUM);
    put_u64le(out + AT_CHECKSUM, h->checksum);
}

bool segment_header_intact(const uint8_t in[SEGMENT_HEADER])
{
    return memcmp(in + AT_MAGIC, magic, sizeof magic) == 0 &&
           get_u64le(in + AT_CHECKSUM) == hash_bytes(in, AT_CHECKSUM);
}

holt_status segment_header_decode(const uint8_t in[SEGMENT_HEADER], uint64_t number,
                                  const uint64_t database_id[2], segment_header *out)
{
    if (!segment_header_intact(in)) return HOLT_NOT_FOUND;
    out->checksum = get_u64le(in + AT_CHECKSUM);
    out->number = get_u64le(in + AT_NUMBER);
    out->database_id[0] = get_u64le(in + AT_DATABASE);
    out->database_id[1] = get_u64le(in + AT_DATABASE + 8);
    if (out->number != number) return HOLT_NOT_FOUND; /* a recycled file's old header */
    if (memcmp(out->database_id, database_id, sizeof out->database_id) != 0) return HOLT_NOT_FOUND;
    if (get_u32le(in + AT_VERSION) != LOG_FORMAT_VERSION || get_u32le(in + AT_FLAGS) ||
        get_u64le(in + AT_ZERO)) {
        char name[OS_NAME_MAX];
        segment_name(number, name);
        return status_set_file(HOLT_UNSUPPORTED, name, AT_VERSION,
                               "log format version %" PRIu32 ", flags %" PRIx32
                               "; this release reads version %d",
                               get_u32le(in + AT_VERSION), get_u32le(in + AT_FLAGS), LOG_FORMAT_VERSION);
    }
    out->salt = get_u64le(in + AT_SALT);
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
