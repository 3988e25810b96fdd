/* scratch.c -- taking, keeping and freeing the working memory of calls on rows. */
#include "table/access/scratch.h"

#include "base/memory.h"
#include "base/status.h"

/* A spare scratch that has grown beyond this is freed. */
enum { SPARE_BYTES_MAX = 1 << 20 };

void scratch_destroy(scratch *s)
{
    if (!s) return;
    buffer_deinit(&s->key);
    buffer_deinit(&s->value);
    buffer_deinit(&s->entry);
    buffer_deinit(&s->old_key);
    buffer_deinit(&s->old_entry);
    buffer_deinit(&s->room);
    value_buffer_deinit(&s->old_value);
    value_buffer_deinit(&s->found);
    mem_free(s->row);
    mem_free(s->old_row);
    mem_free(s);
}

static bool reserve_rows(scratch *s, uint32_t columns)
{
    if (columns <= s->columns) return true;
    holt_datum *row = mem_alloc(columns * sizeof *row), *old_row = mem_alloc(columns * sizeof *old_row);
    if (!row || !old_row) {
        mem_free(row);
        mem_free(old_row);
        return false;
    }
    mem_free(s->row);
    mem_free(s->old_row);
    s->row = row;
    s->old_row = old_row;
    s->columns = columns;
    return true;
}

scratch *scratch_take(holt_table *t, const schema *of)
{
    scratch *s = NULL;
    for (size_t i = 0; i < SPARES_MAX && !s; i++)
        if (atomic_load_explicit(&t->scratches[i], memory_order_relaxed)) /* just a hint */
            /* Acquire: the contents, from the thread that gave it back. */
            s = atomic_exchange_explicit(&t->scratches[i], NULL, memory_order_acquire);
    if (!s) s = mem_alloc_zero(1, sizeof *s);
    if (s && reserve_rows(s, of->column_count)) return s;
    scratch_destroy(s);
    status_set_no_memory(sizeof *s);
    return NULL;
}

static size_t scratch_bytes(const scratch *s)
{
    return s->key.capacity + s->value.capacity + s->entry.capacity + s->old_key.capacity +
           s->old_entry.capacity + s->room.capacity + s->old_value.capacity + s->found.capacity;
}

void scratch_give_back(holt_table *t, scratch *s)
{
    if (s && scratch_bytes(s) <= SPARE_BYTES_MAX) {
        buffer_clear(&s->key);
        buffer_clear(&s->value);
        buffer_clear(&s->entry);
        buffer_clear(&s->old_key);
        buffer_clear(&s->old_entry);
        buffer_clear(&s->room);
        for (size_t i = 0; i < SPARES_MAX; i++) {
            scratch *none = NULL;
            /* Release: the contents, for the thread that takes it. */
            if (atomic_compare_exchange_strong_explicit(&t->scratches[i], &none, s, memory_order_release,
                                                        memory_order_relaxed))
                return;
        }
    }
    scratch_destroy(s);
}
