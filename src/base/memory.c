/* memory.c -- wraps the C library's allocator in a counter that can make any call fail. */
#include "base/memory.h"

#include "base/compiler.h"
#include "base/pages.h"

#include <assert.h>
#include <holt.h>
#include <stdlib.h>
#include <string.h>

/* Up to this size glibc's malloc() takes 10 ns; its calloc(), which bypasses the thread's cache, takes 50. */
enum { SMALL_BYTES = 1024 };

static THREAD_LOCAL_HOT struct {
    uint64_t allocations; /* tried so far */
    uint64_t fail_at;     /* the number of the one that fails; 0: none */
    bool onwards;         /* and all after it */
} counter;

/* No object is larger than PTRDIFF_MAX: such a size is a miscalculation or a false length in a file. The
 * allocator is not called for it, since those of the sanitizers would abort. */
static bool may_allocate(size_t size)
{
    counter.allocations++;
    if (size > PTRDIFF_MAX) return false;
    if (counter.fail_at == 0 || counter.allocations < counter.fail_at) return true;
    return counter.allocations > counter.fail_at && !counter.onwards;
}

void mem_fail_at(uint64_t n, bool onwards)
{
    counter.fail_at = n ? counter.allocations + n : 0;
    counter.onwards = onwards;
}

uint64_t mem_allocations(void)
{
    return counter.allocations;
}

void *mem_alloc(size_t size)
{
    return may_allocate(size) ? malloc(size ? size : 1) : NULL;
}

/* Not inlined: compilers turn malloc() and memset() into calloc(). */
__attribute__((noinline)) static void *small_alloc(size_t size)
{
    return malloc(size);
}

void *mem_alloc_zero(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || !may_allocate(bytes)) return NULL;
    if (bytes == 0 || bytes > SMALL_BYTES) return calloc(bytes ? bytes : 1, 1);
    void *memory = small_alloc(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *mem_alloc_zero_head(size_t size, size_t zeroed)
{
    assert(zeroed <= size);
    void *memory = mem_alloc(size);
    return memory ? memset(memory, 0, zeroed) : NULL;
}

void *mem_realloc(void *memory, size_t size)
{
    return may_allocate(size) ? realloc(memory, size ? size : 1) : NULL;
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    assert((alignment & (alignment - 1)) == 0);
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    void *memory = NULL;
    if (!may_allocate(size) || posix_memalign(&memory, alignment, size ? size : 1) != 0) return NULL;
    return memory;
}

void *mem_copy(const void *data, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy && size) memcpy(copy, data, size);
    return copy;
}

char *mem_copy_string(const char *string)
{
    return mem_copy(string, strlen(string) + 1);
}

void mem_free(void *memory)
{
    free(memory);
}

/* ---------------------------------------------------------------- large blocks */

enum { LARGE_ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

bool mem_is_watched(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#endif
#endif
    return false;
}

/* Sanitizers detect overruns and leaks only of blocks that come from the C library. */
static bool is_mapped(size_t size)
{
    return size >= MEM_LARGE_BYTES && !mem_is_watched();
}

void *mem_large_alloc(size_t size)
{
    if (!is_mapped(size)) return mem_alloc_aligned(LARGE_ALIGNMENT, size);
    if (!may_allocate(size)) return NULL;
    if (size < HUGE_PAGE_BYTES) return pages_map(size);
    /* Huge pages cause fewer faults and make zeroing cheaper. The system grants them only where they are
     * aligned. They are requested for a whole mapping only, because half of one cannot be resized. */
    void *memory = pages_map_aligned(size, HUGE_PAGE_BYTES);
    if (memory) pages_request_huge(memory, size);
    return memory;
}

void *mem_large_realloc(void *memory, size_t size_before, size_t size)
{
    if (!is_mapped(size_before) && !is_mapped(size)) return mem_realloc(memory, size);
    if (memory && is_mapped(size_before) && is_mapped(size)) {
        return may_allocate(size) ? pages_remap(memory, size_before, size) : NULL;
    }
    void *fresh = mem_large_alloc(size);
    if (fresh && memory) {
        memcpy(fresh, memory, size_before < size ? size_before : size);
        mem_large_free(memory, size_before);
    }
    return fresh;
}

void mem_large_free(void *memory, size_t size)
{
    if (!memory) return;
    if (is_mapped(size))
        pages_unmap(memory, size);
    else
        free(memory);
}

/* ---------------------------------------------------------------- arrays */

bool mem_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    assert(size > 0);
    if (count <= *capacity) return true;
    size_t wanted = *capacity < SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    if (wanted < 8) wanted = 8;
    if (wanted < count) wanted = count;
    size_t bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes)) return false;

    /* The caller's pointer has its own element type, not void *, so it is read and written as bytes. */
    void *memory;
    memcpy(&memory, array, sizeof memory);
    memory = mem_realloc(memory, bytes);
    if (!memory) return false;
    memcpy(array, &memory, sizeof memory);
    *capacity = wanted;
    return true;
}

void holt_free(void *memory)
{
    mem_free(memory);
}

void holt_value_free(holt_value *value)
{
    if (!value) return;
    mem_free(value->data);
    *value = (holt_value)HOLT_VALUE_INIT;
}
