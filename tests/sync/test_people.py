"""Pseudonyms: the same person is the same throughout a campaign and nobody outside it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.sync.people import People


def test_the_same_name_is_the_same_pseudonym(tmp_path: Path) -> None:
    first = People(tmp_path).pseudonym("ann@example.org")
    people = People(tmp_path)
    assert people.pseudonym("ann@example.org") == people.pseudonym("ann@example.org") == first


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_pseudonym_tells_nothing(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assert re.fullmatch(r"a-[0-9a-f]{12}", People(tmp_path_factory.mktemp("people")).pseudonym(name))


def test_different_people_have_different_pseudonyms(tmp_path: Path) -> None:
    people = People(tmp_path)
    names = ["ann@example.org", "bo@example.org", "Ann@example.org", "", "Zürich 😀"]
    assert len({people.pseudonym(name) for name in names}) == len(names)


def test_two_campaigns_do_not_share_pseudonyms(tmp_path: Path) -> None:
    left, right = (People(tmp_path / folder).pseudonym("ann@example.org") for folder in ("left", "right"))
    assert left != right


def test_names_are_kept_for_the_owner_of_the_campaign(tmp_path: Path) -> None:
    pseudonym = People(tmp_path).pseudonym("Zoë 😀 <ann@example.org>")
    assert People(tmp_path).names == {pseudonym: "Zoë 😀 <ann@example.org>"}


def test_nobody_else_can_read_key_and_names(tmp_path: Path) -> None:
    folder = tmp_path / ".annobridge"
    mask = os.umask(0)
    try:
        People(folder).pseudonym("ann@example.org")
        People(folder).pseudonym("bo@example.org")
    finally:
        os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {".annobridge": 0o700, "pseudonym.key": 0o600, "annotators.json": 0o600}


def test_nothing_is_written_until_somebody_answered(tmp_path: Path) -> None:
    assert People(tmp_path / "new").names == {}
    assert not (tmp_path / "new").exists()


def test_a_known_name_writes_nothing(tmp_path: Path) -> None:
    People(tmp_path).pseudonym("ann@example.org")
    before = (tmp_path / "annotators.json").stat().st_mtime_ns
    People(tmp_path).pseudonym("ann@example.org")
    assert (tmp_path / "annotators.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "content"),
    [("annotators.json", "{"), ("annotators.json", ""), ("annotators.json", "\0"), ("pseudonym.key", "not hex")],
)
def test_a_damaged_table_is_an_error_and_is_not_overwritten(tmp_path: Path, name: str, content: str) -> None:
    People(tmp_path).pseudonym("ann@example.org")
    (tmp_path / name).write_text(content)
    with pytest.raises(StoreError) as caught:
        People(tmp_path)
    assert caught.value.reason == f"{tmp_path}: the table of annotators cannot be read: it is damaged"
    assert caught.value.remedy
    assert (tmp_path / name).read_text() == content


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    People(tmp_path).pseudonym("ann@example.org")
    before = json.loads((tmp_path / "annotators.json").read_text())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"annotators\.json: No space left on device"):
        People(tmp_path).pseudonym("bo@example.org")
    assert json.loads((tmp_path / "annotators.json").read_text()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotators.json", "pseudonym.key"]
