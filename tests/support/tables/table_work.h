/* table_work.h -- threads that write rows beside one that changes schemas.
 *
 * Writers insert a row into a table of each kind, or delete it from both, in one transaction: so both tables
 * always have the same rows. All of them also write to a third table, which is cleared, renamed, dropped and
 * made again meanwhile. The indexes of all tables come and go, or are rebuilt.
 */
#ifndef HOLT_TESTS_TABLE_WORK_H
#define HOLT_TESTS_TABLE_WORK_H

#include <holt/table.h>

#include <stdatomic.h>

enum { TABLE_WORK_PAIR = 2, TABLE_WORK_WRITERS = 3 };

typedef struct table_work {
    holt *db;
    holt_table *pair[TABLE_WORK_PAIR];
    atomic_bool stop;   /* a flag alone */
    atomic_bool failed; /* likewise */
    _Atomic uint64_t commits, changes;
} table_work;

/* Opens the database and the tables, which are made the first time. */
holt_status table_work_open(table_work *w, const char *path);
holt_status table_work_close(table_work *w);

/* Lets the threads work for a while; 0 = for ever. Returns false if a call failed in a way that changes of
 * schemas do not explain, which is printed. */
bool table_work_run(table_work *w, uint64_t seed, uint64_t microseconds);

/* Every table is sound, every index complete, and the pair has the same rows. */
void table_work_check(table_work *w);

#endif
