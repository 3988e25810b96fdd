/* cli.h -- what a command of `holt` is made of.
 *
 * `holt COMMAND [OPTIONS] DIR ARGUMENTS...`: main.c finds the cli_command by its name and calls run, which
 * calls cli_parse first. A command describes itself in data (options, operands, examples); the parser and
 * --help are made of the same tables, so that the help cannot forget an option. Options that several commands
 * have in common are groups, parsed here into the cli_call; a command's own go to its function.
 *
 * A command talks to its user so: results on standard output; complaints, notes and progress on standard
 * error. On a terminal they are made for people, into a pipe plain. Exit codes are in cli_exit.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* not found, or it did not work */
    CLI_USAGE = 2,  /* the command line makes no sense */
    CLI_SIGNAL = 128 /* plus the number of the signal that ended it: 130 Ctrl-C, 141 the pipe's reader left */
};

typedef struct cli_option {
    int code;          /* the short letter, or from CLI_LONG on when there is only a long name */
    const char *name;  /* the long name; NULL ends the table */
    const char *value; /* what the help calls the argument; NULL = a flag */
    const char *help;  /* '\n' begins an aligned line */
} cli_option;

enum { CLI_LONG = 256 };

/* Groups of options that commands share. --help is everywhere. */
enum cli_group {
    CLI_GROUP_DATABASE = 1,    /* --memory */
    CLI_GROUP_COLLECTION = 2,  /* -c */
    CLI_GROUP_KEYS = 4,        /* -e, -x: how keys are written on the command line */
    CLI_GROUP_RANGE = 8,       /* --from, --to */
    CLI_GROUP_DURABILITY = 16, /* --durability */
    CLI_GROUP_TIME = 32,       /* --time */
    CLI_GROUP_JSON = 64,       /* --json */
    CLI_GROUP_PREFIX = 128,    /* --prefix */
    CLI_GROUP_YES = 512,       /* --yes */
    CLI_GROUP_COLLECTIONS = 256 /* -c, of a command that otherwise works on all collections */
};

typedef enum cli_encoding { CLI_PLAIN, CLI_ESCAPED, CLI_HEX } cli_encoding;

typedef struct cli_command cli_command;

/* One call of one command: what its user asked for. */
typedef struct cli_call {
    const cli_command *command;
    void *own;             /* what the command's own options fill */
    char **operands;       /* may be changed in place: that is how keys are decoded */
    int operand_count;     /* with DIR, which is operands[0] where there is one */
    const char *collection; /* "default" unless -c was given */
    bool collection_given;
    bool timed;
    bool json;
    bool yes; /* do not ask */
    cli_encoding encoding;
    char *prefix, *from, *to; /* NULL = not given */
    uint64_t memory_bytes;    /* 0 = the library's default */
    uint32_t durability;      /* a holt_durability */
    uint32_t log_level;       /* a holt_log_level; 0 = no diagnostics */
} cli_call;

/* A command's own option. false: it has complained and the command ends with CLI_USAGE. */
typedef bool (*cli_option_fn)(cli_call *call, int code, char *value);

struct cli_command {
    const char *name;
    const char *alias;       /* what it is called elsewhere, or NULL */
    const char *operands;    /* as in the usage line */
    const char *summary;     /* a line of `holt help` */
    const char *description; /* what --help says below the usage */
    const char *examples;
    const char *exit_codes;    /* NULL = the usual ones */
    unsigned groups;           /* of cli_group */
    const cli_option *options; /* its own; NULL = none */
    cli_option_fn option;      /* NULL = none */
    int operands_min, operands_max; /* DIR included */
    int (*run)(const cli_command *self, int argc, char **argv);
};

/* The commands in the order of `holt help`; a NULL name ends them. In main.c. */
extern const cli_command *const cli_commands[];

/* The command of that name or alias, or NULL. */
const cli_command *cli_command_find(const char *name);

enum { CLI_GO_ON = -1 };

/* Reads the command line into *call. CLI_GO_ON, or the exit code with which to end now (--help, a wrong
 * line). */
int cli_parse(cli_call *call, const cli_command *command, int argc, char **argv, void *own);

/* Prints the help of a command on standard output. */
void cli_help(const cli_command *command);

/* "holt NAME: ..." on standard error, and a line feed. */
__attribute__((format(printf, 2, 3))) void cli_complain(const cli_call *call, const char *format, ...);

/* The bytes of a key or value of the command line in the call's encoding, decoded in place. false:
 * complained. */
bool cli_bytes(const cli_call *call, char *argument, holt_slice *out);

/* The call's --prefix, --from and --to as a cursor's bounds. false: complained. Once a call: decodes in
 * place. */
bool cli_range(const cli_call *call, holt_cursor_options *out);

/* "lsm" or "btree" as a holt_kind. false: complained. */
bool cli_kind(const cli_call *call, const char *text, uint32_t *out);

/* The name of a holt_kind. */
const char *cli_kind_name(uint32_t kind);

/* "commit", "interval" or "process" as a holt_durability. false: complained. */
bool cli_durability(const cli_call *call, const char *text, uint32_t *out);

/* Numbers of options. false: complained, naming the option. */
bool cli_number(const cli_call *call, const char *option, const char *text, uint64_t *out);
bool cli_size(const cli_call *call, const char *option, const char *text, uint64_t *out);

#endif
