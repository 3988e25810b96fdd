/* frame_reader.h -- frames out of a file of unknown health.
 *
 * Reads through a window that grows to the largest frame. A read error is an error; a frame that is not
 * there, is cut off or does not validate is an answer.
 * Concurrency  one thread.
 */
#ifndef HOLT_LOG_FRAME_READER_H
#define HOLT_LOG_FRAME_READER_H

#include "log/frame.h"
#include "os/os.h"

typedef struct frame_reader {
    os_file *file;  /* borrowed */
    uint64_t size;  /* of the file */
    uint64_t salt; /* of the frames looked for */
    uint8_t *window;
    size_t capacity;
    uint64_t start; /* of the window in the file */
    size_t length;  /* valid bytes in the window */
} frame_reader;

holt_status frame_reader_init(frame_reader *r, os_file *file, uint64_t salt);
void        frame_reader_deinit(frame_reader *r); /* accepts a zeroed one */

/* The frame at `offset`, if there is a valid one: *found. Its payload is borrowed until the next call. */
holt_status frame_reader_at(frame_reader *r, uint64_t offset, frame *out, bool *found);

/* The first valid frame at or after `offset`, wherever it stands. The search is linear. */
holt_status frame_reader_find(frame_reader *r, uint64_t offset, frame *out, bool *found);

#endif
