"""MLX-LM: each set is read by the settings beside it, as `mlx_lm.lora` does, by its own data sets, up to its batches.

It runs on the CPU (`mlx[cpu]`). A batch is compared as the training loss takes it: tokens, where what is learned
begins, and where it ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tiny import Prepared, Sets, Table, expected, run


def check(sets: Sets, table: Table, tiny: Path) -> None:
    """Prepare every set by its settings."""
    for folder, kind, shape, settings, meant in sets.settings("mlx"):
        os.chdir(folder)
        for split in meant:

            def make(settings: Path = settings, split: str = split) -> list[Prepared]:
                return prepared(settings, split, tiny)

            learns = "all" if shape == "text" else "answer"
            wanted = [expected(row, chat=True, learns=learns) for row in meant[split]]
            table.attempt(folder.name, f"{kind}.{shape} {split}".strip(), wanted, make, ordered=False)


def asked(settings: Path, tiny: Path) -> Any:
    """What `mlx_lm.lora` makes of its command line and the settings, which it would train by."""
    from mlx_lm import lora

    found = []
    before, words = lora.run, sys.argv
    lora.run, sys.argv = found.append, ["mlx_lm.lora", "--config", settings.name, "--model", str(tiny)]
    try:
        lora.main()
    finally:
        lora.run, sys.argv = before, words
    return found[0]


def prepared(settings: Path, split: str, tiny: Path) -> list[Prepared]:
    """What MLX-LM would train on, or evaluate with."""
    from mlx_lm.tuner.datasets import CacheDataset, load_dataset
    from mlx_lm.tuner.trainer import iterate_batches
    from mlx_lm.utils import load_tokenizer

    options, tokenizer = asked(settings, tiny), load_tokenizer(tiny)
    rows = load_dataset(options, tokenizer)[("train", "valid", "test").index(split)]
    batches = iterate_batches(CacheDataset(rows), options.batch_size, options.max_seq_length)
    found = []
    for tokens, bounds in batches:
        for ids, (start, end) in zip(tokens.tolist(), bounds.tolist(), strict=True):
            parts = {"text": ids[:end], "learned": ids[start:end]}
            found.append({name: tokenizer.decode(part) for name, part in parts.items()})
    return found


if __name__ == "__main__":
    run("MLX-LM", check)
