"""Gates that judge a row by the others, or by files: from all rows to those that are stopped, by their index."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Literal

from bridge.exporting.gate_rules import Found
from bridge.exporting.row import Row
from bridge.records import Record

if TYPE_CHECKING:
    from bridge.curate.decontaminate import EvaluationItem

_AT_ONCE = 16_384
"""So many rows are in memory at once where each is compared with the same long list."""


class Left:
    """The rows that are left: their places in the set, and two numbers for each, so that none is held.

    Args:
        numbered: whether a gate asks for the numbers.
    """

    def __init__(self, numbered: bool = True) -> None:
        self.places = array("Q")
        self._numbered = numbered
        self._said, self._asked = array("q"), array("q")
        self._kto = bytearray()

    def add(self, place: int, row: Row) -> None:
        """Add a row of the set."""
        said, asked = row_numbers(row) if self._numbered else (0, 0)
        self.places.append(place)
        self._said.append(said)
        self._asked.append(asked)
        self._kto.append(row.kind == "kto")

    def takes(self, which: str) -> Sequence[int]:
        """The places of all rows, or of those for KTO."""
        return self.places if which == "all" else array("Q", compress(self.places, self._kto))

    def numbers(self, gate: str, places: Sequence[int]) -> Sequence[int]:
        """The numbers by which a gate finds rows that may be the same."""
        if gate not in ("duplicates", "contradictions"):
            return ()
        return self._said if gate == "duplicates" else self._asked

    def leave_out(self, stopped: Collection[int]) -> None:
        """Leave out the rows at these places of the set."""
        if stopped:
            stay = bytes(place not in stopped for place in self.places)
            self.places = array("Q", compress(self.places, stay))
            self._said = array("q", compress(self._said, stay))
            self._asked = array("q", compress(self._asked, stay))
            self._kto = bytearray(compress(self._kto, stay))


def duplicates(rows: Sequence[Row], numbers: Sequence[int] = ()) -> dict[int, Found]:
    """Rows that say what an earlier one says, but for Unicode form and white space: the first of them stays.

    Args:
        rows: the training set.
        numbers: the first of :func:`row_numbers` of each row, where they are known.

    >>> prompt = [{"role": "user", "content": "2 + 2?"}]
    >>> duplicates([Row("a", "sft", prompt, "4"), Row("b", "sft", prompt, "4 "), Row("c", "sft", prompt, "Four")])
    {1: Found(text="says what a row of 'a' says", score=None)}
    """
    found: dict[int, Found] = {}
    for group in _groups(numbers or [row_numbers(row)[0] for row in rows]):
        first, said = rows[group[0]].record, _saying(rows[group[0]])
        found |= {
            index: Found(f"says what a row of {first!r:.200} says")
            for index in group[1:]
            if _saying(rows[index]) == said
        }
    return found


def near_duplicates(rows: Sequence[Row], threshold: float) -> dict[int, Found]:
    """Rows whose prompts and answers share so many word 3-grams with a row that stays (Jaccard similarity)."""
    from bridge.curate.duplicates import duplicates as search

    result = search(map(_as_record, range(len(rows)), rows), threshold=threshold, prefer=lambda record: 0)
    return {
        int(case.key): Found(
            f"is like a row of {rows[int(case.kept or 0)].record!r:.200} (similarity {case.score})", case.score
        )
        for case in result.dropped
    }


def contradictions(
    rows: Sequence[Row], numbers: Sequence[int] = (), mode: Literal["cycles", "strict"] = "cycles"
) -> dict[int, Found]:
    """Rows that cannot all be right: all of them are stopped.

    ``cycles``: pairs of one prompt of which a chain leads back to its start, such as A over B and B over A.
    ``strict``: also where a text is chosen in one pair and rejected in another, as the middle one of A over B over C
    is. A completion of one prompt that is desirable in one row and undesirable in another is always one.

    Args:
        rows: the training set.
        numbers: the second of :func:`row_numbers` of each row, where they are known.
        mode: see above.

    >>> prompt = [{"role": "user", "content": "2 + 2?"}]
    >>> pairs = [Row(r, "dpo", prompt, "", a, b) for r, a, b in (("r1", "4", "5"), ("r2", "5", "4"), ("r3", "4", "3"))]
    >>> sorted(contradictions(pairs)), sorted(contradictions(pairs, mode="strict"))
    ([0, 1], [0, 1, 2])
    """
    found: dict[int, Found] = {}
    for places in _groups(numbers or [row_numbers(row)[1] for row in rows]):
        group = {index: rows[index] for index in places}
        asked = _prompt(group[places[0]])
        group = {index: row for index, row in group.items() if _prompt(row) == asked}
        found |= _reversed(group, [index for index, row in group.items() if row.is_pair], mode)
        found |= _both_labels(group, group)
    return found


def one_label(rows: Sequence[Row]) -> dict[int, Found]:
    """All rows of a set in which every completion is desirable, or none is: nothing can be learned from it."""
    labels = {row.label for row in rows if row.kind == "kto"}
    if len(labels) != 1:
        return {}
    (label,) = labels
    text = f"all {len(rows):,} rows have the label {str(label).lower()}, so there is nothing to compare with"
    return {index: Found(text) for index, row in enumerate(rows) if row.kind == "kto"}


def test_only(rows: Sequence[Row], marked: Collection[str]) -> dict[int, Found]:
    """Rows of records that only test doubles wrote."""
    if not marked:
        return {}
    return {
        index: Found(f"the metadata of {key!r:.200} say that a test double wrote it")
        for index, row in enumerate(rows)
        for key in (row.record, *row.others)
        if key in marked
    }


test_only.__test__ = False  # type: ignore[attr-defined]  # it is no test


def licence(rows: Sequence[Row], allow: Sequence[str]) -> dict[int, Found]:
    """Rows whose licence is not known, or, where some are allowed, is another one."""
    from bridge.curate.select import licences

    unknown = {index: Found("the licence is not known") for index, row in enumerate(rows) if not row.licence.strip()}
    if not allow:
        return unknown
    known = (
        Record(str(index), {"prompt": "?"}, metadata={"licence": row.licence})
        for index, row in enumerate(rows)
        if index not in unknown
    )
    others = {int(case.key) for case in licences(known, allow=allow).dropped}
    return unknown | {index: Found(f"the licence is {rows[index].licence!r:.80}") for index in sorted(others)}


def personal(rows: Sequence[Row]) -> dict[int, Found]:
    """Rows with personal data or secrets left in them (:mod:`bridge.curate.pii`)."""
    from bridge.curate.pii import Searcher
    from bridge.curate.pii_kinds import SURE

    searcher = Searcher(metadata=False)
    found = {}
    for index, row in enumerate(rows):
        hits = [f for f in searcher.record(_as_record(index, row)) if f.sure >= SURE and f.field != "key"]
        if hits:
            first = max(hits, key=lambda hit: hit.sure)
            more = f", and {len(hits) - 1} more" if len(hits) > 1 else ""
            found[index] = Found(f"{first.kind} in {first.field} ({first.shown}){more}", first.sure)
    return found


def contamination(rows: Sequence[Row], items: Sequence[EvaluationItem]) -> dict[int, Found]:
    """Rows that hold an item of an evaluation set (:mod:`bridge.curate.decontaminate`)."""
    from bridge.curate.decontaminate import decontaminate
    from bridge.text import shown

    found: dict[int, Found] = {}
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        result = decontaminate(map(_as_record, range(start, start + len(some)), some), items)
        found |= {
            int(case.key): Found(
                f"holds {case.detail['item']!r:.60} of {case.detail['set']!r:.60}: {shown(case.detail['passage'])}",
                case.score,
            )
            for case in result.dropped
        }
    return found


def _as_record(index: int, row: Row) -> Record:
    return Record(str(index), {"prompt": row.prompt, **row.answers()})


# -- what rows say


def _saying(row: Row) -> Hashable:
    """What is equal for rows that say the same, and for no others."""
    return _prompt(row), tuple(map(_plain, row.answers().values())), row.label, row.score


def _prompt(row: Row) -> Hashable:
    return tuple((message["role"], _plain(message["content"])) for message in row.prompt)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def row_numbers(row: Row) -> tuple[int, int]:
    """Two numbers: one is equal for rows that say the same, and hardly ever for others, the other for rows of one
    prompt. They are good for this process only."""
    asked = hash(tuple([(message["role"], _hash(message["content"])) for message in row.prompt]))
    if row.is_pair:
        return hash((asked, _hash(row.chosen), _hash(row.rejected))), asked
    return hash((asked, _hash(row.completion), row.label, row.score)), asked


def _groups(numbers: Sequence[int]) -> Collection[list[int]]:
    """The places at which one number stands, of each that stands at several; sorted, as no table of all is small."""
    several = {one for one, other in pairwise(sorted(numbers)) if one == other}
    found: dict[int, list[int]] = {}
    for place, number in enumerate(numbers) if several else ():
        if number in several:
            found.setdefault(number, []).append(place)
    return found.values()


def _hash(text: str) -> int:
    # Most texts are in the form that is compared. Python keeps the hash of a text, so that the second is free.
    if text.isascii() and not ("  " in text or "\n" in text or "\t" in text or "\r" in text or text.strip() != text):
        return hash(text)
    return hash(_plain(text))


# -- contradictions


def _reversed(rows: Mapping[int, Row], pairs: Iterable[int], mode: str) -> dict[int, Found]:
    """Pairs of one prompt that contradict each other."""
    edges = {index: (_plain(rows[index].chosen), _plain(rows[index].rejected)) for index in pairs}
    if mode == "strict":
        both = {chosen for chosen, _ in edges.values()} & {rejected for _, rejected in edges.values()}
        caught = [index for index, edge in edges.items() if both & {*edge}]
    else:
        group = _strongly_connected(edges.values())
        caught = [index for index, (one, other) in edges.items() if one != other and group[one] == group[other]]
    return _against(rows, caught)


def _both_labels(rows: Mapping[int, Row], group: Iterable[int]) -> dict[int, Found]:
    """Completions of one prompt that are desirable and undesirable."""
    labelled: dict[str, list[int]] = {}
    for index in group:
        if rows[index].kind == "kto":
            labelled.setdefault(_plain(rows[index].completion), []).append(index)
    found: dict[int, Found] = {}
    for indices in labelled.values():
        if len({rows[index].label for index in indices}) > 1:
            found |= _against(rows, indices)
    return found


def _against(rows: Mapping[int, Row], caught: Sequence[int]) -> dict[int, Found]:
    records = list(dict.fromkeys(rows[index].record for index in caught))[:2]

    def other(index: int) -> str:
        return next((key for key in records if key != rows[index].record), rows[index].record)

    return {
        index: Found(f"contradicts what a row of {other(index)!r:.200} says of the same prompt") for index in caught
    }


def _strongly_connected(edges: Collection[tuple[str, str]]) -> dict[str, str]:
    """Node to one of the nodes that it reaches and that reach it: the same for all of these.

    By two searches (S. R. Kosaraju; M. Sharir, "A strong-connectivity algorithm", 1981), without recursion.

    >>> group = _strongly_connected([("a", "b"), ("b", "c"), ("c", "b")])
    >>> group["b"] == group["c"], group["a"] == group["b"]
    (True, False)
    """
    ahead: dict[str, list[str]] = {}
    behind: dict[str, list[str]] = {}
    for one, other in edges:
        ahead.setdefault(one, []).append(other)
        ahead.setdefault(other, [])
        behind.setdefault(other, []).append(one)
        behind.setdefault(one, [])
    finished: list[str] = []
    seen: set[str] = set()
    for start, following in ahead.items():
        stack = [] if start in seen else [(start, iter(following))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            fresh = next((one for one in rest if one not in seen), None)
            if fresh is None:
                finished.append(node)
                stack.pop()
            else:
                seen.add(fresh)
                stack.append((fresh, iter(ahead[fresh])))
    group: dict[str, str] = {}
    for root in reversed(finished):
        todo = [root]
        while todo:
            node = todo.pop()
            if node not in group:
                group[node] = root
                todo += behind[node]
    return group
