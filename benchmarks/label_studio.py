"""How much annobridge adds to what Label Studio itself costs: push and pull against bare loops and the SDK.

    python benchmarks/label_studio.py [--json] [--records 5000] [--rounds 6]

Starts a Label Studio of its own in a temporary folder. All sides of a ratio run several times, in changing order, in
the same run; the ratio is that of the medians.

* push: `bridge.sync.push` of records with three suggestions, against a loop that posts the same payloads with httpx2,
  for each of several batch sizes; the best of those counts.
* pull: `bridge.sync.pull` into a store on disk, of 2,000 annotated of 5,000 records, against the bare expand route with
  the same filters, and against the SDK's `tasks.list(fields="all")`, its way to get tasks with annotations.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import TEMPLATE, Spent, in_turn, records

from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_tasks import ANSWERS, rule
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push

BATCHES = (250, 500, 1000)


class Bench:
    """One server, and the two sides of each comparison."""

    def __init__(self, server: LocalLabelStudio, count: int) -> None:
        self.server = server
        self.records = records(count)
        self.projects = 0

    def connect(self) -> LabelStudio:
        return LabelStudio(self.server.url, self.server.token)

    def project(self) -> Project:
        self.projects += 1
        return Project(f"Benchmark {self.projects}", TEMPLATE)

    def ours(self) -> Spent:
        server = self.connect()
        started, processor = time.perf_counter(), time.process_time()
        result = push(server, self.project(), self.records)
        spent = Spent(time.perf_counter() - started, time.process_time() - processor)
        assert result.sent == len(self.records), result
        server.close()
        return spent

    def bare_push(self, batch: int) -> Spent:
        """What anybody would write who knows the best batch size, with nothing checked."""
        server = self.connect()
        remote = server.ensure(self.project(), create=True)
        tasks = [server._task(record) for record in self.records]
        with self.bare_client(server) as http:
            started, processor = time.perf_counter(), time.process_time()
            for start in range(0, len(tasks), batch):
                body = json.dumps(tasks[start : start + batch]).encode()
                http.post(
                    f"/api/projects/{remote.id}/import", content=body, headers=_headers(server)
                ).raise_for_status()
            spent = Spent(time.perf_counter() - started, time.process_time() - processor)
        server.close()
        return spent

    def bare_client(self, server: LabelStudio) -> Any:
        import httpx2

        return httpx2.Client(base_url=self.server.url, timeout=300, headers={"Content-Type": "application/json"})

    def annotated(self, count: int) -> tuple[Project, str]:
        """A project with all records, the first `count` of them annotated (imported, which is the quick way)."""
        server, project = self.connect(), self.project()
        remote = server.ensure(project, create=True)
        tasks = [server._task(record) for record in self.records]
        for task in tasks[:count]:
            suggested = task["predictions"][0]["result"]
            better = {**suggested[0], "id": "better", "from_name": "improved_response", "type": "textarea"}
            better["value"] = {"text": ["A response that somebody wrote again."]}
            result = [*suggested, better]  # the task wants one of whoever rates the response low
            task["annotations"] = [{"result": result, "lead_time": 12.5, "ground_truth": False}]
        for start in range(0, len(tasks), 250):
            server._http.request("POST", f"/api/projects/{remote.id}/import", body=tasks[start : start + 250])
        server.close()
        return project, remote.id

    def pull(self, project: Project, project_id: str) -> Spent:
        server = self.connect()
        server.ensure(project, create=False)
        with tempfile.TemporaryDirectory() as folder:
            feedback, people = Feedback(Path(folder, "feedback.jsonl")), People(Path(folder))
            started, processor = time.perf_counter(), time.process_time()
            result = pull(server, project_id, feedback, people)
            spent = Spent(time.perf_counter() - started, time.process_time() - processor)
        assert result.changes.new == 2000, result
        server.close()
        return spent

    def bare_pull(self, project_id: str) -> Spent:
        """The expand route with the same filter, page by page, parsed and thrown away."""
        server = self.connect()
        found = 0
        rules = [rule("total_annotations", "greater", 0)]
        with self.bare_client(server) as http:
            started, processor = time.perf_counter(), time.process_time()
            last, left = 0, 1
            while left > 0:
                query = {"filters": {"conjunction": "and", "items": [*rules, rule("id", "greater", last)]}}
                reply = http.request(
                    "GET",
                    "/api/tasks/",
                    params={
                        "project": project_id,
                        "page_size": 500,
                        "resolve_uri": "false",
                        **ANSWERS,
                    },
                    content=json.dumps({**query, "ordering": ["tasks:id"]}).encode(),
                    headers=_headers(server),
                ).json()
                found += len(reply["tasks"])
                left = reply["total"] - len(reply["tasks"])
                last = reply["tasks"][-1]["id"]
            spent = Spent(time.perf_counter() - started, time.process_time() - processor)
        assert found == 2000
        server.close()
        return spent

    def sdk_pull(self, project_id: str) -> Spent:
        from label_studio_sdk import LabelStudio as Sdk

        client = Sdk(base_url=self.server.url, api_key=self.server.token.reveal())
        started, processor = time.perf_counter(), time.process_time()
        found = sum(bool(task.annotations) for task in client.tasks.list(project=int(project_id), fields="all"))
        spent = Spent(time.perf_counter() - started, time.process_time() - processor)
        assert found == 2000, found
        return spent


def _headers(server: LabelStudio) -> dict[str, str]:
    return server._login.headers()


def main() -> None:
    """Run everything and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalLabelStudio(Path(folder, "home"), say=lambda text: print(text, file=sys.stderr)) as server,
    ):
        bench = Bench(server, options.records)
        bench.ours()  # the first import of a server is slower than all later ones
        sides: dict[str, Callable[[], Spent]] = {"push": bench.ours}
        for batch in BATCHES:
            sides[f"bare push by {batch}"] = lambda batch=batch: bench.bare_push(batch)  # type: ignore[misc]
        pushes = in_turn(options.rounds, sides)
        project, project_id = bench.annotated(2000)
        sides = {
            "pull": lambda: bench.pull(project, project_id),
            "bare expand route": lambda: bench.bare_pull(project_id),
            "SDK tasks.list": lambda: bench.sdk_pull(project_id),
        }
        pulls = in_turn(options.rounds, sides)
    best = min(spent.wall for name, spent in pushes.items() if name != "push")
    result = {
        "records": options.records,
        "push / best bare loop": round(pushes["push"].wall / best, 3),
        "pull / bare expand route": round(pulls["pull"].wall / pulls["bare expand route"].wall, 3),
        "pull / SDK listing": round(pulls["pull"].wall / pulls["SDK tasks.list"].wall, 3),
        "median seconds": {name: round(spent.wall, 2) for name, spent in {**pushes, **pulls}.items()},
    }
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:28} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
