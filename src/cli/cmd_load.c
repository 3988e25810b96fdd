/* cmd_load.c -- holt load. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt.h>

#include "loader.h"
#include "number.h"
#include "output.h"
#include "progress.h"
#include "records.h"
#include "session.h"

enum {
    OPTION_RAW = CLI_LONG,
    OPTION_SORTED,
    BATCH_DEFAULT = 1000,
    VALUE_SHARE = 4 /* of the memory, see holt.h */
};

static const uint64_t memory_default = (uint64_t)256 << 20;
static const uint64_t value_limit = (uint64_t)1 << 30;

typedef struct load_settings {
    records_format format;
    uint64_t batch; /* 0: not given */
    bool raw, sorted;
} load_settings;

static bool load_option(cli_call *call, int code, char *value)
{
    load_settings *settings = call->own;
    switch (code) {
    case 'f':
        if (records_format_parse(value, &settings->format)) return true;
        cli_complain(call, "--format: '%s' is not dump, tsv, lines or deb822", value);
        return false;
    case 'b':
        if (!cli_number(call, "batch", value, &settings->batch)) return false;
        if (settings->batch > 0) return true;
        cli_complain(call, "--batch: a batch has at least one entry");
        return false;
    case OPTION_RAW:
        settings->raw = true;
        return true;
    case OPTION_SORTED:
        settings->sorted = true;
        return true;
    default:
        return false;
    }
}

/* One run of the command. */
typedef struct load {
    const cli_call *call;
    const load_settings *settings;
    session session;
    loader loader;
    progress progress;
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
    cli_complain(l->call, "%s: line %" PRIu64 ": %s", r->name, r->lines.number, r->problem);
    return false;
}

/* A dump names a collection. With -c all goes there, which makes sense for one collection only. */
static bool switch_collection(load *l, records *r, const record *named)
{
    if (l->call->collection_given && l->collections > 0) {
        (void)records_bad(r, "a second collection, '%.40s'; -c is for dumps of one", named->name);
        return stop_at(l, r);
    }
    holt_status status = loader_commit(&l->loader);
    if (status != HOLT_OK) {
        session_tell(l->call, status, NULL);
        return false;
    }
    l->collections++;
    return open_collection(l, l->call->collection_given ? l->call->collection : named->name,
                           &named->collection);
}

/* ---------------------------------------------------------------- one file */

static bool add(load *l, records *r, const record *entry)
{
    char where[256];
    if (!l->session.collection && !open_collection(l, l->call->collection, NULL)) return false;
    holt_status status = loader_add(&l->loader, entry->key, entry->value);
    if (status == HOLT_OK) return true;
    (void)progress_end(&l->progress);
    snprintf(where, sizeof where, "%.200s: line %" PRIu64, r->name, r->first_line);
    session_tell(l->call, status, where);
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
            if (l->loader.pending % 64 == 1) {
                progress_update(&l->progress, l->loader.entries + l->loader.pending,
                                l->bytes_before + r->lines.bytes_read);
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
    records_init(&r, l->settings->format, name, descriptor, value_max(l->call));
    r.raw = l->settings->raw;
    bool done = load_records(l, &r);
    records_deinit(&r);
    return done;
}

static bool load_file(load *l, const char *path)
{
    if (strcmp(path, "-") == 0) return load_descriptor(l, "stdin", STDIN_FILENO);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        cli_complain(l->call, "%s: %s", path, strerror(errno));
        return false;
    }
    bool done = load_descriptor(l, path, descriptor);
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
 * place the complaint names is in the database. Not so of sorted entries, of which the collection gets all or
 * nothing: half of them would be in the way of the next try. */
static holt_status end_loader(load *l, bool done)
{
    if (done || !l->settings->sorted) return loader_commit(&l->loader);
    loader_deinit(&l->loader);
    return HOLT_OK;
}

static int load_all(load *l)
{
    loader_init(&l->loader, l->session.db, l->settings->batch ? l->settings->batch : BATCH_DEFAULT,
                l->settings->sorted);
    /* A dump says itself how its collections are made. */
    if (l->settings->format != RECORDS_DUMP && !open_collection(l, l->call->collection, NULL))
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
    if (!output_interrupted()) return CLI_FAILED;
    cli_complain(l->call, l->settings->sorted ? "interrupted; the sorted load under way was given up"
                                              : "interrupted; the batch under way was finished");
    return CLI_SIGNAL + output_interrupted();
}

static int run(const cli_command *self, int argc, char **argv)
{
    load_settings settings = {.format = RECORDS_DUMP};
    cli_call call;
    load l = {.call = &call, .settings = &settings};
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (settings.sorted && settings.batch) {
        cli_complain(&call, "--sorted loads all entries at once; --batch has no place there");
        return CLI_USAGE;
    }
    output_catch_interrupts();
    if (!session_open(&l.session, &call, SESSION_WRITE_OR_CREATE)) return CLI_FAILED;
    code = load_all(&l);
    return session_close(&l.session, code);
}

static const cli_option options[] = {
    {'f', "format", "FORMAT",
     "what the files are (default: dump)\n"
     "dump    what 'holt dump' writes\n"
     "tsv     a line is KEY, a tab, VALUE, with escapes\n"
     "lines   any text; the key is FILE/LINE NUMBER (ten\n"
     "        digits), the value is the line\n"
     "deb822  a Debian package index; the key is\n"
     "        PACKAGE/VERSION/ARCHITECTURE, the value is the\n"
     "        stanza"},
    {OPTION_SORTED, "sorted", NULL,
     "the keys ascend and the collections are empty: builds\neach at one go, written once, all or "
     "nothing"},
    {OPTION_RAW, "raw", NULL, "tsv: backslashes are bytes like all others"},
    {'b', "batch", "N", "entries in an atomic batch (default: 1000); a batch is\nalso closed at 1 MiB"},
    {0, NULL, NULL, NULL},
};

const cli_command command_load = {
    .name = "load",
    .operands = "DIR [FILE...]",
    .summary = "load entries from files or standard input",
    .description =
        "Loads entries in atomic batches from the files, - being standard input, which is also what is read\n"
        "without FILE. The database and the collection are made when there are none. A key that is there\n"
        "already gets the new value, so a load that was stopped is simply run again.\n"
        "\n"
        "A dump says which collections its entries belong to; with -c a dump of one collection goes to\n"
        "that one. At a line that is wrong, or at the end of a dump that was cut off, it stops: all that "
        "came\n"
        "before is loaded, and it says so. So does Ctrl-C.\n"
        "\n"
        "With --sorted a collection has to be empty, and gets all its entries at once when the\n"
        "last one has been read, or none: at a key that is not above the one before it, or a line\n"
        "that is wrong, nothing of that collection is loaded. Dumps are sorted.\n"
        "\n"
        "Escapes in dump and tsv: \\n \\t \\r \\\\ and \\xNN.",
    .examples = "  holt dump old | holt load new\n"
                "  holt load data words.tsv --format tsv\n"
                "  LC_ALL=C sort words.tsv | holt load data --format tsv --sorted\n"
                "  holt load logs --format lines /var/log/dpkg.log\n"
                "  apt-cache dumpavail | holt load packages --format deb822",
    .exit_codes = "  0    all was loaded\n"
                  "  1    it did not work, or a file is wrong; standard error says where\n"
                  "  2    the command line makes no sense\n"
                  "  130  interrupted; the batch under way was finished",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_DURABILITY,
    .options = options,
    .option = load_option,
    .operands_min = 1,
    .operands_max = INT_MAX,
    .run = run,
};
