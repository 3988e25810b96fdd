/* tree_file.h -- tree files: one file of blocks, its readers, and the table of the open files.
 *
 * A file begins with a header (magic, format version, database id, its own number and purpose, checksum) and
 * then holds stored pieces: blocks, overflow pieces (parts of values too large for their leaf) and filter
 * pages. A piece is identified by a block_ptr. A file of runs is written once from front to back, as below;
 * its pieces are 8-byte aligned and numbered by ordinal in the order written. A file of pages is written
 * anywhere, any number of times (tree_page_file.h). Both are read in the same way.
 *
 * Descriptors  come from a table with a bounded number of open files per database (tree_files): a file is
 *              opened when it is read, and closed again when other files need the descriptor. A read uses its
 *              descriptor only while it reads.
 * Lifetime     a tree_file is reference-counted: runs and their readers hold references. When the last
 *              reference is dropped and the file has been marked obsolete, it is deleted from the directory.
 * Concurrency  any thread. The last unref must come after the epoch in which the file could be found has
 *              passed (db/ makes sure of that).
 * On disk      tree_format.h, docs/FORMAT.md
 */
#ifndef HOLT_TREE_FILE_TREE_FILE_H
#define HOLT_TREE_FILE_TREE_FILE_H

#include "cache/cache.h"
#include "os/os.h"

typedef struct tree_files tree_files; /* the table of one database */
typedef struct tree_file tree_file;

/* dir and cache are borrowed and must outlive the table. */
holt_status tree_files_create(tree_files **out, os_dir *dir, cache *c, const uint64_t database_id[2],
                              uint32_t descriptors_max);
void        tree_files_destroy(tree_files *t); /* accepts NULL; there must be no references to files left */
uint64_t    tree_files_count(const tree_files *t);
cache      *tree_files_cache(const tree_files *t);
/* The size of the files of runs that are obsolete, but not deleted yet because there are references to
 * them. */
uint64_t    tree_files_obsolete_bytes(const tree_files *t);

/* The name of file `number`: "run-000042.sst". */
void tree_file_name(uint64_t number, char name[OS_NAME_MAX]);

/* Opens an existing file and checks its header (HOLT_CORRUPT, HOLT_UNSUPPORTED) and that it is at least
 * `size_min` bytes long. */
holt_status tree_file_open(tree_files *t, uint64_t number, uint64_t size_min, tree_file **out);
tree_file  *tree_file_ref(tree_file *f);
void        tree_file_unref(tree_file *f); /* accepts NULL */
void        tree_file_obsolete(tree_file *f); /* delete it with the last reference */
/* Whether it is deleted with the last reference. Another thread may be marking it. */
bool        tree_file_is_obsolete(const tree_file *f);
uint64_t    tree_file_number(const tree_file *f);
uint64_t    tree_file_size(const tree_file *f); /* a file of pages may grow and shrink at any time */
bool        tree_file_paged(const tree_file *f); /* a file of pages, not of runs */
/* The file space that a piece of `size` bytes takes. */
uint64_t    tree_file_space(const tree_file *f, uint64_t size);
cache_file *tree_file_cache(tree_file *f);
cache      *tree_file_block_cache(tree_file *f); /* the cache itself */

/* Checks that a piece can be where the pointer says; if not, HOLT_CORRUPT with file and offset. Call it
 * before allocating memory of the pointer's length. */
holt_status tree_file_check_ptr(const tree_file *f, block_ptr p);
/* Reads a piece into bytes (p.length) and verifies its checksum: HOLT_CORRUPT with file and offset if it is
 * wrong. Does not touch the cache. */
holt_status tree_file_read(tree_file *f, block_ptr p, void *bytes);
/* Reads bytes for which there is no pointer, without verifying them. */
holt_status tree_file_read_raw(tree_file *f, uint64_t offset, void *bytes, size_t size);
/* Returns HOLT_CORRUPT with a message that `what` is wrong with the piece at `offset`. */
holt_status tree_file_corrupt(const tree_file *f, uint64_t offset, const char *what);
void        tree_file_advise(tree_file *f, enum os_advice advice, uint64_t offset, uint64_t size);

/* ---------------------------------------------------------------- writing */

typedef struct tree_file_writer tree_file_writer;

/* Creates the file under its own name (it must not exist). Writes are gathered into buffers of 1 MiB, which
 * the system is told to write back at once. */
holt_status tree_file_writer_create(tree_file_writer **out, tree_files *t, uint64_t number);
/* Closes the writer; a file that is not finished is deleted. Accepts NULL. */
void        tree_file_writer_destroy(tree_file_writer *w);
/* Appends a piece and returns its pointer. */
holt_status tree_file_writer_add(tree_file_writer *w, const void *bytes, size_t size, block_ptr *out);
uint64_t    tree_file_writer_bytes(const tree_file_writer *w); /* the file's size so far */
/* Writes the rest, syncs the file (not the directory) and opens it for reading: *out has one reference.
 * Afterwards the writer can only be destroyed. If the sync fails, the file is deleted with it, and must be
 * written again under a new number. */
holt_status tree_file_writer_finish(tree_file_writer *w, tree_file **out);

#endif
