/* filter.h -- a blocked Bloom filter: "certainly not here" for one cache line's cost.
 *
 * A filter is an array of 64-byte lines. A key's hash (XXH3-64 of the whole key) picks a line and k bits
 * within it. About 1% false positives at 10 bits a key (measured by tests/unit/block/test_filter.c: 0.99%).
 *
 * On disk      lines as they are, cut into pages of FILTER_PAGE_BYTES; docs/FORMAT.md says how a hash picks
 *              line and bits.
 * Concurrency  a finished filter is immutable.
 */
#ifndef HOLT_BLOCK_FILTER_H
#define HOLT_BLOCK_FILTER_H

#include <holt.h>

enum { FILTER_LINE_BYTES = 64, FILTER_PAGE_BYTES = 65536, FILTER_BITS_MAX = 32 };

/* Lines needed for `keys` keys at `bits` bits each (1..FILTER_BITS_MAX); at least 1, at most 2^32 - 1 (256 GiB
 * of filter). */
uint64_t filter_lines(uint64_t keys, uint32_t bits);
/* Which line a hash falls on, of `lines`. */
uint64_t filter_line_of(uint64_t hash, uint64_t lines);
/* Probes a key sets in its line, at `bits` bits a key (1..16; more bits mean the probes of 16). */
uint32_t filter_probes(uint32_t bits);
void     filter_line_add(uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes);
bool     filter_line_test(const uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes);

#endif
