"""The folder of an audit: a campaign of its own, linked to the one whose rows are checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bridge.adjudication import title
from bridge.auditing.draw import MARK, record_of
from bridge.auditing.rate import AuditRate
from bridge.config import FILE_NAME, CampaignConfig
from bridge.errors import InputError, UsageError
from bridge.exporting import Kind, Row
from bridge.files import Reject, read_lines, write_lines, write_text
from bridge.merging import Merged

FOLDER = "audit"
"""Of the campaign's folder."""

TEMPLATE = "export_check"
RECORDS = "records.jsonl"
DRAWN = "drawn.json"
"""How many rows there were and were drawn: kind to ``rows`` and ``drawn``; and by which ``share`` and ``seed``."""

_SHORTEST_LIMIT = 50  # characters that every server takes in a title

VERDICT, FITS, RIGHT = "verdict", "prompt_fits", "ok"


def begin(
    folder: Path,
    config: CampaignConfig,
    sample: Mapping[Kind, Iterable[Row]],
    rows: Mapping[Kind, int],
    *,
    share: float,
    seed: int,
    people: int = 1,
) -> dict[str, dict[str, int]]:
    """Write the campaign of an audit; its ``campaign.yaml`` comes last, because that makes it one.

    Args:
        folder: the place.
        config: that of the campaign.
        sample: kind to the rows that were drawn.
        rows: kind to how many it was drawn from.
        share, seed: how it was drawn.
        people: how many check each row.

    Returns:
        Kind to ``rows`` and ``drawn``.

    Raises:
        UsageError: there is an audit already, of other rows.
    """
    lines = [record_of(row) for drawn in sample.values() for row in drawn]
    kinds: dict[str, dict[str, int]] = {
        kind: {"rows": rows[kind], "drawn": len(list(drawn))} for kind, drawn in sample.items()
    }
    if (folder / FILE_NAME).exists():
        if {line["key"] for line in lines} == marks(folder).keys():
            return kinds
        raise UsageError(
            f"{folder}: there is an audit of other rows already",
            remedy=f"finish it (`annobridge audit --report`), then move {folder} away: a new one begins",
        )
    mark = hashlib.sha256("".join(line["key"] for line in lines).encode()).hexdigest()[:4]
    server = {name: value for name, value in config.server.model_dump().items() if value not in (None, False)}
    body: dict[str, Any] = {
        "version": 1,
        "project": title(config.project, _SHORTEST_LIMIT, f" - audit {mark}"),
        "server": server,
        "records": f"./{RECORDS}",
        "template": TEMPLATE,
        "annotators_per_record": people,
        "merge": {"quorum": people // 2 + 1},
        # The rows are checked as they are.
        "curate": {"before_push": [{"pii": {"mode": "none"}}]},
    }
    head = (
        "# Rows of the training sets of the folder above, drawn by lot, for people to check. `annobridge audit` made\n"
        "# this; `annobridge audit --report` there says how many rows are wrong.\n"
    )
    write_lines(folder / RECORDS, lines)
    write_text(folder / DRAWN, json.dumps({"share": share, "seed": seed, "kinds": kinds}, indent=1) + "\n")
    write_text(folder / FILE_NAME, head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True))
    return kinds


def marks(folder: Path) -> dict[str, dict[str, str]]:
    """Key in the audit to which row that is: ``kind``, ``record``, ``source`` and ``content``.

    Raises:
        InputError: the file of records is not as it was written.
    """
    found = {}
    for number, line in read_lines(folder / RECORDS):
        mark = None if isinstance(line, Reject) else line.get("metadata", {}).get(MARK)
        if isinstance(line, Reject) or not isinstance(mark, dict) or not {"kind", "content"} <= mark.keys():
            raise InputError(
                f"{folder / RECORDS}:{number}: this is no line that `annobridge audit` wrote",
                remedy="restore it from a backup",
            )
        found[line["key"]] = mark
    return found


def rates(folder: Path, merged: Iterable[Merged]) -> list[AuditRate]:
    """What people's answers come to, for each kind.

    A row is wrong if they agree on a verdict other than ``ok``, or that the answer does not fit the prompt; right if
    they agree on neither; and undecided if they contradict each other. Every row that was drawn counts, whatever
    became of it since: a set from which only the found mistakes were taken is not better than its sample.

    Args:
        folder: of the audit.
        merged: its merged answers.

    Raises:
        InputError: its files are not as they were written.
    """
    there = marks(folder)
    try:
        drawn: dict[str, dict[str, int]] = json.loads((folder / DRAWN).read_bytes())["kinds"]
    except (OSError, ValueError, KeyError, TypeError):
        reason = f"{folder / DRAWN}: this is no file that `annobridge audit` wrote"
        raise InputError(reason, remedy="restore it from a backup") from None
    answers = {case.record: case.answers for case in merged}
    found = []
    for kind, count in drawn.items():
        mine = {key: mark for key, mark in there.items() if mark["kind"] == kind}
        said = [_verdict(answers.get(key, {})) for key in mine]
        wrong = [verdict for verdict in said if verdict not in ("", RIGHT, "undecided")]
        found.append(
            AuditRate(
                kind,
                count["rows"],
                len(mine),
                len(wrong) + said.count(RIGHT),
                len(wrong),
                said.count("undecided"),
                {name: wrong.count(name) for name in sorted(set(wrong))},
                frozenset(mark["content"] for mark in mine.values()),
            )
        )
    return found


def _verdict(answers: Mapping[str, Any]) -> str:
    """What people say of a row: ``ok``, what is wrong with it, ``undecided``, or nothing yet."""
    given = {name: answers.get(name) for name in (VERDICT, FITS)}
    agreed = {name: answer.value for name, answer in given.items() if answer is not None and answer.outcome == "agreed"}
    if agreed.get(VERDICT, RIGHT) != RIGHT:
        return str(agreed[VERDICT])
    if agreed.get(FITS) == "no":
        return "does not fit the prompt"
    if len(agreed) == len(given):
        return RIGHT
    return "undecided" if any(answer is not None and answer.outcome == "tie" for answer in given.values()) else ""
