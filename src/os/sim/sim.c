/* sim.c -- the simulated machine: creating, cloning and destroying it, and its tables of functions. */
#include "os/sim/sim_internal.h"

#include "base/memory.h"
#include "os/posix/posix.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { FIRST_PROCESS_ID = 4711 };
#define FIRST_TIME_MS UINT64_C(1767225600000) /* 2026-01-01 */

static uint64_t sim_random(os *o)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    uint64_t bits = rng_next(&s->chance);
    pthread_mutex_unlock(&s->mutex);
    return bits;
}

static uint64_t sim_process_id(os *o)
{
    return FIRST_PROCESS_ID + sim_of(o)->boots;
}

static uint64_t sim_time_ms(os *o)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    uint64_t set = (uint64_t)s->wall_ms;
    pthread_mutex_unlock(&s->mutex);
    return FIRST_TIME_MS + os_clock_ns(o) / 1000000 + set;
}

/* clang-format off */
#define SIM_DISK_OPS                                                                                         \
    .dir_open = sim_dir_open, .dir_create = sim_dir_create, .dir_remove = sim_dir_rmdir,                     \
    .dir_close = sim_dir_close,                                                                              \
    .dir_sync = sim_dir_sync, .dir_list = sim_dir_list, .dir_stat = sim_dir_stat,                            \
    .dir_unlink = sim_dir_unlink, .dir_rename = sim_dir_rename, .dir_identity = sim_dir_identity,            \
    .dir_free_bytes = sim_dir_free_bytes, .dir_fate = sim_dir_fate, .dir_holds = sim_dir_holds,              \
    .file_open = sim_file_open, .file_close = sim_file_close,                                                \
    .file_read = sim_file_read, .file_write = sim_file_write, .file_sync = sim_file_sync,                    \
    .file_push = sim_file_push, .file_size = sim_file_size, .file_truncate = sim_file_truncate,              \
    .file_allocate = sim_file_allocate, .file_advise = sim_file_advise, .file_map = sim_file_map,            \
    .map_store = sim_map_store, .file_unmap = sim_file_unmap, .file_lock = sim_file_lock,                    \
    .file_unlock = sim_file_unlock, .file_is_linked = sim_file_is_linked,                                    \
    .descriptors_max = sim_descriptors_max, .random = sim_random, .process_id = sim_process_id,              \
    .time_ms = sim_time_ms
/* clang-format on */

static const os_ops ops_steps = {
    SIM_DISK_OPS,
    .cond_wait = sim_steps_cond_wait,
    .job_start = sim_steps_job_start,
    .job_wake = sim_steps_job_wake,
    .job_stop = sim_steps_job_stop,
    .run_pending = sim_steps_run_pending,
    .clock_ns = sim_steps_clock_ns,
    .clock_coarse_ns = sim_steps_clock_ns,
    .sleep = sim_steps_sleep,
};

static const os_ops ops_threads = {
    SIM_DISK_OPS,
    .cond_wait = posix_cond_wait,
    .job_start = sim_threads_job_start,
    .job_wake = posix_job_wake,
    .job_stop = sim_threads_job_stop,
    .run_pending = NULL,
    .clock_ns = posix_clock_ns,
    .clock_coarse_ns = posix_clock_coarse_ns,
    .sleep = posix_sleep,
};

/* Relaxed: it only matters that they differ. */
static uint64_t next_machine_id(void)
{
    static _Atomic uint64_t last;
    return 1 + atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
}

static sim *machine_create(uint64_t seed, bool threads)
{
    sim *s = mem_alloc_zero(1, sizeof *s);
    if (!s) return NULL;
    s->os.ops = threads ? &ops_threads : &ops_steps;
    s->threads = threads;
    s->id = next_machine_id();
    s->next_number = 1;
    rng_seed(&s->chance, seed);
    rng_seed(&s->pace, ~seed);
    pthread_mutex_init(&s->mutex, NULL);
    return s;
}

os *sim_create(const sim_options *options)
{
    sim *s = machine_create(options->seed, options->threads);
    if (!s) return NULL;
    s->disk_bytes_max = options->disk_bytes_max;
    sim_dir_add(s, "");
    return &s->os;
}

static void dir_destroy(sim *s, sim_dir *d)
{
    sim_dir_drop_moves(s, d);
    free(d->moves);
    sim_entries_clear(s, &d->current);
    sim_entries_clear(s, &d->durable);
    free(d);
}

static void dirs_destroy(sim *s, sim_dir *first)
{
    while (first) {
        sim_dir *d = first;
        first = d->next;
        dir_destroy(s, d);
    }
}

void sim_destroy(os *o)
{
    if (!o) return;
    sim *s = sim_of(o);
    assert(s->handles == 0 && "a file or directory is still open");
    assert(!s->jobs && s->thread_job_count == 0 && "a job was not stopped");
    dirs_destroy(s, s->dirs);
    dirs_destroy(s, s->dirs_removed);
    assert(!s->inodes);
    free(s->thread_jobs);
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

static void entries_clone(sim *to, sim_entries *copy, const sim_entries *e)
{
    for (size_t i = 0; i < e->count; i++) {
        sim_inode *twin = sim_inode_twin(to, e->at[i].inode);
        sim_entries_put(to, copy, e->at[i].name, twin);
        sim_inode_unref(to, twin); /* the entry has its own reference */
    }
}

static void dir_clone(sim *to, const sim_dir *d)
{
    sim_dir *copy = sim_dir_add(to, d->path);
    copy->number = d->number;
    entries_clone(to, &copy->current, &d->current);
    entries_clone(to, &copy->durable, &d->durable);
    sim_grow((void **)&copy->moves, &copy->move_capacity, d->move_count, sizeof(sim_move));
    for (size_t i = 0; i < d->move_count; i++) {
        copy->moves[i] = d->moves[i];
        copy->moves[i].inode = sim_inode_twin(to, d->moves[i].inode);
    }
    copy->move_count = d->move_count;
}

/* Files to which only handles refer are not cloned: they are gone with the process. */
os *sim_clone(os *o, uint64_t seed)
{
    sim *s = sim_of(o);
    sim *to = machine_create(seed, s->threads);
    if (!to) return NULL;
    pthread_mutex_lock(&s->mutex);
    for (const sim_dir *d = s->dirs; d; d = d->next)
        dir_clone(to, d);
    for (sim_inode *n = s->inodes; n; n = n->next)
        n->twin = NULL;
    to->next_number = s->next_number;
    to->disk_bytes_max = s->disk_bytes_max;
    to->clock_ns = s->clock_ns;
    to->wall_ms = s->wall_ms;
    to->boots = s->boots + 1;
    pthread_mutex_unlock(&s->mutex);
    return &to->os;
}

void sim_set_handles_max(os *o, uint32_t handles)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    s->handles_max = handles;
    pthread_mutex_unlock(&s->mutex);
}

uint32_t sim_handles(os *o)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    uint32_t handles = s->handles;
    pthread_mutex_unlock(&s->mutex);
    return handles;
}

int sim_handle_check(const sim *s)
{
    return s->handles_max && s->handles >= s->handles_max ? -EMFILE : 0;
}

/* The limit of the machine, not that of a test that takes descriptors away for a while (handles_max). */
uint64_t sim_descriptors_max(os *o)
{
    return 1024;
}

void sim_set_disk_bytes_max(os *o, uint64_t bytes)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    s->disk_bytes_max = bytes;
    pthread_mutex_unlock(&s->mutex);
}

void sim_run_until_idle(os *o)
{
    sim *s = sim_of(o);
    if (s->threads) {
        sim_threads_run_until_idle(s);
    } else {
        sim_steps_run_until_idle(s);
    }
}

void sim_set_wall_clock(os *o, int64_t by_ms)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    s->wall_ms += by_ms;
    pthread_mutex_unlock(&s->mutex);
}

void sim_advance(os *o, uint64_t ns)
{
    sim *s = sim_of(o);
    if (s->threads) {
        posix_sleep(o, ns);
    } else {
        s->clock_ns += ns;
    }
}
