/* machine.h -- for the tests of sim: a machine with a directory "/db", and what is on its disk.
 *
 * Failures are failures of the running test.
 */
#ifndef HOLT_TESTS_MACHINE_H
#define HOLT_TESTS_MACHINE_H

#include "base/memory.h"
#include "os/os.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ok(call) expect_ok(call)

static inline os *machine(uint64_t seed)
{
    sim_options options = {.seed = seed};
    os *o = sim_create(&options);
    assert_non_null(o);
    ok(os_dir_create(o, "/db"));
    return o;
}

static inline os_dir *db_of(os *o)
{
    os_dir *d;
    ok(os_dir_open(o, "/db", &d));
    return d;
}

static inline os_file *file_of(os_dir *d, const char *name)
{
    os_file *f;
    ok(os_file_open(d, name, OS_WRITE | OS_CREATE, &f));
    return f;
}

/* Writes a string at an offset. */
static inline void put(os_file *f, uint64_t offset, const char *string)
{
    ok(os_file_write(f, offset, string, strlen(string)));
}

/* A file with these contents, synced together with its name. */
static inline os_file *durable_file(os_dir *d, const char *name, const char *contents)
{
    os_file *f = file_of(d, name);
    put(f, 0, contents);
    ok(os_file_sync(f));
    ok(os_dir_sync(d));
    return f;
}

/* The contents of "/db/NAME" as a string, "(none)" if it is missing; in a buffer that the next call
 * reuses. */
static inline const char *text_of(os *o, const char *name)
{
    static char text[1024];
    char path[80];
    snprintf(path, sizeof path, "/db/%s", name);
    void *bytes;
    size_t size;
    holt_status status = sim_peek(o, path, &bytes, &size);
    if (status == HOLT_NOT_FOUND) return "(none)";
    ok(status);
    assert_true(size < sizeof text);
    for (size_t i = 0; i < size; i++)
        text[i] = ((char *)bytes)[i] ? ((char *)bytes)[i] : '0';
    text[size] = '\0';
    mem_free(bytes);
    return text;
}

/* A clone of the machine after a power cut. */
static inline os *after_cut(os *o, sim_keep files, sim_keep names, uint64_t seed)
{
    sim_cut cut = {.files = files, .entries = names, .tear_bytes = 512};
    os *clone = sim_clone(o, seed);
    assert_non_null(clone);
    sim_power_cut(clone, &cut, seed);
    return clone;
}

static inline void assert_after_cut(os *o, sim_keep files, sim_keep names, const char *name,
                                    const char *text)
{
    os *clone = after_cut(o, files, names, 1);
    assert_string_equal(text_of(clone, name), text);
    sim_destroy(clone);
}

#endif
