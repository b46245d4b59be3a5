"""A run with a real client: what its model cannot do is said, not hidden."""

from __future__ import annotations

from pathlib import Path

from bridge.generating.result import Generated
from bridge.generating.settings import load_settings
from bridge.generating.start import generate
from bridge.testing import ModelServer


def candidates(server: ModelServer, folder: Path) -> Generated:
    """Two answers to one prompt."""
    (folder / "rows.jsonl").write_text('{"prompt": "2 + 2?"}', encoding="utf-8")
    flags = {"make": "candidates", "template": "preference", "rows": "rows.jsonl", "models": "small"}
    config, _ = load_settings(None, {**flags, "url": server.url})
    return generate(config, *(folder / name for name in ("out.jsonl", "no.jsonl", "journal.jsonl")), folder=folder)


def test_a_model_that_ignores_n_is_named(tmp_path: Path) -> None:
    answers = iter(["probe", "Four.", "4"])
    with ModelServer(lambda asked: next(answers), can=()) as server:
        done = candidates(server, tmp_path)
    assert done.made == 1
    told = "small: n is not supported: choices are asked for one by one, and each pays for the prompt again"
    assert told in [caution.means for caution in done.cautions]


def test_of_a_model_that_can_nothing_is_said(tmp_path: Path) -> None:
    with ModelServer() as server:
        done = candidates(server, tmp_path)
    assert not any("not supported" in caution.means for caution in done.cautions)
