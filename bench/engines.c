/* engines.c -- the engines that were built in, and what the adapters share. Meson defines ENGINES, a list of
 * ENGINE(name), and ENGINES_MISSING. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENGINE(name) extern const engine engine_##name;
ENGINES
#undef ENGINE

#define ENGINE(name) &engine_##name,
const engine *const engines[] = {ENGINES NULL};
#undef ENGINE

const char engines_missing[] = ENGINES_MISSING;

/* The engine of this process; NULL in the parent. Set before any threads are started. */
static const engine *running;

void engine_fail(const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "compare: %s: %s\n", running ? running->name : "?", message);
    _exit(1); /* the engine's own clean-up might fail too */
}

void engine_path(const engine_settings *s, const char *file, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", s->directory, file);
}

void *engine_allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory) return memory;
    fprintf(stderr, "compare: out of memory\n");
    _exit(1);
}

database *engine_open(const engine *e, const engine_settings *s)
{
    database *d = engine_allocate(e->database_bytes);
    running = e;
    e->open(d, s);
    return d;
}

void engine_close(const engine *e, database *d)
{
    if (d) e->close(d);
    free(d);
}

session *engine_session_open(const engine *e, database *d)
{
    session *s = engine_allocate(e->session_bytes);
    e->session_open(s, d);
    return s;
}

void engine_session_close(const engine *e, session *s)
{
    if (e->session_close) e->session_close(s);
    free(s);
}
