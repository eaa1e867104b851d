"""User-space instructions of a warm GET, counted by callgrind: a path that
grows by a tenth is noticed.  Counts of the measured requests alone, the same
from run to run but for the loop's batches."""

import os
import pathlib
import shutil
import sys
import unittest

BUILD = os.environ["WEIR_BUILD"]
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import clients  # noqa: E402: lies beside the benchmarks
import server  # noqa: E402

# A tenth above what was counted when the line was last changed (gcc 12,
# OpenSSL 3.0): 3390, 14850, 3950 and 15640.  The TLS ones are mostly OpenSSL's.
BOUNDS = {("get", "plain"): 3730, ("get", "tls"): 16330,
          ("loop", "plain"): 4340, ("loop", "tls"): 17200}


def is_optimised():
    with open(f"{BUILD}/CMakeCache.txt", encoding="utf-8") as cache:
        text = cache.read()
    return ("CMAKE_BUILD_TYPE:STRING=RelWithDebInfo" in text
            and "WEIR_SANITIZE:STRING=\n" in text)


@unittest.skipUnless(is_optimised(), "the build is not optimised")
@unittest.skipUnless(os.path.exists(f"{BUILD}/bench/get_weir"),
                     "the benchmarks are not built")
@unittest.skipUnless(shutil.which("valgrind"), "no valgrind")
class Instructions(unittest.TestCase):
    def test_a_warm_get_costs_no_more_than_it_did(self):
        with server.nginx() as peer:
            for (kind, how), bound in BOUNDS.items():
                with self.subTest(kind=kind, how=how):
                    weir = clients.Client("weir", [f"{BUILD}/bench/{kind}_weir"])
                    count = weir.instructions(
                        f"{getattr(peer, how)}/102",
                        1280 if kind == "loop" else 300,
                        peer.ca if how == "tls" else None,
                        64 if kind == "loop" else 0)
                    print(f"{kind} {how}: {count:.0f} instructions, at most "
                          f"{bound}", flush=True)
                    self.assertLessEqual(count, bound)
                    # An empty count would pass for a fast path.
                    self.assertGreater(count, bound / 2)


if __name__ == "__main__":
    unittest.main()
