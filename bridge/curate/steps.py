"""The steps of curation by name, each set up once and then asked: the same for a campaign, a file and the library."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.curate import settings as s
from bridge.curate.result import Result, Step
from bridge.errors import UsageError
from bridge.records import Record

if TYPE_CHECKING:
    from bridge.curate.pii import Finding

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


def pii_step(
    wanted: s.Pii,
    *,
    spans: Mapping[str, str] | None = None,
    note: Callable[[list[Finding]], None] | None = None,
    whatever_is_there: bool = False,
) -> Step:
    """Personal data (:mod:`bridge.curate.masking`).

    Args:
        wanted: mode and kinds.
        spans: which field a question's suggested passages are of.
        note: told all that was found in a record, where anything was.
        whatever_is_there: look only for kinds whose packages are installed.
    """
    from bridge.curate.masking import Privacy

    names = None
    if wanted.ner is not None:
        from bridge.curate.ner import presidio_names

        names = presidio_names(wanted.ner)
    privacy = Privacy(
        "report" if wanted.mode == "none" else wanted.mode,
        key=_secret(wanted.key_env) if wanted.mode == "pseudonymise" else None,
        at_least=wanted.at_least,
        spans=spans,
        only=wanted.only,
        off=[*wanted.off, *(missing_kinds() if whatever_is_there else ())],
        regions=wanted.regions,
        names=wanted.names,
        speakers=wanted.speakers,
        find_names=names,
    )

    def run(records: list[Record]) -> Result:
        result, why = Result(), Counter[str]()
        for record in records:
            treated = privacy.record(record)
            why.update({finding.kind for finding in treated.findings if finding.sure >= wanted.at_least})
            if treated.findings and note is not None:
                note(treated.findings)
            if treated.record is not None:
                result.kept.append(treated.record)
            if treated.dropped is not None:
                result.dropped.append(treated.dropped)
        return Result(result.kept, result.dropped, dict(sorted(why.items())))

    return run


def missing_kinds() -> list[str]:
    """Kinds of personal data that cannot be looked for, because their package is not installed."""
    needed = {"phone": "phonenumbers", "iban": "stdnum", "card": "stdnum"}
    return [kind for kind, package in needed.items() if find_spec(package) is None]


def _secret(variable: str | None) -> bytes:
    if variable is None:
        raise UsageError(
            "pseudonymise: there is no secret key", remedy="name the environment variable that holds it: --key-env NAME"
        )
    value = os.environ.get(variable)
    if not value:
        raise UsageError(
            f"the environment variable {variable} is not set", remedy="set it to the secret key of the pseudonyms"
        )
    return value.encode()


def dedup_step(wanted: s.Dedup, *, folder: Path = Path(), held: Container[str] = ()) -> Step:
    """Duplicates (:mod:`bridge.curate.duplicates`). Of several alike, one that is held stays."""
    from bridge.curate.duplicates import duplicates, worth

    static, judge = (_encoder(folder, name) for name in (wanted.static, wanted.judge))

    choose = partial(
        duplicates,
        method=wanted.method,
        on=wanted.on,
        threshold=wanted.threshold,
        n=wanted.n,
        prefer=lambda record: (record.key in held, worth(record)),
        cluster=wanted.cluster,
        static=static,
        judge=judge,
    )
    return lambda records: holding(records, choose(records), held)


def decontaminate_step(wanted: s.Decontaminate, *, folder: Path = Path(), held: Container[str] = ()) -> Step:
    """Evaluation items (:mod:`bridge.curate.decontaminate`). Sets of one name are called by their paths."""
    from bridge.curate.decontaminate import decontaminate, read_evaluation

    stems = Counter(Path(path).stem for path in wanted.against)
    items = [
        item
        for path in wanted.against
        for item in read_evaluation(
            folder / path, name=path if stems[Path(path).stem] > 1 else None, columns=wanted.columns
        )
    ]

    choose = partial(
        decontaminate,
        against=items,
        on=wanted.on,
        containment=wanted.containment if wanted.rule != "token_set_ratio" else None,
        ratio=wanted.ratio if wanted.rule != "containment" else None,
        n=wanted.n,
    )
    return lambda records: holding(records, choose(records), held)


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

    choose = partial(
        licences,
        allow=wanted.allow,
        sources=wanted.sources,
        of_source=wanted.of_source,
        unknown=wanted.unknown,
        forbidden=wanted.forbidden,
    )
    return lambda records: holding(records, choose(records), held)


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
