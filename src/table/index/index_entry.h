/* index_entry.h -- the entries of secondary indexes.
 *
 * A row has one entry in each index, or none in a partial index whose column is null in the row. An entry
 * holds the values of the index's parts and the row's primary key:
 *
 *     key: parts, primary key    value: empty          of an index that is not unique, or if a part is null
 *     key: parts                 value: primary key    of a unique index
 *
 * So two rows with the same values in a unique index have the same key, and the transactions that insert them
 * conflict. A hashed part is the hash of the value: an entry with the same hash in a unique index belongs to
 * a row whose values must be compared (index_entry_compare).
 *
 * One entry of the collection belongs to no row: the marker, which says that the index is complete. It sorts
 * before all others, and its key is no tuple.
 *
 * Concurrency  one thread for each buffer.
 * Bytes        docs/FORMAT.md, "Indexes"
 */
#ifndef HOLT_TABLE_INDEX_ENTRY_H
#define HOLT_TABLE_INDEX_ENTRY_H

#include "table/row/row_code.h"

/* The key of the marker. */
static inline slice index_marker(void)
{
    return slice_of("", 1);
}

/* Whether the row has an entry in the index. */
static inline bool index_entry_exists(const schema_index *x, const holt_datum *row)
{
    return x->not_null == SCHEMA_NONE || row[x->not_null].type != HOLT_NULL;
}

/* Whether another row with the same values is a violation: the index is unique, and no part is null. */
bool index_entry_unique(const schema_index *x, const holt_datum *row);

/* Compares two rows whose entries in a unique index have the same key: their values are the same, unless two
 * hashes are equal by chance.
 *   HOLT_UNSUPPORTED  they are: the index cannot hold both rows */
holt_status index_entry_compare(const schema *s, const schema_index *x, const holt_datum *row,
                                const holt_datum *other);

/* Appends the key of the row's entry, which must exist, and sets *value: to the primary key or to no bytes.
 * primary: the row's encoded primary key. When out of memory, the buffer is marked as failed. */
void index_entry_append(buffer *b, const schema_index *x, const holt_datum *row, slice primary, slice *value);

/* Appends the first n parts of the index, given as values of the columns, hashed where the index has hashes:
 * the beginning of the keys of all entries that have these values. */
void index_parts_append(buffer *b, const schema_index *x, const holt_datum *values, size_t n);

/* Finds the encoded primary key in an untrusted entry. Returns false if the entry is damaged. */
bool index_entry_primary(const schema_index *x, slice key, slice value, slice *primary);

/* Decodes an untrusted entry: the index's parts and those of the primary key, whose positions
 * schema_index.held tells. `parts` has room for x->part_count + schema_key_parts(s); `room` has key.size +
 * value.size bytes. A hashed part is the hash, a blob. Returns false if the entry is damaged, or a part has
 * another type than its column. */
bool index_entry_read(const schema *s, const schema_index *x, slice key, slice value, uint8_t *room,
                      holt_datum *parts);

#endif
