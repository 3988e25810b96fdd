/* engine.h -- the interface of an engine to bench/compare, and what the adapters share.
 *
 * An adapter is one file, engine_NAME.c: two structures, `database` and `session`, for its state, and the
 * functions of `engine`, which ENGINE_FUNCTIONS fills in. A line in meson.build registers it. engine_lmdb.c
 * is a short one to start from.
 *
 * An adapter uses the engine as a sensible program would: the fastest call of its C interface for each job,
 * handles kept across operations, each read seeing what is committed when it begins. The value of a get is
 * copied into the caller's buffer, whatever the engine returns (engine_take_value); of each scanned entry the
 * first byte of key and value is read (engine_touch), so that lazy engines have to load it.
 *
 * Errors       An adapter that meets an error calls engine_fail, which prints what failed and ends the
 *              process; there is nothing to save. Each engine runs in a process of its own.
 * Threads      A database is used by several threads, each with its own session.
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

enum { ENGINE_MANY = 16 };

typedef struct engine_settings {
    char directory[4096];  /* exists; the engine's own */
    uint64_t cache_bytes;  /* blocks or pages of the engine's own cache */
    uint64_t buffer_bytes; /* write buffer, memtable, or log between checkpoints */
    uint64_t map_bytes;    /* address space, for an engine that maps its file */
    uint64_t memory_limit; /* of the process, page cache included; 0 = no limit, and the data fits */
    unsigned filter_bits;  /* per key, for an engine that has filters */
    uint32_t holt_kind;    /* a holt_kind; 0 = its default */
    bool sync;             /* a commit is on stable storage when it returns; else it has reached the kernel */
    bool transactions;     /* txn_begin will be called */
} engine_settings;

/* An open database, and one thread's use of it. Each adapter defines its own. */
typedef struct database database;
typedef struct session session;

typedef struct engine {
    const char *name;
    const char *kind; /* "LSM tree", "B+tree", "bare loop" */
    const char *only; /* the one workload it can run; NULL = all */
    bool maps;        /* without `sync` it may write through a mapping, where no calls are counted */

    size_t database_bytes, session_bytes; /* of the two structures, which engines.c allocates, zeroed */

    /* Describes its version and settings in one line. */
    void (*describe)(const engine_settings *s, char *text, size_t size);

    /* Opens or creates. Recovery is over when it returns. */
    void (*open)(database *d, const engine_settings *s);
    void (*close)(database *d);

    /* Brings the stored data into the shape it would have after a quiet period. */
    void (*settle)(database *d);

    /* Makes everything committed durable. */
    void (*sync)(database *d);

    void (*session_open)(session *s, database *d);
    void (*session_close)(session *s); /* NULL: nothing to do */

    void (*put)(session *s, bytes key, bytes value);

    /* The following, settle and sync may be NULL in an adapter whose `only` workload does not need them. */

    void (*batch)(session *s, const entry *entries, size_t count); /* atomic */
    void (*remove)(session *s, bytes key);

    /* false: absent. *size: room at `value`, then the value's size. */
    bool (*get)(session *s, bytes key, char *value, size_t *size);

    /* Gets ENGINE_MANY keys in one call; the value of keys[i] is copied to values + i * value_bytes. Returns
     * how many have a value of exactly value_bytes. NULL: the engine has no such call, and gets them one by
     * one. */
    size_t (*get_many)(session *s, const bytes *keys, char *values, size_t value_bytes);

    /* Seeks the first entry at or after key and moves up to `moves` further. Returns the number of entries
     * visited. */
    size_t (*seek)(session *s, bytes key, size_t moves, uint64_t *sink);

    /* Begins a scan of everything committed now. */
    void (*rewind)(session *s, bool forward);

    /* Scans up to `entries` more. Returns the number of entries visited: fewer only at the end. */
    size_t (*scan)(session *s, bool forward, size_t entries, uint64_t *sink);

    /* Read-write transactions, under snapshot isolation or stricter; a session has one at a time. All four
     * are NULL in an engine without them. */
    void (*txn_begin)(session *s);
    bool (*txn_get)(session *s, bytes key, char *value, size_t *size); /* as get; after a conflict anything */
    void (*txn_put)(session *s, bytes key, bytes value);
    /* false: there was a conflict, here or in an earlier call, and nothing was written. */
    bool (*txn_commit)(session *s);
} engine;

/* The functions by the names they have in every adapter: the mandatory ones, and all. */
#define ENGINE_REQUIRED                                                                                      \
    .database_bytes = sizeof(database), .session_bytes = sizeof(session), .describe = describe,              \
    .open = database_open, .close = database_close, .session_open = session_open, .put = put
#define ENGINE_FUNCTIONS                                                                                     \
    ENGINE_REQUIRED, .settle = settle, .sync = database_sync, .session_close = session_close,                \
                     .batch = batch, .remove = delete_key, .get = get, .seek = seek, .rewind = rewind_scan,  \
                     .scan = scan
#define ENGINE_TRANSACTIONS                                                                                  \
    .txn_begin = txn_begin, .txn_get = txn_get, .txn_put = txn_put, .txn_commit = txn_commit

/* ---------------------------------------------------------------- for adapters; engines.c */

/* Prints the name of this process's engine and what failed on standard error, and ends the process. */
_Noreturn void engine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Puts the path of a file in the engine's directory into path[size]. */
void engine_path(const engine_settings *s, const char *file, char *path, size_t size);

/* Zeroed memory, never NULL. */
void *engine_allocate(size_t size);

/* Copies a value, `got` bytes at `data`, to the caller of get(). */
static inline void engine_take_value(char *value, size_t *size, const void *data, size_t got)
{
    if (got > *size) engine_fail("get returned a value of %zu bytes", got);
    if (got) memcpy(value, data, got); /* an empty value may have no address */
    *size = got;
}

/* Reads the first byte of a scanned key and value. The sum in *sink keeps the compiler from omitting the
 * reads. */
static inline void engine_touch(uint64_t *sink, const void *key, const void *value, size_t value_size)
{
    *sink += *(const unsigned char *)key;
    if (value_size) *sink += *(const unsigned char *)value;
}

/* ---------------------------------------------------------------- for callers; engines.c */

/* All engines that were built in, terminated by NULL. */
extern const engine *const engines[];

/* "NAME (PACKAGE)" of those that were not, separated by commas; "" if none is missing. */
extern const char engines_missing[];

/* Create and release the adapter's structures. From its first engine_open on, this process belongs to that
 * engine. */
database *engine_open(const engine *e, const engine_settings *s);
void engine_close(const engine *e, database *d); /* accepts NULL */
session *engine_session_open(const engine *e, database *d);
void engine_session_close(const engine *e, session *s);

#endif
