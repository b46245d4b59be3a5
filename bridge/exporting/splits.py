"""Splits: rows are put into ``train``, ``valid`` and ``test`` so that no prompt stands, even reworded, on two sides.

What hangs together is a cluster, and stays together: rows of one record, of records derived from one another, and rows
whose prompts are alike (word trigrams with a Jaccard similarity of at least ``near``, found exactly by
:mod:`bridge.curate.near`), over all kinds of training sets. A cluster's side is drawn by a salted hash of the smallest
fingerprint of its prompts, so neither order nor growth matters; but clusters can grow together. Therefore the sides
that were given are remembered (:class:`Sides`), and nothing that has one ever changes it: a new row that is like rows
of two sides is stopped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from bridge.exporting.forest import Forest
from bridge.exporting.plan import Sieved
from bridge.exporting.row import REJECTED, ROWS, Kind, Rejected, Row
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.shelf import beside
from bridge.records import Message, Record

TRAIN, VALID, TEST = "train", "valid", "test"
SPLITS = (TRAIN, VALID, TEST)
"""The names, in the order of the flow. `datasets` knows `valid` as validation, and MLX knows no other name."""

_PLACING = {TEST: 0, VALID: 1, TRAIN: 2, "": 3}
_MANY = 2_000  # prompts of a knot, whose pairs are all held in memory


@dataclass(frozen=True, slots=True)
class Sides:
    """Which sides were given: key of a record, and fingerprint of a prompt, to the split. They outlive the rows."""

    records: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Splitting:
    """Rows with their splits.

    Args:
        sieved: kind to its rows, and to those that were stopped.
        sides: all sides that are given by now, the earlier ones included.
    """

    sieved: dict[Kind, Sieved]
    sides: Sides


def prompt_text(prompt: Sequence[Message], instruction: str = "") -> str:
    """What of a prompt is compared: all turns but the system's, without the instruction that all rows begin with.

    >>> system, user = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Sum up:\\n\\nA plan."}
    >>> prompt_text([system, user], "Sum up:")
    'A plan.'
    """
    turns = [message["content"] for message in prompt if message["role"] != "system"]
    return "\n".join(turns).removeprefix(instruction).strip()


def fingerprint(text: str) -> str:
    """The hash of a prompt as it is compared: its words, in lower case; empty where there are none.

    >>> fingerprint("What is 2 + 2?") == fingerprint("what is  2+2")
    True
    """
    from bridge.curate.tokens import words  # it loads numpy, which no set without splits waits for

    found = words(text)
    return hashlib.sha256(" ".join(found).encode()).hexdigest()[:32] if found else ""


def strata(records: Iterable[Record], name: str) -> dict[str, str]:
    """Record to its stratum: what its metadata hold under a name, as text.

    >>> strata([Record("r1", {}, metadata={"topic": "maths"}), Record("r2", {})], "topic")
    {'r1': 'maths', 'r2': ''}
    """
    return {
        record.key: str(value) if isinstance(value := record.metadata.get(name), (str, int, float)) else ""
        for record in records
    }


def split_rows(
    rows: Mapping[Kind, Sequence[Row]],
    config: SplitsConfig,
    *,
    earlier: Sides | None = None,
    strata: Mapping[str, str] | None = None,
    instruction: str = "",
) -> Splitting:
    """Give the rows of several training sets their splits.

    By itself a cluster's side is drawn: ``sha256(salt, smallest fingerprint)`` as a share of 1 falls into the part of
    ``test``, of ``valid``, or of ``train``. The shares of rows come about on average, the closer the more clusters.
    With strata the new clusters of each are dealt in the order of their hashes, each to the split that lacks most rows
    of its share; so no split gets more rows of a stratum over its share than the largest of these clusters has.

    Where clusters of different sides have grown together, rows are taken in turns: those that have a side (``test``
    first, so that it stays whole), then new ones by their hashes. Whoever is like rows of two sides, as things stand
    at its turn, is rejected as ``straddles``. A row with a side is so only if the settings, its prompt or its record
    are others than they were. (If thousands of prompts are so entangled, all new ones among them are.)

    Args:
        rows: kind to rows.
        config: shares, salt, threshold.
        earlier: the sides of before, under the same salt.
        strata: record to stratum, if shares shall hold in each.
        instruction: what all prompts begin with, which makes none of them alike.

    >>> made = [Row(f"r{n}", "sft", [{"role": "user", "content": f"{n} + 2?"}], completion="4") for n in range(8)]
    >>> done = split_rows({"sft": made}, SplitsConfig(valid=0.25, test=0.25))
    >>> Counter(row.split for row in done.sieved["sft"].kept)
    Counter({'train': 5, 'test': 3})
    >>> again = split_rows({"sft": made[::-1]}, SplitsConfig(valid=0.25, test=0.25))
    >>> again.sides == done.sides
    True
    """
    earlier = earlier or Sides()
    units = _units(rows, instruction)
    texts = _Texts(rows, instruction)
    nodes = _Nodes(earlier)
    found: list[_Cluster] = []
    stopped: dict[_Unit, tuple[str, ...]] = {}
    for members in _connected(units, texts, config.near):
        before = nodes.sides(members)
        if len(before) <= 1:
            found.append(_Cluster(members, next(iter(before), "")))
        else:
            parts, refused = _untangled(members, nodes, texts, config)
            found += parts
            stopped |= refused
    known = [cluster for cluster in found if cluster.side]
    new = sorted((cluster for cluster in found if not cluster.side), key=lambda one: one.lot(config.salt))
    if strata is None:
        given = {cluster: _drawn(cluster.lot(config.salt), config) for cluster in new}
    else:
        given = _dealt(known, new, config, strata)
    sides = {unit: cluster.side or given[cluster] for cluster in found for unit in cluster.units}
    told = {
        "shares": {name: share for name, share in config.shares().items() if share},
        **({"salt": config.salt} if config.salt else {}),
        "near": config.near,
        **({"stratify": config.stratify} if config.stratify else {}),
        "clusters": len(found),
        "largest_cluster": max((cluster.rows for cluster in found), default=0),
    }
    by_place = {place: unit for unit in units for place in unit.places}
    sieved = {kind: _sieved(kind, of_kind, by_place, sides, stopped, told) for kind, of_kind in rows.items()}
    return Splitting(sieved, _remembered(earlier, sides))


def undivided(rows: Mapping[Kind, Sequence[Row]]) -> dict[Kind, Sieved]:
    """All rows in one split, for a set that has no others."""
    whole = {}
    for kind, of_kind in rows.items():
        kept = beside(of_kind, ROWS)
        kept.extend(replace(row, split=TRAIN) for row in of_kind)
        whole[kind] = Sieved(kept)
    return whole


# -- what hangs together


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Rows of the same records with the same prompt, in whichever training sets."""

    records: tuple[str, ...]
    prompt: str
    places: list[tuple[Kind, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Which the unit is, wherever it stands."""
        return f"{self.prompt}\0{self.records[0]}"


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    units: list[_Unit]
    side: str

    @property
    def rows(self) -> int:
        return sum(len(unit.places) for unit in self.units)

    def lot(self, salt: str) -> bytes:
        return _lot(salt, min(unit.prompt or unit.records[0] for unit in self.units))


_Refused: TypeAlias = "dict[_Unit, tuple[str, ...]]"


def _units(rows: Mapping[Kind, Sequence[Row]], instruction: str) -> list[_Unit]:
    """All rows, sorted by what they are, so that nothing depends on their order."""
    print_of = lru_cache(1024)(fingerprint)
    units: dict[tuple[tuple[str, ...], str], _Unit] = {}
    for kind, of_kind in rows.items():
        for index, row in enumerate(of_kind):
            records = (row.record, *sorted({*row.others, row.root, row.other_root} - {row.record, ""}))
            key = records, print_of(prompt_text(row.prompt, instruction))
            units.setdefault(key, _Unit(*key)).places.append((kind, index))
    return [units[key] for key in sorted(units)]


class _Texts:
    """The prompts as they are compared, read again from the rows: they are not held."""

    def __init__(self, rows: Mapping[Kind, Sequence[Row]], instruction: str) -> None:
        self._rows, self._instruction = rows, instruction

    def of(self, units: Iterable[_Unit]) -> Iterator[str]:
        """The text of each of these, one by one."""
        for unit in units:
            kind, index = unit.places[0]
            yield prompt_text(self._rows[kind][index].prompt, self._instruction)


def _names(unit: _Unit) -> list[str]:
    return [*(f"r{key}" for key in unit.records), *([f"p{unit.prompt}"] if unit.prompt else [])]


def _connected(units: Sequence[_Unit], texts: _Texts, near: float) -> list[list[_Unit]]:
    """Units that are connected by a record or by prompts that are alike, however long the chain."""
    from bridge.curate.near import join
    from bridge.curate.tokens import token_sets

    forest = Forest()
    for unit in units:
        forest.join(_names(unit))
    prompts = {unit.prompt: unit for unit in units if unit.prompt}
    names = list(prompts)
    for index, other in enumerate(join(token_sets(texts.of(prompts.values())), near, "components").matches.tolist()):
        forest.join([f"p{names[index]}", f"p{names[other]}"])
    clusters: dict[str, list[_Unit]] = {}
    for unit in units:
        clusters.setdefault(forest.root(_names(unit)[0]), []).append(unit)
    return list(clusters.values())


class _Nodes:
    """The sides that are given already."""

    def __init__(self, earlier: Sides) -> None:
        self._earlier = earlier

    def of(self, unit: _Unit) -> set[str]:
        found = {self._earlier.records.get(key, "") for key in unit.records}
        return (found | {self._earlier.prompts.get(unit.prompt, "")}) - {""}

    def sides(self, units: Iterable[_Unit]) -> set[str]:
        return set().union(*(self.of(unit) for unit in units))

    def knows(self, unit: _Unit) -> bool:
        return unit.records[0] in self._earlier.records and (not unit.prompt or unit.prompt in self._earlier.prompts)


def _untangled(
    units: Sequence[_Unit], nodes: _Nodes, texts: _Texts, config: SplitsConfig
) -> tuple[list[_Cluster], _Refused]:
    """A cluster that holds several sides, taken apart: who links two of them is refused."""
    alike = _alike({unit.prompt: unit for unit in units if unit.prompt}, texts, config.near)

    def turn(unit: _Unit) -> tuple[int, int, bytes]:
        side = min(nodes.of(unit), key=_PLACING.__getitem__, default="")
        return not nodes.knows(unit), _PLACING[side], _lot(config.salt, unit.name)

    forest, side_of = Forest(), dict[str, str]()
    placed: set[str] = set()
    kept: list[_Unit] = []
    refused: _Refused = {}
    for unit in sorted(units, key=turn):
        touched = [*_names(unit), *(f"p{other}" for other in alike.get(unit.prompt, ()) if f"p{other}" in placed)]
        sides = nodes.of(unit) | {side_of.get(forest.root(name), "") for name in touched} - {""}
        if len(sides) > 1 or (alike is _TOO_MANY and not nodes.knows(unit)):
            refused[unit] = tuple(sorted(sides, key=SPLITS.index))
            continue
        root = forest.join(touched)
        side_of[root] = next(iter(sides), "")
        placed.update(touched)
        kept.append(unit)
    parts: dict[str, list[_Unit]] = {}
    for unit in kept:
        parts.setdefault(forest.root(_names(unit)[0]), []).append(unit)
    return [_Cluster(members, side_of[root]) for root, members in parts.items()], refused


_TOO_MANY: dict[str, list[str]] = {}


def _alike(prompts: Mapping[str, _Unit], texts: _Texts, near: float) -> dict[str, list[str]]:
    """Prompt to the prompts that are like it."""
    from bridge.curate.near import near_pairs

    if len(prompts) > _MANY:
        return _TOO_MANY
    names = list(prompts)
    found: dict[str, list[str]] = {name: [] for name in names}
    for left, right, _ in near_pairs(texts.of(prompts.values()), near):
        found[names[left]].append(names[right])
        found[names[right]].append(names[left])
    return found


# -- sides


def _lot(salt: str, name: str) -> bytes:
    return hashlib.sha256(f"{salt}\0{name}".encode()).digest()


def _drawn(lot: bytes, config: SplitsConfig) -> str:
    point = int.from_bytes(lot[:8]) / 2**64
    if point < config.test:
        return TEST
    return VALID if point < config.test + config.valid else TRAIN


def _dealt(
    known: Iterable[_Cluster], new: Iterable[_Cluster], config: SplitsConfig, strata: Mapping[str, str]
) -> dict[_Cluster, str]:
    """New clusters, in the order given, each to the split that lacks most of its stratum."""
    new = list(new)
    whole: Counter[str] = Counter()
    there: dict[str, Counter[str]] = {}
    for cluster in (*known, *new):
        for name, count in _strata(cluster, strata).items():
            whole[name] += count
            there.setdefault(name, Counter())[cluster.side] += count
    shares = {name: share for name, share in config.shares().items() if share}
    given = {}
    for cluster in new:
        counts = _strata(cluster, strata)
        stratum = min(counts, key=lambda name: (-counts[name], name))
        have = there[stratum]
        side = max(shares, key=lambda name: shares[name] * whole[stratum] - have[name])
        given[cluster] = side
        for name, count in counts.items():
            there[name][side] += count
    return given


def _strata(cluster: _Cluster, strata: Mapping[str, str]) -> Counter[str]:
    """Stratum to number of rows."""
    counts: Counter[str] = Counter()
    for unit in cluster.units:
        counts[strata.get(unit.records[0], "")] += len(unit.places)
    return counts


# -- what comes of it


def _sieved(
    kind: Kind,
    rows: Sequence[Row],
    by_place: Mapping[tuple[Kind, int], _Unit],
    sides: Mapping[_Unit, str],
    stopped: _Refused,
    told: Mapping[str, Any],
) -> Sieved:
    kept, rejected = beside(rows, ROWS), beside(rows, REJECTED)
    counts: Counter[str] = Counter()
    for index, row in enumerate(rows):
        unit = by_place[kind, index]
        if unit in sides:
            counts[sides[unit]] += 1
            kept.append(replace(row, split=sides[unit]))
        else:
            whose = " and ".join(stopped[unit]) or "several splits"
            text = f"it belongs with rows of {whose}"
            rejected.append(Rejected(row, "straddles", "splits", text))
    by_split = {name: counts[name] for name in SPLITS if counts[name]}
    return Sieved(kept, rejected, {"splits": {**told, "rows": by_split, "straddling": len(rejected)}})


def _remembered(earlier: Sides, sides: Mapping[_Unit, str]) -> Sides:
    records, prompts = dict(earlier.records), dict(earlier.prompts)
    for unit, side in sides.items():
        records |= dict.fromkeys(unit.records, side)
        if unit.prompt:
            prompts[unit.prompt] = side
    return Sides(records, prompts)
