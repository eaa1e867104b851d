"""weir fetch, as a person and as a script would use it."""

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import threading
import unittest

from weir_cli import WEIR, Case, ok, reports, weir


def echo(request):
    """Answers with the request itself."""
    return ok(request)


def answers(*list_of):
    """Answers in their order; the last one again and again."""
    left = list(list_of)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def head(status, *fields):
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields,
                         b"Content-Length: 0", b"", b""])


class Persistence(Case):
    def test_redirects_are_followed_only_when_asked(self):
        server = self.serve(lambda r: ok(b"there") if b"/to" in r else
                            head(b"302 Found", b"Location: /to"))
        self.assertEqual(weir("fetch", server.url("/from")).stdout, b"")
        done = weir("fetch", "-L", server.url("/from"))
        self.assertEqual((done.returncode, done.stdout), (0, b"there"))
        done = weir("fetch", "-L", "--report", "json", server.url("/from"))
        report = reports(done)[0]
        self.assertEqual([(a["kind"], a["url"], a["status"])
                          for a in report["attempts"]],
                         [("first", server.url("/from"), 302),
                          ("redirect", server.url("/to"), 200)])

    def test_too_many_redirects_are_an_error(self):
        server = self.serve(lambda _: head(b"302 F", b"Location: /again"))
        done = weir("fetch", "--max-redirects", "3", server.url())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"more than 3 redirects", done.stderr)
        self.assertEqual(len(server.requests), 4)

    def test_retries_and_their_delays(self):
        server = self.serve(answers(head(b"503 Busy"), head(b"503 Busy"),
                                    ok(b"done")))
        done = weir("fetch", "--retry", "2", "--retry-delay", "0.01", "-v",
                    server.url())
        self.assertEqual((done.returncode, done.stdout), (0, b"done"))
        self.assertIn(b"attempt 3 of 3", done.stderr)

    def test_a_report_of_a_failure_has_the_attempts(self):
        server = self.serve(answers((b"", True)))
        done = weir("fetch", "--retry", "2", "--retry-delay", "0.01",
                    "--report", "json", server.url())
        self.assertEqual(done.returncode, 1)
        report = reports(done)[0]
        self.assertEqual([(a["kind"], a["url"], a["status"], a["error"])
                          for a in report["attempts"]],
                         [(kind, server.url(), None, report["error"]["code"])
                          for kind in ("first", "retry", "retry")])
        self.assertEqual(report["error"]["attempts"], 3)
        self.assertIsNone(report["status"])

    def test_a_redirect_that_is_refused_is_in_the_report(self):
        server = self.serve(lambda _: head(b"302 Found", b"Location: ftp://h"))
        done = weir("fetch", "-L", "--report", "json", server.url())
        report = reports(done)[0]
        self.assertEqual(report["error"]["code"], "WEIR_E_REDIRECT")
        self.assertEqual([(a["kind"], a["status"], a["error"])
                          for a in report["attempts"]],
                         [("first", 302, None)])

    def test_the_policy_stands_in_settings_as_it_is(self):
        server = self.serve(answers(head(b"503 B"), head(b"503 B"), ok(b"x")))
        settings = self.write("s.yaml", b"""
http_connection_pool:
  retry: {attempts: 3, delay: 0.01, backoff: 2.0, max_delay: 30.0}
""")
        done = weir("fetch", "--config", settings, server.url())
        self.assertEqual(done.stdout, b"x")

    def test_a_breaker_refuses_at_once(self):
        server = self.serve(lambda _: head(b"500 Broken"))
        done = weir("fetch", "--breaker", "2", *[server.url()] * 5,
                    "--report", "json")
        self.assertEqual([(r["error"] or {}).get("code")
                          for r in reports(done)],
                         [None, None] + ["WEIR_E_BREAKER_OPEN"] * 3)
        self.assertEqual(len(server.requests), 2)
        self.assertGreater(reports(done)[4]["error"]["retry_in"], 0)

    def slow_once(self):
        """A server that leaves its first request without an answer."""
        is_over = threading.Event()
        is_first = threading.Lock()

        def answer(_):
            if is_first.acquire(blocking=False):
                is_over.wait(60)
            return ok(b"done")

        server = self.serve(answer)
        self.addCleanup(is_over.set)
        return server

    def test_a_hedge_shows_in_report_and_trace(self):
        for delay in (["--hedge", "0.05"], ["--hedge=0.05"]):
            server = self.slow_once()
            done = weir("fetch", *delay, "-v", "--stats", "--report", "json",
                        server.url())
            self.assertEqual(
                [(a["kind"], a["status"], a["error"])
                 for a in reports(done)[0]["attempts"]],
                [("first", None, "WEIR_E_CANCELLED"), ("hedge", 200, None)])
            self.assertRegex(done.stderr, rb"\* .* hedge http:.* connection 2: "
                                          rb"a second request, 0\.\d+ s after")
            self.assertIn(b": the second request has won", done.stderr)
            self.assertIn(b"hedges 1 (won 1)", done.stderr)

    def test_a_hedge_after_the_usual_time(self):
        settings = self.write("s.yaml", b"""
http_connection_pool:
  hedge: {delay: 0.05}
""")
        for args in (["--hedge"], []):
            server = self.slow_once()
            done = weir("fetch", "--config", settings, *args, server.url())
            self.assertEqual((done.returncode, done.stdout), (0, b"done"))
            self.assertEqual(len(server.requests), 2)
        done = weir("fetch", "--hedge=soon", server.url())
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--hedge", done.stderr)

    def test_a_breaker_by_rate(self):
        server = self.serve(answers(ok(b"x"), head(b"500 Broken")))
        done = weir("fetch", "--breaker-rate", "0.5", "--breaker-window", "60",
                    "--breaker-min-requests", "4", *[server.url()] * 6,
                    "--report", "json")
        self.assertEqual([(r["error"] or {}).get("code")
                          for r in reports(done)],
                         [None] * 4 + ["WEIR_E_BREAKER_OPEN"] * 2)
        for bad in ("1.5", "-1", "x", ""):
            self.assertEqual(weir("fetch", "--breaker-rate", bad,
                                  server.url()).returncode, 2)

    def test_the_way_down_needs_to_be_allowed(self):
        plain = self.serve(lambda _: ok(b"down"))
        cert, key = self.make_cert()
        secure = self.serve(
            lambda _: head(b"302 F", b"Location: " + plain.url().encode()),
            tls=self.tls_context(cert, key))
        args = ["fetch", "-L", "--cacert", cert]
        done = weir(*args, secure.url())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"from https to http", done.stderr)
        done = weir(*args, "--redirect-downgrade", secure.url())
        self.assertEqual((done.returncode, done.stdout), (0, b"down"))

    def test_bounds_on_what_is_decoded(self):
        zeros = bytes(4 << 20)
        server = self.serve(lambda _: ok(gzip.compress(zeros),
                                         b"Content-Encoding: gzip\r\n"))
        args = ["fetch", "--compressed", server.url()]
        done = weir(*args)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"max_decode_ratio", done.stderr)
        done = weir(*args, "--max-decode-ratio", "10000")
        self.assertEqual((done.returncode, done.stdout), (0, zeros))
        done = weir(*args, "--max-decode-ratio", "10000", "--max-decoded",
                    str(len(zeros) - 1))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"max_decoded", done.stderr)

    def test_compressed(self):
        body = gzip.compress(b"hello")
        server = self.serve(lambda _: ok(body, b"Content-Encoding: gzip\r\n"))
        self.assertEqual(weir("fetch", server.url()).stdout, body)
        self.assertEqual(weir("fetch", "--compressed", server.url()).stdout,
                         b"hello")
        report = reports(weir("fetch", "--compressed", "--report", "json",
                              server.url()))[0]
        self.assertEqual(report["codings"], "gzip")

    def test_credentials(self):
        server = self.serve(echo)
        self.assertIn(b"Authorization: Basic dTpwOnE=\r\n",
                      weir("fetch", "-u", "u:p:q", server.url()).stdout)
        token = self.write("token", b"abc\n")
        for given in ("abc", "@" + token):
            self.assertIn(b"Authorization: Bearer abc\r\n",
                          weir("fetch", "--bearer", given,
                               server.url()).stdout)
        done = weir("fetch", "-u", "u:p", "--bearer", "x", server.url())
        self.assertEqual(done.returncode, 2)
        self.assertEqual(weir("fetch", "-u", "u", server.url()).returncode, 2)

    def test_proxies(self):
        proxy = self.serve(echo)
        url = "http://origin.example/path"
        at = f"http://127.0.0.1:{proxy.port}"
        done = weir("fetch", "--proxy", at, "--proxy-user", "u:p@:/", url)
        self.assertTrue(done.stdout.startswith(b"GET " + url.encode()))
        self.assertIn(b"Proxy-Authorization: Basic dTpwQDov\r\n", done.stdout)
        done = weir("fetch", url, env={"http_proxy": at})
        self.assertTrue(done.stdout.startswith(b"GET " + url.encode()))
        for around in (["--noproxy", "127.0.0.0/8"], ["--proxy", ""]):
            done = weir("fetch", *around, proxy.url("/direct"),
                        env={"http_proxy": "http://127.0.0.1:1"})
            self.assertTrue(done.stdout.startswith(b"GET /direct "), around)


class Output(Case):
    def test_body_goes_to_standard_output_byte_for_byte(self):
        body = bytes(range(256)) * 10
        server = self.serve(lambda _: ok(body))
        done = weir("fetch", server.url())
        self.assertEqual((done.returncode, done.stdout), (0, body))
        self.assertEqual(done.stderr, b"")

    def test_urls_are_fetched_in_order_over_one_connection(self):
        server = self.serve(lambda r: ok(r.split()[1]))
        done = weir("fetch", *(server.url(f"/{i};") for i in range(9)))
        self.assertEqual(done.stdout, b"".join(b"/%d;" % i for i in range(9)))
        self.assertEqual(server.connections, 1)

    def test_no_pool_opens_a_connection_for_each(self):
        server = self.serve(lambda _: ok())
        weir("fetch", "--no-pool", *[server.url()] * 5)
        self.assertEqual(server.connections, 5)

    def test_output_file_appears_only_when_whole(self):
        target = self.write("out", b"before")
        server = self.serve(
            lambda _: (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", True))
        done = weir("fetch", "-o", target, server.url())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"ended early", done.stderr)
        with open(target, "rb") as file:
            self.assertEqual(file.read(), b"before")
        self.assertEqual(os.listdir(self.folder), ["out"])

    def test_output_and_remote_name(self):
        server = self.serve(lambda r: ok(r.split()[1]))
        weir("fetch", "-o", self.path("a"), "-o", self.path("b"),
             server.url("/1"), server.url("/2"))
        with open(self.path("a"), "rb") as a, open(self.path("b"), "rb") as b:
            self.assertEqual((a.read(), b.read()), (b"/1", b"/2"))
        done = weir("fetch", "-O", server.url("/dir/name.txt?q=1"),
                    cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(os.path.exists(self.path("name.txt")))

    def test_remote_name_is_never_a_path_out_of_the_folder(self):
        server = self.serve(lambda _: ok())
        for path in ("/", "/..", "/a/..?x", ""):
            done = weir("fetch", "-O", server.url(path), cwd=self.folder)
            self.assertEqual(done.returncode, 2, path)
        self.assertEqual(os.listdir(self.folder), [])

    def test_include_and_head(self):
        server = self.serve(lambda _: ok(b"body", b"X-A: b\r\n"))
        done = weir("fetch", "-i", server.url())
        self.assertTrue(done.stdout.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(done.stdout.endswith(b"X-A: b\r\n\r\nbody"))
        server = self.serve(
            lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        done = weir("fetch", "-I", server.url())
        self.assertIn(b"Content-Length: 4\r\n\r\n", done.stdout)
        self.assertTrue(server.requests[0].startswith(b"HEAD "))

    def test_closed_standard_output_ends_quietly(self):
        server = self.serve(lambda _: ok(b"x" * 100000))
        reader, writer = os.pipe()
        os.close(reader)
        import subprocess
        done = subprocess.run([os.environ["WEIR"], "fetch"]
                              + [server.url()] * 50, stdout=writer,
                              stderr=subprocess.PIPE, timeout=30, check=False)
        os.close(writer)
        self.assertEqual(done.returncode, 1)
        self.assertLess(len(server.requests), 10)


class Requests(Case):
    def test_method_fields_and_data(self):
        server = self.serve(echo)
        done = weir("fetch", "-X", "PATCH", "-H", "X-One: 1", "-H", "X-Two:2",
                    "-d", "a=1", "-d", "b=2", server.url("/p"))
        self.assertTrue(done.stdout.startswith(b"PATCH /p HTTP/1.1\r\n"))
        for line in (b"\r\nX-One: 1\r\n", b"\r\nX-Two: 2\r\n",
                     b"\r\nContent-Length: 7\r\n",
                     b"\r\nContent-Type: application/x-www-form-urlencoded"):
            self.assertIn(line, done.stdout)
        self.assertTrue(done.stdout.endswith(b"\r\n\r\na=1&b=2"))

    def test_data_from_a_file_and_from_standard_input(self):
        server = self.serve(echo)
        big = os.urandom(300000)
        done = weir("fetch", "-d", "@" + self.write("f", big), server.url())
        self.assertTrue(done.stdout.endswith(b"\r\n\r\n" + big))
        done = weir("fetch", "-d", "@-", server.url(), stdin=b"from stdin")
        self.assertTrue(done.stdout.startswith(b"POST "))
        self.assertTrue(done.stdout.endswith(b"\r\n\r\nfrom stdin"))

    def test_json(self):
        server = self.serve(echo)
        done = weir("fetch", "--json", '{"a":1}', server.url())
        self.assertIn(b"\r\nContent-Type: application/json\r\n", done.stdout)
        self.assertIn(b"\r\nAccept: application/json\r\n", done.stdout)
        self.assertTrue(done.stdout.endswith(b'{"a":1}'))

    def test_resolve_keeps_the_host_field(self):
        server = self.serve(echo)
        done = weir("fetch", "--resolve",
                    f"test.example:{server.port}:127.0.0.1",
                    f"http://test.example:{server.port}/")
        self.assertIn(b"\r\nHost: test.example:%d\r\n" % server.port,
                      done.stdout)

    def test_unix_socket(self):
        path = self.path("sock")
        self.serve(lambda _: ok(b"unix"), family=socket.AF_UNIX, address=path)
        done = weir("fetch", "--unix-socket", path, "http://service/")
        self.assertEqual(done.stdout, b"unix")

    def test_tls(self):
        cert, key = self.make_cert()
        server = self.serve(lambda _: ok(b"safe"),
                            tls=self.tls_context(cert, key))
        self.assertEqual(weir("fetch", "--cacert", cert,
                              server.url()).stdout, b"safe")
        self.assertEqual(weir("fetch", "-k", server.url()).stdout, b"safe")
        done = weir("fetch", server.url())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"certificate", done.stderr)
        done = weir("fetch", "--cacert", cert, "--resolve",
                    f"wrong.example:{server.port}:127.0.0.1",
                    f"https://wrong.example:{server.port}/")
        self.assertEqual(done.returncode, 1)

    def test_missing_ca_file_is_named(self):
        done = weir("fetch", "--cacert", "/no/such", "https://127.0.0.1/")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"/no/such", done.stderr)


class Many(Case):
    def test_parallel_never_interleaves_and_keeps_to_the_pool(self):
        server = self.serve(lambda r: ok(r.split()[1] * 2000 + b"\n"))
        urls = b"\n".join(server.url(f"/{i}").encode() for i in range(60))
        done = weir("fetch", "--parallel", "8", "--input", "-",
                    stdin=b"# a comment\n\n" + urls)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = sorted(done.stdout.split())
        self.assertEqual(lines, sorted(b"/%d" % i * 1 and (b"/%d" % i) * 2000
                                       for i in range(60)))
        self.assertLessEqual(server.connections, 8)

    def test_parallel_failures_stand_beside_successes(self):
        server = self.serve(lambda r: ok(r.split()[1] + b"\n"))
        urls = [server.url(f"/{i}") for i in range(20)]
        urls[7] = "http://127.0.0.1:1/"
        urls[13] = "http://:80/"
        done = weir("fetch", "--parallel", "5", *urls)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(sorted(done.stdout.split()),
                         sorted(b"/%d" % i for i in range(20)
                                if i not in (7, 13)))
        self.assertIn(b"connection refused", done.stderr)
        self.assertIn(b"fetch http://:80/: ", done.stderr)

    def test_no_more_than_asked_for_are_under_way(self):
        lock = threading.Lock()
        at_work, most = 0, 0

        def answer(_):
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            with lock:
                at_work -= 1
            return ok()

        server = self.serve(answer)
        done = weir("fetch", "--parallel", "4", *[server.url()] * 40)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, b"ok" * 40)
        self.assertLessEqual(most, 4)
        self.assertLessEqual(server.connections, 4)

    def test_a_signal_ends_all_of_them(self):
        for which in (signal.SIGINT, signal.SIGTERM):
            self.assert_ended_by(which)

    def assert_ended_by(self, which):
        asked = threading.Semaphore(0)
        ended = threading.Event()

        def hang(_):
            asked.release()
            ended.wait(20)
            return ok()

        server = self.serve(hang)
        process = subprocess.Popen(
            [WEIR, "fetch", "--parallel", "3", *[server.url()] * 9],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3):
            self.assertTrue(asked.acquire(timeout=20))
        process.send_signal(which)
        _, errors = process.communicate(timeout=20)
        ended.set()
        self.assertEqual(process.returncode, 128 + which)
        self.assertEqual(errors.count(b"the pool was closed"), 3)

    def test_input_objects(self):
        server = self.serve(echo)
        lines = [
            {"url": server.url("/a"), "id": {"n": 1}},
            {"url": server.url("/b"), "method": "PUT", "body": "text",
             "fields": [["X-Y", "z"], ["X-Y", "z2"]]},
            {"url": server.url("/c"), "body_file": self.write("f", b"file")},
        ]
        path = self.write("input", b"\n".join(json.dumps(line).encode()
                                              for line in lines))
        first, second, third = reports(weir("fetch", "--report", "json",
                                            "--input", path))
        self.assertEqual(first["id"], {"n": 1})
        self.assertNotIn("id", second)
        sent = base64.b64decode(second["body"])
        self.assertIn(b"X-Y: z\r\nX-Y: z2\r\n", sent)
        self.assertTrue(sent.startswith(b"PUT /b"))
        self.assertTrue(base64.b64decode(third["body"]).endswith(b"file"))

    def test_input_errors_name_file_and_line(self):
        for text, expected in (
                (b"http://a/\n{bad", b":2: column"),
                (b'{"url": 5}', b":1: method, url, body and body_file"),
                (b'{"link": "x"}', b':1: unknown key "link"'),
                (b'{"method": "GET"}', b':1: no "url"'),
                (b'{"url":"http://a/","fields":{"a":"b"}}', b":1: fields must"),
                (b'{"url":"http://a/","body":"x","body_file":"y"}',
                 b":1: body and body_file exclude")):
            path = self.write("input", text)
            done = weir("fetch", "--input", path)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(b"input" + expected, done.stderr)

    def test_one_failure_does_not_hide_the_others(self):
        server = self.serve(lambda _: ok(b"fine"))
        done = weir("fetch", "http://127.0.0.1:1/", server.url())
        self.assertEqual((done.returncode, done.stdout), (1, b"fine"))
        self.assertIn(b"connection refused", done.stderr)


class Report(Case):
    def test_success(self):
        server = self.serve(lambda _: ok(b"\x00\xff", b"X-L: \xe9\r\n"))
        one, two = reports(weir("fetch", "--report", "json", server.url(),
                                server.url()))
        self.assertEqual(one["status"], 200)
        self.assertEqual(one["version"], "1.1")
        self.assertEqual(one["reason"], "OK")
        self.assertIn(["X-L", "\u00e9"], one["fields"])
        self.assertEqual(base64.b64decode(one["body"]), b"\x00\xff")
        self.assertIsNone(one["error"])
        self.assertEqual([one["reused"], two["reused"]], [False, True])
        self.assertEqual(one["connection"], two["connection"])
        self.assertEqual(one["time_limits"]["total"], 30.0)
        self.assertGreater(one["timings"]["total"], 0)
        self.assertEqual(two["timings"]["connect"], 0)

    def test_no_body_has_the_length_only(self):
        server = self.serve(lambda _: ok(b"12345"))
        one, = reports(weir("fetch", "--report", "json", "--no-body",
                            server.url()))
        self.assertNotIn("body", one)
        self.assertEqual(one["body_length"], 5)

    def test_truncated_body_is_reported_with_what_came(self):
        server = self.serve(
            lambda _: (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", True))
        done = weir("fetch", "--report", "json", server.url())
        one, = reports(done)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(base64.b64decode(one["body"]), b"hal")
        self.assertEqual(one["error"]["code"], "WEIR_E_TRUNCATED")
        self.assertEqual(one["error"]["class"], "PEER")
        self.assertEqual(one["error"]["stage"], "body")
        self.assertTrue(one["error"]["may_have_been_processed"])

    def test_failures_without_a_response(self):
        done = weir("fetch", "--report", "json", "http://localhost: 11434",
                    "http://127.0.0.1:1/")
        bad, refused = reports(done)
        self.assertEqual(bad["error"]["code"], "WEIR_E_URL")
        self.assertEqual(bad["error"]["offset"], 17)
        self.assertIsNone(bad["status"])
        self.assertEqual(refused["error"]["code"], "WEIR_E_CONNECT")
        self.assertEqual(refused["error"]["stage"], "connect")
        self.assertFalse(refused["error"]["may_have_been_processed"])

    def test_http_errors_fail_only_with_fail(self):
        server = self.serve(
            lambda _: b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(weir("fetch", server.url()).returncode, 0)
        self.assertEqual(weir("fetch", "-f", server.url()).returncode, 1)


class Limits(Case):
    def test_timeout_names_its_stage(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            one, = reports(weir("fetch", "--report", "json", "-m", "0.2", url))
            self.assertEqual(one["error"]["code"], "WEIR_E_TOTAL_TIMEOUT")
            self.assertEqual(one["error"]["stage"], "response")
            one, = reports(weir("fetch", "--report", "json",
                                "--first-byte-timeout", "0.2", url))
            self.assertEqual(one["error"]["code"], "WEIR_E_FIRST_BYTE_TIMEOUT")

    def test_max_body_bounds_a_report(self):
        server = self.serve(lambda _: ok(b"x" * 1000))
        one, = reports(weir("fetch", "--report", "json", "--max-body", "10",
                            server.url()))
        self.assertEqual(one["error"]["code"], "WEIR_E_LIMIT")


class Verbose(Case):
    def test_steps_and_reasons(self):
        server = self.serve(
            lambda _: ok(b"x", b"Connection: close\r\n"))
        done = weir("fetch", "-v", server.url())
        steps = [line.split()[2] for line in done.stderr.splitlines()
                 if line.startswith(b"*")]
        self.assertEqual(steps, [b"dial", b"connected", b"lease", b"sent",
                                 b"response", b"close"])
        self.assertIn(b"does not allow reuse", done.stderr)

    def test_stats(self):
        server = self.serve(lambda _: ok())
        done = weir("fetch", "--stats", server.url(), server.url())
        self.assertIn(b"requests 2, failures 0, connections 1, reused 1",
                      done.stderr)


class Usage(Case):
    def test_a_proxy_that_is_away_is_named(self):
        for args, said in (
                (["--proxy", "http://127.0.0.1:1"],
                 "proxy: connect to 127.0.0.1:1: connection refused"),
                (["--proxy", "socks5h://127.0.0.1:1"],
                 "proxy: connect to 127.0.0.1:1: connection refused"),
                (["--proxy", "http://127.0.0.1:1", "-6"],
                 "proxy: resolve 127.0.0.1: not an IPv6 address")):
            done = weir("fetch", *args, "http://a.test/")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr.decode(),
                             f"weir: fetch http://a.test/: {said}\n")

    def test_mistakes_are_answered_with_help(self):
        for args, expected in (
                (["fetch"], b"no URL"),
                (["fetch", "--paralel", "2", "x"], b"did you mean --parallel?"),
                (["fetch", "--parallel", "0", "x"], b"from 1 to 10000"),
                (["fetch", "-m", "soon", "x"], b"expected seconds"),
                (["fetch", "-H", "nocolon", "x"], b"NAME: VALUE"),
                (["fetch", "--report", "xml", "x"], b"expected json"),
                (["fetch", "-o", "a", "-O", "x"], b"exclude each other"),
                (["fetch", "-o"], b"needs an argument"),
                (["fech"], b"unknown command 'fech'; did you mean 'fetch'?\n"
                           b"'weir help' lists them.\n"),
                (["--confg"], b"unknown option"),
                ([], b"usage: weir")):
            done = weir(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(expected, done.stderr, args)

    def test_unknown_options_of_any_command(self):
        for command in (["fetch"], ["bench"], ["config"], ["providers"],
                        ["versions"], ["watch"], ["watch", "run"],
                        ["watch", "status"], ["watch", "history"]):
            for option, expected in (
                    ("--confg", "unknown option --confg; did you mean "
                                "--config?"),
                    ("--nonsense", "unknown option --nonsense\n"),
                    ("-Z", "unknown option -Z\n")):
                if command[-1] == "history":
                    expected = expected.replace("; did you mean --config?", "")
                done = weir(*command, option)
                self.assertEqual(done.returncode, 2, command)
                self.assertEqual(done.stdout, b"")
                first, hint, rest = done.stderr.decode().split("\n")
                self.assertIn(expected.rstrip(), first)
                self.assertTrue(first.startswith("weir " + command[0]), first)
                self.assertIn(" --help'.", hint)
                self.assertEqual(rest, "")
        for args, expected in (
                (["fetch", "--stats", "-sZ"], b"unknown option -Z\n"),
                (["fetch", "--stats=3"], b"--stats takes no argument\n"),
                (["fetch", "--re"], b"--re may be one of several options\n"),
                (["fetch", "--cert"], b"--cert needs an argument\n"),
                (["fetch", "-sX"], b"-X needs an argument\n"),
                (["watch", "--plain", "stop", "x"],
                 b"'stop'; a verb comes before the options")):
            done = weir(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(expected, done.stderr, args)

    def test_help_and_version(self):
        for args in (["--help"], ["help"], ["help", "fetch"],
                     ["fetch", "--help"], ["bench", "--help"],
                     ["config", "--help"]):
            done = weir(*args)
            self.assertEqual(done.returncode, 0, args)
            self.assertIn(b"usage: weir", done.stdout)
        self.assertRegex(weir("--version").stdout, rb"^weir \d+\.\d+\.\d+ ")


if __name__ == "__main__":
    unittest.main()
