"""LLaMA-Factory: each entry of `dataset_info.json` is prepared by its own loader, converter and processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny import Prepared, Sets, Table, expected, model, run

STAGES = {"sft": "sft", "dpo": "rm", "kto": "kto", "reward": "rm"}


def check(sets: Sets, table: Table, tiny: Path) -> None:
    """Prepare every data set that the file lists, as the training of its stage would."""
    import torch

    torch.version.cuda = None  # the newest torchaudio is for an older CUDA than torch is, and nothing here uses any
    model(tiny)
    for folder in sets.folders:
        meant = json.loads((folder / "meant.json").read_text())
        for name in json.loads((folder / "dataset_info.json").read_text()):
            kind, shape, split = (*name.split("."), "")[:3]

            def make(name: str = name, kind: str = kind, shape: str = shape, folder: Path = folder) -> list[Prepared]:
                return prepared(folder, name, "pt" if shape == "text" else STAGES[kind], tiny, sets.work)

            learns = "all" if shape == "text" else "answer"
            rows = [expected(row, chat=True, learns=learns) for row in meant[kind][shape][split]]
            table.attempt(folder.name, f"{kind}.{shape} {split}".strip(), rows, make)


def prepared(folder: Path, name: str, stage: str, tiny: Path, work: Path) -> list[Prepared]:
    """What LLaMA-Factory would train on."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    model_args, data_args, training_args, _, _ = get_train_args(
        {
            "stage": stage,
            "do_train": True,
            "model_name_or_path": str(tiny),
            "dataset": name,
            "dataset_dir": str(folder),
            "template": "chatml",
            "finetuning_type": "full",
            "cutoff_len": 8192,
            "mask_history": stage == "sft",  # people judged the last answer only
            "packing": False,
            "output_dir": str(work / "out"),
            "overwrite_cache": True,
            "use_cpu": True,
            "report_to": "none",
        }
    )
    loaded = load_tokenizer(model_args)
    tokenizer = loaded["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    module = get_dataset(template, model_args, data_args, training_args, stage=stage, **loaded)
    return [decoded(row, tokenizer) for row in module["train_dataset"]]


def decoded(row: dict[str, Any], tokenizer: Any) -> Prepared:
    """A prepared row as text."""

    def text(ids: list[int], labels: list[int] | None = None) -> str:
        kept = ids if labels is None else [token for token, label in zip(ids, labels, strict=True) if label != -100]
        return tokenizer.decode(kept, clean_up_tokenization_spaces=False)

    found: Prepared = {}
    for prefix in ("", "chosen ", "rejected "):
        ids = row.get(f"{prefix.strip()}_input_ids" if prefix else "input_ids")
        if ids is not None:
            labels = row.get(f"{prefix.strip()}_labels" if prefix else "labels")
            found[f"{prefix}text"] = text(ids)
            found[f"{prefix}learned"] = text(ids, labels) if labels is not None else text(ids)
    if "kto_tags" in row:
        found["label"] = row["kto_tags"]
    return found


if __name__ == "__main__":
    run("LLaMA-Factory", check)
