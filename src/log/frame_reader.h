/* frame_reader.h -- reads frames from a file that may be damaged.
 *
 * Reads through a window, which grows to the size of the largest frame. Only a failed read is an error; a
 * frame that is missing, cut off or invalid is reported as not found.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_LOG_FRAME_READER_H
#define HOLT_LOG_FRAME_READER_H

#include "log/frame.h"
#include "os/os.h"

typedef struct frame_reader {
    os_file *file;  /* borrowed */
    uint64_t size;  /* of the file */
    uint64_t salt;  /* of the frames to find */
    uint8_t *window;
    size_t capacity;
    uint64_t start; /* of the window in the file */
    size_t length;  /* valid bytes in the window */
} frame_reader;

holt_status frame_reader_init(frame_reader *r, os_file *file, uint64_t salt);
void        frame_reader_deinit(frame_reader *r); /* accepts a zeroed one */

/* Reads the frame at `offset`; *found says whether there is a valid one. Its payload is borrowed until the
 * next call. */
holt_status frame_reader_at(frame_reader *r, uint64_t offset, frame *out, bool *found);

/* Finds the first valid frame at or after `offset`, at any aligned offset. The search is linear. */
holt_status frame_reader_find(frame_reader *r, uint64_t offset, frame *out, bool *found);

#endif
