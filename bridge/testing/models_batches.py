"""The Batch API of the test server: files, batches that take their time, and lines that do not come back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.testing.models_http import HttpAnswer, HttpRequest

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


@dataclass(frozen=True, slots=True)
class BatchFaults:
    """What goes wrong, in the first batch only. The lines that it happens to are the first ones that are left.

    Args:
        polls: how often a batch is looked at before it has ended.
        missing: so many lines stand in neither file.
        broken: so many fail with a 500, in the error file.
        expired: so many are not begun when the time is over; the batch ends as ``expired``.
        garbled: so many stand in the file of results with nothing that was said.
        gone: the files of results are deleted before anybody reads them.
        failed: the batch is refused as a whole: it ends as ``failed``, and nothing is done.
        lost: the connection closes after the batch was made, so that nobody is told its id.
    """

    polls: int = 1
    missing: int = 0
    broken: int = 0
    expired: int = 0
    garbled: int = 0
    gone: bool = False
    failed: bool = False
    lost: bool = False


@dataclass(slots=True)
class _Batch:
    id: str
    input: str
    metadata: Mapping[str, str]
    polls: int
    status: str = "in_progress"
    output: str | None = None
    errors: str | None = None
    gone: bool = False
    counts: dict[str, int] = field(default_factory=lambda: {"total": 0, "completed": 0, "failed": 0})

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "input_file_id": self.input,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output,
            "error_file_id": self.errors,
            "created_at": 1_700_000_000,
            "request_counts": self.counts,
            "metadata": dict(self.metadata),
        }


class Batches:
    """Files and batches.

    Args:
        complete: answers the body of a line: status and body.
        faults: what goes wrong.
    """

    def __init__(
        self, complete: Callable[[Mapping[str, Any]], tuple[int, Mapping[str, Any]]], faults: BatchFaults
    ) -> None:
        self._complete = complete
        self._faults = faults
        self._files: dict[str, bytes] = {}
        self._gone: set[str | None] = set()
        self._batches: dict[str, _Batch] = {}
        self._results: dict[str, tuple[list[bytes], list[bytes], str]] = {}

    @property
    def sizes(self) -> list[int]:
        """How many lines each batch had."""
        return [len(self._files[batch.input].splitlines()) for batch in self._batches.values()]

    @property
    def waiting(self) -> int:
        """How many batches have not ended."""
        return sum(batch.status == "in_progress" for batch in self._batches.values())

    def serve(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer a request to one of its addresses."""
        parts = request.path.split("/")[2:]
        match request.method, parts:
            case "POST", ["files"]:
                return self._upload(request)
            case "GET", ["files", name, "content"] if name in self._files and name not in self._gone:
                return HttpAnswer(200, self._files[name], "application/octet-stream")
            case "POST", ["batches"]:
                return self._create(request)
            case "GET", ["batches"]:
                shown = [batch.shown() for batch in reversed(self._batches.values())]
                return _reply({"object": "list", "data": shown, "has_more": False})
            case "GET", ["batches", name] if name in self._batches:
                return _reply(self._look(self._batches[name]).shown())
        return HttpAnswer(404, b'{"error": {"message": "Not found", "code": "not_found"}}')

    def _upload(self, request: HttpRequest) -> HttpAnswer:
        found = _BOUNDARY.search(request.headers.get("content-type", ""))
        parts = request.body.split(b"--" + found[1].encode()) if found else []
        for part in parts:
            head, _, content = part.partition(b"\r\n\r\n")
            if b'name="file"' in head:
                return _reply({"id": self._keep(content.removesuffix(b"\r\n")), "object": "file", "purpose": "batch"})
        return HttpAnswer(400, b'{"error": {"message": "file: required", "code": "invalid_request_error"}}')

    def _keep(self, content: bytes) -> str:
        name = f"file-{len(self._files) + 1}"
        self._files[name] = content
        return name

    def _create(self, request: HttpRequest) -> HttpAnswer | None:
        body = json.loads(request.body)
        if body.get("input_file_id") not in self._files or body.get("completion_window") != "24h":
            return HttpAnswer(400, b'{"error": {"message": "no such file", "code": "invalid_request_error"}}')
        first = not self._batches
        name = f"batch_{len(self._batches) + 1}"
        batch = _Batch(name, body["input_file_id"], body.get("metadata") or {}, self._faults.polls)
        self._batches[name] = batch
        self._work(batch, self._faults if first else BatchFaults())
        return None if first and self._faults.lost else _reply(batch.shown())

    def _look(self, batch: _Batch) -> _Batch:
        if batch.status == "in_progress":
            batch.polls -= 1
            if batch.polls <= 0:
                batch.status = "completed"
                self._end(batch)
        return batch

    def _work(self, batch: _Batch, faults: BatchFaults) -> None:
        lines = [json.loads(line) for line in self._files[batch.input].splitlines()]
        ids = [line["custom_id"] for line in lines]
        batch.counts["total"] = len(lines)
        if faults.failed or len(set(ids)) < len(ids):
            batch.status = "failed"
            return
        left = lines[faults.missing :]
        garbled, left = left[: faults.garbled], left[faults.garbled :]
        broken, left = left[: faults.broken], left[faults.broken :]
        expired, left = left[: faults.expired], left[faults.expired :]
        good: list[bytes] = []
        bad: list[bytes] = []
        for line in left:
            status, body = self._complete(line["body"])
            shown = _line(line, {"status_code": status, "request_id": "req", "body": body}, None)
            (good if status == 200 else bad).append(shown)
        good += [_line(line, {"status_code": 200, "request_id": "req", "body": None}, None) for line in garbled]
        error = {"error": {"message": "The server had an error.", "code": "server_error"}}
        bad += [_line(line, {"status_code": 500, "request_id": "req", "body": error}, None) for line in broken]
        told = {"code": "batch_expired", "message": "This request could not be executed before the time was over."}
        bad += [_line(line, None, told) for line in expired]
        # Neither file is in the order of the input.
        self._results[batch.id] = (good[::-1], bad[::-1], "expired" if faults.expired else "completed")
        batch.gone = faults.gone

    def _end(self, batch: _Batch) -> None:
        good, bad, batch.status = self._results[batch.id]
        batch.counts["completed"], batch.counts["failed"] = len(good), len(bad)
        batch.output = self._keep(b"".join(good)) if good else None
        batch.errors = self._keep(b"".join(bad)) if bad else None
        if batch.gone:
            self._gone |= {batch.output, batch.errors}

    def forget(self) -> None:
        """Delete all batches, as providers do after some time."""
        self._batches.clear()


def _line(line: Mapping[str, Any], response: Mapping[str, Any] | None, error: Mapping[str, Any] | None) -> bytes:
    shown = {"id": "batch_req", "custom_id": line["custom_id"], "response": response, "error": error}
    return json.dumps(shown).encode() + b"\n"


def _reply(body: Mapping[str, Any]) -> HttpAnswer:
    return HttpAnswer(200, json.dumps(body).encode())
