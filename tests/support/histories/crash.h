/* crash.h -- a history on sim that is struck again and again by crashes, each time on a copy of its machine.
 *
 * At calls that change a disk, chosen by the seed, the machine is cloned: as it is (kill -9), or with its
 * power cut in one of the ways that sim knows. The database is opened on the clone and must show the state
 * after some commit that is not older than the last one that had to survive and not newer than the one in
 * flight: so no hole, no part of a batch, nothing that was not written. From the clone further clones are
 * taken: while it recovers, and after it has recovered.
 *
 *     history ─> clone ─(kill, or cut)─> open ─────────────────────> compare, use, reopen
 *                                        ├─ in the recovery: clone ─cut─> the same
 *                                        └─ when it is open: clone ─cut─> what was shown
 *
 * Everything follows from the seed and the number of the call, so HOLT_SEED with HOLT_CRASH_AT=call replays
 * one point alone.
 */
#ifndef HOLT_TESTS_CRASH_H
#define HOLT_TESTS_CRASH_H

#include "support/histories/history.h"

typedef struct crash_options {
    history_options history; /* crash_history sets its platform */
    uint64_t steps_before;   /* steps without crashes, so that there is something to lose */
    uint64_t steps;
    uint32_t one_in; /* calls that are crash points, on average */
    uint64_t only;   /* this call only; 0 = all that chance chooses */
} crash_options;

typedef struct crash_counts {
    uint64_t points;        /* calls of the histories at which they were struck */
    uint64_t kills, cuts;   /* states opened: as after kill -9; after a power cut */
    uint64_t in_recovery;   /* of them: cut while an earlier crash was being recovered from */
    uint64_t after_recovery; /* of them: cut when that was done */
} crash_counts;

bool crash_history(const crash_options *options, crash_counts *counts, verdict *v);

#endif
