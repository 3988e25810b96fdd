/* buffer.h -- a growing run of bytes, and allocation for the command.
 *
 * The command holds little and frees all of it, but it has nobody to hand an allocation failure to: when
 * memory runs out it says so on standard error and ends with exit code 1. The database may be open then; that
 * is the death of a process, which no durability of Holt minds.
 */
#ifndef CLI_BUFFER_H
#define CLI_BUFFER_H

#include <stddef.h>

/* Zeroed memory for count things of size bytes. Never NULL. Released by free(). */
void *cli_allocate(size_t count, size_t size);

typedef struct buffer {
    char *data; /* NULL before the first byte */
    size_t size;
    size_t capacity;
} buffer;

/* Makes room for `extra` bytes after the ones in use. */
void buffer_reserve(buffer *b, size_t extra);

void buffer_append(buffer *b, const void *bytes, size_t size);

void buffer_append_string(buffer *b, const char *string);

/* Releases the memory; the buffer is empty again. */
void buffer_deinit(buffer *b);

#endif
