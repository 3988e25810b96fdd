/* get.h -- point lookups; get.c describes what a get does. */
#ifndef HOLT_DB_READ_GET_H
#define HOLT_DB_READ_GET_H

#include "db/commit/condition.h"
#include "db/version/snapshot.h"

/* For a conditional write: looks the key up as the transaction sees it (NULL: as it is now), checks the
 * condition against what it finds, and notes in it when that was. */
holt_status get_condition(holt_collection *c, holt_txn *t, slice key, write_condition *wanted);

#endif
