"""Progress, tables and streams: a bar for people, plain lines for files, and nothing on the wrong stream."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bridge
from bridge.cli import output
from bridge.cli.output import progress, table


class Terminal(io.StringIO):
    """Standard error that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# -- progress


def test_long_work_that_is_not_watched_is_told_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tell = output._plain_lines(clock)
    for done in range(0, 1300, 100):
        clock.now = done / 100
        tell("pushing", done, 5000)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "pushing: 500 of 5,000 (100/s)\npushing: 1,000 of 5,000 (100/s)\n"


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tell = output._plain_lines(Clock())
    for done in range(100):
        tell("reading", done, 0)
    assert capsys.readouterr().err == ""


def test_without_a_total_only_the_count_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tell = output._plain_lines(clock)
    tell("pulling", 1, 0)
    clock.now = 9
    tell("pulling", 12_000, 0)
    assert capsys.readouterr().err == "pulling: 12,000 (1,333/s)\n"


def test_each_kind_of_work_has_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    tell = output._plain_lines(clock)
    tell("reading", 1, 0)
    clock.now = 9
    tell("pushing", 1, 10)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress() as tell:
        tell("pushing", 3, 10)
        tell("pushing", 6, 10)
    assert "pushing" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_no_bar_where_it_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    stream = Terminal() if term == "dumb" else io.StringIO()
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", stream)
    with progress() as tell:
        tell("pushing", 3, 10)
    assert stream.getvalue() == ""


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(quiet=True) as tell:
        tell("pushing", 3, 10)
    assert terminal.getvalue() == ""


# -- tables


def test_words_stand_to_the_left_and_numbers_to_the_right() -> None:
    assert table(["who", "n"], [["ann", "1,200"], ["bo", 3]]) == ["who      n", "ann  1,200", "bo       3"]


def test_a_table_without_rows_has_headings() -> None:
    assert table(["who", "n"], []) == ["who  n"]


# -- as a program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "records.jsonl").write_text('{"prompt": "2 + 2?", "response": "4"}\n{"prompt": "p"}\n')
    return tmp_path


def annobridge(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(bridge.__file__).parent.parent),
            "ANNOBRIDGE_CONFIG_DIR": str(folder / "config"),
            **environment,
        },
        capture_output=True,
    )
    assert b"Traceback" not in done.stderr
    return done


def test_results_and_messages_have_their_own_streams(folder: Path) -> None:
    done = annobridge(folder, "push", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["type"] == "ConfigError"
    assert done.stderr.startswith(b"error: ")


def test_the_exit_codes_reach_the_shell(folder: Path) -> None:
    codes = {
        "ok": annobridge(folder, "init", "--server", "memory", "--template", "rating").returncode,
        "partial": annobridge(folder, "push").returncode,
        "failed": annobridge(folder, "export").returncode,
        "usage": annobridge(folder, "nonsense").returncode,
    }
    assert codes == {"ok": 0, "partial": 3, "failed": 1, "usage": 2}


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_any_locale_can_carry_any_text(folder: Path, locale: str) -> None:
    (folder / "records.jsonl").write_text('{"prompt": "p", "Zürich 😀": 1, "rating": "Zürich 😀", "response": "r"}\n')
    done = annobridge(folder, "check", "records.jsonl", "--template", "rating", "--json", LC_ALL=locale)
    assert done.returncode == 3
    assert "Zürich 😀" in json.loads(done.stdout)["rejects"][0]["reason"]


def test_a_file_name_that_is_no_text_is_an_error_like_any_other(folder: Path) -> None:
    done = annobridge(folder, "check", os.fsdecode(b"na\xffme.jsonl"), "--template", "rating")
    assert done.returncode == 1
    assert b"No such file or directory" in done.stderr


def test_a_reader_that_goes_away_is_no_error_of_ours(folder: Path) -> None:
    command = [sys.executable, "-m", "bridge", "templates", "show", "review"]
    environment = {**os.environ, "PYTHONPATH": str(Path(bridge.__file__).parent.parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
