/* bench_database.c -- the directory of a benchmark and the database in it, which is emptied for each fill. */
#include "bench/bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/byte_buffer.h"
#include "session.h"

bool bench_directory_make(bench *b, const char *given)
{
    const char *below = getenv("TMPDIR");
    byte_buffer path = {NULL, 0, 0};
    if (given) {
        byte_buffer_append(&path, given, strlen(given) + 1);
        b->directory = path.data;
        return true;
    }
    byte_buffer_append_string(&path, below && *below ? below : ".");
    byte_buffer_append(&path, "/holt-bench-XXXXXX", sizeof "/holt-bench-XXXXXX");
    b->directory = path.data;
    b->own_directory = mkdtemp(b->directory) != NULL;
    if (!b->own_directory)
        cli_error(b->call, "cannot create the directory %s: %s", b->directory, strerror(errno));
    return b->own_directory;
}

/* Removes the files in our own directory; a database has no subdirectories. */
static void remove_files(const bench *b)
{
    DIR *directory = opendir(b->directory);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0) {
            cli_error(b->call, "cannot remove %s/%s: %s", b->directory, entry->d_name, strerror(errno));
        }
    }
    closedir(directory);
}

void bench_directory_remove(bench *b)
{
    if (b->own_directory) {
        remove_files(b);
        if (rmdir(b->directory) != 0)
            cli_error(b->call, "cannot remove %s: %s", b->directory, strerror(errno));
    }
    free(b->directory);
    b->directory = NULL;
    b->own_directory = false;
}

/* Returns whether the status is HOLT_OK, and prints the error if not. */
static bool succeeded(const bench *b, holt_status status)
{
    if (status == HOLT_OK) return true;
    session_error(b->call, status, NULL);
    return false;
}

static bool open_database(bench *b, uint32_t durability)
{
    holt_options options;
    memset(&options, 0, sizeof options);
    options.memory_bytes = b->call->memory_bytes;
    options.memtable_bytes = b->settings->memtable_bytes;
    options.durability = durability;
    if (b->call->log_level) {
        options.log_level = b->call->log_level;
        options.log = session_print_log_line;
    }
    b->durability = durability;
    return session_open_or_create(b->call, b->directory, &options, &b->db);
}

static holt_status open_collection(bench *b, bool fresh)
{
    holt_collection_options options;
    holt_status status = HOLT_OK;
    memset(&options, 0, sizeof options);
    options.kind = b->settings->kind;
    options.block_bytes = b->settings->block_bytes;
    options.flags = HOLT_CREATE_OR_OPEN;
    if (fresh) status = holt_collection_drop(b->db, BENCH_COLLECTION);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return status;
    return holt_collection_create(b->db, BENCH_COLLECTION, &options, &b->collection);
}

bool bench_close(bench *b)
{
    holt_collection_close(b->collection);
    holt_status status = holt_close(b->db);
    b->collection = NULL;
    b->db = NULL;
    return succeeded(b, status);
}

bool bench_open(bench *b, uint32_t durability, bool fresh)
{
    bool reusable = b->db && b->durability == durability;
    if (reusable && !fresh) return true;
    if (!bench_close(b)) return false; /* closing NULL handles succeeds */
    if (fresh && b->own_directory) remove_files(b);
    if (!open_database(b, durability) || !succeeded(b, open_collection(b, fresh))) return false;
    if (!fresh && !b->own_directory) return true;
    if (fresh) memset(b->present, 0, (b->settings->num + 63) / 64 * sizeof *b->present);
    b->known = true;
    return true;
}

bool bench_forget(bench *b)
{
    if (!bench_close(b)) return false;
    DIR *directory = opendir(b->directory);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        int file = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        /* Only clean pages can be dropped. A file that cannot be opened or synced remains in the cache; the
         * figures that follow are then of a warmer one. */
        if (fdatasync(file) == 0) (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        close(file);
    }
    if (directory) closedir(directory);
    return true;
}
