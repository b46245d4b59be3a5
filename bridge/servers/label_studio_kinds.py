"""Label Studio: each question kind as a control on the page, as a region in a result, and back as a value.

Names and shapes were observed on Label Studio 1.23.2. To render a new question kind, add a class with the three
methods of :class:`Kind` and an entry in :data:`KINDS`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias
from xml.etree.ElementTree import Element, SubElement

from bridge.questions import (
    LabelQuestion,
    MultiLabelQuestion,
    Question,
    RankingQuestion,
    RatingQuestion,
    SpanQuestion,
    TextQuestion,
)
from bridge.records import Value

Region: TypeAlias = "dict[str, Any]"

ITEM = "__"
"""Between a ranking's name and its item in a control's name; template names never hold it."""


class Page(Protocol):
    """What a control needs to know of the page that it stands on."""

    fields: list[str]
    """Names of the objects on the page (the fields), in order."""

    def hotkeys(self, count: int) -> list[str]:
        """Keyboard keys for that many choices; empty texts where none are left."""
        ...


class Kind(Protocol):
    """How Label Studio shows, stores and returns one question kind."""

    def controls(self, question: Any, page: Page) -> list[Element]:
        """The elements that ask the question."""
        ...

    def regions(self, question: Any, value: Any, page_fields: list[str]) -> list[Region]:
        """A value as the regions of a prediction or annotation."""
        ...

    def value(self, question: Any, regions: list[Region]) -> Value | None:
        """The regions of this question back as a value; None if there is no answer in them."""
        ...


def plain(text: str) -> str:
    """Text for an attribute that Label Studio interpolates: a word joiner keeps ``$name`` from becoming a variable."""
    return text.replace("$", "$\u2060")


def _region(name: str, to_name: str, kind: str, value: dict[str, Any]) -> Region:
    return {"from_name": name, "to_name": to_name, "type": kind, "value": value}


def _choices(
    question: Question, to_name: str, page: Page, *, multiple: bool, name: str, options: Iterable[tuple[str, str]]
) -> Element:
    element = Element(
        "Choices",
        name=name,
        toName=to_name,
        choice="multiple" if multiple else "single-radio",
        showInline="true",
        required="true" if question.required and not question.required_when else "false",
        requiredMessage=plain(f"Please answer: {question.title}"),
    )
    listed = list(options)
    for (value, title), key in zip(listed, page.hotkeys(len(listed)), strict=True):
        choice = SubElement(element, "Choice", value=plain(title), alias=value)
        if key:
            choice.set("hotkey", key)
    return element


def _texts(regions: list[Region], kind: str) -> list[str]:
    found: list[str] = []
    for region in regions:
        value = region.get("value")
        items = value.get(kind) if isinstance(value, dict) else None
        found += [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, str)]
    return found


class Rating:
    """Stars where the scale starts at 1, else numbered choices."""

    def controls(self, question: RatingQuestion, page: Page) -> list[Element]:
        if question.min != 1:
            titles = ((str(n), _scale_title(question, n)) for n in range(question.min, question.max + 1))
            return [_choices(question, page.fields[0], page, multiple=False, name=question.name, options=titles)]
        required = question.required and not question.required_when
        return [
            Element(
                "Rating",
                name=question.name,
                toName=page.fields[0],
                maxRating=str(question.max),
                size="large",
                required="true" if required else "false",
                requiredMessage=plain(f"Please answer: {question.title}"),
            )
        ]

    def regions(self, question: RatingQuestion, value: int, page_fields: list[str]) -> list[Region]:
        if question.min != 1:
            return [_region(question.name, page_fields[0], "choices", {"choices": [str(value)]})]
        return [_region(question.name, page_fields[0], "rating", {"rating": value})]

    def value(self, question: RatingQuestion, regions: list[Region]) -> Value | None:
        for region in regions:
            value = region.get("value")
            if isinstance(value, dict) and "rating" in value:
                rating: Value = value["rating"]
                return rating
        texts = _texts(regions, "choices")
        if not texts:
            return None
        return int(texts[0]) if texts[0].isascii() and texts[0].isdigit() else texts[0]


def _scale_title(question: RatingQuestion, number: int) -> str:
    label = question.labels.get(number)
    return f"{number} ({label})" if label else str(number)


class Label:
    """Radio buttons with keyboard keys."""

    def controls(self, question: LabelQuestion, page: Page) -> list[Element]:
        options = ((o.value, o.title) for o in question.options)
        return [_choices(question, page.fields[0], page, multiple=False, name=question.name, options=options)]

    def regions(self, question: LabelQuestion, value: str, page_fields: list[str]) -> list[Region]:
        return [_region(question.name, page_fields[0], "choices", {"choices": [value]})]

    def value(self, question: LabelQuestion, regions: list[Region]) -> Value | None:
        texts = _texts(regions, "choices")
        # Two choices for a single-choice question can only come from an import; the list fails validation by name.
        return None if not texts else texts[0] if len(texts) == 1 else texts


class MultiLabel:
    """Tick boxes."""

    def controls(self, question: MultiLabelQuestion, page: Page) -> list[Element]:
        options = ((o.value, o.title) for o in question.options)
        return [_choices(question, page.fields[0], page, multiple=True, name=question.name, options=options)]

    def regions(self, question: MultiLabelQuestion, value: list[str], page_fields: list[str]) -> list[Region]:
        if not value:
            return []
        return [_region(question.name, page_fields[0], "choices", {"choices": list(value)})]

    def value(self, question: MultiLabelQuestion, regions: list[Region]) -> Value | None:
        return _texts(regions, "choices")


class Text:
    """A text box that grows; one answer, edited in place."""

    def controls(self, question: TextQuestion, page: Page) -> list[Element]:
        required = question.required and not question.required_when
        return [
            Element(
                "TextArea",
                name=question.name,
                toName=page.fields[0],
                rows=str(question.rows),
                maxSubmissions="1",
                editable="true",
                showSubmitButton="true",
                required="true" if required else "false",
                requiredMessage=plain(f"Please answer: {question.title}"),
            )
        ]

    def regions(self, question: TextQuestion, value: str, page_fields: list[str]) -> list[Region]:
        return [_region(question.name, page_fields[0], "textarea", {"text": [value]})]

    def value(self, question: TextQuestion, regions: list[Region]) -> Value | None:
        text = "\n".join(_texts(regions, "text"))
        return text if text.strip() else None  # an emptied box is no answer


class Ranking:
    """A row of rank buttons under each response: texts stay in full view, ties and gaps are possible.

    Label Studio's own Ranker moves cards that lose white space, and knows neither ties nor missing items.
    """

    def controls(self, question: RankingQuestion, page: Page) -> list[Element]:
        return [self.control(question, item, page) for item in question.item_names(page.fields)]

    def control(self, question: RankingQuestion, item: str, page: Page) -> Element:
        """The rank buttons of one item; the page puts them under the item's text."""
        ranks = [(str(rank), str(rank)) for rank in range(1, len(question.item_names(page.fields)) + 1)]
        element = _choices(question, item, page, multiple=False, name=f"{question.name}{ITEM}{item}", options=ranks)
        element.set("required", "false")
        return element

    def regions(self, question: RankingQuestion, value: dict[str, int], page_fields: list[str]) -> list[Region]:
        return [
            _region(f"{question.name}{ITEM}{item}", item, "choices", {"choices": [str(rank)]})
            for item, rank in value.items()
        ]

    def value(self, question: RankingQuestion, regions: list[Region]) -> Value | None:
        ranks: dict[str, Any] = {}
        for region in regions:
            item = str(region.get("from_name", "")).partition(ITEM)[2]
            for text in _texts([region], "choices"):
                ranks[item] = int(text) if text.isascii() and text.isdigit() else text
        return ranks or None


class Span:
    """Labels for passages of one text. Label Studio counts code points, as we do (observed with emoji)."""

    def controls(self, question: SpanQuestion, page: Page) -> list[Element]:
        element = Element("Labels", name=question.name, toName=question.field, showInline="true")
        for option, key, colour in zip(
            question.options, page.hotkeys(len(question.options)), _colours(len(question.options)), strict=True
        ):
            label = SubElement(element, "Label", value=plain(option.title), alias=option.value, background=colour)
            if key:
                label.set("hotkey", key)
        return [element]

    def regions(self, question: SpanQuestion, value: list[dict[str, Any]], page_fields: list[str]) -> list[Region]:
        return [
            _region(
                question.name,
                question.field,
                "labels",
                {"start": span["start"], "end": span["end"], "labels": [span["label"]]},
            )
            for span in value
        ]

    def value(self, question: SpanQuestion, regions: list[Region]) -> Value | None:
        spans = []
        for region in regions:
            value = region.get("value")
            if isinstance(value, dict):
                for label in value.get("labels") or [None]:
                    spans.append({"start": value.get("start"), "end": value.get("end"), "label": label})
        return spans


def _colours(count: int) -> list[str]:
    # Distinct in hue and in lightness, so that they differ for colour-blind annotators too.
    base = ["#d1495b", "#edae49", "#00798c", "#6a4c93", "#3d5a40", "#8d5a2b", "#5f6b7a", "#b56576"]
    return [base[index % len(base)] for index in range(count)]


KINDS: dict[str, Kind] = {
    "rating": Rating(),
    "label": Label(),
    "multi_label": MultiLabel(),
    "text": Text(),
    "ranking": Ranking(),
    "span": Span(),
}


def to_regions(questions: Mapping[str, Question], answers: Mapping[str, Value], page_fields: list[str]) -> list[Region]:
    """Answers as the ``result`` of a prediction or annotation."""
    regions: list[Region] = []
    for name, value in answers.items():
        question = questions[name]
        regions += KINDS[question.type].regions(question, value, page_fields)
    return regions


def to_answers(questions: Mapping[str, Question], result: object) -> dict[str, Value]:
    """A ``result`` as answers.

    What is not ours (an unknown control) is kept under its own name, so that validation can name it; questions whose
    answer is an empty choice (no label ticked, nothing marked) are answered with an empty list.
    """
    by_question: dict[str, list[Region]] = defaultdict(list)
    for region in result if isinstance(result, list) else []:
        if isinstance(region, dict) and isinstance(region.get("from_name"), str):
            name = region["from_name"]
            stem = name.partition(ITEM)[0]
            ranked = stem in questions and questions[stem].type == "ranking"
            by_question[stem if ranked else name].append(region)
    answers: dict[str, Value] = {}
    for name, question in questions.items():
        value = KINDS[question.type].value(question, by_question.pop(name, []))
        if value is not None:
            answers[name] = value
    for name, regions in by_question.items():
        answers[name] = [{"region": region.get("value")} for region in regions]
    return answers
