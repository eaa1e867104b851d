"""An index of packages for the tests of weir versions, and tools to ask."""

import json
import os
import stat
import threading

from weir_cli import Case, weir


def answer(status, body=b"", *fields):
    head = b"".join(b"%s\r\n" % field for field in
                    (b"HTTP/1.1 " + status, *fields))
    length = b"" if status.startswith(b"304") else (
        b"Content-Length: %d\r\n" % len(body))
    return head + length + b"\r\n" + body


def offered(version, releases=None, **info):
    """The JSON of a package; a release is True (yanked) or False."""
    document = {"info": {"version": version, **info}}
    if releases is not None:
        document["releases"] = {
            name: [{"yanked": yanked}] for name, yanked in releases.items()}
    return json.dumps(document).encode()


class Index:
    """Answers for packages: JSON as bytes, a whole answer of a status line, or
    a function of how often it was asked.  `asked` keeps what came."""

    def __init__(self, packages):
        self.packages = packages
        self.asked = []  # (package, status, whole request)
        self.lock = threading.Lock()

    def __call__(self, request):
        package = request.split()[1].split(b"/")[2].decode()
        with self.lock:
            found = self.packages.get(package)
            if callable(found):
                found = found(sum(name == package
                                  for name, _, _ in self.asked))
            said = self._answer(found, request)
            self.asked.append((package, said.split()[1].decode(), request))
        return said

    @staticmethod
    def _answer(found, request):
        if found is None:
            return answer(b"404 Not Found", b"{}")
        if found.startswith(b"HTTP/"):
            return found
        etag = b'"%x"' % (hash(found) & 0xffffffff)
        if b"\r\nIf-None-Match: " + etag + b"\r\n" in request:
            return answer(b"304 Not Modified", b"", b"ETag: " + etag)
        return answer(b"200 OK", found, b"ETag: " + etag)

    def names(self):
        return sorted(name for name, _, _ in self.asked)

    def statuses(self):
        return sorted(status for _, status, _ in self.asked)


class VersionsCase(Case):
    """A case with a cache, a folder of tools, and nothing else in PATH."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        self.env = {"XDG_CACHE_HOME": self.path("cache"),
                    "PATH": self.path("bin"),
                    "WEIR_VERSIONS__INDEX": "http://127.0.0.1:1",
                    "WEIR_VERSIONS__RETRY_DELAY": "0.01"}

    def tool(self, name, script):
        """A tool; a script that is no line of a shell is what it prints."""
        path = self.write(os.path.join("bin", name), b"#!/bin/sh\n"
                          + script.encode() + b"\n")
        os.chmod(path, stat.S_IRWXU)

    def tools(self, **versions):
        for name, version in versions.items():
            self.tool(name, f"echo {name} {version}")

    def index(self, packages, **kwargs):
        """Starts an index; returns it, and its server."""
        index = Index(packages)
        return index, self.serve(index, **kwargs)

    def versions(self, server, *args, env=None, **kwargs):
        at = ["--index", server.url("")] if server else []
        return weir("versions", *at, *args, env={**self.env, **(env or {})},
                    **kwargs)

    def report(self, server, *args, status=0, **kwargs):
        """What --json says, with the tools by their names."""
        done = self.versions(server, "--json", *args, **kwargs)
        self.assertEqual(done.returncode, status, done)
        report = json.loads(done.stdout)
        report["tools"] = {tool["name"]: tool for tool in report["tools"]}
        return report

    def states(self, *args, **kwargs):
        return {name: tool["state"] for name, tool
                in self.report(*args, **kwargs)["tools"].items()}
