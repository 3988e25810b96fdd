/* keys.c -- the public calls that encode and decode keys: checks of what the program passes. */
#include "base/status.h"
#include "base/utf8.h"
#include "table/key/key_code.h"

static bool is_descending(uint64_t descending, size_t part)
{
    return descending >> part & 1;
}

static holt_status check_part(const holt_datum *d, size_t i)
{
    if (d->type > HOLT_BLOB || d->reserved32)
        return status_set(HOLT_INVALID, "part %zu: type %u is unknown", i, d->type);
    if (d->type == HOLT_REAL && d->as.real != d->as.real)
        return status_set(HOLT_INVALID, "part %zu is not a number (NaN), which has no order", i);
    if (d->type != HOLT_TEXT && d->type != HOLT_BLOB) return HOLT_OK;
    if (!d->as.bytes.data && d->as.bytes.size)
        return status_set(HOLT_INVALID, "part %zu is NULL with a size of %zu", i, d->as.bytes.size);
    if (d->type == HOLT_TEXT && !utf8_valid(d->as.bytes, NULL))
        return status_set(HOLT_INVALID, "part %zu: the text is not UTF-8; pass such bytes as a blob", i);
    return HOLT_OK;
}

static holt_status encode(const holt_datum *parts, size_t n, uint64_t descending, void *out, size_t capacity,
                          size_t *size)
{
    if (!size || (!parts && n) || (!out && capacity)) return status_set(HOLT_INVALID, "a pointer is NULL");
    *size = 0;
    if (n > HOLT_KEY_PARTS_MAX)
        return status_set(HOLT_INVALID, "the key has %zu parts; at most %d are allowed", n,
                          HOLT_KEY_PARTS_MAX);
    for (size_t i = 0; i < n; i++) {
        holt_status rc = check_part(&parts[i], i);
        if (rc != HOLT_OK) return rc;
    }
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += key_code_size(&parts[i]);
    *size = total;
    if (total > capacity)
        return status_set(HOLT_TOO_LARGE, "the encoded key has %zu bytes; the buffer has %zu", total,
                          capacity);
    uint8_t *at = (uint8_t *)out;
    for (size_t i = 0; i < n; i++)
        at += key_code_write(at, &parts[i], is_descending(descending, i));
    return HOLT_OK;
}

HOLT_API holt_status holt_key_encode(const holt_datum *parts, size_t n, uint64_t descending, void *out,
                                     size_t capacity, size_t *size)
{
    status_expect();
    holt_status rc = encode(parts, n, descending, out, capacity, size);
    status_check_call(rc);
    return rc;
}

/* Decodes up to `room` parts, and counts all of them. */
static holt_status decode_parts(key_reader *r, uint64_t descending, holt_datum *parts, size_t room, size_t *n)
{
    for (*n = 0; !key_reader_done(r); ++*n) {
        holt_datum beyond, *d = *n < room ? &parts[*n] : &beyond;
        if (*n == HOLT_KEY_PARTS_MAX)
            return status_set(HOLT_CORRUPT, "the key has more than %d parts", HOLT_KEY_PARTS_MAX);
        if (!key_code_next(r, is_descending(descending, *n), d) ||
            (d->type == HOLT_TEXT && !utf8_valid(d->as.bytes, NULL)))
            return status_set(HOLT_CORRUPT, "part %zu of the key is not as it was encoded", *n);
    }
    return HOLT_OK;
}

static holt_status count_parts(key_reader *r, uint64_t descending, size_t *n)
{
    for (*n = 0; !key_reader_done(r); ++*n)
        if (*n == HOLT_KEY_PARTS_MAX || !key_code_skip(r, is_descending(descending, *n)))
            return status_set(HOLT_CORRUPT, "part %zu of the key is not as it was encoded", *n);
    return HOLT_OK;
}

static holt_status decode(slice key, uint64_t descending, holt_datum *parts, size_t *n, void *out,
                          size_t capacity)
{
    if (!n || (!parts && *n) || (!out && capacity) || (!key.data && key.size))
        return status_set(HOLT_INVALID, "a pointer is NULL");
    size_t room = *n;
    key_reader r = key_reader_of(key, (uint8_t *)out);
    if (capacity < key.size) {
        holt_status rc = count_parts(&r, descending, n);
        return rc != HOLT_OK ? rc
                             : status_set(HOLT_TOO_LARGE, "the key has %zu bytes; the buffer has %zu",
                                          key.size, capacity);
    }
    holt_status rc = decode_parts(&r, descending, parts, room, n);
    if (rc == HOLT_OK && *n > room)
        rc = status_set(HOLT_TOO_LARGE, "the key has %zu parts; there is room for %zu", *n, room);
    return rc;
}

HOLT_API holt_status holt_key_decode(holt_slice key, uint64_t descending, holt_datum *parts, size_t *n,
                                     void *out, size_t capacity)
{
    status_expect();
    holt_status rc = decode(key, descending, parts, n, out, capacity);
    status_check_call(rc);
    return rc;
}

HOLT_API void holt_key_prefix_end(void *key, size_t *size)
{
    if (key && size) key_code_prefix_end((uint8_t *)key, size);
}
