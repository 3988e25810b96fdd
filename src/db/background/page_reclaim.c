/* page_reclaim.c -- freeing the pages of garbage trees, and vacuuming; page_reclaim.h has the algorithm. */
#include "db/background/page_reclaim.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/version/version_set.h"

#include <assert.h>

enum { STEP_BLOCKS = 256, VACUUM_BYTES = 16 << 20 };

/* ---------------------------------------------------------------- recording */

static holt_status add_tree(db_edit *e, const reclaim_tree *t)
{
    if (!t->next || t->next == t->base) return HOLT_OK;
    const collection_version *now = edit_current(e, t->slot, t->collection);
    if (!now || collection_tree_btree(&now->tree) != t->base)
        return status_set(HOLT_CONFLICT, "the B+tree of collection %u was dropped or replaced",
                          t->collection);
    const collection_tree tree = collection_tree_of_btree(btree_version_ref(t->next));
    edit_put_tree(e, t->slot, now, &tree);
    return HOLT_OK;
}

/* Prepares the change and records it: the trees, and that the first `reclaimed` garbage trees are free. Ends
 * the change, on failure too. */
static holt_status record_change(holt *db, btree_change *c, const reclaim_tree *trees, size_t count,
                                 size_t reclaimed, seqno min_seqno)
{
    db_edit e;
    const page_store_state *prepared;
    holt_status rc = btree_change_prepare(c, &prepared);
    if (rc == HOLT_OK) rc = edit_begin(&e, db);
    if (rc != HOLT_OK) {
        btree_change_abandon(c);
        return rc;
    }
    assert(reclaimed <= db->manifest.garbage_count);
    edit_pages(&e, c, prepared);
    for (size_t i = 0; i < count && rc == HOLT_OK; i++)
        rc = add_tree(&e, &trees[i]);
    edit_fail(&e, rc);
    edit_reclaimed(&e, reclaimed);
    edit_raise_min_seqno(&e, min_seqno);
    return edit_commit(&e);
}

holt_status reclaim_record_tree(holt *db, btree_change *c, const reclaim_tree *t, seqno min_seqno)
{
    assert(t->base && t->next);
    return record_change(db, c, t, 1, 0, min_seqno);
}

/* ---------------------------------------------------------------- rounds */

static uint64_t recorded_pages(holt *db)
{
    os_mutex_lock(&db->manifest.mu);
    uint64_t pages = page_store_recorded(page_store_of(db))->pages;
    os_mutex_unlock(&db->manifest.mu);
    return pages;
}

static page_store_stats stats_of(const page_reclaim *u)
{
    page_store_stats stats;
    page_store_stats_get(u->page_store, &stats);
    return stats;
}

/* A round that made the file hardly smaller is not repeated before something has changed: any change was
 * committed, or readers have released pages that may have kept the round from more. */
static bool may_vacuum(const page_reclaim *u, const page_store_stats *now)
{
    return now->changes != u->vacuumed_changes || now->pages_held < u->vacuumed_held;
}

/* Notes for may_vacuum that there is nothing more to do after so many changes. */
static void note_vacuumed(page_reclaim *u, uint64_t changes)
{
    const uint64_t held = stats_of(u).pages_held;
    u->vacuumed_changes = changes;
    u->vacuumed_held = held > u->round_held ? held : u->round_held;
}

/* ---------------------------------------------------------------- a change */

/* Only page reclaim takes from the list, and only with the change open, so these stay its first. */
static holt_status reference_garbage(page_reclaim *u)
{
    holt *db = u->db;
    assert(u->change && !u->garbage);
    os_mutex_lock(&db->manifest.mu);
    size_t count = db->manifest.garbage_count;
    u->garbage = mem_alloc_zero(count + 1, sizeof *u->garbage);
    for (; u->garbage && u->garbage_count < count; u->garbage_count++)
        u->garbage[u->garbage_count] = btree_version_ref(db->manifest.garbage[u->garbage_count]);
    os_mutex_unlock(&db->manifest.mu);
    return u->garbage ? HOLT_OK : status_no_memory(count * sizeof *u->garbage);
}

/* Those that the round has not finished. If the one where it stopped is gone, it continues with the next. */
static holt_status reference_trees(page_reclaim *u)
{
    version *v;
    assert(u->change && !u->trees);
    holt_status rc = version_acquire(&u->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    u->trees = mem_alloc_zero(v->slot_count + 1, sizeof *u->trees);
    if (!u->trees) rc = status_no_memory(v->slot_count * sizeof *u->trees);
    if (!version_collection(v, u->slot, u->collection)) buffer_clear(&u->vacuum.from);
    for (size_t i = u->slot; i < v->slot_count && rc == HOLT_OK; i++) {
        const collection_version *s = v->slots[i];
        btree_version *tree = s ? collection_tree_btree(&s->tree) : NULL;
        if (!tree) continue;
        reclaim_tree t = {.collection = s->spec.id, .slot = (uint32_t)i, .base = btree_version_ref(tree)};
        u->trees[u->tree_count++] = t;
    }
    version_release(&u->db->versions, v);
    return rc;
}

/* Releases what belongs to the change, which has ended. A round continues with the next one. */
static void end_change(page_reclaim *u)
{
    for (size_t i = 0; i < u->garbage_count; i++)
        btree_version_unref(u->garbage[i]);
    for (size_t i = 0; i < u->tree_count; i++) {
        btree_version_unref(u->trees[i].base);
        btree_version_unref(u->trees[i].next);
    }
    mem_free(u->garbage);
    mem_free(u->trees);
    u->change = NULL;
    u->garbage = NULL;
    u->trees = NULL;
    u->garbage_count = u->garbage_done = u->tree_count = u->tree_done = 0;
}

void reclaim_abandon(page_reclaim *u)
{
    btree_change_abandon(u->change);
    end_change(u);
    btree_vacuum_deinit(&u->vacuum);
    memset(&u->vacuum, 0, sizeof u->vacuum);
    u->slot = u->collection = 0;
    u->vacuuming = false;
}

/* ---------------------------------------------------------------- the algorithm */

/* 1 and 2. *more false: there is nothing to do, or another change is open. */
static holt_status begin(page_reclaim *u, bool idle, bool *more)
{
    holt *db = u->db;
    holt_status rc = HOLT_OK;
    assert(!u->change && !u->garbage && !u->trees);
    if (idle && !u->vacuuming) {
        rc = page_store_trim(u->page_store); /* what readers have released since */
        const page_store_stats stats = stats_of(u);
        if (may_vacuum(u, &stats)) {
            u->round_pages = recorded_pages(db);
            u->round_held = stats.pages_held;
            u->vacuuming = btree_vacuum_begin(&u->vacuum, u->page_store, VACUUM_BYTES);
            if (!u->vacuuming) note_vacuumed(u, stats.changes);
        }
    }
    os_mutex_lock(&db->manifest.mu);
    *more = u->vacuuming || db->manifest.garbage_count > 0;
    os_mutex_unlock(&db->manifest.mu);
    u->blocked = false;
    if (!*more || rc != HOLT_OK) return rc;
    rc = btree_change_begin(&u->change, u->page_store);
    u->blocked = rc == HOLT_BUSY;
    if (u->blocked) {
        *more = false;
        return HOLT_OK;
    }
    if (rc == HOLT_OK) rc = reference_garbage(u);
    if (rc == HOLT_OK && u->vacuuming) rc = reference_trees(u);
    return rc;
}

/* 5 and 6. */
static holt_status finish(page_reclaim *u, bool round_ended)
{
    assert(u->garbage_done == u->garbage_count);
    const uint64_t changes = stats_of(u).changes + 1; /* with this one: nobody else can commit any before */
    const bool frees = u->garbage_count > 0;
    holt_status rc = record_change(u->db, u->change, u->trees, u->tree_count, u->garbage_count, 0);
    u->change = NULL; /* ended, on failure too */
    end_change(u);
    if (rc == HOLT_OK && round_ended) {
        const bool shrunk = recorded_pages(u->db) <= u->round_pages / 16 * 15;
        /* Otherwise the next may follow: it gains more, or finds the pages of the garbage. */
        if (!shrunk && !frees) note_vacuumed(u, changes);
    }
    if (round_ended || rc != HOLT_OK) reclaim_abandon(u);
    if (rc != HOLT_OK) return rc;
    event_log_write(u->db->events, HOLT_LOG_DEBUG, "freed or moved pages of B+trees");
    return page_store_trim(u->page_store);
}

/* 3 to 6. */
static holt_status advance(page_reclaim *u)
{
    holt_status rc;
    bool done, full = false; /* the change has reached its limit, and the round needs another */
    assert(u->change && u->garbage && (!u->vacuuming || u->trees));
    if (u->garbage_done < u->garbage_count) {
        rc = btree_change_drop(u->change, u->garbage[u->garbage_done], STEP_BLOCKS, &done);
        if (rc == HOLT_OK && done) u->garbage_done++;
        return rc;
    }
    if (u->tree_done < u->tree_count) {
        reclaim_tree *t = &u->trees[u->tree_done];
        assert(t->base && !t->next);
        rc = btree_change_vacuum(u->change, &u->vacuum, t->base, STEP_BLOCKS, &done, &full, &t->next);
        if (rc != HOLT_OK || !done) return rc;
        u->tree_done++;
        u->slot = t->slot;
        u->collection = t->collection;
        if (!full && u->tree_done < u->tree_count) return HOLT_OK;
    }
    return finish(u, u->vacuuming && !full);
}

holt_status reclaim_step(page_reclaim *u, bool idle, bool *more)
{
    *more = false;
    if (!u->page_store) u->page_store = page_store_of(u->db);
    if (!u->page_store) return HOLT_OK;
    holt_status rc = HOLT_OK;
    *more = true;
    if (!u->change) rc = begin(u, idle, more);
    if (rc == HOLT_OK && *more) rc = advance(u);
    if (rc != HOLT_OK) reclaim_abandon(u);
    return rc == HOLT_CONFLICT ? HOLT_OK : rc; /* the next step starts again with the new trees */
}

bool reclaim_waits(const page_reclaim *u)
{
    return u->blocked || (u->page_store && stats_of(u).pages_held > 0);
}
