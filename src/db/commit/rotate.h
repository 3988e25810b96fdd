/* rotate.h -- sealing the active memtable and its log segment, and continuing in new ones. */
#ifndef HOLT_DB_COMMIT_ROTATE_H
#define HOLT_DB_COMMIT_ROTATE_H

#include "os/os.h"

/* For the leader of the commit queue. frames_bytes: what the new segment must have room for. may_use_ballast:
 * a full disk is a reason to release the ballast. HOLT_NO_SPACE, HOLT_NO_MEMORY: nothing has changed. */
holt_status rotate(holt *db, uint64_t frames_bytes, bool may_use_ballast);

#endif
