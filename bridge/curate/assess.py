"""Quality assessment: what a set of records looks like, in figures, before anybody spends time on it.

Everything is counted and nothing is dropped. :mod:`bridge.curate.assess_html` makes a page of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum, log
from typing import Any

from bridge.curate.duplicates import SCORES, duplicates
from bridge.curate.items import attribute, sides
from bridge.curate.languages import UNKNOWN, Identify
from bridge.curate.select import group_of
from bridge.curate.spread import Spread, spread
from bridge.records import Record

SHORT_WORDS = 3
"""A response of fewer words is very short, unless it is a longer text without spaces, such as Chinese."""

REPETITIVE = 0.3
"""A response repeats itself where more than this share of its word trigrams are repeats of earlier ones."""

_EXAMPLES = 5
_TRIGRAMS = 10
_COMMON = 10
_GROUPS = 50
_KNOWN = ("task", "type", "category", "topic", "domain", "source", "licence", "license", "difficulty", "model")
_WORD = re.compile(r"\w+")

Find = Callable[[Record], Iterable[str]]
"""From a record to the kinds of personal data in it, one for each passage."""

Toxicity = Callable[[list[str]], Sequence[float]]
"""From texts to how toxic each is, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Records with something in common, how many they are, and the keys of the first ones."""

    count: int = 0
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one name: their spread, and how many are below a threshold."""

    spread: Spread
    threshold: float
    below: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Groups by one attribute, the largest first.

    ``evenness`` is 1 where all groups have the same size and near 0 where one has nearly all: entropy over its highest
    possible value (E. C. Pielou, 1966).
    """

    groups: dict[str, int]
    others: int = 0
    evenness: float = 1.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a set of records looks like.

    Args:
        records: how many there are.
        responses: how many responses they have; a preference has two.
        lengths: ``prompt`` and ``response`` to ``words`` and ``characters`` to their spread.
        empty_prompt: records without a prompt.
        empty_response: records of which a response is empty, or that have none.
        very_short: records with a response of fewer than three words.
        duplicates: ``exact`` and ``near`` over the whole record, ``prompt`` and ``response`` exact over that side:
            records that another one before them makes superfluous.
        languages: ``prompt`` and ``response`` to language to number; empty where languages were not asked for.
        other_language: records whose response is in another language than the prompt.
        repetition: the share of repeated word trigrams within each response that has at least ten.
        repetitive: records with a response in which more than 0.3 are repeated.
        openings: ``prompt`` and ``response`` to the most frequent first words.
        balance: attribute to its groups.
        scores: name to the judges' scores.
        pii: kind of personal data to records that have some.
        pii_found: the same kinds to how often they were found in all.
        toxicity: a score for each response, by a model that the caller brought; None without one.
    """

    records: int
    responses: int
    lengths: dict[str, dict[str, Spread]]
    empty_prompt: Noticed
    empty_response: Noticed
    very_short: Noticed
    duplicates: dict[str, Noticed]
    languages: dict[str, dict[str, int]]
    other_language: Noticed
    repetition: Spread
    repetitive: Noticed
    openings: dict[str, dict[str, int]]
    balance: dict[str, Balance]
    scores: dict[str, Score]
    pii: dict[str, Noticed]
    pii_found: dict[str, int]
    toxicity: Score | None = None

    def to_dict(self) -> dict[str, Any]:
        """The assessment as ``--json`` prints it."""
        return asdict(self)


def assess(
    records: Iterable[Record],
    *,
    by: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
    threshold: float | None = None,
    identify: Identify | None = None,
    find_pii: Find | None = None,
    toxicity: Toxicity | None = None,
    near: float | None = 0.7,
    tick: Callable[[str, int], None] | None = None,
) -> Assessment:
    """Assess a set of records.

    Args:
        records: each with a key of its own.
        by: attributes whose balance is of interest; by default those that records carry of ``task``, ``type``,
            ``category``, ``topic``, ``domain``, ``source``, ``licence``, ``difficulty`` and ``model``.
        scores: names of the judges' scores; by default the suggestions that are numbers, and ``score``,
            ``judge_score``, ``quality``, ``quality_score`` and ``reward``.
        threshold: what a score should reach; by default 3, or 0.5 where no score is above 1.
        identify: says which language a text is in (:func:`bridge.curate.languages.identifier`); without it languages
            are not counted.
        find_pii: finds personal data; without it there are no such counts.
        toxicity: any model that scores texts. None is part of this package: such models see single words more than
            what is meant, score dialects and quotations too high and irony too low, and mostly know only English.
        near: the similarity of near duplicates; None leaves them out.
        tick: told which part is done, and how many records of it.

    >>> rows = [Record("a", {"prompt": "2 + 2?", "response": "4"}, metadata={"task": "sums"}),
    ...         Record("b", {"prompt": "Why is the sky blue?", "response": ""}, metadata={"task": "physics"})]
    >>> found = assess(rows)
    >>> found.empty_response.keys, found.balance["task"].groups, found.lengths["prompt"]["words"].mean
    (['b'], {'physics': 1, 'sums': 1}, 4.0)
    """
    records = list(records)
    tally = _Tally(identify, find_pii, tick or (lambda what, done: None))
    for number, record in enumerate(records, 1):
        tally.add(record)
        if number % 1000 == 0:
            tally.tick("assessing", number)
    known = by if by is not None else [name for name in _KNOWN if any(_has(record, name) for record in records)]
    numbers = _scores(records, scores)
    toxic = None
    if toxicity is not None:
        values = [float(value) for value in toxicity(tally.responses)]
        toxic = Score(spread(values), 0.5, sum(value < 0.5 for value in values))
    return Assessment(
        records=len(records),
        responses=len(tally.responses),
        lengths={
            side: {unit: spread(values, logarithmic=True) for unit, values in units.items()}
            for side, units in tally.lengths.items()
        },
        empty_prompt=tally.noticed("empty_prompt"),
        empty_response=tally.noticed("empty_response"),
        very_short=tally.noticed("very_short"),
        duplicates=_duplicates(records, near, tally.tick),
        languages={side: _largest(counts) for side, counts in tally.languages.items()} if identify else {},
        other_language=tally.noticed("other_language"),
        repetition=spread(tally.repetition, bounds=(0.0, 1.0)),
        repetitive=tally.noticed("repetitive"),
        openings={side: dict(_frequent(counts)) for side, counts in tally.openings.items()},
        balance={name: balance_of(records, name) for name in known},
        scores={name: _score(values, threshold) for name, values in numbers.items()},
        pii={kind: tally.noticed(f"pii {kind}") for kind in sorted(tally.pii)},
        pii_found=dict(sorted(tally.pii.items())),
        toxicity=toxic,
    )


class _Tally:
    """What is counted record by record."""

    def __init__(self, identify: Identify | None, find_pii: Find | None, tick: Callable[[str, int], None]) -> None:
        self.tick = tick
        self.responses: list[str] = []
        self.lengths: dict[str, dict[str, list[float]]] = {
            side: {"words": [], "characters": []} for side in ("prompt", "response")
        }
        self.languages: dict[str, Counter[str]] = {"prompt": Counter(), "response": Counter()}
        self.openings: dict[str, Counter[str]] = {"prompt": Counter(), "response": Counter()}
        self.repetition: list[float] = []
        self.pii: Counter[str] = Counter()
        self._identify = identify
        self._find_pii = find_pii
        self._counts: Counter[str] = Counter()
        self._keys: dict[str, list[str]] = {}

    def noticed(self, what: str) -> Noticed:
        return Noticed(self._counts[what], self._keys.get(what, []))

    def _notice(self, what: str, record: Record) -> None:
        self._counts[what] += 1
        if self._counts[what] <= _EXAMPLES:
            self._keys.setdefault(what, []).append(record.key)

    def add(self, record: Record) -> None:
        prompts, responses = sides(record)
        prompt = "\n\n".join(filter(None, prompts))
        self.responses += responses
        for side, found in (("prompt", [prompt]), ("response", responses)):
            for text in found:
                words = text.split()
                self.lengths[side]["words"].append(len(words))
                self.lengths[side]["characters"].append(len(text))
                if words:
                    self.openings[side][" ".join(_WORD.findall(" ".join(words[:6]).casefold())[:3])] += 1
        if not prompt.strip():
            self._notice("empty_prompt", record)
        if not responses or not all(map(str.strip, responses)):
            self._notice("empty_response", record)
        if any(is_very_short(text) for text in responses):
            self._notice("very_short", record)
        shares = [share for text in responses if (share := repeated(text)) is not None]
        self.repetition += shares
        if any(share > REPETITIVE for share in shares):
            self._notice("repetitive", record)
        if self._identify is not None:
            self._languages(record, prompt, responses, self._identify)
        if self._find_pii is not None:
            kinds = Counter(self._find_pii(record))
            self.pii += kinds
            for kind in kinds:
                self._notice(f"pii {kind}", record)

    def _languages(self, record: Record, prompt: str, responses: list[str], identify: Identify) -> None:
        asked = identify(prompt)[0]
        answered = [identify(text)[0] for text in responses]
        self.languages["prompt"][asked] += 1
        self.languages["response"].update(answered)
        if asked != UNKNOWN and any(language not in (asked, UNKNOWN) for language in answered):
            self._notice("other_language", record)


def pii_finder(**settings: Any) -> Find:
    """What finds personal data, with the settings of :class:`bridge.curate.pii.Searcher`; what is doubtful is left out.

    >>> list(pii_finder()(Record("r", {"prompt": "Mail ann@mail.example, please."})))
    ['email']
    """
    from bridge.curate.pii import Searcher
    from bridge.curate.pii_kinds import SURE

    searcher = Searcher(**settings)
    return lambda record: (finding.kind for finding in searcher.record(record) if finding.sure >= SURE)


def is_very_short(text: str) -> bool:
    """Whether a text has words, but fewer than three, and is not a longer one without spaces.

    >>> is_very_short("Yes."), is_very_short("Yes, it does."), is_very_short("是的，我们明天早上九点在车站前面见面。")
    (True, False, False)
    """
    words = text.split()
    return 0 < len(words) < SHORT_WORDS and len(text.strip()) < 5 * SHORT_WORDS


def repeated(text: str) -> float | None:
    """The share of a text's word trigrams that stand in it before (seq-rep-3 of S. Welleck et al., 2020).

    None where there are fewer than ten.

    >>> repeated("and so on " * 20), repeated("It is short.")
    (0.94..., None)
    """
    words = _WORD.findall(text.casefold())
    count = len(words) - 2
    if count < _TRIGRAMS:
        return None
    return 1 - len(set(zip(words, words[1:], words[2:], strict=False))) / count


# -- scores


def _scores(records: Sequence[Record], names: Sequence[str] | None) -> dict[str, list[float]]:
    """Name to the numbers that records carry under it."""
    if names is None:
        asked = {s.question for record in records for s in record.suggestions if _is_number(s.value)}
        names = [*sorted(asked), *(name for name in SCORES if name not in asked)]
    found = {name: [n for record in records if (n := number(attribute(record, name))) is not None] for name in names}
    return {name: values for name, values in found.items() if values}


def number(value: object) -> float | None:
    """A number, or a text that is one (as in CSV); else None.

    >>> number("0.5"), number(True), number("nan")
    (0.5, None, None)
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if _is_number(value) and abs(value) < float("inf") else None  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _score(values: Sequence[float], threshold: float | None) -> Score:
    if threshold is None:
        threshold = 0.5 if max(values) <= 1 else 3.0
    return Score(spread(values), threshold, sum(value < threshold for value in values))


# -- groups


def balance_of(records: Iterable[Record], name: str) -> Balance:
    """The groups that one attribute makes of some records.

    >>> rows = [Record(f"r{n}", {"prompt": "?"}, metadata={"task": "ab"[n % 2]}) for n in range(4)]
    >>> balance_of(rows, "task")
    Balance(groups={'a': 2, 'b': 2}, others=0, evenness=1.0)
    """
    counts = Counter(group_of(record, [name]) for record in records)
    total = counts.total()
    entropy = -fsum(count / total * log(count / total) for count in counts.values())
    evenness = entropy / log(len(counts)) if len(counts) > 1 else 1.0
    shown = dict(list(_largest(counts).items())[:_GROUPS])
    return Balance(shown, total - sum(shown.values()), round(evenness, 4))


def _has(record: Record, name: str) -> bool:
    return attribute(record, name) not in (None, "")


def _largest(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _frequent(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """The most frequent ones that are there more than once."""
    return ((text, count) for text, count in list(_largest(counts).items())[:_COMMON] if count > 1)


def _duplicates(records: Sequence[Record], near: float | None, tick: Callable[[str, int], None]) -> dict[str, Noticed]:
    found = {}
    for name, on in (("exact", "both"), ("prompt", "prompt"), ("response", "response")):
        tick(f"{name} duplicates", 0)
        keys = [case.key for case in duplicates(records, method="exact", on=on).dropped]
        found[name] = Noticed(len(keys), keys[:_EXAMPLES])
    if near is not None:
        tick("near duplicates", 0)
        keys = [case.key for case in duplicates(records, method="near", threshold=near).dropped]
        exact = {case.key for case in duplicates(records, method="exact").dropped}
        others = [key for key in keys if key not in exact]
        # Which of several stays may differ between the two methods; how many are superfluous does not.
        found["near"] = Noticed(max(0, len(keys) - len(exact)), others[:_EXAMPLES])
    return found
