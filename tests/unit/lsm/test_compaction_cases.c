/* test_compaction_cases.c -- which runs are merged, as text: the cases in tests/testdata/compaction/.
 *
 *     pick want=WANT level_bytes=N bytes_max=N move_bytes_min=N
 *     run newest_seqno=N bytes=N [level=N] [tombstones=N] [gaps=N] [keys=RANGES]
 *     ...
 *     ----
 *     merge of the runs SEQNO ...: BYTES bytes to level LEVEL
 *
 * picks a merge from a tree of these runs, which may be given in any order. WANT is bound, few_runs or all.
 * RANGES are the key ranges of the run's files, as a-c,c-e: the first has the keys from a up to, but without,
 * c. `-` alone is open at both ends. The bytes of a run are divided evenly among its files. The output is
 * `nothing` if no merge is needed or possible. With move_bytes_min, a line `moved:` with all key ranges of
 * the new run follows when the files are moved to it as they are; otherwise `rewritten`.
 *
 *     level bytes=N level_bytes=N
 *     ----
 *     LEVEL
 *
 * returns the level of a run of that size.
 */
#include "support/lsm_fixture.h"
#include "support/text_cases.h"

#include "lsm/trivial_move.h"

#include <inttypes.h>

enum { CASE_RUNS_MAX = 64, CASE_FILES_MAX = 16 };

/* A file that all runs of the cases claim to be in; only its existence matters. */
typedef struct case_machine {
    fixture f;
    tree_file *file;
} case_machine;

static slice bound_of(char *text)
{
    return *text ? slice_of(text, strlen(text)) : slice_of(NULL, 0);
}

/* Fills in the key ranges of a run's files from "a-c,c-e", and returns how many there are. */
static size_t parse_ranges(const text_case *c, char *text, lsm_file_range *file_ranges)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *range = strtok_r(text, ",", &rest); range; range = strtok_r(NULL, ",", &rest)) {
        char *dash = strchr(range, '-');
        if (!dash || count == CASE_FILES_MAX) text_case_fail(c, "bad key ranges");
        *dash = 0;
        file_ranges[count].lower = bound_of(range);
        file_ranges[count++].upper = bound_of(dash + 1);
    }
    return count;
}

static lsm_run *parse_run(case_machine *m, text_case *c)
{
    lsm_file_range file_ranges[CASE_FILES_MAX] = {{0}};
    tree_file *files[CASE_FILES_MAX];
    char keys[256];
    const char *given = text_case_argument(c, "keys");
    snprintf(keys, sizeof keys, "%s", given ? given : "-");
    size_t count = parse_ranges(c, keys, file_ranges);
    uint64_t bytes = text_case_number(c, "bytes", 0);
    for (size_t i = 0; i < count; i++) {
        file_ranges[i].root.bytes = bytes / count;
        file_ranges[i].root.entries = 1;
        files[i] = m->file;
    }
    file_ranges[0].root.bytes += bytes % count;
    file_ranges[0].root.tombstones = text_case_number(c, "tombstones", 0);
    file_ranges[0].root.gaps = text_case_number(c, "gaps", 0);
    lsm_run *run;
    uint32_t level = (uint32_t)text_case_number(c, "level", 0);
    expect_ok(lsm_run_open(text_case_number(c, "newest_seqno", 0), level, file_ranges, files, count, &run));
    return run;
}

static lsm_tree *parse_tree(case_machine *m, text_case *c)
{
    lsm_run *runs[CASE_RUNS_MAX];
    size_t count = 0;
    lsm_tree *t;
    for (const char *word = text_case_next_words(c); word; word = text_case_next_words(c)) {
        if (strcmp(word, "run") != 0 || count == CASE_RUNS_MAX) text_case_fail(c, "expected a run");
        runs[count++] = parse_run(m, c);
    }
    expect_ok(lsm_tree_create(runs, count, &t));
    while (count > 0)
        lsm_run_unref(runs[--count]);
    return t;
}

static lsm_want parse_want(text_case *c)
{
    static const char *const names[] = {
        [LSM_WANT_BOUND] = "bound", [LSM_WANT_FEW_RUNS] = "few_runs", [LSM_WANT_ALL] = "all"};
    const char *given = text_case_argument(c, "want");
    for (int want = LSM_WANT_BOUND; given && want <= LSM_WANT_ALL; want++)
        if (strcmp(given, names[want]) == 0) return (lsm_want)want;
    text_case_fail(c, "want is bound, few_runs or all");
}

static void print_moved(const lsm_tree *t, const lsm_pick *pick, FILE *out)
{
    lsm_run *moved;
    expect_ok(lsm_trivial_move(t, pick, &moved));
    lsm_run_info info = lsm_run_describe(moved);
    assert_int_equal(info.newest_seqno, lsm_run_describe(lsm_tree_run(t, pick->first)).newest_seqno);
    assert_int_equal(info.level, pick->level);
    assert_int_equal(info.bytes, pick->bytes);
    fprintf(out, "moved:");
    for (size_t i = 0; i < info.file_range_count; i++) {
        const lsm_file_range *r = lsm_run_file_range(moved, i);
        fprintf(out, " %.*s-%.*s", (int)r->lower.size, (const char *)r->lower.data, (int)r->upper.size,
                (const char *)r->upper.data);
    }
    fprintf(out, "\n");
    lsm_run_unref(moved);
}

static void execute_pick(case_machine *m, text_case *c, FILE *out)
{
    lsm_pick pick;
    lsm_want want = parse_want(c);
    uint64_t level_bytes = text_case_number(c, "level_bytes", 1000);
    uint64_t bytes_max = text_case_number(c, "bytes_max", UINT64_MAX);
    bool may_move = text_case_argument(c, "move_bytes_min") != NULL;
    uint64_t move_bytes_min = text_case_number(c, "move_bytes_min", 0);
    lsm_tree *t = parse_tree(m, c);
    if (!lsm_pick_merge(t, want, level_bytes, bytes_max, &pick)) {
        fprintf(out, "nothing\n");
        lsm_tree_unref(t);
        return;
    }
    fprintf(out, "merge of the runs");
    for (size_t i = 0; i < pick.count; i++)
        fprintf(out, " %" PRIu64, lsm_run_describe(lsm_tree_run(t, pick.first + i)).newest_seqno);
    fprintf(out, ": %" PRIu64 " bytes to level %" PRIu32 "\n", pick.bytes, pick.level);
    if (may_move) {
        if (lsm_trivial_move_possible(t, &pick, move_bytes_min))
            print_moved(t, &pick, out);
        else
            fprintf(out, "rewritten\n");
    }
    lsm_tree_unref(t);
}

static void execute(void *ctx, text_case *c, FILE *out)
{
    if (text_case_is(c, "pick")) {
        execute_pick((case_machine *)ctx, c, out);
    } else if (text_case_is(c, "level")) {
        uint64_t bytes = text_case_number(c, "bytes", 0);
        uint32_t level = lsm_level_of(bytes, text_case_number(c, "level_bytes", 1000));
        fprintf(out, "%" PRIu32 "\n", level);
    } else {
        text_case_fail(c, "unknown command");
    }
}

static void compaction_picks_what_the_cases_say(void **state)
{
    case_machine m;
    model entries;
    lsm_file_range unused;
    fixture_open(&m.f, 1);
    model_fill(&entries, &m.f.r, 2);
    m.file = build(&m.f, &entries, 0, 4, &unused);
    size_t cases = text_cases_run_folder("compaction", execute, &m);
    print_message("%zu cases\n", cases);
    assert_true(cases >= 25); /* not an empty or half-read folder */
    tree_file_unref(m.file);
    fixture_close(&m.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compaction_picks_what_the_cases_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
