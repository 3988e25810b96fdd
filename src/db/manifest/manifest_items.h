/* manifest_items.h -- the numbers of manifest items, for manifest_encode.c and manifest_state.c. */
#ifndef HOLT_DB_MANIFEST_MANIFEST_ITEMS_H
#define HOLT_DB_MANIFEST_MANIFEST_ITEMS_H

#include "db/manifest/manifest_state.h"

enum manifest_item {
    ITEM_COUNTERS = 1,
    ITEM_LOG = 2,
    ITEM_COLLECTION = 3,
    ITEM_DROP = 4,
    ITEM_RENAME = 5,
    ITEM_CLEAR = 6,
    ITEM_RUN = 7,
    ITEM_CLOSED = 8,
    ITEM_ROOT = 9,
    ITEM_PAGE_STORE = 10,
    ITEM_GARBAGE = 11,
    ITEM_RECLAIMED = 12,
    ITEM_RUN_WITH_GAPS = 13,
    ITEM_EXPIRY = 14
};

enum { BOUND_LOWER = 1, BOUND_UPPER = 2 };

#endif
