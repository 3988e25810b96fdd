/* engine.h -- what bench/compare asks of an engine, and what its adapters share.
 *
 * An adapter is one file, engine_NAME.c: two structures, `database` and `session`, for what it keeps, and the
 * functions of `engine`; ENGINE_FUNCTIONS fills them in. A line in meson.build makes it known. engine_lmdb.c
 * is a short one to begin from.
 *
 * It uses the engine as a sensible program would: the fastest call of its C interface for each job, handles
 * kept over operations, each read seeing what is committed when it begins. A value that is read is copied
 * into the caller's buffer, whatever the engine returns (engine_take_value). Of an entry that a scan visits
 * the first byte of the key and of the value are read (engine_look), so that lazy loading cannot leave them
 * unread.
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
#include <string.h>

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
    uint64_t memory_limit; /* of the process with the page cache; data may be larger. 0 = none, they fit */
    unsigned filter_bits;  /* a key, for an engine that has filters */
    uint32_t holt_kind;    /* a holt_kind; 0 = its default */
    bool sync;             /* a commit is on stable storage when it returns; else it has reached the kernel */
} engine_settings;

/* An open database, and a thread's use of it. Each adapter defines its own. */
typedef struct database database;
typedef struct session session;

typedef struct engine {
    const char *name;
    const char *kind; /* "LSM tree", "B+tree", "bare loop" */
    const char *only; /* the one workload it can run; NULL = all */
    bool maps;        /* without `sync` it may write through a map of a file, where no call is counted */

    size_t database_bytes, session_bytes; /* of the two structures, which engines.c allocates, zeroed */

    /* Its version and its settings, in a line. */
    void (*describe)(const engine_settings *s, char *text, size_t size);

    /* Opens or creates. Recovery is over when it returns. */
    void (*open)(database *d, const engine_settings *s);
    void (*close)(database *d);

    /* Brings what is stored into the shape in which it would be after a quiet while. */
    void (*settle)(database *d);

    /* Puts all that is committed on stable storage. */
    void (*sync)(database *d);

    void (*session_open)(session *s, database *d);
    void (*session_close)(session *s); /* NULL: there is nothing to do */

    void (*put)(session *s, bytes key, bytes value);

    /* What follows, settle and sync may be NULL in an adapter that runs `only` a workload without them. */

    void (*batch)(session *s, const entry *entries, size_t count); /* atomic */
    void (*remove)(session *s, bytes key);

    /* false: absent. *size: room at `value`, then the value's size. */
    bool (*get)(session *s, bytes key, char *value, size_t *size);

    /* Goes to the first entry that is not below key and up to `moves` further. The entries met. */
    size_t (*seek)(session *s, bytes key, size_t moves, uint64_t *looked);

    /* Begins a walk over everything, on what is committed now. */
    void (*rewind)(session *s, bool forward);

    /* Goes over up to `entries` more. The entries met: fewer at the end only. */
    size_t (*walk)(session *s, bool forward, size_t entries, uint64_t *looked);
} engine;

/* The functions by the names that they have in every adapter: those no adapter is without, and all. */
#define ENGINE_LEAST                                                                                         \
    .database_bytes = sizeof(database), .session_bytes = sizeof(session), .describe = describe,              \
    .open = database_open, .close = database_close, .session_open = session_open, .put = put
#define ENGINE_FUNCTIONS                                                                                     \
    ENGINE_LEAST, .settle = settle, .sync = database_sync, .session_close = session_close, .batch = batch,   \
                  .remove = delete_key, .get = get, .seek = seek, .rewind = rewind_walk, .walk = walk

/* ---------------------------------------------------------------- for adapters; engines.c */

/* Prints the name of the engine in this process and what failed on standard error, and exits. */
_Noreturn void engine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The path of a file in the directory of the engine; into path[size]. */
void engine_path(const engine_settings *s, const char *file, char *path, size_t size);

/* Zeroed memory, never NULL. */
void *engine_allocate(size_t size);

/* Copies what was got, `got` bytes at `data`, to the caller of get(). */
static inline void engine_take_value(char *value, size_t *size, const void *data, size_t got)
{
    if (got > *size) engine_fail("a value of %zu bytes came back", got);
    if (got) memcpy(value, data, got); /* of none there may be no address */
    *size = got;
}

static inline void engine_look(uint64_t *looked, const void *key, const void *value, size_t value_size)
{
    *looked += *(const unsigned char *)key;
    if (value_size) *looked += *(const unsigned char *)value;
}

/* ---------------------------------------------------------------- for those who run them; engines.c */

/* All that were built in; NULL ends them. */
extern const engine *const engines[];

/* "NAME (PACKAGE)" of those that were not, separated by commas; "" when none is missing. */
extern const char engines_missing[];

/* The calls of an adapter that make and release its structures; this process is the engine's from the first
 * engine_open on. */
database *engine_open(const engine *e, const engine_settings *s);
void engine_close(const engine *e, database *d); /* accepts NULL */
session *engine_session_open(const engine *e, database *d);
void engine_session_close(const engine *e, session *s);

#endif
