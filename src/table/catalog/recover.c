/* recover.c -- reads the catalog into the registry, and finishes what is unfinished on the way. */
#include "table/catalog/recover.h"

#include "base/memory.h"
#include "base/status.h"
#include "table/catalog/table_catalog.h"
#include "table/change/change.h"

holt_status drop_collection(holt *db, const char *name)
{
    holt_status rc = holt_collection_drop(db, name);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* Whether there is a collection of this name. */
static holt_status find_collection(holt *db, const char *name, bool *exists)
{
    holt_collection *c;
    holt_status rc = holt_collection_open(db, name, &c);
    *exists = rc == HOLT_OK;
    if (*exists) holt_collection_close(c);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* ---------------------------------------------------------------- tables */

static holt_status drop_if_empty(holt *db, const char *name)
{
    holt_collection *c;
    holt_cursor *cur;
    holt_status rc = holt_collection_open(db, name, &c);
    if (rc != HOLT_OK) return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
    holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY};
    rc = holt_cursor_open(c, NULL, &o, &cur);
    bool entries = rc == HOLT_OK && holt_cursor_first(cur);
    if (rc == HOLT_OK) rc = holt_cursor_close(cur);
    holt_collection_close(c);
    return rc == HOLT_OK && !entries ? drop_collection(db, name) : rc;
}

static holt_status remove_record(registry *r, const schema *s)
{
    catalog_change change = {.removed = s->folded};
    return table_catalog_change(r->db, r->catalog, &change);
}

static holt_status finish_create(registry *r, const schema *s)
{
    if (r->read_only) return HOLT_OK;
    holt_status rc = drop_if_empty(r->db, s->name);
    return rc == HOLT_OK ? remove_record(r, s) : rc;
}

static holt_status finish_drop(registry *r, const schema *s)
{
    return r->read_only ? HOLT_OK : change_drop_collections(r, s);
}

/* The schema *s becomes one that is live, under the name that its collection has. */
static holt_status finish_rename(registry *r, schema **s)
{
    bool old_exists, new_exists;
    holt_status rc = find_collection(r->db, (*s)->name, &old_exists);
    if (rc == HOLT_OK) rc = find_collection(r->db, (*s)->renamed_to, &new_exists);
    if (rc != HOLT_OK) return rc;
    if (old_exists && !new_exists && !r->read_only) {
        rc = holt_collection_rename(r->db, (*s)->name, (*s)->renamed_to);
        if (rc != HOLT_OK) return rc;
        old_exists = false;
        new_exists = true;
    }
    schema *live;
    rc = schema_copy(&live, *s);
    if (rc != HOLT_OK) return rc;
    if (!old_exists && new_exists) rc = schema_rename(live, (*s)->renamed_to);
    if (rc == HOLT_OK) rc = schema_set_renaming(live, NULL);
    bool moved = strcmp(live->folded, (*s)->folded) != 0;
    catalog_change change = {.put = live, .removed = moved ? (*s)->folded : NULL};
    if (rc == HOLT_OK && !r->read_only) rc = table_catalog_change(r->db, r->catalog, &change);
    schema_destroy(rc == HOLT_OK ? *s : live);
    if (rc == HOLT_OK) *s = live;
    return rc;
}

/* ---------------------------------------------------------------- indexes */

/* Before the layout is made: the collection of an index that is being built may not exist yet. In a read-only
 * database nobody will complete it. */
static holt_status prepare_indexes(registry *r, schema *s)
{
    holt_status rc = HOLT_OK;
    for (uint32_t i = 0; i < s->index_count && rc == HOLT_OK; i++) {
        if (s->indexes[i].state != INDEX_BUILDING) continue;
        if (r->read_only)
            s->indexes[i].state = INDEX_DROPPING;
        else
            rc = change_create_collection(r->db, s, s->indexes[i].collection, HOLT_CREATE_OR_OPEN);
    }
    return rc;
}

/* Returns whether the build came to an end, with the index complete or removed. */
static bool finish_build(registry *r, holt_table *t, uint32_t id)
{
    if (registry_open_rows(r, t) != HOLT_OK) return false;
    return change_build_index(r, t, id, NULL, NULL) == HOLT_OK ||
           schema_find_index_id(table_schema(t), id) == SCHEMA_NONE;
}

/* A build that cannot be continued now is left to the next change, or open; writes maintain the index in the
 * meantime. One that finds two rows with the same values removes the index. */
static holt_status finish_indexes(registry *r, holt_table *t)
{
    holt_status rc = HOLT_OK;
    if (r->read_only) return rc;
    for (uint32_t i = table_schema(t)->index_count; i-- > 0 && rc == HOLT_OK;) {
        const schema_index *x = &table_schema(t)->indexes[i];
        if (x->state == INDEX_DROPPING)
            rc = change_remove_index(r, t, x->id);
        else if (x->state == INDEX_BUILDING && !finish_build(r, t, x->id))
            r->unfinished = true;
    }
    return rc;
}

/* ---------------------------------------------------------------- the catalog */

/* Makes the schema that of the table, or adds a table with it if `known` is NULL. A schema that was taken
 * over becomes NULL. */
static holt_status install(registry *r, schema **s, holt_table *known)
{
    table_layout *layout;
    holt_status rc = prepare_indexes(r, *s);
    if (rc == HOLT_OK) rc = table_layout_create(r->db, *s, &layout);
    if (rc != HOLT_OK) return rc;
    *s = NULL;
    if (known) {
        registry_install(r, known, layout);
    } else {
        rc = registry_make_table(r, layout, &known);
        if (rc == HOLT_OK) registry_enlist(r, known);
    }
    return rc == HOLT_OK ? finish_indexes(r, known) : rc;
}

/* Takes the schema over, as install() does. */
static holt_status recover_table(registry *r, schema **s)
{
    holt_table *known = registry_find(r, (*s)->name);
    holt_status rc = HOLT_OK;
    if ((*s)->state == SCHEMA_CREATING) return finish_create(r, *s);
    if ((*s)->state == SCHEMA_DROPPING) return finish_drop(r, *s);
    if ((*s)->state == SCHEMA_LIVE && known) return finish_indexes(r, known);
    if ((*s)->state == SCHEMA_RENAMING) rc = finish_rename(r, s);
    return rc == HOLT_OK ? install(r, s, known) : rc;
}

holt_status recover_tables(registry *r)
{
    schema **records = NULL;
    size_t count = 0;
    r->unfinished = false; /* until something fails */
    holt_status rc = r->catalog ? HOLT_OK : table_catalog_open(r->db, false, &r->catalog);
    if (rc == HOLT_OK && r->catalog) rc = table_catalog_read(r->catalog, &records, &count);
    for (size_t i = 0; i < count; i++) {
        if (rc == HOLT_OK) rc = recover_table(r, &records[i]);
        schema_destroy(records[i]);
    }
    mem_free(records);
    if (rc != HOLT_OK) r->unfinished = true;
    return rc;
}
