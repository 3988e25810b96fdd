/* status.c -- the last failure of each thread, and the public functions that report it. Nothing allocates. */
#include "base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* The list of all statuses. */
#define STATUS_LIST(X)                                                                                       \
    X(HOLT_OK)                                                                                               \
    X(HOLT_NOT_FOUND)                                                                                        \
    X(HOLT_EXISTS)                                                                                           \
    X(HOLT_INVALID)                                                                                          \
    X(HOLT_CONFLICT)                                                                                         \
    X(HOLT_BUSY)                                                                                             \
    X(HOLT_READ_ONLY)                                                                                        \
    X(HOLT_TOO_LARGE)                                                                                        \
    X(HOLT_NO_SPACE)                                                                                         \
    X(HOLT_NO_MEMORY)                                                                                        \
    X(HOLT_IO)                                                                                               \
    X(HOLT_CORRUPT)                                                                                          \
    X(HOLT_UNSUPPORTED)                                                                                      \
    X(HOLT_CLOSED)

enum { MESSAGE_SIZE = sizeof(((holt_error *)0)->message), FILE_SIZE = sizeof(((holt_error *)0)->file) };

static _Thread_local holt_error last = {.offset = HOLT_NO_OFFSET};
static _Thread_local bool fresh; /* `last` was set since the call began; only debug builds read it */

/* A message under construction. It is built aside because its arguments may point into the last one. */
typedef struct text {
    char bytes[MESSAGE_SIZE];
    size_t used; /* without the terminating zero */
    bool cut;    /* it is full: nothing more is added */
} text;

/* Removes the incomplete UTF-8 character that a cut may have left at the end. */
static void text_mend_cut(text *t)
{
    size_t tail = 0; /* continuation bytes at the end */
    while (tail < 3 && tail < t->used && ((unsigned char)t->bytes[t->used - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail >= t->used) return;
    unsigned char lead = (unsigned char)t->bytes[t->used - 1 - tail];
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (wanted > tail) t->used -= tail + 1;
    t->bytes[t->used] = '\0';
}

__attribute__((format(printf, 2, 0))) static void text_add_list(text *t, const char *format, va_list args)
{
    if (t->cut) return;
    size_t room = sizeof t->bytes - t->used;
    int n = vsnprintf(t->bytes + t->used, room, format, args);
    if (n < 0) { /* an invalid format: do not trust what was written */
        t->bytes[t->used] = '\0';
        return;
    }
    if ((size_t)n < room) {
        t->used += (size_t)n;
        return;
    }
    t->cut = true;
    t->used = sizeof t->bytes - 1;
    text_mend_cut(t);
}

__attribute__((format(printf, 2, 3))) static void text_add(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_add_list(t, format, args);
    va_end(args);
}

static void copy_string(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memmove(to, from, length); /* may be the same array */
    memset(to + length, 0, size - length);
}

static holt_status record(holt_status status, int os_errno, const char *file, uint64_t offset, const text *t)
{
    assert(status != HOLT_OK);
    copy_string(last.file, sizeof last.file, file);
    copy_string(last.message, sizeof last.message, t->bytes);
    last.status = (uint32_t)status;
    last.os_errno = os_errno;
    last.offset = offset;
    fresh = true;
    return status;
}

holt_status status_set(holt_status status, const char *format, ...)
{
    text t = {.used = 0};
    va_list args;
    va_start(args, format);
    text_add_list(&t, format, args);
    va_end(args);
    return record(status, 0, "", HOLT_NO_OFFSET, &t);
}

holt_status status_set_file(holt_status status, const char *file, uint64_t offset, const char *format, ...)
{
    text t = {.used = 0};
    text_add(&t, "%s: ", file);
    va_list args;
    va_start(args, format);
    text_add_list(&t, format, args);
    va_end(args);
    return record(status, 0, file, offset, &t);
}

static holt_status status_of_errno(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
        return HOLT_NO_SPACE;
    case ENOMEM:
        return HOLT_NO_MEMORY;
    case EMFILE:
    case ENFILE:
        return HOLT_BUSY; /* nothing was opened, so nothing was done */
    default:
        return HOLT_IO;
    }
}

/* Returns what the user can do about the limit that an open has hit; NULL for other failures. */
static const char *limit_of_errno(int os_errno)
{
    if (os_errno == EMFILE)
        return "RLIMIT_NOFILE is reached; raise it (ulimit -n) or lower holt_options.open_files_max";
    if (os_errno == ENFILE)
        return "the system's fs.file-max is reached; raise it or lower holt_options.open_files_max";
    return NULL;
}

holt_status status_set_errno(int os_errno, const char *file, uint64_t offset, const char *format, ...)
{
    text t = {.used = 0};
    text_add(&t, "%s: ", file);
    va_list args;
    va_start(args, format);
    text_add_list(&t, format, args);
    va_end(args);
    char buffer[128];
    text_add(&t, ": %s", strerror_r(os_errno, buffer, sizeof buffer));
    const char *limit = limit_of_errno(os_errno);
    if (limit) text_add(&t, ": %s", limit);
    return record(status_of_errno(os_errno), os_errno, file, offset, &t);
}

bool status_no_descriptors(holt_status status)
{
    return status == HOLT_BUSY && (last.os_errno == EMFILE || last.os_errno == ENFILE);
}

void status_set_no_memory(size_t bytes)
{
    (void)status_set(HOLT_NO_MEMORY, "out of memory: %zu bytes were requested", bytes);
}

holt_status status_wrap(holt_status status, const char *format, ...)
{
    text t = {.used = 0};
    va_list args;
    va_start(args, format);
    text_add_list(&t, format, args);
    va_end(args);
    /* The call that failed may have named the same file. */
    bool said = strncmp(last.message, t.bytes, t.used) == 0 && strncmp(last.message + t.used, ": ", 2) == 0;
    if (said) t.used = 0;
    if (last.message[0]) text_add(&t, said ? "%s" : ": %s", last.message);
    return record(status, last.os_errno, last.file, last.offset, &t);
}

void status_save(holt_error *out)
{
    *out = last;
}

void status_keep(holt_status rc, holt_error *out)
{
    assert((rc == HOLT_OK || last.status == (uint32_t)rc) &&
           "a status is not the one of the thread's message");
    *out = last;
    out->status = (uint32_t)rc;
}

holt_status status_restore(const holt_error *saved)
{
    last = *saved;
    fresh = true;
    return (holt_status)last.status;
}

void status_put_aside(status_aside *out)
{
    out->error = last;
    out->fresh = fresh;
}

void status_put_back(const status_aside *saved)
{
    last = saved->error;
    fresh = saved->fresh;
}

#ifndef NDEBUG
void status_expect(void)
{
    fresh = false;
}

void status_check_call(holt_status rc)
{
    if (rc == HOLT_OK) return;
    assert(fresh && "a call fails without having set the thread's message");
    assert(last.status == (uint32_t)rc && "a call's status is not the one of the thread's message");
}
#endif

const char *holt_error_message(void)
{
    return last.message;
}

void holt_error_get(holt_error *out, size_t out_size)
{
    if (!out) return;
    size_t known = out_size < sizeof last ? out_size : sizeof last;
    memcpy(out, &last, known);
    memset((char *)out + known, 0, out_size - known);
}

const char *holt_status_name(holt_status status)
{
    switch (status) {
#define STATUS_CASE(name)                                                                                    \
    case name:                                                                                               \
        return #name;
        STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "HOLT_?";
}

#define STRING_OF(number) #number
#define DIGITS_OF(macro)  STRING_OF(macro)

const char *holt_version(void)
{
    return DIGITS_OF(HOLT_VERSION_MAJOR) "." DIGITS_OF(HOLT_VERSION_MINOR) "." DIGITS_OF(HOLT_VERSION_PATCH);
}
