/* directory.h -- what is in the directory that is to become an open database. */
#ifndef HOLT_DB_OPEN_DIRECTORY_H
#define HOLT_DB_OPEN_DIRECTORY_H

#include "db/db.h"

typedef enum directory_kind {
    DIRECTORY_EMPTY,      /* nothing, or an unfinished creation, which begins again */
    DIRECTORY_DATABASE,   /* CURRENT is there */
    DIRECTORY_HEADLESS,   /* files of a database without CURRENT */
    DIRECTORY_FOREIGN     /* files, but none of ours */
} directory_kind;

/* What a file is, by its name. */
typedef enum file_kind {
    FILE_FOREIGN,   /* not ours */
    FILE_BYSTANDER, /* not ours, and no reason not to make a database here */
    FILE_CURRENT,
    FILE_LOCK,
    FILE_EVENT_LOG,    /* LOG */
    FILE_MANIFEST, /* *number names it, as it does the next two */
    FILE_SEGMENT,
    FILE_RUN,
    FILE_PAGES,
    FILE_TEMPORARY /* CURRENT.tmp, BALLAST, spare-n.log: remade or deleted at open */
} file_kind;
file_kind file_classify(const char *name, uint64_t *number);

/* database_id is not known before CURRENT is read: an unfinished creation's segment may hold no frame of any.
 * */
holt_status directory_look(os_dir *dir, directory_kind *out);

/* Raises *next above the numbers of all files there: what a recovery that was cut short has made is still there, and no
 * record knows of it. */
holt_status directory_next_file(os_dir *dir, uint64_t *next);

/* Deletes files of ours that the database does not need: what a crash or a failure has left. */
holt_status directory_clean(holt *db, uint64_t manifest_number);

#endif
