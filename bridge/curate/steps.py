"""The steps of curation by name, each set up once and then asked: the same for a campaign, a file and the library."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bridge.curate import settings as s
from bridge.curate.result import Result
from bridge.records import Record

Step: TypeAlias = "Callable[[list[Record]], Result]"
"""From records to what is kept, dropped, and why."""

EACH = ("clean", "pii")
"""Steps that judge every record by itself, and may change it. The others only choose."""


def clean_step(wanted: s.Clean, *, folder: Path = Path(), spans: Mapping[str, str] | None = None) -> Step:
    """Cleaning (:mod:`bridge.curate.clean`); ``spans`` says which field a question's suggested passages are of."""
    from bridge.curate.clean import RULES, Cleaner

    cleaner = Cleaner(
        only=wanted.only,
        off=wanted.off,
        min_words=wanted.min_words,
        asked_words=wanted.asked_words,
        phrases=folder / wanted.phrases if wanted.phrases else None,
        spans=spans,
    )

    def run(records: list[Record]) -> Result:
        result = Result()
        for record in records:
            cleaned = cleaner.record(record)
            for rule in cleaned.rules:
                result.why[rule] = result.why.get(rule, 0) + 1
            if cleaned.record is not None:
                result.kept.append(cleaned.record)
            if cleaned.dropped is not None:
                result.dropped.append(cleaned.dropped)
        return Result(result.kept, result.dropped, {rule: result.why[rule] for rule in RULES if rule in result.why})

    return run


def dedup_step(wanted: s.Dedup, *, folder: Path = Path(), held: Container[str] = ()) -> Step:
    """Duplicates (:mod:`bridge.curate.duplicates`). Of several alike, one that is held stays."""
    from bridge.curate.duplicates import duplicates, worth

    static, judge = (_encoder(folder, name) for name in (wanted.static, wanted.judge))

    def run(records: list[Record]) -> Result:
        found = duplicates(
            records,
            method=wanted.method,
            on=wanted.on,
            threshold=wanted.threshold,
            n=wanted.n,
            prefer=lambda record: (record.key in held, worth(record)),
            cluster=wanted.cluster,
            static=static,
            judge=judge,
        )
        return holding(records, found, held)

    return run


def balance_step(wanted: s.Balance, *, held: Container[str] = ()) -> Step:
    """Caps per group (:func:`bridge.curate.select.balance`)."""
    from bridge.curate.select import balance

    return lambda records: balance(
        records, wanted.by, cap=wanted.cap, share=wanted.share, best=wanted.best, seed=wanted.seed, held=held
    )


def sample_step(wanted: s.Sample, *, folder: Path = Path(), held: Container[str] = ()) -> Step:
    """A sample (:func:`bridge.curate.select.sample`, :func:`bridge.curate.diversity.diverse`)."""
    from bridge.curate.diversity import diverse
    from bridge.curate.select import sample

    size, share, seed = wanted.size, wanted.share, wanted.seed
    if wanted.diverse:
        encoder = _encoder(folder, wanted.model)
        return lambda records: diverse(
            records, size=size, share=share, encoder=encoder, on=wanted.on, seed=seed, held=held
        )
    return lambda records: sample(
        records, size=size, share=share, by=wanted.by, at_least=wanted.at_least, seed=seed, held=held
    )


def licences_step(wanted: s.Licences, *, held: Container[str] = ()) -> Step:
    """What may be used (:func:`bridge.curate.select.licences`)."""
    from bridge.curate.select import licences

    def run(records: list[Record]) -> Result:
        found = licences(
            records,
            allow=wanted.allow,
            sources=wanted.sources,
            of_source=wanted.of_source,
            unknown=wanted.unknown,
            forbidden=wanted.forbidden,
        )
        return holding(records, found, held)

    return run


def holding(records: list[Record], result: Result, held: Container[str]) -> Result:
    """The result of a step that only chooses, with the records that stay whatever happens.

    >>> from bridge.curate.result import Dropped
    >>> rows = [Record("a", {"prompt": "?"}), Record("b", {"prompt": "?"})]
    >>> found = holding(rows, Result([], [Dropped(row.key, "dedup", "near") for row in rows], {"near": 2}), {"b"})
    >>> [row.key for row in found.kept], found.why
    (['b'], {'near': 1})
    """
    back = [case for case in result.dropped if case.key in held]
    if not back:
        return result
    dropped = [case for case in result.dropped if case.key not in held]
    gone = {case.key for case in dropped}
    why = {rule: count - sum(case.rule == rule for case in back) for rule, count in result.why.items()}
    return Result(
        [record for record in records if record.key not in gone], dropped, {rule: n for rule, n in why.items() if n}
    )


def _encoder(folder: Path, name: str | None) -> Any:
    if name is None:
        return None
    from bridge.curate.semantic import load_encoder

    return load_encoder(folder / name)
