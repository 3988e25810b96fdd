/* tables.c -- Holt's tables beside SQLite's, both through their C interfaces.
 *
 *     tables [--rows N] [--rounds N] [--kind btree|lsm] [--memory MIB] [--singles N] [--dir DIR]
 *
 * The table is users(id INTEGER PRIMARY KEY, name TEXT, email TEXT) with an index on email. SQLite has
 * prepared statements, a write-ahead log, synchronous = FULL and a cache of the same size; Holt commits with
 * HOLT_COMMIT. Both work in slices, one after the other, so that a busy machine hits both alike.
 *
 * Printed are the medians of the rounds: CPU time of the process, except for single-row inserts, which wait
 * for the disk: they are measured by the clock, in a small database, beside a loop of writes and fdatasync of
 * as many bytes.
 */
#include <holt/table.h>

#include <sqlite3.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 100, SLICES = 10, EMAIL_BYTES = 40, NAME_BYTES = 32, PATH_BYTES = 512 };
enum { SINGLE_BYTES = 291, SINGLE_MEMORY_MIB = 16, SCAN_ROWS = 20 };

static struct {
    int64_t rows;
    int rounds;
    uint32_t kind;
    int memory_mib;
    int singles; /* durable inserts of one row */
    const char *dir;
} options = {
    .rows = 1000000, .rounds = 5, .kind = HOLT_BTREE, .memory_mib = 1024, .singles = 10000, .dir = "."};

/* ---------------------------------------------------------------- helpers */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "tables: %s: %s\n", what, why);
    exit(1);
}

static void must(holt_status rc, const char *what)
{
    if (rc != HOLT_OK) die(what, holt_error_message());
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % n;
}

static size_t email_of(int64_t id, char *out)
{
    /* In another order than the ids. */
    return (size_t)snprintf(out, EMAIL_BYTES, "user%010llu@example.org",
                            (unsigned long long)((uint64_t)id * 2654435761u % 10000000019u));
}

static size_t name_of(int64_t id, char *out)
{
    return (size_t)snprintf(out, NAME_BYTES, "Name of user %lld", (long long)id);
}

static void path_of(char *out, const char *name)
{
    snprintf(out, PATH_BYTES, "%s/%s", options.dir, name);
}

static uint64_t bytes_below(const char *path)
{
    struct stat st;
    uint64_t sum = 0;
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char file[2 * PATH_BYTES];
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) sum += (uint64_t)st.st_blocks * 512;
    }
    if (d) closedir(d);
    return sum;
}

/* ---------------------------------------------------------------- Holt */

static struct {
    holt *db;
    holt_table *users;
    uint32_t by_email;
    holt_row row;
    holt_scan *scan;
} h = {.row = HOLT_ROW_INIT};

static void holt_create(int memory_mib)
{
    char path[PATH_BYTES];
    path_of(path, "tables.holt");
    (void)holt_destroy(path);
    holt_options o = {.memory_bytes = (uint64_t)memory_mib << 20};
    must(holt_open(path, &o, &h.db), "holt_open");
    holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                             {.name = "name", .type = HOLT_TEXT},
                             {.name = "email", .type = HOLT_TEXT}};
    holt_key_part key = {.column = "id"};
    holt_table_options t = {
        .columns = columns, .column_count = 3, .key = &key, .key_count = 1, .kind = options.kind};
    must(holt_table_create(h.db, "users", &t, &h.users), "create");
    holt_index_part part = {.column = "email"};
    holt_index_options x = {.name = "users_email", .parts = &part, .part_count = 1};
    must(holt_table_create_index(h.users, &x, NULL, NULL), "create index");
    must(holt_table_find_index(h.users, "users_email", &h.by_email), "find index");
}

static void holt_end(void)
{
    char path[PATH_BYTES];
    path_of(path, "tables.holt");
    (void)holt_scan_close(h.scan);
    h.scan = NULL;
    holt_table_close(h.users);
    must(holt_close(h.db), "holt_close");
    must(holt_destroy(path), "holt_destroy");
}

static void holt_insert_row(holt_txn *txn, int64_t id, const char *name, size_t name_size)
{
    char email[EMAIL_BYTES];
    holt_datum row[3] = {holt_integer(id), holt_text_bytes(name, name_size)};
    row[2] = holt_text_bytes(email, email_of(id, email));
    must(holt_table_insert(h.users, txn, row, 3, 0, NULL), "insert");
}

static void holt_bulk(void)
{
    holt_txn *txn;
    char name[NAME_BYTES];
    must(holt_begin(h.db, NULL, &txn), "begin");
    for (int64_t id = 1; id <= options.rows; id++)
        holt_insert_row(txn, id, name, name_of(id, name));
    must(holt_commit(txn), "commit");
    holt_rollback(txn);
}

static void holt_get_by_key(int n)
{
    for (int i = 0; i < n; i++) {
        holt_datum key = holt_integer(1 + (int64_t)random_below((uint64_t)options.rows));
        must(holt_table_get(h.users, NULL, &key, 1, &h.row), "get");
    }
}

static void holt_get_by_email(int n)
{
    for (int i = 0; i < n; i++) {
        char email[EMAIL_BYTES];
        int64_t id = 1 + (int64_t)random_below((uint64_t)options.rows);
        holt_datum value = holt_text_bytes(email, email_of(id, email));
        must(holt_table_get_by(h.users, NULL, h.by_email, &value, 1, &h.row), "get by email");
        if (h.row.columns[0].as.integer != id) die("get by email", "another row");
    }
}

static void holt_range(int n)
{
    for (int i = 0; i < n; i++) {
        holt_datum from = holt_integer(1 + (int64_t)random_below((uint64_t)options.rows - SCAN_ROWS));
        holt_scan_options o = {.lower = &from, .lower_count = 1};
        if (h.scan)
            must(holt_scan_restart(h.scan, &o), "restart");
        else
            must(holt_scan_open(h.users, NULL, &o, &h.scan), "scan");
        for (size_t j = 0; j < SCAN_ROWS && holt_scan_next(h.scan); j++)
            for (size_t column = 0; column < 3; column++)
                (void)holt_scan_column(h.scan, column);
    }
}

static void holt_single(int from, int n)
{
    char name[SINGLE_BYTES];
    memset(name, 'n', sizeof name);
    for (int i = from; i < from + n; i++)
        holt_insert_row(NULL, i + 1, name, SINGLE_BYTES - 32);
}

/* ---------------------------------------------------------------- SQLite */

static struct {
    sqlite3 *db;
    sqlite3_stmt *insert, *by_key, *by_email, *range;
} s;

static void sql(const char *text)
{
    if (sqlite3_exec(s.db, text, NULL, NULL, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(s.db));
}

static sqlite3_stmt *prepare(const char *text)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(s.db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        die(text, sqlite3_errmsg(s.db));
    return stmt;
}

static void sqlite_remove(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[PATH_BYTES], file[PATH_BYTES + 8];
    path_of(path, "tables.sqlite");
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        (void)unlink(file);
    }
}

static void sqlite_create(void)
{
    char path[PATH_BYTES], cache[64];
    path_of(path, "tables.sqlite");
    sqlite_remove();
    if (sqlite3_open(path, &s.db) != SQLITE_OK) die(path, sqlite3_errmsg(s.db));
    snprintf(cache, sizeof cache, "pragma cache_size = -%d", options.memory_mib << 10);
    sql(cache);
    sql("pragma journal_mode = wal; pragma synchronous = full; pragma locking_mode = exclusive");
    sql("create table users(id integer primary key, name text, email text)");
    sql("create index users_email on users(email)");
    s.insert = prepare("insert into users values(?, ?, ?)");
    s.by_key = prepare("select id, name, email from users where id = ?");
    s.by_email = prepare("select id, name, email from users where email = ?");
    s.range = prepare("select id, name, email from users where id >= ? order by id limit ?");
}

static void sqlite_end(void)
{
    sqlite3_finalize(s.insert);
    sqlite3_finalize(s.by_key);
    sqlite3_finalize(s.by_email);
    sqlite3_finalize(s.range);
    sqlite3_close(s.db);
    sqlite_remove();
}

static void sqlite_insert_row(int64_t id, const char *name, size_t name_size)
{
    char email[EMAIL_BYTES];
    sqlite3_bind_int64(s.insert, 1, id);
    sqlite3_bind_text(s.insert, 2, name, (int)name_size, SQLITE_STATIC);
    sqlite3_bind_text(s.insert, 3, email, (int)email_of(id, email), SQLITE_STATIC);
    if (sqlite3_step(s.insert) != SQLITE_DONE) die("insert", sqlite3_errmsg(s.db));
    sqlite3_reset(s.insert);
}

static void sqlite_bulk(void)
{
    char name[NAME_BYTES];
    sql("begin");
    for (int64_t id = 1; id <= options.rows; id++)
        sqlite_insert_row(id, name, name_of(id, name));
    sql("commit");
}

/* Reads all columns of one row. */
static void take(sqlite3_stmt *stmt)
{
    (void)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_column_text(stmt, 1);
    (void)sqlite3_column_bytes(stmt, 1);
    (void)sqlite3_column_text(stmt, 2);
    (void)sqlite3_column_bytes(stmt, 2);
}

static void sqlite_get_by_key(int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_bind_int64(s.by_key, 1, 1 + (int64_t)random_below((uint64_t)options.rows));
        if (sqlite3_step(s.by_key) != SQLITE_ROW) die("get", sqlite3_errmsg(s.db));
        take(s.by_key);
        sqlite3_reset(s.by_key);
    }
}

static void sqlite_get_by_email(int n)
{
    for (int i = 0; i < n; i++) {
        char email[EMAIL_BYTES];
        int64_t id = 1 + (int64_t)random_below((uint64_t)options.rows);
        sqlite3_bind_text(s.by_email, 1, email, (int)email_of(id, email), SQLITE_STATIC);
        if (sqlite3_step(s.by_email) != SQLITE_ROW) die("get by email", sqlite3_errmsg(s.db));
        take(s.by_email);
        sqlite3_reset(s.by_email);
    }
}

static void sqlite_range(int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_bind_int64(s.range, 1, 1 + (int64_t)random_below((uint64_t)options.rows - SCAN_ROWS));
        sqlite3_bind_int(s.range, 2, SCAN_ROWS);
        while (sqlite3_step(s.range) == SQLITE_ROW)
            take(s.range);
        sqlite3_reset(s.range);
    }
}

static void sqlite_single(int from, int n)
{
    char name[SINGLE_BYTES];
    memset(name, 'n', sizeof name);
    for (int i = from; i < from + n; i++)
        sqlite_insert_row(i + 1, name, SINGLE_BYTES - 32);
}

/* ---------------------------------------------------------------- the disk alone */

static int raw_file;

static void raw_single(int from, int n)
{
    char row[SINGLE_BYTES] = {0};
    for (int i = from; i < from + n; i++)
        if (pwrite(raw_file, row, sizeof row, (off_t)i * SINGLE_BYTES) != SINGLE_BYTES ||
            fdatasync(raw_file) != 0)
            die("fdatasync", "failed");
}

/* ---------------------------------------------------------------- measuring */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

static void print_pair(const char *what, double *holt_s, double *sqlite_s, int n, double operations)
{
    double a = median(holt_s, n) / operations * 1e9, b = median(sqlite_s, n) / operations * 1e9;
    printf("%-44s %10.0f %10.0f %9.1fx\n", what, a, b, b / a);
}

/* The two sides by turns, in slices. */
static void measure_reads(const char *what, void (*ours)(int n), void (*theirs)(int n), int n)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX];
    ours(n); /* warms the cache */
    theirs(n);
    for (int i = 0; i < options.rounds; i++) {
        a[i] = b[i] = 0;
        for (int j = 0; j < SLICES; j++) {
            double at = seconds(CLOCK_PROCESS_CPUTIME_ID);
            ours(n / SLICES);
            double between = seconds(CLOCK_PROCESS_CPUTIME_ID);
            theirs(n / SLICES);
            a[i] += between - at;
            b[i] += seconds(CLOCK_PROCESS_CPUTIME_ID) - between;
        }
    }
    print_pair(what, a, b, options.rounds, n / SLICES * SLICES);
}

/* Until the commit returns; and then with the flush, for SQLite's commit writes to its file too. */
static void measure_bulk(void)
{
    double a[ROUNDS_MAX], flushed[ROUNDS_MAX], b[ROUNDS_MAX], again[ROUNDS_MAX];
    int rounds = options.rounds < 3 ? options.rounds : 3;
    for (int i = 0; i < rounds; i++) {
        if (i > 0) {
            holt_end();
            sqlite_end();
        }
        holt_create(options.memory_mib);
        sqlite_create();
        double at = seconds(CLOCK_PROCESS_CPUTIME_ID);
        holt_bulk();
        a[i] = seconds(CLOCK_PROCESS_CPUTIME_ID) - at;
        must(holt_flush(h.db), "flush");
        flushed[i] = seconds(CLOCK_PROCESS_CPUTIME_ID) - at;
        at = seconds(CLOCK_PROCESS_CPUTIME_ID);
        sqlite_bulk();
        again[i] = b[i] = seconds(CLOCK_PROCESS_CPUTIME_ID) - at;
    }
    print_pair("insert of all rows in one transaction", a, b, rounds, (double)options.rows);
    print_pair("  and all of them flushed", flushed, again, rounds, (double)options.rows);
}

static void measure_single(void)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX], raw[ROUNDS_MAX];
    char path[PATH_BYTES], file[PATH_BYTES];
    path_of(path, "tables.holt");
    path_of(file, "tables.raw");
    holt_create(SINGLE_MEMORY_MIB);
    sqlite_create();
    raw_file = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (raw_file < 0) die(file, "cannot be created");
    enum { PARTS = 20 };
    for (int i = 0; i < PARTS; i++) {
        int n = options.singles / PARTS;
        double t0 = seconds(CLOCK_MONOTONIC);
        raw_single(i * n, n);
        double t1 = seconds(CLOCK_MONOTONIC);
        holt_single(i * n, n);
        double t2 = seconds(CLOCK_MONOTONIC);
        sqlite_single(i * n, n);
        raw[i] = t1 - t0;
        a[i] = t2 - t1;
        b[i] = seconds(CLOCK_MONOTONIC) - t2;
    }
    double per_part = options.singles / PARTS, bare = median(raw, PARTS);
    print_pair("durable single-row inserts (wall clock)", a, b, PARTS, per_part);
    printf("%-44s %10.0f %21.2f of it\n", "  the same bytes and fdatasync alone", bare / per_part * 1e9,
           bare / median(a, PARTS));
    close(raw_file);
    unlink(file);
    holt_table_close(h.users);
    must(holt_close(h.db), "holt_close");
    printf("%-44s %10.2f MB\n", "  Holt's files after the close", (double)bytes_below(path) / 1e6);
    must(holt_destroy(path), "holt_destroy");
    sqlite_end();
}

static void parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--rows") == 0)
            options.rows = atoll(value);
        else if (strcmp(argv[i], "--rounds") == 0)
            options.rounds = atoi(value);
        else if (strcmp(argv[i], "--memory") == 0)
            options.memory_mib = atoi(value);
        else if (strcmp(argv[i], "--singles") == 0)
            options.singles = atoi(value);
        else if (strcmp(argv[i], "--dir") == 0)
            options.dir = value;
        else if (strcmp(argv[i], "--kind") == 0)
            options.kind = strcmp(value, "lsm") == 0 ? HOLT_LSM : HOLT_BTREE;
        else
            die(argv[i], "unknown option");
    }
    if (options.rows <= SCAN_ROWS || options.rounds < 1 || options.rounds > ROUNDS_MAX || argc % 2 == 0)
        die("usage",
            "tables [--rows N] [--rounds N] [--kind btree|lsm] [--memory MIB] [--singles N] [--dir DIR]");
}

int main(int argc, char **argv)
{
    enum { READS = 200000, SCANS = 20000 };
    parse(argc, argv);
    int reads = options.rows < READS ? (int)options.rows : READS;
    printf("%lld rows, %s, SQLite %s\n%-44s %10s %10s\n", (long long)options.rows,
           options.kind == HOLT_LSM ? "LSM" : "B+tree", sqlite3_libversion(), "ns per operation", "Holt",
           "SQLite");
    measure_bulk();
    measure_reads("get by primary key", holt_get_by_key, sqlite_get_by_key, reads);
    measure_reads("get by email, through the index", holt_get_by_email, sqlite_get_by_email, reads);
    measure_reads("20 rows in order from a random id", holt_range, sqlite_range,
                  reads < SCANS ? reads : SCANS);
    holt_row_free(&h.row);
    holt_end();
    sqlite_end();
    measure_single();
    return 0;
}
