"""A run with a real client: what its model cannot do is said, not hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import EndpointError
from bridge.generating.result import Generated
from bridge.generating.settings import load_settings
from bridge.generating.start import generate
from bridge.models.journal import Journal
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


def test_answers_of_one_model_are_waited_for_where_another_one_ends_the_run(tmp_path: Path) -> None:
    rows = "".join(f'{{"prompt": "{n} + {n}?"}}\n' for n in range(20))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    with (
        ModelServer(lambda asked: asked.text, rate=1, kinds=["slow"], slow_s=0.2) as slow,
        ModelServer(models=["other"]) as wrong,
    ):
        models = [{"name": "slow", "url": slow.url}, {"name": "wrong", "url": wrong.url}]
        flags = {"make": "candidates", "template": "preference", "rows": "rows.jsonl", "models": models}
        config, _ = load_settings(None, flags)
        files = [tmp_path / name for name in ("out.jsonl", "no.jsonl", "journal.jsonl")]
        with pytest.raises(EndpointError, match="there is no such model"):
            generate(config, *files, folder=tmp_path)
        with Journal(files[2]) as journal:
            assert journal.account.spent.unclear == 0
        assert files[2].read_text().count('{"answer"') == len(slow.asked) > 1
