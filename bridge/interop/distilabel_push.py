"""Rows of a running distilabel pipeline into a campaign: its file of records, then its push.

What :mod:`bridge.interop.distilabel_step` does, without distilabel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.campaign import Campaign
from bridge.errors import InputError, ServerError, UsageError
from bridge.files import Reject, read_lines, write_lines
from bridge.interop.distilabel import DistilabelReader
from bridge.interop.distilabel_checks import Finding
from bridge.interop.distiset import dead_letters
from bridge.records import Record
from bridge.rows import Rows
from bridge.servers.protocol import Server
from bridge.sync.push_result import PushResult

if TYPE_CHECKING:
    from bridge.sync.plan import OnChange

DEAD = "distilabel-rejects.jsonl"
"""The dead-letter file, in the campaign's ``out``."""


@dataclass
class Pushed:
    """What became of rows.

    Args:
        keys: for each row, the keys of its records.
        reasons: for each row, why it (or one of its generations) became no record; empty where it did.
        findings: stretches of rows that one failed call emptied, or that have other rows' answers.
        result: of the push; None where there was nothing to push.
    """

    keys: list[list[str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    result: PushResult | None = None


def push_rows(
    rows: Sequence[Mapping[str, Any]],
    folder: str | Path,
    *,
    id_column: str | None = None,
    ratings: Sequence[str] = (),
    trust: bool = False,
    on_change: OnChange | None = None,
    server: Server | None = None,
) -> Pushed:
    """Make records of distilabel's rows, add them to a campaign's file, and push the campaign.

    A record whose key is in the file already takes that line's place, so that nothing is doubled however often it is
    called. Rows that become no record go to ``out/distilabel-rejects.jsonl`` with the reason.

    Args:
        rows: all rows of the pipeline.
        folder: the campaign's.
        id_column: as in :func:`bridge.interop.from_distilabel`; so are ``ratings`` and ``trust``.
        on_change: as in :meth:`bridge.Campaign.push`.
        server: a server to use instead of the campaign's own (for tests).

    Raises:
        ConfigError, TemplateError: there is no campaign, or something in it is wrong.
        UsageError: the campaign's records are not in a JSON Lines file of its own, or the template does not fit.
        InputError: that file cannot be read.
        ServerError: the server cannot be used, or the push broke off. Call it again, nothing is sent twice.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "campaign.yaml").write_text(
    ...     "{project: Sums, server: {kind: memory}, records: records.jsonl, template: rating}")
    >>> rows = [{"id": 7, "instruction": "2 + 2?", "generation": "4"}, {"instruction": "?", "generation": None}]
    >>> pushed = push_rows(rows, folder, id_column="id")
    >>> pushed.keys, pushed.reasons[1], pushed.result.sent
    ([['7'], []], "generation 1: None, because the model's call failed", 1)
    >>> push_rows(rows, folder, id_column="id").result.sent
    0
    """
    campaign = Campaign(folder, server=server)
    path = _own_file(campaign)
    numbered = [(number, dict(row)) for number, row in enumerate(rows, 1)]
    source = Rows(Path("the pipeline"), "jsonl", None, iter(numbered))
    reader = DistilabelReader(source, campaign.template, id_column=id_column, ratings=ratings, trust=trust)
    pushed = Pushed([[] for _ in rows], ["" for _ in rows], reader.findings)
    records = {}
    for record in reader:
        records[record.key] = record
        pushed.keys[reader.row_of(record.key) - 1].append(record.key)
    for reject in reader.rejects:
        pushed.reasons[reject.line - 1] = pushed.reasons[reject.line - 1] or reject.reason
    dead = campaign.out / DEAD
    if reader.rejects or dead.exists():
        write_lines(dead, dead_letters(iter(numbered), reader.rejects))
    if records:
        with campaign.state.alone("push from distilabel"):
            write_lines(path, list(_with(path, records)))
    if path.exists():
        pushed.result = campaign.push(on_change=on_change)
        if pushed.result.reason or pushed.result.unknown:
            reason = pushed.result.reason or "it is not known of all records whether they arrived"
            raise ServerError(f"the push broke off: {reason}", remedy="run the pipeline again; nothing is sent twice")
    return pushed


def _own_file(campaign: Campaign) -> Path:
    where = campaign.config.records
    if not where.path.endswith(".jsonl") or where.id or where.map:
        raise UsageError(
            f"{campaign.folder}: records go into a file of the campaign's own, and {where.path!r:.60} is none",
            remedy="say `records: records.jsonl` in campaign.yaml, without id and map",
        )
    return campaign.folder / where.path


def _with(path: Path, records: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
    """The lines of a file, with these records in the place of those with their keys, or behind them."""
    left = dict(records)
    for line, row in read_lines(path) if path.exists() and path.stat().st_size else ():
        if isinstance(row, Reject):
            raise InputError(f"{path}:{line}: {row.reason}", remedy="mend that line, or remove it")
        key = row.get("key")
        new = left.pop(key, None) if isinstance(key, str) else None
        yield row if new is None else new.to_dict()
    for record in left.values():
        yield record.to_dict()
