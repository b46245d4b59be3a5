"""What is read of a project, whatever the server: the parts of a template, what does not fit into one, and records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from bridge.annotations import Annotation
from bridge.errors import ValueRejected
from bridge.records import FieldValue, Suggestion
from bridge.text import check_text, has_control

LeftKind: TypeAlias = Literal[
    "setting", "field", "question", "record", "metadata", "suggestion", "answer", "mark", "template"
]

LONGEST_TITLE = 300
LONGEST_VALUE = 200
MAX_OPTIONS = 250
MAX_PARTS = 20
MAX_PROSE = 10_000


@dataclass(frozen=True, slots=True)
class NotAdopted:
    """One thing of the project that is not in the campaign, and why.

    Args:
        kind: what it is: a ``setting`` of the project, a ``field``, a ``question``, a ``record``, or of a record its
            ``metadata``, a ``suggestion``, an ``answer`` or a ``mark`` on an answer; ``template`` where the campaign's
            own template does not fit the project.
        name: what it is called on the server.
        reason: why it is not there.
        record: the record's key, or the server's id where the record has none.
        id: the server's id of the answer.

    >>> NotAdopted("field", "photo", "an Image").to_dict()
    {'kind': 'field', 'name': 'photo', 'reason': 'an Image'}
    """

    kind: LeftKind
    name: str
    reason: str
    record: str = ""
    id: str = ""

    def to_dict(self) -> dict[str, str]:
        """The case as a line of ``not_adopted.jsonl``; ``record`` and ``id`` appear only where there is one."""
        line = {"kind": self.kind, "name": self.name, "reason": self.reason}
        return line | {name: value for name in ("record", "id") if (value := getattr(self, name))}


@dataclass
class Shape:
    """What the settings of a project become.

    Args:
        title: the project's.
        guidelines: the project's, as plain text.
        annotators: how many people answer each record.
        fields: field specifications, as a template has them.
        questions: questions, as a template has them.
        left: what has no place in a template.
        notes: what is in it, but not quite as it was.
    """

    title: str = ""
    guidelines: str = ""
    annotators: int = 1
    fields: list[dict[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    left: list[NotAdopted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave(self, kind: LeftKind, name: str, reason: str) -> None:
        """Note a part that has no place in a template."""
        self.left.append(NotAdopted(kind, name, reason))

    def guide(self, *texts: str) -> None:
        """Set the guidelines, as far as a template has room for them."""
        self.guidelines = "\n\n".join(text for text in texts if text)
        if len(self.guidelines) > MAX_PROSE:
            self.leave(
                "setting", "guidelines", f"they have {len(self.guidelines):,} characters; {MAX_PROSE:,} are kept"
            )
            self.guidelines = self.guidelines[:MAX_PROSE]


@dataclass
class Found:
    """One record as it is on the server, in our words; its annotations do not know their record's key yet.

    Args:
        id: the server's id of it.
        own_key: the user's own id of it, where there is one.
        fields: those that it has.
        suggestions: what people found filled in.
        metadata: everything else.
        annotations: every person's answers, under their names on the server.
        left: what of it, of its suggestions and answers is not here; the records of these are set later.
        notes: what is here, but not quite as it was: sentences to be counted, not repeated.
    """

    id: str
    own_key: str = ""
    fields: dict[str, FieldValue] = field(default_factory=dict)
    suggestions: list[Suggestion] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    left: list[NotAdopted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave(self, kind: LeftKind, name: str, reason: str, id_: str = "") -> None:
        """Note something of this record that has no place in a campaign."""
        self.left.append(NotAdopted(kind, name, reason, self.id, id_))


def title_of(text: str, otherwise: str) -> str:
    """A text as a title: on one line, not blank, and not too long.

    >>> title_of(" How\\n good? ", "x"), title_of(" ", "quality")
    ('How good?', 'quality')
    """
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line[:LONGEST_TITLE] or (title_of(otherwise, "?") if otherwise else "?")


def prose_of(text: str) -> str:
    """A text as prose of a template: its lines, without control characters.

    >>> prose_of("one\\r\\ntwo\\x00")
    'one\\ntwo'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", lines).strip()


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def options_of(pairs: Iterable[tuple[str, str]]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Stored values with their titles as the options of a question, and what each stored value is called now.

    A value that a template cannot hold (too long, or with line breaks) gets a number for its name.

    >>> options_of([("good", "Good"), ("bad\\nvery", "Good")])[1]
    {'good': 'good', 'bad\\nvery': 'option_2'}
    """
    values: dict[str, str] = {}
    options: list[dict[str, str]] = []
    titles: set[str] = set()
    listed = dict(pairs)
    for number, (stored, shown) in enumerate(listed.items(), 1):
        value = stored
        if not stored.strip() or len(stored) > LONGEST_VALUE or has_control(stored) or _CONTROL.search(stored):
            value = f"option_{number}"
            while value in listed:
                value += "_"
        title = title_of(shown, value)
        if title in titles:
            title = title_of(f"{title[: LONGEST_TITLE // 3]} ({value[: LONGEST_TITLE // 2]}, {number})", value)
        titles.add(title)
        values[stored] = value
        options.append({"value": value, "title": title})
    return options, values


def scale_of(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, int], dict[int, str]] | None:
    """Choices that are a scale of whole numbers: stored value to number, and number to its label. Else None.

    They are one if there are three or more, what people see of each is a number (with a sign and words behind it, if
    anything), and the numbers lie within 0 to 10 and go up or down by one. "1. Spam" numbers a list and is no scale.

    >>> scale_of([("1 - very bad", "1 - very bad"), ("ok", "2"), ("3", "3 (fine)")])
    ({'1 - very bad': 1, 'ok': 2, '3': 3}, {1: 'very bad', 3: 'fine'})
    >>> scale_of([(text, text) for text in ("1 error", "2 errors", "3 errors")]) is None
    True
    """
    listed = list(pairs)
    steps = [_STEP.fullmatch(shown) for _, shown in listed]
    numbers = [int(step[1]) for step in steps if step]
    differences = {after - before for before, after in pairwise(numbers)}
    if len(numbers) < max(3, len(listed)) or differences not in ({1}, {-1}) or max(numbers) > 10:
        return None
    words = {int(step[1]): step[2] or step[3] for step in steps if step}
    stored = dict(zip((value for value, _ in listed), numbers, strict=True))
    return stored, {number: title_of(text, str(number)) for number, text in sorted(words.items()) if text}


# Words hold a letter, or "0-1", "1-2", "2-3" would be a scale.
_WORDS = r"(?=.*[^\W\d_])([^\n]+)"
_STEP = re.compile(rf"\s*([0-9]{{1,2}})\s*(?:[-\u2013\u2014:=\u00b7|]\s*{_WORDS}|\({_WORDS}\))?\s*")


def plain_html(text: str) -> str:
    """What a page of HTML says, as plain text.

    >>> plain_html("<p>Read <b>both</b>.</p><p>a &lt; b</p>")
    'Read both.\\na < b'
    """
    if "<" not in text and "&" not in text:
        return prose_of(text)
    reader = _Words()
    reader.feed(text)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).split("\n"))
    return prose_of(re.sub("\n{3,}", "\n\n", "\n".join(lines)))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in ("script", "style")
        if tag in ("br", "li"):
            self.words.append("\n- " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")
        if tag in ("p", "div", "h1", "h2", "h3", "h4", "ul", "ol"):
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._hidden <= 0:
            self.words.append(data)


def plain_metadata(found: Found, items: Mapping[str, Any]) -> dict[str, Any]:
    """Those pieces of metadata that a record can hold; of the others ``found`` notes why not."""
    kept = {}
    for name, value in items.items():
        try:
            check_text(name, "its name", limit=200)
            _check(value, 10)
        except ValueRejected as error:
            found.leave("metadata", name[:100], error.reason)
        else:
            kept[name] = value
    return kept


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        check_text(value, "its text")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueRejected("a number over 64 bits")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueRejected("nested too deeply")
        if isinstance(value, dict):
            for name in value:
                check_text(name, "a name in it", limit=200)
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth - 1)
