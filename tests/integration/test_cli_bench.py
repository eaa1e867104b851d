"""weir bench: its figures are there and add up; no time is asserted."""

import json
import os
import unittest

from weir_cli import Case, ok, weir


def bench(*args):
    done = weir("bench", "--rounds", "2", *args)
    return done


class Bench(Case):
    def test_all_scenarios_with_the_embedded_origin(self):
        done = bench("--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        document = json.loads(done.stdout)
        names = [scenario["name"] for scenario in document["scenarios"]]
        self.assertEqual(names, ["versions", "health", "providers",
                                 "concurrent"])
        for scenario in document["scenarios"]:
            requests = scenario["requests"]
            pooled, unpooled = scenario["pooled"], scenario["unpooled"]
            self.assertEqual(unpooled["opened_per_run"], requests)
            self.assertEqual(unpooled["reused_per_run"], 0)
            self.assertLessEqual(pooled["opened_per_run"],
                                 scenario["concurrency"])
            self.assertEqual(
                len(pooled["rounds"][0]["latencies_s"]), requests)
            for row in (pooled, unpooled):
                self.assertLessEqual(row["p50_s"], row["p90_s"])
                self.assertLessEqual(row["p90_s"], row["p99_s"])
                self.assertLessEqual(row["p99_s"], row["max_s"])
                self.assertGreater(row["cpu_s_per_request"], 0)
                self.assertGreater(row["peak_kib"], 0)

    def test_table_and_closing_line(self):
        done = bench("--scenario", "health", "-n", "5")
        self.assertEqual(done.returncode, 0, done.stderr)
        last = done.stdout.splitlines()[-1]
        self.assertRegex(last, rb"^at least 15 % faster with the pool: "
                               rb"health (yes|NO) \(-?[0-9.]+ %\)$")

    def test_both_drivers(self):
        for driver in ("loop", "blocking"):
            server = self.serve(lambda _: ok())
            done = bench("--json", "--driver", driver, "-n", "30", "-c", "3",
                         server.url())
            self.assertEqual(done.returncode, 0, done.stderr)
            document = json.loads(done.stdout)
            self.assertEqual(document["driver"], driver)
            scenario, = document["scenarios"]
            self.assertLessEqual(scenario["pooled"]["opened_per_run"], 3)
            self.assertEqual(scenario["unpooled"]["opened_per_run"], 30)
            self.assertEqual(len(server.requests), 30 * 2 * 2)

    def test_own_url(self):
        server = self.serve(lambda _: ok())
        done = bench("--json", "-n", "10", "-c", "2", server.url())
        self.assertEqual(done.returncode, 0, done.stderr)
        scenario, = json.loads(done.stdout)["scenarios"]
        self.assertEqual(scenario["unpooled"]["opened_per_run"], 10)
        self.assertEqual(len(server.requests), 10 * 2 * 2)

    def test_failed_requests_fail_the_command(self):
        """At the first one: dials of a dead server back off for long."""
        for driver in ("loop", "blocking"):
            done = bench("--driver", driver, "http://127.0.0.1:1/")
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"a request failed: connect to 127.0.0.1:1: "
                          b"connection refused", done.stderr)

    def test_mistakes(self):
        for args, expected in (
                (["--scenario", "helth"], b"did you mean health"),
                (["health"], b"did you mean --scenario health"),
                (["-n", "0"], b"from 1 to"),
                (["--insecure"], b"need a URL"),
                (["--driver", "threads"], b"expected loop or blocking"),
                (["--driver", "lop"], b"did you mean loop"),
                (["http://a/", "http://b/"], b"more than one URL"),
                (["a.test"], b"did you mean http://a.test?")):
            done = weir("bench", *args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(expected, done.stderr)

    def test_nothing_is_left_behind(self):
        before = {name for name in os.listdir("/tmp")
                  if name.startswith("weir-bench-")}
        bench("--scenario", "health")
        after = {name for name in os.listdir("/tmp")
                 if name.startswith("weir-bench-")}
        self.assertLessEqual(after, before)


if __name__ == "__main__":
    unittest.main()
