/* cmd_command.c -- COMMAND: the table of commands as clients read it. */
#include <ctype.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

static void reply_flags(resp_reply *r, const resp_command *c)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{RESP_WRITE, "write"},         {RESP_READ, "readonly"},
                 {RESP_ADMIN, "admin"},         {RESP_FAST, "fast"},
                 {RESP_DENY_MULTI, "no_multi"}, {RESP_MOVABLE_KEYS, "movablekeys"},
                 {RESP_USES_MEMORY, "denyoom"}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        count += (c->flags & names[i].flag) != 0;
    reply_set(r, count);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (c->flags & names[i].flag) reply_status(r, names[i].name);
    }
}

/* Returns whether c is in the table, and a subcommand of the container. */
static bool is_part(const resp_command *c, const resp_command *container)
{
    return c < resp_commands + resp_command_count && resp_command_is_part(c, container);
}

static size_t count_parts(const resp_command *container)
{
    size_t count = 0;
    while (is_part(container + 1 + count, container))
        count++;
    return count;
}

static void reply_parts(resp_reply *r, const resp_command *container);

static void reply_command(resp_reply *r, const resp_command *c)
{
    if (!c) {
        reply_null_array(r);
        return;
    }
    reply_array(r, 10);
    reply_bulk_text(r, c->name);
    reply_integer(r, c->arity);
    reply_flags(r, c);
    reply_integer(r, c->first_key);
    reply_integer(r, c->last_key);
    reply_integer(r, c->key_step);
    reply_set(r, 0);   /* access control categories */
    reply_array(r, 0); /* tips */
    reply_array(r, 0); /* key specifications */
    reply_parts(r, c);
}

/* Writes the descriptions of a container's subcommands; of another command, an empty list. */
static void reply_parts(resp_reply *r, const resp_command *container)
{
    reply_array(r, count_parts(container));
    for (const resp_command *c = container + 1; is_part(c, container); c++)
        reply_command(r, c);
}

static void reply_docs(resp_reply *r, const resp_command *c)
{
    size_t parts = count_parts(c);
    reply_bulk_text(r, c->name);
    reply_map(r, parts ? 4 : 3);
    reply_bulk_text(r, "summary");
    reply_bulk_text(r, c->summary);
    reply_bulk_text(r, "since");
    reply_bulk_text(r, c->since);
    reply_bulk_text(r, "group");
    reply_bulk_text(r, c->group);
    if (!parts) return;
    reply_bulk_text(r, "subcommands");
    reply_map(r, parts);
    for (size_t i = 1; i <= parts; i++)
        reply_docs(r, c + i);
}

/* Whether the command is a subcommand: its name has a bar. */
static bool is_subcommand(const resp_command *c)
{
    return strchr(c->name, '|') != NULL;
}

static size_t count_commands(void)
{
    size_t count = 0;
    for (size_t i = 0; i < resp_command_count; i++)
        count += !is_subcommand(&resp_commands[i]);
    return count;
}

/* Writes something about each command, or about those that are named by arguments 2 and up. */
static void reply_all(resp_call *call, void (*write)(resp_reply *r, const resp_command *c))
{
    for (size_t i = 0; i < resp_command_count; i++) {
        if (!is_subcommand(&resp_commands[i])) write(&call->reply, &resp_commands[i]);
    }
}

void resp_run_command(resp_call *call)
{
    reply_array(&call->reply, count_commands());
    reply_all(call, reply_command);
}

void resp_run_command_info(resp_call *call)
{
    if (call->count == 2) {
        resp_run_command(call);
        return;
    }
    reply_array(&call->reply, call->count - 2);
    for (size_t i = 2; i < call->count; i++)
        reply_command(&call->reply, resp_command_find(call->arguments[i]));
}

void resp_run_command_count(resp_call *call)
{
    reply_integer(&call->reply, (int64_t)count_commands());
}

void resp_run_command_docs(resp_call *call)
{
    size_t found = 0;
    if (call->count == 2) {
        reply_map(&call->reply, count_commands());
        reply_all(call, reply_docs);
        return;
    }
    for (size_t i = 2; i < call->count; i++)
        found += resp_command_find(call->arguments[i]) != NULL;
    reply_map(&call->reply, found);
    for (size_t i = 2; i < call->count; i++) {
        const resp_command *c = resp_command_find(call->arguments[i]);
        if (c) reply_docs(&call->reply, c);
    }
}

/* Lists all names, those of subcommands included, or those that match the pattern. */
void resp_run_command_list(resp_call *call)
{
    bytes names = {0};
    resp_reply list = {&names, call->session->protocol};
    size_t count = 0;
    bool filtered = call->count == 5 && call_is(call, 2, "FILTERBY");
    bool by_pattern = filtered && call_is(call, 3, "PATTERN");
    bool nothing = filtered && (call_is(call, 3, "MODULE") || call_is(call, 3, "ACLCAT"));
    if (call->count != 2 && !by_pattern && !nothing) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        return;
    }
    for (size_t i = 0; i < resp_command_count && !nothing; i++) {
        const char *name = resp_commands[i].name;
        if (by_pattern && !glob_matches(call->arguments[4], holt_str(name))) continue;
        reply_bulk_text(&list, name);
        count++;
    }
    reply_array(&call->reply, count);
    bytes_append(call->reply.out, names.data, names.size);
    call->reply.out->failed = call->reply.out->failed || names.failed;
    bytes_deinit(&names);
}

void resp_run_command_getkeys(resp_call *call)
{
    const resp_command *c = resp_command_resolve(call->arguments + 2, call->count - 2);
    int count = (int)call->count - 2; /* of the command that is asked about */
    if (!c) {
        (void)call_error(call, "ERR Invalid command specified");
    } else if (!c->first_key) {
        (void)call_error(call, "ERR The command has no key arguments");
    } else if (c->arity > 0 ? count != c->arity : count < -c->arity) {
        (void)call_error(call, "ERR Invalid number of arguments specified for command");
    } else {
        int last = c->last_key < 0 ? count + c->last_key : c->last_key;
        if ((last - c->first_key) % c->key_step) last -= (last - c->first_key) % c->key_step;
        reply_array(&call->reply, (size_t)(last - c->first_key) / (size_t)c->key_step + 1);
        for (int i = c->first_key; i <= last; i += c->key_step)
            reply_bulk(&call->reply, call->arguments[i + 2]);
    }
}

/* ---------------------------------------------------------------- HELP */

/* Writes the name in capitals, from `from` on up to `end`. */
static void append_capitals(bytes *out, const char *from, const char *end)
{
    for (; from < end; from++) {
        char c = (char)toupper((unsigned char)*from);
        bytes_append(out, &c, 1);
    }
}

void resp_run_help(resp_call *call)
{
    const resp_command *container = resp_command_find(call->arguments[0]);
    bytes line = {0};
    reply_array(&call->reply, 1 + 2 * count_parts(container));
    append_capitals(&line, container->name, container->name + strlen(container->name));
    bytes_append_text(&line, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (const resp_command *c = container + 1;; c++) {
        bytes_append(&line, "", 1);
        if (!line.failed) reply_status(&call->reply, line.data);
        line.size = 0;
        if (!is_part(c, container)) break;
        const char *name = strchr(c->name, '|') + 1;
        append_capitals(&line, name, name + strlen(name));
        bytes_append(&line, "", 1);
        if (!line.failed) reply_status(&call->reply, line.data);
        line.size = 0;
        bytes_append_text(&line, "    ");
        bytes_append_text(&line, c->summary);
    }
    call->reply.out->failed = call->reply.out->failed || line.failed;
    bytes_deinit(&line);
}
