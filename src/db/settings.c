/* settings.c -- checks holt_options, fills in defaults, and divides the memory budget. */
#include "db/settings.h"

#include "base/status.h"
#include "db/args.h"
#include "db/tree/tree_kind.h"

#include <inttypes.h>

enum { MIB = 1 << 20 };

static holt_status invalid(const char *option, uint64_t value, const char *range)
{
    return status_set(HOLT_INVALID, "%s = %" PRIu64 ": %s", option, value, range);
}

static holt_status check(const holt_options *o)
{
    const uint32_t known = HOLT_OPEN_READ_ONLY | HOLT_OPEN_MUST_EXIST | HOLT_OPEN_MUST_CREATE;
    if (!reserved_zero(o->reserved, sizeof o->reserved / sizeof *o->reserved))
        return status_set(HOLT_INVALID, "holt_options: reserved words must be zero");
    if (o->memory_bytes && o->memory_bytes < (uint64_t)8 * MIB)
        return invalid("memory_bytes", o->memory_bytes,
                       "must be 0 (the default) or at least 8 MiB (8388608)");
    if (o->memtable_bytes && (o->memtable_bytes < 64 << 10 || o->memtable_bytes > 1 << 30))
        return invalid("memtable_bytes", o->memtable_bytes, "must be 0 (the default) or 64 KiB to 1 GiB");
    uint64_t memory = o->memory_bytes ? o->memory_bytes : (uint64_t)256 * MIB;
    if (o->memtable_bytes > memory / 4)
        return invalid("memtable_bytes", o->memtable_bytes, "must be at most a quarter of memory_bytes");
    if (o->durability > HOLT_PROCESS) return invalid("durability", o->durability, "is not a holt_durability");
    if (o->default_kind && !tree_kind_of(o->default_kind))
        return invalid("default_kind", o->default_kind, "is not a holt_kind");
    if (o->background_threads > 64)
        return invalid("background_threads", o->background_threads, "must be at most 64");
    if (o->open_files_max && (o->open_files_max < OPEN_FILES_MIN || o->open_files_max > OPEN_FILES_LIMIT))
        return invalid("open_files_max", o->open_files_max, "must be 0 (the default) or 16 to 1048576");
    if (o->log_level > HOLT_LOG_DEBUG) return invalid("log_level", o->log_level, "is not a holt_log_level");
    if (o->flags & ~known) return invalid("flags", o->flags, "unknown flags");
    if ((o->flags & HOLT_OPEN_MUST_EXIST) && (o->flags & HOLT_OPEN_MUST_CREATE))
        return status_set(HOLT_INVALID,
                          "flags: HOLT_OPEN_MUST_EXIST and HOLT_OPEN_MUST_CREATE exclude each other");
    if ((o->flags & HOLT_OPEN_READ_ONLY) && (o->flags & HOLT_OPEN_MUST_CREATE))
        return status_set(HOLT_INVALID,
                          "flags: HOLT_OPEN_READ_ONLY and HOLT_OPEN_MUST_CREATE exclude each other");
    return HOLT_OK;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

holt_status settings_init(settings *s, os *platform, const holt_options *o)
{
    static const holt_options defaults;
    if (!o) o = &defaults;
    holt_status rc = check(o);
    if (rc != HOLT_OK) return rc;
    memset(s, 0, sizeof *s);
    s->memory_bytes = o->memory_bytes ? o->memory_bytes : (uint64_t)256 * MIB;
    s->memtable_bytes =
        o->memtable_bytes ? o->memtable_bytes : at_most(s->memory_bytes / 8, (uint64_t)1 << 30);
    /* Memtables get a quarter, the cache five eighths. The rest is for cursors, flushes, merges, and write
     * sets up to a sixteenth. How they lend memory to each other: budget.h. */
    s->cache_bytes = s->memory_bytes / 8 * 5;
    s->txn_bytes_max = at_most(s->memory_bytes / 4, TXN_BYTES_LIMIT);
    s->value_bytes_max = at_most(s->memory_bytes / 4, (uint64_t)1 << 30);
    /* Small entries take more room as frames in the log than as versions in the memtable. */
    s->segment_bytes_max = s->memtable_bytes + s->memtable_bytes / 2;
    s->memtables_bytes_max = s->memory_bytes / 4;
    if (s->memtables_bytes_max < s->memtable_bytes / 2 * 3)
        s->memtables_bytes_max = s->memtable_bytes / 2 * 3;
    /* A limit that the clock cannot reach is none. */
    s->max_reader_age_ns =
        o->max_reader_age_ms > UINT64_MAX / 2 / 1000000 ? 0 : o->max_reader_age_ms * 1000000;
    s->slow_ns = (uint64_t)o->slow_ms * 1000000;
    s->calls_have_epilogue = s->slow_ns || os_has_pending(platform);
    s->durability = o->durability ? o->durability : HOLT_COMMIT;
    s->interval_ms = o->interval_ms ? o->interval_ms : 100;
    s->default_kind = o->default_kind ? o->default_kind : HOLT_LSM;
    s->background_threads = o->background_threads ? o->background_threads : 1;
    s->open_files_max = o->open_files_max ? o->open_files_max : os_descriptors_share(platform);
    s->flags = o->flags;
    s->log_level = o->log_level;
    s->log = o->log;
    s->log_ctx = o->log_ctx;
    return HOLT_OK;
}
