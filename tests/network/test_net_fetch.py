"""weir fetch at the near end of a wire, started by `wire`; the far end has a
web server on port 8000.  What a person reads when the network fails."""

import os
import socket
import subprocess
import time
import unittest

WEIR = os.environ["WEIR"]
FAR = os.environ.get("WIRE_FAR", "")
# The surroundings decide nothing.
ENVIRONMENT = {"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": "/nonexistent"}
CONTROL = socket.socket(fileno=int(os.environ["WIRE_CONTROL"]))
URL = "http://%s:8000/" % FAR


def wire(rule, value):
    CONTROL.send(("%s %s" % (rule, value)).encode())
    answer = CONTROL.recv(256)
    if not answer.startswith(b"ok"):
        raise AssertionError(answer)


def fetch(*arguments):
    """Exit code, what it printed, what it said, and the seconds it took."""
    begun = time.monotonic()
    done = subprocess.run([WEIR, "fetch", *arguments], timeout=60,
                          capture_output=True, check=False, env=ENVIRONMENT)
    return (done.returncode, done.stdout, done.stderr.decode(),
            time.monotonic() - begun)


class Fetch(unittest.TestCase):
    def setUp(self):
        for rule, value in (("hole", "none"), ("unreachable", "none"),
                            ("loss", "0"), ("delay-ms", "0")):
            wire(rule, value)

    def test_a_network_that_works(self):
        wire("delay-ms", "10")
        code, out, said, took = fetch(URL)
        self.assertEqual((code, said), (0, ""))
        self.assertIn(b"<html", out.lower())
        self.assertGreaterEqual(took, 0.04)

    def test_many_over_a_network_that_loses(self):
        wire("loss", "3")
        wire("delay-ms", "1")
        code, out, said, _ = fetch("--parallel", "4", *[URL] * 40)
        self.assertEqual((code, said), (0, ""))
        self.assertEqual(out.lower().count(b"</html>"), 40)

    def test_a_router_that_says_no(self):
        for what, words in (("net", "network is unreachable"),
                            ("host", "no route to host"),
                            ("port", "connection refused")):
            wire("unreachable", what)
            code, out, said, took = fetch(URL)
            self.assertEqual((code, out), (1, b""))
            self.assertIn(words, said.lower())
            self.assertIn(FAR, said)
            self.assertLess(took, 5)

    def test_a_black_hole(self):
        wire("hole", "both")
        code, out, said, took = fetch("--connect-timeout", "0.3", URL)
        self.assertEqual((code, out), (1, b""))
        self.assertIn("0.300 s", said)
        self.assertIn("connect", said)
        self.assertLess(took, 5)
        code, _, said, took = fetch("--timeout", "0.3", URL)
        self.assertEqual(code, 1)
        self.assertIn("0.300 s", said)
        self.assertLess(took, 5)


if __name__ == "__main__":
    unittest.main()
