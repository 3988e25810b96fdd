/* recover.h -- finishes the changes of schemas that a crash, or a failure, has left in the middle.
 *
 * A change commits its intent first, as a state of the table's record, and then creates, renames or drops
 * collections, each of which is durable by itself. So the record tells what to do:
 *
 *     creating           remove the table again. Its collection is dropped if it is empty: one with entries
 *                        was made by the program, and had the name first
 *     renaming           finish, if the collection has not been renamed yet; then the record gets its name
 *     dropping           drop the collections, then remove the record
 *     an index building  continue the build
 *     an index dropping  drop its collection, then remove it from the record
 *
 * In a read-only database the states are interpreted in the same way, and nothing is written.
 */
#ifndef HOLT_TABLE_RECOVER_H
#define HOLT_TABLE_RECOVER_H

#include "table/catalog/registry.h"

/* Reads the catalog, finishes what is unfinished, and adds the tables that the registry does not have yet.
 * The change lock is held. */
holt_status recover_tables(registry *r);

/* Drops a collection, if there is one of this name. */
holt_status drop_collection(holt *db, const char *name);

#endif
