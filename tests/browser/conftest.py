"""A real browser for the tests that look at what annotators see."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bridge.servers.local_label_studio import LocalLabelStudio

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

# Nothing of the browser's own may reach for the network, and it need not be a sandbox inside a test machine.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]


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
    """A person in a browser, with a record of everything that the page tried to do."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.strangers: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def _note(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.strangers.append(url)

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

    def screenshot(self, name: str) -> None:
        """Keep what is on the screen, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def nothing_ran(self) -> bool:
        """Whether no script of a record ran and no request left the server."""
        return not self.dialogs and not self.strangers and self.page.evaluate("window.canary === undefined")


@pytest.fixture(scope="session")
def people(browser: Browser, label_studio: LocalLabelStudio) -> Iterator[Callable[[str], BrowserContext]]:
    """People who have logged in, each in a browser session of their own, once per run."""
    known: dict[str, BrowserContext] = {}

    def person(name: str) -> BrowserContext:
        if name not in known:
            user = label_studio.add_user(f"{name}@example.org")
            known[name] = browser.new_context(viewport={"width": 1440, "height": 1000})
            page = known[name].new_page()
            page.goto(f"{label_studio.url}/user/login/")
            page.fill("input[name=email]", user.email)
            page.fill("input[name=password]", user.password.reveal())
            with page.expect_navigation():
                page.press("input[name=password]", "Enter")
            page.close()
        return known[name]

    yield person
    for context in known.values():
        context.close()


@pytest.fixture
def visit(
    people: Callable[[str], BrowserContext], label_studio: LocalLabelStudio
) -> Iterator[Callable[[str], Visitor]]:
    """A new page of somebody who has logged in."""
    pages: list[Page] = []

    def visit(name: str) -> Visitor:
        pages.append(people(name).new_page())
        return Visitor(pages[-1], label_studio.url)

    yield visit
    for page in pages:
        page.close()
