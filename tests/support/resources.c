/* resources.c -- what /proc and stat say. */
#include "support/resources.h"

#include "support/must.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t resources_rss_anon(void)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    if (!f) abort();
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %llu kB", &kib) == 1) break;
    fclose(f);
    return kib * 1024;
}

bool resources_rss_is_ours(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return false;
#else
    return true;
#endif
#else
    return true;
#endif
}

static uint64_t sum_directory(const char *path, bool bytes)
{
    uint64_t sum = 0;
    struct stat info;
    DIR *d = opendir(path);
    if (!d) abort();
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.') continue;
        if (!bytes)
            sum++;
        else if (fstatat(dirfd(d), e->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) /* else just deleted */
            sum += (uint64_t)info.st_blocks * 512;
    }
    closedir(d);
    return sum;
}

size_t resources_descriptors(void)
{
    return (size_t)sum_directory("/proc/self/fd", false) - 1; /* the one that lists them */
}

size_t directory_files(const char *path)
{
    return (size_t)sum_directory(path, false);
}

uint64_t directory_bytes(const char *path)
{
    return sum_directory(path, true);
}

/* ---------------------------------------------------------------- watching */

struct memory_watch {
    pthread_t thread;
    /* Relaxed both: a figure and a flag alone. */
    _Atomic uint64_t most;
    atomic_bool done;
};

static void *watch(void *ctx)
{
    memory_watch *w = (memory_watch *)ctx;
    while (!atomic_load_explicit(&w->done, memory_order_relaxed)) {
        uint64_t now = resources_rss_anon();
        if (now > atomic_load_explicit(&w->most, memory_order_relaxed))
            atomic_store_explicit(&w->most, now, memory_order_relaxed);
        usleep(2000);
    }
    return NULL;
}

memory_watch *memory_watch_start(void)
{
    memory_watch *w = (memory_watch *)must_alloc(sizeof *w);
    if (pthread_create(&w->thread, NULL, watch, w) != 0) abort();
    return w;
}

uint64_t memory_watch_most(memory_watch *w)
{
    return atomic_exchange_explicit(&w->most, 0, memory_order_relaxed);
}

void memory_watch_stop(memory_watch *w)
{
    atomic_store_explicit(&w->done, true, memory_order_relaxed);
    pthread_join(w->thread, NULL);
    free(w);
}
