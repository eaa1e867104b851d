"""weir watch: events, history, webhook, metrics, reloads of all that, and the
service manager, without a browser."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest

from watch_face import FaceCase
from weir_cli import WEIR, ok


class Events(FaceCase):
    def test_a_file_follows_its_rotation(self):
        self.settings["events"]["file"] = "events.jsonl"
        self.command("worker", "sleep", "1000")
        process, _ = self.supervise_page()
        self.until_state("worker", "RUNNING")
        os.rename(self.path("events.jsonl"), self.path("events.jsonl.1"))
        self.assertEqual(self.watch("stop", "worker").returncode, 0)
        self.until_state("worker", "STOPPED")
        self.down(process)
        before = [event["event"] for event in self.events_of("events.jsonl.1")]
        after = [event["event"] for event in self.events_of("events.jsonl")]
        self.assertEqual(before, ["watch_started", "starting", "started"])
        self.assertEqual(after, ["stopping", "stopped", "watch_stopped"])
        for event in self.events_of("events.jsonl"):
            self.assertRegex(event["time"],
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_standard_output_has_json_and_nothing_else(self):
        self.command("worker", "sh", "-c", "echo sorry >&2; exit 3",
                     restart="never")
        process = self.supervise("--events", "-")
        self.until_state("worker", "FAILED")
        self.down(process)
        events = [json.loads(line) for line in process.stdout]
        died = [event for event in events
                if event["event"] in ("process_died", "start_error")]
        self.assertEqual(died[0]["service"], "worker")
        self.assertTrue(died[0]["failure"])
        self.assertIn("sorry", died[0]["detail"])

    def test_a_line_an_event_where_there_is_no_terminal(self):
        self.command("worker", "sleep", "1000")
        process = self.supervise()
        self.until_state("worker", "RUNNING")
        self.down(process)
        lines = process.stdout.read().decode().splitlines()
        self.assertRegex(lines[0], r"Z  weir watch  watch_started  1 service")
        self.assertRegex(lines[2], r"Z  worker  started  ")
        self.assertRegex(lines[-1], r"Z  weir watch  watch_stopped")


class History(FaceCase):
    def test_it_is_kept_over_supervisors(self):
        for name in ("api", "worker"):
            self.command(name, "sleep", "1000")
        for _ in range(2):
            process, _ = self.supervise_page()
            self.until_state("api", "RUNNING")
            self.until_state("worker", "RUNNING")
            self.down(process)
        done = self.watch("history", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([event["event"] for event in events].count(
            "watch_started"), 2)
        self.assertEqual(events, sorted(events, key=lambda e: e["time"]))
        done = self.watch("history", "api", "--json", "--limit", "1")
        self.assertEqual([(event["service"], event["event"]) for event in map(
            json.loads, done.stdout.splitlines())], [("api", "stopped")])
        table = self.watch("history", "worker").stdout.decode().splitlines()
        self.assertRegex(table[0], r"^TIME +SERVICE +EVENT +DETAIL$")
        self.assertEqual(len(table), 1 + 2 * 4, table)
        self.assertNotIn("\033", "".join(table))
        self.assertEqual(self.watch("history", "--since", "2100-01-01",
                                    "--json").stdout, b"")
        self.assertNotEqual(self.watch("history", "--since", "1h",
                                       "--json").stdout, b"")

    def test_what_is_wrong_is_said(self):
        self.save()
        for arguments, said in (
                (["--since", "yesterday"], "--since: found 'yesterday'"),
                (["--limit", "many"], "--limit: found 'many'"),
                (["a", "b"], "more than one NAME"),
                (["--colour"], "unknown option")):
            done = self.watch("history", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(said, done.stderr.decode())
        self.assertEqual(self.watch("history", "--help").returncode, 0)
        self.settings["events"]["history"] = ""
        self.save()
        done = self.watch("history")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"no history is kept", done.stderr)


class Webhook(FaceCase):
    def fields(self, request, name):
        return re.findall(rb"(?im)^%s: (.*)\r$" % name.encode(), request)

    def test_every_event_is_delivered_once_in_order(self):
        """The first answers fail: what comes of them has the same key."""
        answers = [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"] * 4
        server = self.serve(lambda _: answers.pop() if answers else ok())
        self.settings["events"]["file"] = "events.jsonl"
        self.settings["events"]["webhook"] = {
            "url": server.url("/hook?secret"), "attempts": 2, "delay": 0.02}
        self.command("worker", "sleep", "1000")
        process, address = self.supervise_page()
        self.until_state("worker", "RUNNING")
        self.until(lambda: json.loads(self.ask(address + "/status.json")[1])
                   ["outlets"]["webhook"]["delivered"] == 3)
        self.down(process)
        written = self.events_of("events.jsonl")
        delivered = [json.loads(request.split(b"\r\n\r\n", 1)[1])
                     for request in server.requests[4:]]
        self.assertEqual(delivered, written)
        self.assertEqual(written[-1]["event"], "watch_stopped")
        keys = [self.fields(request, "Idempotency-Key")[0]
                for request in server.requests]
        self.assertEqual(len(set(keys)), len(written))
        self.assertEqual(len(set(keys[:5])), 1)

    def test_the_token_goes_with_it_and_nowhere_else(self):
        server = self.serve(lambda _: ok())
        self.settings["events"]["webhook"] = {
            "url": server.url(), "token_file": self.write(
                "hook-token", b"hook-token-of-20-letters\n")}
        self.command("worker", "sleep", "1000")
        process, _ = self.supervise_page()
        self.until(lambda: server.requests)
        self.down(process)
        self.assertEqual(self.fields(server.requests[0], "Authorization"),
                         [b"Bearer hook-token-of-20-letters"])

    def test_one_that_hangs_holds_nothing_up(self):
        """No answer ever: services go on, and the end comes all the same."""
        release = threading.Event()
        server = self.serve(lambda _: release.wait() and ok())
        self.addCleanup(release.set)
        self.settings["events"]["webhook"] = {"url": server.url(),
                                              "max_queue": 5}
        self.command("worker", "sh", "-c", "exit 1", settle=0.01,
                     max_restarts=0, restart_delay=0, max_restart_delay=0)
        process, address = self.supervise_page()

        def has_dropped():
            status = json.loads(self.ask(address + "/status.json")[1])
            return status["outlets"]["webhook"]["dropped"] > 20
        self.until(has_dropped)
        status = json.loads(self.ask(address + "/status.json")[1])
        self.assertEqual(status["outlets"]["webhook"]["queued"], 5)
        metrics = self.ask(address + "/metrics")[1]
        self.assertRegex(metrics, r"\nweir_watch_webhook_dropped_total \d\d")
        self.down(process)


class Machines(FaceCase):
    def test_health_follows_the_services(self):
        self.service("api")
        self.command("worker", "sleep", "1000")
        _, address = self.supervise_page()
        self.until(lambda: self.ask(address + "/healthz") == (200, "ok\n"))
        self.mark("api.sick")
        self.until(lambda: self.ask(address + "/healthz")
                   == (503, "not healthy: api\n"))
        self.unmark("api.sick")
        self.until(lambda: self.ask(address + "/healthz")[0] == 200)
        metrics = self.ask(address + "/metrics")[1]
        restarts = re.search(
            r'\nweir_service_restarts_total\{service="api"\} (\d+)\n', metrics)
        self.assertGreaterEqual(int(restarts.group(1)), 1)
        self.assertIn('\nweir_service_up{service="worker"} 1\n', metrics)

    def test_status_is_the_same_as_of_the_control_socket(self):
        self.service("api")
        _, address = self.supervise_page()
        self.until_healthy("api")
        seen = json.loads(self.ask(address + "/status.json")[1])
        told = self.status()
        self.assertEqual([service["name"] for service in seen["services"]],
                         [service["name"] for service in told["services"]])
        self.assertEqual(set(told["services"][0]), set(seen["services"][0]))

    def test_an_order_by_curl(self):
        self.service("api")
        _, address = self.supervise_page()
        before = self.until_healthy("api")["pid"]
        order = address + "/services/api/restart"
        self.assertEqual(self.ask(order, "POST")[0], 403)
        self.assertEqual(self.ask(order, "POST", X_Weir_Watch="1",
                                  Origin="http://evil.example")[0], 403)
        self.assertEqual(self.ask(order, "POST", X_Weir_Watch="1",
                                  Host="evil.example")[0], 421)
        self.assertEqual(self.look("api")["pid"], before)
        self.assertEqual(self.ask(order, "POST", X_Weir_Watch="1")[0], 202)
        self.until(lambda: self.look("api")["pid"] not in (0, None, before))
        self.assertEqual(self.ask(address + "/services/nobody/stop", "POST",
                                  X_Weir_Watch="1")[0], 404)

    def test_two_hundred_services_are_seen(self):
        for number in range(200):
            self.command(f"s{number}", "sleep", "1000")
        _, address = self.supervise_page()

        def all_run():
            status = json.loads(self.ask(address + "/status.json")[1])
            return status["running"] == 200
        self.until(all_run, limit=60)
        self.assertEqual(self.ask(address + "/healthz")[0], 200)
        self.assertEqual(self.ask(address + "/metrics")[1].count(
            'state="RUNNING"} 1\n'), 200)


class Settings(FaceCase):
    def test_beyond_loopback_without_a_token(self):
        code, said = self.refused("--listen", "0.0.0.0:0")
        self.assertEqual(code, 2)
        self.assertIn("a token is needed", said)

    def test_an_address_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            code, said = self.refused("--listen", address)
        self.assertEqual(code, 1)
        self.assertIn(f"listen on {address}: Address already in use", said)

    def test_mistakes_have_their_place(self):
        short = self.write("short", b"too short\n")
        for section, keys, said in (
                ("page", {"listne": "127.0.0.1:0"}, "did you mean listen?"),
                ("page", {"listen": "example.org:80"}, "expected an address"),
                ("page", {"token_file": short}, "expected at least 16"),
                ("page", {"token_file": "/nonexistent"}, "No such file"),
                ("page", {"control": "yes"}, "watch.page.control"),
                ("events", {"file": "no/such/folder"}, "no/such/folder"),
                ("events", {"history": "../x"}, "without a folder"),
                ("events", {"webhook": {"url": "http://localhost: 1/"}},
                 "watch.events.webhook"),
                ("events", {"webhook": {"max_queue": 1}}, "max_queue")):
            self.settings["page"] = {}
            self.settings["events"] = {}
            self.settings[section] = keys
            code, said_indeed = self.refused()
            self.assertIn(said, said_indeed)
            self.assertEqual(code, 1 if "no/such" in said else 2, said)

    def test_a_reload_changes_the_ways_out(self):
        self.command("worker", "sleep", "1000")
        self.settings["events"]["file"] = "first.jsonl"
        process, address = self.supervise_page()
        self.until_state("worker", "RUNNING")
        self.settings["events"]["file"] = "second.jsonl"
        token = self.write_token()
        self.save()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.assertEqual(self.ask(address + "/status.json")[0], 401)
        self.assertEqual(self.ask(address + "/status.json",
                                  Authorization="Bearer " + token)[0], 200)
        self.down(process)
        self.assertNotIn("stopped", [event["event"] for event in
                                     self.events_of("first.jsonl")])
        self.assertIn("stopped", [event["event"] for event in
                                  self.events_of("second.jsonl")])

    def test_a_reload_that_is_refused_changes_nothing(self):
        self.command("worker", "sleep", "1000")
        self.settings["events"]["file"] = "first.jsonl"
        process, address = self.supervise_page()
        self.until_state("worker", "RUNNING")
        self.settings["events"]["file"] = "second.jsonl"
        self.settings["page"] = {"listen": "0.0.0.0:0"}
        self.save()
        done = self.watch("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"a token is needed", done.stderr)
        self.assertEqual(self.ask(address + "/status.json")[0], 200)
        self.down(process)
        self.assertIn("stopped", [event["event"] for event in
                                  self.events_of("first.jsonl")])
        failed = [event for event in self.events_of("first.jsonl")
                  if event["event"] == "reload_failed"]
        self.assertIn("token", failed[0]["detail"])


class Manager(FaceCase):
    """A service manager of the test's own, at a datagram socket."""

    def setUp(self):
        super().setUp()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path("notify"))
        self.socket.settimeout(20)
        self.extra = {"NOTIFY_SOCKET": self.path("notify"),
                      "WATCHDOG_USEC": "100000"}

    def hear(self, wanted):
        """Datagrams until one begins with what is wanted."""
        heard = []
        while not heard or not heard[-1].startswith(wanted):
            heard.append(self.socket.recv(4096).decode())
        return heard

    def test_it_is_told_of_everything(self):
        self.mark("api.sick")
        self.service("api", startup_limit=1000)
        process, _ = self.supervise_page()
        early = self.hear("WATCHDOG=1") + self.hear("WATCHDOG=1")
        self.assertFalse([text for text in early if "READY=1" in text])
        self.unmark("api.sick")
        ready = self.hear("READY=1")[-1].splitlines()
        self.assertEqual(ready[1], "STATUS=1 of 1 healthy")
        self.assertEqual(ready[2], f"MAINPID={process.pid}")
        self.mark("api.sick")
        self.assertIn("STATUS=0 of 1 healthy; api: ", self.hear("STATUS=0")[-1])
        self.unmark("api.sick")
        self.hear("STATUS=1 of 1 healthy")
        process.send_signal(signal.SIGHUP)
        self.assertRegex(self.hear("RELOADING=1")[-1], r"\nMONOTONIC_USEC=\d+")
        self.hear("READY=1")
        self.write("weir.yaml", b"watch: [")
        process.send_signal(signal.SIGHUP)
        self.hear("RELOADING=1")
        self.hear("READY=1")
        self.end(process)
        self.hear("STOPPING=1")

    def test_services_are_not_taken_for_the_manager_s(self):
        self.command("worker", "sleep", "1000")
        process, _ = self.supervise_page()
        pid = self.until_state("worker", "RUNNING")["pid"]
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
        self.assertNotIn(b"NOTIFY_SOCKET", environment)
        self.assertNotIn(b"WATCHDOG_USEC", environment)
        self.down(process)


class Terminal(FaceCase):
    """A terminal of the test's own."""

    def begin(self, **environment):
        self.master, slave = pty.openpty()
        self.slave = os.dup(slave)
        self.addCleanup(os.close, self.master)
        self.addCleanup(lambda: os.close(self.slave))
        self.resize(120, 30)
        process = subprocess.Popen(
            [WEIR, "--config", self.save(), "watch"], stdin=slave, stdout=slave,
            stderr=slave, cwd=self.folder,
            env={**self.environment(), "TERM": "xterm", **environment})
        os.close(slave)
        self.supervisors.append(process)
        process.stdout = process.stderr = open(os.devnull, "rb")
        self.seen = b""
        return process

    def resize(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, pattern):
        """What came, up to and with a pattern."""
        end = time.monotonic() + 20
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            self.assertLess(time.monotonic(), end, self.seen[-3000:])
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:  # the other end is closed
                end = 0
        past, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return past

    def test_the_table_is_redrawn_in_place(self):
        self.service("api")
        process = self.begin(NO_COLOR="1")
        self.read_until(rb"\x1b\[\?1049h")
        frame = self.read_until(rb"1 of 1 healthy.*?RUNNING.*?\x1b\[J")
        self.assertNotIn(b"\x1b[3", frame)
        self.mark("api.sick")
        self.read_until(rb"\x1b\[H[^\x1b]*0 of 1 healthy")
        self.unmark("api.sick")
        self.read_until(rb"\x1b\[H[^\x1b]*1 of 1 healthy")
        self.resize(40, 10)
        self.seen = b""
        frame = self.read_until(
            rb"\x1b\[H[^\x1b]*\xe2\x80\xa6\x1b\[K.*?\x1b\[J")
        last = frame[frame.rindex(b"\x1b[H"):]
        lines = re.sub(rb"\x1b\[[A-Z]|\r", b"", last).decode().split("\n")
        self.assertLessEqual(len(lines), 10)
        self.assertLessEqual(max(map(len, lines)), 40, lines)
        self.assertEqual(process.poll(), None)
        process.send_signal(signal.SIGTERM)
        self.read_until(rb"\x1b\[\?1049l.*weir watch: .*STOPPED")
        self.assertEqual(process.wait(timeout=30), 128 + signal.SIGTERM)

    def test_colours_where_they_are_wanted(self):
        self.service("api")
        self.begin()
        self.read_until(rb"\x1b\[32mRUNNING\x1b\[0m")

    def test_complaints_stay_to_be_read(self):
        """They would be painted over: they are in the table, and stand behind
        it at the end."""
        self.service("api")
        self.settings["events"]["file"] = "/dev/full"
        process = self.begin(NO_COLOR="1")
        self.read_until(rb"\x1b\[H[^\x1b]*1 of 1 healthy.*?"
                        rb"weir: watch: events to /dev/full: No space")
        process.send_signal(signal.SIGTERM)
        self.read_until(rb"\x1b\[\?1049l.*STOPPED.*"
                        rb"\r\nweir: watch: events to /dev/full: No space")
        self.assertEqual(process.wait(timeout=30), 128 + signal.SIGTERM)

    def test_a_terminal_that_is_stopped_stops_nothing(self):
        """Nobody reads: the supervisor goes on."""
        self.service("api")
        process = self.begin()
        self.until(self.can_speak)
        self.until_healthy("api")
        termios.tcflow(self.slave, termios.TCOOFF)
        self.mark("api.sick")
        self.until(lambda: not self.look("api")["healthy"])
        self.unmark("api.sick")
        self.until_healthy("api")
        self.assertIsNone(process.poll())


if __name__ == "__main__":
    unittest.main()
