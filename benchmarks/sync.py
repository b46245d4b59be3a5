"""What sync costs: the ledger, a second push, a pull of few changes, a plan of many records.

    python benchmarks/sync.py [--json] [--records 5000] [--rounds 3] [--argilla]

Starts a Label Studio of its own (and with `--argilla` an Argilla too) in a temporary folder, and works on campaigns as
the command line does.

* ledger / push: the time spent in the ledger during a first push, of that push.
* second push / first push: nothing changed in between; also the number of requests that write.
* pull of 50 / full pull: 50 answers, spread over all, were edited since the last pull, against `pull --full`. On
  Argilla, which cannot list what changed, against the bare list route.
* plan of 100,000 records on the in-memory server: seconds, and how much the process grows.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
from argilla import Bench as ArgillaBench
from common import records
from label_studio import Bench as LabelStudioBench

from bridge.campaign import Campaign
from bridge.servers.label_studio import LabelStudio
from bridge.servers.local_argilla import LocalArgilla
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.memory import MemoryServer
from bridge.servers.protocol import Project, Server
from bridge.sync.ledger import Ledger

EDITED = 50


def campaign(folder: Path, project: str, count: int, server: Server, kind: str) -> Campaign:
    """A campaign with so many records on a server that is open."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "records.jsonl").open("w") as file:
        for record in records(count):
            file.write(json.dumps(record.to_dict()) + "\n")
    config = {"project": project, "server": {"kind": kind}, "records": "records.jsonl", "template": "review"}
    (folder / "campaign.yaml").write_text(json.dumps(config))
    return Campaign(folder, server=server)


def timed(what: Callable[[], Any]) -> float:
    """Seconds."""
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


class Counting(httpx2.HTTPTransport):
    """Counts requests that write."""

    writes = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        reads = request.method == "GET" or request.url.path.endswith(("/token/refresh/", "/search"))
        self.writes += not reads
        return super().handle_request(request)


class Watched:
    """Adds up the time that is spent in the ledger."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._inside = False
        for name in ("transaction", "guarded"):
            setattr(Ledger, name, self._watching(getattr(Ledger, name)))

    def _watching(self, method: Any) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def watched(ledger: Ledger) -> Any:
            outermost, self._inside = not self._inside, True
            started = time.perf_counter()
            try:
                with method(ledger) as value:
                    yield value
            finally:
                if outermost:
                    self.spent += time.perf_counter() - started
                    self._inside = False

        return watched


def pushes(folder: Path, count: int, rounds: int, connect: Callable[[httpx2.HTTPTransport], Server]) -> dict[str, Any]:
    """First and second pushes on a live server."""
    watched = Watched()
    first, second, ledger, writes = [], [], [], 0
    for number in range(rounds):
        counting = Counting()
        made = campaign(folder / str(number), f"Sync {number}", count, connect(counting), "label-studio")
        watched.spent = 0.0
        first.append(timed(made.push))
        ledger.append(watched.spent / first[-1])
        counting.writes = 0
        second.append(timed(made.push))
        writes += counting.writes
        print(f"  round {number + 1}  push {first[-1]:.2f} s, again {second[-1]:.3f} s", file=sys.stderr)
    return {
        "ledger / push": round(statistics.median(ledger), 4),
        "second push / first push": round(statistics.median(second) / statistics.median(first), 4),
        "writes of a second push": writes,
    }


def label_studio(folder: Path, count: int, rounds: int, server: LocalLabelStudio) -> dict[str, Any]:
    """Everything on Label Studio."""
    result = pushes(folder, count, rounds, lambda http: LabelStudio(server.url, server.token, transport=http))
    bench = LabelStudioBench(server, count)
    project, _ = bench.annotated(count)
    connection = bench.connect()
    made = campaign(folder / "pulls", project.title, count, connection, "label-studio")
    full, few = [], []
    made.pull()
    for number in range(rounds):
        connection.ensure(Project(project.title, project.template), create=False)
        pages = connection.changes("")
        ids = [a.source["id"] for page in pages for found in page.records for a in found.annotations]
        for id_ in ids[:: len(ids) // EDITED]:
            body = {"lead_time": 20 + number}
            connection._http.request("PATCH", f"/api/annotations/{id_}/", body=body, what="edit an answer")
        few.append(timed(made.pull))
        full.append(timed(lambda: made.pull(full=True)))
        print(f"  round {number + 1}  pull of {EDITED} {few[-1]:.3f} s, full {full[-1]:.2f} s", file=sys.stderr)
    connection.close()
    return result | {f"pull of {EDITED} / full pull": round(statistics.median(few) / statistics.median(full), 4)}


def argilla(folder: Path, count: int, rounds: int, server: LocalArgilla) -> dict[str, Any]:
    """Pulls on Argilla."""
    bench = ArgillaBench(server, count, "")
    project, dataset, _ = bench.answered()
    connection = bench.connect()
    made = campaign(folder, project.title, count, connection, "argilla")
    made.pull()
    pulls, bare = [], []
    with bench.bare_client() as http:
        for number in range(rounds):
            listed = http.get(f"/datasets/{dataset}/records", params={"limit": EDITED, "include": "responses"}).json()
            for record in listed["items"]:
                response = record["responses"][0]
                items = [
                    {
                        "external_id": record["external_id"],
                        "responses": [
                            {**response, "values": {"rating": {"value": 1 + number % 5}, "label": {"value": "correct"}}}
                        ],
                    }
                ]
                http.put(f"/datasets/{dataset}/records/bulk", json={"items": items}).raise_for_status()
            pulls.append(timed(made.pull))
            bare.append(bench.bare_pull(dataset).wall)
            print(f"  round {number + 1}  pull of {EDITED} {pulls[-1]:.2f} s, bare {bare[-1]:.2f} s", file=sys.stderr)
    connection.close()
    return {
        f"Argilla: pull of {EDITED} / bare list route": round(statistics.median(pulls) / statistics.median(bare), 3)
    }


def plan(folder: Path, count: int) -> dict[str, Any]:
    """A plan of many records, all of which are there."""
    server = MemoryServer()
    made = campaign(folder, "Many", count, server, "memory")
    fresh = timed(made.plan)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made.plan()
    return {
        f"plan of {count:,} records, seconds": round(fresh, 2),
        "the process then, MB": grown // 1024,
        "of which the file, MB": (folder / "records.jsonl").stat().st_size // 2**20,
    }


def main() -> None:
    """Run everything and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--argilla", action="store_true", help="also pull from an Argilla (takes minutes more)")
    options = parser.parse_args()
    result: dict[str, Any] = {"records": options.records}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def say(text: str) -> None:
            print(text, file=sys.stderr)

        result |= plan(folder / "plan", 100_000)
        if options.argilla:
            server = stack.enter_context(LocalArgilla(folder / "argilla", say=say))
            result |= argilla(folder / "a", options.records, options.rounds, server)
            server.stop()
        label = stack.enter_context(LocalLabelStudio(folder / "label-studio", say=say))
        result |= label_studio(folder / "l", options.records, options.rounds, label)
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:44} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
