/* status.h -- the last failure of each thread, as a message and in fields.
 *
 * The function that first knows what went wrong sets the message:
 *
 *     return status_set(HOLT_CORRUPT, "...", ...);
 *
 * Its callers pass the status up and may put context in front with status_wrap(). HOLT_NOT_FOUND from a get
 * or an exists sets no message: it is returned bare.
 *
 * A failing public call must set the message, or the program would read that of an older failure. Debug
 * builds check this: status_begin_call() marks the thread's message as stale, and status_check_call() asserts
 * that a failure has set it since, with the status that is returned.
 *
 * The failure of a background job is taken with status_keep() and passed to the next caller it concerns with
 * status_restore().
 *
 * Concurrency  all state is thread-local.
 */
#ifndef HOLT_BASE_STATUS_H
#define HOLT_BASE_STATUS_H

#include "base/cost.h"

/* Sets the failure of this thread and returns `status`. */
holt_status status_set(holt_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, naming the file and the offset in it (HOLT_NO_OFFSET: none). The message: "FILE: format...". */
holt_status status_set_file(holt_status status, const char *file, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For a failed system call: chooses HOLT_NO_SPACE, HOLT_NO_MEMORY, HOLT_BUSY (no file descriptor is left) or
 * HOLT_IO by os_errno, and ends the message with its text. */
holt_status status_set_errno(int os_errno, const char *file, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether `status`, which this thread has just set, means that no file descriptor was left (EMFILE or
 * ENFILE). Distinguishes that HOLT_BUSY from those that Holt itself returns, which pass much sooner. */
bool status_no_descriptors(holt_status status);
/* Sets HOLT_NO_MEMORY with the number of bytes requested. */
void status_set_no_memory(size_t bytes);
static inline holt_status status_no_memory(size_t bytes)
{
    status_set_no_memory(bytes);
    return HOLT_NO_MEMORY; /* visible to the analyzer, so that it recognises the failure */
}

/* Puts "format...: " in front of this thread's message, unless it begins with that already, and returns
 * `status`. */
holt_status status_wrap(holt_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies this thread's last failure to *out, and sets one as this thread's; status_restore() returns its
 * status. */
void status_save(holt_error *out);
holt_status status_restore(const holt_error *saved);
/* Copies the failure with the status rc, to be returned later by status_restore(). *out has that status in
 * any case, even if its message was lost or replaced, which debug builds assert against. With rc HOLT_OK,
 * *out says so. */
void status_keep(holt_status rc, holt_error *out);

/* Sets this thread's whole state aside while something else runs on the thread that may change it: a callback
 * of the program, a job's step on the simulated machine, a clean-up after a failure. */
typedef struct status_aside {
    holt_error error;
    bool fresh;
} status_aside;
void status_put_aside(status_aside *out);
void status_put_back(const status_aside *saved);

/* Placed around each step of a background job that reports failures, and at the beginning of calls that have
 * no bill (base/cost.h). They do nothing in release builds. */
#ifdef NDEBUG
static inline void status_expect(void) {}
static inline void status_check_call(holt_status rc) { (void)rc; }
#else
void status_expect(void);
void status_check_call(holt_status rc);
#endif

/* Begins each public call, under the name of the function that it is in. */
#define status_begin_call() status_begin_named_call(__func__)
static inline void status_begin_named_call(const char *name)
{
    cost_begin(name);
    status_expect();
}
/* Begins a step of a cursor. */
#define status_begin_step() status_begin_named_step(__func__)
static inline void status_begin_named_step(const char *name)
{
    cost_begin_step(name);
    status_expect();
}
/* Begins a public call that releases something. */
static inline void status_begin_release(void)
{
    cost_end();
    status_expect();
}

#endif
