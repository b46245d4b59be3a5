"""Duplicates: which records say what another one says already, and which of them stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bridge.curate.items import attribute, texts
from bridge.curate.result import Dropped, Result
from bridge.errors import UsageError
from bridge.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bridge.curate.diversity import Encoder
    from bridge.curate.tokens import Engine

STEP = "dedup"
METHODS = ("exact", "near", "minhash", "semantic")
Method: TypeAlias = Literal["exact", "near", "minhash", "semantic"]
Prefer: TypeAlias = "Callable[[Record], Any]"
"""What a record is worth: of two duplicates, the one with the greater value stays; of equal ones the first."""

SCORES = ("score", "judge_score", "quality", "quality_score", "reward")
"""Where a record's score is looked for, in this order."""


def duplicates(
    records: Iterable[Record],
    *,
    method: Method = "near",
    on: str = "both",
    threshold: float | None = None,
    n: int = 3,
    prefer: Prefer | None = None,
    cluster: Literal["greedy", "components"] = "greedy",
    static: Encoder | None = None,
    judge: Encoder | None = None,
    static_threshold: float | None = None,
    engine: Engine = "auto",
) -> Result:
    """Drop records that repeat another one. Each dropped record names the one that was kept, and their similarity.

    ``exact``: the same text but for Unicode form (NFC), case and white space. ``near``: word n-grams with a Jaccard
    similarity of at least the threshold, exactly (:mod:`bridge.curate.near`). ``minhash``: candidates of datasketch's
    MinHash LSH, each verified exactly; finds most of what ``near`` finds. ``semantic``: cosine similarity of
    embeddings (:mod:`bridge.curate.semantic`). A record without a text on that side is nobody's duplicate.

    Args:
        records: each with a key of its own.
        method: see above.
        on: compare ``prompt``, ``response`` or ``both``.
        threshold: similarity from which on two are duplicates; 0.7 by default, 0.9 for ``semantic``.
        n: words in a shingle.
        prefer: which of several stays (:data:`Prefer`); :func:`worth` by default.
        cluster: ``greedy`` drops a record only if it is itself like the kept one that it names. ``components`` (only
            ``near``) keeps one of each group that is connected by pairs, so that a dropped record may be less like it.
        static: embeds all records, for ``semantic``.
        judge: embeds only those that ``static`` finds alike, and decides.
        static_threshold: cosine from which on ``static`` asks the judge; 0.85 by default.
        engine: see :data:`bridge.curate.tokens.Engine`; both find the same.

    Raises:
        UsageError: a method, side or threshold that does not exist, or an extra that is not installed.

    >>> rows = [
    ...     Record("a", {"prompt": "Name a colour of the sky by day.", "response": "Blue."}),
    ...     Record("b", {"prompt": "name a colour of the sky by day", "response": "Blue!"}),
    ...     Record("c", {"prompt": "Add 2 and 3.", "response": "5"}),
    ... ]
    >>> found = duplicates(rows)
    >>> [record.key for record in found.kept], found.why
    (['a', 'c'], {'near': 1})
    >>> found.dropped[0].to_dict()
    {'key': 'b', 'step': 'dedup', 'rule': 'near', 'score': 1.0, 'kept': 'a', 'detail': {}}
    """
    check_method(method, cluster)
    rows = list(records)
    order = by_worth(rows, prefer)
    compared = (texts(record, on) for record in rows)
    if method == "exact":
        return _dropped(rows, method, _exact(list(compared), order))
    if method == "near":
        return _near(rows, compared, 0.7 if threshold is None else threshold, n, order, cluster, engine)
    if method == "minhash":
        from bridge.curate.minhash import minhash

        return _dropped(rows, method, minhash(list(compared), 0.7 if threshold is None else threshold, n, order))
    from bridge.curate.semantic import cascade

    matches = cascade(
        list(compared),
        static,
        judge,
        threshold=0.9 if threshold is None else threshold,
        static_threshold=static_threshold,
        order=order,
    )
    return _dropped(rows, method, matches)


def check_method(method: str, cluster: str) -> None:
    """Refuse a method that there is not, or has no such way to make groups.

    Raises:
        UsageError: that is so.
    """
    if method not in METHODS:
        raise UsageError(f"method {method!r:.60}: there is none", remedy=f"use one of {', '.join(METHODS)}")
    if cluster not in ("greedy", "components") or (cluster == "components" and method != "near"):
        raise UsageError(
            f"cluster {cluster!r:.60}: the method {method} has no such way",
            remedy="leave it out, or use greedy; components goes with the method near",
        )


def worth(record: Record) -> tuple[float, float]:
    """What a record is worth by default: how many answers of people it has, then its score.

    Answers are the suggestions of people, and the number in the metadata's ``human_answers``. The score is the first
    of :data:`SCORES` that the record has, else the mean of its suggested ratings, else of their confidence.

    >>> worth(Record("r", {"prompt": "?"}, metadata={"human_answers": 2, "score": 0.5}))
    (2.0, 0.5)
    """
    people = sum(suggestion.kind == "human" for suggestion in record.suggestions)
    return people + (_number(record.metadata.get("human_answers")) or 0.0), _score(record)


def worth_with(answers: Mapping[str, int]) -> Prefer:
    """The same where the number of people's answers to each record is known by its key.

    >>> worth_with({"r": 3})(Record("r", {"prompt": "?"}, metadata={"score": 0.5}))
    (3.0, 0.5)
    """
    return lambda record: (answers.get(record.key, 0) + worth(record)[0], _score(record))


def _score(record: Record) -> float:
    for name in SCORES:
        found = _number(attribute(record, name))
        if found is not None:
            return found
    ratings = [value for s in record.suggestions if (value := _number(s.value)) is not None]
    confidences = [s.score for s in record.suggestions if s.score is not None]
    return fmean(ratings or confidences or [float("-inf")])


def _number(value: object) -> float | None:
    """A number other than NaN, which has no place in any order."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def by_worth(records: Sequence[Record], prefer: Prefer | None = None) -> list[int]:
    """Indices of records, those that are worth most first, equal ones as they came."""
    return by_value([(prefer or worth)(record) for record in records])


def by_value(values: Sequence[Any]) -> list[int]:
    """Indices of values, the greatest first, equal ones as they came."""
    return sorted(range(len(values)), key=values.__getitem__, reverse=True)


def _exact(compared: list[str], order: list[int]) -> dict[int, tuple[int, float]]:
    seen: dict[bytes, int] = {}
    matches: dict[int, tuple[int, float]] = {}
    for index in order:
        digest = exact_digest(compared[index])
        if digest is not None:
            first = seen.setdefault(digest, index)
            if first != index:
                matches[index] = (first, 1.0)
    return matches


def exact_digest(text: str) -> bytes | None:
    """What exact duplicates have in common, and nothing else; None where a text is empty.

    >>> exact_digest("Yes,  please") == exact_digest("yes,\\nplease"), exact_digest(" ")
    (True, None)
    """
    from bridge.curate.tokens import plain

    words = plain(text).split()
    return blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest() if words else None


def _near(
    rows: list[Record],
    compared: Iterable[str],
    threshold: float,
    n: int,
    order: list[int],
    cluster: Literal["greedy", "components"],
    engine: Engine,
) -> Result:
    import numpy as np

    from bridge.curate.near import check_threshold, join, similarities
    from bridge.curate.tokens import token_sets

    check_threshold(threshold)
    sets = token_sets(compared, n, engine=engine)
    joined = join(sets, threshold, cluster, order=order, engine=engine)
    if cluster == "greedy":
        return _dropped(rows, "near", matched(joined.matches, joined.scores))
    others = np.flatnonzero(joined.matches != np.arange(len(rows)))
    scores = similarities(sets, others, joined.matches[others])
    sizes = np.bincount(joined.matches, minlength=len(rows))
    found = zip(others.tolist(), joined.matches[others].tolist(), scores.tolist(), strict=True)
    matches = {index: (kept, score) for index, kept, score in found}
    return _dropped(rows, "near", matches, lambda kept: {"cluster": int(sizes[kept])})


def matched(matches: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[int, tuple[int, float]]:
    """Index to index of what was kept in its stead, and their similarity, of a greedy join."""
    pairs = zip(matches.tolist(), scores.tolist(), strict=True)
    return {index: (kept, score) for index, (kept, score) in enumerate(pairs) if kept >= 0}


def _dropped(
    rows: list[Record],
    rule: str,
    matches: Mapping[int, tuple[int, float]],
    detail: Callable[[int], Mapping[str, Any]] = lambda _: {},
) -> Result:
    return Result(
        [record for index, record in enumerate(rows) if index not in matches],
        cases([record.key for record in rows], rule, matches, detail),
        {rule: len(matches)} if matches else {},
    )


def cases(
    keys: Sequence[str],
    rule: str,
    matches: Mapping[int, tuple[int, float]],
    detail: Callable[[int], Mapping[str, Any]] = lambda _: {},
) -> list[Dropped]:
    """What is said of each dropped record, in the order in which they came.

    Args:
        keys: of all records.
        rule: the method that found them.
        matches: index to the index of what was kept in its stead, and their similarity.
        detail: what else there is to say about what a kept one stands for.
    """
    return [
        Dropped(keys[index], STEP, rule, round(score, 4), keys[kept], detail(kept))
        for index, (kept, score) in sorted(matches.items())
    ]
