/* pages.c -- mmap and its relatives; also a pretended page size for tests. */
#include "base/pages.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* 0: not known yet. Both are accessed relaxed: they do not change once they are set. */
static _Atomic size_t size_of_page;
static _Atomic bool pretended;

size_t page_bytes(void)
{
    size_t bytes = atomic_load_explicit(&size_of_page, memory_order_relaxed);
    if (bytes) return bytes;
    bytes = (size_t)sysconf(_SC_PAGESIZE); /* cannot fail; concurrent callers get the same */
    atomic_store_explicit(&size_of_page, bytes, memory_order_relaxed);
    return bytes;
}

void pages_pretend(size_t bytes)
{
    assert((bytes & (bytes - 1)) == 0 && bytes >= (size_t)sysconf(_SC_PAGESIZE));
    atomic_store_explicit(&size_of_page, bytes, memory_order_relaxed);
    atomic_store_explicit(&pretended, true, memory_order_relaxed);
}

static size_t whole_pages(size_t size)
{
    return (size + page_bytes() - 1) & ~(page_bytes() - 1);
}

__attribute__((unused)) static bool is_aligned(const void *memory, size_t alignment)
{
    return ((uintptr_t)memory & (alignment - 1)) == 0;
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Maps more than needed and unmaps both ends. It is no failure if one of them stays mapped. */
void *pages_map_aligned(size_t size, size_t alignment)
{
    size = whole_pages(size);
    uint8_t *memory = map(size + alignment);
    if (!memory) return NULL;
    size_t skip = (0 - (uintptr_t)memory) & (alignment - 1);
    if (skip) (void)munmap(memory, skip);
    memory += skip;
    assert(is_aligned(memory + size, page_bytes()));
    (void)munmap(memory + size, alignment - skip);
    return memory;
}

void *pages_map(size_t size)
{
    if (atomic_load_explicit(&pretended, memory_order_relaxed)) return pages_map_aligned(size, page_bytes());
    return map(size);
}

/* Used with a pretended page size, whose alignment would be lost if the system moved the mapping. */
static void *move_by_copy(void *memory, size_t size_before, size_t size)
{
    void *fresh = pages_map(size);
    if (!fresh) return NULL;
    memcpy(fresh, memory, size_before < size ? size_before : size);
    pages_unmap(memory, size_before);
    return fresh;
}

void *pages_remap(void *memory, size_t size_before, size_t size)
{
    assert(is_aligned(memory, page_bytes()));
    if (atomic_load_explicit(&pretended, memory_order_relaxed))
        return move_by_copy(memory, size_before, size);
    void *moved = mremap(memory, size_before, size, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

void pages_unmap(void *memory, size_t size)
{
    assert(is_aligned(memory, page_bytes()));
    /* Fails only if the kernel would exceed its limit of mappings by splitting one; the memory then stays
     * mapped. */
    (void)munmap(memory, whole_pages(size));
}

void pages_request_huge(void *memory, size_t size)
{
    assert(is_aligned(memory, page_bytes()));
    (void)madvise(memory, size, MADV_HUGEPAGE);
}
