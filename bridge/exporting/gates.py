"""Gates: what training rows must pass before they are written, because trainers rarely refuse bad rows.

They drop them, or train on something else with a healthy loss. Each gate has a name, is counted, and can be switched.
A row is stopped by the first gate that finds something; docs/gates.md says which trainer does what without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bridge.errors import UsageError
from bridge.exporting import gate_rules as rules
from bridge.exporting import gate_sets as sets
from bridge.exporting.gate_rules import Found, Rule
from bridge.exporting.gates_settings import GATE_NAMES, GatesConfig
from bridge.exporting.plan import Sieved
from bridge.exporting.row import REJECTED, Rejected, Row
from bridge.exporting.shelf import beside, chosen
from bridge.exporting.tokens import Tokens, estimated, load_tokenizer
from bridge.metadata import is_test_only
from bridge.records import Record

Finder: TypeAlias = "Callable[[Sequence[Row]], Mapping[int, Found]]"
"""From rows to those that a gate stops, by their index."""

Together: TypeAlias = "Callable[[Sequence[Row], Sequence[int]], Mapping[int, Found]]"
"""The same from rows and a number for each, which is equal for rows that may be the same."""

_BLOCK = 1024
"""So many rows are in memory at once where each is judged by itself."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate stops, in words, and which rows it looks at."""

    stops: str
    takes: Literal["all", "pairs", "kto", "tools"] = "all"


GATES: dict[str, Gate] = {
    "null": Gate("a text, role or label that is null"),
    "empty": Gate("a blank answer or message, or no prompt"),
    "unstripped": Gate("white space around an answer or message"),
    "role_order": Gate("unknown roles, or turns that do not alternate"),
    "system_first": Gate("a system message that is not the first"),
    "tool_turns": Gate("tools that answer one after the other, which LLaMA-Factory drops", "tools"),
    "reserved": Gate("names that trainers take for data of their own"),
    "test_only": Gate("records that only a test double wrote"),
    "licence": Gate("a licence that is unknown or not allowed"),
    "equal": Gate("chosen and rejected are the same", "pairs"),
    "near_equal": Gate("chosen and rejected are nearly the same", "pairs"),
    "equal_truncated": Gate("chosen and rejected are the same as far as a trainer reads", "pairs"),
    "length_ratio": Gate("one answer is many times as long as the other", "pairs"),
    "too_long": Gate("more tokens than a trainer reads"),
    "too_long_characters": Gate("more characters than wanted"),
    "pii": Gate("personal data or secrets"),
    "contamination": Gate("an item of an evaluation set"),
    "duplicates": Gate("what an earlier row says"),
    "near_duplicates": Gate("nearly what an earlier row says"),
    "contradictions": Gate("rows of one prompt that cannot all be right"),
    "one_label": Gate("a set in which all labels are the same", "kto"),
}
"""All gates, in the order in which rows meet them."""


STRUCTURE = frozenset(("null", "empty", "unstripped", "role_order", "system_first", "reserved"))
"""Gates that look at the structure of one row; of rows in files :mod:`bridge.exporting.line_checks` knows more."""


class Gates:
    """The gates that are on, as a step of an export (:data:`~bridge.exporting.plan.Sieve`).

    Args:
        config: which gates are on, and their thresholds.
        records: what the rows were made from; those whose metadata say that a test double wrote them are stopped.
        folder: where paths in the settings start.
        off: gates that are left out, whatever the settings say.

    Raises:
        UsageError: a gate needs a package that is not installed.
        InputError: an evaluation file or the tokenizer cannot be read.

    >>> prompt = [{"role": "user", "content": "2 + 2?"}]
    >>> done = Gates()([Row("a", "dpo", prompt, "", "4", "5"), Row("b", "dpo", prompt, "", "4", "4")])
    >>> [(case.rule, case.text) for case in done.rejected]
    [('equal', 'chosen and rejected are the same')]
    >>> done.told["gates"]["equal"]
    {'checked': 2, 'rejected': 1}
    """

    def __init__(
        self,
        config: GatesConfig | None = None,
        records: Iterable[Record] = (),
        *,
        folder: Path = Path(),
        off: Collection[str] = (),
    ) -> None:
        self.config = config or GatesConfig()
        self._marked = {record.key for record in records if _is_marked(record)}
        finders = _finders(self.config, self._marked, folder)
        self._finders = {name: finders[name] for name in GATE_NAMES if name in finders and name not in off}
        together = _together(self.config, folder)
        self._together = {name: together[name] for name in GATE_NAMES if name in together and name not in off}

    def marking(self, marked: Collection[str]) -> Gates:
        """The same gates where these records, by their keys, are those that only a test double wrote."""
        other = copy(self)
        other._marked = set(marked)
        finders = {"test_only": partial(sets.test_only, marked=other._marked)}
        other._finders = {name: finders.get(name, find) for name, find in self._finders.items()}
        return other

    def watching(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records one by one; those that only a test double wrote are remembered on the way."""
        for record in records:
            if _is_marked(record):
                self._marked.add(record.key)
            yield record

    def __call__(self, rows: Sequence[Row]) -> Sieved:
        """The rows that pass all gates, those that do not, and what each gate did."""
        cases: list[tuple[int, str, Found]] = []
        checked, found = Counter[str](), Counter[str]()
        left = sets.Left(numbered=not self._together.keys().isdisjoint(("duplicates", "contradictions")))
        numbered = iter(enumerate(rows))
        while block := list(islice(numbered, _BLOCK)):
            for number, row in self._one_by_one(block, cases, checked, found):
                left.add(number, row)
        for name, find in self._together.items():
            places = left.takes(GATES[name].takes)
            checked[name] = len(places)
            stopped = find(chosen(rows, places), left.numbers(name, places)) if places else {}
            found[name] = len(stopped)
            cases += [(places[index], name, case) for index, case in stopped.items()]
            left.leave_out({places[index] for index in stopped})
        rejected = beside(rows, REJECTED)
        for number, name, case in sorted(cases, key=_number):
            rejected.append(Rejected(rows[number], "gated", name, *case))
        told = {
            name: {"checked": checked[name], **self._told(name, found[name])}
            for name in GATE_NAMES
            if name in self._finders.keys() | self._together.keys() and (checked[name] or not rows)
        }
        kept = chosen(rows, left.places) if cases else rows
        return Sieved(kept, rejected, {"gates": told})

    def _one_by_one(
        self,
        left: list[tuple[int, Row]],
        cases: list[tuple[int, str, Found]],
        checked: Counter[str],
        found: Counter[str],
    ) -> list[tuple[int, Row]]:
        """The rows that pass the gates that judge each row by itself; the others become cases."""
        # Nearly all rows are sound, and then no gate of structure needs to look at them.
        doubtful = [one for one in left if not rules.sound(one[1])] if self._finders.keys() & _STRUCTURAL else []
        for name, find in self._finders.items():
            looked = those = left if GATES[name].takes == "all" else [one for one in left if _fits(name, one[1])]
            if name in _STRUCTURAL:
                looked = doubtful
            checked[name] += len(those)
            stopped = {looked[index][0]: case for index, case in find([row for _, row in looked]).items()}
            found[name] += len(stopped)
            if stopped and not self._only_tells(name):
                cases += [(number, name, case) for number, case in stopped.items()]
                left = [one for one in left if one[0] not in stopped]
                doubtful = [one for one in doubtful if one[0] not in stopped]
        return left

    def _only_tells(self, name: str) -> bool:
        return bool(getattr(self.config, name) == "report")

    def _told(self, name: str, found: int) -> dict[str, Any]:
        setting = getattr(self.config, name)
        about = {} if isinstance(setting, bool) else {"setting": setting}
        if name == "contamination":
            about = {"setting": [Path(path).name for path in setting]}
        if name in ("too_long", "equal_truncated"):
            about["tokens"] = "by the tokenizer" if self.config.tokenizer else "estimated"
        counted = {"rejected": 0, "found": found} if self._only_tells(name) else {"rejected": found}
        return {**counted, **about}


def gates_config(given: Mapping[str, Any]) -> GatesConfig:
    """The settings of gates from names and values, such as those of ``--gate``.

    Raises:
        UsageError: there is no such gate, or it cannot have that value.

    >>> gates_config({"near_equal": 90, "duplicates": False}).near_equal
    90.0
    """
    from pydantic import ValidationError

    from bridge.complaints import complaints

    try:
        return GatesConfig.model_validate(dict(given))
    except ValidationError as error:
        first = next(complaints(error))
        name = str(first.place[0]) if first.place else ""
        if name not in GatesConfig.model_fields:
            raise UsageError(f"{name!r:.60} is no gate", remedy=f"the gates are {', '.join(GATE_NAMES)}") from None
        raise UsageError(f"gate {name}: {first.reason}", remedy="docs/gates.md says what it may be") from None


def _is_marked(record: Record) -> bool:
    return is_test_only(record.metadata)


def _number(case: tuple[int, str, Found]) -> int:
    return case[0]


def _fits(name: str, row: Row) -> bool:
    takes = GATES[name].takes
    if takes == "tools":
        return len(row.prompt) > 2 and any(message.get("role") == "tool" for message in row.prompt)
    return row.is_pair if takes == "pairs" else row.kind == takes


def _finders(config: GatesConfig, marked: Collection[str], folder: Path) -> dict[str, Finder]:
    """Gates that are on and judge each row by itself, by name."""
    found: dict[str, Finder] = {name: _each(rule) for name, rule in _STRUCTURAL.items() if getattr(config, name)}
    tokens: Tokens = estimated
    if config.equal_truncated or config.too_long:
        tokens = load_tokenizer(folder / config.tokenizer) if config.tokenizer else estimated
    each: dict[str, tuple[Any, Callable[[], Rule]]] = {
        "equal": (config.equal, lambda: rules.equal),
        "near_equal": (config.near_equal, lambda: rules.near_equal(config.near_equal or 0)),
        "equal_truncated": (config.equal_truncated, lambda: rules.equal_truncated(config.equal_truncated or 0, tokens)),
        "length_ratio": (config.length_ratio, lambda: rules.length_ratio(config.length_ratio or 0)),
        "too_long": (config.too_long, lambda: rules.too_long(config.too_long or 0, tokens)),
        "too_long_characters": (
            config.too_long_characters,
            lambda: rules.too_long_characters(config.too_long_characters or 0),
        ),
    }
    found |= {name: _each(make()) for name, (wanted, make) in each.items() if wanted}
    if config.tool_turns:
        found["tool_turns"] = _each(rules.tool_turns)
    if config.test_only:
        found["test_only"] = partial(sets.test_only, marked=marked)
    if config.licence is not None:
        found["licence"] = partial(sets.licence, allow=config.licence)
    if config.pii:
        found["pii"] = sets.personal
    return found


def _together(config: GatesConfig, folder: Path) -> dict[str, Together]:
    """Gates that are on and look at all rows together, by name."""
    found: dict[str, Together] = {}
    if config.contamination:
        found["contamination"] = _unnumbered(
            partial(sets.contamination, items=_evaluation(config.contamination, folder))
        )
    if config.duplicates:
        found["duplicates"] = sets.duplicates
    if config.near_duplicates:
        found["near_duplicates"] = _unnumbered(partial(sets.near_duplicates, threshold=config.near_duplicates))
    if config.contradictions:
        found["contradictions"] = partial(sets.contradictions, mode=config.contradictions)
    if config.one_label:
        found["one_label"] = _unnumbered(sets.one_label)
    return found


def _unnumbered(find: Finder) -> Together:
    return lambda rows, numbers: find(rows)


_STRUCTURAL: dict[str, Rule] = {
    "null": rules.null,
    "empty": rules.empty,
    "unstripped": rules.unstripped,
    "role_order": rules.role_order,
    "system_first": rules.system_first,
    "reserved": rules.reserved,
}


def _each(rule: Rule) -> Finder:
    def find(rows: Sequence[Row]) -> dict[int, Found]:
        cases = ((index, rule(row)) for index, row in enumerate(rows))
        return {index: case for index, case in cases if case is not None}

    return find


def _evaluation(paths: Sequence[str], folder: Path) -> list[Any]:
    from bridge.curate.decontaminate import read_evaluation

    names = Counter(Path(path).stem for path in paths)
    return [
        item
        for path in paths
        for item in read_evaluation(folder / path, name=path if names[Path(path).stem] > 1 else None)
    ]
