"""weir providers: against real servers, for each way in which one can fail."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

from weir_cli import WEIR, Case, ok, weir

KEY = "sk-test-0123456789abcdef"
DEADLINE = 20


def status(code, body=b"no"):
    return (b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\n"
            % (code, len(body)) + body)


def path_of(request):
    return request.split(b" ")[1].decode()


def field_of(request, name):
    for line in request.split(b"\r\n"):
        if line.lower().startswith(name.lower() + b":"):
            return line.split(b":", 1)[1].strip()
    return None


def ollama(*models):
    body = json.dumps({"models": [{"name": name} for name in models]})

    def answer(request):
        return {"/": ok(b"Ollama is running"),
                "/api/tags": ok(body.encode())}.get(path_of(request),
                                                    status(404))
    return answer


def openai_list(*models):
    return json.dumps({"data": [{"id": name} for name in models]}).encode()


def llama_server(*models):
    def answer(request):
        return {"/health": ok(b'{"status":"ok"}'),
                "/v1/models": ok(openai_list(*models))}[path_of(request)]
    return answer


class Providers(Case):
    def setUp(self):
        super().setUp()
        self.env = {"XDG_STATE_HOME": self.path("state"),
                    "HOME": self.folder, "NO_COLOR": "1"}
        self.known = {}
        self.more = {}

    def know(self, ident, kind, url, **keys):
        self.known[ident] = {"kind": kind, "base_url": url, **keys}

    def serve_never(self, before=lambda _: None):
        """Hangs, unless there is something to answer `before`."""
        over = threading.Event()

        def answer(request):
            said = before(request)
            if said is None:
                over.wait(2 * DEADLINE)
                said = (b"", True)
            return said

        server = self.serve(answer)
        self.addCleanup(over.set)  # comes before the server's own
        return server

    def settings(self, **section):
        """A settings file; JSON is YAML."""
        chain = section.pop("chain", list(self.known))
        return self.write("providers.yaml", json.dumps(
            {"providers": {"chain": chain, "known": self.known, **section},
             **self.more}).encode())

    def run_weir(self, *args, env=None, **section):
        return weir("--config", self.settings(**section), "providers", *args,
                    env={**self.env, **(env or {})}, cwd=self.folder,
                    timeout=DEADLINE)

    def listing(self, *args, env=None, code=None, **section):
        done = self.run_weir("--json", *args, env=env, **section)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stderr)
        return {one["id"]: one
                for one in json.loads(done.stdout)["providers"]}

    def rows(self):
        path = self.path("state/weir/providers.db")
        with contextlib.closing(sqlite3.connect(path)) as store:
            return store.execute(
                "SELECT provider_id, success, latency_ms, error_message,"
                " timestamp FROM provider_performance ORDER BY id").fetchall()

    def assert_state(self, answer, state, reason, kind="openai", **keys):
        server = self.serve(answer) if callable(answer) else answer
        self.known = {}
        self.know("one", kind, server.url(""), needs_key=False, **keys)
        one = self.listing(code=1)["one"]
        self.assertEqual(one["state"], state, one)
        self.assertIn(reason, one["reason"])
        self.assertFalse(one["available"])
        self.assertEqual(one["models"], [])
        self.assertGreater(one["latency_ms"], 0)


class Listing(Providers):
    def test_each_kind_with_its_models(self):
        one = self.serve(ollama("llama3:latest", "phi"))
        two = self.serve(llama_server("qwen"))
        three = self.serve(lambda _: ok(openai_list("gpt", "o1")))
        self.know("one", "ollama", one.url(), cost_tier="low",
                  default_model="phi")
        self.know("two", "llama_server", two.url(""))
        self.know("three", "openai", three.url("/v1/"), name="Third",
                  key_env="THIRD_KEY")
        found = self.listing(code=0, env={"THIRD_KEY": KEY})
        self.assertEqual(list(found), ["one", "two", "three"])
        self.assertEqual([one["state"] for one in found.values()],
                         ["available"] * 3)
        self.assertEqual(found["one"]["models"], ["llama3:latest", "phi"])
        self.assertEqual(found["two"]["models"], ["qwen"])
        self.assertEqual(found["three"]["models"], ["gpt", "o1"])
        self.assertEqual(found["one"]["cost_tier"], "low")
        self.assertEqual(found["three"]["name"], "Third")
        self.assertEqual([path_of(request) for request in one.requests],
                         ["/", "/api/tags"])
        self.assertEqual([path_of(request) for request in two.requests],
                         ["/health", "/v1/models"])
        self.assertEqual([path_of(request) for request in three.requests],
                         ["/v1/models"])
        # Through one pool: the second request rides on the first's connection.
        self.assertEqual((one.connections, two.connections), (1, 1))
        table = self.run_weir(env={"THIRD_KEY": KEY})
        self.assertEqual(table.returncode, 0)
        lines = table.stdout.decode().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[1], r"^one .* available +[0-9.]+ ms +low +"
                                   r"llama3:latest, phi  ")
        self.assertNotIn(b"\033", table.stdout)

    def test_nothing_is_recorded(self):
        server = self.serve(ollama())
        self.know("one", "ollama", server.url())
        self.listing(code=0)
        self.assertFalse(os.path.exists(self.path("state")))

    def test_all_are_asked_at_once(self):
        count = 12
        together = threading.Barrier(count)

        def answer(_):
            # Nobody is answered before all have asked.
            together.wait(DEADLINE)
            return ok(openai_list("m"))

        server = self.serve(answer)
        for i in range(count):
            self.know(f"p{i}", "openai", server.url(f"/{i}"), needs_key=False)
        found = self.listing("--timeout", str(DEADLINE), code=0)
        self.assertEqual({one["state"] for one in found.values()},
                         {"available"})
        self.assertFalse(together.broken)

    def test_built_in_ones_without_settings(self):
        server = self.serve(ollama("m"))
        prefix = "WEIR_PROVIDERS__KNOWN__"
        env = {prefix + "OLLAMA__BASE_URL": server.url(),
               prefix + "LLAMA_SERVER__BASE_URL": server.url("/v1"),
               prefix + "OPENAI__NAME": "Mine", **self.env}
        done = weir("providers", "--json", env=env)
        found = json.loads(done.stdout)["providers"]
        self.assertEqual([one["id"] for one in found],
                         ["ollama", "llama_server", "openai"])
        self.assertEqual(found[0]["state"], "available")
        self.assertEqual(found[2]["state"], "not_configured")
        self.assertEqual(found[2]["name"], "Mine")
        self.assertEqual(found[2]["reason"], "OPENAI_API_KEY is not set")

    def test_order_and_choice(self):
        server = self.serve(ollama("m"))
        for name in "abc":
            self.know(name, "ollama", server.url())
        self.assertEqual(list(self.listing(chain=["c", "a", "b"])),
                         ["c", "a", "b"])
        self.assertEqual(list(self.listing("b", "c", chain=["c", "a", "b"])),
                         ["c", "b"])
        found = self.listing(env={"WEIR_PROVIDERS__KNOWN__D__KIND": "ollama"},
                             chain=None)
        self.assertEqual(list(found), ["ollama", "llama_server", "openai", "d",
                                       "a", "b", "c"])

    def test_a_proxy_is_not_asked_for_this_machine(self):
        server = self.serve(ollama("m"))
        self.know("one", "ollama", server.url())
        self.listing(code=0, env={"http_proxy": "http://127.0.0.1:1"})

    def test_config_shows_the_section(self):
        path = self.settings(timeout=2, chain=None)
        done = weir("--config", path, "config", "--json", env=self.env)
        section = json.loads(done.stdout)["providers"]
        self.assertEqual(section["timeout"]["value"], "2.0")
        self.assertEqual(section["timeout"]["layer"], path)
        self.assertEqual(section["keep_days"],
                         {"value": "90.0", "layer": "default", "line": 0,
                          "column": 0})
        self.assertEqual(section["known"]["kind"], "mapping")
        done = weir("--config", self.settings(timeot=2, chain=None),
                    "config")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"providers.timeot: unknown key, did you mean timeout?",
                      done.stderr)


class Unavailable(Providers):
    def test_refused(self):
        # Bound and not listening: nobody else can take the port.
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.know("one", "ollama",
                      "http://127.0.0.1:%d" % held.getsockname()[1])
            one = self.listing(code=1)["one"]
        self.assertEqual(one["state"], "refused")
        self.assertIn("connection refused", one["reason"])

    def test_timed_out(self):
        self.assert_state(
            self.serve_never(), "timed_out",
            "/v1/models: no whole answer within 1 s (response)", timeout=1)

    def test_the_limit_holds_for_both_requests_together(self):
        server = self.serve_never(
            lambda request: ok() if path_of(request) == "/health" else None)
        self.assert_state(
            server, "timed_out",
            "/v1/models: no whole answer within 2 s (response)",
            timeout=2, kind="llama_server")

    def test_bad_key(self):
        for code in (401, 403):
            self.assert_state(lambda _, code=code: status(code), "bad_key",
                              f"/v1/models: HTTP status {code}")

    def test_wrong_status(self):
        for code in (204, 404, 500, 503):
            self.assert_state(lambda _, code=code: status(code, b""),
                              "wrong_status", f"HTTP status {code}")
        self.assert_state(lambda _: status(503), "wrong_status", "/health",
                          kind="llama_server")
        self.assert_state(
            lambda request: ok() if path_of(request) == "/" else status(500),
            "wrong_status", "/api/tags: HTTP status 500", kind="ollama")

    def test_a_redirect_is_a_wrong_status(self):
        elsewhere = self.serve(lambda _: ok(openai_list("m")))
        self.assert_state(
            lambda _: b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
                      + elsewhere.url().encode() + b"\r\n\r\n",
            "wrong_status", "HTTP status 302")
        self.assertEqual(elsewhere.connections, 0)

    def test_malformed(self):
        for body, reason in ((b"<html>", "no JSON: line 1"),
                             (b"", "no JSON"),
                             (b"[1]", 'without a list "data"'),
                             (b'{"data": {}}', 'without a list "data"'),
                             (b'{"data": [{"id": 5}]}',
                              "data[0].id is no name"),
                             (b'{"data": [{"id": "a"}, "b"]}',
                              "data[1].id is no name"),
                             (b'{"data": [{"id": ""}]}', "data[0].id"),
                             (b"[" * 100000, "no JSON")):
            self.assert_state(lambda _, body=body: ok(body), "malformed",
                              reason)

    def test_no_http_at_all(self):
        self.assert_state(lambda _: (b"SSH-2.0-x\r\n\r\n", True), "malformed",
                          "invalid response")
        self.assert_state(
            lambda _: (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", True),
            "malformed", "")

    def test_an_answer_without_end_is_cut_off(self):
        body = b" " * (9 << 20)
        self.assert_state(lambda _: ok(body), "malformed", "larger than")

    def test_connection_lost(self):
        self.assert_state(lambda _: (b"", True), "lost", "")

    def test_no_tls_there(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def greet():
            with listener.accept()[0] as sock:
                sock.sendall(b"220 welcome\r\n")
                sock.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        self.know("one", "ollama",
                  "https://127.0.0.1:%d" % listener.getsockname()[1])
        self.assertEqual(self.listing(code=1)["one"]["state"], "tls")
        thread.join()

    def test_certificate_that_nobody_vouches_for(self):
        cert, key = self.make_cert()
        server = self.serve(lambda _: ok(), tls=self.tls_context(cert, key))
        self.know("one", "ollama", server.url())
        self.assertEqual(self.listing(code=1)["one"]["state"], "tls")
        self.assertEqual(server.requests, [])

    def test_no_such_host(self):
        dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        dns.bind(("127.0.0.1", 0))
        self.addCleanup(dns.close)
        dns.settimeout(DEADLINE)

        def deny():
            with contextlib.suppress(OSError):
                while True:
                    query, peer = dns.recvfrom(4096)
                    dns.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6)
                               + query[12:], peer)

        thread = threading.Thread(target=deny, daemon=True)
        thread.start()
        self.more = {"http_connection_pool": {
            "dns_servers": "127.0.0.1:%d" % dns.getsockname()[1]}}
        self.know("one", "ollama", "http://nowhere.test:1")
        one = self.listing(code=1)["one"]
        self.assertEqual(one["state"], "unresolved", one)
        self.assertIn("nowhere.test", one["reason"])

    def test_one_that_fails_hides_no_other(self):
        good = self.serve(ollama("m"))
        bad = self.serve(lambda _: (b"", True))
        self.know("bad", "ollama", bad.url())
        self.know("good", "ollama", good.url())
        found = self.listing(code=0)
        self.assertEqual(found["bad"]["state"], "lost")
        self.assertEqual(found["good"]["state"], "available")


class Keys(Providers):
    def test_without_a_good_key_nothing_is_asked(self):
        server = self.serve(lambda _: ok(openai_list("m")))
        for value, reason in ((None, "MY_KEY is not set"),
                              ("", "is empty"),
                              ("placeholder-key-for-you", "placeholder"),
                              ("PLACEHOLDER0123456", "placeholder"),
                              ("short", "under 10 characters"),
                              ("123456789", "under 10 characters"),
                              ("a key with spaces", "no key has"),
                              ("line\r\nbreak-0123456", "no key has")):
            self.know("one", "openai", server.url(), key_env="MY_KEY")
            env = {} if value is None else {"MY_KEY": value}
            one = self.listing(code=1, env=env)["one"]
            self.assertEqual(one["state"], "not_configured", one)
            self.assertIn(reason, one["reason"])
            self.assertIsNone(one["latency_ms"])
        self.know("one", "openai", server.url())
        one = self.listing(code=1)["one"]
        self.assertEqual(one["state"], "not_configured")
        self.assertIn("key_env or key_file", one["reason"])
        self.assertEqual(server.connections, 0)

    def test_ten_characters_will_do(self):
        server = self.serve(lambda _: ok(openai_list("m")))
        self.know("one", "openai", server.url(), key_env="MY_KEY")
        self.listing(code=0, env={"MY_KEY": "0123456789"})
        self.assertEqual(field_of(server.requests[0], b"authorization"),
                         b"Bearer 0123456789")

    def test_from_a_file(self):
        server = self.serve(lambda _: ok(openai_list("m")))
        self.write("key", f"\n {KEY}\n".encode())
        for path in (self.path("key"), "~/key"):
            self.know("one", "openai", server.url(), key_file=path)
            self.listing(code=0)
            self.assertEqual(field_of(server.requests[-1], b"authorization"),
                             b"Bearer " + KEY.encode())

    def test_files_that_hold_no_key(self):
        server = self.serve(lambda _: ok())
        for data, reason in ((None, "No such file"),
                             (b"", "is empty"),
                             (b"placeholder", "placeholder"),
                             (b"x" * 5000, "more than 4096 bytes")):
            path = self.path("none")
            if data is not None:
                path = self.write("key", data)
            self.know("one", "openai", server.url(), key_file=path)
            one = self.listing(code=1)["one"]
            self.assertEqual(one["state"], "not_configured")
            self.assertIn(reason, one["reason"])
        self.assertEqual(server.connections, 0)

    def test_local_kinds_send_one_if_they_have_one(self):
        server = self.serve(llama_server("m"))
        self.know("one", "llama_server", server.url())
        self.listing(code=0)
        self.assertIsNone(field_of(server.requests[0], b"authorization"))
        self.know("one", "llama_server", server.url(), key_env="MY_KEY")
        self.listing(code=0, env={"MY_KEY": KEY})
        self.assertEqual([field_of(request, b"authorization")
                          for request in server.requests[2:]],
                         [b"Bearer " + KEY.encode()] * 2)
        self.assertEqual(self.listing(code=1)["one"]["state"],
                         "not_configured")

    def assert_secret(self, done):
        for text in (done.stdout, done.stderr):
            self.assertNotIn(KEY.encode(), text)

    def everything_kept(self):
        return b"".join(path.read_bytes()
                        for path in pathlib.Path(self.path("state")).rglob("*")
                        if path.is_file())

    def test_it_is_shown_nowhere(self):
        """Not even when the server sends it back."""
        def echo(request):
            key = field_of(request, b"authorization").split()[1].decode()
            return {"/a/v1/models": ok(openai_list(key, "other")),
                    "/b/v1/models": status(401, key.encode()),
                    "/c/v1/models": ok(key.encode()),
                    "/d/v1/models": b"HTTP/1.1 500 " + key.encode()
                                    + b"\r\nContent-Length: 0\r\n\r\n",
                    "/e/v1/models": (key.encode() + b"\r\n\r\n", True),
                    "/f/v1/models": b"HTTP/1.1 200 OK\r\nContent-Length: "
                                    + key.encode() + b"\r\n\r\n",
                    "/g/v1/models": b"HTTP/1.1 302 OK\r\nContent-Length: 0\r\n"
                                    b"Location: /" + key.encode()
                                    + b"\r\n\r\n"}[path_of(request)]

        server = self.serve(echo)
        for name in "abcdefg":
            self.know(name, "openai", server.url("/" + name),
                      key_env="MY_KEY")
        env = {"MY_KEY": KEY}
        for args in ((), ("--json",), ("-v",), ("select",),
                     ("select", "-v", "--json"),
                     ("select", "--need-model", "none"), ("history",),
                     ("history", "--json")):
            done = self.run_weir(*args, env=env)
            self.assertLess(done.returncode, 2, done.stderr)
            self.assert_secret(done)
        self.assertNotIn(KEY.encode(), self.everything_kept())
        self.assertTrue(self.rows())
        self.assert_secret(weir("--config", self.settings(), "config",
                                env={**self.env, **env}))
        self.assertEqual(server.requests[0].count(KEY.encode()), 1)

    def test_it_is_no_argument(self):
        self.know("one", "openai", "http://127.0.0.1:1")
        for args in (["--key", KEY], [f"--key={KEY}"]):
            self.assertEqual(self.run_weir(*args).returncode, 2)

    def test_one_in_the_settings_is_refused_and_not_shown(self):
        for keys in ({"key": KEY}, {"key_env": KEY}, {"api_key": KEY},
                     {"key_env": KEY.replace("-", "_")}):
            self.know("one", "openai", "http://127.0.0.1:1", **keys)
            done = self.run_weir()
            self.assertEqual(done.returncode, 2, keys)
            self.assert_secret(done)
            self.assertNotIn(b"0123456789", done.stderr)
            self.assertRegex(done.stderr, rb":1:\d+: providers\.known\.one\.")

    def test_one_in_the_address_is_refused_and_not_shown(self):
        for url in (f"http://u:{KEY}@127.0.0.1:1", f"http://a/?key={KEY}",
                    f"http://u:{KEY}@local host", f"http://a/#{KEY}"):
            self.know("one", "openai", url)
            done = self.run_weir()
            self.assertEqual(done.returncode, 2, url)
            self.assert_secret(done)
            self.assertIn(b"without user, query and fragment", done.stderr)


class Settings(Providers):
    def assert_refused(self, expected, *args, **section):
        done = self.run_weir(*args, **section)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(done.stdout, b"")
        self.assertIn(expected, done.stderr.decode())

    def test_an_address_with_a_space_is_refused_with_its_position(self):
        path = self.write("space.yaml",
                          b"providers:\n  known:\n    ollama:\n"
                          b"      base_url: 'http://localhost: 11434'\n")
        done = weir("--config", path, "providers", env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path[-40:]}:4:17: providers.known.ollama.base_url: "
                      f'found "http://localhost: 11434", expected a URL (port '
                      f"at byte 17", done.stderr.decode())

    def test_unknown_and_duplicate_ids_list_the_known_ones(self):
        self.know("one", "ollama", "http://127.0.0.1:1")
        known = "ollama, llama_server, openai, one"
        self.assert_refused(f'providers.chain[1]: found "too", expected one of '
                            f"the known ids: {known}", chain=["one", "too"])
        self.assert_refused(f'chain[1]: found "one", expected each id once, '
                            f"the known ones are: {known}",
                            chain=["one", "one"])
        self.assert_refused("unknown id 'too'; the known ones: one", "too")
        self.assert_refused("twice the id 'one'; the known ones: one", "one",
                            "one")
        self.assert_refused("unknown id 'too'; the known ones: one", "select",
                            "too")
        self.known["olama"] = {"base_url": "http://127.0.0.1:1"}
        self.assert_refused(f"providers.known.olama: unknown id without a "
                            f"kind; the known ids are: {known}")

    def test_an_id_that_is_defined_twice(self):
        path = self.write("twice.yaml",
                          b"providers:\n  known:\n"
                          b"    one: {kind: ollama}\n"
                          b"    one: {kind: openai}\n")
        done = weir("--config", path, "providers", env=self.env)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b":4:5: providers.known.one: expected each id once",
                      done.stderr)
        self.assertIn(b"ollama, llama_server, openai", done.stderr)

    def test_mistakes(self):
        for keys, expected in (
                ({"kind": "olama"}, 'found "olama", expected ollama, '
                                    "llama_server or openai"),
                ({"timeout": 0}, "expected seconds above 0"),
                ({"timout": 1}, "did you mean timeout?"),
                ({"cost_tier": "dear"}, "free, low, medium or high"),
                ({"base_url": "ftp://x"}, "expected http:// or https://"),
                ({"base_url": ""}, "text that is not empty"),
                ({"name": 5}, "found 5, expected text"),
                ({"key_env": "A", "key_file": "b"}, "not both"),
                ({"key_env": "not a name"}, "the name of a variable")):
            self.known = {"one": {"kind": "openai", **keys}}
            self.assert_refused(expected)
        self.known = {"a/b": {"kind": "ollama"}}
        self.assert_refused("expected an id of 1 to 64 letters")
        self.known = {}
        self.assert_refused("at least one id", chain=[])
        self.assert_refused("a sequence of ids", chain={"a": 1})
        self.assert_refused("expected seconds above 0", timeout=0, chain=None)
        self.known = "text"
        self.assert_refused("a mapping of ids to providers", chain=None)

    def test_usage(self):
        for args, expected in (
                (["--need-model", "m"], "is for 'weir providers select'"),
                (["--days", "2"], "is for 'weir providers history'"),
                (["select", "--days", "2"], "history'"),
                (["history", "--timeout", "2"], "makes no request"),
                (["--timeout", "0"], "more than 0"),
                (["--timeout", "x"], "expected seconds"),
                (["--nonsense"], "unknown option --nonsense\n"),
                (["selct"], "unknown id 'selct'; did you mean 'select'?"),
                (["olama"], "unknown id 'olama'; did you mean 'ollama'?"),
                (["ollama", "ollama"], "twice the id 'ollama'")):
            self.assert_refused(expected, *args, chain=None)
        self.assertEqual(weir("providers", "--help").returncode, 0)


class Select(Providers):
    def test_the_first_in_order_wins_however_slow(self):
        asked = threading.Event()

        def slow(request):
            # The other one has been asked, so it could have been faster.
            asked.wait(DEADLINE)
            return ollama("m")(request)

        def fast(request):
            asked.set()
            return ollama("m")(request)

        self.know("slow", "ollama", self.serve(slow).url(),
                  timeout=DEADLINE)
        self.know("fast", "ollama", self.serve(fast).url())
        done = self.run_weir("select")
        self.assertEqual((done.returncode, done.stdout), (0, b"slow\n"),
                         done.stderr)
        self.assertEqual(done.stderr, b"")

    def test_the_next_one_when_the_first_is_not_there(self):
        self.know("bad", "ollama", self.serve(lambda _: status(500)).url())
        self.know("good", "ollama", self.serve(ollama("m")).url())
        done = self.run_weir("select")
        self.assertEqual((done.returncode, done.stdout), (0, b"good\n"))

    def test_those_behind_it_are_not_waited_for(self):
        self.know("good", "ollama", self.serve(ollama("m")).url())
        self.know("hangs", "ollama", self.serve_never().url(),
                  timeout=10 * DEADLINE)
        done = self.run_weir("select", "--json")
        self.assertEqual(done.returncode, 0)
        document = json.loads(done.stdout)
        self.assertEqual(document["selected"]["id"], "good")
        self.assertEqual(document["providers"][1]["state"], "cancelled")
        # What was cut short says nothing about the provider.
        self.assertEqual([row[:2] for row in self.rows()], [("good", 1)])

    def test_none_tells_every_reason(self):
        self.know("bad", "ollama", self.serve(lambda _: status(500)).url())
        self.know("keyless", "openai", "http://127.0.0.1:1", key_env="MY_KEY")
        self.know("odd", "openai", self.serve(lambda _: ok(b"x")).url(),
                  needs_key=False)
        done = self.run_weir("select")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("bad: wrong status: /: HTTP status 500", lines[0])
        self.assertIn("keyless: not configured: MY_KEY is not set", lines[1])
        self.assertIn("odd: malformed answer: /v1/models: no JSON", lines[2])
        document = json.loads(self.run_weir("select", "--json").stdout)
        self.assertIsNone(document["selected"])
        self.assertEqual(len(document["providers"]), 3)

    def test_need_model(self):
        self.know("one", "ollama", self.serve(ollama("a:latest", "b:7b")).url())
        self.know("two", "llama_server", self.serve(llama_server("c")).url())
        for model, expected in (("a", b"one\n"), ("a:latest", b"one\n"),
                                ("b:7b", b"one\n"), ("c", b"two\n")):
            done = self.run_weir("select", "--need-model", model)
            self.assertEqual((done.returncode, done.stdout), (0, expected))
        for model in ("b", "c:latest", "d"):
            done = self.run_weir("select", "--need-model", model)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(f"one: model missing: has no model {model} among "
                          f"its 2", done.stderr.decode())
        # It answered, so its record is good.
        self.assertEqual({row[1] for row in self.rows()}, {1})

    def test_what_is_recorded(self):
        self.know("bad", "ollama", self.serve(lambda _: status(500)).url())
        self.know("good", "ollama", self.serve(ollama("m")).url())
        self.know("keyless", "openai", "http://127.0.0.1:1", key_env="MY_KEY")
        before = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self.run_weir("select")
        bad, good = self.rows()
        self.assertEqual(bad[:2] + (bad[3],),
                         ("bad", 0, "wrong status: /: HTTP status 500, "
                                    "expected 200"))
        self.assertEqual(good[:2] + (good[3],), ("good", 1, None))
        for row in (bad, good):
            self.assertGreater(row[2], 0)
            self.assertRegex(row[4], r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$")
            self.assertGreaterEqual(row[4][:19], before)
        self.assertEqual(os.stat(self.path("state/weir")).st_mode & 0o777,
                         0o700)
        self.assertEqual(
            os.stat(self.path("state/weir/providers.db")).st_mode & 0o777,
            0o600)

    def test_a_selection_stands_where_nothing_can_be_recorded(self):
        self.write("state", b"a file")
        self.know("good", "ollama", self.serve(ollama("m")).url())
        done = self.run_weir("select")
        self.assertEqual((done.returncode, done.stdout), (0, b"good\n"))
        self.assertIn(b"state", done.stderr)

    def test_many_at_once_record_all(self):
        self.know("good", "ollama", self.serve(ollama("m")).url())
        path = self.settings()
        command = [WEIR, "--config", path, "providers", "select"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE,
                                    env={**os.environ, **self.env})
                   for _ in range(6)]
        for process in running:
            out, _ = process.communicate(timeout=DEADLINE)
            self.assertEqual((process.returncode, out), (0, b"good\n"))
        self.assertEqual(len(self.rows()), 6)


class History(Providers):
    def fill(self, rows):
        """Rows of (id, success, latency, error, days ago)."""
        self.know("good", "ollama", self.serve(ollama("m")).url())
        self.run_weir("select")  # makes the table
        now = time.time()
        with contextlib.closing(
                sqlite3.connect(self.path("state/weir/providers.db"))) as store:
            store.execute("DELETE FROM provider_performance")
            store.executemany(
                "INSERT INTO provider_performance (provider_id, success,"
                " latency_ms, error_message, timestamp)"
                " VALUES (?, ?, ?, ?, ?)",
                [row[:4] + (time.strftime("%Y-%m-%dT%H:%M:%S.000Z",
                                          time.gmtime(now - 86400 * row[4])),)
                 for row in rows])
            store.commit()

    def history(self, *args):
        done = self.run_weir("history", "--json", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {one["id"]: one for one in json.loads(done.stdout)["history"]}

    def test_without_any(self):
        self.assertEqual(self.history(), {})
        done = self.run_weir("history")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"nothing recorded", done.stdout)

    def test_availability_and_percentiles(self):
        self.fill([("a", 1, float(i), None, 1) for i in range(1, 101)]
                  + [("b", 1, 7.0, None, 1), ("b", 0, 900.0, "old", 2),
                     ("b", 0, 900.0, "refused: new", 1)]
                  + [("c", 0, 5.0, "gone", 1)])
        found = self.history()
        self.assertEqual(list(found), ["a", "b", "c"])
        self.assertEqual(found["a"]["latency_ms"],
                         {"p50": 50.0, "p90": 90.0, "p99": 99.0})
        self.assertEqual(found["a"]["availability"], 1.0)
        self.assertEqual(found["a"]["checks"], 100)
        # Failures have no part in the latency.
        self.assertEqual(found["b"]["latency_ms"],
                         {"p50": 7.0, "p90": 7.0, "p99": 7.0})
        self.assertAlmostEqual(found["b"]["availability"], 1 / 3)
        self.assertEqual(found["b"]["successes"], 1)
        self.assertEqual(found["b"]["last_error"], "refused: new")
        self.assertEqual(found["c"]["latency_ms"],
                         {"p50": None, "p90": None, "p99": None})
        lines = self.run_weir("history").stdout.decode().splitlines()
        self.assertRegex(lines[1], r"^a +100 +100\.0 % +50\.0 ms +90\.0 ms +"
                                   r"99\.0 ms ")
        self.assertRegex(lines[3], r"^c +1 +0\.0 % +- +- +- .* gone$")

    def test_days_and_ids(self):
        self.fill([("a", 1, 1.0, None, 1), ("a", 1, 3.0, None, 10),
                   ("b", 1, 1.0, None, 10)])
        self.assertEqual(list(self.history("--days", "5")), ["a"])
        self.assertEqual(self.history("--days", "5")["a"]["checks"], 1)
        self.assertEqual(list(self.history("b")), ["b"])
        done = self.run_weir("history", "none")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"nothing is recorded of 'none'; those recorded: a, b",
                      done.stderr)
        done = self.run_weir("history", "a", "a")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"twice", done.stderr)

    def test_what_is_old_is_forgotten(self):
        self.fill([("a", 1, 1.0, None, 5), ("b", 1, 1.0, None, 20)])
        self.run_weir("select", keep_days=10)
        self.assertEqual([row[0] for row in self.rows()], ["a", "good"])

    def test_a_database_that_is_none(self):
        os.makedirs(self.path("state/weir"))
        self.write("state/weir/providers.db", b"this is no database " * 100)
        done = self.run_weir("history")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"providers.db: file is not a database", done.stderr)


class Signals(Providers):
    def test_signals_end_it_in_order(self):
        for which, word in ((signal.SIGINT, []), (signal.SIGTERM, []),
                            (signal.SIGINT, ["select"]),
                            (signal.SIGTERM, ["select", "--json"])):
            server = self.serve_never()
            self.know("one", "ollama", server.url(), timeout=10 * DEADLINE)
            self.know("two", "ollama", server.url(), timeout=10 * DEADLINE)
            process = subprocess.Popen(
                [WEIR, "--config", self.settings(), "providers", *word],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, **self.env})
            limit = time.monotonic() + DEADLINE
            while len(server.requests) < 2:
                self.assertLess(time.monotonic(), limit)
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            process.send_signal(which)
            out, err = process.communicate(timeout=DEADLINE)
            self.assertEqual(process.returncode, 128 + which, err)
            self.assertEqual((out, err), (b"", b""))
        self.assertFalse(os.path.exists(
            self.path("state/weir/providers.db")))


if __name__ == "__main__":
    unittest.main()
