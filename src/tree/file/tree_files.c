/* tree_files.c -- the table of a database's tree files, which bounds how many are open.
 *
 * An open descriptor is either pinned by the reads in progress, or idle and in a list by last use. Opening
 * one too many closes the one that has been idle longest. If all are pinned, the limit may be exceeded, at
 * most by the number of reading threads, until the next unpin. No thread ever waits for a descriptor.
 *
 * When the process has no descriptors left, it takes idle ones (os.h, os_reclaimer): the table then closes
 * some of them, even if another database needs them.
 *
 * The table's descriptors are only for reading. A file is written through a descriptor outside the table,
 * which is closed only after a sync, so that no write error is lost by closing a descriptor.
 */
#include "tree/file/tree_file_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

static size_t reclaim(void *ctx, size_t want);

holt_status tree_files_create(tree_files **out, os_dir *dir, cache *c, const uint64_t database_id[2],
                              uint32_t descriptors_max)
{
    *out = NULL;
    tree_files *t = mem_alloc_zero(1, sizeof *t);
    if (!t) return status_no_memory(sizeof *t);
    t->dir = dir;
    t->cache = c;
    t->database_id[0] = database_id[0];
    t->database_id[1] = database_id[1];
    t->descriptors_max = descriptors_max;
    os_mutex_init(&t->mu, LOCK_RANK_FILES);
    t->reclaimer = (os_reclaimer){.os = os_dir_os(dir), .reclaim = reclaim, .ctx = t};
    os_reclaimer_add(&t->reclaimer);
    *out = t;
    return HOLT_OK;
}

void tree_files_destroy(tree_files *t)
{
    if (!t) return;
    assert(tree_files_count(t) == 0);
    os_reclaimer_remove(&t->reclaimer);
    os_mutex_deinit(&t->mu);
    mem_free(t);
}

uint64_t tree_files_count(const tree_files *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed);
}

uint64_t tree_files_obsolete_bytes(const tree_files *t)
{
    return atomic_load_explicit(&t->obsolete_bytes, memory_order_relaxed);
}

cache *tree_files_cache(const tree_files *t)
{
    return t->cache;
}

/* ---------------------------------------------------------------- the list of idle files, under mu */

static void idle_add(tree_files *t, tree_file *f)
{
    os_mutex_assert_held(&t->mu);
    assert(f->handle && f->pins == 0);
    f->older = t->newest;
    f->newer = NULL;
    if (t->newest)
        t->newest->newer = f;
    else
        t->oldest = f;
    t->newest = f;
}

static void idle_remove(tree_files *t, tree_file *f)
{
    os_mutex_assert_held(&t->mu);
    if (f->newer)
        f->newer->older = f->older;
    else
        t->newest = f->older;
    if (f->older)
        f->older->newer = f->newer;
    else
        t->oldest = f->newer;
    f->newer = f->older = NULL;
}

/* Takes an idle file's descriptor from it; the caller closes it after releasing the lock. */
static os_file *idle_take_handle(tree_files *t, tree_file *f)
{
    assert(f->handle && f->pins == 0 && t->descriptors > 0);
    os_file *handle = f->handle;
    idle_remove(t, f);
    f->handle = NULL;
    t->descriptors--;
    return handle;
}

static os_file *idle_surplus(tree_files *t)
{
    return t->descriptors > t->descriptors_max && t->oldest ? idle_take_handle(t, t->oldest) : NULL;
}

/* The calling thread may hold any mutex, so this one is only tried; it is never held for long. */
static os_file *idle_try_take(tree_files *t)
{
    enum { TRIES = 64 };
    for (int i = 0; i < TRIES; i++) {
        if (os_mutex_try_lock(&t->mu)) {
            os_file *handle = t->oldest ? idle_take_handle(t, t->oldest) : NULL;
            os_mutex_unlock(&t->mu);
            return handle;
        }
        os_yield();
    }
    return NULL;
}

static size_t reclaim(void *ctx, size_t want)
{
    size_t got = 0;
    for (os_file *handle; got < want && (handle = idle_try_take(ctx)) != NULL; got++)
        os_file_close(handle);
    return got;
}

static os_file *file_pin(tree_files *t, tree_file *f)
{
    if (f->pins++ == 0) idle_remove(t, f);
    return f->handle;
}

/* ---------------------------------------------------------------- pinning */

/* Stores a newly opened descriptor and pins it, or instead pins the one that another thread has stored
 * meanwhile. */
static os_file *pin_opened(tree_file *f, os_file *opened)
{
    tree_files *t = f->files;
    os_file *spare = opened, *surplus = NULL;
    os_mutex_lock(&t->mu);
    if (!f->handle) {
        f->handle = opened;
        spare = NULL;
        t->descriptors++;
        idle_add(t, f);
    }
    os_file *handle = file_pin(t, f);
    surplus = idle_surplus(t);
    os_mutex_unlock(&t->mu);
    os_file_close(spare);
    os_file_close(surplus);
    return handle;
}

holt_status tree_files_pin(tree_file *f, os_file **out)
{
    tree_files *t = f->files;
    os_mutex_lock(&t->mu);
    *out = f->handle ? file_pin(t, f) : NULL;
    os_mutex_unlock(&t->mu);
    if (*out) return HOLT_OK;

    os_file *opened = NULL;
    holt_status rc = tree_file_open_handle(f, OS_READ, &opened);
    if (rc != HOLT_OK) return rc;
    os_file_advise(opened, OS_ADVICE_RANDOM, 0, 0);
    *out = pin_opened(f, opened);
    return HOLT_OK;
}

void tree_files_unpin(tree_file *f)
{
    tree_files *t = f->files;
    os_mutex_lock(&t->mu);
    assert(f->pins > 0);
    if (--f->pins == 0) idle_add(t, f);
    os_file *surplus = idle_surplus(t);
    os_mutex_unlock(&t->mu);
    os_file_close(surplus);
}

void tree_files_adopt(tree_file *f, os_file *handle)
{
    os_file_advise(handle, OS_ADVICE_RANDOM, 0, 0);
    (void)pin_opened(f, handle);
    tree_files_unpin(f);
}

void tree_files_remove(tree_file *f)
{
    tree_files *t = f->files;
    os_mutex_lock(&t->mu);
    assert(f->pins == 0);
    os_file *handle = f->handle ? idle_take_handle(t, f) : NULL;
    os_mutex_unlock(&t->mu);
    os_file_close(handle);
}
