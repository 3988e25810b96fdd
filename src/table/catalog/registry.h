/* registry.h -- the tables of an open database, which are shared by all that use them.
 *
 * There is one registry for each open database that has a table open, found by the database's handle. It
 * reads the catalog when it is made, and from then on is what tables consist of: there is no other writer of
 * the catalog. While it exists it has a transaction open, so that holt_close returns HOLT_BUSY.
 *
 * Changes      of schemas are made one at a time, by the thread that holds the change lock. It is no mutex:
 *              the thread may take long, and calls the program (holt_progress_fn) while it holds the lock.
 * Unfinished   A change that fails in the middle, and fails to undo what it did, leaves its record in the
 *              catalog, as a crash does. The next change finishes it first (catalog/recover.h).
 * Closing      A forced close ends the registry's transaction, and with it every use of its tables but to
 *              close them. A later open of the database makes another registry, even at the same address.
 * Forks        a child inherits registries whose locks and threads are its parent's. It forgets them: their
 *              memory is left alone, as the engine leaves that of an inherited database.
 * Locks        the mutex of all registries, and `mu` of one; neither is taken under the other. No call of the
 *              engine is made under them: it might call the program (holt_log_fn), which may use tables.
 */
#ifndef HOLT_TABLE_REGISTRY_H
#define HOLT_TABLE_REGISTRY_H

#include "table/table.h"

#include <pthread.h>

enum { CHANGE_WAIT_MS = 10000 };

typedef struct registry {
    struct registry *next; /* the mutex of all registries */
    uint64_t users;        /* the same: handles of tables, and calls without one */
    holt *db;
    uint32_t forks; /* constant: of the process that made it */
    bool read_only;
    holt_txn *open_mark;
    char label[40]; /* of open_mark; no other transaction has it */
    pthread_mutex_t mu;
    pthread_cond_t change_ended;
    bool changing;    /* mu: the change lock is held, by `changer` */
    pthread_t changer; /* mu */
    uint64_t change_wait_ms; /* mu */
    holt_table **tables; /* mu, changed with the change lock held; dropped ones have left it */
    size_t table_count, table_capacity;
    holt_table **dropped; /* the change lock */
    size_t dropped_count, dropped_capacity;
    holt_collection *catalog; /* the change lock; NULL: there is none yet */
    bool loaded;     /* mu: the catalog was read */
    bool unfinished; /* the change lock */
    /* For index_age.h: */
    bool settled;         /* indexes that were complete when the registry was made are; constant */
    uint64_t completions; /* mu: indexes that have become complete, or were about to */
    holt_txn *completion; /* mu: younger than every index that is complete; NULL: none is needed */
} registry;

/* HOLT_CLOSED: it was made by an ancestor of this process, and its locks must not be taken. */
holt_status registry_check_process(const registry *r);

/* For how long changes wait, in milliseconds. */
uint64_t registry_change_wait(registry *r);

/* Finds or makes the registry of the database, reads the catalog and finishes what a crash has left. After
 * HOLT_OK, release *out with registry_release. */
holt_status registry_acquire(holt *db, registry **out);
/* The last release closes what the registry has open, and frees it with its tables. */
void registry_release(registry *r);

/* Takes the change lock.
 *   HOLT_CLOSED     as registry_check_process
 *   HOLT_READ_ONLY  the database is read-only
 *   HOLT_BUSY       another change has held it for as long as a change waits, or this thread holds it */
holt_status registry_begin_change(registry *r);
void registry_end_change(registry *r);
/* Whether this thread holds the change lock: for assertions. */
bool registry_holds_change(registry *r);

/* Finds a table by its name, in any case, and opens its rows. The handle takes over the caller's use of the
 * registry: the table lives as long as that. HOLT_NOT_FOUND: there is none. */
holt_status registry_open_table(registry *r, const char *name, holt_table **out);

/* Opens the table's own collection, if it is not open yet. HOLT_CORRUPT: it is missing. */
holt_status registry_open_rows(registry *r, holt_table *t);

/* Returns HOLT_NOT_FOUND; the message says so if there is a plain collection of this name. */
holt_status registry_not_found(registry *r, const char *name);

/* The following need the change lock. */

/* Returns the table of this name, in any case; NULL: there is none. */
holt_table *registry_find(const registry *r, const char *name);
/* HOLT_EXISTS: a table or an index has this name, in any case. */
holt_status registry_check_name(const registry *r, const char *name);
/* Makes a table of a layout, which it takes over, also on failure. registry_enlist, which cannot fail, makes
 * it one of the registry's tables; registry_discard frees it instead. */
holt_status registry_make_table(registry *r, table_layout *layout, holt_table **out);
void registry_enlist(registry *r, holt_table *t);
void registry_discard(holt_table *t);
/* Publishes the layout of a table, whose name may be another one. */
void registry_install(registry *r, holt_table *t, table_layout *layout);
/* Takes a dropped table out. Cannot fail if registry_reserve_drop was called before. */
holt_status registry_reserve_drop(registry *r);
void registry_remove(registry *r, holt_table *t);
/* Opens the catalog, which is made if there is none. */
holt_status registry_catalog(registry *r);

#endif
