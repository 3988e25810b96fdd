/* tree_file_internal.h -- a tree file and the table of its database, for tree_files.c, tree_file.c,
 * tree_file_writer.c and tree_page_file.c. */
#ifndef HOLT_TREE_FILE_TREE_FILE_INTERNAL_H
#define HOLT_TREE_FILE_TREE_FILE_INTERNAL_H

#include "tree/file/tree_file.h"

#include <stdatomic.h>

struct tree_file {
    tree_files *files;  /* constant */
    cache_file *cache;  /* constant */
    uint64_t number;    /* constant */
    uint32_t purpose;   /* constant */
    char name[OS_NAME_MAX]; /* constant */
    /* Constant in a file of runs. Relaxed: whoever has a pointer to a piece got it from one who wrote the
     * piece before, and a file is cut only behind all pieces that anyone can still reach. */
    _Atomic uint64_t size;
    bool writable; /* constant: a file of pages that may be written */
    /* Of the one thread that writes: its own descriptor, from the first write on until a sync has succeeded. The
     * error of a write that went wrong in the background is told to those who had the file open then, so it is
     * not closed while something is unsynced; and nothing is lost when it is closed after the sync. */
    os_file *writing;

    /* Taken relaxed: who takes one holds one. Dropped with release, and the last one acquires: what the
     * others did with the file is done. */
    _Atomic uint32_t refs;
    /* Relaxed: set by those who hold a reference, read after the last was dropped, which orders the two. */
    _Atomic bool obsolete;

    os_file *handle;          /* files->mu; NULL: not open. A pinned one stays */
    uint32_t pins;            /* files->mu; reads going on */
    tree_file *newer, *older; /* files->mu; among the idle: open and not pinned */
};

struct tree_files {
    os_dir *dir;             /* constant */
    cache *cache;            /* constant */
    uint64_t database_id[2]; /* constant */
    uint32_t descriptors_max; /* constant */
    _Atomic uint64_t count;  /* files with references. Relaxed: a number for statistics and assertions */
    _Atomic uint64_t obsolete_bytes; /* of those that are obsolete. Relaxed: likewise */

    os_reclaimer reclaimer;  /* constant: gives idle descriptors back when the process has none left */

    os_mutex mu;             /* LOCK_RANK_FILES */
    uint32_t descriptors;    /* mu; open ones. Above the limit only while all of them are pinned */
    tree_file *newest, *oldest; /* mu; the idle, by last use */
};

typedef struct tree_file_spec {
    uint32_t purpose;
    uint64_t number, size;
    bool writable;
} tree_file_spec;

/* Makes the object of a file whose descriptor is open. Takes the handle over when it succeeds: into the table, or,
 * of a writable one, as the descriptor that is written with. */
holt_status tree_file_create(tree_files *t, const tree_file_spec *spec, os_file *handle, tree_file **out);
/* Makes the object of an existing file, whose header is checked and which has at least spec->size bytes. */
holt_status tree_file_open_as(tree_files *t, const tree_file_spec *spec, tree_file **out);
/* The name of a file of that purpose. */
void        tree_file_name_as(uint32_t purpose, uint64_t number, char name[OS_NAME_MAX]);

/* The file's descriptor, opened if need be, which stays open until it is unpinned. No lock is held while
 * opening. HOLT_CORRUPT: under its name is another file. */
holt_status tree_files_pin(tree_file *f, os_file **out);
void        tree_files_unpin(tree_file *f);
/* The file is open, under its name and with the right header: HOLT_CORRUPT if not. */
holt_status tree_file_open_handle(const tree_file *f, unsigned flags, os_file **out);
/* Gives the file its first descriptor. */
void        tree_files_adopt(tree_file *f, os_file *handle);
/* Takes its descriptor, if any, out of the table and closes it; nobody reads the file any more. */
void        tree_files_forget(tree_file *f);

#endif
