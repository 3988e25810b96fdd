#!/usr/bin/env python3
"""test_run_terminal.py HOLT -- scripts/run on a terminal ends with a server, which Ctrl-C stops."""
import os
import pty
import select
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request

WAIT_SECONDS = 100


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


class Terminal:
    """A program on a pseudo-terminal; `text` is what it has printed so far."""

    def __init__(self, arguments, environment):
        self.text = ""
        self.pid, self.side = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, {**os.environ, **environment})

    def read(self):
        """Waits for more for a moment. False: the program has closed the terminal."""
        if not select.select([self.side], [], [], 0.1)[0]:
            return True
        try:
            piece = os.read(self.side, 65536)
        except OSError:
            return False
        self.text += piece.decode(errors="replace")
        return bool(piece)

    def wait(self, condition, what):
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > deadline or not self.read():
                sys.exit(f"FAILED  {what}:\n{self.text}")

    def end(self):
        """Returns the exit code."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.read():
            if time.monotonic() > deadline:
                sys.exit(f"FAILED  it does not end:\n{self.text}")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except (urllib.error.URLError, ConnectionError):
        return None


def expect(good, what, terminal):
    if not good:
        sys.exit(f"FAILED  {what}:\n{terminal.text}")


def main(exe):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "run")
    http, redis = free_address(), free_address()
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "text")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"line {i} of a text\n" for i in range(1000))
        terminal = Terminal([script, path], {"HOLT": exe, "HOLT_RUN_DIR": os.path.join(work, "run data"),
                                             "HOLT_HTTP": http, "HOLT_REDIS": redis})
        terminal.wait(lambda: "Serving" in terminal.text, "it does not serve")
        terminal.wait(lambda: answers(f"http://{http}/healthz"), "the server does not answer")
        for line in (f"http://{http}/console", f"curl 'http://{http}/v1/", "redis-cli -h 127.0.0.1 -p ",
                     "SELECT count(*)"):
            expect(line in terminal.text, f"it does not show {line}", terminal)
        scan = next(w for w in terminal.text.split("'") if w.startswith(f"http://{http}/v1/collections/"))
        expect(b"line 0 of a text" in answers(scan), "the line for curl does not find the data", terminal)
        os.write(terminal.side, b"\x03")
        code = terminal.end()
        expect(code == 0 and "The server has stopped" in terminal.text, f"exit code {code}", terminal)

        # An address that is in use is said, and what to do about it.
        with socket.create_server(("127.0.0.1", int(http.rsplit(":", 1)[1]))):
            terminal = Terminal([script, path], {"HOLT": exe, "HOLT_RUN_DIR": os.path.join(work, "run data"),
                                                 "HOLT_HTTP": http, "HOLT_REDIS": redis})
            code = terminal.end()
        expect(code == 1 and "choose others" in terminal.text, f"in use: exit code {code}", terminal)
    print("ok")


main(sys.argv[1])
