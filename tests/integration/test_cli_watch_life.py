"""weir watch: what outlives a supervisor, and what new settings change."""

import contextlib
import json
import os
import signal
import unittest

from watch_cli import WatchCase, children_of, is_alive


def guard_of(supervisor):
    """The process that ends what is left when the supervisor is gone."""
    for pid, _ in children_of(supervisor.pid):
        with contextlib.suppress(OSError):  # it may end meanwhile
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                if file.read() == "weir-guard\n":
                    return pid
    return None


class Killed(WatchCase):
    def test_nothing_is_left_behind(self):
        self.service("it", "forks", "ignores")
        self.command("un", "sh", "-c", "sleep 1000 & sleep 1000")
        supervisor = self.supervise()
        self.until_healthy("it")
        self.until_state("un", "RUNNING")
        pids = [pid for pid, _ in children_of(supervisor.pid)]
        grandchildren = [child for pid in pids
                         for child, _ in children_of(pid)]
        self.assertEqual(len(pids), 3)
        self.assertEqual(len(grandchildren), 3)
        supervisor.kill()
        supervisor.wait()
        self.until(lambda: not any(map(is_alive, pids + grandchildren)))

    def test_the_guard_is_replaced(self):
        self.service("it", "forks")
        supervisor = self.supervise()
        self.until_healthy("it")
        child = int(self.text_of("it.child"))
        first = guard_of(supervisor)
        os.kill(first, signal.SIGKILL)
        second = self.until(lambda: guard_of(supervisor) not in (None, first)
                            and guard_of(supervisor))
        self.assertTrue(is_alive(second))
        supervisor.kill()
        supervisor.wait()
        self.until(lambda: not is_alive(child) and not is_alive(second))

    def test_a_second_signal_ends_it_at_once(self):
        self.service("it", "ignores", shutdown_limit=1000)
        supervisor = self.supervise()
        pid = self.until_healthy("it")["pid"]
        supervisor.terminate()
        self.until_state("it", "STOPPING")
        supervisor.terminate()
        self.assertEqual(supervisor.wait(timeout=10), -signal.SIGTERM)
        self.until(lambda: not is_alive(pid))


class Detached(WatchCase):
    def tearDown(self):
        for service in self.settings["services"]:
            with open(self.path(service + ".pid"), encoding="utf-8") as file:
                pid = int(file.read())
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        super().tearDown()

    def test_it_outlives_the_supervisor_and_is_adopted(self):
        self.service("it", detach=True)
        for ending in (signal.SIGKILL, signal.SIGTERM):
            supervisor = self.supervise()
            first = self.until_healthy("it")
            supervisor.send_signal(ending)
            supervisor.wait(timeout=20)
            self.assertTrue(is_alive(first["pid"]))
            supervisor = self.supervise()
            seen = self.until_healthy("it")
            self.assertEqual(seen["pid"], first["pid"])
            self.assertEqual(seen["state"], "RUNNING")
            supervisor.send_signal(ending)
            supervisor.wait(timeout=20)
        # It is noticed at once when an adopted one dies.
        self.settings["services"]["it"]["interval"] = 1000
        supervisor = self.supervise()
        second = self.until_healthy("it")
        self.assertNotEqual(second["pid"], first["pid"])  # changed settings
        supervisor.kill()
        supervisor.wait()
        supervisor = self.supervise()
        self.assertEqual(self.until_healthy("it")["pid"], second["pid"])
        os.kill(second["pid"], signal.SIGKILL)
        third = self.until(lambda: self.look("it")["restarts"] == 1
                           and self.until_healthy("it"))
        self.assertNotEqual(third["pid"], second["pid"])
        # An orderly end ends it as well.
        self.down(supervisor)
        self.assertFalse(is_alive(third["pid"]))

    def test_a_number_given_to_another_is_never_adopted(self):
        self.service("it", detach=True)
        supervisor = self.supervise()
        first = self.until_healthy("it")["pid"]
        supervisor.kill()
        supervisor.wait()
        path = self.path("state/detached.json")
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        for key, value in (("start", 1), ("pid", os.getpid())):
            wrong = json.loads(json.dumps(state))
            wrong["services"]["it"][key] = value
            self.write("state/detached.json", json.dumps(wrong).encode())
            supervisor = self.supervise()
            seen = self.until_healthy("it")
            self.assertNotIn(seen["pid"], (first, os.getpid()))
            self.down(supervisor)
        wrong = dict(state, boot="another")
        self.write("state/detached.json", json.dumps(wrong).encode())
        supervisor = self.supervise()
        self.assertNotEqual(self.until_healthy("it")["pid"], first)
        self.down(supervisor)
        self.assertTrue(is_alive(first))  # nobody has touched it
        os.kill(first, signal.SIGKILL)

    def test_one_that_nobody_wants_any_more_is_ended(self):
        self.service("it", detach=True)
        supervisor = self.supervise()
        pid = self.until_healthy("it")["pid"]
        supervisor.kill()
        supervisor.wait()
        services = self.settings["services"]
        self.settings["services"] = {}
        supervisor = self.supervise()
        self.until(lambda: not is_alive(pid))
        self.down(supervisor)
        self.settings["services"] = services

    def test_its_output_goes_on_and_is_rotated(self):
        self.service("it", detach=True, log_size=0.001, log_files=3)
        service = self.settings["services"]["it"]
        service["command"] = [
            "sh", "-c", 'while seq 1 100 && sleep 0.1; do :; done & "$@"',
            "sh", *[str(word) for word in service["command"]]]
        supervisor = self.supervise()
        self.until_healthy("it")
        supervisor.kill()
        supervisor.wait()
        size = os.path.getsize(self.path("state/logs/it.out.log"))
        self.until(lambda: os.path.getsize(
            self.path("state/logs/it.out.log")) > size + 1000)
        supervisor = self.supervise()
        self.until(lambda: os.path.exists(
            self.path("state/logs/it.out.log.1")))
        self.assertGreater(os.path.getsize(
            self.path("state/logs/it.out.log.1")), 1000)
        self.down(supervisor)


if __name__ == "__main__":
    unittest.main()
