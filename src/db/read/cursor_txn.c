/* cursor_txn.c -- what a cursor in a read-write transaction does around its moves.
 *
 * Before a move it sees to it that the iterator shows what the transaction has written meanwhile: an iterator
 * over the write set must be positioned again after every change of it, and opened again if it was not there,
 * or after an undo (write_set.h). In HOLT_TXN_SERIALIZABLE, after a move, it notes the range of keys that the
 * move has read, so that the commit can check that nothing has been written there (read_set.h).
 */
#include "db/read/cursor.h"

#include "base/status.h"
#include "db/db.h"

#include <assert.h>

holt_status cursor_renew(holt_cursor *cur)
{
    cursor_read_state *st = cur->read_state;
    const write_set *w = &cur->txn->writes;
    size_t hint = 0;
    if (st->changes == w->changes) return HOLT_OK;
    bool has_own = write_set_collection(w, cur->collection->spec.id, &hint) != NULL;
    if (has_own != st->reads_own || st->undos != w->undos) {
        iterator *fresh;
        holt_status rc = cursor_open_iterator(cur, st, &fresh);
        if (rc != HOLT_OK) return rc;
        iterator_close(st->hold.iterator);
        st->hold.iterator = fresh;
    }
    st->changes = w->changes;
    cur->displaced = true;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- what was read */

static holt_status begin_range(holt_cursor *cur, slice lower, slice upper, bool includes_upper)
{
    const memtable_range bounds = {.lower = lower, .upper = upper, .includes_upper = includes_upper};
    holt_status rc = read_set_add_range(&cur->txn->reads, cur->collection, &bounds, &cur->range);
    return rc == HOLT_OK ? txn_charge_reads(cur->txn) : rc;
}

/* Before the move: the key of a seek may lie in what the move writes over. A seek that begins outside of the
 * cursor's range reads from the nearer end of it, or nothing. */
holt_status cursor_note_seek(holt_cursor *cur, cursor_move move, slice key)
{
    if (move != MOVE_SEEK && move != MOVE_SEEK_LAST) return HOLT_OK;
    cur->range = NULL;
    if (cursor_range_is_empty(cur)) return HOLT_OK;
    if (cursor_below_range(cur, key))
        return move == MOVE_SEEK ? begin_range(cur, cur->lower, cur->lower, true) : HOLT_OK;
    if (cursor_above_range(cur, key))
        return move == MOVE_SEEK ? HOLT_OK : begin_range(cur, cur->upper, cur->upper, false);
    if (!key.data) key = slice_of("", 0);
    return begin_range(cur, key, key, true);
}

/* Notes that everything has been read from where the range ends, or else from the end of the cursor's own
 * range, to where the cursor is. */
static holt_status note_forward(holt_cursor *cur)
{
    const bool on = cur->place == CURSOR_ON;
    const slice upto = on ? cur->key : cur->upper;
    if (!cur->range) return begin_range(cur, cur->lower, upto, on);
    holt_status rc = read_range_extend_up(&cur->txn->reads, cur->range, upto, on);
    return rc == HOLT_OK ? txn_charge_reads(cur->txn) : rc;
}

static holt_status note_backward(holt_cursor *cur)
{
    const slice downto = cur->place == CURSOR_ON ? cur->key : cur->lower;
    if (!cur->range) return begin_range(cur, downto, cur->upper, false);
    holt_status rc = read_range_extend_down(&cur->txn->reads, cur->range, downto);
    return rc == HOLT_OK ? txn_charge_reads(cur->txn) : rc;
}

holt_status cursor_note_read(holt_cursor *cur, cursor_move move, cursor_place before)
{
    if (cursor_range_is_empty(cur) || cur->place == CURSOR_FAILED) return HOLT_OK;
    switch (move) {
    case MOVE_FIRST:
        cur->range = NULL;
        return note_forward(cur);
    case MOVE_LAST:
        cur->range = NULL;
        return note_backward(cur);
    case MOVE_NEXT:
        if (before == CURSOR_AFTER || before == CURSOR_FAILED) return HOLT_OK;
        if (before != CURSOR_ON) cur->range = NULL;
        return note_forward(cur);
    case MOVE_PREV:
        if (before == CURSOR_BEFORE || before == CURSOR_FAILED) return HOLT_OK;
        if (before != CURSOR_ON) cur->range = NULL;
        return note_backward(cur);
    case MOVE_SEEK:
        return cur->range ? note_forward(cur) : HOLT_OK;
    case MOVE_SEEK_LAST:
        return cur->range ? note_backward(cur) : HOLT_OK;
    }
    return HOLT_OK;
}
