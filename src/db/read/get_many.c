/* get_many.c -- the values of many keys at one moment.
 *
 * The steps are those of a get (get.c). All keys of a batch take one together before the next, so that they
 * wait for memory and for the disk at the same time, not one after another:
 *
 *     0  Search what the transaction has written itself, if there is one that writes.
 *     1  Pin one version and one seqno for all keys.
 *     2  Search the memtables for each key that is left.
 *     3  Search the collection's tree for those that are left, touching memory only. The searches go down
 *        together, block by block, and prefetch what all of them read next.
 *     4  Copy the values out and leave the section. Cached data ends here.
 *     5  Have the system read what the remaining searches wait for, all at once. Then read and verify each
 *        piece, once, feed it to all searches that wait for it, and continue with step 3.
 *     6  Have the system read the values that overflow their blocks, likewise, and then read them.
 *
 * So a batch waits for as many reads one after another as the tree has levels that are not cached: mostly for
 * one.
 *
 * Errors       each key has a status of its own. The call returns the first one that is neither HOLT_OK nor
 *              HOLT_NOT_FOUND, with the message that it had.
 * Sections     short, as a get's: a section handles one batch, and copies about COPY_BYTES_MAX at most. A
 *              reference keeps the version between sections.
 * Concurrency  any thread.
 */
#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/commit/condition.h"
#include "db/read/lookup.h"
#include "db/txn/txn.h"

#include <assert.h>

enum {
    BATCH = 64,                 /* more than disks and processors handle at once */
    COPY_BYTES_MAX = 1 << 20,   /* in one section, but for the last value */
    REQUEST_BYTES_MAX = 8 << 20 /* of overflowing values; what is read early must stay in memory */
};

typedef struct many_get {
    holt_collection *c;
    holt_txn *t; /* NULL: none */
    size_t count;
    const slice *keys;
    holt_value *values;
    holt_status *statuses;

    read_view view;
    bool referenced;                      /* the version: by this call */
    const collection_version *collection; /* NULL: the view has not been entered yet */
    tree_buffer piece;                    /* the last one read */
    tree_query filters;                   /* sums */
    size_t found;                         /* keys with a value */
    size_t failed;                        /* the first key that failed (count: none), */
    holt_error failure;                   /* and how */
} many_get;

typedef struct batch {
    size_t left[BATCH]; /* the indexes of the keys that the transaction has not written itself */
    size_t left_count;
    batch_search searches[BATCH]; /* for those of them that the memtables do not have */
    size_t keys[BATCH];           /* the index of the key of each */
    size_t count;
    batch_search *waiting[BATCH]; /* those that have not ended */
    size_t waiting_count;
    batch_search *overflowing[BATCH]; /* those that found an overflow list; they have a copy of it */
    size_t overflowing_count;
} batch;

/* ---------------------------------------------------------------- results */

static void finish(many_get *m, size_t key, holt_status rc)
{
    holt_value *value = &m->values[key];
    m->statuses[key] = rc;
    if (rc == HOLT_OK) {
        value->version = value_version(slice_of(value->data, value->size));
        m->found++;
        return;
    }
    value_sink out = {.value = value};
    sink_clear(&out);
    if (rc == HOLT_NOT_FOUND || key >= m->failed) return;
    m->failed = key;
    status_keep(rc, &m->failure);
}

static void take(many_get *m, size_t key, const tree_hit *hit)
{
    value_sink out = {.value = &m->values[key], .wanted = true};
    finish(m, key, lookup_take(&m->view, &out, hit));
}

/* Takes the result of a search that has ended. The list of an overflowing value is copied, to be read
 * later. */
static void take_result(many_get *m, batch *b, batch_search *s)
{
    size_t key = b->keys[s - b->searches];
    slice list = s->hit.entry.value;
    if (s->result == TREE_ABSENT) {
        finish(m, key, HOLT_NOT_FOUND);
        return;
    }
    if (!s->hit.entry.overflow) {
        take(m, key, &s->hit);
        return;
    }
    void *copy = mem_alloc(list.size);
    if (!copy) {
        finish(m, key, status_no_memory(list.size));
        return;
    }
    bytes_copy(copy, list.data, list.size);
    s->hit.entry.value = slice_of(copy, list.size);
    b->overflowing[b->overflowing_count++] = s;
}

/* ---------------------------------------------------------------- in memory: inside a section */

/* Enters the view, with its section. HOLT_NOT_FOUND: it does not have the collection. */
static holt_status view_of_all_enter(many_get *m)
{
    holt *db = m->c->db;
    snapshot *snap = m->t ? &m->t->snapshot : NULL;
    holt_status rc = view_enter(db, snap, &m->view);
    if (rc != HOLT_OK) return rc;
    m->collection = version_collection(m->view.version, m->c->slot, m->c->spec.id);
    if (m->collection) return HOLT_OK;
    epoch_leave();
    if (snap) snapshot_leave(db, snap);
    return collection_missing(m->c);
}

/* It cannot fail: the thread has been in a section before. */
static void section_enter(void)
{
    holt_status rc = epoch_enter();
    assert(rc == HOLT_OK);
    (void)rc;
}

/* Keeps the version beyond the section. */
static void section_leave(many_get *m)
{
    if (!m->view.snapshot && !m->referenced) version_ref(m->view.version); /* a snapshot has one itself */
    m->referenced = !m->view.snapshot;
    epoch_leave();
}

/* Step 2 for the keys that are left; begins the searches for those that the memtables do not have. */
static void search_memtables(many_get *m, batch *b)
{
    size_t copied = 0;
    b->count = b->waiting_count = b->overflowing_count = 0;
    for (size_t i = 0; i < b->left_count; i++) {
        size_t key = b->left[i];
        value_sink out = {.value = &m->values[key], .wanted = true};
        holt_status rc;
        if (!lookup_memtables(&m->view, m->collection, m->keys[key], &out, &rc)) {
            batch_search *s = &b->searches[b->count];
            b->keys[b->count++] = key;
            s->query.key = m->keys[key];
            collection_tree_search_begin(&m->collection->tree, s);
            b->waiting[b->waiting_count++] = s;
            continue;
        }
        finish(m, key, rc);
        copied += m->values[key].size;
        if (copied <= COPY_BYTES_MAX) continue;
        copied = 0;
        section_leave(m);
        section_enter();
    }
}

/* Steps 3 and 4 for the searches that wait. Those that need the disk continue to wait. */
static void search_cached(many_get *m, batch *b)
{
    batch_search *going[BATCH];
    size_t count = 0, waiting = 0;
    for (size_t i = 0; i < b->waiting_count; i++)
        if (b->waiting[i]->result == TREE_NOT_CACHED) going[count++] = b->waiting[i];
    collection_tree_search_cached(&m->collection->tree, going, count);
    for (size_t i = 0; i < b->waiting_count; i++) {
        if (b->waiting[i]->result == TREE_NOT_CACHED)
            b->waiting[waiting++] = b->waiting[i];
        else
            take_result(m, b, b->waiting[i]);
    }
    b->waiting_count = waiting;
}

/* ---------------------------------------------------------------- from disk: outside of sections */

/* Reads the piece for which the searches wait, and takes them a step further. Those that are not ended then
 * continue to wait. */
static void read_piece(many_get *m, batch *b, batch_search *const *searches, size_t count)
{
    const collection_tree *tree = &m->collection->tree;
    holt_status rc = collection_tree_search_read(tree, searches[0], &m->piece);
    for (size_t i = 0; i < count; i++) {
        batch_search *s = searches[i];
        if (rc != HOLT_OK) {
            finish(m, b->keys[s - b->searches], rc);
            continue;
        }
        collection_tree_search_feed(tree, s, &m->piece);
        if (s->result == TREE_NOT_CACHED)
            b->waiting[b->waiting_count++] = s;
        else
            take_result(m, b, s); /* the value is in the piece */
    }
}

/* Step 5: one piece for each search that waits. */
static void read_pieces(many_get *m, batch *b)
{
    batch_search *searches[BATCH];
    size_t count = b->waiting_count;
    memcpy(searches, b->waiting, count * sizeof searches[0]);
    b->waiting_count = 0;
    tree_searches_request(searches, count);
    for (size_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && tree_searches_same(searches[i], searches[i + same]);)
            same++;
        read_piece(m, b, searches + i, same);
    }
}

/* Step 6. */
static void read_overflows(many_get *m, batch *b)
{
    uint64_t requested = 0;
    for (size_t i = 1; i < b->overflowing_count && requested < REQUEST_BYTES_MAX; i++) {
        const tree_hit *hit = &b->overflowing[i]->hit;
        requested += block_overflow_size(hit->entry.value);
        if (requested <= REQUEST_BYTES_MAX) tree_request_overflow(hit->file, hit->entry.value);
    }
    for (size_t i = 0; i < b->overflowing_count; i++) {
        batch_search *s = b->overflowing[i];
        take(m, b->keys[s - b->searches], &s->hit);
        mem_free((void *)s->hit.entry.value.data); /* the copy of the list */
    }
}

/* ---------------------------------------------------------------- all keys */

/* Step 0 for the keys in [begin, end). */
static void search_own(many_get *m, batch *b, size_t begin, size_t end)
{
    b->left_count = 0;
    for (size_t key = begin; key < end; key++) {
        value_sink out = {.value = &m->values[key], .wanted = true};
        holt_status rc = key_check(m->keys[key]);
        sink_clear(&out);
        if (rc != HOLT_OK || (m->t && lookup_own(m->t, m->c, m->keys[key], &out, &rc)))
            finish(m, key, rc);
        else
            b->left[b->left_count++] = key;
    }
}

/* The keys in [begin, end). An error is that of the whole call, which the first batch may return. */
static holt_status get_batch(many_get *m, size_t begin, size_t end)
{
    batch b;
    holt_status rc = HOLT_OK;
    search_own(m, &b, begin, end);
    if (m->collection)
        section_enter();
    else
        rc = view_of_all_enter(m);
    for (size_t i = 0; rc == HOLT_NOT_FOUND && i < b.left_count; i++)
        finish(m, b.left[i], HOLT_NOT_FOUND);
    if (rc != HOLT_OK) return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;

    search_memtables(m, &b);
    search_cached(m, &b);
    if (b.waiting_count == 0 && b.overflowing_count == 0 && end == m->count)
        epoch_leave();
    else
        section_leave(m);

    while (b.waiting_count > 0) {
        read_pieces(m, &b);
        section_enter();
        search_cached(m, &b);
        section_leave(m);
    }
    read_overflows(m, &b);
    for (size_t i = 0; i < b.count; i++) {
        m->filters.filter_checks += b.searches[i].query.filter_checks;
        m->filters.filter_negatives += b.searches[i].query.filter_negatives;
    }
    return HOLT_OK;
}

/* The status of a call that cannot read at all is that of every key. Returns that of the call. */
static holt_status refuse(many_get *m, holt_status rc)
{
    for (size_t key = 0; key < m->count; key++) {
        value_sink out = {.value = &m->values[key]};
        sink_clear(&out);
        m->statuses[key] = rc;
    }
    m->found = 0;
    return rc;
}

static holt_status get_all(many_get *m)
{
    holt *db = m->c->db;
    size_t begin = 0;
    holt_status rc = HOLT_OK;
    for (; rc == HOLT_OK && m->count - begin > BATCH; begin += BATCH)
        rc = get_batch(m, begin, begin + BATCH);
    if (rc == HOLT_OK) rc = get_batch(m, begin, m->count); /* also if there are no keys */
    if (rc != HOLT_OK) return refuse(m, rc);

    if (m->referenced) version_release(&db->versions, m->view.version);
    if (m->collection && m->view.snapshot) snapshot_leave(db, m->view.snapshot);
    tree_buffer_deinit(&m->piece);
    lookup_count_filters(db, &m->filters);
    return m->failed < m->count ? status_restore(&m->failure) : HOLT_OK;
}

static holt_status arrays_check(const many_get *m)
{
    if (m->count == 0 || (m->keys && m->values && m->statuses)) return HOLT_OK;
    return status_set(HOLT_INVALID, "%s is NULL, with %zu keys",
                      !m->keys     ? "keys"
                      : !m->values ? "values (out)"
                                   : "statuses (out)",
                      m->count);
}

holt_status holt_get_many(holt_collection *c, holt_txn *t, size_t n, const holt_slice *keys,
                          holt_value *values, holt_status *statuses)
{
    status_begin_call();
    many_get m = {
        .c = c, .t = t, .count = n, .keys = keys, .values = values, .statuses = statuses, .failed = n};
    holt_status rc = arrays_check(&m);
    if (rc != HOLT_OK) return rc;
    rc = collection_check(c);
    if (rc != HOLT_OK) return refuse(&m, rc);
    rc = txn_enter_to_read(c->db, t);
    if (rc == HOLT_OK) {
        rc = get_all(&m);
        txn_leave(t);
    } else {
        rc = refuse(&m, rc);
    }
    if (m.found) counter_add(&c->db->counts, COUNT_GETS_FOUND, m.found);
    if (n > m.found) counter_add(&c->db->counts, COUNT_GETS_OTHER, n - m.found);
    return api_exit(c->db, rc);
}
