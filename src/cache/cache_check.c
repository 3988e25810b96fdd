/* cache_check.c -- cache_check(): compares the cache's counts with its frames; for tests. */
#include "cache/cache_internal.h"

/* Totals over the frames of one class. */
typedef struct class_sums {
    uint32_t frames, free, limbo, fresh;
    uint64_t slab_bytes, resident_bytes;
} class_sums;

static void add_frame(const cache_frame *fr, class_sums *sums)
{
    sums->frames++;
    sums->free += fr->state == FRAME_FREE;
    sums->limbo += fr->state == FRAME_LIMBO;
    if (fr->resident) sums->resident_bytes += class_frame_bytes(fr->slab->class_no);
}

static bool used_frames_can_be_found(slab *s)
{
    for (uint32_t i = 0; i < s->ready; i++) {
        cache_frame *fr = slab_frame(s, i);
        if (fr->state == FRAME_USED && map_find(fr->file, fr->ordinal) != fr) return false;
    }
    return true;
}

static class_sums class_sum(const size_class *k, bool *found)
{
    class_sums sums = {0};
    for (size_t i = 0; i < k->slab_count; i++) {
        sums.slab_bytes += k->slabs[i]->bytes;
        sums.fresh += k->slabs[i]->frames - k->slabs[i]->ready;
        for (uint32_t j = 0; j < k->slabs[i]->ready; j++)
            add_frame(slab_frame(k->slabs[i], j), &sums);
        *found = *found && used_frames_can_be_found(k->slabs[i]);
    }
    return sums;
}

static bool class_check(const size_class *k, const class_sums *sums)
{
    uint32_t listed = 0;
    for (const cache_frame *fr = k->free; fr; fr = fr->next)
        listed++;
    return sums->frames + sums->fresh == k->frames && sums->free == listed &&
           listed + sums->fresh == k->free_count && sums->limbo == k->limbo_count;
}

/* Checks that everything the cache holds is counted, and that it holds everything that is counted. */
static bool sums_check(const cache *c)
{
    uint64_t slabs = 0, leaving_slabs = 0, leaving_arrays = 0, frames_resident = 0;
    for (int class_no = 0; class_no < CACHE_CLASSES; class_no++) {
        const size_class *k = &c->classes[class_no];
        bool found = true;
        class_sums sums = class_sum(k, &found);
        if (!found || !class_check(k, &sums)) return false;
        slabs += sums.slab_bytes + k->slab_capacity * sizeof *k->slabs;
        frames_resident += sums.resident_bytes;
    }
    for (const slab *s = c->leaving_first; s; s = s->next)
        leaving_slabs += s->bytes;
    for (const retired *r = c->retired_first; r; r = r->next)
        leaving_arrays += r->bytes;
    if (c->leaving_bytes != leaving_slabs + leaving_arrays) return false;

    if (c->resident_bytes < c->reserved_bytes + frames_resident) return false;
    uint64_t arrays = c->resident_bytes - c->reserved_bytes - frames_resident + leaving_arrays;
    uint64_t own = sizeof *c + c->files * sizeof(cache_file);
    return c->bytes == own + slabs + leaving_slabs + arrays + c->reserved_bytes;
}

bool cache_check(cache *c)
{
    os_mutex_lock(&c->mu);
    bool sound = sums_check(c);
    os_mutex_unlock(&c->mu);
    return sound;
}
