"""PEP 440 beside Python's own `packaging`: thousands of generated pairs.

The seed is printed; WEIR_SEED=N makes the same pairs again.
"""

import os
import random
import subprocess
import unittest

from packaging.version import InvalidVersion, Version

PAIRS = os.environ["WEIR_PEP440_PAIRS"]
SEED = int(os.environ.get("WEIR_SEED") or random.randrange(2**32))

NUMBERS = ["0", "1", "2", "3", "9", "10", "11", "007", "00", "2024",
           "18446744073709551615", "18446744073709551616"]
SEPARATORS = ["", "", ".", "-", "_"]
PRE = ["a", "b", "c", "rc", "alpha", "beta", "pre", "preview"]
POST = ["post", "rev", "r"]
LOCAL = ["a", "b", "ab", "abc", "1a", "a1", "ubuntu", *NUMBERS]
# What a mutation puts in: all that has a meaning somewhere, and what has none.
# (Python's \s takes \x1c to \x1f as white space; PEP 440 does not.)
BYTES = "0123456789.-_+!abcrdevpostlwinux *,:~\x00\x1b\x7fé"


class Maker:
    """Makes versions; few different parts, so that many are equal or near."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def maybe(self, chance):
        return self.random.random() < chance

    def pick(self, choices):
        return self.random.choice(choices)

    def number(self):
        return self.pick(NUMBERS[:7]) if self.maybe(.9) else self.pick(NUMBERS)

    def segment(self, words):
        return (self.pick(SEPARATORS) + self.pick(words)
                + self.pick(SEPARATORS)
                + (self.number() if self.maybe(.8) else ""))

    def version(self):
        text = "v" if self.maybe(.05) else ""
        text += self.number() + "!" if self.maybe(.15) else ""
        text += ".".join(self.number()
                         for _ in range(self.random.randint(1, 4)))
        text += ".0" * self.random.randint(1, 3) if self.maybe(.2) else ""
        text += self.segment(PRE) if self.maybe(.4) else ""
        if self.maybe(.3):
            text += ("-" + self.number() if self.maybe(.3)
                     else self.segment(POST))
        text += self.segment(["dev"]) if self.maybe(.3) else ""
        if self.maybe(.25):
            text += "+" + self.pick(LOCAL)
            for _ in range(self.random.randint(0, 2)):
                text += self.pick(".-_") + self.pick(LOCAL)
        text = text.upper() if self.maybe(.05) else text
        return f" {text} " if self.maybe(.05) else text

    def mutated(self, text):
        """The same with a few bytes changed, added or left out."""
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(text))
            text = (text[:at] + (self.pick(BYTES) if self.maybe(.7) else "")
                    + text[at + self.random.randint(0, 1):])
        return text

    def pair(self):
        a = self.version()
        kind = self.random.random()
        if kind < .3:  # mutations of one are near to it
            return a, self.mutated(a)
        if kind < .4:
            return self.mutated(a), self.mutated(self.version())
        return a, self.version()


def oracle(a, b):
    try:
        a, b = Version(a), Version(b)
    except InvalidVersion:
        return "invalid"
    return (f"{(a > b) - (a < b)} {a} {b} "
            f"{a.is_prerelease:d} {b.is_prerelease:d}")


def ours(pairs):
    lines = "".join(f"{a}\t{b}\n" for a, b in pairs)
    done = subprocess.run([PAIRS], input=lines.encode(), capture_output=True,
                          timeout=100, check=True)
    return done.stdout.decode().splitlines()


class Oracle(unittest.TestCase):
    def check(self, pairs):
        said = ours(pairs)
        expected = [oracle(a, b) for a, b in pairs]
        self.assertEqual(len(said), len(pairs))
        wrong = [f"{pair}: found {found}, expected {right}" for
                 pair, found, right in zip(pairs, said, expected)
                 if found != right]
        if wrong:
            self.fail(f"seed {SEED}: {len(wrong)} wrong:\n"
                      + "\n".join(wrong[:20]))
        return expected

    def test_generated_pairs(self):
        print(f"seed {SEED}", flush=True)
        maker = Maker(SEED)
        expected = self.check([maker.pair() for _ in range(20000)])
        # The pairs are worth something: each outcome comes often.
        for outcome in ("invalid", "-1 ", "0 ", "1 "):
            self.assertGreater(
                sum(text.startswith(outcome) for text in expected), 400,
                outcome)

    def test_every_combination_of_suffixes(self):
        texts = [f"{epoch}{release}{pre}{post}{dev}{local}"
                 for epoch in ("", "1!") for release in ("1", "1.0.1")
                 for pre in ("", "a1", "rc") for post in ("", "-0", ".post2")
                 for dev in ("", "dev1") for local in ("", "+1", "+a")]
        self.check([(a, b) for a in texts for b in texts[::3]])


if __name__ == "__main__":
    unittest.main()
