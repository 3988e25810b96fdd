/* upsert.h -- INSERT ... ON CONFLICT into a virtual table, which SQLite does not do.
 *
 *  1. The rows of the source go into a temporary table with the columns of the target, so that values are
 *     converted and missing ones get their defaults. A row of it is what `excluded` means.
 *  2. For each row, in order, the clauses are tried from left to right: if the table has a row with the same
 *     values in the columns that the clause names, the clause is carried out. A clause that names none means
 *     every unique key.
 *  3. If no clause applies, the row is inserted.
 *
 * All of it is one savepoint: a failure undoes the whole statement.
 */
#ifndef SQL_UPSERT_H
#define SQL_UPSERT_H

#include "database.h"
#include "sql.h"

/* Runs the statement text[start, end), which statement_classify has found to be an upsert. Returns a SQLite
 * result code, and sets *error if it is not SQLITE_OK. */
int upsert_run(sql_database *d, const char *text, size_t start, size_t end, sql_error *error);

#endif
