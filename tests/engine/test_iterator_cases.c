/* test_iterator_cases.c -- what cursors show of stacks of memtables, runs and B+trees, as text: the cases in
 * tests/testdata/iterator/.
 *
 *     stack
 *     LAYER ENTRY ...
 *     ...
 *     ----
 *     how many entries are where, for each kind of collection
 *
 * describes what a collection has, from the oldest layer to the newest. LAYER is one of
 *
 *     run        written and flushed: a run of an LSM tree; in a B+tree collection, merged into the tree
 *     sealed     written to a memtable that is sealed afterwards, and not flushed yet
 *     memtable   written to the active memtable
 *     snapshot   (without entries) the cursors see what is above this line, and nothing below it
 *
 * and ENTRY is KEY=VALUE, KEY- (a deletion), or one of these for all keys of a range, as in k10..k99-.
 *
 *     walk [lower=KEY] [upper=KEY] [prefix=KEY] [keys_only]
 *     MOVE ...
 *     ----
 *     the rows that the moves have shown
 *
 * opens a cursor on that stack, which is built again for each line of moves and each kind. The moves first,
 * last, next, prev, seek:KEY and seek_last:KEY show a row each, or `.` where they leave the cursor
 * unpositioned. forward and backward repeat next and prev to the end. In between, put:KEY=VALUE and
 * delete:KEY commit, flush and compact change the layers, and refresh moves the cursor to a new snapshot.
 *
 * The two kinds must show the same rows; where they do not, there is a line for each.
 */
#include "db/commit/commit.h"
#include "db/commit/rotate.h"
#include "db/db.h"
#include "support/sim_db.h"
#include "support/text_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 16, LINE_BYTES = 512, KEY_BYTES = 64 };

typedef struct case_stack {
    char layers[LAYERS_MAX][LINE_BYTES];
    size_t count;
} case_stack;

/* A database with the stack in its collection "default". */
typedef struct stacked_db {
    sim_db sim;
    holt_txn *snapshot; /* what the cursors see; NULL: the state when they are opened */
} stacked_db;

/* ---------------------------------------------------------------- entries */

/* Not by holt_put, which would let jobs run: they would flush what is to stay in memtables. */
static void write_entry(stacked_db *d, entry_op op, holt_slice key, holt_slice value)
{
    commit_request r = {.collection = d->sim.c, .durability = HOLT_PROCESS};
    r.operation = (operation){.op = (uint8_t)op, .collection = d->sim.c->spec.id, .key = key, .value = value};
    expect_ok(commit_submit(d->sim.db, &r));
}

/* Splits "KEY=VALUE" or "KEY-" in place. */
static entry_op parse_entry(const text_case *c, char *text, char **value)
{
    size_t size = strlen(text);
    char *equals = strchr(text, '=');
    *value = NULL;
    if (!equals) {
        if (size < 2 || text[size - 1] != '-') text_case_fail(c, "%s is no entry", text);
        text[size - 1] = 0;
        return ENTRY_DELETE;
    }
    *equals = 0;
    *value = equals + 1;
    return ENTRY_PUT;
}

/* Writes the entry to its key, or to all keys of a range like k10..k99. */
static void write_range(stacked_db *d, const text_case *c, char *text)
{
    char *value, key[KEY_BYTES];
    entry_op op = parse_entry(c, text, &value);
    holt_slice v = value ? holt_str(value) : holt_bytes(NULL, 0);
    char *range = strstr(text, "..");
    if (!range) {
        write_entry(d, op, holt_str(text), v);
        return;
    }
    *range = 0;
    size_t prefix = strcspn(text, "0123456789");
    int digits = (int)strlen(text + prefix);
    unsigned long first = strtoul(text + prefix, NULL, 10), last = strtoul(range + 2 + prefix, NULL, 10);
    if (digits == 0 || last < first) text_case_fail(c, "%s..%s is no range", text, range + 2);
    for (unsigned long n = first; n <= last; n++) {
        snprintf(key, sizeof key, "%.*s%0*lu", (int)prefix, text, digits, n);
        write_entry(d, op, holt_str(key), v);
    }
}

/* ---------------------------------------------------------------- layers */

static void seal(stacked_db *d)
{
    expect_ok(commit_lead(d->sim.db));
    expect_ok(rotate(d->sim.db, 0, true));
    commit_queue_unlead(&d->sim.db->commits);
}

static void add_layer(stacked_db *d, const text_case *c, const char *layer)
{
    char line[LINE_BYTES], *rest = NULL;
    snprintf(line, sizeof line, "%s", layer);
    const char *kind = strtok_r(line, " ", &rest);
    static const holt_txn_options read_only = {.flags = HOLT_TXN_READ_ONLY};
    if (strcmp(kind, "snapshot") == 0) expect_ok(holt_begin(d->sim.db, &read_only, &d->snapshot));
    for (char *entry = strtok_r(NULL, " ", &rest); entry; entry = strtok_r(NULL, " ", &rest))
        write_range(d, c, entry);
    if (strcmp(kind, "sealed") == 0) seal(d);
    if (strcmp(kind, "run") == 0) expect_ok(holt_flush(d->sim.db));
}

/* While the collection is marked as one whose runs are being merged, no job merges them. */
static void set_merging(stacked_db *d, bool merging)
{
    os_mutex_lock(&d->sim.db->jobs.mu);
    d->sim.c->merging = merging;
    os_mutex_unlock(&d->sim.db->jobs.mu);
}

static void stack_open(stacked_db *d, const text_case *c, const case_stack *stack, uint32_t kind)
{
    holt_options options = {.memory_bytes = 8 << 20, .durability = HOLT_PROCESS, .default_kind = kind};
    memset(d, 0, sizeof *d);
    sim_db_open(&d->sim, 1, &options);
    set_merging(d, true); /* the layers stay as they are described */
    for (size_t i = 0; i < stack->count; i++)
        add_layer(d, c, stack->layers[i]);
    set_merging(d, false);
}

static void stack_close(stacked_db *d)
{
    holt_rollback(d->snapshot);
    sim_db_close(&d->sim);
}

static void execute_stack(case_stack *stack, text_case *c, FILE *out)
{
    static const char *const layers[] = {"run", "sealed", "memtable", "snapshot"};
    stack->count = 0;
    for (const char *line = text_case_next_line(c); line; line = text_case_next_line(c)) {
        size_t known = 0, size = strcspn(line, " ");
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            known += strlen(layers[i]) == size && strncmp(line, layers[i], size) == 0;
        if (!known || stack->count == LAYERS_MAX) text_case_fail(c, "%s is no layer", line);
        snprintf(stack->layers[stack->count++], LINE_BYTES, "%s", line);
    }
    for (uint32_t kind = HOLT_LSM; kind <= HOLT_BTREE; kind++) {
        stacked_db d;
        holt_collection_info info;
        stack_open(&d, c, stack, kind);
        expect_ok(holt_collection_stats(d.sim.c, &info, sizeof info));
        fprintf(out, "%s: %u in memtables, %u in %s", kind == HOLT_LSM ? "LSM" : "B+tree",
                (unsigned)info.memtable_entries, (unsigned)info.entries,
                kind == HOLT_LSM ? "runs" : "the tree");
        if (kind == HOLT_LSM) fprintf(out, " (%u)", (unsigned)info.runs);
        fprintf(out, "\n");
        stack_close(&d);
    }
}

/* ---------------------------------------------------------------- walks */

static bool show(holt_cursor *cursor, bool valid, FILE *out)
{
    holt_slice k = holt_cursor_key(cursor), v = holt_cursor_value(cursor);
    assert_int_equal(valid, holt_cursor_valid(cursor));
    if (holt_cursor_status(cursor) != HOLT_OK)
        fprintf(out, " %s", holt_status_name(holt_cursor_status(cursor)));
    else if (!valid)
        fprintf(out, " .");
    else if (!v.data)
        fprintf(out, " %.*s", (int)k.size, (const char *)k.data);
    else
        fprintf(out, " %.*s=%.*s", (int)k.size, (const char *)k.data, (int)v.size, (const char *)v.data);
    return valid;
}

/* Moves that show a row. Returns false when it is none of them. */
static bool move(holt_cursor *cursor, const char *word, const char *key, FILE *out)
{
    if (strcmp(word, "first") == 0)
        show(cursor, holt_cursor_first(cursor), out);
    else if (strcmp(word, "last") == 0)
        show(cursor, holt_cursor_last(cursor), out);
    else if (strcmp(word, "next") == 0)
        show(cursor, holt_cursor_next(cursor), out);
    else if (strcmp(word, "prev") == 0)
        show(cursor, holt_cursor_prev(cursor), out);
    else if (strcmp(word, "seek") == 0 && key)
        show(cursor, holt_cursor_seek(cursor, holt_str(key)), out);
    else if (strcmp(word, "seek_last") == 0 && key)
        show(cursor, holt_cursor_seek_last(cursor, holt_str(key)), out);
    else
        return false;
    return true;
}

static void change(stacked_db *d, const text_case *c, holt_cursor *cursor, const char *word, char *argument,
                   FILE *out)
{
    static const holt_slice open = {NULL, 0};
    char entry[KEY_BYTES];
    if (strcmp(word, "forward") == 0) {
        while (show(cursor, holt_cursor_next(cursor), out))
            ;
    } else if (strcmp(word, "backward") == 0) {
        while (show(cursor, holt_cursor_prev(cursor), out))
            ;
    } else if (strcmp(word, "refresh") == 0) {
        expect_ok(holt_cursor_refresh(cursor));
    } else if (strcmp(word, "flush") == 0) {
        expect_ok(holt_flush(d->sim.db));
    } else if (strcmp(word, "compact") == 0) {
        expect_ok(holt_compact(d->sim.c, open, open));
    } else if (argument && (strcmp(word, "put") == 0 || strcmp(word, "delete") == 0)) {
        snprintf(entry, sizeof entry, "%s%s", argument, *word == 'd' ? "-" : "");
        write_range(d, c, entry);
    } else {
        text_case_fail(c, "%s is no move", word);
    }
}

/* Makes the moves, and returns the rows as a string; release with free. */
static char *walk(const case_stack *stack, const text_case *c, const holt_cursor_options *options,
                  uint32_t kind, const char *moves)
{
    stacked_db d;
    holt_cursor *cursor;
    char *rows = NULL, line[LINE_BYTES], *rest = NULL;
    size_t size;
    FILE *out = open_memstream(&rows, &size);
    assert_non_null(out);
    stack_open(&d, c, stack, kind);
    expect_ok(holt_cursor_open(d.sim.c, d.snapshot, options, &cursor));
    snprintf(line, sizeof line, "%s", moves);
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *argument = strchr(word, ':');
        if (argument) *argument++ = 0;
        if (!move(cursor, word, argument, out)) change(&d, c, cursor, word, argument, out);
    }
    (void)holt_cursor_close(cursor); /* an error that it was in has been shown */
    stack_close(&d);
    fclose(out);
    return rows;
}

static holt_slice bound(text_case *c, const char *key)
{
    const char *given = text_case_argument(c, key);
    return given ? holt_str(given) : holt_bytes(NULL, 0);
}

static void execute_walk(case_stack *stack, text_case *c, FILE *out)
{
    holt_cursor_options o = {
        .lower = bound(c, "lower"), .upper = bound(c, "upper"), .prefix = bound(c, "prefix")};
    if (text_case_argument(c, "keys_only")) o.flags = HOLT_CURSOR_KEYS_ONLY;
    for (const char *moves = text_case_next_line(c); moves; moves = text_case_next_line(c)) {
        char *lsm = walk(stack, c, &o, HOLT_LSM, moves), *btree = walk(stack, c, &o, HOLT_BTREE, moves);
        if (strcmp(lsm, btree) == 0)
            fprintf(out, "%s\n", *lsm ? lsm + 1 : "");
        else
            fprintf(out, "LSM:%s\nB+tree:%s\n", lsm, btree);
        free(lsm);
        free(btree);
    }
}

static void execute(void *ctx, text_case *c, FILE *out)
{
    if (text_case_is(c, "stack"))
        execute_stack(ctx, c, out);
    else if (text_case_is(c, "walk"))
        execute_walk(ctx, c, out);
    else
        text_case_fail(c, "unknown command");
}

static void cursors_show_what_the_cases_say(void **state)
{
    static case_stack stack;
    size_t cases = text_cases_run_folder("iterator", execute, &stack);
    print_message("%zu cases\n", cases);
    assert_true(cases >= 20); /* not an empty or half-read folder */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_show_what_the_cases_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
