"""Selection: caps and balance, samples of an exact size, and licences.

Which records are chosen depends on a seed and on their keys, and on nothing else: not on the order of the rows. Every
record has a place in one fixed order, the order of its key's hash, and each choice takes the first ones (bottom-k
sampling, E. Cohen and H. Kaplan, "Summarizing data using bottom-k sketches", 2007). So a set that grows changes a
sample only where a new record comes before one that was in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from re import split, sub
from typing import Literal, TypeAlias

from bridge.curate.items import attribute
from bridge.curate.result import Dropped, Result
from bridge.errors import InputError, UsageError
from bridge.records import Record

NONE = "(none)"
"""The group of records that do not carry the value by which groups are made."""

Unwanted: TypeAlias = Literal["drop", "refuse", "keep"]


def rank(key: str, seed: int = 0) -> bytes:
    """The place of a key in the order of a seed: the same on every machine.

    >>> sorted(["a", "b", "c"], key=rank)
    ['c', 'b', 'a']
    """
    return hashlib.blake2b(f"{seed}:{key}".encode(errors="surrogatepass"), digest_size=8).digest()


def group_of(record: Record, by: Sequence[str]) -> str:
    """The group that a record belongs to: its values for these names, and :data:`NONE` for one that it lacks.

    >>> group_of(Record("r", {"prompt": "?"}, metadata={"task": "sums"}), ["task", "topic"])
    'sums / (none)'
    """
    values = (attribute(record, name) for name in by)
    return " / ".join(NONE if value is None or value == "" else str(value) for value in values)


# -- balance


def balance(
    records: Iterable[Record],
    by: Sequence[str],
    *,
    cap: int | None = None,
    share: float | None = None,
    best: str | None = None,
    seed: int = 0,
    held: Container[str] = (),
) -> Result:
    """Keep no more of any group than a cap, so that no task, topic or source outweighs the others.

    Args:
        records: each with a key of its own.
        by: what makes the groups, such as ``["task"]``: names of metadata or of questions.
        cap: at most so many of each group; by default as many as the smallest group has.
        share: at most this share of what is kept is of one group; the highest cap with which that holds.
        best: a number that records carry: those with the highest stay. By default chance decides.
        seed: of that chance.
        held: keys of records that stay whatever happens, and count against the cap before any other.

    Raises:
        UsageError: a cap below 1, a share that no cap can reach with so few groups, or both at once.

    >>> rows = [Record(f"r{i}", {"prompt": "?"}, metadata={"task": "sums" if i < 8 else "dates"}) for i in range(10)]
    >>> result = balance(rows, ["task"])
    >>> len(result.kept), result.why
    (4, {'cap': 6})
    """
    records = list(records)
    if not by:
        raise UsageError("nothing says what the groups are", remedy="name it, such as --by task")
    if cap is not None and (cap < 1 or share is not None):
        raise UsageError(
            f"a cap of {cap}" + (" and a share" if share is not None else ""),
            remedy="use a cap of 1 or more, or a share",
        )
    groups = [group_of(record, by) for record in records]
    sizes = Counter(groups)
    if cap is None and sizes:
        cap = min(sizes.values()) if share is None else _cap_for(share, sizes)
    stays = [record.key in held for record in records]
    order = sorted(
        range(len(records)), key=lambda i: (not stays[i], -_number(records[i], best), rank(records[i].key, seed), i)
    )
    taken: Counter[str] = Counter()
    kept: set[int] = set()
    for index in order:
        taken[groups[index]] += 1
        if stays[index] or taken[groups[index]] <= (cap or 0):
            kept.add(index)
    dropped = [
        Dropped(record.key, "balance", "cap", detail={"group": group, "of": sizes[group], "cap": cap})
        for index, (record, group) in enumerate(zip(records, groups, strict=True))
        if index not in kept
    ]
    return _result(records, kept, dropped)


def _cap_for(share: float, sizes: Mapping[str, int]) -> int:
    """The highest cap with which no group is more than this share of what is kept."""
    exact = Fraction(str(share))
    if not 0 < exact <= 1:
        raise UsageError(f"a share of {share:g}", remedy="use a number above 0 and up to 1")

    def holds(cap: int) -> bool:
        kept = [min(size, cap) for size in sizes.values()]
        return max(kept) <= exact * sum(kept)

    # The largest group's share of what is kept never falls as the cap rises: the other groups stop growing first.
    low, high = 0, max(sizes.values())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    if not low:
        raise UsageError(
            f"with {len(sizes)} groups one always has more than {share:.0%}", remedy=f"use {1 / len(sizes):.2f} or more"
        )
    return low


def _number(record: Record, name: str | None) -> float:
    value = None if name is None else attribute(record, name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    return float(value) if isinstance(value, int | float) and value == value else float("-inf") if name else 0.0


# -- samples


def sample(
    records: Iterable[Record],
    *,
    size: int | None = None,
    share: float | None = None,
    by: Sequence[str] = (),
    at_least: int = 0,
    seed: int = 0,
    held: Container[str] = (),
) -> Result:
    """A random sample of an exact size; with ``by``, of each group its part.

    The parts are proportional, rounded by largest remainders so that they add up to the size.

    Args:
        records: each with a key of its own.
        size: how many; or
        share: which part of them, such as 0.05: rounded half up, and one at the least.
        by: what makes the groups (strata).
        at_least: so many of each group that has them, even where its part would be less.
        seed: another seed gives another sample.
        held: keys of records that are in the sample whatever happens; where they are more than the size, they are it.

    Raises:
        UsageError: neither or both of size and share, or one that cannot be right; or ``at_least`` of each group is
            more than the size.

    >>> rows = [Record(f"r{i}", {"prompt": "?"}, metadata={"task": "sums" if i < 80 else "dates"}) for i in range(100)]
    >>> result = sample(rows, share=0.1, by=["task"])
    >>> sum(row.metadata["task"] == "sums" for row in result.kept), len(result.kept)
    (8, 10)
    >>> [row.key for row in sample(rows[::-1], share=0.1, by=["task"]).kept] == [row.key for row in result.kept][::-1]
    True
    """
    records = list(records)
    wanted = sample_size(len(records), size, share)
    groups = [group_of(record, by) if by else "" for record in records]
    stays = [record.key in held for record in records]
    needed = Counter(group for group, stay in zip(groups, stays, strict=True) if stay)
    parts = _parts(Counter(groups), max(wanted, needed.total()), needed, at_least, seed)
    order = sorted(range(len(records)), key=lambda i: (not stays[i], rank(records[i].key, seed), i))
    taken: Counter[str] = Counter()
    kept: set[int] = set()
    for index in order:
        taken[groups[index]] += 1
        if taken[groups[index]] <= parts[groups[index]]:
            kept.add(index)
    dropped = [
        Dropped(record.key, "sample", "not_chosen", detail={"group": group} if by else {})
        for index, (record, group) in enumerate(zip(records, groups, strict=True))
        if index not in kept
    ]
    return _result(records, kept, dropped)


def sample_size(count: int, size: int | None, share: float | None) -> int:
    """How many of ``count`` records a size or a share stands for.

    Raises:
        UsageError: neither or both, or one that cannot be right.

    >>> sample_size(25, None, 0.1), sample_size(3, None, 0.05), sample_size(3, 10, None)
    (3, 1, 3)
    """
    if (size is None) == (share is None):
        raise UsageError("a sample needs a size or a share", remedy="give one of them, such as --share 0.05")
    if size is not None:
        if size < 1:
            raise UsageError(f"a sample of {size}", remedy="use 1 or more")
        return min(size, count)
    if not 0 < (share or 0) <= 1:
        raise UsageError(f"a share of {share:g}", remedy="use a number above 0 and up to 1")
    return min(count, max(1, int((Decimal(str(share)) * count).to_integral_value(ROUND_HALF_UP))))


def _parts(
    sizes: Mapping[str, int], wanted: int, needed: Mapping[str, int], at_least: int, seed: int
) -> dict[str, int]:
    """How many of each group: its part by largest remainders, no less than what it needs, and no less than ``at_least``
    where it has as many."""
    total = sum(sizes.values())
    floor = {group: max(needed.get(group, 0), min(size, at_least)) for group, size in sizes.items()}
    if sum(floor.values()) > wanted:
        raise UsageError(
            f"{at_least} of each of {len(sizes)} groups are more than a sample of {wanted}",
            remedy=f"ask for a sample of {sum(floor.values())} or more",
        )
    exact = {group: Fraction(size * wanted, total) for group, size in sizes.items()} if total else {}
    parts = {group: max(floor[group], int(part)) for group, part in exact.items()}
    # Groups of the same remainder take turns by the seed, never by which of them comes first in the file.
    order = sorted(sizes, key=lambda group: (int(exact[group]) - exact[group], rank(group, seed)))
    for group in order:
        if sum(parts.values()) < wanted and parts[group] < sizes[group]:
            parts[group] += 1
    while sum(parts.values()) > wanted:  # the least ones took more than their part: the largest give it back
        group = max((g for g in parts if parts[g] > floor[g]), key=lambda g: (parts[g] - exact[g], rank(g, seed)))
        parts[group] -= 1
    return parts


# -- licences


def licences(
    records: Iterable[Record],
    *,
    allow: Collection[str] = (),
    sources: Collection[str] = (),
    of_source: Mapping[str, str] | None = None,
    unknown: Unwanted = "drop",
    forbidden: Unwanted = "drop",
) -> Result:
    """Keep what may be used: records whose ``licence`` (or ``license``) and ``source`` are on the lists.

    Licences are compared as SPDX names are, whatever their case and whether words are joined by spaces or hyphens.
    Of ``MIT OR GPL-3.0`` one must be allowed, of ``MIT AND CC-BY-4.0`` and of a list all.

    Args:
        records: with ``source`` and ``licence`` in their metadata.
        allow: licences that may be used; without any, licences do not count.
        sources: sources that may be used; without any, sources do not count.
        of_source: source to its licence, for records that carry no licence of their own.
        unknown: what becomes of a record that does not say its licence or source.
        forbidden: what becomes of one that says another.

    Raises:
        UsageError: neither licences nor sources are allowed.
        InputError: a record is unknown or forbidden where that is to be refused.

    >>> rows = [Record(n, {"prompt": n}, metadata=m) for n, m in
    ...         {"a": {"licence": "cc by 4.0"}, "b": {"license": "CC-BY-NC-4.0"}, "c": {}}.items()]
    >>> [(case.key, case.rule) for case in licences(rows, allow=["CC-BY-4.0", "MIT"]).dropped]
    [('b', 'forbidden'), ('c', 'unknown')]
    """
    if not allow and not sources:
        raise UsageError("no licence and no source is allowed", remedy="name some, such as --allow MIT --allow CC0-1.0")
    records = list(records)
    allowed = {_spdx(name) for name in allow}
    by_source = {source.strip().casefold(): licence for source, licence in (of_source or {}).items()}
    good_sources = {source.strip().casefold() for source in sources}
    actions: dict[str, Unwanted] = {"unknown": unknown, "forbidden": forbidden}
    kept: set[int] = set()
    dropped: list[Dropped] = []
    for index, record in enumerate(records):
        source = str(attribute(record, "source") or "").strip()
        licence = attribute(record, "licence") or attribute(record, "license") or by_source.get(source.casefold())
        verdicts = []
        if good_sources:
            verdicts.append("unknown" if not source else "" if source.casefold() in good_sources else "forbidden")
        if allowed:
            verdicts.append("unknown" if not licence else "" if _is_allowed(licence, allowed) else "forbidden")
        rule = next((rule for rule in ("forbidden", "unknown") if rule in verdicts), "")
        if not rule or actions[rule] == "keep":
            kept.add(index)
            continue
        case = Dropped(record.key, "licences", rule, detail={"licence": licence or None, "source": source or None})
        if actions[rule] == "refuse":
            raise InputError(
                f"record {record.key}: its licence is {licence or 'unknown'}, its source {source or 'unknown'}",
                remedy="allow it, take the record out, or drop such records",
            )
        dropped.append(case)
    return _result(records, kept, dropped)


def _is_allowed(licence: object, allowed: Collection[str]) -> bool:
    if isinstance(licence, list):
        return bool(licence) and all(_is_allowed(one, allowed) for one in licence)
    return any(
        all(_spdx(part) in allowed for part in split(r"\s+and\s+", either, flags=2))
        for either in split(r"\s+or\s+", str(licence), flags=2)
    )


def _spdx(name: str) -> str:
    return sub(r"[\s_-]+", "-", name.strip(" ()").casefold())


def _result(records: Sequence[Record], kept: Collection[int], dropped: list[Dropped]) -> Result:
    why = Counter(case.rule for case in dropped)
    return Result([record for index, record in enumerate(records) if index in kept], dropped, dict(sorted(why.items())))
