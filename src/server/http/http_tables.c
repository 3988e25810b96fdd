/* http_tables.c -- the complete API, version 1: tables and their rows.
 *
 *     GET    /v1/tables                     {"tables":[...]}: their columns, keys and indexes
 *     GET    /v1/tables/{t}                 one of them
 *     GET    /v1/tables/{t}/rows?where=&limit=&reverse=&token=      {"rows":[{"id":1,...}],"next":"..."}
 *     POST   /v1/tables/{t}/rows            {"id":1,"name":"Ada"}   inserts: 201
 *     GET    /v1/tables/{t}/rows/{key}      a row
 *     PATCH  /v1/tables/{t}/rows/{key}      {"name":"Ada"}          changes columns: 204
 *     DELETE /v1/tables/{t}/rows/{key}      204
 *
 * A row is an object with a member for each column; values are written as http_datum.h says. In a table with
 * an implicit row id it has the member "rowid" too, unless a column has that name. A key in a path is the
 * value of the key's column, or a JSON array if the key has several columns.
 *
 * A list is read a page at a time, in the order of the primary key. "where" is an object of conditions, all
 * of which a row must fulfil: {"city":"Lisbon","age":{">=":18,"<":65}}. Equalities of the first columns of
 * the primary key narrow what is read; the rest is compared row by row. A page ends after EXAMINED_MAX rows,
 * found or not, so that no request keeps others waiting for long; its "next" then goes on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt/table.h>

#include "common/text.h"
#include "http/http_datum.h"
#include "http/http_json.h"
#include "http/http_request.h"

static const char JSON[] = "application/json";

enum { PART_TABLE = 2, PART_KEY = 4, EXAMINED_MAX = 10000, CONDITIONS_MAX = 64, KEY_BYTES_MAX = 65535 };

/* The table of a request, open. */
typedef struct target {
    holt_table *table;
    holt_table_info *info;
    bool has_rowid; /* rows have a member "rowid" that is no column */
} target;

static bool find_column(const holt_table_info *info, const char *name, uint32_t *column)
{
    for (size_t i = 0; i < info->column_count; i++) {
        if (strcmp(info->columns[i].name, name) != 0) continue;
        *column = (uint32_t)i;
        return true;
    }
    return false;
}

static bool target_open(http_request *r, target *t)
{
    char name[HTTP_NAME_BYTES_MAX + 1];
    uint32_t column;
    memset(t, 0, sizeof *t);
    if (!http_copy_name(r, r->parts[PART_TABLE], name)) return false;
    holt_status status = holt_table_open(r->db, name, &t->table);
    if (status == HOLT_OK) status = holt_table_describe(t->table, &t->info);
    if (status != HOLT_OK) return http_database_failed(r, status);
    t->has_rowid = t->info->key_count == 0 && !find_column(t->info, "rowid", &column);
    return true;
}

static void target_close(target *t)
{
    holt_free(t->info);
    holt_table_close(t->table);
}

/* Answers for a value that is wrong. */
static bool refuse_value(http_request *r, const char *name, const char *problem)
{
    char message[256];
    snprintf(message, sizeof message, "the value of '%.100s' %s", name, problem);
    return http_error(r, 400, "invalid", message);
}

/* ---------------------------------------------------------------- schemas */

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"null", "boolean", "integer", "real", "text", "blob"};
    return type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

static void append_columns(bytes *out, const holt_table_info *info)
{
    bytes_append_text(out, ",\"columns\":[");
    for (size_t i = 0; i < info->column_count; i++) {
        const holt_column *c = &info->columns[i];
        bytes_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        http_json_string(out, holt_str(c->name));
        bytes_append_format(out, ",\"type\":\"%s\",\"not_null\":%s", type_name(c->type),
                            c->flags & HOLT_COLUMN_NOT_NULL ? "true" : "false");
        if (c->length_max) bytes_append_format(out, ",\"length_max\":%" PRIu64, c->length_max);
        if (c->flags & HOLT_COLUMN_DEFAULT) {
            bytes_append_text(out, ",\"default\":");
            http_datum_append(out, c->default_value);
        }
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]");
}

static void append_parts(bytes *out, const char *name, const holt_key_part *parts, size_t count)
{
    bytes_append_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        bytes_append_text(out, i ? ",{\"column\":" : "{\"column\":");
        http_json_string(out, holt_str(parts[i].column));
        if (parts[i].flags & HOLT_PART_DESCENDING) bytes_append_text(out, ",\"descending\":true");
        if (parts[i].flags & HOLT_PART_HASH) bytes_append_text(out, ",\"hash\":true");
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]");
}

static void append_table(bytes *out, const holt_table_info *info)
{
    bytes_append_text(out, "{\"name\":");
    http_json_string(out, holt_str(info->name));
    bytes_append_format(out, ",\"kind\":\"%s\"", info->kind == HOLT_LSM ? "lsm" : "btree");
    append_columns(out, info);
    append_parts(out, "key", info->key, info->key_count);
    bytes_append_text(out, ",\"indexes\":[");
    for (size_t i = 0; i < info->index_count; i++) {
        const holt_index_info *index = &info->indexes[i];
        bytes_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        http_json_string(out, holt_str(index->name));
        bytes_append_format(out, ",\"unique\":%s,\"complete\":%s",
                            index->flags & HOLT_INDEX_UNIQUE ? "true" : "false",
                            index->complete ? "true" : "false");
        if (index->not_null) {
            bytes_append_text(out, ",\"not_null\":");
            http_json_string(out, holt_str(index->not_null));
        }
        append_parts(out, "parts", index->parts, index->part_count);
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]}");
}

void http_tables_list(http_request *r)
{
    char **names = NULL;
    size_t count = 0;
    holt_status status = holt_table_list(r->db, &names, &count);
    bytes_append_text(&r->answer, "{\"tables\":[");
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        holt_table *table = NULL;
        holt_table_info *info = NULL;
        status = holt_table_open(r->db, names[i], &table);
        if (status == HOLT_OK) status = holt_table_describe(table, &info);
        if (status == HOLT_OK) {
            bytes_append_text(&r->answer, i ? "," : "");
            append_table(&r->answer, info);
        }
        holt_free(info);
        holt_table_close(table);
    }
    holt_free(names);
    bytes_append_text(&r->answer, "]}\n");
    http_reply(r, 200, JSON);
    if (status != HOLT_OK) (void)http_database_failed(r, status);
}

void http_tables_describe(http_request *r)
{
    target t;
    if (target_open(r, &t)) {
        append_table(&r->answer, t.info);
        bytes_append_text(&r->answer, "\n");
        http_reply(r, 200, JSON);
    }
    target_close(&t);
}

/* ---------------------------------------------------------------- keys */

/* A primary key, decoded. */
typedef struct row_key {
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count;
    json_object *json; /* what the parts point into; NULL = the request's path */
    bytes decoded;
} row_key;

static void row_key_deinit(row_key *k)
{
    json_object_put(k->json);
    bytes_deinit(&k->decoded);
}

/* Reads the key of several columns, an array. */
static bool read_key_array(http_request *r, const holt_table_info *info, holt_slice text, row_key *k)
{
    const char *problem = NULL;
    k->json = http_json_parse_any(text.data, text.size, &problem);
    if (problem) return http_error(r, 400, "invalid_json", problem);
    if (!json_object_is_type(k->json, json_type_array) ||
        json_object_array_length(k->json) != info->key_count)
        return http_error(r, 400, "invalid",
                          "the key must be a JSON array with a value for each of its columns");
    if (!bytes_reserve(&k->decoded, text.size))
        return http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < info->key_count; i++) {
        problem = http_datum_read(json_object_array_get_idx(k->json, i), &k->decoded, &k->parts[i]);
        if (problem) return refuse_value(r, info->key[i].column, problem);
    }
    k->count = info->key_count;
    return true;
}

/* Reads the key in the path. row_key_deinit follows either way. */
static bool read_key(http_request *r, const target *t, row_key *k)
{
    const holt_table_info *info = t->info;
    holt_slice text = r->parts[PART_KEY];
    memset(k, 0, sizeof *k);
    if (info->key_count > 1) return read_key_array(r, info, text, k);
    uint32_t type = info->key_count ? info->columns[info->key_columns[0]].type : HOLT_INTEGER;
    const char *problem = http_datum_parse(text, type, &k->parts[0]);
    k->count = 1;
    return !problem || refuse_value(r, info->key_count ? info->key[0].column : "rowid", problem);
}

/* ---------------------------------------------------------------- conditions */

typedef enum comparison { EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL } comparison;

typedef struct condition {
    uint32_t column;
    comparison comparison;
    holt_datum value;
} condition;

typedef struct where {
    condition conditions[CONDITIONS_MAX];
    size_t count;
    json_object *json; /* what values point into */
    bytes decoded;
} where;

static bool is_number(holt_datum d)
{
    return d.type == HOLT_INTEGER || d.type == HOLT_REAL;
}

/* A long double has every integer of 64 bits and every real. */
static long double number_of(holt_datum d)
{
    return d.type == HOLT_INTEGER ? (long double)d.as.integer : (long double)d.as.real;
}

/* Compares two values other than null, both numbers or of one type: below, at or above 0. */
static int compare(holt_datum a, holt_datum b)
{
    if (is_number(a)) return (number_of(a) > number_of(b)) - (number_of(a) < number_of(b));
    if (a.type == HOLT_BOOLEAN) return (int)a.as.boolean - (int)b.as.boolean;
    size_t size = a.as.bytes.size < b.as.bytes.size ? a.as.bytes.size : b.as.bytes.size;
    int order = size ? memcmp(a.as.bytes.data, b.as.bytes.data, size) : 0;
    return order ? order : (a.as.bytes.size > b.as.bytes.size) - (a.as.bytes.size < b.as.bytes.size);
}

/* As in SQL, null fulfils no condition but that it be null. */
static bool holds(const condition *c, holt_datum value)
{
    bool null = value.type == HOLT_NULL;
    if (c->value.type == HOLT_NULL) return c->comparison == EQUAL ? null : !null;
    if (null) return false;
    int order = compare(value, c->value);
    switch (c->comparison) {
    case EQUAL:
        return order == 0;
    case UNEQUAL:
        return order != 0;
    case LESS:
        return order < 0;
    case LESS_EQUAL:
        return order <= 0;
    case GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool row_matches(const where *w, holt_scan *s)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!holds(&w->conditions[i], holt_scan_column(s, w->conditions[i].column))) return false;
    }
    return true;
}

static bool add_condition(http_request *r, const target *t, where *w, uint32_t column, const char *operator,
                          json_object * value)
{
    static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">="};
    const holt_column *c = &t->info->columns[column];
    size_t found = 0;
    while (found < sizeof operators / sizeof operators[0] && strcmp(operators[found], operator) != 0)
        found++;
    if (found == sizeof operators / sizeof operators[0])
        return http_error(r, 400, "invalid", "a condition is not one of = != < <= > >=");
    if (w->count == CONDITIONS_MAX) return http_error(r, 400, "invalid", "there are more than 64 conditions");
    condition *n = &w->conditions[w->count++];
    *n = (condition){.column = column, .comparison = (comparison)found};
    const char *problem = http_datum_read(value, &w->decoded, &n->value);
    if (problem) return refuse_value(r, c->name, problem);
    bool fits = n->value.type == c->type || n->value.type == HOLT_NULL ||
                (is_number(n->value) && (c->type == HOLT_REAL || c->type == HOLT_INTEGER));
    if (!fits) return refuse_value(r, c->name, "is not of the column's type");
    return n->value.type != HOLT_NULL || n->comparison <= UNEQUAL ||
           refuse_value(r, c->name, "is null, which only = and != compare");
}

/* Adds what the member of "where" for a column says: a value, or an object of comparisons. */
static bool add_conditions(http_request *r, const target *t, where *w, const char *name, json_object *member)
{
    uint32_t column;
    if (!find_column(t->info, name, &column)) return refuse_value(r, name, "belongs to no column");
    if (!json_object_is_type(member, json_type_object) || json_object_object_get_ex(member, "base64", NULL))
        return add_condition(r, t, w, column, "=", member);
    json_object_object_foreach(member, operator, value)
    {
        if (!add_condition(r, t, w, column, operator, value)) return false;
    }
    return true;
}

/* Reads the parameter "where". where_deinit follows either way. */
static bool read_where(http_request *r, const target *t, where *w)
{
    const http_parameter *p = http_parameter_find(r, "where");
    const char *problem = NULL;
    w->count = 0;
    w->json = NULL;
    w->decoded = (bytes){0};
    if (!p) return true;
    w->json = http_json_parse(p->value.data, p->value.size, &problem);
    if (!w->json) return http_error(r, 400, "invalid_json", problem);
    if (!bytes_reserve(&w->decoded, p->value.size))
        return http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    json_object_object_foreach(w->json, name, member)
    {
        if (!add_conditions(r, t, w, name, member)) return false;
    }
    return true;
}

static void where_deinit(where *w)
{
    json_object_put(w->json);
    bytes_deinit(&w->decoded);
}

/* Sets key[*count] to the values that the first columns of the primary key must have. */
static void key_prefix(const target *t, const where *w, holt_datum *key, size_t *count)
{
    const holt_table_info *info = t->info;
    for (*count = 0; *count < info->key_count; (*count)++) {
        size_t i = 0;
        while (i < w->count && (w->conditions[i].column != info->key_columns[*count] ||
                                w->conditions[i].comparison != EQUAL ||
                                w->conditions[i].value.type != info->columns[w->conditions[i].column].type))
            i++;
        if (i == w->count) return;
        key[*count] = w->conditions[i].value;
    }
}

/* ---------------------------------------------------------------- lists */

/* Where a page begins: the key after which the token says to go on. */
typedef struct position {
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count; /* 0 = at the beginning */
    bytes encoded, texts;
} position;

static bool read_token(http_request *r, const target *t, position *p)
{
    const http_parameter *token = http_parameter_find(r, "token");
    uint64_t descending = 0;
    memset(p, 0, sizeof *p);
    if (!token) return true;
    bytes_append(&p->encoded, token->value.data, token->value.size);
    if (!bytes_reserve(&p->texts, token->value.size) || p->encoded.failed)
        return http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < t->info->key_count; i++)
        if (t->info->key[i].flags & HOLT_PART_DESCENDING) descending |= (uint64_t)1 << i;
    p->count = HOLT_KEY_PARTS_MAX;
    size_t wanted = t->info->key_count ? t->info->key_count : 1;
    if (text_unhex(p->encoded.data, &p->encoded.size) &&
        holt_key_decode(bytes_slice(&p->encoded), descending, p->parts, &p->count, p->texts.data,
                        p->texts.capacity) == HOLT_OK &&
        p->count == wanted)
        return true;
    return http_error(r, 400, "invalid", "the token is not valid");
}

/* Where a column is found: in a scan or in a row that was read. */
typedef holt_datum (*column_fn)(void *row, size_t column);

static holt_datum scanned_column(void *row, size_t column)
{
    return holt_scan_column(row, column);
}

static holt_datum read_column(void *row, size_t column)
{
    return ((holt_row *)row)->columns[column];
}

static void append_row(bytes *out, const target *t, int64_t row_id, column_fn column, void *row)
{
    const char *separator = "{";
    if (t->has_rowid) {
        bytes_append_format(out, "{\"rowid\":%" PRId64, row_id);
        separator = ",";
    }
    for (size_t i = 0; i < t->info->column_count; i++) {
        bytes_append_text(out, separator);
        http_json_string(out, holt_str(t->info->columns[i].name));
        bytes_append_text(out, ":");
        http_datum_append(out, column(row, i));
        separator = ",";
    }
    bytes_append_text(out, "}");
}

/* Appends the rows of a page and the token of the next one. */
static void append_rows(http_request *r, const target *t, const where *w, holt_scan *s, uint64_t limit)
{
    bytes *out = &r->answer, last = {0};
    uint64_t rows = 0, examined = 0;
    bool on = holt_scan_next(s);
    bytes_append_text(out, "{\"rows\":[");
    while (on && rows < limit && examined < EXAMINED_MAX &&
           out->size < config_live(r->config, CONFIG_output_bytes) / 2) {
        holt_slice key = holt_scan_key(s);
        last.size = 0;
        bytes_append(&last, key.data, key.size);
        if (row_matches(w, s)) {
            bytes_append_text(out, rows++ ? "," : "");
            append_row(out, t, holt_scan_row_id(s), scanned_column, s);
        }
        examined++;
        on = holt_scan_next(s);
    }
    bytes_append_text(out, on ? "],\"next\":\"" : "],\"next\":null}\n");
    if (on) {
        http_append_hex(out, bytes_slice(&last));
        bytes_append_text(out, "\"}\n");
    }
    out->failed = out->failed || last.failed;
    bytes_deinit(&last);
    http_reply(r, 200, JSON);
    holt_status status = holt_scan_status(s);
    if (status != HOLT_OK) (void)http_database_failed(r, status);
}

/* Opens the scan: of the rows whose key begins with the prefix, from the position on. */
static bool open_scan(http_request *r, const target *t, const where *w, const position *p, bool reverse,
                      holt_scan **s)
{
    holt_datum prefix[HOLT_KEY_PARTS_MAX];
    size_t count;
    key_prefix(t, w, prefix, &count);
    holt_scan_options o = {.lower = prefix,
                           .lower_count = count,
                           .upper = prefix,
                           .upper_count = count,
                           .flags = reverse ? HOLT_SCAN_REVERSE : 0,
                           .label = "HTTP rows"};
    if (p->count) {
        *(reverse ? &o.upper : &o.lower) = p->parts;
        *(reverse ? &o.upper_count : &o.lower_count) = p->count;
        o.flags |= reverse ? HOLT_SCAN_UPPER_EXCLUSIVE : HOLT_SCAN_LOWER_EXCLUSIVE;
    }
    holt_status status = holt_scan_open(t->table, http_reader(r), &o, s);
    return status == HOLT_OK || http_database_failed(r, status);
}

void http_rows_list(http_request *r)
{
    target t;
    uint64_t limit;
    bool reverse;
    if (target_open(r, &t) && http_read_limit(r, &limit) && http_read_flag(r, "reverse", &reverse)) {
        where w;
        position p = {.count = 0};
        holt_scan *s = NULL;
        if (read_where(r, &t, &w) && read_token(r, &t, &p) && open_scan(r, &t, &w, &p, reverse, &s))
            append_rows(r, &t, &w, s, limit);
        (void)holt_scan_close(s);
        where_deinit(&w);
        bytes_deinit(&p.encoded);
        bytes_deinit(&p.texts);
    }
    target_close(&t);
}

void http_rows_get(http_request *r)
{
    target t;
    row_key k = {.count = 0};
    holt_row row = HOLT_ROW_INIT;
    if (target_open(r, &t) && read_key(r, &t, &k)) {
        holt_status status = holt_table_get(t.table, http_reader(r), k.parts, k.count, &row);
        if (status == HOLT_OK) {
            append_row(&r->answer, &t, row.row_id, read_column, &row);
            bytes_append_text(&r->answer, "\n");
            http_reply(r, 200, JSON);
        } else if (status == HOLT_NOT_FOUND) {
            (void)http_error(r, 404, "not_found", "there is no such row");
        } else {
            (void)http_database_failed(r, status);
        }
    }
    holt_row_free(&row);
    row_key_deinit(&k);
    target_close(&t);
}

/* ---------------------------------------------------------------- changes */

/* The values that a body names: of the columns columns[i]. */
typedef struct row_values {
    uint32_t *columns;
    holt_datum *values;
    size_t count;
    bool has_rowid;
    int64_t rowid;
    json_object *json;
    bytes decoded;
} row_values;

static void row_values_deinit(row_values *v)
{
    free(v->columns);
    free(v->values);
    json_object_put(v->json);
    bytes_deinit(&v->decoded);
}

static bool add_value(http_request *r, const target *t, row_values *v, const char *name, json_object *member)
{
    holt_datum value;
    const char *problem = http_datum_read(member, &v->decoded, &value);
    if (problem) return refuse_value(r, name, problem);
    if (t->has_rowid && strcmp(name, "rowid") == 0) {
        if (value.type != HOLT_INTEGER) return refuse_value(r, name, "is not an integer");
        v->has_rowid = true;
        v->rowid = value.as.integer;
        return true;
    }
    if (!find_column(t->info, name, &v->columns[v->count]))
        return refuse_value(r, name, "belongs to no column");
    v->values[v->count++] = value;
    return true;
}

/* Reads the body. row_values_deinit follows either way. */
static bool read_values(http_request *r, const target *t, row_values *v)
{
    v->json = http_parse_body(r, NULL);
    if (!v->json) return false;
    v->columns = calloc(t->info->column_count + 1, sizeof *v->columns);
    v->values = calloc(t->info->column_count + 1, sizeof *v->values);
    if (!v->columns || !v->values || !bytes_reserve(&v->decoded, r->body.size))
        return http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    json_object_object_foreach(v->json, name, member)
    {
        if (!add_value(r, t, v, name, member)) return false;
    }
    return true;
}

/* Inserts the values; other columns have their defaults. *row_id: the number that the row got, or 0. */
static holt_status insert_row(const target *t, holt_txn *txn, const row_values *v, holt_datum *row,
                              int64_t *row_id)
{
    size_t count = t->info->column_count;
    for (size_t i = 0; i < count; i++)
        row[i] = t->info->columns[i].default_value;
    for (size_t i = 0; i < v->count; i++)
        row[v->columns[i]] = v->values[i];
    if (!v->has_rowid) return holt_table_insert(t->table, txn, row, count, 0, row_id);
    *row_id = v->rowid;
    return holt_table_insert_at(t->table, txn, v->rowid, row, count, 0);
}

void http_rows_insert(http_request *r)
{
    target t;
    holt_txn *txn;
    holt_datum *row = NULL;
    row_values v = {.count = 0};
    int64_t row_id = 0;
    if (target_open(r, &t) && read_values(r, &t, &v) && http_writer(r, &txn)) {
        row = calloc(t.info->column_count, sizeof *row);
        holt_status status = row ? insert_row(&t, txn, &v, row, &row_id) : HOLT_NO_MEMORY;
        if (!row) {
            (void)http_database_error(r, status, "out of memory");
        } else if (status != HOLT_OK) {
            (void)http_database_failed(r, status);
        } else {
            bytes_append_text(&r->answer, "{\"success\":true");
            if (row_id || t.info->key_count == 0)
                bytes_append_format(&r->answer, ",\"rowid\":%" PRId64, row_id);
            bytes_append_text(&r->answer, "}\n");
            http_reply(r, 201, JSON);
        }
    }
    free(row);
    row_values_deinit(&v);
    target_close(&t);
}

/* Answers for a change of the row with a given key. */
static void reply_changed(http_request *r, holt_status status)
{
    if (status == HOLT_OK) {
        http_reply(r, 204, NULL);
    } else if (status == HOLT_NOT_FOUND) {
        (void)http_error(r, 404, "not_found", "there is no such row");
    } else {
        (void)http_database_failed(r, status);
    }
}

void http_rows_update(http_request *r)
{
    target t;
    holt_txn *txn;
    row_key k = {.count = 0};
    row_values v = {.count = 0};
    if (target_open(r, &t) && read_key(r, &t, &k) && read_values(r, &t, &v) && http_writer(r, &txn)) {
        if (v.has_rowid && v.rowid != k.parts[0].as.integer) {
            (void)http_error(r, 400, "invalid", "the row id cannot be changed");
        } else {
            reply_changed(r,
                          holt_table_update(t.table, txn, k.parts, k.count, v.columns, v.values, v.count, 0));
        }
    }
    row_values_deinit(&v);
    row_key_deinit(&k);
    target_close(&t);
}

void http_rows_delete(http_request *r)
{
    target t;
    holt_txn *txn;
    row_key k = {.count = 0};
    if (target_open(r, &t) && read_key(r, &t, &k) && http_writer(r, &txn))
        reply_changed(r, holt_table_delete(t.table, txn, k.parts, k.count));
    row_key_deinit(&k);
    target_close(&t);
}
