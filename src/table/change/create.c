/* create.c -- holt_table_create and holt_table_drop.
 *
 * A table is created in these steps, each durable before the next:
 *
 *     1  its record, in the state "creating"
 *     2  its collection
 *     3  its record, live
 *
 * and dropped in the reverse: its record in the state "dropping", from which moment its handles are closed;
 * its collections; its record removed. What a crash leaves in between, recover.h finishes.
 */
#include "base/status.h"
#include "table/catalog/recover.h"
#include "table/change/change.h"
#include "table/schema/names.h"

/* ---------------------------------------------------------------- create */

/* After a failure: removes what there is of the new table. */
static void undo_create(registry *r, const char *name, const char *folded, bool created)
{
    holt_error failure;
    catalog_change change = {.removed = folded};
    status_save(&failure);
    holt_status rc = created ? drop_collection(r->db, name) : HOLT_OK;
    if (rc == HOLT_OK) rc = change_store(r, &change);
    if (rc != HOLT_OK) r->unfinished = true;
    (void)status_restore(&failure);
}

/* The collection is there. Takes the schema over, also on failure. */
static holt_status make_live(registry *r, schema *s)
{
    table_layout *layout;
    holt_table *t;
    catalog_change change = {.put = s};
    s->state = SCHEMA_LIVE;
    holt_status rc = table_layout_create(r->db, s, &layout);
    if (rc != HOLT_OK) {
        schema_destroy(s);
        return rc;
    }
    rc = registry_make_table(r, layout, &t);
    if (rc != HOLT_OK) return rc;
    rc = change_store(r, &change);
    if (rc == HOLT_OK)
        registry_enlist(r, t);
    else
        registry_discard(t);
    return rc;
}

static holt_status create_table(registry *r, const char *name, const holt_table_options *o)
{
    char folded[SCHEMA_NAME_BYTES_MAX + 1];
    bool created = false;
    schema *s;
    holt_status rc = schema_create(&s, name, o);
    if (rc != HOLT_OK) return rc;
    schema_name_fold(folded, name);
    rc = registry_check_name(r, name);
    if (rc == HOLT_OK) rc = change_check_collections(r->db, name, NULL);
    if (rc == HOLT_OK) rc = registry_catalog(r);
    catalog_change intent = {.put = s};
    if (rc == HOLT_OK) rc = change_store(r, &intent);
    if (rc != HOLT_OK) {
        schema_destroy(s);
        return rc;
    }
    rc = change_create_collection(r->db, s, s->name, 0);
    if (rc == HOLT_OK) {
        created = true;
        rc = make_live(r, s);
    } else {
        schema_destroy(s);
    }
    if (rc != HOLT_OK) undo_create(r, name, folded, created);
    return rc;
}

static holt_status check_options(const holt_table_options *o)
{
    if (!o) return status_set(HOLT_INVALID, "the options of the table are NULL: it needs columns");
    if (o->flags & ~(uint32_t)HOLT_CREATE_OR_OPEN)
        return status_set(HOLT_INVALID, "holt_table_options.flags: unknown flags 0x%x", o->flags);
    return HOLT_OK;
}

holt_status holt_table_create(holt *db, const char *name, const holt_table_options *o, holt_table **out)
{
    registry *r;
    if (!out) return status_set(HOLT_INVALID, "table (out) is NULL");
    *out = NULL;
    holt_status rc = check_options(o);
    if (rc == HOLT_OK) rc = schema_name_check_table(name, "the name of the table");
    if (rc == HOLT_OK) rc = registry_acquire(db, &r);
    if (rc != HOLT_OK) return rc;
    rc = registry_begin_change(r);
    if (rc == HOLT_OK) {
        bool open = o->flags & HOLT_CREATE_OR_OPEN && registry_find(r, name);
        if (!open) rc = create_table(r, name, o);
        registry_end_change(r);
    }
    if (rc == HOLT_OK) rc = registry_open_table(r, name, out);
    if (rc != HOLT_OK) registry_release(r); /* otherwise the handle keeps it */
    return rc;
}

/* ---------------------------------------------------------------- drop */

static holt_status drop_table(registry *r, const char *name)
{
    schema *dropping;
    holt_table *t = registry_find(r, name);
    if (!t) return registry_not_found(r, name);
    holt_status rc = registry_reserve_drop(r);
    if (rc == HOLT_OK) rc = schema_copy(&dropping, table_schema(t));
    if (rc != HOLT_OK) return rc;
    dropping->state = SCHEMA_DROPPING;
    catalog_change intent = {.put = dropping};
    rc = change_store(r, &intent);
    if (rc == HOLT_OK) {
        registry_remove(r, t);
        rc = change_drop_collections(r, dropping);
    }
    schema_destroy(dropping);
    return rc;
}

holt_status holt_table_drop(holt *db, const char *name)
{
    registry *r;
    holt_status rc = schema_name_check(name, "the name of the table");
    if (rc == HOLT_OK) rc = registry_acquire(db, &r);
    if (rc != HOLT_OK) return rc;
    rc = registry_begin_change(r);
    if (rc == HOLT_OK) {
        rc = drop_table(r, name);
        registry_end_change(r);
    }
    registry_release(r);
    return rc;
}
