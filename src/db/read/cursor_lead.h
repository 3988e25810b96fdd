/* cursor_lead.h -- the one child of a cursor's merge that is ahead of all others.
 *
 * A cursor that can be revoked enters its snapshot for a move, asks a merge, and copies the entry that it
 * shows (snapshot.h). But where memtables have few entries, most steps lead from an entry of the tree to the
 * next one of the same tree. The cursor holds the tree itself, and needs the snapshot only to know that it is
 * kept. So the cursor steps the tree's iterator directly until it comes to the next key of any other child,
 * the limit, and shows its entries where they are:
 *
 *     the tree    a  b  c  d  e  f  g           the cursor is at a, and its lead goes as far as f; the step
 *     a memtable                     g          to g resumes the merge
 *
 * The limit is a copy, because a key of a memtable may be gone by the time that it is compared. A step within
 * the lead still looks at whether the snapshot is kept. A cursor of a transaction has no lead, as writes of
 * the transaction could come between; nor has one in a database with a maximum age of readers, as its tree
 * could be taken from it.
 *
 * Where leads are short, or there are none, the cursor reads ahead instead (cursor_ahead.h), and looks for a
 * lead again when it has shown what it has read.
 *
 * Concurrency  that of the cursor.
 */
#ifndef HOLT_DB_READ_CURSOR_LEAD_H
#define HOLT_DB_READ_CURSOR_LEAD_H

#include "base/buffer.h"
#include "base/iterator.h"
#include "base/key_words.h"

typedef struct cursor_lead {
    iterator *child; /* NULL: none */
    bool backward;   /* the direction of the lead */
    bool beyond;     /* the child has moved to what the cursor has yet to look at */
    bool was_short;  /* the last lead */
    uint32_t steps;  /* entries shown from the child */
    uint32_t misses; /* steps in a row, in this direction, that had no lead or ended a short one */
    slice limit;     /* in bytes; open: none */
    key_words limit_words;
    buffer bytes;
} cursor_lead;

void cursor_lead_deinit(cursor_lead *l);
/* Gives up the lead. The merge has been resumed or moved elsewhere, or is no more. */
void cursor_lead_end(cursor_lead *l);

/* Whether the cursor shows an entry where the child has it. Otherwise it shows a copy. */
static inline bool cursor_lead_shows(const cursor_lead *l)
{
    return l->child && l->steps > 0;
}

static inline bool cursor_lead_ends_before(const cursor_lead *l, slice key)
{
    if (slice_is_open(l->limit)) return false;
    const int order = key_words_compare(key_words_of(key), key, l->limit_words, l->limit);
    return l->backward ? order <= 0 : order >= 0;
}

/* Moves the child in the direction of its lead. false: what it has come to is for the merge to show, or to
 * leave out. */
static inline bool cursor_lead_step(cursor_lead *l)
{
    iterator *s = l->child;
    if (l->backward)
        s->ops->prev(s);
    else
        s->ops->next(s);
    const bool plain = s->valid && s->op == ENTRY_PUT && !s->value_pending;
    l->beyond = !plain || cursor_lead_ends_before(l, s->key);
    l->steps += !l->beyond;
    return !l->beyond;
}

struct holt_cursor;
/* After a step for which the snapshot has been entered: prepares the next steps in that direction, with a
 * lead or by reading ahead, or leaves it, where the cursor may not walk on. */
void cursor_lead_prepare(struct holt_cursor *cur, bool forward);

#endif
