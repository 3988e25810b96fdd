/* stress_record.h -- what each thread of the stress suite did, recorded so that it survives a kill.
 *
 * A thread has keys of its own in two collections that always exist, one of each kind, and up to OWN
 * collections that no other thread changes. Together these are its holdings, and only its own operations
 * change them. It records each operation before it begins and the outcome after it has returned. So at any
 * moment the holdings are known except for the one operation in flight, and those in doubt, whose outcome the
 * engine does not know.
 *
 * The record is in memory that parent and child share. The operation's fields are complete before it is
 * counted; its outcome is stored last.
 *
 * Tickets      order what happened: an operation whose `ended` is less than another's `begun` was
 *              acknowledged before the other was started.
 * Pens         counting an operation and noting its outcome takes the thread's pen. Holding all pens shows a
 *              moment at which the process could have been killed, though the engine goes on (record_freeze).
 */
#ifndef HOLT_TESTS_STRESS_RECORD_H
#define HOLT_TESTS_STRESS_RECORD_H

#include "base/random.h"
#include "support/histories/verdict.h"

enum {
    STRESS_THREADS = 6,
    SHARED = 2,              /* collections that always exist: the first places of every thread */
    OWN = 4,                 /* the thread's own: the places after them */
    STRESS_PLACES = SHARED + OWN,
    SLOTS = 40,              /* keys of a thread in a collection */
    ROWS = 8,                /* the first of them: in shared collections always written together in both */
    ANCHOR = 0,              /* in an own collection: the key that stays until the next clear or drop */
    NAMES = 7,               /* names that a thread gives its collections */
    RACES = 3,               /* names that all threads create, drop and rename as they like */
    WRITES_MAX = 8,
    OPERATIONS_MAX = 12000,  /* of a thread between two checks */
    STRESS_NAME_BYTES = 129,
    STRESS_KEY_BYTES = 1024,
    STRESS_VALUE_BYTES = 3000
};

typedef enum deed {
    DEED_WRITE,  /* one commit of puts and deletes */
    DEED_CREATE, /* `place`, `name`, `kind` */
    DEED_DROP,   /* `place` */
    DEED_RENAME, /* `place`, to `name` */
    DEED_CLEAR,  /* `place` */
    DEED_LOAD,   /* `place`: the slots that record_loads() returns */
    DEED_SYNC,   /* everything before is durable: holt_sync or holt_flush */
    /* Of collections that all threads change (stress_race.h): */
    DEED_RACE_CREATE, /* `name`, `kind` */
    DEED_RACE_DROP,   /* `name` */
    DEED_RACE_RENAME, /* `name`, to `to` */
    DEED_RACE_CLEAR,  /* `name` */
    DEED_RACE_PUT,    /* `name`; HOLT_COMMIT */
    DEED_RACE_ADD     /* to the sum in a shared collection, `place`; HOLT_COMMIT */
} deed;

typedef enum outcome {
    OUTCOME_OPEN,     /* in flight */
    OUTCOME_DONE,     /* acknowledged */
    OUTCOME_NOT_DONE, /* refused: it must have had no effect */
    OUTCOME_UNKNOWN   /* HOLT_IO: all of it or nothing */
} outcome;

typedef struct slot_write {
    uint8_t place, slot;
    bool put;
} slot_write;

typedef struct operation_record {
    deed deed;
    uint32_t n;          /* its number among all of the thread's; the version of what it puts */
    uint8_t place, name, to, kind;
    uint8_t durability;  /* of a DEED_WRITE */
    uint8_t write_count;
    slot_write writes[WRITES_MAX];
    uint64_t begun, ended;       /* tickets */
    uint64_t begun_ns, ended_ns; /* os_clock_ns before and after the call */
    outcome outcome;
} operation_record;

typedef struct holding {
    bool exists;
    bool pristine; /* not written to since it was created or cleared: may be loaded into */
    uint8_t name, kind;
    uint32_t versions[SLOTS]; /* 0: absent */
} holding;

typedef struct holdings {
    holding places[STRESS_PLACES];
} holdings;

typedef struct thread_record {
    pthread_mutex_t pen;
    holdings base;   /* before the first operation */
    uint32_t last_n; /* of all operations ever */
    /* For other threads: which collection at each place has had its anchor since it got its name, and will
     * have it until the next clear or rename, or until it is gone. 0: none; otherwise a number that is never
     * reused, times NAMES, plus its name. Stored with release after the anchor is written; relaxed when it is
     * withdrawn, since that comes before the call. */
    _Atomic uint64_t anchored[STRESS_PLACES];
    _Atomic uint32_t count;
    operation_record operations[OPERATIONS_MAX];
} thread_record;

typedef struct stress_record {
    _Atomic uint64_t tickets;
    atomic_bool stop; /* threads end when they see it. Relaxed: a hint */
    atomic_bool rest; /* threads with their last outcome noted do nothing while set. Relaxed */
    bool race_exists[RACES]; /* before the first operation */
    int64_t sums[SHARED];    /* before the first operation */
    verdict verdict;
    thread_record threads[STRESS_THREADS];
} stress_record;

/* A record without operations, in shared memory; ends the program when there is none. */
stress_record *record_create(void);
void           record_destroy(stress_record *r);
/* Forgets operations and verdict; holdings stay. No thread may use it. */
void           record_restart(stress_record *r);
/* Forgets the holdings too. */
void           record_clear(stress_record *r);

bool record_is_full(const thread_record *t);
/* Counts an operation, whose arguments are set, as begun. Returns where it is. */
operation_record *record_begin(stress_record *r, thread_record *t, const operation_record *op,
                               uint64_t now_ns);
void record_end(stress_record *r, thread_record *t, operation_record *op, outcome o, uint64_t now_ns);

/* A moment: how many operations each thread had begun, and whether the last one was still open. */
typedef struct record_moment {
    uint32_t counts[STRESS_THREADS];
    bool open[STRESS_THREADS];
} record_moment;

void record_freeze(stress_record *r, record_moment *m); /* takes all pens */
void record_thaw(stress_record *r);
/* For a record that is no longer written to. */
void record_look(stress_record *r, record_moment *m);

/* Changes the holdings as the operation does when it takes effect. */
void holdings_apply(holdings *h, const operation_record *op);

/* ---------------------------------------------------------------- names, keys, values */

extern const char *const shared_names[SHARED];
const char *stress_name(unsigned thread, unsigned name, char buffer[STRESS_NAME_BYTES]);
const char *race_name(unsigned race, char buffer[STRESS_NAME_BYTES]);
/* Which thread has this name. false: none. */
bool       stress_name_parse(const char *name, unsigned *thread, unsigned *number);
holt_slice stress_key(unsigned thread, unsigned slot, char buffer[STRESS_KEY_BYTES]);
extern const holt_slice stress_sum_key; /* of the sum in each shared collection */
int64_t    record_addend(uint32_t n);   /* what add number n of any thread adds; positive */
holt_slice stress_prefix(unsigned thread, char buffer[STRESS_KEY_BYTES]);
/* The thread's slot with this key. false: there is none. */
bool       stress_key_parse(holt_slice key, unsigned thread, unsigned *slot);
holt_slice stress_value(unsigned thread, unsigned slot, uint32_t n, uint8_t buffer[STRESS_VALUE_BYTES]);
/* The version, if these are the bytes of a value of this slot; otherwise 0. */
uint32_t   stress_value_parse(holt_slice value, unsigned thread, unsigned slot);
bool       record_loads(uint32_t n, unsigned slot); /* whether load number n puts the slot */

/* What an operation is, in words. */
enum { DEED_BYTES = 400 };
const char *describe_operation(const operation_record *op, bool open, char buffer[DEED_BYTES]);

#endif
