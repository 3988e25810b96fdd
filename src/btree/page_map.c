/* page_map.c -- see page_map.h. */
#include "btree/page_map.h"

#include "base/coding.h"
#include "base/memory.h"

#include <assert.h>

enum { WORD_BITS = 64, MAP_GROUP_WORDS = MAP_GROUP_PAGES / WORD_BITS };

void page_map_deinit(page_map *m)
{
    mem_free(m->words);
    memset(m, 0, sizeof *m);
}

/* The bits of the header and map pages in the first word of a group. */
static uint64_t reserved_bits(size_t group)
{
    const unsigned pages = group == 0 ? PAGES_MIN : 2;
    return ((uint64_t)1 << pages) - 1;
}

bool page_map_grow(page_map *m, size_t map_groups)
{
    if (map_groups <= m->map_groups) return true;
    if (!mem_grow((void **)&m->words, &m->capacity, map_groups, MAP_GROUP_WORDS * sizeof *m->words))
        return false;
    for (; m->map_groups < map_groups; m->map_groups++) {
        uint64_t *words = m->words + m->map_groups * MAP_GROUP_WORDS;
        memset(words, 0, MAP_GROUP_WORDS * sizeof *words);
        words[0] = reserved_bits(m->map_groups);
    }
    return true;
}

/* ---------------------------------------------------------------- bits */

static uint64_t bits_of(const page_map *m)
{
    return (uint64_t)m->map_groups * MAP_GROUP_PAGES;
}

bool page_map_get(const page_map *m, uint64_t page)
{
    return page < bits_of(m) && (m->words[page / WORD_BITS] >> page % WORD_BITS & 1);
}

bool page_map_all(const page_map *m, uint64_t first, uint64_t count, bool value)
{
    for (uint64_t i = 0; i < count; i++)
        if (page_map_get(m, first + i) != value) return false;
    return true;
}

void page_map_set(page_map *m, uint64_t first, uint64_t count, bool value)
{
    for (uint64_t page = first; page < first + count; page++) {
        assert(!page_is_reserved(page) && page_map_get(m, page) != value);
        m->words[page / WORD_BITS] ^= (uint64_t)1 << page % WORD_BITS;
    }
    m->count = value ? m->count + count : m->count - count;
}

/* The first page in [at, end) with this value, or `end`. */
static uint64_t next_page(const page_map *m, uint64_t at, uint64_t end, bool value)
{
    while (at < end) {
        uint64_t word = m->words[at / WORD_BITS];
        word = (value ? word : ~word) >> at % WORD_BITS;
        if (word) {
            at += (uint64_t)__builtin_ctzll(word);
            return at < end ? at : end;
        }
        at += WORD_BITS - at % WORD_BITS;
    }
    return end;
}

uint64_t page_map_find(const page_map *m, uint64_t from, uint64_t count)
{
    assert(count > 0);
    uint64_t bits = bits_of(m);
    for (uint64_t at = next_page(m, from, bits, false); at < bits && count <= bits - at;) {
        uint64_t end = next_page(m, at, at + count, true);
        if (end == at + count) return at;
        at = next_page(m, end, bits, false);
    }
    return PAGE_NONE;
}

uint64_t page_map_end(const page_map *m)
{
    for (size_t i = m->map_groups * MAP_GROUP_WORDS; i-- > 0;) {
        uint64_t word = m->words[i];
        if (i % MAP_GROUP_WORDS == 0) word &= ~reserved_bits(i / MAP_GROUP_WORDS);
        if (word) return (uint64_t)(i + 1) * WORD_BITS - (uint64_t)__builtin_clzll(word);
    }
    return PAGES_MIN;
}

/* ---------------------------------------------------------------- bytes */

void page_map_encode(const page_map *m, size_t group, uint8_t out[MAP_BYTES])
{
    assert(group < m->map_groups);
    const uint64_t *words = m->words + group * MAP_GROUP_WORDS;
    for (size_t i = 0; i < MAP_GROUP_WORDS; i++)
        put_u64le(out + 8 * i, words[i]);
}

bool page_map_decode(page_map *m, size_t group, const uint8_t in[MAP_BYTES])
{
    assert(group < m->map_groups);
    uint64_t *words = m->words + group * MAP_GROUP_WORDS;
    for (size_t i = 0; i < MAP_GROUP_WORDS; i++) {
        words[i] = get_u64le(in + 8 * i);
        m->count += (uint64_t)__builtin_popcountll(words[i]);
    }
    m->count -= (uint64_t)__builtin_popcountll(words[0] & reserved_bits(group));
    return (words[0] & reserved_bits(group)) == reserved_bits(group);
}
