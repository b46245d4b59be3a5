"""TRL: each set is read by the settings beside it, through TRL's own parser, and prepared by the trainer it is for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiny import Prepared, Sets, Table, expected, model, run


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


def decoded(kind: str, batch: Any, tokenizer: Any) -> Prepared:
    """One row of a collator's batch as text."""

    def text(ids: Any, mask: Any) -> str:
        return tokenizer.decode(
            [int(i) for i, on in zip(ids, mask, strict=True) if on], clean_up_tokenization_spaces=False
        )

    ids, mask = batch["input_ids"], batch["attention_mask"]
    if kind == "sft":
        labels = batch["labels"][0]
        return {"text": text(ids[0], mask[0]), "learned": text(ids[0], labels != -100)}
    if kind == "kto":
        label = batch["label"][0]
        return {"text": text(ids[0], mask[0]), "learned": text(ids[0], batch["completion_mask"][0]), "label": label}
    found: Prepared = {}
    for number, name in enumerate(("chosen", "rejected")):
        found[f"{name} text"] = text(ids[number], mask[number])
        if kind == "dpo":
            found[f"{name} learned"] = text(ids[number], batch["completion_mask"][number])
    if "margin" in batch:
        found["margin"] = float(batch["margin"][0])
    return found


if __name__ == "__main__":
    run("TRL", check)
