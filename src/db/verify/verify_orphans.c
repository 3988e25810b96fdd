/* verify_orphans.c -- compares the files in the directory with those that the database uses. */
#include "db/verify/verify_orphans.h"

#include "db/open/directory.h"
#include "db/verify/verify_log.h"

typedef struct orphan_count {
    verification *verification;
    const known_files *known;
} orphan_count;

static holt_status see(void *ctx, const char *name)
{
    orphan_count *c = ctx;
    uint64_t number;
    bool orphan = false;
    switch (file_classify(name, &number)) {
    case FILE_MANIFEST:
        orphan = number != c->known->manifest;
        break;
    case FILE_SEGMENT:
        orphan = !verify_log_may_use(c->known->state, number);
        break;
    case FILE_RUN:
        orphan = !verify_trees_use(c->known->trees, number);
        break;
    case FILE_PAGES:
        orphan = number != c->known->state->page_store.file;
        break;
    case FILE_TEMPORARY:
        orphan = true;
        break;
    case FILE_FOREIGN:
    case FILE_BYSTANDER:
    case FILE_CURRENT:
    case FILE_LOCK:
    case FILE_EVENT_LOG:
        break;
    }
    c->verification->report.orphans += orphan;
    return HOLT_OK;
}

holt_status verify_orphans(verification *v, os_dir *dir, const known_files *known)
{
    orphan_count c = {.verification = v, .known = known};
    return os_dir_list(dir, see, &c);
}
