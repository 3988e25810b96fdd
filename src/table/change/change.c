/* change.c -- the steps that changes of schemas share. */
#include "table/change/change.h"

#include "base/status.h"
#include "table/catalog/index_age.h"
#include "table/catalog/old_writers.h"
#include "table/catalog/recover.h"
#include "table/index/build.h"
#include "table/schema/names.h"

#include <assert.h>

holt_status change_store(registry *r, const catalog_change *change)
{
    assert(registry_holds_change(r) && r->catalog);
    return table_catalog_change(r->db, r->catalog, change);
}

holt_status change_publish(registry *r, holt_table *t, schema *draft, const catalog_change *more)
{
    table_layout *layout;
    catalog_change change = more ? *more : (catalog_change){0};
    change.put = draft;
    holt_status rc = table_layout_create(r->db, draft, &layout);
    if (rc != HOLT_OK) {
        schema_destroy(draft);
        return rc;
    }
    rc = change_store(r, &change);
    if (rc == HOLT_OK)
        registry_install(r, t, layout);
    else
        table_layout_destroy(layout);
    return rc;
}

holt_status change_check_collections(holt *db, const char *name, const char *own)
{
    char **names;
    size_t count;
    holt_status rc = holt_collection_list(db, &names, &count);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < count && rc == HOLT_OK; i++)
        if (schema_name_equal(names[i], name) && (!own || strcmp(names[i], own) != 0))
            rc =
                status_set(HOLT_EXISTS,
                           "there is a collection \"%s\" already; a table needs a name of its own", names[i]);
    holt_free(names);
    return rc;
}

holt_status change_create_collection(holt *db, const schema *s, const char *name, uint32_t flags)
{
    holt_collection *c;
    holt_collection_options o = {.kind = s->kind,
                                 .compression = s->compression,
                                 .block_bytes = s->block_bytes,
                                 .filter_bits = s->filter_bits,
                                 .flags = flags};
    holt_status rc = holt_collection_create(db, name, &o, &c);
    if (rc == HOLT_OK) holt_collection_close(c);
    return rc;
}

static holt_status drop_index_collection(registry *r, const schema_index *x)
{
    catalog_change ended = {.ended = x->number};
    holt_status rc = drop_collection(r->db, x->collection);
    return rc == HOLT_OK && x->state == INDEX_BUILDING ? change_store(r, &ended) : rc;
}

holt_status change_drop_collections(registry *r, const schema *s)
{
    holt_status rc = HOLT_OK;
    for (uint32_t i = 0; i < s->index_count && rc == HOLT_OK; i++)
        rc = drop_index_collection(r, &s->indexes[i]);
    if (rc == HOLT_OK) rc = drop_collection(r->db, s->name);
    catalog_change change = {.removed = s->folded};
    if (rc == HOLT_OK) rc = change_store(r, &change);
    if (rc != HOLT_OK) r->unfinished = true;
    return rc;
}

/* ---------------------------------------------------------------- indexes */

static holt_status copy_with_index(const holt_table *t, uint32_t id, schema **draft, uint32_t *at)
{
    holt_status rc = schema_copy(draft, table_schema(t));
    if (rc == HOLT_OK) *at = schema_find_index_id(*draft, id);
    return rc;
}

holt_status change_remove_index(registry *r, holt_table *t, uint32_t id)
{
    schema *draft;
    uint32_t at;
    char collection[SCHEMA_INDEX_COLLECTION_BYTES];
    holt_status rc = copy_with_index(t, id, &draft, &at);
    if (rc == HOLT_OK) {
        memcpy(collection, draft->indexes[at].collection, sizeof collection);
        draft->indexes[at].state = INDEX_DROPPING;
        rc = change_publish(r, t, draft, NULL);
    }
    if (rc == HOLT_OK) rc = drop_collection(r->db, collection);
    if (rc == HOLT_OK) rc = copy_with_index(t, id, &draft, &at);
    if (rc == HOLT_OK) {
        catalog_change removed = {.ended = draft->indexes[at].number};
        schema_remove_index(draft, at);
        rc = change_publish(r, t, draft, &removed);
    }
    if (rc != HOLT_OK) r->unfinished = true;
    return rc;
}

static holt_status complete_index(registry *r, holt_table *t, uint32_t id)
{
    schema *draft;
    uint32_t at;
    holt_status rc = copy_with_index(t, id, &draft, &at);
    if (rc != HOLT_OK) return rc;
    draft->indexes[at].state = INDEX_COMPLETE;
    const table_layout *layout = table_layout_of(t);
    catalog_change mark = {.marked = layout->indexes[schema_find_index_id(layout->schema, id)],
                           .ended = draft->indexes[at].number};
    index_age_begin(r);
    rc = change_publish(r, t, draft, &mark);
    index_age_end(r);
    return rc;
}

holt_status change_fill_index(registry *r, holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx)
{
    holt_status rc = index_build(t, id, progress, ctx);
    if (rc == HOLT_OK) rc = complete_index(r, t, id);
    if (rc == HOLT_EXISTS || rc == HOLT_UNSUPPORTED) {
        holt_error failure;
        status_keep(rc, &failure);
        (void)change_remove_index(r, t, id); /* marks the registry as unfinished if it fails */
        rc = status_restore(&failure);
    }
    return rc;
}

holt_status change_build_index(registry *r, holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx)
{
    holt_status rc = old_writers_wait(t, registry_change_wait(r));
    return rc == HOLT_OK ? change_fill_index(r, t, id, progress, ctx) : rc;
}
