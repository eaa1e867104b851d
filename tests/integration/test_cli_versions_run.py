"""weir versions as a run: many packages at once, tools that hang, signals."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from index_server import VersionsCase, answer, offered
from weir_cli import WEIR, make_cert

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PACKAGES = 2000


def until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within 30 seconds")
        time.sleep(.01)


def is_alive(pid):
    """A zombie, which nobody may be there to wait for, is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class StaticIndex:
    """nginx and a static file for each package, over TLS."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-index-")
        self.cert, self.key = self.path("cert.pem"), self.path("key.pem")
        make_cert(self.cert, self.key)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        for i in range(PACKAGES):
            os.makedirs(self.path(f"www/pypi/package-{i}"))
            with open(self.path(f"www/pypi/package-{i}/json"), "wb") as file:
                file.write(offered(f"1.{i}"))
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        scratch = "".join(f"{kind}_temp_path {self.path(kind)};\n" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(self.path("nginx.conf"), "w", encoding="ascii") as file:
            file.write(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; pid {self.path("pid")};
events {{ worker_connections 1024; }}
http {{
    {scratch}
    log_format plain "$connection $status $request_uri";
    access_log {self.path("access")} plain;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{self.port} ssl;
        ssl_certificate {self.cert};
        ssl_certificate_key {self.key};
        root {self.path("www")};
        location /accepted {{ stub_status; access_log off; }}
    }}
}}
""")
        # It takes over this listener: no port to guess, no start to wait for.
        self.nginx = subprocess.Popen(
            [NGINX, "-p", self.folder, "-e", self.path("error"),
             "-c", self.path("nginx.conf")],
            pass_fds=[self.listener.fileno()],
            env={"NGINX": f"{self.listener.fileno()};"})

    def stop(self):
        self.nginx.terminate()
        self.nginx.wait()
        self.listener.close()
        shutil.rmtree(self.folder)

    def accepted(self):
        """Connections that nginx has accepted, this one not counted."""
        context = ssl.create_default_context(cafile=self.cert)
        with urllib.request.urlopen(
                self.url + "/accepted", context=context, timeout=30) as response:
            return int(response.read().split()[7]) - 1

    def served(self):
        """Statuses of a run, once nginx has written down all requests."""
        def lines():
            with open(self.path("access"), encoding="ascii") as file:
                return file.read().splitlines()
        until(lambda: len(lines()) >= PACKAGES, "nginx's log")
        statuses = [line.split()[1] for line in lines()]
        os.truncate(self.path("access"), 0)
        return statuses


@unittest.skipUnless(NGINX, "nginx is not installed")
class Many(VersionsCase):
    """2,000 packages of one index."""

    @classmethod
    def setUpClass(cls):
        cls.many = StaticIndex()
        cls.addClassCleanup(cls.many.stop)

    def setUp(self):
        super().setUp()
        self.env["WEIR_HTTP_CONNECTION_POOL__CA_FILE"] = self.many.cert

    def check(self, *args):
        requirements = self.write("r.txt", b"".join(
            b"package_%d==1.%d\n" % (i, i - i % 2) for i in range(PACKAGES)))
        return self.versions(None, "--index", self.many.url,
                             "--requirements", requirements, *args)

    def test_two_thousand_over_a_few_connections(self):
        begun = self.many.accepted() + 1
        done = self.check("--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        opened = self.many.accepted() - begun
        self.assertEqual(self.many.served(), ["200"] * PACKAGES)
        self.assertLessEqual(opened, 30)
        self.assertEqual(report["connections"], opened)
        self.assertEqual(report["requests"], PACKAGES)
        self.assertEqual(report["requests_per_connection"], PACKAGES / opened)
        states = [tool["state"] for tool in report["tools"]]
        self.assertEqual(states,
                         ["up_to_date", "update_available"] * (PACKAGES // 2))

        done = self.check()
        self.assertEqual(self.many.served(), ["304"] * PACKAGES)
        self.assertRegex(done.stdout.decode(),
                         rf"\n{PACKAGES} requests over \d+ connections, "
                         rf"\d+\.\d a connection; {PACKAGES} answers unchanged "
                         r"since the last run\n$")

    def test_never_more_than_max_per_host(self):
        self.env["WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST"] = "3"
        begun = self.many.accepted() + 1
        self.assertEqual(self.check().returncode, 0)
        self.assertLessEqual(self.many.accepted() - begun, 3)
        self.assertEqual(len(self.many.served()), PACKAGES)

    def test_a_certificate_that_is_not_trusted(self):
        del self.env["WEIR_HTTP_CONNECTION_POOL__CA_FILE"]
        done = self.versions(None, "--index", self.many.url,
                             "package-1")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"index unreachable: ", done.stdout)
        self.assertIn(b"certificate", done.stdout)


class Together(VersionsCase):
    NAMES = ("a", "b", "c", "d")

    def test_tools_and_index_are_asked_all_at_once(self):
        # Each waits for all others, so nothing is done one after another.
        for name in self.NAMES:
            self.tool(name, f": >{self.path('at-' + name)}\n"
                      + "".join(f"until [ -e {self.path('at-' + other)} ]; do "
                                "/bin/sleep .01; done\n"
                                for other in (*self.NAMES, "index"))
                      + "echo 1.0")
        everybody = threading.Barrier(len(self.NAMES))

        def answer_together(_):
            everybody.wait(timeout=30)
            self.write("at-index", b"")
            return answer(b"200 OK", offered("1.0"))

        server = self.serve(answer_together)
        self.assertEqual(self.states(server, *self.NAMES),
                         dict.fromkeys(self.NAMES, "up_to_date"))

    def test_an_index_that_never_answers_is_given_up(self):
        release = threading.Event()
        server = self.serve(lambda _: (release.wait() and b"", True))
        self.addCleanup(release.set)
        path = self.write("r.txt", b"".join(b"a%d==1\n" % i
                                            for i in range(100)))
        tools = self.report(
            server, "--requirements", path, status=1,
            env={"WEIR_HTTP_CONNECTION_POOL__TOTAL_TIMEOUT": "1",
                 "WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST": "5"})["tools"]
        asked = [tool for tool in tools.values() if tool["attempts"]]
        self.assertGreaterEqual(len(asked), 10)
        self.assertLessEqual(len(asked), 20)
        self.assertEqual(
            sum(tool["reason"].startswith("not asked: not done within")
                for tool in tools.values()), len(tools) - len(asked))


class Hanging(VersionsCase):
    def hanging_tool(self):
        """A tool that ignores SIGTERM, and so does the process it starts."""
        self.tool("hangs", "trap '' TERM INT\n/bin/sleep 1000 &\n"
                  f"echo $$ $! >{self.path('pids.new')}\n"
                  f"/bin/mv {self.path('pids.new')} {self.path('pids')}\n"
                  "wait")

    def pids(self):
        with open(self.path("pids"), encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def must_be_dead(self):
        for pid in self.pids():
            until(lambda pid=pid: not is_alive(pid), f"end of process {pid}")

    def test_a_command_that_hangs_is_killed_with_all_its_processes(self):
        self.hanging_tool()
        pinned = self.write("r.txt", b"pinned==1.0\n")
        _, server = self.index({"hangs": offered("1"), "pinned": offered("1")})
        report = self.report(server, "hangs", "--requirements", pinned,
                             status=1,
                             env={"WEIR_VERSIONS__COMMAND_TIMEOUT": "2.5"})
        self.assertEqual(report["tools"]["pinned"]["state"], "up_to_date")
        self.assertEqual(report["tools"]["hangs"]["state"],
                         "version_unreadable")
        self.assertEqual(report["tools"]["hangs"]["reason"],
                         "hangs --version: had not ended after 2.5 seconds")
        self.must_be_dead()

    def interrupt(self, which):
        """Sends the signal once a tool and a request are under way."""
        self.hanging_tool()
        release = threading.Event()
        server = self.serve(lambda _: (release.wait() and b"", True))
        self.addCleanup(release.set)
        env = {key: value for key, value in os.environ.items()
               if not key.startswith("WEIR_")
               and not key.lower().endswith("_proxy")}
        env.update(self.env, XDG_CONFIG_HOME="/nonexistent",
                   WEIR_VERSIONS__RETRY_ATTEMPTS="1")
        process = subprocess.Popen(
            [WEIR, "versions", "--index", server.url(""), "hangs"], env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            until(lambda: server.requests
                  and os.path.exists(self.path("pids")), "start")
            process.send_signal(which)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
        self.assertEqual((out, err), (b"", b""))
        self.assertEqual(process.returncode, 128 + which)
        self.must_be_dead()

    def test_sigint_ends_all_in_order(self):
        self.interrupt(signal.SIGINT)

    def test_sigterm_ends_all_in_order(self):
        self.interrupt(signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
