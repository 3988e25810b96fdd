/* worker.h -- a thread of a slice. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "compare.h"

typedef struct worker {
    const compare_settings *settings;
    const engine *engine;
    const workload *kind;
    session *session;
    char *key; /* key_bytes + 1 */
    char *value;
    entry *entries; /* a batch: settings->batch of them */
    char *batch_keys;
    bool timed;      /* the operation to come */
    uint64_t walked; /* entries of the walk under way; it has not begun at 0 */
    uint64_t looked; /* what came of looking at entries, so that it is not left out */
    uint64_t wrong;
} worker;

/* Runs operations first, first + 1, ... of the workload for slice_ns, over all its threads, at most up to
 * `end`. *next: the operation to go on with. Everything is added to *out but the CPU time and the memory. */
void worker_run_slice(const compare_settings *s, const engine *e, const workload *kind, database *db,
                      uint64_t first, uint64_t end, uint64_t slice_ns, uint64_t *next, figures *out);

/* workloads.c: puts entry `number` as the i-th operation does. */
void worker_put(worker *w, uint64_t number, uint64_t i);
uint64_t worker_overwrite(worker *w, uint64_t i);
uint64_t worker_fill_random(worker *w, uint64_t i);

/* Makes and releases what a thread needs. */
void worker_init(worker *w, const compare_settings *s, const engine *e, const workload *kind, database *db);
void worker_deinit(worker *w);

#endif
