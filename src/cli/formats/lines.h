/* lines.h -- reads a file or a pipe line by line, in bounded memory.
 *
 * A line is lent where it was read, to be changed in place by whoever parses it, until the next call. A line
 * longer than the limit is refused, so that a file without line feeds cannot fill the memory.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/byte_buffer.h"

typedef enum lines_result {
    LINES_READ,
    LINES_END,
    LINES_TOO_LONG,
    LINES_FAILED,     /* errno says why */
    LINES_INTERRUPTED /* a signal asked for an orderly end */
} lines_result;

typedef struct lines {
    int descriptor;
    bool at_end;          /* the descriptor has no more */
    size_t limit;         /* the longest line, bytes */
    byte_buffer data;          /* what was read and not yet lent is data[start, size) */
    size_t start;
    size_t searched;      /* bytes from start on that are known to hold no line feed */
    uint64_t number;      /* of the line lent last, from 1 */
    uint64_t bytes_read;  /* lent so far, line feeds included */
} lines;

/* Reads from an open descriptor, which stays the caller's. */
void lines_init(lines *l, int descriptor, size_t limit);
void lines_deinit(lines *l);

/* The next line, without its line feed. *whole: it had one; only the last line can lack it. */
lines_result lines_next(lines *l, char **line, size_t *size, bool *whole);

#endif
