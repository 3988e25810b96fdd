/* os_ops.h -- the raw operations behind os.h, which posix and sim implement.
 *
 * They are as simple as system calls: one attempt, which may be interrupted (-EINTR) or transfer less than
 * requested. An int is 0 or a negative errno, an ssize_t is the number of bytes transferred or a negative
 * errno. The functions of os.h add the retries and the messages.
 *
 * Handles      an implementation allocates its own struct, which begins with the one below. The wrapper fills
 *              that in after an open and clears it before a close.
 * Names        have been checked: they fit in OS_NAME_MAX and contain no slash.
 */
#ifndef HOLT_OS_OS_OPS_H
#define HOLT_OS_OS_OPS_H

#include "base/cost.h"
#include "os/os.h"

#include <sys/types.h>

struct os_dir {
    os *os;
    char *path; /* as it was opened */
};

struct os_file {
    os *os;
    char name[OS_NAME_MAX];
};

struct os_job {
    os *os;
};

/* The names in a directory while they are being listed, OS_NAME_MAX bytes each. */
typedef struct os_names {
    char *bytes;
    size_t count, capacity;
} os_names;

/* Adds a name, truncated to OS_NAME_MAX - 1 bytes. Returns 0 or -ENOMEM. */
int os_names_add(os_names *n, const char *name);

/* After an open that failed with rc: returns whether it failed for lack of descriptors and some have been
 * reclaimed, so that it should be tried again. *tries counts the attempts and bounds them. */
bool os_reclaim(os *o, int rc, unsigned *tries);
/* Called around a fork, so that the list of reclaimers is consistent in the parent and empty in the child,
 * which must do nothing with what it inherited. */
void os_reclaim_before_fork(void);
void os_reclaim_after_fork_in_parent(void);
void os_reclaim_after_fork_in_child(void);

typedef struct os_ops {
    /* -ENOENT, -ENOTDIR */
    int (*dir_open)(os *o, const char *path, os_dir **out);
    /* Creates it and syncs its parent; leaves nothing behind when that fails. -EEXIST; -ENOENT: no parent. */
    int (*dir_create)(os *o, const char *path);
    /* Removes it and syncs its parent. -ENOENT, -ENOTEMPTY or -EEXIST, -ENOTDIR, -EBUSY, -EACCES, -EPERM,
     * -EROFS: nothing was changed. */
    int (*dir_remove)(os *o, const char *path);
    void (*dir_close)(os_dir *d);
    int (*dir_sync)(os_dir *d);
    int (*dir_list)(os_dir *d, os_names *names);
    int (*dir_stat)(os_dir *d, const char *name, uint64_t *size); /* -ENOENT */
    int (*dir_unlink)(os_dir *d, const char *name);               /* -ENOENT */
    int (*dir_rename)(os_dir *d, const char *from, const char *to);
    void (*dir_identity)(const os_dir *d, uint64_t identity[2]);
    int (*dir_free_bytes)(os_dir *d, uint64_t *bytes);
    os_dir_fate (*dir_fate)(os_dir *d);
    /* 0: no; 1: yes; a negative errno: unknown. */
    int (*dir_holds)(os_dir *d, const char *name, const os_file *f);

    int (*file_open)(os_dir *d, const char *name, unsigned flags, os_file **out);
    void (*file_close)(os_file *f); /* unlocks */
    ssize_t (*file_read)(os_file *f, uint64_t offset, void *buffer, size_t size);
    ssize_t (*file_write)(os_file *f, uint64_t offset, const void *data, size_t size);
    int (*file_sync)(os_file *f);
    void (*file_push)(os_file *f, uint64_t offset, uint64_t size);
    int (*file_size)(os_file *f, uint64_t *size);
    int (*file_truncate)(os_file *f, uint64_t size);
    int (*file_allocate)(os_file *f, uint64_t size); /* size > 0; after a failure the file is as it was */
    void (*file_advise)(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size);
    /* Sets out->bytes. -EOPNOTSUPP where mapped stores are not safe. */
    int (*file_map)(os_file *f, uint64_t offset, size_t size, os_map *out);
    void (*map_store)(os_map *m, size_t at, const void *data, size_t size);
    void (*file_unmap)(os_map *m);
    /* -EBUSY: held in this process; -EAGAIN: by another. */
    int (*file_lock)(os_file *f, bool exclusive);
    void (*file_unlock)(os_file *f); /* does nothing when it is not locked */
    int (*file_is_linked)(os_file *f, bool *linked);

    uint64_t (*descriptors_max)(os *o); /* UINT64_MAX: no limit */

    /* m->mutex is held on entry and on return. Returns false when the deadline has passed. */
    bool (*cond_wait)(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns);

    int (*job_start)(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
    void (*job_wake)(os_job *j);
    void (*job_stop)(os_job *j);
    void (*run_pending)(os *o); /* NULL: nothing to do */

    uint64_t (*clock_ns)(os *o);
    uint64_t (*time_ms)(os *o);
    uint64_t (*clock_coarse_ns)(os *o);
    void (*sleep)(os *o, uint64_t ns);
    uint64_t (*random)(os *o);
    uint64_t (*process_id)(os *o);
} os_ops;

struct os {
    const os_ops *ops; /* constant */
};

/* Adds a sync that began at that os_clock_ns() to the thread's bill (base/cost.h). */
static inline void os_count_sync(os *o, uint64_t began_ns)
{
    cost_sheet *cost = cost_sheet_mine();
    cost->syncs++;
    cost->sync_ns += os_clock_ns(o) - began_ns;
}

#endif
