/* bounds.c -- bounds of scans as keys. */
#include "table/access/bounds.h"

#include "base/status.h"
#include "table/access/row_check.h"
#include "table/index/index_entry.h"
#include "table/key/key_code.h"

#include <assert.h>

holt_status bounds_find_index(const table_layout *layout, uint32_t id, uint32_t *position)
{
    const schema *s = layout->schema;
    *position = schema_find_index_id(s, id);
    if (*position == SCHEMA_NONE || s->indexes[*position].state == INDEX_DROPPING)
        return status_set(HOLT_INVALID, "table %s has no index with the number %u", s->name, id);
    if (s->indexes[*position].state != INDEX_COMPLETE)
        return status_set(HOLT_BUSY, "index %s of table %s is being made; it is not complete yet",
                          s->indexes[*position].name, s->name);
    return HOLT_OK;
}

holt_status bounds_match(const scan_bounds *b, const schema_index *x, const holt_datum *row, buffer *room,
                         bool *equal)
{
    *equal = true;
    if (b->plain_parts == 0) return HOLT_OK;
    buffer_clear(room);
    for (uint32_t i = 0; i < b->plain_parts; i++)
        key_code_append(room, &row[x->parts[i].column], false);
    if (room->failed) return status_no_memory(room->size);
    *equal = slice_equal(buffer_slice(room), buffer_slice(&b->plain));
    return HOLT_OK;
}

void bounds_deinit(scan_bounds *b)
{
    buffer_deinit(&b->begin);
    buffer_deinit(&b->end);
    buffer_deinit(&b->plain);
}

static uint32_t part_count(const schema *s, const schema_index *x)
{
    return x ? x->part_count : schema_key_parts(s);
}

static bool is_hashed(const schema_index *x, size_t part)
{
    return x && x->parts[part].flags & HOLT_PART_HASH;
}

/* ---------------------------------------------------------------- one bound */

static holt_status check_part(const schema *s, const schema_index *x, size_t i, const holt_datum *in,
                              holt_datum *out)
{
    if (x) return row_check_bound(s, x->parts[i].column, in, out);
    if (s->key_count) return row_check_bound(s, s->key[i].column, in, out);
    *out = *in;
    if (in->type == HOLT_INTEGER || in->type == HOLT_NULL) return HOLT_OK;
    return status_set(HOLT_INVALID, "%s: a row id is an integer", s->name);
}

/* Appends the code of the first n values. *has_null (may be NULL): whether one is null. */
static holt_status append_bound(buffer *b, const schema *s, const schema_index *x, const holt_datum *values,
                                size_t n, bool *has_null)
{
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    bool null = false;
    if (n > part_count(s, x))
        return status_set(HOLT_INVALID, "%s: a bound has %zu values; %s%s has %u parts", s->name, n,
                          x ? "index " : "the primary key", x ? x->name : "", part_count(s, x));
    if (n && !values) return status_set(HOLT_INVALID, "a bound is NULL, with %zu values", n);
    for (size_t i = 0; i < n; i++) {
        holt_status rc = check_part(s, x, i, &values[i], &parts[i]);
        if (rc != HOLT_OK) return rc;
        null = null || parts[i].type == HOLT_NULL;
    }
    if (has_null) *has_null = null;
    if (x)
        index_parts_append(b, x, parts, n);
    else
        row_key_append_parts(b, s, parts, n);
    return b->failed ? status_no_memory(b->size) : HOLT_OK;
}

/* ---------------------------------------------------------------- both */

/* The number of parts up to the last hashed one that a bound has. */
static size_t hashed_parts(const schema_index *x, const holt_scan_options *o)
{
    size_t n = o->lower_count > o->upper_count ? o->lower_count : o->upper_count;
    while (n > 0 && !is_hashed(x, n - 1))
        n--;
    return n;
}

/* The first n values, of which the last is one of a hashed part, must be the same in both bounds. */
static holt_status check_hashed(scan_bounds *out, const schema *s, const schema_index *x,
                                const holt_scan_options *o, size_t n)
{
    assert(x && n <= x->part_count);
    buffer upper = {0};
    holt_status rc = HOLT_OK;
    bool same = n <= o->lower_count && n <= o->upper_count;
    for (size_t i = 0; i < n && same; i++) {
        holt_datum a, b;
        rc = check_part(s, x, i, &o->lower[i], &a);
        if (rc == HOLT_OK) rc = check_part(s, x, i, &o->upper[i], &b);
        if (rc != HOLT_OK) break;
        key_code_append(&out->plain, &a, false);
        key_code_append(&upper, &b, false);
        out->plain_parts++;
    }
    if (rc == HOLT_OK && (out->plain.failed || upper.failed)) rc = status_no_memory(upper.size);
    same = same && slice_equal(buffer_slice(&out->plain), buffer_slice(&upper));
    buffer_deinit(&upper);
    if (rc == HOLT_OK && !same)
        rc = status_set(
            HOLT_INVALID,
            "%s: index %s holds a hash, so it can only be searched for one value of that part: both "
            "bounds must be the same up to it",
            s->name, x->name);
    return rc;
}

static holt_status check_options(const holt_scan_options *o)
{
    if (o->flags & ~(uint32_t)(HOLT_SCAN_REVERSE | HOLT_SCAN_LOWER_EXCLUSIVE | HOLT_SCAN_UPPER_EXCLUSIVE))
        return status_set(HOLT_INVALID, "holt_scan_options.flags: unknown flags 0x%x", o->flags);
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i]) return status_set(HOLT_INVALID, "holt_scan_options: reserved words must be zero");
    return HOLT_OK;
}

holt_status bounds_encode(scan_bounds *out, const schema *s, const schema_index *x,
                          const holt_scan_options *o)
{
    static const uint32_t exclusive = HOLT_SCAN_LOWER_EXCLUSIVE | HOLT_SCAN_UPPER_EXCLUSIVE;
    bool has_null = false;
    buffer_clear(&out->begin);
    buffer_clear(&out->end);
    buffer_clear(&out->plain);
    out->equal = out->point = false;
    out->plain_parts = 0;
    holt_status rc = check_options(o);
    if (rc != HOLT_OK) return rc;
    rc = append_bound(&out->begin, s, x, o->lower, o->lower_count, &has_null);
    if (rc == HOLT_OK) rc = append_bound(&out->end, s, x, o->upper, o->upper_count, NULL);
    if (rc != HOLT_OK) return rc;
    size_t hashed = hashed_parts(x, o);
    if (hashed > 0) rc = check_hashed(out, s, x, o, hashed);
    if (rc != HOLT_OK) return rc;
    out->equal = o->lower_count > 0 && o->lower_count == o->upper_count && !(o->flags & exclusive) &&
                 slice_equal(buffer_slice(&out->begin), buffer_slice(&out->end));
    out->point = out->equal && o->lower_count == part_count(s, x) &&
                 (!x || (x->flags & HOLT_INDEX_UNIQUE && !has_null));
    if (o->lower_count && o->flags & HOLT_SCAN_LOWER_EXCLUSIVE)
        key_code_prefix_end(out->begin.data, &out->begin.size);
    if (o->upper_count && !(o->flags & HOLT_SCAN_UPPER_EXCLUSIVE))
        key_code_prefix_end(out->end.data, &out->end.size);
    return HOLT_OK;
}
