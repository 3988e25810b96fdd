/* cli.c -- see cli.h. */
#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "common/text.h"
#include "terminal/output.h"

/* ---------------------------------------------------------------- the shared options */

enum {
    OPTION_PREFIX = CLI_LONG + 1000,
    OPTION_FROM,
    OPTION_TO,
    OPTION_DURABILITY,
    OPTION_MEMORY,
    OPTION_TIME,
    OPTION_JSON
};

typedef struct shared_option {
    unsigned group; /* 0 = every command */
    cli_option option;
} shared_option;

static const shared_option shared_options[] = {
    {CLI_GROUP_COLLECTION, {'c', "collection", "NAME", "the collection (default: \"default\")"}},
    {CLI_GROUP_COLLECTIONS, {'c', "collection", "NAME", "only this collection (default: all)"}},
    {CLI_GROUP_PREFIX, {OPTION_PREFIX, "prefix", "KEY", "only keys that begin with it"}},
    {CLI_GROUP_RANGE, {OPTION_FROM, "from", "KEY", "the first key of the range, included"}},
    {CLI_GROUP_RANGE, {OPTION_TO, "to", "KEY", "the end of the range, not included"}},
    {CLI_GROUP_KEYS,
     {'e', "escaped", NULL, "keys and values on the command line have escapes:\n\\n \\t \\r \\\\ and \\xNN"}},
    {CLI_GROUP_KEYS, {'x', "hex", NULL, "keys and values are hexadecimal, given and printed"}},
    {CLI_GROUP_JSON, {OPTION_JSON, "json", NULL, "print JSON; what is not UTF-8 as {\"base64\":\"...\"}"}},
    {CLI_GROUP_DURABILITY,
     {OPTION_DURABILITY, "durability", "MODE",
      "when a write is acknowledged: commit (on stable storage,\nthe default), interval (a power failure "
      "loses 100 ms)\n"
      "or process (survives the process, not a power failure)"}},
    {CLI_GROUP_YES, {'y', "yes", NULL, "do not ask; needed where there is no terminal to ask on"}},
    {CLI_GROUP_TIME, {OPTION_TIME, "time", NULL, "say on standard error how long it took"}},
    {CLI_GROUP_DATABASE,
     {OPTION_MEMORY, "memory", "SIZE", "the memory budget, such as 64M or 1G (default: 256M)"}},
    {0, {'h', "help", NULL, "print this and end"}},
};

enum { SHARED_OPTIONS = sizeof shared_options / sizeof shared_options[0], OPTIONS_MAX = 48 };

static bool is_shared_by(const shared_option *s, const cli_command *command)
{
    return s->group == 0 || (command->groups & s->group) != 0;
}

/* The command's options, its own first, as one table of at most OPTIONS_MAX. Returns how many. */
static size_t options_of(const cli_command *command, cli_option out[OPTIONS_MAX])
{
    size_t count = 0;
    for (const cli_option *o = command->options; o && o->name && count < OPTIONS_MAX; o++) {
        out[count++] = *o;
    }
    for (size_t i = 0; i < SHARED_OPTIONS && count < OPTIONS_MAX; i++) {
        if (is_shared_by(&shared_options[i], command)) out[count++] = shared_options[i].option;
    }
    return count;
}

/* ---------------------------------------------------------------- help */

const cli_command *cli_command_find(const char *name)
{
    for (const cli_command *const *c = cli_commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) return *c;
        if ((*c)->alias && strcmp((*c)->alias, name) == 0) return *c;
    }
    return NULL;
}

enum { HELP_COLUMN = 28 };

static void help_option(const cli_option *o)
{
    char left[64];
    int used = o->code < CLI_LONG ? snprintf(left, sizeof left, "  -%c, --%s", o->code, o->name)
                                  : snprintf(left, sizeof left, "      --%s", o->name);
    if (o->value) used += snprintf(left + used, sizeof left - (size_t)used, " %s", o->value);
    printf("%-*s", HELP_COLUMN, left);
    if (used >= HELP_COLUMN) printf("\n%*s", HELP_COLUMN, "");
    for (const char *line = o->help; line;) {
        const char *end = strchr(line, '\n');
        printf("%.*s\n", end ? (int)(end - line) : (int)strlen(line), line);
        if (end) printf("%*s", HELP_COLUMN, "");
        line = end ? end + 1 : NULL;
    }
}

static void help_usage(FILE *out, const cli_command *command)
{
    fprintf(out, "Usage: holt %s [OPTIONS]%s%s\n", command->name, *command->operands ? " " : "",
            command->operands);
}

void cli_help(const cli_command *command)
{
    cli_option options[OPTIONS_MAX];
    size_t count = options_of(command, options);
    help_usage(stdout, command);
    printf("\n%s\n", command->description);
    if (command->alias) printf("\nAlso called: holt %s\n", command->alias);
    puts("\nOptions:");
    for (size_t i = 0; i < count; i++) {
        help_option(&options[i]);
    }
    printf("\nExamples:\n%s\n", command->examples);
    printf("\nExit codes:\n%s\n", command->exit_codes ? command->exit_codes
                                                      : "  0  done\n"
                                                        "  1  it did not work; standard error says why\n"
                                                        "  2  the command line makes no sense");
}

/* ---------------------------------------------------------------- complaints */

void cli_complain(const cli_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    output_complain(call->command->name, format, arguments);
    va_end(arguments);
}

static int complain_usage(const cli_call *call)
{
    help_usage(stderr, call->command);
    fprintf(stderr, "'holt %s --help' says more.\n", call->command->name);
    return CLI_USAGE;
}

/* ---------------------------------------------------------------- values of options */

/* Whether the number is good; complains when it is not. `what`: what it should have been. */
static bool accept_number(const cli_call *call, const char *option, const char *text, number_result result,
                          const char *what, const char *most)
{
    switch (result) {
    case NUMBER_OK:
        return true;
    case NUMBER_NEGATIVE:
        cli_complain(call, "--%s: '%s' is negative", option, text);
        return false;
    case NUMBER_TOO_LARGE:
        cli_complain(call, "--%s: '%s' is too large; the most is %s", option, text, most);
        return false;
    case NUMBER_NONE:
        break;
    }
    cli_complain(call, "--%s: '%s' is not %s", option, text, what);
    return false;
}

bool cli_number(const cli_call *call, const char *option, const char *text, uint64_t *out)
{
    return accept_number(call, option, text, number_parse(text, out), "a whole number",
                         "18446744073709551615");
}

bool cli_size(const cli_call *call, const char *option, const char *text, uint64_t *out)
{
    return accept_number(call, option, text, number_parse_bytes(text, out),
                         "a size such as 4096, 64K, 64M or 1G", "18446744073709551615 bytes");
}

bool cli_kind(const cli_call *call, const char *text, uint32_t *out)
{
    if (strcmp(text, "lsm") == 0) {
        *out = HOLT_LSM;
    } else if (strcmp(text, "btree") == 0) {
        *out = HOLT_BTREE;
    } else {
        cli_complain(call, "--kind: '%s' is neither lsm nor btree", text);
        return false;
    }
    return true;
}

const char *cli_kind_name(uint32_t kind)
{
    return kind == HOLT_LSM ? "lsm" : kind == HOLT_BTREE ? "btree" : "?";
}

bool cli_durability(const cli_call *call, const char *text, uint32_t *out)
{
    if (strcmp(text, "commit") == 0) {
        *out = HOLT_COMMIT;
    } else if (strcmp(text, "interval") == 0) {
        *out = HOLT_INTERVAL;
    } else if (strcmp(text, "process") == 0) {
        *out = HOLT_PROCESS;
    } else {
        cli_complain(call, "--durability: '%s' is not commit, interval or process", text);
        return false;
    }
    return true;
}

bool cli_bytes(const cli_call *call, char *argument, holt_slice *out)
{
    size_t size = strlen(argument);
    if (call->encoding == CLI_HEX && !text_unhex(argument, &size)) {
        cli_complain(call, "'%s' is not pairs of hexadecimal digits", argument);
        return false;
    }
    const char *wrong = call->encoding == CLI_ESCAPED ? text_unescape(argument, &size) : NULL;
    if (wrong) {
        cli_complain(call, "'%.4s' is not an escape; these are: \\n \\t \\r \\\\ \\xNN", wrong);
        return false;
    }
    *out = holt_bytes(argument, size);
    return true;
}

bool cli_range(const cli_call *call, holt_cursor_options *out)
{
    if (call->prefix && !cli_bytes(call, call->prefix, &out->prefix)) return false;
    if (call->from && !cli_bytes(call, call->from, &out->lower)) return false;
    if (call->to && !cli_bytes(call, call->to, &out->upper)) return false;
    return true;
}

/* ---------------------------------------------------------------- diagnostics */

static bool parse_log_level(const char *text, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t level;
    } levels[] = {{"error", HOLT_LOG_ERROR},
                  {"warn", HOLT_LOG_WARN},
                  {"warning", HOLT_LOG_WARN},
                  {"info", HOLT_LOG_INFO},
                  {"debug", HOLT_LOG_DEBUG}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcasecmp(text, levels[i].name) != 0) continue;
        *out = levels[i].level;
        return true;
    }
    return false;
}

/* HOLT_LOG_LEVEL, or else LOG_LEVEL, which other programs use too: a word there that we do not know is not
 * for us. */
static bool read_log_level(cli_call *call)
{
    const char *own = getenv("HOLT_LOG_LEVEL");
    const char *common = getenv("LOG_LEVEL");
    if (own && *own) {
        if (parse_log_level(own, &call->log_level)) return true;
        cli_complain(call, "HOLT_LOG_LEVEL: '%s' is not error, warn, info or debug", own);
        return false;
    }
    if (common) (void)parse_log_level(common, &call->log_level); /* 0 stays when it is unknown */
    return true;
}

/* ---------------------------------------------------------------- the parser */

static bool set_encoding(cli_call *call, cli_encoding encoding)
{
    if (call->encoding != CLI_PLAIN && call->encoding != encoding) {
        cli_complain(call, "--escaped and --hex exclude each other");
        return false;
    }
    call->encoding = encoding;
    return true;
}

/* An option of a group. false: complained. */
static bool take_shared(cli_call *call, int code, char *value)
{
    switch (code) {
    case 'c':
        call->collection = value;
        call->collection_given = true;
        return true;
    case 'e':
        return set_encoding(call, CLI_ESCAPED);
    case 'x':
        return set_encoding(call, CLI_HEX);
    case OPTION_PREFIX:
        call->prefix = value;
        return true;
    case OPTION_FROM:
        call->from = value;
        return true;
    case OPTION_TO:
        call->to = value;
        return true;
    case OPTION_TIME:
        call->timed = true;
        return true;
    case OPTION_JSON:
        call->json = true;
        return true;
    case 'y':
        call->yes = true;
        return true;
    case OPTION_DURABILITY:
        return cli_durability(call, value, &call->durability);
    case OPTION_MEMORY:
        return cli_size(call, "memory", value, &call->memory_bytes);
    default:
        return false;
    }
}

static bool is_own(const cli_command *command, int code)
{
    for (const cli_option *o = command->options; o && o->name; o++) {
        if (o->code == code) return true;
    }
    return false;
}

/* The tables that getopt_long wants. */
typedef struct getopt_tables {
    char letters[2 * OPTIONS_MAX + 2];
    struct option names[OPTIONS_MAX + 1];
} getopt_tables;

static void tables_make(getopt_tables *t, const cli_option *options, size_t count)
{
    char *letter = t->letters;
    *letter++ = ':'; /* a missing argument is told apart from an unknown option */
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        t->names[i] = (struct option){o->name, o->value ? required_argument : no_argument, NULL, o->code};
        if (o->code >= CLI_LONG) continue;
        *letter++ = (char)o->code;
        if (o->value) *letter++ = ':';
    }
    *letter = '\0';
    t->names[count] = (struct option){NULL, 0, NULL, 0};
}

static int complain_option(const cli_call *call, char **argv, bool missing)
{
    const char *given = argv[optind - 1];
    if (missing) {
        cli_complain(call, "option '%s' needs an argument", given);
    } else if (optopt > 0 && optopt < CLI_LONG) {
        cli_complain(call, "unknown option '-%c'", optopt);
    } else {
        cli_complain(call, "unknown or ambiguous option '%s'", given);
    }
    return complain_usage(call);
}

static int check_operands(const cli_call *call)
{
    const cli_command *command = call->command;
    if (call->operand_count < command->operands_min) {
        cli_complain(call, "%s",
                     call->operand_count == 0 ? "the directory of a database is missing"
                                              : "an argument is missing");
        return complain_usage(call);
    }
    if (call->operand_count > command->operands_max) {
        cli_complain(call, "'%s' is one argument too many", call->operands[command->operands_max]);
        return complain_usage(call);
    }
    return CLI_GO_ON;
}

int cli_parse(cli_call *call, const cli_command *command, int argc, char **argv, void *own)
{
    cli_option options[OPTIONS_MAX];
    getopt_tables tables;
    *call = (cli_call){.command = command, .own = own, .collection = "default"};
    tables_make(&tables, options, options_of(command, options));
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, tables.letters, tables.names, NULL);
        if (code == -1) break;
        if (code == '?' || code == ':') return complain_option(call, argv, code == ':');
        if (code == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        bool taken =
            is_own(command, code) ? command->option(call, code, optarg) : take_shared(call, code, optarg);
        if (!taken) return CLI_USAGE;
    }
    if (call->json && call->encoding == CLI_HEX) {
        cli_complain(call, "--json and --hex exclude each other");
        return CLI_USAGE;
    }
    call->operands = argv + optind;
    call->operand_count = argc - optind;
    if (!read_log_level(call)) return CLI_USAGE;
    return check_operands(call);
}
