#include "db/background/page_reclaim.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/version/version_set.h"

enum { STEP_BLOCKS = 256, VACUUM_BYTES = 16 << 20 };
#define NO_SEQNO UINT64_MAX

/* ---------------------------------------------------------------- recording */

/* Gives the collection its changed tree. HOLT_CONFLICT: it has got another one meanwhile. */
static holt_status add_tree(db_edit *e, const reclaim_tree *t)
{
    if (!t->next || t->next == t->base) return HOLT_OK;
    const collection_version *now = edit_current(e, t->slot, t->collection);
    if (!now || collection_tree_btree(&now->tree) != t->base)
        return status_set(HOLT_CONFLICT, "collection %u has got another B+tree meanwhile", t->collection);
    const collection_tree tree = collection_tree_of_btree(btree_version_ref(t->next));
    edit_put_tree(e, t->slot, now, &tree);
    return HOLT_OK;
}

/* Prepares the change, records what it made of the trees and of the first `swept` garbage trees, and ends it, however
 * that goes. */
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
    return record_change(db, c, t, 1, 0, min_seqno);
}

/* ---------------------------------------------------------------- upkeep */

/* The garbage there is now. Only upkeep takes from it, and one worker at a time has a change. */
static holt_status take_garbage(page_reclaim *u)
{
    holt *db = u->db;
    os_mutex_lock(&db->manifest.mu);
    size_t count = db->manifest.garbage_count;
    u->garbage = mem_alloc_zero(count + 1, sizeof *u->garbage);
    for (; u->garbage && u->garbage_count < count; u->garbage_count++)
        u->garbage[u->garbage_count] = btree_version_ref(db->manifest.garbage[u->garbage_count]);
    os_mutex_unlock(&db->manifest.mu);
    return u->garbage ? HOLT_OK : status_no_memory(count * sizeof *u->garbage);
}

static holt_status take_trees(page_reclaim *u)
{
    version *v;
    holt_status rc = version_acquire(&u->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    u->trees = mem_alloc_zero(v->slot_count + 1, sizeof *u->trees);
    if (!u->trees) rc = status_no_memory(v->slot_count * sizeof *u->trees);
    for (size_t i = 0; i < v->slot_count && rc == HOLT_OK; i++) {
        const collection_version *s = v->slots[i];
        btree_version *tree = s ? collection_tree_btree(&s->tree) : NULL;
        if (!tree) continue;
        reclaim_tree t = {.collection = s->spec.id, .slot = (uint32_t)i, .base = btree_version_ref(tree)};
        u->trees[u->tree_count++] = t;
    }
    version_release(&u->db->versions, v);
    return rc;
}

/* What the change under way holds; the shrinking goes on with the next one. */
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
    u->vacuuming = false;
}

static bool has_garbage(holt *db)
{
    os_mutex_lock(&db->manifest.mu);
    bool has = db->manifest.garbage_count > 0;
    os_mutex_unlock(&db->manifest.mu);
    return has;
}

static seqno flushed_seqno(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    seqno flushed = db->flushes.flushed_seqno;
    os_mutex_unlock(&db->jobs.mu);
    return flushed;
}

static uint64_t recorded_pages(holt *db)
{
    os_mutex_lock(&db->manifest.mu);
    uint64_t pages = page_store_recorded(page_store_of(db))->pages;
    os_mutex_unlock(&db->manifest.mu);
    return pages;
}

static uint64_t held_pages(const page_reclaim *u)
{
    page_store_stats stats;
    page_store_stats_get(u->page_store, &stats);
    return stats.pages_held;
}

/* A round that made the file hardly smaller is not repeated before something has changed: more is flushed, a tree is
 * rewritten or given up, or readers have given back pages that may have kept it from more. */
static bool may_vacuum(const page_reclaim *u)
{
    return flushed_seqno(u->db) != u->vacuumed_seqno || recorded_pages(u->db) != u->vacuumed_pages ||
           held_pages(u) < u->vacuumed_held;
}

static void come_to_rest(page_reclaim *u)
{
    u->vacuumed_seqno = flushed_seqno(u->db);
    u->vacuumed_pages = recorded_pages(u->db);
    uint64_t held = held_pages(u);
    u->vacuumed_held = held > u->round_held ? held : u->round_held;
}

static void end_round(page_reclaim *u)
{
    bool worth_it = recorded_pages(u->db) <= u->round_pages / 16 * 15;
    come_to_rest(u);
    if (worth_it) u->vacuumed_seqno = NO_SEQNO;
}

static void begin_round(page_reclaim *u)
{
    u->round_pages = recorded_pages(u->db);
    u->round_held = held_pages(u);
    u->vacuuming = btree_vacuum_begin(&u->vacuum, u->page_store, VACUUM_BYTES);
    if (!u->vacuuming) come_to_rest(u);
}

/* *more false: nothing is to be done, or somebody else is changing the space. */
static holt_status begin(page_reclaim *u, bool idle, bool *more)
{
    holt *db = u->db;
    holt_status rc = HOLT_OK;
    if (idle && !u->vacuuming) {
        rc = page_store_trim(u->page_store); /* what readers have given back meanwhile */
        if (may_vacuum(u)) begin_round(u);
    }
    *more = u->vacuuming || has_garbage(db);
    u->kept_out = false;
    if (!*more || rc != HOLT_OK) return rc;
    rc = btree_change_begin(&u->change, u->page_store);
    u->kept_out = rc == HOLT_BUSY;
    if (u->kept_out) {
        *more = false;
        return HOLT_OK;
    }
    if (rc == HOLT_OK) rc = take_garbage(u);
    if (rc == HOLT_OK && u->vacuuming) rc = take_trees(u);
    return rc;
}

/* *rest: the change is full, and the shrinking goes on with another. */
static holt_status vacuum_step(page_reclaim *u, bool *rest)
{
    reclaim_tree *t = &u->trees[u->tree_done];
    bool done;
    holt_status rc = btree_change_vacuum(u->change, &u->vacuum, t->base, STEP_BLOCKS, &done, rest, &t->next);
    if (rc == HOLT_OK && done) u->tree_done++;
    *rest &= done;
    return rc;
}

static holt_status finish(page_reclaim *u, bool shrunk)
{
    holt_status rc = record_change(u->db, u->change, u->trees, u->tree_count, u->garbage_count, 0);
    bool reclaimed = rc == HOLT_OK && u->garbage_count > 0;
    u->change = NULL; /* ended, however it went */
    end_change(u);
    if (shrunk) end_round(u);
    if (reclaimed) u->vacuumed_seqno = NO_SEQNO; /* its pages are free now, or held by readers */
    if (shrunk || rc != HOLT_OK) reclaim_abandon(u);
    if (rc != HOLT_OK) return rc == HOLT_CONFLICT ? HOLT_OK : rc;
    event_log_write(u->db->events, HOLT_LOG_DEBUG, "gave up or moved pages of B+trees");
    return page_store_trim(u->page_store);
}

static holt_status work(page_reclaim *u)
{
    if (u->garbage_done < u->garbage_count) {
        bool done;
        holt_status rc = btree_change_drop(u->change, u->garbage[u->garbage_done], STEP_BLOCKS, &done);
        u->garbage_done += done;
        return rc;
    }
    bool rest = false;
    if (u->tree_done < u->tree_count) {
        holt_status rc = vacuum_step(u, &rest);
        if (rc != HOLT_OK || (!rest && u->tree_done < u->tree_count)) return rc;
    }
    return finish(u, u->vacuuming && !rest);
}

bool reclaim_waits(const page_reclaim *u)
{
    return u->kept_out || (u->page_store && held_pages(u) > 0);
}

holt_status reclaim_step(page_reclaim *u, bool idle, bool *more)
{
    *more = false;
    if (!u->page_store) u->page_store = page_store_of(u->db);
    if (!u->page_store) return HOLT_OK;
    holt_status rc = HOLT_OK;
    *more = true;
    if (!u->change) rc = begin(u, idle, more);
    if (rc == HOLT_OK && *more) rc = work(u);
    if (rc != HOLT_OK) reclaim_abandon(u);
    return rc == HOLT_CONFLICT ? HOLT_OK : rc; /* a tree was given up or changed meanwhile: begun anew */
}
