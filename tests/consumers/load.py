"""Runs beside some version of `datasets`: loads exports by its own code, and prints what came.

    python load.py CACHE PLACE...

A place is a file of rows, or a folder with one file for each split. Printed is ``{"version": ..., "rows": {place:
{split: rows}}}``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Load every place, and print what came."""
    cache, *places = sys.argv[1:]
    os.environ["HF_HOME"] = cache
    os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"

    import datasets  # it reads the environment when it is imported

    found = {}
    for place in map(Path, places):
        if place.is_dir():
            loaded = datasets.load_dataset(str(place))
        else:
            builder = "parquet" if place.suffix == ".parquet" else "json"
            loaded = datasets.load_dataset(builder, data_files=str(place))
        # Times come as text, so that a text that was taken for a time shows.
        found[str(place)] = {split: list(rows) for split, rows in loaded.items()}
    print(json.dumps({"version": datasets.__version__, "rows": found}, default=str))


if __name__ == "__main__":
    main()
