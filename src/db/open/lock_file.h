/* lock_file.h -- the LOCK file: one writer or several readers, and who. */
#ifndef HOLT_DB_OPEN_LOCK_FILE_H
#define HOLT_DB_OPEN_LOCK_FILE_H

#include "os/os.h"

typedef struct lock_file {
    os_file *file;  /* NULL: the directory cannot be written, and we only read */
    bool is_signed; /* it contains this process's id */
} lock_file;

/* Locks the database: exclusively, or shared when read_only. HOLT_BUSY says who has it. *out NULL: a reader
 * found no LOCK file to lock. */
holt_status lock_database(os_dir *dir, bool read_only, os_file **out);
/* Writes this process's pid into LOCK, so that others can name it: once the database is known to be ours to
 * write to. */
holt_status lock_sign(os_dir *dir, os_file *lock);
/* Accepts NULL. A signature is erased. */
void        unlock_database(os_file *lock, bool signature);

#endif
