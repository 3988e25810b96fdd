/* verification.h -- one run of holt_verify or holt_verify_live: what it has seen and whom it tells.
 *
 * Each check answers with a status like any other call. verification_take() stands between a check and the
 * rest: damage is told to the caller's callback and counted, and the verification goes on; whatever else went
 * wrong (HOLT_IO, HOLT_NO_MEMORY, HOLT_UNSUPPORTED) ends it, since nothing can be said about what was not
 * read.
 *
 * Parts of it   verify.c            a closed database: lock, CURRENT, manifest, then the rest
 *               verify_live.c       an open one
 *               verify_manifest.c   the manifest's records and what they say together
 *               verify_trees.c      the files that the manifest names, and the trees in them
 *               verify_log.c        the log that is not flushed yet
 *               verify_orphans.c    files that nothing refers to
 * Concurrency  one thread.
 */
#ifndef HOLT_DB_VERIFY_VERIFICATION_H
#define HOLT_DB_VERIFY_VERIFICATION_H

#include "base/slice.h"

typedef struct verification {
    const holt_verify_options *options; /* never NULL */
    holt_verify_report report;
    uint64_t bytes_total; /* expected, for progress */
    holt_error first;     /* the first problem */
} verification;

/* HOLT_INVALID: reserved words. o may be NULL. */
holt_status verification_init(verification *v, const holt_verify_options *o);

/* What a check answered: HOLT_CORRUPT is told as a problem and becomes HOLT_OK, the rest is handed back. */
holt_status verification_take(verification *v, holt_status rc);

/* So many bytes more have been looked at. */
void verification_advance(verification *v, uint64_t bytes);

/* Fills the caller's report (may be NULL) and gives the result: `rc` if it is not HOLT_OK, else HOLT_CORRUPT
 * in the words of the first problem if there was one. */
holt_status verification_end(verification *v, holt_status rc, holt_verify_report *report, size_t report_size);

#endif
