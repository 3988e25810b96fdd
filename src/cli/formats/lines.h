/* lines.h -- reads a file or a pipe line by line, in bounded memory.
 *
 * A line is returned where it was read. The caller may change it in place; it is valid until the next call. A
 * line longer than the limit is refused, so that a file without line feeds cannot fill the memory.
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
    LINES_INTERRUPTED /* a signal requested an orderly end */
} lines_result;

typedef struct lines {
    int descriptor;
    bool at_end;         /* the descriptor has no more */
    size_t limit;        /* the longest line, in bytes */
    byte_buffer data;    /* data[start, size) was read and not yet returned */
    size_t start;
    size_t searched;     /* bytes from start on that are known to contain no line feed */
    uint64_t number;     /* of the line returned last, from 1 */
    uint64_t bytes_read; /* returned so far, including line feeds */
} lines;

/* Reads from an open descriptor, which the caller closes. */
void lines_init(lines *l, int descriptor, size_t limit);
void lines_deinit(lines *l);

/* Sets *line to the next line without its line feed. *whole: it had one; only the last line may lack it. */
lines_result lines_next(lines *l, char **line, size_t *size, bool *whole);

#endif
