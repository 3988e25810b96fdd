/* test_verify.c -- holt_verify and holt_verify_live on sim: no false alarm, and no damage goes unseen.
 *
 * The damage tests take one closed database and spoil copies of it in every way a file can be spoiled.
 * holt_verify must find the damage in each copy and name the file; opening and reading the copy must return
 * HOLT_CORRUPT or right results, never an entry too few.
 *
 * Bytes that no checksum covers and that mean nothing, so that a change of them is no damage (vouched()):
 *   LOG, LOCK       all; they say nothing about the data
 *   run-n.sst       zeros that fill a piece up to a multiple of 8; trees that have been merged away, in a
 *                   file that is kept for the others in it
 *   tree-n.bt       zeros that fill a piece up to whole pages; pages and maps that are not the manifest's
 *   wal-n.log       zeros between the header and the first frame; what follows the last frame
 *   MANIFEST-n      zeros between the header and the first record; what follows the last record; and the last
 *                   record itself, the closing one: without it the database is as after a kill at that moment
 */
#include "base/coding.h"
#include "base/random.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "db/verify/verify_manifest.h"
#include "db/verify/verify_trees.h"
#include "log/manifest.h"
#include "support/machine.h"

#include <errno.h>
#include <stdatomic.h>

/* ---------------------------------------------------------------- a database whose contents are known */

enum { COLLECTIONS = 5, KEYS = 120, ROUNDS = 6 };

/* Of both kinds; values of those called large do not fit into blocks. */
static const char *const names[COLLECTIONS] = {"default", "large", "seldom", "pages", "large pages"};

static bool is_large(int collection)
{
    return collection == 1 || collection == 4;
}

/* version[c][k]: the round that wrote the key last; 0: it is absent. */
typedef struct contents {
    uint8_t version[COLLECTIONS][KEYS];
} contents;

typedef struct database {
    os *os;
    holt *db;
    holt_collection *c[COLLECTIONS];
    contents contents;
} database;

static holt_slice key_of(int k, char text[32])
{
    snprintf(text, 32, "key%05d/%d", k * 7, k % 3);
    return holt_str(text);
}

static holt_slice value_of(int collection, int k, int version, uint8_t bytes[16 << 10])
{
    rng r;
    rng_seed(&r, (uint64_t)(collection * 1000000 + k * 1000 + version));
    size_t size = is_large(collection) ? 3000 + rng_below(&r, 9000) : rng_below(&r, 200);
    rng_fill(&r, bytes, size);
    return holt_bytes(bytes, size);
}

static void open_database(database *d, os *o)
{
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 256 << 10};
    d->os = o;
    ok(holt_open_on(o, "/db", &options, &d->db));
    for (int i = 0; i < COLLECTIONS; i++) {
        holt_collection_options create = {
            .kind = i < 3 ? HOLT_LSM : HOLT_BTREE, .block_bytes = 4096, .flags = HOLT_CREATE_OR_OPEN};
        ok(holt_collection_create(d->db, names[i], &create, &d->c[i]));
    }
}

static void write_round(database *d, int round, rng *r)
{
    static uint8_t bytes[16 << 10];
    char text[32];
    for (int i = 0; i < COLLECTIONS; i++) {
        uint32_t one_in = is_large(i) ? 12 : i == 2 ? 5 : 2;
        for (int k = 0; k < KEYS; k++) {
            if (!rng_chance(r, one_in)) continue;
            bool delete = rng_chance(r, 5);
            if (delete)
                ok(holt_delete(d->c[i], NULL, key_of(k, text)));
            else
                ok(holt_put(d->c[i], NULL, key_of(k, text), value_of(i, k, round, bytes)));
            d->contents.version[i][k] = delete ? 0 : (uint8_t)round;
        }
    }
}

/* Flushed in several rounds; the last one stays in the log. `before_last` is called when half of the last
 * round is done; it may be NULL. */
static void fill(database *d, uint64_t seed, void (*before_last)(database *d))
{
    rng r;
    rng_seed(&r, seed);
    for (int round = 1; round <= ROUNDS; round++) {
        if (round == ROUNDS && before_last) before_last(d);
        write_round(d, round, &r);
        if (round < ROUNDS) ok(holt_flush(d->db));
    }
}

static void close_database(database *d)
{
    ok(holt_close(d->db));
    d->db = NULL;
}

/* ---------------------------------------------------------------- what is read back */

static bool is_right(holt_status rc, const holt_value *v, int collection, int k, int version)
{
    static uint8_t bytes[16 << 10];
    if (rc == HOLT_CORRUPT) return true;
    if (version == 0) return rc == HOLT_NOT_FOUND;
    holt_slice want = value_of(collection, k, version, bytes);
    return rc == HOLT_OK && v->size == want.size && memcmp(v->data, want.data, want.size) == 0;
}

static bool gets_are_right(holt_collection *c, int collection, const contents *want)
{
    char text[32];
    holt_value v = HOLT_VALUE_INIT;
    bool right = true;
    for (int k = 0; k < KEYS && right; k++)
        right =
            is_right(holt_get(c, NULL, key_of(k, text), &v), &v, collection, k, want->version[collection][k]);
    holt_value_free(&v);
    return right;
}

static int present(const contents *want, int collection)
{
    int count = 0;
    for (int k = 0; k < KEYS; k++)
        count += want->version[collection][k] != 0;
    return count;
}

/* The scan shows every existing key, in order, or ends with HOLT_CORRUPT. */
static bool scan_is_right(holt_collection *c, int collection, const contents *want, bool forward)
{
    static uint8_t bytes[16 << 10];
    char text[32];
    holt_cursor *cursor;
    holt_status rc = holt_cursor_open(c, NULL, NULL, &cursor);
    if (rc != HOLT_OK) return rc == HOLT_CORRUPT;
    int shown = 0;
    bool right = true, valid = forward ? holt_cursor_first(cursor) : holt_cursor_last(cursor);
    for (int i = 0; i < KEYS && right; i++) {
        int k = forward ? i : KEYS - 1 - i, version = want->version[collection][k];
        if (version == 0) continue;
        if (!valid) break;
        holt_slice key = key_of(k, text), value = value_of(collection, k, version, bytes);
        right = slice_equal(holt_cursor_key(cursor), key) && slice_equal(holt_cursor_value(cursor), value);
        valid = forward ? holt_cursor_next(cursor) : holt_cursor_prev(cursor);
        shown++;
    }
    rc = holt_cursor_status(cursor);
    if (valid || (rc == HOLT_OK && shown < present(want, collection))) right = false;
    if (rc != HOLT_OK && rc != HOLT_CORRUPT) right = false;
    (void)holt_cursor_close(cursor); /* its status was checked */
    return right;
}

static bool contents_are_right(database *d, const contents *want)
{
    for (int i = 0; i < COLLECTIONS; i++) {
        holt_status rc = holt_collection_open(d->db, names[i], &d->c[i]);
        if (rc != HOLT_OK) return rc == HOLT_CORRUPT;
        if (!scan_is_right(d->c[i], i, want, true) || !scan_is_right(d->c[i], i, want, false) ||
            !gets_are_right(d->c[i], i, want))
            return false;
    }
    return true;
}

/* Whether opening and reading the database on this machine return HOLT_CORRUPT or right results. */
static bool opens_to_truth(os *o, const contents *want)
{
    database d = {.os = o};
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 256 << 10};
    holt_status rc = holt_open_on(o, "/db", &options, &d.db);
    if (rc != HOLT_OK) return rc == HOLT_CORRUPT;
    bool right = contents_are_right(&d, want);
    ok(holt_close(d.db));
    return right;
}

/* ---------------------------------------------------------------- verifying, and what it reports */

typedef struct reported_problems {
    uint64_t problems;
    const char *file; /* looked for; named: a problem names it */
    bool named;
    uint64_t done, total;
    bool back; /* progress went back, or past its end */
    char last[256];
} reported_problems;

static void on_problem(void *ctx, const holt_error *problem)
{
    reported_problems *t = ctx;
    t->problems++;
    assert_int_equal(problem->status, HOLT_CORRUPT);
    assert_true(problem->message[0]);
    if (t->file && (strcmp(problem->file, t->file) == 0 || strstr(problem->message, t->file)))
        t->named = true;
    snprintf(t->last, sizeof t->last, "%s", problem->message);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    reported_problems *t = ctx;
    if (done < t->done || done > total) t->back = true;
    t->done = done;
    t->total = total;
}

static holt_verify_options reporting(reported_problems *t)
{
    holt_verify_options o = {.problem = on_problem, .progress = on_progress, .ctx = t};
    return o;
}

static holt_status verify(os *o, reported_problems *t, holt_verify_report *report)
{
    holt_verify_options options = reporting(t);
    holt_status rc = holt_verify_on(o, "/db", &options, report, sizeof *report);
    assert_int_equal(report->problems, t->problems);
    assert_false(t->back);
    return rc;
}

static void expect_healthy(os *o)
{
    reported_problems t = {0};
    holt_verify_report report;
    ok(verify(o, &t, &report));
    assert_int_equal(report.problems, 0);
    assert_int_equal(t.done, t.total);
}

/* ---------------------------------------------------------------- healthy databases */

/* A directory as it was, file by file. */
typedef struct file_copy {
    char name[OS_NAME_MAX];
    uint8_t *bytes;
    size_t size;
} file_copy;

typedef struct files {
    os *os;
    file_copy file[64];
    size_t count;
} files;

static const char *path_of(const char *name)
{
    static char path[OS_NAME_MAX + 8];
    snprintf(path, sizeof path, "/db/%s", name);
    return path;
}

static holt_status copy_one(void *ctx, const char *name)
{
    files *all = ctx;
    void *bytes;
    assert_true(all->count < 64);
    file_copy *f = &all->file[all->count++];
    snprintf(f->name, sizeof f->name, "%s", name);
    ok(sim_peek(all->os, path_of(name), &bytes, &f->size));
    f->bytes = bytes;
    return HOLT_OK;
}

static void files_copy(files *all, os *o)
{
    os_dir *dir = db_of(o);
    memset(all, 0, sizeof *all);
    all->os = o;
    ok(os_dir_list(dir, copy_one, all));
    os_dir_close(dir);
}

static void files_free(files *all)
{
    for (size_t i = 0; i < all->count; i++)
        mem_free(all->file[i].bytes);
    all->count = 0;
}

static const file_copy *files_find(const files *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->file[i].name, name) == 0) return &all->file[i];
    return NULL;
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static size_t files_named(const files *all, const char *with)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += begins(all->file[i].name, with);
    return count;
}

/* Runs, large values, tombstones, a log: a check that misunderstands any of them would report a problem
 * here. */
static void a_healthy_database_has_no_problem_and_is_counted(void **state)
{
    (void)state;
    database d = {0};
    files all;
    holt_verify_report report;
    holt_collection_info info;
    uint64_t entries = 0;
    os *o = machine(test_seed());
    open_database(&d, o);
    fill(&d, 1, NULL);
    for (int i = 0; i < COLLECTIONS; i++) {
        ok(holt_collection_stats(d.c[i], &info, sizeof info));
        entries += info.entries;
        assert_true(info.runs > 0);
        entries += info.memtable_entries; /* which are what the log holds */
    }
    close_database(&d);
    files_copy(&all, o);
    reported_problems t = {0};
    ok(verify(o, &t, &report));
    assert_int_equal(report.entries, entries);
    assert_int_equal(report.files, 3 + files_named(&all, "run-") +
                                       files_named(&all, "wal-")); /* CURRENT, the manifest, the pages */
    assert_true(report.blocks >= files_named(&all, "run-"));
    assert_true(report.bytes > 100000);
    assert_int_equal(report.orphans, 0);
    assert_true(t.total > 0 && t.done == t.total);
    files_free(&all);
    sim_destroy(o);
}

/* Nothing is written, not even where a recovery would have something to do. */
static void verifying_changes_no_file(void **state)
{
    (void)state;
    database d = {0};
    files before, after;
    os *o = machine(2);
    open_database(&d, o);
    fill(&d, 2, NULL);
    os *killed = sim_clone(o, 3);
    files_copy(&before, killed);
    expect_healthy(killed);
    files_copy(&after, killed);
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < before.count; i++) {
        assert_string_equal(before.file[i].name, after.file[i].name);
        assert_int_equal(before.file[i].size, after.file[i].size);
        assert_memory_equal(before.file[i].bytes, after.file[i].bytes, before.file[i].size);
    }
    files_free(&before);
    files_free(&after);
    sim_destroy(killed);
    close_database(&d);
    sim_destroy(o);
}

typedef struct crashes {
    os *os;
    rng r;
    uint64_t states;
} crashes;

/* What recovery accepts is no problem, and what it refuses is one. */
static void strike(void *ctx, uint64_t call)
{
    static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME, SIM_KEEP_SIZES,
                                     SIM_KEEP_GARBAGE};
    crashes *c = ctx;
    if (!rng_chance(&c->r, 40)) return;
    os *clone = sim_clone(c->os, call);
    sim_cut cut = {
        .files = keeps[rng_below(&c->r, 5)], .entries = keeps[rng_below(&c->r, 3)], .tear_bytes = 512};
    if (rng_chance(&c->r, 2)) sim_power_cut(clone, &cut, call);
    reported_problems t = {0};
    holt_verify_report report;
    holt_status rc = verify(clone, &t, &report);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) fail_msg("call %llu: %s", (unsigned long long)call, t.last);
    c->states++;
    sim_destroy(clone);
}

/* Torn tails, half-made files, segments without a header: a crash leaves things that look like damage. */
static void a_crash_at_any_moment_leaves_no_problem(void **state)
{
    (void)state;
    database d = {0};
    os *o = machine(test_seed());
    crashes c = {.os = o};
    rng_seed(&c.r, 7);
    sim_on_io(o, strike, &c);
    open_database(&d, o);
    fill(&d, 4, NULL);
    close_database(&d);
    open_database(&d, o);
    close_database(&d);
    sim_on_io(o, NULL, NULL);
    assert_true(c.states > 10);
    sim_destroy(o);
}

/* Orphans are reported_problems apart from files that are needed, and do no harm. */
static void orphans_are_counted_and_no_problem(void **state)
{
    (void)state;
    database d = {0};
    holt_verify_report report;
    reported_problems t = {0};
    os *o = machine(5);
    open_database(&d, o);
    fill(&d, 5, NULL);
    close_database(&d);
    ok(sim_poke(o, "/db/run-999999.sst", "half", 4));
    ok(sim_poke(o, "/db/MANIFEST-999999", "half", 4));
    ok(sim_poke(o, "/db/spare-000007.log", "", 0));
    ok(sim_poke(o, "/db/notes.txt", "not ours", 8));
    ok(verify(o, &t, &report));
    assert_int_equal(report.orphans, 3);
    sim_destroy(o);
}

/* ---------------------------------------------------------------- what cannot be verified */

static void a_missing_database_is_not_a_damaged_one(void **state)
{
    (void)state;
    holt_verify_report report;
    holt_verify_options reserved = {.reserved = {0, 1}};
    os *o = machine(6);
    assert_int_equal(holt_verify_on(o, "/nowhere", NULL, NULL, 0), HOLT_NOT_FOUND);
    assert_int_equal(holt_verify_on(o, "/db", NULL, NULL, 0), HOLT_NOT_FOUND);
    assert_int_equal(holt_verify_on(o, NULL, NULL, NULL, 0), HOLT_INVALID);
    assert_int_equal(holt_verify_on(o, "", NULL, NULL, 0), HOLT_INVALID);
    assert_int_equal(holt_verify_on(o, "/db", &reserved, &report, sizeof report), HOLT_INVALID);
    ok(sim_poke(o, "/db/letter.txt", "hello", 5));
    assert_int_equal(holt_verify_on(o, "/db", NULL, NULL, 0), HOLT_INVALID);
    assert_int_equal(holt_verify_live(NULL, NULL, NULL, 0), HOLT_INVALID);
    sim_destroy(o);
}

/* A writer would change the files during the verification; readers do not. */
static void a_database_open_for_writing_is_busy(void **state)
{
    (void)state;
    database d = {0};
    holt *reader;
    holt_options read_only = {.memory_bytes = 8 << 20, .flags = HOLT_OPEN_READ_ONLY};
    os *o = machine(7);
    open_database(&d, o);
    assert_int_equal(holt_verify_on(o, "/db", NULL, NULL, 0), HOLT_BUSY);
    close_database(&d);
    ok(holt_open_on(o, "/db", &read_only, &reader));
    expect_healthy(o);
    ok(holt_verify_live(reader, NULL, NULL, 0));
    ok(holt_close(reader));
    sim_destroy(o);
}

/* An older program knows a smaller report, a newer one a larger one. */
static void the_report_is_filled_up_to_the_programs_size(void **state)
{
    (void)state;
    database d = {0};
    struct {
        holt_verify_report known;
        uint64_t beyond;
    } large;
    uint64_t small[2] = {9, 9};
    os *o = machine(8);
    open_database(&d, o);
    close_database(&d);
    memset(&large, 0xff, sizeof large);
    ok(holt_verify_on(o, "/db", NULL, &large.known, sizeof large));
    assert_true(large.known.files > 0);
    assert_int_equal(large.beyond, 0);
    ok(holt_verify_on(o, "/db", NULL, (holt_verify_report *)small, sizeof small[0]));
    assert_int_equal(small[0], large.known.files);
    assert_int_equal(small[1], 9);
    sim_destroy(o);
}

static void fail_each(os *o, sim_call kind)
{
    for (uint64_t n = 1;; n++) {
        reported_problems t = {0};
        holt_verify_report report;
        sim_fail(o, kind, n, EIO, false);
        holt_status rc = verify(o, &t, &report);
        bool hit = sim_fault_hit(o);
        sim_fail(o, kind, 0, 0, false);
        if (!hit) {
            ok(rc);
            assert_true(n > 1);
            return;
        }
        assert_int_equal(rc, HOLT_IO);
        assert_int_equal(t.problems, 0);
    }
}

/* What could not be read is neither damaged nor healthy. */
static void a_read_error_is_not_reported_as_damage(void **state)
{
    (void)state;
    database d = {0};
    os *o = machine(9);
    open_database(&d, o);
    fill(&d, 9, NULL);
    close_database(&d);
    fail_each(o, SIM_READ);
    fail_each(o, SIM_OPEN);
    fail_each(o, SIM_LIST);
    expect_healthy(o);
    sim_destroy(o);
}

static void a_failed_allocation_ends_a_verification_and_leaks_nothing(void **state)
{
    (void)state;
    database d = {0};
    os *o = machine(10);
    open_database(&d, o);
    fill(&d, 10, NULL);
    for (int live = 1; live >= 0; live--) {
        uint64_t n = 0;
        holt_status rc = HOLT_NO_MEMORY;
        for (; rc != HOLT_OK; n++) {
            assert_int_equal(rc, HOLT_NO_MEMORY);
            mem_fail_at(n + 1, true);
            rc = live ? holt_verify_live(d.db, NULL, NULL, 0) : holt_verify_on(o, "/db", NULL, NULL, 0);
            mem_fail_at(0, false);
        }
        assert_true(n > 10);
        if (live) close_database(&d);
    }
    sim_destroy(o);
}

/* ---------------------------------------------------------------- damage */

static size_t manifest_last_record(const file_copy *f)
{
    size_t last = 512;
    for (size_t at = 512; at + 80 <= f->size;) {
        uint32_t length = get_u32le(f->bytes + at);
        if (length < 80) break;
        last = at;
        at += length;
    }
    return last;
}

static size_t without_zeros(const file_copy *f)
{
    size_t size = f->size;
    while (size > 0 && f->bytes[size - 1] == 0)
        size--;
    return size;
}

/* Where the trees that the manifest names are: their pieces follow each other. */
typedef struct live_tree {
    uint64_t file, from, to;
} live_tree;

static live_tree live[64];
static size_t live_count;

/* Where bytes of B+trees are: by page. */
typedef struct live_pages {
    uint64_t file, count;
    uint64_t *ends; /* by page, the end of the piece in it; 0: none */
} live_pages;

static live_pages pages;

static holt_status see_piece(void *ctx, block_ptr p)
{
    (void)ctx;
    uint64_t end = p.offset + p.length;
    for (uint64_t page = p.offset / 4096; page * 4096 < end; page++)
        pages.ends[page] = end;
    return HOLT_OK;
}

static void find_live_pages(os_dir *dir, const manifest_state *s, const uint64_t id[2])
{
    tree_files *all;
    tree_file *file;
    cache *c;
    ok(cache_create(&c, 1 << 20));
    ok(tree_files_create(&all, dir, c, id, 4));
    pages = (live_pages){.file = s->page_store.file, .count = s->page_store.pages};
    pages.ends = mem_alloc_zero(s->page_store.pages, sizeof *pages.ends);
    assert_non_null(pages.ends);
    ok(tree_page_file_open(all, s->page_store.file, s->page_store.pages * 4096, false, &file));
    for (size_t i = 0; i < s->collection_count; i++) {
        tree_report report = {0};
        if (s->collections[i].btree.root.length)
            ok(tree_verify_pieces(file, &s->collections[i].btree, see_piece, NULL, &report));
    }
    pages.ends[0] = 4096;
    pages.ends[1 + s->page_store.map_groups[0].copy] =
        (2 + (uint64_t)s->page_store.map_groups[0].copy) * 4096;
    tree_file_unref(file);
    tree_files_destroy(all);
    cache_destroy(c);
}

static bool page_is_vouched(size_t at)
{
    return at / 4096 < pages.count && at < pages.ends[at / 4096];
}

static uint64_t end_of(block_ptr p)
{
    return (p.offset + p.length + 7) / 8 * 8;
}

static void find_live_trees(os *o)
{
    uint64_t number, id[2];
    manifest_state s = {0};
    manifest_mark mark;
    os_dir *dir = db_of(o);
    ok(current_read(dir, &number, id));
    ok(verify_manifest(dir, number, id, &s, &mark));
    live_count = 0;
    for (size_t i = 0; i < s.collection_count; i++) {
        for (size_t j = 0; j < s.collections[i].run_count; j++) {
            assert_int_equal(s.collections[i].runs[j].count, 1);
            const lsm_file_range *p = &s.collections[i].runs[j].file_ranges[0];
            uint64_t end = end_of(p->root.root), filter_end = end_of(p->root.filter);
            if (filter_end > end) end = filter_end;
            live_tree t = {.file = p->file, .from = end - p->root.bytes, .to = end};
            assert_true(live_count < 64);
            live[live_count++] = t;
        }
    }
    find_live_pages(dir, &s, id);
    manifest_state_deinit(&s);
    os_dir_close(dir);
}

static bool is_live(const char *name, size_t at)
{
    uint64_t number = strtoull(name + strlen("run-"), NULL, 10);
    for (size_t i = 0; i < live_count; i++)
        if (live[i].file == number && at >= live[i].from && at < live[i].to) return true;
    return at < 4096;
}

static bool fills_up(const file_copy *f, size_t at)
{
    for (; at < f->size; at++) {
        if (f->bytes[at]) return false;
        if (at % 8 == 7) return true;
    }
    return true;
}

static bool has_trees(const file_copy *f)
{
    return begins(f->name, "run-") || begins(f->name, "tree-");
}

/* Whether a change of this byte must be found. */
static bool vouched(const file_copy *f, size_t at)
{
    if (begins(f->name, "LOG") || begins(f->name, "LOCK")) return false;
    if (begins(f->name, "run-")) return is_live(f->name, at) && (at < 4096 || !fills_up(f, at));
    if (begins(f->name, "tree-")) return page_is_vouched(at);
    if (begins(f->name, "wal-")) return at < 128 || (at >= 512 && at < without_zeros(f));
    if (begins(f->name, "MANIFEST-")) return at < 64 || (at >= 512 && at < manifest_last_record(f));
    return true;
}

/* The closed database that is spoiled, and copies of its files from earlier. */
typedef struct patient {
    os *os;
    contents contents;
    files now, earlier, long_ago;
    uint64_t spoiled, harmless;
} patient;

static patient *patient_in_making;

static void copy_earlier(database *d)
{
    files_copy(&patient_in_making->earlier, d->os);
}

static int set_up_patient(void **state)
{
    static patient p;
    database d = {0};
    patient_in_making = &p;
    os *o = machine(test_seed());
    open_database(&d, o);
    close_database(&d);
    files_copy(&p.long_ago, o);
    open_database(&d, o);
    fill(&d, 11, copy_earlier);
    close_database(&d);
    p.os = o;
    p.contents = d.contents;
    files_copy(&p.now, o);
    find_live_trees(o);
    *state = &p;
    return 0;
}

static int tear_down_patient(void **state)
{
    patient *p = *state;
    print_message("%llu spoiled copies found out, %llu harmless\n", (unsigned long long)p->spoiled,
                  (unsigned long long)p->harmless);
    files_free(&p->now);
    files_free(&p->earlier);
    files_free(&p->long_ago);
    mem_free(pages.ends);
    sim_destroy(p->os);
    return 0;
}

/* Judges a spoiled copy and destroys it. `how` and `at` are for the message. */
static void judge(patient *p, os *copy, const char *name, bool must_be_found, const char *how, size_t at)
{
    reported_problems t = {.file = name};
    holt_verify_report report;
    holt_status rc = verify(copy, &t, &report);
    if (rc != HOLT_OK && rc != HOLT_CORRUPT)
        fail_msg("%s, %s at %zu: holt_verify returned %s: %s", name, how, at, holt_status_name(rc),
                 holt_error_message());
    if (must_be_found && rc != HOLT_CORRUPT)
        fail_msg("%s, %s at %zu: holt_verify found nothing", name, how, at);
    if (rc == HOLT_CORRUPT && !t.named)
        fail_msg("%s, %s at %zu: holt_verify blames another file: %s", name, how, at, t.last);
    if (!opens_to_truth(copy, &p->contents))
        fail_msg("%s, %s at %zu: opened, it returns neither HOLT_CORRUPT nor right results: %s", name, how,
                 at, holt_error_message());
    if (must_be_found)
        p->spoiled++;
    else
        p->harmless++;
    sim_destroy(copy);
}

static os *copy_with(const patient *p, const char *name, const void *bytes, size_t size)
{
    os *copy = sim_clone(p->os, 1);
    assert_non_null(copy);
    ok(sim_poke(copy, path_of(name), bytes, size));
    return copy;
}

static void flip(patient *p, const file_copy *f, size_t at, uint8_t bits)
{
    f->bytes[at] ^= bits;
    os *copy = copy_with(p, f->name, f->bytes, f->size);
    f->bytes[at] ^= bits;
    judge(p, copy, f->name, vouched(f, at), "a byte changed", at);
}

enum { FLIPS = 60, ZEROED = 12, CUTS = 12 };

static void a_changed_byte_is_found(void **state)
{
    patient *p = *state;
    rng r;
    rng_seed(&r, test_seed());
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *f = &p->now.file[i];
        size_t end = has_trees(f) ? f->size : without_zeros(f);
        if (end == 0 || begins(f->name, "LO")) continue;
        for (size_t n = 0; n < FLIPS; n++) {
            /* Headers are small and the same in all files: they get a share of the tries. */
            size_t within = n % 4 == 0 && end > 128 ? 128 : end;
            flip(p, f, rng_below(&r, within), (uint8_t)(1u << rng_below(&r, 8)));
        }
    }
}

/* CURRENT is small enough to try all of it. */
static void no_byte_of_current_can_be_changed(void **state)
{
    patient *p = *state;
    const file_copy *f = files_find(&p->now, "CURRENT");
    for (size_t at = 0; at < f->size; at++)
        for (int bit = 0; bit < 8; bit++)
            flip(p, f, at, (uint8_t)(1u << bit));
}

static void zeroed_blocks_are_found(void **state)
{
    patient *p = *state;
    rng r;
    rng_seed(&r, test_seed() + 1);
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *f = &p->now.file[i];
        for (size_t n = 0; n < ZEROED && without_zeros(f); n++) {
            size_t from = rng_below(&r, without_zeros(f)) / 512 * 512;
            size_t size = f->size - from < 512 ? f->size - from : 512;
            bool lost = false;
            for (size_t at = from; at < from + size; at++)
                lost |= f->bytes[at] && vouched(f, at);
            uint8_t *bytes = mem_copy(f->bytes, f->size);
            memset(bytes + from, 0, size);
            judge(p, copy_with(p, f->name, bytes, f->size), f->name, lost, "zeros", from);
            mem_free(bytes);
        }
    }
}

static void cut_files_are_found(void **state)
{
    patient *p = *state;
    rng r;
    rng_seed(&r, test_seed() + 2);
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *f = &p->now.file[i];
        size_t end = has_trees(f) ? f->size : without_zeros(f);
        for (size_t n = 0; n < CUTS && end; n++) {
            size_t size = n == 0 ? 0 : n == 1 ? end - 1 : rng_below(&r, end);
            bool lost = has_trees(f);
            for (size_t at = size; at < end && !lost; at++)
                lost = vouched(f, at);
            judge(p, copy_with(p, f->name, f->bytes, size), f->name, lost, "cut", size);
        }
    }
}

static void deleted_files_are_found(void **state)
{
    patient *p = *state;
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *f = &p->now.file[i];
        os *copy = sim_clone(p->os, 1);
        ok(sim_remove(copy, path_of(f->name)));
        judge(p, copy, f->name, !begins(f->name, "LO"), "deleted", 0);
    }
}

static bool same_kind(const file_copy *a, const file_copy *b)
{
    return strncmp(a->name, b->name, 4) == 0 && !begins(a->name, "LO");
}

/* Each file is whole and sound, but not in its place. */
static void swapped_files_are_found(void **state)
{
    patient *p = *state;
    size_t swaps = 0;
    for (size_t i = 0; i < p->now.count; i++) {
        for (size_t j = 0; j < p->now.count; j++) {
            const file_copy *a = &p->now.file[i], *b = &p->now.file[j];
            if (i == j || !same_kind(a, b)) continue;
            os *copy = copy_with(p, a->name, b->bytes, b->size);
            ok(sim_poke(copy, path_of(b->name), a->bytes, a->size));
            judge(p, copy, a->name, true, "swapped", j);
            swaps++;
        }
    }
    assert_true(swaps > 0);
}

/* Whether only the closing record is missing. */
static bool ends_with_the_closing_record_only(const file_copy *now, const file_copy *then)
{
    return begins(now->name, "MANIFEST-") && without_zeros(then) >= manifest_last_record(now);
}

static void replace_by(patient *p, const files *then, const char *how, size_t *count)
{
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *now = &p->now.file[i], *old = files_find(then, now->name);
        if (!old || begins(now->name, "LO")) continue;
        if (now->size == old->size && memcmp(now->bytes, old->bytes, now->size) == 0) continue;
        size_t common = 0;
        while (common < now->size && common < old->size && now->bytes[common] == old->bytes[common])
            common++;
        bool lost = false;
        for (size_t at = common; at < now->size && !lost; at++)
            lost = vouched(now, at) && (at >= old->size || now->bytes[at] != old->bytes[at]);
        if (ends_with_the_closing_record_only(now, old)) lost = false;
        judge(p, copy_with(p, now->name, old->bytes, old->size), now->name, lost, how, common);
        *count += lost;
    }
}

/* A backup of one file put in its place: all its checksums are right. */
static void older_copies_are_found(void **state)
{
    patient *p = *state;
    size_t count = 0;
    replace_by(p, &p->earlier, "an earlier copy", &count);
    replace_by(p, &p->long_ago, "a copy of long ago", &count);
    assert_true(count >= 2);
}

/* One damaged tree does not hide another's damage. */
static void every_damaged_tree_is_reported(void **state)
{
    patient *p = *state;
    os *copy = sim_clone(p->os, 1);
    uint64_t damaged = 0;
    for (size_t i = 0; i < p->now.count; i++) {
        const file_copy *f = &p->now.file[i];
        if (!has_trees(f)) continue;
        f->bytes[0] ^= 1;
        ok(sim_poke(copy, path_of(f->name), f->bytes, f->size));
        f->bytes[0] ^= 1;
        damaged++;
    }
    assert_true(damaged > 1);
    reported_problems t = {0};
    holt_verify_report report;
    assert_int_equal(verify(copy, &t, &report), HOLT_CORRUPT);
    assert_int_equal(report.problems, damaged);
    assert_non_null(strstr(holt_error_message(), "problems, the first"));
    sim_destroy(copy);
}

/* ---------------------------------------------------------------- sound bytes that say what cannot be */

typedef struct statement {
    const char *names[2]; /* of collections 1 and 2; NULL: there is none */
    uint64_t next_collection;
    const char *blamed; /* beginning of the file's name; NULL: nothing is wrong with it */
} statement;

/* Makes a manifest with these records current, over the log that is there. */
static void state(os *o, const statement *s)
{
    uint64_t number, id[2];
    manifest_state was = {0};
    manifest_mark mark;
    manifest *m;
    buffer b = {0};
    os_dir *dir = db_of(o);
    ok(current_read(dir, &number, id));
    ok(verify_manifest(dir, number, id, &was, &mark));
    encode_counters(&b, 1000, s->next_collection, 0);
    encode_log(&b, &was.log);
    for (uint32_t i = 0; i < 2; i++) {
        collection_spec spec = was.collections[0].spec;
        spec.id = i + 1;
        if (s->names[i]) encode_collection(&b, &spec, s->names[i], 0);
    }
    ok(manifest_create(dir, number + 1, id, buffer_slice(&b), &m));
    ok(current_write(dir, number + 1, id, NULL));
    manifest_close(m);
    buffer_deinit(&b);
    manifest_state_deinit(&was);
    os_dir_close(dir);
}

/* All checksums are right: only the meaning of the records together is wrong. The log writes to collections 1
 * and 2. */
static void contradictions_are_found_in_sound_bytes(void **unused)
{
    static const char too_long[] = "0123456789012345678901234567890123456789012345678901234567890123456789"
                                   "012345678901234567890123456789012345678901234567890123456789";
    static const statement statements[] = {
        {{"default", "large"}, 3, NULL},          {{"default", NULL}, 3, NULL}, /* dropped since */
        {{"default", NULL}, 2, "wal-"},           {{"default", "large"}, 2, "MANIFEST-"},
        {{"default", "default"}, 3, "MANIFEST-"}, {{"other", "large"}, 3, "MANIFEST-"},
        {{"default", too_long}, 3, "MANIFEST-"},  {{"default", "large"}, 0, "MANIFEST-"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        database d = {0};
        char text[32];
        holt_verify_report report;
        reported_problems t = {.file = statements[i].blamed};
        os *o = machine(20);
        open_database(&d, o);
        for (int c = 0; c < 2; c++)
            ok(holt_put(d.c[c], NULL, key_of(c, text), holt_str("value")));
        close_database(&d);
        state(o, &statements[i]);
        holt_status rc = verify(o, &t, &report);
        if (statements[i].blamed && (rc != HOLT_CORRUPT || !t.named))
            fail_msg("statement %zu: %s %s", i, holt_status_name(rc), t.last);
        if (!statements[i].blamed) ok(rc);
        sim_destroy(o);
    }
}

/* ---------------------------------------------------------------- the file ranges of a run */

static holt_status check_parts(const lsm_file_range *file_ranges, size_t count)
{
    verify_trees t = {0};
    for (size_t i = 0; i < count; i++)
        ok(verify_trees_add(&t, "c", &file_ranges[i]));
    holt_status rc = verify_trees_check_run(&t, 0, 5, "MANIFEST-000001");
    verify_trees_deinit(&t);
    return rc;
}

/* Reads find the file range of a key by the bounds alone. */
static void file_ranges_of_a_run_must_be_in_order_and_not_overlap(void **state)
{
    (void)state;
    slice open = {NULL, 0}, b = holt_str("b"), d = holt_str("d");
    lsm_file_range good[] = {
        {.lower = open, .upper = b}, {.lower = b, .upper = d}, {.lower = d, .upper = open}};
    lsm_file_range overlap[] = {{.lower = open, .upper = d}, {.lower = b, .upper = open}};
    lsm_file_range turned[] = {{.lower = d, .upper = open}, {.lower = open, .upper = b}};
    lsm_file_range unbounded[] = {{.lower = open, .upper = open}, {.lower = d, .upper = open}};
    lsm_file_range empty[] = {{.lower = d, .upper = b}};
    ok(check_parts(good, 3));
    ok(check_parts(good, 1));
    assert_int_equal(check_parts(overlap, 2), HOLT_CORRUPT);
    assert_int_equal(check_parts(turned, 2), HOLT_CORRUPT);
    assert_int_equal(check_parts(unbounded, 2), HOLT_CORRUPT);
    assert_int_equal(check_parts(empty, 1), HOLT_CORRUPT);
}

/* ---------------------------------------------------------------- an open database */

static void an_open_database_verifies_its_own_files(void **state)
{
    (void)state;
    database d = {0};
    files all;
    holt_verify_report report;
    holt_collection_info info;
    uint64_t entries = 0;
    reported_problems t = {0};
    os *o = machine(12);
    open_database(&d, o);
    fill(&d, 12, NULL);
    for (int i = 0; i < COLLECTIONS; i++) {
        ok(holt_collection_stats(d.c[i], &info, sizeof info));
        entries += info.entries;
    }
    holt_verify_options options = reporting(&t);
    ok(holt_verify_live(d.db, &options, &report, sizeof report));
    assert_int_equal(report.entries, entries);
    assert_int_equal(t.done, t.total);

    files_copy(&all, o);
    for (size_t i = 0; i < all.count; i++) {
        file_copy *f = &all.file[i];
        if (!has_trees(f) && !begins(f->name, "MANIFEST-") && !begins(f->name, "CURRENT")) continue;
        reported_problems found = {.file = f->name};
        options = reporting(&found);
        f->bytes[20] ^= 4;
        ok(sim_poke(o, path_of(f->name), f->bytes, f->size));
        f->bytes[20] ^= 4;
        assert_int_equal(holt_verify_live(d.db, &options, &report, sizeof report), HOLT_CORRUPT);
        assert_true(found.named);
        ok(sim_poke(o, path_of(f->name), f->bytes, f->size));
    }
    for (size_t i = 0; i < all.count; i++) { /* cut after a record: whole as far as it goes */
        file_copy *f = &all.file[i];
        if (!begins(f->name, "MANIFEST-")) continue;
        reported_problems found = {.file = f->name};
        options = reporting(&found);
        ok(sim_poke(o, path_of(f->name), f->bytes, manifest_last_record(f)));
        assert_int_equal(holt_verify_live(d.db, &options, &report, sizeof report), HOLT_CORRUPT);
        assert_true(found.named);
        ok(sim_poke(o, path_of(f->name), f->bytes, f->size));
    }
    ok(holt_verify_live(d.db, NULL, NULL, 0));
    files_free(&all);
    close_database(&d);
    expect_healthy(o);
    sim_destroy(o);
}

typedef struct verifying_thread {
    holt *db;
    _Atomic bool stop;
    uint64_t rounds;
    holt_status worst;
    char words[256];
} verifying_thread;

static void *verify_again_and_again(void *ctx)
{
    verifying_thread *b = ctx;
    while (!atomic_load_explicit(&b->stop, memory_order_acquire)) {
        holt_status rc = holt_verify_live(b->db, NULL, NULL, 0);
        b->rounds++;
        if (rc == HOLT_OK) continue;
        b->worst = rc;
        snprintf(b->words, sizeof b->words, "%s", holt_error_message());
    }
    return NULL;
}

/* Files are merged away and manifests replaced while they are read. */
static void verifying_during_writes_finds_nothing_wrong(void **state)
{
    (void)state;
    sim_options options = {.seed = 13, .threads = true};
    database d = {0};
    verifying_thread b = {.worst = HOLT_OK};
    pthread_t thread;
    os *o = sim_create(&options);
    ok(os_dir_create(o, "/db"));
    open_database(&d, o);
    b.db = d.db;
    assert_int_equal(pthread_create(&thread, NULL, verify_again_and_again, &b), 0);
    for (uint64_t i = 0; i < 5; i++) {
        fill(&d, i, NULL);
        ok(holt_compact(d.c[0], holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        ok(holt_collection_clear(d.c[2]));
    }
    atomic_store_explicit(&b.stop, true, memory_order_release);
    pthread_join(thread, NULL);
    if (b.worst != HOLT_OK) fail_msg("%s", b.words);
    assert_true(b.rounds > 0);
    close_database(&d);
    expect_healthy(o);
    sim_destroy(o);
}

int main(void)
{
    const struct CMUnitTest healthy[] = {
        cmocka_unit_test(a_healthy_database_has_no_problem_and_is_counted),
        cmocka_unit_test(verifying_changes_no_file),
        cmocka_unit_test(a_crash_at_any_moment_leaves_no_problem),
        cmocka_unit_test(orphans_are_counted_and_no_problem),
        cmocka_unit_test(a_missing_database_is_not_a_damaged_one),
        cmocka_unit_test(a_database_open_for_writing_is_busy),
        cmocka_unit_test(the_report_is_filled_up_to_the_programs_size),
        cmocka_unit_test(a_read_error_is_not_reported_as_damage),
        cmocka_unit_test(a_failed_allocation_ends_a_verification_and_leaks_nothing),
        cmocka_unit_test(contradictions_are_found_in_sound_bytes),
        cmocka_unit_test(file_ranges_of_a_run_must_be_in_order_and_not_overlap),
        cmocka_unit_test(an_open_database_verifies_its_own_files),
        cmocka_unit_test(verifying_during_writes_finds_nothing_wrong),
    };
    const struct CMUnitTest spoiled[] = {
        cmocka_unit_test(a_changed_byte_is_found), cmocka_unit_test(no_byte_of_current_can_be_changed),
        cmocka_unit_test(zeroed_blocks_are_found), cmocka_unit_test(cut_files_are_found),
        cmocka_unit_test(deleted_files_are_found), cmocka_unit_test(swapped_files_are_found),
        cmocka_unit_test(older_copies_are_found),  cmocka_unit_test(every_damaged_tree_is_reported),
    };
    int failed = cmocka_run_group_tests_name("healthy", healthy, NULL, NULL);
    return failed + cmocka_run_group_tests_name("spoiled", spoiled, set_up_patient, tear_down_patient);
}
