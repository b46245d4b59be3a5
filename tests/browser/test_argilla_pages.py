"""What annotators see and do in Argilla, in a real browser. Screenshots go to build/screenshots/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from bridge.errors import UsageError
from bridge.records import Record, Suggestion, Value
from bridge.servers.argilla import Argilla
from bridge.servers.shown import one_line_break
from bridge.templates import TaskTemplate, load_template
from tests.browser.cases import (
    ATTACKS,
    CASES,
    HOSTILE,
    HOSTILE_ANSWERS,
    HOSTILE_FIELDS,
    MARKED,
    PASSAGES,
    TEXTS,
    WORDS,
    all_kinds,
    all_marked,
    hostile_template,
    record_for,
    spans,
)
from tests.browser.conftest import Desk, Sessions, Visitor

if TYPE_CHECKING:
    from bridge.servers.local_argilla import LocalArgilla

pytestmark = [pytest.mark.live, pytest.mark.browser]

FONTS = frozenset(
    {
        "https://fonts.googleapis.com/css2?family=Inter:wght@300;400;500;600;700;800&display=swap",
        "https://fonts.googleapis.com/css2?family=Roboto+Condensed&display=swap",
    }
)
"""What Argilla's page asks of others whatever it shows; it works without them."""

MARKABLE = ".span-annotation__field--overlapped"
SUBMIT, DRAFT, DISCARD = ".button--submit", ".button--draft", ".button--discard"
BOX = "[contenteditable=true]"


class Annotator(Visitor):
    """A visitor who answers."""

    def answer(self, dataset: str, status: str = "pending") -> Page:
        """Open a dataset where its records are answered."""
        self.page.goto(f"{self.origin}/dataset/{dataset}/annotation-mode?page=1&status={status}")
        self.page.wait_for_selector(SUBMIT, timeout=60_000)
        self.page.wait_for_timeout(500)  # suggestions are filled in once the record is drawn
        return self.page

    def press(self, button: str) -> None:
        """Press a button of the form and wait until the server has taken the answer."""
        with self.page.expect_response(
            lambda r: "/responses" in r.url and r.request.method in ("POST", "PUT")
        ) as reply:
            self.page.click(button)
        assert reply.value.status in (200, 201)

    def text_of(self, title: str) -> str:
        """The text of a field as the browser shows it."""
        card = self.page.locator(".text_field_component").filter(
            has=self.page.locator(f".text_field_component__title-content:text-is('{title}')")
        )
        return str(card.locator(f".content-area > div, {MARKABLE}").first.inner_text())

    def question(self, name: str) -> Locator:
        """The part of the form that asks a question."""
        return self.page.locator(f"[aria-label='Question: {name}']")

    def chosen(self, name: str) -> list[str]:
        """The options of a question that are on."""
        return [text.split("\n")[-1].strip() for text in self.question(name).locator(".label-active").all_inner_texts()]

    def marked(self) -> list[str]:
        """The passages that the page highlights, in the order of the text, before anybody points at one."""
        ranges = """[...CSS.highlights.entries()]
            .filter(([name]) => name.startsWith("hl-") && !name.endsWith("selection"))
            .flatMap(([_, ranges]) => [...ranges])"""
        self.page.wait_for_function(f"{ranges}.length")
        found: list[str] = self.page.evaluate(
            f"{ranges}.sort((one, other) => one.startOffset - other.startOffset).map(range => range.toString())"
        )
        return found


Visit = Callable[[str], Annotator]
MakeDesk = Callable[..., Desk]


@pytest.fixture(scope="module")
def sessions(browser: Browser, argilla: LocalArgilla) -> Iterator[Sessions]:
    def log_in(name: str, page: Page) -> None:
        user = argilla.add_user(f"{name}@example.org")
        page.route("https://fonts.googleapis.com/**", lambda route: route.abort())
        page.goto(f"{argilla.url}/sign-in")
        page.fill("input[name=Username]", user.username)
        page.fill("input[type=password]", user.password.reveal())
        page.click("button:has-text('Sign in')")
        page.wait_for_url(lambda url: "sign-in" not in url)

    sessions = Sessions(browser, log_in)
    yield sessions
    sessions.close()


@pytest.fixture
def visit(sessions: Sessions, argilla: LocalArgilla) -> Iterator[Visit]:
    """A new page of somebody who has logged in."""
    pages: list[Page] = []

    def visit(name: str) -> Annotator:
        pages.append(sessions.page(name))
        return Annotator(pages[-1], argilla.url, FONTS)

    yield visit
    for page in pages:
        page.close()


@pytest.fixture
def desk(argilla: LocalArgilla, tmp_path: Path) -> Iterator[MakeDesk]:
    server = Argilla(argilla.url, argilla.api_key, argilla.workspace)
    yield lambda template, **options: Desk(server, template, tmp_path, **options)
    server.close()


def shown_in_a_box(text: str) -> str:
    """A text without what keeps Argilla from showing it as Markdown, and the line break behind its end."""
    return text.replace("\ufe0e", "").rstrip("\n")


# Text as text


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_template_shows_text_as_text_and_takes_an_answer(visit: Visit, desk: MakeDesk, name: str) -> None:
    template, record = record_for(name)
    here = desk(template)
    visitor = visit("reader")
    page = visitor.answer(here.push(record))
    visitor.screenshot(f"argilla-{name}")
    for field, value in record.fields.items():
        spec = template.field_for(field)
        assert spec is not None
        title = f"{spec.title} {field.removeprefix(spec.name).lstrip('_')}".strip()
        if isinstance(value, str):
            assert visitor.text_of(title) == one_line_break(value)
        elif spec.type == "transcript":
            assert visitor.text_of(title) == "\n\n".join(f"{m['role']}: {m['content']}" for m in value)
        else:
            assert page.locator(".chat__bubble").all_inner_texts() == [message["content"] for message in value]
    visitor.press(SUBMIT)
    assert visitor.nothing_ran()
    (annotation,) = here.pull()
    expected: dict[str, Value] = {s.question: s.value for s in record.suggestions}
    expected.update(template.prefilled(record))
    assert {q: v for q, v in annotation.answers.items() if v != []} == expected


@pytest.mark.parametrize("texts", [ATTACKS, TEXTS], ids=["attacks", "texts"])
def test_every_kind_of_field_shows_any_text_as_it_stands(visit: Visit, desk: MakeDesk, texts: dict[str, str]) -> None:
    template, record = all_kinds(texts)
    here = desk(template, repeats=len(texts))
    visitor = visit("reader")
    page = visitor.answer(here.push(record))
    for number, text in enumerate(texts.values(), 1):
        assert visitor.text_of(f"Text {number}") == one_line_break(text)
    assert page.locator(".chat__bubble").all_inner_texts() == [one_line_break(text) for text in texts.values()]
    talk: Any = record.fields["talk"]
    assert visitor.text_of("Talk") == one_line_break("\n\n".join(f"{m['role']}: {m['content']}" for m in talk))
    visitor.press(SUBMIT)
    assert visitor.nothing_ran()
    assert [a.answers for a in here.pull()] == [{"seen": "yes"}]


@pytest.mark.parametrize("texts", [ATTACKS, TEXTS], ids=["attacks", "texts"])
def test_every_field_that_takes_marks_shows_any_text_as_it_stands(
    visit: Visit, desk: MakeDesk, texts: dict[str, str]
) -> None:
    template, record = all_marked(texts)
    here = desk(template)
    visitor = visit("reader")
    visitor.answer(here.push(record))
    for name, text in record.fields.items():
        assert visitor.text_of(f"Title of {name}") == one_line_break(str(text))
    visitor.press(SUBMIT)
    assert visitor.nothing_ran()
    (annotation,) = here.pull()
    assert annotation.answers == {s.question: s.value for s in record.suggestions}


@pytest.mark.parametrize("texts", [ATTACKS, TEXTS], ids=["attacks", "texts"])
def test_suggested_texts_stay_text_in_the_box_and_in_the_tab_that_shows_them_as_markdown(
    visit: Visit, desk: MakeDesk, texts: dict[str, str]
) -> None:
    names = [f"text_{chr(ord('a') + number)}" for number in range(len(texts))]
    questions = [{"name": name, "type": "text", "title": name} for name in names]
    fields = [{"name": "prompt", "title": "Prompt"}]
    template = TaskTemplate.model_validate(
        {"version": 1, "name": "boxes", "title": "Boxes", "fields": fields, "questions": questions}
    )
    suggestions = [Suggestion(name, text, 0.5, "m") for name, text in zip(names, texts.values(), strict=True)]
    here = desk(template)
    visitor = visit("reader")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p"}, suggestions)))
    for name, text in zip(names, texts.values(), strict=True):
        box = visitor.question(name).locator(BOX)
        assert shown_in_a_box(box.inner_text()) == text.rstrip("\n")
        box.focus()
        page.keyboard.press("Control+Home")
        page.keyboard.type("New. ")
        visitor.question(name).locator(".card-with-tabs__tab button").nth(1).click()
        visitor.question(name).locator(".markdown-render").wait_for()
    assert visitor.nothing_ran()
    assert not page.locator(".markdown-render :is(img, object, embed, iframe, style, link, form, video, audio)").count()
    visitor.press(SUBMIT)
    (annotation,) = here.pull()
    assert annotation.answers == {s.question: f"New. {s.value}" for s in suggestions}


def test_titles_labels_and_guidelines_are_text_too(visit: Visit, desk: MakeDesk) -> None:
    template = hostile_template()
    suggestions = [Suggestion(question, value, 0.5, HOSTILE) for question, value in HOSTILE_ANSWERS.items()]
    here = desk(template, title=HOSTILE)
    visitor = visit("reader")
    page = visitor.answer(here.push(Record("r1", HOSTILE_FIELDS, suggestions)))
    assert page.locator(".breadcrumbs").inner_text().count(HOSTILE) == 1
    assert page.locator(".fields").inner_text().count(HOSTILE) == 3
    assert visitor.question("label").inner_text().count(HOSTILE) == 2
    assert visitor.question("labels").inner_text().count(HOSTILE) == 2
    assert visitor.question("rating").inner_text().count(HOSTILE) == 2  # what 1 means stands beside the title
    assert visitor.question("ranking").inner_text().count(f"{HOSTILE} 1") == 1
    assert visitor.question("marks").inner_text().count(HOSTILE) == 2
    page.click("text=Guidelines")
    page.wait_for_selector(".markdown-render")
    guidelines = page.locator(".markdown-render").inner_text().replace("\u00a0", " ")
    assert guidelines.split("\n") == [line or " " for line in template.guidelines.split("\n")]
    visitor.screenshot("argilla-hostile-template")
    for hint in [*page.locator(".icon-info").all(), *page.locator(".label-active").all()]:
        hint.hover()
    page.goto(visitor.origin)
    page.wait_for_selector(f"text={here.project.title.split()[-2]}")
    visitor.answer(here.id)
    visitor.press(SUBMIT)
    assert visitor.nothing_ran()
    assert [a.answers for a in here.pull()] == [HOSTILE_ANSWERS]


def test_guidelines_that_would_be_too_long_as_markdown_are_shown_as_one_block(visit: Visit, desk: MakeDesk) -> None:
    lines = [*ATTACKS.values(), "```", "~~~", *(f"{number}. **Read** <b>it</b>!" for number in range(300))]
    template = load_template("rating").model_copy(update={"guidelines": "\n".join(lines)})
    here = desk(template)
    visitor = visit("reader")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "r"})))
    page.click("text=Guidelines")
    page.wait_for_selector(".markdown-render")
    assert page.locator(".markdown-render").inner_text().rstrip("\n") == "\n".join(lines)
    assert visitor.nothing_ran()


# Spans


def test_suggested_spans_mark_the_right_words_and_come_back(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("span_errors"))
    visitor = visit("reader")
    fields = {"prompt": "p", "response": MARKED}
    visitor.answer(here.push(Record("r1", fields, [Suggestion("errors", spans(), 0.5)])))
    assert visitor.marked() == [one_line_break(passage) for passage in PASSAGES]
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"errors": spans()}]


@pytest.mark.parametrize("word", WORDS)
def test_a_passage_marked_with_the_mouse_comes_back_in_code_points(visit: Visit, desk: MakeDesk, word: str) -> None:
    here = desk(load_template("span_errors"))
    visitor = visit("marker")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": MARKED})))
    visitor.question("errors").get_by_text("Says something false").click()
    left, right, middle = visitor.place_of(word, MARKABLE)
    page.mouse.move(left + 1, middle)
    page.mouse.down()
    page.mouse.move(right - 1, middle, steps=5)
    page.mouse.up()
    assert visitor.marked() == [word]
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"errors": spans(passages=[word])}]


@pytest.mark.parametrize("text", ["😀" * 30, "x" * 70_000 + " 😀", "<&>" * 10, "😀"], ids=len)
def test_a_span_may_end_where_the_text_ends(visit: Visit, desk: MakeDesk, text: str) -> None:
    here = desk(load_template("span_errors"))
    marks = [{"start": len(text) - 1, "end": len(text), "label": "unsupported"}]
    visitor = visit("reader")
    visitor.answer(here.push(Record("r1", {"prompt": "p", "response": text}, [Suggestion("errors", marks)])))
    assert visitor.text_of("Response") == text
    assert visitor.marked() == [text[-1]]
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"errors": marks}]


def test_overlapping_spans_stay_what_they_are(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("span_errors"))
    marks = [
        {"start": 0, "end": 5, "label": "factual_error"},
        {"start": 0, "end": 5, "label": "language_error"},
        {"start": 2, "end": 9, "label": "unsupported"},
    ]
    visitor = visit("reader")
    fields = {"prompt": "p", "response": "😀 one two"}
    visitor.answer(here.push(Record("r1", fields, [Suggestion("errors", marks)])))
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"errors": marks}]


# Answers


def test_a_person_changes_a_suggestion_rewrites_and_submits(visit: Visit, desk: MakeDesk) -> None:
    template = load_template("review")
    fields = {"prompt": "Reverse a list.", "response": "Call reverse:\n\n\titems.reverse()  # in place"}
    record = Record("r1", fields, [Suggestion("rating", 2, 0.4), Suggestion("label", "incorrect", 0.6)])
    here = desk(template)
    visitor = visit("ann")
    page = visitor.answer(here.push(record))
    box = visitor.question("improved_response").locator(BOX)

    assert page.locator("#rating_2").is_checked()
    assert page.locator("#label_incorrect").is_checked()
    assert box.inner_text() == fields["response"]

    page.click("label[for=rating_4]")
    page.click("label[for=label_partially_correct]")
    box.focus()
    page.keyboard.press("Control+A")
    rewrite = "  Slice it 😀:\n\n\n  backwards = items[::-1]  # a  copy\n\n<b>done</b> ![x](y)"
    page.keyboard.type(rewrite)
    visitor.screenshot("argilla-review-changed")
    visitor.press(SUBMIT)

    (annotation,) = here.pull()
    assert annotation.answers == {"rating": 4, "label": "partially_correct", "improved_response": rewrite}
    assert annotation.status == "submitted"
    assert visitor.nothing_ran()


@pytest.mark.parametrize("end", ["", "\n", "\n\n"], ids=["none", "one", "two"])
def test_line_breaks_at_the_end_of_a_text_are_those_that_people_left_there(
    visit: Visit, desk: MakeDesk, end: str
) -> None:
    here = desk(load_template("rewrite"))
    visitor = visit("ann")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": f"one\ntwo{end}"})))
    visitor.press(SUBMIT)
    page = visitor.answer(here.id, "submitted")
    assert [a.answers for a in here.pull()] == [{"improved_response": f"one\ntwo{end}"}]

    page.locator(BOX).focus()
    page.keyboard.press("Control+Home")
    page.keyboard.type("zero, ")
    visitor.press(SUBMIT)
    assert here.pull()[-1].answers == {"improved_response": f"zero, one\ntwo{end}"}


def test_a_text_that_ends_in_line_breaks_can_be_typed(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("rewrite"))
    visitor = visit("ann")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "one"})))
    page.locator(BOX).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("first\nsecond\n\n")
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"improved_response": "first\nsecond\n\n"}]


def test_a_suggested_tag_is_deleted_with_what_keeps_it_from_being_one(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("rewrite"))
    visitor = visit("ann")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "a <b> c ![d]"})))
    page.locator(BOX).focus()
    page.keyboard.press("Control+End")
    for _ in "![d]":
        page.keyboard.press("Backspace")
    page.keyboard.press("Control+Home")
    for _ in "a <":
        page.keyboard.press("Delete")
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"improved_response": "b> c "}]


def test_the_keyboard_is_enough(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("label"))
    visitor = visit("keys")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "r"})))
    page.wait_for_selector("[aria-label='Question: label'] input:focus", state="attached")
    with page.expect_response(lambda r: "/responses" in r.url and r.request.method == "POST"):
        page.keyboard.press("3")  # of a template with one question the answer is sent at once
    assert [a.answers for a in here.pull()] == [{"label": "incorrect"}]


def test_a_discarded_record_has_no_answers(visit: Visit, desk: MakeDesk) -> None:
    template, record = record_for("review")
    here = desk(template)
    visitor = visit("skipper")
    visitor.answer(here.push(record))
    visitor.press(DISCARD)
    (annotation,) = here.pull()
    assert (annotation.status, annotation.answers) == ("discarded", {})


def test_a_draft_is_a_draft_until_it_is_submitted(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("review"))
    visitor = visit("drafter")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "r"})))
    assert page.locator(SUBMIT).is_disabled()
    page.click("label[for=rating_4]")
    visitor.press(DRAFT)
    (annotation,) = here.pull()
    assert annotation.status == "draft"
    assert annotation.answers["rating"] == 4

    page = visitor.answer(here.id, "draft")
    page.click("label[for=label_correct]")
    visitor.press(SUBMIT)
    annotation = here.pull()[-1]
    assert (annotation.status, annotation.answers["label"]) == ("submitted", "correct")


# What Argilla insists on


def test_where_nothing_is_wrong_nothing_need_be_marked(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("span_errors"))
    visitor = visit("reader")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "All is well."})))
    assert page.locator(SUBMIT).is_enabled()
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"errors": []}]


def test_where_every_answer_is_optional_a_text_may_stay_as_it_is(visit: Visit, desk: MakeDesk) -> None:
    shape = load_template("rewrite").model_dump(exclude_none=True)
    shape["questions"][0]["required"] = False
    shape["questions"].insert(
        0, {"name": "tone", "type": "multi_label", "title": "Tone?", "required": False, "options": ["rude", "odd"]}
    )
    here = desk(TaskTemplate.model_validate(shape))
    visitor = visit("reader")
    page = visitor.answer(here.push(Record("r1", {"prompt": "p", "response": "r"})))
    assert page.locator(SUBMIT).is_enabled()
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"tone": [], "improved_response": "r"}]


def test_where_people_could_not_submit_without_an_answer_nothing_is_made(desk: MakeDesk) -> None:
    shape = load_template("multi_label").model_dump(exclude_none=True)
    shape["questions"][0]["required"] = False
    here = desk(TaskTemplate.model_validate(shape))
    with pytest.raises(UsageError, match=r"question 'labels': Argilla needs a question that must be answered"):
        here.push(Record("r1", {"prompt": "p", "response": "r"}))
    assert here.server.people() is not None  # the connection is as good as before


def ranked(page: Page) -> list[list[str]]:
    """The cards in each place, best first, and those that stand in none."""
    places = page.locator(".draggable__slot-box:not(.draggable__slot-box--ranking)").all()
    lists = [place.locator(".draggable__rank-card__title").all_inner_texts() for place in places]
    lists.append(page.locator(".draggable__questions-container .draggable__rank-card__title").all_inner_texts())
    return [sorted(cards) for cards in lists]


def test_cards_of_responses_that_a_record_has_not_are_placed_already(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("ranking"))
    visitor = visit("ann")
    record = Record("r1", {"prompt": "p", "response_1": "one", "response_2": "two"})
    page = visitor.answer(here.push(record))
    assert ranked(page) == [[], [], ["Response 3"], ["Response 1", "Response 2"]]
    assert page.locator(SUBMIT).is_disabled()
    visitor.screenshot("argilla-ranking-of-two")
    page.drag_and_drop("#response_2", ".draggable__slot:nth-child(1) .draggable__slot-box:last-child")
    page.drag_and_drop("#response_1", ".draggable__slot:nth-child(2) .draggable__slot-box:last-child")
    assert ranked(page) == [["Response 2"], ["Response 1"], ["Response 3"], []]
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"ranking": {"response_1": 2, "response_2": 1}}]


def test_a_suggested_ranking_can_be_turned_round(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("ranking"))
    visitor = visit("ann")
    fields = {"prompt": "p", "response_1": "one", "response_2": "two"}
    record = Record("r1", fields, [Suggestion("ranking", {"response_1": 1, "response_2": 2}, 0.5, "m")])
    page = visitor.answer(here.push(record))
    assert ranked(page) == [["Response 1"], ["Response 2"], ["Response 3"], []]
    page.locator("#response_1").focus()
    page.keyboard.press("2")
    assert ranked(page) == [[], ["Response 1", "Response 2"], ["Response 3"], []]
    visitor.press(SUBMIT)
    assert [a.answers for a in here.pull()] == [{"ranking": {"response_1": 2, "response_2": 2}}]
