"""Uploading a release: by Hugging Face's own client, to a hub that answers on loopback."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bridge.errors import AuthError, ServerError, UsageError
from bridge.release.hub import HuggingFace, check_hub, upload
from tests.cli.running import run
from tests.release.working import begun

TOKEN = "hf_notARealToken"


class Hub(ThreadingHTTPServer):
    """As much of the hub as an upload needs: what it was sent, and what it refuses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {"old.jsonl": b"of an earlier release"}
        self.made: list[dict[str, Any]] = []
        self.tags: list[str] = []
        self.tokens: set[str] = set()
        self.refusing: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        status, reply = next(
            ((status, {"error": f"no, {TOKEN}"}) for part, status in self.server.refusing.items() if part in self.path),
            (200, None),
        )
        if reply is None:
            reply = self._reply(body)
        said = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = _answer  # noqa: N815 - the names that the base class looks for

    def _reply(self, body: bytes) -> Any:
        hub = self.server
        if self.path == "/api/repos/create":
            hub.made.append(json.loads(body))
            return {"url": "datasets/me/sums", "name": "me/sums"}
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            return {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in asked]}
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del hub.files[line["value"]["path"]]
            return {"commitOid": "a" * 40, "commitUrl": f"{hub.url}/datasets/me/sums/commit/{'a' * 40}"}
        if "/tag/" in self.path:
            hub.tags.append(json.loads(body)["tag"])
            return {}
        if "/tree/" in self.path:
            return [{"type": "file", "path": name, "size": 1, "oid": "b" * 40} for name in hub.files]
        siblings = [{"rfilename": name} for name in hub.files]
        return {"_id": "1", "id": "me/sums", "sha": "a" * 40, "siblings": siblings, "tags": [], "private": True}


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    thread = Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "v1" / "sft.plain").mkdir(parents=True)
    (tmp_path / "v1" / "README.md").write_text("# Sums v1\n")
    (tmp_path / "v1" / "sft.plain" / "train.jsonl").write_text('{"prompt": "2 + 2?"}\n')
    return tmp_path / "v1"


def test_a_release_takes_the_place_of_what_is_there_as_a_private_data_set_with_a_tag(hub: Hub, folder: Path) -> None:
    assert upload(folder, "me/sums", "v1", HuggingFace(TOKEN, hub.url)) == f"{hub.url}/datasets/me/sums"
    assert hub.files == {"README.md": b"# Sums v1\n", "sft.plain/train.jsonl": b'{"prompt": "2 + 2?"}\n'}
    assert (hub.made[0]["visibility"], hub.made[0]["type"], hub.tags) == ("private", "dataset", ["v1"])
    assert hub.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("where", "status", "error", "remedy"),
    [
        ("/api/repos/create", 401, AuthError, "HF_TOKEN may write there"),
        ("/commit/", 403, AuthError, "HF_TOKEN may write there"),
        ("/commit/", 400, ServerError, "try --hub again later"),
        ("/tag/", 409, ServerError, "release another version"),
    ],
)
def test_what_the_hub_refuses_is_told_without_the_token(
    hub: Hub, folder: Path, where: str, status: int, error: type[ServerError], remedy: str
) -> None:
    hub.refusing = {where: status} | ({"/api/datasets/": status} if where == "/api/repos/create" else {})
    with pytest.raises(error) as caught:
        upload(folder, "me/sums", "v1", HuggingFace(TOKEN, hub.url))
    assert remedy in caught.value.remedy
    assert TOKEN not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["sums", "me/", "me/sums/v1", "../sums", "me/a..b", "me/a b"])
def test_names_of_data_sets(name: str) -> None:
    assert check_hub("me/sums-v1.2") == "me/sums-v1.2"
    with pytest.raises(UsageError, match="no name for a data set"):
        check_hub(name)


def test_the_token_is_in_the_environment() -> None:
    with pytest.raises(AuthError, match="HF_TOKEN is not set"):
        HuggingFace.of({"HF_TOKEN": " "})


def test_without_a_token_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    done = run("release", "--version", "v1", "--hub", "me/sums")
    assert (done.code, "HF_TOKEN is not set" in done.err, (tmp_path / "releases").exists()) == (1, True, False)
