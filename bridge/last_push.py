"""The last push that left nothing to do, so that the very same inputs need not be read again.

What a push does with a record depends on the record and on what the ledger says of it. If neither changed since every
record was found on the server, nothing is to be done with any. That is told by two hashes: of all that is read, and of
the ledger's rows. Whether the server still agrees with the ledger, each push finds out for itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path

from bridge.files import Reject
from bridge.results import CheckResult
from bridge.sync.ledger import Ledger
from bridge.sync.push_result import PushResult

NOTE = "last push"
"""The note in the ledger."""


@dataclass(frozen=True)
class LastPush:
    """A push after which every good record was on the server, once and as it is in the file.

    Args:
        inputs: the hash of what was read (see :func:`fingerprint`).
        rows: the hash of the ledger's rows of the project, as the push left them.
        records: how many records were pushed, controls included.
        repeats: how often a record repeats the repeated field at most.
        controls, controls_missing, left_out, reordered: as in :class:`~bridge.sync.push_result.PushResult`.
        rejects: the rows that were no good records.
    """

    inputs: str
    rows: str
    records: int
    repeats: int = 0
    controls: int = 0
    controls_missing: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    reordered: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def of(cls, result: PushResult, checked: CheckResult, inputs: str) -> LastPush:
        """From what a push said that read its records."""
        return cls(
            inputs,
            result.rows,
            result.sent + result.present,
            checked.repeats,
            result.controls,
            result.controls_missing,
            checked.left_out,
            checked.reordered,
            checked.rejects,
        )

    def checked(self) -> CheckResult:
        """What reading the records would tell again."""
        records = self.records - self.controls
        return CheckResult(
            records, self.repeats, rejects=self.rejects, left_out=self.left_out, reordered=self.reordered
        )

    def remember(self, ledger: Ledger) -> None:
        """Write it into the ledger, in place of an earlier one."""
        ledger.set_note(NOTE, json.dumps(asdict(self)))


def last_push(ledger: Ledger) -> LastPush | None:
    """The last push that left nothing to do; None where none is known.

    >>> ledger = Ledger()
    >>> LastPush("9f86", "60ab", 3).remember(ledger)
    >>> last_push(ledger).records
    3
    """
    try:
        told = json.loads(ledger.note(NOTE))
        return LastPush(**told | {"rejects": [Reject(**reject) for reject in told["rejects"]]})
    except (ValueError, TypeError, KeyError):  # there is none, or another version of annobridge wrote it
        return None


def forget(ledger: Ledger) -> None:
    """Before a push of other inputs: what it notes on its way, such as counts of its curation, is not of those."""
    ledger.set_note(NOTE, "")


def fingerprint(paths: Iterable[Path], *settings: str) -> str:
    """A hash of files and settings; empty where one of them is no file that can be read.

    >>> fingerprint([Path("no such file")])
    ''
    """
    found = sha256()
    for setting in settings:
        found.update(sha256(setting.encode()).digest())
    try:
        for path in paths:
            with path.open("rb") as file:
                found.update(file_digest(file, "sha256").digest())
    except OSError:
        return ""
    return found.hexdigest()
