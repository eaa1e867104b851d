"""A headless browser for tests: Chromium, driven through chromedriver by the
WebDriver protocol (https is never spoken, nothing but loopback is reached)."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

CHROMEDRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium")

# It asks nobody but the page under test: no updates, no reports, no names.
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update",
    "--disable-domain-reliability", "--disable-client-side-phishing-detection",
    "--disable-default-apps", "--disable-extensions", "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--metrics-recording-only", "--no-pings", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb", "--hide-scrollbars",
]


class Browser:
    """One window.  Used as a context; `limit` seconds for any one wait."""

    def __init__(self, limit=30, size=(1280, 1000)):
        self.limit = limit
        self.size = size

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="weir-browser-",
                                            ignore_cleanup_errors=True))
            self.address = self._start_driver(stack)
            self.session = None
            self.session = self._call("POST", "/session", {
                "capabilities": {"alwaysMatch": {
                    "browserName": "chrome",
                    "goog:chromeOptions": {
                        "binary": CHROMIUM,
                        "args": ARGUMENTS + [
                            f"--user-data-dir={self.folder}/profile",
                            "--window-size=%d,%d" % self.size]},
                    "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]
            stack.callback(self._call, "DELETE", "")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _start_driver(self, stack):
        """Its address.  With port 0 it takes a free one of IPv6 and hopes for
        the same of IPv4, so it is to be asked more than once."""
        said = []
        for _ in range(20):
            self.driver = subprocess.Popen(
                [CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
                env=dict(os.environ, HOME=self.folder, TMPDIR=self.folder,
                         XDG_CONFIG_HOME=self.folder,
                         XDG_CACHE_HOME=self.folder))
            for line in self.driver.stdout:
                said.append(line)
                found = re.search(r"started successfully on port (\d+)", line)
                if found:
                    stack.callback(self._end_driver)
                    return f"http://127.0.0.1:{found.group(1)}"
            self._end_driver()
        raise RuntimeError("chromedriver did not start: " + "".join(said))

    def _end_driver(self):
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()

    def _call(self, method, path, body=None):
        if self.session:
            path = f"/session/{self.session}{path}"
        request = urllib.request.Request(
            self.address + path, method=method,
            data=None if method != "POST" else json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs a script's body in the page; what it returns."""
        return self._call("POST", "/execute/sync",
                          {"script": script, "args": list(arguments)})

    def wait(self, script, *arguments):
        """Until a script's body returns something true."""
        end = time.monotonic() + self.limit
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.monotonic() > end:
                text = self.run("return document.body.innerText")
                raise AssertionError(f"never true: {script}\nin\n{text}")
            time.sleep(0.05)

    def press(self, *keys):
        """Presses keys, one after another, as at a keyboard."""
        actions = []
        for key in keys:
            actions += [{"type": "keyDown", "value": key},
                        {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": actions}]})

    def console(self):
        """What the console has said since the last call."""
        return [entry["message"] for entry in
                self._call("POST", "/se/log", {"type": "browser"})]

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute",
                          {"cmd": command, "params": parameters})

    def prefer(self, scheme):
        """Light or dark, as the person has set it up."""
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))


TAB, ENTER, ESCAPE, SPACE = "\ue004", "\ue007", "\ue00c", " "
