"""weir watch: new settings touch only what they change."""

import json
import signal
import unittest

from watch_cli import WatchCase, is_alive


class Reload(WatchCase):
    def setUp(self):
        super().setUp()
        for name in ("kept", "changed", "removed"):
            self.service(name)
        self.supervisor = self.supervise()
        self.pids = {name: self.until_healthy(name)["pid"]
                     for name in self.settings["services"]}

    def alter(self):
        services = self.settings["services"]
        services["changed"]["environment"] = {"NEW": "yes"}
        del services["removed"]
        self.service("added", after=["changed"])
        self.save()

    def check_altered(self):
        self.until_healthy("added")
        self.until(lambda: self.look("removed") is None)
        self.assertEqual(self.look("kept")["pid"], self.pids["kept"])
        self.assertEqual(self.look("kept")["restarts"], 0)
        changed = self.look("changed")
        self.assertNotEqual(changed["pid"], self.pids["changed"])
        self.assertEqual(changed["restarts"], 0)
        with open(f"/proc/{changed['pid']}/environ", "rb") as file:
            self.assertIn(b"\0NEW=yes\0", b"\0" + file.read())
        self.assertFalse(is_alive(self.pids["removed"]))
        self.assertFalse(is_alive(self.pids["changed"]))

    def test_only_what_has_changed_is_touched(self):
        self.alter()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.check_altered()
        self.down(self.supervisor)

    def test_sighup_does_the_same(self):
        self.alter()
        self.supervisor.send_signal(signal.SIGHUP)
        self.check_altered()

    def check_untouched(self):
        for name, pid in self.pids.items():
            seen = self.look(name)
            self.assertEqual((seen["pid"], seen["state"]), (pid, "RUNNING"))

    def test_a_bad_file_changes_nothing_and_says_why(self):
        good = json.dumps({"watch": self.settings})
        for bad, expected in (
                ("watch: [", b"weir.yaml:2:1:"),
                (good.replace('"interval": 0.05', '"interval": 0'),
                 b"watch.services.kept.interval: found 0"),
                (good.replace("control.sock", "other.sock"),
                 b"watch.control cannot change"),
                ('{"http_connection_pool": {"max_connections": 0}, '
                 + good[1:], b"max_connections"),
                ('{"http_connection_pool": {"verify": false}, '
                 + good[1:], b"verify")):
            self.write("weir.yaml", bad.encode())
            # The client reads the same file, so it is asked by hand.
            answer = self.speak_to(self.speak(), do="reload")
            self.assertFalse(answer["ok"])
            self.assertIn(expected, answer["error"].encode())
        # A mistake in a service keeps nobody from asking about the others.
        self.write("weir.yaml", good.replace('"interval": 0.05',
                                             '"interval": 0').encode())
        self.assertEqual(self.watch("status").returncode, 0)
        self.save()
        self.check_untouched()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.check_untouched()

    def test_one_that_was_stopped_stays_so(self):
        self.assertEqual(self.watch("stop", "changed").returncode, 0)
        self.settings["services"]["changed"]["environment"] = {"A": 1}
        self.save()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.assertEqual(self.look("changed")["state"], "STOPPED")
        self.assertEqual(self.watch("start", "changed").returncode, 0)

    def test_a_failed_one_is_mended(self):
        port = self.settings["services"]["changed"]["command"]
        self.settings["services"]["changed"]["command"] = ["false"]
        self.settings["services"]["changed"]["max_restarts"] = 1
        self.settings["services"]["changed"]["cooldown"] = 1000
        self.save()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.until_state("changed", "FAILED")
        self.settings["services"]["changed"]["command"] = port
        self.save()
        self.assertEqual(self.watch("reload").returncode, 0)
        self.until_healthy("changed")

    def test_one_that_comes_back_while_it_ends(self):
        self.service("slow", "ignores", shutdown_limit=1)
        self.save()
        self.watch("reload")
        first = self.until_healthy("slow")["pid"]
        slow = self.settings["services"].pop("slow")
        self.save()
        self.watch("reload")
        self.assertEqual(self.look("slow")["state"], "STOPPING")
        self.settings["services"]["slow"] = slow
        self.save()
        self.watch("reload")
        self.until(lambda: not is_alive(first))
        self.assertNotEqual(self.until_healthy("slow")["pid"], first)


if __name__ == "__main__":
    unittest.main()
