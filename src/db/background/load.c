/* load.c -- bulk loads: entries in ascending order become the tree of an empty collection.
 *
 * What is put goes into a run at once (lsm/run_writer.h), in files that no manifest names, so that a crash
 * leaves orphans only. An LSM collection gets that run. A B+tree collection gets a tree that is made of it
 * when the load is committed, in one change of the space, which should not be held longer: flushes of
 * B+trees wait for it.
 *
 * The switch is a clear that brings a tree with it: under leadership, so in commit order, with the
 * collection found empty, one manifest record says that all up to the last operation is gone and that this
 * is the tree. The run's age is 0: whatever is flushed is younger.
 */
#include "base/memory.h"

#include "base/status.h"
#include "db/args.h"
#include "db/commit/commit.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/manifest/manifest_writer.h"
#include "db/tree/collection_tree.h"
#include "db/version/version_set.h"

#include <inttypes.h>

enum { STEP_ENTRIES = 8192, LOADED_RUN_SEQNO = 0 };
static const uint64_t BUSY_NS = 1000000;

struct holt_load {
    handle handle; /* closed when the load has ended */
    holt *db;
    holt_collection *collection; /* a user of it, until the end */
    bool ended;                  /* by its owner, not by a forced close */
    bool sealed;                 /* a commit was tried: nothing is put any more */
    bool named;                  /* the manifest names the run's files, or may do so */
    holt_error failure; /* of a write, after which the load cannot be completed; status HOLT_OK: none */
    lsm_run_writer *writer;
    lsm_run *run; /* what was written, once sealed; NULL: nothing, or not yet */
    uint64_t entries;
    size_t last_size;
    uint8_t last_key[KEY_BYTES_MAX + 1]; /* room for a zero byte: with it, the first key behind the last */
};

/* ---------------------------------------------------------------- is it empty? */

/* Whether the memtable shows nothing of the collection as of `at`. */
static holt_status generation_is_empty(const memtable_generation *t, const collection_version *s, seqno at,
                                       bool *empty)
{
    iterator *versions;
    *empty = true;
    if (memtable_collection_entries(t->memtable, s->spec.id) == 0) return HOLT_OK;
    const memtable_iterator_options options = {.seqno = at, .after = s->cleared_seqno};
    holt_status rc = memtable_iterator_open(t->memtable, s->spec.id, &options, &versions);
    if (rc != HOLT_OK) return rc;
    versions->ops->first(versions);
    *empty = !versions->valid;
    iterator_close(versions);
    return HOLT_OK;
}

static holt_status is_empty(const version *v, const collection_version *s, seqno at, bool *empty)
{
    *empty = collection_tree_is_empty(&s->tree);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < v->generation_count && *empty && rc == HOLT_OK; i++)
        rc = generation_is_empty(v->generations[i], s, at, empty);
    return rc;
}

static holt_status not_empty(const holt_collection *c)
{
    os_mutex_lock(&c->db->catalog.mu);
    holt_status rc =
        status_set(HOLT_EXISTS,
                   "collection \"%s\" is not empty, and a load does not replace or merge; empty it "
                   "with holt_collection_clear (entries that were deleted leave marks)",
                   c->name);
    os_mutex_unlock(&c->db->catalog.mu);
    return rc;
}

static holt_status check_empty(const holt_collection *c)
{
    holt *db = c->db;
    version *v;
    bool empty = true;
    /* Acquire, and before the version: every version up to it is in the version. */
    seqno visible = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    if (s) rc = is_empty(v, s, visible, &empty);
    version_release(&db->versions, v);
    return rc == HOLT_OK && !empty ? not_empty(c) : rc;
}

/* ---------------------------------------------------------------- life */

static uint64_t next_file(void *ctx)
{
    return next_file_number(ctx);
}

/* Of a B+tree collection it is read once, from front to back. */
static tree_build_options run_options(const collection_spec *spec)
{
    tree_build_options lsm = {.block_bytes = spec->block_bytes, .filter_bits = spec->filter_bits},
                       passing = {.block_bytes = BLOCK_BYTES_MAX};
    return tree_kind_of(spec->kind)->paged ? passing : lsm;
}

static holt_status create(holt_collection *c, holt_load **out)
{
    lsm_writer_options options = {.files = c->db->files,
                                  .build = run_options(&c->spec),
                                  .file_bytes_max = FILE_BYTES_MAX,
                                  .next_file = next_file,
                                  .ctx = c->db};
    holt_load *load = mem_alloc_zero(1, sizeof *load);
    if (!load) return status_no_memory(sizeof *load);
    holt_status rc = lsm_run_writer_create(&load->writer, &options);
    if (rc != HOLT_OK) {
        mem_free(load);
        return rc;
    }
    load->db = c->db;
    load->collection = c;
    collection_use(c);
    handle_begin(c->db, &load->handle, HANDLE_LOAD);
    *out = load;
    return HOLT_OK;
}

/* What the load holds of the database. */
static void give_back(holt_load *load)
{
    lsm_run_writer_destroy(load->writer);
    if (load->named)
        lsm_run_unref(load->run);
    else
        lsm_run_discard(load->run);
    collection_unuse(load->collection);
}

void load_detach(handle *h)
{
    give_back((holt_load *)h);
}

/* The end of what the load holds of the database, which a forced close may free from here on; the handle stays. */
static holt_status end(holt_load *load, holt_status rc)
{
    load->ended = true;
    give_back(load);
    api_exit(load->db, rc);
    handle_end(load->db, &load->handle);
    return rc;
}

static holt_status check_options(const holt_load_options *o)
{
    if (!reserved_zero(o->reserved, 8) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_load_options: reserved words must be zero");
    if (o->flags)
        return status_set(HOLT_INVALID, "holt_load_options.flags = %u: there are none yet", o->flags);
    return HOLT_OK;
}

holt_status holt_load_begin(holt_collection *c, const holt_load_options *o, holt_load **out)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "load (out) is NULL");
    *out = NULL;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK && o) rc = check_options(o);
    if (rc == HOLT_OK) rc = writable_check(c->db);
    if (rc != HOLT_OK) return rc;
    rc = check_empty(c);
    if (rc == HOLT_OK) rc = create(c, out);
    return api_exit(c->db, rc);
}

void holt_load_abort(holt_load *load)
{
    if (!load) return;
    if (!handle_enter(&load->handle)) { /* it holds nothing of the database, which may be closed by now */
        if (handle_await_closed(&load->handle)) mem_free(load);
        return;
    }
    if (db_check(load->db) != HOLT_OK) return; /* a forked child: the parent's memory is let be */
    end(load, HOLT_OK);
    mem_free(load);
}

/* ---------------------------------------------------------------- putting */

/* The beginning of a call; after HOLT_OK handle_leave() ends it. */
static holt_status enter(holt_load *load)
{
    if (!load) return status_set(HOLT_INVALID, "the load handle is NULL");
    if (!handle_enter(&load->handle))
        return load->ended ? status_set(HOLT_CLOSED, "the load has ended") : handle_refuse();
    holt_status rc = collection_check(load->collection);
    if (rc != HOLT_OK) handle_leave(&load->handle);
    return rc;
}

/* What a write left half done cannot be gone on with. */
static holt_status check_whole(const holt_load *load)
{
    return load->failure.status ? status_restore(&load->failure) : HOLT_OK;
}

static holt_status keep_failure(holt_load *load, holt_status rc)
{
    if (rc != HOLT_OK) status_keep(rc, &load->failure);
    return rc;
}

static holt_status check_order(const holt_load *load, slice key)
{
    if (load->sealed)
        return status_set(HOLT_INVALID, "a commit of the load was tried: nothing can be put any more");
    if (load->entries == 0) return HOLT_OK;
    int order = slice_compare(key, slice_of(load->last_key, load->last_size));
    if (order > 0) return HOLT_OK;
    return status_set(HOLT_INVALID,
                      "the key of entry %" PRIu64 " of the load %s; keys must ascend strictly, bytewise",
                      load->entries + 1,
                      order == 0 ? "is the same as the one before it" : "is less than the one before it");
}

static holt_status add(holt_load *load, slice key, slice value)
{
    holt_status rc = lsm_run_writer_add(load->writer, key, ENTRY_PUT, value, 0);
    if (rc != HOLT_OK) return keep_failure(load, rc);
    bytes_copy(load->last_key, key.data, key.size);
    load->last_size = key.size;
    load->entries++;
    return HOLT_OK;
}

static holt_status put(holt_load *load, slice key, slice value)
{
    holt_status rc = check_whole(load);
    if (rc == HOLT_OK) rc = key_check(key);
    if (rc == HOLT_OK) rc = value_check(load->db, value);
    if (rc == HOLT_OK) rc = check_order(load, key);
    if (rc != HOLT_OK) return rc;
    return api_exit(load->db, add(load, key, value));
}

holt_status holt_load_put(holt_load *load, holt_slice key, holt_slice value)
{
    status_begin_call();
    holt_status rc = enter(load);
    if (rc != HOLT_OK) return rc;
    rc = put(load, key, value);
    handle_leave(&load->handle);
    return rc;
}

/* ---------------------------------------------------------------- the new tree */

/* A collection's tree that is being put in its place. */
typedef struct new_tree {
    collection_tree tree; /* references, until they are taken over */
    btree_change *change; /* of a B+tree; NULL: none, or ended */
    const page_store_state *page_store;
} new_tree;

static void new_tree_deinit(new_tree *n)
{
    collection_tree_unref(&n->tree);
    btree_change_abandon(n->change);
}

/* Everything is written and synced, under its name. */
static holt_status finish_run(holt_load *load)
{
    if (!load->sealed) {
        load->sealed = true;
        load->last_key[load->last_size] = 0;
        slice upper = slice_of(load->last_key, load->last_size + 1);
        holt_status rc = keep_failure(load, lsm_run_writer_end(load->writer, upper));
        if (rc != HOLT_OK) return rc;
    }
    if (load->run) return HOLT_OK;
    holt_status rc = os_dir_sync(load->db->dir);
    if (rc != HOLT_OK) return rc;
    uint32_t level = lsm_level_of(lsm_run_writer_bytes(load->writer), load->db->set.memtable_bytes);
    return lsm_run_writer_take(load->writer, LOADED_RUN_SEQNO, level, &load->run);
}

/* Somebody else is changing B+trees; soon he will not be. */
static holt_status begin_change(holt *db, btree_change **out)
{
    holt_status rc;
    while ((rc = btree_change_begin(out, page_store_of(db))) == HOLT_BUSY)
        os_sleep(db->os, BUSY_NS);
    return rc;
}

static holt_status build_btree(holt_load *load, new_tree *n)
{
    holt *db = load->db;
    tree_iterator_options options = {.bypass_cache = true, .read_ahead = true};
    iterator *entries;
    btree_version *loaded = NULL;
    holt_status rc = lsm_run_iterator_open(load->run, &options, &entries);
    if (rc != HOLT_OK) return rc;
    entries->ops->first(entries);
    rc = entries->status;
    if (rc == HOLT_OK) rc = begin_change(db, &n->change);
    for (bool done = false; rc == HOLT_OK && !done;)
        rc = btree_change_load(n->change, entries, load->collection->spec.block_bytes, STEP_ENTRIES, &done,
                               &loaded);
    iterator_close(entries);
    if (loaded) n->tree = collection_tree_of_btree(loaded);
    if (rc == HOLT_OK) rc = btree_change_prepare(n->change, &n->page_store);
    return rc;
}

static holt_status build_lsm(holt_load *load, new_tree *n)
{
    lsm_tree *loaded;
    holt_status rc = lsm_tree_create(&load->run, 1, &loaded);
    if (rc == HOLT_OK) n->tree = collection_tree_of_lsm(loaded);
    return rc;
}

/* ---------------------------------------------------------------- the switch */

/* Records the tree, which is taken over, and shows it. */
static holt_status record_load(holt_load *load, new_tree *n)
{
    db_edit e;
    holt_status rc = edit_begin(&e, load->db);
    if (rc != HOLT_OK) return rc;
    if (n->change) edit_pages(&e, n->change, n->page_store);
    edit_clear(&e, load->collection, load->db->commits.next_seqno - 1, &n->tree);
    bool paged = n->change != NULL;
    memset(n, 0, sizeof *n); /* taken over */
    rc = edit_commit(&e);
    if (!paged && e.outcome != EDIT_NOT_MADE) load->named = true;
    return rc;
}

/* As leader. All up to now is void, as after a clear, so that nothing of the log comes to light under the
 * tree. */
static holt_status switch_led(holt_load *load, new_tree *n)
{
    holt *db = load->db;
    holt_collection *c = load->collection;
    holt_status rc = collection_check(c); /* it may have been dropped while we waited */
    if (rc == HOLT_OK) rc = check_empty(c);
    if (rc == HOLT_OK) rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = record_load(load, n);
    /* Release: who finds the load counted finds what it loaded, too. */
    if (rc == HOLT_OK) atomic_fetch_add_explicit(&c->loads, 1, memory_order_release);
    return rc;
}

static holt_status commit(holt_load *load, new_tree *n)
{
    holt_status rc = check_whole(load);
    if (rc == HOLT_OK) rc = check_empty(load->collection); /* before all that work */
    if (rc == HOLT_OK) rc = finish_run(load);
    if (rc != HOLT_OK || !load->run) return rc;
    rc = tree_kind_of(load->collection->spec.kind)->paged ? build_btree(load, n) : build_lsm(load, n);
    if (rc == HOLT_OK) rc = commit_lead(load->db);
    if (rc != HOLT_OK) return rc;
    rc = switch_led(load, n);
    commit_queue_unlead(&load->db->commits);
    if (rc == HOLT_OK)
        event_log_write(load->db->events, HOLT_LOG_INFO, "loaded %" PRIu64 " entries into collection %u",
                        load->entries, load->collection->spec.id);
    return rc;
}

static holt_status commit_open(holt_load *load)
{
    new_tree n = {0};
    holt_error words;
    holt_status rc = commit(load, &n);
    status_keep(rc, &words); /* cleaning up may fail, too */
    new_tree_deinit(&n);
    if (rc != HOLT_OK) (void)status_restore(&words);
    if (rc == HOLT_OK || rc == HOLT_IO)
        end(load, rc);
    else
        api_exit(load->db, rc);
    return rc == HOLT_OK ? rc : status_restore(&words);
}

holt_status holt_load_commit(holt_load *load)
{
    status_begin_call();
    holt_status rc = enter(load);
    if (rc != HOLT_OK) return rc;
    rc = commit_open(load);
    handle_leave(&load->handle);
    return rc;
}
