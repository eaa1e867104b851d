"""nginx on loopback for the benchmarks, on a core of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BODIES = (102, 10240, 60000, 1 << 20)

NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
    fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;
    scgi_temp_path {root}/t5;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    root {root}/www;
    ssl_certificate {root}/cert.pem;
    ssl_certificate_key {root}/key.pem;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl;
    }}
    server {{
        listen 127.0.0.1:{tls_full} ssl;
        ssl_session_tickets off;
        ssl_session_cache off;
    }}
}}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until_open(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit("nginx ended at once")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
    sys.exit("nginx does not answer")


class Server:
    """nginx: its ports (TLS with session tickets, and without any resumption)
    and the CA file of its certificate."""

    def __init__(self, ca, plain, tls, tls_full):
        self.ca = ca
        self.plain = f"http://127.0.0.1:{plain}"
        self.tls = f"https://127.0.0.1:{tls}"
        self.tls_full = f"https://127.0.0.1:{tls_full}"


@contextlib.contextmanager
def nginx():
    """A server with its own folder."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    root = tempfile.mkdtemp(prefix="weir-bench-")
    os.mkdir(os.path.join(root, "www"))
    for size in BODIES:
        with open(os.path.join(root, "www", str(size)), "wb") as file:
            file.write((b'{"k": "v"}, ' * (size // 12 + 1))[:size])
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", f"{root}/key.pem", "-out", f"{root}/cert.pem"],
        check=True, stderr=subprocess.DEVNULL)
    ports = {"plain": free_port(), "tls": free_port(),
             "tls_full": free_port()}
    with open(f"{root}/nginx.conf", "w", encoding="ascii") as file:
        file.write(NGINX_CONF.format(root=root, **ports))
    process = subprocess.Popen(
        on_core(1) + [program, "-p", root, "-c", f"{root}/nginx.conf"],
        stderr=subprocess.DEVNULL)
    try:
        wait_until_open(ports["plain"], process)
        yield Server(f"{root}/cert.pem", **ports)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root)


def on_core(core):
    """Client and server on a core each, where there are two; with BENCH_ONE_CORE
    in the environment on the same, so that a client finds more answers at once.
    """
    if os.cpu_count() < 2:
        return []
    return ["taskset", "-c", "0" if "BENCH_ONE_CORE" in os.environ
            else str(core)]
