/* parents.h -- the missing directories above a new database, as mkdir -p makes them.
 *
 * The library makes the database's own directory, and makes its entry in the one above durable. Those above
 * are the command's: each new one is synced into its parent, or a power failure could take the database with
 * them after its first commit was acknowledged.
 */
#ifndef CLI_PARENTS_H
#define CLI_PARENTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct parents {
    char *path;     /* of the database; NULL when nothing was made */
    size_t highest; /* length of the first directory that was made */
    size_t lowest;  /* and of the last */
} parents;

/* Makes what is missing above the directory. NULL, or the path at which it stopped, with errno; that string is
 * the caller's to free. What was made until then has been removed again. */
char *parents_make(parents *p, const char *directory);

/* Removes what was made, as far as it is empty: there is no database after all. */
void parents_remove(parents *p);

void parents_deinit(parents *p);

#endif
