"""SECURITY.md says of every limit what it bounds, and its default."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = re.compile(r"max_|_timeout$|_max_|_attempts$")
UNITS = {"s": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def rows(name):
    """Yields the cells of each row of the tables of a page."""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def value(text):
    """'64 MiB' is 67108864; 'none' is 0."""
    if text == "none":
        return 0
    number, _, unit = text.partition(" ")
    return float(number) * UNITS.get(unit, 1)


class Limits(unittest.TestCase):
    def setUp(self):
        self.options = {cells[0].strip("`"): cells[3].strip("`")
                        for cells in rows("docs/settings.md")
                        if len(cells) == 5}
        self.limits = {cells[0].strip("`"): cells[1]
                       for cells in rows("SECURITY.md") if len(cells) == 3}

    def test_every_limit_is_there(self):
        wanted = {name for name in self.options if LIMIT.search(name)}
        self.assertGreater(len(wanted), 15)
        self.assertEqual(wanted - set(self.limits), set())

    def test_nothing_else_is(self):
        self.assertEqual(set(self.limits) - set(self.options), set())

    def test_the_defaults_are_right(self):
        for name, default in self.limits.items():
            self.assertEqual(value(default), float(self.options[name]), name)


if __name__ == "__main__":
    unittest.main()
