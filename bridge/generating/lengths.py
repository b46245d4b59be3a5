"""Do the answers that are meant to be better only say more? Lengths of candidates, by who wrote them.

Pairs of a careful prompt against a brief one, or of a large model against a small one, teach length first: the
preferred answer is the longer one nearly always, and nothing is easier to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MUCH = 0.6
"""From this share of records on in which the first arm's answer is the longest, a model can learn length from them."""

FEW = 10
"""With fewer records nothing is said about it."""


@dataclass(slots=True)
class Lengths:
    """Lengths of the candidates of many records, added one record after the other.

    >>> lengths = Lengths()
    >>> for n in range(10):
    ...     lengths.add({"strong": "a long answer " * 5, "weak": "short" if n else "longer " * 99})
    >>> lengths.longest["strong"], round(lengths.mean_words("weak"), 1), lengths.teaches_length
    (0.9, 10.8, True)
    """

    records: int = 0
    _characters: dict[str, int] = field(default_factory=dict)
    _words: dict[str, int] = field(default_factory=dict)
    _longest: dict[str, int] = field(default_factory=dict)

    def add(self, answers: Mapping[str, str]) -> None:
        """Count the answers of one record: arm to answer. Of several equally long ones none is the longest."""
        self.records += 1
        sizes = {arm: len(text) for arm, text in answers.items()}
        most = max(sizes.values())
        for arm, text in answers.items():
            self._characters[arm] = self._characters.get(arm, 0) + sizes[arm]
            self._words[arm] = self._words.get(arm, 0) + len(text.split())
            alone = sizes[arm] == most and list(sizes.values()).count(most) == 1
            self._longest[arm] = self._longest.get(arm, 0) + alone

    def mean_characters(self, arm: str) -> float:
        """The mean number of characters (code points) of an arm's answers."""
        return self._characters[arm] / self.records

    def mean_words(self, arm: str) -> float:
        """The mean number of words, as white space parts them, of an arm's answers."""
        return self._words[arm] / self.records

    @property
    def longest(self) -> dict[str, float]:
        """Arm to the share of records in which its answer is the longest, in the order of the arms."""
        return {arm: count / self.records for arm, count in self._longest.items()}

    @property
    def teaches_length(self) -> bool:
        """Whether one arm's answer is the longest in so many records that a model can learn length from them."""
        return self.records >= FEW and len(self._longest) > 1 and max(self.longest.values()) >= MUCH

    def to_dict(self) -> dict[str, Any]:
        """The figures as ``--json`` prints them."""
        return {
            "records": self.records,
            "arms": {
                arm: {
                    "mean_words": round(self.mean_words(arm), 1),
                    "mean_characters": round(self.mean_characters(arm), 1),
                    "longest": round(share, 3),
                }
                for arm, share in self.longest.items()
            },
            "teaches_length": self.teaches_length,
        }
