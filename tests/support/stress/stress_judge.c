/* stress_judge.c -- comparing a reopened database with the record. */
#include "support/stress/stress_judge.h"

#include "db/open/open.h"
#include "db/verify/verify.h"
#include "support/must.h"
#include "support/stress/stress_actor.h"
#include "support/stress/stress_race.h"

enum { DOUBTS_MAX = 4, TOLD = 12 };

/* What a database holds of one thread. */
typedef struct found {
    uint32_t shared[SHARED][SLOTS];
    bool exists[NAMES];
    uint8_t kinds[NAMES];
    uint32_t versions[NAMES][SLOTS];
} found;

typedef struct judge {
    const judgement *j;
    verdict *verdict;
    holt *db;
    found found[STRESS_THREADS];
    uint32_t must[STRESS_THREADS];    /* at least this many of a thread's operations must be there */
    uint32_t there[STRESS_THREADS];   /* at least this many are */
    uint32_t effects[STRESS_THREADS]; /* one bit for each of its operations in doubt: had an effect */
} judge;

static thread_record *thread_of(const judge *g, unsigned thread)
{
    return &g->j->record->threads[thread];
}

static bool is_open(const judge *g, unsigned thread, uint32_t at)
{
    return g->j->moment.open[thread] && at + 1 == g->j->moment.counts[thread];
}

static outcome outcome_at(const judge *g, unsigned thread, uint32_t at)
{
    return is_open(g, thread, at) ? OUTCOME_OPEN : thread_of(g, thread)->operations[at].outcome;
}

/* ---------------------------------------------------------------- reading the database */

static bool read_place(judge *g, const char *name, unsigned thread, uint32_t versions[SLOTS], uint8_t *kind)
{
    holt_collection *c;
    holt_status rc = holt_collection_open(g->db, name, &c);
    if (!verdict_status(g->verdict, rc, HOLT_OK, "after %s: open of %s", g->j->what, name)) return false;
    if (kind) *kind = (uint8_t)holt_collection_kind(c);
    bool good = stress_scan(c, NULL, thread, versions, g->verdict, &rc);
    holt_collection_close(c);
    return good ||
           (verdict_status(g->verdict, rc, HOLT_OK, "after %s: walk over %s", g->j->what, name) && false);
}

static bool read_shared(judge *g)
{
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (unsigned p = 0; p < SHARED; p++)
            if (!read_place(g, shared_names[p], thread, g->found[thread].shared[p], NULL)) return false;
    return true;
}

static bool read_named(judge *g, const char *name)
{
    unsigned thread, number;
    if (strncmp(name, "race", 4) == 0) return true; /* race_judge */
    if (strcmp(name, "default") == 0 || strcmp(name, shared_names[0]) == 0 ||
        strcmp(name, shared_names[1]) == 0)
        return true;
    if (!stress_name_parse(name, &thread, &number))
        return verdict_fail(g->verdict, "after %s: there is a collection \"%s\"", g->j->what, name);
    found *f = &g->found[thread];
    f->exists[number] = true;
    return read_place(g, name, thread, f->versions[number], &f->kinds[number]);
}

static bool read_all(judge *g)
{
    char **names;
    size_t count;
    holt_status rc = holt_collection_list(g->db, &names, &count);
    if (!verdict_status(g->verdict, rc, HOLT_OK, "after %s: list", g->j->what)) return false;
    bool good = read_shared(g);
    for (size_t i = 0; i < count && good; i++)
        good = read_named(g, names[i]);
    holt_free(names);
    return good;
}

/* ---------------------------------------------------------------- comparing */

static const holding *named(const holdings *h, unsigned name)
{
    for (unsigned p = SHARED; p < STRESS_PLACES; p++)
        if (h->places[p].exists && h->places[p].name == name) return &h->places[p];
    return NULL;
}

static bool name_matches(const found *f, const holdings *h, unsigned name)
{
    const holding *own = named(h, name);
    if (!own || !f->exists[name]) return !own && !f->exists[name];
    return own->kind == f->kinds[name] && memcmp(own->versions, f->versions[name], sizeof own->versions) == 0;
}

static bool matches(const found *f, const holdings *h)
{
    for (unsigned p = 0; p < SHARED; p++)
        if (memcmp(h->places[p].versions, f->shared[p], sizeof f->shared[p]) != 0) return false;
    for (unsigned name = 0; name < NAMES; name++)
        if (!name_matches(f, h, name)) return false;
    return true;
}

/* The operation's effect, if it had one. doubt: counts the operations in doubt, whose bits are in
 * `effects`. */
static void advance(const judge *g, unsigned thread, uint32_t at, uint32_t effects, unsigned *doubt,
                    holdings *h)
{
    outcome o = outcome_at(g, thread, at);
    bool doubtful = o == OUTCOME_OPEN || o == OUTCOME_UNKNOWN;
    bool effect = doubtful ? effects >> *doubt & 1 : o == OUTCOME_DONE;
    if (doubtful) ++*doubt;
    if (effect) holdings_apply(h, &thread_of(g, thread)->operations[at]);
}

/* The smallest number of operations, not below `least`, after which the thread's holdings are what was
 * found. */
static bool find_with(const judge *g, unsigned thread, uint32_t least, uint32_t effects, uint32_t *count)
{
    holdings h = thread_of(g, thread)->base;
    unsigned doubt = 0;
    for (uint32_t at = 0;; at++) {
        if (at >= least && matches(&g->found[thread], &h)) {
            *count = at;
            return true;
        }
        if (at == g->j->moment.counts[thread]) return false;
        advance(g, thread, at, effects, &doubt, &h);
    }
}

static unsigned count_doubts(const judge *g, unsigned thread)
{
    unsigned doubts = 0;
    for (uint32_t at = 0; at < g->j->moment.counts[thread]; at++) {
        outcome o = outcome_at(g, thread, at);
        doubts += o == OUTCOME_OPEN || o == OUTCOME_UNKNOWN;
    }
    return doubts < DOUBTS_MAX ? doubts : DOUBTS_MAX;
}

static bool find(judge *g, unsigned thread)
{
    uint32_t best = UINT32_MAX, count;
    for (uint32_t effects = 0; effects < 1u << count_doubts(g, thread); effects++)
        if (find_with(g, thread, g->must[thread], effects, &count) && count < best) {
            best = count;
            g->effects[thread] = effects;
        }
    g->there[thread] = best;
    return best != UINT32_MAX;
}

/* ---------------------------------------------------------------- what must be there */

static bool is_durable(const operation_record *op)
{
    return op->deed != DEED_WRITE || op->durability == HOLT_COMMIT;
}

/* All of a thread's operations that were acknowledged before this ticket must be there. */
static void need_before(judge *g, uint64_t ticket)
{
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++) {
        const thread_record *t = thread_of(g, thread);
        uint32_t count = g->j->moment.counts[thread] - g->j->moment.open[thread];
        while (count > g->must[thread] && t->operations[count - 1].ended >= ticket)
            count--;
        if (count > g->must[thread]) g->must[thread] = count;
    }
}

static void need_durable(judge *g)
{
    uint64_t newest = 0;
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (uint32_t at = 0; at < g->j->moment.counts[thread]; at++) {
            const operation_record *op = &thread_of(g, thread)->operations[at];
            if (outcome_at(g, thread, at) != OUTCOME_DONE || !is_durable(op)) continue;
            g->must[thread] = at + 1;
            if (op->begun > newest) newest = op->begun;
        }
    need_before(g, newest);
}

/* When the last of the acknowledged HOLT_INTERVAL commits began. */
static uint64_t newest_interval_begin(const judge *g)
{
    uint64_t newest = 0;
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (uint32_t at = 0; at < g->j->moment.counts[thread]; at++) {
            const operation_record *op = &thread_of(g, thread)->operations[at];
            bool counts = outcome_at(g, thread, at) == OUTCOME_DONE && op->deed == DEED_WRITE &&
                          op->durability == HOLT_INTERVAL;
            if (counts && op->begun_ns > newest) newest = op->begun_ns;
        }
    return newest;
}

/* HOLT_INTERVAL commits that were acknowledged no later than this moment must be there. */
static void need_interval(judge *g, uint64_t ns)
{
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (uint32_t at = g->must[thread]; at < g->j->moment.counts[thread]; at++) {
            const operation_record *op = &thread_of(g, thread)->operations[at];
            bool counts = outcome_at(g, thread, at) == OUTCOME_DONE && op->deed == DEED_WRITE &&
                          op->durability == HOLT_INTERVAL;
            if (counts && op->ended_ns <= ns) g->must[thread] = at + 1;
        }
}

static void need_all(judge *g)
{
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        g->must[thread] = g->j->moment.counts[thread];
}

static void find_needs(judge *g)
{
    if (!g->j->cut) {
        need_all(g);
        return;
    }
    need_durable(g);
    uint64_t newest = newest_interval_begin(g);
    if (g->j->interval_ns && newest > g->j->interval_ns) need_interval(g, newest - g->j->interval_ns);
    if (g->j->interval_all_ns) need_interval(g, g->j->interval_all_ns);
}

/* ---------------------------------------------------------------- saying what is wrong */

static void say_slots(judge *g, const char *where, const uint32_t expected[SLOTS], const uint32_t got[SLOTS])
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (expected[slot] != got[slot])
            verdict_add(g->verdict, "\n    %.20s: key %u has version %u, expected %u", where, slot, got[slot],
                        expected[slot]);
}

static void say_name(judge *g, unsigned thread, const holdings *h, unsigned name)
{
    char words[STRESS_NAME_BYTES];
    const found *f = &g->found[thread];
    const holding *own = named(h, name);
    if (name_matches(f, h, name)) return;
    stress_name(thread, name, words);
    if (own && f->exists[name])
        say_slots(g, words, own->versions, f->versions[name]);
    else
        verdict_add(g->verdict, "\n    %.20s: %s", words, own ? "is missing" : "is there, and should not be");
    if (own && f->exists[name] && own->kind != f->kinds[name])
        verdict_add(g->verdict, "\n    %.20s: kind %u, expected %u", words, f->kinds[name], own->kind);
}

/* How the entries found differ from the holdings after all that must be there, and the operations before and
 * after. */
static void explain(judge *g, unsigned thread)
{
    char words[DEED_BYTES];
    const thread_record *t = thread_of(g, thread);
    holdings h = t->base;
    unsigned doubt = 0;
    for (uint32_t at = 0; at < g->must[thread]; at++)
        advance(g, thread, at, 0, &doubt, &h);
    for (unsigned p = 0; p < SHARED; p++)
        say_slots(g, shared_names[p], h.places[p].versions, g->found[thread].shared[p]);
    for (unsigned name = 0; name < NAMES; name++)
        say_name(g, thread, &h, name);
    uint32_t from = g->must[thread] > TOLD ? g->must[thread] - TOLD : 0;
    for (uint32_t at = from; at < g->j->moment.counts[thread] && at < g->must[thread] + TOLD / 2; at++)
        verdict_add(g->verdict, "\n    %s%s", at == g->must[thread] ? "not surely there: " : "",
                    describe_operation(&t->operations[at], is_open(g, thread, at), words));
    /* And all changes of the catalog, which may be far back. */
    for (uint32_t at = 0; at < from; at++)
        if (t->operations[at].deed != DEED_WRITE && t->operations[at].deed != DEED_SYNC)
            verdict_add(g->verdict, "\n    earlier: %s",
                        describe_operation(&t->operations[at], false, words));
}

static bool fail_thread(judge *g, unsigned thread)
{
    verdict_fail(
        g->verdict,
        "after %s the holdings of thread %u are not those after any number of its operations, the first %u "
        "at least of %u. Against those after %u:",
        g->j->what, thread, g->must[thread], g->j->moment.counts[thread], g->must[thread]);
    explain(g, thread);
    return false;
}

/* ---------------------------------------------------------------- the judgement */

/* The last of the first `there` operations that had an effect: its ticket, or 0. */
static uint64_t last_effect(const judge *g, unsigned thread)
{
    uint64_t begun = 0;
    unsigned doubt = 0;
    for (uint32_t at = 0; at < g->there[thread]; at++) {
        outcome o = outcome_at(g, thread, at);
        bool doubtful = o == OUTCOME_OPEN || o == OUTCOME_UNKNOWN;
        bool effect = doubtful ? g->effects[thread] >> doubt & 1 : o == OUTCOME_DONE;
        doubt += doubtful;
        if (effect) begun = thread_of(g, thread)->operations[at].begun;
    }
    return begun;
}

/* Everything before an operation that is there must be there too, until nothing more follows. */
static bool find_all(judge *g)
{
    for (bool more = true; more;) {
        uint32_t before[STRESS_THREADS];
        uint64_t newest = 0;
        memcpy(before, g->must, sizeof before);
        for (unsigned thread = 0; thread < STRESS_THREADS; thread++) {
            if (!find(g, thread)) return fail_thread(g, thread);
            uint64_t last = last_effect(g, thread);
            if (last > newest) newest = last;
        }
        need_before(g, newest);
        more = memcmp(before, g->must, sizeof before) != 0;
    }
    return true;
}

static void keep_holdings(judge *g)
{
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++) {
        holdings *h = &thread_of(g, thread)->base;
        unsigned doubt = 0;
        for (uint32_t at = 0; at < g->there[thread]; at++)
            advance(g, thread, at, g->effects[thread], &doubt, h);
        for (unsigned p = 0; p < STRESS_PLACES; p++)
            h->places[p].pristine = false; /* what was lost may have left marks */
    }
}

static void tell_problem(void *ctx, const holt_error *problem)
{
    verdict_add((verdict *)ctx, "verify: %s\n", problem->message);
}

static bool verify(judge *g, os *o, const char *path, const char *when)
{
    holt_verify_options options = {.problem = tell_problem, .ctx = g->verdict};
    holt_status rc = holt_verify_on(o, path, &options, NULL, 0);
    return verdict_status(g->verdict, rc, HOLT_OK, "after %s: verification %s", g->j->what, when);
}

static bool open_and_compare(judge *g, os *o, const char *path, bool keep)
{
    holt_options options = {.memory_bytes = 16 << 20, .memtable_bytes = 64 << 10};
    holt_status rc = holt_open_on(o, path, &options, &g->db);
    if (!verdict_status(g->verdict, rc, HOLT_OK, "after %s: open", g->j->what)) return false;
    bool good = read_all(g);
    if (good) find_needs(g);
    good = good && find_all(g) && race_judge(g->j, g->db, g->verdict, keep);
    if (good && keep) keep_holdings(g);
    rc = holt_close(g->db);
    return verdict_status(g->verdict, rc, HOLT_OK, "after %s: close", g->j->what) && good;
}

bool stress_judge(const judgement *j, os *o, const char *path, bool keep)
{
    judge *g = (judge *)must_alloc(sizeof *g);
    g->j = j;
    g->verdict = &j->record->verdict;
    bool good = verify(g, o, path, "before opening") && open_and_compare(g, o, path, keep) &&
                verify(g, o, path, "after closing");
    free(g);
    return good;
}
