/* epoch.h -- epoch-based reclamation: readers mark short sections, writers wait for them to pass.
 *
 * A reader that follows shared pointers without a lock does so between epoch_enter() and epoch_leave(), and
 * loads them with acquire. A writer that unlinks an object takes a tag with epoch_retire() after the
 * unlinking; the object may be freed or reused once epoch_passed(tag) is true. Nothing may block in a
 * section: no I/O, no waiting for a lock.
 *
 * There is one domain for the process. The global epoch advances from E to E+1 when every thread inside a
 * section entered it in E. So what was retired in E is unreachable when the epoch is E+2. Each thread has a
 * record on a cache line of its own, made on its first section and recycled when the thread ends, so threads
 * may come and go freely. In a forked child only the calling thread exists: the records of the others are
 * treated as outside.
 *
 * Difference from the literature (Fraser 2004): there are no per-thread limbo lists; a thread that retires
 * objects keeps its own list of (object, tag).
 *
 * Concurrency  all functions from any thread. Sections nest.
 */
#ifndef HOLT_BASE_EPOCH_H
#define HOLT_BASE_EPOCH_H

#include <holt.h>

typedef uint64_t epoch_tag;

holt_status epoch_enter(void); /* HOLT_NO_MEMORY only on a thread's first section */
void        epoch_leave(void);
bool        epoch_inside(void); /* for assertions */

epoch_tag epoch_retire(void);          /* call it when new sections can no longer reach the object */
bool      epoch_passed(epoch_tag tag); /* tries to advance; never waits */
void      epoch_wait(epoch_tag tag);   /* waits until it has passed; not inside a section */

#endif
