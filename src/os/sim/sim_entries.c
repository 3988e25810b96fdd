/* sim_entries.c -- a sorted list of names and the files they mean. */
#include "os/sim/sim_internal.h"

#include <stdlib.h>

/* Where `name` is, or would be. */
static size_t place_of(const sim_entries *e, const char *name, bool *found)
{
    size_t low = 0, high = e->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(e->at[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

sim_inode *sim_entries_find(const sim_entries *e, const char *name)
{
    bool found;
    size_t i = place_of(e, name, &found);
    return found ? e->at[i].inode : NULL;
}

void sim_entries_put(sim *s, sim_entries *e, const char *name, sim_inode *n)
{
    sim_inode_ref(n);
    bool found;
    size_t i = place_of(e, name, &found);
    if (found) {
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
    bool found;
    size_t i = place_of(e, name, &found);
    if (!found) return;
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
