/* slice.h -- borrowed bytes, compared bytewise. A slice never owns what it refers to. */
#ifndef HOLT_BASE_SLICE_H
#define HOLT_BASE_SLICE_H

#include <holt.h>

typedef holt_slice slice;

static inline slice slice_of(const void *data, size_t size)
{
    return holt_bytes(data, size);
}

/* memcmp that accepts NULL with size 0, which the standard's does not. */
static inline int bytes_compare(const void *a, const void *b, size_t size)
{
    return size ? memcmp(a, b, size) : 0;
}

/* memcpy that accepts NULL with size 0. */
static inline void bytes_copy(void *to, const void *from, size_t size)
{
    if (size) memcpy(to, from, size);
}

/* Returns < 0, 0 or > 0: bytewise order, a prefix before what extends it. */
static inline int slice_compare(slice a, slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = bytes_compare(a.data, b.data, common);
    if (order) return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool slice_equal(slice a, slice b)
{
    return a.size == b.size && bytes_compare(a.data, b.data, a.size) == 0;
}

static inline bool slice_has_prefix(slice s, slice prefix)
{
    return s.size >= prefix.size && bytes_compare(s.data, prefix.data, prefix.size) == 0;
}

/* Returns the length of the common prefix of a and b. */
static inline size_t slice_common_prefix(slice a, slice b)
{
    size_t limit = a.size < b.size ? a.size : b.size;
    const unsigned char *x = (const unsigned char *)a.data, *y = (const unsigned char *)b.data;
    size_t n = 0;
    while (n < limit && x[n] == y[n])
        n++;
    return n;
}

/* As a bound, {NULL, 0} is open. */
static inline bool slice_is_open(slice bound)
{
    return bound.data == NULL && bound.size == 0;
}

/* Returns the tighter of two lower bounds, or of two upper bounds. */
static inline slice slice_tighter_lower(slice a, slice b)
{
    if (slice_is_open(a)) return b;
    if (slice_is_open(b)) return a;
    return slice_compare(a, b) >= 0 ? a : b;
}

static inline slice slice_tighter_upper(slice a, slice b)
{
    if (slice_is_open(a)) return b;
    if (slice_is_open(b)) return a;
    return slice_compare(a, b) <= 0 ? a : b;
}

#endif
