/* epoch.c -- the global epoch and the records of the threads.
 *
 * Why it is correct without fences. A writer unlinks an object and takes its tag r by a read-modify-write of
 * the global epoch. Advance 1 takes the epoch from r to r+1, advance 2 to r+2. A reader stores its epoch in
 * its record and then loads the global one, which gives g.
 *   g > r   The load reads the result of advance 1 or of a later one. All changes of the epoch are
 *           read-modify-writes, so they form one chain of synchronisation that began at the tag. The reader
 *           sees the unlinking and cannot reach the object.
 *   g <= r  In the single order of sequentially consistent operations the reader's store precedes its load,
 *           which precedes advance 1, which precedes advance 2's load of the epoch and its scan of the
 *           records. So the scan either finds the section (whose epoch is <= r, not r+1: no advance 2) or
 *           sees, by acquire, that the reader has left it.
 */
#include "base/epoch.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <time.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/status.h"

enum { CACHE_LINE = 64, OUTSIDE = 0, EPOCH_FIRST = 1 };

typedef struct epoch_record {
    /* OUTSIDE or the epoch of the section the owner is in. Written by the owner. */
    alignas(CACHE_LINE) _Atomic uint64_t epoch;
    _Atomic bool owned;        /* by a living thread; taken by compare-and-swap */
    uint32_t depth;            /* of nested sections; the owner's own */
    struct epoch_record *next; /* constant once in the list */
} epoch_record;

/* Each on a cache line of its own: every section reads the epoch, but the list is rarely read. */
static struct {
    alignas(CACHE_LINE) _Atomic uint64_t epoch; /* grows by one; for its memory orders see above */
    /* Records are pushed, recycled, and never freed. Sequentially consistent, so that a scan of the records
     * that follows a new thread's first section finds that thread's record. */
    alignas(CACHE_LINE) _Atomic(epoch_record *) records;
} domain = {.epoch = EPOCH_FIRST};

static THREAD_LOCAL_HOT epoch_record *mine; /* NULL until the first section, and after the thread's end */

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static int prepare_error;        /* constant after preparing */
static pthread_key_t thread_end; /* constant after preparing; its destructor releases the record */

static void record_release(void *memory)
{
    epoch_record *r = memory;
    assert(r->depth == 0);
    mine = NULL;
    atomic_store_explicit(&r->epoch, OUTSIDE, memory_order_release); /* as in epoch_leave */
    /* Release: the next owner finds depth and epoch as left here. */
    atomic_store_explicit(&r->owned, false, memory_order_release);
}

/* In the child only the calling thread exists: the others have left their sections. */
static void child_forget_others(void)
{
    epoch_record *r = atomic_load_explicit(&domain.records, memory_order_acquire);
    for (; r; r = r->next) {
        if (r == mine) continue;
        atomic_store_explicit(&r->epoch, OUTSIDE, memory_order_release);
        atomic_store_explicit(&r->owned, false, memory_order_release);
    }
}

static void prepare(void)
{
    prepare_error = pthread_key_create(&thread_end, record_release);
    if (!prepare_error) prepare_error = pthread_atfork(NULL, NULL, child_forget_others);
}

static epoch_record *record_recycle(void)
{
    epoch_record *r = atomic_load_explicit(&domain.records, memory_order_acquire);
    for (; r; r = r->next) {
        bool owned = atomic_load_explicit(&r->owned, memory_order_relaxed); /* only a hint */
        /* Acquire: what the last owner left in the record. */
        if (!owned && atomic_compare_exchange_strong_explicit(&r->owned, &owned, true, memory_order_acquire,
                                                              memory_order_relaxed))
            return r;
    }
    return NULL;
}

static epoch_record *record_create(void)
{
    epoch_record *r = mem_alloc_aligned(CACHE_LINE, sizeof *r);
    if (!r) return NULL;
    atomic_init(&r->epoch, OUTSIDE);
    atomic_init(&r->owned, true);
    r->next = atomic_load_explicit(&domain.records, memory_order_relaxed); /* the exchange below checks it */
    while (!atomic_compare_exchange_weak_explicit(&domain.records, &r->next, r, memory_order_seq_cst,
                                                  memory_order_relaxed))
        continue;
    return r;
}

static holt_status record_acquire(void)
{
    pthread_once(&prepared, prepare);
    if (prepare_error) return status_set(HOLT_NO_MEMORY, "no room for a thread-specific key");

    assert(!mine);
    epoch_record *r = record_recycle();
    if (!r) r = record_create();
    if (!r) return status_no_memory(sizeof *r);
    r->depth = 0;
    if (pthread_setspecific(thread_end, r) != 0) {
        record_release(r);
        return status_set(HOLT_NO_MEMORY, "no room for thread-specific data");
    }
    mine = r;
    return HOLT_OK;
}

holt_status epoch_enter(void)
{
    if (!mine) {
        holt_status rc = record_acquire();
        if (rc != HOLT_OK) return rc;
    }
    if (mine->depth++ > 0) return HOLT_OK;

    /* Both sequentially consistent: a thread that advances past the loaded epoch must see the store (see
     * above). The loop keeps a section from beginning in an epoch that has passed, which would delay the next
     * advance. It is short, because the stored epoch itself soon stops the advances. */
    uint64_t epoch = atomic_load_explicit(&domain.epoch, memory_order_relaxed);
    for (;;) {
        atomic_store_explicit(&mine->epoch, epoch, memory_order_seq_cst);
        uint64_t now = atomic_load_explicit(&domain.epoch, memory_order_seq_cst);
        if (now == epoch) return HOLT_OK;
        epoch = now;
    }
}

void epoch_leave(void)
{
    assert(epoch_inside());
    if (--mine->depth > 0) return;
    /* Release: a thread that sees this one outside is ordered after all its reads, and may free what it
     * read. */
    atomic_store_explicit(&mine->epoch, OUTSIDE, memory_order_release);
}

bool epoch_inside(void)
{
    return mine && mine->depth > 0;
}

epoch_tag epoch_retire(void)
{
    /* A read-modify-write that changes nothing. It begins the chain that carries the unlinking to readers. */
    return atomic_fetch_add_explicit(&domain.epoch, 0, memory_order_seq_cst);
}

static void try_advance(void)
{
    uint64_t epoch = atomic_load_explicit(&domain.epoch, memory_order_seq_cst);
    epoch_record *r = atomic_load_explicit(&domain.records, memory_order_seq_cst);
    for (; r; r = r->next) {
        uint64_t section = atomic_load_explicit(&r->epoch, memory_order_seq_cst);
        if (section != OUTSIDE && section != epoch) return;
    }
    /* A failure means that another thread has advanced it, which is as good. */
    atomic_compare_exchange_strong_explicit(&domain.epoch, &epoch, epoch + 1, memory_order_seq_cst,
                                            memory_order_relaxed);
}

static bool has_passed(epoch_tag tag)
{
    /* Acquire: the sections that the advances waited for end before the caller frees. */
    return atomic_load_explicit(&domain.epoch, memory_order_acquire) >= tag + 2;
}

bool epoch_passed(epoch_tag tag)
{
    assert(tag >= EPOCH_FIRST);
    for (int advances = 0; advances < 2 && !has_passed(tag); advances++)
        try_advance();
    return has_passed(tag);
}

void epoch_wait(epoch_tag tag)
{
    /* Sections last microseconds, unless their thread is off the CPU. */
    enum { YIELDS = 64, NAP_NS = 50 * 1000 };
    assert(!epoch_inside());
    for (unsigned tries = 0; !epoch_passed(tag); tries++) {
        if (tries < YIELDS)
            sched_yield();
        else
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
}
