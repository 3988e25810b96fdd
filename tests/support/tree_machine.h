/* tree_machine.h -- a simulated machine with a database directory, a block cache and the open tree files. */
#ifndef HOLT_TESTS_TREE_MACHINE_H
#define HOLT_TESTS_TREE_MACHINE_H

#include "os/sim/sim.h"
#include "support/expect.h"
#include "tree/file/tree_file.h"

#define DIRECTORY "/db"

static const uint64_t DATABASE_ID[2] = {0x1122334455667788, 0x99aabbccddeeff00};

typedef struct tree_machine {
    os *os;
    os_dir *dir;
    cache *cache;
    tree_files *files;
} tree_machine;

static inline void tree_machine_open_with(tree_machine *m, const sim_options *options, uint64_t cache_bytes,
                                          uint32_t descriptors)
{
    m->os = sim_create(options);
    assert_non_null(m->os);
    expect_ok(os_dir_create(m->os, DIRECTORY));
    expect_ok(os_dir_open(m->os, DIRECTORY, &m->dir));
    expect_ok(cache_create(&m->cache, cache_bytes));
    expect_ok(tree_files_create(&m->files, m->dir, m->cache, DATABASE_ID, descriptors));
}

static inline void tree_machine_open(tree_machine *m, uint64_t cache_bytes, uint32_t descriptors)
{
    sim_options options = {.seed = 1};
    tree_machine_open_with(m, &options, cache_bytes, descriptors);
}

/* Goes on with an empty cache. */
static inline void tree_machine_empty_cache(tree_machine *m, uint64_t cache_bytes)
{
    tree_files_destroy(m->files);
    cache_destroy(m->cache);
    expect_ok(cache_create(&m->cache, cache_bytes));
    expect_ok(tree_files_create(&m->files, m->dir, m->cache, DATABASE_ID, 8));
}

static inline void tree_machine_close(tree_machine *m)
{
    assert_int_equal(tree_files_count(m->files), 0);
    tree_files_destroy(m->files);
    cache_destroy(m->cache);
    os_dir_close(m->dir);
    sim_destroy(m->os);
}

#endif
