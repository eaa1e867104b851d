"""scripts/build-docs refuses a public thing without a comment."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PLANTED = """/**
 * @file
 * Planted.
 */
{comment}int weir_planted(void);
"""
VERSION = """/**
 * @file
 * Planted.
 */
/** Version. */
#define WEIR_VERSION "0.0.0"
"""


class Docs(unittest.TestCase):
    def build(self, comment):
        """Builds the docs of one header in a tree of its own."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "include/weir").mkdir(parents=True)
            for name in ("scripts/build-docs", "docs/Doxyfile"):
                (root / name).parent.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, root / name)
            (root / "include/weir/version.h").write_text(VERSION)
            (root / "include/weir/planted.h").write_text(
                PLANTED.format(comment=comment))
            return subprocess.run([root / "scripts/build-docs", root / "out"],
                                  capture_output=True, text=True)

    def test_a_function_with_a_comment_passes(self):
        ran = self.build("/** Does nothing. */\n")
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_a_function_without_a_comment_is_named(self):
        ran = self.build("")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("weir_planted", ran.stderr)


if __name__ == "__main__":
    unittest.main()
