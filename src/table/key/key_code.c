/* key_code.c -- the code of the parts of a key. */
#include "table/key/key_code.h"

#include "base/coding.h"

#include <assert.h>

/* The tags leave room for further types. An integer's tag also says its sign and the number of its bytes, in
 * the order of the numbers: from TAG_NEGATIVE - 8 to TAG_NEGATIVE, then from TAG_POSITIVE to
 * TAG_POSITIVE + 8. */
enum {
    TAG_NULL = 0x05,
    TAG_FALSE = 0x10,
    TAG_TRUE = 0x11,
    TAG_NEGATIVE = 0x27,
    TAG_POSITIVE = 0x28,
    TAG_REAL = 0x40,
    TAG_TEXT = 0x50,
    TAG_BLOB = 0x60
};

/* In text and blobs, what follows a zero byte: the zero is the value's own, or the value ends before it. */
enum { AFTER_ZERO = 0xff, AFTER_END = 0x01 };

#define SIGN_BIT (UINT64_C(1) << 63)
#define LOW_BITS UINT64_C(0x0101010101010101) /* the lowest bit of each byte */

/* ---------------------------------------------------------------- integers and reals */

/* The number of bytes of an integer: none for 0 and -1, otherwise those without the leading ones that only
 * repeat the sign. */
static unsigned integer_bytes(int64_t v)
{
    uint64_t magnitude = v < 0 ? ~(uint64_t)v : (uint64_t)v;
    return magnitude ? 8 - (unsigned)__builtin_clzll(magnitude) / 8 : 0;
}

static void put_big_endian(uint8_t *at, uint64_t v)
{
    v = __builtin_bswap64(v); /* both supported machines are little-endian */
    memcpy(at, &v, sizeof v);
}

/* Writes 9 bytes, of which the first ones that it returns are the code. */
static size_t put_integer(uint8_t *at, int64_t v)
{
    unsigned n = integer_bytes(v);
    at[0] = (uint8_t)(v < 0 ? TAG_NEGATIVE - n : TAG_POSITIVE + n);
    put_big_endian(at + 1, n ? (uint64_t)v << (64 - 8 * n) : 0);
    return 1 + n;
}

/* The bits of a real in the order of the numbers. */
static uint64_t real_order(double v)
{
    uint64_t bits;
    if (v == 0) v = 0; /* -0.0 too */
    memcpy(&bits, &v, sizeof bits);
    return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static bool real_of_order(uint64_t order, double *v)
{
    uint64_t bits = order & SIGN_BIT ? order & ~SIGN_BIT : ~order;
    memcpy(v, &bits, sizeof bits);
    return *v == *v && bits != SIGN_BIT; /* neither a NaN nor -0.0 */
}

/* ---------------------------------------------------------------- encoding */

static bool is_bytes(const holt_datum *d)
{
    return d->type == HOLT_TEXT || d->type == HOLT_BLOB;
}

/* Most text has no zero byte: it is looked for by the word. */
static size_t count_zeros(slice s)
{
    const uint8_t *bytes = (const uint8_t *)s.data;
    size_t zeros = 0, i = 0;
    for (; i + 8 <= s.size; i += 8) {
        uint64_t word = get_u64le(bytes + i);
        if (!((word - LOW_BITS) & ~word & (LOW_BITS << 7))) continue;
        for (size_t j = i; j < i + 8; j++)
            zeros += bytes[j] == 0;
    }
    for (; i < s.size; i++)
        zeros += bytes[i] == 0;
    return zeros;
}

static size_t bytes_code_size(const holt_datum *d)
{
    return 1 + d->as.bytes.size + count_zeros(d->as.bytes) + 2;
}

size_t key_code_size(const holt_datum *d)
{
    if (is_bytes(d)) return bytes_code_size(d);
    if (d->type == HOLT_INTEGER) return 1 + integer_bytes(d->as.integer);
    return d->type == HOLT_REAL ? 9 : 1;
}

/* Writes up to KEY_CODE_SCALAR_MAX bytes, of which the first ones that it returns are the code. */
static size_t put_scalar(uint8_t *at, const holt_datum *d)
{
    if (d->type == HOLT_INTEGER) return put_integer(at, d->as.integer);
    if (d->type == HOLT_REAL) {
        assert(d->as.real == d->as.real);
        at[0] = TAG_REAL;
        put_big_endian(at + 1, real_order(d->as.real));
        return 9;
    }
    assert(d->type == HOLT_NULL || d->type == HOLT_BOOLEAN);
    at[0] = d->type == HOLT_NULL ? TAG_NULL : d->as.boolean ? TAG_TRUE : TAG_FALSE;
    return 1;
}

static uint8_t *put_escaped(uint8_t *at, slice s)
{
    const uint8_t *from = (const uint8_t *)s.data;
    for (size_t i = 0; i < s.size; i++) {
        *at++ = from[i];
        if (from[i] == 0) *at++ = AFTER_ZERO;
    }
    return at;
}

/* Writes a code of `size` bytes. */
static void put_bytes(uint8_t *at, const holt_datum *d, size_t size)
{
    slice s = d->as.bytes;
    *at++ = d->type == HOLT_TEXT ? TAG_TEXT : TAG_BLOB;
    if (size > 1 + s.size + 2) {
        at = put_escaped(at, s);
    } else {
        bytes_copy(at, s.data, s.size);
        at += s.size;
    }
    at[0] = 0;
    at[1] = AFTER_END;
}

static void complement(uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)~at[i];
}

void key_code_append(buffer *b, const holt_datum *d, bool descending)
{
    size_t room = is_bytes(d) ? bytes_code_size(d) : KEY_CODE_SCALAR_MAX, size = room;
    uint8_t *at = buffer_extend(b, room);
    if (!at) return;
    if (is_bytes(d))
        put_bytes(at, d, size);
    else
        size = put_scalar(at, d);
    if (descending) complement(at, size);
    b->size -= room - size;
}

size_t key_code_write(uint8_t *at, const holt_datum *d, bool descending)
{
    uint8_t scalar[KEY_CODE_SCALAR_MAX];
    size_t size;
    if (is_bytes(d)) {
        size = bytes_code_size(d);
        put_bytes(at, d, size);
    } else {
        size = put_scalar(scalar, d);
        memcpy(at, scalar, size);
    }
    if (descending) complement(at, size);
    return size;
}

void key_code_prefix_end(uint8_t *key, size_t *size)
{
    size_t n = *size;
    while (n > 0 && key[n - 1] == 0xff)
        n--;
    assert(n > 0 || *size == 0); /* tags are never 0xff */
    if (n > 0) key[n - 1]++;
    *size = n;
}

/* ---------------------------------------------------------------- decoding */

/* The next n bytes (at most 8) as a number, complemented if flip is 0xff. Returns false if they are not all
 * there. */
static bool take_number(key_reader *r, unsigned n, uint8_t flip, uint64_t *v)
{
    size_t left = (size_t)(r->end - r->at);
    if (left < n) return false;
    uint64_t head = get_head64(r->at, left);
    if (flip) head = ~head;
    *v = n ? head >> (64 - 8 * n) : 0;
    r->at += n;
    return true;
}

/* Of the forms that an integer might take, only that of put_integer is accepted. */
static bool take_integer(key_reader *r, uint8_t tag, uint8_t flip, int64_t *v)
{
    bool negative = tag <= TAG_NEGATIVE;
    unsigned n = negative ? TAG_NEGATIVE - tag : tag - TAG_POSITIVE;
    uint64_t bits;
    if (!take_number(r, n, flip, &bits)) return false;
    if (negative) bits |= n < 8 ? UINT64_MAX << (8 * n) : 0;
    *v = (int64_t)bits;
    return (*v < 0) == negative && integer_bytes(*v) == n;
}

static bool take_real(key_reader *r, uint8_t flip, double *v)
{
    uint64_t order;
    return take_number(r, 8, flip, &order) && real_of_order(order, v);
}

/* Copies bytes to the reader's room, complemented if flip is 0xff. */
static void keep(key_reader *r, const uint8_t *from, size_t size, uint8_t flip)
{
    assert(r->room != NULL);
    for (size_t i = 0; i < size; i++)
        r->room[i] = from[i] ^ flip;
    r->room += size;
}

/* Finds the next zero byte of a text or blob from `from` on. Returns NULL if there is none, or if what
 * follows it is not allowed; *last: it ends the value. */
static const uint8_t *find_zero(const uint8_t *from, const uint8_t *end, uint8_t flip, bool *last)
{
    const uint8_t *zero = memchr(from, flip, (size_t)(end - from));
    if (!zero || end - zero < 2) return NULL;
    uint8_t after = zero[1] ^ flip;
    *last = after == AFTER_END;
    return *last || after == AFTER_ZERO ? zero : NULL;
}

static bool take_bytes(key_reader *r, uint8_t flip, slice *v)
{
    bool last = false;
    const uint8_t *from = r->at, *zero = find_zero(from, r->end, flip, &last);
    if (zero && last && !flip) {
        *v = slice_of(from, (size_t)(zero - from));
        r->at = zero + 2;
        return true;
    }
    const uint8_t *kept = r->room;
    for (; zero; zero = find_zero(from, r->end, flip, &last)) {
        keep(r, from, (size_t)(zero - from) + !last, flip);
        from = zero + 2;
        if (!last) continue;
        *v = slice_of(kept, (size_t)(r->room - kept));
        r->at = from;
        return true;
    }
    return false;
}

static bool skip_bytes(key_reader *r, uint8_t flip)
{
    bool last = false;
    while (!last) {
        const uint8_t *zero = find_zero(r->at, r->end, flip, &last);
        if (!zero) return false;
        r->at = zero + 2;
    }
    return true;
}

static bool is_integer_tag(uint8_t tag)
{
    return tag >= TAG_NEGATIVE - 8 && tag <= TAG_POSITIVE + 8;
}

/* Decodes what follows the tag. */
static bool take_payload(key_reader *r, uint8_t tag, uint8_t flip, holt_datum *d)
{
    if (is_integer_tag(tag)) {
        d->type = HOLT_INTEGER;
        return take_integer(r, tag, flip, &d->as.integer);
    }
    switch (tag) {
    case TAG_NULL:
        return true;
    case TAG_FALSE:
    case TAG_TRUE:
        *d = holt_boolean(tag == TAG_TRUE);
        return true;
    case TAG_REAL:
        d->type = HOLT_REAL;
        return take_real(r, flip, &d->as.real);
    case TAG_TEXT:
        d->type = HOLT_TEXT;
        return take_bytes(r, flip, &d->as.bytes);
    case TAG_BLOB:
        d->type = HOLT_BLOB;
        return take_bytes(r, flip, &d->as.bytes);
    default:
        return false;
    }
}

bool key_code_next(key_reader *r, bool descending, holt_datum *d)
{
    uint8_t flip = descending ? 0xff : 0;
    *d = holt_null();
    if (r->at == r->end) return false;
    uint8_t tag = *r->at++ ^ flip;
    if (take_payload(r, tag, flip, d)) return true;
    *d = holt_null();
    return false;
}

bool key_code_skip(key_reader *r, bool descending)
{
    uint8_t flip = descending ? 0xff : 0;
    if (r->at == r->end) return false;
    uint8_t tag = *r->at++ ^ flip;
    size_t size = 0;
    if (tag == TAG_TEXT || tag == TAG_BLOB) return skip_bytes(r, flip);
    if (is_integer_tag(tag))
        size = tag <= TAG_NEGATIVE ? TAG_NEGATIVE - tag : tag - TAG_POSITIVE;
    else if (tag == TAG_REAL)
        size = 8;
    else if (tag != TAG_NULL && tag != TAG_FALSE && tag != TAG_TRUE)
        return false;
    if ((size_t)(r->end - r->at) < size) return false;
    r->at += size;
    return true;
}
