/* files.c -- removing and measuring directories. */
#include "files.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

/* nftw passes no context to its callback. Child and parent are single-threaded when they use this. */
static uint64_t bytes_found;

static int add_bytes(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)path, (void)place;
    if (kind == FTW_F) bytes_found += (uint64_t)status->st_blocks * 512;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind;
    if (place->level > 0) (void)remove(path);
    return 0;
}

void files_remove(const char *directory)
{
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

uint64_t files_bytes(const char *directory)
{
    bytes_found = 0;
    (void)nftw(directory, add_bytes, 16, FTW_PHYS);
    return bytes_found;
}
