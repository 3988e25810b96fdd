/* fuzz_key.c -- arbitrary bytes as two keys: what is accepted is the code of what was read, and the order of
 * the bytes is that of the values.
 *
 * Byte 0: which parts are descending; byte 1: where the second key begins.
 */
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct key {
    uint8_t *bytes, *room;
    size_t size;
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count;
} key;

static bool key_open(key *k, slice bytes, uint64_t descending)
{
    k->bytes = copy_of(bytes);
    k->room = malloc(bytes.size ? bytes.size : 1);
    expect(k->room != NULL);
    k->size = bytes.size;
    k->count = HOLT_KEY_PARTS_MAX;
    holt_status rc = holt_key_decode(bytes, descending, k->parts, &k->count, k->room, bytes.size);
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT);
    return rc == HOLT_OK;
}

static void key_close(key *k)
{
    free(k->bytes);
    free(k->room);
}

static void check_round_trip(const key *k, uint64_t descending)
{
    uint8_t *again = malloc(k->size ? k->size : 1);
    size_t size;
    expect(again != NULL);
    expect(holt_key_encode(k->parts, k->count, descending, again, k->size, &size) == HOLT_OK);
    expect(size == k->size && bytes_compare(again, k->bytes, size) == 0);
    free(again);
}

static int compare(const key *a, const key *b, uint64_t descending)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = datum_compare(&a->parts[i], &b->parts[i]);
        if (order) return descending >> i & 1 ? -order : order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static void check_order(const key *a, const key *b, uint64_t descending)
{
    int bytes = slice_compare(slice_of(a->bytes, a->size), slice_of(b->bytes, b->size));
    int order = compare(a, b, descending);
    expect((bytes > 0) - (bytes < 0) == (order > 0) - (order < 0));
}

/* All keys that begin with the code are before its end. */
static void check_prefix_end(const key *k)
{
    uint8_t *end = copy_of(slice_of(k->bytes, k->size));
    size_t size = k->size;
    holt_key_prefix_end(end, &size);
    expect(size <= k->size && (size > 0) == (k->size > 0));
    expect(size == 0 || slice_compare(slice_of(end, size), slice_of(k->bytes, k->size)) > 0);
    free(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    uint64_t descending = data[0];
    size_t first = data[1] < size - 2 ? data[1] : size - 2;
    key a, b;
    bool a_valid = key_open(&a, slice_of(data + 2, first), descending);
    bool b_valid = key_open(&b, slice_of(data + 2 + first, size - 2 - first), descending);
    if (a_valid) check_round_trip(&a, descending);
    if (a_valid) check_prefix_end(&a);
    if (b_valid) check_round_trip(&b, descending);
    if (a_valid && b_valid) check_order(&a, &b, descending);
    key_close(&a);
    key_close(&b);
    return 0;
}
