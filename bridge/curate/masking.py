"""What becomes of personal data that was found: reported, masked, pseudonymised, or dropped with its record.

A mask is ``<EMAIL_1>``: the same value has the same number in all texts of one record. A pseudonym is
``<EMAIL_3f9a2c1b04de>``: the same value has the same one in all records that were treated with one key, and without
that key nobody can tell whose it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from bridge.curate.pii import KINDS, PLACEHOLDER, Finding, Searcher, places_of
from bridge.curate.pii_kinds import SURE
from bridge.curate.places import suggestion_places, with_history, with_nested_texts, with_texts
from bridge.curate.result import Dropped, Result
from bridge.curate.spans import Edit, fields_of_spans, moved
from bridge.errors import UsageError
from bridge.records import Record, Suggestion

Mode: TypeAlias = Literal["report", "mask", "pseudonymise", "drop"]

STEP = "pii"
SHORTEST_KEY = 16
_ROUNDS = 8

_NUMBERED = re.compile(r"<([A-Z]+)_([1-9][0-9]{0,5})>")

Stand: TypeAlias = "Callable[[str, str], str]"
"""From kind and value to what stands in its place."""


@dataclass(frozen=True, slots=True)
class Treated:
    """One record after a step.

    Args:
        record: the record as it goes on; None where it was dropped.
        dropped: the reason, where it was dropped.
        findings: all that was found, the unsure included.
    """

    record: Record | None
    dropped: Dropped | None
    findings: list[Finding]


class Privacy:
    """A mode and the kinds to look for, set up once and asked for one record at a time.

    Args:
        mode: ``report`` changes nothing; ``mask`` and ``pseudonymise`` put placeholders in; ``drop`` drops the record.
        key: the secret behind pseudonyms, at least 16 bytes.
        at_least: how sure a finding must be for the mode to act on it.
        spans: question to field, for suggested spans; without it, the field is found where only one can be meant.
        settings: those of :class:`~bridge.curate.pii.Searcher`.

    Raises:
        UsageError: there is no such mode, its key is missing or too short, or the settings cannot be right.

    >>> record = Record("r", {"prompt": "I am ann@mail.example.", "reply": "ANN@mail.example, call +44 20 7946 0958!"})
    >>> Privacy("mask").record(record).record.fields
    {'prompt': 'I am <EMAIL_1>.', 'reply': '<EMAIL_1>, call <PHONE_1>!'}
    """

    def __init__(
        self,
        mode: Mode = "report",
        *,
        key: bytes | None = None,
        at_least: float = SURE,
        spans: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        if mode not in get_args(Mode):
            raise UsageError(
                f"mode {mode!r:.60}: there is none of that name", remedy=f"use {', '.join(get_args(Mode))}"
            )
        if mode == "pseudonymise" and len(key or b"") < SHORTEST_KEY:
            raise UsageError(
                f"pseudonymise: it needs a secret key of at least {SHORTEST_KEY} bytes",
                remedy="python -c 'import secrets; print(secrets.token_hex())' makes one; keep it away from the data",
            )
        self.mode = mode
        self.searcher = Searcher(**settings)
        self._key = key or b""
        self._at_least = at_least
        self._spans = spans or {}

    def record(self, record: Record) -> Treated:
        """Treat one record."""
        findings = self.searcher.record(record)
        acted_on = [finding for finding in findings if finding.sure >= self._at_least]
        if not acted_on or self.mode == "report":
            return Treated(record, None, findings)
        if self.mode == "drop":
            counts = Counter(finding.kind for finding in acted_on)
            first = min(acted_on, key=lambda finding: (-finding.sure, KINDS.index(finding.kind)))
            detail = {"kinds": dict(sorted(counts.items())), "field": first.field, "shown": first.shown}
            return Treated(None, Dropped(record.key, STEP, first.kind, score=first.sure, detail=detail), findings)
        masked = self._masked(record, acted_on)
        for _ in range(_ROUNDS):
            # A passage can hide another one that begins in it, which is found once the first is masked.
            hidden = [f for f in self.searcher.record(masked) if f.sure >= self._at_least and f.field != "key"]
            if not hidden:
                break
            masked = self._masked(masked, hidden)
        return Treated(masked, None, findings)

    def texts(self, texts: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Mask texts that belong together, such as the answers of one person: place to text, for those that changed.

        >>> Privacy("mask").texts([("improved", "Write to bo@mail.example"), ("why", "<EMAIL_1> is old")])
        {'improved': 'Write to <EMAIL_2>'}
        """
        listed = list(texts)
        stand = self._stand([text for _, text in listed])
        masked = {}
        for place, text in listed:
            for _ in range(1 + _ROUNDS):
                hits = [hit for hit in self.searcher.text(text) if hit.sure >= self._at_least]
                if not hits:
                    break
                text = _replaced(text, [(h.start, h.end, stand(h.kind, h.value)) for h in hits])[0]
                masked[place] = text
        return masked

    def _stand(self, texts: Iterable[str]) -> Stand:
        if self.mode == "pseudonymise":
            return self._pseudonym
        numbers: Counter[str] = Counter()
        for text in texts:
            if "<" in text:
                for kind, number in _NUMBERED.findall(text):
                    numbers[kind] = max(numbers[kind], int(number))
        given: dict[tuple[str, str], str] = {}

        def stand(kind: str, value: str) -> str:
            if (kind, value) not in given:
                numbers[kind.upper()] += 1
                given[kind, value] = f"<{kind.upper()}_{numbers[kind.upper()]}>"
            return given[kind, value]

        return stand

    def _pseudonym(self, kind: str, value: str) -> str:
        digest = hmac.new(self._key, f"{kind}\0{value}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
        return f"<{kind.upper()}_{digest[:12]}>"

    def _masked(self, record: Record, findings: Sequence[Finding]) -> Record:
        texts = dict(places_of(record))
        by_place: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.field != "key":  # it is the record's identity; the review names it
                by_place.setdefault(finding.field, []).append(finding)
        stand = self._stand(texts.values())
        after: dict[str, str] = {}
        changes: dict[str, list[Edit]] = {}
        for place, found in by_place.items():
            passages = [(f.start, f.end, stand(f.kind, f.value)) for f in found]
            after[place], changes[place] = _replaced(texts[place], passages)
        if not after:
            return record
        suggestions, entries = self._with_spans(record, changes)
        for number, place in enumerate(suggestion_places(record)):
            if place in after:
                suggestions[number] = replace(suggestions[number], value=after[place])
        metadata = with_nested_texts(record.metadata, "metadata", after)
        masked = replace(
            record,
            fields=with_texts(record.fields, after),
            suggestions=tuple(s for s in suggestions if s.value != []),
            metadata=metadata,
        )
        return with_history(masked, entries)

    def _with_spans(
        self, record: Record, changes: Mapping[str, list[Edit]]
    ) -> tuple[list[Suggestion], list[dict[str, Any]]]:
        """The suggestions with their spans where their passages are now, and why some are gone."""
        suggestions = list(record.suggestions)
        entries = []
        for number, fields in fields_of_spans(record, self._spans).items():
            touched = [field for field in fields if field in changes]
            if not touched:
                continue
            suggestion = suggestions[number]
            # Nothing is masked away to no text, so that no span of a known field is lost.
            spans = moved(suggestion.value, changes[touched[0]]) if len(fields) == 1 else []  # type: ignore[arg-type]
            suggestions[number] = replace(suggestion, value=spans)
            if not spans:
                rule = f"spans dropped: they may be in any of {', '.join(fields)}"
                place = f"suggestions.{suggestion.question}"
                entries.append({"step": STEP, "rule": rule, "field": place, "before": suggestion.value})
        return suggestions, entries


def _replaced(text: str, passages: Sequence[tuple[int, int, str]]) -> tuple[str, list[Edit]]:
    """A text with other words in the place of passages (in order, apart from each other), and what became of where."""
    parts: list[str] = []
    edits = []
    position = length = 0
    for start, end, word in passages:
        parts += [text[position:start], word]
        length += start - position
        edits.append(Edit(start, end, length, length + len(word)))
        length += len(word)
        position = end
    return "".join([*parts, text[position:]]), edits


def pii(records: Iterable[Record], mode: Mode = "report", **settings: Any) -> Result:
    """Treat records; the settings are those of :class:`Privacy` and :class:`~bridge.curate.pii.Searcher`.

    Returns:
        The records under their keys, changed where the mode says so; those that were dropped; and kind to the number
        of records that hold it for sure.

    >>> records = [Record("a", {"prompt": "Mail ann@mail.example"}), Record("b", {"prompt": "2 + 2?"})]
    >>> pii(records, "mask").kept[0].fields, pii(records, "drop").dropped[0].detail
    ({'prompt': 'Mail <EMAIL_1>'}, {'kinds': {'email': 1}, 'field': 'prompt', 'shown': 'an…le'})
    """
    privacy = Privacy(mode, **settings)
    kept, dropped, why = [], [], Counter[str]()
    for record in records:
        treated = privacy.record(record)
        why.update({f.kind for f in treated.findings if f.sure >= settings.get("at_least", SURE)})
        if treated.record is not None:
            kept.append(treated.record)
        if treated.dropped is not None:
            dropped.append(treated.dropped)
    return Result(kept, dropped, {kind: why[kind] for kind in KINDS if why[kind]})


__all__ = ["PLACEHOLDER", "Mode", "Privacy", "Treated", "pii"]
