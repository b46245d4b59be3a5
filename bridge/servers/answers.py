"""When an answer may be written in somebody's name. The same rule for every server."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bridge.annotations import Annotation
from bridge.servers.protocol import Outcome


def why_not(annotation: Annotation, there: Iterable[Annotation], people: Collection[str]) -> Outcome | None:
    """The outcome of an answer that must not be written; None where it may be.

    Args:
        annotation: the answer; its annotator has a name on the server. Its ``source`` may name one that it replaces.
        there: what that person has answered to that record.
        people: names of those who can answer on the server.

    >>> ann = Annotation("r1", "ann", answers={"rating": 4})
    >>> why_not(ann, [], ["ann"])
    >>> why_not(ann, [ann], ["ann"]).reason
    'this person has answered the record there, otherwise or later'
    """
    if annotation.annotator not in people:
        remedy = "make an account, or map the name to one"
        return Outcome(annotation.record, "rejected", "this person is not known there", remedy)
    states = [(other.source.get("id", ""), other.updated_at) for other in there]
    if not states or (annotation.source.get("id", ""), annotation.source.get("updated_at")) in states:
        return None
    return Outcome(
        annotation.record,
        "rejected",
        "this person has answered the record there, otherwise or later",
        "decide which of the two answers counts: delete the one on the new server, or leave it there",
    )
