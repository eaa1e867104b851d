"""What the tests of the command share: running it, and a scripted server."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

WEIR = os.environ["WEIR"]


def weir(*args, stdin=None, env=None, cwd=None, timeout=60):
    """Runs the command with an empty settings home; bytes in, bytes out."""
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith("WEIR_")
             and not key.lower().endswith("_proxy")}
    clean["XDG_CONFIG_HOME"] = "/nonexistent"
    clean.update(env or {})
    return subprocess.run([WEIR, *args], input=stdin, capture_output=True,
                          env=clean, cwd=cwd or "/", timeout=timeout,
                          check=False)


def reports(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Server:
    """Answers each request on a thread of its connection.

    `answer(request)` gets the request's bytes (head and body) and returns the
    bytes to send, or (bytes, True) to close behind them.  Everything seen is
    kept: `requests`, and `connections` counts.
    """

    def __init__(self, answer, family=socket.AF_INET, address=None,
                 tls=None):
        self.answer = answer
        self.tls = tls
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.socket(family)
        self.listener.bind(address or ("127.0.0.1", 0))
        self.listener.listen(64)
        self.threads = []
        self.open = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def url(self, path="/"):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                stack.enter_context(sock)
            buffer = b""
            while True:
                request, buffer = self._read(sock, buffer)
                if request is None:
                    return
                with self.lock:
                    self.requests.append(request)
                answer = self.answer(request)
                answer, close = (answer if isinstance(answer, tuple)
                                 else (answer, False))
                sock.sendall(answer)
                if close:
                    return

    @staticmethod
    def _read(sock, buffer):
        while b"\r\n\r\n" not in buffer:
            more = sock.recv(65536)
            if not more:
                return None, b""
            buffer += more
        head, rest = buffer.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if b"transfer-encoding: chunked" in head.lower():
            while not rest.endswith(b"0\r\n\r\n"):
                rest += sock.recv(65536)
            length = len(rest)
        while len(rest) < length:
            rest += sock.recv(65536)
        return head + b"\r\n\r\n" + rest[:length], rest[length:]

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join()
        for sock in self.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()


def ok(body=b"ok", extra=b""):
    return (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body) + extra
            + b"\r\n" + body)


def make_cert(cert, key):
    """Makes a self-signed certificate for 127.0.0.1; returns both paths."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext",
         "subjectAltName=IP:127.0.0.1,DNS:test.example",
         "-keyout", key, "-out", cert],
        check=True, stderr=subprocess.DEVNULL)
    return cert, key


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-cli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def serve(self, answer, **kwargs):
        server = Server(answer, **kwargs)
        self.addCleanup(server.close)
        return server

    def make_cert(self):
        """A self-signed certificate for 127.0.0.1; (cert, key)."""
        return make_cert(self.path("cert.pem"), self.path("key.pem"))

    def tls_context(self, cert, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context
