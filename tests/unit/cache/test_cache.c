/* test_cache.c -- tests src/cache: a lookup returns only what was inserted for the same pointer, and the
 * cache stays within its limit, whatever readers do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "base/memory.h"
#include "base/random.h"
#include "cache/cache_internal.h"
#include "support/seed.h"

enum { MIB = 1 << 20, BLOCK_MAX = 65536 };

/* ---------------------------------------------------------------- blocks made from their pointer */

static block_ptr pointer(uint32_t file, uint32_t ordinal, uint32_t version, uint32_t length)
{
    uint64_t x = (uint64_t)file << 48 ^ (uint64_t)version << 32 ^ ordinal;
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return (block_ptr){
        .offset = (uint64_t)ordinal * 4096, .checksum = x ^ x >> 29, .length = length, .ordinal = ordinal};
}

static uint64_t expected_word(block_ptr p, uint32_t index)
{
    return p.checksum * (2 * index + 1);
}

/* Borrowed until the thread's next call. */
static const void *bytes_of(block_ptr p)
{
    static _Thread_local uint64_t words[BLOCK_MAX / 8];
    for (uint32_t i = 0; i < (p.length + 7) / 8; i++)
        words[i] = expected_word(p, i);
    return words;
}

static bool bytes_are_of(const uint8_t *bytes, block_ptr p)
{
    for (uint32_t i = 0; i < p.length / 8; i += 7) {
        uint64_t expected = expected_word(p, i);
        if (memcmp(bytes + (size_t)i * 8, &expected, 8) != 0) return false;
    }
    uint64_t last = expected_word(p, p.length / 8); /* only as far as it goes */
    return memcmp(bytes + p.length / 8 * 8, &last, p.length % 8) == 0;
}

static void insert(cache_file *f, block_ptr p, cache_priority priority)
{
    cache_insert(f, p, bytes_of(p), priority);
}

/* Whether the block is cached; its bytes must be right. */
static bool look(cache_file *f, block_ptr p)
{
    assert_int_equal(epoch_enter(), HOLT_OK);
    const uint8_t *bytes = cache_lookup(f, p);
    if (bytes) assert_true(bytes_are_of(bytes, p));
    epoch_leave();
    return bytes != NULL;
}

static cache *new_cache(uint64_t limit)
{
    cache *c;
    assert_int_equal(cache_create(&c, limit), HOLT_OK);
    return c;
}

static cache_file *new_file(cache *c)
{
    cache_file *f;
    assert_int_equal(cache_file_open(c, &f), HOLT_OK);
    return f;
}

static cache_stats stats_of(cache *c)
{
    cache_stats stats;
    cache_stats_get(c, &stats);
    return stats;
}

static void expect_sound(cache *c)
{
    assert_true(cache_check(c));
    cache_stats stats = stats_of(c);
    assert_true(stats.bytes <= stats.limit_bytes);
    assert_true(stats.resident_bytes <= stats.bytes);
}

/* ---------------------------------------------------------------- tests: hit and miss */

/* The checksum is all that tells a page from what was written to its place later. */
static void a_block_is_found_only_by_the_pointer_it_was_inserted_with(void **state)
{
    cache *c = new_cache(4 * MIB);
    cache_file *f = new_file(c), *other = new_file(c);
    block_ptr p = pointer(0, 7, 0, 4096), renewed = pointer(0, 7, 1, 4096), shorter = p;
    shorter.length = 4000;
    assert_false(look(f, p));
    insert(f, p, CACHE_WARM);
    assert_true(look(f, p));
    assert_false(look(f, renewed));
    assert_false(look(f, shorter));
    assert_false(look(f, pointer(0, 8, 0, 4096)));
    assert_false(look(f, pointer(0, 1000000, 0, 4096)));
    assert_false(look(other, p));

    insert(f, renewed, CACHE_WARM);
    assert_false(look(f, p));
    assert_true(look(f, renewed));
    cache_erase(f, 7);
    assert_false(look(f, renewed));
    cache_erase(f, 7);
    cache_erase(f, 100000);
    cache_stats stats = stats_of(c);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 8);
    assert_int_equal(stats.declined, 0);
    assert_int_equal(stats.evictions, 0);
    expect_sound(c);
    cache_file_close(f);
    cache_file_close(other);
    cache_file_close(NULL);
    cache_destroy(c);
    cache_destroy(NULL);
}

/* A block inserted twice, by two readers that missed at the same time, must not take two frames. */
static void inserting_a_cached_block_again_takes_nothing(void **state)
{
    cache *c = new_cache(MIB);
    cache_file *f = new_file(c);
    for (int i = 0; i < 1000; i++)
        insert(f, pointer(0, 3, 0, 4096), CACHE_COLD);
    assert_int_equal(stats_of(c).declined, 0);
    assert_int_equal(stats_of(c).evictions, 0);
    cache_file_close(f);
    cache_destroy(c);
}

/* Each class must work, up to its last byte, and in a cache so small that a slab holds one frame of the
 * largest. */
static void every_size_up_to_64_kib_is_cached(void **state)
{
    const uint64_t limits[] = {MIB, 64 * MIB, 1024 * (uint64_t)MIB};
    const uint32_t sizes[] = {1,     24,    4095,  4096,  4097,  8192,  8193,  12288, 12289,
                              16384, 24576, 24577, 32768, 32769, 49152, 49153, 65536};
    for (size_t l = 0; l < 3; l++) {
        cache *c = new_cache(limits[l]);
        cache_file *f = new_file(c);
        for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (int tries = 0; tries < 50 && !look(f, pointer(0, i, 0, sizes[i])); tries++)
                insert(f, pointer(0, i, 0, sizes[i]), CACHE_WARM);
            assert_true(look(f, pointer(0, i, 0, sizes[i])));
        }
        uint64_t declined = stats_of(c).declined;
        static const uint8_t large[65537];
        block_ptr p = pointer(0, 50, 0, 65537);
        cache_insert(f, p, large, CACHE_RESIDENT);
        assert_false(look(f, p));
        assert_int_equal(stats_of(c).declined, declined + 1);
        expect_sound(c);
        cache_file_close(f);
        cache_destroy(c);
    }
}

/* ---------------------------------------------------------------- tests: eviction */

/* Any block may be evicted at any time, but a lookup must never return one that was not inserted for its
 * pointer. */
static void a_small_cache_returns_the_right_block_or_none(void **state)
{
    enum { FILES = 3, ORDINALS = 3000 };
    rng r;
    rng_seed(&r, test_seed());
    cache *c = new_cache(MIB);
    cache_file *files[FILES];
    static uint32_t versions[FILES][ORDINALS]; /* the newest inserted; older ones must not come back */
    memset(versions, 0, sizeof versions);
    for (int i = 0; i < FILES; i++)
        files[i] = new_file(c);
    uint64_t hits = 0;
    for (int step = 0; step < 40000; step++) {
        uint32_t f = (uint32_t)rng_below(&r, FILES), ordinal = (uint32_t)rng_below(&r, ORDINALS);
        if (rng_chance(&r, 2)) ordinal %= 100;
        if (rng_chance(&r, 50)) versions[f][ordinal]++;
        uint32_t length = 1 + ordinal * 7919 % (step % 10000 < 5000 ? 9000 : 40000);
        block_ptr p = pointer(f, ordinal, versions[f][ordinal], length);
        if (look(files[f], p))
            hits++;
        else
            insert(files[f], p, (cache_priority)rng_below(&r, 3));
        if (rng_chance(&r, 20)) cache_erase(files[f], (uint32_t)rng_below(&r, ORDINALS));
        if (rng_chance(&r, 5000)) {
            cache_file_close(files[f]);
            files[f] = new_file(c);
        }
        if (step % 1000 == 0) expect_sound(c);
        assert_true(stats_of(c).bytes <= MIB);
    }
    assert_true(hits > 1500); /* some 50 to 200 of its 300 busier blocks fit */
    assert_true(stats_of(c).evictions > 1000);
    for (int i = 0; i < FILES; i++)
        cache_file_close(files[i]);
    expect_sound(c);
    cache_destroy(c);
}

/* A scan through much more than the cache holds must not cost the blocks that are in use their place. */
static void a_scan_does_not_displace_what_is_used(void **state)
{
    enum { HOT = 200, SCAN = 10000 };
    cache *c = new_cache(4 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < HOT; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    uint32_t lost = 0;
    for (uint32_t i = 0; i < SCAN; i++) {
        insert(f, pointer(0, HOT + i, 0, 4096), CACHE_COLD);
        lost += !look(f, pointer(0, i % HOT, 0, 4096));
    }
    assert_int_equal(lost, 0);
    assert_true(stats_of(c).evictions > SCAN / 2);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* What a flush has just written may be read soon, but not at the price of what is being read. */
static void spare_inserts_fill_free_memory_and_evict_nothing(void **state)
{
    enum { HOT = 100, MANY = 3000 };
    cache *c = new_cache(4 * MIB);
    cache_file *f = new_file(c);
    uint32_t hot = 0, spare = 0;
    for (uint32_t i = 0; i < HOT; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    for (uint32_t i = HOT; i < HOT + MANY; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_SPARE);
    for (uint32_t i = 0; i < HOT; i++)
        hot += look(f, pointer(0, i, 0, 4096));
    for (uint32_t i = HOT; i < HOT + MANY; i++)
        spare += look(f, pointer(0, i, 0, 4096));
    assert_int_equal(hot, HOT);
    assert_in_range(spare, 500, 1000);
    assert_int_equal(stats_of(c).evictions, 0);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* With one thread no insert that fits may be declined for lack of a frame: the stock is evicted in
 * advance. */
static void inserts_succeed_while_there_are_no_readers(void **state)
{
    cache *c = new_cache(2 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 20000; i++) {
        insert(f, pointer(0, i, 0, 8000), i % 3 ? CACHE_COLD : CACHE_WARM);
        assert_true(look(f, pointer(0, i, 0, 8000)));
    }
    assert_int_equal(stats_of(c).declined, 0);
    assert_true(stats_of(c).bytes > 2 * MIB - 2 * MIB / 8); /* and the memory is used */
    cache_file_close(f);
    cache_destroy(c);
}

/* All memory went to small blocks; a workload that turns to large ones must get it, though no class has any
 * left. */
static void memory_follows_the_sizes_in_use(void **state)
{
    enum { LARGE = 40 };
    cache *c = new_cache(8 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 4000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    uint32_t hits = 0;
    for (int round = 0; round < 60; round++) {
        hits = 0;
        for (uint32_t i = 0; i < LARGE; i++) {
            block_ptr p = pointer(0, 10000 + i, 0, BLOCK_MAX);
            if (look(f, p))
                hits++;
            else
                insert(f, p, CACHE_WARM);
        }
    }
    assert_int_equal(hits, LARGE);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* ---------------------------------------------------------------- tests: resident */

/* Inner nodes stay whatever is scanned, but only up to half of the limit: beyond it they must not squeeze out
 * the rest. */
static void resident_blocks_stay_within_half_of_the_limit(void **state)
{
    cache *c = new_cache(4 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 2000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_RESIDENT);
    cache_stats stats = stats_of(c);
    assert_true(stats.resident_bytes > 3 * MIB / 2);
    assert_true(stats.resident_bytes <= 2 * MIB + 64 * 1024);
    for (uint32_t i = 0; i < 5000; i++)
        insert(f, pointer(0, 10000 + i, 0, 4096), CACHE_WARM);
    uint32_t stayed = 0;
    for (uint32_t i = 0; i < 2000; i++)
        stayed += look(f, pointer(0, i, 0, 4096));
    assert_in_range(stayed, 300, 520);
    expect_sound(c);

    /* Half of a lower limit holds fewer: the others become ordinary, and go. */
    cache_set_limit(c, MIB);
    for (uint32_t i = 0; i < 5000; i++)
        insert(f, pointer(0, 20000 + i, 0, 4096), CACHE_WARM);
    assert_true(stats_of(c).resident_bytes <= MIB / 2 + 64 * 1024);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* Filters live outside but within the limit: what they take the blocks must give up, at once and for good. */
static void reserved_memory_is_taken_from_the_blocks(void **state)
{
    cache *c = new_cache(4 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 3000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    assert_true(stats_of(c).bytes > 3 * MIB);
    assert_false(cache_reserve_resident(c, 2 * MIB + 1));
    assert_false(cache_reserve_resident(c, UINT64_MAX));
    assert_true(cache_reserve_resident(c, MIB));
    expect_sound(c);
    assert_true(stats_of(c).resident_bytes >= MIB);
    assert_true(cache_reserve_resident(c, MIB / 2));
    assert_false(cache_reserve_resident(c, MIB));
    for (uint32_t i = 0; i < 3000; i++) {
        insert(f, pointer(0, i, 1, 4096), CACHE_WARM);
        assert_true(stats_of(c).bytes <= 4 * MIB);
    }
    expect_sound(c);
    cache_release_resident(c, MIB);
    cache_release_resident(c, MIB / 2);
    for (uint32_t i = 0; i < 3000; i++)
        insert(f, pointer(0, i, 2, 4096), CACHE_WARM);
    assert_true(stats_of(c).bytes > 3 * MIB);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* ---------------------------------------------------------------- tests: files and limits */

/* Frames that a closed file left behind would be lost for good: nothing could find and evict them. */
static void closing_files_frees_all_they_had(void **state)
{
    enum { FILES = 50 };
    cache *c = new_cache(4 * MIB);
    uint64_t empty = stats_of(c).bytes;
    for (int round = 0; round < 5; round++) {
        cache_file *files[FILES];
        for (uint32_t i = 0; i < FILES; i++) {
            files[i] = new_file(c);
            for (uint32_t j = 0; j < 20; j++)
                insert(files[i], pointer(i, j * j * 100, 0, 4096), j % 2 ? CACHE_RESIDENT : CACHE_WARM);
        }
        expect_sound(c);
        for (uint32_t i = 0; i < FILES; i++)
            cache_file_close(files[i]);
        expect_sound(c);
        insert(files[0] = new_file(c), pointer(0, 0, 0, 4096), CACHE_COLD); /* reclaims */
        cache_file_close(files[0]);
        assert_int_equal(stats_of(c).resident_bytes, 0);
    }
    cache_set_limit(c, 0);
    cache_file *f = new_file(c);
    insert(f, pointer(0, 0, 0, 4096), CACHE_COLD);
    cache_file_close(f);
    assert_true(stats_of(c).bytes <= empty + 4096); /* all slabs are gone, but the lists of them */
    cache_destroy(c);
}

/* A file read here and there needs an array part for each block; they must neither pile up nor pass the
 * limit. */
static void sparse_ordinals_stay_within_the_limit(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    cache *c = new_cache(MIB);
    cache_file *f = new_file(c);
    for (int i = 0; i < 5000; i++) {
        block_ptr p = pointer(0, (uint32_t)rng_below(&r, 2000000), 0, 4096);
        insert(f, p, CACHE_WARM);
        assert_true(stats_of(c).bytes <= MIB);
        if (i > 100 && i % 100 == 0) assert_true(look(f, p));
    }
    uint64_t declined = stats_of(c).declined;
    insert(f, pointer(0, UINT32_MAX, 0, 4096), CACHE_WARM); /* its array alone would be 128 MiB */
    assert_int_equal(stats_of(c).declined, declined + 1);
    expect_sound(c);
    cache_file_close(f);
    cache_destroy(c);
}

/* Shrinking evicts at once, but not the ground under a reader; growing again must be usable. */
static void the_limit_can_be_moved(void **state)
{
    cache *c = new_cache(16 * MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 4000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    cache_set_limit(c, 2 * MIB);
    assert_true(stats_of(c).bytes <= 2 * MIB);
    expect_sound(c);

    cache_set_limit(c, 16 * MIB);
    for (uint32_t i = 0; i < 3000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    assert_true(stats_of(c).bytes > 12 * MIB);
    block_ptr p = pointer(0, 1234, 0, 4096);
    assert_int_equal(epoch_enter(), HOLT_OK);
    const uint8_t *bytes = cache_lookup(f, p);
    assert_non_null(bytes);
    cache_set_limit(c, 0);
    assert_true(bytes_are_of(bytes, p));
    assert_true(stats_of(c).bytes > 12 * MIB);
    epoch_leave();
    insert(f, p, CACHE_WARM);
    assert_false(look(f, p));
    assert_true(stats_of(c).bytes < MIB);
    assert_true(cache_check(c));
    cache_file_close(f);
    cache_destroy(c);
}

/* Slabs, arrays and frames that wait for an epoch belong to no list a closing would walk: the leak would be
 * theirs. */
static void destroying_gives_back_what_is_still_leaving(void **state)
{
    cache *c = new_cache(MIB);
    cache_file *f = new_file(c);
    for (uint32_t i = 0; i < 2000; i++)
        insert(f, pointer(0, i, 0, 4096), CACHE_WARM);
    assert_int_equal(epoch_enter(), HOLT_OK);
    cache_erase(f, 1999);
    cache_set_limit(c, MIB / 2);
    assert_true(cache_check(c));
    epoch_leave();
    cache_file_close(f);
    assert_true(cache_check(c));
    cache_destroy(c);
}

/* ---------------------------------------------------------------- tests: failure and contention */

/* An insert that finds no memory is dropped; counts and frames must agree after it, wherever it failed. */
static void failed_allocations_only_decline(void **state)
{
    cache *c;
    mem_fail_at(1, false);
    assert_int_equal(cache_create(&c, MIB), HOLT_NO_MEMORY);
    assert_null(c);
    for (uint64_t n = 1; n < 60; n++) {
        c = new_cache(MIB);
        cache_file *f;
        mem_fail_at(n == 1 ? 1 : 0, false);
        assert_int_equal(cache_file_open(c, &f), n == 1 ? HOLT_NO_MEMORY : HOLT_OK);
        if (!f) f = new_file(c);
        mem_fail_at(n, n % 2);
        for (uint32_t i = 0; i < 300; i++)
            insert(f, pointer(0, i * 300, 0, 1 + i * 200), CACHE_WARM);
        mem_fail_at(0, false);
        expect_sound(c);
        block_ptr p = pointer(0, 77, 0, 4096);
        for (int tries = 0; tries < 50 && !look(f, p); tries++)
            insert(f, p, CACHE_WARM);
        assert_true(look(f, p));
        cache_file_close(f);
        expect_sound(c);
        cache_destroy(c);
    }
}

typedef struct helper {
    cache *cache;
    cache_file *file;
    _Atomic int stage;
} helper;

static void helper_reach(helper *h, int stage)
{
    atomic_store_explicit(&h->stage, stage, memory_order_release);
}

static void helper_await(helper *h, int stage)
{
    while (atomic_load_explicit(&h->stage, memory_order_acquire) < stage)
        sched_yield();
}

static void *fill_from_elsewhere(void *argument)
{
    helper *h = argument;
    helper_await(h, 1);
    for (uint32_t i = 0; i < 3000; i++)
        insert(h->file, pointer(0, 100 + i, 0, 4096), CACHE_WARM);
    cache_erase(h->file, 1);
    insert(h->file, pointer(0, 2, 1, 4096), CACHE_WARM);
    helper_reach(h, 2);
    return NULL;
}

/* Readers need no pins because no frame that they have found is reused before their epoch section ends, even
 * if its block is evicted, erased or replaced. */
static void what_a_reader_found_stays_until_its_section_ends(void **state)
{
    cache *c = new_cache(MIB);
    helper h = {.cache = c, .file = new_file(c)};
    block_ptr p[3];
    const uint8_t *bytes[3];
    for (uint32_t i = 0; i < 3; i++)
        insert(h.file, p[i] = pointer(0, i, 0, 4096), CACHE_COLD);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill_from_elsewhere, &h), 0);
    assert_int_equal(epoch_enter(), HOLT_OK);
    for (int i = 0; i < 3; i++)
        assert_non_null(bytes[i] = cache_lookup(h.file, p[i]));
    helper_reach(&h, 1);
    helper_await(&h, 2);
    for (int i = 0; i < 3; i++)
        assert_true(bytes_are_of(bytes[i], p[i]));
    epoch_leave();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(stats_of(c).declined > 1000); /* nothing could be reused, and no insert waited */
    insert(h.file, p[0], CACHE_WARM);
    assert_true(look(h.file, p[0]));
    expect_sound(c);
    cache_file_close(h.file);
    cache_destroy(c);
}

static void *hold_the_lock(void *argument)
{
    helper *h = argument;
    os_mutex_lock(&h->cache->mu);
    helper_reach(h, 1);
    helper_await(h, 2);
    os_mutex_unlock(&h->cache->mu);
    return NULL;
}

/* An insert must not wait for another thread. */
static void an_insert_while_the_lock_is_held_is_dropped(void **state)
{
    cache *c = new_cache(MIB);
    helper h = {.cache = c, .file = new_file(c)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold_the_lock, &h), 0);
    helper_await(&h, 1);
    insert(h.file, pointer(0, 0, 0, 4096), CACHE_WARM);
    assert_false(look(h.file, pointer(0, 0, 0, 4096)));
    helper_reach(&h, 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(stats_of(c).declined, 1);
    cache_file_close(h.file);
    cache_destroy(c);
}

/* ---------------------------------------------------------------- tests: many threads */

enum { STRESS_ORDINALS = 2000, STRESS_STEPS = 20000 };

typedef struct stress {
    cache *cache;
    cache_file *file;
    uint64_t seed;
    _Atomic uint32_t versions[STRESS_ORDINALS];
    _Atomic uint64_t wrong, hits;
    _Atomic bool stop;
} stress;

typedef struct stress_thread {
    stress *stress;
    uint64_t number;
    pthread_t thread;
} stress_thread;

static block_ptr stress_pointer(stress *s, uint32_t ordinal)
{
    uint32_t version = atomic_load_explicit(&s->versions[ordinal], memory_order_relaxed);
    return pointer(0, ordinal, version, 1 + ordinal * 7919 % 20000);
}

static void *stress_read(void *argument)
{
    stress_thread *t = argument;
    stress *s = t->stress;
    rng r;
    rng_seed(&r, s->seed + t->number);
    for (int step = 0; step < STRESS_STEPS; step++) {
        block_ptr p = stress_pointer(s, (uint32_t)rng_below(&r, STRESS_ORDINALS));
        if (epoch_enter() != HOLT_OK) break;
        const uint8_t *bytes = cache_lookup(s->file, p);
        bool found = bytes != NULL;
        if (found && !bytes_are_of(bytes, p)) atomic_fetch_add_explicit(&s->wrong, 1, memory_order_relaxed);
        epoch_leave();
        if (found)
            atomic_fetch_add_explicit(&s->hits, 1, memory_order_relaxed);
        else if (rng_chance(&r, 2))
            insert(s->file, p, CACHE_WARM);
    }
    return NULL;
}

static void *stress_write(void *argument)
{
    stress_thread *t = argument;
    stress *s = t->stress;
    rng r;
    rng_seed(&r, s->seed + t->number);
    cache_file *own = NULL;
    while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        uint32_t ordinal = (uint32_t)rng_below(&r, STRESS_ORDINALS);
        if (rng_chance(&r, 3)) {
            cache_erase(s->file, ordinal);
            atomic_fetch_add_explicit(&s->versions[ordinal], 1, memory_order_relaxed);
        }
        insert(s->file, stress_pointer(s, ordinal), (cache_priority)rng_below(&r, 3));
        if (rng_chance(&r, 200)) cache_set_limit(s->cache, MIB + rng_below(&r, 3 * MIB));
        if (rng_chance(&r, 100) && cache_reserve_resident(s->cache, 100000))
            cache_release_resident(s->cache, 100000);
        if (rng_chance(&r, 300)) {
            cache_file_close(own);
            if (cache_file_open(s->cache, &own) != HOLT_OK) break;
        }
        if (own) insert(own, pointer(9, ordinal * 50, 0, 5000), CACHE_WARM);
    }
    cache_file_close(own);
    return NULL;
}

/* Readers go through arrays and frames while other threads insert, replace, erase, close and resize: they
 * must never see a byte of another block, and the thread sanitizer must find every access ordered. */
static void readers_see_only_their_blocks_while_others_change_everything(void **state)
{
    enum { READERS = 3, WRITERS = 2 };
    static stress s;
    memset(&s, 0, sizeof s);
    s.seed = test_seed();
    s.cache = new_cache(3 * MIB);
    s.file = new_file(s.cache);
    stress_thread threads[READERS + WRITERS];
    for (uint64_t i = 0; i < READERS + WRITERS; i++) {
        threads[i] = (stress_thread){.stress = &s, .number = i};
        void *(*body)(void *) = i < READERS ? stress_read : stress_write;
        assert_int_equal(pthread_create(&threads[i].thread, NULL, body, &threads[i]), 0);
    }
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i].thread, NULL);
    atomic_store_explicit(&s.stop, true, memory_order_relaxed);
    for (int i = READERS; i < READERS + WRITERS; i++)
        pthread_join(threads[i].thread, NULL);
    print_message("hits %llu, declined %llu\n", (unsigned long long)s.hits,
                  (unsigned long long)stats_of(s.cache).declined);
    assert_int_equal(s.wrong, 0);
    assert_true(s.hits > 100);
    assert_true(cache_check(s.cache));
    cache_file_close(s.file);
    assert_true(cache_check(s.cache));
    cache_destroy(s.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_found_only_by_the_pointer_it_was_inserted_with),
        cmocka_unit_test(inserting_a_cached_block_again_takes_nothing),
        cmocka_unit_test(every_size_up_to_64_kib_is_cached),
        cmocka_unit_test(a_small_cache_returns_the_right_block_or_none),
        cmocka_unit_test(a_scan_does_not_displace_what_is_used),
        cmocka_unit_test(spare_inserts_fill_free_memory_and_evict_nothing),
        cmocka_unit_test(inserts_succeed_while_there_are_no_readers),
        cmocka_unit_test(memory_follows_the_sizes_in_use),
        cmocka_unit_test(resident_blocks_stay_within_half_of_the_limit),
        cmocka_unit_test(reserved_memory_is_taken_from_the_blocks),
        cmocka_unit_test(closing_files_frees_all_they_had),
        cmocka_unit_test(sparse_ordinals_stay_within_the_limit),
        cmocka_unit_test(the_limit_can_be_moved),
        cmocka_unit_test(destroying_gives_back_what_is_still_leaving),
        cmocka_unit_test(failed_allocations_only_decline),
        cmocka_unit_test(what_a_reader_found_stays_until_its_section_ends),
        cmocka_unit_test(an_insert_while_the_lock_is_held_is_dropped),
        cmocka_unit_test(readers_see_only_their_blocks_while_others_change_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
