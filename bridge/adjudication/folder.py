"""The folder of a linked campaign: its template, its records, and whose answers they are to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from bridge.annotations import Annotation
from bridge.config import FILE_NAME, CampaignConfig
from bridge.errors import InputError, UsageError, ValueRejected
from bridge.fields import FieldSpec
from bridge.files import Reject, read_lines, write_lines, write_text
from bridge.merging import Unresolved
from bridge.presenting import Blind
from bridge.records import Record, record_key
from bridge.templates import TaskTemplate
from bridge.yamledit import with_values

FOLDER = "adjudication"
"""Of the campaign's folder. By its being there, its answers count."""

TEMPLATE = "template.yaml"
RECORDS = "records.jsonl"
EARLIER = "earlier_answers"
_SUFFIX = " - adjudication"
_MARK = "adjudication"

Answers: TypeAlias = Literal["hidden", "shown"]
"""Whether adjudicators see what people answered before them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the linked campaign: which one of the campaign it is, and the hashes of its fields.

    ``content`` is that of the record itself, ``shown`` that of all that adjudicators see.
    """

    record: str
    content: str
    shown: str


def title(project: str, longest: int, suffix: str = _SUFFIX) -> str:
    """What the linked campaign is called on a server that takes titles of so many characters.

    >>> title("Sums", 50), title("A very long name of a project, and longer", 50)
    ('Sums - adjudication', 'A very long name of a project 31a7 - adjudication')
    """
    whole = project + suffix
    if len(whole) <= longest:
        return whole
    # Two campaigns whose names begin alike are not to share one project.
    mark = f" {hashlib.sha256(project.encode()).hexdigest()[:4]}{suffix}"
    return project[: longest - len(mark)].rstrip(" ,;:.-") + mark


def asking(template: TaskTemplate, questions: Collection[str]) -> TaskTemplate:
    """The template with these questions only; what depends on others falls away, and the training rules do.

    Raises:
        UsageError: it has no such question.

    >>> from bridge.templates import load_template
    >>> asking(load_template("review"), ["improved_response"]).questions[0].required_when
    {}
    """
    names = [question.name for question in template.questions]
    unknown = [name for name in questions if name not in names]
    if unknown:
        raise UsageError(
            f"--question {unknown[0]}: the template {template.name!r} has no such question",
            remedy=f"its questions are {', '.join(names)}",
        )
    if set(questions) == set(names):
        return template
    kept = [question for question in template.questions if question.name in questions]
    free = [
        question
        if question.required_when.keys() <= set(questions)
        else question.model_copy(update={"required_when": {}})
        for question in kept
    ]
    return template.model_copy(update={"questions": free, "training": None})


def showing(template: TaskTemplate) -> TaskTemplate:
    """The template with one more field, for what people answered before.

    Raises:
        UsageError: it has as many fields as a template can have.
    """
    if len(template.fields) >= 20:
        raise UsageError(
            f"the template {template.name!r} has {len(template.fields)} fields: no room for earlier answers",
            remedy="adjudicate with --answers hidden",
        )
    name = EARLIER
    while name in {part.name for part in (*template.fields, *template.questions)}:
        name += "_too"
    field = FieldSpec(name=name, title="What people answered so far", required=False)
    return template.model_copy(update={"fields": [*template.fields, field]})


def extra_field(template: TaskTemplate, linked: TaskTemplate) -> str:
    """The name of the field with earlier answers; empty where the linked campaign hides them."""
    ours = {field.name for field in template.fields}
    return next((field.name for field in linked.fields if field.name not in ours), "")


def undecided(
    unresolved: Iterable[Unresolved], questions: Collection[str], *, no_quorum: bool = False
) -> dict[str, dict[str, str]]:
    """Record to question to reason, for what people contradict each other on; where asked for, also too few answers.

    >>> cases = [Unresolved("r1", "label", "1 for each"), Unresolved("r2", "label", "1 of 2 answers", "no_quorum")]
    >>> undecided(cases, ["label"])
    {'r1': {'label': '1 for each'}}
    """
    found: dict[str, dict[str, str]] = {}
    for case in unresolved:
        if case.question in questions and (no_quorum or case.outcome != "no_quorum"):
            found.setdefault(case.record, {})[case.question] = case.reason
    return found


def begin(
    folder: Path,
    config: CampaignConfig,
    template: TaskTemplate,
    rows: Sequence[Mapping[str, Any]],
    title: str,
    people: int,
    without: str = "",
) -> None:
    """Write a linked campaign; its ``campaign.yaml`` comes last, because that makes it one.

    Args:
        folder: where.
        config: that of the campaign.
        template: what adjudicators are asked.
        rows: lines of ``records.jsonl`` (:func:`row`).
        title: what it is called on the server.
        people: how many decide on each record.
        without: the field with earlier answers, which speak of the order in which adjudicators see what is compared.
    """
    server = {name: value for name, value in config.server.model_dump().items() if value not in (None, False)}
    body: dict[str, Any] = {
        "version": 1,
        "project": title,
        "server": server,
        "records": f"./{RECORDS}",
        "template": f"./{TEMPLATE}",
        "annotators_per_record": people,
        "merge": {"quorum": 1},
    }
    if config.blind is not None and compares(template):
        body["blind"] = {"seed": config.blind.seed, **({"without": without} if without else {})}
    head = (
        "# What people did not agree on in the campaign of the folder above. `annobridge adjudicate` made this and\n"
        "# adds to it; its answers settle that campaign's merge. `quorum`: how many answers a decision needs.\n"
    )
    write_text(folder / TEMPLATE, _yaml(template.model_dump(exclude_unset=True)))
    write_lines(folder / RECORDS, rows)
    write_text(folder / FILE_NAME, head + _yaml(body))


def compares(template: TaskTemplate) -> bool:
    """Whether a template, or what is left of it, asks to compare fields, which then stand in blind order.

    >>> from bridge.templates import load_template
    >>> compares(load_template("ranking")), compares(load_template("rating"))
    (True, False)
    """
    try:
        Blind.of(template, 0)
    except ValueRejected:
        return False
    return True


def _yaml(body: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(body), allow_unicode=True, sort_keys=False, width=110))


def add(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add lines to the records of a linked campaign; those that are there stay as they are."""
    if rows:
        write_lines(folder / RECORDS, [*_lines(folder / RECORDS), *rows])


def ask_more(folder: Path, people: int) -> None:
    """Let so many people decide on each record from now on."""
    path = folder / FILE_NAME
    write_text(path, with_values(path.read_text(encoding="utf-8"), {"annotators_per_record": people}))


def entries(folder: Path) -> dict[str, Entry]:
    """The records of a linked campaign by their keys there.

    Raises:
        InputError: the file cannot be read.
    """
    found = {}
    for line in _lines(folder / RECORDS):
        fields, mark = line["fields"], line["metadata"][_MARK]
        found[line["key"]] = Entry(mark["record"], mark["content"], record_key(fields))
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for number, line in read_lines(path):
        mark = line.get("metadata", {}).get(_MARK) if not isinstance(line, Reject) else None
        if isinstance(line, Reject) or not isinstance(mark, dict) or not {"record", "content"} <= mark.keys():
            raise InputError(
                f"{path}:{number}: this is no line that `annobridge adjudicate` wrote",
                remedy="restore it from a backup",
            )
        lines.append(line)
    return lines


def free_key(key: str, taken: Collection[str]) -> str:
    """The key of a record in the linked campaign; a text that changed since then is another record there.

    It has a number, and not a hash, behind its key: that would tell what was shown in blind order.

    >>> free_key("row-7", ()), free_key("row-7", {"row-7", "row-7@2"})
    ('row-7', 'row-7@3')
    """
    numbered = (f"{key}@{number}" for number in count(2))
    return next(name for name in chain([key], numbered) if name not in taken)


def row(
    key: str, record: Record, why: Mapping[str, str], template: TaskTemplate, more: Mapping[str, str]
) -> dict[str, Any]:
    """A record as a line of the linked campaign's records.

    Args:
        key: its key there.
        record: as it is in the campaign.
        why: the questions to decide, and what is the matter with each.
        template: the linked campaign's.
        more: the field with earlier answers, if they are to be seen.
    """
    asked = {question.name for question in template.questions}
    body = record.to_dict()
    mark = {"record": record.key, "content": record_key(record.fields), "questions": dict(why)}
    return {
        "key": key,
        "fields": {**body["fields"], **more},
        "suggestions": [suggestion for suggestion in body["suggestions"] if suggestion["question"] in asked],
        "metadata": {**body["metadata"], _MARK: mark},
    }


def decisions(annotations: Iterable[Annotation], there: Mapping[str, Entry]) -> list[Annotation]:
    """Adjudicators' answers as answers to the campaign's own records.

    What each was given to is in its ``source`` as ``content``, by which the merge drops those to an earlier text.
    """
    found = []
    for annotation in annotations:
        entry = there.get(annotation.record)
        if entry is None:  # somebody took it out of the file
            found.append(annotation)
            continue
        judged = annotation.source.get("content", "")
        content = entry.content if judged in ("", annotation.record, entry.shown) else judged
        source = {**annotation.source, "content": content}
        found.append(replace(annotation, record=entry.record, source=source))
    return found
