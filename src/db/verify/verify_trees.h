/* verify_trees.h -- verifies the runs of LSM trees: file ranges, their files, and the trees in these.
 *
 *     for each run:
 *         for each file range:  verify_trees_add()
 *         verify_trees_check_run()               they must be in key order and not overlap
 *     verify_trees_expect()                      adds up the bytes expected
 *     verify_trees_run()                         file by file, so that each is opened once
 *
 * A tree that several file ranges share is read once. Its entries outside their bounds are checked and
 * counted like the others.
 */
#ifndef HOLT_DB_VERIFY_VERIFY_TREES_H
#define HOLT_DB_VERIFY_VERIFY_TREES_H

#include "db/verify/verification.h"
#include "lsm/lsm.h"

typedef struct verify_file_range {
    const char *collection; /* its name; borrowed, like the file range */
    const lsm_file_range *file_range;
} verify_file_range;

/* All file ranges to verify. Zero-initialise. */
typedef struct verify_trees {
    verify_file_range *file_ranges; /* owned */
    size_t count, capacity;
} verify_trees;

void verify_trees_deinit(verify_trees *t);

/* Adds a file range of the current run. */
holt_status verify_trees_add(verify_trees *t, const char *collection, const lsm_file_range *file_range);
/* Checks the file ranges of one run: all that were added since there were `first` of them. HOLT_CORRUPT: one
 * is empty, or they are not in key order; the message names `file`, which lists them. */
holt_status verify_trees_check_run(const verify_trees *t, size_t first, uint64_t newest_seqno,
                                   const char *file);

/* Adds the size of all trees to the bytes expected, for progress. */
void verify_trees_expect(const verify_trees *t, verification *v);
/* Verifies every file and every tree in it. Sorts the list by file. */
holt_status verify_trees_run(verify_trees *t, verification *v, tree_files *files);

/* After verify_trees_run: returns whether a file range lies in that file. */
bool verify_trees_use(const verify_trees *t, uint64_t file);

#endif
