"""Writing a training set: files that say the same every time, and a manifest that traces every row."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bridge import __version__
from bridge.annotations import Annotation
from bridge.errors import ExportError, StoreError, UsageError
from bridge.exporting import ExportResult, Row, export, export_all
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

REVIEW = load_template("review")
RECORDS = [Record(f"r{n}", {"prompt": f"2 + {n}?", "response": "5"}) for n in (3, 2, 1, 4)]
ANNOTATIONS = [
    Annotation("r1", "ann", answers={"rating": 1, "label": "incorrect", "improved_response": "3"}, revision=2),
    Annotation("r1", "bo", answers={"rating": 2, "label": "incorrect", "improved_response": "three"}),
    Annotation("r2", "ann", answers={"rating": 2, "label": "incorrect", "improved_response": "4"}),
    Annotation("r3", "ann", answers={"rating": 5, "label": "correct", "improved_response": "5"}),
    Annotation("r4", "ann", "discarded"),
]


def write(folder: Path, kind: Any = "sft", records: list[Record] = RECORDS, **more: Any) -> ExportResult:
    result = merge(ANNOTATIONS, REVIEW, records)
    settings: dict[str, Any] = {"annotations": ANNOTATIONS, "merge_rule": result.rule} | more
    return export(kind, records, result.kept, REVIEW, folder, **settings)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_files_of_a_kind(tmp_path: Path) -> None:
    result = write(tmp_path / "new" / "out")
    assert names(tmp_path / "new" / "out") == [
        "dataset_info.json",
        "sft.conversational.jsonl",
        "sft.conversational.trl.yaml",
        "sft.dropped.jsonl",
        "sft.manifest.json",
        "sft.plain.axolotl.yaml",
        "sft.plain.jsonl",
        "sft.plain.trl.yaml",
    ]
    assert (result.kept, result.records, result.counts) == (4, 3, {"skipped": 1})
    assert [(file.format, file.rows) for file in result.files] == [("conversational", 4), ("plain", 4)]


def test_rows_are_sorted_by_record_and_carry_their_origin(tmp_path: Path) -> None:
    write(tmp_path)
    lines = read(tmp_path / "sft.plain.jsonl")
    assert [(line["metadata"]["record"], line["completion"]) for line in lines] == [
        ("r1", "3"),
        ("r1", "three"),
        ("r2", "4"),
        ("r3", "5"),
    ]
    assert {tuple(line) for line in lines} == {("prompt", "completion", "metadata")}


def test_what_was_dropped_is_in_a_file(tmp_path: Path) -> None:
    result = write(tmp_path, "dpo")
    assert read(tmp_path / "dpo.dropped.jsonl") == [case.to_dict() for case in result.dropped]
    assert [(case.record, case.reason, case.format) for case in result.dropped] == [
        ("r3", "unchanged_rewrite", ""),
        ("r4", "skipped", ""),
    ]


def learned(prompt: str, completion: str) -> str:
    return Row("", "sft", [{"role": "user", "content": prompt}], completion).content


def test_the_manifest_traces_every_row(tmp_path: Path) -> None:
    result = write(tmp_path)
    manifest = json.loads(result.manifest.read_text("utf-8"))
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert "rows" not in entry or entry["rows"] == len(read(tmp_path / name))
    assert manifest["annobridge"] == __version__
    assert manifest["template"]["name"] == "review"
    assert manifest["template"]["fingerprint"] == REVIEW.fingerprint
    assert manifest["merge"] == {"method": "majority", "quorum": 1}
    assert manifest["records"] == {"kept": 3, "dropped": {"skipped": 1}}
    assert manifest["rows"][1:3] == [
        {
            "lines": {"conversational": 2, "plain": 2},
            "record": "r1",
            "content": learned("2 + 1?", "three"),
            "source": "use: improved_response",
            "annotators": ["bo"],
            "revisions": {"bo": 1},
        },
        {
            "lines": {"conversational": 3, "plain": 3},
            "record": "r2",
            "content": learned("2 + 2?", "4"),
            "source": "use: improved_response",
            "annotators": ["ann"],
            "revisions": {"ann": 1},
        },
    ]
    assert manifest["rows"][0]["revisions"] == {"ann": 2}
    for traced, line in zip(manifest["rows"], read(tmp_path / "sft.plain.jsonl"), strict=True):
        assert traced["record"] == line["metadata"]["record"]


def test_the_same_input_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for kind in ("sft", "dpo"):
        write(tmp_path / "a", kind)
        write(tmp_path / "b", kind, records=RECORDS[::-1], annotations=ANNOTATIONS[::-1])
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_annotations_the_manifest_has_no_revisions(tmp_path: Path) -> None:
    result = write(tmp_path, annotations=None, merge_rule=None)
    assert "revisions" not in json.loads(result.manifest.read_text("utf-8"))["rows"][0]


def test_a_margin_is_traced(tmp_path: Path) -> None:
    template = load_template("preference")
    record = Record("r1", {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"})
    merged = merge([Annotation("r1", "ann", answers={"preference": "A"})], template).kept
    result = export("dpo", [record], merged, template, tmp_path)
    assert json.loads(result.manifest.read_text("utf-8"))["rows"][0]["margin"] == 1.0


# -- formats that cannot express a row


def chats(*turns: int) -> tuple[list[Record], list[Annotation]]:
    """Conversations with that many turns before the answer, all approved."""
    roles = ("user", "assistant") * 5
    records = [
        Record(f"r{n}", {"messages": [{"role": role, "content": "."} for role in roles[: n + 1]]}) for n in turns
    ]
    return records, [Annotation(r.key, "ann", answers={"rating": 5, "label": "correct"}) for r in records]


def write_chats(
    folder: Path, turns: tuple[int, ...], formats: tuple[str, ...] = ("conversational", "plain")
) -> ExportResult:
    template = load_template("chat_review")
    records, annotations = chats(*turns)
    return export("sft", records, merge(annotations, template, records).kept, template, folder, formats)


def test_several_turns_are_left_out_of_the_plain_file_only(tmp_path: Path) -> None:
    result = write_chats(tmp_path, (1, 3, 5))
    assert [(file.format, file.rows) for file in result.files] == [("conversational", 3), ("plain", 1)]
    assert result.counts == {}
    assert [(case.record, case.reason, case.format) for case in result.dropped] == [
        ("r3", "multi_turn", "plain"),
        ("r5", "multi_turn", "plain"),
    ]
    assert "'conversational'" in result.dropped[0].text
    manifest = json.loads(result.manifest.read_text("utf-8"))
    assert manifest["files"]["sft.plain.jsonl"]["dropped"] == {"multi_turn": 2}
    assert [row["lines"] for row in manifest["rows"]] == [
        {"conversational": 1, "plain": 1},
        {"conversational": 2},
        {"conversational": 3},
    ]


def test_a_format_without_rows_has_no_file_and_leaves_no_old_one(tmp_path: Path) -> None:
    write_chats(tmp_path, (1,))
    assert "sft.plain.jsonl" in names(tmp_path)
    write_chats(tmp_path, (3,))
    assert "sft.plain.jsonl" not in names(tmp_path)


def test_a_file_of_a_format_that_was_not_asked_for_again_is_removed(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "dpo")
    write(tmp_path, formats=["conversational"])
    assert "sft.plain.jsonl" not in names(tmp_path)
    assert "dpo.plain.jsonl" in names(tmp_path)


def test_only_several_turns_in_the_only_format_is_an_error_that_names_one_that_can(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"multi_turn: 1") as caught:
        write_chats(tmp_path, (3,), ("plain",))
    assert "conversational" in caught.value.remedy
    assert names(tmp_path) == []


# -- what cannot be exported


def test_no_rows_is_an_error_with_the_counts_and_writes_nothing(tmp_path: Path) -> None:
    records = [record for record in RECORDS if record.key in ("r3", "r4")]
    merged = [entry for entry in merge(ANNOTATIONS, REVIEW, records).kept if entry.record in ("r3", "r4")]
    with pytest.raises(ExportError, match=r"skipped: 1, unchanged_rewrite: 1.*no file was written"):
        export("dpo", records, merged, REVIEW, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ExportError, match="there are no records"):
        export("dpo", [], [], REVIEW, tmp_path / "out")


def test_an_export_that_fails_leaves_the_old_one_whole(tmp_path: Path) -> None:
    write(tmp_path, "dpo")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ExportError):
        export("dpo", RECORDS, [], REVIEW, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_of_several_kinds_one_may_be_empty_and_its_manifest_says_so(tmp_path: Path) -> None:
    records = [record for record in RECORDS if record.key == "r3"]  # approved as it was: no pair
    merged = merge(ANNOTATIONS[3:4], REVIEW, records).kept
    sft, dpo = export_all(["sft", "dpo"], records, merged, REVIEW, tmp_path, ["plain"])
    assert (sft.kept, dpo.kept, dpo.files) == (1, 0, [])
    assert json.loads(dpo.manifest.read_text())["records"] == {"kept": 0, "dropped": {"unchanged_rewrite": 1}}
    assert [name for name in names(tmp_path) if name.startswith("dpo.")] == ["dpo.dropped.jsonl", "dpo.manifest.json"]
    assert "sft.plain.jsonl" in names(tmp_path)


def test_if_all_kinds_are_empty_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"there are no sft rows: .*no file was written"):
        export_all(["sft", "dpo"], RECORDS, [], REVIEW, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_if_all_kinds_are_empty_the_files_of_an_earlier_export_stay(tmp_path: Path) -> None:
    write(tmp_path, "sft")
    write(tmp_path, "dpo")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ExportError):
        export_all(["sft", "dpo"], RECORDS, [], REVIEW, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_kind_without_rules_stops_the_other_one_before_it_is_written(tmp_path: Path) -> None:
    label = load_template("label")
    answers = [Annotation("r1", "ann", answers={"label": "correct"})]
    with pytest.raises(ExportError, match="no rule for dpo rows"):
        export_all(["sft", "dpo"], RECORDS, merge(answers, label, RECORDS).kept, label, tmp_path)
    assert names(tmp_path) == []


def test_no_kind_at_all_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no kind of training set was named"):
        export_all([], RECORDS, [], REVIEW, tmp_path)


@pytest.mark.parametrize(
    ("kind", "formats", "reason"),
    [
        ("rlhf", ["plain"], "'rlhf' is no kind"),
        ("sft", ["axolotl"], "'axolotl' is no format"),
        ("sft", ["../plain"], "'../plain' is no format"),
        ("sft", [], "no format was named"),
    ],
)
def test_unknown_kinds_and_formats_are_refused(tmp_path: Path, kind: str, formats: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        write(tmp_path, kind, formats=formats)
    assert caught.value.remedy.startswith("use one")
    assert names(tmp_path) == []


def test_a_template_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no rule for dpo rows"):
        export("dpo", [], [], load_template("label"), tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError):
        write(tmp_path / "out")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "sft.plain.jsonl").mkdir()
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        write(tmp_path, formats=["plain"])
