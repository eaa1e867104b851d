"""The clients of the benchmarks: programs of this folder (client.h says what
each does), peers in other languages, and wrk.  They take turns on a core of
their own."""

import contextlib
import functools
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile

from server import on_core

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")


def first_line(*command):
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        said = subprocess.run(command, check=False, capture_output=True,
                              text=True)
        return (said.stdout or said.stderr).strip().split("\n")[0]
    return ""


class Client:
    """A command that takes URL REQUESTS CA COUNT (client.h)."""

    def __init__(self, name, command, version="", **environment):
        self.name = name
        self.command = command
        self.version = version
        self.environment = environment

    def run(self, url, requests, ca, count, wrapper=(), **environment):
        command = [*on_core(0), *wrapper, *self.command, url, str(requests),
                   ca or "-", *([str(count)] if count else [])]
        mine = {**os.environ, **self.environment, **environment}
        if ca:
            mine["NODE_EXTRA_CA_CERTS"] = ca
        return subprocess.run(command, check=True, text=True,
                              capture_output=True, env=mine)

    def figures(self, url, requests, ca, count):
        """CPU and wall microseconds a request, and resident KiB."""
        words = self.run(url, requests, ca, count).stdout.split()
        return {"cpu_us": float(words[1]), "wall_us": float(words[2]),
                "resident_kib": int(words[3])}

    def latencies_us(self, url, requests, ca):
        with tempfile.NamedTemporaryFile("r") as file:
            self.run(url, requests, ca, 0, BENCH_SAMPLES=file.name)
            samples = [int(line) / 1e3 for line in file]
        return sorted(samples[requests // 10:])

    def instructions(self, url, requests, ca, count):
        """User-space instructions a request, of the measured ones alone."""
        with tempfile.TemporaryDirectory() as folder:
            self.run(url, requests, ca, count,
                     ["valgrind", "--tool=callgrind",
                      f"--callgrind-out-file={folder}/out"])
            with open(f"{folder}/out.1", encoding="ascii") as dump:
                total = re.search(r"^totals: (\d+)", dump.read(), re.M)
        return int(total.group(1)) / requests

    def _calls(self, url, requests, ca, count):
        with tempfile.NamedTemporaryFile("r") as file:
            self.run(url, requests, ca, count,
                     ["strace", "-f", "-c", "-U", "calls,name", "-o",
                      file.name])
            rows = [line.split() for line in file]
        return {row[1]: int(row[0]) for row in rows
                if len(row) == 2 and row[0].isdigit()}

    def system_calls(self, url, ca, count):
        """{name: calls a request}, with their sum as "total": what a long run
        has more than a short one, so that the start cancels out."""
        short, long = 20 * (count or 1), 220 + 60 * (count or 0)
        few = self._calls(url, short, ca, count)
        many = self._calls(url, long, ca, count)
        # A tenth of the requests comes unmeasured before them.
        return {name: (calls - few.get(name, 0)) / ((long - short) * 1.1)
                for name, calls in many.items()}


class Wrk(Client):
    """wrk, which counts by time: as long as the requests would take."""

    def figures(self, url, requests, ca, count):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*on_core(0), "wrk", "-t1", f"-c{count or 1}", "-d1s", url],
            check=True, text=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        sent = int(re.search(r"(\d+) requests in", done.stdout).group(1))
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime -
               before.ru_stime)
        return {"cpu_us": cpu * 1e6 / sent, "wall_us": 1e6 / sent,
                "resident_kib": 0}


# The ways of loop_uring.c, and the first of them, which is all io_uring can do.
URING = {"by hand, io_uring": "complete",
         "by hand, io_uring receives": "receive",
         "by hand, io_uring tells": "ready"}
URING_FULL = next(iter(URING))


def uring(build):
    """The hand-written loops over io_uring, where the kernel allows it."""
    program = f"{build}/bench/loop_uring"
    if not os.path.exists(program) or subprocess.run(
            [program, "probe"], check=False, capture_output=True).returncode:
        return []
    return [Client(name, [program], BENCH_URING=way)
            for name, way in URING.items()]


def of_kind(build, kind):
    """The hand-written client, which is the floor, weir, libcurl, and what else
    there is of the kind."""
    programs = [Client("by hand", [f"{build}/bench/{kind}_floor"]),
                Client("weir", [f"{build}/bench/{kind}_weir"]),
                Client("libcurl", [f"{build}/bench/{kind}_curl"],
                       first_line("curl-config", "--version"))]
    return [client for client in programs
            if os.path.exists(client.command[0])] + (
                uring(build) if kind == "loop" else [])


def hyper(folder):
    """hyper's client, compiled into `folder` of the crates of Debian's
    librust-hyper-dev and librust-hyper-tls-dev, where they are installed."""
    crates = "/usr/share/cargo/registry"
    if not (shutil.which("cargo") and os.path.isdir(crates)):
        return []
    # A copy, since cargo writes its lock file beside the sources.
    source, built = f"{folder}/hyper", f"{folder}/hyper/target"
    shutil.copytree(f"{PEERS}/hyper", source, dirs_exist_ok=True)
    if subprocess.run(
            ["cargo", "build", "--release", "--offline",
             "--target-dir", built,
             "--config", 'source.crates-io.replace-with="debian"',
             "--config", f'source.debian.directory="{crates}"'],
            check=False, capture_output=True, cwd=source,
            env={**os.environ, "CARGO_HOME": f"{folder}/cargo"}).returncode:
        return []
    with open(f"{source}/Cargo.lock", encoding="utf-8") as file:
        version = re.search(r'name = "hyper"\nversion = "(.*)"', file.read())
    return [Client("hyper", [f"{built}/release/loop_hyper"],
                   f"hyper {version.group(1)}, "
                   + first_line("rustc", "--version"))]


def peers(folder):
    """Clients of other languages that are installed; those of Go and Rust are
    compiled into `folder`."""
    found = []
    if shutil.which("wrk"):
        found.append(Wrk("wrk", ["wrk"], first_line("wrk", "--version")))
    if shutil.which("go") and subprocess.run(
            ["go", "build", "-o", f"{folder}/loop_go", f"{PEERS}/loop_go.go"],
            check=False, capture_output=True,
            env={**os.environ, "GOCACHE": f"{folder}/go"}).returncode == 0:
        found.append(Client("Go net/http", [f"{folder}/loop_go"],
                            first_line("go", "version"), GOMAXPROCS="1"))
    found += hyper(folder)
    if shutil.which("node"):
        found.append(Client("undici (fetch of Node.js)",
                            ["node", f"{PEERS}/loop_node.mjs"],
                            first_line("node", "-p",
                                       "'undici ' + process.versions.undici")))
    python = "/usr/bin/python3"
    version = first_line(python, "-c",
                         "import aiohttp; print(aiohttp.__version__)")
    if version and "Error" not in version and "Traceback" not in version:
        found.append(Client("aiohttp", [python, f"{PEERS}/loop_aiohttp.py"],
                            f"aiohttp {version}"))
    return found


def in_turn(measures, rounds, close=(), times=2):
    """Each of {key: function} in each round, the order reversed every second
    time; and between rounds those of `close`, of whose ratio something is
    promised, so many times by themselves.  [{key: figures}], a row a turn."""
    rows = []
    for _ in range(rounds):
        for keys in [list(measures)] + [list(close)] * (times if close else 0):
            order = keys[::1 if len(rows) % 2 else -1]
            rows.append({key: measures[key]() for key in order})
    return rows


def ratios(rows, key, base):
    """CPU of one to that of another within each turn: the median, and the range
    of the inner half."""
    found = sorted(row[key]["cpu_us"] / row[base]["cpu_us"] for row in rows
                   if key in row)
    quarter = len(found) // 4
    return {"ratio": statistics.median(found), "ratio_low": found[quarter],
            "ratio_high": found[-1 - quarter]}


def medians(rows, key):
    mine = [row[key] for row in rows if key in row]
    return {name: statistics.median(figures[name] for figures in mine)
            for name in mine[0]}


def interleaved(clients, rounds, measure, is_promised=False):
    """Clients in turn; the first one is the floor, the second weir.
    {name: medians, with the ratio to the floor}."""
    names = [client.name for client in clients]
    rows = in_turn({client.name: functools.partial(measure, client)
                    for client in clients},
                   rounds, names[:2] if is_promised else ())
    return {name: medians(rows, name) | ratios(rows, name, names[0])
            for name in names}
