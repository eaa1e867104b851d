"""weir watch: services come up, are seen, take orders, and end in order."""

import json
import os
import signal
import stat
import subprocess
import unittest

from watch_cli import WatchCase, children_of, is_alive
from weir_cli import WEIR


class Verbs(WatchCase):
    def test_a_service_from_start_to_down(self):
        self.service("web")
        supervisor = self.supervise()
        web = self.until_healthy("web")
        self.assertEqual(web["state"], "RUNNING")
        self.assertEqual(str(web["pid"]), self.text_of("web.pid"))
        self.assertEqual(os.getpgid(web["pid"]), web["pid"])
        self.assertEqual(web["health"]["status"], 200)
        self.assertEqual(self.status()["healthy"], 1)
        self.assertEqual(self.watch("status").returncode, 0)

        self.assertEqual(self.watch("stop", "web").stdout, b"web: STOPPED\n")
        self.assertFalse(is_alive(web["pid"]))
        # It is not wanted, so all is well.
        self.assertEqual(self.watch("status").returncode, 0)
        self.assertEqual(self.watch("start", "web").stdout, b"web: RUNNING\n")
        first = self.look("web")["pid"]
        self.assertEqual(self.watch("restart", "web").stdout,
                         b"web: RUNNING\n")
        second = self.look("web")
        self.assertNotEqual(second["pid"], first)
        self.assertFalse(is_alive(first))
        self.assertEqual(second["restarts"], 0)  # they were ordered
        self.down(supervisor)
        self.assertFalse(is_alive(second["pid"]))
        self.assertFalse(os.path.exists(self.settings["control"]))

    def test_the_table(self):
        self.service("web")
        self.command("gone", "sleep", "100", autostart=False)
        self.supervise()
        self.until_healthy("web")
        lines = self.watch("status").stdout.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"SERVICE +STATE +HEALTH +PID")
        self.assertRegex(lines[1], r"web +RUNNING +healthy +[0-9]+ ")
        self.assertRegex(lines[2], r"gone +STOPPED ")

    def test_refusals(self):
        self.command("web", "sleep", "100")
        supervisor = self.supervise()
        done = self.watch("stop", "wbe")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"there is no service 'wbe'", done.stderr)
        for bad in (["stop"], ["status", "web"], ["halt"], ["--frob"],
                    ["run", "now"], ["stop", "web", "now"]):
            done = self.watch(*bad)
            self.assertEqual(done.returncode, 2, bad)
            self.assertIn(b"Try 'weir watch --help'", done.stderr)
        self.down(supervisor)
        done = self.watch("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no supervisor runs", done.stderr)

    def test_answers_for_machines(self):
        self.service("web")
        self.supervise()
        self.until_healthy("web")
        done = self.watch("stop", "web", "--json")
        self.assertEqual(json.loads(done.stdout),
                         {"ok": True, "service": "web", "state": "STOPPED"})
        done = self.watch("stop", "none", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertFalse(json.loads(done.stdout)["ok"])
        # Nobody waits for a start that takes long.
        self.mark("web.hangs")
        done = self.watch("start", "web", "--no-wait")
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.until_state("web", "STARTING")
        self.unmark("web.hangs")
        self.until_healthy("web")
        self.assertIn(b"usage: weir watch", self.watch("--help").stdout)

    def test_a_start_that_fails_says_why(self):
        self.command("bad", "sh", "-c", "echo cannot bind >&2; exit 7",
                     autostart=False, restart="never")
        self.supervise()
        done = self.watch("start", "bad")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"exit code 7", done.stderr)
        self.assertIn(b"cannot bind", done.stderr)

    def test_programs_that_cannot_begin(self):
        for name, keys in (("none", {"command": ["no-such-program"]}),
                           ("file", {"command": ["/no/such"]}),
                           ("folder", {"folder": "/no/such/folder"}),
                           ("user", {"user": "no-such-user"})):
            self.command(name, "sleep", "100", restart="never")
            self.settings["services"][name].update(keys)
        self.supervise()
        for name, expected in (("none", "not found in PATH"),
                               ("file", "run /no/such: No such file"),
                               ("folder", "folder /no/such/folder: No such"),
                               ("user", "user no-such-user: there is none")):
            seen = self.until_state(name, "FAILED")
            self.assertIn(expected, seen["last_error"])


class Surroundings(WatchCase):
    def test_what_a_process_is_given(self):
        self.command("it", "sh", "-c",
                     "echo $GREETING-$NUMBER; pwd; ls /proc/self/fd; "
                     "kill -PIPE $$; echo unreached",
                     environment={"GREETING": "hello", "NUMBER": 5},
                     folder="/", restart="never")
        self.supervise()
        seen = self.until_state("it", "FAILED")
        self.assertIn("signal 13", seen["last_error"])
        lines = self.text_of("state/logs/it.out.log").split()
        self.assertEqual(lines[:2], ["hello-5", "/"])
        self.assertEqual(lines[2:], ["0", "1", "2", "3"])  # 3 is the folder

    @unittest.skipUnless(os.getuid() == 0, "only root can become another")
    def test_another_user(self):
        self.command("it", "sh", "-c", "id -un; id -G; echo $HOME",
                     user="nobody", folder="/", restart="never")
        self.supervise()
        self.until_state("it", "STOPPED")
        lines = self.text_of("state/logs/it.out.log").splitlines()
        self.assertEqual(lines[0], "nobody")
        self.assertNotIn("0", lines[1].split())
        self.assertEqual(lines[2], "/nonexistent")

    def test_the_socket_is_the_users_alone(self):
        self.supervise()
        mode = os.stat(self.settings["control"]).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state")).st_mode),
                         0o700)

    def test_one_supervisor_at_a_time(self):
        first = self.supervise()
        done = self.watch("run")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"another supervisor runs", done.stderr)
        first.kill()
        first.wait()
        # Its socket is still there, and nobody is confused by that.
        self.assertTrue(os.path.exists(self.settings["control"]))
        os.unlink(self.settings["control"])
        second = self.supervise()
        self.down(second)

    def test_the_socket_speaks_lines_of_json(self):
        self.command("it", "sleep", "100")
        self.supervise()
        lines = self.speak()
        for request, expected in (
                (b'{"do": "status"}', b'"ok":true'),
                (b'not json', b'"ok":false'),
                (b'{"do": 5}', b'"do\\" is none of'),
                (b'{"do": "stop"}', b'no \\"service\\"'),
                (b'{"do": "stop", "service": "it"}', b'"STOPPED"'),
                (b'{"do": "start", "service": "it", "wait": false}',
                 b'{"ok":true}')):
            lines.write(request + b"\n")
            lines.flush()
            self.assertIn(expected, lines.readline())
        # Several at once are answered in turn.
        lines.write(b'{"do": "stop", "service": "it"}\n'
                    b'{"do": "status"}\n{"do": "reload"}\n')
        lines.flush()
        self.assertIn(b'"STOPPED"', lines.readline())
        self.assertIn(b'"services"', lines.readline())
        self.assertIn(b'"ok":true', lines.readline())
        lines.write(b"x" * 4096)
        lines.flush()
        self.assertIn(b"too long", lines.readline())
        self.assertEqual(lines.readline(), b"")


class Order(WatchCase):
    def chain(self):
        """db, api after db, web after api; each writes when it began."""
        for name, after in (("web", ["api"]), ("api", ["db"]), ("db", [])):
            self.service(name, after=after)

    def test_starts_in_order_and_ends_in_reverse(self):
        self.chain()
        log = self.path("order")
        for name, service in self.settings["services"].items():
            service["command"] = [
                "sh", "-c",
                f'echo +{name} >>{log}; trap "echo -{name} >>{log}; '
                'kill $p; exit 0" TERM; "$@" & p=$!; wait', "sh",
                *[str(word) for word in service["command"]]]
        supervisor = self.supervise()
        self.until_healthy("web")
        self.down(supervisor)
        self.assertEqual(self.text_of("order").split(),
                         ["+db", "+api", "+web", "-web", "-api", "-db"])

    def test_who_waits_says_for_whom(self):
        self.chain()
        self.mark("db.sick")
        self.supervise()
        self.until_state("db", "STARTING")
        self.assertEqual(self.look("api")["waits_for"], "db")
        self.assertEqual(self.look("web")["waits_for"], "api")
        self.assertEqual(self.look("web")["state"], "STOPPED")
        self.unmark("db.sick")
        self.until_healthy("web")

    def test_sigterm_and_sigint_end_it_in_order(self):
        for which in (signal.SIGTERM, signal.SIGINT):
            self.chain()
            supervisor = self.supervise()
            self.until_healthy("web")
            pids = [pid for pid, _ in children_of(supervisor.pid)]
            self.assertEqual(len(pids), 4)  # and the guard
            self.end(supervisor, which)
            self.assertEqual([pid for pid in pids if is_alive(pid)], [])


class Settings(WatchCase):
    def refused(self, expected):
        done = subprocess.run(
            [WEIR, "--config", self.save(), "watch"], capture_output=True,
            env=self.environment(), timeout=30, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(expected.encode(), done.stderr)
        self.assertIn(b"weir.yaml:1:", done.stderr)

    def test_errors_name_place_and_key(self):
        for keys, expected in (
                ({"command": None}, "watch.services.it: it has no command"),
                ({"command": "sleep 5"}, "expected a list of arguments"),
                ({"command": []}, "expected a list of arguments"),
                ({"command": [["a"]]}, "expected text"),
                ({"comand": ["x"]}, "did you mean command?"),
                ({"interval": 0}, "seconds above 0"),
                ({"interval": "often"}, "watch.services.it.interval"),
                ({"restart": "maybe"}, "always, on-failure or never"),
                ({"probe": "old"}, "fresh or pooled"),
                ({"fall": 0}, "watch.services.it.fall"),
                ({"max_restarts": -1}, "watch.services.it.max_restarts"),
                ({"multiplier": 0.5}, "from 1 to 100"),
                ({"environment": ["A=b"]}, "a mapping of variables"),
                ({"environment": {"A=b": 1}}, "no name of a variable"),
                ({"health": "http://localhost: 11434"}, "byte 17"),
                ({"health": "ftp://localhost/"}, "expected an address"),
                ({"accept": [99]}, "such as 200 or 200-299"),
                ({"accept": ["300-200"]}, "such as 200 or 200-299"),
                ({"after": ["ti"]}, "did you mean it?"),
                ({"after": ["nobody"]}, "there is no service 'nobody'"),
                ({"after": ["it"]}, "it would have to come after itself"),
                ({"log_files": 0}, "watch.services.it.log_files")):
            self.command("it", "sleep", "100", **keys)
            self.refused(expected)
        self.settings["services"] = {"a/b": {"command": ["x"]}}
        self.refused("at most 64 letters")
        self.settings["services"] = {}
        self.settings["servces"] = {}
        self.refused("did you mean services?")

    def test_a_circle_is_refused(self):
        self.command("a", "sleep", "100", after=["c"])
        self.command("b", "sleep", "100", after=["a"])
        self.command("c", "sleep", "100", after=["b"])
        self.refused("it would have to come after itself")

    def test_a_path_too_long_for_a_socket(self):
        self.settings["control"] = self.path("x" * 120)
        done = subprocess.run(
            [WEIR, "--config", self.save(), "watch"], capture_output=True,
            env=self.environment(), timeout=30, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"expected 1 to 107", done.stderr)

    def test_a_file_in_place_of_the_socket_is_left_alone(self):
        self.settings["control"] = self.write("precious", b"data")
        done = subprocess.run(
            [WEIR, "--config", self.save(), "watch"], capture_output=True,
            env=self.environment(), timeout=30, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Address already in use", done.stderr)
        self.assertEqual(self.text_of("precious"), "data")

    def test_config_shows_them(self):
        self.command("it", "sleep", "100")
        done = subprocess.run(
            [WEIR, "--config", self.save(), "config", "--json"],
            capture_output=True, env=self.environment(), check=True)
        shown = json.loads(done.stdout)["watch"]
        self.assertEqual(shown["state"]["value"], self.settings["state"])
        self.assertEqual(shown["services"]["layer"], self.path("weir.yaml"))


if __name__ == "__main__":
    unittest.main()
