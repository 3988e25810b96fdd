/* stress_race.c -- changes of the same names by all threads, and what is certain about them nevertheless. */
#include "support/stress/stress_race.h"

#include "os/os.h"
#include "support/stress/stress_txn.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- doing */

static bool fails(const racer *r, const operation_record *op, holt_status rc)
{
    char words[DEED_BYTES];
    return verdict_fail(&r->record->verdict, "thread %u: %s: %s (%s)", r->number,
                        describe_operation(op, true, words), holt_status_name(rc), holt_error_message());
}

static holt_status create(const racer *r, const operation_record *op)
{
    char name[STRESS_NAME_BYTES];
    holt_collection *c = NULL;
    holt_collection_options o = {.kind = op->kind};
    holt_status rc = holt_collection_create(r->db, race_name(op->name, name), &o, &c);
    holt_collection_close(c);
    return rc;
}

static holt_status rename_to(const racer *r, const operation_record *op)
{
    char from[STRESS_NAME_BYTES], to[STRESS_NAME_BYTES];
    return holt_collection_rename(r->db, race_name(op->name, from), race_name(op->to, to));
}

/* Clears it, or puts the thread's own key. */
static holt_status change_contents(const racer *r, const operation_record *op)
{
    char name[STRESS_NAME_BYTES], key[STRESS_KEY_BYTES];
    uint8_t value[STRESS_VALUE_BYTES];
    holt_collection *c = NULL;
    holt_status rc = holt_collection_open(r->db, race_name(op->name, name), &c);
    if (rc != HOLT_OK) return rc;
    if (op->deed == DEED_RACE_CLEAR)
        rc = holt_collection_clear(c);
    else
        rc = holt_put(c, NULL, stress_key(r->number, 0, key), stress_value(r->number, 0, op->n, value));
    holt_collection_close(c);
    return rc;
}

/* The sums that a thread gets grow, for nobody subtracts. */
static holt_status add_to_sum(const racer *r, const operation_record *op)
{
    int64_t sum = 0;
    holt_collection *c = NULL;
    holt_status rc = holt_collection_open(r->db, shared_names[op->place], &c);
    static const uint32_t flags[] = {0, HOLT_TXN_SERIALIZABLE};
    if (rc == HOLT_OK && op->n % 2)
        rc = holt_add(c, NULL, stress_sum_key, record_addend(op->n), &sum);
    else if (rc == HOLT_OK)
        rc = stress_txn_add(r->db, c, stress_sum_key, record_addend(op->n), flags[op->n / 2 % 2], &sum);
    holt_collection_close(c);
    if (rc == HOLT_OK && sum < r->record->sums[op->place] + record_addend(op->n))
        verdict_fail(&r->record->verdict, "thread %u: an add gives %lld, less than there was", r->number,
                     (long long)sum);
    return rc;
}

static holt_status do_it(const racer *r, const operation_record *op)
{
    char name[STRESS_NAME_BYTES];
    switch (op->deed) {
    case DEED_RACE_CREATE:
        return create(r, op);
    case DEED_RACE_DROP:
        return holt_collection_drop(r->db, race_name(op->name, name));
    case DEED_RACE_RENAME:
        return rename_to(r, op);
    case DEED_RACE_ADD:
        return add_to_sum(r, op);
    default:
        return change_contents(r, op);
    }
}

/* What another thread may have caused. */
static bool may_answer(const operation_record *op, holt_status rc)
{
    switch (rc) {
    case HOLT_OK:
        return true;
    case HOLT_EXISTS:
        return op->deed == DEED_RACE_CREATE || op->deed == DEED_RACE_RENAME;
    case HOLT_NOT_FOUND:
        return op->deed != DEED_RACE_CREATE && op->deed != DEED_RACE_ADD;
    case HOLT_CLOSED: /* dropped since it was opened */
        return op->deed == DEED_RACE_CLEAR || op->deed == DEED_RACE_PUT;
    case HOLT_BUSY:
        return op->deed == DEED_RACE_PUT || op->deed == DEED_RACE_ADD;
    default:
        return false;
    }
}

static operation_record any_operation(rng *random)
{
    static const deed some[] = {DEED_RACE_CREATE, DEED_RACE_CREATE, DEED_RACE_DROP, DEED_RACE_RENAME,
                                DEED_RACE_CLEAR,  DEED_RACE_PUT,    DEED_RACE_PUT,  DEED_RACE_PUT,
                                DEED_RACE_ADD,    DEED_RACE_ADD,    DEED_RACE_ADD,  DEED_RACE_ADD};
    operation_record op = {.deed = some[rng_below(random, sizeof some / sizeof *some)]};
    op.name = (uint8_t)rng_below(random, RACES);
    op.to = (uint8_t)((op.name + 1 + rng_below(random, RACES - 1)) % RACES);
    op.kind = rng_chance(random, 2) ? HOLT_LSM : HOLT_BTREE;
    op.place = (uint8_t)rng_below(random, SHARED);
    op.durability = HOLT_COMMIT;
    return op;
}

bool race_step(const racer *r, rng *random, unsigned *doubts)
{
    operation_record op = any_operation(random);
    operation_record *begun = record_begin(r->record, r->thread, &op, os_clock_ns(r->os));
    holt_status rc = do_it(r, begun);
    if (!may_answer(&op, rc) && !r->is_excused(r->ctx, rc)) return fails(r, begun, rc);
    outcome o = rc == HOLT_OK ? OUTCOME_DONE : rc == HOLT_IO ? OUTCOME_UNKNOWN : OUTCOME_NOT_DONE;
    *doubts += o == OUTCOME_UNKNOWN;
    record_end(r->record, r->thread, begun, o, os_clock_ns(r->os));
    return true;
}

/* ---------------------------------------------------------------- judging */

/* What is known of one name. */
typedef struct name_story {
    const operation_record *last; /* the acknowledged change that began last; NULL: none */
    uint64_t others_ended;        /* when the last of all others ended; UINT64_MAX: one is open */
    uint64_t cleared;             /* likewise of clears */
} name_story;

static bool is_open(const judgement *j, unsigned thread, uint32_t at)
{
    return j->moment.open[thread] && at + 1 == j->moment.counts[thread];
}

static bool changes_name(const operation_record *op, unsigned race)
{
    if (op->deed == DEED_RACE_CREATE || op->deed == DEED_RACE_DROP) return op->name == race;
    return op->deed == DEED_RACE_RENAME && (op->name == race || op->to == race);
}

static void raise(uint64_t *to, uint64_t ticket)
{
    if (ticket > *to) *to = ticket;
}

static void take_change(name_story *s, const operation_record *op, bool open)
{
    if (open) {
        s->others_ended = UINT64_MAX;
    } else if (op->outcome == OUTCOME_DONE && (!s->last || op->begun > s->last->begun)) {
        if (s->last) raise(&s->others_ended, s->last->ended);
        s->last = op;
    } else if (op->outcome != OUTCOME_NOT_DONE) {
        raise(&s->others_ended, op->ended);
    }
}

static void take_operation(name_story *s, unsigned race, const operation_record *op, bool open)
{
    bool clears = op->deed == DEED_RACE_CLEAR && (open || op->outcome != OUTCOME_NOT_DONE);
    if (changes_name(op, race)) take_change(s, op, open);
    /* A clear may have hit a collection that now has this name under another one. */
    if (clears) raise(&s->cleared, open ? UINT64_MAX : op->ended);
}

static name_story tell(const judgement *j, unsigned race)
{
    name_story s = {NULL, 0, 0};
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (uint32_t at = 0; at < j->moment.counts[thread]; at++)
            take_operation(&s, race, &j->record->threads[thread].operations[at], is_open(j, thread, at));
    return s;
}

/* The outcome is final: no other thread's change came during it or after it. */
static bool is_certain(const name_story *s)
{
    return s->others_ended < (s->last ? s->last->begun : 1);
}

static bool should_exist(const judgement *j, const name_story *s, unsigned race)
{
    if (!s->last) return j->record->race_exists[race];
    return s->last->deed == DEED_RACE_CREATE || (s->last->deed == DEED_RACE_RENAME && s->last->to == race);
}

static bool check_key(const judgement *j, holt_collection *c, unsigned thread, const operation_record *put,
                      verdict *v)
{
    char key[STRESS_KEY_BYTES], words[DEED_BYTES];
    holt_value value = HOLT_VALUE_INIT;
    holt_status rc = holt_get(c, NULL, stress_key(thread, 0, key), &value);
    uint32_t n = rc == HOLT_OK ? stress_value_parse(holt_bytes(value.data, value.size), thread, 0) : 0;
    holt_value_free(&value);
    if (n == put->n) return true;
    return verdict_fail(v, "after %s: thread %u: %s: a get gives %s, version %u", j->what, thread,
                        describe_operation(put, false, words), holt_status_name(rc), n);
}

/* The last put of each thread that was begun after the final change and the last clear, with none in doubt
 * after it. */
static bool check_contents(const judgement *j, holt_collection *c, const name_story *s, unsigned race,
                           verdict *v)
{
    uint64_t since = s->last ? s->last->ended : 0;
    if (s->cleared > since) since = s->cleared;
    bool good = true;
    for (unsigned thread = 0; thread < STRESS_THREADS && good; thread++) {
        const operation_record *last = NULL;
        for (uint32_t at = 0; at < j->moment.counts[thread]; at++) {
            const operation_record *op = &j->record->threads[thread].operations[at];
            if (op->deed != DEED_RACE_PUT || op->name != race || op->begun < since) continue;
            if (is_open(j, thread, at) || op->outcome == OUTCOME_UNKNOWN)
                last = NULL;
            else if (op->outcome == OUTCOME_DONE)
                last = op;
        }
        if (last) good = check_key(j, c, thread, last, v);
    }
    return good;
}

static bool fail_name(const judgement *j, const name_story *s, const char *name, bool exists, verdict *v)
{
    char words[DEED_BYTES];
    return verdict_fail(v, "after %s %s %s, though the last change of that name was %s", j->what, name,
                        exists ? "is there" : "is missing",
                        s->last ? describe_operation(s->last, false, words) : "in an earlier life");
}

static bool judge_name(const judgement *j, holt *db, unsigned race, verdict *v, bool keep)
{
    char name[STRESS_NAME_BYTES];
    holt_collection *c = NULL;
    holt_status rc = holt_collection_open(db, race_name(race, name), &c);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND)
        return verdict_status(v, rc, HOLT_OK, "after %s: open of %s", j->what, name);
    name_story s = tell(j, race);
    bool good = true;
    if (is_certain(&s) && should_exist(j, &s, race) != (rc == HOLT_OK))
        good = fail_name(j, &s, name, rc == HOLT_OK, v);
    else if (is_certain(&s) && rc == HOLT_OK)
        good = check_contents(j, c, &s, race, v);
    holt_collection_close(c);
    if (good && keep) j->record->race_exists[race] = rc == HOLT_OK;
    return good;
}

/* The sum is that of all adds that were acknowledged, all of them HOLT_COMMIT, and of some of those in
 * doubt. */
static bool judge_sum(const judgement *j, holt *db, uint8_t place, verdict *v, bool keep)
{
    holt_collection *c = NULL;
    char digits[24] = "";
    size_t size = 0;
    int64_t least = j->record->sums[place], most = least;
    for (unsigned thread = 0; thread < STRESS_THREADS; thread++)
        for (uint32_t at = 0; at < j->moment.counts[thread]; at++) {
            const operation_record *op = &j->record->threads[thread].operations[at];
            if (op->deed != DEED_RACE_ADD || op->place != place) continue;
            bool open = is_open(j, thread, at);
            if (!open && op->outcome == OUTCOME_DONE) least += record_addend(op->n);
            if (open || op->outcome != OUTCOME_NOT_DONE) most += record_addend(op->n);
        }
    holt_status rc = holt_collection_open(db, shared_names[place], &c);
    if (rc == HOLT_OK) rc = holt_get_into(c, NULL, stress_sum_key, digits, sizeof digits - 1, &size);
    holt_collection_close(c);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND)
        return verdict_status(v, rc, HOLT_OK, "after %s: get of the sum in %s", j->what, shared_names[place]);
    int64_t sum = strtoll(digits, NULL, 10);
    if (sum < least || sum > most)
        return verdict_fail(v, "after %s the sum in %s is %lld, and must be from %lld to %lld", j->what,
                            shared_names[place], (long long)sum, (long long)least, (long long)most);
    if (keep) j->record->sums[place] = sum;
    return true;
}

bool race_judge(const judgement *j, holt *db, verdict *v, bool keep)
{
    bool good = true;
    for (uint8_t place = 0; place < SHARED && good; place++)
        good = judge_sum(j, db, place, v, keep);
    for (unsigned race = 0; race < RACES && good; race++)
        good = judge_name(j, db, race, v, keep);
    return good;
}
