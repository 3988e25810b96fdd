/* extension.c -- the loadable extension: Holt's tables in any program that uses SQLite.
 *
 *     SELECT holt_open('DIR');                     its tables and collections are now tables here
 *     SELECT holt_open('DIR', 'read_only');        options, separated by commas: read_only, memory=BYTES,
 *                                                  durability=commit, interval or process
 *     SELECT holt_exec('CREATE TABLE ...');        what SQLite does not pass on to virtual tables: CREATE,
 *                                                  ALTER, DROP, ON CONFLICT DO UPDATE; returns the changes
 *     SELECT holt_refresh();                       tables that another connection has made appear
 *     SELECT holt_close();
 *
 * A SQLite connection has one Holt database open at a time; its virtual tables are in the schema temp. All
 * connections of a process that open the same directory share one open database, as Holt allows one process
 * to open it once.
 */
#include "extension.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attach.h"
#include "database.h"

SQLITE_EXTENSION_INIT1

/* ---- databases that are open in this process */

typedef struct shared_database {
    struct shared_database *next;
    holt *db;
    dev_t device; /* of its directory, which may have several names */
    ino_t inode;
    unsigned users;
} shared_database;

static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static shared_database *shared_first; /* shared_mutex */

static shared_database *find_shared(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return NULL;
    for (shared_database *s = shared_first; s; s = s->next) {
        if (s->device == info.st_dev && s->inode == info.st_ino) return s;
    }
    return NULL;
}

static holt_status open_shared(const char *path, const holt_options *o, shared_database **out)
{
    struct stat info;
    shared_database *s = calloc(1, sizeof *s);
    if (!s) return HOLT_NO_MEMORY;
    const holt_status status = holt_open(path, o, &s->db);
    if (status != HOLT_OK || stat(path, &info) != 0) {
        (void)holt_close(s->db); /* NULL, or a directory that has vanished just now */
        free(s);
        return status != HOLT_OK ? status : HOLT_IO;
    }
    s->device = info.st_dev;
    s->inode = info.st_ino;
    s->next = shared_first;
    shared_first = s;
    *out = s;
    return HOLT_OK;
}

/* Opens the database, or shares it: then the options are those of the first one who opened it. */
static holt_status acquire(const char *path, const holt_options *o, shared_database **out)
{
    holt_status status = HOLT_OK;
    pthread_mutex_lock(&shared_mutex);
    *out = find_shared(path);
    if (!*out) status = open_shared(path, o, out);
    if (status == HOLT_OK) (*out)->users++;
    pthread_mutex_unlock(&shared_mutex);
    return status;
}

static holt_status release(shared_database *s)
{
    holt_status status = HOLT_OK;
    pthread_mutex_lock(&shared_mutex);
    if (--s->users == 0) {
        shared_database **link = &shared_first;
        while (*link != s) {
            link = &(*link)->next;
        }
        *link = s->next;
        status = holt_close(s->db);
        free(s);
    }
    pthread_mutex_unlock(&shared_mutex);
    return status;
}

/* ---- a SQLite connection that has loaded the extension */

typedef struct extension {
    sql_connection *connection;
    shared_database *open; /* NULL: none */
    unsigned functions;    /* that refer to this */
} extension;

/* Called for each function when SQLite closes the connection; its virtual tables are gone by then. */
static void drop_reference(void *context)
{
    extension *e = context;
    if (--e->functions > 0) return;
    sql_abandon(e->connection);
    if (e->open) (void)release(e->open); /* there is nobody left to tell of a failure */
    sql_detach(e->connection);
    free(e);
}

static extension *extension_of(sqlite3_context *context)
{
    return sqlite3_user_data(context);
}

static void fail(sqlite3_context *context, const char *message, int code)
{
    sqlite3_result_error_code(context, code);
    sqlite3_result_error(context, message, -1); /* after the code, which comes with a message of its own */
}

static bool must_be_open(sqlite3_context *context, bool open)
{
    const bool is_open = extension_of(context)->open != NULL;
    if (is_open == open) return true;
    fail(context,
         is_open ? "a Holt database is open already: SELECT holt_close() first"
                 : "no Holt database is open: SELECT holt_open('DIRECTORY')",
         SQLITE_ERROR);
    return false;
}

static bool must_be_outside(sqlite3_context *context)
{
    if (sqlite3_get_autocommit(sqlite3_context_db_handle(context))) return true;
    fail(context, "not within a transaction: COMMIT or ROLLBACK first", SQLITE_ERROR);
    return false;
}

/* ---- holt_open */

static bool is_option(const char *text, size_t size, const char *name)
{
    return strlen(name) == size && sqlite3_strnicmp(text, name, (int)size) == 0;
}

static bool set_value(holt_options *o, const char *name, size_t name_size, const char *value, size_t size)
{
    if (is_option(name, name_size, "memory")) {
        char *end;
        o->memory_bytes = strtoull(value, &end, 10);
        return size > 0 && end == value + size;
    }
    if (!is_option(name, name_size, "durability")) return false;
    if (is_option(value, size, "commit")) o->durability = HOLT_COMMIT;
    if (is_option(value, size, "interval")) o->durability = HOLT_INTERVAL;
    if (is_option(value, size, "process")) o->durability = HOLT_PROCESS;
    return o->durability != 0;
}

/* Parses "read_only, memory=BYTES, durability=NAME". Returns the option that is wrong, or NULL. */
static const char *parse_options(const char *text, holt_options *o)
{
    while (*text) {
        text += strspn(text, " ,");
        const size_t size = strcspn(text, " ,"), name = strcspn(text, "=, ");
        if (size == 0) break;
        if (is_option(text, size, "read_only")) {
            o->flags = HOLT_OPEN_READ_ONLY;
        } else if (name == size || !set_value(o, text, name, text + name + 1, size - name - 1)) {
            return text;
        }
        text += size;
    }
    return NULL;
}

static void open_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    extension *e = extension_of(context);
    holt_options o = {.flags = 0};
    sql_error error;
    const char *path = (const char *)sqlite3_value_text(values[0]);
    const char *options = count > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
    if (!must_be_open(context, false) || !must_be_outside(context)) return;
    if (!path) {
        fail(context, "holt_open: the directory is NULL", SQLITE_ERROR);
        return;
    }
    if (options && parse_options(options, &o)) {
        fail(context,
             "holt_open: unknown option; there are read_only, memory=BYTES and durability=commit, "
             "interval or process",
             SQLITE_ERROR);
        return;
    }
    const holt_status status = acquire(path, &o, &e->open);
    if (status != HOLT_OK) {
        fail(context, sql_message(status), sql_code(status));
        return;
    }
    const int rc = sql_use(e->connection, e->open->db, &error);
    if (rc != SQLITE_OK) {
        (void)release(e->open); /* the first error is the one to report */
        e->open = NULL;
        fail(context, error.message, rc);
    }
}

/* ---- the other functions */

static void close_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    extension *e = extension_of(context);
    (void)count;
    (void)values;
    if (!must_be_open(context, true) || !must_be_outside(context)) return;
    if (sql_is_reading(e->connection)) {
        fail(context, "a statement is still reading: finish or reset it first", SQLITE_BUSY);
        return;
    }
    sql_forget(e->connection);
    const holt_status status = release(e->open);
    e->open = NULL;
    if (status != HOLT_OK) fail(context, sql_message(status), sql_code(status));
}

static void refresh_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    sql_error error;
    (void)count;
    (void)values;
    if (!must_be_open(context, true) || !must_be_outside(context)) return;
    const int rc = sql_refresh(extension_of(context)->connection, &error);
    if (rc != SQLITE_OK) fail(context, error.message, rc);
}

static void exec_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    extension *e = extension_of(context);
    sqlite3 *sqlite = sqlite3_context_db_handle(context);
    const char *text = (const char *)sqlite3_value_text(values[0]);
    (void)count;
    if (!must_be_open(context, true) || !text) return;
    const size_t size = strlen(text);
    const sqlite3_int64 before = sqlite3_total_changes64(sqlite);
    sql_error error;
    for (size_t at = 0, used; at < size; at += used) {
        const int rc = sql_run(e->connection, text + at, size - at, NULL, &used, &error);
        if (rc != SQLITE_OK) {
            fail(context, error.message, rc);
            return;
        }
    }
    sqlite3_result_int64(context, sqlite3_total_changes64(sqlite) - before);
}

/* ---- loading */

static int add_function(sqlite3 *sqlite, extension *e, const char *name, int arguments,
                        void (*function)(sqlite3_context *, int, sqlite3_value **))
{
    e->functions++; /* SQLite drops the reference also if this fails */
    return sqlite3_create_function_v2(sqlite, name, arguments, SQLITE_UTF8 | SQLITE_DIRECTONLY, e, function,
                                      NULL, NULL, drop_reference);
}

/* Keys and SQLite must order text alike, which they do in UTF-8. */
static bool is_utf8(sqlite3 *sqlite)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(sqlite, "PRAGMA encoding", -1, &s, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(s);
    const char *encoding = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    const bool utf8 = encoding && strcmp(encoding, "UTF-8") == 0;
    sqlite3_finalize(s);
    return utf8;
}

int sqlite3_holtsqlite_init(sqlite3 *sqlite, char **message, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api)
    if (sqlite3_libversion_number() < SQL_SQLITE_VERSION_MIN) {
        *message = sqlite3_mprintf("Holt needs SQLite 3.38 or newer; this is %s", sqlite3_libversion());
        return SQLITE_ERROR;
    }
    if (!is_utf8(sqlite)) {
        *message = sqlite3_mprintf("Holt needs a SQLite database whose encoding is UTF-8");
        return SQLITE_ERROR;
    }
    extension *e = calloc(1, sizeof *e);
    if (!e) return SQLITE_NOMEM;
    int rc = sql_attach(sqlite, "temp", &e->connection);
    if (rc != SQLITE_OK) {
        free(e);
        return rc;
    }
    e->functions = 1; /* until all are added */
    rc = add_function(sqlite, e, "holt_open", 1, open_function);
    if (rc == SQLITE_OK) rc = add_function(sqlite, e, "holt_open", 2, open_function);
    if (rc == SQLITE_OK) rc = add_function(sqlite, e, "holt_exec", 1, exec_function);
    if (rc == SQLITE_OK) rc = add_function(sqlite, e, "holt_refresh", 0, refresh_function);
    if (rc == SQLITE_OK) rc = add_function(sqlite, e, "holt_close", 0, close_function);
    drop_reference(e);
    return rc;
}
