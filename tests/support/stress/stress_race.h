/* stress_race.h -- collections that all threads of the stress suite create, drop, rename, clear and write to,
 * all under the same few names.
 *
 * The threads' order is unknown, so little is certain, but it is enough: the change of a name that began
 * after all other changes of it had ended is final, and decides whether there is such a collection. And what
 * was put into it, under a name looked up after that, is there.
 *
 * All threads also add to a sum in each of the shared collections, with holt_add and in transactions. No
 * acknowledged add may be missing in it.
 */
#ifndef HOLT_TESTS_STRESS_RACE_H
#define HOLT_TESTS_STRESS_RACE_H

#include "support/stress/stress_judge.h"

/* One of the threads that race. */
typedef struct racer {
    stress_record *record;
    thread_record *thread;
    unsigned number;
    holt *db;
    os *os;
    bool (*is_excused)(void *ctx, holt_status rc); /* a status that an injected fault explains */
    void *ctx;
} racer;

/* Changes one of the collections. *doubts grows when the outcome is unknown. */
bool race_step(const racer *r, rng *random, unsigned *doubts);

/* Whether the state after a crash or a close is possible. With `keep` it becomes the record's base. */
bool race_judge(const judgement *j, holt *db, verdict *v, bool keep);

#endif
