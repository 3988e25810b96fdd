/* cmd_del.c -- holt del. */
#include "commands.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <holt.h>

#include "buffer.h"
#include "session.h"

/* Deletes all the keys in one commit. */
static holt_status delete_keys(session *s, const holt_slice *keys, size_t count)
{
    holt_txn_options options;
    holt_txn *t = NULL;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_BLIND;
    holt_status status = holt_begin(s->db, &options, &t);
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = holt_delete(s->collection, t, keys[i]);
    }
    if (status == HOLT_OK) status = holt_commit(t);
    if (status != HOLT_OK) session_tell(s->call, status, NULL);
    holt_rollback(t);
    return status;
}

static int delete_all(const cli_call *call, const holt_slice *keys, size_t count)
{
    session s;
    if (!session_open(&s, call, SESSION_WRITE)) return CLI_FAILED;
    bool done = session_collection(&s) && delete_keys(&s, keys, count) == HOLT_OK;
    return session_close(&s, done ? CLI_OK : CLI_FAILED);
}

static int run(const cli_command *self, int argc, char **argv)
{
    cli_call call;
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    size_t count = (size_t)call.operand_count - 1;
    holt_slice *keys = cli_allocate(count, sizeof *keys);
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        good = cli_bytes(&call, call.operands[i + 1], &keys[i]);
    }
    code = good ? delete_all(&call, keys, count) : CLI_USAGE;
    free(keys);
    return code;
}

const cli_command command_del = {
    .name = "del",
    .operands = "DIR KEY...",
    .summary = "delete keys",
    .description = "Deletes the keys, all of them or none. A key that is not there is no error.",
    .examples = "  holt del data city\n"
                "  holt del data one two three",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_DURABILITY,
    .operands_min = 2,
    .operands_max = INT_MAX,
    .run = run,
};
