"""A step as a filter from file to file: what it keeps goes on line by line, what it drops is listed with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from bridge.curate.items import Item, Items
from bridge.curate.result import Dropped, Step
from bridge.files import Reject, line_writer
from bridge.records import Record

Write: TypeAlias = "Callable[[Mapping[str, Any]], None]"
Tick: TypeAlias = "Callable[[str, int, int], None]"

_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Filtered:
    """What became of the lines of a file.

    Args:
        read: how many lines could be read.
        kept: how many went on; ``changed`` of them with other texts.
        changed: see ``kept``.
        dropped: how many did not go on.
        why: rule to how many lines it dropped or changed.
        rejects: lines that are no rows, or hold no text; they do not go on either.
        first: the first dropped ones.
    """

    read: int = 0
    kept: int = 0
    changed: int = 0
    dropped: int = 0
    why: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    first: list[Dropped] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The counts as ``--json`` prints them."""
        return {
            "read": self.read,
            "kept": self.kept,
            "changed": self.changed,
            "dropped": self.dropped,
            "why": self.why,
            "rejected": len(self.rejects),
            "rejects": [reject.to_dict() for reject in self.rejects[:100]],
        }


def filter_whole(
    items: Items, step: Step, out: Path | None, dropped: Path | None, tick: Tick = lambda what, done, total: None
) -> Filtered:
    """Run a step that must know all records; the file is read twice, and never held in memory with all its columns.

    Args:
        items: the file.
        step: gets all records at once.
        out: where kept lines go.
        dropped: where dropped lines go, with reason, number and all that stood there.
        tick: told what is being done, and how much of it.

    Raises:
        InputError: the file cannot be read.
        StoreError: an output cannot be written.
    """
    records = []
    expected = _lines(items.path)
    for count, item in enumerate(items, 1):
        records.append(item.record)
        if count % _EVERY == 0:
            tick("reading", count, expected)
    result = step(records)
    total = len(records)
    del records
    kept = {record.key: record for record in result.kept}
    gone = {case.key: case for case in result.dropped}
    _write_whole(items, out, dropped, lambda record: kept.get(record.key), gone, total, tick)
    return Filtered(
        total, len(result.kept), 0, len(result.dropped), dict(result.why), items.rejects, result.dropped[:3]
    )


def filter_choosing(
    items: Items,
    choose: Callable[[Iterable[Record]], list[Dropped]],
    out: Path | None,
    dropped: Path | None,
    tick: Tick = lambda what, done, total: None,
) -> Filtered:
    """Run a step that must know all records, changes none, and holds them where it likes; here they are not held.

    Args:
        items: the file.
        choose: reads all records once, and says which do not go on.
        out, dropped, tick: as for :func:`filter_whole`.

    Raises:
        InputError: the file cannot be read.
        StoreError: an output cannot be written.
    """
    total = 0

    def read() -> Iterator[Record]:
        nonlocal total
        for total, item in enumerate(items, 1):
            if total % _EVERY == 0:
                tick("reading", total, 0)
            yield item.record

    cases = choose(read())
    gone = {case.key: case for case in cases}
    _write_whole(items, out, dropped, lambda record: record, gone, total, tick)
    why = dict(Counter(case.rule for case in cases))
    return Filtered(total, total - len(cases), 0, len(cases), why, items.rejects, cases[:3])


def _write_whole(
    items: Items,
    out: Path | None,
    dropped: Path | None,
    kept: Callable[[Record], Record | None],
    gone: Mapping[str, Dropped],
    total: int,
    tick: Tick,
) -> None:
    """Read the file again, and write each line to where it belongs; ``kept`` is what a record has become."""
    with _outputs(out, dropped) as outputs:
        for count, item in enumerate(items if out or dropped else (), 1):
            if item.record.key in gone:
                outputs.drop(item, gone[item.record.key])
            elif (record := kept(item.record)) is not None:
                outputs.keep(item, record)
            if count % _EVERY == 0:
                tick("writing", count, total)
        outputs.reject(items.rejects)


def filter_each(
    items: Items, step: Step, out: Path | None, dropped: Path | None, tick: Tick = lambda what, done, total: None
) -> Filtered:
    """Run a step that judges every record by itself; memory does not grow with the file.

    Args:
        items: the file, best with ``unique=False``.
        step: gets one record at a time.
        out: where kept lines go.
        dropped: where dropped lines go, with reason, number and all that stood there.
        tick: told how many lines are done, of how many.

    Raises:
        InputError: the file cannot be read.
        StoreError: an output cannot be written.
    """
    filtered, why = Filtered(), Counter[str]()
    read = kept = changed = 0
    first: list[Dropped] = []
    expected = _lines(items.path)
    with _outputs(out, dropped) as outputs:
        for read, item in enumerate(items, 1):
            result = step([item.record])
            why.update(result.why)
            if result.kept:
                kept += 1
                changed += outputs.keep(item, result.kept[0])
            for case in result.dropped[:1]:
                outputs.drop(item, case)
                first += [case] if len(first) < 3 else []
            if read % _EVERY == 0:
                tick("curating", read, expected)
        outputs.reject(items.rejects)
    return replace(
        filtered,
        read=read,
        kept=kept,
        changed=changed,
        dropped=read - kept,
        why=dict(sorted(why.items())),
        rejects=items.rejects,
        first=first,
    )


def _lines(path: Path) -> int:
    """How many lines a file of lines has, so that a bar knows its end; 0 of other files. It takes a second a GB."""
    if path.suffix not in (".jsonl", ".ndjson") or not path.is_file():
        return 0
    with suppress(OSError), path.open("rb") as file:
        return sum(part.count(b"\n") for part in iter(partial(file.read, 2**20), b""))
    return 0


@contextmanager
def _outputs(out: Path | None, dropped: Path | None) -> Iterator[_Outputs]:
    """The two files that a filter writes; they appear when all is done."""
    with ExitStack() as files:
        # What is opened last is there first: the list of reasons never belongs to an older output.
        write_out = files.enter_context(line_writer(out)) if out else _nowhere
        write_dropped = files.enter_context(line_writer(dropped)) if dropped else _nowhere
        yield _Outputs(write_out, write_dropped)


class _Outputs:
    """What goes into the two files."""

    def __init__(self, out: Write, dropped: Write) -> None:
        self._out = out
        self._dropped = dropped

    def keep(self, item: Item, record: Record) -> bool:
        """Write a line; whether it has changed."""
        line = item.line(record)
        self._out(line)
        return record != item.record

    def drop(self, item: Item, case: Dropped) -> None:
        self._dropped({**case.to_dict(), "line": item.number, "row": item.row})

    def reject(self, rejects: list[Reject]) -> None:
        for reject in rejects:
            case = Dropped(reject.key, "read", "rejected", detail={"reason": reject.reason, "remedy": reject.remedy})
            self._dropped({**case.to_dict(), "line": reject.line, "row": None})


def _nowhere(line: Mapping[str, Any]) -> None:
    """Where lines go that nobody asked for."""
