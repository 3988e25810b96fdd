/* record.h -- writing down in the manifest what changes, and keeping count of the files in use.
 *
 * All with manifest_mu held, from before the edit is made until the view that shows it is installed, so that
 * records and views come in one order. A failed append leaves unknown which state is on disk. Then a whole
 * new MANIFEST is written from memory, with the edit in it, before anything that either state names is
 * deleted. If that fails too, the manifest is lost, the edit not made, and holt_health says so; the next
 * edit, or the next flush's attempt, tries again. Commits go on meanwhile: the log needs no manifest until a
 * flush.
 */
#ifndef HOLT_DB_RECORD_H
#define HOLT_DB_RECORD_H

#include "db/db.h"

/* Appends an edit. `whole`: called to make the whole state with the edit applied, for a new MANIFEST, when
 * appending failed or the manifest has grown long; it encodes into the buffer what differs from the current
 * view (see record_whole). */
typedef struct record_change {
    const buffer *edit;       /* items; for the append */
    /* What the whole state will differ in from the current view and catalog: */
    uint32_t collection;      /* id of the one that changes; 0: none */
    bool dropped;             /* it is dropped */
    const char *new_name;     /* it is renamed, or NULL */
    const collection_spec *created;  /* it is new, with new_name, or NULL */
    const struct tree_change *trees; /* new trees */
    size_t tree_count;
    const log_state *log;     /* NULL: as it is */
    const btree_space_state *space; /* prepared by the change that is recorded; NULL: as it is */
    const tree_root *garbage; /* becomes garbage; NULL: none does */
    size_t swept;             /* of the first so many garbage trees the pages are given up */
} record_change;

/* A collection's tree after the change. */
typedef struct tree_change {
    uint32_t collection;
    uint32_t slot;
    seqno cleared_seqno;
    lsm_tree *tree;      /* the new one; borrowed */
    const tree_root *root; /* of a B+tree; borrowed; NULL: it is none */
} tree_change;

/* A number that no file has had. */
uint64_t next_file_number(holt *db);

holt_status record_edit(holt *db, const record_change *change);
/* When the manifest is lost: writes the whole state anew. Takes manifest_mu itself. */
holt_status record_repair(holt *db);
/* HOLT_OK, or why nothing can be recorded any more. */
holt_status record_health(holt *db);

/* What the view after the change differs in. Takes over the references in `states`, on failure too. */
typedef struct install_change {
    const uint32_t *slots;        /* beside `states` */
    collection_state **states;
    size_t count;
    table *flushed;               /* this sealed table goes; NULL: none */
    seqno floor;                  /* 0: as it is */
} install_change;

/* record_edit, then the view, for which memory has been reserved before. Should more memtables have come
 * meanwhile than it has room for, the record is on disk and the change is not made: the manifest counts as
 * lost, and the next edit writes the whole state anew. manifest_mu held. */
holt_status record_and_install_locked(holt *db, const record_change *change, const install_change *install);

/* The whole state as one record, of the current view with the change applied. */
void record_whole(holt *db, const record_change *change, buffer *out);

/* Counts the parts of a run in (+1) or out (-1); a file without parts is obsolete and goes with its last
 * reader. Adding may need memory: file_uses_reserve first. */
holt_status file_uses_reserve(holt *db, size_t files);
holt_status file_uses_reserve_tree(holt *db, const lsm_tree *tree);
uint64_t    file_use_number(const holt *db, size_t index); /* the index-th file in use, ascending */
void        file_uses_add(holt *db, const lsm_run *run);
void        file_uses_remove(holt *db, const lsm_run *run);
/* The difference between two trees of one collection. */
void        file_uses_change(holt *db, const lsm_tree *before, const lsm_tree *after);

#endif
