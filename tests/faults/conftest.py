"""Both real servers, for what must hold on either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
