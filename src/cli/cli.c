/* cli.c -- see cli.h: the options that commands share, the help, the parser. */
#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_values.h"
#include "common/byte_buffer.h"
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
    {CLI_GROUP_PREFIX, {OPTION_PREFIX, "prefix", "KEY", "only keys that begin with KEY"}},
    {CLI_GROUP_RANGE, {OPTION_FROM, "from", "KEY", "the beginning of the range, inclusive"}},
    {CLI_GROUP_RANGE, {OPTION_TO, "to", "KEY", "the end of the range, exclusive"}},
    {CLI_GROUP_KEYS,
     {'e', "escaped", NULL,
      "keys and values on the command line contain escapes:\n\\n \\t \\r \\\\ and \\xNN"}},
    {CLI_GROUP_KEYS, {'x', "hex", NULL, "keys and values are hexadecimal, both given and printed"}},
    {CLI_GROUP_JSON,
     {OPTION_JSON, "json", NULL, "print JSON; bytes that are not UTF-8 as {\"base64\":\"...\"}"}},
    {CLI_GROUP_DURABILITY,
     {OPTION_DURABILITY, "durability", "MODE",
      "when a write is acknowledged: commit (on stable storage,\n"
      "the default), interval (a power failure loses the last\n"
      "100 ms) or process (survives a crash of the process, not\n"
      "a power failure)"}},
    {CLI_GROUP_YES, {'y', "yes", NULL, "do not ask; required without a terminal"}},
    {CLI_GROUP_TIME, {OPTION_TIME, "time", NULL, "print the time taken on standard error"}},
    {CLI_GROUP_DATABASE,
     {OPTION_MEMORY, "memory", "SIZE", "the memory budget, such as 64M or 1G (default: 256M)"}},
    {0, {'h', "help", NULL, "print this help"}},
};

enum { SHARED_OPTIONS = sizeof shared_options / sizeof shared_options[0], OPTIONS_MAX = 48 };

/* Stores the command's options in one table, its own options first. Returns their number. */
static size_t options_of(const cli_command *command, cli_option out[OPTIONS_MAX])
{
    size_t count = 0;
    for (const cli_option *o = command->options; o && o->name && count < OPTIONS_MAX; o++) {
        out[count++] = *o;
    }
    for (size_t i = 0; i < SHARED_OPTIONS && count < OPTIONS_MAX; i++) {
        unsigned group = shared_options[i].group;
        if (group == 0 || command->groups & group) out[count++] = shared_options[i].option;
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
                                                      : "  0  success\n"
                                                        "  1  failure; the reason is on standard error\n"
                                                        "  2  the command line is wrong");
}

/* ---------------------------------------------------------------- errors */

void cli_error(const cli_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    output_verror(call->command->name, format, arguments);
    va_end(arguments);
}

/* Prints the usage line after an error. Returns CLI_USAGE. */
static int usage_error(const cli_call *call)
{
    help_usage(stderr, call->command);
    fprintf(stderr, "See 'holt %s --help'.\n", call->command->name);
    return CLI_USAGE;
}

/* ---------------------------------------------------------------- the log level */

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

/* Reads HOLT_LOG_LEVEL or, without it, LOG_LEVEL. Other programs use LOG_LEVEL too, so an unknown value of it
 * is ignored. Returns false after printing an error. */
static bool read_log_level(cli_call *call)
{
    const char *own = getenv("HOLT_LOG_LEVEL");
    const char *common = getenv("LOG_LEVEL");
    if (own && *own) {
        if (parse_log_level(own, &call->log_level)) return true;
        cli_error(call, "HOLT_LOG_LEVEL: '%s' is not error, warn, info or debug", own);
        return false;
    }
    if (common) (void)parse_log_level(common, &call->log_level); /* stays 0 if unknown */
    return true;
}

/* ---------------------------------------------------------------- the parser */

static bool set_encoding(cli_call *call, cli_encoding encoding)
{
    if (call->encoding != CLI_PLAIN && call->encoding != encoding) {
        cli_error(call, "--escaped and --hex cannot be used together");
        return false;
    }
    call->encoding = encoding;
    return true;
}

/* Stores the value of a shared option. Returns false after printing an error. */
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

static bool take_option(cli_call *call, int code, char *value)
{
    for (const cli_option *o = call->command->options; o && o->name; o++) {
        if (o->code == code) return call->command->option(call, code, value);
    }
    return take_shared(call, code, value);
}

/* The tables that getopt_long needs. */
typedef struct getopt_tables {
    char letters[2 * OPTIONS_MAX + 2];
    struct option names[OPTIONS_MAX + 1];
} getopt_tables;

static void tables_make(getopt_tables *t, const cli_option *options, size_t count)
{
    char *letter = t->letters;
    *letter++ = ':'; /* getopt_long then returns ':' for a missing argument, '?' for an unknown option */
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

static int option_error(const cli_call *call, char **argv, bool missing)
{
    const char *given = argv[optind - 1];
    if (missing) {
        cli_error(call, "option '%s' needs an argument", given);
    } else if (optopt > 0 && optopt < CLI_LONG) {
        cli_error(call, "unknown option '-%c'", optopt);
    } else {
        cli_error(call, "unknown or ambiguous option '%s'", given);
    }
    return usage_error(call);
}

static int check_operands(const cli_call *call)
{
    const cli_command *command = call->command;
    if (call->operand_count < command->operands_min) {
        cli_error(call, "%s",
                  call->operand_count == 0 ? "the directory of the database is missing"
                                           : "an argument is missing");
        return usage_error(call);
    }
    if (call->operand_count > command->operands_max) {
        cli_error(call, "unexpected argument '%s'", call->operands[command->operands_max]);
        return usage_error(call);
    }
    return CLI_CONTINUE;
}

/* Parses the command line into *call. Returns CLI_CONTINUE, or the exit code if the command ends here. */
static int parse(cli_call *call, int argc, char **argv)
{
    const cli_command *command = call->command;
    cli_option options[OPTIONS_MAX];
    getopt_tables tables;
    tables_make(&tables, options, options_of(command, options));
    opterr = 0;
    for (;;) {
        int code = getopt_long(argc, argv, tables.letters, tables.names, NULL);
        if (code == -1) break;
        if (code == '?' || code == ':') return option_error(call, argv, code == ':');
        if (code == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (!take_option(call, code, optarg)) return CLI_USAGE;
    }
    if (call->json && call->encoding == CLI_HEX) {
        cli_error(call, "--json and --hex cannot be used together");
        return CLI_USAGE;
    }
    call->operands = argv + optind;
    call->operand_count = argc - optind;
    if (!read_log_level(call)) return CLI_USAGE;
    return check_operands(call);
}

int cli_run(const cli_command *command, int argc, char **argv)
{
    cli_call call = {.command = command, .collection = "default"};
    if (command->defaults) {
        call.own = allocate_or_exit(1, command->defaults_bytes);
        memcpy(call.own, command->defaults, command->defaults_bytes);
    }
    int code = parse(&call, argc, argv);
    if (code == CLI_CONTINUE) code = command->run(&call);
    free(call.own);
    return code;
}
