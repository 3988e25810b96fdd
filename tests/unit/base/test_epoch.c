/* test_epoch.c -- tests of src/base/epoch.h: what is retired is not freed under a reader, and is freed in the
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/memory.h"

static void start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, body, arg), 0);
}

static void join(pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A step that two threads take together. */
static void wait_for(_Atomic int *step, int value)
{
    while (atomic_load_explicit(step, memory_order_acquire) < value)
        sched_yield();
}

static void go_to(_Atomic int *step, int value)
{
    atomic_store_explicit(step, value, memory_order_release);
}

/* With no reader anywhere reclamation must not wait for anything. */
static void epoch_passes_at_once_without_readers(void **state)
{
    for (int i = 0; i < 100; i++)
        assert_true(epoch_passed(epoch_retire()));
    assert_false(epoch_inside());
}

/* The section may have begun before the unlinking: the tag must not pass, however often it is checked. */
static void epoch_does_not_pass_under_a_section(void **state)
{
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_tag tag = epoch_retire();
    for (int i = 0; i < 100; i++)
        assert_false(epoch_passed(tag));
    epoch_leave();
    assert_true(epoch_passed(tag));
}

/* Only the outermost leave ends the section. */
static void epoch_sections_nest(void **state)
{
    assert_int_equal(epoch_enter(), HOLT_OK);
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_tag tag = epoch_retire();
    epoch_leave();
    assert_true(epoch_inside());
    assert_false(epoch_passed(tag));
    epoch_leave();
    assert_false(epoch_inside());
    assert_true(epoch_passed(tag));
}

static void *enter_without_memory(void *arg)
{
    mem_fail_at(1, true);
    holt_status rc = epoch_enter();
    mem_fail_at(0, false);
    *(holt_status *)arg = rc;
    if (rc == HOLT_OK) epoch_leave();
    return NULL;
}

/* The first section of a thread allocates, unless an ended thread has left its record; later ones must
 * not. */
static void epoch_first_section_may_lack_memory_and_later_ones_do_not(void **state)
{
    pthread_t thread;
    holt_status rc = HOLT_OK;
    assert_int_equal(epoch_enter(), HOLT_OK); /* this thread has its record */
    epoch_leave();
    mem_fail_at(1, true);
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_leave();
    mem_fail_at(0, false);

    start(&thread, enter_without_memory, &rc);
    join(thread);
    assert_int_equal(rc, HOLT_NO_MEMORY);
}

static void *one_section(void *arg)
{
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_leave();
    return NULL;
}

static void *count_allocations_of_a_section(void *arg)
{
    uint64_t before = mem_allocations();
    one_section(NULL);
    *(uint64_t *)arg = mem_allocations() - before;
    return NULL;
}

/* A program that starts a thread per request must not grow: records are recycled, and delay nothing. */
static void epoch_records_of_ended_threads_are_recycled(void **state)
{
    pthread_t thread;
    uint64_t allocations = 0;
    start(&thread, one_section, NULL);
    join(thread);
    for (int i = 0; i < 50; i++) {
        start(&thread, count_allocations_of_a_section, &allocations);
        join(thread);
        assert_int_equal(allocations, 0);
        assert_true(epoch_passed(epoch_retire()));
    }
}

static void *wait_for_tag(void *arg)
{
    epoch_wait(*(epoch_tag *)arg);
    return NULL;
}

/* The waiter sleeps while the reader is inside, and the reader's leaving is all that wakes it. */
static void epoch_wait_ends_when_the_reader_leaves(void **state)
{
    pthread_t thread;
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_tag tag = epoch_retire();
    start(&thread, wait_for_tag, &tag);
    usleep(5000);
    assert_false(epoch_passed(tag));
    epoch_leave();
    join(thread);
    assert_true(epoch_passed(tag));
}

/* ---------------------------------------------------------------- reclamation under readers */

enum { READERS = 4, SWAPS = 1200, PENDING = 8, ALIVE = 0x600d, DEAD = 0xdead };

typedef struct object {
    unsigned mark; /* DEAD, or a race, seen by a reader is the bug */
    epoch_tag tag;
} object;

static struct {
    _Atomic(object *) shared;
    _Atomic int stop;
    _Atomic unsigned bad;
} reclamation;

static void *read_shared(void *arg)
{
    while (!atomic_load_explicit(&reclamation.stop, memory_order_relaxed)) {
        if (epoch_enter() != HOLT_OK) return NULL;
        for (int i = 0; i < 3; i++) {
            object *o = atomic_load_explicit(&reclamation.shared, memory_order_acquire);
            if (o->mark != ALIVE) atomic_fetch_add_explicit(&reclamation.bad, 1, memory_order_relaxed);
        }
        epoch_leave();
    }
    return NULL;
}

static object *object_create(void)
{
    object *o = mem_alloc(sizeof *o);
    assert_non_null(o);
    o->mark = ALIVE;
    return o;
}

static void object_destroy(object *o)
{
    o->mark = DEAD;
    mem_free(o);
}

/* What epochs are for. Freed memory is overwritten first, and the sanitizers watch. */
static void epoch_objects_are_not_freed_under_four_readers(void **state)
{
    pthread_t readers[READERS], visitor;
    object *retired[PENDING];
    unsigned pending = 0, freed_early = 0;
    atomic_store_explicit(&reclamation.shared, object_create(), memory_order_release);
    for (int i = 0; i < READERS; i++)
        start(&readers[i], read_shared, NULL);

    for (int i = 0; i < SWAPS; i++) {
        object *old = atomic_exchange_explicit(&reclamation.shared, object_create(), memory_order_acq_rel);
        old->tag = epoch_retire();
        retired[pending++] = old;
        if (epoch_passed(retired[0]->tag)) {
            object_destroy(retired[0]);
            memmove(retired, retired + 1, --pending * sizeof *retired);
            freed_early++;
        }
        if (pending == PENDING) {
            epoch_wait(retired[pending - 1]->tag);
            while (pending > 0)
                object_destroy(retired[--pending]);
        }
        if (i % 400 == 0) { /* threads come and go */
            start(&visitor, one_section, NULL);
            join(visitor);
        }
    }
    atomic_store_explicit(&reclamation.stop, 1, memory_order_relaxed);
    for (int i = 0; i < READERS; i++)
        join(readers[i]);
    assert_int_equal(atomic_load_explicit(&reclamation.bad, memory_order_relaxed), 0);

    while (pending > 0) {
        assert_true(epoch_passed(retired[pending - 1]->tag));
        object_destroy(retired[--pending]);
    }
    object_destroy(atomic_load_explicit(&reclamation.shared, memory_order_acquire));
    (void)freed_early; /* depends on the scheduler */
}

/* ---------------------------------------------------------------- fork */

typedef struct holder {
    _Atomic int step; /* 1: the thread is in its section, 2: it may leave */
} holder;

static void *hold_section(void *arg)
{
    holder *h = arg;
    assert_int_equal(epoch_enter(), HOLT_OK);
    go_to(&h->step, 1);
    wait_for(&h->step, 2);
    epoch_leave();
    return NULL;
}

static int child_of(void (*body)(void *), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(arg);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void child_reclaims(void *arg)
{
    epoch_tag tag = *(epoch_tag *)arg;
    if (!epoch_passed(tag)) _exit(1);
    if (epoch_enter() != HOLT_OK || !epoch_inside()) _exit(2);
    tag = epoch_retire();
    if (epoch_passed(tag)) _exit(3);
    epoch_leave();
    if (!epoch_passed(tag)) _exit(4);
}

/* In the child, the reader that was inside does not exist: waiting for it would never end. */
static void epoch_in_a_forked_child_forgets_the_other_threads(void **state)
{
    pthread_t thread;
    holder h = {0};
    start(&thread, hold_section, &h);
    wait_for(&h.step, 1);
    epoch_tag tag = epoch_retire();
    assert_false(epoch_passed(tag));
    assert_int_equal(child_of(child_reclaims, &tag), 0);
    assert_false(epoch_passed(tag)); /* the parent's reader is still there */
    go_to(&h.step, 2);
    join(thread);
    assert_true(epoch_passed(tag));
}

static void child_is_still_inside(void *arg)
{
    epoch_tag tag = *(epoch_tag *)arg;
    if (!epoch_inside() || epoch_passed(tag)) _exit(1);
    epoch_leave();
    if (!epoch_passed(tag)) _exit(2);
}

/* The calling thread's own section goes on in the child. */
static void epoch_section_of_the_forking_thread_goes_on(void **state)
{
    assert_int_equal(epoch_enter(), HOLT_OK);
    epoch_tag tag = epoch_retire();
    assert_int_equal(child_of(child_is_still_inside, &tag), 0);
    epoch_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epoch_passes_at_once_without_readers),
        cmocka_unit_test(epoch_does_not_pass_under_a_section),
        cmocka_unit_test(epoch_sections_nest),
        cmocka_unit_test(epoch_first_section_may_lack_memory_and_later_ones_do_not),
        cmocka_unit_test(epoch_records_of_ended_threads_are_recycled),
        cmocka_unit_test(epoch_wait_ends_when_the_reader_leaves),
        cmocka_unit_test(epoch_objects_are_not_freed_under_four_readers),
        cmocka_unit_test(epoch_in_a_forked_child_forgets_the_other_threads),
        cmocka_unit_test(epoch_section_of_the_forking_thread_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
