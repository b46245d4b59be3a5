"""A crash at any point of an export leaves the old files whole, or all that is needed to finish the new ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Annotation
from bridge.errors import StoreError
from bridge.exporting import export_all
from bridge.exporting.staging import recover, staged
from bridge.merging import merge
from bridge.records import Record
from bridge.templates import load_template

REVIEW = load_template("review")
OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir", "shutil.rmtree"}
"""What a process tells an audit hook of before it touches a disk (https://docs.python.org/3/library/audit_events.html)."""


def exported(folder: Path, count: int, formats: list[str]) -> None:
    records = [Record(f"r{n}", {"prompt": f"2 + {n}?", "response": "5"}) for n in range(count)]
    answers = {"rating": 2, "label": "incorrect", "improved_response": f"of {count}"}
    merged = merge([Annotation(record.key, "ann", answers=answers) for record in records], REVIEW, records)
    export_all(["sft", "dpo"], records, merged.kept, REVIEW, folder, formats)


def killed(act: Callable[[], None], inside: Path, after: int) -> bool:
    """Do something in a process of its own, which dies before its next operation in a folder; whether it got so far."""
    child = os.fork()
    if not child:
        seen = 0

        def die(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in OPERATIONS and str(arguments[0]).startswith(str(inside)):
                seen += 1
                if seen > after:
                    os._exit(9)

        sys.addaudithook(die)
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def whole(folder: Path) -> int:
    """Check that the folder holds one whole export and nothing else; of how many records it is."""
    manifests = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.manifest.json"))]
    named = {name: file["sha256"] for manifest in manifests for name, file in manifest["files"].items()}
    there = {path.name: path for path in folder.iterdir() if not path.name.endswith(".manifest.json")}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()} == named
    assert [manifest["kind"] for manifest in manifests] == ["dpo", "sft"]
    (count,) = {manifest["records"]["kept"] for manifest in manifests}
    return int(count)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads of the test runner do not matter here
def test_a_process_that_is_killed_anywhere_leaves_one_whole_export(tmp_path: Path) -> None:
    found = set()
    exported(tmp_path / "before", 2, ["conversational", "plain"])
    for after in range(1000):
        folder = shutil.copytree(tmp_path / "before", tmp_path / str(after))
        was_killed = killed(lambda folder=folder: exported(folder, 3, ["plain"]), folder, after)  # type: ignore[misc]
        if not (folder / ".export").exists():
            left = folder / ".export.new"
            for path in sorted(left.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            left.rmdir() if left.exists() else None
        recover(folder)
        found.add(whole(folder))
        if not was_killed:
            break
        if after % 10 == 0:
            exported(folder, 4, ["plain"])
            assert whole(folder) == 4
    assert after > 20
    assert found == {2, 3}


def test_an_error_while_writing_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    exported(tmp_path, 2, ["plain"])
    with pytest.raises(ZeroDivisionError), staged(tmp_path, [Path("sft.plain.jsonl")]) as stage:
        (stage / "new.jsonl").write_text(str(1 / 0))
    assert whole(tmp_path) == 2


def test_files_that_the_new_set_lacks_are_removed_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "sft.plain").mkdir()
    (tmp_path / "sft.plain" / "train.jsonl").write_text("old\n")
    (tmp_path / "mine.txt").write_text("mine")
    with staged(tmp_path, [Path("sft.plain/train.jsonl")]) as stage:
        (stage / "sft.plain.jsonl").write_text("new\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "sft.plain.jsonl"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file: cannot be written"), staged(tmp_path / "file", []):
        pass
