/* tables.c -- opening, closing, listing and describing tables. */
#include "base/memory.h"
#include "base/status.h"
#include "table/catalog/registry.h"

holt_status holt_table_open(holt *db, const char *name, holt_table **out)
{
    registry *r;
    if (!out) return status_set(HOLT_INVALID, "table (out) is NULL");
    *out = NULL;
    holt_status rc = registry_acquire(db, &r);
    if (rc != HOLT_OK) return rc;
    rc = registry_open_table(r, name, out);
    if (rc != HOLT_OK) registry_release(r); /* otherwise the handle keeps it */
    return rc;
}

void holt_table_close(holt_table *t)
{
    if (t) registry_release(t->registry);
}

/* ---------------------------------------------------------------- list */

/* r->mu. One block: the pointers, a NULL, then the names. */
static char **list_names(const registry *r)
{
    size_t size = (r->table_count + 1) * sizeof(char *);
    for (size_t i = 0; i < r->table_count; i++)
        size += strlen(table_schema(r->tables[i])->name) + 1;
    char **list = mem_alloc(size);
    if (!list) {
        status_set_no_memory(size);
        return NULL;
    }
    char *at = (char *)(list + r->table_count + 1);
    for (size_t i = 0; i < r->table_count; i++) {
        list[i] = at;
        at = stpcpy(at, table_schema(r->tables[i])->name) + 1;
    }
    list[r->table_count] = NULL;
    return list;
}

/* The registry has them in the order of their folded names. */
static void sort_bytewise(char **names, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        char *name = names[i];
        size_t at = i;
        for (; at > 0 && strcmp(names[at - 1], name) > 0; at--)
            names[at] = names[at - 1];
        names[at] = name;
    }
}

holt_status holt_table_list(holt *db, char ***names, size_t *count)
{
    registry *r;
    if (!names || !count) return status_set(HOLT_INVALID, "names or count (out) is NULL");
    *names = NULL;
    *count = 0;
    holt_status rc = registry_acquire(db, &r);
    if (rc != HOLT_OK) return rc;
    pthread_mutex_lock(&r->mu);
    *names = list_names(r);
    if (*names) *count = r->table_count;
    pthread_mutex_unlock(&r->mu);
    registry_release(r);
    if (!*names) return HOLT_NO_MEMORY;
    sort_bytewise(*names, *count);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- describe */

/* Lays a description out in one block: first without memory, to count the bytes, then in the block. */
typedef struct layer {
    char *memory; /* NULL: only count */
    size_t size;
} layer;

static void *lay(layer *l, size_t size, size_t alignment)
{
    l->size = (l->size + alignment - 1) / alignment * alignment;
    void *at = l->memory ? l->memory + l->size : NULL;
    l->size += size;
    return at;
}

static const char *lay_string(layer *l, const char *string)
{
    size_t size = strlen(string) + 1;
    char *at = lay(l, size, 1);
    if (at) memcpy(at, string, size);
    return at;
}

static holt_datum lay_datum(layer *l, holt_datum d)
{
    if (d.type != HOLT_TEXT && d.type != HOLT_BLOB) return d;
    void *at = lay(l, d.as.bytes.size, 1);
    if (at) bytes_copy(at, d.as.bytes.data, d.as.bytes.size);
    d.as.bytes.data = at;
    return d;
}

static const holt_column *lay_columns(layer *l, const schema *s)
{
    holt_column *columns = lay(l, s->column_count * sizeof *columns, _Alignof(holt_column));
    for (uint32_t i = 0; i < s->column_count; i++) {
        const schema_column *c = &s->columns[i];
        holt_column out = {.name = lay_string(l, c->name),
                           .type = c->type,
                           .flags = c->flags,
                           .length_max = c->length_max,
                           .default_value = lay_datum(l, c->default_value)};
        if (columns) columns[i] = out;
    }
    return columns;
}

static const holt_key_part *lay_parts(layer *l, const schema *s, const schema_part *parts, size_t count)
{
    holt_key_part *out = lay(l, count * sizeof *out, _Alignof(holt_key_part));
    for (size_t i = 0; i < count; i++) {
        holt_key_part part = {.column = lay_string(l, s->columns[parts[i].column].name),
                              .flags = parts[i].flags};
        if (out) out[i] = part;
    }
    return out;
}

static const uint32_t *lay_key_columns(layer *l, const schema *s)
{
    uint32_t *out = lay(l, s->key_count * sizeof *out, _Alignof(uint32_t));
    for (uint32_t i = 0; out && i < s->key_count; i++)
        out[i] = s->key[i].column;
    return out;
}

/* Without those that are being dropped. */
static const holt_index_info *lay_indexes(layer *l, const schema *s, size_t *count)
{
    holt_index_info *out = lay(l, s->index_count * sizeof *out, _Alignof(holt_index_info));
    *count = 0;
    for (uint32_t i = 0; i < s->index_count; i++) {
        const schema_index *x = &s->indexes[i];
        if (x->state == INDEX_DROPPING) continue;
        holt_index_info info = {
            .name = lay_string(l, x->name),
            .id = x->id,
            .flags = x->flags,
            .not_null = x->not_null == SCHEMA_NONE ? NULL : lay_string(l, s->columns[x->not_null].name),
            .parts = lay_parts(l, s, x->parts, x->part_count),
            .part_count = x->part_count,
            .collection = lay_string(l, x->collection),
            .complete = x->state == INDEX_COMPLETE};
        if (out) out[*count] = info;
        ++*count;
    }
    return out;
}

static holt_table_info *lay_info(layer *l, const schema *s)
{
    holt_table_info *out = lay(l, sizeof *out, _Alignof(holt_table_info));
    size_t indexes;
    holt_table_info info = {.name = lay_string(l, s->name),
                            .version = s->version,
                            .kind = s->kind,
                            .block_bytes = s->block_bytes,
                            .columns = lay_columns(l, s),
                            .column_count = s->column_count,
                            .key = lay_parts(l, s, s->key, s->key_count),
                            .key_columns = lay_key_columns(l, s),
                            .key_count = s->key_count,
                            .indexes = lay_indexes(l, s, &indexes)};
    info.index_count = indexes;
    if (out) *out = info;
    return out;
}

holt_status holt_table_describe(holt_table *t, holt_table_info **info)
{
    layer counted = {0}, laid = {0};
    if (!info) return status_set(HOLT_INVALID, "info (out) is NULL");
    *info = NULL;
    const table_layout *layout = table_layout_of(t);
    if (!layout) return table_layout_missing(t);
    (void)lay_info(&counted, layout->schema);
    laid.memory = mem_alloc(counted.size);
    if (!laid.memory) return status_no_memory(counted.size);
    *info = lay_info(&laid, layout->schema);
    return HOLT_OK;
}

uint64_t holt_table_version(const holt_table *t)
{
    /* Acquire: the contents of the layout. */
    const table_layout *layout = t ? atomic_load_explicit(&t->layout, memory_order_acquire) : NULL;
    return layout ? layout->schema->version : 0;
}
