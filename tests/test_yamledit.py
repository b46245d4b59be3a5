"""Values of a YAML file change in place; comments and everything else stay."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import parse_config, starter
from bridge.migration import moved
from bridge.yamledit import with_values

TO = {"kind": "argilla", "url": "https://argilla.example.org", "workspace": "reviews"}


def test_comments_and_order_stay() -> None:
    text = (
        "# top\nproject: Sums  # name\n\nserver:\n  kind: memory\n  # inside\n  url: x  # last\n\n# below\nrecords: r\n"
    )
    assert with_values(text, {"server": {"kind": "a", "workspace": "b"}, "project": "Other"}) == (
        '# top\nproject: "Other"  # name\n\nserver:\n  kind: "a"\n  workspace: "b"  # last\n\n# below\nrecords: r\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "{project: Sums, server: {kind: memory}, records: r, template: rating}",
        '{"project":"Sums","server":{"kind":"memory"},"records":"r","template":"rating"}',
        "server: {kind: memory}\nproject: >-\n  Sums\n\nrecords: r\ntemplate: rating\n",
        "template: rating\nrecords:\n  path: r\nproject: 'Sums'\nserver:\n    kind: memory\n    allow_http: true",
        "---\nserver:\n  kind: memory\nproject: Sums\nrecords: r\ntemplate: rating\n...\n",
        "project: Sums\r\nserver:\r\n  kind: memory\r\nrecords: r\r\ntemplate: rating\r\n",
    ],
)
def test_every_way_to_write_a_campaign_can_be_changed(text: str) -> None:
    before = parse_config(text, "campaign.yaml")
    changed, config = moved(text, "campaign.yaml", TO, 'a "name": {x}, # y')
    assert parse_config(changed, "campaign.yaml") == config
    assert (config.server.model_dump(exclude_defaults=True), config.project) == (TO, 'a "name": {x}, # y')
    assert (config.records, config.template) == (before.records, before.template)


def test_the_commented_file_that_init_writes_stays_commented() -> None:
    text = starter("Sums", "review", "r.jsonl", kind="label-studio", url=None, annotators=2, exports=["sft"])
    changed, _ = moved(text, "campaign.yaml", TO, "Sums")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in changed.splitlines() if line.startswith("#")] == comments


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")))
def test_any_text_comes_back(text: str) -> None:
    for before in ("{a: 1, b: 2}", "a: 1\nb: 2\n", "b: 2\n", "a:\n  c: 1\nb: 2\n"):
        for value in (text, {"c": text, "d": True}):
            given: Any = yaml.safe_load(with_values(before, {"a": value}) if before != "b: 2\n" else before)
            assert given["b"] == 2
            assert before == "b: 2\n" or given["a"] == value


def test_a_key_that_is_not_there_is_added() -> None:
    assert with_values("a: 1 # one\n", {"b": {"c": 2}}) == "a: 1 # one\nb: {c: 2}\n"
