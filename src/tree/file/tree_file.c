/* tree_file.c -- opening, sharing and reading a tree file. Its descriptor is managed by tree_files.c. */
#include "tree/file/tree_file_internal.h"

#include "base/cost.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "tree/file/tree_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void tree_file_name_as(uint32_t purpose, uint64_t number, char name[OS_NAME_MAX])
{
    const char *format = purpose == TREE_PURPOSE_PAGES ? "tree-%06" PRIu64 ".bt" : "run-%06" PRIu64 ".sst";
    snprintf(name, OS_NAME_MAX, format, number);
}

void tree_file_name(uint64_t number, char name[OS_NAME_MAX])
{
    tree_file_name_as(TREE_PURPOSE_RUNS, number, name);
}

/* ---------------------------------------------------------------- opening */

/* written: the file has been written through this handle, and not synced yet. */
static holt_status file_create(tree_files *t, const tree_file_spec *spec, os_file *handle, bool written,
                               tree_file **out)
{
    assert(handle && spec->size >= TREE_HEADER_BYTES);
    *out = NULL;
    tree_file *f = mem_alloc_zero(1, sizeof *f);
    if (!f) return status_no_memory(sizeof *f);
    holt_status rc = cache_file_open(t->cache, &f->cache);
    if (rc != HOLT_OK) {
        mem_free(f);
        return rc;
    }
    f->files = t;
    f->purpose = spec->purpose;
    f->number = spec->number;
    tree_file_name_as(spec->purpose, spec->number, f->name);
    atomic_init(&f->size, spec->size);
    atomic_init(&f->refs, 1);
    atomic_init(&f->obsolete, false);
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    f->writable = spec->writable;
    if (written)
        f->writing = handle;
    else
        tree_files_adopt(f, handle);
    *out = f;
    return HOLT_OK;
}

holt_status tree_file_create(tree_files *t, const tree_file_spec *spec, os_file *handle, tree_file **out)
{
    return file_create(t, spec, handle, spec->writable, out);
}

static holt_status file_check_size(os_file *handle, uint64_t size_min, uint64_t *size)
{
    holt_status rc = os_file_size(handle, size);
    if (rc != HOLT_OK) return rc;
    if (size_min < TREE_HEADER_BYTES) size_min = TREE_HEADER_BYTES;
    if (*size >= size_min) return HOLT_OK;
    return status_set_file(HOLT_CORRUPT, os_file_name(handle), *size,
                           "ends at %" PRIu64 ", expected at least %" PRIu64 " bytes", *size, size_min);
}

static holt_status file_check_header(const tree_files *t, os_file *handle, uint32_t purpose, uint64_t number)
{
    uint8_t page[TREE_HEADER_BYTES];
    tree_header header, expected = {purpose, {t->database_id[0], t->database_id[1]}, number};
    holt_status rc = os_file_read_exact(handle, 0, page, sizeof page);
    if (rc != HOLT_OK) return rc;
    rc = tree_header_decode(page, os_file_name(handle), &header);
    if (rc != HOLT_OK) return rc;
    return tree_header_check(&header, &expected, os_file_name(handle));
}

holt_status tree_file_open_handle(const tree_file *f, unsigned flags, os_file **out)
{
    holt_status rc = os_file_open(f->files->dir, f->name, flags, out);
    if (rc == HOLT_NOT_FOUND) return status_set_file(HOLT_CORRUPT, f->name, HOLT_NO_OFFSET, "is missing");
    if (rc == HOLT_OK) rc = file_check_header(f->files, *out, f->purpose, f->number);
    if (rc == HOLT_OK) return HOLT_OK;
    os_file_close(*out);
    *out = NULL;
    return rc;
}

holt_status tree_file_open_as(tree_files *t, const tree_file_spec *spec, tree_file **out)
{
    char name[OS_NAME_MAX];
    os_file *handle = NULL;
    tree_file_spec found = *spec;
    *out = NULL;

    tree_file_name_as(spec->purpose, spec->number, name);
    holt_status rc = os_file_open(t->dir, name, OS_READ, &handle);
    if (rc == HOLT_NOT_FOUND) return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET, "is missing");
    if (rc != HOLT_OK) return rc;
    rc = file_check_size(handle, spec->size, &found.size);
    if (rc != HOLT_OK) goto done;
    rc = file_check_header(t, handle, spec->purpose, spec->number);
    if (rc != HOLT_OK) goto done;
    rc = file_create(t, &found, handle, false, out);
    if (rc == HOLT_OK) handle = NULL; /* now the table's */
done:
    os_file_close(handle);
    return rc;
}

holt_status tree_file_open(tree_files *t, uint64_t number, uint64_t size_min, tree_file **out)
{
    tree_file_spec spec = {.purpose = TREE_PURPOSE_RUNS, .number = number, .size = size_min};
    return tree_file_open_as(t, &spec, out);
}

/* ---------------------------------------------------------------- sharing */

tree_file *tree_file_ref(tree_file *f)
{
    uint32_t before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return f;
}

/* 0 for a file of pages, whose size changes: it is obsolete only if creating it has failed. */
static uint64_t obsolete_size(const tree_file *f)
{
    return tree_file_paged(f) ? 0 : tree_file_size(f);
}

void tree_file_unref(tree_file *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) return;
    tree_files *t = f->files;
    os_file_close(f->writing);
    tree_files_remove(f);
    cache_file_close(f->cache);
    if (atomic_load_explicit(&f->obsolete, memory_order_relaxed)) {
        /* A file that could not be deleted is an orphan: the next open of the database finds and deletes
         * it. */
        os_dir_discard(t->dir, f->name);
        atomic_fetch_sub_explicit(&t->obsolete_bytes, obsolete_size(f), memory_order_relaxed);
    }
    mem_free(f);
    atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
}

void tree_file_obsolete(tree_file *f)
{
    if (atomic_exchange_explicit(&f->obsolete, true, memory_order_relaxed)) return;
    atomic_fetch_add_explicit(&f->files->obsolete_bytes, obsolete_size(f), memory_order_relaxed);
}

bool tree_file_is_obsolete(const tree_file *f)
{
    return atomic_load_explicit(&f->obsolete, memory_order_relaxed);
}

uint64_t tree_file_number(const tree_file *f)
{
    return f->number;
}

uint64_t tree_file_size(const tree_file *f)
{
    return atomic_load_explicit(&f->size, memory_order_relaxed); /* see tree_file_internal.h */
}

bool tree_file_paged(const tree_file *f)
{
    return f->purpose == TREE_PURPOSE_PAGES;
}

uint64_t tree_file_space(const tree_file *f, uint64_t size)
{
    return tree_file_paged(f) ? tree_page_space(size) : tree_piece_space(size);
}

cache_file *tree_file_cache(tree_file *f)
{
    return f->cache;
}

cache *tree_file_block_cache(tree_file *f)
{
    return f->files->cache;
}

/* ---------------------------------------------------------------- reading */

holt_status tree_file_corrupt(const tree_file *f, uint64_t offset, const char *what)
{
    return status_set_file(HOLT_CORRUPT, f->name, offset, "block at %" PRIu64 ": %s", offset, what);
}

holt_status tree_file_check_ptr(const tree_file *f, block_ptr p)
{
    const bool paged = tree_file_paged(f);
    const uint64_t size = tree_file_size(f);
    if (p.length == 0) return tree_file_corrupt(f, p.offset, "pointer has no length");
    if (p.offset < TREE_HEADER_BYTES || p.offset % (paged ? TREE_PAGE_BYTES : TREE_PIECE_ALIGN))
        return tree_file_corrupt(f, p.offset, "pointer leads to where no block can be");
    if (p.offset > size || p.length > size - p.offset)
        return tree_file_corrupt(f, p.offset, "pointer leads past the end of the file");
    /* In a file of pages the ordinal is the number of the first page. In a file of runs each piece takes at
     * least one aligned place, so a greater ordinal is wrong and would only waste memory in the cache's
     * array. */
    if (paged ? p.ordinal != p.offset / TREE_PAGE_BYTES : p.ordinal >= size / TREE_PIECE_ALIGN)
        return tree_file_corrupt(f, p.offset, "impossible ordinal");
    return HOLT_OK;
}

holt_status tree_file_read_raw(tree_file *f, uint64_t offset, void *bytes, size_t size)
{
    os_file *handle;
    holt_status rc = tree_files_pin(f, &handle);
    if (rc != HOLT_OK) return rc;
    os *o = os_dir_os(f->files->dir);
    uint64_t began = cost_is_timed() ? os_clock_ns(o) : 0;
    rc = os_file_read_exact(handle, offset, bytes, size);
    cost_sheet *cost = cost_sheet_mine();
    cost->blocks_read++;
    cost->bytes_read += size;
    if (began) cost->read_ns += os_clock_ns(o) - began;
    tree_files_unpin(f);
    return rc;
}

holt_status tree_file_read(tree_file *f, block_ptr p, void *bytes)
{
    holt_status rc = tree_file_check_ptr(f, p);
    if (rc != HOLT_OK) return rc;
    rc = tree_file_read_raw(f, p.offset, bytes, p.length);
    if (rc != HOLT_OK) return rc;

    uint64_t checksum = hash_bytes(bytes, p.length);
    if (checksum == p.checksum) return HOLT_OK;
    return status_set_file(HOLT_CORRUPT, f->name, p.offset,
                           "block at %" PRIu64 ": checksum %016" PRIx64 ", expected %016" PRIx64, p.offset,
                           checksum, p.checksum);
}

void tree_file_advise(tree_file *f, enum os_advice advice, uint64_t offset, uint64_t size)
{
    os_file *handle;
    if (tree_files_pin(f, &handle) != HOLT_OK)
        return; /* only advice: the read that follows reports the error */
    os_file_advise(handle, advice, offset, size);
    tree_files_unpin(f);
}
