"""What annotators see and do in Label Studio, in a real browser. Screenshots go to build/screenshots/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bridge.records import Record, Suggestion, Value
from bridge.servers.label_studio import LabelStudio
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.shown import one_line_break
from bridge.templates import load_template
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

pytestmark = [pytest.mark.live, pytest.mark.browser]


class Annotator(Visitor):
    """A visitor who labels."""

    def label(self, project: str) -> Page:
        """Open the labelling stream of a project."""
        self.page.goto(f"{self.origin}/projects/{project}/data?labeling=1")
        self.page.wait_for_selector(".ab-fields .lsf-object, .ab-fields [class*=phrase]", timeout=60_000)
        self.page.wait_for_selector("button:has-text('Submit'):not([disabled])", timeout=60_000)
        return self.page

    def submit(self) -> None:
        """Press Submit and wait until the server has taken the answer."""
        with self.page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST") as reply:
            self.page.click("button:has-text('Submit')")
        assert reply.value.status == 201


@pytest.fixture(scope="module")
def sessions(browser: Browser, label_studio: LocalLabelStudio) -> Iterator[Sessions]:
    def log_in(name: str, page: Page) -> None:
        user = label_studio.add_user(f"{name}@example.org")
        page.goto(f"{label_studio.url}/user/login/")
        page.fill("input[name=email]", user.email)
        page.fill("input[name=password]", user.password.reveal())
        with page.expect_navigation():
            page.press("input[name=password]", "Enter")

    sessions = Sessions(browser, log_in)
    yield sessions
    sessions.close()


Visit = Callable[[str], Annotator]
MakeDesk = Callable[..., Desk]


@pytest.fixture
def visit(sessions: Sessions, label_studio: LocalLabelStudio) -> Iterator[Visit]:
    """A new page of somebody who has logged in."""
    pages: list[Page] = []

    def visit(name: str) -> Annotator:
        pages.append(sessions.page(name))
        return Annotator(pages[-1], label_studio.url)

    yield visit
    for page in pages:
        page.close()


@pytest.fixture
def desk(label_studio: LocalLabelStudio, tmp_path: Path) -> Iterator[MakeDesk]:
    server = LabelStudio(label_studio.url, label_studio.token)
    yield lambda template, repeats=3: Desk(server, template, tmp_path, repeats=repeats)
    server.close()


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
    page.wait_for_timeout(500)  # time for fonts and colours
    visitor.screenshot(name)
    for field, value in record.fields.items():
        spec = template.field_for(field)
        assert spec is not None
        title = f"{spec.title} {field.removeprefix(spec.name).lstrip('_')}".strip()
        text = shown(page, title)
        if isinstance(value, str):
            assert text.rstrip("\n") == one_line_break(value).rstrip("\n")
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


@pytest.mark.parametrize("word", WORDS)
def test_a_passage_marked_with_the_mouse_comes_back_in_code_points(visit: Visit, desk: MakeDesk, word: str) -> None:
    here = desk(load_template("span_errors"))
    visitor = visit("marker")
    page = visitor.label(here.push(Record("r1", {"prompt": "p", "response": MARKED})))
    page.keyboard.press("1")
    left, right, middle = visitor.place_of(word, ".ab-card:nth-of-type(2) .lsf-richtext__container")
    page.mouse.dblclick((left + right) / 2, middle)
    page.wait_for_selector(".htx-highlight")
    visitor.submit()
    (annotation,) = here.pull()
    assert annotation.answers == {"errors": spans(passages=[word])}


def test_suggested_spans_mark_the_right_words_and_come_back(visit: Visit, desk: MakeDesk) -> None:
    here = desk(load_template("span_errors"))
    visitor = visit("reader")
    page = visitor.label(
        here.push(Record("r1", {"prompt": "p", "response": MARKED}, [Suggestion("errors", spans(), 0.5)]))
    )
    page.wait_for_selector(".htx-highlight")
    marked = page.locator(".htx-highlight").all_inner_texts()
    assert "".join(marked) == one_line_break("".join(PASSAGES)).replace("\n", "")
    visitor.submit()
    assert [a.answers for a in here.pull()] == [{"errors": spans()}]


@pytest.mark.parametrize("texts", [ATTACKS, TEXTS], ids=["attacks", "texts"])
def test_every_kind_of_field_shows_any_text_as_it_stands(visit: Visit, desk: MakeDesk, texts: dict[str, str]) -> None:
    template, record = all_kinds(texts)
    here = desk(template, repeats=len(texts))
    visitor = visit("reader")
    page = visitor.label(here.push(record))
    for number, text in enumerate(texts.values(), 1):
        assert shown(page, f"Text {number}").rstrip("\n") == one_line_break(text).rstrip("\n")
    for field in ("Chat", "Talk"):
        seen = shown(page, field)
        for text in texts.values():
            assert one_line_break(text).rstrip("\n") in seen
    visitor.submit()
    assert visitor.nothing_ran()
    assert [a.answers for a in here.pull()] == [{"seen": "yes"}]


def test_every_field_that_takes_marks_shows_attacks_as_text(visit: Visit, desk: MakeDesk) -> None:
    template, record = all_marked(ATTACKS)
    here = desk(template)
    visitor = visit("reader")
    page = visitor.label(here.push(record))
    page.wait_for_selector(".htx-highlight")
    for name, text in record.fields.items():
        assert shown(page, f"Title of {name}").rstrip("\n") == text
    visitor.submit()
    assert visitor.nothing_ran()
    (annotation,) = here.pull()
    assert annotation.answers == {s.question: s.value for s in record.suggestions}


def test_titles_labels_and_guidelines_are_text_too(visit: Visit, desk: MakeDesk) -> None:
    template = hostile_template()
    suggestions = [Suggestion(question, value, 0.5, HOSTILE) for question, value in HOSTILE_ANSWERS.items()]
    here = desk(template)
    visitor = visit("reader")
    page = visitor.label(here.push(Record("r1", HOSTILE_FIELDS, suggestions)))
    page.click("text=Guidelines")
    visitor.screenshot("hostile-template")
    seen = page.locator(".ab").inner_text().replace("\u2060", "")
    assert seen.count("THE PROMPT") == 1
    assert seen.count(HOSTILE) >= 4
    for line in template.guidelines.splitlines():
        assert line.strip() in seen
    visitor.submit()
    assert [a.answers for a in here.pull()] == [HOSTILE_ANSWERS]
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
