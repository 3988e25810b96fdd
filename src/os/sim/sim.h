/* sim.h -- a machine in memory that forgets what was not synced, fails on demand, and replays exactly.
 *
 * Storage      Each file has its current contents (what a reader sees: the page cache), its durable contents,
 *              and the list of writes, truncates and map stores since its last sync. A sync makes them
 *              durable. After a failed sync each of them may or may not be on disk, and no later sync changes
 *              that. Each directory likewise has current entries, durable entries and pending creates,
 *              renames and unlinks; os_dir_sync makes them durable. (POSIX promises no order among pending
 *              ones.) A sync of a file says nothing of its name.
 * Crashes      sim_clone() copies the disks, with what is pending, to a new machine without processes: as
 *              after kill -9. sim_power_cut() then decides what of the pending things was on disk. So a test
 *              takes a clone at every I/O (sim_on_io), cuts its power in some way, opens the database there,
 *              and lets the original go on. A clone shares the pages of its original until one of them
 *              writes: it costs little.
 * Faults       sim_fail(): the n-th call of a kind fails.
 * Time         a virtual clock: it advances by a little at each call, and jumps to the next deadline when
 *              everything waits.
 * Jobs         run as steps on the calling thread, chosen by the seed, in os_cond_wait, os_sleep and
 *              os_run_pending. A step may wait too: the steps of other jobs then run above it on the stack. With
 *              `threads` they run on real threads in real time and nothing replays: for the thread sanitizer.
 * Paths        absolute and simple: no ".", no "..", no links.
 * Concurrency  with `threads` any thread; without, one thread uses the machine and all that lives on it.
 *
 * A wait that nothing can ever end aborts the program with "sim: deadlock". That memory has run out aborts it
 * too: the machine's own allocations do not go through base/memory.h, except those of handles, of listings
 * and of jobs.
 */
#ifndef HOLT_OS_SIM_SIM_H
#define HOLT_OS_SIM_SIM_H

#include "os/os.h"

typedef struct sim_options {
    uint64_t seed;
    bool threads;            /* jobs on real threads */
    uint64_t disk_bytes_max; /* ENOSPC when the sizes of all files would exceed it; 0 = no limit */
} sim_options;

os  *sim_create(const sim_options *options); /* with the directory "/"; NULL: out of memory */
void sim_destroy(os *o);                     /* all handles must be closed, jobs stopped; accepts NULL */

/* A new machine with the same disks, pending writes and page cache; no locks, no jobs, no faults, no hook.
 * Its clock goes on, its process id is another. NULL: out of memory. */
os *sim_clone(os *o, uint64_t seed);

typedef enum sim_keep {
    SIM_KEEP_ALL,    /* everything pending reached the disk */
    SIM_KEEP_NONE,   /* nothing pending did */
    SIM_KEEP_SOME,   /* a random subset of pending writes, some torn at `tear_bytes` boundaries of the file */
    SIM_KEEP_SIZES,  /* file sizes did, contents did not: zeros where unsynced writes extended the file */
    SIM_KEEP_GARBAGE /* as SIM_KEEP_SOME, with random bytes in place of some of the torn-off pieces */
} sim_keep;

typedef struct sim_cut {
    sim_keep files;
    sim_keep entries;    /* of pending directory operations: ALL, NONE or SOME (any subset) */
    uint32_t tear_bytes; /* 512 or 4096 */
    bool per_file;       /* in place of `files`: NONE for some files, ALL for the others, at random */
} sim_cut;

/* Applies a power cut to a machine without open handles (a clone): afterwards page cache and disk agree. What
 * a failed sync has left uncertain is treated as what is pending. */
void sim_power_cut(os *o, const sim_cut *cut, uint64_t seed);

/* The kinds of calls. What is not named here neither counts nor fails. */
typedef enum sim_call {
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC,
    SIM_DIR_SYNC,
    SIM_OPEN, /* of a file or a directory; making a directory; locking */
    SIM_RENAME,
    SIM_UNLINK,
    SIM_TRUNCATE,
    SIM_ALLOCATE,
    SIM_MAP,
    SIM_LIST,  /* and all other questions: stat, size, free space */
    SIM_STORE, /* cannot fail. One os_map_store counts as one or two: a kill may come in the midst of it */
    SIM_CALLS  /* their number, and "any" */
} sim_call;

/* In place of an errno: the transfer is short. Calls that transfer nothing are passed over. */
enum { SIM_SHORT = -1 };

/* From now on the n-th call of `kind` (1 = the next; SIM_CALLS: of any) fails with `os_errno` (EIO, ENOSPC,
 * EINTR, SIM_SHORT ...); with `onwards` all later ones too (EINTR: every second one, since who is interrupted
 * tries again; ENOSPC: opens of what is there pass). n 0 clears. One fault at a time. A failed write may have
 * written a part; a failed sync leaves what it should have synced uncertain for ever; EINTR leaves all as it
 * was. */
void     sim_fail(os *o, sim_call kind, uint64_t n, int os_errno, bool onwards);
uint64_t sim_calls(os *o, sim_call kind); /* made so far; SIM_CALLS: all */
bool     sim_fault_hit(os *o);            /* the fault armed last has happened, be it cleared or not */

/* Before every call that changes a disk (write, store, sync, rename, unlink, create, truncate, allocate,
 * directory sync): `hook` is called with the number of the call (sim_calls of any kind). It may clone, and
 * use the clone with all that os.h offers; calls on this machine from within it do not call it again
 * (nor, with `threads`, do those of other threads meanwhile). NULL ends it. */
void sim_on_io(os *o, void (*hook)(void *ctx, uint64_t call), void *ctx);

/* From now on no more than `handles` files and directories can be open at a time: EMFILE beyond. 0 = no limit.
 * (Those that are open stay open.) */
void sim_set_handles_max(os *o, uint32_t handles);
uint32_t sim_handles(os *o); /* open ones */

/* Disk space may change: later ENOSPC or room again. */
void sim_set_disk_bytes_max(os *o, uint64_t bytes);

/* As if the file system were mounted again read-only, which Linux does by itself after some failures of a disk:
 * every call that changes it fails with EROFS, opens of files for writing included. */
void sim_set_read_only(os *o, bool read_only);

/* Lets every pending job step run until all are idle; virtual time may pass, ten seconds at most. */
void sim_run_until_idle(os *o);
/* Time passes and no step runs. With `threads` it is real time. */
void sim_advance(os *o, uint64_t ns);

/* The wall clock (os_time_ms) is set, by so much forward or back; os_clock_ns goes on. */
void sim_set_wall_clock(os *o, int64_t by_ms);

/* Corruption of a closed database: direct access to a path like "/db/CURRENT" that is durable at once,
 * together with all names in its directory. No such file, or no directory for it: HOLT_NOT_FOUND. */
holt_status sim_peek(os *o, const char *path, void **bytes, size_t *size); /* release with mem_free */
holt_status sim_poke(os *o, const char *path, const void *bytes, size_t size); /* replaces or creates */
holt_status sim_remove(os *o, const char *path);

/* A number that stands for the disks, the clock and the count of calls: equal in a history and its exact
 * replay. */
uint64_t sim_fingerprint(os *o);

#endif
