"""Settings for trainers: YAML and JSON that point at files that are there, and tell which column is what."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.errors import InputError
from bridge.exporting import FORMATS
from bridge.exporting.trainers import AXOLOTL, DATASET_INFO, LLAMA_FACTORY, MLX, TRL, dataset_info, settings
from tests.exporting.test_write import write

SPLIT = [(split, f"{kind}/{split}.{kind}") for kind in ("jsonl", "parquet") for split in ("train", "valid", "test")]


def test_every_setting_is_for_a_format_that_there_is() -> None:
    there = {(kind, name) for kind in FORMATS for name in FORMATS[kind]}
    assert {(kind, name) for kind in TRL for name in TRL[kind]} <= there
    assert set(AXOLOTL) | set(LLAMA_FACTORY) | set(MLX) <= there


def test_every_format_but_those_for_services_and_scores_has_a_trainer() -> None:
    read = {(kind, name) for kind in TRL for name in TRL[kind]} | set(AXOLOTL) | set(LLAMA_FACTORY)
    assert {(kind, name) for kind in FORMATS for name in FORMATS[kind]} - read == {
        ("sft", "openai"),
        ("dpo", "openai"),
        ("reward", "scalar"),
    }


@pytest.mark.parametrize(("kind", "name"), sorted(set(LLAMA_FACTORY)))
def test_columns_are_those_of_the_format(kind: Any, name: str) -> None:
    (entry,) = dataset_info(kind, name, [("", "x.jsonl")]).values()
    assert set(entry["columns"].values()) <= set(FORMATS[kind][name].columns)
    assert entry.get("ranking", False) == (kind in ("dpo", "reward"))
    assert ("tags" in entry) == ("messages" in FORMATS[kind][name].columns)


def told(kind: Any, name: str, trainer: str, files: list[tuple[str, str]]) -> Any:
    return yaml.safe_load(settings(kind, name, files)[f"{kind}.{name}.{trainer}.yaml"])


def test_trl_reads_a_file_or_the_folder_of_the_splits() -> None:
    assert told("dpo", "plain", "trl", [("", "dpo.plain.jsonl"), ("", "dpo.plain.parquet")]) == {
        "datasets": [{"path": "parquet", "data_files": "dpo.plain.parquet", "split": "train"}],
        "max_length": None,
    }
    assert told("dpo", "plain", "trl", SPLIT) == {
        "dataset_name": "./parquet",
        "dataset_train_split": "train",
        "dataset_test_split": "validation",
        "max_length": None,
    }


def test_axolotl_trains_on_one_split_and_holds_another_back() -> None:
    found = told("kto", "plain", "axolotl", SPLIT)
    assert (found["rl"], found["datasets"][0]["path"]) == ("kto", "parquet/train.parquet")
    assert found["test_datasets"][0]["path"] == "parquet/valid.parquet"
    assert told("kto", "plain", "axolotl", [("", "x.jsonl")])["val_set_size"] == 0


def test_mlx_needs_splits_as_json_lines() -> None:
    found = told("sft", "messages", "mlx", SPLIT)
    assert (found["train"], found["data"], found["mask_prompt"]) == (True, "jsonl", True)
    assert "sft.messages.mlx.yaml" not in settings("sft", "messages", SPLIT[3:])


def test_no_trainer_leaves_rows_out_for_their_length_or_their_number_without_being_told_to() -> None:
    assert told("sft", "messages", "trl", SPLIT)["max_length"] is None
    found = told("sft", "messages", "axolotl", SPLIT)
    assert (found["sequence_len"], found["excess_length_strategy"]) == (8192, "raise")  # by itself: 512, and drop
    found = told("sft", "messages", "mlx", SPLIT)
    # By itself it cuts rows after 2,048 tokens, and leaves out up to three rows of 4n + 3.
    assert (found["batch_size"], found["grad_accumulation_steps"], found["max_seq_length"]) == (1, 4, 1_000_000)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("dpo", "reward") for name in ("conversational", "implicit")]
)
def test_axolotl_hands_pairs_of_messages_to_the_trainer_as_they_are(kind: Any, name: str) -> None:
    """Its own types look for the answer in the text of a dialogue: of `a` they made `art|>user...`."""
    found = told(kind, name, "axolotl", SPLIT)
    assert found["skip_prepare_dataset"] is True
    assert "type" not in found["datasets"][0]


def test_axolotl_refuses_kto_without_this() -> None:
    assert told("kto", "plain", "axolotl", SPLIT)["remove_unused_columns"] is False


# -- written beside the rows


def info(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / DATASET_INFO).read_text())
    assert isinstance(found, dict)
    return found


def test_kinds_share_one_list_of_data_sets_and_somebody_elses_entries_stay(tmp_path: Path) -> None:
    (tmp_path / DATASET_INFO).write_text('{"mine": {"file_name": "x.json"}}')
    write(tmp_path, "sft")
    write(tmp_path, "dpo", formats=["plain"])
    assert list(info(tmp_path)) == ["dpo.plain", "mine", "sft.plain"]
    for entry in info(tmp_path).values():
        assert entry["file_name"] == "x.json" or (tmp_path / entry["file_name"]).exists()
    write(tmp_path, "sft", formats=["conversational"])  # which LLaMA-Factory does not read
    assert list(info(tmp_path)) == ["dpo.plain", "mine"]


def test_manifests_name_the_settings_with_their_hashes_also_after_another_kind_was_written(tmp_path: Path) -> None:
    write(tmp_path, "sft", formats=["plain"])
    write(tmp_path, "dpo", formats=["plain"])
    for kind in ("sft", "dpo"):
        named = json.loads((tmp_path / f"{kind}.manifest.json").read_text())["files"]
        assert {f"{kind}.plain.trl.yaml", f"{kind}.plain.axolotl.yaml", DATASET_INFO} <= set(named)
        for name, entry in named.items():
            assert entry["sha256"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest(), name


def test_a_list_of_data_sets_that_is_no_json_is_somebodys_and_stays(tmp_path: Path) -> None:
    (tmp_path / DATASET_INFO).write_text("{")
    with pytest.raises(InputError, match=r"dataset_info\.json: no JSON object"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [DATASET_INFO]
