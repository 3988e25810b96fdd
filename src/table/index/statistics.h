/* statistics.h -- how many rows have the same values, by a sample of the table.
 *
 * For the planner of a query: how selective is an index? The sample is taken when the first question is
 * asked, kept with the table, and taken again when the table has grown or shrunk by half since.
 *
 * Sampled are entries at equal distances in the order of an index. Each tells the size of the group of
 * entries that share its first values, for each number of parts. Entries are met in proportion to the size of
 * their groups, so the average size of a group is the harmonic mean of these sizes.
 *
 * Concurrency  any thread. The lock is held while numbers are copied, and never while anything is read.
 */
#ifndef HOLT_TABLE_STATISTICS_H
#define HOLT_TABLE_STATISTICS_H

#include <holt/table.h>

#include <pthread.h>

typedef struct index_statistics {
    uint32_t id; /* of the index; 0 = primary key */
    uint32_t parts;
    uint64_t entries;         /* when the sample was taken */
    uint64_t *rows_per_value; /* for the first 1 .. parts parts */
} index_statistics;

typedef struct statistics {
    pthread_mutex_t mu;
    index_statistics *indexes; /* mu: those that were asked for */
    size_t count, capacity;    /* mu */
} statistics;

void statistics_init(statistics *s);
void statistics_deinit(statistics *s);

#endif
