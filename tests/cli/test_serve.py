"""``annobridge serve``: what it leaves behind when it stops. The server itself is replaced by one that is no server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.errors import SetupError
from bridge.keys import Secret, key_file, save_key
from bridge.servers import local_label_studio


class Stub:
    """A server that starts at once and is stopped with Ctrl-C as soon as somebody waits for it."""

    url, email, token = "http://127.0.0.1:8080", "admin@annobridge.example", Secret("token-of-the-stub")
    starts, ends_by_itself, wiped = True, False, False

    def __init__(self, home: Path | None, **more: object) -> None:
        self.home = home or Path("home")
        self.log = self.home / "log"

    def start(self) -> None:
        if not self.starts:
            raise SetupError("it does not start", remedy="none")

    def wait(self) -> None:
        if self.ends_by_itself:
            raise SetupError("it ended by itself", remedy="none")
        raise KeyboardInterrupt

    def stop(self) -> None:
        pass

    def wipe(self) -> None:
        type(self).wiped = True


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stub]]:
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    fresh = type("Fresh", (Stub,), {})
    monkeypatch.setattr(local_label_studio, "LocalLabelStudio", fresh)
    before = signal.getsignal(signal.SIGTERM)
    yield fresh
    signal.signal(signal.SIGTERM, before)


def serve(*flags: str) -> Result:
    return CliRunner().invoke(main, ["serve", "label-studio", *flags])


def keys() -> dict[str, str]:
    return dict(json.loads(key_file().read_text()))


def test_the_token_of_a_server_that_stays_is_kept(stub: type[Stub]) -> None:
    assert serve().exit_code == 0
    assert keys() == {"http://127.0.0.1:8080": "token-of-the-stub"}
    assert not stub.wiped


def test_a_temporary_server_takes_its_token_and_data_with_it(stub: type[Stub]) -> None:
    save_key("https://labels.example.org", Secret("other"))
    assert serve("--temporary").exit_code == 0
    assert keys() == {"https://labels.example.org:443": "other"}
    assert stub.wiped


def test_a_temporary_server_that_ends_by_itself_leaves_its_log_and_no_token(stub: type[Stub]) -> None:
    stub.ends_by_itself = True
    assert serve("--temporary").exit_code == 1
    assert keys() == {}
    assert not stub.wiped


def test_a_temporary_server_that_never_started_touches_no_keys(stub: type[Stub]) -> None:
    stub.starts = False
    save_key(Stub.url, Secret("of-another-time"))
    assert serve("--temporary").exit_code == 1
    assert keys() == {"http://127.0.0.1:8080": "of-another-time"}
