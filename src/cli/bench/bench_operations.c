/* bench_operations.c -- what one operation of each workload does. */
#include "bench/bench_operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "terminal/output.h"

/* ---------------------------------------------------------------- which entry */

uint64_t bench_drawn(const bench_settings *s, uint64_t i, uint64_t purpose)
{
    return keys_draw(keys_seed(s->seed, purpose), i, s->num);
}

bool bench_mixed_reads(const bench_settings *s, uint64_t i)
{
    return keys_draw(keys_seed(s->seed, DRAW_KIND), i, 100) < s->read_share;
}

/* ---------------------------------------------------------------- operations */

static holt_slice key_of(worker *w, uint64_t number)
{
    const bench_settings *s = w->b->settings;
    keys_write(w->key, s->key_bytes, number, s->random_keys);
    return holt_bytes(w->key, s->key_bytes);
}

static holt_slice value_for(const worker *w, uint64_t i)
{
    size_t size = w->b->settings->value_bytes;
    return holt_bytes(w->b->values + values_place(i, size, w->b->values_bytes), size);
}

static bool is_present(const worker *w, uint64_t number)
{
    return (w->b->present[number / 64] >> (number % 64) & 1) != 0;
}

/* Counts an entry that was found but should not exist, or the reverse. */
static void check_found(worker *w, uint64_t number, bool found)
{
    if (!w->b->known || found == is_present(w, number)) return;
    if (found && w->kind->changing) return; /* it may have been written a moment ago */
    w->wrong++;
}

/* The library returns HOLT_BUSY after a bounded wait, so the operation is tried again at once. */
static bool try_again(worker *w, holt_status status)
{
    if (status != HOLT_BUSY || output_interrupted()) return false;
    w->busy++;
    return true;
}

static holt_status put_one(worker *w, uint64_t number, uint64_t i)
{
    holt_slice key = key_of(w, number), value = value_for(w, i);
    holt_status status;
    do {
        status = holt_put(w->b->collection, NULL, key, value);
    } while (try_again(w, status));
    w->entries++;
    w->bytes += key.size + value.size;
    return status;
}

holt_status run_put(worker *w, uint64_t i)
{
    return put_one(w, w->kind->number(w->b->settings, i), i);
}

holt_status run_batch(worker *w, uint64_t i)
{
    const bench_settings *s = w->b->settings;
    holt_txn_options options;
    holt_txn *t = NULL;
    uint64_t number = i * s->batch;
    uint64_t end = number + s->batch < s->num ? number + s->batch : s->num;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_BLIND;
    holt_status status = holt_begin(w->b->db, &options, &t);
    for (; number < end && status == HOLT_OK; number++) {
        holt_slice key = key_of(w, number), value = value_for(w, number);
        do {
            status = holt_put(w->b->collection, t, key, value);
        } while (try_again(w, status));
        w->entries++;
        w->bytes += key.size + value.size;
    }
    if (status == HOLT_OK) {
        do {
            status = holt_commit(t);
        } while (try_again(w, status));
    }
    holt_rollback(t);
    return status;
}

holt_status run_delete(worker *w, uint64_t i)
{
    holt_slice key = key_of(w, w->kind->number(w->b->settings, i));
    holt_status status;
    do {
        status = holt_delete(w->b->collection, NULL, key);
    } while (try_again(w, status));
    w->entries++;
    w->bytes += key.size;
    return status;
}

/* Counts what a get of the entry has returned, and checks it. */
static holt_status check_value(worker *w, uint64_t number, holt_status status, const holt_value *value)
{
    const bench_settings *s = w->b->settings;
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return status;
    w->entries++;
    check_found(w, number, status == HOLT_OK);
    if (status == HOLT_NOT_FOUND) return HOLT_OK;
    w->found++;
    w->bytes += s->key_bytes + value->size;
    if (w->b->known && value->size != s->value_bytes) w->wrong++;
    return HOLT_OK;
}

static holt_status get_one(worker *w, uint64_t number)
{
    holt_status status = holt_get(w->b->collection, NULL, key_of(w, number), &w->value);
    return check_value(w, number, status, &w->value);
}

holt_status run_get(worker *w, uint64_t i)
{
    return get_one(w, w->kind->number(w->b->settings, i));
}

/* A key that is one byte longer than an existing one lies between two existing keys. */
holt_status run_missing(worker *w, uint64_t i)
{
    holt_slice key = key_of(w, bench_drawn(w->b->settings, i, DRAW_MISSING));
    w->key[key.size++] = '.';
    holt_status status = holt_get(w->b->collection, NULL, key, &w->value);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return status;
    w->entries++;
    if (status == HOLT_OK) {
        w->found++;
        w->wrong++;
    }
    return HOLT_OK;
}

/* A get of BENCH_MANY entries at once. */
holt_status run_get_many(worker *w, uint64_t i)
{
    const bench_settings *s = w->b->settings;
    uint64_t numbers[BENCH_MANY];
    holt_slice keys[BENCH_MANY];
    holt_status statuses[BENCH_MANY];
    for (uint64_t n = 0; n < BENCH_MANY; n++) {
        char *key = w->key + n * s->key_bytes;
        numbers[n] = bench_drawn(s, i * BENCH_MANY + n, DRAW_READ);
        keys_write(key, s->key_bytes, numbers[n], s->random_keys);
        keys[n] = holt_bytes(key, s->key_bytes);
    }
    holt_status status = holt_get_many(w->b->collection, NULL, BENCH_MANY, keys, w->many, statuses);
    for (uint64_t n = 0; n < BENCH_MANY && status == HOLT_OK; n++) {
        check_value(w, numbers[n], statuses[n], &w->many[n]);
    }
    return status;
}

/* Begins and ends a snapshot. */
holt_status run_snapshot(worker *w, uint64_t i)
{
    static const holt_txn_options options = {.flags = HOLT_TXN_READ_ONLY};
    holt_txn *t;
    (void)i;
    holt_status status = holt_begin(w->b->db, &options, &t);
    if (status == HOLT_OK) holt_rollback(t);
    return status;
}

holt_status run_get_in_snapshot(worker *w, uint64_t i)
{
    static const holt_txn_options options = {.flags = HOLT_TXN_READ_ONLY};
    uint64_t number = bench_drawn(w->b->settings, i, DRAW_READ);
    if (!w->snapshot) {
        holt_status begun = holt_begin(w->b->db, &options, &w->snapshot);
        if (begun != HOLT_OK) return begun;
    }
    holt_status status = holt_get(w->b->collection, w->snapshot, key_of(w, number), &w->value);
    return check_value(w, number, status, &w->value);
}

static void count_entry(worker *w)
{
    w->entries++;
    w->found++;
    w->bytes += holt_cursor_key(w->cursor).size + holt_cursor_value(w->cursor).size;
}

static holt_status after_move(worker *w, bool on_entry)
{
    if (!on_entry) {
        holt_status status = holt_cursor_status(w->cursor);
        return status == HOLT_OK ? HOLT_NOT_FOUND : status;
    }
    count_entry(w);
    return HOLT_OK;
}

/* The threads after the first begin at their share of the numbers. */
holt_status run_next(worker *w, uint64_t i)
{
    if (i == w->first && i > 0) return after_move(w, holt_cursor_seek(w->cursor, key_of(w, i)));
    return after_move(w, holt_cursor_next(w->cursor));
}

holt_status run_prev(worker *w, uint64_t i)
{
    const bench_settings *s = w->b->settings;
    if (i == w->first && i > 0)
        return after_move(w, holt_cursor_seek_last(w->cursor, key_of(w, s->num - 1 - i)));
    return after_move(w, holt_cursor_prev(w->cursor));
}

/* A seek, and --range moves after it. */
holt_status run_seek(worker *w, uint64_t i)
{
    const bench_settings *s = w->b->settings;
    uint64_t number = bench_drawn(s, i, DRAW_SEEK);
    holt_slice wanted = key_of(w, number);
    bool on_entry = holt_cursor_seek(w->cursor, wanted);
    holt_slice key = holt_cursor_key(w->cursor);
    bool exact = on_entry && key.size == wanted.size && memcmp(key.data, wanted.data, key.size) == 0;
    check_found(w, number, exact);
    for (uint64_t moves = 0; on_entry; moves++) {
        count_entry(w);
        if (moves == s->range) return HOLT_OK;
        on_entry = holt_cursor_next(w->cursor);
    }
    return holt_cursor_status(w->cursor);
}

holt_status run_mixed(worker *w, uint64_t i)
{
    uint64_t number = bench_drawn(w->b->settings, i, DRAW_MIXED);
    return bench_mixed_reads(w->b->settings, i) ? get_one(w, number) : put_one(w, number, i);
}

holt_status run_flush(worker *w, uint64_t i)
{
    (void)i;
    return holt_flush(w->b->db);
}

holt_status run_compact(worker *w, uint64_t i)
{
    (void)i;
    return holt_compact(w->b->collection, holt_bytes(NULL, 0), holt_bytes(NULL, 0));
}

/* Creates a collection with one entry; after the last one all are flushed. */
holt_status run_collection(worker *w, uint64_t i)
{
    char name[32];
    holt_collection_options options;
    holt_collection *c = NULL;
    memset(&options, 0, sizeof options);
    options.kind = w->b->settings->kind;
    options.flags = HOLT_CREATE_OR_OPEN;
    snprintf(name, sizeof name, BENCH_COLLECTION "-%06" PRIu64, i);
    holt_status status = holt_collection_create(w->b->db, name, &options, &c);
    if (status != HOLT_OK) return status;
    holt_slice key = key_of(w, i), value = value_for(w, i);
    do {
        status = holt_put(c, NULL, key, value);
    } while (try_again(w, status));
    holt_collection_close(c);
    w->entries++;
    w->bytes += key.size + value.size;
    bool last = i + 1 == w->kind->operations(w->b->settings);
    return status == HOLT_OK && last ? holt_flush(w->b->db) : status;
}

/* Deletes the range of entry i * RANGE_STEP and the next ones, or with random keys of that entry alone. */
holt_status run_delete_range(worker *w, uint64_t i)
{
    const bench_settings *s = w->b->settings;
    uint64_t number = i * RANGE_STEP, end = number + bench_range_entries(s);
    char *begin = w->key, *after = w->key + s->key_bytes;
    keys_write(begin, s->key_bytes, number, s->random_keys);
    keys_write(after, s->key_bytes, s->random_keys ? number : end, s->random_keys);
    size_t size = s->key_bytes;
    if (s->random_keys) after[size++] = '.';
    holt_status status;
    do {
        status = holt_delete_range(w->b->collection, NULL, holt_bytes(begin, s->key_bytes),
                                   holt_bytes(after, size));
    } while (try_again(w, status));
    w->entries++;
    w->bytes += s->key_bytes + size;
    return status;
}

/* Deletes all entries, as one range. */
holt_status run_delete_all(worker *w, uint64_t i)
{
    (void)i;
    w->entries++;
    return holt_delete_range(w->b->collection, NULL, holt_str(""), holt_bytes(NULL, 0));
}

/* Looks for the first entry. */
holt_status run_first(worker *w, uint64_t i)
{
    (void)i;
    holt_status status = after_move(w, holt_cursor_first(w->cursor));
    return status == HOLT_NOT_FOUND ? HOLT_OK : status;
}
