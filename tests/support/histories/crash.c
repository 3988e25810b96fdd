/* crash.c -- cloning machines, cutting their power, and judging what is found. */
#include "support/histories/crash.h"

#include "base/epoch.h"
#include "base/random.h"
#include "base/status.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/histories/compare.h"

#include <stdio.h>

enum {
    DEPTH_MAX = 2,       /* a crash while recovering from a crash while recovering */
    RECOVERY_CALLS = 40, /* a crash during recovery comes at one of about this many first calls */
    EXPLAINED_MAX = 12   /* moments with which a failure is compared in detail */
};

typedef struct crash {
    const crash_options *options;
    crash_counts *counts;
    verdict *verdict;
    os *machine;
    history *history;
    bool started; /* the database exists */
    bool armed;   /* past steps_before */
    uint64_t call;
} crash;

/* A machine on which the database is to be opened, and what it may show. */
typedef struct state {
    os *machine;
    moment floor;       /* acknowledged, and must be there */
    moment power_floor; /* the same if the power fails before holt_open has returned */
    moment ceiling;
    unsigned depth;
    char form[240]; /* how it came about, for messages */
} state;

/* A clone to be taken while a state recovers. */
typedef struct strike {
    os *machine;
    uint64_t after; /* calls that are left before it */
    uint64_t seed;
    os *clone; /* NULL: not reached */
} strike;

/* ---------------------------------------------------------------- power cuts */

static const char *const keep_names[] = {"all", "none", "some", "sizes", "garbage"};

/* Cuts the machine's power in some way and says how. */
static void cut_power(os *machine, rng *r, char *form, size_t form_bytes)
{
    sim_cut cut = {.files = (sim_keep)rng_below(r, SIM_KEEP_GARBAGE + 1),
                   .entries = (sim_keep)rng_below(r, SIM_KEEP_SOME + 1),
                   .tear_bytes = rng_chance(r, 2) ? 512 : 4096};
    cut.per_file = cut.files == SIM_KEEP_NONE && rng_chance(r, 2);
    snprintf(form, form_bytes, "cut(files %s%s, entries %s, tear %u)", keep_names[cut.files],
             cut.per_file ? " per file" : "", keep_names[cut.entries], cut.tear_bytes);
    sim_power_cut(machine, &cut, rng_next(r));
}

/* ---------------------------------------------------------------- what is found */

static bool fail_state(crash *c, const state *s, const char *what)
{
    return verdict_fail(c->verdict, "crash at call %llu, %s: %s\n", (unsigned long long)c->call, s->form,
                        what);
}

static holt_status name_file(void *ctx, const char *name)
{
    verdict_add((verdict *)ctx, " %s", name);
    return HOLT_OK;
}

/* The directory of a database that does not open. */
static void explain_directory(crash *c, const state *s)
{
    os_dir *d = NULL;
    verdict_add(c->verdict, "  files:");
    if (os_dir_open(s->machine, c->options->history.path, &d) == HOLT_OK)
        os_dir_list(d, name_file, c->verdict);
    os_dir_close(d);
    verdict_add(c->verdict, "\n");
}

/* How the database differs from the moments that it might have shown. */
static void explain(crash *c, holt *db, const state *s)
{
    const model *m = history_model(c->history);
    moment from = s->floor;
    if (s->ceiling - from >= EXPLAINED_MAX) from = s->ceiling - EXPLAINED_MAX + 1;
    for (moment at = from; at <= s->ceiling; at++) {
        verdict trial = VERDICT_INIT;
        if (compare_database(db, m, at, &trial))
            verdict_add(&trial, "matches moment %llu", (unsigned long long)at);
        verdict_add(c->verdict, "  %s\n", trial.text);
    }
}

/* Finds the moment that the database shows. */
static bool find_moment(crash *c, holt *db, const state *s, moment *shown)
{
    uint64_t fingerprint;
    verdict trial = VERDICT_INIT;
    if (!database_fingerprint(db, &fingerprint, &trial)) return fail_state(c, s, trial.text);
    for (*shown = s->ceiling + 1; *shown > s->floor; --*shown)
        if (model_fingerprint(history_model(c->history), *shown - 1) == fingerprint) break;
    if ((*shown)-- > s->floor) return true;

    fail_state(c, s, "no moment that may be shown is");
    verdict_add(c->verdict, "  moments %llu (must be there) to %llu (in flight)\n",
                (unsigned long long)s->floor, (unsigned long long)s->ceiling);
    explain(c, db, s);
    return false;
}

static bool compare_moment(crash *c, holt *db, const state *s, moment at)
{
    verdict trial = VERDICT_INIT;
    return compare_database(db, history_model(c->history), at, &trial) || fail_state(c, s, trial.text);
}

/* ---------------------------------------------------------------- use afterwards */

static holt_status open_state(crash *c, const state *s, uint32_t flags, holt **db)
{
    holt_options o = history_open_options(c->history);
    o.flags = flags;
    return holt_open_on(s->machine, c->options->history.path, &o, db);
}

static bool must(crash *c, const state *s, holt_status rc, const char *call)
{
    verdict trial = VERDICT_INIT;
    return verdict_status(&trial, rc, HOLT_OK, "%s", call) || fail_state(c, s, trial.text);
}

/* With a key that no history uses. */
static bool write_something(crash *c, const state *s, holt *db)
{
    holt_collection *d;
    slice key = holt_str("\xfe\xff written after the crash"), value = holt_str("and read");
    char buffer[16];
    size_t size;
    bool good = must(c, s, holt_collection_open(db, "default", &d), "open of default after recovery");
    if (!good) return false;
    good = must(c, s, holt_put(d, NULL, key, value), "put after recovery") &&
           must(c, s, holt_flush(db), "flush after recovery") &&
           must(c, s, holt_get_into(d, NULL, key, buffer, sizeof buffer, &size), "get after recovery") &&
           must(c, s, holt_delete(d, NULL, key), "delete after recovery");
    holt_collection_close(d);
    return good;
}

/* The database remains usable, and reopening changes nothing. */
static bool use_and_reopen(crash *c, const state *s, holt **db, moment shown)
{
    if (!write_something(c, s, *db)) return false;
    holt_status rc = holt_close(*db);
    *db = NULL;
    if (!must(c, s, rc, "close after recovery")) return false;
    if (!must(c, s, open_state(c, s, 0, db), "second open")) return false;
    return compare_moment(c, *db, s, shown);
}

/* A read-only open shows what the next open will show. */
static bool look_read_only(crash *c, state *s)
{
    holt *db;
    moment shown;
    if (!must(c, s, open_state(c, s, HOLT_OPEN_READ_ONLY, &db), "read-only open")) return false;
    bool good = find_moment(c, db, s, &shown);
    if (good) s->floor = s->ceiling = shown;
    return must(c, s, holt_close(db), "close of a read-only database") && good;
}

/* ---------------------------------------------------------------- judging a state */

static bool judge(crash *c, state *s, rng *r);

static void count_state(crash *c, bool cut, const state *s)
{
    *(cut ? &c->counts->cuts : &c->counts->kills) += 1;
    if (s->depth && s->floor < s->ceiling) c->counts->in_recovery++;
    if (s->depth && s->floor == s->ceiling) c->counts->after_recovery++;
}

/* Takes a clone of a state's machine and judges it after a power cut. */
static bool judge_clone(crash *c, const state *of, os *clone, moment floor, moment ceiling, const char *when,
                        rng *r)
{
    state s = {clone, floor, floor, ceiling, of->depth + 1, ""};
    char form[80];
    cut_power(clone, r, form, sizeof form);
    snprintf(s.form, sizeof s.form, "%.120s, %s %s", of->form, when, form);
    count_state(c, true, &s);
    return judge(c, &s, r);
}

static void strike_hook(void *ctx, uint64_t call)
{
    strike *k = (strike *)ctx;
    (void)call;
    if (k->after-- == 1) k->clone = sim_clone(k->machine, k->seed);
}

/* Opens the database, finds which moment it shows, and compares everything. */
static bool judge_open(crash *c, state *s, holt **db, moment *shown, rng *r)
{
    if (c->started && rng_chance(r, 8) && !look_read_only(c, s)) return false;
    if (!must(c, s, open_state(c, s, 0, db), "holt_open")) {
        explain_directory(c, s);
        return false;
    }
    return find_moment(c, *db, s, shown);
}

static bool judge_struck(crash *c, const state *s, strike *k, rng *r)
{
    if (!k->clone) return true;
    return judge_clone(c, s, k->clone, s->power_floor, s->ceiling, "in recovery", r);
}

/* What holt_open has shown survives everything. */
static bool judge_recovered(crash *c, const state *s, moment shown, rng *r)
{
    if (s->depth == DEPTH_MAX || !rng_chance(r, 4)) return true;
    return judge_clone(c, s, sim_clone(s->machine, rng_next(r)), shown, shown, "then recovered,", r);
}

/* Opens the database on the state's machine, checks everything, and takes the machine down. */
static bool judge(crash *c, state *s, rng *r)
{
    holt *db = NULL;
    moment shown;
    state before = *s; /* look_read_only narrows s: a power cut during the recovery may still show anything */
    strike k = {s->machine, 1 + rng_below(r, 1 + rng_below(r, RECOVERY_CALLS)), rng_next(r), NULL};
    bool strikes = s->depth < DEPTH_MAX && rng_chance(r, 2);

    if (strikes) sim_on_io(s->machine, strike_hook, &k);
    bool good = judge_open(c, s, &db, &shown, r);
    sim_on_io(s->machine, NULL, NULL);

    good = good && judge_recovered(c, s, shown, r) && compare_moment(c, db, s, shown);
    if (good && rng_chance(r, 3)) good = use_and_reopen(c, s, &db, shown);
    if (db && !must(c, s, holt_close(db), "holt_close")) good = false;
    sim_destroy(s->machine);
    return good && judge_struck(c, &before, &k, r);
}

/* ---------------------------------------------------------------- crash points */

static moment larger(moment a, moment b)
{
    return a > b ? a : b;
}

/* The commits that a power cut now may not lose. */
static moment power_floor(const crash *c)
{
    const history_options *o = &c->options->history;
    moment floor = history_durable(c->history);
    if (o->durability != HOLT_INTERVAL || o->mixed) return floor;
    /* Twice the interval: what has waited for one may be in the sync that is running. */
    uint64_t now = os_clock_ns(c->machine), bound = 2 * (uint64_t)HISTORY_INTERVAL_MS * 1000 * 1000;
    return now < bound ? floor : larger(floor, history_acknowledged_by(c->history, now - bound));
}

static void strike_point(crash *c, rng *r)
{
    bool cut = !rng_chance(r, 4);
    moment durable = power_floor(c), acknowledged = history_acknowledged(c->history);
    state s = {sim_clone(c->machine, rng_next(r)),
               cut ? durable : acknowledged,
               durable,
               model_now(history_model(c->history)),
               0,
               "killed"};
    if (cut) cut_power(s.machine, r, s.form, sizeof s.form);
    c->counts->points++;
    count_state(c, cut, &s);
    if (!judge(c, &s, r))
        verdict_add(c->verdict, "  replay this point alone with HOLT_CRASH_AT=%llu\n",
                    (unsigned long long)c->call);
}

/* Chance depends only on seed and call, so that a point can be replayed without the others. */
static void point_rng(const crash *c, uint64_t call, rng *r)
{
    rng_seed(r, c->options->history.seed * UINT64_C(0x9e3779b97f4a7c15) + call);
}

static void on_io(void *ctx, uint64_t call)
{
    crash *c = (crash *)ctx;
    rng r;
    point_rng(c, call, &r);
    if (!c->armed || verdict_failed(c->verdict)) return;
    if (!rng_chance(&r, c->options->one_in)) return;
    if (c->options->only && c->options->only != call) return;
    if (epoch_inside()) {
        verdict_fail(c->verdict, "call %llu changes the disk in an epoch section", (unsigned long long)call);
        return;
    }

    /* The engine is in a call: its locks are held, and its last error must not be changed. */
    holt_error saved;
    status_save(&saved);
    uint64_t ranks = os_lock_ranks_take();
    c->call = call;
    strike_point(c, &r);
    os_lock_ranks_give(ranks);
    status_restore(&saved);
}

static bool run(crash *c)
{
    c->armed = c->options->steps_before == 0; /* then also while the database is made */
    if (!history_start(c->history)) return false;
    c->started = true;
    if (!history_steps(c->history, c->options->steps_before)) return false;
    c->armed = true;
    return history_steps(c->history, c->options->steps) && history_end(c->history);
}

bool crash_history(const crash_options *options, crash_counts *counts, verdict *v)
{
    sim_options machine = {.seed = options->history.seed};
    crash c = {.options = options, .counts = counts, .verdict = v, .machine = sim_create(&machine)};
    if (!c.machine) return verdict_fail(v, "sim_create: out of memory");
    history_options h = options->history;
    h.platform = c.machine;
    h.simulated = true;
    h.small = true;
    c.history = history_create(&h, v);

    sim_on_io(c.machine, on_io, &c);
    bool good = run(&c);
    sim_on_io(c.machine, NULL, NULL);
    if (!good) verdict_add(v, "\nlast steps:\n%s", history_trail(c.history));
    history_destroy(c.history);
    if (good) sim_destroy(c.machine); /* otherwise the database may still be open on it */
    return good;
}
