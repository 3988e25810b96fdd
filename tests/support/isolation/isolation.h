/* isolation.h -- a checker of transaction isolation, which sees only what clients saw.
 *
 * A test records what each transaction asked for and what it got: reads with the version seen, scans of
 * ranges with all that they showed, writes, and whether the transaction committed. iso_check() then finds out
 * whether any isolated execution explains it. It knows nothing of how the store works, and includes none of
 * its code.
 *
 * Versions    Every value that a test writes carries the id of its transaction and the number of the
 *             operation, so that a read says whose version it saw. Each version that a transaction read and
 *             then replaced is earlier than the one it wrote; values may also carry their predecessors, as
 *             lists of writers (iso_order). What this leaves open, as with blind writes, is ordered by real
 *             time where one commit returned before the other began, and otherwise stays open.
 * Graph       Adya's direct serialization graph: a node is a transaction, an edge says that it comes before
 *             another one:
 *               ww  it wrote a version, the other one the next version of that key
 *               wr  the other one read what it wrote
 *               rw  it read a version, the other one wrote the next one. A predicate rw: it scanned a range
 *                   in which the key was absent
 *               rt  it ended before the other one began (real time)
 *             Transactions that failed are nodes too, for what they read: it must be consistent as well.
 * Anomalies   Cycles by the kinds of their edges, as Adya and Elle class them, and what needs no cycle: reads
 *             of aborted, intermediate or uncommitted versions, a transaction that does not see its own
 *             writes. Snapshot isolation excludes all of them but write skew and phantoms. These are excluded
 *             in cycles in which every rw edge begins at a transaction that is serializable, failed, or wrote
 *             nothing; others are reported as allowed.
 * Limits      A read that finds nothing does not say whether the key was not there yet or not any more. If
 *             real time leaves several possibilities, the read counts as unresolved and adds no edges.
 *
 * Concurrency  One thread for a history; threads record into one each, and iso_merge() joins them. Times are
 *              numbers that grow with real time; 0 is unknown.
 */
#ifndef HOLT_TESTS_ISOLATION_H
#define HOLT_TESTS_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t iso_key; /* in the order of the store's keys */

/* Which operation of which transaction wrote a version. */
typedef struct iso_version {
    uint32_t txn, op;
} iso_version;

/* What a read of a key without a value sees. No transaction has this id. */
#define ISO_ABSENT ((iso_version){UINT32_MAX, 0})

typedef struct iso_item {
    iso_key key;
    iso_version version;
} iso_item;

/* The times before and after a call. */
typedef struct iso_span {
    uint64_t asked, returned;
} iso_span;

typedef enum iso_level {
    ISO_SNAPSHOT,    /* may take part in write skew and phantoms */
    ISO_SERIALIZABLE /* also for what reads only, at one moment */
} iso_level;

typedef enum iso_outcome {
    ISO_OPEN, /* not ended; counts as unknown */
    ISO_COMMITTED,
    ISO_ABORTED,
    ISO_UNKNOWN /* counts as committed if another transaction has read any of its versions */
} iso_outcome;

typedef struct iso_history iso_history;
typedef struct iso_txn iso_txn;

iso_history *iso_create(void);
void         iso_destroy(iso_history *h);
/* Moves all that `from` has recorded. */
void         iso_merge(iso_history *into, iso_history *from);

/* Ids are unique in a history. The transaction lives as long as the history. */
iso_txn *iso_begin(iso_history *h, uint32_t id, iso_level level, iso_span span);
void     iso_end(iso_txn *t, iso_outcome outcome, iso_span span);
/* For a call that is a transaction: it began somewhere in the span. */
void     iso_begun_within(iso_txn *t, iso_span span);
uint32_t iso_id(const iso_txn *t);

/* Operations, in their order; those that failed are not recorded. iso_next() is the version that a write
 * recorded next will have. */
iso_version iso_next(const iso_txn *t);
void        iso_read(iso_txn *t, iso_key key, iso_version seen, iso_span span);
void        iso_put(iso_txn *t, iso_key key, iso_span span);
void        iso_delete(iso_txn *t, iso_key key, iso_span span);
/* A scan that has shown everything in [begin, end); the items are copied. */
void        iso_range(iso_txn *t, iso_key begin, iso_key end, const iso_item *seen, size_t count,
                      iso_span span);
void        iso_savepoint(iso_txn *t, uint32_t id);
void        iso_rollback_to(iso_txn *t, uint32_t id);

uint64_t iso_committed(const iso_history *h); /* transactions that were acknowledged */

/* A value says that `earlier` was replaced by `later`. */
void iso_order(iso_history *h, iso_key key, iso_version earlier, iso_version later);

typedef enum iso_kind {
    ISO_GARBAGE_READ,      /* a version that nobody wrote */
    ISO_INTERNAL,          /* a transaction that does not see its own writes */
    ISO_UNREPEATABLE_READ, /* a transaction that reads two versions of a key */
    ISO_ABORTED_READ,      /* G1a: a version of a transaction that failed, or that was rolled back */
    ISO_INTERMEDIATE_READ, /* G1b: a version that its own transaction replaced */
    ISO_DIRTY_READ,        /* a version before its transaction began to commit */
    ISO_LATE_READ,         /* a version of a transaction that began to commit after this one had begun */
    ISO_DIRTY_WRITE,       /* G0: a cycle of ww edges */
    ISO_CIRCULAR,          /* G1c: a cycle of ww and wr edges */
    ISO_LOST_UPDATE,       /* a transaction that replaces a version other than the one that it read */
    ISO_FRACTURED_READ,    /* some of another transaction's writes, but not all */
    ISO_READ_SKEW,         /* G-single: any other cycle with one rw edge */
    ISO_REAL_TIME,         /* a cycle with at most one rw edge that needs an rt edge, such as a stale read */
    ISO_NON_ADJACENT,      /* a cycle with several rw edges that never follow each other */
    ISO_WRITE_SKEW,        /* G2-item: any other cycle */
    ISO_PHANTOM,           /* G2: one that needs a predicate rw edge */
    ISO_KINDS
} iso_kind;

const char *iso_kind_name(iso_kind kind);

enum { ISO_EXPLAINED_MAX = 16 };

typedef struct iso_report {
    uint64_t found[ISO_KINDS];   /* anomalies that must not be: operations, or edges that close a cycle */
    uint64_t allowed[ISO_KINDS]; /* those that snapshot isolation allows */
    uint64_t transactions, versions, edges, unresolved;
    char *explained[ISO_EXPLAINED_MAX]; /* the first ones in words; NULL: no more. Those found come first */
    char *example;                      /* one that is allowed; NULL: none */
} iso_report;

iso_report *iso_check(const iso_history *h);
void        iso_report_destroy(iso_report *r);
/* Sum of found[]. */
uint64_t    iso_found(const iso_report *r);

#endif
