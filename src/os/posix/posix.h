/* posix.h -- the functions of the real machine, grouped by the file that defines them.
 *
 * Only posix*.c include this, and sim for its variant with real threads.
 */
#ifndef HOLT_OS_POSIX_POSIX_H
#define HOLT_OS_POSIX_POSIX_H

#include "os/os_ops.h"

#include <stdatomic.h>
#include <time.h>

typedef struct posix_dir {
    os_dir dir;
    int fd;
    uint64_t device, inode;
    char *full_path; /* absolute and without links, as of the open; NULL: unknown */
} posix_dir;

typedef struct posix_file {
    os_file file;
    int fd; /* -1 in a forked child whose parent had locked the file */

    /* posix_lock.c, under its mutex. */
    bool locked, exclusive;
    uint64_t device, inode; /* while locked */
    struct posix_file *next_locked;
} posix_file;

/* posix_dir.c */
int  posix_dir_open(os *o, const char *path, os_dir **out);
int  posix_dir_create(os *o, const char *path);
int  posix_dir_remove(os *o, const char *path);
void posix_dir_close(os_dir *d);
int  posix_dir_sync(os_dir *d);
int  posix_dir_list(os_dir *d, os_names *names);
int  posix_dir_stat(os_dir *d, const char *name, uint64_t *size);
int  posix_dir_unlink(os_dir *d, const char *name);
int  posix_dir_rename(os_dir *d, const char *from, const char *to);
void posix_dir_identity(const os_dir *d, uint64_t identity[2]);
int  posix_dir_free_bytes(os_dir *d, uint64_t *bytes);
os_dir_fate posix_dir_fate(os_dir *d);
int  posix_dir_holds(os_dir *d, const char *name, const os_file *f);

/* posix_file.c */
int     posix_file_open(os_dir *d, const char *name, unsigned flags, os_file **out);
void    posix_file_close(os_file *f);
ssize_t posix_file_read(os_file *f, uint64_t offset, void *buffer, size_t size);
ssize_t posix_file_write(os_file *f, uint64_t offset, const void *data, size_t size);
int     posix_file_sync(os_file *f);
void    posix_file_push(os_file *f, uint64_t offset, uint64_t size);
int     posix_file_size(os_file *f, uint64_t *size);
int     posix_file_truncate(os_file *f, uint64_t size);
int     posix_file_allocate(os_file *f, uint64_t size);
void    posix_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size);

uint64_t posix_descriptors_max(os *o);

/* posix_map.c */
int  posix_file_map(os_file *f, uint64_t offset, size_t size, os_map *out);
void posix_map_store(os_map *m, size_t at, const void *data, size_t size);
void posix_file_unmap(os_map *m);

/* posix_lock.c */
int  posix_file_lock(os_file *f, bool exclusive);
void posix_file_unlock(os_file *f);
int  posix_file_is_linked(os_file *f, bool *linked);
void posix_lock_before_fork(void);
void posix_lock_after_fork_in_parent(void);
void posix_lock_after_fork_in_child(void);

/* posix_job.c */
int  posix_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out);
void posix_job_wake(os_job *j);
void posix_job_stop(os_job *j);
extern _Atomic uint64_t posix_job_linger_ns; /* how long a thread waits for work; tests change it */
bool posix_job_is_resting(os_job *j); /* neither in a step nor woken for one */
void posix_jobs_before_fork(void);
void posix_jobs_after_fork_in_parent(void);
void posix_jobs_after_fork_in_child(void);

/* posix_clock.c */
struct timespec posix_timespec(uint64_t ns);
bool            posix_cond_wait(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns);
uint64_t        posix_clock_ns(os *o);
uint64_t        posix_time_ms(os *o);
uint64_t        posix_clock_coarse_ns(os *o);
void            posix_sleep(os *o, uint64_t ns);
uint64_t        posix_random(os *o);
uint64_t        posix_process_id(os *o);

#endif
