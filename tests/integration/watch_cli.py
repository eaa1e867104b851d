"""What the tests of `weir watch` share: a supervisor and real services."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from weir_cli import WEIR, Case

PYTHON = "/usr/bin/python3"

# A service as people write them.  It answers 200 unless a file NAME.sick is
# there, and not at all while NAME.hangs is.
SERVICE = r"""
import os, signal, socket, sys, time
folder, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = sys.argv[4:]
def mark(what, text):
    path = os.path.join(folder, name + "." + what)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)
def has(what):
    return os.path.exists(os.path.join(folder, name + "." + what))
if "ignores" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "forks" in options and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark("child", str(os.getpid()))
    while True:
        time.sleep(100)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", port))
listener.listen(64)
mark("pid", str(os.getpid()))
while True:
    peer, _ = listener.accept()
    try:
        peer.settimeout(5)
        peer.recv(4096)
        while has("hangs"):
            time.sleep(0.01)
        status = b"500 Sick" if has("sick") else b"200 OK"
        peer.sendall(b"HTTP/1.1 " + status
                     + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    except OSError:
        pass
    peer.close()
"""


def is_alive(pid):
    """A process that is there, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children_of(pid):
    """Pids of all children, zombies included."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            if int(fields[1]) == pid:
                found.append((int(name), fields[0]))
    return found


def processes_naming(text):
    """Command lines that hold a text."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/cmdline", "rb") as file:
                line = file.read()
            if text.encode() in line:
                found.append(line)
    return found


class WatchCase(Case):
    """Supervisors of a test are ended with it, whatever has happened."""

    def setUp(self):
        super().setUp()
        self.supervisors = []
        self.ports = []
        self.sections = {}
        self.addCleanup(self._end_all)
        self.script = self.write("service.py", SERVICE.encode())
        self.settings = {"state": self.path("state"),
                         "control": self.path("control.sock"),
                         "services": {}}

    def _end_all(self):
        for process in self.supervisors:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        for port in self.ports:
            port.close()

    # --- settings --------------------------------------------------------

    def reserve_port(self):
        """A port that nobody else gets while the test runs."""
        reserved = socket.socket()
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        self.ports.append(reserved)
        return reserved.getsockname()[1]

    def service(self, name, *options, **keys):
        """A service of the settings that answers health checks."""
        port = self.reserve_port()
        service = {"command": [PYTHON, "-I", "-S", self.script, self.folder,
                               name, port, *options],
                   "health": f"http://127.0.0.1:{port}/",
                   "interval": 0.05, "startup_interval": 0.02,
                   "health_timeout": 2, "restart_delay": 0.02}
        service.update(keys)
        self.settings["services"][name] = service
        return service

    def command(self, name, *command, **keys):
        """One without checks."""
        service = {"command": list(command), "settle": 0.05,
                   "restart_delay": 0.02}
        service.update(keys)
        self.settings["services"][name] = service
        return service

    def save(self, **sections):
        self.sections.update(sections)
        return self.write("weir.yaml", json.dumps(
            {"watch": self.settings, **self.sections}).encode())

    def mark(self, name):
        self.write(name, b"")

    def unmark(self, name):
        os.unlink(self.path(name))

    def text_of(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    # --- the supervisor --------------------------------------------------

    def environment(self):
        clean = {key: value for key, value in os.environ.items()
                 if not key.startswith("WEIR_")}
        clean["XDG_CONFIG_HOME"] = "/nonexistent"
        clean["XDG_STATE_HOME"] = self.folder
        return clean

    def supervise(self, *arguments, prefix=()):
        """Starts a supervisor and waits until it can be spoken to."""
        process = subprocess.Popen(
            [*prefix, WEIR, "--config", self.save(), "watch", "run", "--plain",
             *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment(), cwd=self.folder)
        self.supervisors.append(process)
        self.until(lambda: process.poll() is not None or self.can_speak())
        self.assertIsNone(process.poll(), process.poll() is not None
                          and process.stderr.read())
        return process

    def can_speak(self):
        with socket.socket(socket.AF_UNIX) as peer:
            return peer.connect_ex(self.settings["control"]) == 0

    def speak(self):
        """A connection to the control socket, for speak_to()."""
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.settimeout(20)
        peer.connect(self.settings["control"])
        lines = peer.makefile("rwb")
        self.addCleanup(lines.close)
        return lines

    def speak_to(self, lines, **request):
        lines.write(json.dumps(request).encode() + b"\n")
        lines.flush()
        return json.loads(lines.readline())

    def watch(self, *arguments, timeout=30):
        return subprocess.run(
            [WEIR, "--config", self.path("weir.yaml"), "watch", *arguments],
            capture_output=True, env=self.environment(), timeout=timeout,
            cwd="/", check=False)

    def status(self):
        done = self.watch("status", "--json")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.stderr, b"")
        return json.loads(done.stdout)

    def look(self, name):
        for service in self.status()["services"]:
            if service["name"] == name:
                return service
        return None

    def until(self, is_so, limit=20):
        """Waits for a condition; what it gave is the result."""
        end = time.monotonic() + limit
        while True:
            found = is_so()
            if found:
                return found
            self.assertLess(time.monotonic(), end, "it has not come about")
            time.sleep(0.01)

    def until_state(self, name, *states):
        def is_so():
            seen = self.look(name)
            return seen if seen and seen["state"] in states else None
        return self.until(is_so)

    def until_healthy(self, name):
        def is_so():
            seen = self.look(name)
            return seen if seen["healthy"] else None
        return self.until(is_so)

    def down(self, process, code=0):
        done = self.watch("down")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(process.wait(timeout=30), code)

    def end(self, process, which=signal.SIGTERM):
        process.send_signal(which)
        self.assertEqual(process.wait(timeout=30), 128 + which)
