/* worker.h -- one thread of a slice. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "compare.h"

typedef struct worker {
    const compare_settings *settings;
    const engine *engine;
    const workload *kind;
    session *session;
    char *key; /* key_bytes + 1 */
    char *value; /* room for ENGINE_MANY */
    entry *entries; /* a batch: settings->batch of them */
    char *batch_keys; /* of a batch, or of ENGINE_MANY gets */
    bool timed;      /* the next operation is timed */
    uint64_t scanned; /* entries visited by the current scan; 0: not begun */
    uint64_t sink;    /* see engine_touch */
    uint64_t aborted; /* transactions */
    uint64_t wrong;
} worker;

/* Runs operations first, first + 1, ... of the workload on all its threads for slice_ns, at most up to `end`.
 * *next: the operation to continue with. Adds all figures to *out except CPU time and memory. */
void worker_run_slice(const compare_settings *s, const engine *e, const workload *kind, database *db,
                      uint64_t first, uint64_t end, uint64_t slice_ns, uint64_t *next, figures *out);

/* workloads.c: puts entry `number` as the i-th operation does. */
void worker_put(worker *w, uint64_t number, uint64_t i);
uint64_t worker_overwrite(worker *w, uint64_t i);
uint64_t worker_fill_random(worker *w, uint64_t i);

/* workloads.c: gets the entry that worker_fill_random(w, i) put, and counts it as wrong if it is not there or
 * has another value. */
void worker_check_filled(worker *w, uint64_t i);

/* Allocate and release what a thread needs. */
void worker_init(worker *w, const compare_settings *s, const engine *e, const workload *kind, database *db);
void worker_deinit(worker *w);

#endif
