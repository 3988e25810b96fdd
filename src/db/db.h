/* db.h -- an open database: the parts it is made of.
 *
 * Each part is a struct with its own lock, header and check function, and lives in a folder of src/db/ with
 * the code that works on it:
 *
 *   open/        opening and closing: the directory, creation, recovery, destroying
 *   manifest/    the manifest's state, its writer, and edits: each recorded, then installed
 *   version/     versions (immutable pictures of the database), the set of them, and snapshots
 *   tree/        the seam between the two kinds of tree
 *   catalog/     collections by name: create, open, rename, clear, drop
 *   commit/      writes on their way into log and memtable: the queue, rotation, write throttle, ballast
 *   txn/         transactions and their write sets
 *   read/        gets, cursors, estimates
 *   background/  jobs: flushes (flush/), merges, page reclaim, rewriting; and bulk loads
 *   verify/      verification of closed and open databases
 *   api/         argument checks of public calls, and the calls that belong nowhere else
 *
 * Here are the parts that several of them use: settings, memory budget, handles, the event log, health, the
 * clock.
 *
 * Locks: os/lock_rank.h has the order. Leadership of the commit queue (commit/commit_queue.h) is not a mutex:
 * it is held during I/O.
 */
#ifndef HOLT_DB_DB_H
#define HOLT_DB_DB_H

#include "base/counter.h"
#include "cache/cache.h"
#include "db/background/compact.h"
#include "db/background/flush/flush.h"
#include "db/background/jobs.h"
#include "db/budget.h"
#include "db/catalog/catalog.h"
#include "db/commit/ballast.h"
#include "db/commit/commit.h"
#include "db/commit/write_throttle.h"
#include "db/event_log.h"
#include "db/handle.h"
#include "db/manifest/manifest_writer.h"
#include "db/open/lock_file.h"
#include "db/settings.h"
#include "db/slow_calls.h"
#include "db/version/snapshot.h"
#include "db/version/version_set.h"
#include "log/wal.h"

enum db_counter {
    COUNT_GETS_FOUND,
    COUNT_GETS_OTHER,
    COUNT_MOVES,
    COUNT_FILTER_CHECKS,
    COUNT_FILTER_NEGATIVES
};

/* What opening found in the log; constant after open. */
typedef struct recovery_report {
    uint64_t ns, operations, log_bytes;
    seqno synced_seqno; /* read-only: the newest operation that the log says is synced */
} recovery_report;

struct holt {
    /* Constant after open: */
    os *os;
    os_dir *dir;
    char *path;
    settings set;
    uint64_t id[2];
    bool read_only;
    lock_file lock;
    event_log *events;
    cache *cache;
    tree_files *files;
    wal *wal; /* NULL: read-only */
    recovery_report recovery;
    uint32_t fork_generation; /* os_fork_generation() of the process that may use it; no process's while it is
                                 closed */
    bool closing;             /* the closing thread's: only the last calls of the log callback are left */

    /* The parts that change: */
    commit_queue commits;
    commit_leader leader; /* owned by the leader of `commits` */
    version_set versions;
    manifest_writer manifest;
    catalog catalog;
    write_throttle throttle;
    ballast ballast;
    jobs jobs;
    flush_state flushes;
    compaction_state compactions;
    handle_list handles;
    snapshot_list snapshots;
    memory_budget budget;
    slow_calls slow;
    chunk_pool chunks; /* of memtables */
    counters counts;   /* by db_counter */
};

/* The page store of all B+trees, or NULL. Acquire and release: whoever finds it finds its contents. */
static inline page_store *page_store_of(const holt *db)
{
    return atomic_load_explicit(&db->manifest.page_store, memory_order_acquire);
}

static inline void page_store_set(holt *db, page_store *store)
{
    atomic_store_explicit(&db->manifest.page_store, store, memory_order_release);
}

/* Whether calls on a collection are let in: this process may use the database, and it has not been
 * dropped. */
static inline bool collection_lives(const holt_collection *c)
{
    /* Acquire: pairs with the drop's release, after which the collection is in no version. */
    return c->db->fork_generation == os_fork_generation() &&
           !atomic_load_explicit(&c->dropped, memory_order_acquire);
}

#endif
