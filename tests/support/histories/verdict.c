/* verdict.c -- first failures and readable bytes. */
#include "support/histories/verdict.h"

#include <stdarg.h>
#include <stdio.h>

static void append(verdict *v, const char *format, va_list args)
{
    size_t used = strlen(v->text);
    if (used + 1 < sizeof v->text) vsnprintf(v->text + used, sizeof v->text - used, format, args);
}

bool verdict_failed(verdict *v)
{
    /* Acquire: a thread that sees the flag sees the message. */
    return atomic_load_explicit(&v->failed, memory_order_acquire);
}

/* Keeps the message if it is the first. */
static void keep(verdict *v, const char *format, va_list args)
{
    pthread_mutex_lock(&v->mutex);
    if (!verdict_failed(v)) append(v, format, args);
    /* Release: see verdict_failed. */
    atomic_store_explicit(&v->failed, true, memory_order_release);
    pthread_mutex_unlock(&v->mutex);
}

bool verdict_fail(verdict *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep(v, format, args);
    va_end(args);
    return false;
}

void verdict_add(verdict *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&v->mutex);
    append(v, format, args);
    pthread_mutex_unlock(&v->mutex);
    va_end(args);
}

bool verdict_status(verdict *v, holt_status got, holt_status expected, const char *format, ...)
{
    if (got == expected) return true;
    char call[400];
    va_list args;
    va_start(args, format);
    vsnprintf(call, sizeof call, format, args);
    va_end(args);
    return verdict_fail(v, "%s: %s, expected %s (%s)", call, holt_status_name(got),
                        holt_status_name(expected), got == HOLT_OK ? "" : holt_error_message());
}

const char *describe(holt_slice s, char buffer[DESCRIBE_BYTES])
{
    const unsigned char *bytes = (const unsigned char *)s.data;
    size_t used = 0;
    buffer[used++] = '"';
    for (size_t i = 0; i < s.size && used < DESCRIBE_BYTES - 40; i++) {
        bool plain = bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '"' && bytes[i] != '\\';
        used += (size_t)snprintf(buffer + used, DESCRIBE_BYTES - used, plain ? "%c" : "\\x%02x", bytes[i]);
    }
    snprintf(buffer + used, DESCRIBE_BYTES - used, "\"(%zu)", s.size);
    return buffer;
}
