"""Reading: rows become records, and what cannot become one says why, with its line and a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.files import write_lines
from bridge.garbage import no_cycles
from bridge.reading import RecordReader, read_records
from bridge.records import Record, Suggestion, record_key
from bridge.templates import load_template

REVIEW = load_template("review")
GOOD = {"prompt": "2 + 2?", "response": "4"}


def read(folder: Path, rows: list[Any], template: str = "review", **options: Any) -> tuple[list[Record], RecordReader]:
    write_lines(folder / "rows.jsonl", rows)
    reader = read_records(folder / "rows.jsonl", load_template(template), **options)
    return list(reader), reader


def read_csv(folder: Path, text: str, template: str = "review", **options: Any) -> tuple[list[Record], RecordReader]:
    (folder / "rows.csv").write_text(text)
    reader = read_records(folder / "rows.csv", load_template(template), **options)
    return list(reader), reader


def reason(folder: Path, row: dict[str, Any], template: str = "review", **options: Any) -> str:
    """Why a row is rejected, between two good ones that are not."""
    before, after = ({"prompt": name, "response": "4", "id": name} for name in ("before", "after"))
    records, reader = read(folder, [before, row, after] if template == "review" else [row], template, **options)
    assert len(records) == (2 if template == "review" else 0)
    (reject,) = reader.rejects
    assert reject.line == (2 if template == "review" else 1)
    assert reject.remedy
    return reject.reason


@pytest.mark.parametrize("rename", [None, lambda record: record])
def test_a_file_that_is_read_half_way_is_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: Callable[[Record], Record] | None
) -> None:
    opened = []

    def remembered(*args: Any, **options: Any) -> Any:
        opened.append(open(*args, **options))  # noqa: SIM115 - whether the reader closes it is the question
        return opened[-1]

    monkeypatch.setattr("bridge.files.open", remembered, raising=False)
    write_lines(tmp_path / "rows.jsonl", [{**GOOD, "id": n} for n in range(50_000)])
    with no_cycles():
        for _ in read_records(tmp_path / "rows.jsonl", REVIEW, rename=rename):
            break
        assert [file.closed for file in opened] == [True]


# -- the two shapes


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(
        "r-1", GOOD, (Suggestion("rating", 4, 0.5, "judge", "human"), Suggestion("label", "correct")), {"n": [1, None]}
    )
    records, reader = read(tmp_path, [record.to_dict()])
    assert records == [record]
    assert (reader.rows, reader.rejects, reader.duplicates) == (1, [], 0)


def test_columns_of_a_plain_row_become_fields_suggestions_and_metadata(tmp_path: Path) -> None:
    row = {**GOOD, "rating": 5, "rating.score": 0.9, "rating.agent": "judge", "label": "correct", "source": "faq"}
    ((record,), _) = read(tmp_path, [row])
    assert record.fields == GOOD
    assert record.suggestions == (Suggestion("rating", 5, 0.9, "judge"), Suggestion("label", "correct"))
    assert record.metadata == {"source": "faq"}
    assert record.key == record_key(GOOD)


def test_repeated_fields_are_columns_too_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    text = 'prompt,response_1,response_2,response_3,ranking\nq,a,b,,"{""response_2"": 1, ""response_1"": 2}"\n'
    ((record,), _) = read_csv(tmp_path, text, "ranking")
    assert record.fields == {"prompt": "q", "response_1": "a", "response_2": "b"}
    assert record.suggestions[0].value == {"response_1": 2, "response_2": 1}


def test_cells_of_csv_are_read_as_what_their_column_takes(tmp_path: Path) -> None:
    messages = json.dumps([{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}])
    quoted = messages.replace('"', '""')
    ((first, second), _) = read_csv(
        tmp_path,
        f'messages,rating,rating.score,label,n\n"{quoted}",4,0.5,correct,1\n"{quoted.replace("4", "5")}",,,,2\n',
        "chat_review",
    )
    assert first.fields["messages"] == json.loads(messages)
    assert first.suggestions == (Suggestion("rating", 4, 0.5), Suggestion("label", "correct"))
    assert first.metadata == {"n": "1"}
    assert second.suggestions == ()


def test_a_null_is_no_suggestion(tmp_path: Path) -> None:
    ((record,), reader) = read(tmp_path, [{**GOOD, "rating": None, "rating.score": None}])
    assert (record.suggestions, reader.left_out) == ((), {})


@pytest.mark.parametrize("gap", [{}, {"rating": None}])
def test_a_score_or_agent_without_a_suggestion_is_left_out_and_named(tmp_path: Path, gap: dict[str, None]) -> None:
    alone = {**gap, "rating.score": 0.4, "rating.agent": "judge"}
    rows = [
        {**GOOD, **alone},
        {**GOOD, "prompt": "q", **alone, "rating.agent": ""},
        {**GOOD, "prompt": "p", "rating": 4},
    ]
    records, reader = read(tmp_path, rows)
    assert [(record.metadata, len(record.suggestions)) for record in records] == [({}, 0), ({}, 0), ({}, 1)]
    assert reader.left_out == {
        "rating.score": "2 rows without a suggestion for rating",
        "rating.agent": "1 row without a suggestion for rating",
    }


def test_a_mapped_score_without_a_suggestion_is_named_by_its_column(tmp_path: Path) -> None:
    _, reader = read_csv(tmp_path, "prompt,response,sure\nq,a,0.5\n", mapping={"rating.score": "sure"})
    assert reader.left_out == {"sure": "1 row without a suggestion for rating"}


def test_a_rating_that_a_table_has_made_a_float_is_a_whole_number(tmp_path: Path) -> None:
    ((record,), _) = read(tmp_path, [{**GOOD, "rating": 4.0}])
    assert type(record.suggestions[0].value) is int


def test_spans_of_a_suggestion_must_lie_in_the_text(tmp_path: Path) -> None:
    span = {"start": 0, "end": 2, "label": "unsupported"}
    assert "does not lie in response" in reason(tmp_path, {**GOOD, "errors": [span]}, "span_errors")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["parquet", "dataset"])
def test_typed_tables_are_read(tmp_path: Path, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [
        {"prompt": "q", "response_1": "a", "response_2": "b", "response_3": None, "ranking": {"response_1": 1}},
        {"prompt": "q", "response_1": "a", "response_2": "b", "response_3": "c", "ranking": {"response_3": 1}},
    ]
    times = [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 2
    table = datasets.Dataset.from_list(rows).add_column("when", times)
    table.to_parquet(tmp_path / "a") if kind == "parquet" else table.save_to_disk(tmp_path / "a")
    reader = read_records(tmp_path / "a", load_template("ranking"))
    first, second = reader
    assert list(first.fields) == ["prompt", "response_1", "response_2"]
    assert first.suggestions[0].value == {"response_1": 1}
    assert second.suggestions[0].value == {"response_3": 1}
    assert first.metadata["when"].startswith("2026-01-02T03:04:05")


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_dates_of_parquet_become_iso_text_whatever_else_is_installed(tmp_path: Path, unit: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    when = pa.array([1_700_000_000_123_456_789 // {"s": 10**9, "us": 1000, "ns": 1}[unit]], pa.timestamp(unit))
    columns = {"prompt": ["q"], "response": ["a"], "when": when}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet", coerce_timestamps=None, version="2.6")
    (record,) = read_records(tmp_path / "a.parquet", REVIEW)
    assert record.metadata["when"] == "2023-11-14T22:13:20" + ("" if unit == "s" else ".123456")


def read_table(folder: Path, columns: dict[str, Any], **options: Any) -> tuple[list[Record], RecordReader]:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"prompt": ["q"], "response": ["a"], **columns}), folder / "a.parquet")
    reader = read_records(folder / "a.parquet", REVIEW, **options)
    return list(reader), reader


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([b"\x89PNG"], "binary"),
        ([{"bytes": b"\x89PNG", "path": "a.png"}], "struct<bytes: binary, path: string>"),
        ([[b"\x89PNG"]], "list<element: binary>"),
        ([Decimal("1.50")], "decimal128(3, 2)"),
        ([timedelta(days=1)], "duration[us]"),
    ],
)
def test_a_column_that_cannot_be_metadata_is_left_out_and_named(tmp_path: Path, values: list[Any], kind: str) -> None:
    ((record,), reader) = read_table(tmp_path, {"image": values, "source": ["faq"]})
    assert record.metadata == {"source": "faq"}
    assert reader.rejects == []
    assert reader.left_out == {"image": f"{kind} cannot be metadata"}


def test_a_binary_column_that_is_mapped_to_a_field_rejects_its_rows(tmp_path: Path) -> None:
    records, reader = read_table(tmp_path, {"image": [b"\x89PNG"]}, mapping={"response": "image"})
    assert (records, reader.left_out) == ([], {})
    assert reader.rejects[0].reason == "response: bytes where a text is expected"


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_nan_in_a_table_is_no_value(tmp_path: Path, kind: str) -> None:
    import numpy as np

    gap = np.array([np.nan], dtype=kind)
    ((record,), reader) = read_table(tmp_path, {"rating": gap, "rating.score": gap, "temperature": gap})
    assert (record.suggestions, record.metadata) == ((), {"temperature": None})
    assert (reader.rejects, reader.left_out) == ([], {})


def test_an_infinite_number_in_a_table_is_rejected(tmp_path: Path) -> None:
    _, reader = read_table(tmp_path, {"temperature": [float("inf")]})
    assert reader.rejects[0].reason == "metadata 'temperature': inf is not a JSON value"


# -- the map and the id


def test_a_mapped_column_takes_the_place_of_the_one_named_so(tmp_path: Path) -> None:
    row = {"instruction": "2 + 2?", "prompt": "system prompt", "response": "4", "stars": 3, "sure": 0.25}
    mapping = {"prompt": "instruction", "rating": "stars", "rating.score": "sure"}
    ((record,), _) = read(tmp_path, [row], mapping=mapping)
    assert record.fields == GOOD
    assert record.suggestions == (Suggestion("rating", 3, 0.25),)
    assert record.metadata == {"prompt": "system prompt"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"promt": "instruction"}, "no field or question 'promt'"),
        ({"rating.mean": "instruction"}, "no field or question 'rating.mean'"),
        ({"prompt": "question"}, "has no column 'question'"),
        ({"prompt": "instruction", "response": "instruction"}, "mapped twice"),
    ],
)
def test_a_map_that_cannot_be_right_is_refused_before_any_row(
    tmp_path: Path, mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, [{"instruction": "q", "response": "a"}], mapping=mapping)
    assert caught.value.remedy


def test_a_mapped_column_may_be_missing_from_some_rows(tmp_path: Path) -> None:
    ((first, second), _) = read(
        tmp_path, [GOOD, {"prompt": "q", "response": "a", "stars": 2}], mapping={"rating": "stars"}
    )
    assert (first.suggestions, second.suggestions[0].value) == ((), 2)


def test_records_have_no_columns_to_map(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="records already"):
        read(tmp_path, [{"fields": GOOD}], mapping={"prompt": "instruction"})


def test_an_id_column_is_the_key_and_nothing_else(tmp_path: Path) -> None:
    ((record,), _) = read(tmp_path, [{"id": 17, **GOOD}], id_column="id")
    assert (record.key, record.metadata) == ("17", {})


def test_the_id_of_a_record_is_looked_for_in_its_metadata(tmp_path: Path) -> None:
    ((record,), _) = read(tmp_path, [{"key": "other", "fields": GOOD, "metadata": {"id": "r-1"}}], id_column="id")
    assert (record.key, record.metadata) == ("r-1", {"id": "r-1"})


def test_a_row_without_its_id_is_rejected(tmp_path: Path) -> None:
    assert "id: missing" in reason(tmp_path, GOOD, id_column="id")


def test_an_id_column_that_no_row_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--id nr: .* no column 'nr'") as caught:
        read(tmp_path, [GOOD], id_column="nr")
    assert "prompt, response" in caught.value.remedy


# -- what is rejected

LONE = "\ud83d"


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "q"}, "response: missing"),
        ({**GOOD, "prompt": " "}, "prompt: the text is blank"),
        ({**GOOD, "prompt": 7}, "prompt: a number where a text"),
        ({**GOOD, "prompt": "a\0b"}, "prompt: character 2 is NUL"),
        ({**GOOD, "prompt": "x" * 1_000_001}, "1,000,001 characters"),
        ({**GOOD, "rating": 6}, "rating: 6 is not on the scale"),
        ({**GOOD, "rating": 4.5}, "rating: 4.5 is not on the scale"),
        ({**GOOD, "rating": "4"}, "rating: '4' is not on the scale"),
        ({**GOOD, "rating": True}, "rating: True is not on the scale"),
        ({**GOOD, "label": "good"}, "label: 'good' is not one of its labels"),
        ({**GOOD, "rating": 4, "rating.score": 1.5}, "rating.score: 1.5"),
        ({**GOOD, "rating": 4, "rating.score": True}, "rating.score: True"),
        ({**GOOD, "rating": 4, "rating.score": "high"}, "rating.score: 'high'"),
        ({**GOOD, "rating": 4, "rating.agent": 7}, "rating.agent: 7 is not a text"),
        ({**GOOD, "rating": 4, "rating.agent": "x" * 201}, "agent: 201 characters"),
        ({**GOOD, "n": 2**63}, "metadata 'n': a number over 64 bits"),
        ({**GOOD, "n": deep(11)}, "metadata 'n': nested more than 10 deep"),
        ({**GOOD, "n": {"a": ["\0"]}}, "metadata 'n': character 1 is NUL"),
        ({**GOOD, "n" * 201: 1}, "metadata: a name: 201 characters"),
        ({"fields": GOOD, "label": "x"}, "'label': a record has no such part"),
        ({"fields": {**GOOD, "extra": "x"}}, "'extra': the template 'review' has no such field"),
        ({"fields": GOOD, "key": ""}, "key: empty"),
        ({"fields": GOOD, "key": 1.5}, "key: float"),
        ({"fields": GOOD, "metadata": []}, "metadata: not an object"),
        ({"fields": GOOD, "suggestions": {"rating": 4}}, "suggestions: not a list"),
        ({"fields": GOOD, "suggestions": [{"rating": 4}]}, "suggestions: {'rating': 4} is not a suggestion"),
        ({"fields": GOOD, "suggestions": [{"question": ["rating"], "value": 4}]}, "is not a suggestion"),
        ({"fields": GOOD, "suggestions": [{"question": "stars", "value": 4}]}, "no such question"),
        ({"fields": GOOD, "suggestions": [{"question": "rating", "value": None}]}, "rating: None is not on the scale"),
        ({"fields": GOOD, "suggestions": [{"question": "rating", "value": 4, "kind": "cat"}]}, "kind 'cat' is unknown"),
        ({"fields": GOOD, "suggestions": [{"question": "rating", "value": n} for n in (4, 5)]}, "two for the same"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_bad_row_is_rejected_and_reading_goes_on(tmp_path: Path, row: dict[str, Any], expected: str) -> None:
    assert expected in reason(tmp_path, row)


@pytest.mark.parametrize(
    "row",
    [
        {**GOOD, "prompt": LONE},
        {**GOOD, "improved_response": LONE},
        {**GOOD, "rating": 4, "rating.agent": LONE},
        {**GOOD, "n": LONE},
        {**GOOD, "n": {LONE: 1}},
        {**GOOD, LONE: 1},
        {"fields": GOOD, "key": LONE},
    ],
)
def test_half_a_surrogate_pair_is_rejected_wherever_it_stands(tmp_path: Path, row: dict[str, Any]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps(GOOD) + "\n")  # as escapes, the only way into valid UTF-8
    reader = read_records(path, REVIEW)
    assert len(list(reader)) == 1
    assert "half of a surrogate pair" in reader.rejects[0].reason
    reader.rejects[0].reason.encode()


def test_rows_with_keys_that_nobody_asked_for_are_passed_over_unseen(tmp_path: Path) -> None:
    rows: list[Any] = [{**GOOD, "id": name} for name in ("a", "b", "b")] + [{"id": "c"}]
    records, reader = read(tmp_path, rows, id_column="id", only={"b"})
    assert ([record.key for record in records], reader.rows) == (["b"], 4)
    assert [reject.line for reject in reader.rejects] == [3]  # what is there of those asked for is judged as ever


def test_rows_without_a_key_come_whatever_keys_are_asked_for(tmp_path: Path) -> None:
    records, _ = read(tmp_path, [GOOD, {"fields": GOOD, "key": "a"}], only={"b"})
    assert [record.key for record in records] == [record_key(GOOD)]


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_overflows_is_rejected(tmp_path: Path, number: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "q", "response": "a", "n": {number}}}\n')
    reader = read_records(path, REVIEW)
    assert list(reader) == []
    assert "inf is not a JSON value" in reader.rejects[0].reason


def test_a_rejected_row_keeps_its_key_where_that_can_be_read(tmp_path: Path) -> None:
    _, reader = read(tmp_path, [{"id": "r-9", "prompt": "q"}], id_column="id")
    assert reader.rejects[0].to_dict()["key"] == "r-9"


def test_lines_that_are_no_rows_are_among_the_rejects(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('oops\n{"prompt": "q", "response": "a"}\n')
    reader = read_records(tmp_path / "rows.jsonl", REVIEW)
    assert len(list(reader)) == 1
    assert (reader.rows, reader.rejects[0].line) == (2, 1)


# -- the same record twice


def test_the_same_record_twice_is_a_duplicate(tmp_path: Path) -> None:
    records, reader = read(tmp_path, [GOOD, {"response": "4", "prompt": "2 + 2?"}])
    assert (len(records), reader.duplicates) == (1, 1)
    assert reader.rejects[0].reason == "the same record as in line 1"


def test_two_rows_on_one_line_can_be_duplicates(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([GOOD, GOOD]))
    reader = read_records(tmp_path / "rows.json", REVIEW)
    assert (len(list(reader)), reader.duplicates) == (1, 1)


def test_one_key_for_two_records_is_a_conflict(tmp_path: Path) -> None:
    records, reader = read(
        tmp_path, [{"id": 1, **GOOD}, {"id": 1, **GOOD}, {"id": 1, **GOOD, "response": "5"}], id_column="id"
    )
    assert (len(records), reader.duplicates) == (1, 1)
    assert reader.rejects[1].reason == "key '1' is that of line 1 too, which has other fields"
    assert reader.rejects[1].key == "1"


@pytest.mark.parametrize("written_first", [True, False])
def test_a_key_that_is_written_out_and_the_same_by_default_are_one(tmp_path: Path, written_first: bool) -> None:
    rows = [Record(fields=GOOD).to_dict(), GOOD]
    _, reader = read(tmp_path, rows if written_first else rows[::-1])
    assert reader.duplicates == 1


# -- properties

characters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(characters, min_size=1).filter(str.strip)
names = st.text(characters, min_size=1, max_size=200).filter(str.strip)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
suggestions = st.builds(
    Suggestion,
    st.just("rating"),
    st.integers(1, 5),
    st.none() | st.floats(0, 1),
    st.text(characters, max_size=200),
    st.sampled_from(["model", "human"]),
)
records = st.builds(
    Record,
    fields=st.fixed_dictionaries({"prompt": texts, "response": texts}),
    suggestions=st.lists(suggestions, max_size=1).map(tuple),
    metadata=st.dictionaries(names, values, max_size=3),
)


@given(written=st.lists(records, min_size=1, max_size=5, unique_by=lambda record: record.key))
def test_records_survive_their_line_format(tmp_path_factory: pytest.TempPathFactory, written: list[Record]) -> None:
    path = tmp_path_factory.mktemp("round") / "records.jsonl"
    write_lines(path, (record.to_dict() for record in written))
    reader = read_records(path, REVIEW)
    assert list(reader) == written
    assert reader.rejects == []
