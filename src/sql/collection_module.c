/* collection_module.c -- keys and values of a collection as a table. */
#include "collection_module.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "database.h"
#include "values.h"

enum { COLUMN_KEY = 0, COLUMN_VALUE = 1 };

typedef struct collection_table {
    sql_vtab common; /* first */
    holt_collection *collection;
    char *name;
} collection_table;

/* ---- connecting */

static void destroy(collection_table *t)
{
    holt_collection_close(t->collection);
    sqlite3_free(t->name);
    sqlite3_free(t);
}

static int declare(sqlite3 *sqlite)
{
    int rc = sqlite3_declare_vtab(sqlite, "CREATE TABLE x(" SQL_COLLECTION_COLUMNS ") WITHOUT ROWID");
    if (rc == SQLITE_OK) rc = sqlite3_vtab_config(sqlite, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    if (rc == SQLITE_OK) rc = sqlite3_vtab_config(sqlite, SQLITE_VTAB_INNOCUOUS);
    return rc;
}

/* xCreate and xConnect: the virtual table has the name of the collection. */
static int connect(sqlite3 *sqlite, void *context, int count, const char *const *arguments,
                   sqlite3_vtab **out, char **message)
{
    sql_database *d = context;
    (void)count;
    *out = NULL;
    if (!d->db) {
        *message = sqlite3_mprintf("no Holt database is open: SELECT holt_open('DIRECTORY')");
        return SQLITE_ERROR;
    }
    collection_table *t = sqlite3_malloc(sizeof *t);
    if (!t) return SQLITE_NOMEM;
    memset(t, 0, sizeof *t);
    t->common.database = d;
    t->name = sqlite3_mprintf("%s", arguments[2]);
    const holt_status status =
        t->name ? holt_collection_open(d->db, t->name, &t->collection) : HOLT_NO_MEMORY;
    const int rc = status == HOLT_OK ? declare(sqlite) : sql_code(status);
    if (rc == SQLITE_OK) {
        *out = &t->common.base;
        return SQLITE_OK;
    }
    *message = sqlite3_mprintf("%s", status == HOLT_OK ? sqlite3_errmsg(sqlite) : sql_message(status));
    destroy(t);
    return rc;
}

static int disconnect(sqlite3_vtab *base)
{
    destroy((collection_table *)base);
    return SQLITE_OK;
}

static int drop(sqlite3_vtab *base)
{
    collection_table *t = (collection_table *)base;
    if (!t->common.database->refreshing && t->common.database->db) {
        return sql_failure_text(base, SQLITE_LOCKED, "use SELECT holt_exec('DROP TABLE ...')");
    }
    return disconnect(base);
}

/* ---- planning: the bits of idxNum */

enum {
    PLAN_EQUAL = 1,
    PLAN_LOWER = 2,
    PLAN_LOWER_EXCLUSIVE = 4,
    PLAN_UPPER = 8,
    PLAN_UPPER_EXCLUSIVE = 16,
    PLAN_REVERSE = 32,
    PLAN_KEYS_ONLY = 64
};

static bool is_bytewise(sqlite3_index_info *info, int i)
{
    const char *collation = sqlite3_vtab_collation(info, i);
    return !collation || sqlite3_stricmp(collation, "BINARY") == 0;
}

/* Returns the usable constraint on the key with one of two operators, or -1. */
static int find_constraint(sqlite3_index_info *info, unsigned op, unsigned other)
{
    for (int i = 0; i < info->nConstraint; i++) {
        const unsigned found = info->aConstraint[i].op;
        if (info->aConstraint[i].usable && info->aConstraint[i].iColumn == COLUMN_KEY &&
            (found == op || found == other) && is_bytewise(info, i)) {
            return i;
        }
    }
    return -1;
}

/* SQLite checks every constraint again: a number that is compared with a key may mean several texts. */
static void use(sqlite3_index_info *info, int constraint, int *arguments)
{
    info->aConstraintUsage[constraint].argvIndex = ++*arguments;
}

static int plan_bits(sqlite3_index_info *info)
{
    int bits = 0, arguments = 0;
    const int equal = find_constraint(info, SQLITE_INDEX_CONSTRAINT_EQ, SQLITE_INDEX_CONSTRAINT_EQ);
    const int lower = find_constraint(info, SQLITE_INDEX_CONSTRAINT_GT, SQLITE_INDEX_CONSTRAINT_GE);
    const int upper = find_constraint(info, SQLITE_INDEX_CONSTRAINT_LT, SQLITE_INDEX_CONSTRAINT_LE);
    if (equal >= 0) {
        use(info, equal, &arguments);
        return PLAN_EQUAL;
    }
    if (lower >= 0) {
        use(info, lower, &arguments);
        bits |= PLAN_LOWER;
        if (info->aConstraint[lower].op == SQLITE_INDEX_CONSTRAINT_GT) bits |= PLAN_LOWER_EXCLUSIVE;
    }
    if (upper >= 0) {
        use(info, upper, &arguments);
        bits |= PLAN_UPPER;
        if (info->aConstraint[upper].op == SQLITE_INDEX_CONSTRAINT_LT) bits |= PLAN_UPPER_EXCLUSIVE;
    }
    return bits;
}

static const char *plan_text(int bits)
{
    if (bits & PLAN_EQUAL) return "KEY (key=?)";
    if ((bits & PLAN_LOWER) && (bits & PLAN_UPPER)) return "KEY (key>? AND key<?)";
    if (bits & PLAN_LOWER) return "KEY (key>?)";
    return bits & PLAN_UPPER ? "KEY (key<?)" : "KEY";
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    collection_table *t = (collection_table *)base;
    const holt_slice open = {NULL, 0};
    uint64_t entries = 1000;
    int bits = plan_bits(info);
    (void)holt_approximate_size(t->collection, open, open, NULL, &entries); /* an estimate only */
    double rows = (double)entries + 1;
    if (bits & PLAN_EQUAL) rows = 1;
    if (bits & PLAN_LOWER) rows /= 3;
    if (bits & PLAN_UPPER) rows /= 4;
    if (info->nOrderBy > 0 && info->aOrderBy[0].iColumn == COLUMN_KEY) {
        info->orderByConsumed = 1; /* keys are unique: further columns do not matter */
        if (info->aOrderBy[0].desc) bits |= PLAN_REVERSE;
    }
    if (!(info->colUsed >> COLUMN_VALUE & 1)) bits |= PLAN_KEYS_ONLY;
    info->estimatedRows = (sqlite3_int64)rows;
    info->estimatedCost = bits & PLAN_EQUAL ? 6 : 12 + rows;
    info->idxNum = bits;
    info->idxStr = sqlite3_mprintf("%s%s", plan_text(bits), bits & PLAN_REVERSE ? " DESC" : "");
    info->needToFreeIdxStr = 1;
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* ---- reading */

typedef struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite's */
    sql_view view;
    holt_cursor *entries;
    int plan;
    bool at_end;
    bool suspended; /* the transaction has ended; key and value are copies */
    bool lost;      /* there was no memory for them */
    sql_reader reader;
    holt_slice key, value; /* of the entry: the cursor's, the lookup's, or copies */
    uint8_t *key_bytes, *value_bytes;
    holt_slice bounds[2]; /* lower, upper: in bound_bytes; {NULL, 0} = open */
    uint8_t *bound_bytes[2];
    holt_value found; /* by a lookup */
} cursor;

static collection_table *table_of(const cursor *c)
{
    return (collection_table *)c->base.pVtab;
}

static int failure(const cursor *c, holt_status status)
{
    return sql_failure(c->base.pVtab, status);
}

/* Replaces *copy by a copy of the bytes with one zero byte behind them, which makes the next greater key. */
static bool copy_bytes(uint8_t **copy, holt_slice bytes)
{
    uint8_t *memory = malloc(bytes.size + 1);
    if (!memory) return false;
    if (bytes.size) memcpy(memory, bytes.data, bytes.size);
    memory[bytes.size] = 0;
    free(*copy);
    *copy = memory;
    return true;
}

/* A sql_reader's function. SQLite may ask for the entry once more before it moves on: that of the outer table
 * of a join. */
static void suspend(sql_reader *reader)
{
    cursor *c = (cursor *)((char *)reader - offsetof(cursor, reader));
    assert(!c->suspended); /* otherwise it has left its transaction, and would copy its own copies */
    if (c->at_end || !c->entries) return;
    c->suspended = true;
    c->lost = !copy_bytes(&c->key_bytes, c->key) || !copy_bytes(&c->value_bytes, c->value);
    c->key.data = c->key_bytes;
    c->value.data = c->value_bytes;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    cursor *c = calloc(1, sizeof *c);
    if (!c) return SQLITE_NOMEM;
    c->at_end = true;
    c->reader.suspend = suspend;
    *out = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    cursor *c = (cursor *)base;
    (void)holt_cursor_close(c->entries); /* its failure was returned by the move that met it */
    database_view_end(table_of(c)->common.database, &c->view, &c->reader);
    holt_value_free(&c->found);
    free(c->key_bytes);
    free(c->value_bytes);
    free(c->bound_bytes[0]);
    free(c->bound_bytes[1]);
    free(c);
    return SQLITE_OK;
}

static holt_status open_entries(cursor *c)
{
    const holt_cursor_options o = {.lower = c->bounds[0],
                                   .upper = c->bounds[1],
                                   .flags = c->plan & PLAN_KEYS_ONLY ? HOLT_CURSOR_KEYS_ONLY : 0};
    (void)holt_cursor_close(c->entries);
    c->entries = NULL;
    return holt_cursor_open(table_of(c)->collection, c->view.txn, &o, &c->entries);
}

/* Continues in the present behind the key at which the transaction has ended. */
static bool resume(cursor *c, holt_status *status)
{
    collection_table *t = table_of(c);
    c->suspended = false;
    *status = database_view(t->common.database, t->name, &c->view, &c->reader);
    if (*status == HOLT_OK) *status = open_entries(c);
    if (*status != HOLT_OK) return false;
    const holt_slice last = {c->key_bytes, c->key.size};
    if (!(c->plan & PLAN_REVERSE))
        return holt_cursor_seek(c->entries, holt_bytes(c->key_bytes, last.size + 1));
    if (!holt_cursor_seek_last(c->entries, last)) return false;
    const holt_slice key = holt_cursor_key(c->entries);
    const bool same = key.size == last.size && memcmp(key.data, last.data, key.size) == 0;
    return same ? holt_cursor_prev(c->entries) : true;
}

static int step(cursor *c)
{
    holt_status status = HOLT_OK;
    bool moved;
    if (c->lost) return SQLITE_NOMEM;
    if (c->suspended) {
        moved = resume(c, &status);
    } else {
        moved = c->plan & PLAN_REVERSE ? holt_cursor_prev(c->entries) : holt_cursor_next(c->entries);
    }
    c->at_end = !moved;
    if (moved) {
        c->key = holt_cursor_key(c->entries);
        c->value = holt_cursor_value(c->entries);
        return SQLITE_OK;
    }
    if (status == HOLT_OK) status = holt_cursor_status(c->entries);
    return failure(c, status);
}

/* Whether a bound is a key; otherwise it is above all of them (a blob), or any (a number: SQLite compares).
 *  */
static bool is_key(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_TEXT;
}

static holt_slice text_of(sqlite3_value *value)
{
    const unsigned char *text = sqlite3_value_text(value);
    return holt_bytes(text ? (const char *)text : "", (size_t)sqlite3_value_bytes(value));
}

static int look_up(cursor *c, sqlite3_value *value)
{
    const holt_slice key = text_of(value);
    if (!copy_bytes(&c->key_bytes, key)) return SQLITE_NOMEM;
    c->key = holt_bytes(c->key_bytes, key.size);
    const holt_status status = holt_get(table_of(c)->collection, c->view.txn, key, &c->found);
    c->value = holt_bytes(c->found.data, c->found.size);
    c->at_end = status != HOLT_OK;
    return status == HOLT_NOT_FOUND ? SQLITE_OK : failure(c, status);
}

/* Sets bound 0 or 1. As the range is closed below and open above, the key after the bound is meant if it is
 * exclusive below or inclusive above. Returns false without memory. */
static bool set_bound(cursor *c, int which, sqlite3_value *value, bool next_key)
{
    if (!is_key(value)) return true;
    const holt_slice key = text_of(value);
    if (!copy_bytes(&c->bound_bytes[which], key)) return false;
    c->bounds[which] = holt_bytes(c->bound_bytes[which], key.size + next_key);
    return true;
}

static bool no_key_matches(const cursor *c, sqlite3_value **values)
{
    sqlite3_value *lower = c->plan & PLAN_LOWER ? values[0] : NULL;
    sqlite3_value *upper = c->plan & PLAN_UPPER ? values[lower ? 1 : 0] : NULL;
    if (c->plan & PLAN_EQUAL) lower = values[0];
    if (lower && (sqlite3_value_type(lower) == SQLITE_NULL || sqlite3_value_type(lower) == SQLITE_BLOB)) {
        return true;
    }
    return upper && sqlite3_value_type(upper) == SQLITE_NULL;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count, sqlite3_value **values)
{
    cursor *c = (cursor *)base;
    collection_table *t = table_of(c);
    (void)text;
    (void)count;
    (void)holt_cursor_close(c->entries);
    c->entries = NULL;
    c->plan = plan;
    c->at_end = true;
    c->suspended = c->lost = false;
    memset(c->bounds, 0, sizeof c->bounds);
    holt_status status = database_view(t->common.database, t->name, &c->view, &c->reader);
    if (status != HOLT_OK) return failure(c, status);
    if (no_key_matches(c, values)) return SQLITE_OK;
    if ((plan & PLAN_EQUAL) && is_key(values[0])) return look_up(c, values[0]);
    if ((plan & PLAN_LOWER) && !set_bound(c, 0, *values++, plan & PLAN_LOWER_EXCLUSIVE)) return SQLITE_NOMEM;
    if ((plan & PLAN_UPPER) && !set_bound(c, 1, *values, !(plan & PLAN_UPPER_EXCLUSIVE))) return SQLITE_NOMEM;
    status = open_entries(c);
    return status == HOLT_OK ? step(c) : failure(c, status);
}

static int next(sqlite3_vtab_cursor *base)
{
    cursor *c = (cursor *)base;
    if (c->entries || c->suspended) return step(c);
    c->at_end = true;
    return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((const cursor *)base)->at_end;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
    const cursor *c = (const cursor *)base;
    if (c->lost) return SQLITE_NOMEM;
    if (number == COLUMN_KEY) {
        sqlite3_result_text64(context, c->key.data, c->key.size, SQLITE_TRANSIENT, SQLITE_UTF8);
        return SQLITE_OK;
    }
    const void *data = c->value.data ? c->value.data : "";
    if (text_is_utf8(c->value) && !memchr(data, 0, c->value.size)) {
        sqlite3_result_text64(context, data, c->value.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
        sqlite3_result_blob64(context, data, c->value.size, SQLITE_TRANSIENT);
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    (void)base;
    *out = 0; /* WITHOUT ROWID: never asked for */
    return SQLITE_OK;
}

/* ---- writing */

static holt_slice bytes_of(sqlite3_value *value)
{
    if (sqlite3_value_type(value) != SQLITE_BLOB) return text_of(value);
    const void *blob = sqlite3_value_blob(value);
    return holt_bytes(blob ? blob : "", (size_t)sqlite3_value_bytes(value));
}

static int violation(collection_table *t, int precise_code, const char *what, int column_number)
{
    const int conflict = sqlite3_vtab_on_conflict(t->common.database->sqlite);
    const bool precise = conflict == SQLITE_ABORT || conflict == SQLITE_REPLACE;
    return sql_failure_text(&t->common.base, precise ? precise_code : SQLITE_CONSTRAINT,
                            "%s constraint failed: %s.%s", what, t->name,
                            column_number == COLUMN_KEY ? "key" : "value");
}

static int put(collection_table *t, holt_slice key, holt_slice value, bool replace)
{
    const holt_put_options o = {.flags = replace ? 0 : HOLT_PUT_IF_ABSENT};
    const holt_status status = holt_put_with(t->collection, t->common.database->txn, key, value, &o);
    if (status == HOLT_EXISTS) return violation(t, SQLITE_CONSTRAINT_PRIMARYKEY, "UNIQUE", COLUMN_KEY);
    return sql_failure(&t->common.base, status);
}

/* Gives an entry another key, another value, or both. */
static int change(collection_table *t, holt_slice old_key, holt_slice key, holt_slice value, bool replace)
{
    holt_txn *txn = t->common.database->txn;
    const bool same = old_key.size == key.size && memcmp(old_key.data, key.data, key.size) == 0;
    const int rc = put(t, key, value, replace || same);
    if (rc != SQLITE_OK || same) return rc;
    return sql_failure(&t->common.base, holt_delete(t->collection, txn, old_key));
}

static int update(sqlite3_vtab *base, int count, sqlite3_value **values, sqlite3_int64 *row_id)
{
    collection_table *t = (collection_table *)base;
    if (t->common.database->read_only) {
        return sql_failure_text(base, SQLITE_READONLY, "the database is open read-only");
    }
    if (count == 1) {
        return sql_failure(base, holt_delete(t->collection, t->common.database->txn, bytes_of(values[0])));
    }
    for (int i = COLUMN_KEY; i <= COLUMN_VALUE; i++) {
        if (sqlite3_value_type(values[2 + i]) == SQLITE_NULL) {
            return violation(t, SQLITE_CONSTRAINT_NOTNULL, "NOT NULL", i);
        }
    }
    *row_id = sqlite3_last_insert_rowid(t->common.database->sqlite);
    const holt_slice key = bytes_of(values[2]), value = bytes_of(values[3]);
    const bool replace = sqlite3_vtab_on_conflict(t->common.database->sqlite) == SQLITE_REPLACE;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) return put(t, key, value, replace);
    return change(t, bytes_of(values[0]), key, value, replace);
}

const sqlite3_module sql_collection_module = {
    .iVersion = 2,
    .xCreate = connect,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = drop,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = rowid,
    .xUpdate = update,
    .xBegin = database_begin,
    .xSync = database_sync,
    .xCommit = database_commit,
    .xRollback = database_rollback,
    .xSavepoint = database_savepoint,
    .xRelease = database_release,
    .xRollbackTo = database_rollback_to,
};
