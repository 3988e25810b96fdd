/* model.h -- what a database should hold: every collection, at every moment of its history.
 *
 * A *moment* is the number of commits made so far: 0 is the new database, with an empty "default". The model
 * keeps all versions of all keys, so a snapshot is a number, and what a crash left behind can be compared
 * with the state after any commit. Of a value only size and hash are kept.
 *
 *     commit:      1: put a=x     2: put b=y, delete a     3: clear
 *     a:           x ------------ (absent) --------------- (absent)
 *     b:           (absent) ----- y ---------------------- (absent)
 *
 * That values expire is a commit of its own, which the model is told of (model_expire); the history lets the
 * clock pass the time at that moment, and at no other.
 *
 * Commits are made one after the other; the last one can be undone, for a call that failed. Collections are
 * numbered in the order of their creation ("default" is 0) and numbers are never reused; a name belongs to a
 * collection for a span of moments. Key bytes stay in place until model_destroy().
 */
#ifndef HOLT_TESTS_MODEL_H
#define HOLT_TESTS_MODEL_H

#include "base/slice.h"

typedef uint64_t moment;
typedef struct model model;

typedef struct model_value {
    bool present;
    uint64_t size, hash;
    uint64_t expires; /* as in holt_put_options; 0: never */
} model_value;

model_value model_value_of(slice bytes); /* which never expires */
bool        model_value_is(model_value expected, slice bytes);

typedef struct model_entry {
    slice key;
    model_value value;
} model_entry;

/* One write of a commit; value.present is false for a delete. */
typedef struct model_write {
    size_t collection;
    slice key; /* copied */
    model_value value;
    bool range; /* a delete of all keys in [key, end) */
    slice end;  /* {NULL, 0}: without an end */
} model_write;

bool model_write_covers(const model_write *w, size_t collection, slice key);

model *model_create(uint32_t default_kind);
void   model_destroy(model *m);
moment model_now(const model *m);

/* The commits. Each returns the new moment; writes of one key in one commit: the last one counts. */
moment model_commit(model *m, const model_write *writes, size_t count);
moment model_clear(model *m, size_t collection);
moment model_expire(model *m, uint64_t time_ms); /* everything that expires by then is gone */
moment model_collection_create(model *m, const char *name, uint32_t kind);
moment model_collection_drop(model *m, size_t collection);
moment model_collection_rename(model *m, size_t collection, const char *name);
void   model_undo(model *m); /* the last of them */

/* Collections. model_name is NULL when the collection is not there at that moment. */
size_t      model_collections(const model *m); /* ever made */
const char *model_name(const model *m, size_t collection, moment at);
uint32_t    model_kind(const model *m, size_t collection);
bool        model_find(const model *m, const char *name, moment at, size_t *collection);
size_t      model_count(const model *m, moment at); /* collections that are there */

/* Whether a commit after that moment wrote the key; a clear writes the keys that have a value. */
bool model_written_since(const model *m, size_t collection, moment at, slice key);
/* Whether any range was deleted since. */
bool model_ranges_since(const model *m, size_t collection, moment at);

/* Contents. The keys ever written to a collection, in order; whether the i-th has a value at that moment is
 * in entry->value. */
model_value model_get(const model *m, size_t collection, moment at, slice key);
size_t      model_keys(const model *m, size_t collection);
model_entry model_entry_at(const model *m, size_t collection, moment at, size_t i);

/* A number for the whole state at a moment: names, kinds and entries. The sum over entries does not depend on
 * their order. */
uint64_t model_fingerprint(const model *m, moment at);
uint64_t fingerprint_entry(slice key, model_value value);
uint64_t fingerprint_collection(const char *name, uint32_t kind, uint64_t sum_of_entries);

#endif
