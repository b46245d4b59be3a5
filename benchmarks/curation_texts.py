"""Texts for the benchmarks of curation, made from a seed: shaped like instruction data, with planted edits.

Words follow Zipf's law over 40,000 made-up ones, and each word is followed by one of its own few successors, so that
word 3-grams recur as they do in prose. Lengths are log-normal with a median of 72 words and a mean near 150, as in
self-instruct, CodeAlpaca and GSM8K together. A fifth of the texts are edits of earlier ones: words replaced (2, 5, 10,
20 or 40 %), case, punctuation, white space, a sentence appended, or a plain copy. A tenth follow a template.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EDITS = (
    "words 2 %",
    "words 5 %",
    "words 10 %",
    "words 20 %",
    "words 40 %",
    "case",
    "punctuation",
    "space",
    "append",
    "copy",
)
_ONSETS = [*"bcdfghjklmnprstvwz", "", "", "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gr", "ph", "pl", "pr", "qu"]
_ONSETS += ["sc", "sh", "sl", "sp", "st", "str", "sw", "th", "th", "tr", "wh"]
_VOWELS = [*"aaeeeiioou", "ai", "ea", "ee", "ie", "io", "oa", "oo", "ou", "y"]
_CODAS = [*"nrstldmpkg", "", "", "", "", "ng", "ck", "st", "nd", "nt", "ss", "ll", "ve", "se", "te", "ght"]
_TEMPLATES = (
    "Write a short story about {} and {} that ends well.",
    "What is the difference between {} and {}?",
    "Given the list {}, {}, sort it and explain each step that you take.",
    "Translate this sentence: {} {}",
)


class Writer:
    """Writes texts; the same seed, the same texts.

    >>> Writer(1).text(5) == Writer(1).text(5)
    True
    """

    def __init__(self, seed: int, words: int = 40_000) -> None:
        self.rng = random.Random(seed)
        made: dict[str, None] = {}
        while len(made) < words:
            made["".join(self.syllable() for _ in range(self.rng.choice((1, 1, 2, 2, 2, 3))))] = None
        self.vocabulary = [*made]
        self.weights = [0.0]
        for place in range(1, len(self.vocabulary) + 1):
            self.weights.append(self.weights[-1] + 1 / place**1.05)
        self.weights = self.weights[1:]
        self.successors: dict[int, list[int]] = {}

    def syllable(self) -> str:
        """One of a few thousand, made as English makes its own."""
        return self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) + self.rng.choice(_CODAS)

    def word(self) -> int:
        """The place of a word, the frequent ones more often."""
        return self.rng.choices(range(len(self.vocabulary)), cum_weights=self.weights)[0]

    def text(self, length: int) -> str:
        """Prose of so many words."""
        rng, said, place = self.rng, [], self.word()
        for at in range(length):
            word = self.vocabulary[place]
            said.append(word.capitalize() if at % 12 == 0 else word + "." if at % 12 == 11 else word)
            if rng.random() < 0.45:
                place = self.word()
                continue
            if place not in self.successors:
                self.successors[place] = [self.word() for _ in range(12)]
            place = self.successors[place][min(int(rng.expovariate(0.4)), 11)]
        return " ".join(said)

    def edited(self, text: str) -> str:
        """A text with one of :data:`EDITS`."""
        rng, edit = self.rng, self.rng.choice(EDITS)
        kind, _, share = edit.partition(" ")
        words = text.split(" ")
        if kind == "words":
            for at in range(len(words)):
                if rng.random() < int(share.split()[0]) / 100:
                    words[at] = self.vocabulary[self.word()]
        elif kind == "case":
            words = [word.upper() if rng.random() < 0.3 else word.lower() for word in words]
        elif kind == "punctuation":
            words = [word.rstrip(".") + rng.choice(("", "", "", ",", "!")) for word in words]
        elif kind == "space":
            words = [word + rng.choice(("", "", " ", "\n")) for word in words]
        elif kind == "append":
            words.append(self.text(8))
        return " ".join(words)

    def texts(self, count: int) -> list[str]:
        """As the head of this module says."""
        made: list[str] = []
        for _ in range(count):
            chance = self.rng.random()
            if made and chance < 0.2:
                made.append(self.edited(self.rng.choice(made)))
            elif chance < 0.3:
                slots = (self.text(self.rng.randint(1, 4)) for _ in range(2))
                made.append(self.rng.choice(_TEMPLATES).format(*slots) + "\n\n" + self.text(self.rng.randint(5, 60)))
            else:
                made.append(self.text(max(3, min(3000, int(self.rng.lognormvariate(4.28, 1.2))))))
        return made


def cpu(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, all threads together, and what came of it."""
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def peak() -> int:
    """The most memory that this process has had, in bytes (Linux; a child's ru_maxrss begins with its parent's)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def in_new_process(script: str, *arguments: object) -> str:
    """What a script prints in a process of its own, whose memory nothing else has filled."""
    command = [sys.executable, script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
