/* directory.h -- the files in a database directory: what kinds there are, and which are not needed. */
#ifndef HOLT_DB_OPEN_DIRECTORY_H
#define HOLT_DB_OPEN_DIRECTORY_H

#include "db/db.h"

typedef enum directory_kind {
    DIRECTORY_EMPTY,      /* nothing, or an unfinished creation, which starts again */
    DIRECTORY_DATABASE,   /* CURRENT is there */
    DIRECTORY_HEADLESS,   /* files of a database, but no CURRENT */
    DIRECTORY_FOREIGN     /* files, but none of Holt's */
} directory_kind;

/* The kind of a file, by its name. */
typedef enum file_kind {
    FILE_FOREIGN,   /* not Holt's */
    FILE_BYSTANDER, /* not Holt's, but harmless: a database may be created beside it */
    FILE_CURRENT,
    FILE_LOCK,
    FILE_EVENT_LOG, /* LOG */
    FILE_MANIFEST, /* it and the next three have a number */
    FILE_SEGMENT,
    FILE_RUN,
    FILE_PAGES,
    FILE_TEMPORARY /* CURRENT.tmp, BALLAST, spare-n.log: deleted at open */
} file_kind;
file_kind file_classify(const char *name, uint64_t *number);

/* Which of Holt's numbered files a database uses. */
typedef struct used_files {
    const void *ctx;
    uint64_t manifest, page_file;
    bool (*segment)(const void *ctx, uint64_t number);
    bool (*run)(const void *ctx, uint64_t number); /* a table file */
} used_files;
/* Whether the file is Holt's and the database does not use it, as a crash or a failure may leave one. */
bool file_is_orphan(const char *name, const used_files *used);

/* Says what the directory is. Its files are told apart by name; of an unfinished creation's log segment the
 * header is read. */
holt_status directory_look(os_dir *dir, directory_kind *out);

/* Raises *next above the numbers of all files: an interrupted recovery may have left files that no record
 * names. */
holt_status directory_next_file(os_dir *dir, uint64_t *next);

/* Deletes all orphans. */
holt_status directory_clean(holt *db, uint64_t manifest_number);

#endif
