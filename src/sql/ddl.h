/* ddl.h -- CREATE, ALTER, DROP and REINDEX of tables and indexes of Holt.
 *
 * The statements are those of SQLite as far as Holt has what they ask for, with two additions:
 *
 *     CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT) WITH (kind = lsm, block = 8192)
 *     CREATE INDEX t_note ON t (hash(note)) WHERE note IS NOT NULL
 *
 * ddl_parse() accepts text from anywhere: it is the target of fuzz/fuzz_ddl.c, and needs no database.
 * ddl_run() does what a parsed statement says.
 */
#ifndef SQL_DDL_H
#define SQL_DDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>
#include <holt/table.h>

#include "sqlite_api.h"
#include "token.h"

/* Limits of a statement: those of SQLite and of Holt. */
enum { DDL_COLUMNS_MAX = 1000, DDL_PARTS_MAX = 62, DDL_UNIQUE_MAX = 64 };

typedef enum ddl_op {
    DDL_CREATE_TABLE,
    DDL_CREATE_INDEX,
    DDL_RENAME_TABLE,
    DDL_RENAME_COLUMN,
    DDL_ADD_COLUMN,
    DDL_DROP_COLUMN,
    DDL_DROP_TABLE,
    DDL_DROP_INDEX,
    DDL_REINDEX
} ddl_op;

/* A piece of the statement. size 0: none. */
typedef struct ddl_text {
    size_t offset, size;
} ddl_text;

typedef struct ddl_column {
    char *name;
    size_t offset; /* of the name */
    uint32_t type; /* holt_type */
    bool not_null;
    bool primary_key, primary_key_descending, unique;
    uint64_t length_max;
    ddl_text default_text; /* a literal */
} ddl_column;

typedef struct ddl_part {
    char *column;
    size_t offset;
    bool descending, hash;
} ddl_part;

typedef struct ddl_parts {
    ddl_part *parts;
    size_t count;
} ddl_parts;

/* A parsed statement. */
typedef struct ddl {
    ddl_op op;
    bool tolerant;     /* IF EXISTS, IF NOT EXISTS */
    bool unique;       /* CREATE UNIQUE INDEX */
    char *schema;      /* that was written before the name; NULL if none was */
    char *name;        /* of the table; of DROP INDEX, the index; of REINDEX, either, or NULL for all */
    size_t name_offset;
    char *index;       /* CREATE INDEX: its name */
    char *from, *to;   /* what ALTER renames or drops, and the new name */
    char *not_null;    /* CREATE INDEX: the column of WHERE ... IS NOT NULL, or NULL */
    ddl_column *columns;
    size_t column_count;
    ddl_parts key;     /* PRIMARY KEY as a constraint of the table, or the parts of an index */
    ddl_parts *uniques; /* UNIQUE constraints of the table */
    size_t unique_count;
    ddl_text select;   /* CREATE TABLE ... AS */
    uint32_t kind;     /* holt_kind; 0 = not said */
    uint32_t block_bytes;
    size_t size; /* of the statement, with its ';' */
    size_t error_offset;
    char *error; /* NULL: the statement is well-formed */
} ddl;

/* Parses the statement at the start of the text, which begins with CREATE TABLE, CREATE [UNIQUE] INDEX, ALTER
 * TABLE, DROP TABLE, DROP INDEX or REINDEX. Returns SQLITE_OK, SQLITE_ERROR with d->error and the
 * offset of the token at fault, or SQLITE_NOMEM. Release *d with ddl_deinit in all cases. */
int ddl_parse(ddl *d, const char *text, size_t size);
void ddl_deinit(ddl *d);

#endif
