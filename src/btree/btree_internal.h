/* btree_internal.h -- what the files of src/btree share.
 *
 * The store keeps two maps. `live` has the pages of the last record's trees, as the open change has changed
 * them; it is what goes to disk. `taken` has these pages and those that are held for versions; it is what
 * must not be allocated. The difference is in the lists of the versions (held_pages.c), so that the three can
 * be checked against each other (store_counts_agree).
 *
 * The changer is the thread that has set page_store.changing: it has a change open, or is collecting,
 * trimming or verifying.
 */
#ifndef HOLT_BTREE_BTREE_INTERNAL_H
#define HOLT_BTREE_BTREE_INTERNAL_H

#include "btree/page_births.h"
#include "btree/page_map.h"
#include "tree/read/tree_walk.h"
#include "tree/write/tree_apply.h"
#include "tree/write/tree_move.h"

#include <stdatomic.h>

/* Consecutive pages. */
typedef struct page_run {
    uint32_t first, count;
} page_run;

typedef struct page_runs {
    page_run *runs;
    size_t count, capacity;
    size_t fixed; /* runs before this one do not grow */
} page_runs;

/* Appends pages, to the last run if they directly follow it. false: no memory. */
bool page_runs_add(page_runs *r, uint64_t first, uint64_t count);

typedef struct held_pages held_pages; /* held_pages.c */

/* Whether the tree of a version has overflow pieces. It is found out when it matters. */
typedef enum overflow_known { OVERFLOW_UNKNOWN, OVERFLOW_NONE, OVERFLOW_SOME } overflow_known;

struct btree_version {
    /* Taken relaxed, because the caller has one. Dropped with release, and the last drop acquires. */
    _Atomic uint32_t refs;
    page_store *store; /* constant */
    tree_file *file;   /* constant: the store's */
    tree_root root;    /* constant */
    uint64_t number;   /* constant: that of the step which made it, ascending; 0: from the record */

    /* The number of held pages that it needs, which are in its own list and in those of older versions. It
     * only grows, as no page is freed while a version needs it. Relaxed: a figure. */
    _Atomic uint64_t needs;

    /* The changer's: */
    overflow_known overflow;
    bool replaced; /* by another version or by none, in a committed change */
    /* Its neighbours among the versions of the same tree that are not freed yet; not references. */
    btree_version *older, *newer;
    /* The replaced pages of which this is the oldest version to need them, in the order of their deaths. */
    held_pages *held_first, *held_last;
    btree_version *dead_next; /* in page_store.dead */
};

struct page_store {
    tree_file *file; /* a reference */
    bool writable;   /* constant */
    /* Set by the changer, with acquire, and cleared with release: each changer sees what the one before it
     * has done. */
    _Atomic bool changing;
    /* Versions without references. Pushed with release, popped all at once with acquire. */
    _Atomic(btree_version *) dead;
    _Atomic uint64_t versions; /* relaxed: for an assertion */
    /* page_store_resolve was called, and no changer has acted on it yet. Set with release; the next changer
     * takes it with acquire. */
    _Atomic bool resolved;
    /* Published by changers for page_store_stats_get. Relaxed: they are only figures. */
    _Atomic uint64_t stat_live, stat_taken, stat_held, stat_end, stat_changes;

    /* The changer's: */
    page_map live, taken;
    page_map fresh;             /* pages that the open change has written */
    uint64_t held;              /* pages in the lists of versions */
    uint64_t number;            /* of the last step of any change */
    uint64_t changes;           /* see page_store_stats */
    uint64_t replaced_versions; /* that are not freed yet */
    page_births births;         /* of pages that were written while there were such versions */
    /* The pages that the last change wrote, and its number. Their births are noted when the next change
     * begins, if there is a replaced version then. */
    page_runs newborn;
    uint64_t newborn_number;
    page_store_state recorded;
    bool *dirty; /* for each map group: live differs from the recorded map */
    size_t dirty_capacity;
    btree_change *doubtful; /* its record may be on disk or not */
    bool unrecorded;        /* changes are committed without a record; what `durable` names must stay */
    map_group *durable;     /* the map groups of the last record, while unrecorded; owned */
    size_t durable_count;
};

enum { RUN_CLASSES = 32, WRITE_BUFFER_BYTES = 1 << 20, PUSH_BYTES = 1 << 20 };

/* How a step allocates its pages. */
typedef enum page_order {
    PAGES_LOWEST,   /* the lowest free ones, so that the file can shrink */
    PAGES_TOGETHER, /* in short stretches, where these do not make the file longer */
    PAGES_IN_LINE   /* in long stretches */
} page_order;

/* A version that a change replaces by another, or by none. */
typedef struct replacement {
    btree_version *base, *next; /* references; next NULL: none */
    held_pages *pages;          /* the pages it replaces; owned */
} replacement;

struct btree_change {
    tree_pages pages; /* must be first; the interface to tree_apply.h and tree_move.h */
    page_store *store;
    uint64_t first_number; /* of its first step */
    bool notes_births;     /* there was a replaced version when the change began */
    page_runs added, removed;
    uint64_t from[RUN_CLASSES]; /* no free run of up to 2^i pages begins before from[i] */
    struct {                    /* consecutive free pages, for the next pieces */
        uint64_t pages;         /* to search for at a time; 0: no stretches */
        uint64_t limit;         /* it must end at or before this page */
        uint64_t next, end;     /* not used yet */
    } stretch;
    uint8_t *unwritten;      /* WRITE_BUFFER_BYTES: consecutive pages that are not written yet */
    uint64_t unwritten_page; /* the first of them */
    size_t unwritten_bytes;
    struct {
        uint64_t first, end; /* a range of pages */
        size_t bytes;        /* written in it, whose write-back the system has not been asked to start */
    } unpushed;
    uint64_t bytes; /* written, in whole pages */

    /* The open step has at most one of: */
    tree_apply *apply;
    tree_move *move;
    tree_walk *walk;
    uint64_t move_limit; /* of a vacuum: pages from here on are to move */

    replacement *replacements;
    size_t replacement_count, replacement_capacity;
    page_store_state prepared; /* owns its map groups */
};

/* ---------------------------------------------------------------- page_store.c */

/* Makes the caller the changer; false: there is one. */
bool store_enter(page_store *s);
void store_leave(page_store *s);
/* Publishes the statistics. Only while no change is open. */
void store_publish(page_store *s);
/* For assertions, while no change is open: each taken page is live, held, or of a change in doubt. */
bool store_counts_agree(const page_store *s);
/* Extends maps and flags to this many map groups. */
holt_status store_grow(page_store *s, size_t map_groups);
/* Does what page_store_resolve had to leave to the next changer. */
void store_take_resolved(page_store *s);
/* The map of a group as the durable record names it, or NULL. */
const map_group *store_durable(const page_store *s, size_t group);
/* page_store_trim for the changer. */
holt_status store_trim(page_store *s);

/* Reads the map of a group as the recorded state names it. HOLT_CORRUPT: it is not what was recorded. */
holt_status store_read_map(page_store *s, size_t group, uint8_t out[MAP_BYTES]);
/* Returns HOLT_CORRUPT, with a message that `what` is wrong with that map. */
holt_status store_map_corrupt(const page_store *s, size_t group, const char *what);

/* ---------------------------------------------------------------- btree_version.c */

/* As btree_version_open, for a tree that the open step of a change has made. */
holt_status version_make(btree_version **out, const btree_change *c, const tree_root *root);
/* Frees the versions without references, and the pages that no other version needs; none as long as a durable
 * record may still need them. Only while no change is open. */
void        store_collect(page_store *s);

/* ---------------------------------------------------------------- held_pages.c */

/* Sorts the pages that the open step of a change has replaced in `base` by the oldest version that needs
 * them. They belong to the caller until held_commit. */
holt_status held_sort(const btree_change *c, btree_version *base, held_pages **out);
/* The change is committed: the pages are held from now on, or free if no version needs them. */
void        held_commit(page_store *s, held_pages *pages);
void        held_destroy(held_pages *pages); /* which were not committed; accepts NULL */
/* The version is being freed. Pages that the next newer one needs go to its list, the others are free. */
void        held_pass_on(page_store *s, btree_version *v);

/* ---------------------------------------------------------------- change_pages.c */

extern const tree_pages_ops change_pages_ops;
/* The first page of the lowest run of `count` free pages; PAGE_NONE: only by growing the file. */
uint64_t change_find(btree_change *c, uint64_t count);
/* Writes the buffered pages. */
holt_status change_flush(btree_change *c);
/* The number of the step that wrote the page, or a smaller one. */
uint64_t change_birth(const btree_change *c, uint64_t page);
/* When the change ends: clears its pages in `fresh`, */
void change_clear_fresh(btree_change *c);
/* undoes in `live` what it has added and removed, */
void change_undo_live(btree_change *c);
/* and frees in `taken` the pages that it has added. */
void change_free_added(btree_change *c);

/* ---------------------------------------------------------------- btree_change.c */

/* Frees its memory and drops its references. */
void        change_destroy(btree_change *c); /* accepts NULL */
/* HOLT_CONFLICT: the version has been replaced by a change that was committed. */
holt_status change_check_base(const btree_version *base);
/* Begins a step: pages that are released from now on are replaced by it. */
void        change_begin_step(btree_change *c, page_order order);
/* Ends the step: `base` is replaced by `next` (NULL: by none). */
holt_status change_replace(btree_change *c, btree_version *base, btree_version *next);

#endif
