/* cmd_user.c -- holt user, token: who may use a database over the network (server/access/). */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <holt.h>

#include "cli_values.h"
#include "common/json.h"
#include "server/access/access_store.h"
#include "server/access/secret.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/password.h"

enum { OPTION_ROLE = CLI_LONG, OPTION_COLLECTIONS, OPTION_TTL, TIME_TEXT_BYTES = 24 };

/* An action, such as `add`: the word after the name of the command. */
typedef struct action {
    const char *name;
    int operands; /* DIR and what follows it */
    session_mode mode;
    int (*run)(session *s, access_list *list);
} action;

typedef struct access_options {
    access_role role; /* ACCESS_UNDECLARED = not given */
    const char *collections;
    const char *ttl;
} access_options;

typedef struct access_work {
    const action *action;
    char password[SECRET_PASSWORD_BYTES_MAX + 1];
} access_work;

/* The work of the running action. There is one command in a process. */
static access_work work;

/* ---------------------------------------------------------------- what actions share */

static int failed(const session *s, const char *error)
{
    cli_error(s->call, "%s", error);
    return CLI_FAILED;
}

static access_user *find_user(const session *s, const access_list *l)
{
    const char *name = s->call->operands[1];
    access_user *u = access_list_find(l, holt_str(name));
    if (!u) cli_error(s->call, "there is no user '%s'", name);
    return u;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Writes a time as "2026-11-30T22:00:00Z", and 0 as "never". */
static const char *time_text(uint64_t ms, char text[TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms == 0 || !gmtime_r(&seconds, &parts) ||
        strftime(text, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, TIME_TEXT_BYTES, "never");
    return text;
}

/* Opens the database, reads the list and runs the action. */
static int run_action(session *s, void *ctx)
{
    access_list list;
    char error[ACCESS_ERROR_BYTES];
    (void)ctx;
    int code = access_store_load(s->db, &list, error) ? work.action->run(s, &list) : failed(s, error);
    access_list_deinit(&list);
    return code;
}

/* Finds the action that the first operand names, and takes it off the operands. */
static const action *take_action(cli_call *call, const action *actions, size_t count)
{
    const char *name = call->operands[0];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(actions[i].name, name) != 0) continue;
        call->operands++;
        call->operand_count--;
        if (call->operand_count == actions[i].operands) return &actions[i];
        cli_error(call, "'holt %s %s' takes %d argument%s: %s", call->command->name, name,
                  actions[i].operands, actions[i].operands == 1 ? "" : "s",
                  actions[i].operands == 1 ? "DIR" : "DIR and a name");
        return NULL;
    }
    cli_error(call, "there is no action '%s'; 'holt help %s' lists them", name, call->command->name);
    return NULL;
}

static bool option_is_for(const cli_call *call, const char *option, bool given, const char *wanted)
{
    if (!given || strcmp(work.action->name, wanted) == 0) return true;
    cli_error(call, "--%s is for '%s'", option, wanted);
    return false;
}

/* ---------------------------------------------------------------- users */

static int store_password(session *s, access_user *u)
{
    char error[ACCESS_ERROR_BYTES];
    if (!secret_store_password(work.password, strlen(work.password), u->password))
        return failed(s, "there is no memory to hash the password");
    return access_store_put_user(s->db, u, error) ? CLI_OK : failed(s, error);
}

static int user_add(session *s, access_list *l)
{
    const access_options *o = s->call->own;
    char error[ACCESS_ERROR_BYTES];
    access_user u;
    memset(&u, 0, sizeof u);
    snprintf(u.name, sizeof u.name, "%s", s->call->operands[1]);
    u.role = o->role;
    if (access_list_find(l, holt_str(u.name)))
        return failed(s, "there is a user with this name already; 'holt user passwd' changes its password");
    int code = CLI_USAGE;
    if (o->collections && !access_user_set_collections(&u, o->collections, error)) {
        cli_error(s->call, "--collections: %s", error);
    } else {
        code = store_password(s, &u);
    }
    access_user_deinit(&u);
    return code;
}

static int user_passwd(session *s, access_list *l)
{
    access_user *u = find_user(s, l);
    return u ? store_password(s, u) : CLI_FAILED;
}

static int user_remove(session *s, access_list *l)
{
    char error[ACCESS_ERROR_BYTES];
    if (!find_user(s, l)) return CLI_FAILED;
    return access_store_remove_user(s->db, l, s->call->operands[1], error) ? CLI_OK : failed(s, error);
}

static void print_user_json(const access_user *u)
{
    json_writer w;
    const char *name = u->collections;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "name", u->name);
    json_member_string(&w, "role", access_role_name(u->role));
    if (name) {
        json_name(&w, "collections");
        json_array_begin(&w);
        for (size_t i = 0; i < u->collection_count; i++, name += strlen(name) + 1)
            json_bytes(&w, holt_str(name));
        json_array_end(&w);
    }
    json_object_end(&w);
    json_line_end(&w);
}

static void print_user(const access_user *u, bool people)
{
    const char *name = u->collections;
    printf(people ? "%-20s  %-5s  " : "%s\t%s\t", u->name, access_role_name(u->role));
    if (!name) putchar('*');
    for (size_t i = 0; name && i < u->collection_count; i++, name += strlen(name) + 1) {
        if (i) putchar(',');
        output_write_text(holt_str(name));
    }
    putchar('\n');
}

static int user_list(session *s, access_list *l)
{
    output_form form = output_form_for(s->call->json);
    if (form == OUTPUT_PEOPLE) printf("%-20s  %-5s  COLLECTIONS\n", "NAME", "ROLE");
    for (size_t i = 0; i < l->user_count; i++) {
        if (form == OUTPUT_JSON) {
            print_user_json(&l->users[i]);
        } else {
            print_user(&l->users[i], form == OUTPUT_PEOPLE);
        }
    }
    return CLI_OK;
}

static const action user_actions[] = {
    {"add", 2, SESSION_WRITE_OR_CREATE, user_add},
    {"passwd", 2, SESSION_WRITE, user_passwd},
    {"remove", 2, SESSION_WRITE, user_remove},
    {"list", 1, SESSION_READ, user_list},
};

static bool user_option(cli_call *call, int code, char *value)
{
    access_options *o = call->own;
    if (code == OPTION_COLLECTIONS) {
        o->collections = value;
        return true;
    }
    o->role = access_role_find(value);
    if (o->role != ACCESS_UNDECLARED) return true;
    cli_error(call, "--role: '%s' is not read, write or admin", value);
    return false;
}

static int run_user(cli_call *call)
{
    const access_options *o = call->own;
    work.action = take_action(call, user_actions, sizeof user_actions / sizeof user_actions[0]);
    if (!work.action || !option_is_for(call, "role", o->role != ACCESS_UNDECLARED, "add") ||
        !option_is_for(call, "collections", o->collections != NULL, "add"))
        return CLI_USAGE;
    bool adds = work.action->run == user_add;
    if (adds && o->role == ACCESS_UNDECLARED) {
        cli_error(call, "--role is missing: read, write or admin");
        return CLI_USAGE;
    }
    if (adds && o->role == ACCESS_ADMIN && o->collections) {
        cli_error(call, "--collections is not for --role admin, which may do everything");
        return CLI_USAGE;
    }
    if (adds && !access_name_is_valid(call->operands[1])) {
        cli_error(call, "'%s' cannot be a name: 1 to %d letters, digits and any of . _ - @",
                  call->operands[1], ACCESS_NAME_BYTES_MAX);
        return CLI_USAGE;
    }
    if (!secret_init()) {
        cli_error(call, "the system has no random numbers");
        return CLI_FAILED;
    }
    int code = CLI_CONTINUE;
    if (adds || work.action->run == user_passwd)
        code = password_read(call, work.password, sizeof work.password);
    if (code == CLI_CONTINUE) code = session_run(call, work.action->mode, run_action, NULL);
    secret_erase(work.password, sizeof work.password);
    return code;
}

/* ---------------------------------------------------------------- tokens */

static int token_add(session *s, access_list *l)
{
    const access_options *o = s->call->own;
    char text[SECRET_TOKEN_TEXT_BYTES], error[ACCESS_ERROR_BYTES];
    access_token t;
    memset(&t, 0, sizeof t);
    const access_user *u = find_user(s, l);
    if (!u) return CLI_FAILED;
    if (o->ttl && !cli_ttl(s->call, o->ttl, &t.expires_ms)) return CLI_USAGE;
    memcpy(t.user, u->name, sizeof t.user);
    t.created_ms = now_ms();
    secret_make_token(text);
    secret_digest(text, strlen(text), t.digest);
    bool stored = access_store_put_token(s->db, &t, error);
    if (stored) puts(text);
    secret_erase(text, sizeof text);
    return stored ? CLI_OK : failed(s, error);
}

static int token_revoke(session *s, access_list *l)
{
    char id[ACCESS_ID_TEXT_BYTES], error[ACCESS_ERROR_BYTES];
    for (size_t i = 0; i < l->token_count; i++) {
        access_token_id(&l->tokens[i], id);
        if (strcmp(id, s->call->operands[1]) == 0)
            return access_store_remove_token(s->db, &l->tokens[i], error) ? CLI_OK : failed(s, error);
    }
    cli_error(s->call, "there is no token '%s'; 'holt token list' prints their names", s->call->operands[1]);
    return CLI_FAILED;
}

static void print_token(const access_token *t, output_form form)
{
    char id[ACCESS_ID_TEXT_BYTES], created[TIME_TEXT_BYTES], expires[TIME_TEXT_BYTES];
    json_writer w;
    access_token_id(t, id);
    time_text(t->created_ms, created);
    time_text(t->expires_ms, expires);
    if (form != OUTPUT_JSON) {
        printf(form == OUTPUT_PEOPLE ? "%-16s  %-20s  %-20s  %s\n" : "%s\t%s\t%s\t%s\n", id, t->user, created,
               expires);
        return;
    }
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "token", id);
    json_member_string(&w, "user", t->user);
    json_member_u64(&w, "created_ms", t->created_ms);
    if (t->expires_ms) json_member_u64(&w, "expires_ms", t->expires_ms);
    json_object_end(&w);
    json_line_end(&w);
}

static int token_list(session *s, access_list *l)
{
    output_form form = output_form_for(s->call->json);
    if (form == OUTPUT_PEOPLE) printf("%-16s  %-20s  %-20s  EXPIRES\n", "TOKEN", "USER", "CREATED");
    for (size_t i = 0; i < l->token_count; i++)
        print_token(&l->tokens[i], form);
    return CLI_OK;
}

static const action token_actions[] = {
    {"add", 2, SESSION_WRITE, token_add},
    {"revoke", 2, SESSION_WRITE, token_revoke},
    {"list", 1, SESSION_READ, token_list},
};

static bool token_option(cli_call *call, int code, char *value)
{
    (void)code; /* there is one */
    ((access_options *)call->own)->ttl = value;
    return true;
}

static int run_token(cli_call *call)
{
    const access_options *o = call->own;
    work.action = take_action(call, token_actions, sizeof token_actions / sizeof token_actions[0]);
    if (!work.action || !option_is_for(call, "ttl", o->ttl != NULL, "add")) return CLI_USAGE;
    if (!secret_init()) {
        cli_error(call, "the system has no random numbers");
        return CLI_FAILED;
    }
    return session_run(call, work.action->mode, run_action, NULL);
}

static const access_options defaults = {.role = ACCESS_UNDECLARED};

static const cli_option user_options[] = {
    {OPTION_ROLE, "role", "ROLE",
     "add: what the user may do: read, write (which includes\n"
     "read) or admin (everything)"},
    {OPTION_COLLECTIONS, "collections", "NAMES",
     "add: the only collections that the user may use,\n"
     "separated by commas (default: all)"},
    {0, NULL, NULL, NULL},
};

static const cli_option token_options[] = {
    {OPTION_TTL, "ttl", "TIME", "add: how long the token is valid, such as 12h or 30d\n(default: for ever)"},
    {0, NULL, NULL, NULL},
};

const cli_command command_user = {
    .name = "user",
    .operands = "add|passwd|remove|list DIR [NAME]",
    .summary = "manage the users of 'holt serve'",
    .description =
        "Adds and removes users who may log in to 'holt serve', changes their passwords, and lists them. As\n"
        "soon as there is one, the server asks everybody to log in. A password is read from the terminal,\n"
        "twice and without showing it, or is the first line of standard input; it is stored as an argon2id\n"
        "hash. Removing a user revokes its tokens. Stop the server first: it reads the users when it starts.",
    .examples = "  holt user add data ada --role admin\n"
                "  holt user add data web --role write --collections sessions,carts < password.txt\n"
                "  holt user list data",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .options = user_options,
    .option = user_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 3,
    .run = run_user,
};

const cli_command command_token = {
    .name = "token",
    .operands = "add|revoke|list DIR [USER|TOKEN]",
    .summary = "manage tokens for programs that use 'holt serve'",
    .description =
        "Makes a token, 256 random bits with which a program logs in as the user: in HTTP as "
        "'Authorization:\n"
        "Bearer TOKEN', in the Redis protocol as 'AUTH TOKEN'. 'add' prints it, once: only its hash is\n"
        "stored. 'list' prints the names of tokens, their users, and when they were made and expire; "
        "'revoke'\n"
        "takes such a name. Stop the server first: it reads the tokens when it starts.",
    .examples = "  holt token add data web --ttl 90d > token.txt\n"
                "  holt token revoke data 5f0c2a9be1d47768",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .options = token_options,
    .option = token_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 3,
    .run = run_token,
};
