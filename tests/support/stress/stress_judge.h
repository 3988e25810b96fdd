/* stress_judge.h -- whether a reopened database holds what the record of the stress suite says it must.
 *
 * Each thread's holdings must be those after some number of its operations, counted from the first, and not
 * less than must be there; operations in flight and those in doubt may have had their whole effect or none.
 *
 *     after a kill    all that were acknowledged must be there
 *     after a cut     all that began no later than the newest that had to survive, of any thread: a commit
 *                     with HOLT_COMMIT, a change of the catalog, a sync; and everything acknowledged before
 *                     an operation began that is there: only the end of the commit order is lost
 *
 * HOLT_INTERVAL  a cut loses commits of the last interval only: when one of them began, all that had been
 *                acknowledged longer ago than the interval were durable. Soon after the last commit, all are.
 */
#ifndef HOLT_TESTS_STRESS_JUDGE_H
#define HOLT_TESTS_STRESS_JUDGE_H

#include "os/os.h"
#include "support/stress/stress_record.h"

typedef struct judgement {
    stress_record *record;
    record_moment moment;
    bool cut;                 /* a power cut; else a kill, or a close */
    uint64_t interval_ns;     /* after a cut: HOLT_INTERVAL and all allowances; 0: not checked */
    uint64_t interval_all_ns; /* HOLT_INTERVAL commits that ended by then must be there; 0: none */
    const char *what;         /* for messages: "a kill", ... */
} judgement;

/* Verifies the closed database at `path`, opens it, compares, closes it and verifies it again. On success,
 * with `keep`, the holdings that were found become the record's base. */
bool stress_judge(const judgement *j, os *o, const char *path, bool keep);

#endif
