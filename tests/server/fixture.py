"""What the tests of the server share: a server of their own, a client of the Redis protocol, a runner.

Standard library only. A test is a function test_*; run() calls each with a fresh
directory.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

START_SECONDS = 60
REPLY_SECONDS = 60


class Error(Exception):
    """An error reply."""

    def __eq__(self, other):
        return isinstance(other, Error) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))


class Client:
    """A connection that sends commands and reads replies of RESP2 and RESP3."""

    def __init__(self, address):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(REPLY_SECONDS)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=REPLY_SECONDS)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def encode(*words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            if not isinstance(word, bytes):
                word = str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        return b"".join(out)

    def send(self, *words):
        self.socket.sendall(self.encode(*words))

    def send_raw(self, data):
        self.socket.sendall(data)

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b"(":
            return int(rest)
        if kind in (b"$", b"="):
            size = int(rest)
            if size < 0:
                return None
            data = self.file.read(size + 2)
            if len(data) != size + 2:
                raise ConnectionError("the server has closed the connection in a reply")
            return data[:-2] if kind == b"$" else data[4:-2]
        if kind in (b"*", b"~", b">"):
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise ValueError(f"not a reply: {line!r}")

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def at_end(self):
        """Whether the server has closed the connection and nothing is left to read."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True


class Server:
    """A `holt serve` on a free port."""

    def __init__(self, exe, directory, *options, environment=None, wait=True):
        self.exe, self.directory, self.options = exe, directory, options
        self.log_path = os.path.join(directory, "server.log")
        self.database = os.path.join(directory, "data")
        self.environment = environment
        self.process = None
        if wait:
            self.start()

    def start(self):
        environment = dict(os.environ, **(self.environment or {}))
        options = list(self.options)
        for protocol in ("--redis", "--http"):
            if protocol not in options:
                options += [protocol, "127.0.0.1:0"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.exe, "serve", self.database, *options], stderr=log,
                                            stdout=subprocess.DEVNULL, env=environment)
        self.wait_for('"ready"')
        found = re.search(r"HTTP: listening on ([^\"]*)", self.log())
        self.http = found.group(1) if found else None
        found = re.search(r"Redis protocol: listening on ([^\"]*)", self.log())
        name = found.group(1) if found else ""
        if name.startswith("unix:"):
            self.address = name[5:]
        elif name:
            host, port = name.rsplit(":", 1)
            self.address = (host.strip("[]"), int(port))

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def wait_for(self, text):
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log():
            if self.process.poll() is not None:
                raise AssertionError(f"the server has ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the log lacks {text!r}:\n{self.log()}")
            time.sleep(0.01)

    def client(self):
        return Client(self.address)

    def stop(self, number=signal.SIGTERM, expected=0):
        self.process.send_signal(number)
        code = self.process.wait(timeout=START_SECONDS)
        if expected is not None and code != expected:
            raise AssertionError(f"the server has ended with {code}, not {expected}:\n{self.log()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process and self.process.poll() is None:
            if kind:
                self.kill()
            else:
                self.stop()


def seed():
    """HOLT_SEED, or the same seed in every run."""
    value = int(os.environ.get("HOLT_SEED") or 20260101)
    print(f"HOLT_SEED={value}", flush=True)
    return value


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: {got!r}, not {expected!r}")


class Skip(Exception):
    """The test needs something that is not there."""


def run(module):
    """Calls the tests, or those whose names contain the second argument. Exits with 1 if one fails."""
    exe, pattern = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    failed = 0
    for name, test in list(module.items()):
        if not name.startswith("test_") or pattern not in name:
            continue
        directory = tempfile.mkdtemp(prefix="holt-server-")
        try:
            test(exe, directory)
            print("ok", name, flush=True)
        except Skip as reason:
            print("skipped", name, reason, flush=True)
        except Exception:
            failed += 1
            print("FAILED", name, flush=True)
            traceback.print_exc()
            log = os.path.join(directory, "server.log")
            if os.path.exists(log):
                with open(log, encoding="utf-8", errors="replace") as file:
                    print(file.read()[-2000:])
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)
