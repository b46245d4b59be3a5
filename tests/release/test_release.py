"""A release: what is in it, that it is never changed, and what becomes of it when the process dies."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.errors import ConfigError, ExportError, StoreError, UsageError
from bridge.release import ReleaseResult, release
from bridge.release.versions import before, in_order
from tests.adjudication.working import ANN, Working
from tests.cli.running import run
from tests.release.working import ROWS, begun, read, there


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ReleaseResult:
    return begun(tmp_path_factory.mktemp("campaign")).campaign.release("v1")


def test_the_files_of_a_release(made: ReleaseResult) -> None:
    assert {name for name in there(made.folder) if not name.endswith(".yaml")} == {
        *("README.md", "CHANGES.md", "changes.json", "croissant.json", "manifest.json", "dataset_info.json"),
        *(f"{kind}.manifest.json" for kind in ("sft", "dpo")),
        *(f"{kind}.plain/{split}.jsonl" for kind in ("sft", "dpo") for split in ("train", "test")),
        *(f"{kind}.plain-parquet/{split}.parquet" for kind in ("sft", "dpo") for split in ("train", "test")),
    }


def test_the_manifest_has_the_hashes_of_all_other_files(made: ReleaseResult) -> None:
    files = there(made.folder)
    del files["manifest.json"]
    assert read(made, "manifest.json")["files"] == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    assert made.files == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_what_was_stopped_is_counted_and_not_given_away(tmp_path: Path) -> None:
    config = {"curate": {"before_export": [{"pii": {"mode": "drop"}}]}}
    work = begun(tmp_path, 7, **config)
    work.answer("r08", ANN, rating=2, label="incorrect", improved_response="ask jane@roe.org")
    work.campaign.pull()
    result = work.campaign.release("v1")
    assert not any(b"jane@roe" in content for content in there(result.folder).values())
    assert read(result, "sft.manifest.json")["records"]["dropped"] == {"not_merged": 4, "curated": 1}
    assert read(result, "manifest.json")["without_row"]["sft"]["r08"] == "curated"
    assert all((result.folder / name).exists() for name in read(result, "sft.manifest.json")["files"])


def test_without_splits_all_rows_are_for_training(tmp_path: Path) -> None:
    work = begun(tmp_path, exports={"to": ["sft"], "formats": ["plain"]})
    result = work.campaign.release("v1")
    assert (result.folder / "sft.plain").is_dir()
    assert {path.name for path in result.folder.glob("sft.plain*/*")} == {"train.jsonl", "train.parquet"}


def test_the_same_campaign_makes_the_same_bytes(tmp_path: Path) -> None:
    work = begun(tmp_path)
    one = work.campaign.release("v1", out=tmp_path / "one")
    other = work.campaign.release("v1", out=tmp_path / "other")
    assert there(one.folder) == there(other.folder)


def test_a_release_is_never_changed(tmp_path: Path) -> None:
    work = begun(tmp_path)
    before = there(work.campaign.release("v1").folder)
    work.answer("r09", ANN, rating=5, label="correct")
    work.campaign.pull()
    with pytest.raises(UsageError, match="there is such a release") as caught:
        work.campaign.release("v1")
    assert "another --version" in caught.value.remedy
    assert there(tmp_path / "releases" / "v1") == before


def test_even_an_empty_folder_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "releases" / "v1").mkdir(parents=True)
    with pytest.raises(UsageError):
        begun(tmp_path).campaign.release("v1")


@pytest.mark.parametrize("version", ["", ".v1", "../v1", "a/b", "v1.", "a..b", "-v", "v 1", "x" * 70])
def test_names_that_name_no_folder_of_its_own_are_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(UsageError, match="no name for a release"):
        release(version, tmp_path, lambda folder: ([], []), project="Sums")


def test_without_rows_there_is_no_release(tmp_path: Path) -> None:
    work = begun(tmp_path, 0)
    with pytest.raises(ExportError, match="there are no sft rows"):
        work.campaign.release("v1")
    assert list((tmp_path / "releases").iterdir()) == []


# -- the card


def test_the_card_names_its_files_split_by_split(made: ReleaseResult) -> None:
    front = yaml.safe_load((made.folder / "README.md").read_text().split("---\n")[1])
    assert front["license"] == "mit"
    assert [(config["config_name"], config.get("default")) for config in front["configs"]] == [
        ("sft-plain", True),
        ("dpo-plain", None),
    ]
    for config in front["configs"]:
        assert {file["split"] for file in config["data_files"]} == {"train", "test"}
        assert all((made.folder / file["path"]).exists() for file in config["data_files"])


def test_datasets_loads_the_rows_by_the_card(
    made: ReleaseResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    for name, kind in ((None, "sft"), ("dpo-plain", "dpo")):
        loaded = datasets.load_dataset(str(made.folder), name, cache_dir=str(tmp_path))
        for split in ("train", "test"):
            path = made.folder / f"{kind}.plain" / f"{split}.jsonl"
            assert list(loaded[split]) == [json.loads(line) for line in path.read_text().splitlines()]


def test_the_card_says_how_it_was_made_and_how_far_people_agree(made: ReleaseResult) -> None:
    text = (made.folder / "README.md").read_text()
    manifest = read(made, "sft.manifest.json")
    for said in (
        manifest["template"]["sha256"],
        "| sft | 8 | 8 | 1 | m-7b: 8 |",
        "Licences of the rows: MIT: 16.",
        "Merge rule: method: majority; quorum: 1",
        "| rating | alpha ordinal | none: one person answered |",
        "Nobody has checked a sample of these rows.",
        "This is the first release.",
        "one person gave all answers",
    ):
        assert said in text


def test_what_people_wrote_is_no_markup_in_the_card(tmp_path: Path) -> None:
    evil = "MIT | <img src=x> [x](y)\n# Big"
    work = Working(tmp_path, [{**row, "licence": evil} for row in ROWS], exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.push()
    work.answer("r00", ANN, rating=5, label="correct")
    work.campaign.pull()
    result = work.campaign.release("v1")
    text = (result.folder / "README.md").read_text()
    assert r"MIT \| \<img src=x\> \[x\](y) \# Big: 1" in text
    assert "<img" not in text.replace(r"\<img", "")
    assert "license" not in yaml.safe_load(text.split("---\n")[1])


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_croissant_reads_what_stands_in_the_files(made: ReleaseResult) -> None:
    from mlcroissant import Dataset

    found = Dataset(made.folder / "croissant.json")
    assert not found.metadata.issues.errors
    assert {entry.name for entry in found.metadata.record_sets} == {
        f"{kind}-plain-{split}" for kind in ("sft", "dpo") for split in ("train", "test")
    }
    first = next(iter(found.records("dpo-plain-train")))
    line = json.loads((made.folder / "dpo.plain" / "train.jsonl").read_text().splitlines()[0])
    name = "dpo-plain-train"
    for column in ("prompt", "chosen", "rejected"):
        assert first[f"{name}/{column}"].decode() == line[column]
    assert first[f"{name}/metadata.people"] == 1
    assert first[f"{name}/metadata.licence"] == b"MIT"


def test_croissant_has_the_hash_of_each_file_of_rows(made: ReleaseResult) -> None:
    listed = {file["@id"]: file["sha256"] for file in read(made, "croissant.json")["distribution"]}
    assert listed == {
        name: digest
        for name, digest in made.files.items()
        if name.startswith(("sft.plain", "dpo.plain")) and "/" in name
    }


# -- which one was before


def test_releases_are_in_the_order_of_their_numbers() -> None:
    assert in_order(["v10", "v2", "2026-10", "2026-9", "v2.1"]) == ["2026-9", "2026-10", "v2", "v2.1", "v10"]


def test_the_one_before_is_the_next_lower_one_or_the_one_that_is_named(tmp_path: Path) -> None:
    assert before(tmp_path, "v1") is None
    for name in ("v1", "v2", "v10", "half"):
        (tmp_path / name).mkdir()
        if name != "half":
            (tmp_path / name / "manifest.json").write_text("{}")
    assert before(tmp_path, "v3") == tmp_path / "v2"
    assert before(tmp_path, "a") == tmp_path / "v10"
    assert before(tmp_path, "v3", "v1") == tmp_path / "v1"
    with pytest.raises(UsageError, match="no such release"):
        before(tmp_path, "v3", "half")


# -- dying on the way


class Killed(BaseException):
    """What stands for a signal: nothing may tidy up after it."""


class Points:
    """Lets so many steps to the disk pass, and the process die at the next one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, passing: int) -> None:
        self.passed, self.dead = 0, False

        def counted(name: str, real: Any) -> Any:
            def step(*args: Any, **kwargs: Any) -> Any:
                if self.dead or self.passed == passing:
                    self.dead = True
                    raise Killed(name)
                self.passed += 1
                return real(*args, **kwargs)

            return step

        for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace"), (shutil, "rmtree"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, counted(name, getattr(owner, name)))


def test_a_release_that_dies_anywhere_leaves_no_half_one_and_the_next_try_makes_it_whole(tmp_path: Path) -> None:
    work = begun(tmp_path, exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.release("v1")
    work.answer("r09", ANN, rating=5, label="correct")
    work.campaign.pull()
    prepared = tmp_path / "prepared"
    results = work.campaign.export(out=prepared)

    def make(folder: Path) -> Any:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        return results, []

    releases = tmp_path / "releases"
    first = there(releases / "v1")
    whole = there(_flat(make, tmp_path / "reference", releases / "v1").folder)
    for passing in range(1000):
        with pytest.MonkeyPatch.context() as patch:
            points = Points(patch, passing)
            with suppress(Killed):
                release("v2", releases, make, project="Sums")
        assert there(releases / "v1") == first
        if (releases / "v2").exists():
            assert there(releases / "v2") == whole
        if not points.dead:
            break
        if (releases / "v2").exists():
            shutil.rmtree(releases / "v2")
    assert passing > 20
    assert {path.name for path in releases.iterdir()} == {"v1", "v2"}


def _flat(make: Any, folder: Path, earlier: Path) -> ReleaseResult:
    shutil.copytree(earlier, folder / "v1")
    return release("v2", folder, make, project="Sums")


def test_an_error_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def make(folder: Path) -> Any:
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        release("v1", tmp_path / "releases", make, project="Sums")
    assert list((tmp_path / "releases").iterdir()) == []


# -- the command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    begun(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_says_what_it_made(folder: Path) -> None:
    assert run("release", "--version", "v1").lines == [
        "      8 sft rows",
        "      8 dpo rows",
        "",
        "released releases/v1",
    ]
    done = run("release", "--version", "v2", "--to", "sft", "--json").json
    assert (done["rows"], done["previous"]) == ({"sft": 8}, "v1")
    assert done["changes"]["dpo"] == {"same": 0, "added": 0, "changed": 0, "removed": 8}
    again = run("release", "--version", "v2")
    assert (again.code, "there is such a release" in again.err) == (2, True)
    assert "since v2" in run("release", "--version", "v3").out


def test_dvc_is_asked_for_before_anything_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    done = run("release", "--version", "v1", "--dvc")
    assert (done.code, "pip install dvc" in done.err, (folder / "releases").exists()) == (1, True, False)


def program(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_dvc_adds_the_release_with_its_own_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "dvc", 'echo "$PWD $*" > "$2.dvc"', monkeypatch)
    done = run("release", "--version", "v1", "--dvc")
    assert done.lines[-1] == "under DVC: releases/v1.dvc"
    assert (folder / "releases" / "v1.dvc").read_text() == f"{folder / 'releases'} add v1\n"


def test_a_release_stays_whole_where_dvc_fails_and_can_be_added_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder, "dvc", 'echo "not inside of a DVC repository" >&2; exit 253', monkeypatch)
    done = run("release", "--version", "v1", "--dvc")
    assert (done.code, "not inside of a DVC repository" in done.err) == (1, True)
    (folder / "bin" / "dvc").write_text('#!/bin/sh\ntouch "$2.dvc"\n')
    assert run("release", "--version", "v1", "--dvc").lines == [
        "releases/v1 is there already, and stays as it is",
        "under DVC: releases/v1.dvc",
    ]


def test_wrong_settings_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"release\.audit_max_error"):
        Working(tmp_path, ROWS, release={"audit_max_error": 2.0}).campaign  # noqa: B018


def test_settings_are_on_the_card(tmp_path: Path) -> None:
    about = {"title": "Numbers in words", "description": "Small *sums*."}
    about |= {"licence": "cc-by-4.0", "citation": "Us, 2026"}
    result = begun(tmp_path, release=about).campaign.release("v1")
    text = (result.folder / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "cc-by-4.0"
    assert "# Numbers in words v1\n\nSmall *sums*.\n" in text
    assert read(result, "croissant.json")["citeAs"] == "Us, 2026"
