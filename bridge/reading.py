"""From rows to records: columns become fields, suggestions and metadata, and every row is checked before it goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bridge.errors import UsageError, ValueRejected
from bridge.files import Reject, Row
from bridge.metadata import checked_metadata, checked_name, plain_value
from bridge.questions import LabelQuestion, Question, RankingQuestion, RatingQuestion, TextQuestion
from bridge.records import FieldValue, Record, Suggestion, canonical_json, record_key
from bridge.rows import Rows, read_rows
from bridge.templates import TaskTemplate
from bridge.text import check_key, check_text

_HEAD = 100
_RECORD = frozenset(("key", "fields", "suggestions", "metadata"))
_SUGGESTION = frozenset(("question", "value", "score", "agent", "kind"))
_NUMBERS = (float, int)  # and not bool
_SUGGESTION_SHAPE = 'write {"question": NAME, "value": VALUE, "score": 0 to 1, "agent": NAME, "kind": "model"}'


def read_records(
    path: str | Path,
    template: TaskTemplate,
    *,
    id_column: str | None = None,
    mapping: Mapping[str, str] | None = None,
    rename: Callable[[Record], Record] | None = None,
    refuse: Callable[[Record], None] | None = None,
    only: Container[str] | None = None,
) -> RecordReader:
    """Read the records of a data file for a template.

    A row is either a line of ``records.jsonl`` (its ``fields`` is an object) or a plain row. Of a plain row, columns
    named like a field become that field; columns named like a question become a suggestion for it, with its
    confidence in ``QUESTION.score`` and its maker in ``QUESTION.agent``; all others become metadata. Columns that
    can be nothing of all this are named in ``left_out``.

    Args:
        path: JSONL, JSON, CSV, Parquet, or a dataset saved on disk.
        template: what the fields and suggestions must fit.
        id_column: the column (in a record, the piece of metadata) that is the key.
        mapping: template name to column, such as ``{"prompt": "instruction", "rating.score": "confidence"}``.
        rename: gives a good record another key.
        refuse: raises :class:`~bridge.errors.ValueRejected` for a record that is none of these all the same.
        only: no other records than those of these keys are wanted. Rows that bring another key along are passed over
            unseen, which is quicker; those without a key come all the same.

    Raises:
        InputError: the file cannot be read at all; also while iterating, at the first wrong byte.
        UsageError: ``mapping`` or ``id_column`` names something that is not there.

    >>> import tempfile
    >>> from bridge.templates import load_template
    >>> path = Path(tempfile.mkdtemp(), "rows.jsonl")
    >>> _ = path.write_text('{"instruction": "2 + 2?", "response": "4", "rating": 5}\\n{"instruction": "2 + 3?"}\\n')
    >>> reader = read_records(path, load_template("review"), mapping={"prompt": "instruction"})
    >>> [(record.fields["prompt"], record.suggestions[0].value) for record in reader]
    [('2 + 2?', 5)]
    >>> reader.rows, reader.rejects[0].line, reader.rejects[0].reason
    (2, 2, 'response: missing')
    """
    rows = read_rows(path)
    return RecordReader(rows, template, id_column=id_column, mapping=mapping, rename=rename, refuse=refuse, only=only)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What becomes of the columns of a plain row."""

    fields: list[tuple[str, str]]
    """Field name and column."""
    suggestions: list[tuple[Question, str | None, str | None, str | None]]
    """Question, and the columns of value, score and agent; at least one of them is there."""
    metadata: list[str]


class RecordReader:
    """The good records of a file, to be iterated once, and what became of the other rows.

    Attributes:
        rows: how many rows have been seen.
        rejects: the rows that did not become records, with their reasons.
        duplicates: how many of those rejected are the same record as an earlier one.
        left_out: columns, or cells of them, that are in no record, and why.
    """

    def __init__(
        self,
        rows: Rows,
        template: TaskTemplate,
        *,
        id_column: str | None = None,
        mapping: Mapping[str, str] | None = None,
        rename: Callable[[Record], Record] | None = None,
        refuse: Callable[[Record], None] | None = None,
        only: Container[str] | None = None,
    ) -> None:
        self.rows = 0
        self.rejects: list[Reject] = []
        self.duplicates = 0
        self.left_out: dict[str, str] = {}
        self._foreign = rows.foreign
        self._alone: Counter[str] = Counter()
        self._template = template
        self._questions = {question.name: question for question in template.questions}
        self._id_column = id_column
        self._mapping = _checked_mapping(template, mapping or {})
        self._refuse = refuse
        self._only = only
        self._is_text = rows.format == "csv"
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._seen: dict[str, tuple[int, int | None]] = {}
        source = iter(rows)
        head = list(islice(source, _HEAD))
        self._check_columns(rows, head)
        self._source = chain(head, source)
        self._rename = rename

    def __iter__(self) -> Iterator[Record]:
        # Not kept: in a circle with what it reads from, the file would stay open where somebody stops half way.
        return self._read() if self._rename is None else map(self._rename, self._read())

    def _read(self) -> Iterator[Record]:
        seen, only = self._seen, self._only
        for line, row in self._source:
            self.rows += 1
            if isinstance(row, Reject):
                self.rejects.append(row)
                continue
            key = ""
            is_record = type(row.get("fields")) is dict
            try:
                key = self._own_key(row, is_record)
                if only is not None and key and key not in only:
                    continue
                record = self._from_record(row, key) if is_record else self._from_columns(row, key)
                # A default key says which fields they are; beside a user's own key, a hash must.
                entry = line, _content_hash(record.fields) if key else None
                first = seen.setdefault(record.key, entry)
                if first is not entry:
                    self._refuse_repetition(first, record)
                if self._refuse is not None:
                    self._refuse(record)
            except ValueRejected as error:
                self.rejects.append(Reject(line, error.reason, error.remedy, key))
            except RecursionError:
                self.rejects.append(Reject(line, "nested too deeply", "flatten it", key))
            else:
                yield record
        seen.clear()  # whoever holds the reader has no more use for it, and it is the most that a large file leaves

    # -- the columns of the file

    def _check_columns(self, rows: Rows, head: list[Row]) -> None:
        """Refuse a mapping or an id column that cannot be right, before any row is."""
        columns = dict.fromkeys(rows.columns or ())
        for _, row in head:
            if isinstance(row, Reject):
                continue
            if type(row.get("fields")) is not dict:
                columns.update(dict.fromkeys(row))
            elif self._mapping:
                raise UsageError(
                    f"{rows.path}: its rows are records already ({', '.join(row)}), so no column can be mapped",
                    remedy="leave out --map, or rename the fields in the file",
                )
            else:
                metadata = row.get("metadata")
                columns.update(dict.fromkeys(metadata if isinstance(metadata, dict) else ()))
        wanted = {f"--map {name}={column}": column for name, column in self._mapping.items()}
        if self._id_column is not None:
            wanted[f"--id {self._id_column}"] = self._id_column
        for flag, column in wanted.items():
            if columns and column not in columns:
                raise UsageError(
                    f"{flag}: {rows.path} has no column {column!r}",
                    remedy=f"its columns are {', '.join(map(str, islice(columns, 50)))}",
                )

    def _layout(self, columns: tuple[str, ...]) -> _Layout:
        column_of = {name: name for name in columns if name not in self._mapping} | self._mapping
        fields = {name: column for name, column in column_of.items() if self._template.field_for(name) is not None}
        suggestions = [
            (question, *places)
            for name, question in self._questions.items()
            if any(places := (column_of.get(name), column_of.get(f"{name}.score"), column_of.get(f"{name}.agent")))
        ]
        used = {*fields.values(), *chain.from_iterable(places[1:] for places in suggestions), self._id_column}
        others = [column for column in columns if column not in used]
        self.left_out |= {
            column: f"{self._foreign[column]:.60} cannot be metadata" for column in others if column in self._foreign
        }
        metadata = [checked_name(column) for column in others if column not in self._foreign]
        repeated = {spec.name: spec.repeat.max for spec in self._template.fields if spec.repeat}
        for column in metadata:
            stem, _, number = column.rpartition("_")
            if stem in repeated and number.isdigit():
                raise ValueRejected(
                    f"{column!r:.60}: the template has {stem}_1 to {stem}_{repeated[stem]}",
                    remedy="leave the record out, or give the column another name",
                )
        layout = _Layout(list(fields.items()), suggestions, metadata)
        if len(self._layouts) < 1000:  # of a hostile file, every row may have columns of its own
            self._layouts[columns] = layout
        return layout

    # -- one row

    def _own_key(self, row: dict[str, Any], is_record: bool) -> str:
        """The key that a row brings along, or an empty text."""
        if self._id_column is None:
            key = row.get("key") if is_record else None
            return "" if key is None else check_key(key)
        place = row.get("metadata") if is_record else row
        key = place.get(self._id_column) if isinstance(place, dict) else None
        if key is None:
            raise ValueRejected(
                f"{self._id_column}: missing, so there is no key", remedy="give every row an id, or leave out --id"
            )
        return check_key(key)

    def _from_record(self, row: dict[str, Any], key: str) -> Record:
        """The record of a line of ``records.jsonl``."""
        if not row.keys() <= _RECORD:
            name = next(name for name in row if name not in _RECORD)
            raise ValueRejected(f"{name!r:.60}: a record has no such part", remedy="put it into metadata")
        fields = self._template.check_fields(row["fields"])
        listed = row.get("suggestions")
        suggestions = self._listed_suggestions(listed, fields) if listed is not None else ()
        metadata = row.get("metadata")
        metadata = {} if metadata is None else checked_metadata(metadata)
        return Record(key or record_key(fields), fields, suggestions, metadata)

    def _from_columns(self, row: dict[str, Any], key: str) -> Record:
        """The record of a plain row."""
        columns = tuple(row)
        layout = self._layouts.get(columns) or self._layout(columns)
        get: Callable[[str | None], Any] = row.get  # type: ignore[assignment]
        cells = {name: value for name, column in layout.fields if (value := get(column)) is not None}
        fields = self._template.check_fields(self._parsed(cells) if self._is_text else cells)
        suggestions = []
        for question, value_column, score_column, agent_column in layout.suggestions:
            value, score = get(value_column), get(score_column)
            if self._is_text:
                value, score = _suggestion_cell(question, value), _from_json(score) if score else None
            if value is not None:
                if type(value) is float or type(value) is dict:
                    value = _mended(question, value)
                suggestions.append(self._suggestion(question, value, score, get(agent_column), None, fields))
            elif score is not None or get(agent_column):
                self._note_alone(question, {score_column: score, agent_column: get(agent_column)})
        metadata = {name: plain_value(row[name], name) for name in layout.metadata}
        return Record(key or record_key(fields), fields, tuple(suggestions), metadata)

    def _note_alone(self, question: Question, cells: Mapping[str | None, Any]) -> None:
        for column, cell in cells.items():
            if column is not None and cell not in (None, ""):
                self._alone[column] += 1
                rows = f"{self._alone[column]:,} row{'s' if self._alone[column] > 1 else ''}"
                self.left_out[column] = f"{rows} without a suggestion for {question.name}"

    def _parsed(self, cells: dict[str, Any]) -> dict[str, Any]:
        """Fields from CSV cells: messages are written as JSON, and an empty cell may mean no field."""
        fields = {}
        for name, cell in cells.items():
            spec = self._template.field_for(name)
            assert spec is not None
            if cell or not (spec.repeat or not spec.required):
                fields[name] = cell if spec.type == "text" else _from_json(cell)
        return fields

    def _listed_suggestions(self, listed: object, fields: dict[str, FieldValue]) -> tuple[Suggestion, ...]:
        if not isinstance(listed, list):
            raise ValueRejected("suggestions: not a list", remedy=f"write a list; in it, {_SUGGESTION_SHAPE}")
        suggestions = []
        for item in listed:
            if not isinstance(item, dict) or not item.keys() <= _SUGGESTION or type(item.get("question")) is not str:
                raise ValueRejected(f"suggestions: {item!r:.60} is not a suggestion", remedy=_SUGGESTION_SHAPE)
            get = item.get
            question = self._questions.get(item["question"]) or self._template.question(item["question"])
            suggestions.append(
                self._suggestion(question, get("value"), get("score"), get("agent"), get("kind"), fields)
            )
        if len(suggestions) > 1 and len({(s.question, s.agent) for s in suggestions}) < len(suggestions):
            raise ValueRejected(
                "suggestions: two for the same question by the same agent", remedy="keep one, or name both agents"
            )
        return tuple(suggestions)

    def _suggestion(
        self, question: Question, value: object, score: Any, agent: Any, kind: Any, fields: dict[str, FieldValue]
    ) -> Suggestion:
        name = question.name
        checked = question.validate(value, fields)
        if score is not None and (type(score) not in _NUMBERS or not 0 <= score <= 1):
            raise ValueRejected(f"{name}.score: {score!r:.60} is no confidence", remedy="use a number from 0 to 1")
        if agent is None:
            agent = ""
        elif isinstance(agent, str):
            _check_agent(agent)
        else:
            raise ValueRejected(f"{name}.agent: {agent!r:.60} is not a text", remedy="name what made the suggestion")
        if kind is None:
            kind = "model"
        elif kind not in ("model", "human"):
            raise ValueRejected(f"{name}: kind {kind!r:.60} is unknown", remedy="use model or human")
        return Suggestion(name, checked, score, agent, kind)

    def _refuse_repetition(self, first: tuple[int, int | None], record: Record) -> None:
        line, content = first
        if (record.content == record.key) if content is None else (_content_hash(record.fields) == content):
            self.duplicates += 1
            raise ValueRejected(f"the same record as in line {line}", remedy="keep one of them")
        raise ValueRejected(
            f"key {record.key!r} is that of line {line} too, which has other fields", remedy="give each its own key"
        )


def _checked_mapping(template: TaskTemplate, mapping: Mapping[str, str]) -> dict[str, str]:
    questions = [question.name for question in template.questions]
    known = {*questions, *(f"{name}.score" for name in questions), *(f"{name}.agent" for name in questions)}
    columns: set[str] = set()
    for name, column in mapping.items():
        if name not in known and template.field_for(name) is None:
            raise UsageError(
                f"--map {name}={column}: the template {template.name!r} has no field or question {name!r}",
                remedy=f"map one of {', '.join([*template.field_names(), *questions])}, QUESTION.score, QUESTION.agent",
            )
        if column in columns:
            raise UsageError(f"--map {name}={column}: that column is mapped twice", remedy="map each column once")
        columns.add(column)
    return dict(mapping)


def _from_json(cell: str) -> Any:
    """What a CSV cell says in JSON; the cell itself if it is none, for the question or field to refuse by name."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _suggestion_cell(question: Question, cell: str | None) -> Any:
    if not cell:
        return None
    return cell if isinstance(question, TextQuestion | LabelQuestion) else _from_json(cell)


def _mended(question: Question, value: Any) -> Any:
    """A value freed from what tables do to it."""
    if isinstance(question, RatingQuestion) and isinstance(value, float) and value.is_integer():
        return int(value)  # pandas makes floats of whole numbers with gaps
    if isinstance(question, RankingQuestion) and isinstance(value, dict):
        return {item: rank for item, rank in value.items() if rank is not None}  # Arrow gives every row all items
    return value


@lru_cache(maxsize=1000)
def _check_agent(agent: str) -> None:
    check_text(agent, "agent", limit=200)


# -- keys


def _content_hash(fields: Mapping[str, FieldValue]) -> int:
    # Python's own hash is quick and enough to tell two records with one key apart; it never leaves the process.
    return hash((*fields, *[v if type(v) is str else canonical_json(v) for v in fields.values()]))
