"""Doubts: what makes an answer, an annotator or a coefficient less sure than it looks, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning about the answers to a question, or about the people who gave them.

    Args:
        kind: a short name that does not change, such as ``constant_annotator``.
        means: what was found, in a sentence with its figures.
        remedy: what to do about it.
        question: name of the question; empty where it concerns all.
        annotators: pseudonyms of the people concerned, sorted.
        evidence: the figures, for programs.

    >>> Doubt("constant_annotator", "ann chose 'good' in all 40 answers", "look at them", "label", ("ann",)).to_dict()
    ... # doctest: +NORMALIZE_WHITESPACE
    {'kind': 'constant_annotator', 'question': 'label', 'annotators': ['ann'],
     'means': "ann chose 'good' in all 40 answers", 'remedy': 'look at them', 'evidence': {}}
    """

    kind: str
    means: str
    remedy: str
    question: str = ""
    annotators: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The doubt as it stands in reports and in the manifests of exports."""
        return {
            "kind": self.kind,
            "question": self.question,
            "annotators": list(self.annotators),
            "means": self.means,
            "remedy": self.remedy,
            "evidence": dict(self.evidence),
        }
