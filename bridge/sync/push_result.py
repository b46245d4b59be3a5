"""What became of each record of a push."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bridge.files import Reject
from bridge.servers.protocol import RemoteProject


@dataclass
class PushResult:
    """What became of each record.

    ``sent`` are new on the server, ``present`` were there already: of these, ``repaired`` had lost their suggestions,
    ``updated`` show a new text now, ``kept`` have another text and stay as they are by request, and so do ``changed``
    keys, because people answered the other text. ``rejected`` say why they are not there, and ``unknown`` keys may or
    may not be there: the next push looks them up first. ``gone`` keys were sent before, and somebody deleted them:
    they are not sent again. ``doubled`` keys are there more than once, which only another push at the same time can
    have caused. ``left_out`` names columns of the file, or cells of them, that are in no record, and ``reordered``
    records with invisible characters that change the order in which others are shown; who reads the file fills both in.
    ``controls`` are how many control items are among the records, and ``controls_missing`` how many more the campaign
    asks for than there are. ``curate`` is what each step of curation did. ``rows`` is the hash of the ledger's rows in
    the end (see :class:`bridge.sync.push.Settled`).
    """

    project: RemoteProject
    sent: int = 0
    present: int = 0
    updated: int = 0
    kept: int = 0
    repaired: int = 0
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    reordered: list[str] = field(default_factory=list)
    reason: str = ""
    controls: int = 0
    controls_missing: int = 0
    curate: list[dict[str, Any]] = field(default_factory=list)
    rows: str = ""

    @property
    def complete(self) -> bool:
        """Whether every record is on the server, once and as it is in the file, but for what people decided."""
        return not (self.rejected or self.unknown or self.changed or self.doubled or self.reason)

    @property
    def settled(self) -> bool:
        """Whether nothing would be left to do with any record if the same were pushed again, however that is asked."""
        return self.complete and not (self.gone or self.kept)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "project": self.project.id,
            "url": self.project.url,
            "created": self.project.created,
            "sent": self.sent,
            "present": self.present,
            "updated": self.updated,
            "kept": self.kept,
            "repaired": self.repaired,
            "changed": self.changed[:100],
            "gone": self.gone[:100],
            "doubled": self.doubled[:100],
            "rejected": len(self.rejected),
            "rejects": [reject.to_dict() for reject in self.rejected[:100]],
            "left_out": self.left_out,
            "reordered": self.reordered[:100],
            "unknown": len(self.unknown),
            "reason": self.reason,
            "controls": self.controls,
            "controls_missing": self.controls_missing,
            "curate": self.curate,
        }
