/* posix_file.c -- files: one system call per function.
 *
 * os_file_sync() is fdatasync, which on Linux also flushes the disk's cache. Where it does not (macOS),
 * F_FULLFSYNC belongs in posix_file_sync(), and nothing above changes.
 */
#include "os/posix/posix.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd_of(const os_file *f)
{
    return ((const posix_file *)f)->fd;
}

static int result(int rc)
{
    return rc == 0 ? 0 : -errno;
}

int posix_file_open(os_dir *d, const char *name, unsigned flags, os_file **out)
{
    posix_file *f = mem_alloc_zero(1, sizeof *f);
    if (!f) return -ENOMEM;
    int how = O_CLOEXEC | ((flags & OS_WRITE) ? O_RDWR : O_RDONLY);
    if (flags & OS_CREATE) how |= O_CREAT;
    if (flags & OS_EXCLUSIVE) how |= O_EXCL;
    if (flags & OS_TRUNCATE) how |= O_TRUNC;
    f->fd = openat(((posix_dir *)d)->fd, name, how, 0666); /* reduced by the user's umask */
    if (f->fd < 0) {
        int rc = -errno;
        mem_free(f);
        return rc;
    }
    *out = &f->file;
    return 0;
}

void posix_file_close(os_file *f)
{
    posix_file_unlock(f);
    if (fd_of(f) >= 0) close(fd_of(f));
    mem_free(f);
}

uint64_t posix_descriptors_max(os *o)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
}

ssize_t posix_file_read(os_file *f, uint64_t offset, void *buffer, size_t size)
{
    ssize_t n = pread(fd_of(f), buffer, size, (off_t)offset);
    return n >= 0 ? n : -errno;
}

ssize_t posix_file_write(os_file *f, uint64_t offset, const void *data, size_t size)
{
    ssize_t n = pwrite(fd_of(f), data, size, (off_t)offset);
    return n >= 0 ? n : -errno;
}

int posix_file_sync(os_file *f)
{
    return result(fdatasync(fd_of(f)));
}

void posix_file_push(os_file *f, uint64_t offset, uint64_t size)
{
    /* A hint: if it fails, the sync that follows has more to do and reports what went wrong. */
    (void)sync_file_range(fd_of(f), (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

int posix_file_size(os_file *f, uint64_t *size)
{
    struct stat st;
    if (fstat(fd_of(f), &st) != 0) return -errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

int posix_file_truncate(os_file *f, uint64_t size)
{
    return result(ftruncate(fd_of(f), (off_t)size));
}

int posix_file_allocate(os_file *f, uint64_t size)
{
    uint64_t before = 0;
    int rc = posix_file_size(f, &before);
    if (rc != 0) return rc;
    rc = result(fallocate(fd_of(f), 0, 0, (off_t)size));
    if (rc == -EOPNOTSUPP) return before < size ? posix_file_truncate(f, size) : 0;
    /* When the disk is full, ext4 keeps what it could allocate, and its size grows by that. */
    if (rc != 0 && before < size) (void)ftruncate(fd_of(f), (off_t)before);
    return rc;
}

void posix_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size)
{
    static const int advices[] = {
        [OS_ADVICE_RANDOM] = POSIX_FADV_RANDOM,
        [OS_ADVICE_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
        [OS_ADVICE_WILL_NEED] = POSIX_FADV_WILLNEED,
        [OS_ADVICE_DONT_NEED] = POSIX_FADV_DONTNEED,
    };
    (void)posix_fadvise(fd_of(f), (off_t)offset, (off_t)size, advices[advice]); /* a hint */
}
