"""weir watch: services that do what services do."""

import os
import resource
import time
import unittest

from watch_cli import WatchCase, children_of, is_alive


class Processes(WatchCase):
    def test_one_that_exits_at_once(self):
        self.command("it", "sh", "-c", "echo one >&2; echo two >&2; exit 3",
                     max_restarts=3, cooldown=1000)
        supervisor = self.supervise()
        seen = self.until_state("it", "FAILED")
        self.assertEqual(seen["restarts"], 3)
        self.assertIn("exit code 3; stderr: one | two", seen["last_error"])
        self.assertGreater(seen["next_start_s"], 900)
        # Nothing of it is left, not even a zombie.
        self.assertEqual(len(children_of(supervisor.pid)), 1)

    def test_the_try_after_the_cool_down_and_the_end(self):
        self.command("it", "sh", "-c", f"echo x >>{self.path('runs')}; exit 3",
                     max_restarts=2, cooldown=0.3)
        self.supervise()

        def is_given_up():
            seen = self.look("it")
            return seen["state"] == "FAILED" and seen["next_start_s"] is None

        self.assertTrue(self.until(is_given_up))
        # The start, two restarts, and the last try.
        self.assertEqual(self.text_of("runs"), "x\n" * 4)

    def test_a_job_that_ends_well_is_let_go(self):
        self.command("it", "sh", "-c", "echo done", restart="on-failure")
        self.command("un", "sh", "-c", "sleep 0.2; exit 1",
                     restart="on-failure", max_restarts=1, cooldown=1000)
        self.supervise()
        seen = self.until_state("it", "STOPPED")
        self.assertFalse(seen["wanted"])
        self.assertEqual(seen["restarts"], 0)
        self.assertEqual(self.until_state("un", "FAILED")["restarts"], 1)

    def test_one_that_hangs_at_start(self):
        self.service("it", startup_limit=1, shutdown_limit=5, restart="never")
        self.mark("it.hangs")
        self.supervise()
        pid = self.until_state("it", "STARTING")["pid"]
        seen = self.until(lambda: self.look("it")["state"] == "TIMEOUT"
                          and self.look("it")["pid"] is None
                          and self.look("it"))
        self.assertIn("not healthy within 1 s", seen["last_error"])
        self.assertFalse(is_alive(pid))

    def test_one_that_ignores_sigterm(self):
        self.service("it", "ignores", shutdown_limit=0.3)
        self.supervise()
        pid = self.until_healthy("it")["pid"]
        begun = time.monotonic()
        self.assertEqual(self.watch("stop", "it").returncode, 0)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        self.assertFalse(is_alive(pid))
        self.assertIn("0.3 s after SIGTERM", self.look("it")["last_error"])

    def test_one_that_has_been_stopped_by_a_signal_can_still_end(self):
        self.service("it", shutdown_limit=1000)
        self.supervise()
        pid = self.until_healthy("it")["pid"]
        os.kill(pid, 19)
        self.assertEqual(self.watch("stop", "it").returncode, 0)

    def test_what_it_has_forked_ends_with_it(self):
        self.service("it", "forks")
        self.supervise()
        self.until_healthy("it")
        child = int(self.text_of("it.child"))
        self.assertTrue(is_alive(child))
        self.assertEqual(self.watch("stop", "it").returncode, 0)
        self.until(lambda: not is_alive(child))

        # Also if it dies by itself.
        self.assertEqual(self.watch("start", "it").returncode, 0)
        self.until(lambda: int(self.text_of("it.child")) != child)
        child = int(self.text_of("it.child"))
        os.kill(self.look("it")["pid"], 9)
        self.until(lambda: not is_alive(child))
        self.assertEqual(self.until_healthy("it")["restarts"], 1)

    def test_a_death_is_noticed_at_once(self):
        self.service("it", interval=1000, restart="never")
        self.supervise()
        os.kill(self.until_healthy("it")["pid"], 11)
        seen = self.until_state("it", "FAILED")
        self.assertIn("signal 11", seen["last_error"])

    def test_one_that_flaps(self):
        self.service("it", max_restarts=2, cooldown=1000)
        self.supervise()
        pids = set()
        for _ in range(3):
            seen = self.until_healthy("it")
            self.assertNotIn(seen["pid"], pids)
            pids.add(seen["pid"])
            os.kill(seen["pid"], 9)
            self.until(lambda: self.look("it")["pid"] not in pids)
        seen = self.until_state("it", "FAILED")
        self.assertEqual(seen["restarts"], 2)
        self.assertEqual(self.watch("start", "it").returncode, 0)
        self.assertEqual(self.until_healthy("it")["restarts_in_window"], 0)


class Output(WatchCase):
    def test_a_flood_is_rotated_and_takes_no_memory(self):
        self.command("it", "sh", "-c",
                     "yes 'a line of the flood' & exec sleep 100",
                     log_size=0.25, log_files=3)
        supervisor = self.supervise()
        logs = self.path("state/logs")

        def files():
            return sorted(name for name in os.listdir(logs) if "out" in name)
        self.until(lambda: len(files()) == 3)
        before = self.memory(supervisor.pid)
        seen = self.inode(f"{logs}/it.out.log.1")
        rotations = 200
        for _ in range(rotations):
            self.until(lambda: self.inode(f"{logs}/it.out.log.1") != seen)
            seen = self.inode(f"{logs}/it.out.log.1")
        # A part of the flood, since a sanitizer takes some for itself.
        flood = rotations << 18
        self.assertLess(self.memory(supervisor.pid) - before, flood // 4)
        self.assertEqual(self.status()["running"], 1)  # and it answers
        self.down(supervisor)
        self.assertEqual(files(), ["it.out.log", "it.out.log.1",
                                   "it.out.log.2"])
        for name in files():
            self.assertLess(os.stat(f"{logs}/{name}").st_size, (1 << 18) + 65536)
        for name in files()[1:]:
            text = self.text_of(f"state/logs/{name}")
            self.assertEqual(set(text.splitlines()), {"a line of the flood"})
            self.assertTrue(text.endswith("\n"))

    @staticmethod
    def inode(path):
        try:
            return os.stat(path).st_ino
        except OSError:
            return None

    @staticmethod
    def memory(pid):
        with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def test_a_full_disk_is_told(self):
        os.makedirs(self.path("state/logs"))
        os.symlink("/dev/full", self.path("state/logs/it.out.log"))
        self.command("it", "sh", "-c", "yes & exec sleep 100")
        self.supervise()
        seen = self.until(lambda: "could not be written"
                          in (self.look("it")["last_error"] or "")
                          and self.look("it"))
        self.assertEqual(seen["state"], "RUNNING")

    def test_the_last_words_are_in_the_file(self):
        self.command("it", "sh", "-c", "seq 1 20000; echo end", settle=0,
                     restart="never")
        self.supervise()
        self.until_state("it", "STOPPED")
        lines = self.text_of("state/logs/it.out.log").splitlines()
        self.assertEqual(lines, [*(str(n) for n in range(1, 20001)), "end"])


if __name__ == "__main__":
    unittest.main()
