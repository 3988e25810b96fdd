/* resp_parser.h -- finds commands of the Redis protocol in a buffer, in place.
 *
 * A command is an array of bulk strings,
 *
 *     *2\r\n  $3\r\nGET\r\n  $4\r\ncity\r\n
 *
 * or a line of words ("inline"), in which quotes and escapes have the meaning of redis-cli. The arguments of
 * an array are slices of the buffer; those of a line are unescaped in place, so a line may be parsed only
 * once.
 *
 * The parser allocates nothing but the list of arguments. It continues where it stopped when more bytes are
 * there, so a command of many arguments that comes in many pieces is still read through once. Positions are
 * kept as offsets: the buffer may move between calls, but its bytes from the command's first on must stay.
 */
#ifndef SERVER_RESP_PARSER_H
#define SERVER_RESP_PARSER_H

#include <stddef.h>
#include <stdint.h>

#include <holt.h>

typedef struct resp_limits {
    size_t command_bytes; /* the largest command */
    size_t arguments;     /* the most arguments */
} resp_limits;

typedef struct resp_argument {
    size_t offset, size;
} resp_argument;

typedef struct resp_parser {
    size_t position;          /* in the command, of what has not been read */
    size_t left;              /* arguments that are still to come */
    size_t need;              /* the fewest bytes that the buffer must have before parsing can go on */
    size_t count, capacity;   /* of arguments */
    resp_argument *arguments; /* offsets from the command's first byte */
    char message[48];         /* where *error may point */
} resp_parser;

typedef enum resp_found {
    RESP_COMMAND, /* a command with parser->count arguments; 0 for an empty line or array */
    RESP_MORE,    /* bytes are missing: call again, with the same beginning, when there are parser->need */
    RESP_ERROR    /* not the protocol: the connection cannot be used any further */
} resp_found;

/* A zeroed parser is ready. */
void resp_parser_deinit(resp_parser *p);

/* Reads the command at the beginning of data[size]. After RESP_COMMAND, *used is its length, and the
 * arguments are at resp_parser_argument; call resp_parser_next before the next command. After RESP_ERROR,
 * *error is a message for the client. */
resp_found resp_parse(resp_parser *p, char *data, size_t size, const resp_limits *limits, size_t *used,
                      const char **error);

static inline holt_slice resp_parser_argument(const resp_parser *p, const char *data, size_t i)
{
    return holt_bytes(data + p->arguments[i].offset, p->arguments[i].size);
}

/* Gets ready for the next command. */
void resp_parser_next(resp_parser *p);

#endif
