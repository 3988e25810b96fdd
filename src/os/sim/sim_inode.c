/* sim_inode.c -- a file on the simulated disk: current contents, durable contents, and the changes between
 * them. */
#include "os/sim/sim_internal.h"

#include <assert.h>
#include <stdlib.h>

sim_inode *sim_inode_create(sim *s, uint64_t number)
{
    sim_inode *n = sim_alloc(sizeof *n);
    n->number = number;
    n->refs = 1;
    n->next = s->inodes;
    s->inodes = n;
    return n;
}

sim_inode *sim_inode_ref(sim_inode *n)
{
    n->refs++;
    return n;
}

static void drop_changes(sim_inode *n)
{
    for (size_t i = 0; i < n->change_count; i++)
        sim_blob_unref(n->changes[i].data);
    n->change_count = 0;
}

void sim_inode_unref(sim *s, sim_inode *n)
{
    if (!n || --n->refs > 0) return;
    assert(n->handles == 0 && !n->mappings);
    sim_inode **at = &s->inodes;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    drop_changes(n);
    free(n->changes);
    sim_bytes_clear(&n->current);
    sim_bytes_clear(&n->durable);
    free(n);
}

sim_inode *sim_inode_twin(sim *to, sim_inode *n)
{
    if (n->twin) return sim_inode_ref(n->twin);
    sim_inode *twin = sim_inode_create(to, n->number);
    twin->linked = n->linked;
    sim_bytes_copy(&twin->current, &n->current);
    sim_bytes_copy(&twin->durable, &n->durable);
    sim_grow((void **)&twin->changes, &twin->change_capacity, n->change_count, sizeof(sim_change));
    for (size_t i = 0; i < n->change_count; i++) {
        twin->changes[i] = n->changes[i];
        sim_blob_ref(twin->changes[i].data);
    }
    twin->change_count = n->change_count;
    n->twin = twin;
    return twin;
}

void sim_change_apply(const sim_change *c, sim_bytes *to)
{
    switch (c->kind) {
    case SIM_CHANGE_WRITE:
        sim_bytes_write(to, c->offset, sim_blob_bytes(c->data), (size_t)c->size);
        break;
    case SIM_CHANGE_TRUNCATE:
        sim_bytes_resize(to, c->size);
        break;
    case SIM_CHANGE_ALLOCATE:
        if (to->size < c->size) sim_bytes_resize(to, c->size);
        break;
    }
}

/* Updates [begin, end) in the maps of the file; past the end of the file they show zeros. */
static void mappings_refresh(sim_inode *n, uint64_t begin, uint64_t end)
{
    for (sim_mapping *v = n->mappings; v; v = v->next) {
        uint64_t from = begin > v->offset ? begin : v->offset;
        uint64_t to = end < v->offset + v->size ? end : v->offset + v->size;
        if (from >= to) continue;
        uint8_t *at = v->bytes + (from - v->offset);
        size_t got = sim_bytes_read(&n->current, from, at, (size_t)(to - from));
        memset(at + got, 0, (size_t)(to - from) - got);
    }
}

static void change_add(sim_inode *n, sim_change c)
{
    c.certainty = SIM_PENDING;
    sim_grow((void **)&n->changes, &n->change_capacity, n->change_count + 1, sizeof(sim_change));
    n->changes[n->change_count++] = c;
    uint64_t before = n->current.size;
    sim_change_apply(&c, &n->current);
    if (c.kind == SIM_CHANGE_WRITE) {
        mappings_refresh(n, c.offset, c.offset + c.size);
    } else if (n->current.size < before) {
        mappings_refresh(n, n->current.size, before);
    }
}

void sim_inode_write(sim_inode *n, uint64_t offset, const void *data, size_t size)
{
    if (size == 0) return;
    change_add(n, (sim_change){.kind = SIM_CHANGE_WRITE,
                               .offset = offset,
                               .size = size,
                               .data = sim_blob_create(data, size)});
}

void sim_inode_truncate(sim_inode *n, uint64_t size)
{
    change_add(n, (sim_change){.kind = SIM_CHANGE_TRUNCATE, .size = size});
}

void sim_inode_allocate(sim_inode *n, uint64_t size)
{
    change_add(n, (sim_change){.kind = SIM_CHANGE_ALLOCATE, .size = size});
}

static void pending_become(sim_inode *n, sim_certainty certainty)
{
    for (size_t i = 0; i < n->change_count; i++) {
        if (n->changes[i].certainty == SIM_PENDING) n->changes[i].certainty = certainty;
    }
}

void sim_inode_sync(sim_inode *n)
{
    pending_become(n, SIM_SURE);
    size_t sure = 0;
    for (; sure < n->change_count && n->changes[sure].certainty == SIM_SURE; sure++) {
        sim_change_apply(&n->changes[sure], &n->durable);
        sim_blob_unref(n->changes[sure].data);
    }
    n->change_count -= sure;
    if (sure > 0 && n->change_count > 0) {
        memmove(n->changes, n->changes + sure, n->change_count * sizeof *n->changes);
    }
}

void sim_inode_fail_sync(sim_inode *n)
{
    pending_become(n, SIM_LIMBO);
}

void sim_inode_settle(sim_inode *n, sim_bytes *bytes)
{
    drop_changes(n);
    sim_bytes_copy(&n->current, bytes);
    sim_bytes_clear(&n->durable);
    n->durable = *bytes;
    *bytes = (sim_bytes){0, NULL, 0, 0};
    mappings_refresh(n, 0, UINT64_MAX);
}
