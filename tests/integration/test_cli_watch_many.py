"""weir watch: two hundred services at once."""

import time
import unittest

from watch_cli import WatchCase, children_of, is_alive


class Many(WatchCase):
    COUNT = 200

    def test_two_hundred_at_once(self):
        for index in range(self.COUNT):
            server = f"s{index:03}"
            self.command(server, "sleep", "1000", interval=0.5,
                         startup_interval=0.02, startup_limit=60)
        origin = self.serve(lambda request: (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        for name, service in self.settings["services"].items():
            service["health"] = origin.url("/" + name)
        begun = time.monotonic()
        supervisor = self.supervise()
        self.until(lambda: self.status()["healthy"] == self.COUNT, limit=60)
        print(f"{self.COUNT} healthy after {time.monotonic() - begun:.2f} s")
        asked = len(origin.requests)
        self.until(lambda: len(origin.requests) > asked + 2 * self.COUNT)
        status = self.status()
        self.assertEqual(status["healthy"], self.COUNT)
        self.assertEqual(sum(service["restarts"]
                             for service in status["services"]), 0)
        children = children_of(supervisor.pid)
        self.assertEqual(len(children), self.COUNT + 1)
        begun = time.monotonic()
        self.down(supervisor)
        print(f"down after {time.monotonic() - begun:.2f} s")
        self.assertEqual([pid for pid, _ in children if is_alive(pid)], [])


if __name__ == "__main__":
    unittest.main()
