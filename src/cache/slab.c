/* slab.c -- frames: how they are allocated, evicted and freed, and how memory moves between size classes.
 *
 * Within a class the clock evicts frames. Between classes whole slabs move: a class that has evicted as many
 * frames as it has, or can evict none, looks at a few slabs of the other classes and takes one that is hardly
 * used.
 */
#include <assert.h>

#include "base/memory.h"
#include "cache/cache_internal.h"

static const uint32_t class_sizes[CACHE_CLASSES] = {4 << 10,  8 << 10,  12 << 10, 16 << 10,
                                                    24 << 10, 32 << 10, 48 << 10, 64 << 10};

enum {
    SLAB_HEADER = 2 * CACHE_LINE,
    /* The most frames the clock's hand passes during one insert; each is a cache miss. */
    SWEEP_STEPS = 64,
    /* Frames evicted in advance, so that their epoch has passed when they are needed: one in STOCK_PART. */
    STOCK_MAX = 16,
    STOCK_PART = 32,
    /* How many slabs are compared to find the least used. */
    VICTIM_CANDIDATES = 3,
    /* A resident frame counts as RESIDENT_WEIGHT used ones. A slab is cold if at most one frame in COLD_PART
     * is used. */
    RESIDENT_WEIGHT = 4,
    COLD_PART = 4
};
_Static_assert(sizeof(slab) <= SLAB_HEADER, "frames follow the slab's header");

int class_of(uint32_t length)
{
    for (int class_no = 0; class_no < CACHE_CLASSES; class_no++)
        if (length <= class_sizes[class_no]) return class_no;
    return CACHE_NO_CLASS;
}

size_t class_frame_bytes(int class_no)
{
    assert(class_no >= 0 && class_no < CACHE_CLASSES);
    return class_sizes[class_no] + CACHE_LINE;
}

cache_frame *slab_frame(slab *s, uint32_t index)
{
    return (void *)((uint8_t *)s + SLAB_HEADER + index * class_frame_bytes(s->class_no));
}

static bool frame_referenced(cache_frame *fr)
{
    return atomic_load_explicit(&fr->referenced, memory_order_relaxed); /* a hint */
}

static void frame_unreference(cache_frame *fr)
{
    atomic_store_explicit(&fr->referenced, false, memory_order_relaxed); /* a hint */
}

/* ---------------------------------------------------------------- the free list and limbo */

static void free_list_push(size_class *k, cache_frame *fr)
{
    fr->prev = NULL;
    fr->next = k->free;
    if (k->free) k->free->prev = fr;
    k->free = fr;
}

static void free_list_remove(size_class *k, cache_frame *fr)
{
    if (fr->prev)
        fr->prev->next = fr->next;
    else
        k->free = fr->next;
    if (fr->next) fr->next->prev = fr->prev;
}

/* Initializes the next frame of the class's fresh slab. As that touches new pages, it is done for one frame
 * at a time: doing it for a whole new slab would hold the lock while the system zeroes all its pages. */
static cache_frame *frame_make_ready(size_class *k)
{
    slab *s = k->fresh;
    assert(s && s->ready < s->frames);
    cache_frame *fr = slab_frame(s, s->ready++);
    if (s->ready == s->frames) k->fresh = NULL;
    memset(fr, 0, sizeof *fr);
    fr->slab = s;
    return fr;
}

/* Takes a frame from the free list, or a fresh one; NULL: there is neither. */
static cache_frame *free_take(size_class *k)
{
    if (k->free_count == 0) return NULL;
    k->free_count--;
    cache_frame *fr = k->free;
    if (!fr) return frame_make_ready(k);
    free_list_remove(k, fr);
    return fr;
}

void frame_set_resident(cache *c, cache_frame *fr, bool resident)
{
    if (fr->resident == resident) return;
    fr->resident = resident;
    if (resident)
        c->resident_bytes += class_frame_bytes(fr->slab->class_no);
    else
        c->resident_bytes -= class_frame_bytes(fr->slab->class_no);
}

void frame_free(cache *c, cache_frame *fr)
{
    os_mutex_assert_held(&c->mu);
    assert(!fr->slab->leaving);
    frame_set_resident(c, fr, false);
    fr->state = FRAME_FREE;
    fr->file = NULL;
    size_class *k = &c->classes[fr->slab->class_no];
    free_list_push(k, fr);
    k->free_count++;
}

void frame_retire(cache *c, cache_frame *fr)
{
    os_mutex_assert_held(&c->mu);
    assert(fr->state == FRAME_USED && !fr->slab->leaving);
    frame_set_resident(c, fr, false);
    fr->state = FRAME_LIMBO;
    fr->file = NULL;
    fr->tag = epoch_retire();
    fr->next = NULL;
    if (c->limbo_last)
        c->limbo_last->next = fr;
    else
        c->limbo_first = fr;
    c->limbo_last = fr;
    fr->slab->limbo++;
    c->classes[fr->slab->class_no].limbo_count++;
}

static void frame_leave_limbo(cache *c)
{
    cache_frame *fr = c->limbo_first;
    assert(fr->state == FRAME_LIMBO && fr->slab->limbo > 0);
    c->limbo_first = fr->next;
    if (!c->limbo_first) c->limbo_last = NULL;
    fr->slab->limbo--;
    if (fr->slab->leaving) {
        fr->state = FRAME_FREE; /* on no list: it is freed with its slab */
        return;
    }
    c->classes[fr->slab->class_no].limbo_count--;
    frame_free(c, fr);
}

/* ---------------------------------------------------------------- allocating and freeing slabs */

static uint32_t slab_frames(const cache *c, int class_no)
{
    size_t frames = (c->slab_bytes - SLAB_HEADER) / class_frame_bytes(class_no);
    return frames > 0 ? (uint32_t)frames : 1;
}

/* At least slab_bytes, so that a slab of the size of a huge page fills it: gets among a million entries take
 * about 7% less time with huge pages. */
static size_t slab_size(const cache *c, int class_no)
{
    size_t bytes = SLAB_HEADER + slab_frames(c, class_no) * class_frame_bytes(class_no);
    return bytes < c->slab_bytes ? c->slab_bytes : bytes;
}

/* Makes room for one more slab in the class's list, and counts the memory. */
static bool class_grow(cache *c, size_class *k)
{
    size_t before = k->slab_capacity;
    if (!mem_grow((void **)&k->slabs, &k->slab_capacity, k->slab_count + 1, sizeof *k->slabs)) return false;
    c->bytes += (k->slab_capacity - before) * sizeof *k->slabs;
    return true;
}

/* false: no room within the limit, or no memory. */
static bool slab_create(cache *c, int class_no)
{
    size_class *k = &c->classes[class_no];
    size_t bytes = slab_size(c, class_no);
    uint64_t held = c->bytes + c->pending_bytes + c->owed_bytes;
    if (held + bytes > cache_slab_limit(c) || !class_grow(c, k)) return false;
    slab *s = mem_large_alloc(bytes);
    if (!s) return false;

    *s = (slab){
        .bytes = bytes, .frames = slab_frames(c, class_no), .class_no = class_no, .heir = CACHE_NO_CLASS};
    while (k->fresh)
        free_list_push(k, frame_make_ready(k));
    k->fresh = s;
    k->slabs[k->slab_count++] = s;
    k->frames += s->frames;
    k->free_count += s->frames;
    c->bytes += bytes;
    return true;
}

static void class_drop_slab(size_class *k, const slab *s)
{
    size_t i = 0;
    while (k->slabs[i] != s)
        i++;
    k->slabs[i] = k->slabs[--k->slab_count];
    k->frames -= s->frames;
    k->limbo_count -= s->limbo;
    k->free_count -= s->frames - s->ready;
    if (k->fresh == s) k->fresh = NULL;
    if (k->hand_slab >= i) k->hand_frame = 0; /* another slab may be at the hand's place now */
}

/* Removes every frame of the slab from the arrays, and the slab from its class, into limbo. */
static void slab_retire(cache *c, slab *s, int heir)
{
    size_class *k = &c->classes[s->class_no];
    assert(!s->leaving);
    for (uint32_t i = 0; i < s->ready; i++) {
        cache_frame *fr = slab_frame(s, i);
        if (fr->state == FRAME_FREE) {
            free_list_remove(k, fr);
            k->free_count--;
        } else if (fr->state == FRAME_USED) {
            map_remove(fr);
            frame_set_resident(c, fr, false);
            fr->state = FRAME_FREE; /* on no list: the slab's tag covers it */
            c->evictions++;
        }
    }
    class_drop_slab(k, s);
    s->leaving = true;
    s->heir = heir;
    s->tag = epoch_retire();
    s->next = NULL;
    if (c->leaving_last)
        c->leaving_last->next = s;
    else
        c->leaving_first = s;
    c->leaving_last = s;
    c->leaving_bytes += s->bytes;
}

/* Frees the first slab in limbo, and creates one for its heir. */
static void slab_leave(cache *c)
{
    slab *s = c->leaving_first;
    assert(s->leaving && s->limbo == 0 && s->bytes <= c->leaving_bytes);
    int heir = s->heir;
    c->leaving_first = s->next;
    if (!c->leaving_first) c->leaving_last = NULL;
    c->leaving_bytes -= s->bytes;
    c->bytes -= s->bytes;
    mem_large_free(s, s->bytes);
    if (heir != CACHE_NO_CLASS) (void)slab_create(c, heir); /* no room: the class will try again */
}

void slabs_reclaim(cache *c)
{
    while (c->limbo_first && epoch_passed(c->limbo_first->tag))
        frame_leave_limbo(c);
    /* A slab must stay until its frames have left limbo, although its tag may have passed since theirs were
     * checked. */
    while (c->leaving_first && c->leaving_first->limbo == 0 && epoch_passed(c->leaving_first->tag))
        slab_leave(c);
    retired_reclaim(c);
}

void slabs_destroy(cache *c)
{
    for (int class_no = 0; class_no < CACHE_CLASSES; class_no++) {
        size_class *k = &c->classes[class_no];
        for (size_t i = 0; i < k->slab_count; i++)
            mem_large_free(k->slabs[i], k->slabs[i]->bytes);
        mem_free(k->slabs);
    }
    for (slab *s = c->leaving_first, *next; s; s = next) {
        next = s->next;
        mem_large_free(s, s->bytes);
    }
    for (retired *r = c->retired_first, *next; r; r = next) {
        next = r->next;
        mem_free(r);
    }
}

/* ---------------------------------------------------------------- taking a slab from another class */

/* The next slab in turn, of any class but `except`; NULL: there is none. */
static slab *next_victim(cache *c, int except)
{
    for (int classes = 0; classes <= CACHE_CLASSES; classes++) {
        size_class *k = &c->classes[c->victim_class];
        if (c->victim_class != except && c->victim_slab < k->slab_count) return k->slabs[c->victim_slab++];
        c->victim_class = (c->victim_class + 1) % CACHE_CLASSES;
        c->victim_slab = 0;
    }
    return NULL;
}

/* How much of a slab is in use, in frames. Clears the reference bits: in a slab that is in use, readers will
 * have set them again by the next time. */
static uint32_t slab_use(slab *s)
{
    uint32_t use = 0;
    for (uint32_t i = 0; i < s->ready; i++) {
        cache_frame *fr = slab_frame(s, i);
        if (fr->state != FRAME_USED) continue;
        if (fr->resident)
            use += RESIDENT_WEIGHT;
        else if (frame_referenced(fr))
            use++;
        frame_unreference(fr);
    }
    return use;
}

/* The least used of a few slabs; *cold: it is hardly used at all. */
static slab *pick_victim(cache *c, int except, bool *cold)
{
    slab *best = NULL, *first = NULL;
    uint64_t best_use = 0;
    for (int i = 0; i < VICTIM_CANDIDATES; i++) {
        slab *s = next_victim(c, except);
        if (!s || s == first) break;
        if (!first) first = s;
        uint64_t use = slab_use(s);
        if (best && use * best->frames >= best_use * s->frames) continue;
        best = s;
        best_use = use;
    }
    *cold = best && best_use * COLD_PART <= best->frames;
    return best;
}

bool slabs_shrink(cache *c)
{
    bool cold;
    slab *s = pick_victim(c, CACHE_NO_CLASS, &cold);
    if (s) slab_retire(c, s, CACHE_NO_CLASS);
    return s != NULL;
}

/* Takes a slab from another class, if this one needs it. */
static void take_slab(cache *c, int class_no)
{
    size_class *k = &c->classes[class_no];
    /* The class has no frames, or its hand has gone round twice without evicting one. */
    bool starves = k->frames == 0 || k->fruitless > 2 * k->frames, cold;
    if (!starves && k->evicted < k->frames) return;
    k->evicted = 0;
    if (c->leaving_first) return; /* one at a time: that one may already suffice */
    slab *s = pick_victim(c, class_no, &cold);
    if (!s || (!cold && !starves)) return;
    k->fruitless = 0;
    slab_retire(c, s, class_no);
}

/* ---------------------------------------------------------------- the clock */

/* Advances the hand and returns the frame it has passed; NULL: it only went on to the next slab. The class
 * must have slabs. */
static cache_frame *hand_advance(size_class *k)
{
    if (k->hand_slab >= k->slab_count) k->hand_slab = 0;
    slab *s = k->slabs[k->hand_slab];
    if (k->hand_frame < s->ready) return slab_frame(s, k->hand_frame++);
    k->hand_slab++;
    k->hand_frame = 0;
    return NULL;
}

static bool may_evict(cache *c, cache_frame *fr)
{
    if (fr->state != FRAME_USED) return false;
    if (fr->resident) {
        if (c->resident_bytes <= c->limit / 2) return false;
        frame_set_resident(c, fr, false); /* from now on it is treated like the others */
    }
    if (!frame_referenced(fr)) return true;
    frame_unreference(fr);
    return false;
}

/* Whether the class has as many frames free or in limbo as it should have in stock. */
static bool class_is_stocked(const size_class *k)
{
    uint32_t stock = k->frames / STOCK_PART;
    if (stock < 1) stock = 1;
    if (stock > STOCK_MAX) stock = STOCK_MAX;
    return k->free_count + k->limbo_count >= stock;
}

/* Evicts until the stock is full, within a bounded number of steps. */
static void class_sweep(cache *c, size_class *k)
{
    for (int steps = 0; steps < SWEEP_STEPS && k->frames > 0 && !class_is_stocked(k); steps++) {
        cache_frame *fr = hand_advance(k);
        k->fruitless++;
        if (!fr || !may_evict(c, fr)) continue;
        map_remove(fr);
        frame_retire(c, fr);
        k->fruitless = 0;
        k->evicted++;
        c->evictions++;
    }
}

/* Refills the stock of free frames: with new memory if there is any, else from another class, else by
 * evicting. */
static void class_restock(cache *c, int class_no)
{
    size_class *k = &c->classes[class_no];
    if (class_is_stocked(k) || slab_create(c, class_no)) return;
    take_slab(c, class_no);
    class_sweep(c, k);
    slabs_reclaim(c);
}

cache_frame *frame_spare(cache *c, int class_no)
{
    os_mutex_assert_held(&c->mu);
    size_class *k = &c->classes[class_no];
    slabs_reclaim(c);
    /* The stock was evicted for other priorities. */
    return k->free_count > STOCK_MAX || slab_create(c, class_no) ? free_take(k) : NULL;
}

cache_frame *frame_acquire(cache *c, int class_no)
{
    os_mutex_assert_held(&c->mu);
    slabs_reclaim(c);
    if (cache_bytes_expected(c) > cache_slab_limit(c)) (void)slabs_shrink(c); /* false: nothing to shrink */
    class_restock(c, class_no);
    return free_take(&c->classes[class_no]);
}
