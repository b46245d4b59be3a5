"""Who is who on two servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import InputError, UsageError
from bridge.migration import read_table
from bridge.sync.people import People


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", "from,to\nann@example.org,ann\nbo@example.org, bo \n"),
        ("people.csv", "team;to;from\nx;ann;ann@example.org\ny;bo;bo@example.org\n"),
        ("people.jsonl", '{"from": "ann@example.org", "to": "ann"}\n{"from": "bo@example.org", "to": "bo"}\n'),
    ],
)
def test_a_table_has_two_columns(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_table(tmp_path / name) == {"ann@example.org": "ann", "bo@example.org": "bo"}


@pytest.mark.parametrize("text", ["old,new\nann,bo\n", "from,to\nann,\n", "from,to\n,ann\n", '{"from": 1, "to": "a"}'])
def test_a_row_without_both_names_is_an_error_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("people.jsonl" if text.startswith("{") else "people.csv")
    path.write_text(text)
    with pytest.raises(InputError, match=r"people\.\w+:\d: ") as caught:
        read_table(path)
    assert "two columns" in caught.value.remedy


def test_a_name_stands_there_once(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("from,to\nann,a\nann,b\n")
    with pytest.raises(UsageError, match=r"people\.csv:3: 'ann' stands there twice"):
        read_table(tmp_path / "people.csv")


def test_a_person_who_moved_keeps_the_pseudonym_in_that_project_alone(tmp_path: Path) -> None:
    ann = People(tmp_path, "old").pseudonym("ann@example.org")
    People(tmp_path, "new").move({"ann": ann})
    assert People(tmp_path, "new").pseudonym("ann") == ann
    assert People(tmp_path, "old").pseudonym("ann@example.org") == ann
    assert People(tmp_path, "old").pseudonym("ann") != ann
    assert People(tmp_path).names[ann] == "ann"


def test_two_people_who_change_names_are_not_mixed_up(tmp_path: Path) -> None:
    old = People(tmp_path, "old")
    ann, bo = old.pseudonym("ann"), old.pseudonym("bo")
    People(tmp_path, "new").move({"ann": bo, "bo": ann})
    new = People(tmp_path, "new")
    assert (new.pseudonym("ann"), new.pseudonym("bo")) == (bo, ann)


def test_a_stranger_with_the_old_name_of_somebody_is_somebody_else(tmp_path: Path) -> None:
    ann = People(tmp_path, "old").pseudonym("ann@example.org")
    new = People(tmp_path, "new")
    new.move({"ann": ann})
    assert new.pseudonym("ann@example.org") not in (ann, new.pseudonym("ann"))
    assert new.pseudonym("ann@example.org") == People(tmp_path, "new").pseudonym("ann@example.org")
