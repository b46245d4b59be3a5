"""The index of what is kept: the same result as a run over everything, and files that are whole or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate.duplicates import duplicates
from bridge.curate.index import NearIndex
from bridge.curate.result import Result
from bridge.errors import InputError, StoreError, UsageError
from bridge.records import Record

WORDS = ["a", "b", "c", "d", "e", "Ü", "我们", "🎉", ""]
days = st.lists(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=8), min_size=2, max_size=4
)


def records_of(day: int, texts: list[str]) -> list[Record]:
    return [Record(f"{day}-{at}", {"prompt": text}) for at, text in enumerate(texts)]


def plain(result: Result) -> tuple[list[str], list[dict[str, object]]]:
    return [record.key for record in result.kept], [case.to_dict() for case in result.dropped]


@pytest.mark.parametrize("engine", ["numpy", "c"])
@given(days=days, threshold=st.sampled_from([0.3, 0.5, 0.7, 1.0]), n=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_day_by_day_is_a_run_over_everything(
    engine: str, days: list[list[str]], threshold: float, n: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"near-{engine}.index"
    by_day = [records_of(day, texts) for day, texts in enumerate(days)]
    everything = duplicates([record for day in by_day for record in day], threshold=threshold, n=n, engine=engine)
    NearIndex(threshold=threshold, n=n).save(path)
    kept: list[str] = []
    dropped: list[dict[str, object]] = []
    for day in by_day:
        index = NearIndex.load(path)
        probed = plain(index.probe(day, engine=engine))
        added = plain(index.add(day, engine=engine))
        assert probed == added
        kept += added[0]
        dropped += added[1]
        index.save(path)
    assert (kept, dropped) == plain(everything)


def test_of_the_new_ones_the_better_stays_and_the_old_one_stays_in_any_case() -> None:
    index = NearIndex()
    index.add([Record("old", {"prompt": "How do plants make sugar?"})])
    new = [
        Record("better copy", {"prompt": "how do plants make sugar"}, metadata={"score": 9}),
        Record("first", {"prompt": "Name three kinds of cheese."}),
        Record("better", {"prompt": "name three kinds of cheese!"}, metadata={"score": 1}),
    ]
    found = index.probe(new)
    assert [record.key for record in found.kept] == ["better"]
    assert [(case.key, case.kept) for case in found.dropped] == [("better copy", "old"), ("first", "better")]


def test_a_probe_changes_nothing() -> None:
    index = NearIndex()
    record = Record("a", {"prompt": "once"})
    assert [index.probe([record]).kept, index.probe([record]).kept, len(index)] == [[record], [record], 0]


def test_it_compares_the_side_that_it_was_made_for() -> None:
    index = NearIndex(on="response")
    index.add([Record("a", {"prompt": "one", "response": "the same answer"})])
    assert index.probe([Record("b", {"prompt": "two", "response": "The same answer."})]).dropped[0].kept == "a"


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        index = NearIndex()
        index.add(records_of(0, ["how do plants make sugar", "name three kinds of cheese"]))
        index.save(tmp_path / "near.index")
        return tmp_path / "near.index"

    def test_saving_what_was_loaded_writes_the_same(self, path: Path, tmp_path: Path) -> None:
        NearIndex.load(path).save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()

    def test_nothing_else_is_left_beside_it(self, path: Path) -> None:
        assert [file.name for file in path.parent.iterdir()] == ["near.index"]

    @pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
    def test_a_changed_byte_is_noticed(self, path: Path, at: float) -> None:
        raw = bytearray(path.read_bytes())
        place = 30 + int(at * (len(raw) - 31))
        raw[place] ^= 0x55
        path.write_bytes(raw)
        with pytest.raises(StoreError):
            NearIndex.load(path)

    def test_a_file_that_ends_early_is_noticed(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(StoreError, match="damaged") as refused:
            NearIndex.load(path)
        assert "build it again" in refused.value.remedy

    def test_a_newer_one_says_so(self, path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 2'))
        with pytest.raises(StoreError, match="version 2"):
            NearIndex.load(path)

    def test_numbers_that_point_outside_are_refused(self, path: Path) -> None:
        from hashlib import blake2b

        magic, header, arrays = path.read_bytes().split(b"\n", 2)
        said = json.loads(header)
        said["distinct"] = 1
        said["checksum"] = blake2b(arrays, digest_size=16).hexdigest()
        path.write_bytes(b"\n".join([magic, json.dumps(said).encode(), arrays]))
        with pytest.raises(StoreError, match="damaged"):
            NearIndex.load(path)

    def test_another_file_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "records.jsonl").write_text('{"prompt": "?"}\n')
        with pytest.raises(InputError, match="not an index"):
            NearIndex.load(tmp_path / "records.jsonl")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="No such file"):
            NearIndex.load(tmp_path / "none")

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="cannot be written"):
            NearIndex().save(tmp_path / "file" / "near.index")


def test_what_cannot_be_asked_of_it() -> None:
    with pytest.raises(UsageError):
        NearIndex(threshold=0)
    with pytest.raises(UsageError):
        NearIndex(n=0)
