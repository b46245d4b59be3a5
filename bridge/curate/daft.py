"""Duplicates past one machine: the same search, in partitions, by Daft on this machine or on a cluster of Ray.

What is found is what :func:`bridge.curate.duplicates.duplicates` finds, to the last digit of a score, because the same
functions decide. Partitioned is the search for similar pairs, a prefix-filter join as in :mod:`bridge.curate.near`:

1. Texts go to files of a few megabytes. Each gets a hash of its words, and of each of its shingles.
2. Texts of the same words are one group, and one of them is searched for.
3. Shingles are counted, so that those of each text can be put in order, the rarest first, and its prefix cut off.
4. Texts that have a shingle of their prefixes in common are candidates, unless their sizes, and its places in both,
   put the threshold out of reach. Candidates are compared shingle by shingle: hashes propose, and never decide.
5. Which record of similar ones stays is decided here, from the numbers of pairs.

This process holds key and worth of each record, and the similar pairs. Texts are in the partitions only.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bridge.curate import partitioned
from bridge.curate.duplicates import Method, Prefer, by_value, cases, check_method, exact_digest, worth
from bridge.curate.items import texts
from bridge.curate.near import check_threshold
from bridge.curate.partitioned import Matches, Order, Pairs
from bridge.curate.result import Dropped
from bridge.curate.tokens import Counts, check_words
from bridge.errors import UsageError
from bridge.records import Record

# Daft tells its makers of each import and each query, and Ray its own of each cluster, unless they are told not to.
os.environ.update(DAFT_ANALYTICS_ENABLED="0", RAY_USAGE_STATS_ENABLED="0")
os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
try:
    import daft
    import pyarrow as pa
    from daft import DataFrame, DataType, Expression, col, lit
    from pyarrow import parquet
except ImportError:
    raise UsageError(
        "engine daft: Daft is not installed",
        remedy="pip install 'annobridge[scale]', or leave the engine out: it finds the same",
    ) from None

FILE = 8 * 2**20
"""Bytes of texts in a file, of which Daft makes a partition or a part of one."""

FREQUENT = 2**20
"""So many shingles have a place of their own in the order of all; it goes to every partition, at 16 bytes each."""

_ROWS = 8192  # of a batch, so that what is made of texts is bounded
_SLACK = 1e-6  # as in bridge.curate.near: a bound may let too much through, but never too little


def duplicates(
    records: Iterable[Record],
    *,
    method: Method = "near",
    on: str = "both",
    threshold: float | None = None,
    n: int = 3,
    prefer: Prefer | None = None,
    cluster: str = "greedy",
    folder: str | Path | None = None,
) -> list[Dropped]:
    """Which records repeat another one, and which one. All others are to be kept.

    Args:
        records: each with a key of its own; read once, and not held.
        method, on, threshold, n, prefer, cluster: as in :func:`bridge.curate.duplicates.duplicates`.
        folder: where the partitions' files lie meanwhile; by default where temporary files do. All machines of a
            cluster must see it under this path.

    Raises:
        UsageError: a method or threshold that there is not, or a runner that is not installed.
        OSError: the folder cannot be written.

    >>> duplicates([Record("a", {"prompt": "Add 2 and 3!"}), Record("b", {"prompt": "add 2 and 3"})])
    [Dropped(key='b', step='dedup', rule='near', score=1.0, kept='a', detail={})]
    """
    check_method(method, cluster)
    if method not in ("exact", "near"):
        raise UsageError(f"method {method}: Daft has none of it", remedy="use exact or near, or another engine")
    threshold = 0.7 if threshold is None else threshold
    if method == "near":
        check_threshold(threshold)
        check_words(n)
    if os.environ.get("DAFT_RUNNER", "").lower() == "ray" and find_spec("ray") is None:
        raise UsageError("DAFT_RUNNER is ray, and Ray is not installed", remedy="pip install 'daft[ray]'")
    keys: list[str] = []
    values: list[Any] = []

    def compared() -> Iterator[str]:
        for record in records:
            keys.append(record.key)
            values.append((prefer or worth)(record))
            yield texts(record, on)

    with TemporaryDirectory(prefix="annobridge-", dir=folder) as made:
        search = Search(Path(made), compared(), n)
        if not keys:
            return []
        order = np.array(by_value(values), np.int64)
        if method == "exact":
            return cases(keys, method, partitioned.greedy(order, search.same_text(), partitioned.NO_PAIRS))
        groups = search.same_words()
        pairs = search.similar(threshold)
        if cluster == "greedy":
            return cases(keys, method, partitioned.greedy(order, groups, pairs))
        firsts = partitioned.components(order, groups, pairs)
        sizes = Counter(firsts.values())
        return cases(keys, method, _scored(firsts, groups, pairs, search), lambda kept: {"cluster": sizes[kept]})


def _scored(firsts: dict[int, int], groups: Counts, pairs: Pairs, search: Search) -> Matches:
    """The similarity of each record to the first of its component, with which it may have little in common."""
    asked = {
        index: (min(groups[index], groups[first]), max(groups[index], groups[first]))
        for index, first in firsts.items()
        if index != first
    }
    wanted = np.array(sorted({pair for pair in asked.values() if pair[0] != pair[1]}), np.int64).reshape(-1, 2)
    found = search.compared(wanted[:, 0], wanted[:, 1])
    known = dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), found.scores.tolist(), strict=True))
    return {index: (firsts[index], 1.0 if pair[0] == pair[1] else known[pair]) for index, pair in asked.items()}


class Search:
    """What Daft does. Its steps go from files to files, so that nothing is done twice, or held for the next one.

    Args:
        work: an empty folder.
        compared: what is compared of each record; a record's number is its place.
        n: words in a shingle.
    """

    def __init__(self, work: Path, compared: Iterable[str], n: int) -> None:
        self._work = work
        self._n = n
        self._count = _write_texts(work / "texts", compared)
        self._sets: DataFrame

    def same_text(self) -> Counts:
        """``(N,)``, for each record the first of its exact duplicates."""
        digest = _function(_exact_digests, DataType.binary())
        return self._groups(self._texts().select("number", digest(col("text")).alias("digest")))

    def same_words(self) -> Counts:
        """``(N,)``, for each record the first with the same words in the same order; what follows is about these."""
        kind = DataType.struct({"digest": DataType.binary(), "codes": DataType.list(DataType.uint64())})
        words = _function(partial(_hashed, n=self._n, key=secrets.token_bytes(32)), kind, unnest=True)
        found = self._kept("words", self._texts().select("number", words(col("text"))))
        groups = self._groups(found.select("number", "digest"))
        repeats = daft.from_arrow(pa.table({"number": np.flatnonzero(groups != np.arange(self._count))}))
        self._sets = found.where(col("digest").not_null()).join(repeats, on="number", how="anti")
        return groups

    def similar(self, threshold: float) -> Pairs:
        """All pairs of these that reach the threshold."""
        kind = {"size": DataType.int64(), "code": DataType.list(DataType.uint64())}
        struct = DataType.struct({**kind, "place": DataType.list(DataType.int64())})
        cut = _function(partial(_prefixes, order=self._order(), threshold=threshold), struct, unnest=True)
        prefixes = self._sets.select("number", cut(col("codes"))).where(col("code").list_count() > lit(0))
        rows = self._kept("prefixes", prefixes.explode("code", "place"))
        left, right = (
            rows.select("code", *(col(name).alias(f"{side}_{name}") for name in ("number", "size", "place")))
            for side in ("left", "right")
        )
        candidates = left.join(right, on="code").where(_within_reach(threshold))
        candidates = candidates.select(col("left_number").alias("left"), col("right_number").alias("right"))
        return self._scored(candidates.distinct(), threshold)

    def compared(self, left: Counts, right: Counts) -> Pairs:
        """Given pairs, whatever their similarity."""
        return self._scored(daft.from_arrow(pa.table({"left": left, "right": right})), 0.0)

    def _order(self) -> Order:
        """All shingles that several texts have, the most frequent first, or as many of them as have a place."""
        counts = self._sets.select("codes").explode("codes").groupby("codes").agg(col("codes").count().alias("texts"))
        counts = counts.where(col("texts") > lit(1)).sort("texts", desc=True).limit(FREQUENT + 1)
        codes = counts.to_arrow()["codes"].to_numpy()
        return partitioned.ordered(codes[:FREQUENT], complete=len(codes) <= FREQUENT)

    def _scored(self, pairs: DataFrame, threshold: float) -> Pairs:
        for side in ("left", "right"):
            pairs = pairs.join(
                self._texts().select(col("number").alias(side), col("text").alias(f"{side}_text")), on=side
            )
        score = _function(partial(_scores, n=self._n), DataType.float64())
        pairs = pairs.select("left", "right", score(col("left_text"), col("right_text")).alias("score"))
        found = pairs.where(col("score") >= lit(threshold)).to_arrow()
        return Pairs(*(found[name].to_numpy() for name in ("left", "right", "score")))

    def _groups(self, digests: DataFrame) -> Counts:
        """For each record the first with the same digest."""
        groups = digests.where(col("digest").not_null()).groupby("digest").agg(col("number").list_agg())
        found = groups.where(col("number").list_count() > lit(1)).select("number").to_arrow()["number"].combine_chunks()
        members, sizes = found.flatten().to_numpy(), found.value_lengths().to_numpy()
        result = np.arange(self._count)
        if len(sizes):
            result[members] = np.repeat(np.minimum.reduceat(members, np.cumsum(sizes) - sizes), sizes)
        return result

    def _texts(self) -> DataFrame:
        return daft.read_parquet(str(self._work / "texts" / "*.parquet"))

    def _kept(self, name: str, frame: DataFrame) -> DataFrame:
        """The same, from files that hold it."""
        frame.write_parquet(str(self._work / name))
        return daft.read_parquet(str(self._work / name / "*.parquet"))


def _function(function: Callable[..., Any], kind: DataType, *, unnest: bool = False) -> Callable[..., Expression]:
    made: Callable[..., Expression] = daft.func.batch(return_dtype=kind, unnest=unnest, batch_size=_ROWS)(function)
    return made


def _within_reach(threshold: float) -> Expression:
    """Whether two texts can be similar whose prefixes share a shingle; each pair counts once, the smaller one first.

    From the first shingle that both share they have at most the rest of each in common, and similar ones have at least
    ``threshold / (1 + threshold)`` of both their sizes together.
    """
    left, right = col("left_size"), col("right_size")
    smaller = (left < right) | ((left == right) & (col("left_number") < col("right_number")))
    needed = (left + right) * (threshold / (1 + threshold)) - _SLACK
    enough = (left - col("left_place") >= needed) & (right - col("right_place") >= needed)
    return smaller & enough & (left >= right * threshold - _SLACK)


# -- in a partition


def _write_texts(folder: Path, compared: Iterable[str]) -> int:
    """Texts as files of numbers and UTF-8, of bytes because of lone surrogates, which Arrow's texts cannot hold."""
    folder.mkdir()
    batch: list[bytes] = []
    size = done = 0
    for text in chain(compared, [None]):
        if text is not None:
            batch.append(text.encode("utf-8", "surrogatepass"))
            size += len(batch[-1])
        if batch and (text is None or size >= FILE):
            numbers = np.arange(done, done + len(batch))
            table = pa.table({"number": numbers, "text": pa.array(batch, pa.large_binary())})
            parquet.write_table(table, folder / f"{done:012}.parquet", compression="zstd")
            done += len(batch)
            batch, size = [], 0
    return done


def _read(texts: Any) -> list[str]:
    return [text.decode("utf-8", "surrogatepass") for text in texts.to_pylist()]


def _exact_digests(texts: Any) -> list[bytes | None]:
    return [exact_digest(text) for text in _read(texts)]


def _hashed(texts: Any, *, n: int, key: bytes) -> Any:
    found = partitioned.hashed(_read(texts), n, key)
    return pa.StructArray.from_arrays(
        [pa.array(found.digests, pa.large_binary()), _lists(found.sizes, found.codes)], ["digest", "codes"]
    )


def _prefixes(codes: Any, *, order: Order, threshold: float) -> Any:
    lists = codes.to_arrow()
    sizes = lists.value_lengths().to_numpy()
    lengths, taken, place = partitioned.prefixes(sizes, lists.flatten().to_numpy(), order, threshold)
    return pa.StructArray.from_arrays(
        [pa.array(sizes, pa.int64()), _lists(lengths, taken), _lists(lengths, place)], ["size", "code", "place"]
    )


def _scores(left: Any, right: Any, *, n: int) -> Any:
    return partitioned.scores(_read(left), _read(right), n)


def _lists(sizes: Counts, values: Any) -> Any:
    return pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(sizes)]), pa.array(values))
