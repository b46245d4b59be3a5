"""What goes wrong in distilabel and is not said: batches emptied by one failed call, and answers on the wrong rows.

Observed on distilabel 1.5.3. A call that raises fills every row of its batch with None. Steps that join branches pair
rows by their place, so where a branch has more or fewer rows, all that follow have another row's answers; results of
OpenAI's Batch API are paired with inputs in the same way. The prompts and answers that a step keeps in
``distilabel_metadata`` tell; where there are none, answers that have the rare words of their neighbours' prompts do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from bridge.files import Reject
from bridge.interop.distilabel_calls import (
    LONG,
    MADE,
    METADATA,
    Call,
    Shape,
    calls_of,
    fits_prompt,
    generations_of,
    given_texts,
    is_empty,
    misjudged,
    plain,
    texts_in,
)
from bridge.interop.shifts import OFFSETS, RUN, Numbers, Shift, shifts, words

EMPTIED = "None, because one failed call empties the batch that it belongs to"

PORTION = 1000
"""So many rows are looked at together."""
_CONTEXT = 64
"""So many of their neighbours before and behind are looked at too."""

Read = tuple[int, "dict[str, Any] | Reject"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows, one after the other, with which the same went wrong.

    Args:
        kind: ``none`` (nothing is there), ``shifted`` (it belongs to other rows) or ``suspect`` (it may).
        column: where.
        first: number of the first of these rows, from 1.
        last: number of the last.
        reason: what happened, in words.

    >>> Finding("none", "generation", 51, 100, "None").to_dict()["last"]
    100
    """

    kind: str
    column: str
    first: int
    last: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "kind": self.kind,
            "column": self.column,
            "first": self.first,
            "last": self.last,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        rows = f"row {self.first:,}" if self.first == self.last else f"rows {self.first:,} to {self.last:,}"
        return f"{rows}: {self.column}: {self.reason}"


@dataclass
class Window:
    """Rows that follow each other, and what is wrong with each: empty where nothing is.

    Args:
        rows: number and row; None where there is none that can be read.
        shape: which columns are which.
        numbers: what the windows before it told of numbers, column by column.
    """

    rows: Sequence[tuple[int, Mapping[str, Any] | None]]
    shape: Shape
    numbers: dict[str, Numbers] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def examine(self) -> None:
        """Look at all of them."""
        self._misplaced_calls()
        self._neighbours_answers()
        self._emptied()

    # -- None

    def _emptied(self) -> None:
        empty: dict[str, list[int]] = defaultdict(list)
        judged = False
        for number, row in self.rows:
            cells = _cells(row, self.shape) if row is not None else {}
            judged = judged or cells.get("ratings") is False
            for column, nothing in cells.items():
                if nothing:
                    empty[column].append(number)
        for column, numbers in empty.items():
            for first, last in stretches(numbers):
                if first == last or (column == "ratings" and not judged):
                    continue
                self.findings.append(Finding("none", column, first, last, EMPTIED))
                for number in range(first, last + 1) if column in self.shape.made else ():
                    self._note(number, f"{column}: in rows {first:,} to {last:,} {EMPTIED}")

    # -- prompts and answers that steps keep

    def _misplaced_calls(self) -> None:
        calls = {number: calls_of(row) for number, row in self.rows if row is not None}
        said = {text: number for number, made in calls.items() for call in made for text in call.said}
        strangers: dict[str, list[int]] = defaultdict(list)
        fitting: set[str] = set()
        for number, row in self.rows:
            if row is None:
                continue
            for call in calls[number]:
                fits = fits_prompt(row, call, self.shape)
                if fits is None:
                    continue
                if fits:
                    fitting.add(call.step)
                    if reason := misjudged(row, call):
                        self._note(number, reason)
                else:
                    strangers[call.step].append(number)
            for text in generations_of(row):
                own = {text for call in calls[number] for text in call.said}
                if own and text not in own and len(text) >= LONG and (other := said.get(text, number)) != number:
                    self._note(number, f"shifted: its generation is what the model said for row {other:,}")
        for step, numbers in strangers.items():
            elsewhere = self._elsewhere(step, numbers, calls)
            # Where no row is in its own prompt and none in another's, what was asked is in no column any more.
            if step in fitting or elsewhere or self._asks_the_like(step, numbers, calls):
                for number in numbers:
                    whose = f", but that of row {elsewhere[number]:,}" if number in elsewhere else ""
                    self._note(number, f"shifted: raw_input_{step} does not have this row's text in it{whose}")
        shifted = [number for number, reason in self.wrong.items() if reason.startswith("shifted: ")]
        for first, last in stretches(sorted(shifted)):
            self.findings.append(Finding("shifted", METADATA, first, last, self.wrong[first].removeprefix("shifted: ")))

    def _elsewhere(self, step: str, numbers: Sequence[int], calls: Mapping[int, Sequence[Call]]) -> dict[int, int]:
        """Rows whose prompt has another row's text in it, and which."""
        place = {number: index for index, (number, _) in enumerate(self.rows)}
        found = {}
        for number in numbers:
            asked = next(call.asked for call in calls[number] if call.step == step)
            near = self.rows[max(0, place[number] - OFFSETS) : place[number] + OFFSETS + 1]
            for other, row in near:
                texts = [plain(text) for text in given_texts(row, self.shape)] if row is not None else []
                if other != number and any(len(text) >= LONG and text in asked for text in texts):
                    found[number] = other
                    break
        return found

    def _asks_the_like(self, step: str, numbers: Sequence[int], calls: Mapping[int, Sequence[Call]]) -> bool:
        """Whether one row stands alone, and what the step was asked has most words of its text: of something else."""
        row = dict(self.rows).get(numbers[0])
        if row is None or len(set(numbers)) > 1:
            return False
        asked = words(next(call.asked for call in calls[numbers[0]] if call.step == step))
        given = words(" ".join(given_texts(row, self.shape)))
        return 2 * len(given & asked) > len(given)

    def _note(self, number: int, reason: str) -> None:
        self.wrong.setdefault(number, reason)

    # -- words

    def _neighbours_answers(self) -> None:
        given = [words(" ".join(given_texts(row, self.shape))) if row is not None else set() for _, row in self.rows]
        for column in self.shape.made:
            made = [words(" ".join(texts_in(row.get(column)))) if row is not None else set() for _, row in self.rows]
            numbers = self.numbers.setdefault(column, Numbers())
            for shift in shifts(list(zip(given, made, strict=True)), numbers):
                self._moved(column, shift)

    def _moved(self, column: str, shift: Shift) -> None:
        first, last, distances = shift.first, shift.last, sorted({abs(shift.near), abs(shift.far)})
        many = " to ".join(f"{distance}" for distance in distances)
        where = "further on" if shift.near > 0 else "before"
        reason = f"the answers have the words of the prompts {many} row{'s' if distances != [1] else ''} {where}"
        start, end = self.rows[first][0], self.rows[last][0]
        if not shift.sure:
            doubt = (
                "too few rows to be sure" if last - first + 1 < RUN else "but only their numbers, which may be right"
            )
            self.findings.append(Finding("suspect", column, start, end, f"{reason}; {doubt}"))
            return
        self.findings.append(Finding("shifted", column, start, end, reason))
        for number, row in self.rows[first : last + 1]:
            if row is not None:
                self._note(number, f"shifted: in rows {start:,} to {end:,} {reason}")


def _cells(row: Mapping[str, Any], shape: Shape) -> dict[str, bool]:
    """What models were to fill in, and whether it is empty; of several generations, each."""
    answers = [column for column in MADE if column in row]
    there = next((column for column in answers if not is_empty(row[column])), None)
    cells = {column: is_empty(row[column]) for column in (*shape.made, "ratings") if column in row}
    cells = {column: nothing for column, nothing in cells.items() if column not in MADE}
    if answers and there is None:
        cells.pop("ratings", None)
        return {answers[-1]: True, **cells}
    if there is not None:
        cells[there] = False
        if isinstance(row[there], list):
            cells |= {f"{there}[{place}]": value is None for place, value in enumerate(row[there])}
    return cells


def examined(rows: Iterable[Read], shape: Shape, findings: list[Finding]) -> Iterator[tuple[Read, str]]:
    """Rows as they come, each with what is wrong with it: an empty text where nothing is.

    Args:
        rows: numbers and rows.
        shape: which columns are which.
        findings: is filled with what was found, once it was passed.
    """
    source = iter(rows)
    before: list[Read] = []
    numbers: dict[str, Numbers] = {}
    ahead = list(islice(source, PORTION + _CONTEXT))
    while ahead:
        window = Window(
            [(number, None if isinstance(row, Reject) else row) for number, row in (*before, *ahead)], shape, numbers
        )
        window.examine()
        for finding in window.findings:
            _add(findings, finding)
        done, ahead = ahead[:PORTION], ahead[PORTION:]
        for number, row in done:
            yield (number, row), window.wrong.get(number, "")
        before = done[-_CONTEXT:]
        ahead += islice(source, PORTION)


def _add(findings: list[Finding], finding: Finding) -> None:
    """Add a finding, or make an earlier one longer that it goes on with."""
    for index in range(max(0, len(findings) - 64), len(findings)):
        earlier = findings[index]
        same = (earlier.kind, earlier.column) == (finding.kind, finding.column)
        if same and earlier.first <= finding.last and finding.first <= earlier.last + 1:
            both = min(earlier.first, finding.first), max(earlier.last, finding.last)
            findings[index] = replace(earlier, first=both[0], last=both[1])
            return
    findings.append(finding)


def stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of numbers that follow each other without a gap.

    >>> list(stretches([3, 4, 5, 9]))
    [(3, 5), (9, 9)]
    """
    first = last = 0
    for number in numbers:
        if first and number == last + 1:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last
