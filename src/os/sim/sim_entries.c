/* sim_entries.c -- the sorted names of a directory and the files they refer to. */
#include "os/sim/sim_internal.h"

#include "base/search.h"

#include <stdlib.h>

static int compare_name(const void *entries, size_t i, const void *name)
{
    return strcmp(((const sim_entry *)entries)[i].name, name);
}

/* Whether there is an entry for `name`. *index: where it is, or would be inserted. */
static bool find(const sim_entries *e, const char *name, size_t *index)
{
    return search_find(e->at, e->count, name, compare_name, index);
}

sim_inode *sim_entries_find(const sim_entries *e, const char *name)
{
    size_t i;
    return find(e, name, &i) ? e->at[i].inode : NULL;
}

void sim_entries_put(sim *s, sim_entries *e, const char *name, sim_inode *n)
{
    sim_inode_ref(n);
    size_t i;
    if (find(e, name, &i)) {
        sim_inode_unref(s, e->at[i].inode);
        e->at[i].inode = n;
        return;
    }
    sim_grow((void **)&e->at, &e->capacity, e->count + 1, sizeof(sim_entry));
    memmove(e->at + i + 1, e->at + i, (e->count - i) * sizeof *e->at);
    e->count++;
    memset(&e->at[i], 0, sizeof e->at[i]);
    memcpy(e->at[i].name, name, strlen(name) + 1);
    e->at[i].inode = n;
}

void sim_entries_remove(sim *s, sim_entries *e, const char *name)
{
    size_t i;
    if (!find(e, name, &i)) return;
    sim_inode_unref(s, e->at[i].inode);
    e->count--;
    memmove(e->at + i, e->at + i + 1, (e->count - i) * sizeof *e->at);
}

void sim_entries_clear(sim *s, sim_entries *e)
{
    for (size_t i = 0; i < e->count; i++)
        sim_inode_unref(s, e->at[i].inode);
    free(e->at);
    *e = (sim_entries){NULL, 0, 0};
}

void sim_entries_copy(sim *s, sim_entries *to, const sim_entries *from)
{
    sim_entries copy = {NULL, 0, 0};
    for (size_t i = 0; i < from->count; i++)
        sim_entries_put(s, &copy, from->at[i].name, from->at[i].inode);
    sim_entries_clear(s, to);
    *to = copy;
}
