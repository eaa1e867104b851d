"""scripts/check-layers refuses every arrow that design.md does not draw."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check-layers"

# file, include to plant, words of the complaint
BROKEN = [
    ("src/base/planted.c", '"pool/core.h"', "base may include"),
    ("src/http/planted.c", '"net/sock.h"', "http may include base"),
    ("src/http/planted.c", '"pool/core.h"', "http may include base"),
    ("src/pool/planted.c", '"http/url.h"', "pool may include base"),
    ("src/net/planted.h", '"pool/core.h"', "net may include base"),
    ("src/settings/planted.c", '"net/sock.h"', "settings may include base"),
    ("src/conn/planted.c", '"settings/options.h"', "conn may include"),
    ("src/http/planted.c", '"../net/sock.h"', "from src/ on"),
    ("src/http/planted.c", "<net/sock.h>", 'write "net/sock.h"'),
    ("src/planted/planted.c", '"base/buf.h"', "is no layer"),
    ("cli/planted.c", '"base/buf.h"', "its own headers"),
    ("cli/planted.c", '"../src/base/buf.h"', "does not reach into src/"),
    ("examples/planted.c", "<base/buf.h>", "does not reach into src/"),
    ("include/weir/planted.h", '"base/buf.h"', "write <weir/buf.h>"),
    ("include/weir/planted.h", "<base/buf.h>", "does not show src/"),
    ("include/weir/planted.h", "<weir/absent.h>", "no such public header"),
]

SOUND = [
    ("src/http/planted.c", '"base/buf.h"'),
    ("src/http/planted.c", "<weir/error.h>"),
    ("src/conn/planted.c", '"pool/core.h"'),
    ("src/api/planted.c", '"settings/options.h"'),
    ("cli/planted.c", "<weir/weir.h>"),
    ("include/weir/planted.h", "<stddef.h>"),
]


class Layers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        for name in ("src", "include", "cli", "examples"):
            if (ROOT / name).exists():
                shutil.copytree(ROOT / name, self.root / name)

    def check(self):
        return subprocess.run([sys.executable, SCRIPT, self.root],
                              capture_output=True, text=True)

    def plant(self, name, include):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"/* planted */\n#include {include}\n")
        return path

    def test_the_tree_as_it_is_passes(self):
        ran = self.check()
        self.assertEqual((ran.returncode, ran.stdout), (0, ""))

    def test_a_planted_violation_is_named_with_its_line(self):
        for name, include, words in BROKEN:
            with self.subTest(file=name, include=include):
                path = self.plant(name, include)
                ran = self.check()
                path.unlink()
                self.assertEqual(ran.returncode, 1)
                self.assertIn(f"{name}:2: ", ran.stdout)
                self.assertIn(words, ran.stdout)

    def test_an_allowed_include_passes(self):
        for name, include in SOUND:
            with self.subTest(file=name, include=include):
                path = self.plant(name, include)
                ran = self.check()
                path.unlink()
                self.assertEqual((ran.returncode, ran.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
