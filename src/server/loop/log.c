/* log.c -- see log.h. */
#include "loop/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <holt.h>

#include "common/json.h"

/* Relaxed everywhere: a line more or less around a change of the level does not matter. */
static _Atomic uint32_t detail = HOLT_LOG_INFO;

const char *log_level_name(uint32_t level)
{
    static const char *const names[] = {"info", "error", "warning", "info", "debug"};
    return level <= HOLT_LOG_DEBUG ? names[level] : "debug";
}

void log_set_level(uint32_t level)
{
    atomic_store_explicit(&detail, level, memory_order_relaxed);
}

uint32_t log_level(void)
{
    return atomic_load_explicit(&detail, memory_order_relaxed);
}

static void write_json(uint32_t level, const char *message)
{
    char now[40];
    struct timespec time;
    struct tm parts;
    json_writer w;
    clock_gettime(CLOCK_REALTIME, &time);
    gmtime_r(&time.tv_sec, &parts);
    size_t used = strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(now + used, sizeof now - used, ".%03ldZ", time.tv_nsec / 1000000);
    json_init(&w, stderr, false);
    json_object_begin(&w);
    json_member_string(&w, "time", now);
    json_member_string(&w, "level", log_level_name(level));
    json_member_bytes(&w, "message", holt_str(message));
    json_object_end(&w);
    fputc('\n', stderr);
}

void log_write(uint32_t level, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    if (level > log_level()) return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    flockfile(stderr);
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "holt serve: %s: %s\n", log_level_name(level), message);
    } else {
        write_json(level, message);
    }
    fflush(stderr);
    funlockfile(stderr);
}

void log_engine_line(void *log_ctx, uint32_t level, const char *line)
{
    (void)log_ctx;
    log_write(level, "%s", line);
}
