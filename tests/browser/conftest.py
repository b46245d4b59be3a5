"""A real browser for the tests that look at what annotators see, and what the tests of both servers share."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bridge.annotations import Annotation
from bridge.records import Record
from bridge.servers.protocol import Project, Server
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push
from bridge.templates import TaskTemplate

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

# Nothing of the browser's own may reach for the network, and it need not be a sandbox inside a test machine.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium, headless."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "Chromium is not installed: see tests/system-packages.txt"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Visitor:
    """A person in a browser, with a record of everything that the page tried to do.

    Args:
        page: a page of somebody who has logged in.
        origin: the server; whatever else the page asks for is noted and not fetched.
        own: addresses elsewhere that the server's page asks for whatever it shows.
    """

    def __init__(self, page: Page, origin: str, own: frozenset[str] = frozenset()) -> None:
        self.page = page
        self.origin = origin
        self.own = own
        self.strangers: list[str] = []
        self.dialogs: list[str] = []
        page.route(re.compile(f"^(?!{re.escape(origin)}/|data:|blob:)"), lambda route: route.abort())
        page.on("request", lambda request: self._note(request.url))
        page.on("popup", lambda popup: self._note(f"popup {popup.url}"))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def _note(self, url: str) -> None:
        inside = url.startswith((f"{self.origin}/", "data:", "blob:")) and "canary" not in url
        if not inside and url not in self.own:
            self.strangers.append(url)

    def screenshot(self, name: str) -> None:
        """Keep what is on the screen, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def nothing_ran(self) -> bool:
        """Whether no script of a record ran, in no frame, and no request left the server."""
        self.page.wait_for_timeout(500)  # time for anything hostile to run
        untouched = all(frame.evaluate("window.canary === undefined") for frame in self.page.frames)
        return untouched and not self.dialogs and not self.strangers

    def place_of(self, words: str, selector: str) -> tuple[float, float, float]:
        """Where words stand on the page, in the element with that selector: left, right and the middle of the line."""
        left, right, middle = self.page.evaluate(
            """([words, selector]) => {
                const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
                for (let node; node = walker.nextNode();) {
                    const at = node.textContent.indexOf(words);
                    if (at < 0) continue;
                    const range = document.createRange();
                    range.setStart(node, at);
                    range.setEnd(node, at + words.length);
                    range.startContainer.parentElement.scrollIntoView({block: "center"});
                    const box = range.getBoundingClientRect();
                    return [box.left, box.right, box.top + box.height / 2];
                }
            }""",
            [words, selector],
        )
        return left, right, middle


class Sessions:
    """Browser sessions of people who have logged in, once per run.

    Args:
        browser: where they are opened.
        log_in: makes the person known to the server and logs them in.
    """

    def __init__(self, browser: Browser, log_in: Callable[[str, Page], None]) -> None:
        self._browser = browser
        self._log_in = log_in
        self._known: dict[str, BrowserContext] = {}

    def page(self, name: str) -> Page:
        """A new page of that person."""
        if name not in self._known:
            self._known[name] = self._browser.new_context(viewport={"width": 1440, "height": 1000})
            page = self._known[name].new_page()
            self._log_in(name, page)
            page.close()
        return self._known[name].new_page()

    def close(self) -> None:
        for context in self._known.values():
            context.close()


class Desk:
    """The campaign's side: push records, pull what the person in the browser did."""

    def __init__(
        self, server: Server, template: TaskTemplate, folder: Path, *, title: str = "Browser", repeats: int = 3
    ) -> None:
        self.server = server
        self.project = Project(f"{title} {os.getpid()} {next(_NUMBERS)}", template, repeats=repeats)
        self.folder = folder
        self.id = ""

    def push(self, record: Record) -> str:
        """Send a record and return the project's id."""
        result = push(self.server, self.project, [record])
        assert result.sent == 1
        self.id = result.project.id
        return self.id

    def pull(self) -> list[Annotation]:
        """Everything that people have answered so far."""
        feedback = Feedback(self.folder / "feedback.jsonl")
        pull(self.server, self.id, feedback, People(self.folder))
        return feedback.history
