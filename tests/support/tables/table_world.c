/* table_world.c -- the steps of a world of tables, and its states as texts. */
#include "support/tables/table_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"

enum { FIRST_EXTRA = 3 /* position of the first further column */, COLUMNS_MAX = FIRST_EXTRA + WORLD_EXTRAS };
enum { EMAILS = 50, AGES = 8, TRANSACTION_OPS_MAX = 10 };

static size_t below(table_world *w, size_t n)
{
    return (size_t)rng_below(&w->random, n);
}

/* ---------------------------------------------------------------- names and values */

static void table_name(char out[8], size_t table, bool renamed)
{
    snprintf(out, 8, "%c%zu", renamed ? 'r' : 't', table);
}

static void index_name(char out[8], size_t table, size_t index)
{
    snprintf(out, 8, "%c%zu", "eah"[index], table);
}

static void email_text(char out[40], int email)
{
    /* Of many lengths, some with bytes that are escaped in keys. */
    snprintf(out, 40, "%d@example.org%.*s", email, email % 7, "xxxxxxx");
}

static int default_of(int extra)
{
    return 10 * extra;
}

/* ---------------------------------------------------------------- states as texts */

static void write_user(FILE *out, const world_table *t, int id)
{
    const world_user *u = &t->users[id];
    char email[40];
    email_text(email, u->email);
    fprintf(out, "  %d %s", id, email);
    if (u->age < 0)
        fputs(" null", out);
    else
        fprintf(out, " %d", u->age);
    for (int i = 0; i < t->extra_count; i++)
        fprintf(out, " %d", u->extras[t->extras[i]]);
    fputc('\n', out);
}

static void write_table(FILE *out, size_t number, const world_table *t)
{
    char name[8];
    table_name(name, number, t->renamed);
    fprintf(out, "%s kind %u columns id email age", name, t->kind);
    for (int i = 0; i < t->extra_count; i++)
        fprintf(out, " x%d", t->extras[i]);
    fputs(" indexes", out);
    for (size_t i = 0; i < WORLD_INDEXES; i++) {
        index_name(name, number, i);
        if (t->indexes[i]) fprintf(out, " %s", name);
    }
    fputc('\n', out);
    for (int id = 0; id < WORLD_IDS; id++)
        if (t->users[id].present) write_user(out, t, id);
}

static char *text_of_model(const world_model *m)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (int renamed = 1; renamed >= 0; renamed--) /* in the order of the names */
        for (size_t i = 0; i < WORLD_TABLES; i++)
            if (m->tables[i].exists && m->tables[i].renamed == renamed) write_table(out, i, &m->tables[i]);
    fclose(out);
    return text;
}

static void write_datum(FILE *out, holt_datum d)
{
    if (d.type == HOLT_INTEGER)
        fprintf(out, " %lld", (long long)d.as.integer);
    else if (d.type == HOLT_TEXT)
        fprintf(out, " %.*s", (int)d.as.bytes.size, (const char *)d.as.bytes.data);
    else
        fputs(" null", out);
}

static void write_rows_of(FILE *out, holt_table *t, size_t columns)
{
    holt_scan *s;
    holt_scan_options all = {0};
    expect_ok(holt_scan_open(t, NULL, &all, &s));
    while (holt_scan_next(s)) {
        fputc(' ', out);
        for (size_t i = 0; i < columns; i++)
            write_datum(out, holt_scan_column(s, i));
        fputc('\n', out);
    }
    expect_ok(holt_scan_close(s));
}

static int by_name(const void *a, const void *b)
{
    /* In the order of index_name: e, a, h. */
    const char *order = "eah", *x = *(const char *const *)a, *y = *(const char *const *)b;
    return (int)(strchr(order, *x) - strchr(order, *y));
}

static void write_indexes_of(FILE *out, const holt_table_info *info)
{
    const char *names[WORLD_INDEXES];
    assert_true(info->index_count <= WORLD_INDEXES);
    for (size_t i = 0; i < info->index_count; i++) {
        assert_true(info->indexes[i].complete);
        names[i] = info->indexes[i].name;
    }
    qsort(names, info->index_count, sizeof *names, by_name);
    for (size_t i = 0; i < info->index_count; i++)
        fprintf(out, " %s", names[i]);
}

static void print_problem(void *ctx, const char *message)
{
    (void)ctx;
    print_error("%s\n", message);
}

/* Writes the table, and returns the number of its collections. */
static size_t write_table_of(FILE *out, holt *db, const char *name)
{
    holt_table *t;
    holt_table_info *info;
    holt_table_check_options o = {.problem = print_problem};
    expect_ok(holt_table_open(db, name, &t));
    expect_ok(holt_table_check(t, &o, NULL, 0));
    expect_ok(holt_table_describe(t, &info));
    fprintf(out, "%s kind %u columns", info->name, info->kind);
    for (size_t i = 0; i < info->column_count; i++)
        fprintf(out, " %s", info->columns[i].name);
    fputs(" indexes", out);
    write_indexes_of(out, info);
    fputc('\n', out);
    write_rows_of(out, t, info->column_count);
    size_t collections = 1 + info->index_count;
    holt_free(info);
    holt_table_close(t);
    return collections;
}

char *world_text_of(holt *db)
{
    char *text = NULL, **tables, **collections;
    size_t size, table_count, collection_count, known = 2; /* "default" and "holt.tables" */
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    expect_ok(holt_table_list(db, &tables, &table_count));
    for (size_t i = 0; i < table_count; i++)
        known += write_table_of(out, db, tables[i]);
    fclose(out);
    expect_ok(holt_collection_list(db, &collections, &collection_count));
    if (collection_count > known) { /* fewer: there is no catalog yet */
        for (size_t i = 0; i < collection_count; i++)
            print_error("collection %s\n", collections[i]);
        fail_msg("%zu collections, of which %zu are known", collection_count, known);
    }
    holt_free(collections);
    holt_free(tables);
    return text;
}

bool world_is_one_of(const table_world *w, const char *text, size_t from, size_t to)
{
    for (size_t i = from; i <= to; i++)
        if (strcmp(text, w->states[i]) == 0) return true;
    print_error("HOLT_SEED=%llu, %s: the database shows\n%s\n", (unsigned long long)w->seed, w->last, text);
    for (size_t i = from; i <= to; i++)
        print_error("state %zu, which it may show, is\n%s\n", i, w->states[i]);
    return false;
}

/* ---------------------------------------------------------------- the course of a step */

/* Notes what the database shows if the running step succeeds. */
static void announce(table_world *w)
{
    assert_true(w->floor + 1 < WORLD_STATES_MAX);
    w->ceiling = w->floor + 1;
    free(w->states[w->ceiling]);
    w->states[w->ceiling] = text_of_model(&w->next);
}

static void forget(table_world *w)
{
    w->ceiling = w->floor;
    w->next = w->now;
}

static void accept(table_world *w, bool durable)
{
    w->now = w->next;
    w->floor = w->ceiling;
    if (durable || w->durability == HOLT_COMMIT) w->durable = w->floor;
}

static void clear_faults(table_world *w)
{
    mem_fail_at(0, false);
    sim_fail(w->machine, SIM_CALLS, 0, 0, false);
}

/* After a failure that a fault has caused: the change was made or not, which only a look can tell. */
static void look(table_world *w)
{
    clear_faults(w);
    w->failures++;
    world_reopen(w);
    char *text = world_text_of(w->db);
    if (!world_is_one_of(w, text, w->floor, w->ceiling)) fail();
    if (strcmp(text, w->states[w->floor]) == 0)
        forget(w);
    else
        accept(w, true);
    free(text);
}

/* Ends a step whose call has returned rc. */
static void settle(table_world *w, holt_status expected, holt_status rc, bool durable)
{
    if (rc != expected && w->faults) {
        look(w);
        return;
    }
    expect_status(expected, rc);
    if (rc == HOLT_OK)
        accept(w, durable);
    else
        forget(w);
}

static holt_table *handle(table_world *w, size_t table)
{
    char name[8];
    table_name(name, table, w->now.tables[table].renamed);
    if (w->handles[table]) return w->handles[table];
    if (w->faults && holt_table_open(w->db, name, &w->handles[table]) != HOLT_OK) clear_faults(w);
    if (!w->handles[table]) expect_ok(holt_table_open(w->db, name, &w->handles[table]));
    return w->handles[table];
}

static void close_handles(table_world *w)
{
    for (size_t i = 0; i < WORLD_TABLES; i++) {
        holt_table_close(w->handles[i]);
        w->handles[i] = NULL;
    }
}

/* ---------------------------------------------------------------- writes of rows */

static bool email_taken(const world_table *t, int id, int email)
{
    if (!t->indexes[0]) return false;
    for (int i = 0; i < WORLD_IDS; i++)
        if (i != id && t->users[i].present && t->users[i].email == email) return true;
    return false;
}

static world_user random_user(table_world *w)
{
    world_user u = {.present = true, .email = (int)below(w, EMAILS), .age = (int)below(w, AGES + 1) - 1};
    for (int i = 0; i < WORLD_EXTRAS; i++)
        u.extras[i] = (int)below(w, 3);
    return u;
}

static void row_of(const world_table *t, int id, const world_user *u, char email[40], holt_datum *row)
{
    email_text(email, u->email);
    row[0] = holt_integer(id);
    row[1] = holt_text(email);
    row[2] = u->age < 0 ? holt_null() : holt_integer(u->age);
    for (int i = 0; i < t->extra_count; i++)
        row[FIRST_EXTRA + i] = holt_integer(u->extras[t->extras[i]]);
}

/* One write, to the model first: returns what the call must, and changes `next` if that is HOLT_OK. */
typedef struct row_op {
    size_t table;
    int id;
    enum { OP_INSERT, OP_UPSERT, OP_UPDATE, OP_DELETE, OPS } op;
    world_user user;
} row_op;

static holt_status apply_to_model(world_model *m, const row_op *o)
{
    world_table *t = &m->tables[o->table];
    world_user *u = &t->users[o->id];
    if (o->op == OP_INSERT && u->present) return HOLT_EXISTS;
    if ((o->op == OP_UPDATE || o->op == OP_DELETE) && !u->present) return HOLT_NOT_FOUND;
    if (o->op != OP_DELETE && email_taken(t, o->id, o->user.email)) return HOLT_EXISTS;
    if (o->op == OP_DELETE)
        u->present = false;
    else
        *u = o->user;
    return HOLT_OK;
}

static holt_status apply(table_world *w, holt_txn *txn, const row_op *o)
{
    const world_table *model = &w->now.tables[o->table];
    holt_table *t = handle(w, o->table);
    char email[40];
    holt_datum row[COLUMNS_MAX], key = holt_integer(o->id);
    uint32_t columns[COLUMNS_MAX];
    size_t n = FIRST_EXTRA + (size_t)model->extra_count;
    row_of(model, o->id, &o->user, email, row);
    for (uint32_t i = 0; i < n; i++)
        columns[i] = i;
    switch (o->op) {
    case OP_INSERT:
        return holt_table_insert(t, txn, row, n, 0, NULL);
    case OP_UPSERT:
        return holt_table_upsert(t, txn, row, n);
    case OP_UPDATE:
        return holt_table_update(t, txn, &key, 1, columns + 1, row + 1, n - 1, 0);
    default:
        return holt_table_delete(t, txn, &key, 1);
    }
}

/* On one of the tables that exist; false if there is none. */
static bool random_op(table_world *w, row_op *o)
{
    *o = (row_op){.table = below(w, WORLD_TABLES), .id = (int)below(w, WORLD_IDS), .op = below(w, OPS)};
    o->user = random_user(w);
    return w->now.tables[o->table].exists;
}

static void step_write(table_world *w)
{
    row_op o;
    if (!random_op(w, &o)) return;
    holt_status expected = apply_to_model(&w->next, &o);
    announce(w);
    settle(w, expected, apply(w, NULL, &o), false);
}

/* ---------------------------------------------------------------- transactions */

typedef struct savepoint {
    uint32_t id; /* 0 = none */
    world_model model;
} savepoint;

/* One more operation of a transaction. Returns false if a fault has ended that. */
static bool transaction_op(table_world *w, holt_txn *txn, savepoint *s)
{
    row_op o;
    holt_status rc = HOLT_OK;
    if (s->id && rng_chance(&w->random, 5)) {
        rc = holt_rollback_to(txn, s->id);
        if (rc == HOLT_OK) w->next = s->model;
    } else if (rng_chance(&w->random, 5)) {
        rc = holt_savepoint(txn, &s->id);
        s->model = w->next;
    } else if (random_op(w, &o)) {
        world_model before = w->next;
        holt_status expected = apply_to_model(&w->next, &o);
        rc = apply(w, txn, &o);
        if (rc == expected) return true;
        if (rc != HOLT_OK) w->next = before; /* a call that fails has no effect */
        if (!w->faults) expect_status(expected, rc);
        return rc == HOLT_NO_MEMORY;
    }
    if (!w->faults) expect_ok(rc);
    return rc == HOLT_OK;
}

static void step_transaction(table_world *w)
{
    holt_txn_options o = {.durability = w->durability};
    holt_txn *txn;
    savepoint s = {0};
    bool good = true;
    holt_status rc = holt_begin(w->db, &o, &txn);
    for (size_t n = 1 + below(w, TRANSACTION_OPS_MAX); n > 0 && rc == HOLT_OK && good; n--)
        good = transaction_op(w, txn, &s);
    if (rc != HOLT_OK || !good || rng_chance(&w->random, 4)) {
        holt_rollback(rc == HOLT_OK ? txn : NULL);
        forget(w);
        if (rc != HOLT_OK || !good) look(w);
        return;
    }
    announce(w);
    rc = holt_commit(txn);
    holt_rollback(txn);
    settle(w, HOLT_OK, rc, false);
}

/* ---------------------------------------------------------------- changes of schemas */

static void step_create(table_world *w)
{
    static const holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                                          {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
                                          {.name = "age", .type = HOLT_INTEGER}};
    static const holt_key_part key = {.column = "id"};
    size_t i = below(w, WORLD_TABLES);
    if (w->now.tables[i].exists) return;
    char name[8];
    uint32_t kind = rng_chance(&w->random, 2) ? HOLT_LSM : HOLT_BTREE;
    holt_table_options o = {.columns = columns, .column_count = 3, .key = &key, .key_count = 1, .kind = kind};
    table_name(name, i, false);
    w->next.tables[i] = (world_table){.exists = true, .kind = kind};
    announce(w);
    settle(w, HOLT_OK, holt_table_create(w->db, name, &o, &w->handles[i]), true);
}

/* A table that exists; false if chance finds none. */
static bool choose(table_world *w, size_t *table)
{
    *table = below(w, WORLD_TABLES);
    return w->now.tables[*table].exists;
}

static void step_drop(table_world *w)
{
    size_t i;
    char name[8];
    if (!choose(w, &i)) return;
    table_name(name, i, w->now.tables[i].renamed);
    holt_table_close(w->handles[i]);
    w->handles[i] = NULL;
    w->next.tables[i] = (world_table){0};
    announce(w);
    settle(w, HOLT_OK, holt_table_drop(w->db, name), true);
}

static void step_clear(table_world *w)
{
    size_t i;
    if (!choose(w, &i)) return;
    for (int id = 0; id < WORLD_IDS; id++)
        w->next.tables[i].users[id].present = false;
    announce(w);
    settle(w, HOLT_OK, holt_table_clear(handle(w, i)), true);
}

static void step_rename(table_world *w)
{
    size_t i;
    char to[8];
    if (!choose(w, &i)) return;
    w->next.tables[i].renamed = !w->now.tables[i].renamed;
    table_name(to, i, w->next.tables[i].renamed);
    holt_alteration change = {.op = HOLT_ALTER_RENAME, .to = to};
    announce(w);
    settle(w, HOLT_OK, holt_table_alter(handle(w, i), &change), true);
}

static bool has_extra(const world_table *t, int extra)
{
    for (int i = 0; i < t->extra_count; i++)
        if (t->extras[i] == extra) return true;
    return false;
}

static void step_add_column(table_world *w)
{
    size_t i;
    char name[8];
    int extra = (int)below(w, WORLD_EXTRAS);
    if (!choose(w, &i) || has_extra(&w->now.tables[i], extra)) return;
    snprintf(name, sizeof name, "x%d", extra);
    holt_column column = {.name = name,
                          .type = HOLT_INTEGER,
                          .flags = HOLT_COLUMN_NOT_NULL | HOLT_COLUMN_DEFAULT,
                          .default_value = holt_integer(default_of(extra))};
    holt_alteration change = {.op = HOLT_ALTER_ADD_COLUMN, .column = &column};
    world_table *t = &w->next.tables[i];
    t->extras[t->extra_count++] = extra;
    for (int id = 0; id < WORLD_IDS; id++)
        t->users[id].extras[extra] = default_of(extra);
    announce(w);
    settle(w, HOLT_OK, holt_table_alter(handle(w, i), &change), true);
}

static void step_drop_column(table_world *w)
{
    size_t i;
    char name[8];
    if (!choose(w, &i) || w->now.tables[i].extra_count == 0) return;
    world_table *t = &w->next.tables[i];
    int at = (int)below(w, (size_t)t->extra_count);
    snprintf(name, sizeof name, "x%d", t->extras[at]);
    holt_alteration change = {.op = HOLT_ALTER_DROP_COLUMN, .name = name};
    t->extra_count--;
    for (; at < t->extra_count; at++)
        t->extras[at] = t->extras[at + 1];
    announce(w);
    settle(w, HOLT_OK, holt_table_alter(handle(w, i), &change), true);
}

static bool has_duplicates(const world_table *t)
{
    world_table with_index = *t;
    with_index.indexes[0] = true;
    for (int id = 0; id < WORLD_IDS; id++)
        if (t->users[id].present && email_taken(&with_index, id, t->users[id].email)) return true;
    return false;
}

/* A unique one, one that is partial and descending, one that is hashed. */
static holt_status create_index(table_world *w, size_t table, size_t index)
{
    char name[8];
    holt_index_part parts[] = {{.column = index == 1 ? "age" : "email"}, {.column = "email"}};
    holt_index_options o = {.name = name, .parts = parts, .part_count = 1};
    index_name(name, table, index);
    if (index == 0) o.flags = HOLT_INDEX_UNIQUE;
    if (index == 1) {
        parts[0].flags = HOLT_PART_DESCENDING;
        o.part_count = 2;
        o.not_null = "age";
    }
    if (index == 2) parts[0].flags = HOLT_PART_HASH;
    return holt_table_create_index(handle(w, table), &o, NULL, NULL);
}

static void step_create_index(table_world *w)
{
    size_t i, index = below(w, WORLD_INDEXES);
    if (!choose(w, &i) || w->now.tables[i].indexes[index]) return;
    bool refused = index == 0 && has_duplicates(&w->now.tables[i]);
    if (!refused) w->next.tables[i].indexes[index] = true;
    announce(w);
    settle(w, refused ? HOLT_EXISTS : HOLT_OK, create_index(w, i, index), true);
}

static void step_drop_index(table_world *w)
{
    size_t i, index = below(w, WORLD_INDEXES);
    char name[8];
    if (!choose(w, &i) || !w->now.tables[i].indexes[index]) return;
    index_name(name, i, index);
    w->next.tables[i].indexes[index] = false;
    announce(w);
    settle(w, HOLT_OK, holt_table_drop_index(handle(w, i), name), true);
}

static void step_reindex(table_world *w)
{
    size_t i;
    if (!choose(w, &i)) return;
    bool any = false; /* otherwise nothing is written */
    for (size_t j = 0; j < WORLD_INDEXES; j++)
        any = any || w->now.tables[i].indexes[j];
    announce(w);
    settle(w, HOLT_OK, holt_table_reindex(handle(w, i), NULL, NULL, NULL), any);
}

static void step_flush(table_world *w)
{
    announce(w);
    settle(w, HOLT_OK, holt_flush(w->db), true);
}

/* ---------------------------------------------------------------- the world */

static const struct {
    const char *name;
    void (*run)(table_world *w);
    uint32_t weight;
} steps[] = {
    {"a write", step_write, 30},
    {"a transaction", step_transaction, 20},
    {"create table", step_create, 6},
    {"drop table", step_drop, 1},
    {"clear", step_clear, 1},
    {"rename", step_rename, 3},
    {"add column", step_add_column, 3},
    {"drop column", step_drop_column, 2},
    {"create index", step_create_index, 6},
    {"drop index", step_drop_index, 3},
    {"reindex", step_reindex, 2},
    {"flush", step_flush, 2},
};

void world_step(table_world *w)
{
    size_t i = 0, total = 0;
    for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
        total += steps[j].weight;
    size_t at = below(w, total);
    while (at >= steps[i].weight)
        at -= steps[i++].weight;
    snprintf(w->last, sizeof w->last, "step %zu, %s", w->floor, steps[i].name);
    w->next = w->now;
    steps[i].run(w);
}

holt_options world_options(const table_world *w)
{
    return (holt_options){.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .durability = w->durability};
}

static void open_database(table_world *w)
{
    holt_options o = world_options(w);
    expect_ok(holt_open_on(w->machine, WORLD_PATH, &o, &w->db));
}

void world_create(table_world *w, os *machine, uint64_t seed, uint32_t durability)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->machine = machine;
    w->durability = durability;
    rng_seed(&w->random, seed);
    w->states[0] = text_of_model(&w->now);
    open_database(w);
}

void world_reopen(table_world *w)
{
    close_handles(w);
    holt_status rc = holt_close(w->db);
    if (!w->faults) expect_ok(rc);
    open_database(w);
}

void world_destroy(table_world *w)
{
    close_handles(w);
    expect_ok(holt_close(w->db));
    for (size_t i = 0; i < WORLD_STATES_MAX; i++)
        free(w->states[i]);
}
