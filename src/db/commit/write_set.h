/* write_set.h -- what a transaction has written: operations in the log's encoding, and an index over them.
 *
 * The operations are kept in the order in which they were written, as the bytes of the frame to be (log/
 * operation.h), so a commit copies them into the log as they are. The index serves the transaction's reads of
 * its own writes: a private memtable, in which the n-th operation has the seqno n, and a put the place of its
 * operation as its value. A range delete is a tombstone of every key in its range. So each key and each value
 * is in memory once, apart from the index's copy of the key.
 *
 * The index is made when it is first needed: a lookup in a few operations is faster without one, and a
 * transaction that reads nothing after more than a few writes never has one.
 *
 * Undoing      Savepoints cut the operations off at a former end. Their records in the index are aborted,
 *              which costs time in proportion to what is undone. When most of the index is aborted it is
 *              discarded (to be made again on demand), so that memory stays in proportion to the operations.
 * Iterators    write_set_iterator_open. An iterator shows what the set had when it was last positioned: after
 *              a later write (changes) it must be positioned again, and after an undo or a range delete
 *              (undos) opened again.
 * Addresses    a set that is not empty has pointers into itself, so it must not be moved.
 * Concurrency  one thread; the commit leader reads the operations while their owner waits for it.
 */
#ifndef HOLT_DB_COMMIT_WRITE_SET_H
#define HOLT_DB_COMMIT_WRITE_SET_H

#include "base/buffer.h"
#include "log/operation.h"
#include "memtable/memtable.h"

#include <holt.h>

typedef struct write_set {
    buffer operations;
    uint32_t count;
    uint64_t puts, user_bytes;     /* keys and values */
    holt_collection **collections; /* each once; a user of each. In `few` as long as they fit */
    size_t collection_count, collection_capacity;
    holt_collection *few[2];
    uint64_t changes; /* writes and undos so far */
    uint64_t undos;   /* undos, and range deletes written */
    memtable *index;           /* NULL: none */
    memtable_record **records; /* of the index, by operation */
    size_t record_capacity;
    uint64_t aborted; /* records of the index */
} write_set;

/* A former state of the set, to return to. */
typedef struct write_set_mark {
    size_t bytes, collection_count;
    uint32_t count;
    uint64_t puts, user_bytes;
} write_set_mark;

/* Empties and frees the set. */
void        write_set_deinit(write_set *w);
/* Adds an operation on the collection. HOLT_TOO_LARGE: there would be too many for one frame. On failure the
 * set is as before. */
holt_status write_set_add(write_set *w, holt_collection *c, const operation *o);
/* Adds the collection to those that the set names. */
holt_status write_set_name(write_set *w, holt_collection *c);
/* The collection with that id, which the set names. *hint: the index at which the previous one was found, as
 * sets mostly write to one collection, or to several in turn. */
holt_collection *write_set_collection(const write_set *w, uint32_t id, size_t *hint);

/* Decodes the operation at a place in the set's operations: where one begins. */
operation write_set_operation_at(const write_set *w, uint64_t place);

/* The newest operation on the key; a range delete is shown as a delete of it. HOLT_NOT_FOUND, without a
 * message: there is none. Its slices are valid until the set changes, or are the caller's. */
holt_status write_set_find(write_set *w, const holt_collection *c, slice key, operation *out);
/* An iterator over the newest operation of each key of the collection in [lower, upper), deletes included.
 * Keys are valid until the iterator is closed, values until the set changes. It must be closed before the
 * set is freed. */
holt_status write_set_iterator_open(write_set *w, const holt_collection *c, slice lower, slice upper,
                                    iterator **out);

write_set_mark write_set_mark_of(const write_set *w);
/* Undoes what was added after the mark. Marks that were taken later are void. */
void           write_set_undo(write_set *w, const write_set_mark *mark);

#endif
