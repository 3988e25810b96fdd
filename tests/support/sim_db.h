/* sim_db.h -- a simulated machine with one database on it, "/db", and one of its collections. */
#ifndef HOLT_TESTS_SIM_DB_H
#define HOLT_TESTS_SIM_DB_H

#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"

typedef struct sim_db {
    os *os;
    holt *db;
    holt_collection *c;
} sim_db;

/* Opens the database and its collection "default". The machine exists. */
static inline void sim_db_open_on(sim_db *s, os *o, const holt_options *options)
{
    s->os = o;
    expect_ok(holt_open_on(s->os, "/db", options, &s->db));
    expect_ok(holt_collection_open(s->db, "default", &s->c));
}

/* On a new machine; c is "default", of options->default_kind. */
static inline void sim_db_open(sim_db *s, uint64_t seed, const holt_options *options)
{
    sim_options machine = {.seed = seed};
    os *o = sim_create(&machine);
    assert_non_null(o);
    sim_db_open_on(s, o, options);
}

static inline void sim_db_close(sim_db *s)
{
    expect_ok(holt_close(s->db));
    sim_destroy(s->os);
}

#endif
