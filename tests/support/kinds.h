/* kinds.h -- for tests that run on both kinds of tree, and find a value wherever it may be. */
#ifndef HOLT_TESTS_KINDS_H
#define HOLT_TESTS_KINDS_H

#include "support/db_fixture.h"

enum { KINDS = 2 };

static const uint32_t kinds[KINDS] = {HOLT_LSM, HOLT_BTREE};
static const char *const kind_names[KINDS] = {"lsm", "btree"};

/* The collection of the kind, which is created the first time. */
static inline holt_collection *open_kind(db_fixture *f, unsigned kind)
{
    holt_collection *c = NULL;
    holt_collection_options o = {.kind = kinds[kind], .flags = HOLT_CREATE_OR_OPEN};
    expect_ok(holt_collection_create(f->db, kind_names[kind], &o, &c));
    return c;
}

/* Where the value lies when it is looked up. */
typedef enum where { IN_MEMTABLE, IN_TREE, REOPENED, WHERES } where;

/* Moves what has been written there; returns the collection, whose handle may be another one. */
static inline holt_collection *move(db_fixture *f, holt_collection *c, unsigned kind, where w)
{
    if (w == IN_TREE) expect_ok(holt_flush(f->db));
    if (w == REOPENED) {
        db_fixture_reopen(f);
        return open_kind(f, kind);
    }
    return c;
}

#endif
