"""Label Studio: a task template as a labelling page (an XML labelling config).

The tree is built, never formatted, so that no text can become markup. Fields are shown by ``Text`` and ``Paragraphs``,
which show text as text; the style sheet makes white space stand as it is in the text (by default indentation and line
breaks are lost) and hides what means nothing here, such as the clock times of a dialogue.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from bridge.fields import FieldSpec
from bridge.questions import Question, RankingQuestion, RatingQuestion, SpanQuestion, TextQuestion
from bridge.servers.label_studio_kinds import KINDS, Ranking, plain
from bridge.templates import TaskTemplate, condition_text

STYLE = """
.ab { max-width: 1500px; margin: 0 auto; }
.ab h4 { margin: .4rem 0 !important; font-size: 1rem; }
.ab-hint h4 { font-size: .9rem; font-weight: 400; opacity: .8; margin: .1rem 0 !important; }
.ab-fields { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
.ab-full { grid-column: 1 / -1; }
.ab-card { border: 1px solid rgba(128, 128, 128, .35); border-radius: 8px; padding: .5rem 1rem 1rem; min-width: 0; }
.ab-card:has(.lsf-richtext__line:only-child:empty) { display: none; }
.ab-keep, .ab-keep * { white-space: pre-wrap !important; overflow-wrap: anywhere; tab-size: 4; }
.ab-card .ab-keep { max-height: 65vh; overflow-y: auto; }
.ab-keep [class*="wrapper_header--"], .ab-keep [class*="time--"], .ab-keep [class*="selectAllBtnWrapper"] {
  display: none !important; }
.ab .lsf-textarea__actions { opacity: 1 !important; visibility: visible !important; }
.ab-questions { margin-top: 1rem; display: grid; gap: .5rem; }
.ab-question { border-left: 3px solid rgba(66, 103, 178, .6); padding: .1rem 0 .3rem 1rem; }
"""

_HOTKEYS = ("1234567890", "qwertyuiop", "asdfgjkl", "zxcvbnm")


class PageKeys:
    """Hands out keyboard keys, one row of the keyboard for each question."""

    def __init__(self, fields: list[str]) -> None:
        self.fields = fields
        self._rows = iter(_HOTKEYS)

    def hotkeys(self, count: int) -> list[str]:
        """Keys for that many choices; none where the row is too short or all rows are given out."""
        row = next(self._rows, "")
        return list(row[:count]) if count <= len(row) else [""] * count


def label_config(template: TaskTemplate, repeats: int = 0) -> str:
    """The labelling config of a template, as XML text.

    Args:
        template: the task.
        repeats: how many instances of a repeated field the page shows.

    >>> from bridge.templates import load_template
    >>> 'name="rating"' in label_config(load_template("review"))
    True
    """
    names = template.field_names(repeats)
    page = PageKeys(names)
    root = Element("View", className="ab")
    SubElement(root, "Style").text = STYLE
    if template.guidelines:
        panel = SubElement(SubElement(root, "Collapse"), "Panel", value="Guidelines")
        _hint(panel, template.guidelines)
    fields = SubElement(root, "View", className="ab-fields")
    for question in template.questions:
        if isinstance(question, RankingQuestion):
            _title(SubElement(fields, "View", className="ab-question ab-full"), template, question)
    for name in names:
        spec = template.field_for(name)
        assert spec is not None
        card = _card(fields, spec, name)
        for question in template.questions:
            if isinstance(question, SpanQuestion) and question.field == name:
                card.insert(1, _question(template, question, page))
            elif isinstance(question, RankingQuestion) and question.ranks(name):
                card.append(Ranking().control(question, name, page))
    questions = SubElement(root, "View", className="ab-questions")
    for question in template.questions:
        if not isinstance(question, SpanQuestion | RankingQuestion):
            questions.append(_question(template, question, page))
    return tostring(root, encoding="unicode")


def _card(parent: Element, spec: FieldSpec, name: str) -> Element:
    card = SubElement(parent, "View", className="ab-card" if spec.half else "ab-card ab-full")
    number = name.removeprefix(spec.name).lstrip("_")
    SubElement(card, "Header", size="5", value=plain(f"{spec.title} {number}".strip()))
    view = SubElement(card, "View", className="ab-keep")
    if spec.type == "text":
        SubElement(view, "Text", name=name, value=f"${name}", granularity="symbol")
    else:
        SubElement(
            view, "Paragraphs", name=name, value=f"${name}", layout="dialogue", nameKey="role", textKey="content"
        )
    return card


def _question(template: TaskTemplate, question: Question, page: PageKeys) -> Element:
    view = Element("View", className="ab-question ab-keep" if isinstance(question, TextQuestion) else "ab-question")
    _title(view, template, question)
    view.extend(KINDS[question.type].controls(question, page))
    return view


def _title(view: Element, template: TaskTemplate, question: Question) -> None:
    SubElement(view, "Header", size="5", value=plain(question.title))
    _hint(view, question.description)
    if isinstance(question, RatingQuestion) and question.min == 1 and question.labels:
        _hint(view, ", ".join(f"{number} = {label}" for number, label in sorted(question.labels.items())))
    if isinstance(question, TextQuestion) and question.prefill:
        _hint(view, "It starts as the text above; the pencil opens it for editing.")
    if question.required_when:
        _hint(view, f"Required when {condition_text(template, question.required_when)}.")


def _hint(parent: Element, text: str) -> None:
    if text.strip():
        view = SubElement(parent, "View", className="ab-hint")
        for line in text.strip().splitlines():
            SubElement(view, "Header", size="6", value=plain(line) or "\u00a0")
