/* collection_module.h -- the virtual table of a plain collection: its keys and values.
 *
 *     CREATE TABLE name (key TEXT NOT NULL PRIMARY KEY, value NOT NULL) WITHOUT ROWID
 *
 * Bytes have no type in Holt, so they get one here, by a rule that gives the same bytes back when they are
 * written:
 *
 *   key    is TEXT, whatever its bytes, so that keys compare and sort as in Holt
 *   value  is TEXT if it is valid UTF-8 without zero bytes, otherwise a BLOB
 *
 * TEXT, BLOB and numbers can be written; numbers become text. Writing a value removes its expiry.
 */
#ifndef SQL_COLLECTION_MODULE_H
#define SQL_COLLECTION_MODULE_H

#include "sqlite_api.h"

extern const sqlite3_module sql_collection_module;

/* The columns, for the arguments of CREATE VIRTUAL TABLE. */
#define SQL_COLLECTION_COLUMNS "key TEXT NOT NULL PRIMARY KEY, value NOT NULL"

#endif
