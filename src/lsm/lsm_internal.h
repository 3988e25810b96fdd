/* lsm_internal.h -- the fields of runs and trees, for the files of this folder. */
#ifndef HOLT_LSM_LSM_INTERNAL_H
#define HOLT_LSM_LSM_INTERNAL_H

#include "lsm/lsm.h"

#include <stdatomic.h>

/* A file range with its file open. */
typedef struct open_file_range {
    lsm_file_range file_range; /* bounds owned */
    tree_file *file;           /* a reference */
    tree_filter *filter;       /* NULL: none */
    bool gaps;                 /* it has deleted gaps, which may have a key that the filter rules out */
} open_file_range;

struct lsm_run {
    _Atomic uint32_t refs;
    lsm_run_info info;             /* constant */
    bool moved;                    /* constant; its files were written for other runs */
    open_file_range file_ranges[]; /* constant, in key order */
};

struct lsm_tree {
    _Atomic uint32_t refs;
    size_t count;    /* constant */
    lsm_run *runs[]; /* constant, newest first; references */
};

/* The index of the first file range that ends after the key; file_range_count if there is none. */
size_t lsm_run_range_ending_after(const lsm_run *r, slice key);
/* The file range that contains the key, or NULL. */
const open_file_range *lsm_run_find(const lsm_run *r, slice key);

#endif
