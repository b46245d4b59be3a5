"""init writes a campaign.yaml that can be used, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from bridge.cli import campaign as commands
from bridge.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def init(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["init", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--server", "a: b"], "--server: this version knows no server 'a: b'"),
        (["--server", "a #b"], "--server: this version knows no server 'a #b'"),
        (["--server", ""], "--server: this version knows no server ''"),
        (["--project", "a\tb"], "--project: write one line"),
        (["--project", ""], "--project: the text is empty"),
        (["--project", "a\udcffb"], "--project: it holds half of a surrogate pair, or bytes that are not UTF-8"),
        (["--project", "a\x7fb"], "--project: write one line"),
        (["--project", "a\ufffeb"], "--project: write one line"),
        (["--records", "a\nb"], "--records: write one line"),
        (["--records", "a\udcff"], "--records: it holds half of a surrogate pair"),
        (["--template", "a\0.yaml"], "'a\\x00.yaml': "),
        (["--template", "no"], "there is no ready-made template 'no'"),
        (["--url", "ftp://x"], "server address: it does not start with http:// or https://"),
        (["--url", ""], "server address: "),
        (["a\tb"], "--project: write one line"),
        (["a\udcff"], "'a\\udcff': the folder's name is not UTF-8"),
        (["a\udcff", "--project", "Sums"], "'a\\udcff': the folder's name is not UTF-8"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["lines", "json"])
def test_what_cannot_be_read_again_is_not_written(
    folder: Path, arguments: list[str], named: str, json: list[str]
) -> None:
    done = init(*arguments, *json)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {named}")
    assert "remedy: " in done.stderr
    assert not list(folder.rglob("*"))


def test_a_campaign_that_is_there_is_only_replaced_by_a_good_one(folder: Path) -> None:
    assert init("--server", "memory").exit_code == 0
    before = (folder / "campaign.yaml").read_text()
    assert init("--server", "memory", "--project", "a\tb", "--force").exit_code == 2
    assert (folder / "campaign.yaml").read_text() == before


def test_a_server_of_an_installed_package_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "my-server"

    monkeypatch.setattr(commands, "entry_points", lambda group: [Entry] if group == "annobridge.servers" else [])
    assert init("--server", "my-server", "--url", "https://x.example").exit_code == 0
    server = yaml.safe_load((folder / "campaign.yaml").read_text())["server"]
    assert server == {"kind": "my-server", "url": "https://x.example", "key_env": "MY_SERVER_API_KEY"}
