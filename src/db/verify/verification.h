/* verification.h -- one run of holt_verify or holt_verify_live: what it has examined and found.
 *
 * Each check returns a status, like any other function, which is passed through verification_take(). Damage
 * is counted and reported to the caller's callback, and the verification continues. Any other failure
 * (HOLT_IO, HOLT_NO_MEMORY, HOLT_UNSUPPORTED) ends it, because nothing can be said about what was not read.
 *
 * Parts        verify.c            a closed database: lock, CURRENT, manifest, then the rest
 *              verify_live.c       an open database
 *              verify_manifest.c   the records of the manifest, and the state that results
 *              verify_trees.c      the files of runs, and the trees in them
 *              verify_pages.c      the file of pages, and the B+trees in it
 *              verify_log.c        the part of the log that is not flushed
 *              verify_orphans.c    files that nothing refers to
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

/* o may be NULL. HOLT_INVALID: a reserved word is not zero. */
holt_status verification_init(verification *v, const holt_verify_options *o);

/* Takes the status of a check: HOLT_CORRUPT is reported as a problem and becomes HOLT_OK, any other status is
 * returned. */
holt_status verification_take(verification *v, holt_status rc);

/* Adds to the bytes examined, and reports the progress. */
void verification_advance(verification *v, uint64_t bytes);

/* Fills the caller's report (may be NULL) and returns the result: rc if it is not HOLT_OK; otherwise
 * HOLT_CORRUPT, with the message of the first problem, if there was a problem. */
holt_status verification_end(verification *v, holt_status rc, holt_verify_report *report, size_t report_size);

#endif
