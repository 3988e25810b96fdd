/* holt.h -- Holt, an embedded, durable, transactional storage engine.
 *
 * A database is a directory. In it live named, ordered collections of byte keys and byte values; keys are
 * ordered bytewise (memcmp, the shorter first). A collection is stored as an LSM tree (HOLT_LSM, for data
 * that is written more than read) or as a B+tree (HOLT_BTREE, for data that is read more than written). All
 * of them share one log, one commit order and one memory budget.
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
 * Errors       Every call that can fail returns a holt_status. HOLT_OK is 0. What went wrong, where, and what
 *              to do is in words in holt_error_message() and in fields in holt_error_get(), both of the
 *              calling thread. Whatever call answers one, HOLT_IO, HOLT_CORRUPT, HOLT_NO_MEMORY,
 *              HOLT_NO_SPACE and HOLT_CLOSED may come from any call; the others are named at the calls that
 *              give them.
 * Threads      Every handle may be used from several threads at once, except a transaction, a cursor and a
 *              load: each of them belongs to one thread at a time.
 * Ownership    Input slices and strings are borrowed for the duration of the call. Output handles are the
 *              caller's, to be released by the call named beside them. Every release call accepts NULL.
 * Handles      NULL in place of a handle is answered with HOLT_INVALID. In a child made by fork() the
 *              inherited handles answer HOLT_CLOSED, and closing them only closes descriptors; a new
 *              holt_open there works as anywhere.
 * Structures   Input structures are zero-initialised by the caller, zero means the default, and they end in
 *              reserved words that must be zero (HOLT_INVALID otherwise). Output structures are passed with
 *              their size: a library newer than the program fills what the program knows, an older one zeroes
 *              the rest.
 * Limits       Key 0 to 65,535 bytes, with either kind and any block_bytes; value up to min(1 GiB, memory_bytes /
 *              4); the keys and values of one transaction together up to min(2 GiB, memory_bytes / 4). Past them
 *              HOLT_TOO_LARGE, and nothing is written. (65,535, because the size of what the keys of a block have in
 *              common is stored in 16 bits. Keys of some KiB are correct, not fast: an inner block holds at least
 *              four of them, and blocks that become larger than 64 KiB for that are never cached.)
 *
 * Calls marked (later) are declared so that programs can be written against them; in this release they answer
 * HOLT_UNSUPPORTED.
 */
#ifndef HOLT_H
#define HOLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The version of this header: the one place where it is written (scripts/version reads it). Semantic
 * versioning. */
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

/* What a call answers. The code says what the caller may do about it. */
typedef enum holt_status {
    HOLT_OK = 0,           /* done */
    HOLT_NOT_FOUND = 1,    /* an answer: there is no such key or collection */
    HOLT_EXISTS = 2,       /* an answer: there is one already */
    HOLT_INVALID = 3,      /* fix the call: an argument is wrong */
    HOLT_CONFLICT = 4,     /* try again: another transaction committed first */
    HOLT_BUSY = 5,         /* try again later: in use, overloaded, or no file descriptor is left; nothing was done */
    HOLT_READ_ONLY = 6,    /* fix the call: writing through something opened for reading */
    HOLT_TOO_LARGE = 7,    /* fix the call: past a limit; nothing was written */
    HOLT_NO_SPACE = 8,     /* the disk is full; deletes are still taken, to make room; writing resumes by itself */
    HOLT_NO_MEMORY = 9,    /* an allocation failed; nothing was lost */
    HOLT_IO = 10,          /* the system refused a read or a write; after a commit: outcome unknown until reopened */
    HOLT_CORRUPT = 11,     /* the bytes on disk are not what was written there; never retried, never overwritten */
    HOLT_UNSUPPORTED = 12, /* not in this release, or a file of a newer format */
    HOLT_CLOSED = 13       /* the handle's object is gone: dropped, ended, or inherited through fork() */
} holt_status;

/* The name of a status, such as "HOLT_NOT_FOUND"; "HOLT_?" for a number that is none. Static storage. */
HOLT_API const char *holt_status_name(holt_status status);

/* The version of the library at run time, such as "0.1.0". Static storage. */
HOLT_API const char *holt_version(void);

/* The last failure of this thread in words: what, where, and what to do. Never NULL; "" before the first
 * failure. Valid until this thread's next failing call. HOLT_NOT_FOUND from a get, an exists or a delete
 * formats nothing. */
HOLT_API const char *holt_error_message(void);

#define HOLT_NO_OFFSET UINT64_MAX

/* The last failure of this thread in fields. */
typedef struct holt_error {
    uint32_t status;   /* a holt_status */
    int32_t os_errno;  /* errno of the system call that failed, or 0 */
    uint64_t offset;   /* position in the file concerned, in bytes, or HOLT_NO_OFFSET */
    char file[64];     /* name of the file concerned within the database directory, or "" */
    char message[256]; /* as holt_error_message() */
} holt_error;

/* Fills *out with the last failure of this thread. out_size: sizeof(holt_error) of the program. */
HOLT_API void holt_error_get(holt_error *out, size_t out_size);

/* ---------------------------------------------------------------- bytes */

/* Borrowed bytes. As a key or a value {NULL, 0} is the empty string; NULL with a size is HOLT_INVALID. As a
 * bound {NULL, 0} means "open", while a pointer that is not NULL with size 0 is the empty key. */
typedef struct holt_slice {
    const void *data;
    size_t size;
} holt_slice;

static inline holt_slice holt_bytes(const void *data, size_t size)
{
    holt_slice s;
    s.data = data;
    s.size = size;
    return s;
}

/* The bytes of a C string, without its terminating zero. NULL gives {NULL, 0}. */
static inline holt_slice holt_str(const char *string)
{
    return holt_bytes(string, string ? strlen(string) : 0);
}

/* A value read by holt_get: a buffer that the library grows and the next get reuses, so that a loop of gets
 * allocates nothing. Initialise with HOLT_VALUE_INIT, release with holt_value_free. */
typedef struct holt_value {
    void *data;             /* the value's bytes; never NULL after HOLT_OK, also when size is 0 */
    size_t size;            /* bytes in the value; 0 after any other status */
    size_t capacity;        /* bytes allocated at data; kept on every status */
    uint64_t expires_at_ms; /* when the value expires, milliseconds since 1970 UTC; 0 = never */
    uint64_t reserved[4];
} holt_value;

/* clang-format off */
#define HOLT_VALUE_INIT { NULL, 0, 0, 0, { 0, 0, 0, 0 } }
/* clang-format on */

/* Releases the buffer and makes *value as initialised. Accepts NULL. */
HOLT_API void holt_value_free(holt_value *value);

/* Releases memory that a call returned and names holt_free for. Accepts NULL. */
HOLT_API void holt_free(void *memory);

/* ---------------------------------------------------------------- the database */

typedef struct holt holt;                       /* an open database */
typedef struct holt_collection holt_collection; /* an open collection */
typedef struct holt_txn holt_txn;               /* a transaction, a write batch or a snapshot */
typedef struct holt_cursor holt_cursor;         /* an ordered walk over a collection */

/* When a commit is acknowledged. None of them can ever corrupt the database or leave a hole in it. */
typedef enum holt_durability {
    HOLT_DURABILITY_DEFAULT = 0, /* of a database: HOLT_COMMIT; of a transaction: its database's */
    HOLT_COMMIT = 1,             /* on stable storage before it is acknowledged; survives a power failure */
    HOLT_INTERVAL = 2,           /* in the kernel, synced within interval_ms: a power failure loses at most so much.
                                    Commits wait while the disk takes longer */
    HOLT_PROCESS = 3             /* in the kernel; survives the death of the process, not a power failure */
} holt_durability;

typedef enum holt_kind {
    HOLT_KIND_DEFAULT = 0, /* the database's default_kind, or else HOLT_LSM */
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

/* Receives one line of the event log, without a newline. level: a holt_log_level.
 * It is called with no lock held and outside of any work of the engine: at the end of the program's calls, on their
 * threads, and from a thread of the library. Calls come one at a time, with the lines in order, and never after
 * holt_close has returned. So it may take the program's locks and may call Holt, this database included; only
 * holt_close of this database returns HOLT_BUSY there. In holt_close itself the last lines are delivered when the
 * database takes no calls any more: they return HOLT_CLOSED.
 * Holt waits for the callback in holt_close only: do not hold a lock there that the callback takes. Meanwhile up to
 * 128 lines are queued; if more come, the callback gets one line that says how many were lost. LOG has them all. */
typedef void (*holt_log_fn)(void *log_ctx, uint32_t level, const char *line);

enum {
    HOLT_OPEN_READ_ONLY = 1,  /* write nothing: shared lock, the log is replayed into memory */
    HOLT_OPEN_MUST_EXIST = 2, /* HOLT_NOT_FOUND instead of a new database */
    HOLT_OPEN_MUST_CREATE = 4 /* HOLT_EXISTS when there is a database already */
};

typedef struct holt_options {
    uint64_t memory_bytes;       /* the one budget: memtables, cache, indexes, filters, cursors, transactions.
                                    0 = 256 MiB; less than 8 MiB is HOLT_INVALID */
    uint64_t memtable_bytes;     /* size at which a memtable is sealed and written out. 0 = memory_bytes / 8; 64 KiB to
                                    1 GiB and at most memory_bytes / 4, else HOLT_INVALID */
    uint32_t durability;         /* holt_durability of commits that do not say otherwise */
    uint32_t interval_ms;        /* the bound of HOLT_INTERVAL, milliseconds. 0 = 100 */
    uint32_t default_kind;       /* holt_kind of collections that do not say otherwise */
    uint32_t background_threads; /* threads that merge runs, beside the one that flushes. 0 = 1; at most 64 */
    uint32_t flags;              /* HOLT_OPEN_... */
    uint32_t log_level;          /* holt_log_level up to which lines reach `log` and the LOG file */
    holt_log_fn log;             /* NULL = the LOG file only */
    void *log_ctx;               /* handed to log */
    uint32_t open_files_max;     /* files of data that are kept open for reading; those not read for longest are
                                    closed and opened again when needed. 16 to 1048576; 0 = a quarter of
                                    RLIMIT_NOFILE, at least 16 and at most 4096. The log and the like come on top:
                                    3 descriptors at rest, a few more while writing */
    uint32_t reserved32;
    uint64_t reserved[7];
} holt_options;

/* Opens, or creates, the database in the directory `path`. o NULL = defaults. On HOLT_OK *db is the caller's,
 * to be released by holt_close; on any other status it is NULL.
 * What holt_open has shown is durable: recovery is finished when it returns.
 *   HOLT_INVALID      an option is out of range; path is a file, or a directory that holds something else (files
 *                     whose names begin with a dot and lost+found do not count)
 *   HOLT_BUSY         another process (its pid is in the message), or this one, has it open; or the process has as
 *                     many files open as RLIMIT_NOFILE allows
 *   HOLT_NOT_FOUND    HOLT_OPEN_MUST_EXIST or HOLT_OPEN_READ_ONLY, and there is none; or path cannot be made,
 *                     because the directory it would be in is missing or it is a link that leads nowhere
 *   HOLT_EXISTS       HOLT_OPEN_MUST_CREATE, and there is one
 *   HOLT_UNSUPPORTED  made by a newer release
 *   HOLT_NO_MEMORY    also: read-only, and the log holds more than the budget; the message says the bytes
 *                     needed */
HOLT_API holt_status holt_open(const char *path, const holt_options *o, holt **db);

/* Syncs the log (in every durability) and closes. HOLT_BUSY, and nothing has changed, while transactions,
 * cursors or loads are open. On any other status, errors included, the handle and all its collections' handles are
 * gone. No other thread may be inside a call on the database or its handles. Accepts NULL.
 * A failure means that not all is on disk as it should be: the message says whether commits may be missing. It is also
 * reported when the directory, or a file that the next open needs, was deleted or replaced meanwhile. */
HOLT_API holt_status holt_close(holt *db);

enum { HOLT_CLOSE_FORCE = 1 };

/* As holt_close; HOLT_CLOSE_FORCE closes although transactions, cursors or loads are open. What was committed is kept;
 * what open transactions and loads have written is given up.
 * Their handles remain the program's: every later call on them returns HOLT_CLOSED (a move of a cursor false, its
 * status HOLT_CLOSED), and holt_rollback, holt_cursor_close and holt_load_abort free them as usual, in any order.
 * Keys and values that a cursor has shown are gone. The database's handle and the handles of its collections are
 * gone too, as after holt_close: they may not be used again, nor passed along with a transaction.
 * Threads: a call on a transaction, a cursor or a load (one that takes no handle of a database or a collection) may be
 * under way or begin meanwhile. Those that are under way are waited for; those that begin return HOLT_CLOSED. All calls
 * on the database and its collections, holt_put and holt_get with a transaction among them, must have returned.
 *   HOLT_INVALID  flags has unknown bits; nothing was closed */
HOLT_API holt_status holt_close_with(holt *db, uint32_t flags);

/* Deletes the closed database in the directory `path`. This cannot be undone.
 * Only files of Holt's are deleted, known by their names. Then the directory itself is removed, if it is empty.
 * It stays, and the call still returns HOLT_OK, if it holds other files, if `path` is a mount point or a symbolic
 * link, or if its parent may not be written to.
 * A crash at any moment leaves the database as it was, or gone. If files are left (after a crash, or any error
 * but those below), holt_open makes a new, empty database among them or returns HOLT_CORRUPT, and holt_destroy
 * can be called again.
 *   HOLT_NOT_FOUND    there is no such directory, or no database in it
 *   HOLT_INVALID      path is a file, or a directory that holds something else: nothing was deleted
 *   HOLT_BUSY         it is open, in this process or another; nothing was deleted
 *   HOLT_UNSUPPORTED  a newer release wrote it; nothing was deleted */
HOLT_API holt_status holt_destroy(const char *path);

/* HOLT_OK, or why writes are refused, or will be when what is in memory or in the log has used up its room; the
 * message names the cause and the file. It is asked anew each time: after a while, it may be HOLT_OK again.
 *   HOLT_NO_SPACE  the disk is full: puts are refused, deletes are taken
 *   HOLT_IO        the log or the manifest has failed, memtables cannot be written out, the directory or a file of
 *                  the database was deleted or replaced, or its file system has become read-only
 *   HOLT_CORRUPT   a merge or flush met damage
 * For a database that is open for reading only it is HOLT_OK. */
HOLT_API holt_status holt_health(holt *db);

/* Puts all acknowledged commits on stable storage, whatever their durability. HOLT_IO: the message says which
 * operations (by last_seqno of holt_db_stats) may not be there, or which file or directory was deleted. */
HOLT_API holt_status holt_sync(holt *db);

/* Writes the memtables out to the collections' trees and waits for it. */
HOLT_API holt_status holt_flush(holt *db);

/* ---------------------------------------------------------------- collections */

typedef enum holt_compression {
    HOLT_COMPRESSION_DEFAULT = 0, /* none, in this release */
    HOLT_COMPRESSION_NONE = 1,
    HOLT_COMPRESSION_LZ4 = 2, /* (later) */
    HOLT_COMPRESSION_ZSTD = 3 /* (later) */
} holt_compression;

#define HOLT_FILTER_NONE UINT32_MAX

enum { HOLT_CREATE_OR_OPEN = 1 /* of holt_collection_create: open it when it exists */ };

typedef struct holt_collection_options {
    uint32_t kind;        /* holt_kind */
    uint32_t compression; /* holt_compression */
    uint32_t block_bytes; /* 4, 8, 16, 32 or 64 KiB; 0 = 8 KiB for HOLT_LSM, 4 KiB for HOLT_BTREE. What a read
                             that misses the cache reads, and what a B+tree rewrites for a change */
    uint32_t filter_bits; /* filter bits per key, 1 to 32; 0 = 10; HOLT_FILTER_NONE = no filter */
    uint32_t flags;       /* HOLT_CREATE_OR_OPEN */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_collection_options;

/* A collection name is 1 to 128 bytes of UTF-8 without control characters (HOLT_INVALID otherwise). A
 * collection named "default" always exists and can be neither dropped nor renamed (HOLT_INVALID).
 * There is one handle a name, counted: each create and open adds one, each close takes one away. */

/* Creates a collection, durably, and opens it. o NULL = defaults. HOLT_EXISTS when there is one, unless flags
 * has HOLT_CREATE_OR_OPEN, with which the other options are not compared with those it was made with. */
HOLT_API holt_status holt_collection_create(holt *db, const char *name, const holt_collection_options *o,
                                            holt_collection **c);

/* Opens a collection. HOLT_NOT_FOUND when there is none. */
HOLT_API holt_status holt_collection_open(holt *db, const char *name, holt_collection **c);

/* Gives the handle back. Optional: holt_close closes them all. Accepts NULL. */
HOLT_API void holt_collection_close(holt_collection *c);

/* Drops a collection and its files, durably. Its handles and cursors answer HOLT_CLOSED from then on; a
 * commit with a write to it answers HOLT_CONFLICT with nothing applied. The handles are still to be closed.
 * HOLT_NOT_FOUND. */
HOLT_API holt_status holt_collection_drop(holt *db, const char *name);

/* Renames a collection, durably; its handles stay good. HOLT_NOT_FOUND, HOLT_EXISTS. */
HOLT_API holt_status holt_collection_rename(holt *db, const char *from, const char *to);

/* Empties a collection, durably, as one commit in the commit order: snapshots and cursors taken before it
 * keep the old contents. */
HOLT_API holt_status holt_collection_clear(holt_collection *c);

/* All names in bytewise order: an array of *count C strings in one block of memory, to be released by
 * holt_free(*names). */
HOLT_API holt_status holt_collection_list(holt *db, char ***names, size_t *count);

/* The name, copied into buffer with its terminating zero (as much as fits), and its length without it in
 * *size (may be NULL). HOLT_TOO_LARGE when it was cut. */
HOLT_API holt_status holt_collection_name(holt_collection *c, char *buffer, size_t capacity, size_t *size);

/* HOLT_LSM or HOLT_BTREE; HOLT_KIND_DEFAULT for NULL. */
HOLT_API holt_kind holt_collection_kind(holt_collection *c);

/* Brings what the collection holds in [begin, end) to the least space, and waits for it. {NULL, 0} = open. It takes
 * what has been flushed (holt_flush), and may work on more than the range. HOLT_LSM: runs are merged. HOLT_BTREE: the
 * range is written anew with full blocks, piece by piece, and moved down; if a reader still needs the old ones, the
 * file gets smaller after he has gone. */
HOLT_API holt_status holt_compact(holt_collection *c, holt_slice begin, holt_slice end);

/* Estimates how much of the collection lies in [begin, end), {NULL, 0} = open, without reading it: a few dozen blocks
 * are looked at, however large the range is. *bytes (may be NULL): the disk space of these entries, and the bytes of
 * keys and values that are in memory still. *entries (may be NULL): their number.
 * In data that is settled (flushed, and with HOLT_LSM merged, as by holt_compact) the number is exact for ranges that
 * lie in a few blocks, 0 for those without entries, and within 20 % for larger ones; it may be further off where
 * entries in one part of the range are many times as large as in another. In other data an entry that was overwritten
 * or deleted may count until it is merged away.
 * Blocks that are not cached are read: HOLT_IO and HOLT_CORRUPT are possible. */
HOLT_API holt_status holt_approximate_size(holt_collection *c, holt_slice begin, holt_slice end, uint64_t *bytes,
                                           uint64_t *entries);

/* ---------------------------------------------------------------- reading and writing
 *
 * t NULL: a write is a commit of its own, a read sees all that is committed when it begins. With a
 * transaction, a write becomes part of it, a read sees its snapshot and its own writes. A transaction of
 * another database is HOLT_INVALID, an ended one HOLT_CLOSED. */

/* Puts a value, replacing what there is.
 *   HOLT_READ_ONLY  the database or the transaction is read-only
 *   HOLT_TOO_LARGE  key or value past the limit
 *   HOLT_BUSY       writes have outrun the disk for longer than the bounded wait, or no file descriptor is left; try
 *                   again */
HOLT_API holt_status holt_put(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value);

enum { HOLT_PUT_IF_ABSENT = 1 };

typedef struct holt_put_options {
    uint64_t expires_at_ms; /* absolute, milliseconds since 1970 UTC; 0 = never; others (later) */
    uint32_t flags;         /* HOLT_PUT_IF_ABSENT: HOLT_EXISTS, and nothing written, when the key has a value */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_put_options;

/* As holt_put, with options. o NULL = defaults. HOLT_PUT_IF_ABSENT in a blind transaction is HOLT_INVALID. */
HOLT_API holt_status holt_put_with(holt_collection *c, holt_txn *t, holt_slice key, holt_slice value,
                                   const holt_put_options *o);

/* Gets a value into *value, whose buffer is reused and grown. HOLT_NOT_FOUND: size is 0, the buffer is kept.
 * */
HOLT_API holt_status holt_get(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value);

/* Gets a value into the caller's buffer. *size is the value's size (0 when not found).
 *   HOLT_TOO_LARGE  capacity is less than *size; nothing was copied. buffer NULL with capacity 0 asks for the
 *                   size */
HOLT_API holt_status holt_get_into(holt_collection *c, holt_txn *t, holt_slice key, void *buffer, size_t capacity,
                                   size_t *size);

/* HOLT_OK or HOLT_NOT_FOUND. */
HOLT_API holt_status holt_exists(holt_collection *c, holt_txn *t, holt_slice key);

/* Deletes a key. An absent key is HOLT_OK too. */
HOLT_API holt_status holt_delete(holt_collection *c, holt_txn *t, holt_slice key);

/* (later) Deletes all keys in [begin, end). Both open: HOLT_INVALID, see holt_collection_clear. */
HOLT_API holt_status holt_delete_range(holt_collection *c, holt_txn *t, holt_slice begin, holt_slice end);

/* ---------------------------------------------------------------- transactions */

enum {
    HOLT_TXN_READ_ONLY = 1,   /* a snapshot: all its reads and cursors see one moment */
    HOLT_TXN_BLIND = 2,       /* a write batch: atomic, never checked, never HOLT_CONFLICT; reads, cursors and
                                 HOLT_PUT_IF_ABSENT with it are HOLT_INVALID */
    HOLT_TXN_SERIALIZABLE = 4 /* (later) */
};

typedef struct holt_txn_options {
    uint32_t flags;      /* HOLT_TXN_..., at most one; 0 = snapshot isolation, read-your-writes, first committer wins
                            (later) */
    uint32_t durability; /* holt_durability of its commit; default: the database's */
    uint64_t reserved[8];
} holt_txn_options;

/* Begins a transaction. o NULL = defaults. *t is the caller's, to be released by exactly one holt_rollback.
 * */
HOLT_API holt_status holt_begin(holt *db, const holt_txn_options *o, holt_txn **t);

/* Commits; never frees. HOLT_OK, HOLT_CONFLICT and HOLT_IO end the transaction: its calls and cursors answer
 * HOLT_CLOSED, and it no longer keeps holt_close from closing. Every other status leaves it open, to try
 * again. HOLT_IO means that the outcome is unknown until the database is reopened.
 *     holt_begin(db, &o, &t); ... rc = holt_commit(t); holt_rollback(t); */
HOLT_API holt_status holt_commit(holt_txn *t);

/* Rolls back if the transaction is still open, and frees the handle. Exactly once for every holt_begin, also
 * after holt_commit. Its cursors stay the caller's to close; they answer HOLT_CLOSED. Accepts NULL. */
HOLT_API void holt_rollback(holt_txn *t);

/* What a transaction has written so far, and has not committed yet. These calls are for every transaction that
 * can write; one that is read-only has written nothing. */

/* The number of operations, and the bytes of their keys and values together (what counts against the limit of
 * a transaction). A key that was written twice counts twice. 0 for NULL, and once the transaction has ended. */
HOLT_API uint64_t holt_batch_count(const holt_txn *t);
HOLT_API uint64_t holt_batch_bytes(const holt_txn *t);

typedef enum holt_batch_op {
    HOLT_BATCH_PUT = 1,
    HOLT_BATCH_DELETE = 2
} holt_batch_op; /* later releases may add to it */

/* One operation. Later releases may append fields. */
typedef struct holt_batch_entry {
    uint32_t op; /* holt_batch_op */
    uint32_t reserved32;
    holt_collection *collection; /* borrowed, not to be closed; a handle like that which the program opened */
    holt_slice key, value;       /* borrowed; value is {NULL, 0} for HOLT_BATCH_DELETE, else never NULL */
    uint64_t expires_at_ms;      /* milliseconds since 1970 UTC; 0 = never */
} holt_batch_entry;

/* Receives an operation. The entry is valid until the function returns, its key and value until then or until it
 * writes to the transaction. HOLT_OK: go on. */
typedef holt_status (*holt_batch_fn)(void *ctx, const holt_batch_entry *entry);

/* Calls `each` for every operation in the order in which they were written, on the calling thread. Returns the
 * first status of `each` that is not HOLT_OK, without calling it again.
 * `each` may call everything but holt_batch_clear on this transaction. What it adds to the transaction is not
 * shown; if it ends the transaction, the walk ends with HOLT_CLOSED. */
HOLT_API holt_status holt_batch_iterate(holt_txn *t, holt_batch_fn each, void *ctx);

/* Forgets all operations. The transaction stays open and can be filled again.
 *   HOLT_READ_ONLY  the transaction is a snapshot
 *   HOLT_INVALID    from within holt_batch_iterate on the same transaction */
HOLT_API holt_status holt_batch_clear(holt_txn *t);

/* (later) Marks a point in the transaction to which holt_rollback_to can return. */
HOLT_API holt_status holt_savepoint(holt_txn *t, uint32_t *id);

/* (later) Undoes what the transaction wrote after the savepoint. */
HOLT_API holt_status holt_rollback_to(holt_txn *t, uint32_t id);

/* ---------------------------------------------------------------- bulk loads
 *
 * The shortest way to fill an empty collection: entries in ascending order of their keys become its tree,
 * written once, from front to back, with full blocks, past log and memtable. The whole load becomes visible
 * at once, or not at all:
 *
 *     holt_load_begin(c, NULL, &load);
 *     while (more) rc = holt_load_put(load, key, value);
 *     rc = holt_load_commit(load);
 *     holt_load_abort(load);
 *
 * Before the commit nobody sees any of it, and a crash leaves the collection empty (the next open deletes
 * the files). Snapshots and cursors taken before the commit go on to see it empty. Empty means never written
 * to, or cleared: deleted entries leave marks behind. The collection may be read and written meanwhile, but
 * what is written has to be cleared again before the load can be committed. A load belongs to one thread at
 * a time; it takes a few MiB of memory, whatever it loads, and with HOLT_BTREE, until it has been committed,
 * disk space for all entries once more. */

typedef struct holt_load holt_load; /* a bulk load */

typedef struct holt_load_options {
    uint32_t flags; /* none in this release: 0 */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_load_options;

/* Begins a load. o NULL = defaults. *load is the caller's, to be released by exactly one holt_load_abort;
 * until then, or until it has been committed, holt_close answers HOLT_BUSY.
 *   HOLT_EXISTS     the collection is not empty
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_load_begin(holt_collection *c, const holt_load_options *o, holt_load **load);

/* Adds an entry. Its key must be greater, bytewise, than that of the entry before it.
 *   HOLT_INVALID    it is not, or a commit was tried already; nothing was added, the load is as before
 *   HOLT_TOO_LARGE  key or value past the limit; likewise
 * After any other failure the load cannot be completed: later calls answer the same, until holt_load_abort.
 * */
HOLT_API holt_status holt_load_put(holt_load *load, holt_slice key, holt_slice value);

/* Makes all entries the collection's, durably, as one commit in the commit order: what is written to the
 * collection later replaces what was loaded. Never frees. HOLT_OK and HOLT_IO end the load: its calls answer
 * HOLT_CLOSED, and it no longer keeps holt_close from closing. Every other status leaves it open, to try
 * again. HOLT_IO means that the outcome is unknown until the database is reopened.
 *   HOLT_EXISTS     the collection is not empty any more: clear it and try again, or abort
 *   HOLT_CLOSED     the collection was dropped */
HOLT_API holt_status holt_load_commit(holt_load *load);

/* Gives the load up if it is still open, with all that it has written, and frees the handle. Exactly once
 * for every holt_load_begin, also after holt_load_commit. Accepts NULL. */
HOLT_API void holt_load_abort(holt_load *load);

/* ---------------------------------------------------------------- cursors */

enum { HOLT_CURSOR_KEYS_ONLY = 1 /* values are not loaded; holt_cursor_value is {NULL, 0} */ };

typedef struct holt_cursor_options {
    holt_slice lower;  /* first key of the range, included; {NULL, 0} = open */
    holt_slice upper;  /* end of the range, excluded; {NULL, 0} = open */
    holt_slice prefix; /* only keys that begin with it; {NULL, 0} = all. Intersects lower and upper */
    uint32_t flags;    /* HOLT_CURSOR_... */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_cursor_options;

/* Opens a cursor, on nothing at first. Bounds are copied. t NULL: on a snapshot of its own. *cursor is the
 * caller's, to be released by holt_cursor_close. With a blind transaction HOLT_INVALID. */
HOLT_API holt_status holt_cursor_open(holt_collection *c, holt_txn *t, const holt_cursor_options *o,
                                      holt_cursor **cursor);

/* The moves. true: the cursor stands on an entry. false: past an end, or an error, told apart by
 * holt_cursor_status. Any direction at any time: on a fresh cursor next is first and prev is last; next past
 * the end then prev gives the last entry, and the other way round. Seeks are clamped into the range. An error
 * stays until the next first, last or seek. The move itself loads the value, so it can fail there. */
HOLT_API bool holt_cursor_first(holt_cursor *cursor);
HOLT_API bool holt_cursor_last(holt_cursor *cursor);
HOLT_API bool holt_cursor_next(holt_cursor *cursor);
HOLT_API bool holt_cursor_prev(holt_cursor *cursor);
HOLT_API bool holt_cursor_seek(holt_cursor *cursor, holt_slice key);      /* to the first entry >= key */
HOLT_API bool holt_cursor_seek_last(holt_cursor *cursor, holt_slice key); /* to the last entry <= key */

/* Whether the cursor stands on an entry. false for NULL. */
HOLT_API bool holt_cursor_valid(const holt_cursor *cursor);

/* The entry's key and value: borrowed, valid until the cursor's next move, refresh or close; a seek may be given them.
 * {NULL, 0} when on nothing; on an entry the data pointer is never NULL. */
HOLT_API holt_slice holt_cursor_key(const holt_cursor *cursor);
HOLT_API holt_slice holt_cursor_value(const holt_cursor *cursor);

/* HOLT_OK, also past an end, or the error that the last move met. HOLT_BUSY: its snapshot was revoked for
 * memory; holt_cursor_refresh it or close it. */
HOLT_API holt_status holt_cursor_status(const holt_cursor *cursor);

/* Gives a cursor with a snapshot of its own a new one and puts it on nothing. HOLT_INVALID in a transaction.
 * */
HOLT_API holt_status holt_cursor_refresh(holt_cursor *cursor);

/* Releases the cursor and returns the error it stood in, if any. Accepts NULL. */
HOLT_API holt_status holt_cursor_close(holt_cursor *cursor);

/* ---------------------------------------------------------------- statistics, verification, copies */

/* All counts are since holt_open unless said otherwise; sizes are bytes, times nanoseconds.
 * durable_seqno is the newest operation known to be on stable storage: all up to it survive a loss of power.
 * Where every commit is HOLT_COMMIT it is last_seqno, else it may be older, until a sync or a flush. A
 * read-only open knows what the files say of it. */
typedef struct holt_db_stats {
    uint64_t puts, deletes, gets, gets_found, cursor_moves, commits; /* operations of the program */
    uint64_t bytes_written_user;                                    /* keys and values put */
    uint64_t log_bytes, log_syncs;                                  /* written to the log; fsyncs of it */
    uint64_t flushes, flush_bytes;                                  /* memtables written out, bytes of it */
    uint64_t compactions, compaction_bytes_read, compaction_bytes_written;
    uint64_t cache_hits, cache_misses, cache_bytes, cache_evictions; /* block cache; bytes now */
    uint64_t filter_checks, filter_negatives;                       /* by gets: filters asked; runs skipped */
    uint64_t memory_limit, memory_used, memtable_bytes, resident_bytes, transaction_bytes; /* budget, now; of
                                       memtables with what is kept for those to come */
    uint64_t memtables_sealed;                                      /* now, waiting for their flush */
    uint64_t collections, files, disk_bytes, log_segments;          /* now */
    uint64_t transactions_open, cursors_open, views_pinned;         /* now */
    uint64_t oldest_snapshot_age_ms, pinned_bytes, snapshots_revoked; /* pinned: now, what would be free if
                                       transactions and cursors ended: memtables that are flushed (memory; revoked
                                       beyond a quarter of memory_bytes), and on disk files that merges have
                                       replaced and pages that B+trees have replaced */
    uint64_t delays, delay_ns;      /* commits that were slowed down, and by how much in all */
    uint64_t write_delay_ns;        /* what a commit pays now */
    uint64_t recovery_ns, recovered_operations, recovered_log_bytes; /* of this open */
    uint64_t last_seqno, durable_seqno;                             /* newest operation; newest durable one */
} holt_db_stats;

/* Fills *out. out_size: sizeof(holt_db_stats) of the program. */
HOLT_API holt_status holt_stats(holt *db, holt_db_stats *out, size_t out_size);

typedef struct holt_collection_info {
    uint32_t kind;        /* holt_kind */
    uint32_t compression; /* holt_compression */
    uint32_t block_bytes;
    uint32_t filter_bits;
    uint64_t runs, parts, levels;         /* of its tree, now; a B+tree counts as one run */
    uint64_t entries, tombstones;         /* in its tree: several versions of a key count several times */
    uint64_t memtable_entries;            /* versions in the memtables */
    uint64_t disk_bytes;                  /* its share of the files */
} holt_collection_info;

/* Fills *out. out_size: sizeof(holt_collection_info) of the program. */
HOLT_API holt_status holt_collection_stats(holt_collection *c, holt_collection_info *out, size_t out_size);

/* Callbacks run on the calling thread and make no calls on the database that is verified. */
typedef struct holt_verify_options {
    void (*problem)(void *ctx, const holt_error *problem); /* told of each problem found; may be NULL */
    void (*progress)(void *ctx, uint64_t bytes_done, uint64_t bytes_total); /* may be NULL */
    void *ctx;
    uint64_t reserved[8];
} holt_verify_options;

typedef struct holt_verify_report {
    uint64_t files, blocks, entries, bytes; /* looked at; entries: of trees, and operations in the log */
    uint64_t problems;                      /* found */
    uint64_t orphans; /* files that nothing refers to, left by a crash: harmless, the next open deletes them */
} holt_verify_report;

/* Checks every checksum, order, reference and count of every file of a closed database, and writes nothing. It
 * is locked as by a reader: readers may have it open. o and report may be NULL.
 * Told of are the first problem of each tree, the first of the log, and the first of what names the others
 * (CURRENT and the manifest), which ends the verification: what they do not name cannot be judged. After a
 * crash an end of the log that never was synced is no problem.
 *   HOLT_OK           no problem
 *   HOLT_CORRUPT      report->problems says how many; holt_error_message() is about the first
 *   HOLT_NOT_FOUND    there is no database
 *   HOLT_INVALID      the directory holds other files
 *   HOLT_BUSY         somebody has it open for writing
 *   HOLT_UNSUPPORTED  a newer release wrote it; it was not looked at further */
HOLT_API holt_status holt_verify(const char *path, const holt_verify_options *o, holt_verify_report *report,
                                 size_t report_size);

/* The same for an open database: its manifest, and its trees as they are now, read from the files. What is in
 * memory and in the log only is not looked at, nor which pages of B+trees are free. Reads and writes go on meanwhile; files that are merged away
 * stay until they have been read. */
HOLT_API holt_status holt_verify_live(holt *db, const holt_verify_options *o, holt_verify_report *report,
                                      size_t report_size);

/* (later) Makes a consistent copy of the database in the new directory dest. */
HOLT_API holt_status holt_checkpoint(holt *db, const char *dest);

#ifdef __cplusplus
}
#endif

#endif
