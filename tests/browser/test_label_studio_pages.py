"""What annotators see and do in Label Studio, in a real browser. Screenshots go to build/screenshots/."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from bridge.annotations import Annotation
from bridge.records import Record, Suggestion, Value
from bridge.servers.label_studio import LabelStudio
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push
from bridge.templates import TaskTemplate, load_template
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.live, pytest.mark.browser]

_NUMBERS = itertools.count(1)

ATTACK = (
    "<script>window.canary=1</script><img src=x onerror='window.canary=2'> &amp; &lt;b&gt; ]]> <![CDATA[x]]>\n"
    "\tif x:\n\t\treturn  {{constructor.constructor('window.canary=3')()}}\n\n"
    "![remote](http://127.0.0.2/pixel.png) $prompt ${7*7} 😀 \u05e9\u05dc\u05d5\u05dd e\u0301 end"
)
TRANSCRIPT = [
    {"role": "Ann", "content": "Shall we ship on Friday?\n  - if the tests pass\n  - and Bo agrees"},
    {"role": "<b onclick=alert(1)>Bo</b>", "content": ATTACK},
    {"role": "Ann", "content": "Then Bo runs them until Thursday."},
]

Case = tuple[dict[str, Any], dict[str, Value]]
CASES: dict[str, Case] = {
    "rating": ({"prompt": ATTACK, "response": "Canberra."}, {"rating": 4}),
    "label": ({"prompt": "Is this safe?", "response": ATTACK}, {"label": "harmful"}),
    "multi_label": ({"prompt": ATTACK, "response": ATTACK}, {"labels": ["incomplete", "style"]}),
    "rewrite": ({"prompt": "Write a function.", "response": ATTACK}, {}),
    "review": ({"prompt": "Write a function.", "response": ATTACK}, {"rating": 2, "label": "partially_correct"}),
    "preference": ({"prompt": "Which?", "response_a": ATTACK, "response_b": "I can't."}, {"preference": "B"}),
    "ranking": (
        {"prompt": "Which?", "response_1": ATTACK, "response_2": "Second.", "response_3": "Third\n\n  one."},
        {"ranking": {"response_1": 3, "response_2": 1, "response_3": 1}},
    ),
    "chat_review": (
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ATTACK}]},
        {"rating": 3, "label": "correct"},
    ),
    "summary_review": ({"transcript": TRANSCRIPT, "summary": ATTACK}, {"rating": 1, "faithfulness": "unfaithful"}),
    "action_items": (
        {"transcript": TRANSCRIPT, "action_items": "- Bo: run the tests by Thursday\n- Ann: decide"},
        {"label": "partially_correct", "problems": ["wrong_date"]},
    ),
    "follow_up_qa": (
        {"transcript": TRANSCRIPT, "question": "When do they ship?", "answer": "On Friday,\n  if the tests pass."},
        {"rating": 5, "grounding": "supported"},
    ),
    "span_errors": (
        {
            "prompt": "Write.",
            "response": "😀😀 Alice went to \u05e9\u05dc\u05d5\u05dd e\u0301 Paris 👩‍👩‍👧 with <Bob>.\n" + ATTACK,
        },
        {
            "errors": [
                {"start": 3, "end": 8, "label": "factual_error"},
                {"start": 25, "end": 30, "label": "unsupported"},
            ]
        },
    ),
}


class Desk:
    """The campaign's side: push records, pull what the person in the browser did."""

    def __init__(self, server: LocalLabelStudio, template: TaskTemplate, folder: Path) -> None:
        self.server = LabelStudio(server.url, server.token)
        self.project = Project(f"Browser {next(_NUMBERS)}", template, repeats=3)
        self.folder = folder
        self.id = ""

    def push(self, record: Record) -> str:
        result = push(self.server, self.project, [record])
        assert result.sent == 1
        self.id = result.project.id
        return self.id

    def pull(self) -> list[Annotation]:
        feedback = Feedback(self.folder / "feedback.jsonl")
        pull(self.server, self.id, feedback, People(self.folder))
        return feedback.history


@pytest.fixture
def desk(label_studio: LocalLabelStudio, tmp_path: Path) -> Iterator[Callable[[TaskTemplate], Desk]]:
    made: list[Desk] = []

    def desk(template: TaskTemplate) -> Desk:
        made.append(Desk(label_studio, template, tmp_path))
        return made[-1]

    yield desk
    for one in made:
        one.server.close()


Visit = Callable[[str], Visitor]
MakeDesk = Callable[[TaskTemplate], Desk]


def record_for(name: str) -> tuple[TaskTemplate, Record]:
    template = load_template(name)
    fields, answers = CASES[name]
    suggestions = [Suggestion(question, value, 0.5, "a-model") for question, value in answers.items()]
    return template, Record(fields=template.check_fields(fields), suggestions=suggestions)


def shown(page: Page, field: str) -> str:
    """The text of a field as the browser shows it."""
    titles = page.locator(".ab-card").filter(has=page.locator(f"h4:text-is('{field}')"))
    return str(titles.locator(".lsf-richtext__container, [data-testid='phrases-wrapper']").first.inner_text())


def stars(page: Page) -> int:
    return page.locator(".ant-rate-star-full").count()


def ticked(page: Page) -> list[str]:
    """What is chosen, by the text beside it, without its keyboard key."""
    texts = page.locator(".lsf-choice:has(input:checked)").all_inner_texts()
    return [text.partition("[")[0].strip() for text in texts]


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_template_shows_text_as_text_and_takes_an_answer(visit: Visit, desk: MakeDesk, name: str) -> None:
    template, record = record_for(name)
    here = desk(template)
    visitor = visit("reader")
    page = visitor.label(here.push(record))
    page.wait_for_timeout(500)  # time for anything hostile to run
    visitor.screenshot(name)
    for field, value in record.fields.items():
        spec = template.field_for(field)
        assert spec is not None
        title = f"{spec.title} {field.removeprefix(spec.name).lstrip('_')}".strip()
        text = shown(page, title)
        if isinstance(value, str):
            assert text.rstrip("\n") == value.rstrip("\n")
        else:
            for message in value:
                assert message["role"] in text
                assert message["content"] in text
            assert "00:00" not in text
    visitor.submit()
    assert visitor.nothing_ran()
    (annotation,) = here.pull()
    expected: dict[str, Value] = {s.question: s.value for s in record.suggestions}
    expected.update(template.prefilled(record))
    assert {q: v for q, v in annotation.answers.items() if v != []} == expected


def test_a_person_changes_a_suggestion_rewrites_and_submits(visit: Visit, desk: MakeDesk) -> None:
    template = load_template("review")
    fields = {"prompt": "Reverse a list.", "response": "Call reverse:\n\n\titems.reverse()  # in place"}
    record = Record("r1", fields, [Suggestion("rating", 2, 0.4), Suggestion("label", "incorrect", 0.6)])
    here = desk(template)
    visitor = visit("ann")
    page = visitor.label(here.push(record))
    box = page.locator("[data-testid='htx-textbox-content']")

    assert stars(page) == 2
    assert ticked(page) == ["Incorrect"]
    assert box.inner_text().strip("\n") == fields["response"]

    page.locator(".ant-rate-star").nth(3).click()
    page.locator(".lsf-choice:has-text('Partially correct') label").click()
    page.click("[data-testid='htx-textbox-edit-button']")
    editor = page.locator("[data-testid='htx-textbox-input']")
    rewrite = "Slice it 😀:\n\n\tbackwards = items[::-1]  # a copy\n\n<b>done</b>"
    editor.fill(rewrite)
    visitor.screenshot("review-changed")
    visitor.submit()

    (annotation,) = here.pull()
    assert annotation.answers == {"rating": 4, "label": "partially_correct", "improved_response": rewrite}
    assert annotation.status == "submitted"
    assert annotation.lead_time_s is not None
    assert annotation.lead_time_s > 0
    assert visitor.nothing_ran()


def test_the_keyboard_is_enough(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("label"))
    visitor = visit("keys")
    page = visitor.label(here.push(Record("r1", {"prompt": "p", "response": "r"})))
    page.keyboard.press("3")
    assert ticked(page) == ["Incorrect"]
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.keyboard.press("Control+Enter")
    assert [a.answers for a in here.pull()] == [{"label": "incorrect"}]


def test_skip_is_a_skip(visit: Visit, desk: MakeDesk) -> None:
    template, record = record_for("review")
    here = desk(template)
    visitor = visit("skipper")
    page = visitor.label(here.push(record))
    with page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
        page.click("button:has-text('Skip')")
    (annotation,) = here.pull()
    assert (annotation.status, annotation.answers) == ("discarded", {})


def test_a_passage_marked_with_the_mouse_comes_back_in_code_points(visit: Visit, desk: MakeDesk) -> None:
    text = "😀👩‍👩‍👧 e\u0301 \u05e9\u05dc\u05d5\u05dd then Paris is wrong"
    here = desk(load_template("span_errors"))
    visitor = visit("marker")
    page = visitor.label(here.push(Record("r1", {"prompt": "p", "response": text})))
    page.keyboard.press("1")
    # Selected in the page and released with the mouse, as a double click on the word does.
    spot = page.evaluate(
        """() => {
            const walker = document.createTreeWalker(document.querySelectorAll('.lsf-richtext__container')[1], 4);
            for (let node; node = walker.nextNode();) {
                const at = node.textContent.indexOf('Paris');
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(node, at); range.setEnd(node, at + 5);
                const box = range.getBoundingClientRect();
                return [box.left + box.width / 2, box.top + box.height / 2];
            }
        }"""
    )
    page.mouse.dblclick(*spot)
    page.wait_for_selector(".htx-highlight")
    visitor.submit()
    (annotation,) = here.pull()
    start = text.index("Paris")
    assert annotation.answers == {"errors": [{"start": start, "end": start + 5, "label": "factual_error"}]}


def test_suggested_spans_mark_the_right_words(visit: Visit, desk: MakeDesk) -> None:
    template, record = record_for("span_errors")
    here = desk(template)
    page = visit("reader").label(here.push(record))
    page.wait_for_selector(".htx-highlight")
    text = record.fields["response"]
    words = [text[span["start"] : span["end"]] for span in CASES["span_errors"][1]["errors"]]  # type: ignore[index,union-attr]
    assert sorted(page.locator(".htx-highlight").all_inner_texts()) == sorted(words)  # type: ignore[type-var]


def test_titles_labels_and_guidelines_are_text_too(visit: Visit, desk: MakeDesk) -> None:
    hostile = "<img src=x onerror=alert(1)> $prompt {{x}} &amp; \"'"
    template = TaskTemplate.model_validate(
        {
            "version": 1,
            "name": "hostile",
            "title": hostile,
            "description": hostile,
            "guidelines": hostile,
            "fields": [{"name": "prompt", "title": hostile}],
            "questions": [
                {
                    "name": "label",
                    "type": "label",
                    "title": hostile,
                    "description": hostile,
                    "options": [{"value": hostile, "title": hostile}, {"value": "$prompt", "title": "$prompt"}],
                }
            ],
        }
    )
    here = desk(template)
    visitor = visit("reader")
    page = visitor.label(here.push(Record("r1", {"prompt": "THE PROMPT"}, [Suggestion("label", hostile)])))
    visitor.screenshot("hostile-template")
    seen = page.locator(".ab").inner_text().replace("\u2060", "")
    assert seen.count("THE PROMPT") == 1
    assert seen.count(hostile) >= 4
    visitor.submit()
    assert [a.answers for a in here.pull()] == [{"label": hostile}]
    assert visitor.nothing_ran()


def test_windows_line_ends_are_one_line_break(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("rewrite"))
    fields = {"prompt": "one\r\ntwo\r\n\r\nfour", "response": "one\ntwo\n\nfour"}
    visitor = visit("reader")
    page = visitor.label(here.push(Record("r1", fields)))
    texts = page.locator(".ab-card .lsf-richtext__container").all()
    windows, unix = (text.bounding_box() for text in texts)
    assert windows is not None
    assert unix is not None
    # Empty lines differ by a few pixels; a second break for each line end would add lines of twenty.
    assert abs(windows["height"] - unix["height"]) < 10
    assert page.locator("[data-testid='htx-textbox-content']").inner_text().strip("\n") == fields["response"]
