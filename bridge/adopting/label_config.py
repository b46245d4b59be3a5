"""A labelling configuration of Label Studio, made by hand, as the parts of a template.

Only what the page shows and asks is read; how it looks (styles, columns, colours, keys) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from bridge.adopting.label_controls import add_control, require
from bridge.adopting.label_layout import Layout, Object, Placed, article, attributes_of, tag_of
from bridge.adopting.names import Names
from bridge.adopting.parts import MAX_PARTS, prose_of, title_of
from bridge.errors import InputError

MAX_CONFIG = 2_000_000
MAX_DEPTH = 100

TEXTS = {"text": "text", "hypertext": "text", "paragraphs": "transcript", "chat": "transcript", "list": "list"}
"""Objects that a template can show, and as what."""

_FRAMES = {"view", "collapse", "panel", "filter", "style", "hotkeys", "shortcut"}
_OBJECTS = {*TEXTS, "image", "audio", "audioplus", "video", "timeseries", "table", "pdf", "website", "reactcode"}
_VARIABLE = re.compile(r"\$(\w+(?:\.\w+)*)")


def read_config(config: str, names: Names | None = None) -> Layout:
    """Read a labelling configuration.

    Args:
        config: its XML.
        names: gives out the names of fields and questions.

    Raises:
        InputError: no XML, a document type (which could name files and addresses), or far too large.

    >>> layout = read_config('<View><Text name="t" value="$prompt"/><Rating name="good" toName="t"/></View>')
    >>> [part["name"] for part in layout.shape.fields], layout.controls["good"].body["type"]
    (['prompt'], 'rating')
    """
    names = names or Names()
    parts, texts = _parts(_root(config))
    layout = Layout()
    for part in parts:
        if part.tag == "header" or part.tag in _OBJECTS:
            _add_object(layout, part, names)
    for part in parts:
        if not (part.tag == "header" or part.tag in _OBJECTS):
            add_control(layout, part, names)
    _limit(layout)
    for part in parts:
        control = layout.controls.get(part.name)
        if control is not None and control.body and control.tag == part.tag:
            require(layout, part, control)
    layout.shape.guide(prose_of("\n".join(texts)))
    return layout


def _root(config: str) -> Element:
    remedy = "look at the project's labelling interface (Settings, Labeling Interface, Code)"
    if len(config) > MAX_CONFIG:
        raise InputError(f"the labelling configuration has {len(config):,} characters", remedy=remedy)
    # Whatever declares anything could name files and addresses to be read, or grow without end.
    if re.search(r"<!(?!--|\[CDATA\[)", config):
        raise InputError(
            "the labelling configuration has a document type (DOCTYPE), which is never read", remedy=remedy
        )
    try:
        return fromstring(config)  # noqa: S314 - no document type, so no entities
    except (ParseError, ValueError) as error:
        raise InputError(f"the labelling configuration is no XML: {error!s:.100}", remedy=remedy) from None


def _parts(root: Element) -> tuple[list[Placed], list[str]]:
    """Objects and controls in the order of the page; a fixed header is the title of what follows it.

    Also the fixed texts that stand alone, which are guidelines.
    """
    parts: list[Placed] = []
    texts: list[str] = []
    headers: list[str] = []
    for element, conditions, repeated in _walk(root):
        tag, attributes = tag_of(element), attributes_of(element)
        value = attributes.get("value", "")
        if tag in ("header", "text", "hypertext") and not _VARIABLE.search(value) and not value.startswith("$"):
            words = value or "".join(element.itertext())
            if tag == "header" and words.strip():
                headers.append(words)
            elif words.strip():
                texts.append(words)
            continue
        if tag in _FRAMES:
            continue
        title = headers[-1:]
        texts += headers[:-1]
        headers = []
        parts.append(Placed(element, attributes, title, conditions, repeated))
    return parts, texts + headers


def _walk(root: Element) -> Iterator[tuple[Element, list[dict[str, str]], bool]]:
    """Elements in the order of the page, each with the conditions of everything around it."""
    stack: list[tuple[Element, list[dict[str, str]], bool, int]] = [(root, [], False, 0)]
    while stack:
        element, conditions, repeated, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise InputError(
                f"the labelling configuration is nested more than {MAX_DEPTH} deep", remedy="make it simpler"
            )
        attributes = attributes_of(element)
        if "visiblewhen" in attributes:
            conditions = [*conditions, attributes]
        repeated = repeated or tag_of(element) == "repeater"
        if tag_of(element) != "repeater":
            yield element, conditions, repeated
        if tag_of(element) in _FRAMES | {"repeater"}:
            stack += [(child, conditions, repeated, depth + 1) for child in reversed(element)]


# -- objects


def _add_object(layout: Layout, part: Placed, names: Names) -> None:
    value = (part.attributes.get("value") or part.attributes.get("valuelist") or "").strip()
    # A value that begins with $ is the name of a variable, in any language; else there may be some in a text.
    whole = value[1:] if value.startswith("$") and not re.search(r"[\s$]", value[1:]) else ""
    variables = [whole] if whole else list(dict.fromkeys(_VARIABLE.findall(value)))
    reason = ""
    if part.repeated:
        reason = "a Repeater shows it as often as a task asks for"
    elif part.tag != "header" and part.tag not in TEXTS:
        reason = f"a field of a template is a text or a conversation, and this is {article(part.element.tag)}"
    elif part.attributes.get("valuetype", "").lower() == "url":
        reason = "its tasks hold addresses of texts, and no address in data is ever fetched"
    if reason:
        layout.shape.leave("field", part.name or value, reason)
        return
    for variable in variables:
        _show(layout, part, variable, names, alone=len(variables) == 1)


def _show(layout: Layout, part: Placed, variable: str, names: Names, *, alone: bool) -> None:
    kind = TEXTS.get(part.tag, "text")
    for shown in layout.objects:
        if shown.variable == variable:
            if alone:
                shown.names.append(part.name)
            return
    if kind == "list" and any(shown.kind == "list" for shown in layout.objects):
        layout.shape.leave("field", part.name, "a template has one repeated field, and this is a second List")
        return
    name = names.give(variable, "field", stem=kind == "list")
    keys = ("role", "content") if part.tag == "chat" else ("author", "text")
    layout.objects.append(
        Object(
            part.tag,
            [part.name] if alone else [],
            variable,
            name,
            kind,
            part.attributes.get("namekey", keys[0]),
            part.attributes.get("textkey", keys[1]),
        )
    )
    title = title_of(part.headers[0] if part.headers else variable, name)
    body: dict[str, Any] = {"name": name, "title": title, "type": "text" if kind == "list" else kind}
    if kind == "list":
        body["repeat"] = {"min": 1, "max": MAX_PARTS}
    layout.shape.fields.append(body)
    if part.tag == "hypertext":
        layout.shape.notes.append(
            f"field {name}: people saw ${variable} as a page (HyperText); here it is the HTML as text"
        )


def _limit(layout: Layout) -> None:
    """Leave out fields and questions behind the last that a template has room for."""
    shape = layout.shape
    for part in shape.fields[MAX_PARTS:]:
        shape.leave("field", part["name"], f"a template has {MAX_PARTS} fields at most")
    del shape.fields[MAX_PARTS:]
    kept = {part["name"] for part in shape.fields}
    layout.objects = [shown for shown in layout.objects if shown.field in kept]
    for number, control in enumerate(c for c in layout.controls.values() if c.body):
        used = [control.body.get(key) for key in ("field", "items", "prefill") if key in control.body]
        used += [option["picks"] for option in control.body.get("options", ()) if "picks" in option]
        if number >= MAX_PARTS or not kept.issuperset(used):
            control.reason = f"a template has {MAX_PARTS} questions and {MAX_PARTS} fields at most"
            shape.leave("question", control.name, control.reason)
            shape.questions.remove(control.body)
            control.body = {}
