/* tree_file_internal.h -- the structs of a tree file and of the table of files; for src/tree/file only. */
#ifndef HOLT_TREE_FILE_TREE_FILE_INTERNAL_H
#define HOLT_TREE_FILE_TREE_FILE_INTERNAL_H

#include "tree/file/tree_file.h"

#include <stdatomic.h>

struct tree_file {
    tree_files *files;      /* constant */
    cache_file *cache;      /* constant */
    uint64_t number;        /* constant */
    uint32_t purpose;       /* constant */
    char name[OS_NAME_MAX]; /* constant */
    /* Constant in a file of runs. Relaxed: a reader gets a pointer to a piece only after the piece was
     * written, and a file is truncated only past all pieces that readers can reach. */
    _Atomic uint64_t size;
    bool writable; /* constant: a file of pages that may be written */
    /* The descriptor of the one thread that writes, from the first write until a sync has succeeded. The
     * kernel reports a failed background write only to descriptors that were open at the time, so this one
     * must not be closed while anything is unsynced; after a successful sync it may be. */
    os_file *writing;

    /* Incremented relaxed, because the caller holds a reference already. Decremented with release, and the
     * last decrement acquires, so that it comes after everything the other holders did with the file. */
    _Atomic uint32_t refs;
    /* Relaxed: set by holders of a reference and read after the last was dropped, which orders the two. */
    _Atomic bool obsolete;

    os_file *handle;          /* files->mu; NULL: not open. Stays while pinned */
    uint32_t pins;            /* files->mu; reads in progress */
    tree_file *newer, *older; /* files->mu; in the list of idle files: open and not pinned */
};

struct tree_files {
    os_dir *dir;                     /* constant */
    cache *cache;                    /* constant */
    uint64_t database_id[2];         /* constant */
    uint32_t descriptors_max;        /* constant */
    _Atomic uint64_t count;          /* files with references. Relaxed: only for statistics and assertions */
    _Atomic uint64_t obsolete_bytes; /* of those that are obsolete. Relaxed likewise */

    os_reclaimer reclaimer; /* constant: closes idle descriptors when the process has none left */

    os_mutex mu;                /* LOCK_RANK_FILES */
    uint32_t descriptors;       /* mu; open ones. Above the limit only while all of them are pinned */
    tree_file *newest, *oldest; /* mu; ends of the list of idle files, by last use */
};

typedef struct tree_file_spec {
    uint32_t purpose;
    uint64_t number, size;
    bool writable;
} tree_file_spec;

/* Creates the tree_file of a file that has just been written through `handle`. On success it takes ownership
 * of the handle: for a writable file as the descriptor to write with, otherwise into the table. */
holt_status tree_file_create(tree_files *t, const tree_file_spec *spec, os_file *handle, tree_file **out);
/* Opens an existing file, checking its header and that it has at least spec->size bytes. */
holt_status tree_file_open_as(tree_files *t, const tree_file_spec *spec, tree_file **out);
/* The name of a file of that purpose. */
void        tree_file_name_as(uint32_t purpose, uint64_t number, char name[OS_NAME_MAX]);

/* Returns the file's descriptor, opening it if necessary; it stays open until it is unpinned. No lock is held
 * while opening. HOLT_CORRUPT: the file under this name is another one. */
holt_status tree_files_pin(tree_file *f, os_file **out);
void        tree_files_unpin(tree_file *f);
/* Opens the file by its name and checks its header: HOLT_CORRUPT if it is missing or another one. */
holt_status tree_file_open_handle(const tree_file *f, unsigned flags, os_file **out);
/* Gives the file its first descriptor. */
void        tree_files_adopt(tree_file *f, os_file *handle);
/* Takes the descriptor, if any, of a file without readers out of the table and closes it. */
void        tree_files_remove(tree_file *f);

#endif
