#!/usr/bin/env python3
"""weir beside a hand-written client (the floor), libcurl, and what else is
installed: nginx on loopback on one core, the clients in turn on another.

usage: compare.py BUILD [SCENARIO...] [--rounds N] [--json FILE]; --help tells
the rest.  Without a scenario: all of them, the sweeps, and pool_ops.  With
BENCH_ONE_CORE in the environment the clients share the core of nginx.
"""

import argparse
import functools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import clients
import round_trips
from scenarios import (ORIGINS, SCENARIOS, SWEEP, SWEEP_BASE,
                       SWEEP_BOUND)
from server import nginx, on_core


GROWTH = "in-flight"  # the promise of that sweep, as if it were a scenario


def target(server, scenario):
    """The URL and the CA file of a scenario."""
    base = getattr(server, scenario.server)
    return (f"{base}/{scenario.size}",
            server.ca if base.startswith("https") else None)


def compare(scenario, server, args, folder):
    """{client: figures} of one scenario."""
    url, ca = target(server, scenario)
    measured = clients.of_kind(args.build, scenario.kind)
    if scenario.has_peers and not args.no_peers:
        measured += clients.peers(folder)

    def measure(client):
        is_slow = client.name in ("aiohttp", "undici (fetch of Node.js)")
        requests = scenario.requests // (8 if is_slow else 1)
        # A peer has one kind: so many in flight.
        is_peer = scenario.has_peers and "bench/" not in client.command[0]
        count = scenario.count or (1 if is_peer else 0)
        return client.figures(url, requests, ca, count)

    result = clients.interleaved(measured, args.rounds, measure,
                                 scenario.bound > 0)
    if scenario.is_traced and not args.no_trace:
        for client in clients.of_kind(args.build, scenario.kind):
            calls = client.system_calls(url, ca, scenario.count)
            result[client.name]["instructions"] = client.instructions(
                url, 2560 if scenario.count else 500, ca, scenario.count)
            result[client.name]["system_calls"] = calls["total"]
    for client in measured:
        result[client.name]["version"] = client.version
    return result


def sweep(kind, counts, base, server, rounds, args):
    """{client: {count: figures}} over plain connections, with the ratio to the
    client's own at `base`.  Most counts stand beside each other in a round;
    weir's at the base and at the last, of whose ratio something is promised, do
    so more often."""
    url = f"{server.plain}/102"
    measured = clients.of_kind(args.build, kind)

    def measure(client, count):
        requests = max(10000, 4 * count)
        # It looks through all connections for each request.
        if kind == "origins" and client.name == "libcurl":
            requests //= 20
        return client.figures(url, requests, None, count)

    rows = clients.in_turn(
        {(client.name, count): functools.partial(measure, client, count)
         for count in counts for client in measured},
        rounds, [("weir", base), ("weir", counts[-1])])
    return {client.name: {
        count: clients.medians(rows, (client.name, count))
        | clients.ratios(rows, (client.name, count), (client.name, base))
        for count in counts} for client in measured}


def show_growth(server, args):
    """What the most in flight costs next to the base, by itself."""
    result = sweep("loop", (SWEEP_BASE, SWEEP[-1]), SWEEP_BASE, server,
                   args.rounds, args)
    print(f"\n{SWEEP[-1]} in flight, of {SWEEP_BASE} in flight "
          f"(promised: {SWEEP_BOUND:.2f})")
    for client, row in result.items():
        figures = row[SWEEP[-1]]
        print(f"  {client:26} {figures['ratio']:.3f} "
              f"({figures['ratio_low']:.2f}..{figures['ratio_high']:.2f})")


def latencies(server, args):
    """{"plain" or "tls": {"over_us": by how much weir's median is over the
    floor's, "rows": {client: sorted microseconds, thinned to a few
    hundred}}}."""
    result = {}
    for name in ("plain", "tls"):
        scenario = SCENARIOS["get" if name == "plain" else "get-tls"]
        url, ca = target(server, scenario)
        turns = clients.in_turn(
            {client.name: functools.partial(client.latencies_us, url, 3000, ca)
             for client in clients.of_kind(args.build, "get")},
            args.rounds)
        rows = {client: sorted(sample for turn in turns
                               for sample in turn[client])
                for client in turns[0]}
        result[name] = {
            "over_us": statistics.median(
                statistics.median(turn["weir"])
                - statistics.median(turn["by hand"]) for turn in turns),
            "rows": {client: [row[len(row) * i // 400] for i in range(400)]
                     for client, row in rows.items()}}
    return result


def pool_operations(build):
    """{operation: {origins: ns}} of the pool's core alone."""
    done = subprocess.run([f"{build}/bench/pool_ops"], check=True, text=True,
                          capture_output=True)
    names, result = [], {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] == "size":
            names = words[1:]
        elif names and words and words[0].isdigit():
            values = re.findall(r"([\d.]+) \(x", line)
            for name, value in zip(names, values):
                result.setdefault(name, {})[int(words[0])] = float(value)
    return result


def lock_times(args, server):
    """How long weir's lock is held, uncontended: medians of some runs."""
    runs = []
    for _ in range(min(args.rounds, 5)):
        done = subprocess.run(
            [*on_core(0), f"{args.build}/bench/lock_times",
             f"{server.plain}/102", "20000"],
            check=True, text=True, capture_output=True)
        runs.append([float(word) for word in done.stdout.split()])
    return dict(zip(("holds", "median_ns", "p99_ns"),
                    map(statistics.median, zip(*runs))))


def show(title, result, bound):
    print(f"\n{title}" + (f" (promised: {bound:.2f})" if bound else ""))
    print(f"  {'client':26} {'CPU us':>8} {'of floor':>9} "
          f"{'(half within)':>14} {'instr':>9} {'syscalls':>9}")
    for client, row in result.items():
        spread = f"{row['ratio_low']:.2f}..{row['ratio_high']:.2f}"
        counts = "".join(
            f" {row[name]:{width}}" if name in row else ""
            for name, width in (("instructions", "9.0f"),
                                ("system_calls", "9.2f")))
        print(f"  {client:26} {row['cpu_us']:8.2f} {row['ratio']:9.3f} "
              f"{spread:>14}{counts}", flush=True)


def show_sweep(title, result):
    print(f"\n{title}\n  {'client':26}" + "".join(
        f"{count:>10}" for count in next(iter(result.values()))))
    for client, row in result.items():
        print(f"  {client:26}" + "".join(
            f"{figures['cpu_us']:10.2f}" for figures in row.values()),
            flush=True)


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"cpu": model, "cores": os.cpu_count(),
            "kernel": f"Linux {platform.release()}"}


def run_all(names, args):
    everything = not names
    data = {"machine": machine(), "rounds": args.rounds, "scenarios": {},
            "versions": {
                "nginx": clients.first_line("/usr/sbin/nginx", "-v"),
                "OpenSSL": clients.first_line("openssl", "version"),
                "compiler": clients.first_line("cc", "--version")}}
    with nginx() as server, tempfile.TemporaryDirectory() as folder:
        for name in names or SCENARIOS:
            if name == GROWTH:
                show_growth(server, args)
                continue
            scenario = SCENARIOS[name]
            result = compare(scenario, server, args, folder)
            data["scenarios"][name] = result
            show(scenario.title, result, scenario.bound)
        if everything:
            data["latency"] = latencies(server, args)
            data["in_flight"] = sweep("loop", SWEEP, SWEEP_BASE, server,
                                      args.rounds, args)
            show_sweep("CPU us a request, in flight", data["in_flight"])
            data["origins"] = sweep("origins", ORIGINS, ORIGINS[0], server,
                                    min(args.rounds, 5), args)
            show_sweep("CPU us a request, origins in turn", data["origins"])
            data["lock"] = lock_times(args, server)
            print("lock: {holds:.2f} holds a request of {median_ns:.0f} ns, "
                  "99 of 100 within {p99_ns:.0f} ns".format(**data["lock"]))
    if everything:
        data["pool"] = pool_operations(args.build)
        data["round_trips"] = round_trips.measure_all(args.build)
        for trip, row in data["round_trips"].items():
            print(f"round trip of {trip}: {row['without']:.2f} ms a request "
                  f"without a pool, {row['pooled']:.2f} pooled")
    return data


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", help="a release build's folder")
    parser.add_argument("scenario", nargs="*",
                        help="of " + ", ".join((*SCENARIOS, GROWTH)))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-peers", action="store_true",
                        help="no wrk, Go, hyper, Node.js, aiohttp")
    parser.add_argument("--no-trace", action="store_true",
                        help="CPU time alone: no callgrind, no strace")
    parser.add_argument("--json", metavar="FILE", help="all figures, when all has been measured")
    args = parser.parse_args()
    unknown = [name for name in args.scenario
               if name not in (*SCENARIOS, GROWTH)]
    if unknown:
        parser.error(f"no scenario {unknown[0]}, expected one of "
                     + ", ".join((*SCENARIOS, GROWTH)))
    print(f"{args.rounds} interleaved rounds; client CPU a request (user and "
          "system), medians;\nratio to the floor within each round; all "
          "counts a request")
    data = run_all(args.scenario, args)
    if args.json and not args.scenario:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
