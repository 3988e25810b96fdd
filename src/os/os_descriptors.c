/* os_descriptors.c -- reclaiming file descriptors when they run out.
 *
 * A process has one limit, which its databases share with everything else that the program opens. So an open
 * that fails for lack of a descriptor asks all registered reclaimers to close some that they can open again,
 * whichever database they belong to, and is then tried again.
 */
#include "os/os_ops.h"

#include <errno.h>

/* Several are reclaimed at a time, because another thread may take a freed one first. */
enum { RECLAIM_TRIES = 8, RECLAIM_COUNT = 4 };
enum { SHARE_MIN = 16, SHARE_MAX = 4096 };

static os_mutex list_mutex = OS_MUTEX_INITIALIZER(LOCK_RANK_RECLAIM);
static os_reclaimer *first; /* list_mutex */

uint64_t os_descriptors_max(os *o)
{
    return o->ops->descriptors_max(o);
}

uint32_t os_descriptors_share(os *o)
{
    uint64_t share = os_descriptors_max(o) / 4;
    if (share < SHARE_MIN) return SHARE_MIN;
    return share < SHARE_MAX ? (uint32_t)share : SHARE_MAX;
}

/* ---------------------------------------------------------------- the list */

static void append(os_reclaimer *r)
{
    os_reclaimer **at = &first;
    while (*at)
        at = &(*at)->next;
    r->next = NULL;
    *at = r;
}

void os_reclaimer_add(os_reclaimer *r)
{
    os_mutex_lock(&list_mutex);
    r->next = first;
    first = r;
    os_mutex_unlock(&list_mutex);
}

void os_reclaimer_remove(os_reclaimer *r)
{
    os_mutex_lock(&list_mutex);
    os_reclaimer **at = &first;
    while (*at && *at != r)
        at = &(*at)->next;
    if (*at) *at = r->next; /* in a forked child the list is empty */
    os_mutex_unlock(&list_mutex);
}

/* Moves the reclaimers that were asked to the end of the list, so that not the same one loses descriptors
 * every time. */
static size_t reclaim_some(os *o)
{
    size_t got = 0;
    os_reclaimer *asked = NULL;
    os_mutex_lock(&list_mutex);
    for (os_reclaimer **at = &first; *at && got < RECLAIM_COUNT;) {
        os_reclaimer *r = *at;
        if (r->os != o) {
            at = &r->next;
            continue;
        }
        got += r->reclaim(r->ctx, RECLAIM_COUNT - got);
        *at = r->next;
        r->next = asked;
        asked = r;
    }
    while (asked) {
        os_reclaimer *r = asked;
        asked = r->next;
        append(r);
    }
    os_mutex_unlock(&list_mutex);
    return got;
}

bool os_reclaim(os *o, int rc, unsigned *tries)
{
    if (rc != -EMFILE && rc != -ENFILE) return false;
    return ++*tries <= RECLAIM_TRIES && reclaim_some(o) > 0;
}

/* ---------------------------------------------------------------- forks */

/* Not os_mutex_lock(), which asserts the lock order: the forking thread may hold mutexes. */
void os_reclaim_before_fork(void)
{
    pthread_mutex_lock(&list_mutex.mutex);
}

void os_reclaim_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&list_mutex.mutex);
}

void os_reclaim_after_fork_in_child(void)
{
    first = NULL;
    pthread_mutex_unlock(&list_mutex.mutex);
}
