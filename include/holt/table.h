/* holt/table.h -- typed tables with secondary indexes, on top of the collections of holt.h.
 *
 * A table is a collection whose entries are rows: the primary key, encoded so that the order of the bytes is
 * the order of the values, and the other columns as its value. A secondary index is a further collection,
 * which is kept up to date in the transaction that changes the row. Tables of both kinds of tree, their
 * indexes and plain collections can be changed together, in one transaction.
 *
 *     holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
 *                              {.name = "name", .type = HOLT_TEXT},
 *                              {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL}};
 *     holt_index_part by_email = {.column = "email"};
 *     holt_index_options index = {.name = "users_email", .parts = &by_email, .part_count = 1,
 *                                 .flags = HOLT_INDEX_UNIQUE};
 *     holt_key_part id = {.column = "id"};
 *     holt_table_options o = {.columns = columns, .column_count = 3, .key = &id, .key_count = 1};
 *     holt_table *users;
 *     holt_table_create(db, "users", &o, &users);
 *     holt_table_create_index(users, &index, NULL, NULL);
 *     holt_datum row[] = {holt_integer(1), holt_text("Ada"), holt_text("ada@example.org")};
 *     holt_table_insert(users, NULL, row, 3, 0, NULL);
 *
 * Errors       As in holt.h: a status, and the message in holt_error_message(). What is wrong with a row is
 *              also available as fields, from holt_row_error_get().
 * Threads      A table may be used by several threads at once, a scan by one at a time.
 * Transactions Every call that takes a holt_txn works within it. If it is NULL, the call is a transaction of
 *              its own, which is repeated if it conflicts. A call that fails has no effect: within a
 *              transaction, what the transaction has written before remains, and it can go on.
 *              HOLT_TXN_BLIND transactions cannot be used with tables: HOLT_INVALID.
 * Schemas      Creating, altering and dropping tables and indexes are durable when the call returns HOLT_OK,
 *              and happen as a whole or not at all, also if the process is killed in the middle. They are not
 *              part of any transaction. One is made at a time. Making an index waits for read-write
 *              transactions that began before it to end (holt_table_set_change_wait), and then returns
 *              HOLT_BUSY with nothing changed. So do not make one while the same thread has such a
 *              transaction open.
 * Collections  The collection of a table has the table's name, those of indexes have names beginning with
 *              "holt.", and the schemas are in the collection "holt.tables". Do not write to these
 *              collections with the calls of holt.h: rows and indexes would no longer agree
 *              (holt_table_check finds it). A table and a plain collection cannot have the same name.
 * Closing      holt_close returns HOLT_BUSY while tables are open. After a forced close the handles of tables
 *              can only be closed, like those of collections the program had open. So can those that a child
 *              has inherited through fork(): other calls that need the database return HOLT_CLOSED.
 */
#ifndef HOLT_TABLE_H
#define HOLT_TABLE_H

#include <holt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- values */

/* The type of a column, or of a datum. */
typedef enum holt_type {
    HOLT_NULL = 0,    /* of a datum only */
    HOLT_BOOLEAN = 1, /* false or true */
    HOLT_INTEGER = 2, /* int64_t */
    HOLT_REAL = 3,    /* double; never a NaN */
    HOLT_TEXT = 4,    /* valid UTF-8; may contain zero bytes */
    HOLT_BLOB = 5     /* bytes */
} holt_type;

/* One value of a row or a key. Text and blobs are borrowed. */
typedef struct holt_datum {
    uint32_t type; /* holt_type */
    uint32_t reserved32;
    union {
        bool boolean;
        int64_t integer;
        double real;
        holt_slice bytes; /* HOLT_TEXT, HOLT_BLOB */
    } as;
} holt_datum;

/* Returns null. */
static inline holt_datum holt_null(void)
{
    holt_datum d;
    memset(&d, 0, sizeof(d));
    return d;
}

/* Returns a boolean. */
static inline holt_datum holt_boolean(bool value)
{
    holt_datum d = holt_null();
    d.type = HOLT_BOOLEAN;
    d.as.boolean = value;
    return d;
}

/* Returns an integer. */
static inline holt_datum holt_integer(int64_t value)
{
    holt_datum d = holt_null();
    d.type = HOLT_INTEGER;
    d.as.integer = value;
    return d;
}

/* Returns a real, which must not be a NaN. */
static inline holt_datum holt_real(double value)
{
    holt_datum d = holt_null();
    d.type = HOLT_REAL;
    d.as.real = value;
    return d;
}

/* Returns the text of a C string, which is borrowed. */
static inline holt_datum holt_text(const char *string)
{
    holt_datum d = holt_null();
    d.type = HOLT_TEXT;
    d.as.bytes = holt_str(string);
    return d;
}

/* Returns the text of `size` bytes at `data`, which are borrowed. */
static inline holt_datum holt_text_bytes(const void *data, size_t size)
{
    holt_datum d = holt_null();
    d.type = HOLT_TEXT;
    d.as.bytes = holt_bytes(data, size);
    return d;
}

/* Returns the blob of `size` bytes at `data`, which are borrowed. */
static inline holt_datum holt_blob(const void *data, size_t size)
{
    holt_datum d = holt_null();
    d.type = HOLT_BLOB;
    d.as.bytes = holt_bytes(data, size);
    return d;
}

/* ---------------------------------------------------------------- order-preserving keys
 *
 * Keys of several typed parts for any collection: the order of the encoded bytes is the order of the tuples,
 * part by part. Within a part, null < false < true < integers < reals < text < blobs; integers and reals
 * are ordered numerically among themselves, but every integer sorts before every real; text and blobs are
 * ordered bytewise. A part marked as descending is ordered the other way round, null last. A tuple that is
 * the beginning of another sorts before it, and its encoding is the beginning of the other's, so that a
 * cursor with the encoding of the first parts as its prefix shows all keys that begin with them.
 * docs/FORMAT.md describes the bytes.
 *
 * -0.0 is encoded as 0.0. */

enum { HOLT_KEY_PARTS_MAX = 64 };

/* Encodes n parts into the caller's buffer of `capacity` bytes. Bit i of `descending` is set if part i is
 * descending. *size receives the size of the encoding, also with HOLT_TOO_LARGE.
 *   HOLT_INVALID    n exceeds HOLT_KEY_PARTS_MAX, a type is unknown, a real is a NaN, or text is not UTF-8
 *   HOLT_TOO_LARGE  capacity is less than *size; nothing was written */
HOLT_API holt_status holt_key_encode(const holt_datum *parts, size_t n, uint64_t descending, void *buffer,
                                     size_t capacity, size_t *size);

/* Decodes a key. *n: in, the room in parts; out, the number of parts, also with HOLT_TOO_LARGE. Text and
 * blobs point into `key` or into `buffer`, whose capacity must be at least key.size.
 *   HOLT_CORRUPT    the bytes are not an encoded key with these descending parts
 *   HOLT_TOO_LARGE  the key has more parts than *n, or capacity is less than key.size */
HOLT_API holt_status holt_key_decode(holt_slice key, uint64_t descending, holt_datum *parts, size_t *n,
                                     void *buffer, size_t capacity);

/* Turns the encoding of the first parts of a key, in place, into the end of the range of all keys that begin
 * with them: [prefix, end). Every encoding has such an end, which is not longer than it. */
HOLT_API void holt_key_prefix_end(void *key, size_t *size);

/* ---------------------------------------------------------------- schemas */

enum {
    HOLT_COLUMN_NOT_NULL = 1,
    HOLT_COLUMN_DEFAULT = 2 /* default_value is set; otherwise the default is null */
};

/* A column. Names of columns and indexes are 1 to 128 bytes of UTF-8 without control characters; as in SQL,
 * two names that differ only in the case of ASCII letters are the same name. */
typedef struct holt_column {
    const char *name;
    uint32_t type;            /* holt_type, not HOLT_NULL */
    uint32_t flags;           /* HOLT_COLUMN_... */
    uint64_t length_max;      /* HOLT_TEXT: in characters (code points); HOLT_BLOB: in bytes; 0 = no limit */
    holt_datum default_value; /* of the column's type, or null */
    uint64_t reserved[4];
} holt_column;

enum {
    HOLT_PART_DESCENDING = 1,
    HOLT_PART_HASH = 2 /* secondary indexes only: the index holds a 128-bit hash of the value, for long text
                          and blobs. Serves lookups by equality only; a null is held as it is */
};

/* A part of a primary key or of an index. */
typedef struct holt_key_part {
    const char *column;
    uint32_t flags; /* HOLT_PART_... */
    uint32_t reserved32;
} holt_key_part;

typedef holt_key_part holt_index_part;

typedef struct holt_table_options {
    const holt_column *columns; /* in the order of the datums of a row; at most 1,000 */
    size_t column_count;
    const holt_key_part *key; /* the primary key, whose columns are NOT NULL; no HOLT_PART_HASH */
    size_t key_count;         /* 0: rows have an implicit row id, an integer */
    uint32_t kind;            /* holt_kind of the table and its indexes; 0 = HOLT_BTREE */
    uint32_t block_bytes;     /* as in holt_collection_options */
    uint32_t flags;           /* HOLT_CREATE_OR_OPEN */
    uint32_t compression;     /* as in holt_collection_options */
    uint32_t filter_bits;     /* as in holt_collection_options */
    uint32_t reserved32;
    uint64_t reserved[8];
} holt_table_options;

enum { HOLT_INDEX_UNIQUE = 1 /* rows in which a part is null are exempt, as in SQL */ };

typedef struct holt_index_options {
    const char *name; /* unique in the database, like the name of a table */
    const holt_index_part *parts;
    size_t part_count;
    uint32_t flags; /* HOLT_INDEX_... */
    uint32_t reserved32;
    const char *not_null; /* a partial index, WHERE this column IS NOT NULL: other rows are not in the index;
                             NULL = all rows are */
    uint64_t reserved[8];
} holt_index_options;

typedef struct holt_table holt_table; /* an open table */

/* Creates a table and opens it. Everything in `o` is copied. After HOLT_OK, *t belongs to the caller, who
 * must release it with holt_table_close; after any other status it is NULL.
 *   HOLT_EXISTS     there is a table, an index or a collection of this name. With HOLT_CREATE_OR_OPEN an
 *                   existing table is opened, whatever its columns
 *   HOLT_INVALID    a name, a type, a default or a key is invalid; the message says which
 *   HOLT_READ_ONLY  the database is read-only */
HOLT_API holt_status holt_table_create(holt *db, const char *name, const holt_table_options *o,
                                       holt_table **t);

/* Opens a table. After HOLT_OK, *t belongs to the caller, who must release it with holt_table_close; after
 * any other status it is NULL.
 *   HOLT_NOT_FOUND  there is no such table; the message tells if there is a plain collection of this name */
HOLT_API holt_status holt_table_open(holt *db, const char *name, holt_table **t);

/* Releases the handle. Its scans must be closed before. All handles of one table are the same handle, which
 * is reference-counted. Accepts NULL. */
HOLT_API void holt_table_close(holt_table *t);

/* Drops a table with its indexes. Its handles and scans return HOLT_CLOSED from then on, and must still be
 * closed.
 *   HOLT_NOT_FOUND  there is no such table */
HOLT_API holt_status holt_table_drop(holt *db, const char *name);

/* Lists the names of all tables in bytewise order, as holt_collection_list does; release with
 * holt_free(*names). */
HOLT_API holt_status holt_table_list(holt *db, char ***names, size_t *count);

typedef enum holt_alteration_op {
    HOLT_ALTER_RENAME = 1,        /* the table; `to` */
    HOLT_ALTER_ADD_COLUMN = 2,    /* `column`, behind the others; NOT NULL needs a default other than null */
    HOLT_ALTER_RENAME_COLUMN = 3, /* `name`, `to` */
    HOLT_ALTER_DROP_COLUMN = 4    /* `name`; not a column of the key or of an index */
} holt_alteration_op;

typedef struct holt_alteration {
    uint32_t op; /* holt_alteration_op */
    uint32_t reserved32;
    const holt_column *column;
    const char *name;
    const char *to;
    uint64_t reserved[4];
} holt_alteration;

/* Changes the schema without rewriting rows: a row written before a column was added has the column's
 * default. Open scans continue with the columns that they began with.
 *   HOLT_EXISTS     the new name is in use
 *   HOLT_NOT_FOUND  there is no such column
 *   HOLT_INVALID    as described at holt_alteration_op */
HOLT_API holt_status holt_table_alter(holt_table *t, const holt_alteration *change);

/* Called now and then during a long operation on rows, on the calling thread, with no lock held. rows_total
 * is an estimate. Any status but HOLT_OK ends the operation, which returns it. */
typedef holt_status (*holt_progress_fn)(void *ctx, uint64_t rows_done, uint64_t rows_total);

/* Creates a secondary index. Rows that exist are put into it while the table is read and written as usual;
 * once the call returns HOLT_OK the index is complete and serves reads. progress may be NULL. After a crash
 * in the middle, the next call that opens the table for writing resumes where it was.
 *   HOLT_EXISTS       the name is in use; or HOLT_INDEX_UNIQUE, and two rows have the same values: the
 *                     message and holt_row_error_get() say which. No index was made
 *   HOLT_UNSUPPORTED  as for rows. No index was made
 *   HOLT_NOT_FOUND    a part names a column that the table does not have
 *   HOLT_INVALID      no part, too many parts, a column twice, or an unknown flag */
HOLT_API holt_status holt_table_create_index(holt_table *t, const holt_index_options *o,
                                             holt_progress_fn progress, void *ctx);

/* Drops an index. Transactions that have written rows of the table since they began may then fail to commit,
 * with HOLT_CONFLICT.
 *   HOLT_NOT_FOUND  the table has no such index */
HOLT_API holt_status holt_table_drop_index(holt_table *t, const char *name);

/* Rebuilds an index, or all of the table's if name is NULL, from the rows; progress may be NULL. An index
 * serves no reads until it is complete again, and one that is unique does not prevent all duplicates in the
 * meantime. If the call fails, or the process is killed, the next change of a schema or the next open for
 * writing goes on.
 *   HOLT_EXISTS       two rows have the same values in a unique index: the message and holt_row_error_get()
 *                     say which. That index has been dropped
 *   HOLT_UNSUPPORTED  as for rows. That index has been dropped
 *   HOLT_NOT_FOUND    the table has no such index */
HOLT_API holt_status holt_table_reindex(holt_table *t, const char *name, holt_progress_fn progress,
                                        void *ctx);

/* Limits how long a change of a schema waits for older transactions, and for a change that another thread is
 * making, in milliseconds; 0 = 10,000. For all tables of the database, for as long as one is open. */
HOLT_API holt_status holt_table_set_change_wait(holt_table *t, uint64_t milliseconds);

typedef struct holt_index_info {
    const char *name;
    uint32_t id; /* for holt_scan_options.index; never 0, never used again in this table */
    uint32_t flags;
    const char *not_null;         /* NULL = not partial */
    const holt_index_part *parts; /* without the primary key, which every index holds too */
    size_t part_count;
    const char *collection; /* its collection */
    bool complete;          /* false while it is being made: it serves no reads yet */
} holt_index_info;

typedef struct holt_table_info {
    const char *name;
    uint64_t version; /* grows with each change of the schema */
    uint32_t kind;    /* holt_kind */
    uint32_t block_bytes;
    const holt_column *columns;
    size_t column_count;
    const holt_key_part *key;
    const uint32_t *key_columns; /* the positions of the key's parts in columns */
    size_t key_count;            /* 0 = implicit row id */
    const holt_index_info *indexes;
    size_t index_count;
} holt_table_info;

/* Describes the table: *info becomes one block of memory, which the caller must release with
 * holt_free(*info). */
HOLT_API holt_status holt_table_describe(holt_table *t, holt_table_info **info);

/* The version of the table's schema, for programs that keep a description: it has changed if this has. 0 for
 * NULL, or when the table was dropped. */
HOLT_API uint64_t holt_table_version(const holt_table *t);

/* ---------------------------------------------------------------- rows
 *
 * A row is given as an array of datums, one for each column, in the order of the columns; n must be their
 * number. A key is given as the datums of the primary key's parts; in a table with an implicit row id, as
 * that one integer.
 *
 * Errors common to these calls:
 *   HOLT_INVALID      a wrong number of datums, a value of another type than its column, null in a NOT NULL
 *                     column, text that is not UTF-8, a NaN. An integer is accepted for a REAL column if it
 *                     is converted without loss, and so are 0 and 1 for a BOOLEAN column
 *   HOLT_TOO_LARGE    a value is longer than its column's length_max, the key is longer than 65,535 bytes
 *                     when encoded, or the row is larger than a value may be
 *   HOLT_CONFLICT     the schema was changed after the transaction began in a way that concerns what it has
 *                     read or written: repeat it
 *   HOLT_UNSUPPORTED  another value in a HOLT_PART_HASH part of a unique index has the same hash, which does
 *                     not happen unless someone means it to. Make the index without HOLT_PART_HASH
 * and those of holt_put and holt_get. */

enum { HOLT_INSERT_REPLACE = 1 /* first delete all rows with the same primary key, or the same values in a
                                  unique index */ };

/* Inserts a row. In a table with an implicit row id, or whose primary key is one ascending INTEGER column
 * that is null in `row`, the row gets the number after the largest one in use; *row_id (may be NULL) receives
 * it, and in other tables 0.
 *   HOLT_EXISTS  there is a row with this primary key, or with the same values in a unique index */
HOLT_API holt_status holt_table_insert(holt_table *t, holt_txn *txn, const holt_datum *row, size_t n,
                                       uint32_t flags, int64_t *row_id);

/* In a table with an implicit row id: inserts a row with the given row id.
 *   HOLT_INVALID  the table has a primary key */
HOLT_API holt_status holt_table_insert_at(holt_table *t, holt_txn *txn, int64_t row_id, const holt_datum *row,
                                          size_t n, uint32_t flags);

/* Inserts a row, or replaces the one with the same primary key.
 *   HOLT_EXISTS  another row has the same values in a unique index */
HOLT_API holt_status holt_table_upsert(holt_table *t, holt_txn *txn, const holt_datum *row, size_t n);

/* Changes columns of the row with the given key: column columns[i] (a position) becomes values[i]. Columns of
 * the primary key may be changed too: the row moves.
 *   HOLT_NOT_FOUND  there is no such row
 *   HOLT_EXISTS     another row has the new primary key, or the same values in a unique index. With
 *                   HOLT_INSERT_REPLACE in flags such rows are deleted first */
HOLT_API holt_status holt_table_update(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count,
                                       const uint32_t *columns, const holt_datum *values, size_t n,
                                       uint32_t flags);

/* Changes the row id of a row of a table with an implicit row id, and columns as holt_table_update does. */
HOLT_API holt_status holt_table_update_at(holt_table *t, holt_txn *txn, int64_t row_id, int64_t new_row_id,
                                          const uint32_t *columns, const holt_datum *values, size_t n,
                                          uint32_t flags);

/* Deletes a row.
 *   HOLT_NOT_FOUND  there is no such row */
HOLT_API holt_status holt_table_delete(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count);

/* Deletes all rows. As holt_collection_clear: durable when the call returns, not part of any transaction. */
HOLT_API holt_status holt_table_clear(holt_table *t);

/* A row that was read. Its buffers belong to the library, which reuses them in later reads. Initialise with
 * HOLT_ROW_INIT, release with holt_row_free. */
typedef struct holt_row {
    const holt_datum *columns; /* valid until the next read into this row */
    size_t count;              /* 0 after any status but HOLT_OK */
    int64_t row_id;            /* in a table with an implicit row id, otherwise 0 */
    void *buffer;              /* the library's own */
    uint64_t reserved[4];
} holt_row;

/* clang-format off */
#define HOLT_ROW_INIT { NULL, 0, 0, NULL, { 0, 0, 0, 0 } }
/* clang-format on */

/* Frees the buffers and resets *row to HOLT_ROW_INIT. Accepts NULL. */
HOLT_API void holt_row_free(holt_row *row);

/* Reads the row with the given primary key.
 *   HOLT_NOT_FOUND  there is no such row */
HOLT_API holt_status holt_table_get(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count,
                                    holt_row *row);

/* Finds the number of an index by its name, for holt_table_get_by and scans.
 *   HOLT_NOT_FOUND  the table has no such index */
HOLT_API holt_status holt_table_find_index(holt_table *t, const char *name, uint32_t *index);

/* Reads the first row whose values in the index equal `values`, all of its parts or the first ones.
 *   HOLT_NOT_FOUND  there is no such row
 *   HOLT_INVALID    there is no such index
 *   HOLT_BUSY       the index is not complete yet */
HOLT_API holt_status holt_table_get_by(holt_table *t, holt_txn *txn, uint32_t index, const holt_datum *values,
                                       size_t n, holt_row *row);

/* ---------------------------------------------------------------- scans */

typedef struct holt_scan holt_scan;

enum {
    HOLT_SCAN_REVERSE = 1,         /* from the last row to the first */
    HOLT_SCAN_LOWER_EXCLUSIVE = 2, /* without the rows that begin with `lower` */
    HOLT_SCAN_UPPER_EXCLUSIVE = 4  /* without the rows that begin with `upper` */
};

/* A range of the primary key or of an index. A bound is a value for each of the first parts, so that with
 * both bounds the same, the rows with exactly these values are scanned. Bounds are meant in the order of the
 * index: with a descending part, the lower bound has the larger value. */
typedef struct holt_scan_options {
    uint32_t index; /* 0 = primary key; otherwise the number of an index */
    uint32_t flags; /* HOLT_SCAN_... */
    const holt_datum *lower;
    size_t lower_count; /* 0 = open */
    const holt_datum *upper;
    size_t upper_count; /* 0 = open */
    const char *label;  /* as in holt_txn_options */
    uint64_t reserved[8];
} holt_scan_options;

/* Opens a scan, which is before its first row. Bounds are copied. If txn is NULL, the scan has a snapshot of
 * its own; in a read-write transaction it also shows what the transaction has written, as a cursor does.
 * After HOLT_OK, *s belongs to the caller, who must release it with holt_scan_close.
 *   HOLT_INVALID  there is no such index, or a bound does not fit it: too many parts, another type, a range
 *                 of a HOLT_PART_HASH part
 *   HOLT_BUSY     the index is not complete yet */
HOLT_API holt_status holt_scan_open(holt_table *t, holt_txn *txn, const holt_scan_options *o, holt_scan **s);

/* Moves to the next row in the direction of the scan. false = past the end, or failed: holt_scan_status
 * distinguishes the two. */
HOLT_API bool holt_scan_next(holt_scan *s);

/* Returns a column of the current row, borrowed until the next move; null if there is no current row or if it
 * failed, which holt_scan_status tells. In a scan of an index, columns that the index does not hold are read
 * from the table when the first of them is asked for; if the transaction has deleted the row since the move,
 * that fails with HOLT_NOT_FOUND. */
HOLT_API holt_datum holt_scan_column(holt_scan *s, size_t column);

/* Returns the row id of the current row in a table with an implicit row id; otherwise 0. */
HOLT_API int64_t holt_scan_row_id(holt_scan *s);

/* Returns the encoded primary key of the current row, borrowed until the next move. */
HOLT_API holt_slice holt_scan_key(holt_scan *s);

/* Starts again with other bounds and flags on the same index and the same snapshot, which is cheaper than
 * closing and opening. The index in `o` must be the one the scan was opened with. */
HOLT_API holt_status holt_scan_restart(holt_scan *s, const holt_scan_options *o);

/* Returns the failure of the last move or column; HOLT_OK if there was none. */
HOLT_API holt_status holt_scan_status(const holt_scan *s);

/* Frees the scan, and returns what holt_scan_status would have returned. Accepts NULL. */
HOLT_API holt_status holt_scan_close(holt_scan *s);

/* ---------------------------------------------------------------- bulk loads
 *
 * The fastest way to fill a new table without indexes: rows in ascending order of their primary keys become
 * its tree, as described at holt_load. They become visible all at once, or not at all. A table with an
 * implicit row id numbers them from 1. Create indexes afterwards.
 *
 *     holt_table_load_begin(t, &load);
 *     while (more) rc = holt_table_load_put(load, row, n);
 *     rc = holt_table_load_commit(load);
 *     holt_table_load_abort(load);
 *
 * A load is used by one thread at a time. */

typedef struct holt_table_load holt_table_load;

/* Begins a load. After HOLT_OK, *load belongs to the caller, who must release it with exactly one
 * holt_table_load_abort, before the table is closed; after any other status it is NULL.
 *   HOLT_EXISTS       the table was written to since it was created
 *   HOLT_UNSUPPORTED  the table has indexes
 *   HOLT_READ_ONLY    the database is read-only */
HOLT_API holt_status holt_table_load_begin(holt_table *t, holt_table_load **load);

/* Adds a row of n datums, as holt_table_insert does. After these failures the load is unchanged:
 *   HOLT_INVALID    the row is invalid, or its primary key is not greater than that of the row before
 *   HOLT_TOO_LARGE  the row, or its key, exceeds a limit
 * After any other failure the load cannot be completed. */
HOLT_API holt_status holt_table_load_put(holt_table_load *load, const holt_datum *row, size_t n);

/* Makes the rows those of the table, durably. Never frees the handle. HOLT_OK and HOLT_IO end the load; any
 * other status leaves it open.
 *   HOLT_IO        the outcome is unknown until the database is reopened
 *   HOLT_EXISTS    the table was written to during the load: abort, and insert the rows
 *   HOLT_CONFLICT  the schema of the table was changed after the load began: abort, and load again
 *   HOLT_BUSY      a schema is being changed: retry, or abort
 *   HOLT_CLOSED    the load has ended, or the table was dropped */
HOLT_API holt_status holt_table_load_commit(holt_table_load *load);

/* Discards the load and what it has written if it is still open, and frees the handle. Must be called exactly
 * once for every successful holt_table_load_begin, even after holt_table_load_commit. Accepts NULL. */
HOLT_API void holt_table_load_abort(holt_table_load *load);

/* ---------------------------------------------------------------- statistics, errors, verification */

/* Estimates how many rows a scan would show, as holt_approximate_size does; o NULL = the whole table. */
HOLT_API holt_status holt_table_estimate(holt_table *t, const holt_scan_options *o, uint64_t *rows);

/* Estimates how many rows have the same values in the first `parts` parts of an index, on average: 1 for all
 * parts of a unique index or of the primary key (index 0). From a sample of the rows that is kept, and taken
 * again when the table has grown or shrunk a lot. *rows is at least 1. */
HOLT_API holt_status holt_table_rows_per_key(holt_table *t, uint32_t index, size_t parts, uint64_t *rows);

typedef enum holt_row_problem {
    HOLT_ROW_OK = 0,
    HOLT_ROW_KEY_EXISTS = 1,    /* the primary key */
    HOLT_ROW_UNIQUE_EXISTS = 2, /* the values of a unique index: `index` */
    HOLT_ROW_NULL = 3,          /* null in a NOT NULL column: `column` */
    HOLT_ROW_TYPE = 4,          /* the wrong type: `column` */
    HOLT_ROW_LENGTH = 5,        /* over length_max: `column` */
    HOLT_ROW_ENCODING = 6,      /* text that is not UTF-8: `column` */
    HOLT_ROW_COUNT = 7,         /* a wrong number of values */
    HOLT_ROW_SIZE = 8           /* the row or its key exceeds a limit */
} holt_row_problem;

typedef struct holt_row_error {
    uint32_t problem;  /* holt_row_problem of the calling thread's last call on rows */
    uint32_t position; /* of the column; UINT32_MAX = none */
    char table[132];
    char column[132];
    char index[132];
} holt_row_error;

/* Fills *out. out_size: the program's sizeof(holt_row_error). */
HOLT_API void holt_row_error_get(holt_row_error *out, size_t out_size);

typedef struct holt_table_report {
    uint64_t rows, entries;      /* examined: rows, index entries */
    uint64_t bad_rows;           /* that cannot be decoded, or that break the schema */
    uint64_t missing, surplus;   /* index entries that should be there; that should not */
    uint64_t problems;           /* all together */
} holt_table_report;

typedef struct holt_table_check_options {
    void (*problem)(void *ctx, const char *message); /* called for each of the first 100; may be NULL */
    holt_progress_fn progress;                       /* may be NULL */
    void *ctx;
    uint64_t reserved[4];
} holt_table_check_options;

/* Compares rows and indexes, in both directions, at one moment while the table is read and written as usual.
 *   HOLT_CORRUPT  they do not agree; *report (may be NULL) says how many problems there are. Mend indexes
 *                 with holt_table_reindex */
HOLT_API holt_status holt_table_check(holt_table *t, const holt_table_check_options *o,
                                      holt_table_report *report, size_t report_size);

#ifdef __cplusplus
}
#endif

#endif
