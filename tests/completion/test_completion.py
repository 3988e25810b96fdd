#!/usr/bin/env python3
"""Tests the completion for bash: test_completion.py HOLT SCRIPT

What must be completed is asked from the command's help. The names say the tested behaviour.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HOLT, SCRIPT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def completed(*words, program=HOLT):
    """What bash offers at the end of the last word."""
    line = " ".join(shlex.quote(word) for word in (program, *words))
    script = f". {shlex.quote(SCRIPT)}; COMP_WORDS=({line}) COMP_CWORD={len(words)}; " \
             f"_holt {shlex.quote(program)}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "--norc", "-c", script], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert not done.stderr, f"{words}: {done.stderr}"
    return [word for word in done.stdout.split("\n") if word]


def commands():
    return re.findall(r"^  ([a-z][a-z-]*)  ", output(HOLT, "help"), re.M)


def options(command):
    """The long options of a command with what they take, and the short ones."""
    text = output(HOLT, command, "--help")
    part = text[text.index("\nOptions:"):text.index("\nExamples:")]
    return re.findall(r"^  (?:-(\w), |    )--([a-z0-9-]+)(?: ([A-Z]\S*))?", part, re.M)


def equal(got, expected, what):
    assert sorted(got) == sorted(expected), f"{what}: {sorted(got)}, not {sorted(expected)}"


def test_commands_are_those_of_the_help():
    assert "put" in commands() and "serve" in commands()
    equal(completed(""), commands(), "holt")
    equal(completed("help", ""), commands(), "holt help")
    equal(completed("co"), [name for name in commands() if name.startswith("co")], "holt co")


def test_options_are_those_of_each_command():
    for command in commands():
        found = options(command)
        assert ("h", "help", "") in found, command
        expected = [f"--{name}" for _, name, _ in found] + [f"-{letter}" for letter, _, _ in found if letter]
        equal(completed(command, "-"), expected, command)
    equal(completed("-", program=os.path.join(os.path.dirname(HOLT), "lsm-cli")), completed("lsm-cli", "-"),
          "lsm-cli")


# Every word that is offered as a value must be accepted.
def test_values_that_are_offered_are_accepted():
    offered = 0
    for command in commands():
        for _, name, value in options(command):
            if not value or value in ("FILE", "NAME"):
                continue
            for word in completed(command, f"--{name}", ""):
                offered += 1
                how = ["--check-config"] if command == "serve" else ["--help"]
                done = subprocess.run([HOLT, command, f"--{name}", word, *how], check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                assert done.returncode == 0, f"holt {command} --{name} {word}: {done.stdout}"
    assert offered > 20, offered


def test_kinds_and_durability_offer_their_words():
    equal(completed("create", "--kind", ""), ["lsm", "btree"], "--kind")
    equal(completed("put", "data", "--durability", "i"), ["interval"], "--durability i")


def test_databases_are_directories_and_files_to_load_are_files():
    os.mkdir("database")
    with open("data.csv", "w", encoding="ascii"):
        pass
    equal(completed("get", "dat"), ["database"], "holt get")
    equal(completed("load", "database", "dat"), ["database", "data.csv"], "holt load")
    equal(completed("load", "database", "-f", "cs"), ["csv"], "holt load -f")
    equal(completed("serve", "--config", "dat"), ["database", "data.csv"], "holt serve --config")


def test_collections_are_those_of_the_database():
    output(HOLT, "create", "shop", "fruit")
    equal(completed("get", "shop", "-c", ""), ["default", "fruit"], "-c")
    equal(completed("drop", "shop", "f"), ["fruit"], "holt drop")


def test_commands_of_commands_come_before_the_database():
    os.makedirs("shop", exist_ok=True)
    found = 0
    for command in commands():
        usage = output(HOLT, command, "--help").split("\n", 1)[0]
        match = re.search(r"\] ([a-z]+(?:\|[a-z]+)+) DIR", usage)
        if match:
            found += 1
            equal(completed(command, ""), match.group(1).split("|"), command)
            equal(completed(command, match.group(1).split("|")[0], "sho"), ["shop"], command)
    assert found > 0


def main():
    if not shutil.which("bash"):
        print("skipped: bash is missing")
        return 77
    failed = 0
    work = tempfile.mkdtemp(prefix="holt-completion-")
    os.chdir(work)
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print("ok     ", name)
        except AssertionError as problem:
            failed += 1
            print("FAILED ", name, problem)
    os.chdir("/")
    shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
