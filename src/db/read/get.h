/* get.h -- point lookups; get.c describes what a get does. */
#ifndef HOLT_DB_READ_GET_H
#define HOLT_DB_READ_GET_H

#include "db/version/snapshot.h"

/* For HOLT_PUT_IF_ABSENT: HOLT_OK if the key has no value as of *absent_seqno, HOLT_EXISTS if it has one. */
holt_status get_absent(holt_collection *c, slice key, seqno *absent_seqno);

#endif
