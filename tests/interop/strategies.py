"""Records of any ready-made template, with odd texts and suggestions, for Hypothesis to draw."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bridge.fields import FieldSpec
from bridge.questions import (
    LabelQuestion,
    MultiLabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
)
from bridge.records import FieldValue, Record, Suggestion
from bridge.templates import TaskTemplate

ODD = st.sampled_from(
    ["<script>&lt;", "&amp;amp;", "😀", "e\u0301", "שלום", "\ufe0e", "\t", "\n", "  ", "$x", "{{y}}", "![a](b)"]
)
PLAIN = st.characters(codec="utf-8", exclude_characters="\0\r\u200b")


def line_ends(text: str, windows: bool) -> str:
    return text.replace("\n", "\r\n") if windows else text


def texts(*, windows: bool = True) -> st.SearchStrategy[str]:
    """Texts that are not blank, with line ends of one kind throughout."""
    parts = st.lists(st.one_of(ODD, st.text(PLAIN, max_size=8)), min_size=1, max_size=6).map("".join)
    written = st.builds(line_ends, parts, st.booleans() if windows else st.just(False))
    return written.filter(lambda text: bool(text.strip()))


VISIBLE = st.characters(codec="utf-8", exclude_categories=["Cc"])
KEYS = st.just("") | st.text(VISIBLE, min_size=1, max_size=20).filter(lambda key: bool(key.strip()))
METADATA = st.dictionaries(
    st.text(PLAIN, min_size=1, max_size=8), st.one_of(st.integers(-9, 9), texts(), st.none(), st.booleans()), max_size=2
)


def field_values(spec: FieldSpec) -> st.SearchStrategy[FieldValue]:
    if spec.type == "text":
        return texts()
    if spec.type == "transcript":
        message = st.fixed_dictionaries({"role": texts(windows=False), "content": texts()})
        return st.lists(message, min_size=1, max_size=3)
    return st.builds(
        lambda question, answer: [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        texts(),
        texts(),
    )


def values(question: Question, fields: dict[str, FieldValue]) -> st.SearchStrategy[Any]:
    if isinstance(question, RatingQuestion):
        return st.integers(question.min, question.max)
    if isinstance(question, LabelQuestion):
        return st.sampled_from(question.values)
    if isinstance(question, MultiLabelQuestion):
        return st.sets(st.sampled_from(question.values), min_size=1).map(
            lambda chosen: [value for value in question.values if value in chosen]
        )
    if isinstance(question, RankingQuestion):
        items = question.item_names(fields)
        return st.dictionaries(st.sampled_from(items), st.integers(1, len(items)), min_size=1).map(
            lambda ranks: {item: ranks[item] for item in items if item in ranks}
        )
    if isinstance(question, SpanQuestion):
        text = fields[question.field]
        assert isinstance(text, str)
        return spans(question, len(text))
    return texts(windows=False)


@st.composite
def spans(draw: st.DrawFn, question: SpanQuestion, size: int) -> list[dict[str, Any]]:
    start = draw(st.integers(0, size - 1))
    end = draw(st.integers(start + 1, size))
    return [{"start": start, "end": end, "label": draw(st.sampled_from(question.values))}]


@st.composite
def records(draw: st.DrawFn, template: TaskTemplate) -> Record:
    """A record that fits; at most one suggestion a question, as servers hold them."""
    names = template.field_names(draw(st.integers(0, 4)))
    fields: dict[str, FieldValue] = {}
    for name in names:
        spec = template.field_for(name)
        assert spec is not None
        fields[name] = draw(field_values(spec))
    windows = any("\r\n" in str(value).replace("\\r\\n", "\r\n") for value in fields.values())
    if windows:  # as a file has them: in all of its texts
        fields = {name: _windows(value) for name, value in fields.items()}
    suggestions = [
        Suggestion(
            question.name,
            draw(values(question, fields)),
            draw(st.one_of(st.none(), st.sampled_from([0.0, 0.25, 1.0]))),
            draw(st.sampled_from(["", "judge-1", "org/judge:v2"])),
            draw(st.sampled_from(["model", "human"])),  # type: ignore[arg-type]
        )
        for question in template.questions
        if draw(st.booleans())
    ]
    return Record(draw(KEYS), fields, suggestions, draw(METADATA))


def _windows(value: FieldValue) -> FieldValue:
    def ends(text: str) -> str:
        return text.replace("\r\n", "\n").replace("\n", "\r\n")

    if isinstance(value, str):
        return ends(value)
    return [{"role": message["role"], "content": ends(message["content"])} for message in value]
