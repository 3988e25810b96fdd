/* btree_internal.h -- what the files of src/btree share.
 *
 * Two maps are kept: `live`, the pages of the last record's trees as the open change has changed them, which
 * is what goes to disk; and `taken`, these and the pages that are held for versions: what must not be given
 * out. The difference is in the lists of versions (held_pages.c), so that the three can be checked against each other.
 */
#ifndef HOLT_BTREE_BTREE_INTERNAL_H
#define HOLT_BTREE_BTREE_INTERNAL_H

#include "btree/page_births.h"
#include "btree/page_map.h"
#include "tree/read/tree_walk.h"
#include "tree/write/tree_apply.h"
#include "tree/write/tree_move.h"

#include <stdatomic.h>

/* Pages one behind the other. */
typedef struct page_run {
    uint32_t first, count;
} page_run;

typedef struct page_runs {
    page_run *runs;
    size_t count, capacity;
    size_t fixed; /* runs before this one are not added to */
} page_runs;

/* Adds pages at the end, to the last run if they follow it. false: no memory. */
bool page_runs_add(page_runs *r, uint64_t first, uint64_t count);

typedef struct held_pages held_pages; /* held_pages.c */

/* Whether a version's tree has extents is known once someone has had to find out. */
typedef enum overflow_known { OVERFLOW_UNKNOWN, OVERFLOW_NONE, OVERFLOW_SOME } overflow_known;

struct btree_version {
    /* Relaxed to take: who takes one has one. Dropped with release, and the last one acquires. */
    _Atomic uint32_t refs;
    page_store *store;    /* constant */
    tree_file *file;      /* constant: the store's */
    tree_root root;        /* constant */
    uint64_t number;       /* constant: of the step that made it, larger than those before; 0: of the record */
    overflow_known overflow;   /* the changer's, as is what follows */
    bool replaced;         /* by another version, or by none, in a change that was committed */
    /* Its neighbours among the versions of the same tree that are not buried yet. They hold no references. */
    btree_version *older, *newer;
    /* Replaced pages that this is the oldest version to need, in the order in which they were replaced. */
    held_pages *held_first, *held_last;
    btree_version *dead_next;
};

struct page_store {
    tree_file *file;  /* a reference */
    bool writable;    /* constant */
    /* Who sets it is the changer. Acquired so, released when the change ends: so the changers, one after the
     * other, see each other's work. */
    _Atomic bool changing;
    /* Versions without references. Pushed with release, taken all at once with acquire. */
    _Atomic(btree_version *) dead;
    _Atomic uint64_t versions; /* relaxed: for an assertion */
    /* The recorded state is that of a durable manifest. Set with release, taken by the next changer with
     * acquire. */
    _Atomic bool resolved;
    /* Published by changers for page_store_stats_get; relaxed, they are figures. */
    _Atomic uint64_t stat_live, stat_taken, stat_held, stat_end;

    /* The changer's: */
    page_map live, taken;
    page_map fresh;             /* pages that the open change has written */
    uint64_t held;              /* pages in the lists of versions */
    uint64_t number;            /* of the last step of a change */
    uint64_t replaced_versions; /* not buried yet */
    page_births births;         /* of pages written while there were such versions */
    /* Pages that the last change wrote, and its number: their births are noted when the next one begins, if there is a
     * replaced version then. */
    page_runs newborn;
    uint64_t newborn_number;
    page_store_state recorded;
    bool *dirty; /* by extent: live differs from the recorded map */
    size_t dirty_capacity;
    btree_change *doubtful; /* its record may be on disk, or not */
    bool unrecorded;        /* changes are committed without a record: what `durable` names must stay */
    map_group *durable;  /* of the last record, while unrecorded; owned */
    size_t durable_count;
};

enum { RUN_CLASSES = 32, WRITE_BUFFER_BYTES = 1 << 20, PUSH_BYTES = 1 << 20 };

/* How a step wants its pages. */
typedef enum page_order {
    PAGES_LOWEST,   /* so that the file gets shorter */
    PAGES_TOGETHER, /* a few at a time one behind the other, where that does not make the file longer */
    PAGES_IN_LINE   /* in long stretches */
} page_order;

/* A version that a change replaces by another (NULL: by none). */
typedef struct replacement {
    btree_version *base, *next; /* references */
    held_pages *pages;          /* what is replaced; owned */
} replacement;

struct btree_change {
    tree_pages pages; /* first: what trees are changed with */
    page_store *store;
    uint64_t first_number; /* of its first step */
    bool notes_births;     /* there was a replaced version when it began */
    page_runs added, removed;
    uint64_t from[RUN_CLASSES]; /* where to look for runs of up to 2^i pages: no free one before */
    struct {                    /* pages one behind the other, kept for what comes next */
        uint64_t pages;         /* to look for at a time; 0: none */
        uint64_t limit;         /* not beyond this page */
        uint64_t next, end;     /* what is left */
    } stretch;
    uint8_t *unwritten;      /* WRITE_BUFFER_BYTES: pages that are not written yet */
    uint64_t unwritten_page; /* the first of them */
    size_t unwritten_bytes;
    struct {
        uint64_t first, end; /* pages that were written */
        size_t bytes;        /* among them, which the system has not yet been asked to bring to the disk */
    } unpushed;
    uint64_t bytes;

    /* What is being done, in steps; at most one of: */
    tree_apply *apply;
    tree_move *move;
    tree_walk *walk;
    uint64_t move_limit; /* pages from here on are to move */

    replacement *replacements;
    size_t replacement_count, replacement_capacity;
    page_store_state prepared; /* owns its extents */
};

/* ---------------------------------------------------------------- page_reclaim.c */

/* Becomes the changer; false: another is. */
bool store_enter(page_store *s);
void store_leave(page_store *s);
/* Publishes the statistics, while no change is open. */
void store_publish(page_store *s);
/* For assertions, while no change is open: each page that must not be given out is live, held, or in doubt. */
bool store_counts_agree(const page_store *s);
/* Makes maps and flags reach so many extents. */
holt_status store_grow(page_store *s, size_t map_groups);
/* Does what page_store_resolve could not do at once. */
void store_take_resolved(page_store *s);
/* The map of an extent that the durable record names, or NULL. */
const map_group *store_durable(const page_store *s, size_t group);
/* Buries versions that have died, and frees pages that no other needs, unless a durable record may still need them.
 * Only while no change is open. */
void store_collect(page_store *s);
/* page_store_trim for the changer. */
holt_status store_cut(page_store *s);

/* The map as the recorded state names it; HOLT_CORRUPT when it is not what was recorded. */
holt_status store_read_map(page_store *s, size_t group, uint8_t out[MAP_BYTES]);
/* HOLT_CORRUPT: `what` is wrong with that map. */
holt_status store_map_corrupt(const page_store *s, size_t group, const char *what);

/* ---------------------------------------------------------------- btree_version.c */

/* As btree_version_open, for what a step of a change has made. */
holt_status version_make(btree_version **out, const btree_change *c, const tree_root *root);

/* ---------------------------------------------------------------- held_pages.c */

/* Sorts the pages that the open step of a change takes from `base` by the oldest version that needs them. They belong to
 * the caller until held_commit. */
holt_status held_sort(const btree_change *c, btree_version *base, held_pages **out);
/* The change is committed: they are held from now on, or free where no version needs them. */
void        held_commit(page_store *s, held_pages *pages);
void        held_destroy(held_pages *pages); /* that were not settled; accepts NULL */
/* The version has died. What the next newer one needs goes to that, the rest is free. */
void        held_pass_on(page_store *s, btree_version *v);

/* ---------------------------------------------------------------- change_pages.c */

extern const tree_pages_ops change_pages_ops;
/* The first page of the run that would be given out next for a piece of so many pages; PAGE_NONE: only by
 * growing the file. */
uint64_t change_find(btree_change *c, uint64_t count);
holt_status change_flush(btree_change *c);
/* The number of the step that wrote the page, or less. */
uint64_t change_birth(const btree_change *c, uint64_t page);
/* The change ends. */
void change_forget_fresh(btree_change *c);
/* Takes back what the change has done to the maps; `taken` too: its pages are free again. */
void change_undo_live(btree_change *c);
void change_free_added(btree_change *c);

/* ---------------------------------------------------------------- btree_change.c */

/* Frees its memory, and its references. */
void        change_destroy(btree_change *c); /* accepts NULL */
/* HOLT_CONFLICT: the version has been replaced by a change that was committed. */
holt_status change_check_base(const btree_version *base);
/* Something is begun: from here on what is released is what it replaces. */
void        change_begin_step(btree_change *c, page_order order);
/* It is done: `base` is replaced by `next` (NULL: by none). */
holt_status change_replace(btree_change *c, btree_version *base, btree_version *next);

#endif
