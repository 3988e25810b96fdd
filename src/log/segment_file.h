/* segment_file.h -- creating and refitting the files that hold segments.
 *
 * A file that is allocated and written with zeros takes commits without any change of metadata, which a sync
 * would have to write too.
 */
#ifndef HOLT_LOG_SEGMENT_FILE_H
#define HOLT_LOG_SEGMENT_FILE_H

#include "os/os.h"

/* Creates a file of `size` bytes, replacing one of that name: allocated, with `zeroed` also written with
 * zeros, and synced; its directory entry is not synced. After a failure no file of that name is left. */
holt_status segment_file_create(os_dir *dir, const char *name, uint64_t size, bool zeroed, os_file **out);

/* Allocates and zeroes a file from its present size `from` up to `size`, without a sync. A failure may leave
 * the file partly extended. */
holt_status segment_file_extend(os_file *file, uint64_t from, uint64_t size);

/* Opens a file that was a segment and brings it to `size`: truncates it, or allocates and zeroes the missing
 * part; then syncs it. */
holt_status segment_file_refit(os_dir *dir, const char *name, uint64_t size, os_file **out);

#endif
