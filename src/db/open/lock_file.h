/* lock_file.h -- the LOCK file: admits one writing process or several reading ones, and names the writer. */
#ifndef HOLT_DB_OPEN_LOCK_FILE_H
#define HOLT_DB_OPEN_LOCK_FILE_H

#include "os/os.h"

typedef struct lock_file {
    os_file *file;  /* NULL: a reader found no LOCK file */
    bool is_signed; /* it contains this process's id */
} lock_file;

/* Locks the database, exclusively or (read_only) shared. HOLT_BUSY says which process has it. *out is NULL if
 * a reader finds no LOCK file to lock. */
holt_status lock_database(os_dir *dir, bool read_only, os_file **out);
/* Writes this process's id into LOCK, so that others can name it. Only once the database is known to be ours
 * to write. */
holt_status lock_sign(os_dir *dir, os_file *lock);
/* Accepts NULL. signature: erases this process's id. */
void        unlock_database(os_file *lock, bool signature);

#endif
