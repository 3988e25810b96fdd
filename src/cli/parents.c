/* parents.c -- see parents.h. */
#include "parents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/byte_buffer.h"

/* Returns the length of the path without its last component and the slashes before it. */
static size_t parent_length(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return length;
}

static char *copy(const char *path, size_t length)
{
    char *out = allocate_or_exit(length + 1, 1);
    memcpy(out, path, length);
    return out;
}

static bool sync_directory(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return false;
    bool done = fsync(descriptor) == 0;
    int failure = errno;
    close(descriptor);
    errno = failure;
    return done;
}

/* Syncs the directory that contains the entry of path[0, length). */
static bool sync_parent(const char *path, size_t length)
{
    size_t above = parent_length(path, length);
    char *parent = above ? copy(path, above) : copy(".", 1);
    bool done = sync_directory(parent);
    free(parent);
    return done;
}

/* Creates the directory path[0, length), which may exist already. */
static bool make_directory(parents *p, size_t length)
{
    char *path = copy(p->path, length);
    bool made = mkdir(path, 0777) == 0;
    bool good = made || errno == EEXIST;
    if (made) {
        if (p->highest == 0) p->highest = length;
        p->lowest = length;
        good = sync_parent(path, length);
    }
    free(path);
    return good;
}

char *parents_make(parents *p, const char *directory)
{
    size_t last = parent_length(directory, strlen(directory));
    *p = (parents){NULL, 0, 0};
    if (last == 0) return NULL;
    p->path = copy(directory, last);
    struct stat info;
    /* The usual case. If it is not a directory, the library says so. */
    if (stat(p->path, &info) == 0) return NULL;
    for (size_t length = 0; length < last;) {
        length += strspn(p->path + length, "/");
        length += strcspn(p->path + length, "/"); /* now at the end of the next component */
        if (make_directory(p, length)) continue;
        int failure = errno;
        char *stopped = copy(p->path, length);
        parents_remove(p);
        parents_deinit(p);
        errno = failure;
        return stopped;
    }
    return NULL;
}

void parents_remove(parents *p)
{
    if (p->highest == 0) return;
    for (size_t length = p->lowest; length >= p->highest; length = parent_length(p->path, length)) {
        p->path[length] = '\0';
        if (rmdir(p->path) != 0) break;
    }
    p->highest = 0;
}

void parents_deinit(parents *p)
{
    free(p->path);
    *p = (parents){NULL, 0, 0};
}
