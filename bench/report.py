#!/usr/bin/env python3
"""Writes the performance report from the figures of compare.py.

usage: report.py FIGURES.json DOCS_FOLDER: DOCS_FOLDER/performance.md and its
pictures in DOCS_FOLDER/performance/.
"""

import json
import os
import sys

import plots
from clients import URING, URING_FULL
from scenarios import (INSTRUCTIONS, LATENCY_BOUND_US, LOCK_BOUND_NS, ORIGINS,
                       ORIGINS_BOUND, SCENARIOS, SWEEP, SWEEP_BASE,
                       SWEEP_BOUND, SYSTEM_CALLS, URING_BOUND)

HEAD = """# Performance

What a warm request costs through weir, beside a hand-written client that does
the least that is still right (the floor), libcurl, and what else was installed.
Made by `make bench`: nginx on one core of this machine, the clients in turn on
another, {rounds} interleaved rounds; after each, the two of whose ratio something
is promised take two more turns by themselves. CPU is user and system time of the
client's process per request; a ratio is taken to the floor within its turn, and
what is told is the median of the turns and the range of their inner half. Times
of another machine will differ; ratios, instructions and system calls carry
over.

Measured on {cpu}, {cores} cores, {kernel}; {nginx}, {openssl}, {compiler}.
"""


def is_met(value, bound):
    return "yes" if value <= bound else "**no**"


def ratio_rows(data):
    for name, scenario in SCENARIOS.items():
        if scenario.bound and name in data["scenarios"]:
            row = data["scenarios"][name]["weir"]
            yield (f"{scenario.title}: CPU, of the floor",
                   f"{scenario.bound:.2f}",
                   f"{row['ratio']:.3f} ({row['ratio_low']:.2f} to "
                   f"{row['ratio_high']:.2f})",
                   is_met(row["ratio"], scenario.bound))


def ahead_rows(data):
    for name, others in (("get", ("wrk", "hyper", "libcurl")),
                         ("get-tls", ("wrk", "libcurl")), ("loop", ("wrk",)),
                         ("loop-tls", ("wrk",))):
        rows = data["scenarios"].get(name, {})
        for other in others:
            if other in rows:
                ratio = rows["weir"]["cpu_us"] / rows[other]["cpu_us"]
                yield (f"{SCENARIOS[name].title}: CPU, of {other}'s", "1.00",
                       f"{ratio:.2f}", is_met(ratio, 1.0))


def count_rows(data):
    for name, bound in INSTRUCTIONS.items():
        count = data["scenarios"].get(name, {}).get("weir", {}).get(
            "instructions")
        if count is not None:
            yield (f"{SCENARIOS[name].title}: user-space instructions",
                   f"{bound:,}", f"{count:,.0f}", is_met(count, bound))
    for name, bound in SYSTEM_CALLS.items():
        count = data["scenarios"].get(name, {}).get("weir", {}).get(
            "system_calls")
        if count is not None:
            yield (f"{SCENARIOS[name].title}: system calls", f"{bound:.1f}",
                   f"{count:.2f}", is_met(round(count, 1), bound))


def sweep_rows(data):
    weir, floor = data["origins"]["weir"], data["origins"]["by hand"]
    many = str(ORIGINS[1])
    ours, theirs = weir[many]["ratio"], floor[many]["ratio"]
    yield (f"{ORIGINS[1]:,} origins in turn: CPU, of one origin's; by hand "
           f"{theirs:.2f}", f"{ORIGINS_BOUND:.2f}", f"{ours:.2f}",
           is_met(ours / theirs, ORIGINS_BOUND))
    base, most = str(SWEEP_BASE), str(SWEEP[-1])
    growth = data["in_flight"]["weir"][most]
    floors = data["in_flight"]["by hand"][most]
    yield (f"{SWEEP[-1]:,} in flight: CPU, of {base} in flight's; by hand "
           f"{floors['ratio']:.2f}", f"{SWEEP_BOUND:.2f}",
           f"{growth['ratio']:.2f} ({growth['ratio_low']:.2f} to "
           f"{growth['ratio_high']:.2f})",
           is_met(growth["ratio"], SWEEP_BOUND))


def latency_rows(data):
    for name, row in data["latency"].items():
        yield (f"One at a time, {name}: median latency over the floor's, µs",
               f"{LATENCY_BOUND_US}", f"{row['over_us']:.1f}",
               is_met(row["over_us"], LATENCY_BOUND_US))


def lock_rows(data):
    lock = data["lock"]
    yield (f"A pool operation, {lock['holds']:.0f} a request: the lock held, "
           "median, ns", f"{LOCK_BOUND_NS}",
           f"{lock['median_ns']:.0f} (99 of 100 within {lock['p99_ns']:.0f})",
           is_met(lock["median_ns"], LOCK_BOUND_NS))


def promises(data):
    lines = ["## What is promised, and what came out\n",
             "| promise | at most | measured | met |",
             "| --- | --: | --: | --- |"]
    for rows in (ratio_rows, ahead_rows, latency_rows, count_rows, sweep_rows,
                 lock_rows):
        lines += ["| " + " | ".join(row) + " |" for row in rows(data)]
    return "\n".join(lines) + "\n"


def scenario_table(title, result):
    lines = [f"### {title}\n",
             "| client | CPU µs | of the floor | half within | instructions | "
             "system calls |", "| --- | --: | --: | --: | --: | --: |"]
    for client, row in result.items():
        instructions = row.get("instructions")
        calls = row.get("system_calls")
        lines.append(
            f"| {client} | {row['cpu_us']:.1f} | {row['ratio']:.2f} | "
            f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f} | "
            + (f"{instructions:,.0f}" if instructions else "") + " | "
            + (f"{calls:.2f}" if calls else "") + " |")
    return "\n".join(lines) + "\n"


def picture(title, name):
    return f"![{title}](performance/{name})\n"


def in_flight_plot(data, folder):
    rows = {client: {int(count): figures["cpu_us"]
                     for count, figures in row.items()}
            for client, row in data["in_flight"].items()
            if client not in URING or client == URING_FULL}
    name = plots.lines(folder, "in-flight.svg", rows, "requests in flight",
                       "client CPU, µs a request")
    return picture("CPU a request against requests in flight", name)


def uring_rows(data):
    """(what was measured, {client: figures}) of the loops."""
    for name, scenario in SCENARIOS.items():
        if scenario.kind == "loop" and name in data["scenarios"]:
            yield scenario.title, data["scenarios"][name]
    for count in next(iter(data["in_flight"].values())):
        if int(count) != 64:
            yield (f"{int(count):,} in flight",
                   {client: row[count]
                    for client, row in data["in_flight"].items()})


def uring_section(data):
    row = data["scenarios"]["loop"].get(URING_FULL)
    if not row:
        return "Not measured here: it needs liburing, and Linux 6.0 or later that allows it.\n"
    is_ahead = row["ratio_high"] <= URING_BOUND
    lines = [f"At 64 in flight io_uring takes {row['ratio']:.2f} "
             f"({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) of the CPU of "
             "epoll, both by hand: it "
             + ("is" if is_ahead else "is **not**")
             + f" measurably ahead, which would be {URING_BOUND:.2f} or less in "
             "three of four rounds. The three ways of bench/loop_uring.c, CPU of "
             "the epoll loop's:\n",
             "| | " + " | ".join(URING) + " |",
             "| --- |" + " --: |" * len(URING)]
    for title, clients in uring_rows(data):
        lines.append(f"| {title} | " + " | ".join(
            f"{clients[name]['ratio']:.2f} ({clients[name]['ratio_low']:.2f} to "
            f"{clients[name]['ratio_high']:.2f})" for name in URING) + " |")
    return "\n".join(lines) + "\n"


def latency_plots(data, folder):
    return "\n".join(
        picture(f"latency, {name}", plots.distribution(
            folder, f"latency-{name}.svg", row["rows"],
            f"µs a request, {name}"))
        for name, row in data["latency"].items())


def memory_table(data):
    few, many = map(str, ORIGINS)
    lines = ["| client | KiB an idle connection |", "| --- | --: |"]
    for client, row in data["origins"].items():
        grown = row[many]["resident_kib"] - row[few]["resident_kib"]
        each = grown / (ORIGINS[1] - ORIGINS[0])
        lines.append(f"| {client} | {each:.2f} |")
    return "\n".join(lines) + "\n"


def round_trip_plot(data, folder):
    if not data["round_trips"]:
        return ("Not measured here: it needs network namespaces and TUN "
                "devices.\n")
    name = plots.bars(folder, "round-trips.svg", data["round_trips"],
                      "ms a request")
    lines = ["Median latency of a request:\n\n"
             "| round trip | without a pool, ms | pooled, ms | times |",
             "| --- | --: | --: | --: |"]
    for trip, row in data["round_trips"].items():
        without, pooled = row["without"], row["pooled"]
        lines.append(f"| {trip} | {without:.2f} | {pooled:.2f} | "
                     f"{without / pooled:.1f} |")
    return picture("pooled against unpooled", name) + "\n" + "\n".join(lines) + "\n"


def write(data, docs):
    folder = os.path.join(docs, "performance")
    os.makedirs(folder, exist_ok=True)
    parts = [HEAD.format(rounds=data["rounds"], **data["machine"],
                         nginx=data["versions"]["nginx"],
                         openssl=data["versions"]["OpenSSL"],
                         compiler=data["versions"]["compiler"]),
             promises(data), "## Clients side by side\n"]
    versions = {}
    for name, result in data["scenarios"].items():
        parts.append(scenario_table(SCENARIOS[name].title, result))
        versions.update({client: row["version"]
                         for client, row in result.items() if row["version"]})
    parts.append("Versions: " + "; ".join(
        f"{client}: {version}" for client, version in versions.items()) + ".\n")
    parts += ["## Concurrency\n", in_flight_plot(data, folder),
              "## io_uring or epoll\n", uring_section(data),
              "## Latency\n", latency_plots(data, folder),
              "## Memory\n", memory_table(data),
              "## The pool by itself\n",
              "Nanoseconds a pair of operations, no lock, no socket; what grows "
              "with the number of origins is misses of the cache.\n",
              picture("cost of pool operations", plots.lines(
                  folder, "pool.svg",
                  {name: {int(size): ns for size, ns in row.items()}
                   for name, row in data["pool"].items()},
                  "origins (or callers in line)", "ns", log_y=True)),
              "## What a pool saves, by round trip\n",
              round_trip_plot(data, folder)]
    notes = os.path.join(docs, "performance-notes.md")
    if os.path.exists(notes):
        with open(notes, encoding="utf-8") as file:
            parts.append(file.read())
    with open(os.path.join(docs, "performance.md"), "w",
              encoding="utf-8") as file:
        file.write("\n".join(part.rstrip("\n") + "\n" for part in parts))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        write(json.load(file), sys.argv[2])


if __name__ == "__main__":
    main()
