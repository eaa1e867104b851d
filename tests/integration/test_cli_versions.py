"""weir versions: what it says of tools, of an index, and of both together."""

import os
import pathlib
import pty
import select
import sqlite3
import subprocess
import unittest

from index_server import VersionsCase, answer, offered
from weir_cli import WEIR, weir

ROOT = pathlib.Path(__file__).resolve().parents[2]


class States(VersionsCase):
    def packages(self):
        return {"current": offered("1.2"), "old": offered("1.10"),
                "newer": offered("1.2"), "absent": offered("3.0"),
                "broken": b"<html>",
                "sick": answer(b"500 Sick"),
                "rude": b"HTTP/1.1 two hundred\r\n\r\n",
                "dumb": offered("1.0"), "failing": offered("1.0"),
                "only-pre": offered("2.0rc1")}

    def start(self):
        self.tools(current="v1.2.0", old="1.9", newer="1.3.dev1",
                   broken="1.0", sick="1.0", rude="1.0", unknown="1.0")
        self.tools(**{"only-pre": "1.0"})
        self.tool("dumb", "echo no idea")
        self.tool("failing", "echo no licence >&2; exit 7")
        return self.index(self.packages())[1]

    expected = {
        "current": ("up_to_date", "v1.2.0", "1.2", None),
        "old": ("update_available", "1.9", "1.10", None),
        "newer": ("up_to_date", "1.3.dev1", "1.2", None),
        "absent": ("not_installed", None, "3.0", None),
        "unknown": ("unknown_package", "1.0", None, "HTTP status 404"),
        "broken": ("malformed_answer", "1.0", None,
                   "JSON, line 1, column 1: "),
        "sick": ("index_unreachable", "1.0", None,
                 "HTTP status 500 (after 3 attempts)"),
        "rude": ("malformed_answer", "1.0", None, ""),
        "dumb": ("version_unreadable", None, "1.0",
                 "found 'idea', expected a version"),
        "failing": ("version_unreadable", None, "1.0",
                    "failing --version: exit status 7: no licence"),
        "only-pre": ("no_release", "1.0", None, None),
    }

    def test_each_state_beside_all_others(self):
        report = self.report(self.start(), *self.expected, status=1)
        self.assertEqual(list(report["tools"]), list(self.expected))
        for name, expected in self.expected.items():
            tool = report["tools"][name]
            self.assertEqual((tool["state"], tool["installed"],
                              tool["newest"]), expected[:3], name)
            if expected[3] is None:
                self.assertIsNone(tool["reason"], name)
            else:
                self.assertTrue(tool["reason"].startswith(expected[3]), tool)

    def test_the_table(self):
        done = self.versions(self.start(), *self.expected)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"")
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0].split(),
                         ["TOOL", "INSTALLED", "NEWEST", "STATE"])
        rows = {line.split()[0]: line for line in lines[1:12]}
        self.assertEqual(rows["current"].split(),
                         ["current", "v1.2.0", "1.2", "up", "to", "date"])
        self.assertEqual(rows["old"].split(),
                         ["old", "1.9", "1.10", "update", "available"])
        self.assertEqual(rows["absent"].split(),
                         ["absent", "-", "3.0", "not", "installed"])
        self.assertIn("unknown package: HTTP status 404", rows["unknown"])
        self.assertRegex(lines[-1], r"^\d+ requests over \d+ connections, "
                         r"\d+\.\d a connection$")
        self.assertNotIn("\033", done.stdout.decode())

    def test_exit_codes(self):
        server = self.start()
        for names, plain, check in ((["current", "newer"], 0, 0),
                                    (["current", "old"], 0, 3),
                                    (["absent"], 0, 3),
                                    (["current", "unknown"], 1, 1),
                                    (["old", "dumb"], 1, 1)):
            self.assertEqual(self.versions(server, *names).returncode, plain)
            self.assertEqual(
                self.versions(server, "--check", *names).returncode, check)

    def test_a_report_that_cannot_be_written(self):
        self.tools(current="1.2")
        _, server = self.index({"current": offered("1.2")})
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [WEIR, "versions", "--index", server.url(""), "current"],
                stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
                env=self.env)
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"weir: write standard output: No space left on "
                             b"device\n"))

    def test_nobody_there(self):
        self.tools(tool="1.0")
        _, server = self.index({})
        gone = server.url("")
        server.close()
        report = self.report(None, "--index", gone, "tool", status=1)
        report = report["tools"]["tool"]
        self.assertEqual(report["state"], "index_unreachable")
        self.assertEqual(report["installed"], "1.0")
        self.assertRegex(report["reason"], "refused .after 3 attempts.$")

    def test_an_index_that_is_gone_is_not_asked_for_each(self):
        _, server = self.index({})
        gone = server.url("")
        server.close()
        path = self.write("r.txt", b"".join(b"a%d==1\n" % i
                                            for i in range(500)))
        tools = self.report(None, "--index", gone, "--requirements", path,
                            status=1,
                            env={"WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST":
                                 "1"})["tools"]
        asked = [tool for tool in tools.values() if tool["attempts"]]
        passed = [tool for tool in tools.values() if not tool["attempts"]]
        self.assertEqual(len(asked), 1)
        self.assertEqual(asked[0]["attempts"], 3)
        self.assertEqual({tool["reason"] for tool in passed},
                         {"not asked: " + asked[0]["reason"]})

    def test_lost_connections_do_not_hide_what_comes_later(self):
        server = self.serve(lambda request: (
            answer(b"200 OK", offered("1")) if b"/last/" in request
            else (b"", True)))
        path = self.write("r.txt", b"".join(
            b"%s==1\n" % name for name in [*(b"a%d" % i for i in range(20)),
                                           b"last"]))
        states = self.states(server, "--requirements", path, status=1,
                             env={"WEIR_HTTP_CONNECTION_POOL__MAX_PER_HOST":
                                  "1"})
        self.assertEqual(states.pop("last"), "up_to_date")
        self.assertEqual(set(states.values()), {"index_unreachable"})

    def test_both_fail_and_both_are_told(self):
        self.tool("tool", "exit 1")
        _, server = self.index({})
        report = self.report(server, "tool", status=1)["tools"]["tool"]
        self.assertEqual(report["reason"], "HTTP status 404; installed "
                         "version: tool --version: exit status 1")

    def test_a_304_that_was_not_asked_for(self):
        _, server = self.index({"tool": answer(b"304 Not Modified")})
        self.assertEqual(self.states(server, "tool", status=1),
                         {"tool": "malformed_answer"})

    def test_a_hostile_answer_does_not_reach_the_terminal(self):
        _, server = self.index({"tool": offered("\x1b[31m\x9b!")})
        done = self.versions(server, "tool")
        self.assertNotIn(b"\x1b", done.stdout)
        self.assertIn(b"malformed answer: info.version: found '?[31m",
                      done.stdout)
        self.report(server, "tool", status=1)


class Offers(VersionsCase):
    def test_pre_releases_are_offered_when_asked_for(self):
        self.tools(tool="1.1")
        _, server = self.index({"tool": offered(
            "1.1", {"1.0": False, "1.1": False, "1.2rc1": False,
                    "1.2rc2": True})})
        for args, env in (((), {}), (("--pre",), {}),
                          ((), {"WEIR_VERSIONS__PRE": "true"})):
            tool = self.report(server, *args, "tool", env=env)["tools"]["tool"]
            self.assertEqual((tool["newest"], tool["state"]),
                             ("1.2rc1", "update_available") if args or env
                             else ("1.1", "up_to_date"))

    def test_a_yanked_release_is_not_offered(self):
        self.tools(flagged="1.0", filed="1.0")
        releases = {"1.0": False, "1.1": False, "1.2": True}
        _, server = self.index({
            "flagged": offered("1.2", releases, yanked=True),
            "filed": offered("1.2", releases)})
        for args in ((), ("--pre",)):
            tools = self.report(server, *args, "flagged", "filed")["tools"]
            self.assertEqual({tool["newest"] for tool in tools.values()},
                             {"1.1"})


class Retries(VersionsCase):
    def failing(self, times, then):
        return lambda asked: (answer(b"503 Busy") if asked < times else then)

    def test_the_server_sees_each_attempt(self):
        self.tools(tool="1.0")
        index, server = self.index({"tool": self.failing(2, offered("1.0"))})
        tool = self.report(server, "tool")["tools"]["tool"]
        self.assertEqual((tool["state"], tool["attempts"]), ("up_to_date", 3))
        self.assertEqual(index.statuses(), ["200", "503", "503"])

    def test_three_attempts_and_no_more(self):
        index, server = self.index({"tool": self.failing(9, b"")})
        self.assertEqual(self.states(server, "tool", status=1),
                         {"tool": "index_unreachable"})
        self.assertEqual(len(index.asked), 3)

    def test_as_many_as_the_settings_say(self):
        index, server = self.index({"tool": self.failing(9, b"")})
        self.states(server, "tool", status=1,
                    env={"WEIR_VERSIONS__RETRY_ATTEMPTS": "2"})
        self.assertEqual(len(index.asked), 2)

    def test_a_server_that_asks_for_a_longer_delay_is_left_alone(self):
        for longest, attempts in (("1", 2), ("0.5", 1)):
            index, server = self.index({"tool": lambda asked: offered("1.0")
                                        if asked else answer(
                                            b"503 Busy", b"",
                                            b"Retry-After: 1")})
            self.states(server, "tool", status=0 if attempts == 2 else 1,
                        env={"WEIR_VERSIONS__RETRY_MAX_DELAY": longest})
            self.assertEqual(len(index.asked), attempts)

    def test_a_lost_connection_is_tried_again(self):
        self.tools(tool="1.0")
        said = [(b"", True), answer(b"200 OK", offered("1.0"))]
        server = self.serve(lambda _: said.pop(0))
        self.assertEqual(self.states(server, "tool"), {"tool": "up_to_date"})
        self.assertEqual(len(server.requests), 2)

    def test_an_answer_is_never_retried(self):
        index, server = self.index({"broken": b"{"})
        self.states(server, "broken", "unknown", status=1)
        self.assertEqual(index.names(), ["broken", "unknown"])

    def test_the_policy_by_default(self):
        shown = weir("config").stdout.decode()
        for line in ("retry_attempts: *3 ", "retry_delay: *1.0 ",
                     "retry_backoff: *2.0 ", "retry_max_delay: *30.0 "):
            self.assertRegex(shown.split("versions:")[1], line)


class Cache(VersionsCase):
    def setUp(self):
        super().setUp()
        self.tools(one="1.0", two="1.0")
        self.packages = {"one": offered("1.0", {"1.0": False, "1.1a1": False}),
                         "two": offered("2.0")}
        self.told, self.server = self.index(self.packages)

    def again(self, *args, **kwargs):
        self.told.asked.clear()
        return self.report(self.server, *args, "one", "two", **kwargs)

    def test_the_second_run_costs_304s_only(self):
        first = self.again()
        self.assertEqual(self.told.statuses(), ["200", "200"])
        second = self.again()
        self.assertEqual(self.told.statuses(), ["304", "304"])
        for name, tool in second["tools"].items():
            self.assertTrue(tool.pop("unchanged"))
            self.assertFalse(first["tools"][name].pop("unchanged"))
        self.assertEqual(second["tools"], first["tools"])
        done = self.versions(self.server, "one", "two")
        self.assertIn(b"; 2 answers unchanged since the last run\n",
                      done.stdout)

    def test_what_has_changed_is_seen(self):
        self.again()
        self.packages["one"] = offered("1.5")
        self.assertEqual(self.again()["tools"]["one"]["newest"], "1.5")
        self.assertEqual(self.told.statuses(), ["200", "304"])
        self.again()
        self.assertEqual(self.told.statuses(), ["304", "304"])

    def test_refresh_asks_anew_and_keeps(self):
        self.again()
        self.again("--refresh")
        self.assertEqual(self.told.statuses(), ["200", "200"])
        self.again()
        self.assertEqual(self.told.statuses(), ["304", "304"])

    def test_pre_releases_need_no_other_answer(self):
        self.again()
        self.assertEqual(self.again("--pre")["tools"]["one"]["newest"],
                         "1.1a1")
        self.assertEqual(self.told.statuses(), ["304", "304"])

    def test_another_index_has_other_answers(self):
        self.again()
        other, server = self.index(self.packages)
        self.report(server, "one")
        self.assertEqual(other.statuses(), ["200"])

    def test_a_failure_does_not_forget(self):
        self.again()
        kept = self.packages["one"]
        self.packages["one"] = answer(b"500 Sick")
        self.assertEqual(self.again(status=1)["tools"]["one"]["newest"], None)
        self.packages["one"] = kept
        self.again()
        self.assertEqual(self.told.statuses(), ["304", "304"])

    def test_without_a_cache_it_works_all_the_same(self):
        self.env["XDG_CACHE_HOME"] = self.write("file", b"")
        done = self.versions(self.server, "one")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"up to date", done.stdout)
        self.assertIn(b"file/weir", done.stderr)

    def test_a_damaged_row_is_replaced(self):
        self.again()
        for column, value in (("etag", "a\nb"), ("newest", "x" * 300),
                              ("newest_pre", "no version")):
            with sqlite3.connect(self.path("cache/weir/versions.db")) as store:
                store.execute(f"UPDATE answers SET {column} = ?", [value])
            store.close()
            tools = self.again()["tools"]
            self.assertEqual(tools["two"]["newest"], "2.0")
            self.assertEqual(self.told.statuses(), ["200", "200"], column)

    def test_credentials_are_neither_kept_nor_shown(self):
        address = self.server.url("").replace("//", "//user:secret@")
        done = weir("versions", "--json", "--index", address, "one",
                    env=self.env)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b"Authorization: Basic ", self.told.asked[0][2])
        self.assertNotIn(b"secret", done.stdout + done.stderr)
        path = self.path("cache/weir/versions.db")
        with sqlite3.connect(path) as store:
            rows = store.execute("SELECT url FROM answers").fetchall()
        store.close()
        self.assertEqual(rows, [(self.server.url("/pypi/one/json"),)])


class Tools(VersionsCase):
    def test_the_usual_ones(self):
        self.tools(ruff="0.1", pyright="1.1.390")
        self.tool("uv", "echo 'uv 0.5.1 (ab12cd 2024-11-08)'")
        index, server = self.index({name: offered("0.5") for name
                                    in ("ruff", "pyright", "uv")})
        tools = self.report(server)["tools"]
        self.assertEqual([(name, tool["installed"])
                          for name, tool in tools.items()],
                         [("ruff", "0.1"), ("pyright", "1.1.390"),
                          ("uv", "0.5.1")])
        self.assertEqual(index.names(), ["pyright", "ruff", "uv"])

    def settings(self, text):
        return ["--config", self.write("s.yaml", text.encode())]

    def test_others_by_settings(self):
        self.tool("my tool", 'echo "$2 is what was asked for, and 7.5 it is"')
        index, server = self.index({"my-package": offered("7.6")})
        settings = self.settings("""
versions:
  index: %s
  tools:
    pyright: false
    ruff: {package: my-package}
    mine:
      command: [my tool, -x, "a b;c"]
      package: My_Package
      pattern: 'a b;c .* ([0-9.]+)'
""" % server.url(""))
        tools = self.report(None, *settings, status=1)["tools"]
        self.assertEqual(list(tools), ["ruff", "uv", "mine"])
        self.assertEqual((tools["mine"]["installed"],
                          tools["mine"]["newest"]), ("7.5", "7.6"))
        self.assertEqual(index.names(), ["my-package", "my-package", "uv"])

    def test_a_sequence_stands_in_the_place_of_the_usual_ones(self):
        self.tool("uv", "echo 'uv 0.5.1 (ab12cd 2024-11-08)'")
        index, server = self.index({"uv": offered("1"), "b": offered("1")})
        settings = self.settings("versions: {tools: [b, uv, b]}")
        tools = self.report(server, *settings)["tools"]
        self.assertEqual(list(tools), ["b", "uv"])
        self.assertEqual(tools["uv"]["installed"], "0.5.1")

    def test_names_are_asked_for_in_their_normal_form(self):
        index, server = self.index({"zope-interface": offered("1")})
        self.states(server, "Zope.Interface", "zope_interface")
        self.assertEqual(index.names(), ["zope-interface"])

    def test_bad_settings_say_where(self):
        for text, expected in (
                ("index: 5", "2:10: versions.index: found 5"),
                ("indx: x", "2:3: versions.indx: unknown key, did you mean "
                            "index?"),
                ("command_timeout: 0", "versions.command_timeout: found 0"),
                ("retry_backoff: 0.5", "found 0.5, expected a number from 1"),
                ("retry_attempts: 0", "found 0, expected an integer from 1"),
                ("tools: 5", "found 5, expected a mapping or a sequence"),
                ("tools: [a/b]", "expected the name of a tool or package"),
                ("tools: {a: {package: -a}}", "the name of a package"),
                ("tools: {a: {comand: [x]}}", "did you mean command?"),
                ("tools: {a: {command: x}}", "expected a sequence such as"),
                ("tools: {a: {command: []}}", "expected a sequence such as"),
                ("tools: {a: {command: [1]}}", "found 1"),
                ("tools: {a: {pattern: '('}}", "expected an extended regular "
                                               "expression (Unmatched"),
                ("tools: []", "there is no tool to check")):
            done = self.versions(None, *self.settings("versions:\n  " + text))
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(expected, done.stderr.decode(), text)
            done = weir("config", *self.settings("versions:\n  " + text))
            self.assertEqual(done.returncode, 0 if text == "tools: []" else 2)

    def test_the_public_address_stands_in_one_place(self):
        public = b"pypi" + b".org"
        found = [str(path.relative_to(ROOT)) for folder
                 in ("cli", "docs", "examples", "include", "src", "tests")
                 for path in (ROOT / folder).rglob("*")
                 if path.suffix in (".c", ".h", ".1", ".md", ".py", ".yaml")
                 and public in path.read_bytes()]
        self.assertEqual(found, ["cli/versions/versions.h"])

    def test_bad_usage(self):
        for args, expected in (
                (["--index", "http://localhost: 1"], b"http://localhost: 1"),
                (["--index", "ftp://x"], b"index 'ftp://x'"),
                (["-x"], b"unknown option -x\n"), (["--index"], b"argument"),
                (["a b"], b"found 'a b'"), (["--jsn"], b"did you mean --json?"),
                (["../ruff"], b"found '../ruff'")):
            done = self.versions(None, *args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(expected, done.stderr, args)
        self.assertEqual(self.versions(None, "--help").returncode, 0)


class Requirements(VersionsCase):
    def test_every_name_is_checked(self):
        self.tools(called="1.0")
        self.write("base.txt", b"pinned==1.0; os_name == 'nt'\n")
        path = self.write("r.txt", b"""\xef\xbb\xbf# a comment
called[extra] >= 0.5  # why
-r base.txt
Free_Bird \\
    >= 1.0, \\
    < 2.0 --hash=sha256:00
called
--index-url https://example.org/simple
-e .
git+https://example.org/x.git
""")
        index, server = self.index({name: offered("1.1") for name
                                    in ("called", "pinned", "free-bird")})
        done = self.versions(server, "--json", "--requirements", path)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(index.names(), ["called", "free-bird", "pinned"])
        notices = done.stderr.decode().splitlines()
        self.assertEqual(notices, [
            f"weir: {path}:8: option --index-url is ignored",
            f"weir: {path}:9: option -e is ignored",
            f"weir: {path}:10: 'git+https://example.org/x.git' is a file or "
            "a URL, and ignored"])
        tools = self.report(server, "--requirements", path)["tools"]
        self.assertEqual(
            [(name, tool["installed"], tool["source"], tool["state"])
             for name, tool in tools.items()],
            [("called", "1.0", "command", "update_available"),
             ("pinned", "1.0", "requirements", "update_available"),
             ("Free_Bird", None, "command", "not_installed")])

    def test_names_and_several_files(self):
        index, server = self.index({})
        a = self.write("a.txt", b"a\n")
        b = self.write("b.txt", b"b==1\nb==2\nb==1")
        states = self.report(server, "--requirements", a, "--requirements", b,
                             "c", status=1)["tools"]
        self.assertEqual(list(states), ["c", "a", "b"])
        self.assertEqual(index.names(), ["a", "b", "b", "c"])

    def test_an_empty_file(self):
        path = self.write("r.txt", b"# nothing yet\n")
        report = self.report(None, "--requirements", path)
        self.assertEqual((report["tools"], report["requests"]), ({}, 0))

    def test_every_wrong_line_is_told(self):
        path = self.write("r.txt", b"good==1.0\nbad=1.0\n\n\\\nworse==\\\n"
                          b"x\n-r missing.txt\n-r r.txt\nwith\0nul\n")
        done = self.versions(None, "--requirements", path)
        self.assertEqual(done.returncode, 2)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 5, lines)
        for line, expected in zip(lines, (
                "2: found '=1.0', expected ==",
                "4: found 'x', expected a version",
                "7: read ", "8: read ", "9: a NUL")):
            self.assertTrue(line.startswith(f"weir: {path}:{expected}"), line)
        self.assertIn("missing.txt: No such file", lines[2])
        self.assertIn("it includes itself", lines[3])

    def test_a_file_that_is_not_there(self):
        done = self.versions(None, "--requirements", "/nonexistent/r.txt")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"read /nonexistent/r.txt: No such file", done.stderr)


class Terminal(VersionsCase):
    """With standard output or standard error on a terminal."""

    def on_terminal(self, server, *args, env=None):
        """Runs with both on a terminal; all that came there."""
        clean = {key: value for key, value in os.environ.items()
                 if key not in ("NO_COLOR", "TERM")
                 and not key.startswith("WEIR_")
                 and not key.lower().endswith("_proxy")}
        clean.update(self.env, XDG_CONFIG_HOME="/nonexistent", TERM="xterm",
                     **(env or {}))
        main, end = pty.openpty()
        with subprocess.Popen([WEIR, "versions", "--index", server.url(""),
                               *args], stdout=end, stderr=end,
                              env=clean) as process:
            os.close(end)
            seen = b""
            while select.select([main], [], [], 30)[0]:
                try:
                    seen += os.read(main, 65536)
                except OSError:  # the other end is closed
                    break
            os.close(main)
        self.assertEqual(process.returncode, 0, seen)
        return seen

    def test_a_bar_and_colours(self):
        # The bar comes with what happens after half a second.
        self.tool("slow", "/bin/sleep 0.7; echo 1.0")
        self.tool("slower", "/bin/sleep 1.2; echo 1.0")
        _, server = self.index({"slow": offered("1.0"),
                                "slower": offered("1.0")})
        seen = self.on_terminal(server, "slow", "slower")
        self.assertIn(b"] ", seen)
        self.assertRegex(seen, rb"[012] of 2, ")
        self.assertIn(b"\033[32mup to date\033[0m", seen)
        self.assertLess(seen.rindex(b"\033[K"), seen.index(b"TOOL"))
        seen = self.on_terminal(server, "--no-progress", "slow", "slower",
                                env={"NO_COLOR": "1"})
        self.assertNotIn(b"\033", seen)


if __name__ == "__main__":
    unittest.main()
