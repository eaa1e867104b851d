"""weir watch: the page in a real browser, headless."""

import unittest

from browser import CHROMEDRIVER, CHROMIUM, ENTER, ESCAPE, TAB, Browser
from watch_face import FaceCase

TONE = "return document.querySelector('tr[data-name=%s]').dataset.tone"
IS_TONE = ("const row = document.querySelector(`tr[data-name=${arguments[0]}]`);"
           "return row && arguments[1].split(' ').includes(row.dataset.tone)")
VERDICT = "return document.querySelector('#verdict').dataset.tone"
FOCUS = ("const at = document.activeElement;"
         "return at.getAttribute('aria-label') || at.id || at.tagName")

# Every text on the page with less contrast to its ground than WCAG 2 asks of
# level AA: 4.5, or 3 for large type.
PALE = r"""
const parse = (text) => text.match(/[\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const found = parse(getComputedStyle(element).backgroundColor);
    if (found.length < 4 || found[3] === 1)
      return found;
  }
  return [255, 255, 255];
};
const pale = [];
for (const element of document.querySelectorAll("body *")) {
  const text = [...element.childNodes].filter((node) =>
    node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!text.length || !element.checkVisibility() ||
      element.closest("[aria-disabled=true], .unseen, noscript, script"))
    continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(parse(style.color)), light(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = parseFloat(style.fontSize) >= 24 ||
    (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5))
    pale.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
}
return pale;
"""


@unittest.skipUnless(CHROMEDRIVER and CHROMIUM, "needs Chromium")
class Page(FaceCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.enterClassContext(cls.browser)

    def open(self, *arguments):
        process, address = self.supervise_page(*arguments)
        self.browser.open("about:blank")  # the last test's page asks no more
        self.browser.console()
        self.browser.open(address + "/")
        return process, address

    def wait_tone(self, name, tones):
        self.browser.wait(IS_TONE, name, tones)

    def test_a_service_falls_and_recovers_before_our_eyes(self):
        browser = self.browser
        self.service("api")
        self.command("worker", "sleep", "1000")
        self.open()
        self.wait_tone("api", "good")
        self.wait_tone("worker", "good")
        self.assertEqual(browser.wait(VERDICT + " === 'good'"), True)
        browser.run("window.isTheSame = true")
        pid = browser.run("return document.querySelector("
                          "'tr[data-name=api] .about span').textContent")
        self.mark("api.sick")
        self.wait_tone("api", "bad warn busy")
        browser.wait("return document.querySelector('#headline').textContent"
                     ".startsWith('api is ')")
        browser.wait("return document.querySelector('#events').textContent"
                     ".includes('health fail')")
        self.assertIn("api: ", browser.wait(
            "return document.querySelector('#said').textContent"))
        browser.run("document.querySelector('#problems').click()")
        browser.wait("return [...document.querySelectorAll('#rows tr')]"
                     ".filter((row) => !row.hidden)"
                     ".map((row) => row.dataset.name).join() === 'api'")
        self.assertIn("status 500", browser.wait(
            "return document.querySelector('tr[data-name=api] .error .text')"
            ".textContent"))
        self.assertEqual(browser.run(TONE % "worker"), "good")
        self.unmark("api.sick")
        self.wait_tone("api", "good")
        browser.wait("return document.querySelector('#none').textContent"
                     " === 'No service has a problem.'")
        browser.wait(VERDICT + " === 'good'")
        self.assertNotEqual(pid, browser.run(
            "return document.querySelector('tr[data-name=api] .about span')"
            ".textContent"))
        self.assertTrue(browser.run("return window.isTheSame"),
                        "the page was loaded anew")
        self.assertEqual(browser.console(), [])

    def test_all_of_it_by_keyboard(self):
        browser = self.browser
        self.service("api")
        self.service("search")
        self.open()
        self.wait_tone("search", "good")
        seen = []
        while not seen or seen[-1] != "Restart api":
            browser.press(TAB)
            seen.append(browser.run(FOCUS))
            self.assertLess(len(seen), 20, seen)
        self.assertEqual(seen[0], "A", "the way past the head comes first")
        before = self.look("api")["pid"]
        browser.press(ENTER)
        self.until(lambda: self.look("api")["pid"] not in (0, None, before))
        self.wait_tone("api", "good")
        self.assertEqual(browser.run(FOCUS), "Restart api")
        browser.run("document.querySelector('[aria-label=\"Stop api\"]')"
                    ".focus()")
        browser.press(ENTER)
        browser.wait("return document.querySelector('#confirm').open")
        browser.press(ESCAPE)
        browser.wait("return !document.querySelector('#confirm').open")
        self.assertEqual(self.look("api")["state"], "RUNNING")
        browser.press(ENTER)
        browser.wait("return document.querySelector('#confirm').open")
        browser.press(TAB)
        browser.press(ENTER)
        self.until_state("api", "STOPPED")
        self.wait_tone("api", "idle")
        self.assertEqual(browser.run(FOCUS), "Start api")
        browser.press(ENTER)
        self.until_healthy("api")
        self.wait_tone("api", "good")
        browser.press("/")
        self.assertEqual(browser.run(FOCUS), "filter")
        browser.press(*"sea")
        shown = ("return [...document.querySelectorAll('#rows tr')]"
                 ".filter((row) => !row.hidden)"
                 ".map((row) => row.dataset.name).join()")
        browser.wait(shown + " === 'search'")
        browser.press(ESCAPE)
        browser.wait(shown + " === 'api,search'")
        self.assertEqual(browser.console(), [])

    def test_those_who_hear_it_are_told_what_is_what(self):
        browser = self.browser
        self.service("api")
        self.open()
        self.wait_tone("api", "good")
        tree = browser.devtools("Accessibility.getFullAXTree")["nodes"]
        found = {(node["role"]["value"], node.get("name", {}).get("value"))
                 for node in tree if not node["ignored"]}
        for expected in (("table", "Services"), ("columnheader", "State"),
                         ("rowheader", None), ("button", "Stop api"),
                         ("button", "Restart api"), ("searchbox", None),
                         ("heading", "Pool"), ("list", "Events"),
                         ("heading", "The service is healthy")):
            self.assertTrue(any(role == expected[0] and
                                expected[1] in (None, name)
                                for role, name in found), (expected, found))

    def test_light_and_dark_can_be_read(self):
        browser = self.browser
        self.service("api")
        self.command("worker", "sh", "-c", "echo no database >&2; exit 3",
                     restart="never")
        self.command("idle", "sleep", "1000", autostart=False)
        self.command("later", "sh", "-c", "sleep 0.1; exit 1",
                     restart_delay=1000, max_restart_delay=1000)
        self.open()
        self.wait_tone("worker", "bad")
        self.wait_tone("later", "warn")
        grounds = []
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            grounds.append(browser.run(
                "return getComputedStyle(document.body).backgroundColor"))
            self.assertEqual(browser.run(PALE), [], scheme)
        self.assertEqual(len(set(grounds)), 2, grounds)

    def test_it_outlives_the_supervisor(self):
        browser = self.browser
        self.service("api")
        process, address = self.open()
        self.wait_tone("api", "good")
        browser.run("window.isTheSame = true")
        self.down(process)
        browser.wait("return document.querySelector('#lost').checkVisibility()")
        self.assertIn("cannot be reached", browser.run(
            "return document.querySelector('#lost').textContent"))
        self.assertIsNotNone(browser.run(TONE % "api"), "the last is shown")
        self.settings["page"]["listen"] = address.removeprefix("http://")
        self.supervise_page()
        browser.wait("return !document.querySelector('#lost')"
                     ".checkVisibility()")
        self.wait_tone("api", "good")
        self.assertTrue(browser.run("return window.isTheSame"))
        browser.console()  # it has told of the requests that failed

    def test_a_token_is_asked_for_and_kept(self):
        browser = self.browser
        token = self.write_token()
        self.service("api")
        _, address = self.open()
        form = "document.querySelector('#token-form').checkVisibility()"
        browser.wait("return " + form)
        self.assertFalse(browser.run(
            "return document.querySelector('#board').checkVisibility()"))
        browser.press(*"not the token", ENTER)
        browser.wait("return document.querySelector('#token-error')"
                     ".textContent.includes('not the token')")
        browser.press(*token, ENTER)
        browser.wait("return !" + form)
        self.wait_tone("api", "good")
        browser.open(address + "/?again")
        browser.wait("return !!document.querySelector('#rows tr')")
        browser.run("sessionStorage.clear()")
        browser.open(address + "/#token=" + token)
        self.wait_tone("api", "good")
        self.assertNotIn(token, browser.run("return location.href"))
        browser.run("sessionStorage.clear()")
        browser.console()  # it has told of the answers 401


if __name__ == "__main__":
    unittest.main()
