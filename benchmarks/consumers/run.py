"""Whether trainers prepare from our exports what was meant: each one's own code, in an environment of its own.

    python benchmarks/consumers/run.py --environments DIR [--discard] [--json] [trl llamafactory]

Three small campaigns are exported in every format (`campaign.py`). For each trainer an environment is made in DIR (5
to 7 GB and some minutes each, but for MLX-LM; it is used again, or goes with `--discard`), where `with_NAME.py` reads
the sets by the settings beside them, prepares them for training, and decodes what came with a tokenizer that knows
every byte. The table says how many rows were given, how many the trainer kept, and how many of those say what was
meant: the whole text, what of it is learned, labels and margins. What TRL learns of `messages` and `text` is all of
it, as its documentation says; LLaMA-Factory is told `mask_history: true`, because people judged the last answer only.
Axolotl and torchtune learn every answer.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from campaign import write

HERE = Path(__file__).parent

NEEDS = {
    "trl": ["trl==1.16.0", "transformers==5.23.0", "datasets==5.2.0", "torch==2.13.0"],
    "llamafactory": ["llamafactory==0.9.5"],
    "torchtune": ["torchtune==0.6.1", "torchao==0.10.0", "torchvision"],
    "axolotl": ["axolotl==0.19.0"],
    "mlx": ["mlx-lm[cpu]==0.32.2"],
}
"""Trainer to what its environment holds; everything else is what these ask for."""


def environment(folder: Path, name: str) -> Path:
    """The interpreter of a trainer's environment, which is made where it is not there."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *NEEDS[name]], check=True)
    return python


def checked(python: Path, name: str, work: Path, folders: list[Path]) -> list[dict[str, Any]]:
    """The lines of a trainer's table."""
    words = [str(python), str(HERE / f"with_{name}.py"), str(work), *map(str, folders)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}, check=True)
    lines: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return lines


def summary(lines: list[dict[str, Any]]) -> list[str]:
    """A table for people: splits and campaigns added up."""
    total: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        counts = total.setdefault((line["consumer"], line["format"].split()[0]), [0, 0, 0])
        for place, name in enumerate(("given", "kept", "equal")):
            counts[place] += line[name]
    rows = [f"| {who} | `{shape}` | {' | '.join(map(str, counts))} |" for (who, shape), counts in sorted(total.items())]
    return ["| trainer | format | rows given | rows kept | contents equal |", "|---|---|---|---|---|", *rows]


def each(names: list[str], folder: Path, work: Path, folders: list[Path], discard: bool) -> Iterator[dict[str, Any]]:
    """The lines of all tables; while one trainer works, the environment of the next is made.

    The lines of each trainer are left beside its environment, so that a run that breaks off leaves what it found.
    """
    with ThreadPoolExecutor(1) as builder:
        waiting = [builder.submit(environment, folder, name) for name in names[:1]]
        for place, name in enumerate(names):
            python = waiting.pop().result()
            waiting = [builder.submit(environment, folder, other) for other in names[place + 1 : place + 2]]
            lines = checked(python, name, work, folders)
            (folder / f"{name}.json").write_text(json.dumps(lines, indent=1))
            if discard:
                shutil.rmtree(folder / name)
            print(f"{name}: {sum(line['equal'] for line in lines)} rows are equal", file=sys.stderr)
            yield from lines


def main() -> None:
    """Run the trainers that are asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainers", nargs="*", metavar="TRAINER", help=f"of {', '.join(NEEDS)}; by default all")
    parser.add_argument("--environments", type=Path, required=True, help="where environments are made and found")
    parser.add_argument("--discard", action="store_true", help="remove each environment after use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    where = options.environments.absolute()
    where.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        folders = write(Path(work, "exports"))
        lines = list(each(options.trainers or [*NEEDS], where, Path(work), folders, options.discard))
    print(json.dumps(lines, indent=1) if options.json else "\n".join(summary(lines)))
    if any(line["given"] != line["equal"] for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
