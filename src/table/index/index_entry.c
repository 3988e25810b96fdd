/* index_entry.c -- the entries of secondary indexes. */
#include "table/index/index_entry.h"

#include "base/hash.h"
#include "base/status.h"
#include "table/key/key_code.h"

#include <assert.h>

static bool is_descending(const schema_index *x, uint32_t i)
{
    return x->parts[i].flags & HOLT_PART_DESCENDING;
}

bool index_entry_unique(const schema_index *x, const holt_datum *row)
{
    if (!(x->flags & HOLT_INDEX_UNIQUE)) return false;
    for (uint32_t i = 0; i < x->part_count; i++)
        if (row[x->parts[i].column].type == HOLT_NULL) return false;
    return true;
}

/* Hashes text and blobs by their bytes, and other values by their code as a part of a key. */
static void append_hash(buffer *b, const holt_datum *d, bool descending)
{
    uint8_t hash[16], code[KEY_CODE_SCALAR_MAX];
    if (d->type == HOLT_TEXT || d->type == HOLT_BLOB)
        hash_bytes_128(d->as.bytes.data, d->as.bytes.size, hash);
    else
        hash_bytes_128(code, key_code_write(code, d, false), hash);
    holt_datum part = holt_blob(hash, sizeof hash);
    key_code_append(b, &part, descending);
}

static void append_part(buffer *b, const schema_index *x, uint32_t i, const holt_datum *d)
{
    if ((x->parts[i].flags & HOLT_PART_HASH) && d->type != HOLT_NULL)
        append_hash(b, d, is_descending(x, i));
    else
        key_code_append(b, d, is_descending(x, i));
}

void index_entry_append(buffer *b, const schema_index *x, const holt_datum *row, slice primary, slice *value)
{
    assert(index_entry_exists(x, row));
    for (uint32_t i = 0; i < x->part_count; i++)
        append_part(b, x, i, &row[x->parts[i].column]);
    *value = slice_of("", 0);
    if (index_entry_unique(x, row))
        *value = primary;
    else
        buffer_append(b, primary);
}

void index_parts_append(buffer *b, const schema_index *x, const holt_datum *values, size_t n)
{
    assert(n <= x->part_count);
    for (size_t i = 0; i < n; i++)
        append_part(b, x, (uint32_t)i, &values[i]);
}

/* Numbers by their codes: a program's datum may have anything beside its value. */
static bool same_value(const holt_datum *a, const holt_datum *b)
{
    uint8_t code[KEY_CODE_SCALAR_MAX], other[KEY_CODE_SCALAR_MAX];
    if (a->type != b->type) return false;
    if (a->type == HOLT_TEXT || a->type == HOLT_BLOB) return slice_equal(a->as.bytes, b->as.bytes);
    size_t size = key_code_write(code, a, false);
    return key_code_write(other, b, false) == size && memcmp(code, other, size) == 0;
}

holt_status index_entry_compare(const schema *s, const schema_index *x, const holt_datum *row,
                                const holt_datum *other)
{
    assert(index_entry_unique(x, row));
    for (uint32_t i = 0; i < x->part_count; i++) {
        uint32_t column = x->parts[i].column;
        if (!(x->parts[i].flags & HOLT_PART_HASH) || same_value(&row[column], &other[column])) continue;
        return status_set(HOLT_UNSUPPORTED,
                          "table %s, index %s: two different values have the same 128-bit hash; "
                          "make the index without HOLT_PART_HASH",
                          s->name, x->name);
    }
    return HOLT_OK;
}

/* The primary key is what is left of the key, or the value, and never both. */
static bool find_primary(const key_reader *r, slice value, slice *primary)
{
    slice rest = key_reader_rest(r);
    *primary = rest.size ? rest : value;
    return (rest.size == 0) != (value.size == 0);
}

bool index_entry_primary(const schema_index *x, slice key, slice value, slice *primary)
{
    key_reader r = key_reader_of(key, NULL);
    for (uint32_t i = 0; i < x->part_count; i++)
        if (!key_code_skip(&r, is_descending(x, i))) return false;
    return find_primary(&r, value, primary);
}

static bool read_own_part(key_reader *r, const schema *s, const schema_index *x, uint32_t i, holt_datum *d)
{
    if (!key_code_next(r, is_descending(x, i), d)) return false;
    if (d->type == HOLT_NULL) return true;
    if (x->parts[i].flags & HOLT_PART_HASH) return d->type == HOLT_BLOB && d->as.bytes.size == 16;
    return d->type == s->columns[x->parts[i].column].type;
}

static bool read_primary_part(key_reader *r, const schema *s, uint32_t i, holt_datum *d)
{
    uint32_t type = s->key_count ? s->columns[s->key[i].column].type : HOLT_INTEGER;
    return key_code_next(r, schema_key_descending(s, i), d) && d->type == type;
}

bool index_entry_read(const schema *s, const schema_index *x, slice key, slice value, uint8_t *room,
                      holt_datum *parts)
{
    slice primary;
    key_reader r = key_reader_of(key, room);
    for (uint32_t i = 0; i < x->part_count; i++)
        if (!read_own_part(&r, s, x, i, &parts[i])) return false;
    if (!find_primary(&r, value, &primary)) return false;
    key_reader p = key_reader_of(primary, r.room);
    for (uint32_t i = 0; i < schema_key_parts(s); i++)
        if (!read_primary_part(&p, s, i, &parts[x->part_count + i])) return false;
    return key_reader_done(&p);
}
