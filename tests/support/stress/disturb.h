/* disturb.h -- delays and faults from a seed, put between the engine and the machine by the linker.
 *
 * In test_stress, calls of some functions of os.h go through those of disturb.c (tests/meson.build:
 * `wrapped`): the engine does not know of it, and no other program pays for it.
 *
 * Delays       come after a mutex is released, and before and after calls that write, sync, rename, create or
 *              delete. A place is a kind of call, or the release of a rank of mutex. Rare places are delayed
 *              about as often as frequent ones, and each thread has a few places, drawn from the seed, where
 *              it is delayed again and again. So a thread loses the processor in all places where it could,
 *              even in those that are a thousand times rarer than others, while the other threads run on.
 * Slow syncs   are longer delays, as of a busy disk.
 * Manifests    `small_manifests`: a whole new manifest is written after a few edits, not 256 KiB of them.
 * Faults       a failed write, sync, ..., or a failed allocation. A call that is made to fail does nothing.
 * Concurrency  between disturb_begin and disturb_end threads are disturbed; neither is called by two threads
 *              at once, and a new plan is not begun before the threads of the last one have ended. The
 *              other functions from any thread.
 *
 * The seed decides what each thread meets, through the order in which threads come first and through what
 * each does: as far as threads can be replayed.
 */
#ifndef HOLT_TESTS_DISTURB_H
#define HOLT_TESTS_DISTURB_H

#include "os/os.h"

/* What may fail. */
typedef enum disturb_fault {
    FAULT_NONE,
    FAULT_MEMORY,   /* allocations, on all threads */
    FAULT_MANIFEST, /* writes and syncs of manifests and of CURRENT, and of the directory */
    FAULT_TABLES,   /* of files that are neither manifests nor the log's: runs and pages */
    FAULT_ANY       /* of all */
} disturb_fault;

typedef struct disturb_plan {
    uint64_t seed;
    const os *os;             /* only the I/O of this machine is delayed and fails */
    uint64_t delay_ns_max;    /* 0: no delays */
    uint32_t slow_sync_one_in; /* this many syncs, 0: none, */
    uint64_t slow_sync_ns_max; /* take up to so much longer */
    bool small_manifests;
    disturb_fault fault;
    uint32_t fault_one_in; /* this many calls that could */
    uint32_t faults_max;   /* then no more; 0: no limit */
} disturb_plan;

void disturb_begin(const disturb_plan *plan);
void disturb_end(void);
/* From now on this thread meets neither delays nor faults, or meets them again. */
void disturb_spare_thread(bool spared);
/* No new delays begin for a while, or they begin again. Those in progress end within the longest of them. */
void disturb_calm(bool calm);
/* This thread is delayed more often and for longer, in every second of the places where it could be; or as
 * usual again. */
void disturb_press_thread(bool pressed);

/* With FAULT_MEMORY: one of this thread's next allocations may fail. For threads of the test; engine threads
 * get such failures at their I/O. */
void disturb_memory(void);

uint64_t disturb_delays(void); /* since disturb_begin */
uint64_t disturb_faults(void);

#endif
