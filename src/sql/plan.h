/* plan.h -- how SQLite reads a table: the answer to xBestIndex, kept for xFilter.
 *
 * Every path to the rows is costed: equality or IN on its first parts, then a range of the next one. The
 * cheapest one becomes the plan. A constraint is left to SQLite to check again unless the path applies it
 * exactly, whatever the type of the value turns out to be.
 *
 * A plan is identified by idxNum; idxStr is its text for EXPLAIN QUERY PLAN, such as "users_email (email=?)".
 * Its values arrive in xFilter in the order: the equal parts, the lower bound, the upper bound, the offset.
 */
#ifndef SQL_PLAN_H
#define SQL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <holt/table.h>

#include "shape.h"
#include "sqlite_api.h"

typedef struct plan {
    uint32_t path;       /* of the shape */
    uint8_t equal_count; /* parts with one value, or with a list of them */
    bool reverse;
    bool point; /* at most one row: all parts of a unique key have one value each */
    bool offset;
    uint64_t lists; /* bit i: part i has a list (IN) */
    uint64_t nulls; /* bit i: null is a value of part i (IS), not a comparison that is never true */
    bool lower, upper;
    bool lower_exclusive, upper_exclusive; /* > and <, not >= and <= */
    bool covering;                         /* no column is read from the row: only for the text */
} plan;

/* The plans that were made for a table, by number. */
typedef struct plan_list {
    plan *plans;
    size_t count, capacity;
} plan_list;

/* What the planner knows about the number of rows. */
typedef struct plan_table {
    const shape *shape;
    holt_table *table;
    uint64_t rows; /* of the whole table */
} plan_table;

/* xBestIndex: makes a plan, adds it to the list if it is new, and fills in the outputs of *info. Returns a
 * SQLite result code. */
int plan_make(const plan_table *t, plan_list *list, sqlite3_index_info *info);

void plan_list_deinit(plan_list *list);

#endif
