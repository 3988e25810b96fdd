/* history_write.c -- the steps that write, and those that move what was written. */
#include "support/histories/history_internal.h"

#include "support/must.h"

#include <stdio.h>

enum { BATCH_WRITES = 30, BATCH_BYTES_MAX = 1 << 20 /* of the 2 MiB that 8 MiB of memory allow */ };

static size_t value_limit(const history *h)
{
    return h->options.small ? VALUE_LIMIT_SMALL : VALUE_LIMIT;
}

uint64_t history_any_expiry(history *h)
{
    if (!rng_chance(&h->rng, 3)) return 0;
    return history_epoch_ms(h, h->epochs + 1 + rng_below(&h->rng, 3));
}

static slice any_value(history *h)
{
    return value_any(&h->rng, h->value, value_limit(h));
}

/* Makes the write a delete of a range that begins with its key: mostly of a few keys. */
void history_make_range(history *h, model_write *w)
{
    w->range = true;
    if (w->key.size == 0) w->key = slice_of("", 0); /* not an open bound */
    for (int i = 0; i < 5 && !rng_chance(&h->rng, 20); i++) {
        slice key = key_space_any(&h->keys, &h->rng);
        if (slice_compare(key, w->key) > 0 && (slice_is_open(w->end) || slice_compare(key, w->end) < 0))
            w->end = key;
    }
}

/* A put or a delete of any key, or a range of keys, of any collection; *bytes is the value to put. */
static model_write any_write(history *h, slice *bytes)
{
    model_write w = {.collection = history_any_collection(h), .key = key_space_any(&h->keys, &h->rng)};
    *bytes = slice_of("", 0);
    if (rng_chance(&h->rng, 12)) history_make_range(h, &w);
    if (w.range || rng_chance(&h->rng, 4)) return w;
    *bytes = any_value(h);
    w.value = model_value_of(*bytes);
    w.value.expires = history_any_expiry(h);
    return w;
}

static void note_write(history *h, const char *what, const model_write *w)
{
    char key[DESCRIBE_BYTES];
    history_note(h, "%s %zu %s %llu", what, w->collection, describe(w->key, key),
                 (unsigned long long)w->value.size);
}

static void weigh(history *h, const model_write *w)
{
    h->weight += w->key.size + w->value.size + w->end.size + 64;
    if (w->range) h->weight += 2048;
}

/* ---------------------------------------------------------------- single writes */

bool history_put(history *h)
{
    slice bytes = any_value(h);
    model_write w = {.collection = history_any_collection(h),
                     .key = key_space_any(&h->keys, &h->rng),
                     .value = model_value_of(bytes)};
    w.value.expires = history_any_expiry(h);
    const holt_put_options o = {.expires_at_ms = w.value.expires};
    note_write(h, "put", &w);
    weigh(h, &w);
    model_commit(h->model, &w, 1);
    holt_status rc;
    do
        rc = holt_put_with(h->handles[w.collection], NULL, w.key, bytes, &o);
    while (history_again(h, rc));
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_put");
}

bool history_delete(history *h)
{
    model_write w = {.collection = history_any_collection(h), .key = key_space_any(&h->keys, &h->rng)};
    note_write(h, "delete", &w);
    weigh(h, &w);
    model_commit(h->model, &w, 1);
    holt_status rc;
    do
        rc = holt_delete(h->handles[w.collection], NULL, w.key);
    while (history_again(h, rc));
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_delete");
}

bool history_delete_range(history *h)
{
    model_write w = {.collection = history_any_collection(h), .key = key_space_any(&h->keys, &h->rng)};
    history_make_range(h, &w);
    note_write(h, "delete a range", &w);
    weigh(h, &w);
    model_commit(h->model, &w, 1);
    holt_status rc;
    do
        rc = holt_delete_range(h->handles[w.collection], NULL, w.key, w.end);
    while (history_again(h, rc));
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_delete_range");
}

/* A put that the model says must be made, or must be refused with `refusal`. */
static bool put_if(history *h, const char *what, const holt_put_options *o, const model_write *w, slice bytes,
                   holt_status refusal)
{
    holt_collection *c = h->handles[w->collection];
    note_write(h, what, w);
    if (refusal != HOLT_OK)
        return verdict_status(h->verdict, holt_put_with(c, NULL, w->key, bytes, o), refusal,
                              "%s where the condition does not hold", what);
    weigh(h, w);
    model_commit(h->model, w, 1);
    holt_status rc;
    do
        rc = holt_put_with(c, NULL, w->key, bytes, o);
    while (history_again(h, rc));
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, what);
}

static bool put_if_key(history *h, const char *what, uint32_t flags, bool wanted, holt_status refusal)
{
    holt_put_options o = {.flags = flags, .expires_at_ms = history_any_expiry(h)};
    slice bytes = any_value(h);
    model_write w = {.collection = history_any_collection(h),
                     .key = key_space_any(&h->keys, &h->rng),
                     .value = model_value_of(bytes)};
    bool present = model_get(h->model, w.collection, model_now(h->model), w.key).present;
    w.value.expires = o.expires_at_ms;
    return put_if(h, what, &o, &w, bytes, present == wanted ? HOLT_OK : refusal);
}

bool history_put_if_absent(history *h)
{
    return put_if_key(h, "put if absent", HOLT_PUT_IF_ABSENT, false, HOLT_EXISTS);
}

bool history_put_if_present(history *h)
{
    return put_if_key(h, "put if present", HOLT_PUT_IF_PRESENT, true, HOLT_NOT_FOUND);
}

/* With the version that a get gives, or another one. */
bool history_put_if_version(history *h)
{
    holt_put_options o = {.flags = HOLT_PUT_IF_VERSION};
    slice bytes = any_value(h);
    model_write w = {.collection = history_any_collection(h),
                     .key = key_space_any(&h->keys, &h->rng),
                     .value = model_value_of(bytes)};
    model_value now = model_get(h->model, w.collection, model_now(h->model), w.key);
    holt_status rc = holt_get(h->handles[w.collection], NULL, w.key, &h->got);
    if (!verdict_status(h->verdict, rc, now.present ? HOLT_OK : HOLT_NOT_FOUND, "get of a version"))
        return false;
    if ((h->got.version != 0) != now.present)
        return verdict_fail(h->verdict, "a version of nothing, or a value without one");
    bool other = rng_chance(&h->rng, 3);
    o.version = h->got.version + other;
    return put_if(h, "put if version", &o, &w, bytes, other ? HOLT_CONFLICT : HOLT_OK);
}

/* The number that a key has now, 0 if it has nothing, as a get gives it. *is_number: it is one, as far as
 * history_add writes them. */
static bool read_number(history *h, size_t collection, slice key, int64_t *number, bool *is_number)
{
    char digits[24] = "0";
    size_t size = 0;
    model_value now = model_get(h->model, collection, model_now(h->model), key);
    holt_status rc = holt_get_into(h->handles[collection], NULL, key, digits, sizeof digits - 1, &size);
    if (rc == HOLT_OK && !model_value_is(now, slice_of(digits, size)))
        return verdict_fail(h->verdict, "a get before an add gives another value");
    *is_number = !now.present || (rc == HOLT_OK && size > 0);
    for (size_t i = size > 1 && digits[0] == '-'; i < size && *is_number; i++)
        *is_number = digits[i] >= '0' && digits[i] <= '9';
    digits[size && *is_number ? size : 1] = 0;
    *number = *is_number ? strtoll(digits, NULL, 10) : 0;
    return true;
}

/* Adds to one of a few keys that no other step writes to, or to any key, whose value may be no number. */
bool history_add(history *h)
{
    enum { COUNTERS = 3 };
    static const char *const counter_keys[COUNTERS] = {"counter 1", "counter 2", "counter 3"};
    size_t collection = history_any_collection(h);
    holt_collection *c = h->handles[collection];
    slice key = rng_chance(&h->rng, 5) ? key_space_any(&h->keys, &h->rng)
                                       : holt_str(counter_keys[rng_below(&h->rng, COUNTERS)]);
    int64_t delta = (int64_t)rng_below(&h->rng, 2000) - 1000, sum = 0, number = 0;
    bool is_number = false;
    char digits[24];
    history_note(h, "add %lld in %zu", (long long)delta, collection);
    if (!read_number(h, collection, key, &number, &is_number)) return false;
    if (!is_number)
        return verdict_status(h->verdict, holt_add(c, NULL, key, delta, &sum), HOLT_INVALID,
                              "an add to what is no number");

    snprintf(digits, sizeof digits, "%lld", (long long)(number + delta));
    model_write w = {.collection = collection, .key = key, .value = model_value_of(holt_str(digits))};
    w.value.expires = model_get(h->model, collection, model_now(h->model), key).expires; /* it stays */
    weigh(h, &w);
    model_commit(h->model, &w, 1);
    holt_status rc;
    do
        rc = holt_add(c, NULL, key, delta, &sum);
    while (history_again(h, rc));
    if (rc == HOLT_OK && sum != number + delta)
        return verdict_fail(h->verdict, "an add gives %lld, expected %s", (long long)sum, digits);
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_add");
}

/* Changes the expiry alone: to a later time, to one in the past, or to none. */
bool history_expire(history *h)
{
    size_t collection = history_any_collection(h);
    holt_collection *c = h->handles[collection];
    slice key = key_space_any(&h->keys, &h->rng);
    uint64_t ms = rng_chance(&h->rng, 8) ? 1 + rng_below(&h->rng, h->born_ms) : history_any_expiry(h);
    model_write w = {.collection = collection,
                     .key = key,
                     .value = model_get(h->model, collection, model_now(h->model), key)};
    note_write(h, "expire", &w);
    if (!w.value.present)
        return verdict_status(h->verdict, holt_expire(c, NULL, key, ms), HOLT_NOT_FOUND,
                              "holt_expire of no value");
    weigh(h, &w);
    w.value.expires = ms;
    if (history_has_expired(h, ms)) w.value = (model_value){0};
    model_commit(h->model, &w, 1);
    holt_status rc;
    do
        rc = holt_expire(c, NULL, key, ms);
    while (history_again(h, rc));
    return history_committed(h, rc, HOLT_DURABILITY_DEFAULT, "holt_expire");
}

/* ---------------------------------------------------------------- batches */

static bool begin_batch(history *h, batch *b)
{
    b->count = 0;
    b->durability = h->options.mixed ? (uint32_t)rng_below(&h->rng, 4) : HOLT_DURABILITY_DEFAULT;
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = b->durability};
    return verdict_status(h->verdict, holt_begin(h->db, &o, &b->txn), HOLT_OK, "begin of a batch");
}

static bool add_to_batch(history *h, batch *b)
{
    slice bytes;
    model_write w = any_write(h, &bytes);
    holt_collection *c = h->handles[w.collection];
    const holt_put_options o = {.expires_at_ms = w.value.expires};
    holt_status rc = w.range           ? holt_delete_range(c, b->txn, w.key, w.end)
                     : w.value.present ? holt_put_with(c, b->txn, w.key, bytes, &o)
                                       : holt_delete(c, b->txn, w.key);
    if (!verdict_status(h->verdict, rc, HOLT_OK, "write into a batch")) return false;
    weigh(h, &w);
    b->writes = (model_write *)must_grow(b->writes, b->count, &b->capacity, sizeof *b->writes);
    b->writes[b->count++] = w;
    return true;
}

static uint64_t batch_bytes(const batch *b)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < b->count; i++)
        bytes += b->writes[i].key.size + b->writes[i].value.size + b->writes[i].end.size;
    return bytes;
}

static bool grow_batch(history *h, batch *b)
{
    for (uint64_t i = 1 + rng_below(&h->rng, BATCH_WRITES); i > 0; i--)
        if (batch_bytes(b) < BATCH_BYTES_MAX && !add_to_batch(h, b)) return false;
    return true;
}

/* Whether a collection that the batch writes to has been dropped since. */
static bool is_doomed(const history *h, const batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (!h->handles[b->writes[i].collection]) return true;
    return false;
}

void history_batch_abandon(batch *b)
{
    holt_rollback(b->txn);
    b->txn = NULL;
}

static bool commit_doomed(history *h, batch *b)
{
    history_note(h, "commit a batch of %zu with a dropped collection", b->count);
    bool good = verdict_status(h->verdict, holt_commit(b->txn), HOLT_CONFLICT,
                               "commit of a batch that writes to a dropped collection");
    history_batch_abandon(b);
    return good;
}

static bool commit_batch(history *h, batch *b)
{
    if (is_doomed(h, b)) return commit_doomed(h, b);
    history_note(h, "commit a batch of %zu, durability %u", b->count, b->durability);
    for (size_t i = 0; i < b->count; i++) /* it may have waited for long */
        if (history_has_expired(h, b->writes[i].value.expires)) b->writes[i].value = (model_value){0};
    model_commit(h->model, b->writes, b->count);
    holt_status rc;
    do
        rc = holt_commit(b->txn);
    while (history_again(h, rc));
    bool good = history_committed(h, rc, b->durability, "commit of a batch");
    history_batch_abandon(b);
    return good;
}

bool history_batch(history *h)
{
    batch b = {NULL, 0, NULL, 0, 0};
    bool good = begin_batch(h, &b) && grow_batch(h, &b) && commit_batch(h, &b);
    free(b.writes);
    return good;
}

bool history_batch_grow(history *h)
{
    batch *b = &h->batches[rng_below(&h->rng, BATCHES_MAX)];
    history_note(h, "grow a batch of %zu", b->txn ? b->count : 0);
    if (!b->txn && !begin_batch(h, b)) return false;
    return grow_batch(h, b);
}

bool history_batch_end(history *h)
{
    batch *b = &h->batches[rng_below(&h->rng, BATCHES_MAX)];
    if (!b->txn) return true;
    if (!rng_chance(&h->rng, 4)) return commit_batch(h, b);
    history_note(h, "roll back a batch of %zu", b->count);
    history_batch_abandon(b);
    return true;
}

/* ---------------------------------------------------------------- moving what was written */

bool history_flush(history *h)
{
    history_note(h, "flush");
    h->weight += 64 * 1024; /* an almost empty memtable may be pinned whole */
    return verdict_status(h->verdict, holt_flush(h->db), HOLT_OK, "holt_flush");
}

bool history_compact(history *h)
{
    uint8_t buffers[2][KEY_BYTES_MAX + 1];
    slice begin = {NULL, 0}, end = {NULL, 0};
    size_t c = history_any_collection(h);
    if (rng_chance(&h->rng, 2)) begin = key_space_near(&h->keys, &h->rng, buffers[0]);
    if (rng_chance(&h->rng, 2)) end = key_space_near(&h->keys, &h->rng, buffers[1]);
    if (begin.data && end.data && slice_compare(begin, end) > 0) {
        slice swap = begin;
        begin = end;
        end = swap;
    }
    history_note(h, "compact %zu", c);
    h->weight += 64 * 1024;
    return verdict_status(h->verdict, holt_compact(h->handles[c], begin, end), HOLT_OK, "holt_compact");
}

bool history_sync(history *h)
{
    history_note(h, "sync");
    if (!verdict_status(h->verdict, holt_sync(h->db), HOLT_OK, "holt_sync")) return false;
    h->durable = h->acknowledged;
    return true;
}
