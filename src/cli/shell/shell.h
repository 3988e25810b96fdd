/* shell.h -- `holt shell`: commands typed, or piped in, line by line.
 *
 * What a line is, is decided by how it begins:
 *
 *     .help                     a dot command (dot_commands.c)
 *     select * from users;      SQL, up to the semicolon and over any number of lines (sql_lines.c)
 *     where email=a@b.c         a command on rows of the current table (row_commands.c)
 *     put city Lisbon           a command on keys of the current collection (key_commands.c)
 *
 * Key and row commands are tables of shell_command, like the dot commands; SQL is recognized by its first two
 * words, so that `delete from t` and `delete city` are not the same. `begin`, `commit` and `rollback` are for
 * all of them: there is one transaction at a time, that of the SQL connection, and key commands join it.
 *
 * A command that fails prints why, with the line and column if they matter, and the shell goes on. At a
 * terminal Ctrl-C ends the running command; long ones ask output_interrupted(). From a pipe or a file the
 * shell does the same without prompts, colours and history, and its exit code is 1 if a command failed.
 */
#ifndef CLI_SHELL_H
#define CLI_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

#include "common/byte_buffer.h"
#include "formats/sql_rows.h"
#include "session.h"
#include "shell/line_editor.h"
#include "shell/words.h"
#include "sql/sql.h"

enum { SHELL_NAME_MAX = 128 };

/* Where lines come from. */
typedef struct shell_source {
    const char *name; /* of the file, for errors; NULL = standard input */
    uint64_t line;    /* read last, from 1 */
    struct shell_source *outer; /* that read this one with .read */
} shell_source;

typedef struct shell {
    session *session;
    bool people;   /* lines come from a terminal: prompts, history, questions */
    bool ended;    /* by .exit */
    bool failed;   /* a command has failed */
    bool timed;    /* .timer */
    shell_source *source;
    const char *line; /* the command being run, for the columns of errors */

    holt_collection *collection;     /* the current one; NULL after `use` of a table */
    char name[SHELL_NAME_MAX + 1];   /* of the current collection */
    char table[SHELL_NAME_MAX + 1];  /* of the current table; "" = none */

    sql_rows rows;           /* prints the results of SQL and of commands on rows; has the mode */
    sql_connection *sql;     /* NULL before the first use: shell_sql() opens it */
    byte_buffer statement;   /* SQL that was begun and still lacks its semicolon */
    uint64_t statement_line; /* where it began */
    uint64_t row;            /* of the statement, from 1, in which its error is; 0: does not matter */
} shell;

typedef struct shell_command {
    const char *name;     /* NULL ends the table */
    const char *operands; /* for .help */
    const char *summary;
    bool (*run)(shell *s, line_words *w); /* returns false after printing the error */
} shell_command;

extern const shell_command shell_key_commands[];
extern const shell_command shell_row_commands[];
extern const shell_command shell_dot_commands[];

/* Returns the command with that name in either case, or NULL. */
const shell_command *shell_find(const shell_command *commands, const line_word *name);

/* ---------------------------------------------------------------- input.c */

/* Runs what is typed until the shell ends. */
void shell_run_terminal(shell *s);

/* Runs the lines of an open pipe or file to its end. `source` has its name. */
void shell_run_descriptor(shell *s, shell_source *source, int descriptor);

/* Runs the lines of a file. Returns false if it cannot be read or a command fails, after printing the error.
 * */
bool shell_run_file(shell *s, const char *path);

/* ---------------------------------------------------------------- shell.c */

/* Runs a line, which ends with a zero byte, or adds it to the statement. */
void shell_take_line(shell *s, const char *line, size_t size);

/* Prints an error on standard error, with the place that the line came from. Returns false. */
__attribute__((format(printf, 2, 3))) bool shell_error(shell *s, const char *format, ...);

/* The same with the column of the byte `at` of the line. */
__attribute__((format(printf, 3, 4))) bool shell_error_at(shell *s, size_t at, const char *format, ...);

/* Returns true for HOLT_OK; otherwise prints the library's message and returns false. */
bool shell_check(shell *s, holt_status status);

/* Reads the next word of a command. Returns false after printing an error if it is wrong; with *found false
 * if there is none. */
bool shell_word(shell *s, line_words *w, line_word *out, bool *found);

/* Reads a word that must be there; `what` names it in the error. */
bool shell_need_word(shell *s, line_words *w, const char *what, line_word *out);

/* The line must end here. Returns false after printing an error if it does not. */
bool shell_need_end(shell *s, line_words *w);

/* Copies a name. Returns false after printing an error if it cannot be one. */
bool shell_name_of(shell *s, const line_word *word, char name[SHELL_NAME_MAX + 1]);

/* Returns whether the running command should end, after printing an error. */
bool shell_interrupted(shell *s);

/* Prints how long a command took, on standard error. */
void shell_print_time(uint64_t took_ns);

/* Returns the transaction of `begin`, or NULL in *t outside of one. Returns false after printing an error. */
bool shell_transaction(shell *s, holt_txn **t);

/* ---------------------------------------------------------------- sql_lines.c */

/* Returns whether a line that begins like this is SQL. */
bool shell_is_sql(const char *line);

/* Adds a line to the statement, and runs the statement if it is complete. */
bool shell_add_sql(shell *s, const char *line, size_t size);

/* Runs what was added, complete or not: there is no more. */
bool shell_end_sql(shell *s);

/* Runs statements that the shell has made itself, with their rows printed; the line is not blamed for what is
 * wrong with them. */
bool shell_run_sql(shell *s, const char *text);

/* Returns the SQL connection, or NULL after printing an error. */
sql_connection *shell_sql(shell *s);

/* Makes the SQL connection aware that tables or collections were made or dropped without it. Returns false
 * after printing an error. */
bool shell_refresh_sql(shell *s);

/* Prints the SQL that makes a table. Returns false after printing an error. */
bool shell_print_schema(shell *s, const char *table);

/* ---------------------------------------------------------------- tables.c: what there is */

/* Finds a table by its name, in either case unless a collection has exactly this name, and sets `name` as it
 * is spelled. Returns false after printing an error. */
bool shell_find_table(shell *s, char name[SHELL_NAME_MAX + 1], bool *found);

/* The tables, and then the plain collections: those that are not a table's. */
typedef struct shell_object {
    const char *name; /* borrowed from the list */
    bool is_table;
} shell_object;

typedef struct shell_names {
    shell_object *names;
    size_t count;
    char **tables, **collections; /* what the library has listed */
} shell_names;

/* Returns false after printing an error. Release with shell_free_names in any case. */
bool shell_list_names(shell *s, shell_names *out);
void shell_free_names(shell_names *names);

/* Prints the names of tables, or of plain collections, or of both: at a terminal with their kinds and sizes.
 * */
bool shell_print_names(shell *s, bool tables, bool collections);

/* ---------------------------------------------------------------- row_commands.c */

/* Returns whether the line, which was read up to its first word, is a command on rows: so that `delete where`
 * and `delete city` are not the same. */
bool shell_is_row_command(const line_word *first, line_words *w);

/* ---------------------------------------------------------------- key_commands.c */

/* Makes the collection current; the current table remains. */
bool shell_use_collection(shell *s, const char *name);

/* Forgets the current collection before it or its database goes. */
void shell_leave_collection(shell *s);

#endif
