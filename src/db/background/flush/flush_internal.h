/* flush_internal.h -- a flush under way, for the files that implement it: flush.c has the protocol and the
 * job, flush_write.c writes runs and batches, flush_chunks.c writes chunks, flush_record.c records the
 * result.
 *
 * The phases; flush_check (flush.c) asserts what holds in each:
 *
 *     NEXT ─┬─> RUN ──────────────────┬─> NEXT      one collection after the other
 *           ├─> BATCH ────────────────┤
 *           ├─> CHUNK <──> PAUSE ─────┘
 *           └─> SYNC ──> RECORD ──> RELEASE ──> DONE      when there are no more
 */
#ifndef HOLT_DB_BACKGROUND_FLUSH_FLUSH_INTERNAL_H
#define HOLT_DB_BACKGROUND_FLUSH_FLUSH_INTERNAL_H

#include "db/db.h"

typedef enum flush_phase {
    FLUSH_NEXT,    /* open the next collection of the memtable */
    FLUSH_RUN,     /* write an LSM collection's entries into its run */
    FLUSH_BATCH,   /* apply a B+tree collection's entries to the change of the page store */
    FLUSH_CHUNK,   /* apply and record one chunk of a B+tree collection's entries */
    FLUSH_PAUSE,   /* give the pages that the chunk has freed time to become usable */
    FLUSH_SYNC,    /* sync the file and the pages */
    FLUSH_RECORD,  /* record everything as one edit */
    FLUSH_RELEASE, /* release the log */
    FLUSH_DONE
} flush_phase;

typedef enum flush_mode {
    FLUSH_WHOLE,    /* B+trees change together, in one edit with the rest */
    FLUSH_BY_CHUNKS /* the disk is full: B+trees change chunk by chunk, each an edit of its own */
} flush_mode;

/* What becomes of one collection. */
typedef struct flush_output {
    uint32_t collection, slot;
    tree_root root;      /* LSM: of the new run; empty: no entries */
    buffer bounds;       /* LSM: the first key, then the end of the run: the last key and a zero byte */
    size_t lower_size;   /* LSM: of the first key */
    bool upper_open;     /* LSM: the gap after the last key is deleted, so the run has no end */
    bool drops_gaps;     /* LSM: there are no older runs, so deleted gaps hide nothing */
    btree_version *base; /* B+tree: what the batch is applied to, borrowed from the flush's version */
    btree_version *next; /* B+tree: the result, a reference */
} flush_output;

struct flush {
    holt *db;
    uint64_t began_ns;
    uint64_t time_ms; /* what has expired by then is written as deleted */
    flush_phase phase;
    flush_mode mode;
    size_t chunk_entries;            /* by chunks: entries of one chunk */
    version *version;                /* a reference */
    memtable_generation *generation; /* the oldest of the version, which is being flushed; a reference */
    uint32_t *ids;                   /* the memtable's collections */
    size_t id_count, id_next;
    uint32_t *slots_by_id; /* the version's slots in use, sorted by the ids of their collections */
    size_t slot_count;
    flush_output *outputs; /* of id_count collections at most; the one after output_count is being written */
    size_t output_count;
    uint64_t entries_taken; /* of the memtable, about */

    iterator *input;                    /* the entries of the collection being written, or NULL */
    tree_builder *builder;              /* of its run, or NULL */
    btree_batch batch;                  /* of its entries, for its B+tree */
    tree_file_writer *writer;           /* of all runs; NULL: none is begun, or the file is finished */
    uint64_t file;                      /* its number */
    tree_file *finished;                /* the synced file, or NULL; a reference */
    bool file_used;                     /* the file is part of a tree, or may be: it must not be deleted */
    btree_change *change;               /* whole: of all B+trees; NULL: none is begun, or it is the edit's */
    const page_store_state *page_store; /* prepared by `change`, to be recorded */
    uint64_t run_bytes, bytes;          /* of the file; of everything written */
    size_t recovered_count;             /* the segments of the recovered log, which step 5 releases */
};

/* The collection in the flush's version, or NULL: it was dropped. */
const collection_version *flush_collection(const flush *f, uint32_t id, uint32_t *slot);
/* Moves the flush to the current version, so that what only older ones hold, pages among it, can be
 * released. */
holt_status flush_refresh_version(flush *f);

/* The steps of flush_run. */

/* Opens the next collection that is still there. *next: the phase that writes it, or FLUSH_SYNC: there are no
 * more. HOLT_BUSY: another change of the page store is open. HOLT_CONFLICT: the collection's B+tree was
 * replaced. */
holt_status flush_open_collection(flush *f, flush_phase *next);
/* Both take up to *left entries and subtract them. *done: the collection is complete. */
holt_status flush_write_run(flush *f, size_t *left, bool *done);
holt_status flush_write_batch(flush *f, size_t *left, bool *done);
/* Applies and records the next chunk, and closes the input after the last one. If another change of the page
 * store is open, does nothing. HOLT_CONFLICT: the input has passed entries that were not recorded, so the
 * flush must start again. */
holt_status flush_write_chunk(flush *f);
holt_status flush_sync(flush *f);
holt_status flush_record(flush *f);
void        flush_release_log(flush *f);

#endif
