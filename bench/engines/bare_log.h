/* bare_log.h -- a prepared file for the bare loops: filled with zeros and synced, so that writing a record
 * changes no metadata and an fdatasync waits only for data. Writes wrap around at its end. */
#ifndef BENCH_BARE_LOG_H
#define BENCH_BARE_LOG_H

#include "engine.h"

enum { BARE_LOG_BYTES = 64 << 20, BARE_RECORD_EXTRA = 12 /* what any log adds to a record */ };

typedef struct bare_log {
    int file;
    uint64_t offset;
} bare_log;

void bare_log_open(bare_log *log, const engine_settings *s);
void bare_log_close(bare_log *log);

/* Writes the bytes after those written last, and syncs the file. */
void bare_log_write(bare_log *log, const char *data, size_t size);

/* Encodes an entry as a record in out[]; returns its size. */
size_t bare_record(char *out, size_t capacity, bytes key, bytes value);

#endif
