/* use_header.h -- all of holt.h used by a program, to be compiled as C11 and as C++17 with every warning an
 * error.
 *
 * The sizes are the ABI of this release: a program compiled today works with a later library only while none
 * of them changes.
 */
#ifndef HOLT_TESTS_USE_HEADER_H
#define HOLT_TESTS_USE_HEADER_H

#include <holt.h>
#include <holt.h> /* twice does no harm */

#ifdef __cplusplus
#define ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type " has changed its size")
#else
#define ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has changed its size")
#endif

ASSERT_SIZE(holt_status, 4);
ASSERT_SIZE(holt_slice, 16);
ASSERT_SIZE(holt_value, 64);
ASSERT_SIZE(holt_error, 336);
ASSERT_SIZE(holt_options, 120);
ASSERT_SIZE(holt_collection_options, 88);
ASSERT_SIZE(holt_put_options, 80);
ASSERT_SIZE(holt_txn_options, 72);
ASSERT_SIZE(holt_batch_entry, 72);
ASSERT_SIZE(holt_reader, 88);
ASSERT_SIZE(holt_run, 40);
ASSERT_SIZE(holt_load_options, 72);
ASSERT_SIZE(holt_cursor_options, 120);
ASSERT_SIZE(holt_collection_info, 72);
ASSERT_SIZE(holt_verify_options, 88);
ASSERT_SIZE(holt_verify_report, 48);

/* What a program does with the header alone: initialisers, inline functions, constants. */
static inline int use_header(void)
{
    holt_value value = HOLT_VALUE_INIT;
    holt_slice text = holt_str("text");
    holt_slice nothing = holt_str(NULL);
    holt_slice bytes = holt_bytes(&value, sizeof value);

    if (value.data != NULL || value.size != 0 || value.capacity != 0 || value.version != 0) return 1;
    if (text.size != 4 || memcmp(text.data, "text", 4) != 0) return 2;
    if (nothing.data != NULL || nothing.size != 0) return 3;
    if (bytes.data != &value || bytes.size != 64) return 4;
    if (HOLT_OK != 0 || HOLT_CLOSED != 13 || HOLT_FILTER_NONE != UINT32_MAX || HOLT_NO_OFFSET != UINT64_MAX)
        return 5;
    return 0;
}

#endif
