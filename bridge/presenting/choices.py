"""Which fields of a template may change places, and which label stands for which when they do.

A preference picks fields through its options, a ranking ranks them. Where these fields change places, an answer is
brought back by putting the field that was meant in place of the one that was shown. That must be possible without
guessing, so a template in which something else depends on the place of a field is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from bridge.errors import ValueRejected
from bridge.questions import Conditions, LabelQuestion, Option, Question, RankingQuestion, SpanQuestion, TextQuestion
from bridge.templates import Source, TaskTemplate

_APART = "leave `blind` out, or ask this in a campaign of its own"


@dataclass(frozen=True)
class Choices:
    """What changes places in a template.

    Args:
        groups: names of fields that change places among themselves, in the order of the page.
        rankings: names of the questions that rank them.
        picks: question to option to the field that it picks, None where it picks none.
        moved: question to (option, other field) to the option that says of the other field what this one says of the
            field that it picks.
    """

    groups: tuple[tuple[str, ...], ...]
    rankings: frozenset[str] = frozenset()
    picks: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    moved: Mapping[str, Mapping[tuple[str, str], str]] = field(default_factory=dict)

    @property
    def questions(self) -> frozenset[str]:
        """Names of the questions whose answers are brought back."""
        return self.rankings | self.picks.keys()


def choices(template: TaskTemplate) -> Choices:
    """What changes places in a template.

    Raises:
        ValueRejected: nothing can, or an answer could not be brought back without guessing; says what is in the way.

    >>> from bridge.templates import load_template
    >>> choices(load_template("preference")).groups
    (('response_a', 'response_b'),)
    >>> choices(load_template("review"))
    Traceback (most recent call last):
    ...
    bridge.errors.ValueRejected: the template 'review' has no question that compares fields
      remedy: leave `blind` out, or give the template a ranking, or a label question whose options have `picks`
    """
    compared = {question.name: names for question in template.questions if (names := _compared(question, template))}
    groups = tuple(dict.fromkeys(names for names in compared.values() if len(names) > 1))
    if not groups:
        raise ValueRejected(
            f"the template {template.name!r} has no question that compares fields",
            remedy="leave `blind` out, or give the template a ranking, or a label question whose options have `picks`",
        )
    for (one, left), (other, right) in combinations(compared.items(), 2):
        if left != right and {*left} & {*right}:
            raise ValueRejected(
                f"question {one!r} compares {', '.join(left)}, and {other!r} {', '.join(right)}",
                remedy="let both compare the same fields, or leave `blind` out",
            )
    for names in groups:
        if len({_type(template, name) for name in names}) > 1:
            raise ValueRejected(f"{', '.join(names)} are not all of one type", remedy="give them the same type")
    labelled = [q for q in template.questions if isinstance(q, LabelQuestion) and compared.get(q.name) in groups]
    found = Choices(
        groups,
        frozenset(name for name in compared if isinstance(template.question(name), RankingQuestion)),
        {q.name: {option.value: option.picks for option in q.options} for q in labelled},
        {q.name: _moved(q, compared[q.name]) for q in labelled},
    )
    for problem in _in_the_way(template, found):
        raise problem
    return found


def _compared(question: Question, template: TaskTemplate) -> tuple[str, ...]:
    """The fields that a question compares, in the order of the page."""
    every = template.field_names(20)
    if isinstance(question, RankingQuestion):
        return tuple(name for name in every if question.ranks(name))
    picked = {option.picks for option in question.options} if isinstance(question, LabelQuestion) else set()
    return tuple(name for name in every if name in picked)


def _type(template: TaskTemplate, name: str) -> str:
    spec = template.field_for(name)
    return spec.type if spec else ""


# -- which option stands for which


def _moved(question: LabelQuestion, names: Sequence[str]) -> dict[tuple[str, str], str]:
    moved = {}
    for one in names:
        for other in names:
            for option, counterpart in _pairs(question, one, other):
                moved[option.value, other] = counterpart.value
    return moved


def _pairs(question: LabelQuestion, one: str, other: str) -> list[tuple[Option, Option]]:
    """Each option that picks one field, with the option that says the same of the other field.

    With one option for each field there is nothing to decide. Several are degrees ("much better", "better"): they
    belong together if their values or titles differ in the fields alone (``a_much`` and ``b_much``). Where names do not
    tell, options that lead from one field to the other, such as ``A>>B, A>B, B>A, B>>A``, are mirror images.

    Raises:
        ValueRejected: they do not pair off.
    """
    left = [option for option in question.options if option.picks == one]
    right = [option for option in question.options if option.picks == other]
    if len(left) != len(right):
        raise ValueRejected(
            f"question {question.name!r} has {len(left)} options that pick {one}, and {len(right)} that pick {other}",
            remedy="give both as many, or leave `blind` out",
        )
    if len(left) == 1 or one == other:
        return [*zip(left, right, strict=True)]
    straight, mirrored = [*zip(left, right, strict=True)], [*zip(left, reversed(right), strict=True)]
    for pairs in (mirrored, straight):
        if _differ_alike([(a.value, b.value) for a, b in pairs]) or _differ_alike(
            [(a.title, b.title) for a, b in pairs]
        ):
            return pairs
    picked = [option.picks for option in question.options if option.picks]
    is_scale = picked in ([one] * len(left) + [other] * len(right), [other] * len(right) + [one] * len(left))
    if not is_scale:
        raise ValueRejected(
            f"question {question.name!r}: nobody can tell which of the options that pick {one} says the same as which "
            f"that pick {other}",
            remedy="name them alike, such as a_much_better and b_much_better",
        )
    return mirrored


def _differ_alike(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the texts of each pair differ in the same words, which stand in the same place.

    >>> _differ_alike([("a_much", "b_much"), ("a_little", "b_little")])
    True
    >>> _differ_alike([("a_much", "b_little"), ("a_little", "b_much")])
    False
    """
    return len({_difference(a, b) for a, b in pairs}) == 1


def _difference(one: str, other: str) -> tuple[tuple[str, str], ...]:
    left, right = _WORDS.findall(one), _WORDS.findall(other)
    if len(left) != len(right):
        return ((one, other),)
    return tuple(dict.fromkeys((a, b) for a, b in zip(left, right, strict=True) if a != b))


_WORDS = re.compile(r"[^\W\d_]+|\d+|[\W_]+")


# -- what must not depend on the place of a field


def _in_the_way(template: TaskTemplate, found: Choices) -> Iterator[ValueRejected]:
    fields = {name for names in found.groups for name in names}
    for question in template.questions:
        what = f"question {question.name!r}"
        if isinstance(question, SpanQuestion) and question.field in fields:
            yield ValueRejected(f"{what} marks passages of {question.field}, which changes its place", remedy=_APART)
        if isinstance(question, TextQuestion) and question.prefill in fields:
            yield ValueRejected(f"{what} starts as {question.prefill}, which changes its place", remedy=_APART)
        yield from _one_sided(f"{what} is required where", question.required_when, found)
        yield from _speaking(question, template, found)
    yield from _families(template, found)
    for _, _, source in template.training.sources() if template.training else ():
        yield from _rules(source, fields, found, {question.name for question in template.questions})


def _one_sided(what: str, conditions: Conditions, found: Choices) -> Iterator[ValueRejected]:
    for name, condition in conditions.items():
        if name in found.picks and isinstance(condition, list):
            for (value, _), other in found.moved[name].items():
                if value in condition and other not in condition:
                    yield ValueRejected(
                        f"{what} {name} is {value!r}, and not where it is {other!r}: people read it with the fields in "
                        "other places",
                        remedy=f"add {other!r} to the condition, or leave `blind` out",
                    )


def _speaking(question: Question, template: TaskTemplate, found: Choices) -> Iterator[ValueRejected]:
    """Questions and options that speak of one of the fields, and whose answers say nothing of which one it was."""
    texts = [] if question.name in found.questions else [(f"question {question.name!r}", question.title)]
    texts += [
        (f"option {option.value!r} of question {question.name!r}", option.title)
        for option in getattr(question, "options", ())
        if not option.picks
    ]
    for what, text in texts:
        for names in found.groups:
            titles = {_title(template, name) for name in names}
            named = [title for title in titles if re.search(rf"(?<!\w){re.escape(title)}(?!\w)", text, re.IGNORECASE)]
            if named and len(named) < len(titles):
                yield ValueRejected(f"{what} speaks of {named[0]!r}, which changes its place", remedy=_APART)


def _title(template: TaskTemplate, name: str) -> str:
    spec = template.field_for(name)
    assert spec is not None
    return f"{spec.title} {name.removeprefix(spec.name).lstrip('_')}".strip()


def _families(template: TaskTemplate, found: Choices) -> Iterator[ValueRejected]:
    """Questions that are asked once for each field, such as rating_a and rating_b for response_a and response_b."""
    others = [question.name for question in template.questions if question.name not in found.questions]
    for names in found.groups:
        endings = {name.rpartition("_")[2] for name in names}
        stems: dict[str, list[str]] = {}
        for name in others:
            stem, _, ending = name.rpartition("_")
            if ending in endings:
                stems.setdefault(stem, []).append(name)
        for questions in stems.values():
            if len(questions) > 1:
                yield ValueRejected(
                    f"questions {' and '.join(map(repr, questions))} seem to ask about one of {', '.join(names)} each, "
                    "which change their places",
                    remedy=_APART,
                )


def _rules(source: Source, fields: set[str], found: Choices, questions: set[str]) -> Iterator[ValueRejected]:
    """Training rules by which an answer concerns one of the fields, without saying so itself."""
    named = source.texts()
    for name in fields.intersection(named):
        for other in (*source.judges(), *(part for part in named if part in questions)):
            if other not in found.questions:
                yield ValueRejected(
                    f"a training rule uses {name}, which changes its place, by the answers to {other!r}", remedy=_APART
                )
