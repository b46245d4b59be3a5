"""Which texts are fuzzy copies of known items: rapidfuzz's ``token_set_ratio``, guarded, behind a safe prefilter.

The ratio alone takes short texts for copies: every text whose words are all in the other one scores 100. So both must
have at least 8 different words, and one must be at least half as long as the other or share 8 words in a row with it.

With A and B what only one side has, S what both have (all joined with spaces), the score is the best of three:
``S`` against ``S + A`` and against ``S + B``, which follow from the lengths of the words, and ``S + A`` against
``S + B``. The insertions and deletions of the third are at least the difference of the lengths, at least the
difference of the counts of letters, and at least a third of the difference of the counts of pairs of letters, because
what is common cancels out. So nearly all pairs are ruled out by such counts: by matrix products in numpy; in the
compiled kernel, which also knows exactly which words are common, letter by letter until A and B are too far apart.
rapidfuzz decides the rest; what comes out is what a double loop finds.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from bridge.curate import kernel
from bridge.curate.containment import sharing
from bridge.curate.tokens import Counts, Engine, plain, shingles

DISTINCT = 8
RUN = 8
LENGTHS = 0.5
Runs: TypeAlias = "tuple[Counts, Counts]"
Words: TypeAlias = "dict[str, None]"

_WORD_BINS = 1024
_PAIR_BINS = 512
_LETTER_BINS = 48
_MOST = 2**15 - 1
_BLOCK = 1024
_PAIRS = 2**15
_SLACK = 1e-6


def spaced(text: str) -> str:
    """A text as the ratio sees it: in lower case, NFC, one space between words."""
    return " ".join(plain(text).split())


def guarded_ratio(left: str, right: str) -> float:
    """The score of two texts from 0 to 100, and 0 where the guard speaks against it: the plain way, pair by pair.

    >>> guarded_ratio("the cat", "The cat sat on the mat and looked at me")
    0.0
    >>> round(guarded_ratio("Anna sold 48 clips to her friends in the month of April",
    ...                     "In April Anna sold 48 clips to friends of hers in the month"), 1)
    99.1
    """
    a, b = spaced(left), spaced(right)
    if min(len(set(a.split())), len(set(b.split()))) < DISTINCT:
        return 0.0
    if min(len(a), len(b)) < LENGTHS * max(len(a), len(b)) and not _share_a_run(left, right):
        return 0.0
    return fuzz.token_set_ratio(a, b)


def _share_a_run(left: str, right: str) -> bool:
    a, b = shingles(left, RUN), shingles(right, RUN)
    return any(len(run) == RUN for run in a & b)


@dataclass(frozen=True, slots=True)
class _Side:
    """Texts that are long enough, shortest first, and what the bounds need of them.

    Args:
        order: their indices.
        texts: as the ratio sees them.
        lengths: of these.
        distinct: their different words, in order.
        joined: the lengths of these, joined.
    """

    order: Counts
    texts: list[str]
    lengths: Counts
    distinct: list[Words]
    joined: Counts


def best_ratios(
    texts: Sequence[str], items: Sequence[str], cut: float = 85, *, engine: Engine = "auto"
) -> dict[int, tuple[int, float]]:
    """Text to the item with the highest guarded ratio above ``cut``, the first of several, and its score.

    >>> best_ratios(["In April Anna sold 48 clips to friends of hers in the month", "Nothing alike"],
    ...             ["Anna sold 48 clips to her friends in the month of April"])
    {0: (0, 99.09909909909909)}
    """
    best: dict[int, tuple[float, int]] = {}
    right = _side(items)
    if not right.texts:
        return {}
    shared = sharing(texts, items, RUN, engine=engine)
    # Texts that are too short or too long for every item need no look, but for shared runs of words.
    left = _side(texts, LENGTHS * right.lengths[0] - 1, right.lengths[-1] / LENGTHS + 1, frozenset(shared[0].tolist()))
    if not left.texts:
        return {}
    runs = _runs(*shared, left, right, (len(texts), len(items)))
    candidates = _compiled if kernel.wanted(engine) else _candidates
    for text, item in candidates(left, right, cut / 100, runs):
        score = fuzz.token_set_ratio(left.texts[text], right.texts[item], score_cutoff=cut)
        if score > cut:
            at, found = int(left.order[text]), (score, -int(right.order[item]))
            best[at] = max(best.get(at, found), found)
    return {at: (-item, score) for at, (score, item) in sorted(best.items())}


def _runs(text: Counts, item: Counts, left: _Side, right: _Side, counts: tuple[int, int]) -> Runs:
    """Pairs that share a run of words, by their places in order of length, ascending."""
    place, item_place = (np.full(count, -1) for count in counts)
    place[left.order], item_place[right.order] = np.arange(len(left.order)), np.arange(len(right.order))
    text, item = place[text], item_place[item]
    there = (text >= 0) & (item >= 0)
    order = np.lexsort((item[there], text[there]))
    return text[there][order], item[there][order]


def _side(
    texts: Iterable[str], shortest: float = 0, longest: float = inf, others: Container[int] = frozenset()
) -> _Side:
    """Texts with so many letters, and the others."""
    kept: list[tuple[int, int, str, Words]] = []
    for index, raw in enumerate(texts):
        text = spaced(raw)
        if not shortest <= len(text) <= longest and index not in others:
            continue
        distinct = dict.fromkeys(sorted(set(text.split(" "))))
        if len(distinct) >= DISTINCT:
            kept.append((len(text), index, text, distinct))
    kept.sort(key=lambda entry: entry[:2])
    return _Side(
        np.array([entry[1] for entry in kept], np.int64),
        [entry[2] for entry in kept],
        np.array([entry[0] for entry in kept], np.int64),
        [entry[3] for entry in kept],
        np.array([sum(map(len, entry[3])) + len(entry[3]) - 1 for entry in kept], np.int64),
    )


def _compiled(left: _Side, right: _Side, ratio: float, runs: Runs) -> Iterable[tuple[int, int]]:
    """The same as :func:`_candidates` by the compiled kernel."""
    vocabulary: dict[str, int] = {}
    sides = []
    for side in (right, left):  # the words of items are asked for most, so theirs lie together
        words = [vocabulary.setdefault(word, len(vocabulary)) for distinct in side.distinct for word in distinct]
        starts = np.concatenate([[0], np.cumsum([len(distinct) for distinct in side.distinct])]).astype(np.int64)
        sides.append((starts, np.array(words, np.int32), side.joined, side.lengths))
    points, letters = np.unique(_points("".join(vocabulary)), return_inverse=True)
    word_starts = np.concatenate([[0], np.cumsum([*map(len, vocabulary)])]).astype(np.int64)
    run = runs[0] * len(right.texts) + runs[1]
    kinds = _kinds(points).astype(np.uint8)
    pairs = kernel.ratio_pairs(sides[::-1], word_starts, letters.astype(np.int32) + 1, kinds, run, ratio, LENGTHS)
    return zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True)


def _candidates(left: _Side, right: _Side, ratio: float, runs: Runs) -> Iterator[tuple[int, int]]:
    """Pairs that pass the guard and whose score may be above the ratio, by their places in order of length."""
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(right.distinct)))}
    their_words = _roots(_word_weights(right.distinct, vocabulary))
    their_pairs = _roots(_letter_pairs(right.distinct))
    their_letters = _letters(right.distinct)
    for start in range(0, len(left.texts), _BLOCK):
        some = slice(start, min(start + _BLOCK, len(left.texts)))
        lengths, joined = left.lengths[some, None], left.joined[some, None]
        first, last = np.searchsorted(runs[0], [some.start, some.stop])
        run = runs[0][first:last] - start, runs[1][first:last]
        # Both sides are sorted by length, so the guard leaves one stretch of items, but for shared runs of words.
        low = int(np.searchsorted(right.lengths, LENGTHS * lengths[0, 0] - 1))
        high = int(np.searchsorted(right.lengths, lengths[-1, 0] / LENGTHS + 1))
        low, high = min([low, *run[1].tolist()]), max([high, *(run[1] + 1).tolist()])
        theirs = slice(low, high)
        allowed = np.minimum(lengths, right.lengths[theirs]) >= LENGTHS * np.maximum(lengths, right.lengths[theirs])
        allowed[run[0], run[1] - low] = True
        # Bounds in single precision are a little looser than they are.
        slack = (0.1 + 1e-4 * (joined + right.joined[theirs])).astype(np.float32)
        most = ((1 - ratio) * (joined + right.joined[theirs])).astype(np.float32)
        distinct = left.distinct[some]
        # Each inserted or deleted letter takes away one pair of letters and adds two, or the other way round.
        apart = (joined + right.joined[theirs] + 2) - 2 * (_roots(_letter_pairs(distinct)) @ their_pairs[theirs].T)
        possible = (np.abs(joined - right.joined[theirs]) <= most + slack) & (apart <= 3 * most + slack)
        common = _roots(_word_weights(distinct, vocabulary)) @ their_words[theirs].T
        needed = _common_part(ratio) * np.minimum(joined, right.joined[theirs])
        certain = common - 1 > needed - slack
        possible |= certain
        text, item = np.nonzero(possible & allowed)
        near = np.zeros(len(text), bool)
        letters = _letters(distinct)
        for part in range(0, len(text), _PAIRS):
            here = slice(part, part + _PAIRS)
            by_words = certain[text[here], item[here]]
            apart_by = np.abs(letters[text[here]] - their_letters[item[here] + low]).sum(axis=1, dtype=np.int32)
            near[here] = by_words | (apart_by <= (most + slack)[text[here], item[here]])
        for at, other in zip(text[near].tolist(), (item[near] + low).tolist(), strict=True):
            lengths_of_both = int(left.joined[start + at]), int(right.joined[other])
            if _reaches(distinct[at], right.distinct[other], lengths_of_both, ratio):
                yield start + at, other


def _reaches(left: Words, right: Words, joined: tuple[int, int], ratio: float) -> bool:
    """Whether one of the three scores of a pair reaches the ratio; ``joined`` are the lengths of both sides' words."""
    common = left.keys() & right.keys()
    shared = sum(map(len, common)) + len(common) - 1
    if shared > _common_part(ratio) * min(joined) - _SLACK:
        return True
    most = int((1 - ratio) * sum(joined) + _SLACK)
    mine, theirs = (" ".join([word for word in side if word not in common]) for side in (left, right))
    return Indel.distance(mine, theirs, score_cutoff=most) <= most


def _common_part(ratio: float) -> float:
    """Which part of a side's words, by length, must be common for one of the first two scores."""
    return ratio / (2 - ratio)


def _word_weights(distinct: Sequence[Words], vocabulary: Mapping[str, int]) -> NDArray[np.float32]:
    """Lengths of known words in a few bins; what two texts have in common is at most the sum of the bins' minima."""
    known = [[word for word in words if word in vocabulary] for words in distinct]
    numbers = np.array([vocabulary[word] for words in known for word in words], np.int64)
    weights = np.array([len(word) + 1 for words in known for word in words], np.float64)
    return _binned(numbers % _WORD_BINS, [*map(len, known)], _WORD_BINS, weights)


def _letter_pairs(distinct: Sequence[Words]) -> NDArray[np.float32]:
    """Counts of neighbouring letters in a few bins, spaces around words included: one more than the joined length."""
    texts = [f" {' '.join(words)} " for words in distinct]
    points = _points("".join(texts))
    pairs = (points * np.uint32(37) + np.append(points[1:], np.uint32(0))) % _PAIR_BINS
    lengths = np.array([*map(len, texts)], np.int64)
    inside = np.ones(len(pairs), bool)
    inside[np.cumsum(lengths) - 1] = False  # the last letter of a text has no neighbour
    return _binned(pairs[inside], lengths - 1, _PAIR_BINS)


def _letters(distinct: Sequence[Words]) -> NDArray[np.int16]:
    """Counts of letters, each of a to z in a bin of its own."""
    texts = ["".join(words) for words in distinct]
    kinds = _kinds(_points("".join(texts)))
    return np.minimum(_binned(kinds, [*map(len, texts)], _LETTER_BINS), _MOST).astype(np.int16)


def _kinds(points: NDArray[np.uint32]) -> NDArray[np.uint32]:
    letter = points - np.uint32(ord("a"))
    return np.where(letter < 26, letter, 26 + points % (_LETTER_BINS - 26))


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _binned(
    kinds: NDArray[Any], lengths: Sequence[int] | Counts, bins: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Rows of counts (or of sums of weights) from kinds behind each other, so many for each row."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.bincount(rows * bins + kinds.astype(np.int64), weights, len(lengths) * bins)
    return counts.reshape(len(lengths), bins).astype(np.float32)


def _roots(bins: NDArray[np.float32]) -> NDArray[np.float32]:
    """Roots, whose product is never below the minimum: so a matrix product bounds the sum of the minima."""
    return np.sqrt(bins)
