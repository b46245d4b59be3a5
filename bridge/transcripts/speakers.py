"""Who speaks: one name for one person, however the source writes it."""

from __future__ import annotations

import re
import unicodedata

from bridge.transcripts.turns import UNKNOWN

_TITLES = re.compile(
    r"\A(?:(?:dr|prof|mr|mrs|ms|miss|mx|sir|dame|herr|frau|dipl|ing|rev|hon|mme|mlle|sra?|dra?)\b\.?[\s-]+)+",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"\s*[(\[](?:(?:co-?)?host|guest|external|unverified|presenter|moderator|me|you|\w{1,6}/\w{1,6}(?:/\w{1,6})?)[)\]]",
    re.IGNORECASE,
)
_DEGREES = re.compile(r",?\s+(?:ph\.?\s?d|m\.?d|mba|msc|bsc|esq|jr|sr|ii|iii)\.?$", re.IGNORECASE)
_NUMBERED = re.compile(r"(speaker|spk|participant|sprecher(?:in)?)[\s_#-]*0*(\d{1,4})", re.IGNORECASE)
_DUTY = re.compile(
    r"(?:\W*(?:the|a|project|product|program|manager|management|designer|industrial|user|interface|marketing|expert"
    r"|interviewer|interviewee|participant|respondent|host|cohost|guest|moderator|facilitator|presenter"
    r"|speaker|narrator|chair|chairman|chairwoman|chairperson|president|secretary|court|judge|witness"
    r"|counsel|prosecution|defense|defence|clerk|doctor|physician|nurse|patient|client|customer|agent"
    r"|caller|operator|teacher|student|professor|tutor|coach|assistant|system|bot|audience|member|everyone"
    r"|all|group|male|female|voice|man|woman|unknown|unidentified|other|question|answer|pm|ui|grad|phd|dr"
    r")\b)+\W*",
    re.IGNORECASE,
)
_MARKS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
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
    """Whether a normalised name is somebody's, and not a number, a letter or what somebody is there for.

    >>> is_person("Ann Lee"), is_person("Speaker 1"), is_person("Project Manager"), is_person("Q"), is_person(UNKNOWN)
    (True, False, False, False, False)
    """
    return not (name == UNKNOWN or _NUMBERED.fullmatch(name) or is_duty(name) or (len(name) == 1 and name.isascii()))


def is_duty(name: str) -> bool:
    """Whether all words of a name say what somebody is there for.

    >>> is_duty("the Project Manager"), is_duty("Judge Lee")
    (True, False)
    """
    return _DUTY.fullmatch(name) is not None


def _plain(raw: str) -> str:
    name = " ".join(_MARKS.sub("", unicodedata.normalize("NFC", raw)).split()).strip(" :")
    name = _ROLES.sub("", name)
    name = _DEGREES.sub("", _TITLES.sub("", name, count=1)).strip()
    if _NOBODY.fullmatch(name) or not any(map(str.isalnum, name)):
        return UNKNOWN
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return f"Speaker {int(numbered[2])}"
    last, comma, first = name.partition(", ")
    if comma and "," not in first and len(last.split()) <= 3 and len(first.split()) <= 3:
        name = _TITLES.sub("", f"{first} {last}", count=1)
    if len(name) > 3 and (name.isupper() or name.islower()):
        name = " ".join(_capital(word) for word in name.split())
    return name


def _capital(word: str) -> str:
    return re.sub(r"(?<![^\W\d_])([^\W\d_])([^\W\d_]*)", lambda match: match[1].upper() + match[2].lower(), word)
