/* db_fixture.c -- a small database for one test. */
#include "support/db_fixture.h"

#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/must.h"

#include <stdio.h>

int db_fixture_sim(void **state)
{
    sim_options machine = {.seed = 1};
    db_fixture *f = (db_fixture *)must_alloc(sizeof *f);
    f->simulated = true;
    f->os = sim_create(&machine);
    assert_non_null(f->os);
    strcpy(f->path, "/db");
    *state = f;
    db_fixture_open(f, 0);
    return 0;
}

int db_fixture_posix(void **state)
{
    db_fixture *f = (db_fixture *)must_alloc(sizeof *f);
    f->os = os_posix();
    temp_dir_create(&f->dir);
    temp_dir_join(f->dir.path, "db", f->path);
    *state = f;
    db_fixture_open(f, 0);
    return 0;
}

int db_fixture_teardown(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    /* After a failed test handles may still be open: then the database and its machine are leaked. */
    holt_status rc = holt_close(f->db);
    if (f->simulated && rc == HOLT_OK) sim_destroy(f->os);
    if (!f->simulated) temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

holt_options db_fixture_options(uint32_t flags)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .flags = flags};
    return o;
}

holt_status db_fixture_try_open(db_fixture *f, uint32_t flags, holt **db)
{
    holt_options o = db_fixture_options(flags);
    return holt_open_on(f->os, f->path, &o, db);
}

void db_fixture_open(db_fixture *f, uint32_t flags)
{
    expect_ok(db_fixture_try_open(f, flags, &f->db));
    expect_ok(holt_collection_open(f->db, "default", &f->c));
}

void db_fixture_forget(db_fixture *f)
{
    f->db = NULL;
    f->c = NULL;
}

void db_fixture_close(db_fixture *f)
{
    holt_status rc = holt_close(f->db);
    if (rc != HOLT_BUSY) db_fixture_forget(f);
    expect_ok(rc);
}

void db_fixture_reopen(db_fixture *f)
{
    db_fixture_close(f);
    db_fixture_open(f, 0);
}

void put_in(holt_collection *c, holt_txn *t, const char *key, const char *value)
{
    expect_ok(holt_put(c, t, holt_str(key), holt_str(value)));
}

void put(holt_collection *c, const char *key, const char *value)
{
    put_in(c, NULL, key, value);
}

holt_txn *begin(holt *db, uint32_t flags)
{
    holt_txn_options o = {.flags = flags};
    holt_txn *t = NULL;
    expect_ok(holt_begin(db, &o, &t));
    return t;
}

holt_cursor *open_cursor(holt_collection *c, holt_txn *t)
{
    holt_cursor *cursor = NULL;
    expect_ok(holt_cursor_open(c, t, NULL, &cursor));
    return cursor;
}

holt_collection *create(holt *db, const char *name)
{
    holt_collection *c = NULL;
    expect_ok(holt_collection_create(db, name, NULL, &c));
    return c;
}

static bool is(holt_slice bytes, const char *text)
{
    return bytes.data && bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

void expect_get_at(holt_collection *c, holt_txn *t, const char *key, const char *value, const char *file,
                   int line)
{
    holt_value v = HOLT_VALUE_INIT;
    holt_status rc = holt_get(c, t, holt_str(key), &v);
    bool good = value ? rc == HOLT_OK && is(holt_bytes(v.data, v.size), value) : rc == HOLT_NOT_FOUND;
    if (!good)
        print_error("get of \"%s\": %s, \"%.*s\"; expected \"%s\"\n", key, holt_status_name(rc), (int)v.size,
                    v.data ? (char *)v.data : "", value ? value : "(HOLT_NOT_FOUND)");
    holt_value_free(&v);
    if (!good) _fail(file, line);
}

void expect_entry_at(holt_cursor *cursor, const char *key, const char *value, const char *file, int line)
{
    holt_slice k = holt_cursor_key(cursor), v = holt_cursor_value(cursor);
    holt_status rc = holt_cursor_status(cursor);
    bool good = rc == HOLT_OK && holt_cursor_valid(cursor) == (key != NULL);
    if (key)
        good = good && is(k, key) && is(v, value);
    else
        good = good && !k.data && !k.size && !v.data && !v.size;
    if (good) return;
    print_error("the cursor (%s) is on \"%.*s\" = \"%.*s\"; expected \"%s\"\n", holt_status_name(rc),
                (int)k.size, k.data ? (const char *)k.data : "(nothing)", (int)v.size,
                v.data ? (const char *)v.data : "", key ? key : "(nothing)");
    _fail(file, line);
}
