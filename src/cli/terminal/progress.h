/* progress.h -- the progress of a long job, on the last line of a terminal.
 *
 * Drawn on standard error at most ten times a second, and only if that is a terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool live;
    uint64_t bytes_total; /* or rows; 0 = unknown: no bar and no remaining time */
    uint64_t start_ns;
    uint64_t drawn_ns; /* when it was last drawn */
} progress;

void progress_begin(progress *p, uint64_t bytes_total);
void progress_update(progress *p, uint64_t records, uint64_t bytes);

/* The same for a job that counts only bytes. */
void progress_update_bytes(progress *p, uint64_t bytes);

/* The same for a job that counts only rows. */
void progress_update_rows(progress *p, uint64_t rows, uint64_t rows_total);

/* Erases the line so that something else can be printed; the next update draws it again. */
void progress_erase(const progress *p);

/* Erases the line. Returns the nanoseconds since progress_begin. */
uint64_t progress_end(progress *p);

#endif
