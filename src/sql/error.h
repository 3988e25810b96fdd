/* error.h -- fills in the failure of a statement. */
#ifndef SQL_ERROR_H
#define SQL_ERROR_H

#include "sqlite_api.h"

#include "sql.h"

/* Sets *error (may be NULL) and returns `code`. offset: in the text of the statement, SIZE_MAX = not known.
 *  */
__attribute__((format(printf, 4, 5))) int error_set(sql_error *error, int code, size_t offset,
                                                    const char *format, ...);

/* Sets *error to the last failure of the SQLite connection, which was `code`. The offset is relative to
 * `start`, where the text that SQLite was given begins in the statement's; SIZE_MAX: it is not part of that.
 *  */
int error_of_sqlite(sql_error *error, int code, sqlite3 *sqlite, size_t start);

#endif
