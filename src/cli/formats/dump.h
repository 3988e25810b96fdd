/* dump.h -- the format of a dump: collections as lines of text that every release reads.
 *
 *     HOLT-DUMP 1
 *     \collection<TAB>NAME<TAB>kind=lsm<TAB>block_bytes=8192<TAB>filter_bits=10
 *     KEY<TAB>VALUE
 *     \until<TAB>MS<TAB>KEY<TAB>VALUE
 *     ...
 *     \end<TAB>COUNT
 *
 * KEY, VALUE and NAME are written with the escapes of text.h. No escape begins with \c, \e or \u, so the
 * lines with a special meaning cannot be mistaken for entries. \until is an entry that expires, at MS
 * milliseconds since 1970 UTC; releases that know no expiry refuse it as a wrong escape. Entries belong to
 * the collection named last. The attributes after its name say how to create it if it does not exist; all of
 * them are optional. filter_bits=none, and 0 in older dumps, means no filter. COUNT is the number of entries
 * in the whole dump: a dump without the \end line, or with another count, was truncated.
 *
 * A carriage return in a key or value is escaped, so one at the end of a line belongs to the line end: a dump
 * that a mail program or an editor has converted to CRLF reads the same.
 */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include <stdint.h>
#include <stdio.h>

#include <holt.h>

#define DUMP_HEADER "HOLT-DUMP 1"
#define DUMP_COLLECTION "\\collection"
#define DUMP_UNTIL "\\until"
#define DUMP_END "\\end"

void dump_write_header(FILE *out);
void dump_write_collection(FILE *out, const char *name, const holt_collection_info *info);
/* expires_at_ms 0: it does not expire. */
void dump_write_entry(FILE *out, holt_slice key, holt_slice value, uint64_t expires_at_ms);
void dump_write_end(FILE *out, uint64_t count);

#endif
