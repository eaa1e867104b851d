"""weir watch: what health checks ask, and what comes of the answers."""

import os
import resource
import unittest

from watch_cli import WatchCase, is_alive
from weir_cli import ok


class Health(WatchCase):
    def test_one_that_becomes_unhealthy_is_restarted(self):
        self.service("it")
        self.supervise()
        first = self.until_healthy("it")["pid"]
        self.mark("it.sick")
        self.until(lambda: self.look("it")["restarts"] == 1)
        self.assertIn("status 500", self.look("it")["last_error"])
        self.unmark("it.sick")
        seen = self.until_healthy("it")
        self.assertNotEqual(seen["pid"], first)
        self.assertFalse(is_alive(first))

    def test_one_that_recovers_by_itself_is_left_alone(self):
        self.service("it", fall=1000000)
        self.supervise()
        first = self.until_healthy("it")["pid"]
        self.mark("it.sick")
        self.until(lambda: self.look("it")["health"]["fails_in_a_row"] > 2)
        self.unmark("it.sick")
        self.until(lambda: self.look("it")["health"]["fails_in_a_row"] == 0)
        self.assertEqual(self.look("it")["pid"], first)
        self.assertEqual(self.look("it")["restarts"], 0)

    def test_without_restarts_it_is_shown_as_unhealthy(self):
        self.service("it", restart="never", rise=2)
        self.supervise()
        self.until_healthy("it")
        self.mark("it.sick")
        seen = self.until(lambda: not self.look("it")["healthy"]
                          and self.look("it"))
        self.assertEqual(seen["state"], "RUNNING")
        self.assertEqual(self.watch("status").returncode, 1)
        self.unmark("it.sick")
        self.until_healthy("it")

    def test_a_check_that_hangs_has_a_time_limit(self):
        self.service("it", health_timeout=0.2, fall=2, restart="never")
        self.supervise()
        self.until_healthy("it")
        self.mark("it.hangs")
        seen = self.until(lambda: not self.look("it")["healthy"]
                          and self.look("it"))
        self.assertIn("0.2", seen["health"]["error"])
        self.unmark("it.hangs")

    def checked(self, answer, **keys):
        """A process that only lives, and an answer for its checks."""
        server = self.serve(answer)
        self.command("it", "sleep", "100", health=server.url("/health"),
                     interval=0.02, startup_interval=0.02, **keys)
        return server

    def test_checks_are_fresh_or_pooled(self):
        for kind, is_fresh in (("fresh", True), ("pooled", False)):
            server = self.checked(lambda request: ok(), probe=kind)
            supervisor = self.supervise()
            self.until(lambda: len(server.requests) >= 10)
            self.down(supervisor)
            if is_fresh:
                self.assertEqual(server.connections, len(server.requests))
            else:
                self.assertEqual(server.connections, 1)

    def test_accepted_statuses(self):
        status = [b"204"]
        length = b"Content-Length: 0\r\n"
        self.checked(lambda request: (
            b"HTTP/1.1 %s x\r\n%s\r\n"
            % (status[0], b"" if status[0] == b"204" else length)),
                     accept=[204, "300-399"], restart="never")
        self.supervise()
        self.until_healthy("it")
        status[0] = b"301"
        self.until(lambda: self.look("it")["health"]["status"] == 301)
        self.assertTrue(self.look("it")["healthy"])
        status[0] = b"503"
        self.until(lambda: not self.look("it")["healthy"])
        self.assertEqual(self.look("it")["health"]["error"], "status 503")

    def test_redirects_stay_with_the_service(self):
        other = self.serve(lambda request: ok())
        to = [b"/other"]

        def answer(request):
            if b"GET /other " in request:
                return ok()
            return (b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: "
                    + to[0] + b"\r\n\r\n")
        self.checked(answer, restart="never")
        self.supervise()
        self.until_healthy("it")
        to[0] = other.url("/").encode()
        self.until(lambda: not self.look("it")["healthy"])
        self.assertEqual(self.look("it")["health"]["status"], 302)
        self.assertEqual(other.connections, 0)

    def test_a_body_without_end_is_not_read(self):
        body = b"x" * 1000000
        server = self.checked(lambda request: (
            b"HTTP/1.1 200 x\r\nContent-Length: 100000000000\r\n\r\n" + body))
        self.supervise()
        self.until_healthy("it")
        self.until(lambda: server.connections > 5)
        self.assertTrue(self.look("it")["healthy"])

    def test_no_proxy_of_the_environment_is_used(self):
        proxy = self.serve(lambda request: ok())
        self.checked(lambda request: ok())
        os.environ["http_proxy"] = proxy.url()
        self.addCleanup(os.environ.pop, "http_proxy")
        self.supervise()
        self.until_healthy("it")
        self.assertEqual(proxy.connections, 0)

    def test_a_full_pool_restarts_nothing(self):
        """One hangs and holds the only connection; the others cannot ask."""
        for line in (0, 10):
            self.save(http_connection_pool={"max_connections": 1,
                                            "max_waiting": line})
            self.service("slow", restart="never", health_timeout=2.5)
            self.service("it", health_timeout=1)
            supervisor = self.supervise()
            first = self.until_healthy("it")["pid"]
            self.until_healthy("slow")
            self.mark("slow.hangs")
            self.until(lambda: "could not ask: " in (
                self.look("it")["health"]["error"] or ""))
            self.until(lambda: self.look("slow")["health"]["fails_in_a_row"])
            seen = self.look("it")
            self.assertEqual((seen["pid"], seen["restarts"]), (first, 0))
            self.unmark("slow.hangs")
            self.until_healthy("it")
            self.down(supervisor)

    def test_a_local_failure_restarts_nothing(self):
        self.service("it", interval=0.02, fall=1)
        supervisor = self.supervise()
        first = self.until_healthy("it")
        lines = self.speak()

        def look():
            status = self.speak_to(lines, do="status")["status"]
            return status["services"][0]
        look()  # it has been let in
        limits = resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE)
        # No descriptor is left for a check.
        resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE,
                         (3, limits[1]))
        stamps = set()

        def has_failed_often():
            seen = look()
            if "oo many open files" in (seen["health"]["error"] or ""):
                stamps.add(seen["health"]["at"])
            return len(stamps) > 5
        self.until(has_failed_often)
        self.assertTrue(look()["healthy"])
        resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE, limits)
        self.until(lambda: not look()["health"]["error"])
        seen = look()
        self.assertEqual(seen["pid"], first["pid"])
        self.assertEqual(seen["restarts"], 0)
        self.assertTrue(seen["healthy"])


if __name__ == "__main__":
    unittest.main()
