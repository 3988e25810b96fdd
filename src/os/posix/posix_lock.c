/* posix_lock.c -- whole-file locks: OFD locks against other processes, a list of our own against this one.
 *
 * An OFD lock belongs to the open file, which a forked child shares: the parent's lock would live as long as
 * any child. So in the fork the child closes the descriptors of the files that its parent had locked, and
 * begins with an empty list. Closing never releases the parent's lock; only unlocking would, and the child
 * has nothing to unlock.
 */
#include "os/posix/posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static os_mutex list_mutex = OS_MUTEX_INITIALIZER(LOCK_RANK_OPEN_TABLE);
static posix_file *locked_files; /* list_mutex */

static bool conflicts(const posix_file *a, const posix_file *b)
{
    return a->device == b->device && a->inode == b->inode && (a->exclusive || b->exclusive);
}

static int set_lock(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET}; /* from 0 to the end, wherever that is */
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

static int lock_and_list(posix_file *f)
{
    for (const posix_file *other = locked_files; other; other = other->next_locked) {
        if (conflicts(f, other)) return -EBUSY;
    }
    int rc = set_lock(f->fd, f->exclusive ? F_WRLCK : F_RDLCK);
    if (rc != 0) return rc;
    f->locked = true;
    f->next_locked = locked_files;
    locked_files = f;
    return 0;
}

int posix_file_lock(os_file *file, bool exclusive)
{
    posix_file *f = (posix_file *)file;
    assert(!f->locked);
    struct stat st;
    if (fstat(f->fd, &st) != 0) return -errno;
    os_mutex_lock(&list_mutex);
    f->device = st.st_dev;
    f->inode = st.st_ino;
    f->exclusive = exclusive;
    int rc = lock_and_list(f);
    os_mutex_unlock(&list_mutex);
    return rc;
}

void posix_file_unlock(os_file *file)
{
    posix_file *f = (posix_file *)file;
    if (!f->locked) return; /* only the owner of the file and a fork change this */
    os_mutex_lock(&list_mutex);
    posix_file **at = &locked_files;
    while (*at != f)
        at = &(*at)->next_locked;
    *at = f->next_locked;
    f->locked = false;
    (void)set_lock(f->fd, F_UNLCK); /* cannot fail on our own descriptor */
    os_mutex_unlock(&list_mutex);
}

int posix_file_is_linked(os_file *file, bool *linked)
{
    struct stat st;
    if (fstat(((posix_file *)file)->fd, &st) != 0) return -errno;
    *linked = st.st_nlink > 0;
    return 0;
}

/* Not os_mutex_lock(), which asserts the lock order: the forking thread may hold mutexes. This cannot
 * deadlock, because a thread that holds this mutex waits for no other. */
void posix_lock_before_fork(void)
{
    pthread_mutex_lock(&list_mutex.mutex);
}

void posix_lock_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&list_mutex.mutex);
}

void posix_lock_after_fork_in_child(void)
{
    while (locked_files) {
        posix_file *f = locked_files;
        locked_files = f->next_locked;
        close(f->fd);
        f->fd = -1;
        f->locked = false;
    }
    pthread_mutex_unlock(&list_mutex.mutex);
}
