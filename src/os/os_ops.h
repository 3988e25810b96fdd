/* os_ops.h -- the raw operations behind os.h: what posix and sim implement.
 *
 * They are as plain as system calls: one attempt, which may be interrupted (-EINTR) or transfer less than
 * asked. An int is 0 or a negative errno, an ssize_t the bytes transferred or a negative errno. The functions
 * of os.h are the loops and the words around them.
 *
 * Handles      an implementation allocates its own struct, which begins with the one below; the wrapper fills
 *              that in after an open and empties it before a close.
 * Names        have been checked: they fit in OS_NAME_MAX and hold no slash.
 */
#ifndef HOLT_OS_OS_OPS_H
#define HOLT_OS_OS_OPS_H

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

/* Names of a directory in the making, OS_NAME_MAX bytes each. */
typedef struct os_names {
    char *bytes;
    size_t count, capacity;
} os_names;

/* Adds a name, cut to OS_NAME_MAX - 1 bytes. 0 or -ENOMEM. */
int os_names_add(os_names *n, const char *name);

/* After an open that failed with rc: descriptors were what was missing, some have been given back, and it may be
 * tried again. *tries counts them, and bounds them. */
bool os_reclaim(os *o, int rc, unsigned *tries);
/* Around a fork: the list of reclaimers is whole, and empty in the child, which does nothing with what it
 * inherited. */
void os_reclaim_before_fork(void);
void os_reclaim_after_fork_in_parent(void);
void os_reclaim_after_fork_in_child(void);

typedef struct os_ops {
    /* -ENOENT, -ENOTDIR */
    int (*dir_open)(os *o, const char *path, os_dir **out);
    /* Makes it and syncs its parent; leaves nothing behind when that fails. -EEXIST, -ENOENT: no parent. */
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
    int (*dir_holds)(os_dir *d, const char *name, const os_file *f); /* 0: no; 1: yes; an errno: not known */

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
    void (*file_unlock)(os_file *f); /* nothing when it is not locked */
    int (*file_is_linked)(os_file *f, bool *linked);

    uint64_t (*descriptors_max)(os *o); /* UINT64_MAX: no limit */

    /* m->mutex is held, and again when it returns. false: the deadline has passed. */
    bool (*cond_wait)(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns);

    int (*job_start)(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
    void (*job_wake)(os_job *j);
    void (*job_stop)(os_job *j);
    void (*run_pending)(os *o); /* NULL: nothing to do */

    uint64_t (*clock_ns)(os *o);
    uint64_t (*time_ms)(os *o);
    void (*sleep)(os *o, uint64_t ns);
    uint64_t (*random)(os *o);
    uint64_t (*process_id)(os *o);
} os_ops;

struct os {
    const os_ops *ops; /* constant */
};

#endif
