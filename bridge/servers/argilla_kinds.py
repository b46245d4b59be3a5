"""Argilla: texts as its page shows them right, and each question kind as a question, a suggestion and a response.

Shapes were observed on Argilla 2.8.0. To render a new question kind, add a class with the three methods of
:class:`Kind` and an entry in :data:`KINDS`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Protocol

from bridge.errors import UsageError, ValueRejected
from bridge.questions import (
    MultiLabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
)
from bridge.records import FieldValue, Value, text_of
from bridge.servers.shown import one_line_break
from bridge.templates import TaskTemplate, condition_text
from bridge.text import code_point_offset, utf16_offset

MESSAGE_LENGTH = 20_000
"""Longest message of a chat, and the length that its role may have; the server's defaults."""
ROLE_LENGTH = 20
MESSAGES = 500
GUIDELINES_LENGTH = 10_000
TITLE_LENGTH = 500
"""Longest title of a question; the page shows all of it."""
DESCRIPTION_LENGTH = 1000

_AGENT = re.compile(r"[^a-zA-Z0-9_:./\s-]")


def shown_text(text: str) -> str:
    """A text as it must be stored so that the page shows it character for character.

    Argilla puts plain text into its page as HTML: without this, ``<script>`` in a model's output runs with the
    annotator's login (measured), and images are fetched.

    >>> shown_text("a < b && <img src=x>")
    'a &lt; b &amp;&amp; &lt;img src=x&gt;'
    """
    return html.escape(one_line_break(text), quote=False)


def original_text(text: str) -> str:
    """What :func:`shown_text` was made of (but for carriage returns).

    >>> original_text(shown_text("a &lt; b"))
    'a &lt; b'
    """
    return html.unescape(text)


def shown_markdown(text: str) -> str:
    """A text as Markdown that shows it literally, line by line; for guidelines, which Argilla shows as Markdown.

    >>> shown_markdown("1. <b>Read</b>")
    '1\\\\. \\\\<b\\\\>Read\\\\</b\\\\>'
    """
    escaped = _MARKDOWN.sub(r"\\\g<0>", text).replace("$", "&#36;").replace("\t", "    ")
    # Two spaces at its end keep a line from running into the next; entities keep indentation from meaning code, and
    # empty lines from being thrown together.
    lines = (_INDENT.sub(lambda found: "&nbsp;" * len(found[0]), line) for line in escaped.split("\n"))
    return "  \n".join(line or "&nbsp;" for line in lines)


_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+=.!|~&:@^-]")
_INDENT = re.compile(r"^ +|(?<= ) +")


def shown_guidelines(text: str) -> str | None:
    """Guidelines as Argilla takes them: literal Markdown, as one block of code where that would be too long.

    >>> shown_guidelines("Rate *it*."), shown_guidelines("")
    ('Rate \\\\*it\\\\*\\\\.', None)
    """
    literal = shown_markdown(text)
    if len(literal) <= GUIDELINES_LENGTH:
        return literal if text else None
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def unrendered(text: str) -> str:
    """A text that Argilla shows as Markdown beside the box that it starts in, without what a browser would fetch.

    Once somebody has changed a suggested text, a tab shows the suggestion as Markdown, in which images, style sheets
    and embedded pages are fetched (measured). An invisible character behind ``<`` and ``!`` makes them text; it sticks
    to the character before it, so that both are deleted together. :func:`typed_text` takes it away again.

    >>> typed_text(unrendered("<img src=x> ![x](y) 1 < 2!\\n")) == "<img src=x> ![x](y) 1 < 2!\\n"
    True
    """
    text = _RENDERED.sub(rf"\g<0>{_VARIATION}", text)
    return f"{text}\n" if text.endswith("\n") else text


def typed_text(text: str) -> str:
    """What somebody left in a text box.

    The browser ends a text with a line break of its own as soon as somebody types at the end, so one is taken away;
    :func:`unrendered` gives one more to a text that has some.
    """
    return text.replace(f"<{_VARIATION}", "<").replace(f"!{_VARIATION}", "!").removesuffix("\n")


_VARIATION = "\ufe0e"
_RENDERED = re.compile(rf"<(?=[A-Za-z/!?{_VARIATION}])|!(?=[\[{_VARIATION}])")


def shown_field(value: FieldValue, kind: str, *, room: bool = False) -> Any:
    """A field's value as it is stored on the server.

    A chat becomes messages; a transcript becomes one text, because speakers' names may be longer than a role, and
    what they said may be longer than a message. With ``room`` a text is stored as long as its spans need: the page
    counts UTF-16 units, in which an emoji is two, and the server refuses offsets behind the last code point of what it
    stores, so each emoji is stored as an entity.

    Raises:
        ValueRejected: a message that Argilla cannot hold.
    """
    if kind == "chat" and not isinstance(value, str):
        return [_message(message, number) for number, message in enumerate(value, 1)]
    text = value if isinstance(value, str) else "\n\n".join(f"{m['role']}: {m['content']}" for m in value)
    stored = shown_text(text)
    return _ASTRAL.sub(lambda found: f"&#{ord(found[0])};", stored) if room else stored


# Not those that end a plane: they are no characters, and an entity cannot stand for them.
_ASTRAL = re.compile("[" + "".join(f"{chr(p << 16)}-{chr((p << 16) + 0xFFFD)}" for p in range(1, 17)) + "]")


def _message(message: Mapping[str, str], number: int) -> dict[str, str]:
    role, content = message["role"], shown_text(message["content"])
    if number > MESSAGES:
        raise ValueRejected(f"message {number}: Argilla shows {MESSAGES} at most", remedy="split the conversation")
    if len(role) > ROLE_LENGTH:
        raise ValueRejected(
            f"message {number}: the role has {len(role)} characters, Argilla takes {ROLE_LENGTH}",
            remedy="shorten it, or make the field a transcript",
        )
    if not content:
        raise ValueRejected(
            f"message {number}: it has no text, and Argilla takes no empty messages",
            remedy="leave the message out, or make the field a transcript",
        )
    if len(content) > MESSAGE_LENGTH:
        raise ValueRejected(
            f"message {number}: {len(content):,} characters as stored (& < > count more), Argilla takes "
            f"{MESSAGE_LENGTH:,}",
            remedy="shorten it, or make the field a transcript",
        )
    return {"role": role, "content": content}


def shown_agent(agent: str) -> str:
    """An agent's name with the characters that Argilla takes in it.

    >>> shown_agent("gpt-4o (mini)@v1")
    'gpt-4o _mini__v1'
    """
    return _AGENT.sub("_", agent)[:200]


def original_fields(fields: Mapping[str, Any]) -> dict[str, FieldValue]:
    """A record's fields as they were before they were made to be shown; only texts matter to answers."""
    return {name: original_text(value) if isinstance(value, str) else value for name, value in fields.items()}


class Kind(Protocol):
    """How Argilla asks one question kind, and how it writes its answers."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        """The settings of the question; ``items`` are the ranked fields with their titles."""
        ...

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        """Our value as Argilla's; None where there is nothing to send."""
        ...

    def value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        """Argilla's value as ours. What has another shape stays as it is, for validation to name."""
        ...


class Rating:
    """Numbered buttons."""

    def settings(self, question: RatingQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "rating", "options": [{"value": n} for n in range(question.min, question.max + 1)]}

    def to_value(self, question: RatingQuestion, value: int, fields: Mapping[str, FieldValue]) -> Any:
        return value

    def value(self, question: RatingQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        rating: Value | None = value
        return rating


class Label(Rating):
    """One label of several."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "label_selection", "options": _options(question)}


class MultiLabel(Rating):
    """Any number of labels."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "multi_label_selection", "options": _options(question)}

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        return value or None  # an empty list is refused


class Text(Rating):
    """A text box, never Markdown: what is typed is the answer."""

    def settings(self, question: Any, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "text", "use_markdown": False}

    def to_value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Any:
        return unrendered(value)

    def value(self, question: Any, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        text: Value = typed_text(value) if isinstance(value, str) else value
        return None if isinstance(text, str) and not text.strip() else text  # an emptied box is no answer


class Ranking:
    """Cards with the responses' names, dragged into order; several may share a rank."""

    def settings(self, question: RankingQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "ranking", "options": [{"value": name, "text": title} for name, title in items.items()]}

    def to_value(self, question: RankingQuestion, value: Mapping[str, int], fields: Mapping[str, FieldValue]) -> Any:
        return [{"value": item, "rank": rank} for item, rank in sorted(value.items(), key=lambda pair: pair[1])]

    def value(self, question: RankingQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            other: Value | None = value
            return other
        given = {item.get("value"): item.get("rank") for item in value if item.get("rank") is not None}
        # Every card must be placed, also those of responses that this record does not have.
        ranks: dict[str, Any] = {item: rank for item, rank in given.items() if not fields or fields.get(item)}
        if len(ranks) < len(given) and all(isinstance(rank, int) for rank in given.values()):
            empty = set(given.values()) - set(ranks.values())
            ranks = {item: rank - sum(gap < rank for gap in empty) for item, rank in ranks.items()}
        return dict(sorted(ranks.items(), key=lambda pair: str(pair[1]).zfill(9))) or None


class Span:
    """Labels on passages of a text. The page counts UTF-16 units of what it shows; we count code points."""

    def settings(self, question: SpanQuestion, items: Mapping[str, str]) -> dict[str, Any]:
        return {"type": "span", "field": question.field, "options": _options(question), "allow_overlapping": True}

    def to_value(self, question: SpanQuestion, value: list[dict[str, Any]], fields: Mapping[str, FieldValue]) -> Any:
        text = text_of(fields.get(question.field, ""))
        return [
            {**span, "start": utf16_offset(text, span["start"]), "end": utf16_offset(text, span["end"])}
            for span in value
        ]

    def value(self, question: SpanQuestion, value: Any, fields: Mapping[str, FieldValue]) -> Value | None:
        text = text_of(fields.get(question.field, ""))
        try:
            return [
                {
                    "start": code_point_offset(text, span["start"]),
                    "end": code_point_offset(text, span["end"]),
                    "label": span["label"],
                }
                for span in value
            ]
        except (ValueRejected, TypeError, KeyError):
            kept: Value = value
            return kept


def _options(question: Any) -> list[dict[str, str]]:
    return [{"value": option.value, "text": option.title} for option in question.options]


KINDS: dict[str, Kind] = {
    "rating": Rating(),
    "label": Label(),
    "multi_label": MultiLabel(),
    "text": Text(),
    "ranking": Ranking(),
    "span": Span(),
}


def fields_of(template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """The fields of a dataset for a template, as the server takes them."""
    bodies = []
    for name in template.field_names(repeats):
        spec = template.field_for(name)
        assert spec is not None
        needed = spec.required and (spec.repeat is None or int(name.rpartition("_")[2]) <= spec.repeat.min)
        settings = {"type": "chat" if spec.type == "chat" else "text", "use_markdown": False}
        bodies.append({"name": name, "title": _title(template, name), "required": needed, "settings": settings})
    return bodies


def questions_of(template: TaskTemplate, repeats: int = 0) -> list[dict[str, Any]]:
    """The questions of a dataset for a template, as the server takes them.

    A dataset needs one required question. Where a template has none, one that people can leave as it is becomes it.

    Raises:
        UsageError: there is none, so that people could not submit without an answer that they need not give.
    """
    names = template.field_names(repeats)
    free = None if any(map(_always_required, template.questions)) else _answered_untouched(template)
    bodies = []
    for question in template.questions:
        items = {}
        if isinstance(question, RankingQuestion):
            items = {name: _title(template, name) for name in question.item_names(names)}
        notes = [_scale(question), _required_when(template, question), _untouched(question) if question is free else ""]
        title, description = _said(question, notes)
        bodies.append(
            {
                "name": question.name,
                "title": title,
                **({"description": description} if description else {}),
                "required": _always_required(question) or question is free,
                "settings": KINDS[question.type].settings(question, items),
            }
        )
    return bodies


def _always_required(question: Question) -> bool:
    return question.required and not question.required_when


def _untouched(question: Question) -> str:
    if isinstance(question, SpanQuestion):
        return "may stay empty"
    return "may stay as it is" if isinstance(question, TextQuestion) and question.prefill else ""


def _answered_untouched(template: TaskTemplate) -> Question:
    """A question that is answered before anybody touches it: nothing marked is an answer, and so is a text as it was.

    The only question of a template will do too, because who submits without answering it says nothing; except where
    ticking nothing is an answer.

    Raises:
        UsageError: there is none.
    """
    for question in template.questions:
        if isinstance(question, SpanQuestion):
            return question
    for question in template.questions:
        field = template.field_for(question.prefill or "") if isinstance(question, TextQuestion) else None
        if field is not None and field.required:
            return question
    if len(template.questions) == 1 and not isinstance(template.questions[0], MultiLabelQuestion):
        return template.questions[0]
    raise UsageError(
        f"question {template.questions[0].name!r}: Argilla needs a question that must be answered, and all of these "
        "may be left out",
        remedy="make one required, with a choice such as 'No problem' where nothing may apply",
    )


def _said(question: Question, notes: list[str]) -> tuple[str, str]:
    """A question's title and description, each with the notes that fit in.

    Descriptions are shown only to those who point at a small sign, so the title takes what it can.

    >>> _said(RatingQuestion(type="rating", name="r", title="Good?", description="Look it up."), ["1 = bad", ""])
    ('Good? (1 = bad)', 'Look it up.')
    """
    title, hidden = question.title, question.description
    for note in filter(None, notes):
        if len(title) + len(note) + 3 <= TITLE_LENGTH:
            title = f"{title} ({note})"
        else:
            hidden = f"{hidden}\n{note}".strip()
    return title, hidden if len(hidden) <= DESCRIPTION_LENGTH else f"{hidden[: DESCRIPTION_LENGTH - 1]}…"


def _scale(question: Question) -> str:
    labels = question.labels if isinstance(question, RatingQuestion) else {}
    return ", ".join(f"{number} = {label}" for number, label in sorted(labels.items()))


def _required_when(template: TaskTemplate, question: Question) -> str:
    return f"required when {condition_text(template, question.required_when)}" if question.required_when else ""


def _title(template: TaskTemplate, name: str) -> str:
    spec = template.field_for(name)
    assert spec is not None
    return f"{spec.title} {name.removeprefix(spec.name).lstrip('_')}".strip()


def to_suggestions(
    template: TaskTemplate, answers: Mapping[str, Value], fields: Mapping[str, FieldValue], repeats: int | None = None
) -> dict[str, Any]:
    """Question name to value, as suggestions and responses hold it; without those that have nothing to send.

    With ``repeats`` the cards of responses that the record does not have are placed last, because Argilla takes a
    ranking only when every card is placed; :func:`to_answers` leaves them out again.
    """
    values: dict[str, Any] = {}
    for question in template.questions:
        value = None
        if question.name in answers:
            value = KINDS[question.type].to_value(question, answers[question.name], fields)
        if isinstance(question, RankingQuestion) and repeats is not None and (value or _always_required(question)):
            cards = question.item_names(template.field_names(repeats))
            absent = [{"value": card, "rank": len(cards)} for card in cards if not fields.get(card)]
            value = [*(value or ()), *absent] or None
        if value is not None:
            values[question.name] = value
    return values


def to_answers(questions: Mapping[str, Question], values: object, fields: Mapping[str, FieldValue]) -> dict[str, Value]:
    """The ``values`` of a response as answers.

    What is not ours is kept under its own name, so that validation can name it; nothing ticked and nothing marked
    are answers: an empty list.
    """
    given = {
        name: item.get("value")
        for name, item in (values if isinstance(values, dict) else {}).items()
        if item is not None
    }
    answers: dict[str, Value] = {}
    for name, question in questions.items():
        raw = given.pop(name, None)
        if raw is None and isinstance(question, MultiLabelQuestion | SpanQuestion):
            raw = []
        value = None if raw is None else KINDS[question.type].value(question, raw, fields)
        if value is not None:
            answers[name] = value
    return {**answers, **given}
