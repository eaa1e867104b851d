"""The example that people run: three services, from start to down."""

import os
import subprocess
import unittest

from watch_cli import processes_naming
from weir_cli import WEIR, Case

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class Example(Case):
    def test_the_tour(self):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEIR_")}
        environment.update(XDG_CONFIG_HOME="/nonexistent", TMPDIR=self.folder,
                           XDG_STATE_HOME=self.folder)
        done = subprocess.run(
            [f"{ROOT}/examples/watch/run.sh", WEIR], capture_output=True,
            env=environment, timeout=100, check=False, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("\n== done\n", done.stdout)
        for told in ("health_fail api 3 of 3: status 500",
                     "process_died db ended by itself with exit code 3",
                     "0 added, 1 changed, 0 removed"):
            self.assertIn(told, done.stdout)
        # It has cleaned up behind itself, and no process is left.
        self.assertEqual([name for name in os.listdir(self.folder)
                          if name.startswith("tmp.")], [])
        self.assertEqual(processes_naming(self.folder), [])


if __name__ == "__main__":
    unittest.main()
