/* recover.h -- what an open does with the files it finds, or makes. */
#ifndef HOLT_DB_OPEN_RECOVER_H
#define HOLT_DB_OPEN_RECOVER_H

#include "db/db.h"

/* Makes a new database in the empty, locked directory. All or nothing: CURRENT comes last. */
holt_status create_database(holt *db);

/* Opens the database there is: manifest, trees, log. Read-only: nothing is written. */
holt_status recover_database(holt *db);

#endif
