/* dump_sql.h -- tables as the SQL that makes them again: CREATE statements, then an INSERT for each row.
 *
 * `holt sql` and the shell read it. Everything is from one snapshot, and every value comes back exactly:
 * reals with as many digits as they need, text with zero bytes as CAST(x'...' AS TEXT). The implicit row id
 * of tables that have one is kept, unless columns take all the names that SQL has for it: rowid, _rowid_ and
 * oid. Rows and entries are in transactions of at most DUMP_LINES, and little more than DUMP_BYTES, so that
 * reading a dump of any size is quick and needs little memory.
 *
 * There is no SQL that makes plain collections. They follow as commands of the shell in comments, `--! put
 * "k" "v"`, which the shell runs and others skip. So `holt sql` restores the tables, and `holt shell`
 * everything but the settings of collections other than their kind; `holt dump` has those too.
 */
#ifndef CLI_DUMP_SQL_H
#define CLI_DUMP_SQL_H

#include "shell/shell.h"

enum { DUMP_LINES = 10000, DUMP_BYTES = 1 << 20 };

/* Prints a table; NULL = all tables and collections. Returns false after printing the error. */
bool dump_sql(shell *s, const char *table);

#endif
