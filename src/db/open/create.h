/* create.h -- creating a database. */
#ifndef HOLT_DB_OPEN_CREATE_H
#define HOLT_DB_OPEN_CREATE_H

#include "db/db.h"

/* Creates a database in the empty, locked directory. CURRENT is written last: before that there is none, and
 * the next open starts again. */
holt_status create_database(holt *db);

#endif
