/* posix_map.c -- maps for writing, where a store cannot fault.
 *
 * A file system that writes to a new place each time (btrfs, ZFS, overlays of them) may find no space for a
 * page that was allocated long ago, and then a store dies with SIGBUS. So maps are only provided on file
 * systems that rewrite in place, and every page is made writable before the caller sees it.
 */
#include "os/posix/posix.h"

#include <assert.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static bool rewrites_in_place(int fd)
{
    struct statfs st;
    if (fstatfs(fd, &st) != 0) return false;
    switch ((uint32_t)st.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
        return true;
    default:
        return false;
    }
}

int posix_file_map(os_file *f, uint64_t offset, size_t size, os_map *out)
{
    int fd = ((posix_file *)f)->fd;
    if (!rewrites_in_place(fd)) return -EOPNOTSUPP;
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (bytes == MAP_FAILED) return -errno;
    if (madvise(bytes, size, MADV_POPULATE_WRITE) != 0) {
        /* EINVAL: the kernel cannot promise it. EFAULT: a store would have raised SIGBUS, for lack of space
         * or past the end of the file. */
        int rc = errno == EINVAL ? -EOPNOTSUPP : -errno;
        munmap(bytes, size);
        return rc;
    }
    out->bytes = bytes;
    return 0;
}

void posix_map_store(os_map *m, size_t at, const void *data, size_t size)
{
    memcpy(m->bytes + at, data, size);
}

void posix_file_unmap(os_map *m)
{
    int rc = munmap(m->bytes, m->size);
    assert(rc == 0);
    (void)rc;
}
