/* cli.h -- what a command of `holt` consists of.
 *
 * `holt COMMAND [OPTIONS] DIR ARGUMENTS...`: main.c finds the cli_command by its name and passes it to
 * cli_run(), which parses the command line into a cli_call and calls the command's run function. A command
 * describes itself in tables (options, operands, examples). The parser and --help use the same tables, so
 * that no option can be missing from the help. Options that several commands share belong to groups and are
 * parsed into the cli_call; a command's own options go to its option function, which stores them in
 * call->own.
 *
 * Results go to standard output; errors, notes and progress go to standard error. On a terminal they are
 * formatted for people, in a pipe for programs. The exit codes are in cli_exit.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,  /* not found, or an error */
    CLI_USAGE = 2,   /* the command line is wrong */
    CLI_SIGNAL = 128 /* plus the signal that ended it: 130 for Ctrl-C, 141 if the reader of the pipe exited */
};

typedef struct cli_option {
    int code;          /* the short letter, or CLI_LONG and above if there is only a long name */
    const char *name;  /* the long name; NULL ends the table */
    const char *value; /* what the help calls the argument; NULL for a flag */
    const char *help;  /* '\n' begins an aligned line */
} cli_option;

enum { CLI_LONG = 256 };

/* Groups of options that commands share. Every command has --help. */
enum cli_group {
    CLI_GROUP_DATABASE = 1,      /* --memory */
    CLI_GROUP_COLLECTION = 2,    /* -c */
    CLI_GROUP_KEYS = 4,          /* -e, -x: how keys are written on the command line */
    CLI_GROUP_RANGE = 8,         /* --from, --to */
    CLI_GROUP_DURABILITY = 16,   /* --durability */
    CLI_GROUP_TIME = 32,         /* --time */
    CLI_GROUP_JSON = 64,         /* --json */
    CLI_GROUP_PREFIX = 128,      /* --prefix */
    CLI_GROUP_COLLECTIONS = 256, /* -c, for a command that works on all collections without it */
    CLI_GROUP_YES = 512          /* --yes */
};

typedef enum cli_encoding { CLI_PLAIN, CLI_ESCAPED, CLI_HEX } cli_encoding;

typedef struct cli_command cli_command;

/* One call of a command: the parsed command line. */
typedef struct cli_call {
    const cli_command *command;
    void *own;              /* the values of the command's own options; NULL if it has none */
    char **operands;        /* may be changed in place: keys are decoded where they lie */
    int operand_count;      /* including DIR, which is operands[0] */
    const char *collection; /* "default" unless -c was given */
    bool collection_given;
    bool timed;
    bool json;
    bool yes; /* do not ask */
    cli_encoding encoding;
    char *prefix, *from, *to; /* NULL if not given */
    uint64_t memory_bytes;    /* 0 = the library's default */
    uint32_t durability;      /* a holt_durability */
    uint32_t log_level;       /* a holt_log_level; 0 = log nothing */
} cli_call;

/* Stores the value of a command's own option. Returns false after printing an error; the exit code
 * is then CLI_USAGE. */
typedef bool (*cli_option_fn)(cli_call *call, int code, char *value);

struct cli_command {
    const char *name;
    const char *alias;       /* the name that other programs use, or NULL */
    const char *operands;    /* as in the usage line */
    const char *summary;     /* a line of `holt help` */
    const char *description; /* what --help prints below the usage line */
    const char *examples;
    const char *exit_codes;         /* NULL = the usual ones */
    unsigned groups;                /* of cli_group */
    const cli_option *options;      /* its own; NULL = none */
    cli_option_fn option;           /* NULL if there are no options of its own */
    const void *defaults;           /* call->own starts as a copy of this; NULL = none */
    size_t defaults_bytes;          /* the size of what `defaults` points to */
    int operands_min, operands_max; /* including DIR */
    int (*run)(cli_call *call);     /* returns the exit code */
};

/* The commands in the order of `holt help`, ended by NULL. In main.c. */
extern const cli_command *const cli_commands[];

/* Returns the command with that name or alias, or NULL. */
const cli_command *cli_command_find(const char *name);

/* Parses the command line and runs the command. Returns the exit code. */
int cli_run(const cli_command *command, int argc, char **argv);

/* What a step returns, in place of an exit code, if the command is to continue. */
enum { CLI_CONTINUE = -1 };

/* Prints the help of a command on standard output. */
void cli_help(const cli_command *command);

/* Prints "holt NAME: ..." and a line feed on standard error. */
__attribute__((format(printf, 2, 3))) void cli_error(const cli_call *call, const char *format, ...);

#endif
