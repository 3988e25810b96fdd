/* verify_trees.h -- verifying the parts of runs: each file that they are in, each tree, and the parts of a
 * run beside each other.
 *
 *     for each run:  verify_trees_add_run()      the run's parts must be in key order and not overlap
 *     verify_trees_expect()                      adds up the bytes to come
 *     verify_trees_run()                         file by file, so that each is opened once
 *
 * A tree that several parts share is read once. Its entries beyond a part's bounds are looked at and counted
 * like the others.
 */
#ifndef HOLT_DB_VERIFY_VERIFY_TREES_H
#define HOLT_DB_VERIFY_VERIFY_TREES_H

#include "db/verify/verification.h"
#include "lsm/lsm.h"

typedef struct verify_file_range {
    const char *collection; /* its name; borrowed, as is the part */
    const lsm_file_range *file_range;
} verify_file_range;

/* The list of parts. Zero-initialise. */
typedef struct verify_trees {
    verify_file_range *file_ranges; /* owned */
    size_t count, capacity;
} verify_trees;

void verify_trees_deinit(verify_trees *t);

/* Adds a part of the run that is being added. */
holt_status verify_trees_add(verify_trees *t, const char *collection, const lsm_file_range *file_range);
/* All parts from the first-th on are one run, of that age: HOLT_CORRUPT, in the name of the file that says
 * so, if they do not stand in key order. */
holt_status verify_trees_check_run(const verify_trees *t, size_t first, uint64_t newest_seqno, const char *file);

void verify_trees_expect(const verify_trees *t, verification *v);
holt_status verify_trees_run(verify_trees *t, verification *v, tree_files *files);

/* After verify_trees_run: whether a part is in that file. */
bool verify_trees_use(const verify_trees *t, uint64_t file);

#endif
