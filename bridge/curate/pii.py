"""Personal data and secrets: where they are in a record, and what a person should look at.

This assists a person who knows the data; it is no guarantee. Names of people whom nobody has listed, postal addresses,
and whatever is spelled in a way that nobody thought of are not found. :mod:`bridge.curate.masking` does something
about what is found.
"""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.curate import pii_kinds as kinds
from bridge.curate.pii_emails import emails
from bridge.curate.pii_kinds import SURE, Finder, Hit
from bridge.curate.places import HISTORY, nested_texts, suggestion_places
from bridge.errors import UsageError
from bridge.records import ROLES, Record

KINDS = ("secret", "email", "iban", "card", "ssn", "ip", "phone", "name", "person")
"""All kinds; where passages overlap, the one that stands first here wins."""

PLACEHOLDER = re.compile(r"<(?:[A-Z]+)_(?:[0-9a-f]{8,32}|[1-9][0-9]{0,5})>")
"""What stands in the place of masked passages. Nothing personal is looked for in it."""

_SEVEN_DIGITS = re.compile(r"(?:\D*+\d){7}")  # the fewest that anybody's number has

Names = Callable[[str], Iterable[tuple[int, int, float]]]
"""What finds names of people: from a text to start, end and how sure (0 to 1), in code points."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One passage of a record that seems to be personal or secret.

    Args:
        key: the record's key.
        field: where it stands: ``prompt``, ``messages[2]``, ``messages[2].role``, ``suggestions.improved_response``,
            ``metadata.contact``, or ``key`` for the record's key itself.
        kind, start, end, sure, note: as in :class:`~bridge.curate.pii_kinds.Hit`.
        shown: the passage, shortened so that it tells a reader of the data which one is meant, and nobody else.
        value: what it says, the same for all spellings of it; in no report.
    """

    key: str
    field: str
    kind: str
    start: int
    end: int
    sure: float
    shown: str
    note: str = ""
    value: str = dataclasses.field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The finding as a line of a report, without its value."""
        return {
            "key": self.key if self.field != "key" else self.shown,
            "field": self.field,
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "sure": self.sure,
            "shown": self.shown,
            "note": self.note,
        }


def shortened(text: str) -> str:
    """A passage as reports show it: at most two characters of each end, and never more than a third of all.

    >>> shortened("ann.lee@example.org"), shortened("4111 1111 1111 1111"), shortened("Ann")
    ('an…rg', '41…11', '…')
    """
    ends = min(2, len(text) // 6)
    return f"{text[:ends]}…{text[len(text) - ends :]}" if ends else "…"


class Searcher:
    """The kinds to look for, set up once and asked for one text or record at a time.

    Args:
        only: the kinds to look for; all where it is None. ``person`` needs ``find_names``.
        off: kinds to leave out.
        regions: countries whose phone numbers are known without their country's code.
        names: names of people who are known to be spoken of; found exactly as they are given.
        speakers: whether those who speak in a transcript are such people (standard roles are not).
        find_names: what finds other names, such as :func:`bridge.curate.ner.presidio_names`.
        metadata: whether to look at texts in a record's metadata too.

    Raises:
        UsageError: there is no such kind or region, or a kind's package is not installed.

    >>> searcher = Searcher(names=["Ann Lee"])
    >>> [(hit.kind, hit.start) for hit in searcher.text("Ann Lee, ann@mail.example, +44 20 7946 0958")]
    [('name', 0), ('email', 9), ('phone', 27)]
    """

    def __init__(
        self,
        *,
        only: Collection[str] | None = None,
        off: Collection[str] = (),
        regions: Sequence[str] = ("US",),
        names: Iterable[str] = (),
        speakers: bool = True,
        find_names: Names | None = None,
        metadata: bool = True,
    ) -> None:
        for name in [*(only or ()), *off]:
            if name not in KINDS:
                raise UsageError(
                    f"{name!r:.60} is no kind of personal data", remedy=f"the kinds are {', '.join(KINDS)}"
                )
        self.kinds = tuple(kind for kind in KINDS if (only is None or kind in only) and kind not in off)
        if only is not None and "person" in only and find_names is None:
            raise UsageError("person: nothing is set up that finds names", remedy="give find_names, or leave it out")
        self.names = tuple(names) if "name" in self.kinds else ()
        self._speakers = speakers and "name" in self.kinds
        self._find_names = find_names
        self._metadata = metadata
        self._always: list[Finder] = []
        self._with_digits: list[Finder] = []
        for kind in self.kinds:
            if kind == "phone":
                from bridge.curate.pii_phones import phones_finder

                self._with_digits.append(phones_finder((regions,) if isinstance(regions, str) else regions))
            elif kind in ("iban", "card", "ssn"):
                self._with_digits.append({"iban": kinds.ibans, "card": kinds.cards, "ssn": kinds.ssns}[kind])
            elif kind == "ip":
                self._always.append(kinds.ips)  # ff02::abcd has no digits worth counting
            elif kind == "email":
                self._always.append(emails)
            elif kind == "secret":
                from bridge.curate.pii_secrets import secrets

                self._always.append(secrets)
            elif kind == "person":
                self._always.append(kinds.introductions)
                if find_names is not None:
                    self._always.append(self._persons)
        self._given = kinds.names_finder(self.names)
        if {"iban", "card"} & {*self.kinds}:
            kinds.check_packages()

    def _persons(self, text: str) -> Iterator[Hit]:
        if self._find_names is not None:
            for start, end, sure in self._find_names(text):
                yield Hit("person", start, end, round(sure, 2), text[start:end], "found by a model")

    def text(self, text: str, names: Finder | None = None) -> list[Hit]:
        """What seems personal or secret in one text: in order, without overlaps, the unsure included.

        Args:
            text: any text.
            names: a finder of further names.
        """
        hits = [hit for find in self._always for hit in find(text)]
        if _SEVEN_DIGITS.match(text):
            hits += [hit for find in self._with_digits for hit in find(text)]
        hits += self._given(text)
        if names is not None:
            hits += names(text)
        if not hits:
            return []
        taken = [match.span() for match in PLACEHOLDER.finditer(text)] if "<" in text else []
        return _apart(hits, taken)

    def record(self, record: Record) -> list[Finding]:
        """What seems personal or secret in a record: in its fields, what is suggested, and its metadata.

        In metadata, what only looks random does not count, because identifiers do; of the history, earlier texts do.
        """
        found = []
        names = self.speakers(record)
        for place, text in places_of(record, metadata=self._metadata):
            for hit in self.text(text, names):
                if hit.note == "looks random" and place.startswith(("metadata", "key")):
                    continue
                found.append(
                    Finding(
                        record.key,
                        place,
                        hit.kind,
                        hit.start,
                        hit.end,
                        hit.sure,
                        shortened(text[hit.start : hit.end]),
                        hit.note,
                        hit.value,
                    )
                )
        return found

    def speakers(self, record: Record) -> Finder | None:
        """A finder of the names of those who speak in a record's transcripts, or None."""
        if not self._speakers:
            return None
        names = {
            message["role"]
            for value in record.fields.values()
            if not isinstance(value, str)
            for message in value
            if message["role"].lower() not in _NO_NAMES and _NO_NAME.fullmatch(message["role"]) is None
        }
        return kinds.names_finder(names) if names else None


_NO_NAMES = frozenset((*ROLES, "human", "gpt", "bot", "function", "developer", "customer", "agent", "speaker", "model"))
_NO_NAME = re.compile(
    r"(?:speaker|person|participant|s|p|agent|customer|user|interviewer|unknown)[ _-]?\d{0,3}", re.IGNORECASE
)


def places_of(record: Record, *, metadata: bool = True) -> Iterator[tuple[str, str]]:
    """All texts of a record in which something personal can be, with their places.

    >>> list(places_of(Record("r", {"talk": [{"role": "Ann", "content": "Hi"}]}, metadata={"mail": "a@b.example"})))
    [('talk[0].role', 'Ann'), ('talk[0]', 'Hi'), ('metadata.mail', 'a@b.example'), ('key', 'r')]
    """
    for name, value in record.fields.items():
        if isinstance(value, str):
            yield name, value
        else:
            for number, message in enumerate(value):
                if message["role"] not in ROLES:
                    yield f"{name}[{number}].role", message["role"]
                yield f"{name}[{number}]", message["content"]
    for place, suggestion in zip(suggestion_places(record), record.suggestions, strict=True):
        if isinstance(suggestion.value, str):
            yield place, suggestion.value
    for key, value in record.metadata.items():
        if metadata or key == HISTORY:
            yield from nested_texts({key: value}, "metadata")
    if _OF_OURS.fullmatch(record.key) is None:
        yield "key", record.key


_OF_OURS = re.compile(r"[0-9a-f]{32}")  # a key that records have by default is a hash, in which nothing can be read


def _apart(hits: list[Hit], taken: list[tuple[int, int]]) -> list[Hit]:
    """Hits that overlap neither each other nor what is taken (places in order).

    What is sure goes before what is not, then kinds in their order, then the longer.
    """
    starts, ends = [start for start, _ in taken], [end for _, end in taken]
    kept = []
    for hit in sorted(hits, key=lambda h: (h.sure < SURE, KINDS.index(h.kind), h.start - h.end, -h.sure, h.start)):
        place = bisect_right(starts, hit.start)
        if (place == 0 or ends[place - 1] <= hit.start) and (place == len(starts) or hit.end <= starts[place]):
            starts.insert(place, hit.start)
            ends.insert(place, hit.end)
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


def count_pii(records: Iterable[Record], **settings: Any) -> dict[str, int]:
    """How many records hold each kind; the settings are those of :class:`Searcher`.

    >>> count_pii([Record("r", {"prompt": "Write to ann@mail.example or bo@mail.example."})])
    {'email': 1}
    """
    searcher = Searcher(**settings)
    counts: Counter[str] = Counter()
    for record in records:
        counts.update({finding.kind for finding in searcher.record(record) if finding.sure >= SURE})
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def review(findings: Iterable[Finding], *, least: float = 0.2, sure: float = 0.9) -> list[Finding]:
    """What a person should look at: neither sure to be personal nor sure to be none, the closest calls first.

    Those below :data:`~bridge.curate.pii_kinds.SURE` are not masked, those above it are, so that both are worth a look.
    In a key everything is, because a key cannot be masked.

    >>> found = Searcher().record(Record("r", {"prompt": "Order 2125550134. Mail: ann@mail.example"}))
    >>> [(finding.kind, finding.sure, finding.shown) for finding in review(found)]
    [('phone', 0.3, '2…4')]
    """
    doubtful = [f for f in findings if least <= f.sure < sure or f.field == "key"]
    return sorted(doubtful, key=lambda f: (f.field != "key", abs(f.sure - SURE), f.key, f.field, f.start))
