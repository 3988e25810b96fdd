/* close.h -- stopping and freeing a database, which holt_close and a failed open share. */
#ifndef HOLT_DB_OPEN_CLOSE_H
#define HOLT_DB_OPEN_CLOSE_H

#include "db/db.h"

/* Stops the jobs and frees everything, of a database that is open or was only partly opened. Writes
 * nothing. */
void close_handle(holt *db);

#endif
