"""Both real servers, for what must hold on either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.servers import argilla as argilla_module
from bridge.servers import label_studio_tasks
from bridge.servers.label_studio import LabelStudio
from bridge.sync.push import push
from tests.faults import killed
from tests.faults.sites import Site, site_of


@pytest.fixture(params=["label-studio", "argilla"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Either real server, in turn."""
    yield from site_of(request.param, request, monkeypatch)


@pytest.fixture
def label_studio_site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The real Label Studio, for what only it does."""
    yield from site_of("label-studio", request, monkeypatch)


@pytest.fixture
def argilla_site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The real Argilla, for what only it does."""
    yield from site_of("argilla", request, monkeypatch)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen records make several batches, and nobody waits for a minute."""
    for owner, name in [
        (LabelStudio, "capabilities"),
        (label_studio_tasks, "PAGE_SIZE"),
        (argilla_module, "CAPABILITIES"),
        (argilla_module, "BATCH_BESIDE_PEOPLE"),
    ]:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # and back again afterwards
    assert push.__kwdefaults__ is not None
    monkeypatch.setitem(push.__kwdefaults__, "patience_s", killed.PATIENCE_S)
    killed.small_batches()
