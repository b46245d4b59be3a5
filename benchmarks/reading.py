"""What reading and checking 100,000 records costs, against parsing their JSON alone.

::

    python benchmarks/reading.py          # a table
    python benchmarks/reading.py --json   # one JSON object

The records are made up from a seed, 1 to 2 kB each: prompt, response, one suggestion and a little metadata. Both
sides are timed in turn in the same process, and the best of five rounds counts. The ratio is to a loop that reads the
file's lines and gives each to ``json.loads``; a second one is to ``json.loads`` on lines that are in memory already.
``read_records`` also checks every value and makes the keys. Plain rows need more work than records: columns are sorted
into fields, suggestions and metadata, and keys are hashes of the fields. Most rows of the third file have characters
beyond ASCII.
"""

from __future__ import annotations

import gc
import json
import platform
import random
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bridge.files import write_lines
from bridge.reading import read_records
from bridge.templates import load_template

COUNT = 100_000
EXOTIC = ["naïve", "Zürich", "“quoted”", "don't", '"plain"'] * 20
ROUNDS = 5


def words(rng: random.Random, vocabulary: list[str], count: int) -> str:
    """Prose-like text: words, and a new paragraph now and then."""
    return "".join(word + ("\n\n" if rng.random() < 0.01 else " ") for word in rng.choices(vocabulary, k=count)).strip()


def plain_rows(seed: int, *, exotic: bool = False) -> Iterator[dict[str, object]]:
    """Rows as a model's output is usually kept: columns of texts, a score, a few facts beside."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 10))) for _ in range(5000)]
    vocabulary += EXOTIC if exotic else []
    for number in range(COUNT):
        yield {
            "prompt": words(rng, vocabulary, rng.randint(20, 60)),
            "response": words(rng, vocabulary, rng.randint(120, 220)),
            "rating": rng.randint(1, 5),
            "rating.score": round(rng.random(), 3),
            "rating.agent": "judge-v2",
            "source": rng.choice(["support", "search", "coding"]),
            "row": number,
        }


def records(seed: int) -> Iterator[dict[str, object]]:
    """The same as lines of ``records.jsonl``, with keys of their own."""
    for number, row in enumerate(plain_rows(seed)):
        yield {
            "key": f"row-{number}",
            "fields": {"prompt": row["prompt"], "response": row["response"]},
            "suggestions": [
                {
                    "question": "rating",
                    "value": row["rating"],
                    "score": row["rating.score"],
                    "agent": row["rating.agent"],
                    "kind": "model",
                }
            ],
            "metadata": {"source": row["source"], "row": row["row"]},
        }


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes, garbage of earlier ones not counted."""
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(path: Path) -> dict[str, float]:
    """Best times and their ratio for one file."""
    template = load_template("review")

    def parse_only() -> None:
        with path.open(encoding="utf-8") as file:
            for line in file:
                json.loads(line)

    def parse_in_memory() -> None:
        for line in lines:
            json.loads(line)

    def read() -> None:
        reader = read_records(path, template)
        count = sum(1 for _ in reader)
        assert (count, reader.rejects) == (COUNT, [])

    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    # In turn, so that a busy moment hits all alike.
    times = [(seconds(parse_only), seconds(parse_in_memory), seconds(read)) for _ in range(ROUNDS)]
    parser, in_memory, ours = (min(column) for column in zip(*times, strict=True))
    return {
        "bytes_per_record": round(path.stat().st_size / COUNT),
        "json_loads_s": round(parser, 3),
        "read_records_s": round(ours, 3),
        "ratio": round(ours / parser, 2),
        "ratio_to_lines_in_memory": round(ours / in_memory, 2),
    }


def main() -> None:
    results: dict[str, object] = {"count": COUNT, "rounds": ROUNDS, "python": platform.python_version()}
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (
            ("plain_rows", plain_rows(1)),
            ("plain_rows_not_ascii", plain_rows(1, exotic=True)),
            ("records", records(1)),
        ):
            path = Path(folder, f"{name}.jsonl")
            write_lines(path, rows)
            results[name] = measure(path)
    if "--json" in sys.argv[1:]:
        print(json.dumps(results))
        return
    print(f"{COUNT:,} records, best of {ROUNDS} rounds")
    for name, result in results.items():
        if isinstance(result, dict):
            print(f"{name:20} " + "  ".join(f"{key} {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
