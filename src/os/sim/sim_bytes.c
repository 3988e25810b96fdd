/* sim_bytes.c -- contents of files in shared pages, and the machine's own allocation. */
#include "os/sim/sim_bytes.h"

#include "base/slice.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct sim_page {
    _Atomic uint32_t refs;
    uint8_t bytes[SIM_PAGE_SIZE];
};

struct sim_blob {
    _Atomic uint32_t refs;
    uint8_t bytes[];
};

static void no_memory(void)
{
    fprintf(stderr, "sim: out of memory\n");
    abort();
}

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) no_memory();
    return memory;
}

void sim_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity) return;
    size_t wanted = count + count / 2 + 8;
    void *memory; /* the caller's pointer has its own element type, so it is accessed as bytes */
    memcpy(&memory, array, sizeof memory);
    memory = realloc(memory, wanted * size);
    if (!memory) no_memory();
    memcpy(array, &memory, sizeof memory);
    *capacity = wanted;
}

/* Relaxed: a caller that adds a reference holds one already. */
static void add_ref(_Atomic uint32_t *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* Returns whether it was the last. Release for what this holder read; acquire for the last one, which
 * frees. */
static bool drop_ref(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void page_unref(sim_page *p)
{
    if (p && drop_ref(&p->refs)) free(p);
}

static sim_page *page_copy(const sim_page *from)
{
    sim_page *p = sim_alloc(sizeof *p);
    atomic_init(&p->refs, 1);
    if (from) memcpy(p->bytes, from->bytes, sizeof p->bytes);
    return p;
}

/* Returns the page with that number for writing: created if it is missing, copied if it is shared. */
static uint8_t *page_to_write(sim_bytes *b, size_t number)
{
    sim_grow((void **)&b->pages, &b->page_capacity, number + 1, sizeof(sim_page *));
    while (b->page_count <= number)
        b->pages[b->page_count++] = NULL;

    sim_page *page = b->pages[number];
    /* Acquire: what another holder read before it dropped its reference precedes what is written here. */
    if (!page || atomic_load_explicit(&page->refs, memory_order_acquire) > 1) {
        b->pages[number] = page_copy(page);
        page_unref(page);
    }
    return b->pages[number]->bytes;
}

static void drop_pages_from(sim_bytes *b, size_t number)
{
    while (b->page_count > number)
        page_unref(b->pages[--b->page_count]);
}

void sim_bytes_clear(sim_bytes *b)
{
    drop_pages_from(b, 0);
    free(b->pages);
    *b = (sim_bytes){0, NULL, 0, 0};
}

void sim_bytes_copy(sim_bytes *to, const sim_bytes *from)
{
    assert(to != from);
    sim_bytes_clear(to);
    sim_grow((void **)&to->pages, &to->page_capacity, from->page_count, sizeof(sim_page *));
    for (size_t i = 0; i < from->page_count; i++) {
        to->pages[i] = from->pages[i]; /* NOLINT: the analyzer does not follow the counts of shared pages */
        if (to->pages[i]) add_ref(&to->pages[i]->refs);
    }
    to->page_count = from->page_count;
    to->size = from->size;
}

static size_t bytes_in_page(uint64_t offset, size_t size)
{
    size_t left = SIM_PAGE_SIZE - (size_t)(offset % SIM_PAGE_SIZE);
    return size < left ? size : left;
}

size_t sim_bytes_read(const sim_bytes *b, uint64_t offset, void *buffer, size_t size)
{
    if (offset >= b->size) return 0;
    if (size > b->size - offset) size = (size_t)(b->size - offset);
    for (size_t done = 0, n; done < size; done += n) {
        uint64_t at = offset + done;
        size_t number = (size_t)(at / SIM_PAGE_SIZE);
        const sim_page *page = number < b->page_count ? b->pages[number] : NULL;
        n = bytes_in_page(at, size - done);
        if (page) {
            memcpy((uint8_t *)buffer + done, page->bytes + at % SIM_PAGE_SIZE, n);
        } else {
            memset((uint8_t *)buffer + done, 0, n);
        }
    }
    return size;
}

void sim_bytes_write(sim_bytes *b, uint64_t offset, const void *data, size_t size)
{
    for (size_t done = 0, n; done < size; done += n) {
        uint64_t at = offset + done;
        n = bytes_in_page(at, size - done);
        memcpy(page_to_write(b, (size_t)(at / SIM_PAGE_SIZE)) + at % SIM_PAGE_SIZE,
               (const uint8_t *)data + done, n);
    }
    if (size > 0 && b->size < offset + size) b->size = offset + size;
}

void sim_bytes_resize(sim_bytes *b, uint64_t size)
{
    if (size < b->size) {
        size_t tail = (size_t)(size % SIM_PAGE_SIZE), number = (size_t)(size / SIM_PAGE_SIZE);
        drop_pages_from(b, number + (tail > 0));
        if (tail > 0 && number < b->page_count && b->pages[number]) {
            memset(page_to_write(b, number) + tail, 0, SIM_PAGE_SIZE - tail);
        }
    }
    b->size = size;
}

sim_blob *sim_blob_create(const void *data, size_t size)
{
    sim_blob *b = sim_alloc(sizeof *b + size);
    atomic_init(&b->refs, 1);
    bytes_copy(b->bytes, data, size);
    return b;
}

sim_blob *sim_blob_ref(sim_blob *b)
{
    if (b) add_ref(&b->refs);
    return b;
}

void sim_blob_unref(sim_blob *b)
{
    if (b && drop_ref(&b->refs)) free(b);
}

const uint8_t *sim_blob_bytes(const sim_blob *b)
{
    return b->bytes;
}
