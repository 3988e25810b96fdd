/* args.h -- what every public call begins with, the checks of its arguments, and what it ends with. */
#ifndef HOLT_DB_ARGS_H
#define HOLT_DB_ARGS_H

#include "db/db.h"

/* Checks the database handle. HOLT_INVALID: it is NULL. HOLT_CLOSED: the database is being closed, or this is
 * a forked child. */
holt_status db_check(const holt *db);
/* Checks the handle of a collection likewise. HOLT_CLOSED: also if the collection was dropped. */
holt_status collection_check(const holt_collection *c);
/* Returns the status for a reader whose version does not contain the collection. HOLT_CLOSED: it was dropped;
 * a drop marks the collection before it installs the version without it. HOLT_NOT_FOUND: it was created after
 * the version. */
static inline holt_status collection_missing(const holt_collection *c)
{
    return collection_lives(c) ? HOLT_NOT_FOUND : collection_check(c);
}
/* For calls that write. HOLT_READ_ONLY: the database is open read-only. */
holt_status writable_check(const holt *db);
/* HOLT_INVALID: NULL with a nonzero size. HOLT_TOO_LARGE: the limit is exceeded. */
holt_status key_check(slice key);
holt_status value_check(const holt *db, slice value);
/* Checks a bound, which may be open. HOLT_INVALID: NULL with a nonzero size; the message uses `name` for
 * it. */
holt_status bound_check(slice bound, const char *name);
/* HOLT_INVALID: the text is not UTF-8, or has control characters; the message uses `name` for it. */
holt_status text_check(const char *text, size_t size, const char *name);
/* Checks the label of a reader, which may be NULL, likewise and against LABEL_BYTES_MAX. */
holt_status label_check(const char *label, const char *name);
/* Returns whether all reserved words are zero. */
bool reserved_zero(const uint64_t *words, size_t count);

/* Must end every public call: the call's bill is closed, the simulator runs pending background steps, and the
 * log callback receives the lines queued for it. No mutex may be held. Returns rc. */
holt_status api_exit(holt *db, holt_status rc);
/* The part of it that is not needed unless the database's settings.calls_have_epilogue: all but the callback.
 * A cursor's move, whose handle the callback could use, ends with it. */
void        call_epilogue(holt *db, holt_status rc);

#endif
