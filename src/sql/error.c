/* error.c -- fills in the failure of a statement. */
#include "error.h"

#include <stdarg.h>

int error_set(sql_error *error, int code, size_t offset, const char *format, ...)
{
    va_list arguments;
    if (!error) return code;
    error->code = code;
    error->offset = offset;
    va_start(arguments, format);
    sqlite3_vsnprintf((int)sizeof error->message, error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c; c++) {
        if (*c == '\n' || *c == '\r') *c = ' ';
    }
    return code;
}

int error_of_sqlite(sql_error *error, int code, sqlite3 *sqlite, size_t start)
{
    const int offset = sqlite3_error_offset(sqlite);
    const bool known = offset >= 0 && start != SIZE_MAX;
    return error_set(error, code, known ? start + (size_t)offset : SIZE_MAX, "%s", sqlite3_errmsg(sqlite));
}
