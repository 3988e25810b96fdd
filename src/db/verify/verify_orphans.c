/* verify_orphans.c -- compares the files in the directory with those that the database uses. */
#include "db/verify/verify_orphans.h"

#include "db/open/directory.h"
#include "db/verify/verify_log.h"

typedef struct orphan_count {
    verification *verification;
    used_files used;
} orphan_count;

static bool uses_segment(const void *ctx, uint64_t number)
{
    return verify_log_may_use(((const known_files *)ctx)->state, number);
}

static bool uses_run(const void *ctx, uint64_t number)
{
    return verify_trees_use(((const known_files *)ctx)->trees, number);
}

static holt_status see(void *ctx, const char *name)
{
    orphan_count *c = ctx;
    c->verification->report.orphans += file_is_orphan(name, &c->used);
    return HOLT_OK;
}

holt_status verify_orphans(verification *v, os_dir *dir, const known_files *known)
{
    orphan_count c = {.verification = v,
                      .used = {.ctx = known,
                               .manifest = known->manifest,
                               .page_file = known->state->page_store.file,
                               .segment = uses_segment,
                               .run = uses_run}};
    return os_dir_list(dir, see, &c);
}
