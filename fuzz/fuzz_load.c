/* fuzz_load.c -- any bytes as what `holt load` reads: every record is within bounds, and what a dump holds can be written and
 * read again.
 *
 * The input's first byte chooses the format. The command's own files are linked, not the library.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"
#include "records.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 << 10, VALUE_MAX = 16 << 10 };

static void expect(bool condition)
{
    if (!condition) abort();
}

static int file_of(const void *data, size_t size)
{
    int descriptor = memfd_create("fuzz_load", 0);
    expect(descriptor >= 0);
    expect(write(descriptor, data, size) == (ssize_t)size);
    expect(lseek(descriptor, 0, SEEK_SET) == 0);
    return descriptor;
}

/* Escaped text reads back as the bytes it stands for. */
static void check_escapes(holt_slice bytes)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    expect(out != NULL);
    text_write_escaped(out, bytes);
    expect(fclose(out) == 0);
    expect(size == 0 || (!memchr(text, '\t', size) && !memchr(text, '\n', size)));
    expect(text_unescape(text, &size) == NULL);
    expect(size == bytes.size && (size == 0 || memcmp(text, bytes.data, size) == 0));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) return 0;
    records r;
    record got;
    record_kind kind;
    int descriptor = file_of(data + 1, size - 1);
    records_init(&r, (records_format)(data[0] % 4), "stdin", descriptor, VALUE_MAX);
    r.raw = data[0] & 4;
    uint64_t entries = 0;
    while ((kind = records_next(&r, &got)) == RECORD_ENTRY || kind == RECORD_COLLECTION) {
        if (kind == RECORD_COLLECTION) {
            expect(memchr(got.name, '\0', sizeof got.name) != NULL);
            continue;
        }
        entries++;
        expect(got.key.size <= size + 64 && got.value.size <= size);
        check_escapes(got.key);
        check_escapes(got.value);
    }
    expect(kind != RECORD_INTERRUPTED && entries == r.entries);
    if (kind == RECORD_BAD) expect(memchr(r.problem, '\0', sizeof r.problem) != NULL && r.problem[0]);
    records_deinit(&r);
    close(descriptor);
    return 0;
}
