"""Push: records to the server, each once.

The server is asked which keys it has; only the others are sent, one batch at a time. A batch that the server refuses
is halved until the culprit stands alone. A batch whose outcome is unknown is looked up, and never sent again here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bridge.errors import ServerError, UnexpectedReply, UsageError
from bridge.files import Reject
from bridge.questions import Question, RankingQuestion, RatingQuestion, SpanQuestion, TextQuestion
from bridge.records import Record, record_key
from bridge.servers.protocol import Capabilities, Outcome, Project, Remote, RemoteProject, Server

Tick = Callable[[int], None]
"""Called with the number of records done so far."""


@dataclass
class PushResult:
    """What became of each record.

    ``sent`` are new on the server, ``present`` were there already (``repaired`` of them without their suggestions),
    ``rejected`` say why they are not, and ``unknown`` keys may or may not be there: the next push looks them up first.
    ``changed`` keys are there with another text than the file has now: people go on to see the old one.
    ``doubled`` keys are there more than once, which only another push at the same time can have caused.
    ``left_out`` names columns of the file, or cells of them, that are in no record, and why.
    """

    project: RemoteProject
    sent: int = 0
    present: int = 0
    repaired: int = 0
    changed: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether every record is on the server, once and as it is in the file."""
        return not (self.rejected or self.unknown or self.changed or self.doubled or self.reason)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "project": self.project.id,
            "url": self.project.url,
            "created": self.project.created,
            "sent": self.sent,
            "present": self.present,
            "repaired": self.repaired,
            "changed": self.changed[:100],
            "doubled": self.doubled[:100],
            "rejected": len(self.rejected),
            "rejects": [reject.to_dict() for reject in self.rejected[:100]],
            "left_out": self.left_out,
            "unknown": len(self.unknown),
            "reason": self.reason,
        }


def check_capabilities(project: Project, capabilities: Capabilities) -> None:
    """Say before anything is created whether a server can carry this project.

    Raises:
        UsageError: names the title or the question, and what the server can do instead.
    """
    shortest, longest = capabilities.title_length
    if not shortest <= len(project.title) <= longest:
        raise UsageError(
            f"project: {project.title!r:.80} has {len(project.title)} characters; "
            f"this server takes {shortest} to {longest}",
            remedy="choose another project name in campaign.yaml (or --project)",
        )
    template = project.template
    longest = capabilities.guidelines_length
    if len(template.guidelines) > longest:
        raise UsageError(
            f"guidelines: {len(template.guidelines):,} characters; this server takes {longest:,}",
            remedy="shorten them, or link to a page that holds them",
        )
    names = template.field_names(project.repeats)
    marked: set[str] = set()
    for question in template.questions:
        where = f"question {question.name!r}"
        if question.type not in capabilities.question_kinds:
            raise UsageError(
                f"{where}: this server cannot ask a {question.type} question",
                remedy=f"it can ask {', '.join(sorted(capabilities.question_kinds))}",
            )
        fewest, most = capabilities.options.get(question.type, (0, sys.maxsize))
        count = _options(question, names)
        if not fewest <= count <= most:
            raise UsageError(
                f"{where}: it has {count} option{'' if count == 1 else 's'}; a {question.type} question of this server "
                f"has {fewest} to {most}",
                remedy="give it another option" if count < fewest else "divide it into two questions",
            )
        if len(question.description) > capabilities.description_length:
            raise UsageError(
                f"{where}: a description of {len(question.description):,} characters; this server takes "
                f"{capabilities.description_length:,}",
                remedy="move the rest of it into the guidelines",
            )
        if isinstance(question, SpanQuestion):
            if question.field in marked and capabilities.spans_per_field == 1:
                raise UsageError(
                    f"{where}: this server takes one span question a field, and {question.field!r} has one already",
                    remedy="put the labels of both into one span question",
                )
            marked.add(question.field)


def _options(question: Question, names: Sequence[str]) -> int:
    if isinstance(question, RatingQuestion):
        return question.max - question.min + 1
    if isinstance(question, RankingQuestion):
        return len(question.item_names(names))
    return 0 if isinstance(question, TextQuestion) else len(question.options)


def push(server: Server, project: Project, records: Iterable[Record], *, tick: Tick = lambda done: None) -> PushResult:
    """Send the records that the server does not have yet.

    Args:
        server: any server.
        project: what to make there, or to find.
        records: checked records (see :func:`bridge.rows.read_records`), each key once.
        tick: told how many records are done.

    Raises:
        UsageError: the server cannot carry the project.
        ServerError: the server cannot be used; what was sent before stays there.
    """
    check_capabilities(project, server.capabilities)
    result = PushResult(server.ensure(project, create=True))
    empty = result.project.records == 0
    done = 0
    sent: list[str] = []
    for batch in _batches(records, server.capabilities.batch):
        try:
            # An empty project cannot hold any of them, so nothing need be asked.
            missing = batch if empty else _look_up(server, batch, result)
            for outcome in _deliver(server, missing, result):
                _note(result, outcome)
                sent += [outcome.key] if outcome.result == "accepted" else []
        except ServerError as error:
            if not result.sent:
                raise
            result.reason = error.reason  # what was sent is on the server, and the next push goes on from there
            return result
        done += len(batch)
        tick(done)
        if result.unknown:
            return result
    result.repaired += server.finish()
    _check_total(server, result, sent)
    return result


def _look_up(server: Server, batch: Sequence[Record], result: PushResult) -> list[Record]:
    """Those records of a batch that are not on the server; those that are get back any suggestions they lost."""
    there = server.find([record.key for record in batch])
    found = [record for record in batch if record.key in there]
    result.present += len(found)
    result.doubled += [record.key for record in found if len(there[record.key]) > 1]
    # A default key is the hash of the fields, so only a key of the user's own can be there with other fields.
    result.changed += [r.key for r in found if there[r.key][0].content not in ("", r.key, record_key(r.fields))]
    result.repaired += _repair(server, found, there)
    return [record for record in batch if record.key not in there]


def _repair(server: Server, records: Sequence[Record], there: Mapping[str, Sequence[Remote]]) -> int:
    bare = [record for record in records if not all(remote.suggestions for remote in there[record.key])]
    return server.repair(bare) if bare else 0


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, size)):
        yield batch


def _deliver(server: Server, records: Sequence[Record], result: PushResult) -> Iterator[Outcome]:
    if not records:
        return
    outcomes = server.write(records)
    if len(records) > 1 and any(outcome.result == "rejected" for outcome in outcomes):
        # The server may have refused the whole batch for one record in it; whatever it took is not sent again.
        refused = {outcome.key for outcome in outcomes if outcome.result == "rejected"}
        yield from (outcome for outcome in outcomes if outcome.key not in refused)
        again = [record for record in records if record.key in refused]
        half = (len(again) + 1) // 2
        yield from _deliver(server, again[:half], result)
        yield from _deliver(server, again[half:], result)
        return
    if any(outcome.result == "unknown" for outcome in outcomes):
        there = server.find([outcome.key for outcome in outcomes])
        result.repaired += _repair(server, [record for record in records if record.key in there], there)
        for outcome in outcomes:
            found = there.get(outcome.key)
            yield Outcome(outcome.key, "accepted", remote_id=found[0].id) if found else outcome
        return
    yield from outcomes


def _note(result: PushResult, outcome: Outcome) -> None:
    if outcome.result == "accepted":
        result.sent += 1
    elif outcome.result == "rejected":
        result.rejected.append(Reject(0, outcome.reason, outcome.remedy, key=outcome.key))
    else:
        result.unknown.append(outcome.key)
        result.reason = outcome.reason


def _check_total(server: Server, result: PushResult, sent: list[str]) -> None:
    held = server.progress().records
    expected = result.project.records + result.sent
    if held > expected:
        # Somebody else pushed meanwhile; where it was the same record, a server without unique keys has it twice.
        result.doubled += [key for key, found in server.find(sent).items() if len(found) > 1]
    if held < expected:
        raise UnexpectedReply(
            f"the server counts {held:,} records where {expected:,} should be",
            remedy="run `annobridge push` again: it looks up what is missing and sends only that",
        )
