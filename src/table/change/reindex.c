/* reindex.c -- holt_table_reindex.
 *
 * An index is rebuilt in its collection: its record says "building" again, without how far the build has
 * come, and then it is built as after a crash at the very beginning (index/build.h). The collection is
 * cleared as a whole, so not even a damaged one has to be read.
 */
#include "base/memory.h"
#include "base/status.h"
#include "table/change/change.h"
#include "table/schema/names.h"

/* Writers maintain the index before and after this, so none has to be waited for: the clear makes those
 * conflict that have written entries which it removes. */
static holt_status rebuild(registry *r, holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx)
{
    schema *draft;
    holt_status rc = schema_copy(&draft, table_schema(t));
    if (rc != HOLT_OK) return rc;
    schema_index *x = &draft->indexes[schema_find_index_id(draft, id)];
    catalog_change from_the_start = {.ended = x->number};
    x->state = INDEX_BUILDING;
    rc = change_publish(r, t, draft, &from_the_start);
    if (rc == HOLT_OK) rc = change_fill_index(r, t, id, progress, ctx);
    if (rc != HOLT_OK && rc != HOLT_EXISTS) r->unfinished = true; /* the next change goes on */
    return rc;
}

/* The ids of the indexes to rebuild. */
static holt_status choose(const schema *s, const char *name, uint32_t **ids, uint32_t *count)
{
    uint32_t only = name ? schema_find_index(s, name) : SCHEMA_NONE;
    *count = 0;
    if (name && (only == SCHEMA_NONE || s->indexes[only].state == INDEX_DROPPING))
        return status_set(HOLT_NOT_FOUND, "table %s has no index \"%s\"", s->name, name);
    *ids = mem_alloc_zero(s->index_count + 1, sizeof **ids);
    if (!*ids) return status_no_memory(s->index_count * sizeof **ids);
    for (uint32_t i = 0; i < s->index_count; i++)
        if (s->indexes[i].state != INDEX_DROPPING && (!name || i == only))
            (*ids)[(*count)++] = s->indexes[i].id;
    return HOLT_OK;
}

static holt_status rebuild_chosen(holt_table *t, const char *name, holt_progress_fn progress, void *ctx)
{
    uint32_t *ids = NULL, count;
    if (!table_layout_of(t)) return table_layout_missing(t);
    holt_status rc = choose(table_schema(t), name, &ids, &count);
    for (uint32_t i = 0; i < count && rc == HOLT_OK; i++)
        rc = rebuild(t->registry, t, ids[i], progress, ctx);
    mem_free(ids);
    return rc;
}

holt_status holt_table_reindex(holt_table *t, const char *name, holt_progress_fn progress, void *ctx)
{
    holt_status rc = HOLT_OK;
    if (!t) return table_layout_missing(t);
    if (name) rc = schema_name_check(name, "the name of the index");
    if (rc == HOLT_OK) rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    rc = rebuild_chosen(t, name, progress, ctx);
    registry_end_change(t->registry);
    return rc;
}
