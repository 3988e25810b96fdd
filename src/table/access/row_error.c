/* row_error.c -- the fields of the calling thread's last problem with a row. */
#include "table/access/row_error.h"

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local holt_row_error last = {.position = UINT32_MAX};

void row_error_clear(void)
{
    last.problem = HOLT_ROW_OK;
}

holt_row_problem row_error_problem(void)
{
    return (holt_row_problem)last.problem;
}

static void set_name(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s", name ? name : "");
}

holt_status row_error_set(holt_status status, holt_row_problem problem, const schema *s, uint32_t column,
                          const schema_index *index, const char *format, ...)
{
    char text[sizeof((holt_error *)NULL)->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = column == SCHEMA_NONE ? NULL : s->columns[column].name;
    last.problem = problem;
    last.position = column == SCHEMA_NONE ? UINT32_MAX : column;
    set_name(last.table, sizeof last.table, s->name);
    set_name(last.column, sizeof last.column, name);
    set_name(last.index, sizeof last.index, index ? index->name : NULL);
    return status_set(status, "%s%s%s: %s", s->name, name ? "." : "", name ? name : "", text);
}

void holt_row_error_get(holt_row_error *out, size_t out_size)
{
    static const holt_row_error none = {.position = UINT32_MAX};
    const holt_row_error *from = last.problem == HOLT_ROW_OK ? &none : &last;
    if (!out) return;
    size_t known = out_size < sizeof *from ? out_size : sizeof *from;
    memcpy(out, from, known);
    memset((char *)out + known, 0, out_size - known);
}
