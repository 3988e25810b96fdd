/* btree_version.c -- the versions of trees, their references, and freeing them.
 *
 * The last reference may be dropped where nothing may block. So that only pushes the version onto a list; the
 * next changer frees it (store_collect).
 */
#include "btree/btree_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

static holt_status make(btree_version **out, page_store *s, const tree_root *root, uint64_t number)
{
    static const tree_root empty;
    *out = NULL;
    btree_version *v = mem_alloc_zero(1, sizeof *v);
    if (!v) return status_no_memory(sizeof *v);
    atomic_init(&v->refs, 1);
    v->store = s;
    v->file = s->file;
    v->root = root ? *root : empty;
    v->number = number;
    v->overflow = v->root.root.length ? OVERFLOW_UNKNOWN : OVERFLOW_NONE;
    atomic_fetch_add_explicit(&s->versions, 1, memory_order_relaxed);
    *out = v;
    return HOLT_OK;
}

holt_status btree_version_open(btree_version **out, page_store *s, const tree_root *root)
{
    return make(out, s, root, 0);
}

holt_status version_make(btree_version **out, const btree_change *c, const tree_root *root)
{
    return make(out, c->store, root, c->store->number);
}

btree_version *btree_version_ref(btree_version *v)
{
    uint32_t before = atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return v;
}

void btree_version_unref(btree_version *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    page_store *s = v->store;
    v->dead_next = atomic_load_explicit(&s->dead, memory_order_relaxed);
    /* Versions are pushed one by one but popped all at once, so an ABA change of the head does no harm. */
    while (!atomic_compare_exchange_weak_explicit(&s->dead, &v->dead_next, v, memory_order_release,
                                                  memory_order_relaxed))
        continue;
}

uint64_t btree_version_held_pages(const btree_version *v)
{
    return atomic_load_explicit(&v->needs, memory_order_relaxed);
}

const tree_root *btree_version_root(const btree_version *v)
{
    return &v->root;
}

void btree_version_set_expiry(btree_version *v, const expiry_summary *expiry)
{
    v->root.expiry = *expiry;
}

static void version_free(page_store *s, btree_version *v)
{
    held_pass_on(s, v);
    if (v->older) v->older->newer = v->newer;
    if (v->newer) v->newer->older = v->older;
    s->replaced_versions -= v->replaced;
    mem_free(v);
    atomic_fetch_sub_explicit(&s->versions, 1, memory_order_relaxed);
}

void store_collect(page_store *s)
{
    btree_version *v;
    if (s->unrecorded) return;
    while ((v = atomic_exchange_explicit(&s->dead, NULL, memory_order_acquire)) != NULL) {
        while (v) {
            btree_version *next = v->dead_next;
            version_free(s, v);
            v = next;
        }
    }
    if (s->replaced_versions) return;
    /* Each living version is the newest of its tree, so the births of today's pages make no difference. */
    s->newborn.count = 0;
    page_births_clear(&s->births, s->number);
}
