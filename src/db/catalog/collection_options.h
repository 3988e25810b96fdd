/* collection_options.h -- what a collection may be called, and the defaults and limits of its options. */
#ifndef HOLT_DB_CATALOG_COLLECTION_OPTIONS_H
#define HOLT_DB_CATALOG_COLLECTION_OPTIONS_H

#include "db/tree/collection_spec.h"

#include <holt.h>

/* HOLT_INVALID says what is wrong with a name. */
holt_status name_check(const char *name);
/* Fills in the defaults of a collection's options (NULL: all of them). HOLT_INVALID, HOLT_UNSUPPORTED. */
holt_status collection_spec_init(const holt *db, const holt_collection_options *o, collection_spec *out);

#endif
