/* load.h -- what the fuzz targets of `holt load` share: bytes as a file, and reading all of its records.
 *
 * The command's own files are linked, not the library.
 */
#ifndef FUZZ_LOAD_H
#define FUZZ_LOAD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/records.h"

enum { INPUT_MAX = 64 << 10, VALUE_MAX = 16 << 10 };

static inline void expect(bool condition)
{
    if (!condition) abort();
}

static inline int file_of(const void *data, size_t size)
{
    int descriptor = memfd_create("fuzz_load", 0);
    expect(descriptor >= 0);
    expect(write(descriptor, data, size) == (ssize_t)size);
    expect(lseek(descriptor, 0, SEEK_SET) == 0);
    return descriptor;
}

static inline bool is_same(holt_slice a, holt_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Reads all records and calls check for each entry. Every record must be within bounds, and every problem
 * described. */
static inline void read_all(const records_options *options, const void *data, size_t size,
                            void (*check)(holt_slice key, holt_slice value))
{
    records r;
    record got;
    record_kind kind;
    uint64_t entries = 0;
    int descriptor = file_of(data, size);
    records_init(&r, options, "stdin", descriptor);
    while ((kind = records_next(&r, &got)) == RECORD_ENTRY || kind == RECORD_COLLECTION) {
        if (kind == RECORD_COLLECTION) {
            expect(memchr(got.name, '\0', sizeof got.name) != NULL);
            continue;
        }
        entries++;
        /* A key of lines has the file's name and a number, and a stanza gets a line feed. */
        expect(got.key.size <= size + 64 && got.value.size <= size + 1);
        check(got.key, got.value);
    }
    expect(kind != RECORD_INTERRUPTED && entries == r.entries);
    if (kind == RECORD_BAD) expect(memchr(r.problem, '\0', sizeof r.problem) != NULL && r.problem[0]);
    records_deinit(&r);
    close(descriptor);
}

/* Reads text that must contain exactly this entry. */
static inline void read_back(const records_options *options, const void *text, size_t size, holt_slice key,
                             holt_slice value)
{
    records r;
    record got;
    int descriptor = file_of(text, size);
    records_init(&r, options, "stdin", descriptor);
    expect(records_next(&r, &got) == RECORD_ENTRY);
    expect(is_same(got.key, key) && is_same(got.value, value));
    expect(records_next(&r, &got) == RECORD_END);
    records_deinit(&r);
    close(descriptor);
}

#endif
