/* test_manifest_cases.c -- manifest records and the state they lead to, as text: the cases in
 * tests/testdata/manifest/.
 *
 *     record [first]
 *     ITEM key=value ...
 *     ...
 *     ----
 *     the state after the record, or the status and message with which it is refused
 *
 * applies a record of these items. `first` is the first record of a manifest, which starts from an empty
 * state; every other one is applied to the state that the blocks before it have left. After a refused record
 * the next block starts from the state before that record.
 *
 *     counters next_file next_collection time_ms
 *     log flushed next_segment next_salt [recovered=SEGMENT:OFFSET:CHECKSUM:NEXT_SEQNO,...]
 *     collection id name [kind] [compression] [block_bytes] [filter_bits] [cleared]
 *     drop id
 *     rename id name
 *     clear id seqno
 *     run id seqno [level] [files=NUMBER:LOWER-UPPER,...]     without files: removes the run
 *     run_with_gaps ... [gaps]                                 the same with so many gaps in each file
 *     expiry id [seqno] trees=ENTRIES:FIRST:LAST,...           of the run's files, or of the B+tree
 *     closed segment offset
 *     root id offset [height] [entries] [bytes]
 *     space file pages [groups=INDEX:COPY:CHECKSUM,...]
 *     garbage offset [height] [entries] [bytes]
 *     reclaimed offset
 *     unknown tag                                              an item without payload
 *
 * are the items. They are encoded here, as the table in manifest_state.h says, and not by manifest_encode.c:
 * any number can be given, even one that no release writes. With cut=N the last N bytes of an item's payload
 * are missing, with more=N there are N zeros too many; with torn=N the record ends N bytes early.
 */
#include "support/expect.h"
#include "support/text_cases.h"

#include "base/coding.h"
#include "db/manifest/manifest_items.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FILES_MAX = 8, RECORDS_MAX = 64 };

/* All records that were applied since the first one: the state is rebuilt from them after one was refused. */
typedef struct case_manifest {
    manifest_state state;
    buffer records[RECORDS_MAX];
    size_t count;
} case_manifest;

/* ---------------------------------------------------------------- items */

/* Reads a number up to a separator or the end, and moves past it. */
static uint64_t next_number(const text_case *c, const char **text, char separator)
{
    char *end;
    uint64_t number = strtoull(*text, &end, 10);
    if (end == *text || (*end && *end != separator && *end != ',')) text_case_fail(c, "bad list: %s", *text);
    *text = *end ? end + 1 : end;
    return number;
}

static void put_numbers(text_case *c, buffer *p, const char *const *keys, const uint64_t *missing,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_varint(p, text_case_number(c, keys[i], missing ? missing[i] : 0));
}

static void put_pointer(buffer *p, uint64_t offset)
{
    uint8_t bytes[BLOCK_PTR_SIZE];
    block_ptr_encode(bytes, (block_ptr){.offset = offset, .length = offset ? 4096 : 0});
    buffer_append(p, slice_of(bytes, sizeof bytes));
}

static void put_log(text_case *c, buffer *p)
{
    static const char *const keys[] = {"flushed", "next_segment"};
    const char *ends = text_case_argument(c, "recovered");
    uint64_t count = ends ? 1 : 0;
    for (const char *at = ends; at && *at; at++)
        count += *at == ',';
    put_numbers(c, p, keys, NULL, 2);
    buffer_u64(p, text_case_number(c, "next_salt", 0));
    buffer_varint(p, text_case_number(c, "recovered_count", count));
    for (uint64_t i = 0; i < count; i++) {
        buffer_varint(p, next_number(c, &ends, ':'));
        buffer_varint(p, next_number(c, &ends, ':'));
        buffer_u64(p, next_number(c, &ends, ':'));
        buffer_varint(p, next_number(c, &ends, ':'));
    }
}

static void put_name(text_case *c, buffer *p)
{
    const char *name = text_case_argument(c, "name");
    buffer_string(p, holt_str(name ? name : ""));
}

static void put_collection(text_case *c, buffer *p)
{
    static const char *const keys[] = {"kind", "compression", "block_bytes", "filter_bits", "cleared"};
    static const uint64_t missing[] = {HOLT_LSM, HOLT_COMPRESSION_NONE, 8192, 10, 0};
    buffer_varint(p, text_case_number(c, "id", 0));
    put_name(c, p);
    put_numbers(c, p, keys, missing, 5);
}

static void put_rename(text_case *c, buffer *p)
{
    buffer_varint(p, text_case_number(c, "id", 0));
    put_name(c, p);
}

/* One file of a run, from "NUMBER:LOWER-UPPER". */
static void put_file(const text_case *c, buffer *p, char *text)
{
    const char *at = text;
    uint64_t number = next_number(c, &at, ':');
    char *lower = text + (at - text), *dash = strchr(lower, '-');
    if (!dash) text_case_fail(c, "a file is NUMBER:LOWER-UPPER");
    *dash = 0;
    const char *upper = dash + 1;
    buffer_varint(p, number);
    buffer_varint(p, 1 << 20); /* its size */
    put_pointer(p, 4096);
    for (int i = 0; i < 4; i++) /* height, entries, tombstones, bytes */
        buffer_varint(p, 1);
    put_pointer(p, 0); /* no filter */
    buffer_varint(p, 0);
    buffer_varint(p, 0);
    buffer_varint(p, (*lower ? BOUND_LOWER : 0) | (*upper ? BOUND_UPPER : 0));
    buffer_string(p, holt_str(lower));
    buffer_string(p, holt_str(upper));
}

static void put_files(text_case *c, buffer *p, bool with_gaps)
{
    static const char *const keys[] = {"id", "seqno", "level"};
    const char *given = text_case_argument(c, "files");
    char text[256], *rest = NULL, *files[FILES_MAX];
    uint64_t count = 0;
    snprintf(text, sizeof text, "%s", given ? given : "");
    for (char *file = strtok_r(text, ",", &rest); file; file = strtok_r(NULL, ",", &rest)) {
        if (count == FILES_MAX) text_case_fail(c, "more than %d files", FILES_MAX);
        files[count++] = file;
    }
    put_numbers(c, p, keys, NULL, 3);
    buffer_varint(p, text_case_number(c, "count", count));
    for (uint64_t i = 0; i < count; i++) {
        put_file(c, p, files[i]);
        if (with_gaps) buffer_varint(p, text_case_number(c, "gaps", 0));
    }
}

static void put_run(text_case *c, buffer *p)
{
    put_files(c, p, false);
}

static void put_run_with_gaps(text_case *c, buffer *p)
{
    put_files(c, p, true);
}

static void put_root(text_case *c, buffer *p)
{
    static const char *const keys[] = {"height", "entries", "bytes"};
    static const uint64_t missing[] = {1, 1, 100};
    put_pointer(p, text_case_number(c, "offset", 0));
    put_numbers(c, p, keys, missing, 3);
}

static void put_root_of_collection(text_case *c, buffer *p)
{
    buffer_varint(p, text_case_number(c, "id", 0));
    put_root(c, p);
}

static void put_page_store(text_case *c, buffer *p)
{
    static const char *const keys[] = {"file", "pages"};
    const char *groups = text_case_argument(c, "groups");
    uint64_t count = groups ? 1 : 0;
    for (const char *at = groups; at && *at; at++)
        count += *at == ',';
    put_numbers(c, p, keys, NULL, 2);
    buffer_varint(p, count);
    for (uint64_t i = 0; i < count; i++) {
        buffer_varint(p, next_number(c, &groups, ':'));
        buffer_u8(p, (uint8_t)next_number(c, &groups, ':'));
        buffer_u64(p, next_number(c, &groups, ':'));
    }
}

static void put_expiry(text_case *c, buffer *p)
{
    static const char *const keys[] = {"id", "seqno"};
    const char *trees = text_case_argument(c, "trees");
    put_numbers(c, p, keys, NULL, 2);
    while (trees && *trees)
        buffer_varint(p, next_number(c, &trees, ':'));
}

/* Items that are a row of numbers, and those that have a function. */
static const struct item_syntax {
    const char *name;
    uint8_t tag;
    void (*put)(text_case *c, buffer *p);
    const char *numbers[3];
} syntax[] = {
    {"counters", ITEM_COUNTERS, NULL, {"next_file", "next_collection", "time_ms"}},
    {"log", ITEM_LOG, put_log, {0}},
    {"collection", ITEM_COLLECTION, put_collection, {0}},
    {"drop", ITEM_DROP, NULL, {"id"}},
    {"rename", ITEM_RENAME, put_rename, {0}},
    {"clear", ITEM_CLEAR, NULL, {"id", "seqno"}},
    {"run", ITEM_RUN, put_run, {0}},
    {"run_with_gaps", ITEM_RUN_WITH_GAPS, put_run_with_gaps, {0}},
    {"expiry", ITEM_EXPIRY, put_expiry, {0}},
    {"closed", ITEM_CLOSED, NULL, {"segment", "offset"}},
    {"root", ITEM_ROOT, put_root_of_collection, {0}},
    {"space", ITEM_PAGE_STORE, put_page_store, {0}},
    {"garbage", ITEM_GARBAGE, put_root, {0}},
    {"reclaimed", ITEM_RECLAIMED, NULL, {"offset"}},
    {"unknown", 0, NULL, {0}},
};

static void put_payload(text_case *c, const struct item_syntax *item, buffer *p)
{
    if (item->put) {
        item->put(c, p);
        return;
    }
    for (size_t i = 0; i < 3 && item->numbers[i]; i++)
        buffer_varint(p, text_case_number(c, item->numbers[i], 0));
}

static void put_item(text_case *c, const char *name, buffer *record)
{
    const struct item_syntax *item = syntax;
    while (strcmp(item->name, name) != 0)
        if (++item == syntax + sizeof syntax / sizeof *syntax) text_case_fail(c, "unknown item %s", name);
    buffer p = {0};
    put_payload(c, item, &p);
    uint64_t cut = text_case_number(c, "cut", 0), more = text_case_number(c, "more", 0);
    if (cut > p.size) text_case_fail(c, "the item has %zu bytes", p.size);
    while (more-- > 0)
        buffer_u8(&p, 0);
    buffer_u8(record, (uint8_t)text_case_number(c, "tag", item->tag));
    buffer_string(record, slice_of(p.data, p.size - cut));
    buffer_deinit(&p);
}

/* ---------------------------------------------------------------- the state */

static void print_expiry(const expiry_summary *s, FILE *out)
{
    if (s->entries == 0) return;
    fprintf(out, " with %" PRIu64 " that expire from %" PRIu64 " to %" PRIu64, s->entries, s->first_ms,
            s->last_ms);
}

static void print_root(const char *what, const tree_root *r, FILE *out)
{
    if (r->root.length == 0) return;
    fprintf(out, "%s at %" PRIu64 ": height %" PRIu32 ", %" PRIu64 " entries, %" PRIu64 " bytes", what,
            r->root.offset, r->height, r->entries, r->bytes);
    print_expiry(&r->expiry, out);
    fprintf(out, "\n");
}

static int newer_first(const void *a, const void *b)
{
    const manifest_run *x = a, *y = b;
    return (x->newest_seqno < y->newest_seqno) - (x->newest_seqno > y->newest_seqno);
}

/* The newest run first: their order in the state has no meaning. */
static void print_collection(const manifest_collection *c, FILE *out)
{
    fprintf(out, "collection %" PRIu32 " \"%s\": %s, blocks of %" PRIu32 ", %" PRIu32 " filter bits",
            c->spec.id, c->name, c->spec.kind == HOLT_BTREE ? "B+tree" : "LSM", c->spec.block_bytes,
            c->spec.filter_bits);
    if (c->cleared_seqno) fprintf(out, ", cleared at %" PRIu64, c->cleared_seqno);
    fprintf(out, "\n");
    if (c->run_count > 0) qsort(c->runs, c->run_count, sizeof *c->runs, newer_first);
    for (size_t i = 0; i < c->run_count; i++) {
        const manifest_run *r = &c->runs[i];
        fprintf(out, "  run %" PRIu64 ", level %" PRIu32 ":", r->newest_seqno, r->level);
        for (size_t k = 0; k < r->count; k++) {
            const lsm_file_range *f = &r->file_ranges[k];
            fprintf(out, " %" PRIu64 ":%.*s-%.*s", f->file, (int)f->lower.size, (const char *)f->lower.data,
                    (int)f->upper.size, (const char *)f->upper.data);
            if (f->root.gaps) fprintf(out, " with %" PRIu64 " gaps", f->root.gaps);
            print_expiry(&f->root.expiry, out);
        }
        fprintf(out, "\n");
    }
    print_root("  tree", &c->btree, out);
}

static void print_log(const log_checkpoint *log, FILE *out)
{
    if (log->next_segment)
        fprintf(out, "log: flushed to %" PRIu64 ", next segment %" PRIu64 " with salt %" PRIu64 "\n",
                log->flushed_seqno, log->next_segment, log->next_salt);
    for (size_t i = 0; i < log->recovered_count; i++) {
        const log_end *e = &log->recovered[i];
        fprintf(out,
                "  recovered segment %" PRIu64 " to %" PRIu64 ", checksum %" PRIu64 ", next seqno %" PRIu64
                "\n",
                e->segment, e->offset, e->checksum, e->next_seqno);
    }
    if (log->closed)
        fprintf(out, "closed at %" PRIu64 ":%" PRIu64 "\n", log->closed_end.segment, log->closed_end.offset);
}

static void print_state(const manifest_state *s, FILE *out)
{
    if (s->next_file || s->next_collection || s->time_ms)
        fprintf(out, "next file %" PRIu64 ", next collection %" PRIu64 ", time %" PRIu64 " ms\n",
                s->next_file, s->next_collection, s->time_ms);
    print_log(&s->log, out);
    for (size_t i = 0; i < s->collection_count; i++)
        print_collection(&s->collections[i], out);
    if (s->page_store.file)
        fprintf(out, "pages: file %" PRIu64 ", %" PRIu64 " pages, %zu map groups\n", s->page_store.file,
                s->page_store.pages, s->page_store.map_group_count);
    for (size_t i = 0; i < s->page_store.map_group_count; i++)
        fprintf(out, "  map group %zu: copy %c, checksum %" PRIu64 "\n", i,
                "AB"[s->page_store.map_groups[i].copy], s -> page_store.map_groups[i].checksum);
    for (size_t i = 0; i < s->garbage_count; i++)
        print_root("garbage tree", &s->garbage[i], out);
}

/* ---------------------------------------------------------------- records */

static void forget_records(case_manifest *m)
{
    while (m->count > 0)
        buffer_deinit(&m->records[--m->count]);
}

/* The state after a refused record is undefined: it is rebuilt from the good ones. */
static void rebuild(case_manifest *m)
{
    manifest_state_deinit(&m->state);
    for (size_t i = 0; i < m->count; i++)
        expect_ok(manifest_state_apply(&m->state, i, buffer_slice(&m->records[i])));
}

static void execute(void *ctx, text_case *c, FILE *out)
{
    case_manifest *m = ctx;
    if (!text_case_is(c, "record")) text_case_fail(c, "unknown command");
    bool first = text_case_argument(c, "first") != NULL;
    uint64_t torn = text_case_number(c, "torn", 0);
    buffer record = {0};
    for (const char *item = text_case_next_words(c); item; item = text_case_next_words(c))
        put_item(c, item, &record);
    assert_false(record.failed);
    if (torn > record.size) text_case_fail(c, "the record has %zu bytes", record.size);
    slice bytes = slice_of(record.data, record.size - torn);
    holt_status rc = manifest_state_apply(&m->state, first ? 0 : m->count, bytes);
    if (rc != HOLT_OK) {
        fprintf(out, "%s: %s\n", holt_status_name(rc), holt_error_message());
        buffer_deinit(&record);
        rebuild(m);
        return;
    }
    if (first) forget_records(m);
    if (m->count == RECORDS_MAX) text_case_fail(c, "more than %d records", RECORDS_MAX);
    m->records[m->count++] = record;
    print_state(&m->state, out);
}

static void manifest_records_lead_to_the_states_of_the_cases(void **state)
{
    case_manifest m = {.count = 0};
    size_t cases = text_cases_run_folder("manifest", execute, &m);
    print_message("%zu cases\n", cases);
    assert_true(cases >= 20); /* not an empty or half-read folder */
    forget_records(&m);
    manifest_state_deinit(&m.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_records_lead_to_the_states_of_the_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
