/* test_resp_commands.c -- the table of commands of the Redis protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "resp/resp_commands.h"

/* One whose role was forgotten would be open to nobody, or, if the check changed, to everybody. */
static void every_command_says_who_may_call_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < resp_command_count; i++) {
        const resp_command *c = &resp_commands[i];
        if (!c->function) continue; /* a container, whose subcommands are commands */
        if (resp_command_role(c) == ACCESS_UNDECLARED) print_error("%s has no role\n", c->name);
        assert_int_not_equal(resp_command_role(c), ACCESS_UNDECLARED);
    }
}

static void only_commands_without_data_are_open(void **state)
{
    static const char *const open[] = {"hello", "auth", "quit", "reset"};
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < resp_command_count; i++) {
        if (resp_command_role(&resp_commands[i]) != ACCESS_OPEN) continue;
        assert_true(count < sizeof open / sizeof open[0]);
        assert_string_equal(resp_commands[i].name, open[count]);
        count++;
    }
    assert_int_equal(count, sizeof open / sizeof open[0]);
}

static void commands_that_write_are_not_for_readers(void **state)
{
    (void)state;
    for (size_t i = 0; i < resp_command_count; i++) {
        unsigned flags = resp_commands[i].flags;
        access_role role = resp_command_role(&resp_commands[i]);
        if (flags & RESP_WRITE) assert_true(role >= ACCESS_WRITE);
        if (flags & RESP_ADMIN) assert_int_equal(role, ACCESS_ADMIN);
    }
}

static void subcommands_are_called_by_two_words(void **state)
{
    const holt_slice two[] = {holt_str("Client"), holt_str("ID")},
                     one[] = {holt_str("client|id"), holt_str("x")};
    const holt_slice unknown[] = {holt_str("client"), holt_str("no")};
    (void)state;
    const resp_command *c = resp_command_resolve(two, 2);
    assert_non_null(c);
    assert_string_equal(c->name, "client|id");
    assert_ptr_equal(resp_command_find(one[0]), c);
    assert_null(resp_command_resolve(one, 2));
    assert_string_equal(resp_command_resolve(unknown, 2)->name, "client");
    assert_string_equal(resp_command_resolve(two, 1)->name, "client");
}

static int prepare(void **state)
{
    (void)state;
    resp_commands_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_says_who_may_call_it),
        cmocka_unit_test(only_commands_without_data_are_open),
        cmocka_unit_test(commands_that_write_are_not_for_readers),
        cmocka_unit_test(subcommands_are_called_by_two_words),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
