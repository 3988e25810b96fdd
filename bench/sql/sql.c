/* sql.c -- the same SQL over Holt's tables, through the extension, and over SQLite's own.
 *
 *     sql --extension FILE [--rows N] [--rounds N] [--kind btree|lsm] [--memory MIB] [--singles N]
 *         [--dir DIR]
 *
 * Both sides run the same prepared statements in the same SQLite library, so that what differs is the tables.
 * The table is users(id INTEGER PRIMARY KEY, name TEXT, email TEXT) with an index on email. SQLite has a
 * write-ahead log, synchronous = FULL and a cache of the size of Holt's memory; Holt commits with
 * HOLT_COMMIT. The sides work in slices, one after the other, so that a busy machine hits both alike.
 *
 * Printed are the medians of the rounds: CPU time of the process, except for durable inserts of single rows,
 * which wait for the disk and are measured by the clock.
 */
#include <sqlite3.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <holt.h>

enum { ROUNDS_MAX = 100, SLICES = 10, TEXT_BYTES = 64, PATH_BYTES = 512, SQL_BYTES = 2048, SCAN_ROWS = 20 };

static struct {
    int64_t rows;
    int rounds;
    const char *kind;
    int memory_mib;
    int singles;
    const char *dir;
    const char *extension;
} options = {.rows = 1000000, .rounds = 5, .kind = "btree", .memory_mib = 1024, .singles = 4000, .dir = "."};

/* The statements that are measured. */
enum { BY_KEY, BY_EMAIL, RANGE, UPDATE, INSERT, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [BY_KEY] = "SELECT id, name, email FROM users WHERE id = ?",
    [BY_EMAIL] = "SELECT id, name, email FROM users WHERE email = ?",
    [RANGE] = "SELECT id, name, email FROM users WHERE id >= ? ORDER BY id LIMIT ?",
    [UPDATE] = "UPDATE users SET name = ? WHERE id = ?",
    [INSERT] = "INSERT INTO users VALUES (?, ?, ?)",
};

typedef struct side {
    const char *name;
    char path[PATH_BYTES];
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
} side;

static side ours = {.name = "Holt"}, theirs = {.name = "SQLite"};

/* ---------------------------------------------------------------- helpers */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "sql: %s: %s\n", what, why);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t random_state;

static int64_t random_id(int64_t n)
{
    random_state += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return 1 + (int64_t)((z ^ z >> 31) % (uint64_t)n);
}

/* In another order than the ids. */
static int email_of(int64_t id, char *out)
{
    return snprintf(out, TEXT_BYTES, "user%010llu@example.org",
                    (unsigned long long)((uint64_t)id * 2654435761u % 10000000019u));
}

static int name_of(int64_t id, char *out)
{
    return snprintf(out, TEXT_BYTES, "Name of user %lld", (long long)id);
}

static void run(side *s, const char *text)
{
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(s->db));
}

__attribute__((format(printf, 2, 3))) static void run_format(side *s, const char *format, ...)
{
    char text[SQL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    run(s, text);
}

/* ---------------------------------------------------------------- the two sides */

static void prepare_all(side *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL) !=
            SQLITE_OK) {
            die(texts[i], sqlite3_errmsg(s->db));
        }
    }
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char file[PATH_BYTES + 8];
    (void)holt_destroy(ours.path); /* it need not exist */
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", theirs.path, suffixes[i]);
        (void)remove(file);
    }
}

static void open_both(void)
{
    char *message = NULL;
    snprintf(ours.path, sizeof ours.path, "%s/sql.holt", options.dir);
    snprintf(theirs.path, sizeof theirs.path, "%s/sql.sqlite", options.dir);
    remove_files();
    if (sqlite3_open(":memory:", &ours.db) != SQLITE_OK) die("sqlite3_open", sqlite3_errmsg(ours.db));
    (void)sqlite3_db_config(ours.db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (sqlite3_load_extension(ours.db, options.extension, NULL, &message) != SQLITE_OK)
        die("extension", message);
    run_format(&ours, "SELECT holt_open('%s', 'memory=%lld')", ours.path,
               (long long)options.memory_mib << 20);
    run_format(&ours,
               "SELECT holt_exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT) "
               "WITH (kind = %s); CREATE INDEX users_email ON users (email)')",
               options.kind);
    if (sqlite3_open(theirs.path, &theirs.db) != SQLITE_OK) die(theirs.path, sqlite3_errmsg(theirs.db));
    run_format(&theirs, "PRAGMA cache_size = -%d", options.memory_mib << 10);
    run(&theirs, "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA locking_mode = exclusive");
    run(&theirs, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)");
    run(&theirs, "CREATE INDEX users_email ON users (email)");
    prepare_all(&ours);
    prepare_all(&theirs);
}

static void close_side(side *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
    }
    if (sqlite3_close(s->db) != SQLITE_OK) die(s->name, sqlite3_errmsg(s->db));
}

static void close_both(void)
{
    close_side(&ours);
    close_side(&theirs);
    remove_files();
}

/* ---------------------------------------------------------------- operations */

/* Steps to the end of the rows and reads all of their columns; their number must be `expected`. */
static void read_rows(side *s, sqlite3_stmt *statement, int expected)
{
    int count = 0, rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < 3; i++) {
            (void)sqlite3_column_text(statement, i);
        }
        count++;
    }
    if (rc != SQLITE_DONE) die(s->name, sqlite3_errmsg(s->db));
    if (count != expected) die(s->name, "a wrong number of rows");
    sqlite3_reset(statement);
}

static void by_key(side *s, int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_bind_int64(s->statements[BY_KEY], 1, random_id(options.rows));
        read_rows(s, s->statements[BY_KEY], 1);
    }
}

static void by_email(side *s, int n)
{
    char email[TEXT_BYTES];
    for (int i = 0; i < n; i++) {
        const int size = email_of(random_id(options.rows), email);
        sqlite3_bind_text(s->statements[BY_EMAIL], 1, email, size, SQLITE_STATIC);
        read_rows(s, s->statements[BY_EMAIL], 1);
    }
}

static void in_transaction(side *s, void (*operation)(side *s, int n), int n)
{
    run(s, "BEGIN");
    operation(s, n);
    run(s, "COMMIT");
}

static void by_key_in_transaction(side *s, int n)
{
    in_transaction(s, by_key, n);
}

static void range(side *s, int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_bind_int64(s->statements[RANGE], 1, random_id(options.rows - SCAN_ROWS));
        sqlite3_bind_int(s->statements[RANGE], 2, SCAN_ROWS);
        read_rows(s, s->statements[RANGE], SCAN_ROWS);
    }
}

static void whole_table(side *s, int n)
{
    (void)n;
    run(s, "SELECT sum(length(name)) FROM users");
}

static void update(side *s, int n)
{
    char name[TEXT_BYTES];
    run(s, "BEGIN");
    for (int i = 0; i < n; i++) {
        const int64_t id = random_id(options.rows);
        sqlite3_bind_text(s->statements[UPDATE], 1, name, name_of(id + i, name), SQLITE_STATIC);
        sqlite3_bind_int64(s->statements[UPDATE], 2, id);
        read_rows(s, s->statements[UPDATE], 0);
    }
    run(s, "COMMIT");
}

static void insert(side *s, int64_t id)
{
    char name[TEXT_BYTES], email[TEXT_BYTES];
    sqlite3_stmt *statement = s->statements[INSERT];
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, name, name_of(id, name), SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, email, email_of(id, email), SQLITE_STATIC);
    read_rows(s, statement, 0);
}

static void insert_all(side *s, int n)
{
    (void)n;
    run(s, "BEGIN");
    for (int64_t id = 1; id <= options.rows; id++) {
        insert(s, id);
    }
    run(s, "COMMIT");
}

static int64_t next_single;

static void insert_singly(side *s, int n)
{
    for (int i = 0; i < n; i++) {
        insert(s, options.rows + next_single + i + 1);
    }
}

/* ---------------------------------------------------------------- measuring */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

static double time_of(side *s, void (*operation)(side *s, int n), int n, clockid_t clock)
{
    const double start = seconds(clock);
    operation(s, n);
    return seconds(clock) - start;
}

static void print_pair(const char *what, double *a, double *b, int n, double operations)
{
    const double x = median(a, n) / operations * 1e9, y = median(b, n) / operations * 1e9;
    printf("%-48s %10.0f %10.0f %8.2fx\n", what, x, y, y / x);
}

/* The two sides by turns, in slices. `per_slice` operations each. */
static void measure(const char *what, void (*operation)(side *s, int n), int per_slice)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX];
    operation(&ours, per_slice); /* warms the caches */
    operation(&theirs, per_slice);
    for (int i = 0; i < options.rounds; i++) {
        a[i] = b[i] = 0;
        for (int k = 0; k < SLICES; k++) {
            a[i] += time_of(&ours, operation, per_slice, CLOCK_PROCESS_CPUTIME_ID);
            b[i] += time_of(&theirs, operation, per_slice, CLOCK_PROCESS_CPUTIME_ID);
        }
    }
    print_pair(what, a, b, options.rounds, (double)per_slice * SLICES);
}

static void measure_bulk(void)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX];
    const int rounds = options.rounds < 3 ? options.rounds : 3;
    for (int i = 0; i < rounds; i++) {
        if (i > 0) close_both();
        open_both();
        a[i] = time_of(&ours, insert_all, 0, CLOCK_PROCESS_CPUTIME_ID);
        b[i] = time_of(&theirs, insert_all, 0, CLOCK_PROCESS_CPUTIME_ID);
    }
    print_pair("insert of all rows in one transaction, per row", a, b, rounds, (double)options.rows);
}

static void measure_singles(void)
{
    enum { PARTS = 20 };
    double a[PARTS], b[PARTS];
    const int n = options.singles / PARTS;
    for (int i = 0; i < PARTS; i++) {
        a[i] = time_of(&ours, insert_singly, n, CLOCK_MONOTONIC);
        b[i] = time_of(&theirs, insert_singly, n, CLOCK_MONOTONIC);
        next_single += n;
    }
    print_pair("durable single-row inserts (wall clock)", a, b, PARTS, n);
}

static void parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--rows") == 0) {
            options.rows = atoll(value);
        } else if (strcmp(argv[i], "--rounds") == 0) {
            options.rounds = atoi(value);
        } else if (strcmp(argv[i], "--memory") == 0) {
            options.memory_mib = atoi(value);
        } else if (strcmp(argv[i], "--singles") == 0) {
            options.singles = atoi(value);
        } else if (strcmp(argv[i], "--dir") == 0) {
            options.dir = value;
        } else if (strcmp(argv[i], "--kind") == 0) {
            options.kind = value;
        } else if (strcmp(argv[i], "--extension") == 0) {
            options.extension = value;
        } else {
            die(argv[i], "unknown option");
        }
    }
    const bool sensible = options.rows > SCAN_ROWS && options.rounds >= 1 && options.rounds <= ROUNDS_MAX;
    if (!options.extension || !sensible || argc % 2 == 0) {
        die("usage", "sql --extension FILE [--rows N] [--rounds N] [--kind btree|lsm] [--memory MIB] "
                     "[--singles N] [--dir DIR]");
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    const int reads = options.rows < 20000 ? (int)options.rows : 20000;
    printf("%lld rows, %s, SQLite %s\n%-48s %10s %10s\n", (long long)options.rows, options.kind,
           sqlite3_libversion(), "ns per operation", "Holt", "SQLite");
    measure_bulk();
    measure("select by primary key", by_key, reads);
    measure("  within one transaction", by_key_in_transaction, reads);
    measure("select by email", by_email, reads);
    measure("20 rows in order from a random id", range, reads / 10);
    measure("sum over the whole table", whole_table, 1);
    measure("update by primary key, within one transaction", update, reads / 2);
    measure_singles();
    close_both();
    return 0;
}
