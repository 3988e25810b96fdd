/* close.h -- giving everything back. */
#ifndef HOLT_DB_OPEN_CLOSE_H
#define HOLT_DB_OPEN_CLOSE_H

#include "db/db.h"

/* Stops what runs and frees what there is, of a database open or half-open; writes nothing. */
void close_handle(holt *db);

#endif
