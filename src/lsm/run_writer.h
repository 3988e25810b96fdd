/* run_writer.h -- writes one run from entries in ascending key order, to files of bounded size.
 *
 * Merges and loads write their runs with it. A file is finished when it has about file_bytes_max bytes; the
 * next key begins a new file, and is the bound between the two key ranges. The first range begins with the
 * first key, so that the bounds of the run are tight. If the gap between two files is deleted, both have it,
 * so that it has no hole. A run whose first or last gap is deleted is open at that end. Memory: the builder
 * of one file, and a few words for each finished one.
 *
 * After a failed add or end the run cannot be completed; only destroy may follow.
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_LSM_RUN_WRITER_H
#define HOLT_LSM_RUN_WRITER_H

#include "lsm/lsm.h"

typedef struct lsm_writer_options {
    tree_files *files;
    tree_build_options build;
    uint64_t file_bytes_max;          /* files are finished at about this size */
    uint64_t (*next_file)(void *ctx); /* returns a file number that was never used before */
    void *ctx;
} lsm_writer_options;

typedef struct lsm_run_writer lsm_run_writer;

holt_status lsm_run_writer_create(lsm_run_writer **out, const lsm_writer_options *options);
/* Deletes the files that no run has taken over. Accepts NULL. */
void        lsm_run_writer_destroy(lsm_run_writer *w);
/* Keys must ascend strictly; op as in tree_builder_add. */
holt_status lsm_run_writer_add(lsm_run_writer *w, slice key, uint8_t op, slice value, uint64_t expires_at_ms);
/* Marks the gap between the last entry so far and the next one (or the ends of the run) as deleted. */
void        lsm_run_writer_delete_gap(lsm_run_writer *w);
/* Writes and syncs the rest; nothing may be added from then on. upper: the end of the run, after its last
 * key; not used if the gap after that is deleted. */
holt_status lsm_run_writer_end(lsm_run_writer *w, slice upper);
/* The run, once ended; it takes over the files, and is the caller's to unref. NULL: nothing was added. A
 * failure takes nothing, and the call may be repeated. */
holt_status lsm_run_writer_take(lsm_run_writer *w, uint64_t newest_seqno, uint32_t level, lsm_run **out);
uint64_t    lsm_run_writer_bytes(const lsm_run_writer *w); /* of finished files */

/* Drops a run that did not become part of a tree (accepts NULL). Files that were written for it are deleted
 * with their last reference; those of a trivial move still belong to its inputs. */
void lsm_run_discard(lsm_run *r);

#endif
