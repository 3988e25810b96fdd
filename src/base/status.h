/* status.h -- the last failure of each thread, in words and in fields.
 *
 * Whoever first knows what went wrong writes it:  return status_set(HOLT_CORRUPT, "...", ...);  callers pass
 * the code up, and may put words in front with status_wrap(). HOLT_NOT_FOUND from a get or an exists formats
 * nothing: it is returned bare.
 *
 * A failing public call must set the message: otherwise the program reads the words of an older failure. Debug
 * builds check it: status_begin_call() marks the thread's message as stale, and status_check_call() asserts
 * that a failure has set it since, with the status that is returned.
 *
 * A background job's failure is taken with status_keep() and given to the next caller it concerns with
 * status_restore().
 *
 * Concurrency  all state is thread-local.
 */
#ifndef HOLT_BASE_STATUS_H
#define HOLT_BASE_STATUS_H

#include <holt.h>

/* Records a failure of this thread and returns `status`. */
holt_status status_set(holt_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, naming the file and the offset in it (HOLT_NO_OFFSET: none). The message: "FILE: format...". */
holt_status status_set_file(holt_status status, const char *file, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A failed system call: picks HOLT_NO_SPACE, HOLT_NO_MEMORY, HOLT_BUSY (no file descriptor is left) or HOLT_IO
 * from os_errno and ends the message with its text. */
holt_status status_set_errno(int os_errno, const char *file, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether `status`, which this thread has just set, says that no file descriptor was left: EMFILE or ENFILE.
 * It tells that HOLT_BUSY from those of our own making, which pass much sooner. */
bool status_no_descriptors(holt_status status);
/* HOLT_NO_MEMORY, saying how many bytes were asked for. */
void status_tell_no_memory(size_t bytes);
static inline holt_status status_no_memory(size_t bytes)
{
    status_tell_no_memory(bytes);
    return HOLT_NO_MEMORY; /* in sight of the analyzer, so that it knows a failure for one */
}

/* Puts "format...: " in front of this thread's message, unless it begins with just that, and returns `status`. */
holt_status status_wrap(holt_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes this thread's last failure out, and sets one as this thread's. status_restore returns its status. */
void status_save(holt_error *out);
holt_status status_restore(const holt_error *saved);
/* Takes out the failure with the status rc, to be returned later by status_restore(): with that status in any case, though its
 * message may have been forgotten or replaced, which debug builds assert that it was not. rc HOLT_OK: *out says so. */
void status_keep(holt_status rc, holt_error *out);

/* This thread's message as a whole, put aside while something else runs on the thread that may set it: a
 * callback of the program, a job's step on the simulated machine, a clean-up after a failure. */
typedef struct status_aside {
    holt_error error;
    bool fresh;
} status_aside;
void status_put_aside(status_aside *out);
void status_put_back(const status_aside *saved);

/* Around each public call, and each step of a background job that reports failures: see above. Neither does
 * anything in release builds. */
#ifdef NDEBUG
static inline void status_begin_call(void) {}
static inline void status_check_call(holt_status rc) { (void)rc; }
#else
void status_begin_call(void);
void status_check_call(holt_status rc);
#endif

#endif
