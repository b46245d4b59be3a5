"""Records that got another text on the server: which answers are to the text that they show now.

A text is changed in two steps. First the record gets the text, and a mark in the place of its hash that no text has;
then, once that is known to be stored, the hash, and a moment by which the old text was gone for certain. Whoever looks
in between, or after a change that broke off, finds neither the old text nor the new one, and begins again.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from bridge.annotations import utc
from bridge.records import Record
from bridge.servers.protocol import Outcome


def unfinished() -> str:
    """What stands for the hash while a text is being changed. Each is another, so that storing it changes something."""
    return f"changing {uuid.uuid4().hex[:12]}"


def gone_by(saved: str, took_s: float) -> str:
    """When a change was stored at the latest, by the clock of the server.

    A server notes the time before it stores anything, and its reply comes after that. So the change is no later than
    the noted time and what the request took together, whatever our clock says.

    Args:
        saved: the time that the server noted; UTC, ISO 8601.
        took_s: from before the request to after the reply.

    >>> gone_by("2026-01-01T10:00:00.000000Z", 0.25)
    '2026-01-01T10:00:00.250000Z'
    """
    return utc((datetime.fromisoformat(utc(saved)) + timedelta(seconds=took_s)).isoformat())


def judged(content: str, changed: str, answered: str) -> str:
    """What an answer is an answer to: the hash of the text that its record shows, or a word that no text has.

    Args:
        content: the hash of the text that the record shows.
        changed: by when the text before it was gone; empty if it never had another.
        answered: when the answer was given, or changed last.

    >>> judged("cd34", "2026-01-02T00:00:00.000000Z", "2026-01-01T10:00:00.000000Z")
    'before 2026-01-02T00:00:00.000000Z'
    >>> judged("cd34", "2026-01-02T00:00:00.000000Z", "2026-01-03T10:00:00.000000Z")
    'cd34'
    """
    return content if answered > changed else f"before {changed}"


def why_unchangeable(record: Record, *, there: bool) -> Outcome | None:
    """The outcome of a record whose text cannot be changed; None where it can.

    >>> why_unchangeable(Record(fields={"prompt": "2 + 2?"}), there=True).result
    'rejected'
    """
    if not there:
        return Outcome(record.key, "rejected", "the record is not there", "push it first")
    if record.key == record.content:
        reason = "its key is the hash of its text, so with another text it is another record"
        return Outcome(record.key, "rejected", reason, "give records keys of your own to change their texts later")
    return None
