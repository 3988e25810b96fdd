/* byte_buffer.h -- a growing run of bytes, and allocation for the programs.
 *
 * The programs allocate little and free all of it, but cannot do anything about a failed allocation: they
 * print a message on standard error and exit with code 1. The database may be open at that point; to Holt it
 * is a process that died, which every durability mode survives.
 */
#ifndef COMMON_BYTE_BUFFER_H
#define COMMON_BYTE_BUFFER_H

#include <stddef.h>

/* Returns zeroed memory for count objects of size bytes, never NULL. Released by free(). */
void *allocate_or_exit(size_t count, size_t size);

typedef struct byte_buffer {
    char *data; /* NULL before the first byte */
    size_t size;
    size_t capacity;
} byte_buffer;

/* Makes room for `extra` more bytes. */
void byte_buffer_reserve(byte_buffer *b, size_t extra);

void byte_buffer_append(byte_buffer *b, const void *bytes, size_t size);

void byte_buffer_append_string(byte_buffer *b, const char *string);

/* Releases the memory; the buffer is empty again. */
void byte_buffer_deinit(byte_buffer *b);

#endif
