"""What is kept already, as an index on disk that new records are compared with: yesterday's work is not done again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.curate.duplicates import STEP, Prefer, by_worth
from bridge.curate.items import texts
from bridge.curate.near import check_threshold, join
from bridge.curate.result import Dropped, Result
from bridge.curate.tokens import Codes, Counts, Engine, Ids, TokenSets, Vocabulary, check_words, find, places, word_ids
from bridge.errors import InputError, StoreError, UsageError
from bridge.files import write_bytes
from bridge.records import Record

VERSION = 1
_MAGIC = b"annobridge near index\n"


class _Numbers:
    """Numbers for 64-bit codes, from 0 on, that stay the same when more are added.

    Args:
        codes: ascending.
        ids: the number of each.
    """

    def __init__(self, codes: Codes | None = None, ids: Ids | None = None) -> None:
        self.codes = np.zeros(0, np.uint64) if codes is None else codes
        self.ids = np.zeros(0, np.uint32) if ids is None else ids

    def of(self, codes: Codes) -> tuple[Counts, _Numbers]:
        """The numbers of codes, and the new ones among them: the more frequent of these have lower numbers."""
        # Codes in order are found by walking through the table: as they come, by jumping about in it.
        different, inverse, occurrences = _different(codes)
        places, there = find(self.codes, different)
        numbers = np.empty(len(different), np.int64)
        numbers[there] = self.ids[places[there]]
        new = different[~there]
        ids = np.empty(len(new), np.uint32)
        ids[np.argsort(-occurrences[~there], kind="stable")] = np.arange(len(self.codes), len(self.codes) + len(new))
        numbers[~there] = ids
        return numbers[inverse], _Numbers(new, ids)

    def with_new(self, new: _Numbers) -> _Numbers:
        at = np.searchsorted(self.codes, new.codes)
        return _Numbers(np.insert(self.codes, at, new.codes), np.insert(self.ids, at, new.ids))


def _different(codes: Codes) -> tuple[Codes, Counts, Counts]:
    """Different codes, ascending; for each code its place among them; and how often each occurs."""
    if int(codes.max(initial=0)) > 4 * len(codes):
        return np.unique(codes, return_inverse=True, return_counts=True)
    counts = np.bincount(codes.astype(np.int64))  # small numbers need no sorting
    there = counts > 0
    return np.flatnonzero(there).astype(np.uint64), (np.cumsum(there) - 1)[codes], counts[there]


class NearIndex:
    """The kept records' shingles, to which new records are compared; the result is that of a run over everything.

    More precisely: of a greedy run in which the records of the index have their turns first. The order of shingles is
    frozen when they are first seen; new ones count as rarer than all before.

    Args:
        on: ``prompt``, ``response`` or ``both``.
        threshold: Jaccard similarity from which on two records are duplicates.
        n: words in a shingle.

    >>> index = NearIndex()
    >>> monday = [Record("a", {"prompt": "Why is the sky blue by day?"}), Record("b", {"prompt": "Add 2 and 3."})]
    >>> [record.key for record in index.add(monday).kept]
    ['a', 'b']
    >>> tuesday = [Record("c", {"prompt": "why is the sky blue by day"}), Record("d", {"prompt": "Add 5 and 3."})]
    >>> found = index.probe(tuesday)
    >>> [record.key for record in found.kept], found.dropped[0].kept
    (['d'], 'a')
    """

    def __init__(self, *, on: str = "both", threshold: float = 0.7, n: int = 3) -> None:
        check_threshold(threshold)
        check_words(n)
        self.on, self.threshold, self.n = on, threshold, n
        self.keys: list[str] = []
        self._vocabulary = Vocabulary()
        self._levels = [_Numbers() for _ in range(n)]
        self._sets = TokenSets(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.uint32), 0)

    def __len__(self) -> int:
        return len(self.keys)

    def probe(self, records: Iterable[Record], *, prefer: Prefer | None = None, engine: Engine = "auto") -> Result:
        """Which of the records are like none of the index, nor like each other. The index stays as it is.

        Args:
            records: each with a key of its own.
            prefer: which of the new ones stays; see :func:`~bridge.curate.duplicates.duplicates`. What is in the index
                stays in any case.
            engine: see :data:`~bridge.curate.tokens.Engine`.
        """
        return self._run(list(records), prefer, engine, keep=False)

    def add(self, records: Iterable[Record], *, prefer: Prefer | None = None, engine: Engine = "auto") -> Result:
        """The same, and what is kept goes into the index."""
        return self._run(list(records), prefer, engine, keep=True)

    def _run(self, rows: list[Record], prefer: Prefer | None, engine: Engine, *, keep: bool) -> Result:
        vocabulary = Vocabulary(self._vocabulary)
        new_sets, levels = self._sets_of([texts(record, self.on) for record in rows], vocabulary, engine)
        before = len(self)
        everything = _behind(self._sets, new_sets)
        order = np.concatenate([np.arange(before), before + np.array(by_worth(rows, prefer), np.int64)])
        joined = join(everything, self.threshold, order=order, first=before, engine=engine)
        keys = self.keys + [record.key for record in rows]
        matches, scores = joined.matches[before:].tolist(), joined.scores[before:].tolist()
        dropped = [
            Dropped(record.key, STEP, "near", round(score, 4), keys[match])
            for record, match, score in zip(rows, matches, scores, strict=True)
            if match >= 0
        ]
        kept = np.flatnonzero(joined.matches[before:] < 0)
        if keep:
            self._vocabulary = vocabulary
            self._levels = [old.with_new(new) for old, new in zip(self._levels, levels, strict=True)]
            self._sets = _behind(self._sets, _only(new_sets, kept))
            self.keys += [rows[at].key for at in kept]
        return Result([rows[at] for at in kept], dropped, {"near": len(dropped)} if dropped else {})

    def _sets_of(self, compared: list[str], vocabulary: Vocabulary, engine: Engine) -> tuple[TokenSets, list[_Numbers]]:
        """Sets of new texts with all their shingles, and what each level learns from them."""
        ids, lengths = word_ids(compared, vocabulary, self.n, engine=engine)
        at, text = places(lengths, self.n)
        learned = []
        numbers, new = self._levels[0].of(ids[at].astype(np.uint64))
        learned.append(new)
        for word in range(1, self.n):
            # Two words, then that pair and the third, and so on: each time 32 bits and 32 bits.
            pairs = (numbers.astype(np.uint64) << np.uint64(32)) | ids[at + word]
            numbers, new = self._levels[word].of(pairs)
            learned.append(new)
        unique = np.unique((text.astype(np.uint64) << np.uint64(32)) | numbers.astype(np.uint64))
        sizes = np.bincount((unique >> np.uint64(32)).astype(np.int64), minlength=len(lengths))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        distinct = len(self._levels[-1].codes) + len(learned[-1].codes)
        return TokenSets(sizes, starts, (unique & np.uint64(0xFFFFFFFF)).astype(np.uint32), distinct), learned

    # -- on disk

    def save(self, path: str | Path) -> None:
        """Write the index. The file appears whole or stays as it was.

        Raises:
            StoreError: it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {
            "keys": _joined(self.keys),
            "words": _joined(self._vocabulary),
            "sizes": self._sets.sizes,
            "starts": self._sets.starts,
            "tokens": self._sets.tokens,
        }
        for number, level in enumerate(self._levels):
            arrays |= {f"codes{number}": level.codes, f"ids{number}": level.ids}
        digest = blake2b(digest_size=16)
        for array in arrays.values():
            digest.update(np.ascontiguousarray(array).data)
        header = {
            "version": VERSION,
            "on": self.on,
            "threshold": self.threshold,
            "n": self.n,
            "records": len(self),
            "distinct": self._sets.distinct,
            "arrays": {name: [array.dtype.str, len(array)] for name, array in arrays.items()},
            "checksum": digest.hexdigest(),
        }
        head = _MAGIC + json.dumps(header).encode() + b"\n"
        write_bytes(path, [head, *(np.ascontiguousarray(array).data for array in arrays.values())])

    @classmethod
    def load(cls, path: str | Path) -> NearIndex:
        """Read an index.

        Raises:
            InputError: there is no such file, or it is another one.
            StoreError: it is damaged, or newer than this version.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}", remedy="give the path of an index that was saved") from None
        if not raw.startswith(_MAGIC):
            raise InputError(f"{path}: not an index of annobridge", remedy="give the path of an index that was saved")
        end = raw.find(b"\n", len(_MAGIC))
        try:
            header = json.loads(raw[len(_MAGIC) : end])
            version = header["version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _damaged(path) from None
        if version != VERSION:
            raise StoreError(
                f"{path}: an index of version {version!r:.20}, and this annobridge reads version {VERSION}",
                remedy="update annobridge, or build the index again from the records that were kept",
            )
        if blake2b(memoryview(raw)[end + 1 :], digest_size=16).hexdigest() != header.get("checksum"):
            raise _damaged(path)
        try:
            return cls._from(header, raw, end + 1)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, UsageError):
            raise _damaged(path) from None

    @classmethod
    def _from(cls, header: dict[str, Any], raw: bytes, at: int) -> NearIndex:
        arrays = {}
        for name, (kind, length) in header["arrays"].items():
            arrays[name] = np.frombuffer(raw, np.dtype(kind), length, at)
            at += arrays[name].nbytes
        index = cls(on=header["on"], threshold=header["threshold"], n=header["n"])
        index.keys = _split(arrays["keys"])
        index._vocabulary = Vocabulary((word, place) for place, word in enumerate(_split(arrays["words"]), 1))
        index._levels = [_Numbers(arrays[f"codes{n}"], arrays[f"ids{n}"]) for n in range(index.n)]
        sets = TokenSets(arrays["sizes"], arrays["starts"], arrays["tokens"], header["distinct"])
        # Numbers that point outside would make the compiled kernel read what is not its own.
        fits = len(index.keys) == len(sets) == header["records"] and sets.starts[-1] == len(sets.tokens)
        fits = fits and sets.starts[0] == 0 and np.array_equal(np.diff(sets.starts), sets.sizes)
        fits = fits and bool((sets.sizes >= 0).all()) and int(sets.tokens.max(initial=0)) < max(1, sets.distinct)
        if not fits or len(index._levels[-1].codes) != sets.distinct:
            raise ValueError
        index._sets = sets
        return index


def _damaged(path: str | Path) -> StoreError:
    return StoreError(f"{path}: the index is damaged", remedy="build it again from the records that were kept")


def _behind(left: TokenSets, right: TokenSets) -> TokenSets:
    return TokenSets(
        np.concatenate([left.sizes, right.sizes]),
        np.concatenate([left.starts, right.starts[1:] + left.starts[-1]]),
        np.concatenate([left.tokens, right.tokens]),
        max(left.distinct, right.distinct),
    )


def _only(sets: TokenSets, chosen: Counts) -> TokenSets:
    keep = np.zeros(len(sets), bool)
    keep[chosen] = True
    sizes = sets.sizes[keep]
    tokens = sets.tokens[np.repeat(keep, np.diff(sets.starts))]
    return TokenSets(sizes, np.concatenate([[0], np.cumsum(sizes)]), tokens, sets.distinct)


def _joined(parts: Iterable[str]) -> NDArray[np.uint8]:
    """Texts without line breaks as one array."""
    return np.frombuffer("".join(part + "\n" for part in parts).encode("utf-8", "surrogatepass"), np.uint8)


def _split(array: NDArray[np.uint8]) -> list[str]:
    return array.tobytes().decode("utf-8", "surrogatepass").split("\n")[:-1]
