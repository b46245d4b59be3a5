"""What a labelling configuration of Label Studio asks, as the questions of a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bridge.adopting.label_layout import Control, Layout, Placed, article, attributes_of, tag_of
from bridge.adopting.names import Names
from bridge.adopting.parts import MAX_OPTIONS, options_of, scale_of, title_of


def add_control(layout: Layout, part: Placed, names: Names) -> None:
    """Add what a control asks to a layout that has its objects already; or note why no template can ask it."""
    tag, shape = part.element.tag, layout.shape
    if part.tag in _MAKERS and part.name and "toname" not in part.attributes:
        shape.leave("question", part.name, "it names nothing on the page that it is about (toName)")
        return
    if not part.name or "toname" not in part.attributes:
        shape.leave("setting", part.name or f"<{tag:.40}>", f"{article(tag)} is nothing that a template has")
        return
    if part.name in layout.controls:
        shape.leave("question", part.name, "a second control of that name")
        return
    control = layout.controls[part.name] = Control(part.name, part.tag)
    control.reason = _no_question(part) or _asked(layout, part, control) or ""
    if control.reason:
        control.body = {}
        shape.leave("question", part.name, control.reason)
        return
    control.question = names.give(part.name, "question")
    title = title_of(part.headers[0] if part.headers else part.name, control.question)
    control.body = {"name": control.question, "type": control.body.pop("type"), "title": title, **control.body}
    shape.questions.append(control.body)
    if part.name != title and part.name != control.question:
        control.body["description"] = f"Called {title_of(part.name, '?')} on the server."


def _no_question(part: Placed) -> str:
    if part.repeated:
        return "a Repeater asks it as often as a task says"
    if part.has("perregion"):
        return "it is asked of each marked region (perRegion), and a template asks only about whole records"
    if part.has("peritem"):
        return "it is asked of each item (perItem), and a template asks only about whole records"
    return ""


def _asked(layout: Layout, part: Placed, control: Control) -> str | None:
    """Fill in what the control asks; or say why a template cannot."""
    maker = _MAKERS.get(part.tag)
    if maker is None:
        return f"no kind of question is like {article(part.element.tag)}"
    return maker(layout, part, control)


def _options(part: Placed, tag: str) -> list[tuple[str, str]]:
    """Stored values and what people see, of the choices or labels of a control."""
    pairs = []
    for element in part.element.iter():
        attributes = attributes_of(element)
        if tag_of(element) == tag and (attributes.get("alias") or attributes.get("value")):
            shown = attributes.get("value") or attributes["alias"]
            pairs.append((attributes.get("alias") or shown, shown))
    return pairs


def _too_many_or_few(part: Placed, pairs: list[tuple[str, str]]) -> str | None:
    if not pairs or part.attributes.get("value", "").startswith("$") or any(s.startswith("$") for _, s in pairs):
        return "what can be chosen is different in each task"
    if len(dict(pairs)) > MAX_OPTIONS:
        return f"{len(pairs):,} can be chosen, and a template has {MAX_OPTIONS} at most"
    return None


def _choices(layout: Layout, part: Placed, control: Control) -> str | None:
    pairs = _options(part, "choice")
    reason = _too_many_or_few(part, pairs)
    if reason:
        return reason
    if any(
        tag_of(below) == "choice"
        for choice in part.element.iter()
        if tag_of(choice) == "choice"
        for below in choice.iter()
        if below is not choice
    ):
        return "its choices stand inside each other, and those of a template do not"
    scale = None
    if part.attributes.get("choice", "single").lower() != "multiple":
        scale = scale_of(pairs)
    if scale:
        control.values, labels = scale
        control.body = {"type": "rating", "min": min(control.values.values()), "max": max(control.values.values())}
        if labels:
            control.body["labels"] = labels
        layout.shape.notes.append(
            f"question {part.name}: its choices are a scale from {control.body['min']} to {control.body['max']}, "
            "so it is a rating"
        )
        return None
    options, control.values = options_of(pairs)
    multiple = part.attributes.get("choice", "single").lower() == "multiple"
    control.body = {"type": "multi_label" if multiple else "label", "options": options}
    if not multiple and any(shown.strip()[:1].isdigit() for _, shown in pairs):
        layout.shape.notes.append(
            f"question {part.name}: its choices have numbers, but are no scale of whole numbers, so it is a label"
        )
    # Imported answers may hold what people see instead of what is stored.
    for stored, shown in pairs:
        control.values.setdefault(shown, control.values[stored])
    return None


def _rating(layout: Layout, part: Placed, control: Control) -> str | None:
    most = _whole(part.attributes.get("maxrating", "5"))
    if most is None or not 2 <= most <= 10:
        return f"its scale ends at {part.attributes.get('maxrating', '')!r:.20}, and those of a template at 2 to 10"
    control.body = {"type": "rating", "min": 1, "max": most}
    return None


def _number(layout: Layout, part: Placed, control: Control) -> str | None:
    least, most = (_whole(part.attributes.get(name, "")) for name in ("min", "max"))
    if least is None or most is None or not 0 <= least < most <= 10 or _whole(part.attributes.get("step", "1")) is None:
        return "a Number is a rating only where it has whole numbers, from 0 to 10 at most"
    control.body = {"type": "rating", "min": least, "max": most}
    return None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[0-9]{1,3}\s*", text) else None


def _textarea(layout: Layout, part: Placed, control: Control) -> str | None:
    control.body = {"type": "text"}
    rows = _whole(part.attributes.get("rows", ""))
    if rows:
        control.body["rows"] = min(rows, 40)
    variable = part.attributes.get("value", "").removeprefix("$")
    source = next((shown for shown in layout.objects if variable and shown.variable == variable), None)
    if source is not None and source.kind == "text":
        control.body["prefill"] = source.field
    elif variable:
        layout.shape.leave("setting", part.name, f"it starts as ${variable}, which is no text on the page")
    return None


def _labels(layout: Layout, part: Placed, control: Control) -> str | None:
    target = part.attributes["toname"].strip()
    shown = next((shown for shown in layout.objects if target in shown.names), None)
    if part.tag != "labels" or shown is None or shown.tag != "text":
        where = f"a <{shown.tag}>" if shown is not None else repr(target)
        return f"it marks passages of {where:.60}, and a template's are of one text that is shown as it is"
    pairs = _options(part, "label")
    reason = _too_many_or_few(part, pairs)
    if reason:
        return reason
    options, control.values = options_of(pairs)
    control.body = {"type": "span", "field": shown.field, "options": options}
    return None


def _pairwise(layout: Layout, part: Placed, control: Control) -> str | None:
    targets = [name.strip() for name in part.attributes["toname"].split(",")]
    shown = [next((shown for shown in layout.objects if name in shown.names), None) for name in targets]
    if len(targets) != 2:
        return "it does not compare two objects"
    sides = (part.attributes.get("leftclass", "left"), part.attributes.get("rightclass", "right"))
    options: list[dict[str, str]] = []
    for value, target, side in zip("AB", targets, shown, strict=True):
        title = next((f["title"] for f in layout.shape.fields if side and f["name"] == side.field), target)
        options.append({"value": value, "title": title_of(f"{value}: {title}", value)})
        if side is not None and side.kind != "list":
            options[-1]["picks"] = side.field
    control.values = dict(zip(sides, "AB", strict=True))
    control.body = {"type": "label", "options": options}
    return None


def _ranker(layout: Layout, part: Placed, control: Control) -> str | None:
    target = part.attributes["toname"].strip()
    shown = next((shown for shown in layout.objects if target in shown.names and shown.kind == "list"), None)
    if any(tag_of(element) == "bucket" for element in part.element.iter()):
        return "it sorts items into buckets, which is no order of all of them"
    if shown is None:
        return f"{target!r:.60} is no List whose items could be fields"
    control.body = {"type": "ranking", "items": shown.field}
    return None


_MAKERS: dict[str, Callable[[Layout, Placed, Control], str | None]] = {
    "choices": _choices,
    "rating": _rating,
    "number": _number,
    "textarea": _textarea,
    "labels": _labels,
    "hypertextlabels": _labels,
    "paragraphlabels": _labels,
    "pairwise": _pairwise,
    "ranker": _ranker,
}


# -- conditions


def require(layout: Layout, part: Placed, control: Control) -> None:
    """Say when the question must be answered: where it says so, and where the page shows it at all."""
    demanded = part.has("required")
    control.body["required"] = demanded and not part.conditions
    if not part.conditions:
        return
    wanted: dict[str, Any] = {}
    for attributes in part.conditions:
        condition = _condition(layout, attributes)
        if condition is None:
            kind = attributes["visiblewhen"]
            layout.shape.leave("setting", part.name, f"it is shown only under a condition ({kind:.40}) not known here")
            return
        wanted |= condition
    if demanded and control.question not in wanted:
        control.body["required_when"] = wanted
    else:
        texts = ", ".join(f"{name} is {value}" for name, value in wanted.items())
        layout.shape.notes.append(f"question {control.question}: shown where {texts:.100}; here it is always shown")


def _condition(layout: Layout, attributes: Mapping[str, str]) -> dict[str, Any] | None:
    other = layout.controls.get(attributes.get("whentagname", ""))
    if attributes["visiblewhen"].lower() != "choice-selected" or other is None or not other.body:
        return None
    text = attributes.get("whenchoicevalue", "")
    chosen = [text] if text in other.values else [value.strip() for value in text.split(",") if value.strip()]
    values: list[Any] = [other.values.get(value) for value in chosen] or list(dict.fromkeys(other.values.values()))
    if None in values:
        return None
    if other.body["type"] in ("label", "multi_label"):
        return {other.question: values}
    if other.body["type"] == "rating" and sorted(values) == list(range(min(values), max(values) + 1)):
        return {other.question: {"min": min(values), "max": max(values)}}
    return None
