/* names.c -- the names of tables, columns and indexes. */
#include "table/schema/names.h"

#include "base/status.h"
#include "base/utf8.h"

static char fold(char c)
{
    if (c < 'A' || c > 'Z') return c;
    return (char)(c - 'A' + 'a');
}

holt_status schema_name_check(const char *name, const char *what)
{
    if (!name) return status_set(HOLT_INVALID, "%s is NULL", what);
    size_t size = strnlen(name, SCHEMA_NAME_BYTES_MAX + 1);
    if (size == 0) return status_set(HOLT_INVALID, "%s is empty", what);
    if (size > SCHEMA_NAME_BYTES_MAX)
        return status_set(HOLT_INVALID, "%s has more than %d bytes", what, SCHEMA_NAME_BYTES_MAX);
    size_t bad = utf8_find_unprintable(slice_of(name, size));
    if (bad < size)
        return status_set(HOLT_INVALID, "%s must be UTF-8 without control characters; byte %zu is not", what,
                          bad);
    return HOLT_OK;
}

holt_status schema_name_check_table(const char *name, const char *what)
{
    holt_status rc = schema_name_check(name, what);
    if (rc != HOLT_OK) return rc;
    char folded[SCHEMA_NAME_BYTES_MAX + 1];
    schema_name_fold(folded, name);
    if (strncmp(folded, "holt.", 5) == 0 || strcmp(folded, "default") == 0)
        return status_set(HOLT_INVALID,
                          "%s is \"%s\"; \"default\" and names that begin with \"holt.\" are reserved", what,
                          name);
    return HOLT_OK;
}

void schema_name_fold(char *out, const char *name)
{
    do
        *out++ = fold(*name);
    while (*name++);
}

bool schema_name_equal(const char *a, const char *b)
{
    while (*a && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return fold(*a) == fold(*b);
}
