"""``problems.jsonl`` and ``merged.jsonl``: what people's answers came to, and what is wrong with some of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from bridge.annotations import Annotation
from bridge.errors import InputError
from bridge.files import write_lines, write_text
from bridge.merging import MergeResult, Problem, check_answers
from bridge.presenting import Undone
from bridge.records import Record
from bridge.templates import TaskTemplate

PROBLEMS = "problems.jsonl"


def check_changed(
    annotations: Sequence[Annotation],
    template: TaskTemplate,
    records: Callable[[Collection[str]], Iterable[Record]],
    path: Path,
    labels: Mapping[str, str] | None = None,
    lost: Sequence[Problem] = (),
) -> list[dict[str, Any]]:
    """Check all answers to some records, and replace what the file of problems says of these records.

    Args:
        annotations: every answer to them, in its newest state.
        template: the task.
        records: reads the campaign's records; others than those of these keys are not needed.
        path: the file of problems.
        labels: old label to new one (:class:`bridge.merging.Rule`).
        lost: what is known to be wrong with them already (:func:`unknown_order`).
    """
    changed = {annotation.record for annotation in annotations}
    shown: dict[str, Record] = {}
    with suppress(InputError):  # the file may be elsewhere today; what needs no record is checked all the same
        for record in records(changed):
            if record.key in changed:
                shown[record.key] = record
                if len(shown) == len(changed):
                    break
    problems: list[Problem] = []
    for annotation in annotations:
        record_ = shown.get(annotation.record)
        fields, prefill = (record_.fields, template.prefilled(record_)) if record_ else (None, None)
        problems += check_answers(annotation, template, fields, prefill, labels)[1]
    found = [problem.to_dict() for problem in with_lost(problems, lost)]
    others, before = _of_others(path, changed)
    if found or before:
        write_text(path, others + "".join(json.dumps(problem, ensure_ascii=False) + "\n" for problem in found))
    return found


def _of_others(path: Path, changed: Collection[str]) -> tuple[str, bool]:
    """What the file says of other records, as it stands there; and whether it says anything of these."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
        others = [line for line in lines if _record(line) not in changed]
        return b"".join(others).decode(), len(others) < len(lines)
    except FileNotFoundError:
        return "", False
    except (OSError, ValueError, TypeError, KeyError):
        return "", True  # it can be made again by `merge`


def _record(line: bytes) -> Any:
    try:
        return from_json(line)["record"]
    except ValueError:  # half of a surrogate pair, which only the slower parser takes
        return json.loads(line)["record"]


def write_merged(result: MergeResult, path: Path) -> None:
    """Write ``merged.jsonl``, and beside it ``problems.jsonl`` if any answer could not count."""
    write_lines(path, [merged.to_dict() for merged in result.kept])
    write_problems([problem.to_dict() for problem in result.problems], path.parent / PROBLEMS)


def write_problems(problems: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the file of problems; where there is nothing to say, an old one is emptied and no new one made."""
    if problems or path.exists():
        write_lines(path, problems)


def unknown_order(answers: Iterable[tuple[Annotation, Undone]]) -> list[Problem]:
    """What is wrong with answers of which nobody can tell in which order people saw what they compare.

    Args:
        answers: each as it came, and as far as it could be brought back.
    """
    return [
        Problem(
            undone.annotation.record,
            undone.annotation.annotator,
            name,
            came.answers.get(name),
            f"{name}: the record is not in the file any more, so nobody can tell in which order it was shown",
            "put the record back into the file as it was",
        )
        for came, undone in answers
        for name in undone.lost
    ]


def with_lost(problems: Sequence[Problem], lost: Sequence[Problem]) -> list[Problem]:
    """Problems with those of lost answers, which are not missing besides."""
    places = {(problem.record, problem.annotator, problem.question) for problem in lost}
    return [*lost, *(p for p in problems if (p.record, p.annotator, p.question) not in places)]
