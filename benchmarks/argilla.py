"""How much annobridge adds to what Argilla itself costs: push and pull against bare loops and the SDK.

    python benchmarks/argilla.py [--json] [--records 5000] [--rounds 3] [--batches 100 250 500]
                                 [--sdk-python PYTHON] [--pulls]

Starts an Argilla of its own (with OpenSearch and Redis) in a temporary folder. All sides of a ratio run in one run:
pushes take turns after every 500 records, and the ratio is that of the sums, with an interval; pulls, which are short,
run one after the other in changing order, several times, and the ratio is that of the medians.

* push: making the dataset and `bridge.sync.push` of records with three suggestions, against a loop that puts the same
  payloads with httpx2, for each of several batch sizes (the best counts), and against the SDK's `create` and
  `records.log`, in wall time and in the client's own processor time.
* pull: `bridge.sync.pull` into a store on disk, of 2,000 answered of all records, against the bare list route, and
  against iterating over the SDK's `dataset.records`. And the number of requests of a pull when nothing happened.

The SDK runs in a process of its own, with the interpreter that `--sdk-python` names (`pip install argilla requests`);
without one its figures are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from common import PART, TEMPLATE, Spent, Turn, in_turn, part_by_part, processors, ratio, records, total

from bridge.records import Record
from bridge.servers.argilla import Argilla
from bridge.servers.local_argilla import LocalArgilla
from bridge.servers.protocol import Outcome, Project
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import pull
from bridge.sync.push import push

ANSWERED = 0.4

SDK = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import argilla as rg
given = json.loads(sys.stdin.readline())
client = rg.Argilla(api_url=given["url"], api_key=given["key"])
if given["what"] == "push":
    settings = rg.Settings(
        fields=[rg.TextField(name="prompt"), rg.TextField(name="response")],
        questions=[
            rg.RatingQuestion(name="rating", values=[1, 2, 3, 4, 5]),
            rg.LabelQuestion(name="label", labels=["correct", "partially_correct", "incorrect", "harmful"]),
            rg.TextQuestion(name="improved_response", required=False),
        ],
        metadata=[rg.TermsMetadataProperty(name="bridge_key")],
    )
    import httpx

    send, written = httpx.Client.send, 0

    def send_and_hand_over(http, request, **options):
        global written
        reply = send(http, request, **options)
        if request.url.path.endswith("/records/bulk"):
            before, written = written, written + 256  # the SDK's own batch
            if before // given["part"] != written // given["part"]:
                print(time.process_time(), flush=True)
                sys.stdin.readline()
        return reply

    httpx.Client.send = send_and_hand_over
    print(time.process_time(), flush=True)
    sys.stdin.readline()
    started, spent = time.perf_counter(), time.process_time()
    dataset = rg.Dataset(name=given["name"], workspace=given["workspace"], settings=settings)
    dataset.create()
    dataset.records.log(
        [
            rg.Record(
                id=item["external_id"],
                fields=item["fields"],
                metadata={"bridge_key": item["external_id"]},
                suggestions=[rg.Suggestion(*pair) for pair in item["suggestions"]],
            )
            for item in given["records"]
        ]
    )
    found = len(given["records"])
else:
    dataset = client.datasets(given["name"], workspace=given["workspace"])
    started, spent = time.perf_counter(), time.process_time()
    found = sum(any(record.responses) for record in dataset.records)
print(json.dumps([time.perf_counter() - started, time.process_time() - spent, found]))
"""


class Bench:
    """One server, and the sides of each comparison."""

    def __init__(self, server: LocalArgilla, count: int, sdk_python: str) -> None:
        self.server = server
        self.records = records(count)
        self.sdk_python = sdk_python
        self.names = 0

    def connect(self) -> Argilla:
        return Argilla(self.server.url, self.server.api_key, self.server.workspace)

    def project(self) -> Project:
        self.names += 1
        return Project(f"Benchmark {self.names}", TEMPLATE)

    def push(self, turn: Turn) -> None:
        server = _Turned(self.connect(), turn)
        turn.ready()
        result = push(server, self.project(), self.records)
        assert result.sent == len(self.records), result
        server.close()

    def bare_push(self, turn: Turn, batch: int) -> None:
        """What anybody would write who knows the route and the best batch size, with nothing checked."""
        server = self.connect()
        remote = server.ensure(self.project(), create=True)
        items = [server._item(record) for record in self.records]
        turn.ready()
        with self.bare_client() as http:
            for start in range(0, len(items), batch):
                body = json.dumps({"items": items[start : start + batch]}).encode()
                http.put(f"/datasets/{remote.id}/records/bulk", content=body).raise_for_status()
                turn.wrote(batch)
        server.close()

    def sdk_push(self, turn: Turn) -> None:
        records = [
            {
                "external_id": record.key,
                "fields": dict(record.fields),
                "suggestions": [
                    *([s.question, s.value, s.score, s.agent or None] for s in record.suggestions),
                    ["improved_response", record.fields["response"], None, "annobridge"],
                ],
            }
            for record in self.records
        ]
        given = {"what": "push", "name": self.project().title, "records": records, "part": PART}
        command = [self.sdk_python, "-c", SDK]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps({**self.settings, **given}) + "\n")
            process.stdin.flush()
            before = float(process.stdout.readline())  # it has loaded everything, which counts for nobody
            turn.ready()
            while True:
                process.stdin.write("\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if line.startswith("["):
                    break
                turn.processor += float(line) - before
                before = float(line)
                turn.wrote(PART)
        assert not process.returncode

    def sdk(self, what: str, **given: Any) -> tuple[float, float, int]:
        body = json.dumps({**self.settings, "what": what, **given}) + "\n"
        done = subprocess.run([self.sdk_python, "-c", SDK], input=body, capture_output=True, text=True, check=True)
        wall, cpu, found = json.loads(done.stdout.splitlines()[-1])
        return wall, cpu, found

    @property
    def settings(self) -> dict[str, str]:
        server = self.server
        return {"url": server.url, "key": server.api_key.reveal(), "workspace": server.workspace}

    def bare_client(self) -> httpx2.Client:
        headers = {"X-Argilla-Api-Key": self.server.api_key.reveal(), "Content-Type": "application/json"}
        return httpx2.Client(base_url=f"{self.server.url}/api/v1", timeout=300, headers=headers)

    def answered(self) -> tuple[Project, str, int]:
        """A project with all records, a part of them answered by two people (imported, which is the quick way)."""
        server, project = self.connect(), self.project()
        remote = push(server, project, self.records).project
        count = int(len(self.records) * ANSWERED)
        with self.bare_client() as http:
            for number in range(2):
                self.server.add_user(f"bench{number}")
            people = [one for one in http.get("/users").json()["items"] if one["username"].startswith("bench")]
            for start in range(0, count, 250):
                items = [
                    {
                        "external_id": record.key,
                        "responses": [
                            {
                                "user_id": person["id"],
                                "status": "submitted",
                                "values": {"rating": {"value": 4}, "label": {"value": "correct"}},
                            }
                            for person in people
                        ],
                    }
                    for record in self.records[start : min(start + 250, count)]
                ]
                http.put(f"/datasets/{remote.id}/records/bulk", json={"items": items}).raise_for_status()
        server.close()
        return project, remote.id, count * len(people)

    def pull(self, project: Project, dataset: str, answers: int) -> Spent:
        server = self.connect()
        server.ensure(project, create=False)
        with tempfile.TemporaryDirectory() as folder:
            feedback, people = Feedback(Path(folder, "feedback.jsonl")), People(Path(folder))
            started, spent = time.perf_counter(), time.process_time()
            result = pull(server, dataset, feedback, people)
            taken = Spent(time.perf_counter() - started, time.process_time() - spent)
        assert result.changes.new == answers, result
        server.close()
        return taken

    def bare_pull(self, dataset: str) -> Spent:
        """The list route, page by page, parsed and thrown away."""
        with self.bare_client() as http:
            started, spent = time.perf_counter(), time.process_time()
            offset, total = 0, 1
            while offset < total:
                parameters = {"limit": 1000, "offset": offset, "include": "responses"}
                reply = http.get(f"/datasets/{dataset}/records", params=parameters).json()
                offset, total = offset + len(reply["items"]), reply["total"]
            taken = Spent(time.perf_counter() - started, time.process_time() - spent)
        assert offset == len(self.records)
        return taken

    def sdk_pull(self, project: Project) -> Spent:
        wall, cpu, found = self.sdk("pull", name=project.title)
        assert found == int(len(self.records) * ANSWERED), found
        return Spent(wall, cpu)

    def quiet_pull(self, project: Project, dataset: str) -> int:
        """How many requests a pull costs when nothing happened since the last."""
        counting = _Counting()
        with tempfile.TemporaryDirectory() as folder:
            feedback, people = Feedback(Path(folder, "feedback.jsonl")), People(Path(folder))
            server = self.connect()
            server.ensure(project, create=False)
            cursor = pull(server, dataset, feedback, people).cursor
            server.close()
            server = Argilla(self.server.url, self.server.api_key, self.server.workspace, transport=counting)
            server.ensure(project, create=False)
            pull(server, dataset, feedback, people, cursor=cursor)
            server.close()
        return counting.requests


class _Turned:
    """A server that hands over after each write."""

    def __init__(self, server: Argilla, turn: Turn) -> None:
        self._server, self._turn = server, turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        outcomes = self._server.write(records)
        self._turn.wrote(len(records))
        return outcomes


class _Counting(httpx2.HTTPTransport):
    requests = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return super().handle_request(request)


def main() -> None:
    """Run everything and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="+", default=[100, 250, 500], help="of the bare loops")
    parser.add_argument("--sdk-python", default="", help="an interpreter that has argilla and requests")
    parser.add_argument("--pulls", action="store_true", help="leave the pushes out, which take most of the time")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalArgilla(Path(folder, "home"), say=lambda text: print(text, file=sys.stderr)) as server,
    ):
        bench = Bench(server, options.records, options.sdk_python)
        pushing: dict[str, Callable[[Turn], None]] = {"push": bench.push}
        for batch in options.batches:
            pushing[f"bare push by {batch}"] = partial(bench.bare_push, batch=batch)
        if options.sdk_python:
            pushing["SDK log"] = bench.sdk_push
        pids = json.loads(Path(folder, "home/server.json").read_text())["pids"]
        parts = {} if options.pulls else part_by_part(options.rounds, pushing, lambda: processors(pids))
        pushes = {name: total(taken) for name, taken in parts.items()}
        project, dataset, answers = bench.answered()
        sides: dict[str, Callable[[], Spent]] = {
            "pull": lambda: bench.pull(project, dataset, answers),
            "bare list route": lambda: bench.bare_pull(dataset),
        }
        if options.sdk_python:
            sides["SDK iteration"] = lambda: bench.sdk_pull(project)
        pulls = in_turn(options.rounds * 2, sides)
        requests = bench.quiet_pull(project, dataset)
    result: dict[str, Any] = {
        "records": options.records,
        "pull / bare list route": round(pulls["pull"].wall / pulls["bare list route"].wall, 3),
        "requests of a pull when nothing happened": requests,
    }
    if pushes:
        best = min((name for name in pushes if name.startswith("bare")), key=lambda name: pushes[name].wall)
        result[f"push / {best}, the best"] = ratio(parts["push"], parts[best])
        for name in pushes.keys() & {"bare push by 250"}:  # our own batch
            result[f"push / {name}"] = ratio(parts["push"], parts[name])
    if pushes and options.sdk_python:
        result["push / SDK log"] = ratio(parts["push"], parts["SDK log"])
        whole = {name: ratio(parts["push"], parts[name], lambda s: s.processor + s.server) for name in parts}
        result["push / SDK log, processors of client and server"] = whole["SDK log"]
        result["push / SDK log, processor"] = round(pushes["push"].processor / pushes["SDK log"].processor, 3)
    if options.sdk_python:
        result["pull / SDK iteration"] = round(pulls["pull"].wall / pulls["SDK iteration"].wall, 3)
    result["seconds"] = {name: round(spent.wall, 2) for name, spent in {**pushes, **pulls}.items()}
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k:40} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
