"""What the tests of a supervisor's outward face share."""

import contextlib
import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.request

from watch_cli import WatchCase
from weir_cli import WEIR


class FaceCase(WatchCase):
    """Supervisors with a page at a port of their own."""

    def setUp(self):
        self.drains = []
        self.addCleanup(self._join_all)  # the last: they end with processes
        super().setUp()
        self.extra = {}
        self.settings["page"] = {"listen": "127.0.0.1:0"}
        self.settings["events"] = {}

    def environment(self):
        return {**super().environment(), **self.extra}

    def supervise_page(self, *arguments):
        """A supervisor, and the address of its page."""
        process = self.supervise(*arguments)
        found = None
        while not found:
            line = process.stderr.readline()
            self.assertTrue(line, "no page")
            found = re.search(rb"page at (http://\S+)/", line)
        # Whatever else it says must not fill the pipe.
        thread = threading.Thread(target=self.drain, args=(process.stderr,))
        thread.start()
        self.drains.append(thread)
        return process, found.group(1).decode()

    def _join_all(self):
        for thread in self.drains:
            thread.join()

    @staticmethod
    def drain(stream):
        with contextlib.suppress(ValueError, OSError):
            while stream.read1():
                pass

    def refused(self, *arguments):
        """What a supervisor says that does not come up; its exit code."""
        done = subprocess.run(
            [WEIR, "--config", self.save(), "watch", "run", "--plain",
             *arguments],
            stdin=subprocess.DEVNULL, capture_output=True,
            env=self.environment(), timeout=30, cwd=self.folder, check=False)
        return done.returncode, done.stderr.decode()

    @staticmethod
    def ask(url, method="GET", **fields):
        """(status, text) of an answer; a field is Name="..." or
        Some_Name="..."."""
        request = urllib.request.Request(
            url, method=method,
            headers={name.replace("_", "-"): value
                     for name, value in fields.items()})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def events_of(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def write_token(self, text="0123456789abcdef"):
        path = self.write("token", text.encode() + b"\n")
        os.chmod(path, 0o600)
        self.settings["page"]["token_file"] = path
        return text
