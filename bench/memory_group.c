/* memory_group.c -- memory cgroups of versions 1 and 2. Their files are described in the kernel's
 * Documentation/admin-guide, cgroup-v2.rst and cgroup-v1/memory.rst. */
#include "memory_group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REMOVE_TRIES = 100, REMOVE_PAUSE_MS = 10 };

/* Where memory is counted, and the group we are in: "/", or the path of a directory below the mount. */
struct hierarchy {
    bool v2;
    char mount[PATH_MAX], own[PATH_MAX];
};

static void print_error(const char *what, const char *path, int error)
{
    fprintf(stderr,
            "compare: --memory-limit: %s %s: %s\n"
            "This needs permission to create memory cgroups: run as root, or under 'systemd-run --user "
            "--scope'; see docs/BENCHMARKING.md\n",
            what, path, strerror(error));
}

/* ---------------------------------------------------------------- where */

static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        if (strcspn(list, ",") == size && memcmp(list, word, size) == 0) return true;
    }
    return false;
}

/* Lines are number:controllers:path; version 2 has the number 0 and no controllers. Where both are
 * mounted, version 1 may own the memory controller. */
static bool find_own(struct hierarchy *h)
{
    char line[PATH_MAX + 256];
    bool found = false, v1 = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !v1 && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        line[strcspn(line, "\n")] = 0;
        *controllers++ = *path++ = 0;
        v1 = has_word(controllers, "memory");
        if (!v1 && strcmp(line, "0") != 0) continue;
        h->v2 = !v1;
        snprintf(h->own, sizeof h->own, "%s", path);
        found = true;
    }
    if (file) fclose(file);
    return found;
}

static bool find_mount(struct hierarchy *h)
{
    struct mntent *m;
    bool found = false;
    FILE *file = setmntent("/proc/self/mounts", "re");
    while (file && !found && (m = getmntent(file))) {
        found = h->v2 ? strcmp(m->mnt_type, "cgroup2") == 0
                      : strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, "memory");
        if (found) snprintf(h->mount, sizeof h->mount, "%s", m->mnt_dir);
    }
    if (file) endmntent(file);
    return found;
}

/* ---------------------------------------------------------------- files of a group */

static const char *limit_file(bool v2)
{
    return v2 ? "memory.max" : "memory.limit_in_bytes";
}

static bool write_text(const char *group, const char *name, const char *text)
{
    char path[2 * PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    close(file);
    errno = error;
    return written;
}

/* Creates a directory there, whose memory can be limited. false: errno says why not. */
static bool create_in(memory_group *g, const char *parent, const char *name)
{
    char file[sizeof g->path + 64];
    int size = snprintf(g->path, sizeof g->path, "%s/holt-compare-%d-%s", parent, (int)getpid(), name);
    if (size >= (int)sizeof g->path) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (mkdir(g->path, 0755) != 0) return false;
    snprintf(file, sizeof file, "%s/%s", g->path, limit_file(g->v2));
    if (access(file, W_OK) == 0) return true;
    (void)rmdir(g->path); /* empty, and just created */
    errno = EOPNOTSUPP;
    return false;
}

static bool create_group(memory_group *g, const struct hierarchy *h, const char *name)
{
    char parent[2 * PATH_MAX];
    snprintf(parent, sizeof parent, "%s%s", h->mount, strcmp(h->own, "/") == 0 ? "" : h->own);
    if (access(parent, F_OK) != 0)
        snprintf(parent, sizeof parent, "%s", h->mount); /* mounted from there on */
    g->v2 = h->v2;
    /* Fails where the group has processes and is not the root: then a group inside it cannot be limited,
     * but one beside it can. */
    if (h->v2) (void)write_text(parent, "cgroup.subtree_control", "+memory");
    if (create_in(g, parent, name)) return true;
    if (!h->v2 || strcmp(parent, h->mount) == 0) return false;
    *strrchr(parent, '/') = 0;
    return create_in(g, parent, name);
}

/* ---------------------------------------------------------------- public functions */

static bool limit(const memory_group *g, uint64_t limit_bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, limit_bytes);
    if (!write_text(g->path, limit_file(g->v2), text)) return false;
    /* The file is missing where the kernel was told not to count swap. */
    (void)write_text(g->path, g->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", g->v2 ? "0" : text);
    return true;
}

bool memory_group_create(memory_group *g, const char *name, uint64_t limit_bytes)
{
    struct hierarchy h;
    memset(&h, 0, sizeof h);
    if (!find_own(&h) || !find_mount(&h)) {
        print_error("cannot find", "the memory cgroups of this system", ENOENT);
    } else if (!create_group(g, &h, name)) {
        print_error("cannot create", g->path, errno);
    } else if (!limit(g, limit_bytes)) {
        print_error("cannot set the limit of", g->path, errno);
        memory_group_remove(g);
    } else {
        return true;
    }
    g->path[0] = 0;
    return false;
}

bool memory_group_add(const memory_group *g, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    if (write_text(g->path, "cgroup.procs", text)) return true;
    print_error("cannot move a process into", g->path, errno);
    return false;
}

uint64_t memory_group_kills(const memory_group *g)
{
    char line[sizeof g->path + 64];
    uint64_t kills = 0;
    if (!g->path[0]) return 0;
    snprintf(line, sizeof line, "%s/%s", g->path, g->v2 ? "memory.events" : "memory.oom_control");
    FILE *file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "oom_kill %" SCNu64, &kills) != 1) {
    }
    if (file) fclose(file);
    return kills;
}

/* A process that has been waited for may take a moment to leave the group. */
void memory_group_remove(memory_group *g)
{
    const struct timespec pause = {0, REMOVE_PAUSE_MS * 1000000L};
    if (!g->path[0]) return;
    for (int tries = 0; rmdir(g->path) != 0; tries++) {
        if (errno != EBUSY || tries == REMOVE_TRIES) {
            fprintf(stderr, "compare: cannot remove %s: %s\n", g->path, strerror(errno));
            break;
        }
        (void)nanosleep(&pause, NULL); /* a shorter pause is no harm */
    }
    g->path[0] = 0;
}
