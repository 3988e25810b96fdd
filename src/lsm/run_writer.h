/* run_writer.h -- writes one run from ascending entries: parts of bounded size, each in a file of its own.
 *
 * Merges and loads write their runs with it. A part ends when it has about file_bytes_max bytes; the next
 * one begins with the next key, which is the bound between the two. The first part begins with the first key,
 * so that the run's bounds are tight. What it holds in memory is one part's builder and a few words for each
 * part.
 *
 * After a failed add or end the run cannot be completed: only destroy is left.
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_LSM_RUN_WRITER_H
#define HOLT_LSM_RUN_WRITER_H

#include "lsm/lsm.h"

typedef struct lsm_writer_options {
    tree_files *files;
    tree_build_options build;
    uint64_t file_bytes_max;          /* files are cut at about this size */
    uint64_t (*next_file)(void *ctx); /* gives a file number never used before */
    void *ctx;
} lsm_writer_options;

typedef struct lsm_run_writer lsm_run_writer;

holt_status lsm_run_writer_create(lsm_run_writer **out, const lsm_writer_options *options);
/* Files that no run has taken over are deleted. Accepts NULL. */
void        lsm_run_writer_destroy(lsm_run_writer *w);
/* Keys ascend strictly; op as in tree_builder_add. */
holt_status lsm_run_writer_add(lsm_run_writer *w, slice key, uint8_t op, slice value, uint64_t expires_at_ms);
/* Writes what is left and syncs it; nothing is added from then on. upper: where the run ends, behind its last key. */
holt_status lsm_run_writer_end(lsm_run_writer *w, slice upper);
/* The run, once ended: it takes the files over, and is the caller's to unref. NULL: nothing was added. May be
 * tried again after a failure, which takes nothing. */
holt_status lsm_run_writer_take(lsm_run_writer *w, uint64_t newest_seqno, uint32_t level, lsm_run **out);
uint64_t    lsm_run_writer_bytes(const lsm_run_writer *w); /* of finished files */

/* Gives back a run that did not become part of a tree (accepts NULL): files that were written for it are
 * deleted with their last reference; those of a joined run are its inputs'. */
void lsm_run_discard(lsm_run *r);

#endif
