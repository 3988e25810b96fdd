/* cost.h -- the bill of each thread's current call: what it has waited for, read and written.
 *
 * A public call begins the bill of its thread (status_begin_call), whatever layer does something that can
 * take long adds to it, and holt_last_cost() shows it. With holt_options.slow_ms a call is timed as well, and
 * db/slow_calls.c writes the bill of a slow one to the event log.
 *
 * A cached read must not pay for this, so the bill has two parts. What fast calls count is in `cost_mine`,
 * which needs no call to be found and adds one instruction a count. What takes at least microseconds, waits
 * and input or output, is in a cost_sheet that is cleared at its first use in a call.
 *
 * Attribution  Work counts for the thread that does it: the leader of a commit group pays for the write and
 *              the sync of all of it, and its members for their wait. Background jobs have bills that nobody
 *              reads. Code that runs inside a call but is not part of it, callbacks of the program and the
 *              steps of jobs on the simulated machine, is put between cost_put_aside() and cost_put_back().
 * Clocks       Sleeps and syncs are always timed. Reads and log writes, which may take a microsecond, are
 *              timed only in calls that are (cost_is_timed).
 * Concurrency  all state is thread-local.
 */
#ifndef HOLT_BASE_COST_H
#define HOLT_BASE_COST_H

#include "base/compiler.h"

#include <holt.h>

enum cost_state {
    COST_STEP = 1,  /* a cursor's step: of the brief, only the fields up to memtables belong to this call */
    COST_SHEET = 2, /* the sheet belongs to this call */
    COST_TIMED = 4, /* the call is timed: sheet.began_ns is set */
    COST_ENDED = 8  /* the call has ended, and is not timed any more */
};

typedef struct cost_brief {
    const char *call; /* the name of the call; NULL: there was none */
    uint32_t state;   /* cost_state */
    uint32_t blocks_cached, tombstones, memtables;
    uint32_t trees, filter_checks, filter_negatives, reserved;
    uint64_t bytes_in, bytes_out, log_bytes;
} cost_brief;

/* Fields as in holt_cost. */
typedef struct cost_sheet {
    uint64_t began_ns;      /* COST_TIMED */
    const void *collection; /* the collection that the call was given, for db/slow_calls.c; NULL: none */
    uint64_t total_ns;
    uint64_t group_wait_ns, delay_ns, room_wait_ns, background_wait_ns;
    uint32_t delay_causes;
    uint64_t log_write_ns, log_rotations, log_rotate_ns, syncs, sync_ns;
    uint64_t blocks_read, bytes_read, read_ns;
} cost_sheet;

extern THREAD_LOCAL_HOT cost_brief cost_mine;

/* Begins the bill of a public call. The name must be static. */
static inline void cost_begin(const char *call)
{
    cost_mine = (cost_brief){.call = call};
}

/* Begins that of a cursor's step within a leaf, which is so short that each instruction counts. */
static inline void cost_begin_step(const char *call)
{
    cost_mine.call = call;
    cost_mine.state = COST_STEP;
    cost_mine.blocks_cached = cost_mine.tombstones = cost_mine.memtables = 0;
}

/* Ends it, if it has not ended: for calls that release something. They have no bill, so that a program can
 * read that of a commit after the rollback. */
static inline void cost_end(void)
{
    cost_mine.state |= COST_ENDED;
}

static inline bool cost_is_timed(void)
{
    return (cost_mine.state & (COST_TIMED | COST_ENDED)) == COST_TIMED;
}

/* The sheet of this call. */
cost_sheet *cost_sheet_mine(void);

static inline void cost_add_cached(uint32_t blocks)
{
    cost_mine.blocks_cached += blocks;
}

static inline void cost_add_tombstones(uint32_t count)
{
    cost_mine.tombstones += count;
}

static inline void cost_add_memtables(uint32_t count)
{
    cost_mine.memtables += count;
}

static inline void cost_add_trees(uint32_t count)
{
    cost_mine.trees += count;
}

static inline void cost_add_filters(uint32_t checks, uint32_t negatives)
{
    cost_mine.filter_checks += checks;
    cost_mine.filter_negatives += negatives;
}

/* Of keys and values that were given to the call. */
static inline void cost_add_bytes_in(uint64_t bytes)
{
    cost_mine.bytes_in += bytes;
}

/* Of values that it has read. */
static inline void cost_add_bytes_out(uint64_t bytes)
{
    cost_mine.bytes_out += bytes;
}

static inline void cost_add_log_bytes(uint64_t bytes)
{
    cost_mine.log_bytes += bytes;
}

/* Sets the thread's bill aside while something else runs on the thread. */
typedef struct cost_aside {
    cost_brief brief;
    cost_sheet sheet; /* COST_SHEET */
} cost_aside;
void cost_put_aside(cost_aside *out);
void cost_put_back(const cost_aside *saved);

#endif
