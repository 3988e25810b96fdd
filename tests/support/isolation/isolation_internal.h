/* isolation_internal.h -- what the files of the isolation checker share; included by them only.
 *
 * iso_history.c records. iso_check() goes through the others in this order:
 *     iso_reads.c   flattens each transaction to *touches*, sorted by key, and checks what each read must
 *                   fulfil by itself. Leaves *versions* (what committed) and *readings* (of others' versions)
 *     iso_order.c   orders the versions of each key, finds what reads of nothing saw, and makes the edges
 *     iso_cycles.c  finds the cycles
 *     iso_report.c  words
 */
#ifndef HOLT_TESTS_ISOLATION_INTERNAL_H
#define HOLT_TESTS_ISOLATION_INTERNAL_H

#include "support/isolation/isolation.h"

/* ---------------------------------------------------------------- what is recorded */

typedef enum op_kind { OP_READ, OP_RANGE, OP_PUT, OP_DELETE, OP_SAVEPOINT, OP_ROLLBACK } op_kind;

typedef struct iso_op {
    op_kind kind;
    iso_key key, end;     /* end: of a range */
    iso_version seen;     /* OP_READ */
    iso_item *items;      /* OP_RANGE, by key */
    size_t item_count;
    uint32_t savepoint;
    uint32_t undone_at;   /* a write: the operation that rolled it back, or UINT32_MAX */
    iso_span span;
} iso_op;

struct iso_txn {
    uint32_t id;
    iso_level level;
    iso_outcome outcome;
    iso_span begin, end;
    iso_op *ops;
    size_t op_count, op_capacity;
};

typedef struct order_hint {
    iso_key key;
    iso_version earlier, later;
} order_hint;

struct iso_history {
    iso_txn **txns;
    size_t txn_count, txn_capacity;
    order_hint *hints;
    size_t hint_count, hint_capacity;
};

/* ---------------------------------------------------------------- what the check makes of it */

#define NONE UINT32_MAX

/* A committed version: the last of its transaction. */
typedef struct version {
    iso_key key;
    uint32_t node, op; /* node NONE: the key before anybody wrote it, the first one of each key */
    bool dead;         /* a delete, or never written */
    uint32_t follows;  /* reading that its transaction made of the key before it; NONE: blind */
} version;

/* A transaction saw a version of another one, or nothing. */
typedef struct reading {
    iso_key key;
    uint32_t node, op;
    bool absent;    /* then the version is to be found out */
    bool predicate; /* absent in a range */
    iso_version seen;
    uint32_t version; /* index; NONE: unresolved */
    bool several;     /* it may also be a later delete, with no value between them */
} reading;

typedef enum edge_kind {
    EDGE_WW = 1,
    EDGE_WR = 2,
    EDGE_RW = 4,
    EDGE_RW_PREDICATE = 8,
    EDGE_RT = 16
} edge_kind;

enum { EDGES_RW = EDGE_RW | EDGE_RW_PREDICATE, EDGES_DEPENDENCY = EDGE_WW | EDGE_WR };

typedef struct edge {
    uint32_t from, to;
    edge_kind kind;
    uint32_t version, next; /* indexes; wr: version alone */
} edge;

/* Nodes 0 .. txns-1 are the transactions by id, the others are moments in real time. */
typedef struct analysis {
    const iso_history *history;
    iso_report *report;
    size_t explained;
    const iso_txn **txns; /* by id */
    uint32_t txn_count, node_count;
    bool *committed; /* by node */
    bool *observed;  /* by node: another transaction has read a version of it */
    iso_key *keys;   /* sorted */
    size_t key_count;
    version *versions; /* by key, node */
    size_t version_count, version_capacity;
    reading *readings;
    size_t reading_count, reading_capacity;
    edge *edges; /* by from */
    size_t edge_count, edge_capacity;
    uint32_t *first_edge; /* by node, and one more */
} analysis;

/* The node with this id, or NONE. */
uint32_t node_of(const analysis *a, uint32_t id);

void check_reads(analysis *a);
void order_versions(analysis *a);
void find_cycles(analysis *a);

void add_edge(analysis *a, edge e);

/* Counts an anomaly and keeps its words if there is room. */
void report_anomaly(analysis *a, iso_kind kind, bool allowed, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A cycle: each edge begins where the one before ends. */
void report_cycle(analysis *a, iso_kind kind, bool allowed, const edge *const *cycle, size_t length);

#define KEY_FORMAT    "%llu/%llu"
#define KEY_PRINT(k)  (unsigned long long)((k) >> 32), (unsigned long long)((k)&UINT32_MAX)

#endif
