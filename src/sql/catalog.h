/* catalog.h -- the virtual tables of a connection, as the tables and collections of its database require.
 *
 * Tables and plain collections become virtual tables of the same name in the schema of the connection; the
 * collections that Holt itself makes ("holt. ...") do not. Two names that differ only in the case of ASCII
 * letters are one name in SQL: then the collection that sorts later is not shown, and neither is one whose
 * name SQLite reserves ("sqlite_ ...").
 */
#ifndef SQL_CATALOG_H
#define SQL_CATALOG_H

#include <stdbool.h>

#include "database.h"

/* Creates, replaces and drops virtual tables until they agree with the database. Not in a transaction.
 * Returns a SQLite result code; *message (to be freed with sqlite3_free) may be set after a failure. */
int catalog_refresh(sql_database *d, char **message);

/* Makes SQLite let go of a virtual table before its table is changed, so that no statement goes on with the
 * old one; the next refresh makes it again. Returns SQLITE_LOCKED if a statement reads it; then the table
 * must not be changed. *message as above. */
int catalog_release(sql_database *d, const sql_object *object, char **message);

/* Whether a table was altered or dropped since its virtual table was made, or the last refresh has failed. */
bool catalog_is_stale(const sql_database *d);

/* Drops all virtual tables that were made. */
void catalog_clear(sql_database *d);

/* Forgets them without dropping them: SQLite has. */
void catalog_free(sql_database *d);

/* Finds the object of this name, in any case; NULL if there is none. */
const sql_object *catalog_find(const sql_database *d, const char *name);

/* Finds the table that has this index; NULL if there is none. */
const sql_object *catalog_find_index(const sql_database *d, const char *index);

#endif
