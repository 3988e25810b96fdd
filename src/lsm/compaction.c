#include "lsm/compaction.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/lsm_internal.h"
#include "lsm/trivial_move.h"
#include "tree/read/merge.h"

#include <assert.h>

/* ---------------------------------------------------------------- choosing */

/* Level by size: each is eight times the one above it. */
uint32_t lsm_level_of(uint64_t bytes, uint64_t level_bytes)
{
    uint32_t level = 1;
    for (uint64_t limit = level_bytes * 8; bytes > limit && level < 8; limit *= 8)
        level++;
    return level;
}

/* How many of the newest runs belong together: each next one is at most twice what is gathered so far. */
static size_t similar_runs(const lsm_tree *t)
{
    size_t count = 1;
    uint64_t bytes = t->runs[0]->info.bytes;
    while (count < t->count && t->runs[count]->info.bytes <= bytes * 2)
        bytes += t->runs[count++]->info.bytes;
    return count;
}

/* How many of the newest `count` runs have no more bytes than that together. */
static size_t fitting_runs(const lsm_tree *t, size_t count, uint64_t bytes_max, uint64_t *bytes)
{
    size_t fitting = 0;
    *bytes = 0;
    for (; fitting < count && t->runs[fitting]->info.bytes <= bytes_max - *bytes; fitting++)
        *bytes += t->runs[fitting]->info.bytes;
    return fitting;
}

/* How many of the newest runs are to be merged; 0: none. */
static size_t wanted_runs(const lsm_tree *t, lsm_want want)
{
    size_t count = similar_runs(t);
    bool wanted = count >= LSM_RUNS_TRIGGER;
    if (t->count > LSM_RUNS_MAX && !wanted) {
        wanted = true;
        if (count < 2) count = 2;
    }
    if (want == LSM_WANT_FEW_RUNS && !wanted) {
        wanted = t->count > 1;
        count = t->count;
    }
    if (want == LSM_WANT_ALL) {
        wanted = t->count > 1 || t->runs[0]->info.tombstones > 0;
        count = t->count;
    }
    return wanted ? count : 0;
}

bool lsm_pick_merge(const lsm_tree *t, lsm_want want, uint64_t level_bytes, uint64_t bytes_max, lsm_pick *out)
{
    size_t wanted = t->count ? wanted_runs(t, want) : 0;
    out->first = 0;
    out->count = fitting_runs(t, wanted, bytes_max, &out->bytes);
    out->level = lsm_level_of(out->bytes, level_bytes);
    return out->count == wanted ? wanted > 0 : out->count > 1;
}

/* ---------------------------------------------------------------- merging */

struct lsm_merge {
    lsm_tree *tree; /* held */
    size_t first;   /* of its runs */
    uint64_t *newest_seqnos;
    size_t count;
    uint32_t level;
    bool drop_tombstones;
    bool finished;
    lsm_run *moved; /* the output, when nothing needs to be rewritten */
    iterator *input;
    lsm_run_writer *output;
    slice end; /* the first key behind all of the input; owned */
    uint64_t bytes_read;
};

static holt_status open_inputs(lsm_merge *m, const lsm_pick *pick)
{
    tree_iterator_options options = {.bypass_cache = true, .read_ahead = true};
    m->newest_seqnos = mem_alloc(pick->count * sizeof *m->newest_seqnos);
    iterator **children = mem_alloc_zero(pick->count, sizeof *children);
    holt_status rc =
        m->newest_seqnos && children ? HOLT_OK : status_no_memory(pick->count * sizeof *children);
    for (; m->count < pick->count && rc == HOLT_OK; m->count++) {
        const lsm_run *run = m->tree->runs[pick->first + m->count];
        m->newest_seqnos[m->count] = run->info.newest_seqno;
        rc = lsm_run_iterator_open(run, &options, &children[m->count]);
    }
    if (rc == HOLT_OK) return merge_open(children, m->count, &m->input);
    for (size_t i = 0; children && i < m->count; i++)
        iterator_close(children[i]);
    mem_free(children);
    return rc;
}

static holt_status move_inputs(lsm_merge *m, const lsm_pick *pick)
{
    m->newest_seqnos = mem_alloc(pick->count * sizeof *m->newest_seqnos);
    if (!m->newest_seqnos) return status_no_memory(pick->count * sizeof *m->newest_seqnos);
    for (; m->count < pick->count; m->count++)
        m->newest_seqnos[m->count] = m->tree->runs[pick->first + m->count]->info.newest_seqno;
    return lsm_trivial_move(m->tree, pick, &m->moved);
}

/* The last key is looked up first: the output's last part ends just behind it, so that later runs may be
 * joined to it. */
static holt_status begin_input(lsm_merge *m)
{
    iterator *in = m->input;
    in->ops->last(in);
    if (in->valid) {
        m->end.size = in->key.size + 1;
        m->end.data = mem_alloc(m->end.size);
        if (!m->end.data) return status_no_memory(m->end.size);
        bytes_copy((void *)m->end.data, in->key.data, in->key.size);
        ((uint8_t *)m->end.data)[in->key.size] = 0;
    }
    if (in->status == HOLT_OK) in->ops->first(in);
    return in->status;
}

holt_status lsm_merge_open(lsm_merge **out, lsm_tree *t, const lsm_pick *pick,
                           const lsm_merge_options *options)
{
    *out = NULL;
    assert(pick->count > 0 && pick->first + pick->count <= t->count);
    lsm_merge *m = mem_alloc_zero(1, sizeof *m);
    if (!m) return status_no_memory(sizeof *m);
    m->tree = lsm_tree_ref(t);
    m->first = pick->first;
    m->level = pick->level;
    m->drop_tombstones = pick->first + pick->count == t->count;
    bool moves = lsm_trivial_move_possible(t, pick, options->move_bytes_min);
    holt_status rc = lsm_run_writer_create(&m->output, &options->output);
    if (rc == HOLT_OK) rc = moves ? move_inputs(m, pick) : open_inputs(m, pick);
    if (rc == HOLT_OK && !moves) rc = begin_input(m);
    if (rc == HOLT_OK) {
        *out = m;
        return HOLT_OK;
    }
    lsm_merge_destroy(m);
    return rc;
}

void lsm_merge_destroy(lsm_merge *m)
{
    if (!m) return;
    iterator_close(m->input);
    lsm_run_writer_destroy(m->output);
    mem_free((void *)m->end.data);
    mem_free(m->newest_seqnos);
    lsm_run_unref(m->moved);
    lsm_tree_unref(m->tree);
    mem_free(m);
}

static holt_status take_entry(lsm_merge *m)
{
    iterator *in = m->input;
    if (in->op == ENTRY_DELETE && m->drop_tombstones) return HOLT_OK;
    holt_status rc = in->value_pending ? in->ops->load_value(in) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    return lsm_run_writer_add(m->output, in->key, in->op, in->value, in->expires_at_ms);
}

holt_status lsm_merge_step(lsm_merge *m, uint64_t bytes, bool *done)
{
    iterator *in = m->input;
    *done = m->finished = m->moved != NULL;
    if (m->moved) return HOLT_OK;
    for (uint64_t taken = 0; in->valid && taken < bytes;) {
        holt_status rc = take_entry(m);
        if (rc != HOLT_OK) return rc;
        taken += in->key.size + in->value.size + 16;
        m->bytes_read += in->key.size + in->value.size;
        in->ops->next(in);
    }
    if (in->status != HOLT_OK) return in->status;
    if (in->valid) return HOLT_OK;
    holt_status rc = lsm_run_writer_end(m->output, m->end);
    m->finished = *done = rc == HOLT_OK;
    return rc;
}

holt_status lsm_merge_output(lsm_merge *m, lsm_run **out)
{
    *out = NULL;
    assert(m->finished);
    if (!m->moved) return lsm_run_writer_take(m->output, m->newest_seqnos[0], m->level, out);
    *out = lsm_run_ref(m->moved);
    return HOLT_OK;
}

static bool has_run(const lsm_tree *t, const lsm_run *run)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->runs[i] == run) return true;
    return false;
}

bool lsm_merge_applies(const lsm_merge *m, const lsm_tree *t)
{
    for (size_t i = 0; i < m->count; i++)
        if (!has_run(t, m->tree->runs[m->first + i])) return false;
    return true;
}

const uint64_t *lsm_merge_inputs(const lsm_merge *m, size_t *count)
{
    *count = m->count;
    return m->newest_seqnos;
}

uint64_t lsm_merge_bytes_read(const lsm_merge *m)
{
    return m->bytes_read;
}

uint64_t lsm_merge_bytes_written(const lsm_merge *m)
{
    return lsm_run_writer_bytes(m->output);
}
