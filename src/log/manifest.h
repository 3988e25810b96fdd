/* manifest.h -- the log of what makes up the database: MANIFEST-n, named by CURRENT.
 *
 * A manifest is a header and frames (frame.h, type 4): the first holds the whole state, each later one an
 * edit. What is in them is db/'s business (db/manifest/manifest_state.h). Each record is synced before the next is written, so a
 * bad record followed by a valid one is damage, and a bad last one is torn and was never acknowledged.
 *
 * The header of MANIFEST-n, little-endian, in the first MANIFEST_FRAMES bytes (the rest zero):
 *   offset  size  field
 *        0     8  "HOLTMAN\0"
 *        8     4  format version, 1
 *       12     4  flags, zero
 *       16    16  database id
 *       32     8  the manifest's own number
 *       40     8  salt of its frames
 *       48     8  zero
 *       56     8  XXH3-64 of bytes 0..55
 *
 * CURRENT is one line of text: "holt 1 DATABASE-ID MANIFEST-NAME CHECKSUM\n": the format version in decimal,
 * the id in 32 hex digits, and XXH3-64 of the line up to the checksum in 16 hex digits. Version and checksum
 * stay where they are in all versions, so that a newer one is told from a damaged one. It is replaced by
 * rename.
 *
 * Failure      After a failed write or sync what is on disk is unknown: the manifest is broken, and every later append
 *              returns HOLT_IO, until the caller has made a new one current. HOLT_NO_SPACE from a write and
 *              HOLT_NO_MEMORY leave it as it was.
 * Descriptors  None is held: a record is opened for, written, synced and closed in one go. No error of writing is
 *              lost by it. All bytes of the file were written through a descriptor that synced them before it
 *              was closed, so nothing is left behind that the system could fail to write afterwards; the
 *              beginning of a record that there was no room for is written over before it counts; and if a
 *              sync fails, the manifest is broken and never believed again.
 *              An append that found no descriptor (HOLT_BUSY) has done nothing, and may be repeated.
 * Space        The file is preallocated ahead of its end, so that a full disk does not keep a flush from
 *              being recorded.
 * Concurrency  one thread at a time (LOCK_RANK_MANIFEST is the caller's).
 */
#ifndef HOLT_LOG_MANIFEST_H
#define HOLT_LOG_MANIFEST_H

#include "log/frame.h"
#include "os/os.h"

enum { MANIFEST_HEADER = 64, MANIFEST_FRAMES = 512, MANIFEST_FORMAT_VERSION = 1 };

typedef struct manifest manifest;

void manifest_name(uint64_t number, char name[OS_NAME_MAX]); /* MANIFEST-000001 */

/* dir is borrowed. Creates MANIFEST-number with one record, the whole state, and syncs it (not the directory). An existing
 * file of that name is replaced. */
holt_status manifest_create(os_dir *dir, uint64_t number, const uint64_t database_id[2], slice state, manifest **out);
void        manifest_close(manifest *m); /* accepts NULL */

/* Appends a record and syncs it. Unless manifest_broken() afterwards, a failure has written nothing. */
holt_status manifest_append(manifest *m, slice edit);
bool        manifest_broken(const manifest *m);
manifest_mark manifest_last(const manifest *m); /* the last durable record */
uint64_t    manifest_size(const manifest *m);   /* bytes up to the end of the last record */

/* Reads MANIFEST-number: `record` is called for each record in order, the first being the whole state. *last
 * names the last one. HOLT_CORRUPT: the first record is bad, or a bad one is followed by a valid one;
 * HOLT_UNSUPPORTED: a newer format. */
holt_status manifest_read(os_dir *dir, uint64_t number, const uint64_t database_id[2],
                          holt_status (*record)(void *ctx, uint64_t index, slice payload), void *ctx, manifest_mark *last);

/* Makes MANIFEST-number current: the directory is synced before and after CURRENT's rename. *named (may be NULL) says
 * whether the rename was tried, so that CURRENT may name the manifest even if the call fails. */
holt_status current_write(os_dir *dir, uint64_t number, const uint64_t database_id[2], bool *named);
/* HOLT_NOT_FOUND: there is no CURRENT. */
holt_status current_read(os_dir *dir, uint64_t *number, uint64_t database_id[2]);

#endif
