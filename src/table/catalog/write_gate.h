/* write_gate.h -- lets a change of a schema wait for writes that go on outside of any transaction.
 *
 * A write without a transaction of its own (one holt_put_with, for instance) loads the schema and then writes
 * by it. It passes the gate, so that a change can tell when no such write is left that may have loaded the
 * former schema. Nobody waits to enter, and writes may be nested, as in a callback of the event log.
 *
 *     writer   side = write_gate_enter(g); load the schema; write; write_gate_leave(g, side);
 *     change   publish the new schema; write_gate_turn(g) until it returns true, then write_gate_empty(g)
 *              until that does
 *
 * Writers count themselves on the side of the current generation. Turning begins the next generation, so that
 * those who come later count on the other side, and the old side runs empty even if writes never pause. Both
 * use the total order of sequentially consistent operations: a writer that counted itself before the turn is
 * seen by the change, and one that found the generation turned also finds the schema that was published
 * before.
 *
 * Concurrency  writers on any thread; changes one at a time.
 */
#ifndef HOLT_TABLE_WRITE_GATE_H
#define HOLT_TABLE_WRITE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct write_gate {
    _Atomic uint32_t generation;
    _Atomic uint32_t inside[2];
} write_gate;

static inline unsigned write_gate_enter(write_gate *g)
{
    for (;;) {
        uint32_t generation = atomic_load_explicit(&g->generation, memory_order_seq_cst);
        unsigned side = generation & 1;
        atomic_fetch_add_explicit(&g->inside[side], 1, memory_order_seq_cst);
        if (atomic_load_explicit(&g->generation, memory_order_seq_cst) == generation) return side;
        atomic_fetch_sub_explicit(&g->inside[side], 1, memory_order_seq_cst); /* turned in between */
    }
}

static inline void write_gate_leave(write_gate *g, unsigned side)
{
    /* Release, which this includes: the change sees the write as done. */
    atomic_fetch_sub_explicit(&g->inside[side], 1, memory_order_seq_cst);
}

/* Begins a generation. Returns false, with nothing done, while a write is left from the one before the
 * current, whose side would be used again: an earlier change stopped waiting for it. */
static inline bool write_gate_turn(write_gate *g)
{
    uint32_t generation = atomic_load_explicit(&g->generation, memory_order_seq_cst);
    if (atomic_load_explicit(&g->inside[~generation & 1], memory_order_seq_cst)) return false;
    atomic_store_explicit(&g->generation, generation + 1, memory_order_seq_cst);
    return true;
}

/* Whether all writes of the generation before the current have left. */
static inline bool write_gate_empty(write_gate *g)
{
    uint32_t generation = atomic_load_explicit(&g->generation, memory_order_seq_cst);
    return atomic_load_explicit(&g->inside[~generation & 1], memory_order_seq_cst) == 0;
}

#endif
