/* version.h -- an immutable picture of the database: its memtables, and each collection's tree.
 *
 * A reader finds everything it needs in one version. A change installs a new version with one pointer swap
 * (version_set.h) and never modifies an old one.
 *
 * Snapshot     A reader loads, in one epoch section, first the newest visible seqno, then the version; its
 *              snapshot's seqno is the larger of that and the version's min_seqno. So every commit that is
 *              visible is in the version, and what a flush or a clear did to the version is seen as a whole.
 * Concurrency  Versions are immutable once installed; references may be added and dropped by any thread.
 */
#ifndef HOLT_DB_VERSION_VERSION_H
#define HOLT_DB_VERSION_VERSION_H

#include "base/epoch.h"
#include "db/tree/collection_spec.h"
#include "db/tree/collection_tree.h"
#include "log/position.h"
#include "memtable/memtable.h"

#include <stdatomic.h>

/* A memtable and the log segments that hold its operations: they are created and released together. */
typedef struct memtable_generation {
    _Atomic uint32_t refs;
    memtable *memtable;
    /* Set when it is sealed, before other threads look at them: */
    seqno last_seqno;          /* the newest operation in it */
    uint64_t segment;          /* the last segment of its log; 0: recovered */
    uint64_t next_segment, next_salt; /* where the log continues; not set for recovered ones */
    bool last_recovered;       /* its flush is the last that needs the recovered log */
    /* The total of bytes that only readers keep, which counts this memtable since its flush; NULL: not
     * flushed. */
    _Atomic(_Atomic uint64_t *) retained;
} memtable_generation;

holt_status generation_create(memtable_generation **out, chunk_pool *pool); /* the pool must outlive it */
memtable_generation *generation_ref(memtable_generation *t);
void        generation_unref(memtable_generation *t); /* accepts NULL */
/* Counts a flushed memtable in *retained until it is freed. */
void        generation_retain(memtable_generation *t, _Atomic uint64_t *retained);

/* A collection in a version. */
typedef struct collection_version {
    _Atomic uint32_t refs;
    struct collection_version *release_next; /* the release job's list */
    collection_spec spec;
    seqno cleared_seqno; /* entries up to it were cleared */
    collection_tree tree;
} collection_version;

/* Takes over the reference in *tree, on failure too. */
holt_status         collection_version_create(collection_version **out, const collection_spec *spec,
                                              seqno cleared_seqno, const collection_tree *tree);
collection_version *collection_version_ref(collection_version *s);
void                collection_version_unref(collection_version *s); /* accepts NULL */
/* Drops a reference without freeing: true if it was the last, and the caller must destroy the object. */
bool                collection_version_drop(collection_version *s);
void                collection_version_destroy(collection_version *s);

typedef struct version {
    _Atomic uint32_t refs;
    struct version *release_next; /* the release job's list */
    epoch_tag retired;            /* once this epoch has passed, the installer's reference may be dropped */
    seqno min_seqno;              /* no snapshot on this version is older */
    size_t generation_count, generation_capacity;
    memtable_generation **generations; /* newest first: the active one, then the sealed ones; references */
    size_t slot_count;
    collection_version **slots; /* by collection slot; NULL: none; references */
} version;

/* Adds a reference. The caller has one, or is in an epoch section and has found the version as the current
 * one: that keeps the count above zero, so relaxed will do. */
static inline version *version_ref(version *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

/* Creates an empty version with room for so many memtables and slots, and one reference. */
holt_status version_create(size_t generations, size_t slots, version **out);
/* Makes an empty version a copy of another. false: it does not have the room. */
bool        version_fill(version *v, const version *from);
/* Frees a version without references, or one that was never installed. */
void        version_destroy(version *v); /* accepts NULL */

void version_add_generation(version *v, memtable_generation *t);           /* in front; adds a reference */
void version_remove_generation(version *v, const memtable_generation *t);
void version_set_slot(version *v, size_t slot, collection_version *s); /* takes over the reference; s may be
                                                                          NULL */

/* The collection in this version, or NULL: it was created later, or dropped before. */
static inline collection_version *version_collection(const version *v, size_t slot, uint32_t id)
{
    collection_version *s = slot < v->slot_count ? v->slots[slot] : NULL;
    return s && s->spec.id == id ? s : NULL;
}

#endif
