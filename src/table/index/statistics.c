/* statistics.c -- holt_table_estimate and holt_table_rows_per_key. */
#include "table/index/statistics.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/status.h"
#include "table/access/bounds.h"
#include "table/index/index_entry.h"
#include "table/key/key_code.h"
#include "table/table.h"

enum { SAMPLES = 32, HALVINGS_MAX = 64 };

/* ---------------------------------------------------------------- ranges */

/* The entries of an index, or the rows: what is counted, in which order, and with which parts. */
typedef struct counted {
    holt_collection *entries;
    const schema *schema;
    const schema_index *index; /* NULL: the rows */
    uint32_t id, parts;
} counted;

static bool part_descending(const counted *c, uint32_t i)
{
    return c->index ? c->index->parts[i].flags & HOLT_PART_DESCENDING : schema_key_descending(c->schema, i);
}

/* Without the marker of an index, which is the only key below this. */
static slice first_key(void)
{
    return slice_of("\x01", 1);
}

static holt_status count_range(const counted *c, slice begin, slice end, uint64_t *entries)
{
    return holt_approximate_size(c->entries, slice_is_open(begin) ? first_key() : begin, end, NULL, entries);
}

static holt_status find_counted(holt_table *t, uint32_t id, counted *out)
{
    uint32_t position;
    const table_layout *layout = table_layout_of(t);
    if (!layout) return table_layout_missing(t);
    *out = (counted){.schema = layout->schema, .id = id};
    if (id == 0) {
        out->entries = t->rows;
        out->parts = schema_key_parts(layout->schema);
        return HOLT_OK;
    }
    holt_status rc = bounds_find_index(layout, id, &position);
    if (rc != HOLT_OK) return rc;
    out->entries = layout->indexes[position];
    out->index = &layout->schema->indexes[position];
    out->parts = out->index->part_count;
    return HOLT_OK;
}

holt_status holt_table_estimate(holt_table *t, const holt_scan_options *o, uint64_t *rows)
{
    static const holt_scan_options all;
    counted c = {0};
    scan_bounds bounds = {0};
    if (!rows) return status_set(HOLT_INVALID, "rows is NULL");
    *rows = 0;
    if (!o) o = &all;
    holt_status rc = find_counted(t, o->index, &c);
    if (rc == HOLT_OK) rc = bounds_encode(&bounds, c.schema, c.index, o);
    if (rc == HOLT_OK) rc = count_range(&c, bounds_begin(&bounds), bounds_end(&bounds), rows);
    bounds_deinit(&bounds);
    return rc;
}

/* ---------------------------------------------------------------- samples */

/* A range of keys that is halved: keys as numbers, by the eight bytes after those that both ends share. */
typedef struct key_range {
    uint8_t shared[64];
    size_t shared_size;
    uint64_t low, high;
} key_range;

typedef struct sampler {
    const counted *of;
    holt_cursor *cursor;
    uint64_t entries;
    uint64_t taken;
    double groups[HOLT_KEY_PARTS_MAX]; /* the sum of 1 / size, for each number of parts */
    buffer prefix;
} sampler;

static void key_range_of(key_range *r, slice first, slice last)
{
    size_t shared = slice_common_prefix(first, last);
    r->shared_size = shared < sizeof r->shared ? shared : sizeof r->shared;
    memcpy(r->shared, first.data, r->shared_size);
    const uint8_t *a = (const uint8_t *)first.data + r->shared_size;
    const uint8_t *b = (const uint8_t *)last.data + r->shared_size;
    r->low = get_head64(a, first.size - r->shared_size);
    r->high = get_head64(b, last.size - r->shared_size);
}

static slice key_at(const key_range *r, uint64_t number, uint8_t out[72])
{
    memcpy(out, r->shared, r->shared_size);
    for (size_t i = 0; i < 8; i++)
        out[r->shared_size + i] = (uint8_t)(number >> (56 - 8 * i));
    return slice_of(out, r->shared_size + 8);
}

/* Finds a key before which there are about `rank` entries. The range is halved until the count is near
 * enough, or the keys differ in later bytes than it shows. */
static holt_status find_rank(sampler *s, key_range range, uint64_t rank, uint8_t out[72], slice *key)
{
    const uint64_t near = s->entries / SAMPLES / 4 + 1;
    holt_status rc = HOLT_OK;
    *key = key_at(&range, range.low, out);
    for (int i = 0; i < HALVINGS_MAX && range.high - range.low > 1; i++) {
        uint64_t before, middle = range.low + (range.high - range.low) / 2;
        *key = key_at(&range, middle, out);
        rc = count_range(s->of, slice_of(NULL, 0), *key, &before);
        if (rc != HOLT_OK || (before + near > rank && before < rank + near)) break;
        if (before < rank)
            range.low = middle;
        else
            range.high = middle;
    }
    return rc;
}

/* The number of entries that share the first bytes of a key. */
static holt_status group_size(sampler *s, slice prefix, uint64_t *size)
{
    buffer_clear(&s->prefix);
    buffer_append(&s->prefix, prefix);
    if (s->prefix.failed) return status_no_memory(prefix.size);
    size_t end_size = prefix.size;
    key_code_prefix_end(s->prefix.data, &end_size);
    holt_status rc = count_range(s->of, prefix, slice_of(s->prefix.data, end_size), size);
    if (*size == 0) *size = 1; /* the entry itself */
    return rc;
}

static holt_status add_sample(sampler *s, slice key)
{
    const counted *c = s->of;
    key_reader r = key_reader_of(key, NULL);
    s->taken++;
    for (uint32_t i = 0; i < c->parts; i++) {
        uint64_t size;
        if (!key_code_skip(&r, part_descending(c, i)))
            return status_set(HOLT_CORRUPT,
                              "table %s: a key cannot be decoded; \"holt check\" has the details",
                              c->schema->name);
        holt_status rc = group_size(s, slice_of(key.data, (size_t)(r.at - (const uint8_t *)key.data)), &size);
        if (rc != HOLT_OK) return rc;
        s->groups[i] += 1 / (double)size;
    }
    return HOLT_OK;
}

/* All entries of a small table. */
static holt_status sample_all(sampler *s)
{
    holt_status rc = HOLT_OK;
    bool on = holt_cursor_first(s->cursor);
    for (; on && rc == HOLT_OK; on = holt_cursor_next(s->cursor))
        rc = add_sample(s, holt_cursor_key(s->cursor));
    return rc == HOLT_OK ? holt_cursor_status(s->cursor) : rc;
}

static holt_status sample_some(sampler *s)
{
    buffer first = {0};
    key_range range;
    uint8_t bytes[72];
    slice key;
    holt_status rc = HOLT_OK;
    if (holt_cursor_first(s->cursor)) buffer_append(&first, holt_cursor_key(s->cursor));
    if (first.failed) rc = status_no_memory(first.size);
    bool some = first.size > 0 && holt_cursor_last(s->cursor);
    if (some) key_range_of(&range, buffer_slice(&first), holt_cursor_key(s->cursor));
    for (uint64_t i = 0; some && rc == HOLT_OK && i < SAMPLES; i++) {
        rc = find_rank(s, range, (2 * i + 1) * s->entries / SAMPLES / 2, bytes, &key);
        if (rc == HOLT_OK && holt_cursor_seek(s->cursor, key)) rc = add_sample(s, holt_cursor_key(s->cursor));
    }
    buffer_deinit(&first);
    return rc == HOLT_OK ? holt_cursor_status(s->cursor) : rc;
}

/* Fills rows_per_value, for each number of parts. */
static holt_status sample(const counted *c, uint64_t entries, uint64_t *rows_per_value)
{
    sampler s = {.of = c, .entries = entries};
    const holt_cursor_options o = {
        .lower = first_key(), .flags = HOLT_CURSOR_KEYS_ONLY, .label = "holt_table_rows_per_key"};
    holt_status rc = holt_cursor_open(c->entries, NULL, &o, &s.cursor);
    if (rc != HOLT_OK) return rc;
    rc = entries <= SAMPLES ? sample_all(&s) : sample_some(&s);
    (void)holt_cursor_close(s.cursor); /* its failure is in rc already */
    buffer_deinit(&s.prefix);
    for (uint32_t i = 0; i < c->parts; i++) {
        double mean = s.groups[i] > 0 ? (double)s.taken / s.groups[i] : 1;
        rows_per_value[i] = (uint64_t)(mean + 0.5);
    }
    return rc;
}

/* ---------------------------------------------------------------- what is kept */

void statistics_init(statistics *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->mu, NULL);
}

void statistics_deinit(statistics *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->indexes[i].rows_per_value);
    mem_free(s->indexes);
    pthread_mutex_destroy(&s->mu);
}

/* mu is held. */
static index_statistics *find(statistics *s, uint32_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->indexes[i].id == id) return &s->indexes[i];
    return NULL;
}

/* Whether a number that was sampled with so many entries is still good enough. */
static bool is_current(const index_statistics *known, uint64_t entries)
{
    return entries <= known->entries + known->entries / 2 && entries >= known->entries / 2;
}

static bool look_up(statistics *s, uint32_t id, size_t parts, uint64_t entries, uint64_t *rows)
{
    pthread_mutex_lock(&s->mu);
    const index_statistics *known = find(s, id);
    bool found = known && parts <= known->parts && is_current(known, entries);
    if (found) *rows = known->rows_per_value[parts - 1];
    pthread_mutex_unlock(&s->mu);
    return found;
}

/* Keeps the sample, which it takes over. Without memory it is not kept. */
static void keep(statistics *s, index_statistics sample)
{
    pthread_mutex_lock(&s->mu);
    index_statistics *known = find(s, sample.id);
    if (!known && mem_grow((void **)&s->indexes, &s->capacity, s->count + 1, sizeof *s->indexes)) {
        known = &s->indexes[s->count++];
        known->rows_per_value = NULL;
    }
    if (known) {
        mem_free(known->rows_per_value);
        *known = sample;
    } else {
        mem_free(sample.rows_per_value);
    }
    pthread_mutex_unlock(&s->mu);
}

static holt_status sample_and_keep(holt_table *t, const counted *c, size_t parts, uint64_t entries,
                                   uint64_t *rows)
{
    index_statistics taken = {.id = c->id, .parts = c->parts, .entries = entries};
    taken.rows_per_value = mem_alloc_zero(c->parts, sizeof *taken.rows_per_value);
    if (!taken.rows_per_value) return status_no_memory(c->parts * sizeof *taken.rows_per_value);
    holt_status rc = sample(c, entries, taken.rows_per_value);
    if (rc != HOLT_OK) {
        mem_free(taken.rows_per_value);
        return rc;
    }
    *rows = taken.rows_per_value[parts - 1];
    keep(&t->statistics, taken);
    return HOLT_OK;
}

/* All parts of a key that is unique tell one row. */
static bool is_unique(const counted *c, size_t parts)
{
    return parts == c->parts && (!c->index || (c->index->flags & HOLT_INDEX_UNIQUE));
}

holt_status holt_table_rows_per_key(holt_table *t, uint32_t index, size_t parts, uint64_t *rows)
{
    counted c = {0};
    uint64_t entries;
    if (!rows) return status_set(HOLT_INVALID, "rows is NULL");
    *rows = 1;
    holt_status rc = find_counted(t, index, &c);
    if (rc != HOLT_OK) return rc;
    if (parts == 0 || parts > c.parts)
        return status_set(HOLT_INVALID, "table %s: %zu parts were asked for; the index has %u",
                          c.schema->name, parts, c.parts);
    if (is_unique(&c, parts)) return HOLT_OK;
    rc = count_range(&c, slice_of(NULL, 0), slice_of(NULL, 0), &entries);
    if (rc != HOLT_OK || look_up(&t->statistics, index, parts, entries, rows)) return rc;
    return sample_and_keep(t, &c, parts, entries, rows);
}
