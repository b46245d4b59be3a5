"""A shelf is a list that lies on disk: it says the same, at any size, in any order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.exporting import Dropped, Rejected, Row, shelf
from bridge.exporting.reasons import DROPPED
from bridge.exporting.row import REJECTED, ROWS
from bridge.exporting.shelf import Shelf, beside, chosen, joined
from bridge.exporting.shelves import MERGED, RECORDS, beside_folder
from bridge.merging import Merged, MergedAnswer
from bridge.records import Record

FULL = Row(
    "r1",
    "reward",
    [{"role": "user", "content": "café 😀 \ud83d"}],
    "a",
    "b",
    "c",
    "use: response",
    ("ann", "bo"),
    0.25,
    {"rating": ("cy",)},
    True,
    4.5,
    ("r2",),
    "m-7b",
    "MIT",
    "r0",
    "train",
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shelves that hold two dropped records, and write to disk after some fifty bytes."""
    monkeypatch.setattr(shelf, "HELD", 400)
    monkeypatch.setattr(shelf, "_SMALL", 50)


def dropped(count: int) -> list[Dropped]:
    return [Dropped(f"r{number}", "tie", "x" * (number % 90)) for number in range(count)]


@given(st.lists(st.integers(0, 99), max_size=30), st.integers(0, 50), st.data())
def test_what_was_put_there_comes_back_in_any_order(before: list[int], more: int, data: st.DataObject) -> None:
    things = [Dropped(f"r{number}", "tie", "x" * number) for number in before]
    kept = Shelf(Path(), DROPPED)
    kept.extend(things)
    assert list(kept) == things
    for thing in dropped(more):  # also after something was read
        kept.append(thing)
        things.append(thing)
    assert (kept == things, len(kept)) == (True, len(things))
    places = data.draw(st.lists(st.integers(0, len(things) - 1), max_size=80)) if things else []
    assert list(chosen(kept, places)) == [things[place] for place in places]
    half = chosen(chosen(kept, places), range(0, len(places), 2))
    assert (half[:], half == things) == ([things[place] for place in places[::2]], [*half] == things)


@pytest.mark.parametrize(
    ("packing", "thing"),
    [
        (ROWS, FULL),
        (REJECTED, Rejected(FULL, "gated", "near_equal", "alike", 0.5)),
        (DROPPED, Dropped("r1", "multi_turn", "several", "plain")),
        (RECORDS, Record("r1", {"prompt": "2 + 2?", "chat": [{"role": "user", "content": "?"}]}, (), {"n": [1.5]})),
        (MERGED, Merged("r1", {"a": MergedAnswer("tie", None, 0, 2, "split", {"votes": {"x": 1}}, {"ann": "x"})})),
    ],
    ids=["row", "rejected", "dropped", "record", "merged"],
)
def test_all_that_is_put_there_comes_back_whole(packing: shelf.Packing[object], thing: object) -> None:
    kept = Shelf(Path(), packing)
    kept.extend([thing] * 9)
    assert kept[0] == kept[-1] == thing


def test_no_file_is_ever_seen(tmp_path: Path) -> None:
    kept = Shelf(tmp_path, DROPPED)
    kept.extend(dropped(100))
    assert (len(kept), list(tmp_path.iterdir())) == (100, [])


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    kept = Shelf(tmp_path / "gone", DROPPED)
    with pytest.raises(StoreError, match="gone: cannot be written"):
        kept.extend(dropped(100))


def test_places_behind_the_end_are_none() -> None:
    with pytest.raises(IndexError):
        Shelf(Path(), DROPPED)[0]


def test_of_lists_lists_are_chosen() -> None:
    assert (chosen("abc", [2, 0]), beside([1], DROPPED), joined([1], [], DROPPED)) == (["c", "a"], [], [1])


def test_two_are_joined_where_the_first_one_lies() -> None:
    kept = Shelf(Path(), DROPPED)
    kept.extend(dropped(3))
    both = joined(chosen(kept, [2]), dropped(1), DROPPED)
    assert (type(both), both[:]) == (Shelf, [*dropped(3)[2:], *dropped(1)])


def test_a_folder_that_is_still_to_be_made_lies_in_one_that_is_there(tmp_path: Path) -> None:
    assert beside_folder(tmp_path / "a" / "b") == tmp_path
