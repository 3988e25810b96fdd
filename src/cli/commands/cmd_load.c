/* cmd_load.c -- holt load. */
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
    BATCH_DEFAULT = 1000,
    VALUE_SHARE = 4 /* of the memory, see holt.h */
};

static const uint64_t memory_default = (uint64_t)256 << 20;
static const uint64_t value_limit = (uint64_t)1 << 30;

typedef struct load_settings {
    records_options records;
    uint64_t batch; /* 0: not given */
    bool sorted, atomic, partial;
} load_settings;

static bool load_option(cli_call *call, int code, char *value)
{
    load_settings *settings = call->own;
    switch (code) {
    case 'f':
        if (records_format_parse(value, &settings->records.format)) return true;
        cli_complain(call, "--format: '%s' is not " RECORDS_FORMATS, value);
        return false;
    case 'b':
        if (!cli_number(call, "batch", value, &settings->batch)) return false;
        if (settings->batch > 0) return true;
        cli_complain(call, "--batch: a batch has at least one entry");
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

/* Options that only some formats have, and those that exclude each other. false: complained. */
static bool check_settings(const cli_call *call, const load_settings *settings)
{
    const records_options *o = &settings->records;
    const struct {
        bool wrong;
        const char *message;
    } rules[] = {
        {o->raw && o->format != RECORDS_TSV, "--raw is for --format tsv"},
        {o->crlf && o->format != RECORDS_TSV && o->format != RECORDS_LINES,
         "--crlf is for --format tsv or lines; dump, csv and json take CRLF line ends as they are"},
        {(o->key_column || o->value_column) && o->format != RECORDS_CSV,
         "--key-column and --value-column are for --format csv"},
        {settings->sorted && settings->batch, "--sorted and --batch exclude each other"},
        {settings->atomic && settings->batch, "--atomic and --batch exclude each other"},
        {settings->sorted && settings->atomic, "--sorted and --atomic exclude each other"},
        {settings->atomic && settings->partial, "--atomic and --partial exclude each other"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].wrong) continue;
        cli_complain(call, "%s", rules[i].message);
        return false;
    }
    return true;
}

/* One run of the command. */
typedef struct load {
    const cli_call *call;
    const load_settings *settings;
    session session;
    loader loader;
    progress progress;
    bool checking;         /* the files are only read through; there is no session */
    uint64_t entries;      /* read so far, of all files */
    uint64_t bytes_before; /* of the files that are done */
    uint64_t collections;  /* that dumps have named */
} load;

/* ---------------------------------------------------------------- collections */

static bool open_collection(load *l, const char *name, const holt_collection_options *like)
{
    holt_collection_options options;
    holt_collection *collection = NULL;
    if (like) {
        options = *like;
    } else {
        memset(&options, 0, sizeof options);
    }
    options.flags = HOLT_CREATE_OR_OPEN;
    holt_status status = holt_collection_create(l->session.db, name, &options, &collection);
    if (status != HOLT_OK) {
        session_tell(l->call, status, NULL);
        return false;
    }
    holt_collection_close(l->session.collection);
    l->session.collection = collection;
    l->loader.collection = collection;
    return true;
}

/* Wipes the progress bar and tells where in a file it stopped, and why. Always false. */
static bool stop_at(load *l, const records *r)
{
    (void)progress_end(&l->progress);
    if (r->problem_line > 0) {
        cli_complain(l->call, "%s: line %" PRIu64 ": %s", r->name, r->problem_line, r->problem);
    } else {
        cli_complain(l->call, "%s: %s", r->name, r->problem);
    }
    return false;
}

/* A dump names a collection. With -c all goes there, which makes sense for one collection only. */
static bool switch_collection(load *l, records *r, const record *named)
{
    if (l->call->collection_given && l->collections > 0) {
        (void)records_bad(r, "a second collection, '%.40s'; -c is for dumps of one", named->name);
        return stop_at(l, r);
    }
    l->collections++;
    if (l->checking) return true;
    holt_status status = loader_leave_collection(&l->loader);
    if (status != HOLT_OK) {
        session_tell(l->call, status, NULL);
        return false;
    }
    return open_collection(l, l->call->collection_given ? l->call->collection : named->name,
                           &named->collection);
}

/* ---------------------------------------------------------------- one file */

static bool add(load *l, records *r, const record *entry)
{
    char where[256];
    if (l->checking) return true;
    if (!l->session.collection && !open_collection(l, l->call->collection, NULL)) return false;
    holt_status status = loader_add(&l->loader, entry->key, entry->value);
    if (status == HOLT_OK) return true;
    (void)progress_end(&l->progress);
    snprintf(where, sizeof where, "%.200s: line %" PRIu64, r->name, r->first_line);
    session_tell(l->call, status, where);
    if (status == HOLT_TOO_LARGE && l->settings->atomic) {
        cli_complain(l->call, "without --atomic, entries are loaded in batches of any number");
    }
    return false;
}

static bool load_records(load *l, records *r)
{
    record one;
    for (;;) {
        if (output_interrupted()) return false;
        switch (records_next(r, &one)) {
        case RECORD_ENTRY:
            if (!add(l, r, &one)) return false;
            /* Looking at the clock for each entry would cost as much as writing it. */
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
            return stop_at(l, r);
        }
    }
}

static size_t value_max(const cli_call *call)
{
    uint64_t most = (call->memory_bytes ? call->memory_bytes : memory_default) / VALUE_SHARE;
    return (size_t)(most < value_limit ? most : value_limit);
}

static bool load_descriptor(load *l, const char *name, int descriptor)
{
    records r;
    records_init(&r, &l->settings->records, name, descriptor);
    bool done = load_records(l, &r);
    records_deinit(&r);
    return done;
}

/* Whether it is a file, which can be read again from where it is now. */
static bool is_file(int descriptor, off_t *at)
{
    struct stat info;
    *at = lseek(descriptor, 0, SEEK_CUR);
    return *at >= 0 && fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
}

/* Loads what the descriptor has, or reads it through: not a pipe then, and it is set back to where it was. */
static bool take_descriptor(load *l, const char *name, int descriptor)
{
    off_t at;
    if (!l->checking) return load_descriptor(l, name, descriptor);
    if (!is_file(descriptor, &at)) return true;
    bool good = load_descriptor(l, name, descriptor);
    return lseek(descriptor, at, SEEK_SET) >= 0 && good;
}

static bool load_file(load *l, const char *path)
{
    if (strcmp(path, "-") == 0) return take_descriptor(l, "stdin", STDIN_FILENO);
    /* A named pipe must not be opened twice: its writer may have left by then. */
    struct stat info;
    if (l->checking && stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return true;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)progress_end(&l->progress);
        cli_complain(l->call, "%s: %s", path, strerror(errno));
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

/* Bytes that there are to read; 0 when one of the files is a pipe or cannot be looked at. */
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

/* Reads all files through, pipes excepted, and writes nothing. false: something is wrong, which has been
 * told. */
static bool check_files(load *l)
{
    l->checking = true;
    progress_begin(&l->progress, total_bytes(l->call));
    bool good = load_files(l);
    (void)progress_end(&l->progress);
    l->checking = false;
    l->entries = 0;
    l->bytes_before = 0;
    l->collections = 0;
    return good;
}

/* ---------------------------------------------------------------- the whole */

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

/* What was read before a bad line or an interruption is good: it is committed, so that everything before the
 * place the complaint names is in the database. Not so where all or nothing was asked for: an atomic load, and
 * sorted entries, half of which would be in the way of the next try. */
static holt_status end_loader(load *l, bool done)
{
    if (done || l->loader.mode == LOADER_BATCHES) return loader_commit(&l->loader);
    loader_deinit(&l->loader);
    return HOLT_OK;
}

static loader_mode mode_of(const load_settings *settings)
{
    return settings->sorted ? LOADER_SORTED : settings->atomic ? LOADER_ATOMIC : LOADER_BATCHES;
}

static int end_interrupted(const load *l)
{
    switch (l->loader.mode) {
    case LOADER_BATCHES:
        cli_complain(l->call, "interrupted; the current batch was finished");
        break;
    case LOADER_ATOMIC:
        cli_complain(l->call, "interrupted; nothing was loaded");
        break;
    case LOADER_SORTED:
        cli_complain(l->call, "interrupted; nothing was loaded into the current collection");
        break;
    }
    return CLI_SIGNAL + output_interrupted();
}

static int load_all(load *l)
{
    loader_init(&l->loader, l->session.db, l->settings->batch ? l->settings->batch : BATCH_DEFAULT,
                mode_of(l->settings));
    /* A dump says itself how its collections are made. */
    if (l->settings->records.format != RECORDS_DUMP && !open_collection(l, l->call->collection, NULL))
        return CLI_FAILED;
    progress_begin(&l->progress, total_bytes(l->call));
    bool done = load_files(l);
    holt_status status = end_loader(l, done);
    uint64_t took_ns = progress_end(&l->progress);
    if (status != HOLT_OK) {
        session_tell(l->call, status, "the last batch");
        done = false;
    }
    print_summary(l, took_ns, done);
    if (done) return CLI_OK;
    return output_interrupted() ? end_interrupted(l) : CLI_FAILED;
}

static int run(const cli_command *self, int argc, char **argv)
{
    load_settings settings = {.records = {.format = RECORDS_DUMP}};
    cli_call call;
    load l = {.call = &call, .settings = &settings};
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (!check_settings(&call, &settings)) return CLI_USAGE;
    settings.records.value_max = value_max(&call);
    if (!settings.records.key_column) settings.records.key_column = "key";
    if (!settings.records.value_column) settings.records.value_column = "value";
    output_catch_interrupts();
    if (!settings.partial && !check_files(&l)) {
        cli_complain(&call, output_interrupted() ? "interrupted; nothing was loaded" : "nothing was loaded");
        return output_interrupted() ? CLI_SIGNAL + output_interrupted() : CLI_FAILED;
    }
    if (!session_open(&l.session, &call, SESSION_WRITE_OR_CREATE)) return CLI_FAILED;
    code = load_all(&l);
    return session_close(&l.session, code);
}

static const cli_option options[] = {
    {'f', "format", "FORMAT",
     "what the files are (default: dump)\n"
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
    {OPTION_KEY_COLUMN, "key-column", "NAME", "csv: the column that has the keys (default: key)"},
    {OPTION_VALUE_COLUMN, "value-column", "NAME", "csv: the column that has the values (default: value)"},
    {OPTION_RAW, "raw", NULL, "tsv: backslashes are bytes like all others"},
    {OPTION_CRLF, "crlf", NULL,
     "tsv, lines: lines end in CRLF; without it the carriage\nreturn belongs to the value"},
    {OPTION_ATOMIC, "atomic", NULL,
     "all entries in one transaction, which can be as large\nas a quarter of the memory"},
    {OPTION_SORTED, "sorted", NULL,
     "the keys ascend and the collections are empty: builds\neach in one go, written once, all or "
     "nothing"},
    {OPTION_PARTIAL, "partial", NULL, "do not read files through first; load up to a wrong line"},
    {'b', "batch", "N", "entries in an atomic batch (default: 1000); a batch is\nalso closed at 1 MiB"},
    {0, NULL, NULL, NULL},
};

const cli_command command_load = {
    .name = "load",
    .operands = "DIR [FILE...]",
    .summary = "load entries from files or standard input",
    .description =
        "Loads entries from the files, or from standard input without FILE or where it is -. The database\n"
        "and its collections are created as needed. An existing key gets the new value, so a load that\n"
        "was stopped is simply run again. A dump says which collections its entries belong to; with -c a\n"
        "dump of one collection goes into that one.\n"
        "\n"
        "How much is loaded when something is wrong:\n"
        "  files    are read through before anything is written. If a line is wrong, or a dump was cut\n"
        "           off, nothing is loaded. With --partial what comes before that line is loaded.\n"
        "  pipes    can be read only once: what comes before the wrong line is loaded, and a message says\n"
        "           how many entries that is.\n"
        "  batches  are atomic, the load as a whole is not: after a crash, on a full disk or after Ctrl-C\n"
        "           a number of whole batches is there.\n"
        "  --atomic loads everything or nothing, whatever happens. (Collections that were created stay.)\n"
        "  --sorted loads everything or nothing of each collection, whatever happens. Each key must be\n"
        "           greater than the one before it, as in dumps.\n"
        "\n"
        "Escapes in dump and tsv: \\n \\t \\r \\\\ and \\xNN. In csv, fields are bytes as they are; columns\n"
        "other than the two are not loaded. In json, {\"base64\":\"...\"} stands for bytes that are not "
        "UTF-8.",
    .examples = "  holt dump old | holt load new\n"
                "  holt load data words.tsv --format tsv\n"
                "  holt load data --format csv --key-column id --value-column name people.csv\n"
                "  holt scan data --prefix a --json | holt load copy --format json --atomic\n"
                "  LC_ALL=C sort words.tsv | holt load data --format tsv --sorted\n"
                "  holt load logs --format lines /var/log/dpkg.log\n"
                "  apt-cache dumpavail | holt load packages --format deb822",
    .exit_codes = "  0    all was loaded\n"
                  "  1    it did not work, or a file is wrong; standard error says where\n"
                  "  2    the command line makes no sense\n"
                  "  130  interrupted by Ctrl-C",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_DURABILITY,
    .options = options,
    .option = load_option,
    .operands_min = 1,
    .operands_max = INT_MAX,
    .run = run,
};
