/* os_dir.c -- directory functions of os.h: check names, retry interruptions, set messages. */
#include "os/os_ops.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <errno.h>

int os_names_add(os_names *n, const char *name)
{
    if (!mem_grow((void **)&n->bytes, &n->capacity, n->count + 1, OS_NAME_MAX)) return -ENOMEM;
    char *to = n->bytes + n->count++ * OS_NAME_MAX;
    size_t length = strnlen(name, OS_NAME_MAX - 1);
    memcpy(to, name, length);
    to[length] = '\0';
    return 0;
}

static holt_status check_name(const char *name)
{
    size_t length = strlen(name);
    if (length > 0 && length < OS_NAME_MAX && !strchr(name, '/')) return HOLT_OK;
    return status_set(HOLT_INVALID, "\"%.80s\" is not a valid file name: 1 to %d bytes without a slash", name,
                      OS_NAME_MAX - 1);
}

holt_status os_dir_open(os *o, const char *path, os_dir **out)
{
    *out = NULL;
    char *path_copy = mem_copy_string(path);
    if (!path_copy) return status_no_memory(strlen(path) + 1);

    os_dir *d = NULL;
    int rc;
    unsigned tries = 0;
    do
        rc = o->ops->dir_open(o, path, &d);
    while (rc == -EINTR || os_reclaim(o, rc, &tries));
    if (rc == 0) {
        d->os = o;
        d->path = path_copy;
        *out = d;
        return HOLT_OK;
    }
    mem_free(path_copy);
    if (rc == -ENOENT) return status_set(HOLT_NOT_FOUND, "%s: there is no such directory", path);
    if (rc == -ENOTDIR) return status_set(HOLT_INVALID, "%s: not a directory", path);
    return status_set_errno(-rc, path, HOLT_NO_OFFSET, "opening the directory");
}

static holt_status no_parent(const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size == 0) return status_set(HOLT_NOT_FOUND, "%s: the working directory was removed", path);
    return status_set(HOLT_NOT_FOUND,
                      "%s: cannot be created, because the directory %.*s does not exist; create it first",
                      path, (int)size, path);
}

holt_status os_dir_create(os *o, const char *path)
{
    int rc;
    unsigned tries = 0;
    do
        rc = o->ops->dir_create(o, path);
    while (rc == -EINTR || os_reclaim(o, rc, &tries));
    if (rc == 0) return HOLT_OK;
    if (rc == -EEXIST) return status_set(HOLT_EXISTS, "%s: already exists", path);
    if (rc == -ENOENT) return no_parent(path);
    return status_set_errno(-rc, path, HOLT_NO_OFFSET, "creating the directory");
}

/* Errors after which the directory is unchanged; it may be left in place. */
static bool may_stay(int rc)
{
    return rc == -ENOTEMPTY || rc == -EEXIST || rc == -ENOTDIR || rc == -EBUSY || rc == -EINVAL ||
           rc == -EACCES || rc == -EPERM || rc == -EROFS;
}

holt_status os_dir_remove(os *o, const char *path, bool *removed)
{
    int rc;
    do
        rc = o->ops->dir_remove(o, path);
    while (rc == -EINTR);
    *removed = rc == 0;
    if (rc == 0 || may_stay(rc)) return HOLT_OK;
    if (rc == -ENOENT) return HOLT_NOT_FOUND;
    return status_set_errno(-rc, path, HOLT_NO_OFFSET, "removing the directory");
}

void os_dir_close(os_dir *d)
{
    if (!d) return;
    mem_free(d->path);
    d->path = NULL;
    d->os->ops->dir_close(d);
}

holt_status os_dir_sync(os_dir *d)
{
    int rc;
    uint64_t began = os_clock_ns(d->os);
    do
        rc = d->os->ops->dir_sync(d);
    while (rc == -EINTR);
    os_count_sync(d->os, began);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, d->path, HOLT_NO_OFFSET, "syncing the directory");
}

/* Collects the names first, because `each` may use the directory, and sim must hold no lock while it runs. */
holt_status os_dir_list(os_dir *d, holt_status (*each)(void *ctx, const char *name), void *ctx)
{
    os_names names = {NULL, 0, 0};
    int rc;
    unsigned tries = 0;
    do {
        names.count = 0;
        rc = d->os->ops->dir_list(d, &names);
    } while (rc == -EINTR || os_reclaim(d->os, rc, &tries));

    holt_status status = HOLT_OK;
    if (rc != 0) status = status_set_errno(-rc, d->path, HOLT_NO_OFFSET, "listing the directory");
    for (size_t i = 0; status == HOLT_OK && i < names.count; i++)
        status = each(ctx, names.bytes + i * OS_NAME_MAX);
    mem_free(names.bytes);
    return status;
}

holt_status os_dir_stat(os_dir *d, const char *name, bool *exists, uint64_t *size)
{
    *exists = false;
    *size = 0;
    holt_status status = check_name(name);
    if (status != HOLT_OK) return status;
    int rc;
    do
        rc = d->os->ops->dir_stat(d, name, size);
    while (rc == -EINTR);
    *exists = rc == 0;
    if (rc == 0 || rc == -ENOENT) return HOLT_OK;
    return status_set_errno(-rc, name, HOLT_NO_OFFSET, "stat");
}

static holt_status no_such_file(const char *name)
{
    return status_set_file(HOLT_NOT_FOUND, name, HOLT_NO_OFFSET, "there is no such file");
}

holt_status os_dir_unlink(os_dir *d, const char *name)
{
    holt_status status = check_name(name);
    if (status != HOLT_OK) return status;
    int rc;
    do
        rc = d->os->ops->dir_unlink(d, name);
    while (rc == -EINTR);
    if (rc == 0) return HOLT_OK;
    if (rc == -ENOENT) return no_such_file(name);
    return status_set_errno(-rc, name, HOLT_NO_OFFSET, "unlink");
}

void os_dir_discard(os_dir *d, const char *name)
{
    status_aside aside;
    status_put_aside(&aside);
    (void)os_dir_unlink(d, name);
    status_put_back(&aside);
}

holt_status os_dir_rename(os_dir *d, const char *from, const char *to)
{
    holt_status status = check_name(from);
    if (status == HOLT_OK) status = check_name(to);
    if (status != HOLT_OK) return status;
    int rc;
    do
        rc = d->os->ops->dir_rename(d, from, to);
    while (rc == -EINTR);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, from, HOLT_NO_OFFSET, "rename to %s", to);
}

os *os_dir_os(const os_dir *d)
{
    return d->os;
}

const char *os_dir_path(const os_dir *d)
{
    return d->path;
}

void os_dir_identity(const os_dir *d, uint64_t identity[2])
{
    d->os->ops->dir_identity(d, identity);
}

holt_status os_dir_free_bytes(os_dir *d, uint64_t *bytes)
{
    *bytes = 0;
    int rc;
    do
        rc = d->os->ops->dir_free_bytes(d, bytes);
    while (rc == -EINTR);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, d->path, HOLT_NO_OFFSET, "querying the free space");
}

os_dir_fate os_dir_get_fate(os_dir *d)
{
    return d->os->ops->dir_fate(d);
}

bool os_dir_holds(os_dir *d, const char *name, const os_file *f)
{
    int rc;
    do
        rc = d->os->ops->dir_holds(d, name, f);
    while (rc == -EINTR);
    return rc != 0;
}

holt_status os_file_open(os_dir *d, const char *name, unsigned flags, os_file **out)
{
    *out = NULL;
    assert(flags & (OS_READ | OS_WRITE));
    assert((flags & OS_CREATE) || !(flags & OS_EXCLUSIVE));
    assert((flags & OS_WRITE) || !(flags & OS_TRUNCATE));
    holt_status status = check_name(name);
    if (status != HOLT_OK) return status;

    os_file *f = NULL;
    int rc;
    unsigned tries = 0;
    do
        rc = d->os->ops->file_open(d, name, flags, &f);
    while (rc == -EINTR || os_reclaim(d->os, rc, &tries));
    if (rc == 0) {
        f->os = d->os;
        memcpy(f->name, name, strlen(name) + 1);
        *out = f;
        return HOLT_OK;
    }
    if (rc == -ENOENT && !(flags & OS_CREATE)) return no_such_file(name);
    if (rc == -EEXIST) return status_set_file(HOLT_EXISTS, name, HOLT_NO_OFFSET, "already exists");
    return status_set_errno(-rc, name, HOLT_NO_OFFSET, "open");
}
