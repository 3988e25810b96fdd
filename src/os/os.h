/* os.h -- everything Holt uses of the machine: directories, files, locks, threads, jobs, clocks, random
 * numbers.
 *
 * An `os` is a table of functions (os_ops.h) with two implementations: posix (posix/posix.c, the real
 * machine) and sim (sim/sim.h, a machine in memory that is deterministic, loses what was not synced and fails
 * on demand). Code above calls only the functions below. They retry EINTR and short transfers, turn errno
 * into a status, and set the message, which names the file, of every status but HOLT_OK.
 *
 * Directories  an os_dir is one directory; files are named within it, without slashes, by fewer than
 *              OS_NAME_MAX bytes (HOLT_INVALID otherwise). Creating, renaming and unlinking are durable only
 *              after os_dir_sync().
 * Files        positional reads and writes only. os_file_sync() is fdatasync: contents and size. After a
 *              failed sync the state of the file's unsynced contents is unknown; the caller must not sync
 *              again and trust the result.
 * Jobs         background work is handed over as resumable steps, see os_job_start(). posix runs each job on
 *              a thread of its own (with all signals blocked), which exists while there is work and for a
 *              second longer. sim runs steps on the calling thread, chosen by its seed, whenever that thread
 *              waits on a condition, and in os_run_pending(), so that a history replays exactly.
 * Waiting      only in os_cond_wait() and os_sleep(). A waiting thread holds no mutex but the one it waits
 *              with.
 * Forks        a forked child may close and free what it inherited, and open it again; it must do nothing
 *              else with it (os_fork_generation() tells). The parent keeps its locks.
 * Concurrency  all functions from any thread; several threads may read and write one os_file at once.
 *              Opening, closing, locking and unlocking one handle is for one thread at a time.
 */
#ifndef HOLT_OS_OS_H
#define HOLT_OS_OS_H

#include "base/slice.h"
#include "os/lock_rank.h"

#include <pthread.h>

enum { OS_NAME_MAX = 64 };

typedef struct os os;
typedef struct os_dir os_dir;
typedef struct os_file os_file;
typedef struct os_job os_job;

os *os_posix(void); /* the real machine; static */

/* ---------------------------------------------------------------- directories */

/* Opens the directory `path`. HOLT_NOT_FOUND when it or its parent does not exist, HOLT_INVALID when it is
 * not a directory. */
holt_status os_dir_open(os *o, const char *path, os_dir **out);
/* Creates the directory `path` and syncs its parent. HOLT_EXISTS; HOLT_NOT_FOUND when the parent, which the
 * message names, does not exist. */
holt_status os_dir_create(os *o, const char *path);
/* Removes the directory `path` and syncs its parent. *removed is false when the directory stays, because it
 * is not empty, is a mount point or a symbolic link, or its parent is not writable. HOLT_NOT_FOUND when it
 * does not exist. */
holt_status os_dir_remove(os *o, const char *path, bool *removed);
void        os_dir_close(os_dir *d); /* accepts NULL */
holt_status os_dir_sync(os_dir *d);
/* Calls `each` for every entry but "." and ".."; stops at the first status that is not HOLT_OK, and returns
 * it. Names that are too long for OS_NAME_MAX are truncated. The order is unspecified (sim: sorted). `each`
 * may use the directory, and change it. */
holt_status os_dir_list(os_dir *d, holt_status (*each)(void *ctx, const char *name), void *ctx);
/* Whether a file or directory of that name exists, and the file's size in bytes. */
holt_status os_dir_stat(os_dir *d, const char *name, bool *exists, uint64_t *size);
holt_status os_dir_unlink(os_dir *d, const char *name); /* HOLT_NOT_FOUND */
/* Unlinks a file that is not needed, for example after a failure, and ignores errors. Leaves this thread's
 * message alone. */
void        os_dir_discard(os_dir *d, const char *name);
holt_status os_dir_rename(os_dir *d, const char *from, const char *to); /* replaces `to`, atomically */
os         *os_dir_os(const os_dir *d);
const char *os_dir_path(const os_dir *d); /* as it was opened, for messages */
/* An identity that is the same for two opens of the same directory. */
void        os_dir_identity(const os_dir *d, uint64_t identity[2]);
/* Returns the free bytes of its file system in *bytes. */
holt_status os_dir_free_bytes(os_dir *d, uint64_t *bytes);

/* What has happened to the directory since it was opened, as far as the system can tell. */
typedef enum os_dir_fate {
    OS_DIR_IN_PLACE,
    OS_DIR_REMOVED,  /* it no longer has a name: its contents are lost when it is closed */
    OS_DIR_REPLACED, /* it was moved, and its old path now leads to another directory */
    OS_DIR_READ_ONLY /* its file system can no longer be written */
} os_dir_fate;
os_dir_fate os_dir_get_fate(os_dir *d);
/* Whether `name` in the directory is still this open file. Returns true where the system cannot tell. */
bool        os_dir_holds(os_dir *d, const char *name, const os_file *f);

/* ---------------------------------------------------------------- files */

enum os_open_flags {
    OS_READ = 1,
    OS_WRITE = 2,     /* implies reading */
    OS_CREATE = 4,    /* create it if it does not exist */
    OS_EXCLUSIVE = 8, /* with OS_CREATE: HOLT_EXISTS if it exists */
    OS_TRUNCATE = 16  /* with OS_WRITE */
};

/* HOLT_NOT_FOUND when the file does not exist and OS_CREATE is not given. HOLT_BUSY when no descriptor is
 * left. */
holt_status os_file_open(os_dir *d, const char *name, unsigned flags, os_file **out);
void        os_file_close(os_file *f); /* accepts NULL */
const char *os_file_name(const os_file *f); /* as it was opened */

/* Reads up to `size` bytes at `offset`; fewer only at the end of the file. */
holt_status os_file_read(os_file *f, uint64_t offset, void *buffer, size_t size, size_t *got);
/* Reads exactly `size` bytes; HOLT_CORRUPT ("file ends at ...") when the file is shorter. */
holt_status os_file_read_exact(os_file *f, uint64_t offset, void *buffer, size_t size);
holt_status os_file_write(os_file *f, uint64_t offset, const void *data, size_t size);
holt_status os_file_sync(os_file *f);
/* Starts writing a range to disk, without waiting and without any promise (sync_file_range). */
void        os_file_push(os_file *f, uint64_t offset, uint64_t size);
holt_status os_file_size(os_file *f, uint64_t *size);
holt_status os_file_truncate(os_file *f, uint64_t size);
/* Reserves disk space up to `size` bytes, and makes the file that long if it is shorter (fallocate); where
 * the file system cannot, extends it by truncate. HOLT_NO_SPACE leaves the file as it was. */
holt_status os_file_allocate(os_file *f, uint64_t size);

enum os_advice { OS_ADVICE_RANDOM, OS_ADVICE_SEQUENTIAL, OS_ADVICE_WILL_NEED, OS_ADVICE_DONT_NEED };
void        os_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size);

/* A shared, writable map of [offset, offset + size), which must be page-aligned and within the file. It is
 * populated when os_file_map() returns, so that storing into it cannot fault for lack of space.
 * HOLT_UNSUPPORTED where the file system does not rewrite in place. All stores must go through
 * os_map_store(), so that sim sees each one (it asserts that none bypassed it). */
typedef struct os_map {
    os_file *file;
    uint64_t offset;
    size_t size;
    uint8_t *bytes;
} os_map;
holt_status os_file_map(os_file *f, uint64_t offset, size_t size, os_map *out);
void        os_map_store(os_map *m, size_t at, const void *data, size_t size);
void        os_file_unmap(os_map *m); /* accepts a zeroed map */

/* Locks the whole file, shared or exclusive (then opened with OS_WRITE), until os_file_unlock() or close.
 * Children do not inherit the lock. Two opens in one process conflict as two processes would; shared locks do
 * not conflict. HOLT_BUSY when it is locked elsewhere; the message tells whether by this process or
 * another. */
holt_status os_file_lock(os_file *f, bool exclusive);
void        os_file_unlock(os_file *f);
/* Whether the open file still has a name. It loses it when it is unlinked or replaced. */
holt_status os_file_is_linked(os_file *f, bool *linked);

/* ---------------------------------------------------------------- descriptors */

/* Return how many files the process may have open (RLIMIT_NOFILE), and the share of it that one database may
 * by default use for its tables of open files. */
uint64_t os_descriptors_max(os *o);
uint32_t os_descriptors_share(os *o);

/* An owner of descriptors that it can open again. When an open finds no descriptor left, the reclaimers
 * registered with the same `os` are asked to close some, and the open is tried again; it fails only if none
 * of them has any. `reclaim` closes up to `want` descriptors and returns how many it closed. It may be called
 * by any thread with any mutexes held, so it may try a mutex but must not wait for one, and must not register
 * a reclaimer. */
typedef struct os_reclaimer {
    os *os;                                      /* constant, as are the next two */
    size_t (*reclaim)(void *ctx, size_t want);
    void *ctx;
    struct os_reclaimer *next;                   /* in the list of all */
} os_reclaimer;
void os_reclaimer_add(os_reclaimer *r);
/* On return `reclaim` is not running and will not be called again. */
void os_reclaimer_remove(os_reclaimer *r);

/* ---------------------------------------------------------------- mutexes and conditions */

typedef struct os_mutex {
    pthread_mutex_t mutex;
    lock_rank rank; /* constant */
#ifndef NDEBUG
    _Atomic(const void *) owner; /* stands for the thread that holds it; NULL when no thread does */
#endif
} os_mutex;

/* A mutex with static storage that needs no os_mutex_init(). */
#define OS_MUTEX_INITIALIZER(lock_rank_) {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (lock_rank_)}

void os_mutex_init(os_mutex *m, lock_rank rank);
void os_mutex_deinit(os_mutex *m);
void os_mutex_lock(os_mutex *m);
bool os_mutex_try_lock(os_mutex *m);
void os_mutex_unlock(os_mutex *m);

/* Asserts that the calling thread holds this mutex, not just one of its rank. A function that must be called
 * with a mutex held begins with it. Release builds compile it to nothing. */
#ifdef NDEBUG
static inline void os_mutex_assert_held(const os_mutex *m)
{
    (void)m;
}
#else
void os_mutex_assert_held(const os_mutex *m);
#endif

typedef struct os_cond {
    pthread_cond_t cond;
    os *os; /* constant */
} os_cond;

#define OS_FOREVER UINT64_MAX

void os_cond_init(os_cond *c, os *o);
void os_cond_deinit(os_cond *c);
/* Waits until it is signalled, wakes spuriously, or os_clock_ns() reaches deadline_ns; returns false after
 * the deadline. The caller checks its condition in a loop. */
bool os_cond_wait(os_cond *c, os_mutex *m, uint64_t deadline_ns);
void os_cond_signal(os_cond *c);
void os_cond_broadcast(os_cond *c);

/* Take away and give back the ranks that this thread holds. Only for sim's I/O hook, which may use another
 * database inside a call of the first. */
uint64_t os_lock_ranks_take(void);
void     os_lock_ranks_give(uint64_t ranks);
/* Asserts that this thread holds no os_mutex. */
void     os_lock_ranks_assert_none(void);

/* ---------------------------------------------------------------- jobs */

#define OS_JOB_AGAIN 0          /* there is more to do: step again */
#define OS_JOB_IDLE  UINT64_MAX /* nothing to do until woken */

/* Does one bounded step of work. Returns OS_JOB_AGAIN, OS_JOB_IDLE, or the os_clock_ns() at which to step
 * again unless woken earlier. */
typedef uint64_t (*os_job_step)(void *ctx);

/* Starts a job, which is idle until first woken and has no thread until then. `name` (static, at most 15
 * bytes) names its thread. `nice` > 0 lowers its priority. A step must leave no mutex locked. */
holt_status os_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
/* Makes the job step soon if it is idle or sleeping. A wake during a step is not lost: another step
 * follows. */
void        os_job_wake(os_job *j);
/* Waits for the running step to end, lets no other begin, and frees the job. Accepts NULL. The caller must
 * hold no mutex that the step takes. In a forked child it only frees. */
void        os_job_stop(os_job *j);
/* Called at the end of every public call: sim runs some steps here, posix does nothing. The caller must hold
 * no mutex. */
void        os_run_pending(os *o);
bool        os_has_pending(const os *o); /* whether it does anything, so that short calls can skip it */

/* ---------------------------------------------------------------- clocks, random numbers, process */

uint64_t os_clock_ns(os *o);  /* monotonic */
uint64_t os_time_ms(os *o);   /* wall clock, since 1970 UTC */
/* The monotonic clock as of its last tick, a few milliseconds ago at most, in a quarter of the time. */
uint64_t os_clock_coarse_ns(os *o);
void     os_sleep(os *o, uint64_t ns);
void     os_yield(void);               /* lets other threads run; no wait */

/* Executes a full memory barrier on all threads of this process: on those that run elsewhere it happens
 * between two of their instructions. It takes milliseconds. Works only where os_fences_everywhere() returns
 * true; elsewhere it does nothing. */
void        os_fence_everywhere(void);
extern bool os_can_fence; /* constant */
static inline bool os_fences_everywhere(void)
{
    return os_can_fence;
}
uint64_t os_random(os *o);    /* 64 unpredictable bits; sim: from its seed */
uint64_t os_process_id(os *o);
/* The fork generation grows by one in the child at every fork of this process; a handle made in an older
 * generation is inherited. Every call checks it, so it is a plain load: it changes only in a child, while
 * that has a single thread. */
extern uint32_t os_forks;
static inline uint32_t os_fork_generation(void)
{
    return os_forks;
}

#endif
