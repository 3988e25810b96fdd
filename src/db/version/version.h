/* version.h -- an immutable picture of the database: memtables, and each collection's tree.
 *
 * A reader finds everything it needs in one version; a change installs a new version by one pointer swap and never
 * changes an old one. In an epoch section a reader follows db->versions.current without counting; a transaction or cursor
 * holds a reference. The installer gives its own reference on the old version back only after the epoch has
 * passed, so that a count loaded in a section is never zero.
 *
 * Snapshot     in one section: visible_seqno first, then the version; the snapshot's seqno is the larger of the
 *              former and version->min_seqno. So a commit that is visible is in the version, and what a flush or a
 *              clear did to the version is seen whole.
 * Concurrency  views are immutable; references from any thread. The last reference is given to the release
 *              job, which may have to delete files.
 */
#ifndef HOLT_DB_VERSION_VERSION_H
#define HOLT_DB_VERSION_VERSION_H

#include "base/epoch.h"
#include "btree/btree.h"
#include "db/tree/collection_spec.h"
#include "log/position.h"
#include "lsm/lsm.h"
#include "memtable/memtable.h"

#include <stdatomic.h>

/* A memtable and the log that it was filled from: they are born and die together. */
typedef struct memtable_generation {
    _Atomic uint32_t refs;
    memtable *memtable;
    /* Set when it is sealed, before another thread looks at them: */
    seqno last_seqno;          /* newest operation in it */
    uint64_t segment;          /* the last segment of its log; 0: recovered */
    uint64_t next_segment, next_salt; /* where the log goes on; not for recovered ones */
    bool last_recovered;       /* with its flush the recovered log is done with */
    /* The sum of what readers alone keep, which it has been added to since its flush; NULL: not flushed. */
    _Atomic(_Atomic uint64_t *) retained;
} memtable_generation;

holt_status generation_create(memtable_generation **out, chunk_pool *pool); /* which outlives it */
memtable_generation *generation_ref(memtable_generation *t);
void        generation_unref(memtable_generation *t); /* accepts NULL */
/* It is flushed: counted in *retained until it is freed. */
void        generation_retain(memtable_generation *t, _Atomic uint64_t *retained);

/* One collection at one moment. */
typedef struct collection_version {
    _Atomic uint32_t refs;
    struct collection_version *release_next; /* the release job's list */
    collection_spec spec;
    seqno cleared_seqno; /* versions up to it are gone */
    lsm_tree *lsm;         /* a reference; without runs when it is a B+tree */
    btree_version *btree;  /* a reference; NULL: it is none */
    tree_file *btree_file; /* where its pages are; the space's */
} collection_version;

/* What is in a collection: its tree, of its kind. */
typedef struct collection_tree {
    lsm_tree *lsm;
    btree_version *btree;
    tree_file *btree_file;
} collection_tree;

/* Takes over the references on the tree, on failure too. */
holt_status       collection_version_create(collection_version **out, const collection_spec *spec, seqno cleared_seqno,
                                          const collection_tree *tree);
collection_version *collection_version_ref(collection_version *s);
void              collection_version_unref(collection_version *s); /* accepts NULL */
/* Gives a reference back without freeing: true when it was the last, and the state is to be destroyed. */
bool              collection_version_drop(collection_version *s);
void              collection_version_destroy(collection_version *s);

typedef struct version {
    _Atomic uint32_t refs;
    struct version *release_next;   /* the release job's list */
    epoch_tag retired;           /* when its installer's reference may be given back */
    seqno min_seqno;                 /* snapshots on this version are not older */
    size_t generation_count, generation_capacity;
    memtable_generation **generations;              /* newest first: the active one, then the sealed ones; references */
    size_t slot_count;
    collection_version **slots;    /* by collection slot; NULL: none; references */
} version;

/* An empty version with room for so many tables and slots. *out has one reference. */
holt_status version_create(size_t generations, size_t slots, version **out);
/* Makes an empty version a copy of another, to be changed and installed. false: it has not the room. */
bool        version_fill(version *v, const version *from);
/* Frees a version whose count is zero, or that was never installed. */
void        version_destroy(version *v); /* accepts NULL */

void version_add_generation(version *v, memtable_generation *t);           /* in front; takes a reference of its own */
void version_remove_generation(version *v, const memtable_generation *t);
void version_set_slot(version *v, size_t slot, collection_version *s); /* takes over the reference; s may be NULL */

/* The collection's state, or NULL when it is not in this version (created later). */
static inline collection_version *version_collection(const version *v, size_t slot, uint32_t id)
{
    collection_version *s = slot < v->slot_count ? v->slots[slot] : NULL;
    return s && s->spec.id == id ? s : NULL;
}

#endif
