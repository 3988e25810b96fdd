/* engines.c -- the engines that were built in, and what adapters share. Meson defines the HAVE_ names. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const engine engine_holt, engine_rocksdb, engine_leveldb, engine_lmdb, engine_sqlite,
    engine_wiredtiger, engine_berkeleydb, engine_bare_sync, engine_bare_group, engine_bare_write;

const engine *const engines[] = {
    &engine_holt,
#ifdef HAVE_ROCKSDB
    &engine_rocksdb,
#endif
#ifdef HAVE_LEVELDB
    &engine_leveldb,
#endif
#ifdef HAVE_LMDB
    &engine_lmdb,
#endif
#ifdef HAVE_SQLITE
    &engine_sqlite,
#endif
#ifdef HAVE_WIREDTIGER
    &engine_wiredtiger,
#endif
#ifdef HAVE_BERKELEYDB
    &engine_berkeleydb,
#endif
    &engine_bare_sync,  &engine_bare_group, &engine_bare_write, NULL,
};

const char engines_missing[] = ENGINES_MISSING;

void engine_fail(const engine *e, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "compare: %s: %s\n", e->name, message);
    _exit(1); /* the engine's own clean-up may not survive what has failed */
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
