"""scripts/check-symbols refuses a forbidden call and a name that leaks."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check-symbols"
CC = os.environ.get("CC", "cc")

BASE = "void *wr_malloc(unsigned long n); void *wr_malloc(unsigned long n)" \
       "{ return (void *)n; }"
SOUND = "void *wr_malloc(unsigned long); void *wr_use(void);" \
        "void *wr_use(void) { return wr_malloc(1); }"
PUBLIC = "int weir_one(void); int weir_one(void) { return 1; }"


def caller(name):
    return f"int {name}(int); int wr_call(void); " \
           f"int wr_call(void) {{ return {name}(1); }}"


class Symbols(unittest.TestCase):
    """Each test makes a small build folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        for layer, text in (("base", BASE), ("http", SOUND), ("pool", SOUND)):
            self.compile_layer(layer, text)
        self.compile_library(PUBLIC)

    def compile(self, text, target, *flags):
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([CC, "-w", "-fno-builtin", "-fPIC", "-x", "c", "-",
                        "-o", target, *flags],
                       input=text, text=True, check=True)

    def compile_layer(self, layer, text):
        folder = self.build / f"src/CMakeFiles/weir_{layer}.dir/{layer}"
        self.compile(text, folder / "planted.c.o", "-c")

    def compile_library(self, text):
        self.compile(text, self.build / "src/libweir.so", "-shared")

    def check(self):
        return subprocess.run([sys.executable, SCRIPT, self.build],
                              capture_output=True, text=True)

    def test_a_layer_that_calls_base_passes(self):
        ran = self.check()
        self.assertEqual((ran.returncode, ran.stdout), (0, ""))

    def test_a_forbidden_call_is_named(self):
        for layer, call in (("http", "socket"), ("http", "clock_gettime"),
                            ("http", "malloc"), ("http", "wr_sock_open"),
                            ("pool", "pthread_mutex_lock"), ("pool", "exit"),
                            ("pool", "wr_url_parse")):
            with self.subTest(layer=layer, call=call):
                self.compile_layer(layer, caller(call))
                ran = self.check()
                self.compile_layer(layer, SOUND)
                self.assertEqual(ran.returncode, 1)
                self.assertIn(f"src/{layer}/planted.c: calls {call},",
                              ran.stdout)

    def test_a_leaking_name_is_named(self):
        self.compile_library(PUBLIC + BASE)
        ran = self.check()
        self.assertEqual(ran.returncode, 1)
        self.assertIn("shows wr_malloc", ran.stdout)


if __name__ == "__main__":
    unittest.main()
