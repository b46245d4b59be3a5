"""How long `annobridge --help` takes, beside an interpreter that does nothing and one that only imports click.

python benchmarks/startup.py [--json] [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "annobridge --help": ["-m", "bridge", "--help"],
    "import click": ["-c", "import click"],
    "python": ["-c", "pass"],
}


def main() -> None:
    """Run the commands in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.rounds):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - started)
    result = {name: round(statistics.median(seconds), 3) for name, seconds in times.items()}
    print(json.dumps(result) if options.json else "\n".join(f"{name:20} {s:.3f} s" for name, s in result.items()))


if __name__ == "__main__":
    main()
