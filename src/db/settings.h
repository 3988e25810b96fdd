/* settings.h -- the options of an open database, with all defaults filled in, and their limits. */
#ifndef HOLT_DB_SETTINGS_H
#define HOLT_DB_SETTINGS_H

#include "os/os.h"

/* Constant while the database is open. */
typedef struct settings {
    uint64_t memory_bytes, memtable_bytes;
    uint64_t cache_bytes;         /* share of the block cache */
    uint64_t txn_bytes_max;       /* of all open transactions together, and of one */
    uint64_t value_bytes_max;
    uint64_t segment_bytes_max;
    uint64_t memtables_bytes_max; /* of the active and the sealed memtables; beyond it writers wait */
    uint64_t max_reader_age_ns;   /* of snapshots; 0: no limit */
    uint64_t slow_ns;             /* a call that takes longer is logged (slow_calls.h); 0: none is timed */
    bool calls_have_epilogue;     /* there is more to do at the end of a call than to hand out the event log's
                                     lines (api_exit) */
    uint32_t durability, interval_ms, default_kind, background_threads;
    uint32_t open_files_max;
    uint32_t flags, log_level;
    holt_log_fn log;
    void *log_ctx;
} settings;

enum {
    KEY_BYTES_MAX = 65535, /* the sizes of a block's prefix and of a record's key are stored in 16 bits */
    NAME_BYTES_MAX = 128,
    FILE_BYTES_MAX = 64 << 20, /* a compaction starts a new output file at this size */
    OPEN_FILES_MIN = 16,       /* of open_files_max */
    OPEN_FILES_LIMIT = 1 << 20,
};
#define TXN_BYTES_LIMIT ((uint64_t)2 << 30) /* a frame stores its length in 32 bits */
/* With what each operation has besides its key and value. */
#define WRITE_SET_BYTES_MAX (TXN_BYTES_LIMIT + TXN_BYTES_LIMIT / 2)

/* Checks the options and fills in the defaults. o NULL: all defaults. The message of HOLT_INVALID names the
 * option that is out of range. */
holt_status settings_init(settings *s, os *platform, const holt_options *o);

#endif
