"""Both real servers, for what must hold on either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.servers import argilla as argilla_module
from bridge.servers import label_studio_tasks
from bridge.servers.label_studio import LabelStudio
from bridge.sync.push import push
from tests.faults import killed
from tests.faults.sites import KEY_ENV, Site


@pytest.fixture(params=["label-studio", "argilla"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Either real server, in turn."""
    made = Site(request.param, request.getfixturevalue(request.param.replace("-", "_")))
    monkeypatch.setenv(KEY_ENV, made.key.reveal())
    yield made
    made.close()


@pytest.fixture
def label_studio_site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The real Label Studio, where only it can do what a test is about."""
    made = Site("label-studio", request.getfixturevalue("label_studio"))
    monkeypatch.setenv(KEY_ENV, made.key.reveal())
    yield made
    made.close()


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
