/* tree_page_file.c -- creating, writing and truncating files of pages. */
#include "tree/file/tree_page_file.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/file/tree_file_internal.h"
#include "tree/file/tree_format.h"

#include <assert.h>

void tree_page_file_name(uint64_t number, char name[OS_NAME_MAX])
{
    tree_file_name_as(TREE_PURPOSE_PAGES, number, name);
}

/* ---------------------------------------------------------------- creating and opening */

holt_status tree_page_file_create(tree_files *t, uint64_t number, tree_file **out)
{
    char name[OS_NAME_MAX];
    uint8_t page[TREE_HEADER_BYTES];
    os_file *handle = NULL;
    tree_header header = {TREE_PURPOSE_PAGES, {t->database_id[0], t->database_id[1]}, number};
    tree_file_spec spec = {
        .purpose = TREE_PURPOSE_PAGES, .number = number, .size = TREE_HEADER_BYTES, .writable = true};
    *out = NULL;
    tree_page_file_name(number, name);
    holt_status rc = os_file_open(t->dir, name, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &handle);
    if (rc == HOLT_EXISTS) return status_set_file(rc, name, HOLT_NO_OFFSET, "exists already");
    if (rc != HOLT_OK) return rc;
    tree_header_encode(page, &header);
    rc = os_file_write(handle, 0, page, sizeof page);
    if (rc == HOLT_OK) rc = tree_file_create(t, &spec, handle, out);
    if (rc == HOLT_OK) return HOLT_OK;
    os_file_close(handle);
    os_dir_discard(t->dir, name); /* no manifest names it: if it stays, the next open deletes it */
    return rc;
}

holt_status tree_page_file_open(tree_files *t, uint64_t number, uint64_t size_min, bool writable,
                                tree_file **out)
{
    tree_file_spec spec = {
        .purpose = TREE_PURPOSE_PAGES, .number = number, .size = size_min, .writable = writable};
    return tree_file_open_as(t, &spec, out);
}

/* ---------------------------------------------------------------- writing */

static holt_status open_for_writing(tree_file *f)
{
    assert(f->writable && tree_file_paged(f));
    return f->writing ? HOLT_OK : tree_file_open_handle(f, OS_WRITE, &f->writing);
}

holt_status tree_file_write(tree_file *f, uint64_t offset, const void *bytes, size_t size)
{
    assert(offset % TREE_PAGE_BYTES == 0 && size % TREE_PAGE_BYTES == 0);
    holt_status rc = open_for_writing(f);
    if (rc == HOLT_OK) rc = os_file_write(f->writing, offset, bytes, size);
    if (rc == HOLT_OK && offset + size > tree_file_size(f))
        atomic_store_explicit(&f->size, offset + size, memory_order_relaxed); /* only one thread writes */
    return rc;
}

void tree_file_push(tree_file *f, uint64_t offset, uint64_t size)
{
    assert(f->writable);
    if (f->writing) os_file_push(f->writing, offset, size);
}

holt_status tree_file_sync(tree_file *f)
{
    assert(f->writable);
    if (!f->writing) return HOLT_OK; /* nothing was written since the last sync */
    holt_status rc = os_file_sync(f->writing);
    if (rc != HOLT_OK) return rc;
    os_file_close(f->writing);
    f->writing = NULL;
    return HOLT_OK;
}

holt_status tree_file_truncate(tree_file *f, uint64_t size)
{
    assert(size >= TREE_HEADER_BYTES && size % TREE_PAGE_BYTES == 0);
    bool exists, clean = !f->writing;
    uint64_t actual; /* a failed write may have made the file longer than f->size */
    holt_status rc = os_dir_stat(f->files->dir, f->name, &exists, &actual);
    if (rc == HOLT_OK && actual > size) {
        rc = open_for_writing(f);
        if (rc == HOLT_OK) rc = os_file_truncate(f->writing, size);
    }
    if (rc == HOLT_OK && tree_file_size(f) > size)
        atomic_store_explicit(&f->size, size, memory_order_relaxed); /* as above */
    if (!clean) return rc;
    os_file_close(f->writing); /* nothing was written through it */
    f->writing = NULL;
    return rc;
}
