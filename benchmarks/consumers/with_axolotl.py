"""Axolotl: each set is read by the settings beside it, and prepared by Axolotl's own loading of data and trainers.

Added to the settings is what they ask a user for: the model, where things go, and what any run must say. Its telemetry
is off. Axolotl shuffles, so rows are compared by what they say and not by their places.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiny import END, Prepared, Sets, Table, decoded, expected, model, run

SIDES = {"": "train_dataset", "train": "train_dataset", "valid": "eval_dataset"}
"""Split to the data set of a trainer; the settings do not name the test rows."""


def check(sets: Sets, table: Table, tiny: Path) -> None:
    """Prepare every set by its settings, up to what the trainer's collator makes of each row."""
    os.environ |= {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1", "ACCELERATE_USE_CPU": "true"}
    model(tiny)
    for folder, kind, shape, settings, meant in sets.settings("axolotl"):
        os.chdir(folder)
        made: dict[str, Any] = {}
        for split in [split for split in meant if split in SIDES]:

            def make(
                kind: str = kind, settings: Path = settings, split: str = split, made: dict[str, Any] = made
            ) -> list[Prepared]:
                if not made:
                    made["trainer"], made["tokenizer"] = trained(settings, tiny, sets.work)
                rows = getattr(made["trainer"], SIDES[split])
                collate = made["trainer"].data_collator
                return [decoded(kind, collate([row]), made["tokenizer"]) for row in rows]

            wanted = [wish(shape, row) for row in meant[split]]
            table.attempt(folder.name, f"{kind}.{shape} {split}".strip(), wanted, make, ordered=False)


def wish(shape: str, row: dict[str, Any]) -> Prepared:
    """What Axolotl is to make of a row: of conversations it learns every answer, of Alpaca's rows it makes sections."""
    if shape == "alpaca":
        *system, prompt = (message["content"] for message in row["prompt"])
        head = "".join(f"{text}\n\n" for text in system)
        return {
            "text": f"{head}### Instruction:\n{prompt}\n\n### Response:\n{row['completion']}",
            "learned": row["completion"],
        }
    if shape in ("messages", "sharegpt"):
        wanted = expected(row, chat=True, learns="answers")
        # Of each answer it learns the token that ends it, and not the line feed behind that.
        return wanted | {"learned": wanted["learned"].replace(f"{END}\n", END)}
    return expected(row, chat=shape != "plain", learns="all" if shape == "text" else "answer")


def trained(settings: Path, tiny: Path, work: Path) -> tuple[Any, Any]:
    """The trainer that ``axolotl train`` would run, and its tokenizer."""
    from axolotl.cli.args import TrainerCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_datasets, load_preference_datasets
    from axolotl.train import setup_model_and_trainer

    place = work / "axolotl" / f"{settings.parent.name}.{settings.name}"
    config = load_cfg(
        settings.name,
        base_model=str(tiny),
        output_dir=str(place / "out"),
        dataset_prepared_path=str(place / "prepared"),
        micro_batch_size=2,  # the least for KTO
        gradient_accumulation_steps=1,
        num_epochs=1,
        learning_rate=1e-4,
        use_cpu=True,
        dataset_num_proc=0,  # in this process
    )
    load = load_preference_datasets if config.rl else load_datasets
    trainer, _, tokenizer, _, _ = setup_model_and_trainer(config, load(cfg=config, cli_args=TrainerCliArgs()))
    return trainer, tokenizer


if __name__ == "__main__":
    run("Axolotl", check)
