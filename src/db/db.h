/* db.h -- an open database: its fields, by guard, and what every file of this module needs of it.
 *
 * The rooms of src/db/:
 *   open/        a database's beginning and end: the directory, creation, recovery, closing, destroying
 *   manifest/    what the manifest says, and edits: each recorded, then installed
 *   version/     views: immutable pictures of the database, and snapshots of them
 *   tree/        the seam between the two kinds of tree
 *   catalog/     collections by name: create, open, rename, clear, drop
 *   commit/      the way of a write into log and memtable: the queue, rotation, backpressure, full disks
 *   txn/         transactions and their write sets
 *   read/        gets, cursors, estimates
 *   background/  jobs: flushes (flush/), merges, page moves, rewriting; and bulk loads
 *   verify/      verification of closed and open databases
 *   api/         public calls that are none of these, and what all of them check
 * and here what several of them use: settings, the shares of memory (budget), handles that outlive a forced close,
 * the event log, health, the clock.
 *
 * Locks: os/lock_rank.h has the order. Leadership of the commit queue (commit/commit.h) is not a mutex: it is held
 * while the leader does I/O.
 */
#ifndef HOLT_DB_DB_H
#define HOLT_DB_DB_H

#include "base/counter.h"
#include "cache/cache.h"
#include "db/background/idle.h"
#include "db/event_log.h"
#include "db/handle.h"
#include "db/version/version.h"
#include "log/manifest.h"
#include "log/wal.h"
#include "lsm/compaction.h"

typedef struct commit_request commit_request;
typedef struct snapshot snapshot;
typedef struct flush flush;

/* Options with every default filled in, and what follows from them. */
typedef struct settings {
    uint64_t memory_bytes, memtable_bytes;
    uint64_t cache_bytes;       /* share of the block cache */
    uint64_t txn_bytes_max;     /* of all open transactions, and of one */
    uint64_t value_bytes_max;
    uint64_t segment_bytes_max;
    uint64_t memtables_bytes_max; /* of the active and the sealed ones; beyond it writers wait */
    uint32_t durability, interval_ms, default_kind, background_threads;
    uint32_t open_files_max;
    uint32_t flags, log_level;
    holt_log_fn log;
    void *log_ctx;
} settings;

enum {
    KEY_BYTES_MAX = 65535,          /* a block's prefix and a record's key have 16 bits for their sizes */
    NAME_BYTES_MAX = 128,
    FILE_BYTES_MAX = 64 << 20,      /* size at which a merge's output is cut */
    OPEN_FILES_MIN = 16,            /* of open_files_max */
    OPEN_FILES_LIMIT = 1 << 20,
};
#define TXN_BYTES_LIMIT ((uint64_t)2 << 30) /* a frame's length is 32 bits wide */

/* HOLT_INVALID names the option. o may be NULL. */
holt_status settings_init(settings *s, os *platform, const holt_options *o);

/* A collection, from its creation until it is dropped and its last handle is closed. All its users share one.
 * */
struct holt_collection {
    holt *db;
    uint32_t slot;          /* in views; constant */
    collection_spec spec;   /* constant */
    char *name;             /* admin_mu; owned */
    uint32_t handles;       /* admin_mu: opened by the program */
    uint32_t users;         /* admin_mu: cursors, and write sets that name it */
    _Atomic bool dropped;   /* set by drop; checked by every call */
    holt_collection *next_dropped; /* admin_mu: dropped, but somebody has it open */
    bool merging;           /* jobs_mu: somebody merges its runs */
    /* Set when a merge found no room on the disk: until then only smaller ones are tried. Relaxed: hints. */
    _Atomic uint64_t merge_bytes_max, merge_small_until_ns;
    _Atomic uint64_t loads; /* that were committed; grows under leadership, after the version has changed */
};

enum db_counter { COUNT_GETS_FOUND, COUNT_GETS_OTHER, COUNT_MOVES, COUNT_FILTER_CHECKS, COUNT_FILTER_NEGATIVES };

struct holt {
    os *os;                 /* constant after open, as is what follows up to the first lock */
    os_dir *dir;
    char *path;
    settings set;
    uint64_t id[2];
    uint32_t fork_generation; /* os_fork_generation() of the process that may use it; none, when it is being closed */
    bool read_only;
    os_file *lock;          /* LOCK; NULL when the directory cannot be written and we only read */
    bool signed_lock;       /* LOCK says who we are */
    event_log *events;
    bool closing;           /* nothing is left but the last calls of the log callback; of the thread that closes */
    cache *cache;
    tree_files *files;
    wal *wal;               /* NULL: read-only */

    /* Newest visible operation. Released by the commit leader after memtable inserts, the append and the
     * sync; acquired by readers: who sees seqno s sees every version up to s, and every version installed
     * before. */
    _Alignas(64) _Atomic seqno visible;
    /* The current version. Released by the installer, acquired by readers in an epoch section. */
    _Alignas(64) _Atomic(version *) version;
    counters counts;
    chunk_pool chunks; /* of memtables */

    _Alignas(64) os_mutex commit_mu; /* LOCK_RANK_COMMIT: */
    bool leading;                    /* somebody leads the queue */
    commit_request *queue_first, *queue_last;
    uint32_t queue_length;

    /* The leader's alone: */
    seqno next_seqno;
    memtable_generation *active;                   /* reference held through the version */
    uint32_t sync_members;           /* commits that the last sync covered */
    memtable_record **inserted;      /* versions of the write set being inserted */
    size_t inserted_capacity;

    /* What was committed: the leader's to write, anybody's to read. Relaxed: figures. */
    _Atomic uint64_t commits, puts, deletes, bytes_written_user;

    os_mutex manifest_mu;            /* LOCK_RANK_MANIFEST; guards the manifest and what it describes: */
    manifest *manifest;
    uint64_t manifest_size_first;    /* of its first record */
    _Atomic uint64_t next_file;      /* taken without the lock, recorded under it */
    uint64_t next_collection;
    _Atomic uint64_t time_ms;        /* clock.h; taken without the lock */
    log_checkpoint log;
    struct file_use *file_uses;      /* parts that are in each file, by number */
    size_t file_use_count, file_use_capacity;
    /* Of all B+trees; NULL: none yet. Set once, before a collection needs it: page_store_of, page_store_set. */
    _Atomic(page_store *) page_store;
    bool page_store_named;             /* the manifest names it */
    btree_version **garbage;         /* trees that no collection has any more, to be given up; references */
    size_t garbage_count, garbage_capacity;
    bool manifest_lost;              /* what is on disk is not known: the next edit writes a new manifest */
    holt_error manifest_error;
    lsm_run **doubtful_runs;         /* of edits in doubt (manifest_writer.h); references */
    size_t doubtful_run_count, doubtful_run_capacity;
    /* The outcome of a change to the catalog is in doubt: commits are refused until it is settled. Relaxed: set under
     * leadership, read by leaders, who then take the lock. */
    _Atomic bool catalog_in_doubt;

    os_mutex recorded_mu;            /* LOCK_RANK_LEAF: */
    manifest_mark recorded;          /* recorded.h */

    os_mutex admin_mu;               /* LOCK_RANK_ADMIN; guards the catalog: */
    holt_collection **catalog;       /* by name */
    size_t catalog_count, catalog_capacity;
    holt_collection *dropped;        /* those that somebody still has open */
    bool *slots_used;                /* by slot */
    size_t slot_count, slot_capacity, slot_free; /* none before slot_free is free */

    os_mutex versions_mu;                /* LOCK_RANK_VERSION: installing views */

    os_mutex jobs_mu;                /* LOCK_RANK_JOBS; guards what jobs report: */
    os_cond jobs_cond;               /* something of it has changed */
    os_job *flush_job, *prepare_job, *sync_job, *release_job;
    struct compact_worker *workers;
    uint32_t worker_count;
    flush *flush;                    /* the flush job's own, */
    size_t flush_chunk;              /* and how many entries fit into a full disk at a time */
    idle_timer idle;
    seqno flushed_seqno;
    uint64_t flush_attempts_failed;  /* grows with each; flush_error is the last one's */
    bool flush_failing;
    holt_error flush_error;
    bool compact_failing;
    holt_error compact_error;
    bool segment_failing;            /* the log's next segment could not be made: health.h */
    holt_error segment_error;
    uint64_t flushes, flush_bytes, compactions, compaction_bytes_read, compaction_bytes_written;
    _Atomic uint64_t sealed_bytes;   /* of sealed memtables; for the gate, as is what follows */
    _Atomic uint32_t runs_worst;     /* runs of the collection that has most */
    os_mutex ballast_mu;             /* LOCK_RANK_BALLAST; who changes disk_full holds it */
    _Atomic bool disk_full;          /* ballast.h */
    uint64_t ballasts_released;         /* ballast_mu: how often BALLAST was given up */
    _Atomic bool no_room_ahead;      /* the next segment could not be prepared for want of space; relaxed: a hint */
    _Atomic uint64_t ballast_bytes;  /* how large BALLAST should be; written by the prepare job. Relaxed: a figure */
    _Atomic uint64_t delay_owed_ns;   /* delays that writers have not paid yet */
    _Atomic uint64_t drain_rate;     /* of flushes: bytes of memtable a second, recently; 0: not known */
    _Atomic uint64_t drain_rate_now; /* of the flush under way, so far */
    _Atomic uint64_t delays, delay_ns;

    os_mutex handles_mu;             /* LOCK_RANK_HANDLES: */
    uint64_t transactions, cursors, loads;
    handle *handles[HANDLE_KINDS];   /* newest first */
    snapshot *snapshots_oldest, *snapshots_newest;
    uint64_t snapshots_revoked;
    uint64_t txn_bytes;              /* of all write sets */
    uint64_t lent_bytes;             /* of memtables' share to the cache: budget.h */

    _Atomic uint64_t retained_bytes; /* of memtables that only readers keep */

    os_mutex release_mu;             /* LOCK_RANK_RELEASE: */
    version *retired_first, *retired_last; /* installers' references, by epoch */
    version *dead;                      /* without references, to be destroyed, */
    collection_version *dead_collections;   /* for which files may have to be deleted */
    uint32_t releasing;              /* threads that are destroying some of them */

    uint64_t recovery_ns, recovered_operations, recovered_log_bytes; /* constant after open */
    seqno synced_seqno; /* read-only: newest operation that the log says is synced; constant after open */
};

/* The pages of all B+trees, or NULL. Acquire, and release: who finds them finds what they are made of. */
static inline page_store *page_store_of(const holt *db)
{
    return atomic_load_explicit(&db->page_store, memory_order_acquire);
}

static inline void page_store_set(holt *db, page_store *store)
{
    atomic_store_explicit(&db->page_store, store, memory_order_release);
}

/* ---------------------------------------------------------------- public calls */

/* Checks a handle at the beginning of a public call: HOLT_INVALID for NULL, HOLT_CLOSED in a forked child. */
holt_status db_check(const holt *db);
holt_status collection_check(const holt_collection *c);
/* The same for a handle that is one, in short. */
static inline bool collection_lives(const holt_collection *c)
{
    /* Acquire: pairs with the drop's release, after which the collection is in no version. */
    return c->db->fork_generation == os_fork_generation() &&
           !atomic_load_explicit(&c->dropped, memory_order_acquire);
}
/* What a reader returns that does not find the collection in its version: HOLT_CLOSED if it has been dropped meanwhile, or
 * HOLT_NOT_FOUND if it was created after the version. A drop marks the collection before it shows the version without it. */
static inline holt_status collection_missing(const holt_collection *c)
{
    return collection_lives(c) ? HOLT_NOT_FOUND : collection_check(c);
}
/* HOLT_READ_ONLY: for calls that write. */
holt_status writable_check(const holt *db);
/* Limits of keys and values, NULL with a size. */
holt_status key_check(slice key);
holt_status value_check(const holt *db, slice value);
/* A bound may be open, but not NULL with a size. name: what the program calls it. */
holt_status bound_check(slice bound, const char *name);
/* The end of a public call: sim runs some background steps, and the log callback gets what is queued for it. No
 * mutex may be held. Returns rc. */
holt_status api_exit(holt *db, holt_status rc);

/* Whether reserved words are all zero. */
bool reserved_zero(const uint64_t *words, size_t count);

#endif
