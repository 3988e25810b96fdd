/* holt.h -- Holt, an embedded, durable, transactional storage engine.
 *
 * A database is a directory that contains named, ordered collections of byte keys and byte values. Keys are
 * ordered bytewise, as by memcmp; a key that is a prefix of another sorts before it. A collection is stored
 * either as an LSM tree (HOLT_LSM, for data that is written more than read) or as a B+tree (HOLT_BTREE, for
 * data that is read more than written). All collections of a database share one log, one commit order and one
 * memory budget.
 *
 *     holt *db;
 *     holt_collection *c;
 *     holt_value v = HOLT_VALUE_INIT;
 *     if (holt_open("data", NULL, &db) != HOLT_OK) die(holt_error_message());
 *     if (holt_collection_open(db, "default", &c) != HOLT_OK) die(holt_error_message());
 *     holt_put(c, NULL, holt_str("city"), holt_str("Lisbon"));
 *     holt_get(c, NULL, holt_str("city"), &v);
 *     holt_value_free(&v);
 *     holt_close(db);
 *
 * Errors       Every call that can fail returns a holt_status; HOLT_OK is 0. holt_error_message() describes
 *              the calling thread's last failure in words (what failed, where, and what to do about it), and
 *              holt_error_get() returns it as fields.
 *              Any call may return HOLT_IO, HOLT_CORRUPT, HOLT_NO_MEMORY, HOLT_NO_SPACE or HOLT_CLOSED, and
 *              HOLT_BUSY when no file descriptor is left. Any call returns HOLT_INVALID if a handle or a
 *              required pointer is NULL, if a flag or an enumerator is unknown, or if a reserved field is not
 *              zero. All other errors are listed at the calls that return them.
 * Threads      Any handle may be used by several threads at once, except transactions, cursors and loads:
 *              each of these may be used by only one thread at a time.
 * Ownership    Input slices and strings are borrowed for the duration of the call. Output handles belong to
 *              the caller, who must release each of them with the call named in the description. Release
 *              calls accept NULL.
 * fork         In a child created by fork(), calls on inherited handles return HOLT_CLOSED, and closing these
 *              handles only closes file descriptors. The child may call holt_open like any other process.
 * Structures   Input structures must be zero-initialised; a field that is zero selects its default. Reserved
 *              fields must be zero. Output structures are passed with their size in the program (sizeof): a
 *              newer library fills only the fields that the program knows, an older one zeroes the fields
 *              that it does not know.
 * Limits       Keys: 0 to 65,535 bytes, with either kind and any block_bytes. Values: at most 1 GiB and at
 *              most memory_bytes / 4. Transactions: keys and values written, with HOLT_TXN_SERIALIZABLE
 *              also keys read, together at most 2 GiB and at most memory_bytes / 4. Beyond a limit, a call
 *              returns HOLT_TOO_LARGE and writes nothing. The key limit exists because the length of the
 *              prefix that all keys of a block share is stored in 16 bits. Keys of several KiB work, but are
 *              slow: an inner block holds at least four keys, and blocks that exceed 64 KiB for this reason
 *              are never cached.
 *
 * Calls and values marked (later) are declared so that programs can be written against them; this release
 * returns HOLT_UNSUPPORTED for them.
 */
#ifndef HOLT_H
#define HOLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The version of this header, according to Semantic Versioning. This is its only definition; scripts/version
 * reads it from here. */
#define HOLT_VERSION_MAJOR 0
#define HOLT_VERSION_MINOR 1
#define HOLT_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HOLT_API __attribute__((visibility("default")))
#else
#define HOLT_API
#endif

/* ---------------------------------------------------------------- status and errors */

/* The result of a call. The code tells the caller how to react. */
typedef enum holt_status {
    HOLT_OK = 0,           /* success */
    HOLT_NOT_FOUND = 1,    /* a result: there is no such key, collection or database */
    HOLT_EXISTS = 2,       /* a result: it exists already */
    HOLT_INVALID = 3,      /* fix the call: an argument is invalid */
    HOLT_CONFLICT = 4,     /* retry the transaction: a conflicting change was committed first */
    HOLT_BUSY = 5,         /* retry later: in use, overloaded, or out of file descriptors; nothing was done */
    HOLT_READ_ONLY = 6,    /* fix the call: a write to a read-only database or transaction */
    HOLT_TOO_LARGE = 7,    /* fix the call: a limit was exceeded; nothing was written */
    HOLT_NO_SPACE = 8,     /* the disk is full; deletes are still accepted, to make room, and puts again
                              once there is room */
    HOLT_NO_MEMORY = 9,    /* an allocation failed; nothing was lost */
    HOLT_IO = 10,          /* a system call failed; the outcome of a commit is unknown until a reopen */
    HOLT_CORRUPT = 11,     /* data on disk is not what was written there; never retried, never overwritten */
    HOLT_UNSUPPORTED = 12, /* not implemented in this release, or a file in a newer format */
    HOLT_CLOSED = 13       /* the object was dropped, ended, closed, or inherited through fork() */
} holt_status;

/* Returns the name of a status, such as "HOLT_NOT_FOUND", or "HOLT_?" if the number is not a holt_status. The
 * string is static. */
HOLT_API const char *holt_status_name(holt_status status);

/* Returns the version of the library at run time, such as "0.1.0". The string is static. */
HOLT_API const char *holt_version(void);

/* Returns a description of the calling thread's last failure: what failed, where, and what to do about it.
 * Never NULL; "" before the first failure. The string is valid until this thread's next failing call. A read
 * that returns HOLT_NOT_FOUND because the key does not exist sets no message. */
HOLT_API const char *holt_error_message(void);

#define HOLT_NO_OFFSET UINT64_MAX

/* The fields of a failure. */
typedef struct holt_error {
    uint32_t status;   /* a holt_status */
    int32_t os_errno;  /* errno of the system call that failed; 0 = none */
    uint64_t offset;   /* byte offset in the file concerned, or HOLT_NO_OFFSET */
    char file[64];     /* name of the file concerned, relative to the database directory; "" = none */
    char message[256]; /* as returned by holt_error_message() */
} holt_error;

/* Fills *out with the calling thread's last failure. out_size: the program's sizeof(holt_error). */
HOLT_API void holt_error_get(holt_error *out, size_t out_size);

/* ---------------------------------------------------------------- bytes */

/* Borrowed bytes. As a key or a value, {NULL, 0} is the empty string; NULL with a nonzero size is
 * HOLT_INVALID. As a bound of a range, {NULL, 0} means "open", and a non-NULL pointer with size 0 is the
 * empty key. */
typedef struct holt_slice {
    const void *data;
    size_t size; /* bytes */
} holt_slice;

/* Returns the slice of `size` bytes at `data`. */
static inline holt_slice holt_bytes(const void *data, size_t size)
{
    holt_slice s;
    s.data = data;
    s.size = size;
    return s;
}

/* Returns the bytes of a C string, without its terminating zero; {NULL, 0} for NULL. */
static inline holt_slice holt_str(const char *string)
{
    return holt_bytes(string, string ? strlen(string) : 0);
}

/* A value read by holt_get. The buffer belongs to the library, which grows it and reuses it in later gets, so
 * that a loop of gets soon allocates nothing. Initialise with HOLT_VALUE_INIT, release with
 * holt_value_free. */
typedef struct holt_value {
    void *data;             /* the value's bytes; never NULL after HOLT_OK, even if size is 0 */
    size_t size;            /* bytes in the value; 0 after any other status */
    size_t capacity;        /* bytes allocated at data; the buffer is kept after any status */
    uint64_t expires_at_ms; /* time at which the value expires, in milliseconds since 1970 UTC; 0 = never */
    uint64_t version;       /* of the value, for HOLT_PUT_IF_VERSION; 0 after any other status */
    uint64_t reserved[3];
} holt_value;

/* clang-format off */
#define HOLT_VALUE_INIT { NULL, 0, 0, 0, 0, { 0, 0, 0 } }
/* clang-format on */

/* Frees the buffer and resets *value to HOLT_VALUE_INIT. Accepts NULL. */
HOLT_API void holt_value_free(holt_value *value);

/* Frees memory returned by a call whose description names holt_free. Accepts NULL. */
HOLT_API void holt_free(void *memory);

/* ---------------------------------------------------------------- the database */

typedef struct holt holt;                       /* an open database */
typedef struct holt_collection holt_collection; /* an open collection */
typedef struct holt_txn holt_txn;               /* a transaction, a write batch or a snapshot */
typedef struct holt_cursor holt_cursor;         /* an iterator over a collection, in key order */

/* When a commit is acknowledged. In no mode can a crash corrupt the database, or lose a commit and keep a
 * later one. */
typedef enum holt_durability {
    HOLT_DURABILITY_DEFAULT = 0, /* for a database: HOLT_COMMIT; for a transaction: its database's setting */
    HOLT_COMMIT = 1,             /* once it is on stable storage; survives a power failure */
    HOLT_INTERVAL = 2,           /* once it is in the kernel; a sync follows within interval_ms, so that a
                                    power failure loses at most the commits of interval_ms. If the disk is
                                    slower, commits wait for it */
    HOLT_PROCESS = 3             /* once it is in the kernel; survives the end of the process, not a power
                                    failure */
} holt_durability;

typedef enum holt_kind {
    HOLT_KIND_DEFAULT = 0, /* for a collection: the database's default_kind; for default_kind: HOLT_LSM */
    HOLT_LSM = 1,          /* log-structured merge tree */
    HOLT_BTREE = 2         /* copy-on-write B+tree */
} holt_kind;

typedef enum holt_log_level {
    HOLT_LOG_DEFAULT = 0, /* HOLT_LOG_INFO */
    HOLT_LOG_ERROR = 1,
    HOLT_LOG_WARN = 2,
    HOLT_LOG_INFO = 3,
    HOLT_LOG_DEBUG = 4
} holt_log_level;

/* Receives one line of the event log. log_ctx: holt_options.log_ctx. level: a holt_log_level. line: the text,
 * without time, level and newline; valid until the callback returns.
 * The callback is called while Holt holds no lock and is not in the middle of an operation: on the program's
 * threads at the end of their calls, and on a thread of the library. Calls are never concurrent, deliver the
 * lines in order, and end before holt_close returns. The callback may therefore take the program's locks and
 * may call Holt, including on this database, with one exception: holt_close of this database returns
 * HOLT_BUSY. The last lines are delivered during holt_close, when calls on the database already return
 * HOLT_CLOSED.
 * Only holt_close waits for a running callback: do not call holt_close while holding a lock that the callback
 * takes. While the callback runs, up to 128 more lines are queued. Further lines do not reach the callback;
 * it receives one line that says how many were lost. The file LOG contains all of them. */
typedef void (*holt_log_fn)(void *log_ctx, uint32_t level, const char *line);

/* HOLT_OPEN_MUST_CREATE cannot be combined with either of the other two. */
enum {
    HOLT_OPEN_READ_ONLY = 1,  /* write nothing: the lock is shared, the log is replayed into memory */
    HOLT_OPEN_MUST_EXIST = 2, /* return HOLT_NOT_FOUND instead of creating a database */
    HOLT_OPEN_MUST_CREATE = 4 /* return HOLT_EXISTS if there is a database already */
};

/* Options of holt_open, which returns HOLT_INVALID if one of them is out of its range. */
typedef struct holt_options {
    uint64_t memory_bytes;       /* the memory budget for everything: memtables, cache, indexes, filters,
                                    cursors, transactions. At least 8 MiB; 0 = 256 MiB. An eighth of it is left
                                    for what is not counted, of which many take more: a cursor takes about
                                    20 KiB, and 20 more while it walks over memtables; a transaction 1 KiB;
                                    each of its writes a few bytes besides key and value, about 64 and the key
                                    once it reads after more than a few writes, and 40 while it commits */
    uint64_t memtable_bytes;     /* size at which a memtable is sealed and flushed. 64 KiB to 1 GiB and at
                                    most memory_bytes / 4; 0 = memory_bytes / 8, but at most 1 GiB */
    uint32_t durability;         /* holt_durability of commits that do not specify their own */
    uint32_t interval_ms;        /* the time limit of HOLT_INTERVAL, in milliseconds; 0 = 100 */
    uint32_t default_kind;       /* holt_kind of collections that do not specify their own */
    uint32_t background_threads; /* compaction threads, in addition to the flush thread. At most 64; 0 = 1 */
    uint32_t flags;              /* HOLT_OPEN_... */
    uint32_t log_level;          /* most detailed holt_log_level written to `log` and to the file LOG */
    holt_log_fn log;             /* callback for the event log; NULL = only the file LOG is written */
    void *log_ctx;               /* passed to log */
    uint32_t open_files_max;     /* data files kept open for reading; the least recently read are closed, and
                                    reopened when they are needed. 16 to 1,048,576; 0 = a quarter of
                                    RLIMIT_NOFILE, but at least 16 and at most 4,096. The log and other files
                                    need descriptors in addition: 3 while the database is idle, a few more
                                    during writes */
    uint32_t slow_ms;            /* a call that takes longer, in milliseconds, writes a line to the event log
                                    that says what it waited for, read and wrote (see holt_cost), at
                                    HOLT_LOG_WARN. After ten lines in a minute, the next one says how many
                                    more there were. Each call then reads the clock twice. 0 = off */
    uint64_t max_reader_age_ms;  /* age at which a reader, a snapshot or a cursor, is revoked: what it pins is
                                    released soon afterwards, even if the reader is never used again, and its
                                    next use returns HOLT_BUSY. A call in progress is completed first. With a
                                    limit, cursors copy the entries that they return, so that moves are
                                    slower. 0 = no limit */
    uint64_t reserved[6];
} holt_options;

/* Opens the database in the directory `path`, or creates it if there is none. o NULL = defaults. After
 * HOLT_OK, *db belongs to the caller, who must release it with holt_close; after any other status it is NULL.
 * Recovery is complete when the call returns: unless the database is opened read-only, all data then visible
 * is durable.
 *   HOLT_INVALID      an option is out of range, or two flags exclude each other; path is NULL or empty, a
 *                     file, or a directory that contains other files but no database (names that begin with a
 *                     dot, and lost+found, do not count)
 *   HOLT_BUSY         the database is open in another process or in this one, and not both opens are
 *                     read-only; the message contains the pid of the writer
 *   HOLT_NOT_FOUND    there is no database, and flags has HOLT_OPEN_MUST_EXIST or HOLT_OPEN_READ_ONLY; or
 *                     path cannot be created, because its parent directory does not exist or path is a
 *                     dangling symbolic link
 *   HOLT_EXISTS       there is a database, and flags has HOLT_OPEN_MUST_CREATE
 *   HOLT_UNSUPPORTED  the database was written by a newer release
 *   HOLT_NO_MEMORY    also if the database is opened read-only and its log does not fit into the memory
 *                     budget; the message says how many bytes are needed */
HOLT_API holt_status holt_open(const char *path, const holt_options *o, holt **db);

/* Syncs the log, whatever the durability, closes the database, and releases its handle and the handles of its
 * collections. No other thread may be inside a call on the database or on one of its handles. Accepts NULL.
 *   HOLT_BUSY  transactions, cursors or loads are open, or the call comes from the database's own log
 *              callback; the database remains open, nothing has changed
 * After any other status, errors included, the handles are gone. An error means that not everything is on
 * disk as it should be; its message says whether commits may be missing. An error is also returned if the
 * directory, or a file that the next open needs, was deleted or replaced while the database was open. */
HOLT_API holt_status holt_close(holt *db);

enum { HOLT_CLOSE_FORCE = 1 };

/* Like holt_close. With HOLT_CLOSE_FORCE it closes the database even if transactions, cursors or loads are
 * open. What was committed is kept; the writes of open transactions and loads are discarded.
 * The handles of these objects continue to belong to the program: every later call on them returns
 * HOLT_CLOSED (a cursor move returns false, its status is HOLT_CLOSED), and holt_rollback, holt_cursor_close
 * and holt_load_abort free them as usual, in any order. Keys and values obtained from a cursor become
 * invalid. The handles of the database and its collections are released, as by holt_close: they must not be
 * used again, not even in a call on a transaction.
 * Threads: calls that take only the handle of a transaction, a cursor or a load may be in progress on other
 * threads, or begin there, during a forced close. The close waits for those in progress; those that begin
 * return HOLT_CLOSED. All calls that take the handle of the database or of a collection must have returned,
 * including holt_put and holt_get with a transaction.
 *   HOLT_INVALID  unknown flags; nothing was closed */
HOLT_API holt_status holt_close_with(holt *db, uint32_t flags);

/* Deletes the closed database in the directory `path`. This cannot be undone.
 * Only Holt's own files are deleted, which are recognised by name, and then the directory itself if it is
 * empty. The directory remains, and the call still returns HOLT_OK, if it contains other files, if `path` is
 * a mount point or a symbolic link, or if its parent directory is not writable.
 * A crash at any moment leaves the database either as it was or deleted. If files remain (after a crash, or
 * after an error that is not listed below), holt_open either creates a new, empty database among them or
 * returns HOLT_CORRUPT, and holt_destroy may be called again.
 *   HOLT_NOT_FOUND    there is no such directory, or no database in it
 *   HOLT_INVALID      path is a file, or a directory that contains other files but no database; nothing was
 *                     deleted
 *   HOLT_BUSY         the database is open in this process or another; nothing was deleted
 *   HOLT_UNSUPPORTED  the database was written by a newer release; nothing was deleted */
HOLT_API holt_status holt_destroy(const char *path);

/* Returns HOLT_OK if writes are accepted; otherwise the reason why they are refused, or will be refused once
 * the memtables or the log segment in use are full. The message names the cause and the file. Each call
 * examines the database again, so HOLT_OK may follow an error. Always HOLT_OK for a read-only database.
 *   HOLT_NO_SPACE  the disk is full: puts are refused, deletes are accepted
 *   HOLT_IO        the log or the manifest has failed, memtables cannot be flushed, the directory or a file
 *                  of the database was deleted or replaced, or the file system has become read-only
 *   HOLT_CORRUPT   a compaction or a flush found damaged data */
HOLT_API holt_status holt_health(holt *db);

/* Makes all acknowledged commits durable, whatever their durability. Does nothing if the database is
 * read-only.
 *   HOLT_IO  the message says which operations (numbered as last_seqno of holt_db_stats) may not be on disk,
 *            or which file or directory was deleted */
HOLT_API holt_status holt_sync(holt *db);

/* Flushes all memtables to the trees of their collections and waits until this is done.
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_flush(holt *db);

/* ---------------------------------------------------------------- collections */

typedef enum holt_compression {
    HOLT_COMPRESSION_DEFAULT = 0, /* in this release: HOLT_COMPRESSION_NONE */
    HOLT_COMPRESSION_NONE = 1,
    HOLT_COMPRESSION_LZ4 = 2, /* (later) */
    HOLT_COMPRESSION_ZSTD = 3 /* (later) */
} holt_compression;

#define HOLT_FILTER_NONE UINT32_MAX

enum { HOLT_CREATE_OR_OPEN = 1 /* for holt_collection_create: open the collection if it exists */ };

typedef struct holt_collection_options {
    uint32_t kind;        /* holt_kind */
    uint32_t compression; /* holt_compression */
    uint32_t block_bytes; /* block size: 4, 8, 16, 32 or 64 KiB; 0 = 8 KiB for HOLT_LSM, 4 KiB for HOLT_BTREE.
                             This is what a read that misses the cache reads, and what a B+tree rewrites for a
                             change */
    uint32_t filter_bits; /* filter bits per key, 1 to 32; 0 = 10; HOLT_FILTER_NONE = no filter. Not used by
                             HOLT_BTREE */
    uint32_t flags;       /* HOLT_CREATE_OR_OPEN */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_collection_options;

/* Names of collections are 1 to 128 bytes of UTF-8 without control characters; others are HOLT_INVALID. A
 * collection named "default" always exists; dropping or renaming it is HOLT_INVALID.
 * All handles of one collection are the same handle, which is reference-counted: each create and each open
 * adds a reference, each close removes one.
 * Creating, dropping, renaming or clearing a collection is durable when the call returns HOLT_OK, and so are
 * all earlier commits. If it returns HOLT_IO, whether the change was made is unknown until the database is
 * reopened. */

/* Creates a collection and opens it. o NULL = defaults. After HOLT_OK, *c belongs to the caller, who may
 * release it with holt_collection_close; after any other status it is NULL.
 *   HOLT_EXISTS       the collection exists. With HOLT_CREATE_OR_OPEN it is opened instead, and the other
 *                     options are not compared with those it was created with
 *   HOLT_INVALID      the name or an option is invalid
 *   HOLT_UNSUPPORTED  a compression marked (later)
 *   HOLT_READ_ONLY    the database is read-only, even if the collection exists */
HOLT_API holt_status holt_collection_create(holt *db, const char *name, const holt_collection_options *o,
                                            holt_collection **c);

/* Opens a collection. After HOLT_OK, *c belongs to the caller, who may release it with holt_collection_close;
 * after any other status it is NULL.
 *   HOLT_NOT_FOUND  there is no such collection */
HOLT_API holt_status holt_collection_open(holt *db, const char *name, holt_collection **c);

/* Removes one reference from the handle. Optional: holt_close releases all of them. Accepts NULL. */
HOLT_API void holt_collection_close(holt_collection *c);

/* Drops a collection and gives its disk space back. From then on its handles and cursors return HOLT_CLOSED,
 * and the commit of a transaction that wrote to it returns HOLT_CONFLICT and applies nothing. The handles
 * must still be closed.
 *   HOLT_NOT_FOUND  there is no such collection
 *   HOLT_INVALID    the name is invalid or is "default"
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_collection_drop(holt *db, const char *name);

/* Renames a collection. Its handles remain valid.
 *   HOLT_NOT_FOUND  there is no collection named `from`
 *   HOLT_EXISTS     there is a collection named `to` already
 *   HOLT_INVALID    a name is invalid, or `from` is "default"
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_collection_rename(holt *db, const char *from, const char *to);

/* Deletes all entries of a collection, as one commit in the commit order: snapshots and cursors taken before
 * it continue to see them.
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_collection_clear(holt_collection *c);

/* Lists the names of all collections in bytewise order: *names becomes an array of *count C strings, in one
 * block of memory that the caller must release with holt_free(*names). */
HOLT_API holt_status holt_collection_list(holt *db, char ***names, size_t *count);

/* Copies the name into buffer, with a terminating zero and cut to fit into `capacity` bytes. *size (may be
 * NULL) receives the length of the whole name, without the zero. buffer may be NULL if capacity is 0.
 *   HOLT_TOO_LARGE  the name was cut */
HOLT_API holt_status holt_collection_name(holt_collection *c, char *buffer, size_t capacity, size_t *size);

/* Returns HOLT_LSM or HOLT_BTREE; HOLT_KIND_DEFAULT for NULL. */
HOLT_API holt_kind holt_collection_kind(holt_collection *c);

/* Flushes all memtables, then compacts [begin, end) of the collection, and waits until this is done. A bound
 * that is {NULL, 0} is open. More than the range may be compacted. HOLT_LSM: runs are merged. HOLT_BTREE: the
 * range is rewritten step by step with full blocks, which are moved towards the beginning of the file; if a
 * reader still needs the old ones, the file shrinks once that reader closes.
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_compact(holt_collection *c, holt_slice begin, holt_slice end);

/* Estimates how much of the collection lies in [begin, end), without reading all of it: a few dozen blocks
 * are examined, however large the range. {NULL, 0} = open. *bytes (may be NULL) receives the disk space of
 * the entries, plus the bytes of the keys and values that are still in memory. *entries (may be NULL)
 * receives the number of entries.
 * In settled data (flushed and, with HOLT_LSM, merged, as by holt_compact) the number is exact for ranges
 * that lie in a few blocks, 0 for ranges without entries, and within 20 % for larger ranges; it may be
 * further off if the entries in one part of the range are many times as large as in another. In other data,
 * an entry that was overwritten or deleted may count until it is merged away.
 * Blocks that are not cached are read: HOLT_IO and HOLT_CORRUPT are possible. */
HOLT_API holt_status holt_approximate_size(holt_collection *c, holt_slice begin, holt_slice end,
                                           uint64_t *bytes, uint64_t *entries);

/* ---------------------------------------------------------------- reading and writing
 *
 * If t is NULL, a write is a commit of its own, and a read sees everything that was committed before it
 * began. With a transaction, a write becomes part of it, and a read sees the transaction's snapshot and its
 * own writes.
 *
 * Errors common to these calls:
 *   HOLT_INVALID    the transaction is of another database, or a read is given a blind transaction
 *   HOLT_CLOSED     the transaction has ended, or the collection was dropped
 *   HOLT_TOO_LARGE  the key exceeds its limit
 *   HOLT_BUSY       of a read: the transaction's snapshot was revoked (see HOLT_TXN_READ_ONLY)
 * In HOLT_TXN_SERIALIZABLE a read is noted for the commit's check, which counts towards the transaction's
 * size: HOLT_TOO_LARGE, and HOLT_BUSY as for a write. */

/* Puts a value, replacing any value that the key has.
 *   HOLT_READ_ONLY  the database or the transaction is read-only
 *   HOLT_TOO_LARGE  the key, the value, or the transaction exceeds its limit
 *   HOLT_BUSY       the disk has fallen behind the writes for longer than a put waits (30 s), or the open
 *                   transactions together exceed the limit of one; retry later */
HOLT_API holt_status holt_put(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value);

/* Flags of holt_put_with; at most one of them. A put whose condition does not hold writes nothing. Checking
 * the condition and putting the value are one step: no other write comes between them. */
enum {
    HOLT_PUT_IF_ABSENT = 1,  /* only if the key has no value; otherwise HOLT_EXISTS */
    HOLT_PUT_IF_PRESENT = 2, /* only if the key has a value; otherwise HOLT_NOT_FOUND */
    HOLT_PUT_IF_VERSION = 4  /* only if the version of the key's value equals holt_put_options.version;
                                otherwise HOLT_CONFLICT */
};

/* The version of a value is a checksum of its bytes (XXH3, 64 bits), never 0; a key without a value has
 * version 0. holt_get returns it in holt_value.version, so that a value can be updated without a transaction:
 *     do {
 *         rc = holt_get(c, NULL, key, &v);                 (v.version is 0 if there is no such key)
 *         if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) break;
 *         ... make the new value from v ...
 *         o = (holt_put_options){.flags = HOLT_PUT_IF_VERSION, .version = v.version};
 *         rc = holt_put_with(c, NULL, key, value, &o);
 *     } while (rc == HOLT_CONFLICT);
 * Versions may be stored and compared for equality; they are the same after a reopen, in snapshots, and in
 * other databases. As a checksum a version says which bytes the value has, not when they were written:
 *   - equal values have equal versions. A key that was changed and then changed back, or deleted and put
 *     again with the same bytes, has its former version again, and HOLT_PUT_IF_VERSION does not notice. Where
 *     that matters, put into the value something that never repeats, such as a counter;
 *   - two different values have the same version with a probability of 1 in 2^64. The checksum is not
 *     cryptographic: whoever chooses the values can make such a pair on purpose. */

/* Expiry: a value may be put with a time at which it expires. From that millisecond on the key has no value,
 * for every call: gets, cursors, conditions, holt_add. Putting a value without an expiry makes the key
 * permanent again. The space of expired values is freed by flushes and compactions, and while the database is
 * idle, once an eighth of a collection's values have expired; in a small collection, once all have that will.
 *   - Time is that of the reader: a transaction's begin, a cursor's open or refresh, the present for other
 *     calls. So a snapshot keeps what had not expired when it was taken.
 *   - Time is the wall clock's, in milliseconds since 1970 UTC, except that it never goes back: if the clock
 *     is set back, the database's time stands still until the clock has caught up, and nothing that expired
 *     comes back. This holds across reopens as far as the database has recorded the time: in each change of
 *     its trees, in each put with an expiry, and when it is closed.
 *   - A clock that is set forward, even for a moment, makes values expire early, and setting it back does not
 *     undo that. */

typedef struct holt_put_options {
    uint64_t expires_at_ms; /* time at which the value expires, in milliseconds since 1970 UTC; 0 = never. A
                               time in the past is allowed: the key then has no value */
    uint32_t flags;         /* 0, or one HOLT_PUT_IF_... */
    uint32_t reserved32;
    uint64_t version; /* HOLT_PUT_IF_VERSION: holt_value.version of the value to be replaced; 0 = the key has
                         no value. Without that flag it must be 0 */
    uint64_t reserved[7];
} holt_put_options;

/* Like holt_put, with options. o NULL = defaults.
 *   HOLT_EXISTS     HOLT_PUT_IF_ABSENT, and the key has a value
 *   HOLT_NOT_FOUND  HOLT_PUT_IF_PRESENT, and the key has no value
 *   HOLT_CONFLICT   HOLT_PUT_IF_VERSION, and the key's value has another version, or the key has no value
 *   HOLT_INVALID    several flags, or one in a blind transaction
 * In a read-write transaction the condition is checked at once, against what the transaction sees; that it
 * still holds at the commit is part of the commit's check.
 * With a flag the key is looked up, which may read from disk: HOLT_CORRUPT is possible. */
HOLT_API holt_status holt_put_with(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value,
                                   const holt_put_options *o);

/* Adds delta to a number, and puts the sum. The value of the key is the number in decimal digits, such as
 * "-12", without a plus sign, leading zeros or blanks, and between INT64_MIN and INT64_MAX; a key without a
 * value counts as 0. *result (may be NULL) receives the sum after HOLT_OK, and is left alone otherwise.
 * The number keeps its expiry, if it has one. Reading and writing are one step in commit order: when several
 * threads add to one key, nothing is lost, and no call fails or has to be repeated because of the others.
 *   HOLT_INVALID    the value is not such a number, the sum exceeds 64 bits, or the transaction is blind;
 *                   nothing was changed
 * Other errors as for holt_put. The key is looked up, which may read from disk: HOLT_CORRUPT is possible. */
HOLT_API holt_status holt_add(holt_collection *c, holt_txn *t, holt_slice key, int64_t delta,
                              int64_t *result);

/* Reads a value into *value, whose buffer is grown as needed and reused. Computing value->version takes time
 * in proportion to the value's size (less than 100 ns for 1 KiB), which holt_get_into saves.
 *   HOLT_NOT_FOUND  there is no such key */
HOLT_API holt_status holt_get(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value);

/* Like holt_get, but never reads a file, so that it never waits for the disk: for a thread that must not,
 * such as one that runs an event loop.
 *   HOLT_BUSY  the value, or a block on the way to it, is not in the cache; or the value is larger than half
 *              a block, as such values are not cached. Call holt_get where waiting is allowed */
HOLT_API holt_status holt_get_cached(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value);

/* Reads a value into the caller's buffer of `capacity` bytes. *size receives the size of the value; 0 after
 * any status but HOLT_OK and HOLT_TOO_LARGE. To learn the size only, pass NULL and capacity 0.
 *   HOLT_NOT_FOUND  there is no such key
 *   HOLT_TOO_LARGE  capacity is less than *size; nothing was copied */
HOLT_API holt_status holt_get_into(holt_collection *c, holt_txn *t, holt_slice key, void *buffer,
                                   size_t capacity, size_t *size);

/* Returns HOLT_OK if the key exists, HOLT_NOT_FOUND if it does not. */
HOLT_API holt_status holt_exists(holt_collection *c, holt_txn *t, holt_slice key);

/* Returns HOLT_OK if the key exists, with the time in *ms at which its value expires, in milliseconds since
 * 1970 UTC; 0 = never. The value is not read.
 *   HOLT_NOT_FOUND  there is no such key; *ms is 0, as after any other failure */
HOLT_API holt_status holt_expiry(holt_collection *c, holt_txn *t, holt_slice key, uint64_t *ms);

/* Reads the values of n keys, all at the same moment, as a loop of holt_get in a snapshot would, but without
 * waiting for one key after another: their reads from memory and from disk overlap. Keys may come in any
 * order and may repeat. values[i] and statuses[i] receive what holt_get of keys[i] would; all of values[0] to
 * values[n - 1] must be initialised, as for holt_get, and keep their buffers after any status.
 * Each key succeeds or fails by itself: its status is HOLT_OK, HOLT_NOT_FOUND, or an error, such as HOLT_IO,
 * HOLT_CORRUPT, HOLT_NO_MEMORY, or HOLT_TOO_LARGE for a key beyond the limit. The call returns HOLT_OK if
 * every status is HOLT_OK or HOLT_NOT_FOUND, and otherwise the first of the other ones, whose message it
 * leaves. Errors that concern the whole call, such as a revoked snapshot, are the status of every key.
 *   HOLT_INVALID  also if keys, values or statuses is NULL and n is not 0; then no status is set */
HOLT_API holt_status holt_get_many(holt_collection *c, holt_txn *t, size_t n, const holt_slice *keys,
                                   holt_value *values, holt_status *statuses);

/* Reads the first entry whose key is in [lower, upper): its key into *key, and its value into *value, whose
 * buffers are grown as needed and reused. A bound of {NULL, 0} is open. value may be NULL: then the key alone
 * is read. The entry is the one that a new cursor with these bounds would find with holt_cursor_first, but no
 * cursor is opened if the entry has been flushed and is in the cache, and nothing newer lies between the
 * lower bound and it; then the call takes little longer than a get. key->expires_at_ms and key->version are
 * 0; those of the value are as after holt_get. Where a cursor is opened, holt_last_cost shows its move.
 *   HOLT_NOT_FOUND  the range has no entry
 *   HOLT_INVALID    key is NULL or the same as value; or a bound is NULL with a nonzero size */
HOLT_API holt_status holt_get_first(holt_collection *c, holt_txn *t, holt_slice lower, holt_slice upper,
                                    holt_value *key, holt_value *value);

/* Changes the time at which the key's value expires, in milliseconds since 1970 UTC; 0 = never. A time in the
 * past leaves the key without a value at once. As with holt_add, reading and writing are one step in commit
 * order: the value is the newest one. It is written again, with its new time, so the cost is that of a get
 * and a put.
 *   HOLT_NOT_FOUND  there is no such key, or it has expired
 *   HOLT_INVALID    the transaction is blind
 * Other errors as for holt_put. The key is looked up, which may read from disk: HOLT_CORRUPT is possible. */
HOLT_API holt_status holt_expire(holt_collection *c, holt_txn *t, holt_slice key, uint64_t ms);

/* Deletes a key. HOLT_OK also if the key does not exist. Errors as for holt_put; on a full disk deletes are
 * still accepted. */
HOLT_API holt_status holt_delete(holt_collection *c, holt_txn *t, holt_slice key);

/* Deletes all keys in [begin, end), in one operation: the cost does not depend on how many there are, and the
 * keys need not be known. {NULL, 0} as begin is the first key, as end it is behind the last. Nothing is
 * deleted if the two are equal. Within a transaction, what is written to the range later is kept. Snapshots
 * and cursors taken before continue to see the keys; their disk space is freed as the range is flushed and,
 * with HOLT_LSM, merged. Errors as for holt_put; on a full disk range deletes are still accepted, like
 * deletes.
 *   HOLT_INVALID    begin is above end, or a bound is NULL with a nonzero size; or both bounds are open: use
 *                   holt_collection_clear, which frees the disk space at once
 *   HOLT_TOO_LARGE  a bound exceeds the limit of a key, or the transaction its limit */
HOLT_API holt_status holt_delete_range(holt_collection *c, holt_txn *t, holt_slice begin, holt_slice end);

/* ---------------------------------------------------------------- transactions */

enum {
    HOLT_TXN_READ_ONLY = 1,   /* a snapshot: all reads and cursors see the database as of holt_begin. When
                                 readers keep more than memory_bytes / 4 of flushed memtables in memory, the
                                 oldest snapshot is revoked: reads from it return HOLT_BUSY. So is a
                                 snapshot that is older than max_reader_age_ms */
    HOLT_TXN_BLIND = 2,       /* a write batch: atomic, not checked for conflicts. Reads, cursors,
                                 HOLT_PUT_IF_..., holt_add and holt_expire return HOLT_INVALID */
    HOLT_TXN_SERIALIZABLE = 4 /* a read-write transaction whose commit also fails with HOLT_CONFLICT if
                                 anything that it has read was written since it began: keys that it has
                                 looked up, and ranges that its cursors have passed over, whether or not
                                 there was an entry. Committed transactions of this kind have the same
                                 effect as if they had run one after the other */
};

/* A transaction without a flag reads and writes, under snapshot isolation: it sees the database as of
 * holt_begin, and on top of that its own writes, in gets, conditions and cursors. Nothing that others commit
 * while it is open is visible to it, and nothing that it writes is visible to others before its commit. The
 * commit fails with HOLT_CONFLICT if a key that the transaction has written was written by anyone else since
 * it began, in a transaction or not (the first committer wins). Then begin again and repeat everything,
 * reads included; holt_transact does that.
 *
 * That a value expires is not a write: a transaction sees what had not expired when it began.
 *
 * Transactions take no locks: they never wait for each other, and there are no deadlocks. A transaction that
 * has written nothing never conflicts, not even with HOLT_TXN_SERIALIZABLE. Snapshot isolation allows write
 * skew: two transactions that each read what the other one writes may both commit. Where that matters, use
 * HOLT_TXN_SERIALIZABLE for both.
 *
 * To find conflicts, what was committed since the oldest open transaction began is kept in memory. A
 * transaction for which that would take more than memory_bytes / 4 loses its snapshot: its reads return
 * HOLT_BUSY, and its commit returns HOLT_CONFLICT. So keep transactions short. */
typedef struct holt_txn_options {
    uint32_t flags;      /* one HOLT_TXN_... flag; 0 = a read-write transaction under snapshot isolation */
    uint32_t durability; /* holt_durability of the commit */
    const char *label;   /* shown by holt_readers: at most 63 bytes of UTF-8 without control characters;
                            copied; NULL = "" */
    uint64_t reserved[7];
} holt_txn_options;

/* Begins a transaction. o NULL = defaults. After HOLT_OK, *t belongs to the caller, who must release it with
 * exactly one holt_rollback; after any other status it is NULL.
 *   HOLT_READ_ONLY  the database is read-only, and the transaction is not
 *   HOLT_INVALID    more than one flag, or the label is too long or not valid */
HOLT_API holt_status holt_begin(holt *db, const holt_txn_options *o, holt_txn **t);

/* Commits the transaction. Never frees the handle:
 *     holt_begin(db, &o, &t); ... rc = holt_commit(t); holt_rollback(t);
 * HOLT_OK, HOLT_CONFLICT and HOLT_IO end the transaction: later calls on it and on its cursors return
 * HOLT_CLOSED, and it no longer makes holt_close return HOLT_BUSY. Any other status leaves it open, so that
 * the commit can be retried.
 * A transaction that has written nothing commits without touching the log.
 *   HOLT_CONFLICT  nothing was applied: a collection that the transaction wrote to was dropped; or, unless it
 *                  is HOLT_TXN_BLIND, something was written by another commit that must not have been, as
 *                  described at holt_txn_options. Clearing and loading a collection count as writes of all
 *                  its keys. Repeat the transaction
 *   HOLT_IO        the outcome is unknown until the database is reopened
 *   HOLT_BUSY      the disk has fallen behind the writes for longer than a commit waits (30 s) */
HOLT_API holt_status holt_commit(holt_txn *t);

/* Rolls the transaction back if it is still open, and frees the handle. Must be called exactly once for every
 * successful holt_begin, even after holt_commit. The caller must still close the transaction's cursors, which
 * return HOLT_CLOSED. Accepts NULL. */
HOLT_API void holt_rollback(holt_txn *t);

/* The following calls examine what an open transaction has written so far. They accept every transaction; one
 * that is read-only has written nothing. */

/* Return the number of operations, and the bytes of their keys and values together, which is what counts
 * against the limit of a transaction. A key that was written twice counts twice. 0 for NULL, and once the
 * transaction has ended. */
HOLT_API uint64_t holt_batch_count(const holt_txn *t);
HOLT_API uint64_t holt_batch_bytes(const holt_txn *t);

/* Later releases may add operations. */
typedef enum holt_batch_op {
    HOLT_BATCH_PUT = 1,
    HOLT_BATCH_DELETE = 2,
    HOLT_BATCH_DELETE_RANGE = 3
} holt_batch_op;

/* One operation. Later releases may append fields. */
typedef struct holt_batch_entry {
    uint32_t op; /* holt_batch_op */
    uint32_t reserved32;
    holt_collection *collection; /* borrowed: do not close it; the same handle that the program opened */
    holt_slice key, value;       /* borrowed. value: never NULL for HOLT_BATCH_PUT, else {NULL, 0} */
    uint64_t expires_at_ms;      /* in milliseconds since 1970 UTC; 0 = never */
    holt_slice end;              /* HOLT_BATCH_DELETE_RANGE deletes [key, end), where key is empty if the
                                    range has no beginning, and end is {NULL, 0} if it has no end; borrowed */
} holt_batch_entry;

/* Receives one operation and returns HOLT_OK to continue. The entry is valid until the function returns; its
 * key, value and end are valid until then or until the function writes to the transaction. */
typedef holt_status (*holt_batch_fn)(void *ctx, const holt_batch_entry *entry);

/* Calls `each` on the calling thread for every operation, in the order in which they were written. Stops at
 * the first status of `each` that is not HOLT_OK, and returns it.
 * `each` may make any call on the transaction except holt_batch_clear. Operations that it adds are not
 * visited. If it ends the transaction, the iteration stops.
 *   HOLT_CLOSED  the transaction has ended, before the call or by `each` */
HOLT_API holt_status holt_batch_iterate(holt_txn *t, holt_batch_fn each, void *ctx);

/* Discards all operations, and the savepoints. The transaction remains open and can be filled again.
 *   HOLT_READ_ONLY  the transaction is read-only
 *   HOLT_INVALID    called from holt_batch_iterate on the same transaction */
HOLT_API holt_status holt_batch_clear(holt_txn *t);

/* Marks a point in the transaction to which holt_rollback_to can return. *id receives its number, which is
 * never 0; after a failure it is 0. Savepoints may be nested to any depth, and end with the transaction.
 *   HOLT_READ_ONLY  the transaction is a snapshot
 *   HOLT_CLOSED     the transaction has ended */
HOLT_API holt_status holt_savepoint(holt_txn *t, uint32_t *id);

/* Undoes what the transaction wrote after the savepoint `id`, and removes the savepoints made after it. `id`
 * remains: the transaction can return to it again. What was read in between still counts as read. Cursors
 * stay where they are, and no longer see what was undone.
 *   HOLT_INVALID    the transaction has no such savepoint: it was removed, or belongs to another transaction;
 *                   or the call comes from holt_batch_iterate on the same transaction
 *   HOLT_READ_ONLY  the transaction is a snapshot
 *   HOLT_CLOSED     the transaction has ended */
HOLT_API holt_status holt_rollback_to(holt_txn *t, uint32_t id);

/* Removes the savepoint `id` and those made after it. What was written since stays. A loop that makes a
 * savepoint for each of its steps, and releases it, needs memory for one at a time.
 *   HOLT_INVALID    the transaction has no such savepoint: it was removed, or belongs to another transaction
 *   HOLT_READ_ONLY  the transaction is a snapshot
 *   HOLT_CLOSED     the transaction has ended */
HOLT_API holt_status holt_release(holt_txn *t, uint32_t id);

/* What holt_transact runs: reads and writes in the transaction, and returns HOLT_OK to have it committed. It
 * must not commit the transaction or roll it back. It may be called several times, so it must not change
 * anything else that a repetition would change again. ctx: as given to holt_transact. */
typedef holt_status (*holt_transact_fn)(holt_txn *t, void *ctx);

typedef struct holt_transact_options {
    holt_txn_options txn; /* of each try */
    uint32_t tries_max;   /* 0 = 100 */
    uint32_t reserved32;
    uint64_t deadline_ms; /* no try but the first begins later than this after the call, in milliseconds; a
                             try that has begun is completed. 0 = no deadline */
    uint64_t reserved[8];
} holt_transact_options;

/* Runs fn in a transaction and commits that. If it conflicts, begins another one and calls fn again, after a
 * short pause of random length, which grows with the number of tries (at most 20 ms). o NULL = defaults.
 *
 *     static holt_status move(holt_txn *t, void *ctx) { ... holt_get(c, t, ...); holt_put(c, t, ...); ... }
 *     rc = holt_transact(db, NULL, move, &ctx);
 *
 * A conflict is HOLT_CONFLICT from the commit or from fn, or HOLT_BUSY from fn if the transaction has lost
 * its snapshot. After any other status of fn the transaction is rolled back, and the status is returned, with
 * the message that fn has left. Cursors that fn opens on the transaction must be closed by the program, in fn
 * or later.
 *   HOLT_CONFLICT  after tries_max tries, or at the deadline; nothing was applied. The message says how many
 *                  tries there were, and what the last one conflicted with
 *   HOLT_INVALID   fn has committed the transaction or rolled it back; what it has committed remains
 * Other errors as for holt_begin and holt_commit. After HOLT_IO from the commit there is no other try. */
HOLT_API holt_status holt_transact(holt *db, const holt_transact_options *o, holt_transact_fn fn, void *ctx);

/* ---------------------------------------------------------------- bulk loads
 *
 * The fastest way to fill an empty collection: entries in ascending order of their keys become its tree. They
 * are written sequentially, with full blocks, and bypass log and memtable. The whole load becomes visible at
 * once, or not at all:
 *
 *     holt_load_begin(c, NULL, &load);
 *     while (more) rc = holt_load_put(load, key, value);
 *     rc = holt_load_commit(load);
 *     holt_load_abort(load);
 *
 * Before the commit no reader sees any of the entries, and a crash leaves the collection empty (the next open
 * deletes the files). Snapshots and cursors taken before the commit continue to see an empty collection.
 *
 * A collection is empty if it was never written to, or was cleared; deleting all of its entries is not
 * enough, because it leaves tombstones. The collection may be read and written during the load, but what is
 * written must be cleared before the load can be committed.
 *
 * A load is used by one thread at a time. It takes a few MiB of memory, however much it loads, and, with
 * HOLT_BTREE, as much extra disk space as the data until it is committed. */

typedef struct holt_load holt_load; /* a bulk load */

typedef struct holt_load_options {
    uint32_t flags; /* none in this release: must be 0 */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_load_options;

/* Begins a load. o NULL = defaults. After HOLT_OK, *load belongs to the caller, who must release it with
 * exactly one holt_load_abort; after any other status it is NULL. holt_close returns HOLT_BUSY until the load
 * is committed or aborted.
 *   HOLT_EXISTS     the collection is not empty
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_load_begin(holt_collection *c, const holt_load_options *o, holt_load **load);

/* Adds an entry. Its key must be greater, bytewise, than that of the entry before.
 *   HOLT_INVALID    it is not, or holt_load_commit was called before; nothing was added, the load is
 *                   unchanged
 *   HOLT_TOO_LARGE  the key or the value exceeds its limit; nothing was added, the load is unchanged
 *   HOLT_CLOSED     the load has ended, or the collection was dropped
 * After any other failure the load cannot be completed: later puts and commits return the same failure. */
HOLT_API holt_status holt_load_put(holt_load *load, holt_slice key, holt_slice value);

/* The same, with options (NULL = defaults), of which only expires_at_ms may be set.
 *   HOLT_INVALID    also if flags or version is set */
HOLT_API holt_status holt_load_put_with(holt_load *load, holt_slice key, holt_slice value,
                                        const holt_put_options *o);

/* Makes the entries those of the collection, durably, as one commit in the commit order: later writes to the
 * collection replace them. Never frees the handle. HOLT_OK and HOLT_IO end the load: later calls on it return
 * HOLT_CLOSED, and it no longer makes holt_close return HOLT_BUSY. Any other status leaves it open, so that
 * the commit can be retried.
 *   HOLT_IO      the outcome is unknown until the database is reopened
 *   HOLT_EXISTS  the collection is no longer empty: clear it and retry, or abort
 *   HOLT_CLOSED  the load has ended, or the collection was dropped */
HOLT_API holt_status holt_load_commit(holt_load *load);

/* Discards the load and all that it has written if it is still open, and frees the handle. Must be called
 * exactly once for every successful holt_load_begin, even after holt_load_commit. Accepts NULL. */
HOLT_API void holt_load_abort(holt_load *load);

/* ---------------------------------------------------------------- cursors */

enum { HOLT_CURSOR_KEYS_ONLY = 1 /* do not load values: holt_cursor_value returns {NULL, 0} */ };

typedef struct holt_cursor_options {
    holt_slice lower;  /* first key of the range, inclusive; {NULL, 0} = open */
    holt_slice upper;  /* end of the range, exclusive; {NULL, 0} = open */
    holt_slice prefix; /* only keys that begin with it; {NULL, 0} = all. Intersected with lower and upper */
    uint32_t flags;    /* HOLT_CURSOR_... */
    uint32_t reserved32;
    const char *label; /* as in holt_txn_options */
    uint64_t reserved[7];
} holt_cursor_options;

/* Opens a cursor, which is not positioned at first. o NULL = defaults; the bounds are copied. If t is NULL,
 * the cursor has a snapshot of its own. In a read-write transaction it also shows what the transaction has
 * written, in each move as of that move: the program may put and delete while the cursor is open, including
 * the entry that it is on. What it shows changes with its next move only. After HOLT_OK, *cursor belongs to
 * the caller, who must release it with holt_cursor_close; after any other status it is NULL.
 *   HOLT_INVALID  the transaction is blind, or of another database; a bound is NULL with a nonzero size; or
 *                 the label is too long or not valid
 *   HOLT_BUSY     the transaction's snapshot was revoked */
HOLT_API holt_status holt_cursor_open(holt_collection *c, holt_txn *t, const holt_cursor_options *o,
                                      holt_cursor **cursor);

/* Move the cursor. They return true if it is now positioned on an entry, and false if it has passed an end of
 * the range or failed; holt_cursor_status distinguishes the two. The direction may change at any time. On a
 * cursor that is not positioned yet, next acts as first, and prev as last. Once next has passed the end, prev
 * moves to the last entry, and vice versa. The key of a seek may lie outside the range, and is then taken as
 * the nearer end of the range. A move also loads the value, so it may fail to read it. A cursor that has
 * failed remains so until the next first, last or seek. */
HOLT_API bool holt_cursor_first(holt_cursor *cursor);
HOLT_API bool holt_cursor_last(holt_cursor *cursor);
HOLT_API bool holt_cursor_next(holt_cursor *cursor);
HOLT_API bool holt_cursor_prev(holt_cursor *cursor);
HOLT_API bool holt_cursor_seek(holt_cursor *cursor, holt_slice key);      /* to the first entry >= key */
HOLT_API bool holt_cursor_seek_last(holt_cursor *cursor, holt_slice key); /* to the last entry <= key */

/* Returns whether the cursor is positioned on an entry. false for NULL. */
HOLT_API bool holt_cursor_valid(const holt_cursor *cursor);

/* Return the key and the value of the entry: borrowed, valid until the cursor's next move, refresh or close.
 * They may be passed to a seek of the same cursor. {NULL, 0} when not positioned; on an entry the data
 * pointer is never NULL. */
HOLT_API holt_slice holt_cursor_key(const holt_cursor *cursor);
HOLT_API holt_slice holt_cursor_value(const holt_cursor *cursor);

/* Returns the time at which the current value expires, in milliseconds since 1970 UTC; 0 = never, or the
 * cursor is not positioned. With HOLT_CURSOR_KEYS_ONLY too. */
HOLT_API uint64_t holt_cursor_expires_at(const holt_cursor *cursor);

/* Returns the failure of the last move; HOLT_OK if it succeeded or passed an end of the range.
 *   HOLT_BUSY    the cursor's snapshot was revoked to free memory, or for its age (see HOLT_TXN_READ_ONLY):
 *                refresh or close the cursor
 *   HOLT_CLOSED  the transaction has ended, the collection was dropped, or the database was closed by
 *                force */
HOLT_API holt_status holt_cursor_status(const holt_cursor *cursor);

/* Moves a cursor that has a snapshot of its own to a new snapshot, and unpositions it. On failure the cursor
 * is unchanged.
 *   HOLT_INVALID  the cursor belongs to a transaction
 *   HOLT_CLOSED   the collection was dropped */
HOLT_API holt_status holt_cursor_refresh(holt_cursor *cursor);

/* Frees the cursor, and returns what holt_cursor_status would have returned. Accepts NULL. */
HOLT_API holt_status holt_cursor_close(holt_cursor *cursor);

/* ---------------------------------------------------------------- statistics, verification, copies */

/* Counts are since holt_open unless marked "now"; sizes are in bytes, times in nanoseconds unless the name
 * says otherwise. */
typedef struct holt_db_stats {
    uint64_t puts, deletes, gets, gets_found, cursor_moves, commits; /* operations of the program */
    uint64_t bytes_written_user;                                     /* keys and values put */
    uint64_t log_bytes, log_syncs;                                   /* written to the log; its syncs */
    uint64_t flushes, flush_bytes;                                   /* memtables flushed; bytes written */
    uint64_t compactions, compaction_bytes_read, compaction_bytes_written;
    uint64_t cache_hits, cache_misses, cache_bytes, cache_evictions; /* block cache; cache_bytes: now */
    uint64_t filter_checks, filter_negatives;                        /* gets: filters probed; runs skipped */

    /* Memory, now. memory_limit: the budget. memtable_bytes includes memory that is kept for memtables to
     * come. resident_bytes: the part of cache_bytes that eviction spares, such as inner blocks and filters.
     * transaction_bytes: what open transactions have written, but for those with less than a few hundred
     * bytes. */
    uint64_t memory_limit, memory_used, memtable_bytes, resident_bytes, transaction_bytes;
    uint64_t memtables_sealed;                              /* now: waiting to be flushed */
    uint64_t collections, files, disk_bytes, log_segments;  /* now */
    uint64_t transactions_open, cursors_open, views_pinned; /* now; views_pinned: by snapshots */

    /* pinned_bytes: what would be freed now if all transactions and cursors ended. In memory these are
     * flushed memtables (beyond memory_bytes / 4, snapshots are revoked), on disk the files that compaction
     * has replaced and the pages that B+trees have replaced. */
    uint64_t oldest_snapshot_age_ms, pinned_bytes, snapshots_revoked;
    uint64_t delays, delay_ns; /* commits delayed because flushes or compactions were behind; the sum */
    uint64_t write_delay_ns;   /* how long a commit is delayed now */
    uint64_t recovery_ns, recovered_operations, recovered_log_bytes; /* of this open */

    /* The newest operation, and the newest one that is known to be on stable storage: all operations up to
     * it survive a power failure. If every commit is HOLT_COMMIT, the two are equal; otherwise durable_seqno
     * may be older until the next sync or flush. In a read-only database it is what the files record. */
    uint64_t last_seqno, durable_seqno;

    uint64_t swept_entries; /* expired entries that were removed from B+trees while the database was idle */
} holt_db_stats;

/* Fills *out. out_size: the program's sizeof(holt_db_stats). */
HOLT_API holt_status holt_stats(holt *db, holt_db_stats *out, size_t out_size);

/* Causes of a delay, in holt_cost.delay_causes. */
enum {
    HOLT_DELAY_FLUSH = 1,      /* memtables are filled faster than they are flushed */
    HOLT_DELAY_COMPACTION = 2, /* compaction is behind: a collection has many runs */
    HOLT_DELAY_READERS = 4,    /* snapshots and cursors keep flushed memtables in memory */
    HOLT_DELAY_LOG = 8         /* HOLT_INTERVAL: the log was not synced within the interval. The time is in
                                  sync_ns */
};

/* What one call has waited for, read and written. Work counts for the thread that does it: of commits that
 * are written together, one pays for the write and the sync of all, and the others for their wait. The work
 * of background threads is nobody's.
 * Counts, bytes and waits are always kept. Times marked (timed) are measured only if slow_ms is set in the
 * database's options (to a high value if only the times are wanted), and are 0 otherwise. */
typedef struct holt_cost {
    const char *call;       /* the name of the call, such as "holt_get"; static; "" = there was none yet */
    uint64_t total_ns;      /* (timed) the duration of the call */
    uint64_t group_wait_ns; /* waiting for other commits: for earlier ones, for the one that wrote this one
                               too, or briefly for more to write together */
    uint64_t delay_ns;      /* slept, because flushes or compactions are behind; up to 20 ms at a time */
    uint64_t room_wait_ns;  /* waiting for memory that a flush must free */
    uint64_t background_wait_ns; /* waiting for background work: holt_flush, holt_compact */
    uint32_t delay_causes;       /* HOLT_DELAY_... bits: why there was a delay or a wait for memory */
    uint32_t reserved32;
    uint64_t log_bytes, log_write_ns;      /* written to the log; (timed) the time that took */
    uint64_t log_rotations, log_rotate_ns; /* new log segments begun; the time that took, which may include
                                              syncs */
    uint64_t syncs, sync_ns; /* of files and directories; the time they took, or that was spent waiting for
                                another thread's sync of the log */

    /* Gets: memtables searched; runs and B+trees searched, after the filters; filters asked, and those that
     * ruled the key out. */
    uint64_t memtables, trees, filter_checks, filter_negatives;
    uint64_t blocks_cached;       /* blocks of trees found in the cache */
    uint64_t blocks_read;         /* read from files, which may be in the system's cache: blocks, pieces of
                                     large values, pages of filters */
    uint64_t bytes_read, read_ns; /* of blocks_read; (timed) the time that took */
    uint64_t tombstones_skipped;  /* by moves of cursors */
    uint64_t bytes_in, bytes_out; /* of keys and values written; of values read by gets */
} holt_cost;

/* Fills *out with the figures of the calling thread's last call: of a call that takes a handle of a database,
 * a collection, a transaction, a load or a cursor, whatever its status. Calls that release a handle
 * (holt_rollback, holt_cursor_close ...) and those that only return what is known already, such as
 * holt_cursor_status, are not counted: the figures of the call before remain. out_size: the program's
 * sizeof(holt_cost). */
HOLT_API void holt_last_cost(holt_cost *out, size_t out_size);

typedef struct holt_collection_info {
    uint32_t kind;                /* holt_kind */
    uint32_t compression;         /* holt_compression */
    uint32_t block_bytes;         /* as in holt_collection_options */
    uint32_t filter_bits;         /* per key; 0 = no filter */
    uint64_t runs, parts, levels; /* of its tree, now; a B+tree counts as one of each */
    uint64_t entries, tombstones; /* in its tree; each version of a key counts */
    uint64_t memtable_entries;    /* versions in the memtables */
    uint64_t disk_bytes;          /* its share of the files */
} holt_collection_info;

/* Fills *out. out_size: the program's sizeof(holt_collection_info). */
HOLT_API holt_status holt_collection_stats(holt_collection *c, holt_collection_info *out, size_t out_size);

/* A sorted run of a collection's tree; a B+tree is one run on level 0. Later releases may append fields. */
typedef struct holt_run {
    uint32_t level;               /* 0 = as flushed; compaction moves data to higher levels */
    uint32_t reserved32;
    uint64_t parts;               /* key ranges of files that the run consists of */
    uint64_t entries, tombstones; /* as in holt_collection_info */
    uint64_t disk_bytes;          /* its share of the files */
} holt_run;

/* Receives one run, valid until the function returns, and returns HOLT_OK to continue. */
typedef holt_status (*holt_run_fn)(void *ctx, const holt_run *run);

/* Calls `each` on the calling thread for every run of the collection's tree at one moment, the newest first;
 * an LSM tree without data has none. Stops at the first status of `each` that is not HOLT_OK, and returns it.
 * Holt holds no lock during it: `each` may call Holt, but must not close this database. */
HOLT_API holt_status holt_runs(holt_collection *c, holt_run_fn each, void *ctx);

typedef enum holt_reader_kind {
    HOLT_READER_SNAPSHOT = 1, /* a transaction with HOLT_TXN_READ_ONLY */
    HOLT_READER_BATCH = 2,    /* a transaction with HOLT_TXN_BLIND; it pins nothing */
    HOLT_READER_TXN = 3,      /* any other transaction */
    HOLT_READER_CURSOR = 4
} holt_reader_kind;

/* An open transaction or cursor. Later releases may append fields. */
typedef struct holt_reader {
    uint32_t kind;         /* holt_reader_kind */
    uint32_t revoked;      /* 1: its snapshot was revoked, and its next use returns HOLT_BUSY; else 0 */
    uint64_t age_ms;       /* since the moment that it reads, or a batch was begun */
    uint64_t pinned_bytes; /* what it keeps from being freed, as in holt_db_stats. What several readers keep
                              counts for each of them */
    char label[64];        /* as in holt_txn_options; "" = none */
} holt_reader;

/* Receives one reader, valid until the function returns, and returns HOLT_OK to continue. */
typedef holt_status (*holt_reader_fn)(void *ctx, const holt_reader *reader);

/* Calls `each` on the calling thread for every transaction and cursor that was open at one moment during the
 * call: first the transactions, then the cursors, the newest first. Stops at the first status of `each` that
 * is not HOLT_OK, and returns it. Bulk loads are not listed.
 * The list is complete before the first call of `each`, and Holt holds no lock during it: `each` may take the
 * program's locks and may call Holt, including on this database, its transactions and its cursors, with one
 * exception: it must not close this database. Other threads may use and end the readers at the same time. */
HOLT_API holt_status holt_readers(holt *db, holt_reader_fn each, void *ctx);

/* Callbacks run on the calling thread and must not use the database that is being verified. */
typedef struct holt_verify_options {
    void (*problem)(void *ctx, const holt_error *problem); /* called for each problem found; may be NULL */
    void (*progress)(void *ctx, uint64_t bytes_done, uint64_t bytes_total); /* may be NULL */
    void *ctx; /* passed to both */
    uint64_t reserved[8];
} holt_verify_options;

typedef struct holt_verify_report {
    uint64_t files, blocks, entries, bytes; /* examined; entries: in trees, and operations in the log */
    uint64_t problems;                      /* found */
    uint64_t orphans;                       /* unreferenced files left by a crash; deleted by the next open */
} holt_verify_report;

/* Verifies a closed database: every checksum, order, reference and count in every file. Writes nothing. The
 * lock is that of a reader, so other readers may have the database open. o NULL = defaults. *report (may be
 * NULL) receives the totals, also after an error. report_size: the program's sizeof(holt_verify_report).
 * Reported are the first problem of each tree, the first of the log, and the first of CURRENT and the
 * manifest. The last ends the verification, because files that these do not name cannot be judged. An
 * unsynced end of the log that a crash has torn is not a problem.
 *   HOLT_OK           no problem was found
 *   HOLT_CORRUPT      report->problems says how many; holt_error_message() describes the first
 *   HOLT_NOT_FOUND    there is no database
 *   HOLT_INVALID      the directory contains other files but no database
 *   HOLT_BUSY         the database is open for writing
 *   HOLT_UNSUPPORTED  the database was written by a newer release; the verification stopped there */
HOLT_API holt_status holt_verify(const char *path, const holt_verify_options *o, holt_verify_report *report,
                                 size_t report_size);

/* Verifies an open database like holt_verify: its manifest, and its trees as they are now, read from the
 * files. Not verified are data that is only in memory and in the log, and which pages of B+trees are free.
 * Reads and writes continue; files that are merged away remain until they have been read.
 *   HOLT_CORRUPT  as for holt_verify */
HOLT_API holt_status holt_verify_live(holt *db, const holt_verify_options *o, holt_verify_report *report,
                                      size_t report_size);

/* (later) Makes a consistent copy of the database in the new directory `dest`. */
HOLT_API holt_status holt_checkpoint(holt *db, const char *dest);

#ifdef __cplusplus
}
#endif

#endif
