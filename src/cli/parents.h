/* parents.h -- creates the missing directories above a new database, as mkdir -p does.
 *
 * The library creates the database's own directory and makes its entry in the parent directory durable. The
 * directories above that are created here, and each is synced into its parent. Otherwise a power failure
 * could remove them, and the database in them, after its first commit was acknowledged.
 */
#ifndef CLI_PARENTS_H
#define CLI_PARENTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct parents {
    char *path;     /* the parent directory of the database; NULL if it is the current directory */
    size_t highest; /* the length of the path of the first directory created; 0 if none was */
    size_t lowest;  /* and of the last */
} parents;

/* Creates the missing directories above `directory`. Returns NULL or, with errno set, the path that it could
 * not create, which the caller frees; the directories created before that one are removed again. */
char *parents_make(parents *p, const char *directory);

/* Removes the created directories that are empty, after the database could not be created. */
void parents_remove(parents *p);

void parents_deinit(parents *p);

#endif
