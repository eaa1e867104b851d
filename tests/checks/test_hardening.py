"""scripts/check-hardening passes a hardened program and names each gap."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

SOURCE = """#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[16];
    memset(text, 0, sizeof text);
    snprintf(text, (size_t)argc, "%s", argv[0]);
    strcpy(text + argc, argv[0]);
    return printf("%s", text) < 0;
}
"""
HARD = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong",
        "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
        "-Wl,-z,relro,-z,now,-z,noexecstack"]


class Hardening(unittest.TestCase):
    def check(self, *flags):
        """Builds with all flags and these behind them; (status, output)."""
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "x.c")
            pathlib.Path(source).write_text(SOURCE)
            program = os.path.join(folder, "x")
            subprocess.run(["cc", "-w", *HARD, *flags, source, "-o", program],
                           check=True)
            ran = subprocess.run([ROOT / "scripts/check-hardening", program],
                                 capture_output=True, text=True)
            return ran.returncode, ran.stdout

    def expect(self, reason, *flags):
        status, said = self.check(*flags)
        self.assertEqual(status, 1, said)
        self.assertIn(reason, said)
        self.assertEqual(said.count("\n"), 1, said)

    def test_a_hardened_program_passes(self):
        self.assertEqual(self.check()[0], 0)

    def test_without_stack_protector(self):
        self.expect("guards its stack", "-fno-stack-protector")

    def test_without_fortify(self):
        self.expect("checks its sizes", "-U_FORTIFY_SOURCE")

    def test_bound_late(self):
        self.expect("bound late", "-Wl,-z,lazy")

    def test_without_relro(self):
        self.expect("no RELRO", "-Wl,-z,norelro")

    def test_an_executable_stack(self):
        self.expect("writable and executable", "-Wl,-z,execstack")

    def test_not_position_independent(self):
        self.expect("position-independent", "-fno-pie", "-no-pie")


if __name__ == "__main__":
    unittest.main()
