/* table_world.h -- a few tables of both kinds in one database, changed at random, beside a model of them.
 *
 * Each step is one change that happens as a whole or not at all: a write of a row, a transaction over several
 * tables with savepoints, a change of a schema. Before the call that may make it durable, the world notes
 * what the database would show afterwards; after the call, that it does. So at any moment a crash may leave
 * one of the noted states from `floor` to `ceiling`, and no other.
 *
 * States are texts: tables with their columns, indexes and rows, as a scan shows them.
 */
#ifndef HOLT_TESTS_TABLE_WORLD_H
#define HOLT_TESTS_TABLE_WORLD_H

#include <holt/table.h>

#include "base/random.h"
#include "os/os.h"

enum { WORLD_TABLES = 3, WORLD_IDS = 40, WORLD_EXTRAS = 3, WORLD_INDEXES = 3, WORLD_STATES_MAX = 2000 };

typedef struct world_user {
    bool present;
    int email;
    int age; /* -1: null */
    int extras[WORLD_EXTRAS];
} world_user;

typedef struct world_table {
    bool exists, renamed;
    uint32_t kind;
    bool indexes[WORLD_INDEXES];
    int extras[WORLD_EXTRAS]; /* the numbers of its further columns, in their order */
    int extra_count;
    world_user users[WORLD_IDS];
} world_table;

typedef struct world_model {
    world_table tables[WORLD_TABLES];
} world_model;

typedef struct table_world {
    uint64_t seed;
    rng random;
    os *machine;
    uint32_t durability;
    holt *db;
    holt_table *handles[WORLD_TABLES];
    world_model now, next; /* `next`: what the running step would make of it */
    char *states[WORLD_STATES_MAX];
    size_t floor;   /* acknowledged */
    size_t durable; /* acknowledged, and must survive a power cut */
    size_t ceiling; /* in flight; equal to floor between steps */
    bool faults;    /* calls may fail: the step then looks at what the database shows */
    uint64_t failures; /* calls that did, so far */
    char last[200]; /* the last step, for messages */
} table_world;

/* The path of the database on its machine. */
#define WORLD_PATH "/db"

/* Makes a world with an empty database on the machine, which remains the caller's. */
void world_create(table_world *w, os *machine, uint64_t seed, uint32_t durability);
void world_destroy(table_world *w);

holt_options world_options(const table_world *w);
void world_step(table_world *w);
void world_reopen(table_world *w);

/* Returns what the database shows, to be freed. Everything in it must be sound: each table, its indexes, and
 * that there are no other collections. */
char *world_text_of(holt *db);
/* Whether this is one of the states from..to; prints the difference if not. */
bool world_is_one_of(const table_world *w, const char *text, size_t from, size_t to);

#endif
