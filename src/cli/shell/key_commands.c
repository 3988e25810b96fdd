/* key_commands.c -- see shell.h: put, get, scan and so on in the current collection, and whole collections.
 *
 * Keys and values are printed with the escapes of common/text.h, so that they can be typed again.
 */
#include "shell/shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt/table.h>

#include "cli_values.h"
#include "commands/commands.h"
#include "common/number.h"
#include "terminal/confirm.h"
#include "terminal/output.h"
#include "terminal/rows.h"

/* ---------------------------------------------------------------- the current collection or table */

void shell_leave_collection(shell *s)
{
    holt_collection_close(s->collection);
    s->collection = NULL;
    s->name[0] = '\0';
}

bool shell_use_collection(shell *s, const char *name)
{
    holt_collection *collection = NULL;
    holt_status status = holt_collection_open(s->session->db, name, &collection);
    if (status == HOLT_NOT_FOUND) {
        return shell_error(s, "there is no collection '%s'; 'create %s' creates it", name, name);
    }
    if (!shell_check(s, status)) return false;
    shell_leave_collection(s);
    s->collection = collection;
    snprintf(s->name, sizeof s->name, "%s", name);
    return true;
}

/* Names that begin so belong to tables and their indexes. */
static bool is_internal(const char *name)
{
    return strncmp(name, "holt.", 5) == 0;
}

/* Reads the name of a collection or table. */
static bool need_name(shell *s, line_words *w, char name[SHELL_NAME_MAX + 1])
{
    line_word word;
    return shell_need_word(s, w, "the name of a collection", &word) && shell_name_of(s, &word, name);
}

static bool run_use(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    if (!need_name(s, w, name) || !shell_need_end(s, w)) return false;
    if (is_internal(name)) {
        return shell_error(s, "'%s' belongs to a table; 'holt scan -c' shows what is in it", name);
    }
    bool found;
    if (!shell_find_table(s, name, &found)) return false;
    if (!found) return shell_use_collection(s, name);
    shell_leave_collection(s); /* so that keys that are meant for the table do not go elsewhere */
    snprintf(s->table, sizeof s->table, "%s", name);
    return true;
}

static bool run_close(shell *s, line_words *w)
{
    if (!shell_need_end(s, w) || !shell_use_collection(s, "default")) return false;
    s->table[0] = '\0';
    return true;
}

static bool need_collection(shell *s)
{
    if (s->collection) return true;
    return shell_error(s,
                       "'%s' is a table: insert, where, update set, delete where and SQL are for its rows; "
                       "'use default' goes back to the keys of that collection",
                       s->table);
}

/* ---------------------------------------------------------------- single keys */

/* Reads the key, which is all that the command needs, and sets the transaction. */
static bool begin_key(shell *s, line_words *w, line_word *key, holt_txn **t)
{
    return need_collection(s) && shell_need_word(s, w, "the key", key) && shell_need_end(s, w) &&
           shell_transaction(s, t);
}

static holt_slice bytes_of(const line_word *word)
{
    return holt_bytes(word->bytes, word->size);
}

/* Reads [until MS]. */
static bool read_expiry(shell *s, line_words *w, uint64_t *expires_at_ms)
{
    line_word word;
    bool found;
    if (!shell_word(s, w, &word, &found) || !found) return !found && !w->problem;
    if (!word_is(&word, "until")) {
        return shell_error_at(s, word.at, "'%.40s' is too much; a value with spaces needs quotes",
                              word.bytes);
    }
    if (!shell_need_word(s, w, "the time, in milliseconds since 1970,", &word)) return false;
    if (number_parse(word.bytes, expires_at_ms) == NUMBER_OK && *expires_at_ms > 0)
        return shell_need_end(s, w);
    return shell_error_at(s, word.at, "'%.40s' is not a time in milliseconds since 1970", word.bytes);
}

static bool run_put(shell *s, line_words *w)
{
    line_word key, value;
    holt_txn *t;
    holt_put_options options;
    memset(&options, 0, sizeof options);
    if (!need_collection(s) || !shell_need_word(s, w, "the key", &key) ||
        !shell_need_word(s, w, "the value", &value) || !read_expiry(s, w, &options.expires_at_ms) ||
        !shell_transaction(s, &t)) {
        return false;
    }
    return shell_check(s, holt_put_with(s->collection, t, bytes_of(&key), bytes_of(&value), &options));
}

static bool run_get(shell *s, line_words *w)
{
    line_word key;
    holt_txn *t;
    holt_value value = HOLT_VALUE_INIT;
    if (!begin_key(s, w, &key, &t)) return false;
    holt_status status = holt_get(s->collection, t, bytes_of(&key), &value);
    if (status == HOLT_OK) {
        output_write_text(holt_bytes(value.data, value.size));
        putchar('\n');
    }
    holt_value_free(&value);
    return status == HOLT_NOT_FOUND ? shell_error(s, "there is no such key") : shell_check(s, status);
}

static bool run_delete(shell *s, line_words *w)
{
    line_word key;
    holt_txn *t;
    if (!begin_key(s, w, &key, &t)) return false;
    holt_status status = holt_exists(s->collection, t, bytes_of(&key));
    if (status == HOLT_NOT_FOUND) return shell_error(s, "there is no such key");
    if (status == HOLT_OK) status = holt_delete(s->collection, t, bytes_of(&key));
    return shell_check(s, status);
}

static bool run_exists(shell *s, line_words *w)
{
    line_word key;
    holt_txn *t;
    if (!begin_key(s, w, &key, &t)) return false;
    holt_status status = holt_exists(s->collection, t, bytes_of(&key));
    if (status != HOLT_NOT_FOUND && !shell_check(s, status)) return false;
    puts(status == HOLT_OK ? "true" : "false");
    return true;
}

/* ---------------------------------------------------------------- ranges */

typedef struct key_range {
    holt_cursor_options bounds;
    uint64_t limit;
    bool reverse;
} key_range;

/* Reads what follows `limit`. */
static bool read_limit(shell *s, line_words *w, uint64_t *limit)
{
    line_word word;
    if (!shell_need_word(s, w, "the number behind limit", &word)) return false;
    if (number_parse(word.bytes, limit) == NUMBER_OK) return true;
    return shell_error_at(s, word.at, "'%.40s' is not a number of entries", word.bytes);
}

/* Reads [PREFIX | FROM TO] [limit N] [reverse]. */
static bool read_range(shell *s, line_words *w, key_range *out)
{
    line_word word, bounds[2];
    int count = 0;
    bool found;
    *out = (key_range){.limit = UINT64_MAX};
    for (;;) {
        if (!shell_word(s, w, &word, &found)) return false;
        if (!found) break;
        if (word_is(&word, "reverse")) {
            out->reverse = true;
        } else if (word_is(&word, "limit")) {
            if (!read_limit(s, w, &out->limit)) return false;
        } else if (count < 2) {
            bounds[count++] = word;
        } else {
            return shell_error_at(s, word.at, "'%.40s' is too much: a range is a prefix, or from and to",
                                  word.bytes);
        }
    }
    if (count == 1) out->bounds.prefix = bytes_of(&bounds[0]);
    if (count == 2) out->bounds.lower = bytes_of(&bounds[0]);
    if (count == 2) out->bounds.upper = bytes_of(&bounds[1]);
    return true;
}

/* Walks over a range and prints its entries, unless `columns` is NULL and print is false: then it only
 * counts. */
static bool walk(shell *s, const key_range *range, bool print, rows *columns, uint64_t *count)
{
    holt_cursor *cursor = NULL;
    holt_txn *t;
    if (!shell_transaction(s, &t)) return false;
    holt_status status = holt_cursor_open(s->collection, t, &range->bounds, &cursor);
    if (!shell_check(s, status)) return false;
    bool (*step)(holt_cursor *) = range->reverse ? holt_cursor_prev : holt_cursor_next;
    *count = 0;
    while (*count < range->limit && !output_interrupted() && output_ok() && step(cursor)) {
        ++*count;
        if (columns) {
            rows_add(columns, holt_cursor_key(cursor), holt_cursor_value(cursor));
        } else if (print) {
            output_write_text(holt_cursor_key(cursor));
            putc_unlocked('\t', stdout);
            output_write_text(holt_cursor_value(cursor));
            putc_unlocked('\n', stdout);
        }
    }
    if (columns) rows_flush(columns);
    return shell_check(s, holt_cursor_close(cursor)) && !shell_interrupted(s);
}

static bool run_scan(shell *s, line_words *w)
{
    key_range range;
    uint64_t count;
    if (!need_collection(s) || !read_range(s, w, &range)) return false;
    rows *columns = output_is_terminal() ? rows_create(false) : NULL;
    bool ok = walk(s, &range, true, columns, &count);
    rows_destroy(columns);
    return ok;
}

static bool run_count(shell *s, line_words *w)
{
    key_range range;
    uint64_t count;
    if (!need_collection(s) || !read_range(s, w, &range)) return false;
    range.bounds.flags = HOLT_CURSOR_KEYS_ONLY;
    if (!walk(s, &range, false, NULL, &count)) return false;
    printf("%" PRIu64 "\n", count);
    return true;
}

/* ---------------------------------------------------------------- whole collections */

static bool run_create(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    line_word kind;
    bool found;
    holt_collection_options options;
    holt_collection *collection = NULL;
    memset(&options, 0, sizeof options);
    if (!need_name(s, w, name) || !shell_word(s, w, &kind, &found)) return false;
    if (found) {
        options.kind = word_is(&kind, "lsm") ? HOLT_LSM : word_is(&kind, "btree") ? HOLT_BTREE : 0;
        if (!options.kind) return shell_error_at(s, kind.at, "the kind is lsm or btree");
    }
    if (!shell_need_end(s, w)) return false;
    if (is_internal(name)) return shell_error(s, "names that begin with 'holt.' are for tables");
    holt_status status = holt_collection_create(s->session->db, name, &options, &collection);
    holt_collection_close(collection);
    if (status == HOLT_EXISTS)
        return shell_error(s, "'%s' exists already; 'use %s' makes it current", name, name);
    return shell_check(s, status) && shell_refresh_sql(s);
}

static bool run_drop(shell *s, line_words *w)
{
    char name[SHELL_NAME_MAX + 1];
    bool is_table;
    if (!need_name(s, w, name) || !shell_need_end(s, w) || !shell_find_table(s, name, &is_table))
        return false;
    if (is_internal(name)) return shell_error(s, "'%s' belongs to a table; 'drop' drops that", name);
    if (s->people && confirm(s->session->call, "drop", "%s '%s' with all that is in it",
                             is_table ? "the table" : "the collection", name) != CLI_CONTINUE) {
        return true;
    }
    if (s->sql && sql_in_transaction(s->sql)) {
        /* A transaction that has written to what is dropped could not be committed. */
        return shell_error(s, "nothing can be dropped within a transaction: commit or roll back first");
    }
    bool current = !is_table && strcmp(s->name, name) == 0;
    if (current) shell_leave_collection(s);
    bool ok = shell_check(s, is_table ? holt_table_drop(s->session->db, name)
                                      : holt_collection_drop(s->session->db, name));
    if (ok && is_table && strcmp(s->table, name) == 0) s->table[0] = '\0';
    if (!s->collection) ok = shell_use_collection(s, current && !ok ? name : "default") && ok;
    return ok && shell_refresh_sql(s);
}

static bool run_list(shell *s, line_words *w)
{
    return shell_need_end(s, w) && shell_print_names(s, true, true);
}

static bool run_exit(shell *s, line_words *w)
{
    if (!shell_need_end(s, w)) return false;
    s->ended = true;
    return true;
}

static bool run_help(shell *s, line_words *w)
{
    return shell_find(shell_dot_commands, &(line_word){.bytes = ".help", .size = 5})->run(s, w);
}

const shell_command shell_key_commands[] = {
    {"create", "NAME [lsm|btree]", "create a collection", run_create},
    {"use", "NAME", "make a collection or table current", run_use},
    {"put", "KEY VALUE [until MS]", "write a value, which may expire at a time", run_put},
    {"get", "KEY", "print the value", run_get},
    {"exists", "KEY", "print true or false", run_exists},
    {"delete", "KEY", "delete a key", run_delete},
    {"scan", "[PREFIX | FROM TO] [limit N] [reverse]", "print entries; TO is exclusive", run_scan},
    {"count", "[PREFIX | FROM TO]", "count entries", run_count},
    {"list", "", "list tables and collections", run_list},
    {"close", "", "leave the current collection and table: default is current again", run_close},
    {"drop", "NAME", "drop a collection or table with all that is in it", run_drop},
    {"help", "", "as .help", run_help},
    {"exit", "", "as .exit", run_exit},
    {"quit", "", "as .exit", run_exit},
    {NULL, NULL, NULL, NULL},
};
