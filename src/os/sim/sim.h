/* sim.h -- a machine in memory that loses what was not synced, fails on demand, and replays exactly.
 *
 * Storage      Each file has its current contents (what a reader sees: the page cache), its durable contents,
 *              and the list of writes, truncates and map stores since its last sync. A sync makes them
 *              durable. After a failed sync each of them may or may not be on disk, and no later sync changes
 *              that. Each directory likewise has current entries, durable entries, and pending creates,
 *              renames and unlinks, which os_dir_sync() makes durable. (POSIX promises no order among the
 *              pending ones.) Syncing a file does not sync its name.
 * Crashes      sim_clone() copies the disks, with everything that is pending, to a new machine without
 *              processes: the state after kill -9. sim_power_cut() then decides which of the pending changes
 *              were on disk. So a test clones the machine at every I/O (sim_on_io), cuts the power of the
 *              clone in some way, opens the database there, and lets the original continue. A clone is cheap:
 *              it shares the pages of its original until one of the two writes to them.
 * Faults       sim_fail() makes the n-th call of a kind fail.
 * Time         a virtual clock: it advances by a little at each call, and jumps to the next deadline when
 *              everything waits.
 * Jobs         run as steps on the calling thread, chosen by the seed, in os_cond_wait(), os_sleep() and
 *              os_run_pending(). A step may wait too; the steps of other jobs then run above it on the stack.
 *              With `threads` jobs run on real threads in real time and nothing replays: for the thread
 *              sanitizer.
 * Paths        absolute and simple: no ".", no "..", no links.
 * Concurrency  with `threads` any thread; without, a single thread uses the machine and everything on it.
 *
 * A wait that nothing can end aborts the program with "sim: deadlock". So does running out of memory, with a
 * message of its own: the machine does not allocate through base/memory.h, except for handles, listings and
 * jobs.
 */
#ifndef HOLT_OS_SIM_SIM_H
#define HOLT_OS_SIM_SIM_H

#include "os/os.h"

typedef struct sim_options {
    uint64_t seed;
    bool threads;            /* jobs on real threads */
    uint64_t disk_bytes_max; /* ENOSPC when the total size of all files would exceed it; 0: no limit */
} sim_options;

os  *sim_create(const sim_options *options); /* with the directory "/"; NULL: out of memory */
void sim_destroy(os *o);                     /* all handles must be closed, jobs stopped; accepts NULL */

/* Creates a machine with the same disks, pending writes and page cache; without locks, jobs, faults and hook.
 * Its clock continues, its process id differs. NULL: out of memory. */
os *sim_clone(os *o, uint64_t seed);

typedef enum sim_keep {
    SIM_KEEP_ALL,    /* everything pending reached the disk */
    SIM_KEEP_NONE,   /* nothing pending did */
    SIM_KEEP_SOME,   /* a random subset of pending writes, some torn at `tear_bytes` boundaries of the file */
    SIM_KEEP_SIZES,  /* file sizes did, contents did not: zeros where unsynced writes extended a file */
    SIM_KEEP_GARBAGE /* like SIM_KEEP_SOME, with random bytes in place of some of the torn-off pieces */
} sim_keep;

typedef struct sim_cut {
    sim_keep files;
    sim_keep entries;    /* of pending directory operations: ALL, NONE or SOME (any subset) */
    uint32_t tear_bytes; /* 512 or 4096 */
    bool per_file;       /* instead of `files`: NONE or ALL for each file, at random */
} sim_cut;

/* Applies a power cut to a machine without open handles (a clone). Afterwards page cache and disk agree.
 * Changes that a failed sync has left uncertain are treated like pending ones. */
void sim_power_cut(os *o, const sim_cut *cut, uint64_t seed);

/* The kinds of calls. Calls of no kind listed here neither count nor fail. */
typedef enum sim_call {
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC,
    SIM_DIR_SYNC,
    SIM_OPEN, /* opening a file or a directory; creating a directory; locking */
    SIM_RENAME,
    SIM_UNLINK,
    SIM_TRUNCATE,
    SIM_ALLOCATE,
    SIM_MAP,
    SIM_LIST,  /* and all other queries: stat, size, free space */
    SIM_STORE, /* cannot fail. One os_map_store() counts as one or two: a kill may interrupt it */
    SIM_CALLS  /* how many kinds there are; as a kind: any */
} sim_call;

/* Used as an errno: the transfer is short. Calls that transfer nothing are skipped. */
enum { SIM_SHORT = -1 };

/* Makes the n-th call of `kind` from now on fail with `os_errno` (EIO, ENOSPC, EINTR, SIM_SHORT, ...); n 1 is
 * the next call, kind SIM_CALLS means calls of any kind. With `onwards` all later calls fail too, with two
 * exceptions: of EINTR every second one, since an interrupted call is tried again; with ENOSPC, opening what
 * exists succeeds. n 0 clears the fault. There is one fault at a time. A failed write may have written a
 * part. A failed sync leaves what it should have synced uncertain for good. EINTR leaves everything as it
 * was. */
void     sim_fail(os *o, sim_call kind, uint64_t n, int os_errno, bool onwards);
uint64_t sim_calls(os *o, sim_call kind); /* made so far; SIM_CALLS: of all kinds */
bool     sim_fault_hit(os *o);            /* the last fault set has happened, even if it was cleared since */

/* Calls `hook` before every call that changes a disk (write, store, sync, rename, unlink, create, truncate,
 * allocate, directory sync), with the number of that call (sim_calls() of any kind). The hook may clone the
 * machine, and use the clone with everything that os.h offers. Calls on this machine from within the hook do
 * not call it again, nor, with `threads`, do those of other threads while it runs. NULL removes it. */
void sim_on_io(os *o, void (*hook)(void *ctx, uint64_t call), void *ctx);

/* Makes every call of the kind take that much virtual time more. 0: as long as others. Without `threads`
 * only. */
void sim_slow(os *o, sim_call kind, uint64_t ns);

/* Limits the number of files and directories that can be open at a time: EMFILE beyond it. 0: no limit.
 * Handles that are open stay open. */
void sim_set_handles_max(os *o, uint32_t handles);
uint32_t sim_handles(os *o); /* how many are open */

/* Changes the disk space. */
void sim_set_disk_bytes_max(os *o, uint64_t bytes);

/* Makes the file system read-only, as Linux does by itself after some failures of a disk: every call that
 * changes it fails with EROFS, including opens of files for writing. */
void sim_set_read_only(os *o, bool read_only);

/* Runs steps until all jobs are idle; virtual time may pass, at most ten seconds. */
void sim_run_until_idle(os *o);
/* Lets time pass without running a step. With `threads` it is real time. */
void sim_advance(os *o, uint64_t ns);

/* Sets the wall clock (os_time_ms) forward or back by by_ms; os_clock_ns() is not affected. */
void sim_set_wall_clock(os *o, int64_t by_ms);

/* For corrupting a closed database: direct access to a path like "/db/CURRENT". A change is durable at once,
 * together with all names in its directory. HOLT_NOT_FOUND when the file, or for sim_poke its directory, does
 * not exist. */
holt_status sim_peek(os *o, const char *path, void **bytes, size_t *size); /* free with mem_free() */
holt_status sim_poke(os *o, const char *path, const void *bytes, size_t size); /* replaces or creates */
holt_status sim_remove(os *o, const char *path);

/* Returns a hash of the disks, the clock and the count of calls: equal in a history and its exact replay. */
uint64_t sim_fingerprint(os *o);

#endif
