/* engine.h -- what bench/compare asks of an engine.
 *
 * An adapter is one file, engine_NAME.c, that fills in an `engine`. It uses the engine as a sensible program
 * would: the fastest call of its C interface for each job, handles kept over operations, each read seeing
 * what is committed when it begins. A value that is got ends in the caller's buffer, whatever the engine
 * hands out; an entry that a walk meets has the first byte of its key and of its value looked at, so that
 * nothing stays unread for being lazy.
 *
 * Errors       There is nothing to be saved: an adapter that meets an error calls engine_fail, which says
 *              what failed and ends the process. Each engine runs in a process of its own.
 * Threads      A database is used by several threads, each through a session of its own.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
    const char *data;
    size_t size;
} bytes;

typedef struct entry {
    bytes key, value;
} entry;

typedef struct engine_settings {
    char directory[4096];  /* exists; the engine's own */
    uint64_t cache_bytes;  /* blocks or pages of the engine's own cache */
    uint64_t buffer_bytes; /* write buffer, memtable, or log between checkpoints */
    uint64_t map_bytes;    /* address space, for an engine that maps its file */
    unsigned filter_bits;  /* a key, for an engine that has filters */
    uint32_t holt_kind;    /* a holt_kind; 0 = its default */
    bool sync;             /* a commit is on stable storage when it returns; else it has reached the kernel */
} engine_settings;

typedef struct engine {
    const char *name;
    const char *kind; /* "LSM tree", "B+tree", "bare loop" */
    const char *only; /* the one workload it can run; NULL = all */

    /* Its version and its settings, in a line. */
    void (*describe)(const engine_settings *s, char *text, size_t size);

    /* Opens or creates. Recovery is over when it returns. */
    void *(*open)(const engine_settings *s);
    void (*close)(void *db);

    /* Brings what is stored into the shape in which it would be after a quiet while. */
    void (*settle)(void *db);

    /* Puts all that is committed on stable storage. */
    void (*sync)(void *db);

    void *(*session_open)(void *db);
    void (*session_close)(void *session);

    void (*put)(void *session, bytes key, bytes value);
    void (*batch)(void *session, const entry *entries, size_t count); /* atomic */
    void (*remove)(void *session, bytes key);

    /* false: absent. *size: room at `value`, then the value's size. */
    bool (*get)(void *session, bytes key, char *value, size_t *size);

    /* Goes to the first entry that is not below key and up to `moves` further. The entries met. */
    size_t (*seek)(void *session, bytes key, size_t moves, uint64_t *looked);

    /* Begins a walk over everything, on what is committed now. */
    void (*rewind)(void *session, bool forward);

    /* Goes over up to `entries` more. The entries met: fewer at the end only. */
    size_t (*walk)(void *session, bool forward, size_t entries, uint64_t *looked);
} engine;

/* All that were built in; NULL ends them. */
extern const engine *const engines[];

/* "NAME (PACKAGE)" of those that were not, separated by commas; "" when none is missing. */
extern const char engines_missing[];

/* Says on standard error what failed, with the engine's name in front, and ends the process. */
_Noreturn void engine_fail(const engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The path of a file in the directory of the engine; into path[size]. */
void engine_path(const engine_settings *s, const char *file, char *path, size_t size);

/* Zeroed memory, never NULL. */
void *engine_allocate(size_t size);

static inline void engine_look(uint64_t *looked, const void *key, const void *value, size_t value_size)
{
    *looked += *(const unsigned char *)key;
    if (value_size) *looked += *(const unsigned char *)value;
}

#endif
