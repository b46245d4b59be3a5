"""TRL: each set is read by the settings beside it, through TRL's own parser, and prepared by the trainer it is for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiny import Prepared, Sets, Table, decoded, expected, model, run


def check(sets: Sets, table: Table, tiny: Path) -> None:
    """Prepare every set with the trainer of its kind, and decode what its collator makes of each row."""
    model(tiny)
    for folder, kind, shape, settings, meant in sets.settings("trl"):
        os.chdir(folder)
        for split in meant:

            def make(kind: str = kind, settings: Path = settings, split: str = split) -> list[Prepared]:
                return prepared(kind, settings, split, tiny, sets.work)

            chat = shape not in ("plain", "text")
            learns = "all" if kind == "sft" and shape in ("messages", "text") else "answer"
            wanted = [expected(row, chat=chat or shape == "text", learns=learns) for row in meant[split]]
            table.attempt(folder.name, f"{kind}.{shape} {split}".strip(), wanted, make)


def prepared(kind: str, settings: Path, split: str, tiny: Path, work: Path) -> list[Prepared]:
    """What TRL's script for a kind would train on."""
    import trl
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
    from trl.scripts.utils import DatasetMixtureConfig, ScriptArguments, get_dataset

    name = {"sft": "SFT", "dpo": "DPO", "kto": "KTO", "reward": "Reward"}[kind]
    config, trainer_class = getattr(trl, f"{name}Config"), getattr(trl, f"{name}Trainer")
    parser = trl.TrlParser((ScriptArguments, config, trl.ModelConfig, DatasetMixtureConfig))
    words = ["--config", str(settings), "--model_name_or_path", str(tiny), "--output_dir", str(work / "out")]
    words += ["--use_cpu", "true", "--report_to", "none", "--bf16", "false", "--gradient_checkpointing", "false"]
    script, arguments, _, mixture = parser.parse_args_and_config(words)
    dataset = get_dataset(mixture) if mixture.datasets else load_dataset(script.dataset_name)
    side = {"": script.dataset_train_split, "train": script.dataset_train_split, "valid": "validation"}.get(
        split, split
    )
    if split == "valid":
        assert script.dataset_test_split == "validation"
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    if kind == "reward":
        net: Any = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1)
    else:
        net = AutoModelForCausalLM.from_pretrained(tiny)
    trainer = trainer_class(model=net, args=arguments, train_dataset=dataset[side], processing_class=tokenizer)
    return [decoded(kind, trainer.data_collator([row]), tokenizer) for row in trainer.train_dataset]


if __name__ == "__main__":
    run("TRL", check)
