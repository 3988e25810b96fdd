/* model.c -- a sorted array of keys per collection, each with the list of its versions. */
#include "support/histories/model.h"

#include "base/hash.h"
#include "support/must.h"

typedef struct version {
    moment at;
    model_value value;
    bool expired; /* its time came: nobody wrote it */
} version;

typedef struct model_key {
    slice key;
    version *versions; /* by moment */
    size_t count, capacity;
} model_key;

typedef struct range_delete {
    moment at;
    model_write write; /* its bytes are the range_delete's */
} range_delete;

typedef struct name_span {
    moment from;
    char *name; /* NULL: not there from then on */
} name_span;

typedef struct collection {
    uint32_t kind;
    name_span *names; /* by moment */
    size_t name_count, name_capacity;
    model_key *keys; /* sorted */
    size_t key_count, key_capacity;
    uint64_t sum; /* of fingerprint_entry over what is there now */
    range_delete *ranges; /* by moment */
    size_t range_count, range_capacity;
} collection;

struct model {
    moment now;
    collection *collections;
    size_t count, capacity;
    uint64_t *fingerprints; /* by moment */
    size_t fingerprint_capacity;
};

/* ---------------------------------------------------------------- fingerprints */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {a, b};
    return hash_bytes(pair, sizeof pair);
}

uint64_t fingerprint_entry(slice key, model_value value)
{
    return mix(mix(hash_slice(key), key.size), mix(mix(value.size, value.expires), value.hash));
}

uint64_t fingerprint_collection(const char *name, uint32_t kind, uint64_t sum_of_entries)
{
    return mix(mix(hash_bytes(name, strlen(name)), kind), sum_of_entries);
}

model_value model_value_of(slice bytes)
{
    model_value v = {true, bytes.size, hash_slice(bytes), 0};
    return v;
}

bool model_value_is(model_value expected, slice bytes)
{
    return expected.present && expected.size == bytes.size && expected.hash == hash_slice(bytes);
}

uint64_t model_fingerprint(const model *m, moment at)
{
    return m->fingerprints[at];
}

/* The commit is complete: its moment and fingerprint. */
static moment seal(model *m)
{
    uint64_t sum = 0;
    m->now++;
    for (size_t i = 0; i < m->count; i++) {
        const char *name = model_name(m, i, m->now);
        if (name) sum += fingerprint_collection(name, m->collections[i].kind, m->collections[i].sum);
    }
    m->fingerprints = (uint64_t *)must_grow(m->fingerprints, (size_t)m->now, &m->fingerprint_capacity,
                                            sizeof *m->fingerprints);
    m->fingerprints[m->now] = sum;
    return m->now;
}

/* ---------------------------------------------------------------- lifecycle */

static void set_name(model *m, collection *c, const char *name)
{
    c->names = (name_span *)must_grow(c->names, c->name_count, &c->name_capacity, sizeof *c->names);
    name_span span = {m->now + 1, name ? must_copy_string(name) : NULL};
    c->names[c->name_count++] = span;
}

static void add_collection(model *m, const char *name, uint32_t kind)
{
    m->collections = (collection *)must_grow(m->collections, m->count, &m->capacity, sizeof *m->collections);
    collection *c = &m->collections[m->count++];
    memset(c, 0, sizeof *c);
    c->kind = kind;
    set_name(m, c, name);
}

model *model_create(uint32_t default_kind)
{
    model *m = (model *)must_alloc(sizeof *m);
    m->now = UINT64_MAX; /* the commit that makes "default" is moment 0 */
    add_collection(m, "default", default_kind);
    seal(m);
    return m;
}

static void forget_range(collection *c)
{
    const range_delete *r = &c->ranges[--c->range_count];
    free((void *)(uintptr_t)r->write.key.data);
    free((void *)(uintptr_t)r->write.end.data);
}

static void collection_deinit(collection *c)
{
    for (size_t i = 0; i < c->name_count; i++)
        free(c->names[i].name);
    for (size_t i = 0; i < c->key_count; i++) {
        free((void *)(uintptr_t)c->keys[i].key.data);
        free(c->keys[i].versions);
    }
    while (c->range_count > 0)
        forget_range(c);
    free(c->ranges);
    free(c->names);
    free(c->keys);
}

void model_destroy(model *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->count; i++)
        collection_deinit(&m->collections[i]);
    free(m->collections);
    free(m->fingerprints);
    free(m);
}

moment model_now(const model *m)
{
    return m->now;
}

/* ---------------------------------------------------------------- keys and versions */

/* The position of the first key >= `key`. */
static size_t lower_bound(const collection *c, slice key)
{
    size_t low = 0, high = c->key_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(c->keys[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static model_key *find_or_add(collection *c, slice key)
{
    size_t at = lower_bound(c, key);
    if (at < c->key_count && slice_equal(c->keys[at].key, key)) return &c->keys[at];
    c->keys = (model_key *)must_grow(c->keys, c->key_count, &c->key_capacity, sizeof *c->keys);
    memmove(&c->keys[at + 1], &c->keys[at], (c->key_count - at) * sizeof *c->keys);
    c->key_count++;

    void *copy = must_alloc(key.size);
    bytes_copy(copy, key.data, key.size);
    model_key added = {slice_of(copy, key.size), NULL, 0, 0};
    c->keys[at] = added;
    return &c->keys[at];
}

static model_value value_at(const model_key *k, moment at)
{
    model_value absent = {0};
    for (size_t i = k->count; i > 0; i--)
        if (k->versions[i - 1].at <= at) return k->versions[i - 1].value;
    return absent;
}

static void count_in(collection *c, slice key, model_value value)
{
    if (value.present) c->sum += fingerprint_entry(key, value);
}

static void count_out(collection *c, slice key, model_value value)
{
    if (value.present) c->sum -= fingerprint_entry(key, value);
}

/* A new version, at the moment that is being made. */
static void set_value(model *m, collection *c, model_key *k, model_value value)
{
    moment at = m->now + 1;
    count_out(c, k->key, value_at(k, at));
    if (k->count == 0 || k->versions[k->count - 1].at != at) {
        k->versions = (version *)must_grow(k->versions, k->count, &k->capacity, sizeof *k->versions);
        k->versions[k->count++].at = at;
    }
    k->versions[k->count - 1].value = value;
    k->versions[k->count - 1].expired = false;
    count_in(c, k->key, value);
}

/* ---------------------------------------------------------------- commits */

bool model_write_covers(const model_write *w, size_t number, slice key)
{
    if (w->collection != number) return false;
    if (!w->range) return slice_equal(w->key, key);
    return slice_compare(w->key, key) <= 0 && (slice_is_open(w->end) || slice_compare(key, w->end) < 0);
}

static slice copy_of(slice s)
{
    if (slice_is_open(s)) return s;
    void *copy = must_alloc(s.size + 1);
    bytes_copy(copy, s.data, s.size);
    return slice_of(copy, s.size);
}

static void delete_range(model *m, collection *c, const model_write *w)
{
    c->ranges = (range_delete *)must_grow(c->ranges, c->range_count, &c->range_capacity, sizeof *c->ranges);
    range_delete *r = &c->ranges[c->range_count++];
    *r = (range_delete){m->now + 1, *w};
    r->write.key = copy_of(w->key);
    r->write.end = copy_of(w->end);
    size_t end = slice_is_open(w->end) ? c->key_count : lower_bound(c, w->end);
    for (size_t i = lower_bound(c, w->key); i < end; i++)
        if (value_at(&c->keys[i], m->now + 1).present) set_value(m, c, &c->keys[i], w->value);
}

moment model_commit(model *m, const model_write *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        collection *c = &m->collections[writes[i].collection];
        if (writes[i].range)
            delete_range(m, c, &writes[i]);
        else
            set_value(m, c, find_or_add(c, writes[i].key), writes[i].value);
    }
    return seal(m);
}

moment model_clear(model *m, size_t number)
{
    collection *c = &m->collections[number];
    model_value absent = {0};
    for (size_t i = 0; i < c->key_count; i++)
        if (value_at(&c->keys[i], m->now).present) set_value(m, c, &c->keys[i], absent);
    return seal(m);
}

moment model_expire(model *m, uint64_t time_ms)
{
    model_value absent = {0};
    for (size_t n = 0; n < m->count; n++) {
        collection *c = &m->collections[n];
        for (size_t i = 0; i < c->key_count; i++) {
            model_value v = value_at(&c->keys[i], m->now);
            if (!v.present || !v.expires || v.expires > time_ms) continue;
            set_value(m, c, &c->keys[i], absent);
            c->keys[i].versions[c->keys[i].count - 1].expired = true;
        }
    }
    return seal(m);
}

moment model_collection_create(model *m, const char *name, uint32_t kind)
{
    add_collection(m, name, kind);
    return seal(m);
}

moment model_collection_drop(model *m, size_t number)
{
    set_name(m, &m->collections[number], NULL);
    return seal(m);
}

moment model_collection_rename(model *m, size_t number, const char *name)
{
    set_name(m, &m->collections[number], name);
    return seal(m);
}

static void undo_collection(collection *c, moment at)
{
    while (c->range_count > 0 && c->ranges[c->range_count - 1].at == at)
        forget_range(c);
    for (size_t i = 0; i < c->key_count; i++) {
        model_key *k = &c->keys[i];
        if (k->count == 0 || k->versions[k->count - 1].at != at) continue;
        count_out(c, k->key, k->versions[k->count - 1].value);
        k->count--;
        count_in(c, k->key, value_at(k, at));
    }
    if (c->name_count && c->names[c->name_count - 1].from == at) free(c->names[--c->name_count].name);
}

void model_undo(model *m)
{
    for (size_t i = 0; i < m->count; i++)
        undo_collection(&m->collections[i], m->now);
    if (m->collections[m->count - 1].name_count == 0) collection_deinit(&m->collections[--m->count]);
    m->now--;
}

/* ---------------------------------------------------------------- questions */

size_t model_collections(const model *m)
{
    return m->count;
}

const char *model_name(const model *m, size_t number, moment at)
{
    const collection *c = &m->collections[number];
    for (size_t i = c->name_count; i > 0; i--)
        if (c->names[i - 1].from <= at) return c->names[i - 1].name;
    return NULL;
}

uint32_t model_kind(const model *m, size_t number)
{
    return m->collections[number].kind;
}

bool model_find(const model *m, const char *name, moment at, size_t *number)
{
    for (size_t i = 0; i < m->count; i++) {
        const char *own = model_name(m, i, at);
        if (!own || strcmp(own, name) != 0) continue;
        *number = i;
        return true;
    }
    return false;
}

size_t model_count(const model *m, moment at)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += model_name(m, i, at) != NULL;
    return count;
}

model_value model_get(const model *m, size_t number, moment at, slice key)
{
    const collection *c = &m->collections[number];
    size_t i = lower_bound(c, key);
    if (i < c->key_count && slice_equal(c->keys[i].key, key)) return value_at(&c->keys[i], at);
    model_value absent = {0};
    return absent;
}

bool model_ranges_since(const model *m, size_t number, moment at)
{
    const collection *c = &m->collections[number];
    return c->range_count > 0 && c->ranges[c->range_count - 1].at > at;
}

bool model_written_since(const model *m, size_t number, moment at, slice key)
{
    const collection *c = &m->collections[number];
    for (size_t r = c->range_count; r > 0 && c->ranges[r - 1].at > at; r--)
        if (model_write_covers(&c->ranges[r - 1].write, number, key)) return true;
    size_t i = lower_bound(c, key);
    if (i == c->key_count || !slice_equal(c->keys[i].key, key)) return false;
    const model_key *k = &c->keys[i];
    size_t last = k->count;
    while (last > 0 && k->versions[last - 1].expired)
        last--;
    return last > 0 && k->versions[last - 1].at > at;
}

size_t model_keys(const model *m, size_t number)
{
    return m->collections[number].key_count;
}

model_entry model_entry_at(const model *m, size_t number, moment at, size_t i)
{
    const model_key *k = &m->collections[number].keys[i];
    model_entry entry = {k->key, value_at(k, at)};
    return entry;
}
