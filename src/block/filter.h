/* filter.h -- a blocked Bloom filter: it rules out a key for the cost of one cache line.
 *
 * A filter is an array of 64-byte lines. A key's hash (XXH3-64 of the whole key) picks a line and k bits
 * within it. At 10 bits per key about 1% of the tests are false positives (tests/unit/block/test_filter.c
 * measures 0.99%).
 *
 * On disk      the lines as they are, cut into pages of FILTER_PAGE_BYTES; docs/FORMAT.md describes how a
 *              hash picks line and bits.
 * Concurrency  a finished filter is immutable.
 */
#ifndef HOLT_BLOCK_FILTER_H
#define HOLT_BLOCK_FILTER_H

#include <holt.h>

enum { FILTER_LINE_BYTES = 64, FILTER_PAGE_BYTES = 65536, FILTER_BITS_MAX = 32 };

/* The number of lines needed for `keys` keys at `bits` bits each (1..FILTER_BITS_MAX): at least 1, at most
 * 2^32 - 1 (256 GiB of filter). */
uint64_t filter_lines(uint64_t keys, uint32_t bits);
/* The line of a hash, of `lines`. */
uint64_t filter_line_of(uint64_t hash, uint64_t lines);
/* The number of probes per key at `bits` bits per key: from 1 to 10, which 16 bits and more give. */
uint32_t filter_probes(uint32_t bits);
void     filter_line_add(uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes);
bool     filter_line_test(const uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes);

#endif
