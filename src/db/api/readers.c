/* readers.c -- holt_readers: lists the open transactions and cursors, with what each keeps from being freed.
 *
 * The handles are listed under their mutex, with a reference on what each reader holds. Measuring that and
 * calling the program come afterwards, without a mutex.
 */
#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/read/cursor.h"
#include "db/txn/txn.h"
#include "tree/file/tree_format.h"

#include <assert.h>
#include <stdlib.h>

typedef struct listed_reader {
    holt_reader reader;
    version *version;          /* a reference; NULL: it holds none */
    collection_version *state; /* a reference; NULL: none, or in the version */
} listed_reader;

typedef struct reader_list {
    listed_reader *readers;
    size_t count, capacity;
} reader_list;

/* ---------------------------------------------------------------- listing */

/* A reader cannot drop its own reference without handles.mu. */
static version *pin_version(version *v)
{
    return v ? version_ref(v) : NULL;
}

static uint64_t list_txn(const holt_txn *t, uint64_t now, listed_reader *out)
{
    out->reader.kind = t->flags & HOLT_TXN_READ_ONLY ? HOLT_READER_SNAPSHOT
                       : t->flags & HOLT_TXN_BLIND   ? HOLT_READER_BATCH
                                                     : HOLT_READER_TXN;
    out->reader.revoked = snapshot_is_lost(&t->snapshot, now);
    out->version = pin_version(t->snapshot.version);
    return t->begun_ns;
}

static uint64_t list_cursor(const holt_cursor *cur, uint64_t now, listed_reader *out)
{
    const cursor_read_state *st = cur->read_state;
    out->reader.kind = HOLT_READER_CURSOR;
    out->reader.revoked = st->revocable && snapshot_is_lost(cur->txn ? &cur->txn->snapshot : &st->own, now);
    out->version = pin_version(st->own.version); /* which has the state, too */
    if (!out->version && st->hold.state) out->state = collection_version_ref(st->hold.state);
    return cur->txn ? cur->txn->begun_ns : st->own.taken_ns;
}

static void list_handles(holt *db, reader_list *l)
{
    static const handle_kind kinds[] = {HANDLE_TXN, HANDLE_CURSOR};
    uint64_t now = os_clock_ns(db->os);
    os_mutex_assert_held(&db->handles.mu);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (const handle *h = db->handles.lists[kinds[i]]; h; h = h->older) {
            assert(l->readers && l->count < l->capacity);
            listed_reader *one = &l->readers[l->count++];
            uint64_t since = kinds[i] == HANDLE_TXN ? list_txn((const holt_txn *)h, now, one)
                                                    : list_cursor((const holt_cursor *)h, now, one);
            one->reader.age_ms = since && since < now ? (now - since) / 1000000 : 0;
            memcpy(one->reader.label, h->label, sizeof h->label);
        }
}

/* Allocates without the mutex, until there is room for as many handles as there are. */
static holt_status list_readers(holt *db, reader_list *l)
{
    for (;;) {
        os_mutex_lock(&db->handles.mu);
        size_t count = db->handles.transactions + db->handles.cursors;
        if (count <= l->capacity) {
            list_handles(db, l);
            os_mutex_unlock(&db->handles.mu);
            return HOLT_OK;
        }
        os_mutex_unlock(&db->handles.mu);
        mem_free(l->readers);
        l->capacity = count + count / 8 + 8;
        l->readers = mem_alloc_zero(l->capacity, sizeof *l->readers);
        if (!l->readers) return status_no_memory(l->capacity * sizeof *l->readers);
    }
}

/* Releases what was listed; the readers' descriptions remain. */
static void release_references(holt *db, const reader_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        version_release(&db->versions, l->readers[i].version);
        collection_version_release(&db->versions, l->readers[i].state);
    }
}

/* ---------------------------------------------------------------- measuring */

typedef struct obsolete_file {
    uint64_t number, bytes;
} obsolete_file;

/* What a reader pins. A file may be used by several runs, in several collections. */
typedef struct pin_measure {
    uint64_t bytes; /* of memtables and pages */
    obsolete_file *files;
    size_t count, capacity;
} pin_measure;

static holt_status add_file(pin_measure *m, const tree_file *f)
{
    if (!tree_file_is_obsolete(f)) return HOLT_OK;
    if (!mem_grow((void **)&m->files, &m->capacity, m->count + 1, sizeof *m->files))
        return status_no_memory((m->count + 1) * sizeof *m->files);
    m->files[m->count++] = (obsolete_file){tree_file_number(f), tree_file_size(f)};
    return HOLT_OK;
}

static holt_status add_tree(pin_measure *m, const collection_tree *t)
{
    const btree_version *paged = collection_tree_btree(t);
    const lsm_tree *runs = collection_tree_lsm(t);
    holt_status rc = HOLT_OK;
    if (paged) m->bytes += btree_version_held_pages(paged) * TREE_PAGE_BYTES;
    for (size_t i = 0; runs && i < lsm_tree_runs(runs); i++) {
        const lsm_run *run = lsm_tree_run(runs, i);
        size_t ranges = lsm_run_describe(run).file_range_count;
        for (size_t k = 0; k < ranges && rc == HOLT_OK; k++)
            rc = add_file(m, lsm_run_file(run, k));
    }
    return rc;
}

static holt_status add_version(pin_measure *m, const version *v)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < v->generation_count; i++) {
        const memtable_generation *g = v->generations[i];
        /* Relaxed: a figure. */
        if (atomic_load_explicit(&g->retained, memory_order_relaxed)) m->bytes += memtable_bytes(g->memtable);
    }
    for (size_t i = 0; i < v->slot_count && rc == HOLT_OK; i++)
        if (v->slots[i]) rc = add_tree(m, &v->slots[i]->tree);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    const obsolete_file *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static uint64_t file_bytes(pin_measure *m)
{
    uint64_t bytes = 0;
    if (m->count) qsort(m->files, m->count, sizeof *m->files, by_number);
    for (size_t i = 0; i < m->count; i++)
        if (i == 0 || m->files[i].number != m->files[i - 1].number) bytes += m->files[i].bytes;
    return bytes;
}

static holt_status measure(listed_reader *r)
{
    pin_measure m = {0};
    holt_status rc = r->version ? add_version(&m, r->version)
                     : r->state ? add_tree(&m, &r->state->tree)
                                : HOLT_OK;
    r->reader.pinned_bytes = m.bytes + file_bytes(&m);
    mem_free(m.files);
    return rc;
}

/* Readers of one version, of which there may be many, pin the same. */
static holt_status measure_all(reader_list *l)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < l->count && rc == HOLT_OK; i++) {
        listed_reader *one = &l->readers[i];
        if (i > 0 && one->version && one->version == one[-1].version)
            one->reader.pinned_bytes = one[-1].reader.pinned_bytes;
        else
            rc = measure(one);
    }
    return rc;
}

/* ---------------------------------------------------------------- public */

holt_status holt_readers(holt *db, holt_reader_fn each, void *ctx)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK) return rc;
    if (!each) return status_set(HOLT_INVALID, "the function is NULL");
    reader_list list = {0};
    rc = list_readers(db, &list);
    if (rc == HOLT_OK) rc = measure_all(&list);
    release_references(db, &list);
    rc = api_exit(db, rc);
    cost_aside bill;
    cost_put_aside(&bill);
    for (size_t i = 0; i < list.count && rc == HOLT_OK; i++)
        rc = each(ctx, &list.readers[i].reader);
    cost_put_back(&bill);
    mem_free(list.readers);
    return rc;
}
