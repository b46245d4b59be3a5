"""All kinds of training sets with all rules of merging: each record has rows or a reason, and the rows are sound."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from bridge.annotations import Annotation
from bridge.exporting import KINDS, export_all
from bridge.exporting.checking import check_row_files
from bridge.merging import merge
from bridge.merging.rule import METHODS, Method, Rewrites
from bridge.records import Record
from bridge.templates import load_template

RECORDS = [Record(f"r{n}", {"prompt": f"Add {n} to {n + 1}", "response": f"The sum is {n % 4}"}) for n in range(8)]
ANNOTATIONS = [
    Annotation(
        record.key,
        who,
        answers={
            "rating": 1 + (n * 3 + at) % 5,
            "label": "correct" if (n + at) % 3 == 0 else "incorrect",
            **({"improved_response": f"It is {n + at % 2}."} if n % 4 else {}),
        },
    )
    for n, record in enumerate(RECORDS)
    for at, who in enumerate("xyz"[: 1 + n % 3])
]


@pytest.mark.parametrize(("method", "quorum", "rewrites"), [*product(METHODS, (1, 2), ("each", "medoid"))], ids=str)
def test_each_record_has_rows_or_a_reason_and_the_rows_are_sound(
    tmp_path: Path, method: Method, quorum: int, rewrites: Rewrites
) -> None:
    template = load_template("review")
    merged = merge(ANNOTATIONS, template, RECORDS, method=method, quorum=quorum, rewrites=rewrites)
    results = export_all(
        KINDS, RECORDS, merged.kept, template, tmp_path, ("conversational",), ANNOTATIONS, merge_rule=merged.rule
    )
    assert [json.loads(result.manifest.read_text())["merge"] for result in results] == [merged.rule] * len(KINDS)
    for kind, result in zip(KINDS, results, strict=True):
        without = {case.record for case in result.dropped if not case.format}
        assert result.records + len(without) == len(RECORDS), kind
        assert result.kept > 0, kind
        for file in result.files:
            assert [(one.line, one.defects) for one in check_row_files([file.path]).rejected] == [], file.path.name
