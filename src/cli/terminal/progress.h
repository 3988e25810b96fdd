/* progress.h -- how far a long job is, on a terminal's last line.
 *
 * Drawn on standard error at most ten times a second, and only when that is a terminal; otherwise nothing
 * happens.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool live;
    uint64_t bytes_total; /* 0 = unknown: no bar and no time left */
    uint64_t start_ns;
    uint64_t drawn_ns; /* when last */
} progress;

void progress_begin(progress *p, uint64_t bytes_total);
void progress_update(progress *p, uint64_t records, uint64_t bytes);
/* The same for a job that counts bytes only. */
void progress_update_bytes(progress *p, uint64_t bytes);

/* Wipes the line, so that something else may be printed; the next update draws it again. */
void progress_wipe(const progress *p);

/* Wipes the line for good. Returns the nanoseconds since progress_begin. */
uint64_t progress_end(progress *p);

#endif
