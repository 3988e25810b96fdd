/* view.h -- an immutable picture of the database: memtables, and each collection's tree.
 *
 * A reader finds everything it needs in one view; a change installs a new view by one pointer swap and never
 * changes an old one. In an epoch section a reader follows db->view without counting; a transaction or cursor
 * holds a reference. The installer gives its own reference on the old view back only after the epoch has
 * passed, so that a count loaded in a section is never zero.
 *
 * Snapshot     in one section: visible_seqno first, then the view; the snapshot's seqno is the larger of the
 *              former and view->floor. So a commit that is visible is in the view, and what a flush or a
 *              clear did to the view is seen whole.
 * Concurrency  views are immutable; references from any thread. The last reference is given to the release
 *              job, which may have to delete files.
 */
#ifndef HOLT_DB_VERSION_VIEW_H
#define HOLT_DB_VERSION_VIEW_H

#include "base/epoch.h"
#include "btree/btree.h"
#include "db/manifest/manifest_state.h"
#include "memtable/memtable.h"

#include <stdatomic.h>

/* A memtable and the log that it was filled from: they are born and die together. */
typedef struct table {
    _Atomic uint32_t refs;
    memtable *memtable;
    /* Set when it is sealed, before another thread looks at them: */
    seqno last_seqno;          /* newest operation in it */
    uint64_t segment;          /* the last segment of its log; 0: recovered */
    uint64_t next_segment, next_epoch; /* where the log goes on; not for recovered ones */
    bool last_recovered;       /* with its flush the recovered log is done with */
    /* The sum of what readers alone keep, which it has been added to since its flush; NULL: not flushed. */
    _Atomic(_Atomic uint64_t *) retained;
} table;

holt_status table_create(table **out, chunk_pool *pool); /* which outlives it */
table      *table_ref(table *t);
void        table_unref(table *t); /* accepts NULL */
/* It is flushed: counted in *retained until it is freed. */
void        table_retain(table *t, _Atomic uint64_t *retained);

/* One collection at one moment. */
typedef struct collection_state {
    _Atomic uint32_t refs;
    struct collection_state *release_next; /* the release job's list */
    collection_spec spec;
    seqno cleared_seqno; /* versions up to it are gone */
    lsm_tree *lsm;         /* a reference; without runs when it is a B+tree */
    btree_version *btree;  /* a reference; NULL: it is none */
    tree_file *btree_file; /* where its pages are; the space's */
} collection_state;

/* What is in a collection: its tree, of its kind. */
typedef struct collection_tree {
    lsm_tree *lsm;
    btree_version *btree;
    tree_file *btree_file;
} collection_tree;

/* Takes over the references on the tree, on failure too. */
holt_status       collection_state_create(collection_state **out, const collection_spec *spec, seqno cleared_seqno,
                                          const collection_tree *tree);
collection_state *collection_state_ref(collection_state *s);
void              collection_state_unref(collection_state *s); /* accepts NULL */
/* Gives a reference back without freeing: true when it was the last, and the state is to be destroyed. */
bool              collection_state_drop(collection_state *s);
void              collection_state_destroy(collection_state *s);

typedef struct view {
    _Atomic uint32_t refs;
    struct view *release_next;   /* the release job's list */
    epoch_tag retired;           /* when its installer's reference may be given back */
    seqno floor;                 /* snapshots on this view are not older */
    size_t table_count, table_capacity;
    table **tables;              /* newest first: the active one, then the sealed ones; references */
    size_t slot_count;
    collection_state **slots;    /* by collection slot; NULL: none; references */
} view;

/* An empty view with room for so many tables and slots. *out has one reference. */
holt_status view_create(size_t tables, size_t slots, view **out);
/* Makes an empty view a copy of another, to be changed and installed. false: it has not the room. */
bool        view_fill(view *v, const view *from);
/* Frees a view whose count is zero, or that was never installed. */
void        view_destroy(view *v); /* accepts NULL */

void view_add_table(view *v, table *t);           /* in front; takes a reference of its own */
void view_remove_table(view *v, const table *t);
void view_set_slot(view *v, size_t slot, collection_state *s); /* takes over the reference; s may be NULL */

/* The collection's state, or NULL when it is not in this view (created later). */
static inline collection_state *view_collection(const view *v, size_t slot, uint32_t id)
{
    collection_state *s = slot < v->slot_count ? v->slots[slot] : NULL;
    return s && s->spec.id == id ? s : NULL;
}

#endif
