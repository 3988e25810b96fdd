/* flush_internal.h -- a flush under way, for the files that make it: flush.c its life and its job, flush_write.c what it
 * writes, flush_record.c how that becomes visible.
 */
#ifndef HOLT_DB_BACKGROUND_FLUSH_FLUSH_INTERNAL_H
#define HOLT_DB_BACKGROUND_FLUSH_FLUSH_INTERNAL_H

#include "db/db.h"

typedef struct flush_output {
    uint32_t collection, slot;
    tree_root root; /* of a new run, */
    buffer bounds;  /* and its bounds: the first key, then the first one behind the last */
    size_t lower_size;
    btree_version *base; /* of a B+tree: what the batch was applied to, borrowed from the version, */
    btree_version *next; /* and what came of it; a reference */
} flush_output;

struct flush {
    holt *db;
    uint64_t began_ns;
    version *version;   /* held */
    memtable_generation *generation; /* its oldest, which is what is flushed; a reference */
    uint32_t *ids; /* collections of the memtable */
    size_t id_count, id_next;
    uint32_t *slots_by_id; /* slots of the version, sorted by their collections' ids */
    size_t slot_count;
    iterator *input;                  /* of the collection being written, or NULL */
    tree_builder *builder;          /* of a run, or NULL: */
    btree_batch batch;              /* it goes into a B+tree */
    btree_change *change;           /* of all B+trees, or NULL: none is touched yet */
    const page_store_state *page_store; /* prepared, for the record; NULL: the change is not */
    tree_file_writer *writer;       /* NULL: nothing written yet */
    uint64_t file;
    uint64_t taken;            /* entries of the memtable, about */
    uint64_t run_bytes, bytes; /* of the file; of all that was written */
    tree_file *finished;
    flush_output *outputs;
    size_t output_count;
    bool file_used;   /* `finished` is part of a tree, or may be */
    size_t chunk;     /* B+trees take so many entries at a time, each time recorded; 0: all */
    bool rests;       /* what a piece gave back is not free at once */
};

/* The state of a collection in the flush's version, or NULL: dropped. */
const collection_version *flush_collection(const flush *f, uint32_t id, uint32_t *slot);
/* Changes to the version of now: what the one before alone still holds, pages among it, may go. */
holt_status flush_look_again(flush *f);
/* Writes and records the next piece into a B+tree. *gone: the collection was dropped or cleared. HOLT_BUSY: to be tried
 * again. HOLT_CONFLICT: the input has gone past the piece, so the flush must begin anew. */
holt_status flush_chunk(flush *f, const flush_output *o, bool *gone);
/* Writes on; *done: all is complete and synced. */
holt_status flush_write(flush *f, bool *done);
/* One manifest record and one version make it visible, and the log is released. */
holt_status flush_finish(flush *f);

#endif
