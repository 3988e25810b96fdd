/* expiry_summary.h -- what is known of the expiries of a tree's entries, without looking at them.
 *
 * A summary is exact for a tree that was built at once (a run). In a tree that has changed, entries that are
 * gone leave its bounds too wide, and may still be counted. It serves to decide when rewriting a tree is
 * likely to free space, and for nothing else.
 */
#ifndef HOLT_TREE_EXPIRY_SUMMARY_H
#define HOLT_TREE_EXPIRY_SUMMARY_H

#include <stdint.h>

typedef struct expiry_summary {
    uint64_t entries;         /* that have an expiry; 0: none, then the others are 0 too */
    uint64_t first_ms, last_ms; /* the earliest and the latest of these */
} expiry_summary;

static inline void expiry_summary_merge(expiry_summary *s, const expiry_summary *more)
{
    if (more->entries == 0) return;
    if (s->entries == 0 || more->first_ms < s->first_ms) s->first_ms = more->first_ms;
    if (s->entries == 0 || more->last_ms > s->last_ms) s->last_ms = more->last_ms;
    s->entries += more->entries;
}

static inline void expiry_summary_add(expiry_summary *s, uint64_t expires_at_ms)
{
    const expiry_summary one = {1, expires_at_ms, expires_at_ms};
    expiry_summary_merge(s, &one);
}

static inline void expiry_summary_remove(expiry_summary *s)
{
    const expiry_summary none = {0, 0, 0};
    if (s->entries > 0) s->entries--;
    if (s->entries == 0) *s = none;
}

/* When it will be worth rewriting a tree of that many entries and bytes: when an eighth of its entries have
 * expired, if expiries are spread evenly between the bounds; of a small tree, also when all have that ever
 * will. UINT64_MAX: never. */
static inline uint64_t expiry_summary_due_ms(const expiry_summary *s, uint64_t entries, uint64_t bytes)
{
    const uint64_t small_bytes = 64 << 20;
    if (s->entries == 0) return UINT64_MAX;
    if (s->entries >= entries / 8) {
        double part = (double)entries / 8 / (double)s->entries;
        return s->first_ms + (uint64_t)((double)(s->last_ms - s->first_ms) * part);
    }
    return bytes <= small_bytes ? s->last_ms : UINT64_MAX;
}

#endif
