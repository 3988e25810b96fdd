/* sim_internal.h -- the internals of the simulated machine. Only sim*.c include this.
 *
 * Files and directories share one model: durable state + an ordered list of changes = current state. The
 * changes since the last sync are pending. A sync makes them sure; a failed one puts them into limbo: they
 * may or may not be on disk, for good. Sure changes at the head of the list are applied to the durable state
 * and removed. Behind one in limbo they must stay in the list, because they were made on top of it. A power
 * cut keeps the sure changes and chooses among the others. To settle a file or directory is to make one state
 * both current and durable, with no changes left.
 *
 * Concurrency  sim.mutex guards the whole machine, except in the hook and in job steps, which run without it.
 *              In the variant without threads, fields that it does not guard are used by the only thread.
 */
#ifndef HOLT_OS_SIM_SIM_INTERNAL_H
#define HOLT_OS_SIM_SIM_INTERNAL_H

#include "base/random.h"
#include "os/os_ops.h"
#include "os/sim/sim.h"
#include "os/sim/sim_bytes.h"

typedef struct sim sim;

enum { SIM_PATH_MAX = 256 };
#define SIM_FILE_SIZE_MAX (UINT64_C(1) << 34) /* bounds the page tables that a wrong offset can make */

typedef enum sim_certainty {
    SIM_PENDING, /* made since the last sync */
    SIM_LIMBO,   /* a sync of it failed: it may or may not be on disk, for good */
    SIM_SURE     /* synced, but made after one in limbo */
} sim_certainty;

/* ---------------------------------------------------------------- files: sim_inode.c, sim_file.c */

typedef enum sim_change_kind { SIM_CHANGE_WRITE, SIM_CHANGE_TRUNCATE, SIM_CHANGE_ALLOCATE } sim_change_kind;

/* One change of a file's contents. */
typedef struct sim_change {
    sim_change_kind kind;
    sim_certainty certainty;
    uint64_t offset; /* of a write */
    uint64_t size;   /* of a write's data, or of the file */
    sim_blob *data;  /* of a write */
} sim_change;

/* Applies a change to `to`. */
void sim_change_apply(const sim_change *c, sim_bytes *to);

/* A map: a copy of a range of the file, which every store, write and truncate keeps up to date. */
typedef struct sim_mapping {
    struct sim_mapping *next;
    uint64_t offset;
    size_t size;
    uint8_t *bytes;
} sim_mapping;

typedef struct sim_inode {
    struct sim_inode *next; /* in the machine's list */
    uint64_t number;
    uint32_t refs;    /* from handles, directory entries (current and durable) and moves */
    uint32_t handles; /* open ones */
    bool linked;      /* has a current name */
    sim_bytes current, durable;
    sim_change *changes;
    size_t change_count, change_capacity;
    sim_mapping *mappings;
    uint32_t locks_shared;
    bool locked_exclusive;
    struct sim_inode *twin; /* while the machine is being cloned: its copy */
} sim_inode;

sim_inode *sim_inode_create(sim *s, uint64_t number); /* with one reference */
sim_inode *sim_inode_ref(sim_inode *n);
void       sim_inode_unref(sim *s, sim_inode *n); /* accepts NULL */
/* Returns the copy of `n` in the machine `to`, with a new reference. The first call for it makes the copy. */
sim_inode *sim_inode_twin(sim *to, sim_inode *n);

void sim_inode_write(sim_inode *n, uint64_t offset, const void *data, size_t size);
void sim_inode_truncate(sim_inode *n, uint64_t size);
void sim_inode_allocate(sim_inode *n, uint64_t size);
void sim_inode_sync(sim_inode *n);
void sim_inode_fail_sync(sim_inode *n);
/* Makes `bytes` the contents, current and durable; takes ownership of its pages. */
void sim_inode_settle(sim_inode *n, sim_bytes *bytes);

int     sim_file_open(os_dir *d, const char *name, unsigned flags, os_file **out);
void    sim_file_close(os_file *f);
ssize_t sim_file_read(os_file *f, uint64_t offset, void *buffer, size_t size);
ssize_t sim_file_write(os_file *f, uint64_t offset, const void *data, size_t size);
int     sim_file_sync(os_file *f);
void    sim_file_push(os_file *f, uint64_t offset, uint64_t size);
int     sim_file_size(os_file *f, uint64_t *size);
int     sim_file_truncate(os_file *f, uint64_t size);
int     sim_file_allocate(os_file *f, uint64_t size);
void    sim_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size);
int     sim_file_map(os_file *f, uint64_t offset, size_t size, os_map *out);
void    sim_map_store(os_map *m, size_t at, const void *data, size_t size);
void    sim_file_unmap(os_map *m);
int     sim_file_lock(os_file *f, bool exclusive);
void    sim_file_unlock(os_file *f);
int     sim_file_is_linked(os_file *f, bool *linked);

/* ---------------------------------------------------------------- directories: sim_entries.c, sim_dir.c */

typedef struct sim_entry {
    char name[OS_NAME_MAX];
    sim_inode *inode; /* a reference */
} sim_entry;

/* Names and their files, sorted. */
typedef struct sim_entries {
    sim_entry *at;
    size_t count, capacity;
} sim_entries; /* all zero: empty */

sim_inode *sim_entries_find(const sim_entries *e, const char *name); /* NULL: none */
void       sim_entries_put(sim *s, sim_entries *e, const char *name, sim_inode *n);
void       sim_entries_remove(sim *s, sim_entries *e, const char *name);
void       sim_entries_clear(sim *s, sim_entries *e);
void       sim_entries_copy(sim *s, sim_entries *to, const sim_entries *from);

typedef enum sim_move_kind { SIM_MOVE_LINK, SIM_MOVE_UNLINK, SIM_MOVE_RENAME } sim_move_kind;

/* One change of a directory. */
typedef struct sim_move {
    sim_move_kind kind;
    sim_certainty certainty;
    char name[OS_NAME_MAX];
    char to[OS_NAME_MAX]; /* of a rename */
    sim_inode *inode;     /* a reference: the file that `name` referred to */
} sim_move;

typedef struct sim_dir {
    struct sim_dir *next; /* in the machine's list */
    char path[SIM_PATH_MAX]; /* "" for the root */
    uint64_t number;
    bool removed; /* only handles still refer to it */
    sim_entries current, durable;
    sim_move *moves;
    size_t move_count, move_capacity;
} sim_dir;

/* Applies a move, unless it no longer fits the entries. */
void sim_move_apply(sim *s, const sim_move *m, sim_entries *e);
/* Copies the path without trailing slashes. -ENOENT: not absolute; -ENAMETOOLONG. */
int      sim_path_clean(const char *path, char clean[SIM_PATH_MAX]);
sim_dir *sim_dir_find(sim *s, const char *clean_path); /* NULL: none */
sim_dir *sim_dir_add(sim *s, const char *clean_path);
void     sim_dir_link(sim *s, sim_dir *d, const char *name, sim_inode *n);
void     sim_dir_remove(sim *s, sim_dir *d, const char *name);
void     sim_dir_make_durable(sim *s, sim_dir *d);
void     sim_dir_drop_moves(sim *s, sim_dir *d);
void     sim_dir_settle(sim *s, sim_dir *d); /* makes the current entries durable */
sim_dir *sim_dir_of(const os_dir *d);
/* Returns the directory that is `name` in d; NULL: none. */
sim_dir *sim_dir_child(sim *s, const sim_dir *d, const char *name);

int  sim_dir_open(os *o, const char *path, os_dir **out);
int  sim_dir_create(os *o, const char *path);
int  sim_dir_rmdir(os *o, const char *path);
void sim_dir_close(os_dir *d);
int  sim_dir_sync(os_dir *d);
int  sim_dir_list(os_dir *d, os_names *names);
int  sim_dir_stat(os_dir *d, const char *name, uint64_t *size);
int  sim_dir_unlink(os_dir *d, const char *name);
int  sim_dir_rename(os_dir *d, const char *from, const char *to);
void sim_dir_identity(const os_dir *d, uint64_t identity[2]);
int  sim_dir_free_bytes(os_dir *d, uint64_t *bytes);
os_dir_fate sim_dir_fate(os_dir *d);
int  sim_dir_holds(os_dir *d, const char *name, const os_file *f);

/* ---------------------------------------------------------------- jobs: sim_steps.c, sim_threads.c */

/* Without threads. */
bool     sim_steps_cond_wait(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns);
int      sim_steps_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
void     sim_steps_job_wake(os_job *j);
void     sim_steps_job_stop(os_job *j);
void     sim_steps_run_pending(os *o);
uint64_t sim_steps_clock_ns(os *o);
void     sim_steps_sleep(os *o, uint64_t ns);
void     sim_steps_run_until_idle(sim *s);
void     sim_steps_tick(sim *s);

/* With. */
int  sim_threads_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
void sim_threads_job_stop(os_job *j);
void sim_threads_run_until_idle(sim *s);

/* ---------------------------------------------------------------- the machine: sim.c, sim_fault.c */

typedef struct sim_fault {
    sim_call kind;
    uint64_t at; /* the number, among those of its kind, of the call that fails; 0: no fault is armed */
    int os_errno;
    bool onwards;
    bool hit;
    bool pause; /* spare the next call, because endless EINTR would be retried endlessly */
} sim_fault;

struct sim {
    os os;
    pthread_mutex_t mutex;
    bool threads;       /* constant */
    uint64_t id;        /* constant: differs from that of every other machine of this process */
    uint64_t boots;     /* constant: how many clones led to this machine */
    uint64_t disk_bytes_max;
    bool read_only;     /* the file system: what changes it fails with EROFS */
    rng chance;         /* os_random */
    rng pace;           /* steps of the clock, choice of jobs, and what is random in a fault */
    uint64_t clock_ns;  /* without threads */
    int64_t wall_ms;    /* how far the wall clock was set forward or back; mutex */
    sim_dir *dirs;
    sim_dir *dirs_removed; /* empty; handles may still refer to them */
    sim_inode *inodes;
    uint64_t next_number; /* of an inode or a directory */
    uint32_t handles;     /* open ones */
    uint32_t handles_max; /* EMFILE beyond; 0: no limit */

    uint64_t calls[SIM_CALLS + 1];
    uint64_t slow_ns[SIM_CALLS]; /* what each kind of call takes longer */
    sim_fault fault;
    void (*hook)(void *ctx, uint64_t call);
    void *hook_ctx;
    bool in_hook;

    struct sim_job *jobs; /* without threads, in the order of their start */
    os_job **thread_jobs; /* with */
    size_t thread_job_count, thread_job_capacity;
};

static inline sim *sim_of(os *o)
{
    return (sim *)o;
}

/* Every call on a disk is made between these two. sim_enter() counts it, runs the hook if it changes the
 * disk, and returns 0, the errno with which it must fail, or SIM_SHORT. */
int  sim_enter(sim *s, sim_call kind, bool changes_disk);
void sim_leave(sim *s);

sim_inode *sim_file_inode(const os_file *f);
uint64_t sim_free_bytes(const sim *s); /* mutex */

/* Whether one more file or directory can be opened: 0 or -EMFILE. mutex */
int      sim_handle_check(const sim *s);
uint64_t sim_descriptors_max(os *o);

#endif
