"""The test server for models as a process of its own: ``python -m bridge.testing.models_serve``.

It prints its address, and serves until its input ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import get_args

from bridge.testing.models import CHANCE, ModelFault, ModelServer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the input ends, after printing the address."""
    parser = argparse.ArgumentParser(prog="python -m bridge.testing.models_serve", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--kind", action="append", choices=get_args(ModelFault), help="how they fail; several times")
    given = parser.parse_args(arguments)
    kinds = given.kind or CHANCE
    with ModelServer(port=given.port, seed=given.seed, rate=given.rate, kinds=kinds) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
