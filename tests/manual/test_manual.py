#!/usr/bin/env python3
"""Tests the manual pages: test_manual.py FOLDER LIBHOLT [HOLT WRITTEN_BY_HAND...]

FOLDER has the pages that the build makes. What must be described is asked from the products themselves: the
symbols of the library, the help of the command. The names say the tested behaviour.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

FOLDER, LIBRARY, *OTHERS = sys.argv[1:]
HOLT = OTHERS[0] if OTHERS else None
HEADERS = ("holt.h", "holt/table.h")
INCLUDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "include")


class Skip(Exception):
    """A tool is missing."""


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def generated():
    return sorted(glob.glob(os.path.join(FOLDER, "*.[13]")))


def pages():
    """The files of all pages that are not links."""
    return [path for path in [*generated(), *OTHERS[1:]] if not read(path).startswith(".so ")]


def page(name, section):
    """The text of a page, links followed, without the escapes of roff."""
    for path in (os.path.join(FOLDER, f"{name}.{section}"), *OTHERS[1:]):
        if os.path.basename(path) == f"{name}.{section}" and os.path.exists(path):
            text = read(path)
            link = re.fullmatch(r"\.so man\d/(\S+)\.\d\n", text)
            if link:
                return page(link.group(1), section)
            return re.sub(r"\\(?:%|&|f[BIRP])|\"", "", text).replace("\\-", "-")
    raise AssertionError(f"there is no page {name}({section})")


def names_of(text):
    """What the section NAME lists."""
    listed = re.search(r"^\.SH NAME\n(.*?) - ", text, re.M | re.S).group(1)
    return re.split(r",\s+", listed)


def test_every_symbol_of_the_library_has_a_page():
    symbols = [line.split()[0] for line in output("nm", "-D", "--defined-only", "-P", LIBRARY).splitlines()]
    assert "holt_open" in symbols and "holt_table_open" in symbols, symbols
    for symbol in symbols:
        text = page(symbol, 3)
        assert symbol in names_of(text), f"{symbol} leads to a page that does not list it"
        assert re.search(rf"^\.SS .*\b{symbol}\b", text, re.M), f"nothing is said about {symbol}"
        assert re.search(rf"^\.B .*\b{symbol}\(", text, re.M), f"the synopsis lacks {symbol}"


def test_every_inline_function_and_type_of_the_headers_has_a_page():
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", read(os.path.join(INCLUDE, header)), flags=re.S)
        found = re.findall(r"^static inline \w+ (holt_\w+)\(", text, re.M)
        found += re.findall(r"^\} (holt_\w+);", text, re.M)
        assert found, header
        for name in found:
            assert name in page(name, 3), name


def test_the_errors_of_calls_are_in_their_pages():
    text = page("holt_open", 3)
    described = text[text.index(".SS holt_open\n"):text.index(".SS holt_close\n")]
    for status in ("HOLT_BUSY", "HOLT_EXISTS", "HOLT_NO_MEMORY"):
        assert f".TP\n.B {status}\n" in described, status


def test_every_command_has_a_page_with_all_of_its_options():
    if not HOLT:
        raise Skip("there is no command")
    commands = re.findall(r"^  ([a-z][a-z-]*)  ", output(HOLT, "help"), re.M)
    assert "put" in commands and "serve" in commands, commands
    for command in commands:
        text = page(f"holt-{command}", 1)
        options = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", output(HOLT, command, "--help"), re.M)
        assert "--help" in options, command
        for option in options:
            assert re.search(rf"{option}\b", text), f"holt-{command}(1) lacks {option}"
    made = {os.path.basename(path) for path in generated() if path.endswith(".1")}
    assert made <= {f"holt-{command}.1" for command in commands}, "a page for a command that does not exist"


def test_links_and_references_lead_to_pages():
    known = {os.path.basename(path) for path in [*generated(), *OTHERS[1:]]}
    for path in [*generated(), *OTHERS[1:]]:
        text = read(path)
        for target in re.findall(r"^\.so man\d/(\S+)$", text, re.M):
            assert target in known, f"{path}: {target}"
        for name, section in re.findall(r"^\.BR (\S+) \((\d)\)", text, re.M):
            name = re.sub(r"\\%|\\&", "", name).replace("\\-", "-")
            assert f"{name}.{section}" in known, f"{path}: {name}({section})"


def test_mandoc_finds_nothing_wrong():
    if not shutil.which("mandoc"):
        raise Skip("mandoc is missing")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages()], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not done.stdout and done.returncode == 0, done.stdout


def test_man_formats_them_without_warnings():
    if not shutil.which("man") or not shutil.which("groff"):
        raise Skip("man or groff is missing")
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    for path in pages():
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path], check=False, text=True,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        assert done.returncode == 0 and not done.stderr, f"{path}: {done.stderr}"
        assert "SYNOPSIS" in done.stdout, path


def main():
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print("ok     ", name)
        except Skip as reason:
            print("skipped", name, reason)
        except AssertionError as problem:
            failed += 1
            print("FAILED ", name, problem)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
