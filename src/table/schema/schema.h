/* schema.h -- what a table consists of, in memory and as its record in the catalog.
 *
 * A schema does not change once it has been published: many threads read it without a lock. A change makes
 * a copy (schema_copy), which is a draft that belongs to one thread, edits it with the calls below, stores
 * its record and publishes it. Every copy has the next version.
 *
 * Columns that are not part of the primary key have a slot, a number which says where a row keeps their
 * value. Slots are given in ascending order and never again after a column was dropped, so that rows written
 * under any earlier version can be read: a row that ends before a column's slot has the column's default.
 * Columns in their order have ascending slots.
 *
 * Invariants   Names of columns are unique, and so are those of indexes, in their folded form.
 *              A position of a column is below column_count; SCHEMA_NONE means that there is none.
 *              Columns of the key are NOT NULL, and neither they nor columns of an index can be dropped.
 * Concurrency  as above: drafts have one thread, published schemas any number.
 * On disk      docs/FORMAT.md, "The catalog of tables"; schema_record.c
 */
#ifndef HOLT_TABLE_SCHEMA_H
#define HOLT_TABLE_SCHEMA_H

#include <holt/table.h>

#include "base/arena.h"
#include "base/buffer.h"

enum { SCHEMA_COLUMNS_MAX = 1000, SCHEMA_INDEX_COLLECTION_BYTES = 32 };
#define SCHEMA_NONE UINT32_MAX

typedef struct schema_column {
    const char *name, *folded;
    uint32_t type;            /* holt_type */
    uint32_t flags;           /* HOLT_COLUMN_... */
    uint64_t length_max;      /* 0 = no limit */
    holt_datum default_value; /* null if it has none */
    uint32_t slot;            /* SCHEMA_NONE: a column of the key */
    uint32_t key_part;        /* its part of the key, or SCHEMA_NONE */
} schema_column;

typedef struct schema_part {
    uint32_t column; /* position */
    uint32_t flags;  /* HOLT_PART_... */
} schema_part;

/* The values are those of the record. */
typedef enum schema_index_state {
    INDEX_BUILDING = 1, /* writers maintain it, nobody reads it, and rows are being put into it */
    INDEX_COMPLETE = 2,
    INDEX_DROPPING = 3 /* nobody uses it; its collection is to be dropped */
} schema_index_state;

typedef struct schema_index {
    uint32_t id;     /* holt_index_info.id */
    uint32_t flags;  /* HOLT_INDEX_... */
    uint64_t number; /* of its collection; from the catalog's counter */
    const char *name, *folded;
    char collection[SCHEMA_INDEX_COLLECTION_BYTES]; /* "holt.index.<number>" */
    uint32_t state;                                 /* schema_index_state */
    uint32_t not_null;                              /* the column of a partial index, or SCHEMA_NONE */
    schema_part *parts;
    uint32_t part_count;
    bool hashed; /* a part is HOLT_PART_HASH */
    /* For each column: the position of its value among the index's own parts and then those of the primary
     * key; SCHEMA_NONE if an entry does not hold it. A hashed part holds no column. */
    uint32_t *held;
} schema_index;

/* The values are those of the record. */
typedef enum schema_state {
    SCHEMA_CREATING = 1, /* after a crash: to be removed again, with its collections */
    SCHEMA_LIVE = 2,
    SCHEMA_RENAMING = 3, /* after a crash: to be renamed to renamed_to */
    SCHEMA_DROPPING = 4  /* after a crash: to be removed, with its collections */
} schema_state;

typedef struct schema {
    const char *name, *folded;
    const char *renamed_to; /* SCHEMA_RENAMING; otherwise NULL */
    uint64_t version;       /* from 1 */
    uint32_t state;         /* schema_state */
    uint32_t kind;          /* HOLT_LSM or HOLT_BTREE */
    uint32_t block_bytes, compression, filter_bits; /* as in holt_collection_options */

    schema_column *columns;
    uint32_t column_count;
    schema_part *key; /* the primary key */
    uint32_t key_count; /* 0 = implicit row id */
    uint32_t auto_column; /* the key's only column, if it is an ascending integer: gets a number if it is
                             null; otherwise SCHEMA_NONE */
    schema_index *indexes;
    uint32_t index_count;

    uint32_t next_slot;  /* all slots in use are below it */
    uint32_t next_index; /* the id of the next index */

    arena *memory; /* of everything here */
} schema;

/* Makes the schema of a new table, in the state SCHEMA_CREATING and without indexes. After HOLT_OK, release
 * *out with schema_destroy; after any other status it is NULL.
 *   HOLT_INVALID  a name, a type, a default, a limit or the key is invalid; the message says which */
holt_status schema_create(schema **out, const char *name, const holt_table_options *o);

/* Makes a draft with the next version. Release it with schema_destroy unless it is published. */
holt_status schema_copy(schema **out, const schema *s);

void schema_destroy(schema *s); /* accepts NULL */

/* Edits of a draft. After a failure the draft is of no further use. */

/* `to` was checked with schema_name_check_table. */
holt_status schema_rename(schema *draft, const char *to);
/* The table is being renamed to `to`; NULL: it is live. */
holt_status schema_set_renaming(schema *draft, const char *to);

/* HOLT_EXISTS: there is a column of this name. HOLT_INVALID: as described at holt_alteration_op, or there are
 * too many columns. */
holt_status schema_add_column(schema *draft, const holt_column *column);
/* HOLT_NOT_FOUND: there is no column `name`. HOLT_EXISTS: another column is named `to`. */
holt_status schema_rename_column(schema *draft, const char *name, const char *to);
/* HOLT_NOT_FOUND. HOLT_INVALID: it is a column of the key or of an index, or the only one. */
holt_status schema_drop_column(schema *draft, const char *name);

/* Adds an index in the state INDEX_BUILDING as the last one. Errors as for holt_table_create_index, except
 * that the name is compared only with the indexes of this table. */
holt_status schema_add_index(schema *draft, const holt_index_options *o, uint64_t number);
void schema_remove_index(schema *draft, uint32_t position);

/* Looking up by name, in any case: the position, or SCHEMA_NONE. No message. */
uint32_t schema_find_column(const schema *s, const char *name);
uint32_t schema_find_index(const schema *s, const char *name);
/* By holt_index_info.id. */
uint32_t schema_find_index_id(const schema *s, uint32_t id);

/* Whether part i of the primary key is descending. The implicit row id is one ascending part. */
static inline bool schema_key_descending(const schema *s, uint32_t i)
{
    return i < s->key_count && (s->key[i].flags & HOLT_PART_DESCENDING);
}

/* The parts of the primary key as it is encoded: at least one. */
static inline uint32_t schema_key_parts(const schema *s)
{
    return s->key_count ? s->key_count : 1;
}

/* Converts a value to the type of a column, where that is possible without loss: an integer to a real, 0 and
 * 1 to a boolean. Returns false if the type does not fit; null always fits. */
bool schema_convert(const schema_column *column, holt_datum *value);

/* The record in the catalog. HOLT_NO_MEMORY if the buffer has failed. */
holt_status schema_encode(const schema *s, buffer *out);
/* Decodes an untrusted record. After HOLT_OK, release *out with schema_destroy.
 *   HOLT_CORRUPT      it is damaged; the message says what is wrong
 *   HOLT_UNSUPPORTED  it was written by a newer release */
holt_status schema_decode(schema **out, slice record);

#endif
