/* segment_file.h -- making and refitting the files that segments are written to.
 *
 * A file that is allocated and written with zeros takes commits without any change of metadata, which a sync
 * would have to write too.
 */
#ifndef HOLT_LOG_SEGMENT_FILE_H
#define HOLT_LOG_SEGMENT_FILE_H

#include "os/os.h"

/* A new file of `size` bytes, replacing one of that name; allocated, with `zeroed` also written; synced, its
 * directory entry not. On failure nothing of that name stays. */
holt_status segment_file_create(os_dir *dir, const char *name, uint64_t size, bool zeroed, os_file **out);

/* Allocates and zeroes a file from its size `from` up to `size`. Not synced. On failure some of it may be there. */
holt_status segment_file_extend(os_file *file, uint64_t from, uint64_t size);

/* Opens a file that was a segment and brings it to `size`: cut, or allocated and zeroed at its end; synced.
 * */
holt_status segment_file_refit(os_dir *dir, const char *name, uint64_t size, os_file **out);

#endif
