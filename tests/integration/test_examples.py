"""Every example runs, and the README quotes the first one as it is."""

import os
import subprocess
import unittest

from weir_cli import Case, ok

EXAMPLES = os.environ["WEIR_EXAMPLES"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def run(name, *args):
    return subprocess.run([os.path.join(EXAMPLES, name), *args],
                          capture_output=True, timeout=60, check=False)


class Examples(Case):
    def test_get(self):
        server = self.serve(lambda _: ok(b"12345"))
        done = run("get", server.url())
        self.assertEqual((done.returncode, done.stdout),
                         (0, b"200, 5 bytes\n"))
        done = run("get", "http://127.0.0.1:1/")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"connection refused", done.stderr)

    def test_threads(self):
        server = self.serve(lambda _: ok())
        done = run("threads", server.url())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith(b"400 requests over "))
        self.assertLessEqual(server.connections, 4)

    def test_stream(self):
        server = self.serve(lambda request: ok(request.split(b"\r\n\r\n")[1]))
        done = run("stream", server.url(),
                   self.write("f", b"from a file"))
        self.assertEqual((done.returncode, done.stdout), (0, b"from a file"))

    def check_many(self, name):
        """Several URLs at once, the last of which has no server."""
        if not os.path.exists(os.path.join(EXAMPLES, name)):
            self.skipTest(f"{name} was not built")
        server = self.serve(lambda request: ok(request.split()[1]))
        urls = [server.url(f"/{'x' * n}") for n in range(20)]
        done = run(name, *urls)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            sorted(done.stdout.decode().splitlines()),
            sorted(f"{url}: 200, {n + 1} bytes" for n, url in enumerate(urls)))
        done = run(name, urls[3], "http://127.0.0.1:1/", "http://:x/")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.decode(), f"{urls[3]}: 200, 4 bytes\n")
        self.assertIn(b"http://127.0.0.1:1/: connect to 127.0.0.1:1: "
                      b"connection refused", done.stderr)
        self.assertIn(b"http://:x/: ", done.stderr)
        self.assertEqual(run(name).returncode, 2)
        self.assertEqual(run(name, "http://:x/").returncode, 1)

    def test_parallel(self):
        self.check_many("parallel")

    def test_loop_poll(self):
        self.check_many("loop_poll")

    def test_loop_uv(self):
        self.check_many("loop_uv")

    def test_loop_glib(self):
        self.check_many("loop_glib")

    def test_the_readme_quotes_the_first_example(self):
        with open(f"{ROOT}/examples/get.c", encoding="utf-8") as file:
            program = file.read().split("*/\n", 1)[1]
        with open(f"{ROOT}/README.md", encoding="utf-8") as file:
            self.assertIn(f"```c\n{program}```", file.read())


if __name__ == "__main__":
    unittest.main()
