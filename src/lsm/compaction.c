/* compaction.c -- the two algorithms of compaction.h: picking a merge, and making it. */
#include "lsm/compaction.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/lsm_internal.h"
#include "lsm/trivial_move.h"
#include "tree/read/merge.h"

#include <assert.h>

/* ---------------------------------------------------------------- picking */

uint32_t lsm_level_of(uint64_t bytes, uint64_t level_bytes)
{
    uint32_t level = 1;
    for (uint64_t limit = level_bytes * 8; bytes > limit && level < 8; limit *= 8)
        level++;
    return level;
}

/* Step 1: how many of the newest runs are of similar size. */
static size_t similar_runs(const lsm_tree *t)
{
    size_t count = 1;
    uint64_t bytes = t->runs[0]->info.bytes;
    while (count < t->count && t->runs[count]->info.bytes <= bytes * 2)
        bytes += t->runs[count++]->info.bytes;
    return count;
}

static bool has_deletes(const lsm_run_info *info)
{
    return info->tombstones > 0 || info->gaps > 0;
}

/* Step 2: how many of the newest runs should be merged if the disk had room for all; 0: none. */
static size_t wanted_runs(const lsm_tree *t, lsm_want want)
{
    if (t->count == 0) return 0;
    const bool several = t->count > 1;
    if (want == LSM_WANT_ALL) return several || has_deletes(&t->runs[0]->info) ? t->count : 0;
    const size_t similar = similar_runs(t);
    if (similar >= LSM_RUNS_TRIGGER) return similar;
    if (t->count > LSM_RUNS_MAX) return similar > 2 ? similar : 2;
    return want == LSM_WANT_FEW_RUNS && several ? t->count : 0;
}

bool lsm_pick_merge(const lsm_tree *t, lsm_want want, uint64_t level_bytes, uint64_t bytes_max, lsm_pick *out)
{
    const size_t wanted = wanted_runs(t, want);
    size_t count = 0;
    uint64_t bytes = 0;
    for (; count < wanted && t->runs[count]->info.bytes <= bytes_max - bytes; count++)
        bytes += t->runs[count]->info.bytes;
    *out = (lsm_pick){.count = count, .bytes = bytes, .level = lsm_level_of(bytes, level_bytes)};
    return count == wanted ? wanted > 0 : count > 1;
}

uint64_t lsm_expiry_due_ms(const lsm_tree *t)
{
    if (t->count != 1) return UINT64_MAX;
    const lsm_run_info *info = &t->runs[0]->info;
    return expiry_summary_due_ms(&info->expiry, info->entries, info->bytes);
}

bool lsm_pick_expired(const lsm_tree *t, lsm_want want, uint64_t time_ms, uint64_t level_bytes,
                      uint64_t bytes_max, lsm_pick *out)
{
    if (t->count != 1 || want == LSM_WANT_BOUND) return false;
    const lsm_run_info *info = &t->runs[0]->info;
    const bool some = info->expiry.entries > 0 && info->expiry.first_ms <= time_ms;
    if (!some || (want == LSM_WANT_FEW_RUNS && lsm_expiry_due_ms(t) > time_ms)) return false;
    *out = (lsm_pick){.count = 1, .bytes = info->bytes, .level = lsm_level_of(info->bytes, level_bytes)};
    return info->bytes <= bytes_max;
}

/* ---------------------------------------------------------------- merging */

struct lsm_merge {
    lsm_tree *tree;          /* a reference */
    size_t first, count;     /* the inputs among its runs */
    uint64_t *newest_seqnos; /* of the inputs */
    uint32_t level;          /* of the output */
    bool drop_tombstones;    /* and deleted gaps */
    uint64_t time_ms;
    bool finished;
    lsm_run *moved; /* the output of a trivial move; NULL: the inputs are rewritten */
    iterator *input;
    lsm_run_writer *output;
    slice end; /* the smallest key after all of the input; owned */
    uint64_t bytes_read;
};

static holt_status list_inputs(lsm_merge *m)
{
    m->newest_seqnos = mem_alloc(m->count * sizeof *m->newest_seqnos);
    if (!m->newest_seqnos) return status_no_memory(m->count * sizeof *m->newest_seqnos);
    for (size_t i = 0; i < m->count; i++)
        m->newest_seqnos[i] = m->tree->runs[m->first + i]->info.newest_seqno;
    return HOLT_OK;
}

static holt_status open_inputs(lsm_merge *m)
{
    tree_iterator_options options = {.bypass_cache = true, .read_ahead = true};
    iterator **children = mem_alloc_zero(m->count, sizeof *children);
    if (!children) return status_no_memory(m->count * sizeof *children);
    holt_status rc = HOLT_OK;
    size_t opened = 0;
    for (; opened < m->count && rc == HOLT_OK; opened++)
        rc = lsm_run_iterator_open(m->tree->runs[m->first + opened], &options, &children[opened]);
    if (rc == HOLT_OK) return merge_open(children, opened, &m->input);
    while (opened > 0)
        iterator_close(children[--opened]);
    mem_free(children);
    return rc;
}

/* Reads the last key before the first: the last file range of the output ends right after it, so that later
 * runs with larger keys do not overlap this one and can be moved. */
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
    m->count = pick->count;
    m->level = pick->level;
    m->time_ms = options->time_ms;
    m->drop_tombstones = pick->first + pick->count == t->count;
    holt_status rc = lsm_run_writer_create(&m->output, &options->output);
    if (rc == HOLT_OK) rc = list_inputs(m);
    if (rc == HOLT_OK && lsm_trivial_move_possible(t, pick, options->move_bytes_min)) {
        rc = lsm_trivial_move(t, pick, &m->moved);
    } else if (rc == HOLT_OK) {
        rc = open_inputs(m);
        if (rc == HOLT_OK) rc = begin_input(m);
    }
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

static holt_status copy_entry(lsm_merge *m)
{
    iterator *in = m->input;
    const uint8_t op = entry_op_at(in->op, in->expires_at_ms, m->time_ms);
    if (entry_op_is_empty(op) && m->drop_tombstones) return HOLT_OK;
    if (in->gap_before && !m->drop_tombstones) lsm_run_writer_delete_gap(m->output);
    if (entry_op_is_empty(op)) return lsm_run_writer_add(m->output, in->key, op, slice_of(NULL, 0), 0);
    holt_status rc = in->value_pending ? in->ops->load_value(in) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    return lsm_run_writer_add(m->output, in->key, op, in->value, in->expires_at_ms);
}

holt_status lsm_merge_step(lsm_merge *m, uint64_t bytes, bool *done)
{
    iterator *in = m->input;
    *done = m->finished = m->moved != NULL;
    if (m->moved) return HOLT_OK;
    for (uint64_t taken = 0; in->valid && taken < bytes;) {
        holt_status rc = copy_entry(m);
        if (rc != HOLT_OK) return rc;
        taken += in->key.size + in->value.size + 16;
        m->bytes_read += in->key.size + in->value.size;
        in->ops->next(in);
    }
    if (in->status != HOLT_OK) return in->status;
    if (in->valid) return HOLT_OK;
    if (in->gap_before && !m->drop_tombstones) lsm_run_writer_delete_gap(m->output);
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

bool lsm_merge_applies(const lsm_merge *m, const lsm_tree *t)
{
    for (size_t i = 0; i < m->count; i++)
        if (!lsm_tree_has(t, m->tree->runs[m->first + i])) return false;
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
