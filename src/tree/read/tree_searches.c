/* tree_searches.c -- what the searches for many keys wait for, requested together. */
#include "tree/read/tree_read_ahead.h"
#include "tree/tree_internal.h"

#include <stdlib.h>

/* By file and offset. Two pieces with the same place can only come from a damaged pointer. */
static int compare_places(const void *a, const void *b)
{
    const tree_descent *x = &(*(batch_search *const *)a)->descent, *y = &(*(batch_search *const *)b)->descent;
    if (x->file != y->file) return (uintptr_t)x->file < (uintptr_t)y->file ? -1 : 1;
    if (x->at.offset != y->at.offset) return x->at.offset < y->at.offset ? -1 : 1;
    return 0;
}

bool tree_searches_same(const batch_search *a, const batch_search *b)
{
    const tree_descent *x = &a->descent, *y = &b->descent;
    return x->file == y->file && block_ptr_equal(x->at, y->at) && x->level == y->level &&
           a->runs.in_filter == b->runs.in_filter;
}

void tree_searches_request(batch_search **searches, size_t count)
{
    ahead_stretch s = {0, 0};
    tree_file *file = NULL;
    qsort(searches, count, sizeof searches[0], compare_places);
    for (size_t i = 1; i < count; i++) {
        const tree_descent *d = &searches[i]->descent;
        if (tree_searches_same(searches[i], searches[i - 1])) continue;
        if (d->file != file) {
            if (file) ahead_request(&s, file);
            s = (ahead_stretch){0, 0};
            file = d->file;
        }
        ahead_add(&s, file, d->at);
    }
    if (file) ahead_request(&s, file);
}
