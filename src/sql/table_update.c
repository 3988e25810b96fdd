/* table_update.c -- checks a row as SQLite would, and writes it. */
#include "table_update.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "defaults.h"
#include "table_module.h"
#include "values.h"

enum { PARTS_MAX = 64, COLUMNS_MAX = 1000 };

/* A row on its way to the table. */
typedef struct row_write {
    sql_table *t;
    const holt_table_info *info;
    int conflict; /* SQLITE_ABORT, SQLITE_REPLACE ...: the conflict clause */
    uint32_t columns[COLUMNS_MAX];
    holt_datum values[COLUMNS_MAX];
    size_t count; /* of an UPDATE: the columns that it changes; of an INSERT: all */
} row_write;

/* ---- failures */

/* Reports a violated constraint. Only with the plain code does SQLite apply the conflict clause of the
 * statement; where that would make no difference, the precise code is of more use to the program. */
static int violation(const row_write *w, int precise_code)
{
    return w->conflict == SQLITE_ABORT || w->conflict == SQLITE_REPLACE ? precise_code : SQLITE_CONSTRAINT;
}

static int null_violation(const row_write *w, const holt_column *column)
{
    if (column - w->info->columns == w->t->shape.integer_key) {
        return sql_failure_text(&w->t->common.base, SQLITE_MISMATCH, "datatype mismatch");
    }
    return sql_failure_text(&w->t->common.base, violation(w, SQLITE_CONSTRAINT_NOTNULL),
                            "NOT NULL constraint failed: %s.%s", w->info->name, column->name);
}

/* Whatever the conflict clause, a value of the wrong type fails the statement; so the code may be that of a
 * constraint only where SQLite would not apply the clause to it. */
static int type_mismatch(const row_write *w, const holt_column *column, sqlite3_value *value)
{
    if (column - w->info->columns == w->t->shape.integer_key) {
        return sql_failure_text(&w->t->common.base, SQLITE_MISMATCH, "datatype mismatch");
    }
    const bool plain = w->conflict == SQLITE_ABORT || w->conflict == SQLITE_REPLACE;
    return sql_failure_text(&w->t->common.base, plain ? SQLITE_CONSTRAINT_DATATYPE : SQLITE_MISMATCH,
                            "cannot store %s value in %s column %s.%s", value_type_name(value),
                            value_column_type(column->type), w->info->name, column->name);
}

static void append_column(sqlite3_str *out, const row_write *w, const char *column)
{
    sqlite3_str_appendf(out, "%s%s.%s", sqlite3_str_length(out) ? ", " : "", w->info->name, column);
}

/* "users.email", or "t.a, t.b": the columns of the primary key or of the index that has the values already.
 *  */
static char *duplicate_columns(const row_write *w, const holt_row_error *e)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    if (e->problem == HOLT_ROW_KEY_EXISTS) {
        if (w->info->key_count == 0) append_column(out, w, "rowid");
        for (size_t i = 0; i < w->info->key_count; i++) {
            append_column(out, w, w->info->key[i].column);
        }
    }
    for (size_t i = 0; i < w->info->index_count && e->problem == HOLT_ROW_UNIQUE_EXISTS; i++) {
        const holt_index_info *index = &w->info->indexes[i];
        if (sqlite3_stricmp(index->name, e->index) != 0) continue;
        for (size_t k = 0; k < index->part_count; k++) {
            append_column(out, w, index->parts[k].column);
        }
    }
    return sqlite3_str_finish(out);
}

static int duplicate(const row_write *w)
{
    holt_row_error e;
    holt_row_error_get(&e, sizeof e);
    char *columns = duplicate_columns(w, &e);
    int code = SQLITE_CONSTRAINT_UNIQUE;
    if (e.problem == HOLT_ROW_KEY_EXISTS) {
        code = w->t->shape.identity == SHAPE_IS_ROW_ID && w->t->shape.integer_key == SHAPE_NO_COLUMN
                   ? SQLITE_CONSTRAINT_ROWID
                   : SQLITE_CONSTRAINT_PRIMARYKEY;
    }
    const int rc = sql_failure_text(&w->t->common.base, violation(w, code), "UNIQUE constraint failed: %s",
                                    columns ? columns : w->info->name);
    sqlite3_free(columns);
    return rc;
}

static int failure(const row_write *w, holt_status status)
{
    return status == HOLT_EXISTS ? duplicate(w) : sql_failure(&w->t->common.base, status);
}

/* ---- the values */

/* The number of a new row is chosen for a null in an ascending INTEGER key. */
static bool may_be_null(const row_write *w, size_t column, bool inserting)
{
    if (!(w->info->columns[column].flags & HOLT_COLUMN_NOT_NULL) && w->t->shape.integer_key != (int)column) {
        return true;
    }
    return inserting && w->t->shape.integer_key == (int)column &&
           !(w->info->key[0].flags & HOLT_PART_DESCENDING);
}

/* Sets *d to the value that a null becomes: the default, if the statement does not name the column, and with
 * OR REPLACE if it may not be null. */
static void replace_null(const row_write *w, size_t column, bool inserting, holt_datum *d)
{
    const holt_column *c = &w->info->columns[column];
    if (!(c->flags & HOLT_COLUMN_DEFAULT) || c->default_value.type == HOLT_NULL) return;
    const bool forbidden = !may_be_null(w, column, inserting);
    if ((forbidden && w->conflict == SQLITE_REPLACE) ||
        (inserting && insert_leaves_out(w->t->common.database->sqlite, w->info->name, c->name))) {
        *d = c->default_value;
    }
}

static int check_length(const row_write *w, const holt_column *column, const holt_datum *d)
{
    if (column->length_max == 0 || (d->type != HOLT_TEXT && d->type != HOLT_BLOB)) return SQLITE_OK;
    const bool text = d->type == HOLT_TEXT;
    const size_t length = text ? text_columns(d->as.bytes) : d->as.bytes.size;
    if (length <= column->length_max) return SQLITE_OK;
    return sql_failure_text(&w->t->common.base, violation(w, SQLITE_CONSTRAINT_CHECK),
                            "value too long for column %s.%s: %llu %s, at most %llu are allowed",
                            w->info->name, column->name, (unsigned long long)length,
                            text ? "characters" : "bytes", (unsigned long long)column->length_max);
}

/* Converts values[i] to be stored in column w->columns[i], for all that there are. */
static int convert_values(row_write *w, sqlite3_value **values, bool inserting)
{
    /* Nulls first: with OR IGNORE they skip a row whose types would be an error. */
    for (size_t i = 0; i < w->count; i++) {
        const size_t column = w->columns[i];
        w->values[i] = holt_null();
        if (sqlite3_value_type(values[column]) != SQLITE_NULL) continue;
        replace_null(w, column, inserting, &w->values[i]);
        if (w->values[i].type == HOLT_NULL && !may_be_null(w, column, inserting)) {
            return null_violation(w, &w->info->columns[column]);
        }
    }
    for (size_t i = 0; i < w->count; i++) {
        const holt_column *column = &w->info->columns[w->columns[i]];
        sqlite3_value *value = values[w->columns[i]];
        if (sqlite3_value_type(value) == SQLITE_NULL) continue;
        if (!value_to_column(value, column->type, &w->values[i])) return type_mismatch(w, column, value);
    }
    for (size_t i = 0; i < w->count; i++) {
        const int rc = check_length(w, &w->info->columns[w->columns[i]], &w->values[i]);
        if (rc != SQLITE_OK) return rc;
    }
    return SQLITE_OK;
}

/* The row id given to an INSERT or UPDATE. Sets *given to whether there is one. */
static int take_row_id(const row_write *w, sqlite3_value *value, bool *given, int64_t *row_id)
{
    holt_datum d;
    *given = sqlite3_value_type(value) != SQLITE_NULL;
    if (!value_to_column(value, HOLT_INTEGER, &d)) {
        return sql_failure_text(&w->t->common.base, SQLITE_MISMATCH, "datatype mismatch");
    }
    *row_id = *given ? d.as.integer : 0;
    return SQLITE_OK;
}

/* ---- INSERT */

static uint32_t replace_flag(const row_write *w)
{
    return w->conflict == SQLITE_REPLACE ? HOLT_INSERT_REPLACE : 0;
}

static int insert(row_write *w, sqlite3_value **values, sqlite3_int64 *row_id)
{
    const shape *s = &w->t->shape;
    holt_txn *txn = w->t->common.database->txn;
    bool given = false;
    int64_t number = sqlite3_last_insert_rowid(w->t->common.database->sqlite), id = 0;
    w->count = w->info->column_count;
    for (size_t i = 0; i < w->count; i++) {
        w->columns[i] = (uint32_t)i;
    }
    int rc = convert_values(w, values + 2, true);
    if (rc == SQLITE_OK && s->identity == SHAPE_IS_ROW_ID) rc = take_row_id(w, values[1], &given, &id);
    if (rc != SQLITE_OK) return rc;
    holt_status status;
    if (given && s->integer_key == SHAPE_NO_COLUMN) {
        status = holt_table_insert_at(w->t->table, txn, id, w->values, w->count, replace_flag(w));
        number = id;
    } else {
        holt_datum *key = s->integer_key == SHAPE_NO_COLUMN ? NULL : &w->values[s->integer_key];
        if (given && key && key->type == HOLT_NULL) *key = holt_integer(id);
        status = holt_table_insert(w->t->table, txn, w->values, w->count, replace_flag(w), &id);
        if (s->identity == SHAPE_IS_ROW_ID) number = key && key->type == HOLT_INTEGER ? key->as.integer : id;
    }
    *row_id = number;
    return failure(w, status);
}

/* ---- UPDATE, DELETE */

/* The key of the row that SQLite names. */
typedef struct row_key {
    holt_datum parts[PARTS_MAX];
    size_t count;
    uint8_t *bytes; /* that the parts point into */
} row_key;

static int take_encoded_key(const row_write *w, sqlite3_value *value, row_key *key)
{
    uint64_t descending = 0;
    const holt_slice encoded = {sqlite3_value_blob(value), (size_t)sqlite3_value_bytes(value)};
    for (size_t i = 0; i < w->info->key_count; i++) {
        if (w->info->key[i].flags & HOLT_PART_DESCENDING) descending |= UINT64_C(1) << i;
    }
    key->bytes = malloc(encoded.size + 1);
    if (!key->bytes) return SQLITE_NOMEM;
    key->count = PARTS_MAX;
    return sql_failure(&w->t->common.base, holt_key_decode(encoded, descending, key->parts, &key->count,
                                                           key->bytes, encoded.size));
}

static int take_key(const row_write *w, sqlite3_value *value, row_key *key)
{
    key->bytes = NULL;
    key->count = 1;
    switch (w->t->shape.identity) {
    case SHAPE_IS_ROW_ID:
        key->parts[0] = holt_integer(sqlite3_value_int64(value));
        return SQLITE_OK;
    case SHAPE_IS_KEY:
        return take_encoded_key(w, value, key);
    default:
        break;
    }
    const holt_column *column = &w->info->columns[w->info->key_columns[0]];
    return value_to_column(value, column->type, &key->parts[0]) ? SQLITE_OK : SQLITE_MISMATCH;
}

/* Appends a column to those that the update changes, unless it is one of them. */
static void set_column(row_write *w, uint32_t column, holt_datum value)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->columns[i] == column) return;
    }
    w->columns[w->count] = column;
    w->values[w->count++] = value;
}

static int update(row_write *w, sqlite3_value **values, const row_key *key)
{
    const shape *s = &w->t->shape;
    holt_txn *txn = w->t->common.database->txn;
    bool given = false;
    int64_t new_id = 0;
    for (size_t i = 0; i < w->info->column_count; i++) {
        if (!sqlite3_value_nochange(values[2 + i])) w->columns[w->count++] = (uint32_t)i;
    }
    int rc = convert_values(w, values + 2, false);
    if (rc == SQLITE_OK && s->identity == SHAPE_IS_ROW_ID) rc = take_row_id(w, values[1], &given, &new_id);
    if (rc != SQLITE_OK) return rc;
    holt_status status;
    const bool moved = given && new_id != key->parts[0].as.integer;
    if (moved && s->integer_key == SHAPE_NO_COLUMN) {
        status = holt_table_update_at(w->t->table, txn, key->parts[0].as.integer, new_id, w->columns,
                                      w->values, w->count, replace_flag(w));
    } else {
        if (moved) set_column(w, (uint32_t)s->integer_key, holt_integer(new_id));
        status = holt_table_update(w->t->table, txn, key->parts, key->count, w->columns, w->values, w->count,
                                   replace_flag(w));
    }
    /* A row that an earlier step of the statement has replaced is no longer there to be changed. */
    return status == HOLT_NOT_FOUND ? SQLITE_OK : failure(w, status);
}

int table_update(sqlite3_vtab *base, int count, sqlite3_value **values, sqlite3_int64 *row_id)
{
    row_write w;
    row_key key = {.bytes = NULL};
    w.t = (sql_table *)base;
    w.info = w.t->shape.info;
    w.count = 0;
    w.conflict = sqlite3_vtab_on_conflict(w.t->common.database->sqlite);
    int rc = sql_table_current(w.t);
    if (rc != SQLITE_OK) return rc;
    if (w.t->common.database->read_only) {
        return sql_failure_text(base, SQLITE_READONLY, "the database is open read-only");
    }
    if (count > 1 && sqlite3_value_type(values[0]) == SQLITE_NULL) return insert(&w, values, row_id);
    rc = take_key(&w, values[0], &key);
    if (rc == SQLITE_OK && count > 1) {
        rc = update(&w, values, &key);
    } else if (rc == SQLITE_OK) {
        const holt_status status =
            holt_table_delete(w.t->table, w.t->common.database->txn, key.parts, key.count);
        rc = status == HOLT_NOT_FOUND ? SQLITE_OK : failure(&w, status);
    }
    free(key.bytes);
    return rc;
}
