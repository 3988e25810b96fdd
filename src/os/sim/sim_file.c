/* sim_file.c -- calls on files of the simulated machine. */
#include "os/sim/sim_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

typedef enum lock_state { UNLOCKED, LOCKED_SHARED, LOCKED_EXCLUSIVE } lock_state;

typedef struct sim_handle {
    os_file file;
    sim_inode *inode; /* a reference */
    bool writable;
    lock_state lock;
} sim_handle;

static sim_handle *handle_of(os_file *f)
{
    return (sim_handle *)f;
}

sim_inode *sim_file_inode(const os_file *f)
{
    return ((const sim_handle *)f)->inode;
}

static sim_inode *inode_of(os_file *f)
{
    return handle_of(f)->inode;
}

static bool open_changes_disk(sim *s, sim_dir *d, const char *name, unsigned flags)
{
    pthread_mutex_lock(&s->mutex);
    sim_inode *n = sim_entries_find(&d->current, name);
    bool changes = n ? (flags & OS_TRUNCATE) && !(flags & OS_EXCLUSIVE) : (flags & OS_CREATE) != 0;
    pthread_mutex_unlock(&s->mutex);
    return changes;
}

/* Finds the file to open, creating or truncating it as the flags say. *out gets a reference. */
static int find_or_create(sim *s, sim_dir *d, const char *name, unsigned flags, sim_inode **out)
{
    sim_inode *n = sim_entries_find(&d->current, name);
    if (sim_dir_child(s, d, name)) return -EISDIR;
    if (!n && (!(flags & OS_CREATE) || d->removed)) return -ENOENT;
    if (n && (flags & OS_EXCLUSIVE)) return -EEXIST;
    if (n) {
        if (flags & OS_TRUNCATE) sim_inode_truncate(n, 0);
        *out = sim_inode_ref(n);
        return 0;
    }
    n = sim_inode_create(s, s->next_number++);
    sim_dir_link(s, d, name, n);
    *out = n;
    return 0;
}

int sim_file_open(os_dir *dir, const char *name, unsigned flags, os_file **out)
{
    sim *s = sim_of(dir->os);
    sim_dir *d = sim_dir_of(dir);
    sim_handle *h = mem_alloc_zero(1, sizeof *h);
    if (!h) return -ENOMEM;
    int fault = sim_enter(s, SIM_OPEN, open_changes_disk(s, d, name, flags));
    if (!fault && s->read_only && (flags & OS_WRITE)) fault = EROFS;
    int rc = fault ? -fault : sim_handle_check(s);
    if (rc == 0) rc = find_or_create(s, d, name, flags, &h->inode);
    if (rc == 0) {
        h->writable = flags & OS_WRITE;
        h->inode->handles++;
        s->handles++;
        *out = &h->file;
    }
    sim_leave(s);
    if (rc != 0) mem_free(h);
    return rc;
}

static void unlock(sim_handle *h)
{
    if (h->lock == LOCKED_SHARED) h->inode->locks_shared--;
    if (h->lock == LOCKED_EXCLUSIVE) h->inode->locked_exclusive = false;
    h->lock = UNLOCKED;
}

void sim_file_close(os_file *f)
{
    sim *s = sim_of(f->os);
    sim_handle *h = handle_of(f);
    pthread_mutex_lock(&s->mutex);
    unlock(h);
    h->inode->handles--;
    s->handles--;
    sim_inode_unref(s, h->inode);
    pthread_mutex_unlock(&s->mutex);
    mem_free(h);
}

/* Returns the size of a short transfer: something, but not everything. */
static size_t short_of(sim *s, size_t size)
{
    return size > 1 ? 1 + (size_t)rng_below(&s->pace, size - 1) : size;
}

ssize_t sim_file_read(os_file *f, uint64_t offset, void *buffer, size_t size)
{
    sim *s = sim_of(f->os);
    int fault = sim_enter(s, SIM_READ, false);
    ssize_t rc = -fault;
    if (fault == SIM_SHORT) size = short_of(s, size);
    if (fault == 0 || fault == SIM_SHORT) {
        rc = (ssize_t)sim_bytes_read(&inode_of(f)->current, offset, buffer, size);
    }
    sim_leave(s);
    return rc;
}

uint64_t sim_free_bytes(const sim *s)
{
    if (s->disk_bytes_max == 0) return SIM_FILE_SIZE_MAX;
    uint64_t used = 0;
    for (const sim_inode *n = s->inodes; n; n = n->next) {
        if (n->linked || n->handles > 0) used += n->current.size;
    }
    return used < s->disk_bytes_max ? s->disk_bytes_max - used : 0;
}

/* Whether there is space for the file to become `size` bytes long: 0 or a negative errno. */
static int room_for(const sim *s, const sim_inode *n, uint64_t size)
{
    if (size > SIM_FILE_SIZE_MAX) return -EFBIG;
    if (size <= n->current.size) return 0;
    return size - n->current.size <= sim_free_bytes(s) ? 0 : -ENOSPC;
}

/* Writes as much as there is space for. */
static ssize_t write_some(sim *s, sim_inode *n, uint64_t offset, const void *data, size_t size)
{
    if (offset > SIM_FILE_SIZE_MAX || size > SIM_FILE_SIZE_MAX - offset) return -EFBIG;
    if (room_for(s, n, offset + size) != 0) {
        uint64_t end_max = n->current.size + sim_free_bytes(s);
        if (offset >= end_max) return -ENOSPC;
        size = (size_t)(end_max - offset);
    }
    sim_inode_write(n, offset, data, size);
    return (ssize_t)size;
}

/* A failed write may still have written a part. */
static void fail_write(sim *s, sim_inode *n, uint64_t offset, const void *data, size_t size)
{
    if (size > 0 && rng_chance(&s->pace, 2)) {
        (void)write_some(s, n, offset, data, (size_t)rng_below(&s->pace, size));
    }
}

ssize_t sim_file_write(os_file *f, uint64_t offset, const void *data, size_t size)
{
    sim *s = sim_of(f->os);
    sim_inode *n = inode_of(f);
    if (!handle_of(f)->writable) return -EBADF;
    int fault = sim_enter(s, SIM_WRITE, true);
    ssize_t rc = -fault;
    if (fault == SIM_SHORT) size = short_of(s, size);
    if (fault == 0 || fault == SIM_SHORT) {
        rc = write_some(s, n, offset, data, size);
    } else if (fault != EINTR) {
        fail_write(s, n, offset, data, size);
    }
    sim_leave(s);
    return rc;
}

int sim_file_sync(os_file *f)
{
    sim *s = sim_of(f->os);
    int fault = sim_enter(s, SIM_SYNC, true);
    if (fault == 0) {
        sim_inode_sync(inode_of(f));
    } else if (fault != EINTR) {
        sim_inode_fail_sync(inode_of(f));
    }
    sim_leave(s);
    return -fault;
}

/* Nothing to do: pending writes may reach the disk at any time anyway. */
void sim_file_push(os_file *f, uint64_t offset, uint64_t size)
{
}

int sim_file_size(os_file *f, uint64_t *size)
{
    sim *s = sim_of(f->os);
    int fault = sim_enter(s, SIM_LIST, false);
    if (fault == 0) *size = inode_of(f)->current.size;
    sim_leave(s);
    return -fault;
}

int sim_file_truncate(os_file *f, uint64_t size)
{
    sim *s = sim_of(f->os);
    if (!handle_of(f)->writable) return -EINVAL;
    int rc = -sim_enter(s, SIM_TRUNCATE, true);
    if (rc == 0) rc = room_for(s, inode_of(f), size);
    if (rc == 0) sim_inode_truncate(inode_of(f), size);
    sim_leave(s);
    return rc;
}

int sim_file_allocate(os_file *f, uint64_t size)
{
    sim *s = sim_of(f->os);
    if (!handle_of(f)->writable) return -EBADF;
    int rc = -sim_enter(s, SIM_ALLOCATE, true);
    if (rc == 0) rc = room_for(s, inode_of(f), size);
    if (rc == 0) sim_inode_allocate(inode_of(f), size);
    sim_leave(s);
    return rc;
}

void sim_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size)
{
}

static sim_mapping *mapping_create(sim_inode *n, uint64_t offset, size_t size)
{
    sim_mapping *v = sim_alloc(sizeof *v);
    v->offset = offset;
    v->size = size;
    v->bytes = sim_alloc(size);
    sim_bytes_read(&n->current, offset, v->bytes, size);
    v->next = n->mappings;
    n->mappings = v;
    return v;
}

int sim_file_map(os_file *f, uint64_t offset, size_t size, os_map *out)
{
    sim *s = sim_of(f->os);
    if (!handle_of(f)->writable) return -EACCES;
    if (size == 0 || offset % SIM_PAGE_SIZE != 0) return -EINVAL;
    int rc = -sim_enter(s, SIM_MAP, false);
    const sim_bytes *current = &inode_of(f)->current;
    if (rc == 0 && (offset > current->size || size > current->size - offset)) rc = -EFAULT;
    if (rc == 0) out->bytes = mapping_create(inode_of(f), offset, size)->bytes;
    sim_leave(s);
    return rc;
}

static void store(os_map *m, size_t at, const uint8_t *data, size_t size)
{
    sim *s = sim_of(m->file->os);
    (void)sim_enter(s, SIM_STORE, true); /* never fails a store */
    sim_inode_write(inode_of(m->file), m->offset + at, data, size);
    sim_leave(s);
}

/* A process may be killed in the middle of a store, so some stores are made in two parts, each with a call of
 * the hook. */
void sim_map_store(os_map *m, size_t at, const void *data, size_t size)
{
    sim *s = sim_of(m->file->os);
    pthread_mutex_lock(&s->mutex);
    size_t first = rng_chance(&s->pace, 2) ? short_of(s, size) : size;
    pthread_mutex_unlock(&s->mutex);
    store(m, at, data, first);
    if (first < size) store(m, at + first, (const uint8_t *)data + first, size - first);
}

/* Whether the map still shows the file. If not, a store has bypassed os_map_store(). */
static bool map_shows_file(const sim_inode *n, const sim_mapping *v)
{
    uint8_t page[SIM_PAGE_SIZE];
    for (size_t at = 0, size; at < v->size; at += size) {
        size = v->size - at < sizeof page ? v->size - at : sizeof page;
        memset(page, 0, sizeof page);
        sim_bytes_read(&n->current, v->offset + at, page, size);
        if (memcmp(page, v->bytes + at, size) != 0) return false;
    }
    return true;
}

void sim_file_unmap(os_map *m)
{
    sim *s = sim_of(m->file->os);
    pthread_mutex_lock(&s->mutex);
    sim_inode *n = inode_of(m->file);
    sim_mapping **at = &n->mappings;
    while ((*at)->bytes != m->bytes)
        at = &(*at)->next;
    sim_mapping *v = *at;
    assert(map_shows_file(n, v));
    (void)map_shows_file;
    *at = v->next;
    pthread_mutex_unlock(&s->mutex);
    free(v->bytes);
    free(v);
}

int sim_file_lock(os_file *f, bool exclusive)
{
    sim *s = sim_of(f->os);
    sim_handle *h = handle_of(f);
    assert(h->lock == UNLOCKED);
    int rc = -sim_enter(s, SIM_OPEN, false);
    sim_inode *n = h->inode;
    if (rc == 0 && exclusive && !h->writable) rc = -EBADF;
    if (rc == 0 && (n->locked_exclusive || (exclusive && n->locks_shared > 0))) rc = -EBUSY;
    if (rc == 0) {
        h->lock = exclusive ? LOCKED_EXCLUSIVE : LOCKED_SHARED;
        if (exclusive) {
            n->locked_exclusive = true;
        } else {
            n->locks_shared++;
        }
    }
    sim_leave(s);
    return rc;
}

int sim_file_is_linked(os_file *f, bool *linked)
{
    sim *s = sim_of(f->os);
    int rc = -sim_enter(s, SIM_LIST, false);
    if (rc == 0) *linked = handle_of(f)->inode->linked;
    sim_leave(s);
    return rc;
}

void sim_file_unlock(os_file *f)
{
    sim *s = sim_of(f->os);
    pthread_mutex_lock(&s->mutex);
    unlock(handle_of(f));
    pthread_mutex_unlock(&s->mutex);
}
