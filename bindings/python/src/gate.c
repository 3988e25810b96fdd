/* gate.c -- gates: one thread at a time. See module.h. */
#include "module.h"

bool gate_init(gate *g)
{
    g->taken = false;
    g->lock = PyThread_allocate_lock();
    if (!g->lock) PyErr_NoMemory();
    return g->lock != NULL;
}

void gate_deinit(gate *g)
{
    if (g->lock) PyThread_free_lock(g->lock);
    g->lock = NULL;
}

void gate_enter(gate *g)
{
    if (!PyThread_acquire_lock(g->lock, NOWAIT_LOCK)) {
        Py_BEGIN_ALLOW_THREADS PyThread_acquire_lock(g->lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    g->taken = true;
}

void gate_leave(gate *g)
{
    g->taken = false;
    PyThread_release_lock(g->lock);
}
