#!/usr/bin/env python3
"""test_tls.py HOLT -- TLS on both protocols, with certificates that are made for the test."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings

from fixture import Client, Server, Skip, equal, run

DEADLINE = 60


def openssl(*words):
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    done = subprocess.run(["openssl", *words], capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())


class Certificates:
    """An authority, and what it signs."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = self.path("ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=authority", "-keyout", self.path("ca.key"), "-out", self.ca)
        self.make("server")

    def path(self, name):
        return os.path.join(self.directory, name)

    def make(self, name, subject="localhost"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=" + subject, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
        with open(self.path("ext"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-days", "2", "-in", self.path(name + ".csr"), "-CA", self.ca, "-CAkey",
                self.path("ca.key"), "-CAcreateserial", "-extfile", self.path("ext"), "-out",
                self.path(name + ".pem"))

    def options(self, *more):
        return ("--tls-cert", self.path("server.pem"), "--tls-key", self.path("server.key"), *more)

    def context(self, client=None, version=None):
        context = ssl.create_default_context(cafile=self.ca)
        if client:
            context.load_cert_chain(self.path(client + ".pem"), self.path(client + ".key"))
        if version:
            context.minimum_version = context.maximum_version = version
        return context


def address_of(server, protocol):
    if protocol == "redis":
        return server.address
    host, port = server.http.rsplit(":", 1)
    return (host, int(port))


def secure(server, context, protocol="redis"):
    raw = socket.create_connection(address_of(server, protocol), timeout=DEADLINE)
    return context.wrap_socket(raw, server_hostname="localhost")


class Secure(Client):
    def __init__(self, server, context):
        self.socket = secure(server, context)
        self.file = self.socket.makefile("rb")


def get(server, context, path="/healthz"):
    with secure(server, context, "http") as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
        return data


def refused(action):
    try:
        action()
    except (ssl.SSLError, ConnectionError, OSError):
        return True
    return False


def test_both_protocols_speak_tls_1_2_and_1_3_and_nothing_older(exe, directory):
    made = Certificates(directory)
    with Server(exe, directory, *made.options()) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with Secure(server, made.context(version=version)) as client:
                equal(client("SET", "a", "1"), "OK")
                equal(client("GET", "a"), b"1")
            equal(get(server, made.context(version=version)).startswith(b"HTTP/1.1 200"), True, version)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        for protocol in ("redis", "http"):
            equal(refused(lambda p=protocol: secure(server, old, p)), True, protocol)


def test_large_values_and_pipelines_go_through_whole(exe, directory):
    made = Certificates(directory)
    large = os.urandom(3000000)
    with Server(exe, directory, "--durability", "process", *made.options()) as server, \
            Secure(server, made.context()) as client:
        equal(client("SET", "large", large), "OK")
        client.send_raw(client.encode("GET", "large") * 5 + client.encode("PING"))
        for _ in range(5):
            equal(client.read() == large, True)
        equal(client.read(), "PONG")
        for i in range(2000):
            client.send_raw(client.encode("INCR", "n"))
        equal([client.read() for _ in range(2000)], list(range(1, 2001)))
        equal(client("QUIT"), "OK")
        equal(client.file.read(1), b"", "the end is said, so that it is not taken for an attack")
        body = get(server, made.context(), "/v1/collections/default/keys/large").split(b"\r\n\r\n", 1)[1]
        equal(body == large, True)


def test_bytes_that_come_one_by_one_are_understood(exe, directory):
    made = Certificates(directory)
    with Server(exe, directory, *made.options()) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = made.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(server.address, timeout=DEADLINE) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def drip():
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))

            def step(action):
                while True:
                    try:
                        result = action()
                        drip()
                        return result
                    except ssl.SSLWantReadError:
                        drip()
                        incoming.write(raw.recv(65536))

            step(tls.do_handshake)
            tls.write(Client.encode("PING"))
            equal(step(lambda: tls.read(100)), b"+PONG\r\n")


def test_plain_text_and_handshakes_that_do_not_end_are_cut_off(exe, directory):
    made = Certificates(directory)
    limits = ("--handshake-seconds", "1", "--http-idle-seconds", "2")
    with Server(exe, directory, *limits, *made.options()) as server:
        for protocol in ("redis", "http"):
            for data in (b"PING\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
                         b"\x80" * 5000):
                with socket.create_connection(address_of(server, protocol), timeout=DEADLINE) as raw:
                    try:
                        raw.sendall(data)
                        raw.shutdown(socket.SHUT_WR)
                        while answer := raw.recv(65536):
                            equal(b"PONG" in answer or b"HTTP" in answer, False, data)
                    except OSError:
                        pass  # the server was faster
            with socket.create_connection(address_of(server, protocol), timeout=DEADLINE) as raw:
                raw.sendall(b"\x16\x03\x01")
                start = time.monotonic()
                try:
                    while raw.recv(65536):
                        pass  # an alert
                except ConnectionError:
                    pass
                equal(time.monotonic() - start < DEADLINE / 2, True, protocol)
        with Secure(server, made.context()) as client:
            time.sleep(2.5)
            equal(client("PING"), "PONG", "a client whose handshake is done may be quiet")


def test_a_client_that_ends_its_half_gets_its_replies(exe, directory):
    made = Certificates(directory)
    with Server(exe, directory, *made.options()) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = made.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(server.address, timeout=DEADLINE) as raw:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            tls.write(Client.encode("SET", "a", "1") + Client.encode("GET", "a"))
            raw.sendall(outgoing.read())
            raw.shutdown(socket.SHUT_WR)
            while piece := raw.recv(65536):
                incoming.write(piece)
            equal(tls.read(1000), b"+OK\r\n$1\r\n1\r\n")


def test_clients_need_certificates_of_the_authority(exe, directory):
    made = Certificates(directory)
    made.make("client", "a client")
    os.mkdir(os.path.join(directory, "other"))
    other = Certificates(os.path.join(directory, "other"))
    other.make("client", "a stranger")
    stranger = made.context()
    stranger.load_cert_chain(other.path("client.pem"), other.path("client.key"))
    with Server(exe, directory, *made.options("--tls-client-ca", made.ca)) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with Secure(server, made.context("client", version)) as client:
                equal(client("PING"), "PONG")
            equal(get(server, made.context("client", version)).startswith(b"HTTP/1.1 200"), True)
            for context in (made.context(version=version), stranger):
                equal(refused(lambda c=context: Secure(server, c)("PING")), True, "no right certificate")
                equal(get_or_nothing(server, context), b"")


def get_or_nothing(server, context):
    try:
        return get(server, context)
    except OSError:
        return b""


def test_sighup_reads_the_certificates_again(exe, directory):
    made = Certificates(directory)
    config = os.path.join(directory, "holt.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write("log_level = info\n")
    with Server(exe, directory, "--config", config, *made.options()) as server:
        def serial(protocol):
            with secure(server, made.context(), protocol) as connection:
                return connection.getpeercert()["serialNumber"]
        before = serial("redis")
        equal(serial("http"), before)
        with Secure(server, made.context()) as client:
            made.make("server")
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("was read again")
            after = serial("redis")
            equal((after != before, serial("http")), (True, after))
            equal(client("PING"), "PONG", "open connections go on")
        with open(made.path("server.pem"), "w", encoding="utf-8") as file:
            file.write("nonsense")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the certificates were not read again")
        equal(serial("redis"), after)


def serve(exe, directory, *options):
    done = subprocess.run([exe, "serve", os.path.join(directory, "data"), "--redis", "off", *options],
                          capture_output=True, timeout=DEADLINE, check=False)
    return done.returncode, done.stderr.decode()


def test_other_machines_are_served_with_tls_and_users_only(exe, directory):
    made = Certificates(directory)
    code, text = serve(exe, directory, "--http", "0.0.0.0:0", *made.options())
    equal((code, "has no users" in text), (1, True), text)
    subprocess.run([exe, "user", "add", os.path.join(directory, "data"), "ada", "--role", "read"],
                   input=b"secret\n", check=True)
    code, text = serve(exe, directory, "--http", "0.0.0.0:0")
    equal((code, "not encrypted" in text), (1, True), text)
    with Server(exe, directory, "--redis", "0.0.0.0:0", "--http", "0.0.0.0:0", *made.options()) as server:
        server.address = ("127.0.0.1", server.address[1])
        with Secure(server, made.context()) as client:
            equal(client("AUTH", "ada", "secret"), "OK")


def test_wrong_files_are_named(exe, directory):
    made = Certificates(directory)
    made.make("other")
    for options, expected in ((("--tls-cert", made.path("server.pem")), "both needed"),
                              (("--tls-cert", made.path("none"), "--tls-key", made.path("server.key")),
                               "none"),
                              (("--tls-cert", made.path("server.pem"), "--tls-key", made.path("other.key")),
                               "other.key"),
                              (made.options("--tls-client-ca", made.path("server.key")), "server.key")):
        code, text = serve(exe, directory, "--http", "127.0.0.1:0", *options)
        equal((code, expected in text), (1, True), text)


def test_stock_clients(exe, directory):
    made = Certificates(directory)
    with Server(exe, directory, *made.options()) as server:
        if shutil.which("redis-cli"):
            done = subprocess.run(["redis-cli", "--tls", "--cacert", made.ca, "-h", "127.0.0.1", "-p",
                                   str(server.address[1]), "set", "a", "1"], capture_output=True, check=False)
            equal(done.stdout, b"OK\n", done.stderr)
        if shutil.which("curl"):
            done = subprocess.run(["curl", "-sS", "--cacert", made.ca, f"https://{server.http}/keys?key=a"],
                                  capture_output=True, check=False)
            equal(done.returncode, 0, done.stderr)
            equal(b'"key":"a"' in done.stdout, True, done.stdout)


if __name__ == "__main__":
    run(globals())
