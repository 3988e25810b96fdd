/* cmd_load.c -- holt load: reads files with records.h and writes their entries with loader.h.
 *
 * Regular files are read twice: first without a database, to find wrong lines before anything is written
 * (check_files), then to load them. Pipes are only read when they are loaded. */
#include "commands/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt.h>

#include "cli_values.h"
#include "commands/loader.h"
#include "common/number.h"
#include "formats/records.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/progress.h"

enum {
    OPTION_RAW = CLI_LONG,
    OPTION_CRLF,
    OPTION_KEY_COLUMN,
    OPTION_VALUE_COLUMN,
    OPTION_SORTED,
    OPTION_ATOMIC,
    OPTION_PARTIAL,
    BATCH_DEFAULT = 1000
};

typedef struct load_settings {
    records_options records;
    uint64_t batch; /* 0 if not given */
    bool sorted, atomic, partial;
} load_settings;

static bool load_option(cli_call *call, int code, char *value)
{
    load_settings *settings = call->own;
    switch (code) {
    case 'f':
        if (records_format_parse(value, &settings->records.format)) return true;
        cli_error(call, "--format: '%s' is not " RECORDS_FORMATS, value);
        return false;
    case 'b':
        if (!cli_number(call, "batch", value, &settings->batch)) return false;
        if (settings->batch > 0) return true;
        cli_error(call, "--batch: a batch has at least one entry");
        return false;
    case OPTION_RAW:
        settings->records.raw = true;
        return true;
    case OPTION_CRLF:
        settings->records.crlf = true;
        return true;
    case OPTION_KEY_COLUMN:
        settings->records.key_column = value;
        return true;
    case OPTION_VALUE_COLUMN:
        settings->records.value_column = value;
        return true;
    case OPTION_SORTED:
        settings->sorted = true;
        return true;
    case OPTION_ATOMIC:
        settings->atomic = true;
        return true;
    case OPTION_PARTIAL:
        settings->partial = true;
        return true;
    default:
        return false;
    }
}

/* Checks options that only some formats have, and combinations. Returns false after printing an error. */
static bool check_settings(const cli_call *call, const load_settings *settings)
{
    const records_options *o = &settings->records;
    const struct {
        bool wrong;
        const char *message;
    } rules[] = {
        {o->raw && o->format != RECORDS_TSV, "--raw is for --format tsv"},
        {o->crlf && o->format != RECORDS_TSV && o->format != RECORDS_LINES,
         "--crlf is for --format tsv or lines; dump, csv and json accept CRLF without it"},
        {(o->key_column || o->value_column) && o->format != RECORDS_CSV,
         "--key-column and --value-column are for --format csv"},
        {settings->sorted && settings->batch, "--sorted and --batch cannot be used together"},
        {settings->atomic && settings->batch, "--atomic and --batch cannot be used together"},
        {settings->sorted && settings->atomic, "--sorted and --atomic cannot be used together"},
        {settings->atomic && settings->partial, "--atomic and --partial cannot be used together"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].wrong) continue;
        cli_error(call, "%s", rules[i].message);
        return false;
    }
    return true;
}

/* One run of the command. */
typedef struct load {
    const cli_call *call;
    const load_settings *settings;
    session *session; /* NULL while the files are only checked */
    loader loader;
    progress progress;
    uint64_t entries;      /* read so far, from all files */
    uint64_t bytes_before; /* of the files already read */
    uint64_t collections;  /* that dumps have named */
} load;

/* ---------------------------------------------------------------- collections */

/* like: how to create it if it does not exist; NULL for the defaults. */
static bool open_collection(load *l, const char *name, const holt_collection_options *like)
{
    holt_collection_options options = like ? *like : (holt_collection_options){0};
    holt_collection *collection = NULL;
    options.flags = HOLT_CREATE_OR_OPEN;
    holt_status status = holt_collection_create(l->session->db, name, &options, &collection);
    if (status != HOLT_OK) {
        session_error(l->call, status, NULL);
        return false;
    }
    holt_collection_close(l->session->collection);
    l->session->collection = collection;
    l->loader.collection = collection;
    return true;
}

/* Erases the progress bar and prints where in the file the problem is. Returns false. */
static bool report_problem(load *l, const records *r)
{
    (void)progress_end(&l->progress);
    if (r->problem_line > 0) {
        cli_error(l->call, "%s: line %" PRIu64 ": %s", r->name, r->problem_line, r->problem);
    } else {
        cli_error(l->call, "%s: %s", r->name, r->problem);
    }
    return false;
}

/* A dump names a collection. With -c its entries go into that one instead, so there may be only one. */
static bool switch_collection(load *l, records *r, const record *named)
{
    if (l->call->collection_given && l->collections > 0) {
        (void)records_bad(r, "a second collection, '%.40s'; -c is only for a dump of one collection",
                          named->name);
        return report_problem(l, r);
    }
    l->collections++;
    if (!l->session) return true;
    holt_status status = loader_leave_collection(&l->loader);
    if (status != HOLT_OK) {
        session_error(l->call, status, NULL);
        return false;
    }
    return open_collection(l, l->call->collection_given ? l->call->collection : named->name,
                           &named->collection);
}

/* ---------------------------------------------------------------- one file */

static bool add(load *l, records *r, const record *entry)
{
    char where[256];
    if (!l->session) return true;
    if (!l->session->collection && !open_collection(l, l->call->collection, NULL)) return false;
    holt_status status = loader_add(&l->loader, entry->key, entry->value, entry->expires_at_ms);
    if (status == HOLT_OK) return true;
    (void)progress_end(&l->progress);
    snprintf(where, sizeof where, "%.200s: line %" PRIu64, r->name, r->first_line);
    session_error(l->call, status, where);
    if (status == HOLT_TOO_LARGE && l->settings->atomic) {
        cli_error(l->call, "without --atomic there is no limit: entries are loaded in batches");
    }
    return false;
}

static bool load_records(load *l, records *r)
{
    record one;
    for (;;) {
        if (output_interrupted()) return false;
        one.expires_at_ms = 0;
        switch (records_next(r, &one)) {
        case RECORD_ENTRY:
            if (!add(l, r, &one)) return false;
            /* Reading the clock for each entry would take as long as writing it. */
            if (++l->entries % 64 == 0) {
                progress_update(&l->progress, l->entries, l->bytes_before + r->lines.bytes_read);
            }
            break;
        case RECORD_COLLECTION:
            if (!switch_collection(l, r, &one)) return false;
            break;
        case RECORD_END:
            l->bytes_before += r->lines.bytes_read;
            return true;
        case RECORD_INTERRUPTED:
            return false;
        case RECORD_BAD:
            return report_problem(l, r);
        }
    }
}

static bool load_descriptor(load *l, const char *name, int descriptor)
{
    records r;
    records_init(&r, &l->settings->records, name, descriptor);
    bool done = load_records(l, &r);
    records_deinit(&r);
    return done;
}

/* Loads from the descriptor. When checking, reads through it if it is a regular file, and sets it back. */
static bool take_descriptor(load *l, const char *name, int descriptor)
{
    struct stat info;
    if (l->session) return load_descriptor(l, name, descriptor);
    off_t at = lseek(descriptor, 0, SEEK_CUR);
    bool is_file = at >= 0 && fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
    if (!is_file) return true;
    bool good = load_descriptor(l, name, descriptor);
    return lseek(descriptor, at, SEEK_SET) >= 0 && good;
}

static bool load_file(load *l, const char *path)
{
    if (strcmp(path, "-") == 0) return take_descriptor(l, "stdin", STDIN_FILENO);
    /* A named pipe must not be opened twice: its writer may exit in between. */
    struct stat info;
    if (!l->session && stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return true;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)progress_end(&l->progress);
        cli_error(l->call, "%s: %s", path, strerror(errno));
        return false;
    }
    bool done = take_descriptor(l, path, descriptor);
    close(descriptor);
    return done;
}

static bool load_files(load *l)
{
    char **files = l->call->operands + 1;
    int count = l->call->operand_count - 1;
    if (count == 0) return load_file(l, "-");
    for (int i = 0; i < count; i++) {
        if (!load_file(l, files[i])) return false;
    }
    return true;
}

/* Returns the size of all files; 0 if one of them is a pipe or stat fails. */
static uint64_t total_bytes(const cli_call *call)
{
    static char stdin_name[] = "-";
    static char *only_stdin[] = {stdin_name};
    bool none = call->operand_count == 1;
    char **files = none ? only_stdin : call->operands + 1;
    int count = none ? 1 : call->operand_count - 1;
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        struct stat info;
        int failed = strcmp(files[i], "-") == 0 ? fstat(STDIN_FILENO, &info) : stat(files[i], &info);
        if (failed || !S_ISREG(info.st_mode)) return 0;
        total += (uint64_t)info.st_size;
    }
    return total;
}

/* Reads through all regular files and writes nothing. Returns false after printing the problem. */
static bool check_files(load *l)
{
    progress_begin(&l->progress, total_bytes(l->call));
    bool good = load_files(l);
    (void)progress_end(&l->progress);
    l->entries = 0;
    l->bytes_before = 0;
    l->collections = 0;
    return good;
}

/* ---------------------------------------------------------------- the command */

static void print_summary(const load *l, uint64_t took_ns, bool done)
{
    char count[NUMBER_TEXT], size[NUMBER_TEXT], took[NUMBER_TEXT], rate[NUMBER_TEXT], speed[NUMBER_TEXT],
        batches[NUMBER_TEXT];
    const loader *w = &l->loader;
    printf("%s %s%s (%s of keys and values) in %s, %s/s, %s/s, %s %s\n", number_grouped(count, w->entries),
           w->entries == 1 ? "entry" : "entries", done ? " loaded" : " loaded before it stopped",
           number_bytes(size, w->bytes), number_duration(took, took_ns),
           number_grouped(rate, (uint64_t)number_rate(w->entries, took_ns)),
           number_bytes(speed, (uint64_t)number_rate(w->bytes, took_ns)), number_grouped(batches, w->batches),
           w->batches == 1 ? "batch" : "batches");
}

static int end_interrupted(const load *l)
{
    switch (l->loader.mode) {
    case LOADER_BATCHES:
        cli_error(l->call, "interrupted after the current batch");
        break;
    case LOADER_ATOMIC:
        cli_error(l->call, "interrupted; nothing was loaded");
        break;
    case LOADER_SORTED:
        cli_error(l->call, "interrupted; nothing was loaded into the current collection");
        break;
    }
    return CLI_SIGNAL + output_interrupted();
}

static int load_all(session *s, void *ctx)
{
    load *l = ctx;
    const load_settings *settings = l->settings;
    holt_status status = HOLT_OK;
    l->session = s;
    loader_init(&l->loader, s->db, settings->batch ? settings->batch : BATCH_DEFAULT,
                settings->sorted   ? LOADER_SORTED
                : settings->atomic ? LOADER_ATOMIC
                                   : LOADER_BATCHES);
    /* A dump names the collections itself. */
    if (settings->records.format != RECORDS_DUMP && !open_collection(l, l->call->collection, NULL))
        return CLI_FAILED;
    progress_begin(&l->progress, total_bytes(l->call));
    bool done = load_files(l);
    /* If the load stopped at a wrong line or was interrupted, batches still commit what was read, so that
     * everything before the reported place is in the database. Atomic and sorted loads are all or nothing;
     * half a collection would also prevent the next sorted load into it. */
    if (done || l->loader.mode == LOADER_BATCHES) {
        status = loader_commit(&l->loader);
    } else {
        loader_deinit(&l->loader);
    }
    uint64_t took_ns = progress_end(&l->progress);
    if (status != HOLT_OK) {
        session_error(l->call, status, "the last batch");
        done = false;
    }
    print_summary(l, took_ns, done);
    if (done) return CLI_OK;
    return output_interrupted() ? end_interrupted(l) : CLI_FAILED;
}

static int run(cli_call *call)
{
    load_settings *settings = call->own;
    load l = {.call = call, .settings = settings};
    if (!check_settings(call, settings)) return CLI_USAGE;
    settings->records.value_max = cli_value_max(call->memory_bytes);
    if (!settings->records.key_column) settings->records.key_column = "key";
    if (!settings->records.value_column) settings->records.value_column = "value";
    output_catch_interrupts();
    if (!settings->partial && !check_files(&l)) {
        cli_error(call, output_interrupted() ? "interrupted; nothing was loaded" : "nothing was loaded");
        return output_interrupted() ? CLI_SIGNAL + output_interrupted() : CLI_FAILED;
    }
    return session_run(call, SESSION_WRITE_OR_CREATE, load_all, &l);
}

static const load_settings defaults = {.records = {.format = RECORDS_DUMP}};

static const cli_option options[] = {
    {'f', "format", "FORMAT",
     "the format of the files (default: dump)\n"
     "dump    what 'holt dump' writes\n"
     "tsv     a line is KEY, a tab, VALUE, with escapes\n"
     "csv     RFC 4180 with a header that names the columns\n"
     "json    a line is {\"key\":...,\"value\":...}, as\n"
     "        'holt scan --json' prints it\n"
     "lines   any text; the key is FILE/LINE NUMBER (ten\n"
     "        digits), the value is the line\n"
     "deb822  a Debian package index; the key is\n"
     "        PACKAGE/VERSION/ARCHITECTURE, the value is the\n"
     "        stanza"},
    {OPTION_KEY_COLUMN, "key-column", "NAME", "csv: the column with the keys (default: key)"},
    {OPTION_VALUE_COLUMN, "value-column", "NAME", "csv: the column with the values (default: value)"},
    {OPTION_RAW, "raw", NULL, "tsv: backslashes are ordinary bytes"},
    {OPTION_CRLF, "crlf", NULL,
     "tsv, lines: lines end in CRLF; without it the carriage\nreturn belongs to the value"},
    {OPTION_ATOMIC, "atomic", NULL,
     "all entries in one transaction, which can be as large\nas a quarter of the memory"},
    {OPTION_SORTED, "sorted", NULL,
     "keys are in ascending order and the collections are\n"
     "empty: writes each collection once, all or nothing"},
    {OPTION_PARTIAL, "partial", NULL, "do not check the files first; load up to a wrong line"},
    {'b', "batch", "N", "entries in an atomic batch (default: 1000); a batch also\nends at 1 MiB"},
    {0, NULL, NULL, NULL},
};

const cli_command command_load = {
    .name = "load",
    .operands = "DIR [FILE...]",
    .summary = "load entries from files or standard input",
    .description =
        "Loads entries from the files, or from standard input if no FILE is given or FILE is -. The\n"
        "database and its collections are created as needed. An existing key gets the new value, so an\n"
        "interrupted load can simply be run again. A dump names the collections of its entries; with -c a\n"
        "dump of one collection is loaded into that one.\n"
        "\n"
        "How much is loaded if something is wrong:\n"
        "  files    are checked before anything is written. If a line is wrong, or a dump is truncated,\n"
        "           nothing is loaded. With --partial the entries before that line are loaded.\n"
        "  pipes    can be read only once: the entries before the wrong line are loaded, and a message\n"
        "           prints their number.\n"
        "  batches  are atomic, the load as a whole is not: after a crash, on a full disk or after Ctrl-C\n"
        "           some number of whole batches is in the database.\n"
        "  --atomic loads everything or nothing, whatever happens. (Collections that were created remain.)\n"
        "  --sorted loads everything or nothing into each collection, whatever happens. Each key must be\n"
        "           greater than the one before it, as in dumps.\n"
        "\n"
        "Escapes in dump and tsv: \\n \\t \\r \\\\ and \\xNN. In csv, fields are taken byte for byte\n"
        "and columns other than the two are ignored. In json, {\"base64\":\"...\"} stands for bytes\n"
        "that are not UTF-8, and \"expires_at_ms\" is optional. The other formats have no expiry.",
    .examples = "  holt dump old | holt load new\n"
                "  holt load data words.tsv --format tsv\n"
                "  holt load data --format csv --key-column id --value-column name people.csv\n"
                "  holt scan data --prefix a --json | holt load copy --format json --atomic\n"
                "  LC_ALL=C sort words.tsv | holt load data --format tsv --sorted\n"
                "  holt load logs --format lines /var/log/dpkg.log\n"
                "  apt-cache dumpavail | holt load packages --format deb822",
    .exit_codes = "  0    everything was loaded\n"
                  "  1    failure, or a file is wrong; standard error says where\n"
                  "  2    the command line is wrong\n"
                  "  130  interrupted by Ctrl-C",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_DURABILITY,
    .options = options,
    .option = load_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = INT_MAX,
    .run = run,
};
