/* create_index.c -- holt_table_create_index and holt_table_drop_index.
 *
 * An index is made in these steps:
 *
 *     1  the record of its table has it, in the state "building"
 *     2  its collection is created
 *     3  the layout that has it is published: from now on writes maintain it
 *     4  older writers are waited for, and every row is put into it (index/build.h)
 *     5  the record has it as complete, and its marker is written, in one transaction
 *
 * After a crash the build is continued. If a step fails, the index is removed again: its state becomes
 * "dropping", nobody uses it any more, and its collection is dropped. Transactions that have written to that
 * fail with HOLT_CONFLICT, and are to be repeated.
 */
#include "base/status.h"
#include "table/catalog/recover.h"
#include "table/change/change.h"
#include "table/schema/names.h"

/* Steps 1 to 3. *id: 0 if nothing is left after a failure. */
static holt_status begin_index(registry *r, holt_table *t, const holt_index_options *o, uint32_t *id)
{
    schema *draft;
    table_layout *layout;
    uint64_t number;
    *id = 0;
    holt_status rc = table_catalog_counter(r->catalog, &number);
    if (rc == HOLT_OK) rc = schema_copy(&draft, table_schema(t));
    if (rc != HOLT_OK) return rc;
    rc = schema_add_index(draft, o, ++number);
    if (rc != HOLT_OK) {
        schema_destroy(draft);
        return rc;
    }
    const schema_index *x = &draft->indexes[draft->index_count - 1];
    catalog_change first = {.put = draft, .counter = number, .begun = number};
    rc = change_store(r, &first);
    if (rc == HOLT_OK) rc = change_create_collection(r->db, draft, x->collection, 0);
    if (rc == HOLT_OK) rc = table_layout_create(r->db, draft, &layout);
    if (rc == HOLT_OK) {
        *id = x->id;
        registry_install(r, t, layout);
        return rc;
    }
    holt_error failure;
    catalog_change undo = {.put = table_schema(t), .ended = number};
    status_keep(rc, &failure);
    if (drop_collection(r->db, x->collection) != HOLT_OK || change_store(r, &undo) != HOLT_OK)
        r->unfinished = true;
    schema_destroy(draft);
    return status_restore(&failure);
}

static holt_status create_index(registry *r, holt_table *t, const holt_index_options *o,
                                holt_progress_fn progress, void *ctx)
{
    uint32_t id;
    holt_status rc = registry_check_name(r, o->name);
    if (rc == HOLT_OK) rc = begin_index(r, t, o, &id);
    if (rc != HOLT_OK) return rc;
    rc = change_build_index(r, t, id, progress, ctx);
    if (rc == HOLT_OK || schema_find_index_id(table_schema(t), id) == SCHEMA_NONE) return rc;
    holt_error failure;
    status_save(&failure);
    (void)change_remove_index(r, t, id); /* marks the registry as unfinished if it fails */
    (void)status_restore(&failure);
    return rc;
}

holt_status holt_table_create_index(holt_table *t, const holt_index_options *o, holt_progress_fn progress,
                                    void *ctx)
{
    if (!t) return table_layout_missing(t);
    if (!o) return status_set(HOLT_INVALID, "the options of the index are NULL");
    holt_status rc = schema_name_check(o->name, "the name of the index");
    if (rc == HOLT_OK) rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    rc = table_layout_of(t) ? create_index(t->registry, t, o, progress, ctx) : HOLT_CLOSED;
    registry_end_change(t->registry);
    return rc;
}

holt_status holt_table_drop_index(holt_table *t, const char *name)
{
    if (!t) return table_layout_missing(t);
    holt_status rc = schema_name_check(name, "the name of the index");
    if (rc == HOLT_OK) rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    if (!table_layout_of(t)) {
        rc = HOLT_CLOSED;
    } else {
        const schema *s = table_schema(t);
        uint32_t at = schema_find_index(s, name);
        if (at == SCHEMA_NONE)
            rc = status_set(HOLT_NOT_FOUND, "table %s has no index \"%s\"", s->name, name);
        else
            rc = change_remove_index(t->registry, t, s->indexes[at].id);
    }
    registry_end_change(t->registry);
    return rc;
}
