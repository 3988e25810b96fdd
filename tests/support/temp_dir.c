/* temp_dir.c -- temporary directories, by plain system calls. */
#include "support/temp_dir.h"

#include "base/hash.h"
#include "support/must.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(bool good, const char *what, const char *path)
{
    if (good) return;
    fprintf(stderr, "tests: %s of %s failed\n", what, path);
    abort();
}

void temp_dir_create(temp_dir *d)
{
    const char *base = getenv("TMPDIR");
    snprintf(d->path, sizeof d->path, "%.200s/holt-test-XXXXXX", base && *base ? base : "/tmp");
    check(mkdtemp(d->path) != NULL, "creation", d->path);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    return remove(path);
}

void temp_dir_remove(temp_dir *d)
{
    nftw(d->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    d->path[0] = 0;
}

const char *temp_dir_join(const char *path, const char *name, char buffer[TEMP_PATH_BYTES])
{
    snprintf(buffer, TEMP_PATH_BYTES, "%s/%s", path, name);
    return buffer;
}

uint8_t *file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    struct stat info;
    check(fstat(fileno(f), &info) == 0, "stat", path);
    *size = (size_t)info.st_size;
    uint8_t *bytes = (uint8_t *)must_alloc(*size);
    check(fread(bytes, 1, *size, f) == *size, "read", path);
    fclose(f);
    return bytes;
}

void file_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    check(f != NULL, "creation", path);
    check(fwrite(bytes, 1, size, f) == size, "write", path);
    check(fclose(f) == 0, "close", path);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---------------------------------------------------------------- directories */

/* Calls `each` for all entries but . and .. until it returns true. */
static bool each_entry(const char *path, bool (*each)(void *ctx, const char *path, const char *name),
                       void *ctx)
{
    DIR *d = opendir(path);
    check(d != NULL, "opening", path);
    bool done = false;
    for (struct dirent *e = readdir(d); e && !done; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) done = each(ctx, path, e->d_name);
    closedir(d);
    return done;
}

typedef struct fingerprint {
    const char *but_for;
    uint64_t sum; /* of the files, for they come in no order */
} fingerprint;

static bool add_file(void *ctx, const char *path, const char *name)
{
    fingerprint *f = (fingerprint *)ctx;
    if (f->but_for && strcmp(name, f->but_for) == 0) return false;
    char full[TEMP_PATH_BYTES];
    struct stat info;
    uint64_t parts[5] = {hash_bytes(name, strlen(name)), 0, 0, 0, 0};
    temp_dir_join(path, name, full);
    check(stat(full, &info) == 0, "stat", full);
    parts[1] = (uint64_t)info.st_mtim.tv_sec;
    parts[2] = (uint64_t)info.st_mtim.tv_nsec;
    size_t size = 0;
    uint8_t *bytes = file_read(full, &size);
    parts[3] = size;
    parts[4] = hash_bytes(bytes, size);
    free(bytes);
    f->sum += hash_bytes(parts, sizeof parts);
    return false;
}

uint64_t directory_fingerprint(const char *path, const char *but_for)
{
    fingerprint f = {but_for, 0};
    each_entry(path, add_file, &f);
    return f.sum;
}

static unsigned modes[2]; /* for set_mode, which nftw gives no context */

static int set_mode(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    return chmod(path, modes[!S_ISDIR(info->st_mode)]);
}

bool directory_set_modes(const char *path, unsigned directories, unsigned files)
{
    modes[0] = directories;
    modes[1] = files;
    return nftw(path, set_mode, 16, FTW_PHYS) == 0;
}

typedef struct wanted {
    const char *prefix;
    char *name;
    size_t name_bytes;
} wanted;

static bool is_wanted(void *ctx, const char *path, const char *name)
{
    wanted *w = (wanted *)ctx;
    if (strncmp(name, w->prefix, strlen(w->prefix)) != 0) return false;
    snprintf(w->name, w->name_bytes, "%s", name);
    return true;
}

bool directory_find(const char *path, const char *prefix, char *name, size_t name_bytes)
{
    wanted w = {prefix, name, name_bytes};
    return each_entry(path, is_wanted, &w);
}
