/* catalog.c -- makes the virtual tables agree with the database.
 *
 * The names of the database and the objects at hand are both sorted, so one pass over both finds what was
 * created and what was dropped.
 */
#include "catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "collection_module.h"
#include "shape.h"

static const char INTERNAL_PREFIX[] = "holt.";

/* ---- SQLite's side */

static int run(sql_database *d, char *sql, char **message)
{
    if (!sql) return SQLITE_NOMEM;
    const int rc = sqlite3_exec(d->sqlite, sql, NULL, NULL, message);
    sqlite3_free(sql);
    return rc;
}

/* Returns the columns as they are shown in sqlite_schema; the module reads the table's own schema. */
static char *columns_text(const sql_object *object)
{
    shape s;
    if (!object->table) return sqlite3_mprintf("%s", SQL_COLLECTION_COLUMNS);
    if (shape_init(&s, object->table) != HOLT_OK) return NULL;
    char *text = shape_columns_text(&s);
    shape_deinit(&s);
    return text;
}

static int create_virtual_table(sql_database *d, const sql_object *object, char **message)
{
    char *columns = columns_text(object);
    if (!columns) return SQLITE_NOMEM;
    const char *module = object->table ? SQL_TABLE_MODULE : SQL_COLLECTION_MODULE;
    const int rc = run(d,
                       sqlite3_mprintf("CREATE VIRTUAL TABLE %s.\"%w\" USING %s(%s)", d->schema, object->name,
                                       module, columns),
                       message);
    sqlite3_free(columns);
    return rc;
}

static int drop_virtual_table(sql_database *d, const char *name, char **message)
{
    d->refreshing = true;
    const int rc = run(d, sqlite3_mprintf("DROP TABLE IF EXISTS %s.\"%w\"", d->schema, name), message);
    d->refreshing = false;
    return rc;
}

/* ---- objects */

static void free_object(sql_object *object)
{
    sqlite3_free(object->name);
    holt_table_close(object->table);
}

static int remove_object(sql_database *d, size_t i, char **message)
{
    const int rc = drop_virtual_table(d, d->objects[i].name, message);
    if (rc != SQLITE_OK) return rc;
    free_object(&d->objects[i]);
    d->object_count--;
    memmove(&d->objects[i], &d->objects[i + 1], (d->object_count - i) * sizeof *d->objects);
    return SQLITE_OK;
}

static bool make_room(sql_database *d)
{
    if (d->object_count < d->object_capacity) return true;
    const size_t capacity = d->object_capacity ? d->object_capacity * 2 : 16;
    sql_object *objects = realloc(d->objects, capacity * sizeof *objects);
    if (!objects) return false;
    d->objects = objects;
    d->object_capacity = capacity;
    return true;
}

/* Makes the object of a name, at index i. */
static int add_object(sql_database *d, size_t i, const char *name, bool is_table, char **message)
{
    sql_object object = {.name = sqlite3_mprintf("%s", name)};
    if (!object.name || !make_room(d)) {
        free_object(&object);
        return SQLITE_NOMEM;
    }
    const holt_status status = is_table ? holt_table_open(d->db, name, &object.table) : HOLT_OK;
    int rc = sql_code(status);
    if (status == HOLT_OK) {
        object.version = holt_table_version(object.table);
        rc = create_virtual_table(d, &object, message);
    } else {
        *message = sqlite3_mprintf("%s", sql_message(status));
    }
    if (rc != SQLITE_OK) {
        free_object(&object);
        return rc;
    }
    memmove(&d->objects[i + 1], &d->objects[i], (d->object_count - i) * sizeof *d->objects);
    d->objects[i] = object;
    d->object_count++;
    return SQLITE_OK;
}

const sql_object *catalog_find(const sql_database *d, const char *name)
{
    for (size_t i = 0; i < d->object_count; i++) {
        if (sqlite3_stricmp(d->objects[i].name, name) == 0) return &d->objects[i];
    }
    return NULL;
}

int catalog_release(sql_database *d, const sql_object *object, char **message)
{
    const size_t i = (size_t)(object - d->objects);
    assert(i < d->object_count);
    const int rc = drop_virtual_table(d, object->name, message);
    d->objects[i].released |= rc != SQLITE_LOCKED; /* after any other failure it may be there, or not */
    return rc;
}

static bool has_index(holt_table *table, const char *index)
{
    uint32_t number;
    return holt_table_find_index(table, index, &number) == HOLT_OK;
}

const sql_object *catalog_find_index(const sql_database *d, const char *index)
{
    for (size_t i = 0; i < d->object_count; i++) {
        if (d->objects[i].table && has_index(d->objects[i].table, index)) return &d->objects[i];
    }
    return NULL;
}

bool catalog_is_stale(const sql_database *d)
{
    if (d->outdated) return true;
    for (size_t i = 0; i < d->object_count; i++) {
        const sql_object *object = &d->objects[i];
        if (object->released) return true;
        if (object->table && holt_table_version(object->table) != object->version) return true;
    }
    return false;
}

/* ---- the pass over both */

/* A name of the database. */
typedef struct entry {
    const char *name;
    bool is_table;
} entry;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static bool is_shown(const char *name)
{
    return strncmp(name, INTERNAL_PREFIX, sizeof INTERNAL_PREFIX - 1) != 0 &&
           sqlite3_strnicmp(name, "sqlite_", 7) != 0;
}

static bool contains(const entry *entries, size_t count, const char *name)
{
    const entry key = {.name = name};
    return bsearch(&key, entries, count, sizeof *entries, by_name) != NULL;
}

/* Fills `entries` with the tables, and then the collections that are not tables; in order. */
static size_t list_entries(entry *entries, char *const *tables, size_t table_count, char *const *collections,
                           size_t collection_count)
{
    size_t count = 0;
    for (size_t i = 0; i < table_count; i++) {
        if (is_shown(tables[i])) entries[count++] = (entry){tables[i], true};
    }
    qsort(entries, count, sizeof *entries, by_name);
    const size_t shown_tables = count;
    for (size_t i = 0; i < collection_count; i++) {
        if (!is_shown(collections[i]) || contains(entries, shown_tables, collections[i])) continue;
        entries[count++] = (entry){collections[i], false};
    }
    qsort(entries, count, sizeof *entries, by_name);
    return count;
}

/* What has gone, or was altered, is removed first: a name may have moved from one object to another. */
static int remove_outdated(sql_database *d, const entry *entries, size_t count, char **message)
{
    for (size_t i = d->object_count; i-- > 0;) {
        const sql_object *object = &d->objects[i];
        const entry key = {.name = object->name};
        const entry *found = bsearch(&key, entries, count, sizeof *entries, by_name);
        const bool same = found && !object->released && found->is_table == (object->table != NULL) &&
                          (!object->table || holt_table_version(object->table) == object->version);
        const int rc = same ? SQLITE_OK : remove_object(d, i, message);
        if (rc != SQLITE_OK) return rc;
    }
    return SQLITE_OK;
}

static int add_missing(sql_database *d, const entry *entries, size_t count, char **message)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < d->object_count && strcmp(d->objects[at].name, entries[i].name) < 0) {
            at++;
        }
        if (at < d->object_count && strcmp(d->objects[at].name, entries[i].name) == 0) continue;
        if (catalog_find(d, entries[i].name)) continue; /* the same name in another case */
        const int rc = add_object(d, at, entries[i].name, entries[i].is_table, message);
        if (rc != SQLITE_OK) return rc;
    }
    return SQLITE_OK;
}

int catalog_refresh(sql_database *d, char **message)
{
    char **tables = NULL, **collections = NULL;
    size_t table_count = 0, collection_count = 0;
    entry *entries = NULL;
    *message = NULL;
    holt_status status = holt_table_list(d->db, &tables, &table_count);
    if (status == HOLT_OK) status = holt_collection_list(d->db, &collections, &collection_count);
    int rc = sql_code(status);
    if (status != HOLT_OK) {
        *message = sqlite3_mprintf("%s", sql_message(status));
        goto done;
    }
    entries = calloc(table_count + collection_count + 1, sizeof *entries);
    rc = SQLITE_NOMEM;
    if (!entries) goto done;
    const size_t count = list_entries(entries, tables, table_count, collections, collection_count);
    rc = remove_outdated(d, entries, count, message);
    if (rc == SQLITE_OK) rc = add_missing(d, entries, count, message);
done:
    d->outdated = rc != SQLITE_OK;
    free(entries);
    holt_free((void *)tables);
    holt_free((void *)collections);
    return rc;
}

void catalog_clear(sql_database *d)
{
    for (size_t i = 0; i < d->object_count; i++) {
        char *message = NULL;
        /* A virtual table that is in use stays, and returns errors once the database is closed. */
        (void)drop_virtual_table(d, d->objects[i].name, &message);
        sqlite3_free(message);
    }
    catalog_free(d);
}

void catalog_free(sql_database *d)
{
    for (size_t i = 0; i < d->object_count; i++) {
        free_object(&d->objects[i]);
    }
    free(d->objects);
    d->objects = NULL;
    d->object_count = d->object_capacity = 0;
}
