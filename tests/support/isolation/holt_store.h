/* holt_store.h -- Holt for the runner of isolation histories, by the public interface alone. */
#ifndef HOLT_TESTS_HOLT_STORE_H
#define HOLT_TESTS_HOLT_STORE_H

#include "support/isolation/iso_run.h"

typedef struct holt_store {
    holt *db;
    holt_collection *collections[ISO_COLLECTIONS];
    uint32_t durability; /* of all transactions */
} holt_store;

/* The store is borrowed. */
iso_store holt_store_of(holt_store *s);

#endif
