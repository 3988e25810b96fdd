/* pages.c -- with HOLT_TEST_PAGE_BYTES=16384 or 65536 a test runs as on a system with pages of that size. */
#include "base/pages.h"

#include <stdlib.h>

__attribute__((constructor)) static void pretend_pages(void)
{
    const char *text = getenv("HOLT_TEST_PAGE_BYTES");
    if (text) pages_pretend((size_t)strtoull(text, NULL, 0));
}
