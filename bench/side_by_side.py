"""What the benchmarks of clients side by side share: nginx on loopback, clients
that take turns on a core of their own, and counts under strace and callgrind.

A client is a program of this folder (see client.h), with its environment."""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BODIES = {"102 B": 102, "10 KiB": 10240}

NGINX_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
    fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;
    scgi_temp_path {root}/t5;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {root}/cert.pem;
        ssl_certificate_key {root}/key.pem;
        root {root}/www;
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


@contextlib.contextmanager
def nginx():
    """A server with its own folder; yields its ports and certificate."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    root = tempfile.mkdtemp(prefix="weir-bench-")
    os.mkdir(os.path.join(root, "www"))
    for size in BODIES.values():
        with open(os.path.join(root, "www", str(size)), "wb") as file:
            file.write(b"x" * size)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", f"{root}/key.pem", "-out", f"{root}/cert.pem"],
        check=True, stderr=subprocess.DEVNULL)
    plain, tls = free_port(), free_port()
    with open(f"{root}/nginx.conf", "w", encoding="ascii") as file:
        file.write(NGINX_CONF.format(root=root, plain=plain, tls=tls))
    process = subprocess.Popen(
        on_core(1) + [program, "-p", root, "-c", f"{root}/nginx.conf"],
        stderr=subprocess.DEVNULL)
    try:
        wait_until_open(plain, process)
        yield plain, tls, f"{root}/cert.pem"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root)


def on_core(core):
    """Client and server on a core each, where there are two."""
    return ["taskset", "-c", str(core)] if os.cpu_count() >= 2 else []


class Client:
    """A program to measure: its name in the table, its file, and what its
    environment has besides."""

    def __init__(self, name, program, **environment):
        self.name = name
        self.program = program
        self.environment = environment

    def run(self, build, url, requests, ca, wrapper=()):
        command = [*on_core(0), *wrapper, f"{build}/bench/{self.program}", url,
                   str(requests), ca or "-"]
        return subprocess.run(command, check=True, text=True,
                              capture_output=True,
                              env={**os.environ, **self.environment})

    def cpu_us(self, build, url, requests, ca):
        return float(self.run(build, url, requests, ca).stdout.split()[1])

    def instructions(self, build, url, requests, ca):
        """User-space instructions a request, of the measured ones alone."""
        with tempfile.TemporaryDirectory() as folder:
            self.run(build, url, requests, ca,
                     ["valgrind", "--tool=callgrind",
                      f"--callgrind-out-file={folder}/out"])
            with open(f"{folder}/out.1", encoding="ascii") as dump:
                total = re.search(r"^totals: (\d+)", dump.read(), re.M)
        return int(total.group(1)) / requests

    def system_calls(self, build, url, requests, ca):
        """{name: count}, with their sum as "total"."""
        with tempfile.NamedTemporaryFile("r") as file:
            self.run(build, url, requests, ca,
                     ["strace", "-f", "-c", "-U", "calls,name", "-o",
                      file.name])
            rows = [line.split() for line in file]
        return {row[1]: int(row[0]) for row in rows
                if len(row) == 2 and row[0].isdigit()}


def per_request(count, build, url, ca, short, long):
    """{name: (count of a long run - count of a short run) / difference}, so
    that start-up cancels out."""
    few = count(build, url, short, ca)
    many = count(build, url, long, ca)
    # A tenth of the requests comes unmeasured before them.
    return {name: (number - few.get(name, 0)) / ((long - short) * 1.1)
            for name, number in many.items()}


def trace(client, build, url, ca, args):
    calls = per_request(client.system_calls, build, url, ca,
                        *args.strace_runs)
    return {"system_calls": calls["total"],
            "epoll_ctl": calls.get("epoll_ctl", 0),
            "instructions": client.instructions(build, url,
                                                args.callgrind_requests, ca)}


def measure(clients, build, url, ca, args):
    """Interleaved rounds, the order reversed every second; the first client is
    the floor.  {name: figures}."""
    samples = {client.name: [] for client in clients}
    for number in range(args.rounds):
        for client in clients[::1 if number % 2 else -1]:
            samples[client.name].append(
                client.cpu_us(build, url, args.requests, ca))
    floors = samples[clients[0].name]
    result = {}
    for client in clients:
        mine = samples[client.name]
        ratios = sorted(us / floor for us, floor in zip(mine, floors))
        quarter = len(ratios) // 4
        row = {"cpu_us": statistics.median(mine),
               "ratio": statistics.median(ratios),
               "ratio_low": ratios[quarter],
               "ratio_high": ratios[-1 - quarter]}
        if not args.no_trace and url.endswith("/102"):
            row.update(trace(client, build, url, ca, args))
        result[client.name] = row
    return result


def show(title, result):
    print(f"\n{title}")
    print(f"  {'client':12} {'CPU us':>8} {'of floor':>9} "
          f"{'(half within)':>14} {'instr':>9} {'syscalls':>9} "
          f"{'epoll_ctl':>10}")
    for client, row in result.items():
        spread = f"{row['ratio_low']:.2f}..{row['ratio_high']:.2f}"
        counts = "".join(
            f" {row[name]:{width}}" if name in row else ""
            for name, width in (("instructions", "9.0f"),
                                ("system_calls", "9.2f"),
                                ("epoll_ctl", "10.4f")))
        print(f"  {client:12} {row['cpu_us']:8.2f} {row['ratio']:9.3f} "
              f"{spread:>14}{counts}")


def main(what, clients, rounds, requests, strace_runs, callgrind_requests):
    """The command line, all measurements, and the report."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("build", help="a release build's folder")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--requests", type=int, default=requests)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-plain", action="store_true")
    parser.add_argument("--only-small", action="store_true",
                        help="answers of 102 bytes alone")
    parser.add_argument("--no-trace", action="store_true",
                        help="CPU time alone: no callgrind, no strace (they "
                             "look at answers of 102 bytes only)")
    args = parser.parse_args()
    args.strace_runs = strace_runs
    args.callgrind_requests = callgrind_requests
    clients = [client for client in clients
               if os.path.exists(f"{args.build}/bench/{client.program}")]
    bodies = dict(list(BODIES.items())[:1]) if args.only_small else BODIES
    results = {}
    with nginx() as (plain, tls, ca):
        for name, size in bodies.items():
            results[f"plain, {name}"] = measure(
                clients, args.build, f"http://127.0.0.1:{plain}/{size}", None,
                args)
            if not args.only_plain:
                results[f"TLS, {name}"] = measure(
                    clients, args.build, f"https://127.0.0.1:{tls}/{size}", ca,
                    args)
    if args.json:
        json.dump(results, sys.stdout, indent=2)
        print()
        return
    print(f"{what}\n{args.rounds} interleaved rounds of {args.requests} "
          "requests; client CPU a request (user and system), medians;\n"
          "ratio to the floor within each round; all counts a request")
    for title, result in results.items():
        show(title, result)
