/* posix_dir.c -- directories by descriptor: the path is resolved once, and may change while it is open. */
#include "os/posix/posix.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int fd_of(const os_dir *d)
{
    return ((const posix_dir *)d)->fd;
}

static int result(int rc)
{
    return rc == 0 ? 0 : -errno;
}

int posix_dir_open(os *o, const char *path, os_dir **out)
{
    posix_dir *d = mem_alloc_zero(1, sizeof *d);
    if (!d) return -ENOMEM;
    int rc = 0;
    struct stat st;
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0 || fstat(d->fd, &st) != 0) {
        rc = -errno;
        posix_dir_close(&d->dir);
        return rc;
    }
    d->device = st.st_dev;
    d->inode = st.st_ino;
    char full[PATH_MAX];
    if (realpath(path, full)) d->full_path = mem_copy_string(full);
    *out = &d->dir;
    return 0;
}

void posix_dir_close(os_dir *d)
{
    if (fd_of(d) >= 0) close(fd_of(d));
    mem_free(((posix_dir *)d)->full_path);
    mem_free(d);
}

/* Some file systems return EINVAL because they cannot sync directories: their entries need no sync. */
static int sync_fd(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
}

int posix_dir_sync(os_dir *d)
{
    return sync_fd(fd_of(d));
}

/* Returns the parent directory of `path` as a new string: of "a" it is ".", of "/a/" it is "/". */
static char *parent_of(const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size == 0) return mem_copy_string(".");
    char *parent = mem_alloc(size + 1);
    if (!parent) return NULL;
    memcpy(parent, path, size);
    parent[size] = '\0';
    return parent;
}

/* Returns a descriptor of the parent directory of `path`, or a negative errno. */
static int open_parent(const char *path)
{
    char *parent = parent_of(path);
    if (!parent) return -ENOMEM;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 ? fd : -errno;
    mem_free(parent);
    return rc;
}

static int sync_and_close(int fd)
{
    int rc;
    do
        rc = sync_fd(fd);
    while (rc == -EINTR);
    close(fd);
    return rc;
}

int posix_dir_create(os *o, const char *path)
{
    int fd = open_parent(path);
    if (fd < 0) return fd;
    int rc = result(mkdir(path, 0777)); /* reduced by the user's umask */
    if (rc != 0) {
        close(fd);
        return rc;
    }
    rc = sync_and_close(fd);
    if (rc != 0) (void)rmdir(path); /* all or nothing, as far as a failing disk allows */
    return rc;
}

int posix_dir_remove(os *o, const char *path)
{
    int fd = open_parent(path);
    if (fd < 0) return fd;
    int rc = result(rmdir(path));
    if (rc == 0) return sync_and_close(fd);
    close(fd);
    return rc;
}

int posix_dir_list(os_dir *d, os_names *names)
{
    int fd = openat(fd_of(d), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a separate read position */
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (!entry) {
            rc = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        rc = os_names_add(names, entry->d_name);
    }
    closedir(stream);
    return rc;
}

int posix_dir_stat(os_dir *d, const char *name, uint64_t *size)
{
    struct stat st;
    if (fstatat(fd_of(d), name, &st, 0) != 0) return -errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

int posix_dir_unlink(os_dir *d, const char *name)
{
    return result(unlinkat(fd_of(d), name, 0));
}

int posix_dir_rename(os_dir *d, const char *from, const char *to)
{
    return result(renameat(fd_of(d), from, fd_of(d), to));
}

void posix_dir_identity(const os_dir *d, uint64_t identity[2])
{
    const posix_dir *p = (const posix_dir *)d;
    identity[0] = p->device;
    identity[1] = p->inode;
}

int posix_dir_free_bytes(os_dir *d, uint64_t *bytes)
{
    struct statvfs st;
    if (fstatvfs(fd_of(d), &st) != 0) return -errno;
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

/* Some file systems do not count links, so a directory counts as removed only if its path does not lead to it
 * either. The path is used for this alone: it may validly be out of date after a move, or out of reach after
 * a chroot. */
os_dir_fate posix_dir_fate(os_dir *d)
{
    const posix_dir *p = (const posix_dir *)d;
    struct stat now, at_path;
    struct statvfs system;
    bool known = p->full_path && stat(p->full_path, &at_path) == 0;
    bool in_place = known && at_path.st_dev == p->device && at_path.st_ino == p->inode;
    if (!in_place && fstat(p->fd, &now) == 0 && now.st_nlink == 0) return OS_DIR_REMOVED;
    if (known && !in_place) return OS_DIR_REPLACED;
    if (fstatvfs(p->fd, &system) == 0 && (system.f_flag & ST_RDONLY)) return OS_DIR_READ_ONLY;
    return OS_DIR_IN_PLACE;
}

int posix_dir_holds(os_dir *d, const char *name, const os_file *f)
{
    struct stat named, opened;
    if (fstat(((const posix_file *)f)->fd, &opened) != 0) return -errno;
    if (fstatat(fd_of(d), name, &named, 0) != 0) return errno == ENOENT ? 0 : -errno;
    return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}
