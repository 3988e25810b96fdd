/* sim_cut.c -- the power cut: decides which unsynced changes were on disk.
 *
 * The changes of a file are chosen one by one, in any combination: a disk and a page cache promise no order.
 * The bias differs from file to file, so that "all but one" and "only one" occur as well as "half". A torn
 * write keeps a prefix or any subset of its pieces, and extends the file as it would have, or not.
 */
#include "os/sim/sim_internal.h"

#include <assert.h>
#include <string.h>

typedef struct cutter {
    rng chance;
    const sim_cut *cut;
    sim_keep mode;      /* of the file being cut */
    uint64_t keep_of_8; /* how many of eight changes are kept */
} cutter;

static void grow_to(sim_bytes *b, uint64_t size)
{
    if (b->size < size) sim_bytes_resize(b, size);
}

static void write_garbage(cutter *c, sim_bytes *to, uint64_t offset, size_t size)
{
    uint8_t garbage[4096];
    assert(size <= sizeof garbage);
    rng_fill(&c->chance, garbage, size);
    sim_bytes_write(to, offset, garbage, size);
}

/* Whether the disk already holds these bytes. A sector is written whole or not at all, so rewriting the same
 * bytes cannot harm it, however the write is torn. */
static bool is_on_disk(const sim_bytes *to, uint64_t offset, const uint8_t *bytes, size_t size)
{
    uint8_t there[4096];
    assert(size <= sizeof there);
    return sim_bytes_read(to, offset, there, size) == size && memcmp(there, bytes, size) == 0;
}

/* Keeps some pieces of a write. A piece ends where the offset in the file is a multiple of tear_bytes. */
static void apply_torn(cutter *c, const sim_change *w, sim_bytes *to)
{
    bool prefix = rng_chance(&c->chance, 2);
    bool kept = true;
    for (uint64_t at = 0, size; at < w->size; at += size) {
        uint64_t offset = w->offset + at;
        size = c->cut->tear_bytes - offset % c->cut->tear_bytes;
        if (size > w->size - at) size = w->size - at;
        kept = (kept || !prefix) && !rng_chance(&c->chance, prefix ? 4 : 2);
        const uint8_t *bytes = sim_blob_bytes(w->data) + at;
        if (kept) {
            sim_bytes_write(to, offset, bytes, (size_t)size);
        } else if (c->mode == SIM_KEEP_GARBAGE && rng_chance(&c->chance, 2) &&
                   !is_on_disk(to, offset, bytes, (size_t)size)) {
            write_garbage(c, to, offset, (size_t)size);
        }
    }
    if (rng_chance(&c->chance, 2)) grow_to(to, w->offset + w->size);
}

static void apply_by_chance(cutter *c, const sim_change *change, sim_bytes *to)
{
    if (change->kind == SIM_CHANGE_WRITE && rng_chance(&c->chance, 4)) {
        apply_torn(c, change, to);
    } else if (rng_below(&c->chance, 8) < c->keep_of_8) {
        sim_change_apply(change, to);
    }
}

static void apply(cutter *c, const sim_change *change, sim_bytes *to)
{
    switch (change->certainty == SIM_SURE ? SIM_KEEP_ALL : c->mode) {
    case SIM_KEEP_ALL:
        sim_change_apply(change, to);
        break;
    case SIM_KEEP_NONE:
        break;
    case SIM_KEEP_SIZES:
        if (change->kind == SIM_CHANGE_WRITE) {
            grow_to(to, change->offset + change->size);
        } else {
            sim_change_apply(change, to);
        }
        break;
    case SIM_KEEP_SOME:
    case SIM_KEEP_GARBAGE:
        apply_by_chance(c, change, to);
        break;
    }
}

static void cut_file(cutter *c, sim_inode *n)
{
    static const uint64_t biases[] = {1, 4, 7};
    c->keep_of_8 = biases[rng_below(&c->chance, 3)];
    c->mode = c->cut->files;
    if (c->cut->per_file) c->mode = rng_chance(&c->chance, 2) ? SIM_KEEP_ALL : SIM_KEEP_NONE;

    sim_bytes left = {0, NULL, 0, 0};
    sim_bytes_copy(&left, &n->durable);
    for (size_t i = 0; i < n->change_count; i++)
        apply(c, &n->changes[i], &left);
    sim_inode_settle(n, &left);
}

static bool is_kept(cutter *c, const sim_move *m)
{
    if (m->certainty == SIM_SURE || c->cut->entries == SIM_KEEP_ALL) return true;
    return c->cut->entries != SIM_KEEP_NONE && rng_chance(&c->chance, 2);
}

static void cut_dir(cutter *c, sim *s, sim_dir *d)
{
    for (size_t i = 0; i < d->move_count; i++) {
        if (is_kept(c, &d->moves[i])) sim_move_apply(s, &d->moves[i], &d->durable);
    }
    sim_entries_copy(s, &d->current, &d->durable);
    sim_dir_drop_moves(s, d);
    for (size_t i = 0; i < d->current.count; i++)
        d->current.at[i].inode->linked = true;
}

void sim_power_cut(os *o, const sim_cut *cut, uint64_t seed)
{
    sim *s = sim_of(o);
    assert(s->handles == 0);
    assert(cut->tear_bytes == 512 || cut->tear_bytes == 4096);
    cutter c = {.cut = cut};
    rng_seed(&c.chance, seed);
    pthread_mutex_lock(&s->mutex);
    for (sim_inode *n = s->inodes; n; n = n->next) {
        cut_file(&c, n);
        n->linked = false;
    }
    for (sim_dir *d = s->dirs; d; d = d->next)
        cut_dir(&c, s, d);
    pthread_mutex_unlock(&s->mutex);
}
