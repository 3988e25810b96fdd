/* state_format.h -- the numbers of manifest items, for manifest_encode.c and state.c. */
#ifndef HOLT_DB_STATE_FORMAT_H
#define HOLT_DB_STATE_FORMAT_H

#include "db/state.h"

enum state_item {
    ITEM_COUNTERS = 1,
    ITEM_LOG = 2,
    ITEM_COLLECTION = 3,
    ITEM_DROP = 4,
    ITEM_RENAME = 5,
    ITEM_CLEAR = 6,
    ITEM_RUN = 7,
    ITEM_CLOSED = 8,
    ITEM_ROOT = 9,
    ITEM_SPACE = 10,
    ITEM_GARBAGE = 11,
    ITEM_SWEPT = 12
};

enum { BOUND_LOWER = 1, BOUND_UPPER = 2 };

#endif
