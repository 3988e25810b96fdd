/* test_edit_order.c -- tests the invariant of src/db/manifest/db_edit.h: a whole new manifest that is written
 * at any point during a change of the catalog either has the change or comes before it.
 *
 * The linker puts a hook where mutexes are released (tests/meson.build): there the thread that makes the
 * change could lose the processor, and a flush or merge could write a whole manifest. The hook does that at
 * once, on the same thread, at each of these places in turn. Then the power fails, and the change must be
 * there.
 */
#include "db/manifest/db_edit.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"

#include <stdio.h>

static struct {
    holt *db;       /* NULL: off */
    uint64_t place; /* the release at which the manifest is written */
    uint64_t releases;
    bool written;
} hook;

void __real_os_mutex_unlock(os_mutex *m);
uint64_t __real_manifest_size(const manifest *m);
void __wrap_os_mutex_unlock(os_mutex *m);
uint64_t __wrap_manifest_size(const manifest *m);

static bool holds_a_mutex(void)
{
    uint64_t ranks = os_lock_ranks_take();
    os_lock_ranks_give(ranks);
    return ranks != 0;
}

/* An edit that changes nothing, as of another thread. The manifest seems to have grown long, so a new one is
 * written. */
static void write_whole_manifest(holt *db)
{
    db_edit e;
    uint64_t before = manifest_last(db->manifest.file).number;
    hook.written = true;
    expect_ok(edit_begin(&e, db));
    expect_ok(edit_commit(&e));
    assert_int_equal(manifest_last(db->manifest.file).number, before + 1);
}

void __wrap_os_mutex_unlock(os_mutex *m)
{
    __real_os_mutex_unlock(m);
    if (!hook.db || hook.written || holds_a_mutex() || ++hook.releases != hook.place) return;
    write_whole_manifest(hook.db);
}

/* As if it had doubled with each record. */
uint64_t __wrap_manifest_size(const manifest *m)
{
    uint64_t size = __real_manifest_size(m);
    return hook.written ? size << (20 + manifest_last(m).record) : size;
}

/* ---------------------------------------------------------------- the changes */

typedef struct rig {
    os *machine;
    holt *db;
    holt_collection *c; /* "c", with the key "k" */
} rig;

static const holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10};

static void create(rig *r, holt_kind kind)
{
    holt_collection_options o = {.kind = kind};
    holt_collection *c;
    expect_ok(holt_collection_create(r->db, "new", &o, &c));
    expect_ok(holt_put(c, NULL, holt_str("k"), holt_str("v")));
}

static void expect_created(holt *db)
{
    holt_collection *c;
    expect_ok(holt_collection_open(db, "new", &c));
    expect_ok(holt_exists(c, NULL, holt_str("k")));
}

static void drop(rig *r, holt_kind kind)
{
    (void)kind;
    expect_ok(holt_collection_drop(r->db, "c"));
}

static void expect_dropped(holt *db)
{
    holt_collection *c;
    expect_status(HOLT_NOT_FOUND, holt_collection_open(db, "c", &c));
}

static void drop_and_create(rig *r, holt_kind kind)
{
    holt_collection_options o = {.kind = kind};
    holt_collection *c;
    drop(r, kind);
    expect_ok(holt_collection_create(r->db, "c", &o, &c));
}

static void expect_empty(holt *db)
{
    holt_collection *c;
    expect_ok(holt_collection_open(db, "c", &c));
    expect_status(HOLT_NOT_FOUND, holt_exists(c, NULL, holt_str("k")));
}

static void rename_it(rig *r, holt_kind kind)
{
    (void)kind;
    expect_ok(holt_collection_rename(r->db, "c", "other"));
}

static void expect_renamed(holt *db)
{
    holt_collection *c;
    expect_ok(holt_collection_open(db, "other", &c));
    expect_ok(holt_exists(c, NULL, holt_str("k")));
}

static void clear(rig *r, holt_kind kind)
{
    (void)kind;
    expect_ok(holt_collection_clear(r->c));
}

static void load(rig *r, holt_kind kind)
{
    (void)kind;
    holt_load *l;
    expect_ok(holt_collection_clear(r->c));
    expect_ok(holt_load_begin(r->c, NULL, &l));
    expect_ok(holt_load_put(l, holt_str("loaded"), holt_str("v")));
    expect_ok(holt_load_commit(l));
    holt_load_abort(l);
}

static void expect_loaded(holt *db)
{
    holt_collection *c;
    expect_empty(db);
    expect_ok(holt_collection_open(db, "c", &c));
    expect_ok(holt_exists(c, NULL, holt_str("loaded")));
}

static void flush_it(rig *r, holt_kind kind)
{
    (void)kind;
    expect_ok(holt_put(r->c, NULL, holt_str("flushed"), holt_str("v")));
    expect_ok(holt_flush(r->db));
}

static void expect_flushed(holt *db)
{
    holt_collection *c;
    expect_ok(holt_collection_open(db, "c", &c));
    expect_ok(holt_exists(c, NULL, holt_str("k")));
    expect_ok(holt_exists(c, NULL, holt_str("flushed")));
}

/* ---------------------------------------------------------------- the places */

static void rig_open(rig *r, holt_kind kind)
{
    sim_options sim = {.seed = 7};
    holt_collection_options o = {.kind = kind};
    r->machine = sim_create(&sim);
    assert_non_null(r->machine);
    expect_ok(holt_open_on(r->machine, "/db", &options, &r->db));
    expect_ok(holt_collection_create(r->db, "c", &o, &r->c));
    expect_ok(holt_put(r->c, NULL, holt_str("k"), holt_str("v")));
    expect_ok(holt_flush(r->db));
    sim_run_until_idle(r->machine);
}

static void expect_after_crash(const rig *r, void (*expect)(holt *db))
{
    static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE};
    for (int i = 0; i < 2; i++) {
        os *after = sim_clone(r->machine, 9);
        sim_cut cut = {.files = keeps[i], .entries = keeps[i], .tear_bytes = 512};
        holt *db;
        assert_non_null(after);
        sim_power_cut(after, &cut, 9);
        expect_ok(holt_open_on(after, "/db", &options, &db));
        expect(db);
        expect_ok(holt_close(db));
        sim_destroy(after);
    }
}

/* Whether there is such a place. */
static bool try_place(uint64_t place, holt_kind kind, void (*change)(rig *, holt_kind),
                      void (*expect)(holt *))
{
    rig r;
    memset(&hook, 0, sizeof hook);
    rig_open(&r, kind);
    hook.place = place;
    hook.db = r.db;
    change(&r, kind);
    hook.db = NULL;
    expect(r.db);
    expect_after_crash(&r, expect);
    expect_ok(holt_close(r.db));
    sim_destroy(r.machine);
    return hook.written;
}

static void try_all_places(void (*change)(rig *, holt_kind), void (*expect)(holt *))
{
    for (int kind = HOLT_LSM; kind <= HOLT_BTREE; kind++) {
        uint64_t place = 1;
        while (try_place(place, (holt_kind)kind, change, expect))
            place++;
        assert_true(place > 5);
    }
}

static void manifest_written_during_a_creation_has_the_collection(void **state)
{
    try_all_places(create, expect_created);
}

static void manifest_written_during_a_drop_does_not_restore_the_collection(void **state)
{
    try_all_places(drop, expect_dropped);
    try_all_places(drop_and_create, expect_empty);
}

static void manifest_written_during_a_rename_has_the_new_name(void **state)
{
    try_all_places(rename_it, expect_renamed);
}

static void manifest_written_during_a_clear_has_an_empty_collection(void **state)
{
    try_all_places(clear, expect_empty);
}

static void manifest_written_during_a_load_has_what_was_loaded(void **state)
{
    try_all_places(load, expect_loaded);
}

static void manifest_written_during_a_flush_has_its_trees(void **state)
{
    try_all_places(flush_it, expect_flushed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_written_during_a_creation_has_the_collection),
        cmocka_unit_test(manifest_written_during_a_drop_does_not_restore_the_collection),
        cmocka_unit_test(manifest_written_during_a_rename_has_the_new_name),
        cmocka_unit_test(manifest_written_during_a_clear_has_an_empty_collection),
        cmocka_unit_test(manifest_written_during_a_load_has_what_was_loaded),
        cmocka_unit_test(manifest_written_during_a_flush_has_its_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
