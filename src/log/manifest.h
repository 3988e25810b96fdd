/* manifest.h -- the manifest: the log of what makes up the database. Its file is MANIFEST-n, named by
 * CURRENT.
 *
 * A manifest is a header followed by frames (frame.h, type 4). The first frame holds a whole state, each
 * later one an edit; db/manifest/manifest_state.h defines their contents. Each record is synced before the
 * next one is written. So a bad record followed by a valid one is damage, and a bad last record is torn and
 * was never acknowledged.
 *
 * The header of MANIFEST-n, little-endian, in the first MANIFEST_FRAMES bytes (the rest of them zero):
 *   offset  size  field
 *        0    48  common header (base/file_header.h): "HOLTMAN\0", version 1, flags zero, database id, the
 *                 manifest's own number, salt of its frames
 *       48     8  zero
 *       56     8  XXH3-64 of bytes 0..55
 *
 * CURRENT is one line of text: "holt 1 DATABASE-ID MANIFEST-NAME CHECKSUM\n". It holds the format version in
 * decimal, the id in 32 hex digits, and XXH3-64 of the line up to the checksum in 16 hex digits. Version and
 * checksum stay where they are in all versions, so that a newer line can be told from a damaged one. The file
 * is replaced by rename.
 *
 * Failure      After a failed write or sync, what is on disk is unknown: the manifest is broken, and every
 *              later append returns HOLT_IO until the caller has made a new manifest current. HOLT_NO_SPACE
 *              from a write and HOLT_NO_MEMORY leave it as it was.
 * Descriptors  None is held: each append opens, writes, syncs and closes the file. No write error is lost by
 *              this. All bytes of the file were written through a descriptor that synced them before it was
 *              closed, so nothing is left that the system could fail to write later. The beginning of a
 *              record that ran out of space is overwritten before it counts. If a sync fails, the manifest is
 *              broken and never trusted again. An append that found no free descriptor (HOLT_BUSY) has done
 *              nothing and may be repeated.
 * Space        The file is allocated ahead of its end, so that a full disk does not prevent recording a
 *              flush.
 * Concurrency  one thread at a time; the caller holds a mutex of LOCK_RANK_MANIFEST.
 */
#ifndef HOLT_LOG_MANIFEST_H
#define HOLT_LOG_MANIFEST_H

#include "log/frame.h"
#include "os/os.h"

enum { MANIFEST_HEADER = 64, MANIFEST_FRAMES = 512, MANIFEST_FORMAT_VERSION = 1 };

typedef struct manifest manifest;

void manifest_name(uint64_t number, char name[OS_NAME_MAX]); /* MANIFEST-000001 */

/* Creates MANIFEST-number with one record, the whole state, and syncs the file but not the directory.
 * Replaces an existing file of that name. `dir` is borrowed. */
holt_status manifest_create(os_dir *dir, uint64_t number, const uint64_t database_id[2], slice state,
                            manifest **out);
void        manifest_close(manifest *m); /* accepts NULL */

/* Appends a record and syncs it. A failure has recorded nothing, unless manifest_broken() returns true after
 * it. */
holt_status manifest_append(manifest *m, slice edit);
bool        manifest_broken(const manifest *m);
manifest_mark manifest_last(const manifest *m); /* the last durable record */
uint64_t    manifest_size(const manifest *m);   /* bytes up to the end of the last record */

/* Reads MANIFEST-number and calls `record` for each record in order; the first is a whole state. *last names
 * the last one. HOLT_CORRUPT: the first record is bad, or a bad one is followed by a valid one.
 * HOLT_UNSUPPORTED: a newer format. */
holt_status manifest_read(os_dir *dir, uint64_t number, const uint64_t database_id[2],
                          holt_status (*record)(void *ctx, uint64_t index, slice payload), void *ctx,
                          manifest_mark *last);

/* Makes MANIFEST-number current; syncs the directory before and after renaming CURRENT. *named (may be NULL)
 * says whether the rename was tried, so that CURRENT may name the manifest even if the call fails. */
holt_status current_write(os_dir *dir, uint64_t number, const uint64_t database_id[2], bool *named);
/* HOLT_NOT_FOUND: there is no CURRENT. */
holt_status current_read(os_dir *dir, uint64_t *number, uint64_t database_id[2]);

#endif
