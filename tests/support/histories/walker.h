/* walker.h -- a cursor and what it should show, moved together.
 *
 * The model's side knows only the rules of holt.h: it looks through all keys for the nearest one that is in
 * the range, so it shares no cleverness with the engine (no successor of a prefix, no clamping).
 *
 *     FRESH: next = first, prev = last        BEFORE_START <-- first .. last --> PAST_END
 */
#ifndef HOLT_TESTS_WALKER_H
#define HOLT_TESTS_WALKER_H

#include "support/histories/model.h"
#include "support/histories/verdict.h"

typedef enum walker_move {
    WALK_FIRST,
    WALK_LAST,
    WALK_NEXT,
    WALK_PREV,
    WALK_SEEK,
    WALK_SEEK_LAST,
    WALK_MOVES
} walker_move;

/* A range as holt_cursor_options has it; {NULL, 0} = open. */
typedef struct walker_range {
    slice lower, upper, prefix;
    bool keys_only;
} walker_range;

/* What a transaction has written so far: of the writes of one key the last one counts. */
typedef struct walker_overlay {
    model_write *writes; /* their keys stay in place */
    size_t count, capacity;
} walker_overlay;

typedef struct walker {
    holt_cursor *cursor;
    const model *model;
    const walker_overlay *overlay; /* over the model; NULL: none. It may change between moves */
    size_t collection;
    moment at;
    walker_range range; /* its bytes are the walker's */
    enum { WALKER_FRESH, WALKER_ON, WALKER_PAST_END, WALKER_BEFORE_START } state;
    slice key; /* WALKER_ON: the model's bytes */
    char trail[64]; /* the last moves, a letter each, for messages */
} walker;

/* What the transaction sees of a key. overlay may be NULL. */
model_value walker_value(const model *m, const walker_overlay *overlay, size_t collection, moment at,
                         slice key);
/* Whether the key is in the range of the cursor. */
bool walker_covers(const walker *w, slice key);

/* Opens the cursor, and with it the walker, without overlay. t may be NULL. */
bool walker_open(walker *w, holt_collection *c, holt_txn *t, const walker_range *range, const model *m,
                 size_t collection, moment at, verdict *v);
/* Makes one move and compares everything that can be seen. `key` is for the seeks. */
bool walker_step(walker *w, walker_move move, slice key, verdict *v);
/* Compares what holt_get_first of the range, without a prefix, returns with what the first move of a cursor
 * should show. No cursor is needed: the caller has set model, overlay, collection, at and range, and finds
 * afterwards the state and the key of that move. *rc: what it returned. HOLT_BUSY, of a transaction, is for
 * the caller to judge. */
bool walker_get_first(walker *w, holt_collection *c, holt_txn *t, holt_status *rc, verdict *v);
/* holt_cursor_refresh: from now on it shows `at`. */
bool walker_refresh(walker *w, moment at, verdict *v);
/* Closes the cursor; `expected` is the error that it is in. */
bool walker_close(walker *w, holt_status expected, verdict *v);

#endif
