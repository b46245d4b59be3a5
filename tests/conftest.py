"""What several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from bridge.clock import TestClock
from bridge.servers import http
from bridge.servers.local_argilla import LocalArgilla
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.retries import Retries
from tests.postgresql import postgresql

# A busy machine is slow now and then, and no test measures time. Half of the usual number of examples, because there
# are so many of these tests.
settings.register_profile("annobridge", deadline=None, max_examples=50)
settings.load_profile("annobridge")


LIVE = {"label_studio", "label_studio_postgres", "argilla", "postgres", "browser"}
"""Fixtures that start a server or a browser."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests without a server go first: meanwhile `make test` installs the servers, the first time on a machine."""
    items.sort(key=_is_live)


def _is_live(item: pytest.Item) -> bool:
    named = any(name in item.nodeid for name in ("argilla", "label-studio", "label_studio", "live", "README"))
    marked = item.get_closest_marker("live") is not None
    return named or marked or not LIVE.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def _no_waiting_for_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that are given no patience of their own try as often as ever, and at once."""
    monkeypatch.setattr(http, "USUAL", Retries(clock=TestClock()))


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLabelStudio]:
    """One live Label Studio for the whole run, with the administrator only; `add_user` gives more people.

    The environment that it runs in stays in the user's cache between runs; its data does not.
    """
    with LocalLabelStudio(tmp_path_factory.mktemp("label-studio") / "home", say=print) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL database that lives as long as the run."""
    with postgresql() as address:
        yield address


@pytest.fixture(scope="session")
def label_studio_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[LocalLabelStudio]:
    """Like `label_studio`, with its data in PostgreSQL."""
    home = tmp_path_factory.mktemp("label-studio-postgres") / "home"
    with LocalLabelStudio(home, postgres=postgres, say=print) as server:
        yield server


@pytest.fixture(scope="session")
def argilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalArgilla]:
    """One live Argilla for the whole run, with the owner only; `add_user` gives annotators."""
    with LocalArgilla(tmp_path_factory.mktemp("argilla") / "home", say=print) as server:
        yield server
