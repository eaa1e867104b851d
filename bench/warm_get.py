#!/usr/bin/env python3
"""Warm GETs, one after another from one thread, to nginx on loopback: weir
beside a hand-written write/read loop (the floor) and libcurl's easy handle.

Three measures, each per request:
  CPU      user and system time of the client; the clients take turns in short
           rounds, and each round's ratio to the floor is taken within the
           round, so that drift of the machine cancels out
  instr    user-space instructions under callgrind: the difference between a
           long and a short run, so that start-up cancels out
  syscalls under strace, by the same difference

usage: warm_get.py BUILD_FOLDER [--rounds N] [--requests N] [--json]
                   [--only-plain] [--no-trace]
"""

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

CLIENTS = ["floor", "weir", "curl"]
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


def run_client(build, client, url, requests, ca, wrapper=()):
    command = [*wrapper, f"{build}/bench/get_{client}", url, str(requests)]
    if ca:
        command.append(ca)
    done = subprocess.run(on_core(0) + command, check=True, text=True,
                          capture_output=True)
    return done


def cpu_us(build, client, url, requests, ca):
    return float(run_client(build, client, url, requests, ca)
                 .stdout.split()[1])


def per_request(build, client, url, ca, count):
    """(count of a long run - count of a short run) / difference."""
    short, long = 100, 600
    # A tenth of the requests comes unmeasured before them.
    return ((count(build, client, url, long, ca)
             - count(build, client, url, short, ca))
            / ((long - short) * 1.1))


def instructions(build, client, url, requests, ca):
    done = run_client(build, client, url, requests, ca,
                      ["valgrind", "--tool=callgrind",
                       "--callgrind-out-file=/dev/null"])
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def system_calls(build, client, url, requests, ca):
    with tempfile.NamedTemporaryFile("r") as file:
        run_client(build, client, url, requests, ca,
                   ["strace", "-f", "-c", "-U", "calls,name", "-o", file.name])
        total = [line for line in file.read().splitlines()
                 if line.split()[-1:] == ["total"]]
    return int(total[0].split()[0])


def measure(build, url, ca, args):
    """Interleaved rounds: {client: [CPU us]}, order reversed every second."""
    samples = {client: [] for client in CLIENTS}
    for number in range(args.rounds):
        for client in CLIENTS[::1 if number % 2 else -1]:
            samples[client].append(cpu_us(build, client, url, args.requests,
                                          ca))
    result = {}
    for client in CLIENTS:
        ratios = [mine / floor for mine, floor
                  in zip(samples[client], samples["floor"])]
        result[client] = {
            "cpu_us": statistics.median(samples[client]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios), "ratio_max": max(ratios)}
        if not args.no_trace:
            result[client]["instructions"] = per_request(
                build, client, url, ca, instructions)
            result[client]["system_calls"] = per_request(
                build, client, url, ca, system_calls)
    return result


def show(title, result):
    print(f"\n{title}")
    print(f"  {'client':8} {'CPU us':>8} {'of floor':>9} "
          f"{'(min..max)':>14} {'instr':>9} {'syscalls':>9}")
    for client, row in result.items():
        spread = f"{row['ratio_min']:.2f}..{row['ratio_max']:.2f}"
        print(f"  {client:8} {row['cpu_us']:8.2f} {row['ratio']:9.3f} "
              f"{spread:>14} {row.get('instructions', 0):9.0f} "
              f"{row.get('system_calls', 0):9.2f}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-plain", action="store_true")
    parser.add_argument("--no-trace", action="store_true",
                        help="CPU time alone: no callgrind, no strace")
    args = parser.parse_args()
    results = {}
    with nginx() as (plain, tls, ca):
        for name, size in BODIES.items():
            results[f"plain, {name}"] = measure(
                args.build, f"http://127.0.0.1:{plain}/{size}", None, args)
            if not args.only_plain:
                results[f"TLS, {name}"] = measure(
                    args.build, f"https://127.0.0.1:{tls}/{size}", ca, args)
    if args.json:
        json.dump(results, sys.stdout, indent=2)
        print()
        return
    print(f"warm GETs from one thread, {args.rounds} interleaved rounds of "
          f"{args.requests} requests; client CPU a request, medians; ratio "
          "to the floor within each round")
    for title, result in results.items():
        show(title, result)


if __name__ == "__main__":
    main()
