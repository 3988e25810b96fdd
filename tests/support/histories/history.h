/* history.h -- a random life of a database, together with its model.
 *
 * Each step is one thing a program may do: puts, deletes of keys and of ranges, conditional puts, adds,
 * changes of expiry, batches over several collections, read-write transactions side by side, gets of all
 * kinds, cursor walks, snapshots and cursors that live for a long time, flush, compaction, sync, clear,
 * creating, dropping and renaming collections, reopening; or the wall clock is set forward, past what expires
 * then, and back. What the database returns is compared with the model at once. All chance comes from the
 * seed, so on sim a seed replays exactly.
 *
 * For crash tests the model is ahead of the engine: a commit is in the model before its call begins. So
 * inside a call
 *
 *     history_durable() <= history_acknowledged() <= model_now(history_model())
 *     must survive a         must survive             the call in flight, whole or absent,
 *     power cut              kill -9                  when it is a commit
 */
#ifndef HOLT_TESTS_HISTORY_H
#define HOLT_TESTS_HISTORY_H

#include "os/os.h"
#include "support/histories/model.h"
#include "support/histories/verdict.h"

typedef struct history_options {
    os *platform;
    bool simulated; /* platform is a sim: it may be settled, and lose power when it is closed */
    bool small;     /* few keys, small values, few reads: for crash tests, which open each state many times */
    bool mixed;     /* batches choose their own durability */
    bool transactions; /* mostly read-write transactions, on few keys */
    const char *path;
    uint64_t seed;
    uint32_t kinds[2]; /* of the collections that are made; [0] is that of "default" */
    uint32_t kind_count;
    uint32_t durability; /* of the database */
} history_options;

typedef struct history history;

enum { HISTORY_INTERVAL_MS = 2 }; /* interval_ms of every open */

/* Failures of the history go to the verdict. */
history *history_create(const history_options *options, verdict *v);
/* Opens the database, which is a new one. */
bool     history_start(history *h);
bool     history_step(history *h);
bool     history_steps(history *h, uint64_t count); /* stops at the first failure */
/* Closes everything, opens again, compares everything and closes. */
bool     history_end(history *h);
void     history_destroy(history *h);

const model *history_model(const history *h);
moment       history_acknowledged(const history *h);
moment       history_durable(const history *h);
/* The last moment that was acknowledged when the os clock stood at `ns`. */
moment       history_acknowledged_by(const history *h, uint64_t ns);
holt_options history_open_options(const history *h);
/* What the last steps were, a line each, the newest last. */
const char  *history_trail(history *h);

/* The configurations that every history suite goes through: a line more covers the next kind of tree. */
typedef struct history_configuration {
    const char *name;
    uint32_t kinds[2];
    uint32_t kind_count;
    uint32_t durability;
    bool mixed;
} history_configuration;

extern const history_configuration history_configurations[];
extern const size_t history_configuration_count;

/* A number from the environment, or `otherwise`. */
uint64_t environment_number(const char *name, uint64_t otherwise);

#endif
