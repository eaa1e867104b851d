"""scripts/reliability counts what tests say, and finds promises untested."""
import importlib.machinery
import importlib.util
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOADER = importlib.machinery.SourceFileLoader(
    "reliability", str(ROOT / "scripts/reliability"))
SPEC = importlib.util.spec_from_loader("reliability", LOADER)
reliability = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(reliability)

PROMISES = """# a remark

## Bodies

Nothing is lost.
    test_one
    test_two: bodies
"""

REPORT = """<?xml version="1.0"?>
<testsuite tests="6">
  <testcase name="test_one" status="run"><system-out>
# cases bytes 40
# cases bytes 2
[==========] tests: 9 test(s) run.
</system-out></testcase>
  <testcase name="test_one.poll" status="fail"><failure message="x"/>
<system-out># cases bytes 8
</system-out></testcase>
  <testcase name="test_one_more" status="fail"><failure message="x"/>
<system-out># cases bytes 1000
</system-out></testcase>
  <testcase name="test_two" status="run"><system-out># cases bodies 5
# cases heads 700
</system-out></testcase>
</testsuite>
"""


class Counting(unittest.TestCase):
    def test_numbers_of_one_name_add_up(self):
        output = "# cases a 2\nnoise # cases a 9\n# cases a 3\n# cases b 1\n"
        self.assertEqual(reliability.count_cases(output), {"a": 5, "b": 1})

    def test_without_counts_the_functions_count(self):
        cmocka = ("[==========] x: Running 3 test(s).\n"
                  "[==========] x: 3 test(s) run.\n")
        self.assertEqual(reliability.count_cases(cmocka), {None: 3})
        self.assertEqual(reliability.count_cases("Ran 4 tests in 1s\n"),
                         {None: 4})
        self.assertEqual(reliability.count_cases("ok\n"), {None: 1})

    def test_a_log_is_a_run_of_its_test(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "test_one.log"
            log.write_text("seed 7\n# cases bytes 12\n", encoding="utf-8")
            (name, good), = reliability.read_report(str(log))
            log.write_text("# cases bytes 12\nFAILED; again with: x\n",
                           encoding="utf-8")
            (_, bad), = reliability.read_report(str(log))
        self.assertEqual((name, good.cases), ("test_one", {"bytes": 12}))
        self.assertFalse(good.failed)
        self.assertTrue(bad.failed)


class Promises(unittest.TestCase):
    def test_they_are_read_with_their_tests(self):
        promise, = reliability.read_promises(PROMISES)
        self.assertEqual(promise.heading, "Bodies")
        self.assertEqual(promise.text, "Nothing is lost.")
        self.assertEqual(promise.tests,
                         [("test_one", None), ("test_two", "bodies")])

    def test_a_promise_without_a_test_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no test for: Alone."):
            reliability.read_promises("## A\nAlone.\n")

    def test_a_test_without_a_promise_is_refused(self):
        with self.assertRaisesRegex(ValueError, "line 3"):
            reliability.read_promises("## A\n\n    test_one\n")


class Page(unittest.TestCase):
    def setUp(self):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(REPORT)
            file.flush()
            self.outcomes = list(reliability.read_report(file.name))
        self.promises = reliability.read_promises(PROMISES)

    def test_cases_and_failures_of_all_runs_are_there(self):
        page = reliability.render(self.promises, self.outcomes, [("x", 4)])
        self.assertIn("| Nothing is lost. | `test_one`, `test_two` (bodies) "
                      "| 55 | 1 |\n", page)

    def test_a_run_that_is_named_twice_fails_once(self):
        promise, = reliability.read_promises(
            "## A\nB.\n    test_one: bytes\n    test_one: other\n")
        self.assertEqual(reliability.judge(promise, self.outcomes)[2], "1")

    def test_what_did_not_run_is_named(self):
        page = reliability.render(self.promises, self.outcomes[:3], [("x", 3)])
        self.assertIn("| 50 (not run: test_two) | 1 |\n", page)

    def test_a_page_of_these_promises_passes(self):
        page = reliability.render(self.promises, self.outcomes, [("x", 4)])
        known = {"test_one", "test_two"}
        self.assertEqual(reliability.check(self.promises, known, page), [])

    def test_a_test_that_is_not_there_is_named(self):
        page = reliability.render(self.promises, self.outcomes, [("x", 4)])
        self.assertEqual(
            reliability.check(self.promises, {"test_one"}, page),
            ["reliability.in: no such test: test_two"])

    def test_another_promise_than_the_page_has_is_named(self):
        page = reliability.render(self.promises, self.outcomes, [("x", 4)])
        self.promises[0].text = "All is lost."
        wrong = reliability.check(self.promises, {"test_one", "test_two"},
                                  page)
        self.assertEqual(len(wrong), 1)
        self.assertIn("not there: All is lost.", wrong[0])

    def test_a_promise_that_only_the_page_has_is_found(self):
        page = reliability.render(self.promises * 2, self.outcomes, [("x", 4)])
        wrong = reliability.check(self.promises, {"test_one", "test_two"},
                                  page)
        self.assertIn("2 promises, 1 in", wrong[0])


if __name__ == "__main__":
    unittest.main()
