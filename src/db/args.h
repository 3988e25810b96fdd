/* args.h -- the checks that every public call makes on its arguments, and what it does before it returns. */
#ifndef HOLT_DB_ARGS_H
#define HOLT_DB_ARGS_H

#include "db/db.h"

/* Checks a handle at the beginning of a public call: HOLT_INVALID for NULL, HOLT_CLOSED in a forked child. */
holt_status db_check(const holt *db);
/* The same for a collection, which may also have been dropped: HOLT_CLOSED. */
holt_status collection_check(const holt_collection *c);
/* The status for a reader whose version does not have the collection: HOLT_CLOSED if it has been dropped,
 * HOLT_NOT_FOUND if it was created after the version. A drop marks the collection before it installs the
 * version without it. */
static inline holt_status collection_missing(const holt_collection *c)
{
    return collection_lives(c) ? HOLT_NOT_FOUND : collection_check(c);
}
/* HOLT_READ_ONLY for calls that write. */
holt_status writable_check(const holt *db);
/* HOLT_INVALID or HOLT_TOO_LARGE: beyond the limits, or NULL with a size. */
holt_status key_check(slice key);
holt_status value_check(const holt *db, slice value);
/* A bound may be open, but not NULL with a size. name: what the program calls it. */
holt_status bound_check(slice bound, const char *name);
/* Whether reserved words are all zero. */
bool reserved_zero(const uint64_t *words, size_t count);

/* Ends a public call: the simulator runs pending background steps, and the log callback gets the lines queued
 * for it. No mutex may be held. Returns rc. */
holt_status api_exit(holt *db, holt_status rc);

#endif
