/* get.h -- point lookups.
 *
 * First inside an epoch section, touching memory only: memtables, filters, cached blocks; the value is copied
 * out there. When a block must be read, the version is referenced, the section left, and the lookup goes on with
 * reads.
 */
#ifndef HOLT_DB_READ_GET_H
#define HOLT_DB_READ_GET_H

#include "db/version/snapshot.h"

/* For HOLT_PUT_IF_ABSENT: HOLT_OK when the key has no value as of *absent_seqno, HOLT_EXISTS when it has one.
 * */
holt_status get_absent(holt_collection *c, slice key, seqno *absent_seqno);

#endif
