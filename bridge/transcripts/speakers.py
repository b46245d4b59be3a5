"""Who speaks: one name for one person, however the source writes it."""

from __future__ import annotations

import re
import unicodedata

from bridge.transcripts.turns import UNKNOWN

_TITLES = re.compile(
    r"(?:(?:dr|prof|mr|mrs|ms|miss|mx|sir|dame|herr|frau|dipl|ing|rev|hon|mme|mlle|sra?|dra?)\b\.?[\s-]+)+",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"\s*[(\[](?:(?:co-?)?host|guest|external|unverified|presenter|moderator|me|you|\w{1,6}/\w{1,6}(?:/\w{1,6})?)[)\]]",
    re.IGNORECASE,
)
_DEGREES = re.compile(r",?\s+(?:ph\.?\s?d|m\.?d|mba|msc|bsc|esq|jr|sr|ii|iii)\.?$", re.IGNORECASE)
_NUMBERED = re.compile(r"(speaker|spk|participant|sprecher(?:in)?)[\s_#-]*0*(\d{1,4})", re.IGNORECASE)
_NOBODY = re.compile(r"(?:unknown|unidentified|unassigned)?\s*(?:speaker|participant|user)?", re.IGNORECASE)


class Speakers:
    """The names of one transcript or of many, normalised.

    Titles, degrees and notes such as ``(Host)`` go, ``Lee, Ann`` becomes ``Ann Lee``, white space is one space, and
    whoever differs by capitals only is the same person, called as at first. Names all in capitals or small letters
    become ``Ann Lee``. ``SPEAKER_01``, ``Speaker 1`` and ``spk1`` are ``Speaker 1``; who has no name is
    :data:`~bridge.transcripts.turns.UNKNOWN`.

    >>> speakers = Speakers()
    >>> [speakers.name(name) for name in ("Dr. Ann Lee (Host)", "ANN LEE", "Lee, Ann", "SPEAKER_01", "")]
    ['Ann Lee', 'Ann Lee', 'Ann Lee', 'Speaker 1', 'Unknown speaker']
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._seen: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Everybody so far, in the order in which they came."""
        return list(self._names.values())

    def name(self, raw: str) -> str:
        """The name of whoever the source calls so."""
        if raw not in self._seen:
            name = _plain(raw)
            self._seen[raw] = self._names.setdefault(name.casefold(), name)
        return self._seen[raw]

    def spellings(self, name: str) -> list[str]:
        """How the source wrote a name, the name itself included."""
        return list(dict.fromkeys([name, *(raw for raw, known in self._seen.items() if known == name and raw.strip())]))


def is_person(name: str) -> bool:
    """Whether a normalised name is somebody's, and not a number.

    >>> is_person("Ann Lee"), is_person("Speaker 1"), is_person(UNKNOWN)
    (True, False, False)
    """
    return name != UNKNOWN and not _NUMBERED.fullmatch(name)


def _plain(raw: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", raw).split()).strip(" :")
    name = _ROLES.sub("", name)
    name = _TITLES.sub("", name, count=1) if _TITLES.match(name) else name
    name = _DEGREES.sub("", name).strip()
    if _NOBODY.fullmatch(name):
        return UNKNOWN
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return f"Speaker {int(numbered[2])}"
    last, comma, first = name.partition(", ")
    if comma and "," not in first and len(last.split()) <= 3 and len(first.split()) <= 3:
        name = f"{first} {last}"
    if len(name) > 3 and (name.isupper() or name.islower()):
        name = " ".join(_capital(word) for word in name.split())
    return name


def _capital(word: str) -> str:
    return re.sub(r"(?<![^\W\d_])([^\W\d_])([^\W\d_]*)", lambda match: match[1].upper() + match[2].lower(), word)
