#!/usr/bin/env python3
"""Tests what a person sees who types at a terminal: typed.py HOLT [PATTERN]

Each test gets an empty directory and talks to the command through a pseudo-terminal: it waits for what should
appear, never for a time to pass. The names say the tested behaviour.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = 60  # seconds until something that does not appear counts as missing
LEAKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leaks.txt")


class Terminal:
    """A program on a pseudo-terminal. Ctrl-C and Ctrl-D must be typed at a prompt, or into a running command:
    between the two they would be the terminal's."""

    open = []  # those that have not ended

    def __init__(self, *command, **environment):
        env = {"PATH": os.environ["PATH"], "HOME": os.getcwd(), "TERM": "xterm", "LANG": "C.UTF-8",
               "NO_COLOR": "1", "LSAN_OPTIONS": f"print_suppressions=0:suppressions={LEAKS}",
               **{k: v for k, v in os.environ.items() if "SAN" in k}, **environment}
        self.shown = ""  # since the last expect
        Terminal.open.append(self)
        self.process, self.screen = pty.fork()
        if self.process == 0:
            os.execve(command[0], command, {k: v for k, v in env.items() if v is not None})

    def read(self, seconds):
        ready, _, _ = select.select([self.screen], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.screen, 65536)
        except OSError:  # the program has closed the terminal
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, text):
        """Waits until the text appears. Returns what was shown before and with it."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            if not self.read(max(0, end - time.monotonic())):
                raise AssertionError(f"{text!r} did not appear, only {self.shown[-2000:]!r}")
        at = self.shown.index(text) + len(text)
        before, self.shown = self.shown[:at], self.shown[at:]
        return before

    def type(self, text):
        os.write(self.screen, text.encode())

    def line(self, text):
        self.type(text + "\n")

    def end(self):
        """Waits for the program to end, and returns its exit code; below 0: the signal."""
        end = time.monotonic() + PATIENCE
        while self.read(max(0, end - time.monotonic())):
            pass
        ended, status = 0, 0
        while not ended:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if not ended and time.monotonic() > end:
                raise AssertionError(f"the program does not end, it shows {self.shown[-2000:]!r}")
            time.sleep(0 if ended else 0.01)
        os.close(self.screen)
        Terminal.open.remove(self)
        return os.waitstatus_to_exitcode(status)


def lsm_cli(*arguments, **environment):
    t = Terminal(os.path.join(os.path.dirname(HOLT), "lsm-cli"), *arguments, **environment)
    t.expect("EXIT")
    t.expect("> ")
    return t


def test_lsm_cli_shows_its_commands_and_confirms_what_it_did():
    t = lsm_cli("shop")
    t.line("CREATE fruit")
    t.expect("Created the collection 'fruit'.")
    t.line("USE fruit")
    t.expect("Using the collection 'fruit'.")
    t.line("PUT apple 1.20 a piece")
    t.expect("OK")
    t.line("GET apple")
    t.expect("1.20 a piece\r\n")
    t.line("GET pear")
    t.expect("There is no key 'pear'.")
    t.line("EXIT")
    assert t.end() == 0


def test_lsm_cli_ends_with_ctrl_c_and_with_ctrl_d():
    t = lsm_cli("shop")
    t.type("GET half a l")
    t.expect("half a l")
    t.type("\x03")
    assert t.end() == 0
    t = lsm_cli("shop")
    t.type("\x04")
    assert t.end() == 0


def test_tab_completes_commands_and_collections():
    subprocess.run([HOLT, "create", "shop", "vegetables"], check=True)
    t = lsm_cli("shop")
    t.type("us\tveg\t\n")
    t.expect("Using the collection 'vegetables'.")
    t.type("EXI\t")
    t.expect("EXI")
    t.type("\t")  # EXISTS and EXIT: both are shown
    t.expect("EXISTS")
    t.type("T\n")
    assert t.end() == 0


def test_characters_beyond_ascii_can_be_typed_in_any_locale():
    for locale in ("C.UTF-8", "C", None):
        t = lsm_cli("shop", LANG=locale)
        t.line("GET Käse")
        t.expect("No collection is in use")
        t.line("CREATE Käse" + (locale or ""))
        t.expect("Created the collection 'Käse" + (locale or "") + "'.\r\n> ")
        t.type("\x04")
        assert t.end() == 0


def shell(*arguments, **environment):
    t = Terminal(HOLT, "shell", *arguments, **environment)
    t.expect(".exit ends the shell.")
    t.expect("holt> ")
    return t


def test_shell_prompts_and_goes_on_after_errors():
    t = shell("data")
    t.line("get nothing")
    t.expect("error: there is no such key")
    t.expect("holt> ")
    t.line('put "a')
    t.expect("error, column 5: the quote that opens here is never closed")
    t.line("insert 1 anirudh anichandan124@gmail.com")
    t.expect("is new")
    t.expect("1 row inserted")
    t.expect("holt/users> ")
    t.line("select id,")
    t.expect("   ...> ")
    t.line("name from users;")
    table = t.expect("holt/users> ")
    assert "| 1  | anirudh |" in table and "+----+---------+" in table, table
    t.line("select 1,")
    t.expect("   ...> ")
    t.line("2 frm x;")
    t.expect("line 2, column")
    t.line("begin")
    t.expect("holt/users*> ")
    t.line("rollback")
    t.expect("holt/users> ")
    t.line("create products")
    t.line("use products")
    t.expect("holt:products/users> ")
    t.line(".exit")
    assert t.end() == 0


# A statement and a scan that would last for minutes, at least.
def test_ctrl_c_ends_the_running_command_and_not_the_shell():
    t = shell("data")
    t.line("put a 1")
    t.expect("holt> ")
    t.line("with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n;")
    t.expect("from n;")
    time.sleep(0.2)  # so that it is likely to run; either way it must end
    t.type("\x03")
    t.expect("interrupted")
    t.expect("holt> ")
    t.type("half a line\x03")
    t.expect("holt> ")
    t.line("select 1 +")
    t.expect("   ...> ")
    t.type("\x03")
    t.expect("holt> ")
    t.line("get a")
    t.expect("1\r\n")
    t.expect("holt> ")
    t.type("\x04")
    assert t.end() == 0


def test_ctrl_c_undoes_an_import():
    with open("large.csv", "w", encoding="ascii") as file:
        file.write("id,text\n1,x\n")
    t = shell("data", "--durability", "process")
    t.line(".import --key id large.csv t")
    t.expect("1 row into")
    t.expect("holt> ")
    with open("large.csv", "w", encoding="ascii") as file:
        file.write("id,text\n")
        for i in range(600000, 2, -1):
            file.write(f"{i},some text for row {i}\n")
    t.line(".import large.csv t")
    t.expect("records")  # the progress
    t.type("\x03")
    t.expect("interrupted")
    t.expect("holt> ")
    t.line("select 'rows: ' || count(*) from t;")
    t.expect("rows: 1 ")
    t.expect("holt> ")
    t.type("\x04")
    assert t.end() == 0


def test_tab_completes_tables_columns_and_keywords():
    t = shell("data")
    t.line("create table customers (id integer primary key, surname text);")
    t.expect("holt> ")
    t.line("insert into customers values (1, 'Lovelace');")
    t.expect("holt> ")
    t.type("SEL\tsurn\tfrom cust\t;\n")
    t.expect("| surname")
    t.expect("Lovelace")
    t.expect("holt> ")
    t.type(".sch\t\n")
    t.expect("CREATE TABLE customers")
    t.expect("holt> ")
    t.type(".mode js\t\n")
    t.expect("holt> ")
    t.line("select 1 as a;")
    t.expect('[{"a":1}]')
    t.expect("holt> ")
    t.type("\x04")
    assert t.end() == 0


def test_the_history_is_kept_for_its_owner_only():
    t = shell("data")
    t.line("put secret 1")
    t.expect("holt> ")
    t.line("select 1,")
    t.expect("   ...> ")
    t.line("2;")
    t.expect("holt> ")
    t.line(".exit")
    assert t.end() == 0
    assert os.stat(".holt_history").st_mode & 0o777 == 0o600
    t = shell("data", XDG_STATE_HOME=os.getcwd())
    t.line(".exit")
    assert t.end() == 0
    assert os.path.exists("holt_history")
    t = shell("data")
    t.type("\x1b[A\x1b[A\x1b[A")
    t.expect("put secret 1")
    t.type("\x03")
    t.expect("holt> ")
    t.type("\x04")
    assert t.end() == 0


def test_colours_are_for_terminals_without_no_color():
    for no_color, coloured in (("1", False), (None, True)):
        t = Terminal(HOLT, "shell", "data", NO_COLOR=no_color)
        t.expect("holt")
        t.line("get nothing")
        shown = t.expect("there is no such key")
        assert ("\x1b[1;31m" in shown) == coloured, repr(shown)
        t.expect("holt>")
        t.expect(" ")
        t.type("\x04")
        assert t.end() == 0


def test_a_password_is_asked_for_twice_and_not_shown():
    for again, code in (("secret", 0), ("Secret", 1)):
        t = Terminal(HOLT, "user", "add", "data", "ada" + str(code), "--role", "read")
        t.expect("Password: ")
        t.line("secret")
        t.expect("Again: ")
        t.line(again)
        if code:
            t.expect("the two passwords differ")
        assert t.end() == code
        assert "ecret" not in t.shown, repr(t.shown)


def test_ctrl_c_at_a_password_leaves_a_terminal_that_shows_what_is_typed():
    t = Terminal("/bin/sh", "-c", f"trap : INT; {HOLT} user add data ada --role read; stty -a; echo done")
    t.expect("Password: ")
    t.type("\x03")
    shown = t.expect("done")
    assert " echo " in shown, repr(shown)
    assert t.end() == 0
    assert not os.path.exists("data")


def test_drop_asks_first():
    t = shell("data")
    t.line("create c")
    t.expect("holt> ")
    t.line("drop c")
    t.expect("[y/N] ")
    t.line("n")
    t.expect("nothing was changed")
    t.expect("holt> ")
    for no in ("\x03", "\x04", "yes, if it is empty\n", "\x03"):
        t.line("drop c")
        t.expect("[y/N] ")
        t.type(no)
        t.expect("nothing was changed")
        t.expect("holt> ")
    t.line("drop c")
    t.expect("[y/N] ")
    t.line("y")
    t.expect("holt> ")
    t.line("list")
    names = t.expect("holt> ")
    assert "default" in names and "  c\r\n" not in names, names
    t.type("\x04")
    assert t.end() == 0


def main():
    failed = 0
    work = tempfile.mkdtemp(prefix="holt-typed-")
    for name, test in list(globals().items()):
        if not name.startswith("test_") or not re.search(PATTERN, name):
            continue
        directory = os.path.join(work, name)
        os.mkdir(directory)
        os.chdir(directory)
        try:
            test()
            print("ok     ", name)
        except (AssertionError, OSError) as problem:
            failed += 1
            print("FAILED ", name, "\n  ", type(problem).__name__, problem)
        for left in Terminal.open:
            os.kill(left.process, signal.SIGKILL)
            os.waitpid(left.process, 0)
        Terminal.open.clear()
    os.chdir("/")
    shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    HOLT = os.path.abspath(sys.argv[1])
    PATTERN = sys.argv[2] if len(sys.argv) > 2 else ""
    signal.alarm(900)  # whatever happens, nothing stays behind
    sys.exit(main())
