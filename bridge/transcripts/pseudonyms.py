"""Pseudonyms of those who speak, in place of their names and wherever their names are said.

A name becomes ``Person-`` and a keyed hash of it, the same in every transcript that is read with the same file of
pseudonyms. That file holds the key and the names, so it is readable by its owner only, and stays where it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge.errors import StoreError
from bridge.keys import write_private
from bridge.transcripts.speakers import is_duty, is_person

KEY_BYTES = 32


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARTICLES = _words(
    """
    van von der den de di da del della la le dos das el al bin ibn ter ten zu zum
    """
)
_ALSO_WORDS = _words(
    """
    art bill bob chase chip dawn dean do drew earl faith frank grace grant guy hope hunter ivy jack joy june
    lance long mark may miles nick pat patience penny pierce ray rich rob rose ruby sky song sue summer so an he
    you my ward wade will young april august christian dale glen harmony heath iris jade lily max melody page
    read stone wood king park case cook cross day field fish fox gold green brown black white gray grey hill
    house hall lake lane little love marsh mason moon moore moss price reed small star street strong swift towns
    waters wise worth best bush church
    """
)
_APOSTROPHES = str.maketrans("’ʼ‘", "'''")
_EAST = re.compile("[\u2e80-\u9fff\uac00-\ud7a3]")


class Pseudonyms:
    """The pseudonyms of a file.

    Args:
        key: makes the hashes; whoever has it can test names.
        names: pseudonym to name, of those who have one.

    >>> people = Pseudonyms(b"k" * 32)
    >>> people.of("Ann Lee"), people.of("Ann Lee") == people.of("ANN LEE"), people.of("Speaker 1")
    ('Person-072d8b97', True, 'Speaker 1')
    """

    def __init__(self, key: bytes, names: Mapping[str, str] | None = None) -> None:
        self._key = key
        self.names = dict(names or {})

    @classmethod
    def load(cls, path: str | Path) -> Pseudonyms:
        """Those of a file, or new ones where there is none yet.

        Raises:
            StoreError: the file cannot be read, or is damaged.
        """
        path = Path(path)
        try:
            whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
            if whole is None:
                return cls(secrets.token_bytes(KEY_BYTES))
            key, names = bytes.fromhex(whole["key"]), whole["names"]
            if len(key) != KEY_BYTES or not all(isinstance(name, str) for name in [*names, *names.values()]):
                raise ValueError
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}", remedy="make it readable for you, or name another one"
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StoreError(
                f"{path}: no file of pseudonyms, or a damaged one", remedy="restore it from a backup, or name a new one"
            ) from None
        return cls(key, names)

    def save(self, path: str | Path) -> None:
        """Write key and names to a file that only its owner can read.

        Raises:
            StoreError: it cannot be written.
        """
        whole = {"key": self._key.hex(), "names": dict(sorted(self.names.items()))}
        write_private(Path(path), json.dumps(whole, indent=2, ensure_ascii=False) + "\n")

    def of(self, name: str) -> str:
        """The pseudonym of a normalised name; those who have none, such as ``Speaker 1``, are called as they are.

        Raises:
            StoreError: two names have the same hash.
        """
        if not is_person(name):
            return name
        digest = hmac.new(self._key, name.casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        pseudonym = f"Person-{digest[:8]}"
        if self.names.setdefault(pseudonym, name).casefold() != name.casefold():
            raise StoreError(
                f"{name!r:.60} and another one have the same pseudonym", remedy="name a new file of pseudonyms"
            )
        return pseudonym


class NameFinder:
    """Finds the names of those who speak in what is said, and puts their pseudonyms there.

    Whole names are found however they are capitalised, and so are first and last names, unless they are words too
    ('Mark', 'Will'): those only with a capital, and at the beginning of a sentence only before a comma. A first name
    that two people share gets a pseudonym of its own. Nicknames, and people who never speak, are not found.

    Args:
        pseudonyms: where pseudonyms come from.
        people: normalised name to how the source writes it.

    >>> finder = NameFinder(Pseudonyms(b"k" * 32), {"Ann Lee": ["Lee, Ann"], "Will Moe": []})
    >>> finder.replaced("Thanks, Ann. Will we ask will moe? Annual Lee's list.")
    "Thanks, Person-072d8b97. Will we ask Person-92987b39? Annual Person-072d8b97's list."
    """

    def __init__(self, pseudonyms: Pseudonyms, people: Mapping[str, Iterable[str]]) -> None:
        whole: dict[str, str] = {}
        written: set[str] = set()
        parts: dict[str, set[str]] = {}
        for name, spellings in people.items():
            if not is_person(name):
                continue
            pseudonym = pseudonyms.of(name)
            for spelling in (name, *spellings):
                whole.setdefault(_plain(spelling), pseudonym)
                written.add(spelling)
            words = [word.strip(".,()") for word in re.split(r"[\s-]+", name)]
            for word in words if len(words) > 1 else ():
                if len(word) > 1 and word.casefold() not in _PARTICLES:
                    parts.setdefault(_plain(word), set()).add(pseudonym)
                    written.add(word)
        self._names = {
            part: min(owners) if len(owners) == 1 else pseudonyms.of(part.title()) for part, owners in parts.items()
        }
        self._names |= whole
        self._pattern = _any_of(written)

    def replaced(self, text: str) -> str:
        """A text with pseudonyms where it says names."""
        return text if self._pattern is None else self._pattern.sub(self._new, text)

    def _new(self, match: re.Match[str]) -> str:
        said = match[0]
        name = _plain(said)
        if (name in _ALSO_WORDS or is_duty(name)) and not _is_meant(match):
            return said
        return self._names[name]


def _plain(name: str) -> str:
    """A name by which all its spellings are found: in capitals or not, composed or not, with any apostrophe."""
    name = unicodedata.normalize("NFC", " ".join(name.split())).casefold().translate(_APOSTROPHES)
    return unicodedata.normalize("NFC", name.replace("i\u0307", "i").replace("ı", "i"))


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for all names, the longest first; names of scripts without spaces may stand within others."""
    ways = set()
    for name in names:
        plain = " ".join(name.split())
        for spelling in (plain, plain.lower(), plain.upper(), plain.casefold()):
            for composed in ("NFC", "NFD"):
                written = unicodedata.normalize(composed, spelling).translate(_APOSTROPHES)
                way = re.escape(written).replace("'", "['’ʼ‘]").replace("\\ ", r"\s+")
                ways.add(way if _EAST.search(name) and len(name) > 1 else rf"(?<!\w){way}(?![\w\u0300-\u036f])")
    return re.compile("|".join(sorted(ways, key=len, reverse=True)), re.IGNORECASE) if ways else None


def _is_meant(match: re.Match[str]) -> bool:
    """Whether a word that is a name too is one here: with a capital, and not only because a sentence begins."""
    if not match[0][0].isupper():
        return False
    before = match.string[: match.start()].rstrip()
    begins = not before or before[-1] in ".?!…:"
    return not begins or match.string[match.end() : match.end() + 1] in (",", "'", "’", ":")
