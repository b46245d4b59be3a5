"""Training rules: how a template says which answers become which training rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from bridge.questions import Conditions, Misplaced, Name, Part, Prose

Margin = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Source(Part):
    """A rule of one kind of training set. ``when`` says which merged answers let a record through."""

    when: Conditions = {}

    @abstractmethod
    def texts(self) -> tuple[str, ...]:
        """Names of the fields and questions whose texts become answers of rows."""

    def judges(self) -> tuple[str, ...]:
        """Names of the questions whose answers decide, other than by being such a text."""
        return tuple(self.when)


class SftSource(Source):
    """Where an SFT completion can come from.

    ``use`` names a field (the response that people approved), a text question (its rewrites), a label question with
    ``picks`` (the preferred response) or a ranking (the best one). With ``unchanged: approve``, a text that everybody
    left as it was is approved by that, and becomes a row.
    """

    use: Name
    unchanged: Literal["drop", "approve"] = "drop"

    def texts(self) -> tuple[str, ...]:
        """The field or question that is used."""
        return (self.use,)


Ratings: TypeAlias = Annotated[
    Annotated[Name, Tag("question")]
    | Annotated[dict[Name, Name], Field(min_length=2, max_length=20), Tag("questions")],
    Discriminator(lambda value: "questions" if isinstance(value, dict) else "question"),
]


class PairSource(Source):
    """Where a pair of answers comes from, one better than the other.

    - ``chosen`` over ``rejected``, each a field or a text question;
    - the ``pairs`` of a preference or ranking;
    - ``ratings``: of responses that were rated, the best over each that is strictly worse. That is one question, and
      the responses are the field ``of`` in all records with the same prompt; or a mapping of responses of one record
      to the question that rates each.

    ``min_margin`` is the least margin of a pair: for ratings the difference of their means, else a share of votes.
    """

    chosen: Name | None = None
    rejected: Name | None = None
    pairs: Name | None = None
    ratings: Ratings | None = None
    of: Name | None = None
    min_margin: Margin | None = None

    _forms: ClassVar[str] = "'chosen' and 'rejected', or 'pairs', or 'ratings'"

    @model_validator(mode="after")
    def _one_form(self) -> PairSource:
        if sum(self._given()) != 1 or (self.chosen is None) != (self.rejected is None):
            raise ValueError(f"give either {self._forms}")
        if self.of is None and self._is_about_one_field():
            raise ValueError("add 'of', the field that is rated")
        if self.of is not None and not self._is_about_one_field():
            raise Misplaced(("of",), "it goes with one question that rates a response")
        return self

    def _given(self) -> list[bool]:
        return [self.chosen is not None or self.rejected is not None, self.pairs is not None, self.ratings is not None]

    def _is_about_one_field(self) -> bool:
        return isinstance(self.ratings, str)

    @property
    def across(self) -> bool:
        """Whether it compares responses of several records, so that it makes rows of some sets of records only."""
        return self._is_about_one_field()

    def texts(self) -> tuple[str, ...]:
        """Both sides of a pair, or what holds them."""
        rated = self.ratings if isinstance(self.ratings, dict) else ()
        return (*filter(None, (self.chosen, self.rejected, self.pairs, self.of)), *rated)

    def judges(self) -> tuple[str, ...]:
        """The conditions' questions, and those that rate."""
        rating = self.ratings.values() if isinstance(self.ratings, dict) else filter(None, (self.ratings,))
        return (*self.when, *rating)


class DpoSource(PairSource):
    """Where a preference pair comes from."""


class KtoSource(Source):
    """Where a completion comes from that people want, or do not want.

    ``use`` names a field, or a text question (its rewrites). It is desirable where all conditions of ``desirable``
    hold, and undesirable where all of ``undesirable`` do. Where neither is so the record lies in the dead zone between
    them and yields no row; where both are, people contradict each other. Without conditions (``{}``) a side always
    holds, as for rewrites; a side that is not there never does.
    """

    use: Name
    desirable: Conditions | None = None
    undesirable: Conditions | None = None

    @model_validator(mode="after")
    def _two_sides(self) -> KtoSource:
        if self.desirable is None and self.undesirable is None:
            raise ValueError("give 'desirable', 'undesirable' or both")
        if self.desirable == self.undesirable:
            raise Misplaced(("undesirable",), "it is the same as 'desirable'")
        return self

    def texts(self) -> tuple[str, ...]:
        """The field or question that is used."""
        return (self.use,)

    def judges(self) -> tuple[str, ...]:
        """The questions of all conditions."""
        return (*self.when, *(self.desirable or ()), *(self.undesirable or ()))


class RewardSource(PairSource):
    """Where a reward model's rows come from: pairs, as for DPO, or a ``score``, the mean rating ``of`` a response."""

    score: Name | None = None

    _forms: ClassVar[str] = "'chosen' and 'rejected', or 'pairs', or 'ratings', or 'score'"

    @model_validator(mode="after")
    def _pairs_have_margins(self) -> RewardSource:
        if self.score is not None and self.min_margin is not None:
            raise Misplaced(("min_margin",), "a score has no margin")
        return self

    def _given(self) -> list[bool]:
        return [*super()._given(), self.score is not None]

    def _is_about_one_field(self) -> bool:
        return super()._is_about_one_field() or self.score is not None

    def judges(self) -> tuple[str, ...]:
        """The conditions' questions, and those that rate or score."""
        return (*super().judges(), *filter(None, (self.score,)))


AnySource: TypeAlias = SftSource | DpoSource | KtoSource | RewardSource

_Prompt = Annotated[list[Name], Field(min_length=1, max_length=5)]


class Training(Part):
    """How merged answers become training rows.

    ``prompt`` is one field or several, put after the ``instruction``; a chat gives the turns before its last answer.
    For SFT the first source that yields a row is used; for the others all of them are.

    >>> training = Training(prompt=["prompt"], sft=[SftSource(use="response")])
    >>> [(kind, source.texts()) for kind, _, source in training.sources()]
    [('sft', ('response',))]
    """

    prompt: _Prompt
    instruction: Prose = ""
    sft: list[SftSource] = []
    dpo: list[DpoSource] = []
    kto: list[KtoSource] = []
    reward: list[RewardSource] = []

    @field_validator("prompt", mode="before", json_schema_input_type=Name | _Prompt)
    @classmethod
    def _one_prompt(cls, prompt: Any) -> Any:
        return [prompt] if isinstance(prompt, str) else prompt

    def sources(self) -> Iterator[tuple[str, int, AnySource]]:
        """All rules, each with its kind of training set and its place in that list."""
        kinds: dict[str, list[Any]] = {"sft": self.sft, "dpo": self.dpo, "kto": self.kto, "reward": self.reward}
        for kind, listed in kinds.items():
            for index, source in enumerate(listed):
                yield kind, index, source
