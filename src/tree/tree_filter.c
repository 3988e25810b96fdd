/* tree_filter.c -- reading a tree's filter, resident or page by page, and testing hashes. */
#include "tree/tree_filter.h"

#include "base/memory.h"
#include "base/status.h"
#include "block/filter.h"
#include "tree/tree_internal.h"

#include <assert.h>

enum { PAGE_LINES = FILTER_PAGE_BYTES / FILTER_LINE_BYTES, PROBES_MAX = 16 };

struct tree_filter {
    tree_file *file;
    cache *cache; /* where memory is reserved for the lines; NULL: none is */
    uint64_t lines;
    uint32_t probes;
    uint8_t *resident; /* all lines; NULL: they are read page by page */
    /* The pages, and where they are cached. They are cached apart from the file's blocks, because a hit there
     * is taken for a checked block, and in a damaged file a pointer to a block may lead to a filter page. */
    block_ptr *directory;
    cache_file *pages;
};

/* ---------------------------------------------------------------- on disk */

size_t tree_filter_page_count(uint64_t lines)
{
    return (size_t)((lines + PAGE_LINES - 1) / PAGE_LINES);
}

static uint64_t page_size(uint64_t lines, size_t page)
{
    uint64_t left = (lines - (uint64_t)page * PAGE_LINES) * FILTER_LINE_BYTES;
    return left < FILTER_PAGE_BYTES ? left : FILTER_PAGE_BYTES;
}

/* The numbers come from the manifest, so they are wrong only if manifest and file do not belong together. */
static holt_status filter_check_root(const tree_file *f, const tree_root *root)
{
    bool possible = root->filter_lines > 0 && root->filter_lines <= tree_file_size(f) / FILTER_LINE_BYTES &&
                    root->filter_lines <= UINT32_MAX && root->filter_probes > 0 &&
                    root->filter_probes <= PROBES_MAX;
    if (possible && root->filter.length == tree_filter_page_count(root->filter_lines) * BLOCK_PTR_SIZE)
        return HOLT_OK;
    return tree_file_corrupt(f, root->filter.offset, "filter with an impossible size");
}

static holt_status directory_check(const tree_file *f, const tree_root *root, const block_ptr *directory,
                                   size_t pages)
{
    for (size_t i = 0; i < pages; i++) {
        if (directory[i].length != page_size(root->filter_lines, i))
            return tree_file_corrupt(f, root->filter.offset, "filter page with a wrong size");
        holt_status rc = tree_file_check_ptr(f, directory[i]);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

holt_status tree_filter_read_directory(tree_file *f, const tree_root *root, block_ptr **out, size_t *pages)
{
    *out = NULL;
    holt_status rc = filter_check_root(f, root);
    if (rc != HOLT_OK) return rc;

    *pages = tree_filter_page_count(root->filter_lines);
    uint8_t *bytes = mem_alloc(root->filter.length);
    block_ptr *directory = mem_alloc_zero(*pages, sizeof *directory);
    if (!bytes || !directory) {
        rc = status_no_memory(root->filter.length);
        goto done;
    }
    rc = tree_file_read(f, root->filter, bytes);
    if (rc != HOLT_OK) goto done;
    for (size_t i = 0; i < *pages; i++)
        directory[i] = block_ptr_decode(bytes + i * BLOCK_PTR_SIZE);
    rc = directory_check(f, root, directory, *pages);
    if (rc != HOLT_OK) goto done;

    *out = directory;
    directory = NULL; /* now the caller's */
done:
    mem_free(directory);
    mem_free(bytes);
    return rc;
}

holt_status tree_filter_read_lines(tree_file *f, const block_ptr *directory, size_t pages, uint8_t *lines)
{
    for (size_t i = 0; i < pages; i++) {
        holt_status rc = tree_file_read(f, directory[i], lines + i * FILTER_PAGE_BYTES);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* ---------------------------------------------------------------- opening */

/* Reads all lines into memory that has been reserved in the cache's budget. */
static holt_status filter_make_resident(tree_filter *t)
{
    size_t size = (size_t)t->lines * FILTER_LINE_BYTES;
    t->resident = mem_large_alloc(size); /* aligned for lines */
    if (!t->resident) return status_no_memory(size);
    holt_status rc =
        tree_filter_read_lines(t->file, t->directory, tree_filter_page_count(t->lines), t->resident);
    if (rc != HOLT_OK) return rc;
    mem_free(t->directory);
    t->directory = NULL;
    return HOLT_OK;
}

holt_status tree_filter_open(tree_filter **out, tree_file *f, const tree_root *root)
{
    *out = NULL;
    if (root->filter.length == 0) return HOLT_OK;
    tree_filter *t = mem_alloc_zero(1, sizeof *t);
    if (!t) return status_no_memory(sizeof *t);
    t->file = f;
    t->lines = root->filter_lines;
    t->probes = root->filter_probes;

    size_t pages;
    holt_status rc = tree_filter_read_directory(f, root, &t->directory, &pages);
    if (rc != HOLT_OK) goto done;
    cache *c = tree_file_block_cache(f);
    if (cache_reserve_resident(c, t->lines * FILTER_LINE_BYTES)) {
        t->cache = c;
        rc = filter_make_resident(t);
    } else {
        rc = cache_file_open(c, &t->pages);
    }
    if (rc != HOLT_OK) goto done;
    *out = t;
    t = NULL; /* now the caller's */
done:
    tree_filter_close(t);
    return rc;
}

void tree_filter_close(tree_filter *t)
{
    if (!t) return;
    if (t->cache) cache_release_resident(t->cache, t->lines * FILTER_LINE_BYTES);
    cache_file_close(t->pages);
    mem_large_free(t->resident, (size_t)t->lines * FILTER_LINE_BYTES);
    mem_free(t->directory);
    mem_free(t);
}

/* ---------------------------------------------------------------- testing */

void tree_filter_prefetch(const tree_filter *t, uint64_t hash)
{
    if (t && t->resident)
        __builtin_prefetch(t->resident + filter_line_of(hash, t->lines) * FILTER_LINE_BYTES);
}

static tree_result test_line(const tree_filter *t, const uint8_t *lines, uint64_t line, uint64_t hash)
{
    return filter_line_test(lines + line * FILTER_LINE_BYTES, hash, t->probes) ? TREE_FOUND : TREE_ABSENT;
}

tree_result tree_filter_test(const tree_filter *t, uint64_t hash)
{
    if (!t) return TREE_FOUND;
    assert(epoch_inside());
    uint64_t line = filter_line_of(hash, t->lines);
    if (t->resident) return test_line(t, t->resident, line, hash);
    const uint8_t *page = cache_lookup(t->pages, t->directory[line / PAGE_LINES]);
    return page ? test_line(t, page, line % PAGE_LINES, hash) : TREE_NOT_CACHED;
}

block_ptr tree_filter_page(const tree_filter *t, uint64_t hash)
{
    return t->directory[filter_line_of(hash, t->lines) / PAGE_LINES];
}

holt_status tree_filter_read_page(const tree_filter *t, block_ptr page, tree_buffer *buffer)
{
    assert(!epoch_inside());
    holt_status rc = tree_buffer_reserve(buffer, page.length);
    if (rc == HOLT_OK) rc = tree_file_read(t->file, page, buffer->bytes);
    if (rc == HOLT_OK) cache_insert(t->pages, page, buffer->bytes, CACHE_RESIDENT);
    return rc;
}

tree_result tree_filter_test_page(const tree_filter *t, uint64_t hash, const tree_buffer *buffer)
{
    return test_line(t, buffer->bytes, filter_line_of(hash, t->lines) % PAGE_LINES, hash);
}

tree_result tree_filter_test_read(const tree_filter *t, uint64_t hash, tree_buffer *buffer,
                                  holt_status *status)
{
    *status = epoch_enter();
    if (*status != HOLT_OK) return TREE_FAILED;
    tree_result result = tree_filter_test(t, hash);
    epoch_leave();
    if (result != TREE_NOT_CACHED) return result;

    *status = tree_filter_read_page(t, tree_filter_page(t, hash), buffer);
    return *status == HOLT_OK ? tree_filter_test_page(t, hash, buffer) : TREE_FAILED;
}
