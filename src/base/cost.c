/* cost.c -- the bill of each thread's current call, and holt_last_cost. */
#include "base/cost.h"

THREAD_LOCAL_HOT cost_brief cost_mine;
static _Thread_local cost_sheet sheet;

cost_sheet *cost_sheet_mine(void)
{
    if (!(cost_mine.state & COST_SHEET)) memset(&sheet, 0, sizeof sheet);
    cost_mine.state |= COST_SHEET;
    return &sheet;
}

void cost_put_aside(cost_aside *out)
{
    out->brief = cost_mine;
    if (cost_mine.state & COST_SHEET) out->sheet = sheet;
    cost_begin(NULL);
}

void cost_put_back(const cost_aside *saved)
{
    cost_mine = saved->brief;
    if (cost_mine.state & COST_SHEET) sheet = saved->sheet;
}

static void fill(const cost_brief *b, const cost_sheet *s, holt_cost *out)
{
    *out = (holt_cost){.call = b->call ? b->call : "",
                       .blocks_cached = b->blocks_cached,
                       .tombstones_skipped = b->tombstones,
                       .memtables = b->memtables};
    if (!(b->state & COST_STEP)) {
        out->trees = b->trees;
        out->filter_checks = b->filter_checks;
        out->filter_negatives = b->filter_negatives;
        out->bytes_in = b->bytes_in;
        out->bytes_out = b->bytes_out;
        out->log_bytes = b->log_bytes;
    }
    if (!(b->state & COST_SHEET)) return;
    out->total_ns = s->total_ns;
    out->group_wait_ns = s->group_wait_ns;
    out->delay_ns = s->delay_ns;
    out->delay_causes = s->delay_causes;
    out->room_wait_ns = s->room_wait_ns;
    out->background_wait_ns = s->background_wait_ns;
    out->log_write_ns = s->log_write_ns;
    out->log_rotations = s->log_rotations;
    out->log_rotate_ns = s->log_rotate_ns;
    out->syncs = s->syncs;
    out->sync_ns = s->sync_ns;
    out->blocks_read = s->blocks_read;
    out->bytes_read = s->bytes_read;
    out->read_ns = s->read_ns;
}

void holt_last_cost(holt_cost *out, size_t out_size)
{
    if (!out) return;
    holt_cost cost;
    fill(&cost_mine, &sheet, &cost);
    size_t known = out_size < sizeof cost ? out_size : sizeof cost;
    memcpy(out, &cost, known);
    memset((char *)out + known, 0, out_size - known);
}
