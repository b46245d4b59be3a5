"""Argilla, over its REST API.

Written against Argilla 2.8.0. What shaped it was measured there: the database is the truth and the search index a
second copy that can lag or lack records, so answers are read from the database and the index is mended after a push;
a failed request, even one answered with 422, may have been carried out, so records are written with the one request
that can be repeated (by external id); publishing can fail and leave a dataset that says it is ready and has no index,
so it is checked to the end; nothing tells which answers changed, so a pull asks whether anything happened at all, and
reads everything if so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.annotations import STATUSES, Annotation
from bridge.errors import (
    NotFound,
    Refused,
    TooLarge,
    UnexpectedReply,
    UnknownOutcome,
    ValueRejected,
)
from bridge.records import Record, wire_id
from bridge.servers.answers import why_not
from bridge.servers.argilla_answers import items_of, names_of
from bridge.servers.argilla_dataset import LOOKUP_SIZE, Dataset
from bridge.servers.argilla_kinds import KINDS, to_answers
from bridge.servers.argilla_records import item_of, listed, suggestions_of
from bridge.servers.argilla_texts import original_fields
from bridge.servers.changed import gone_by, judged, unfinished, why_unchangeable
from bridge.servers.protocol import (
    Answered,
    Capabilities,
    Outcome,
    Page,
    Progress,
    Remote,
)
from bridge.servers.replies import expect, moment, reading

BATCH = 250
BATCH_BESIDE_PEOPLE = 100
"""Somebody who saves an answer waits for the batch that is being written: 0.8 s with 100 records (measured)."""

SCANS = 3
PEOPLE_AT_WORK = timedelta(minutes=15)

CAPABILITIES = Capabilities(
    question_kinds=frozenset(KINDS),
    title_length=(1, 200),
    batch=BATCH,
    unique_keys=True,
    incremental=False,
    ranking_gaps=False,
    grows=False,
    lead_time=False,
    span_units="UTF-16",
    options={
        "rating": (2, 11),
        "label": (2, 500),
        "multi_label": (2, 500),
        "ranking": (2, 50),
        "span": (1, 500),
    },
    description_length=1000,
    spans_per_field=1,
    requests_per_update=3 / BATCH_BESIDE_PEOPLE,
)


class Argilla(Dataset):
    """One workspace of an Argilla server, and after :meth:`ensure` one dataset in it.

    Args:
        url: the server's address, without ``/api``.
        key: the API key of an owner, or of an admin of the workspace.
        workspace: its name; may be empty where the key's user has just one.
        allow_http: permit plain http to hosts other than this machine.
        transport: for tests, any httpx2 transport.
    """

    _sent = 0

    @property
    def capabilities(self) -> Capabilities:
        """What Argilla can do; batches are smaller while people answer."""
        since = (datetime.now(UTC) - PEOPLE_AT_WORK).isoformat()
        return replace(CAPABILITIES, batch=BATCH_BESIDE_PEOPLE) if self._last_activity > since else CAPABILITIES

    # Records

    @reading
    def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
        """Which of these keys are in the dataset."""
        found: dict[str, list[Remote]] = {}
        for key, record in self._look_up(keys):
            found.setdefault(key, []).append(listed(record)[1])
        return found

    def _look_up(self, keys: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those of these keys that are there, each with its record as the server has it."""
        wanted = {wire_id(key): key for key in keys}
        ids = list(wanted)
        for start in range(0, len(ids), LOOKUP_SIZE):
            scope = {"entity": "record", "property": "external_id"}
            terms = {"type": "terms", "scope": scope, "values": ids[start : start + LOOKUP_SIZE]}
            reply = self._search(self._id, {"filters": {"and": [terms]}}, limit=LOOKUP_SIZE, responses=True)
            for item in expect(reply, "items", list):
                key = wanted.get(str(item["record"].get("external_id")))
                if key is not None:
                    yield key, item["record"]

    @reading
    def write(self, records: Sequence[Record]) -> list[Outcome]:
        """Put records into the dataset by their external ids; those that Argilla could not hold are not sent."""
        outcomes: dict[str, Outcome] = {}
        items: dict[str, dict[str, Any]] = {}
        for record in records:
            try:
                items[record.key] = self._item(record)
            except ValueRejected as error:
                outcomes[record.key] = Outcome(record.key, "rejected", error.reason, error.remedy)
        outcomes |= self._put(items) if items else {}
        return [outcomes[record.key] for record in records]

    def _put(self, items: Mapping[str, dict[str, Any]]) -> dict[str, Outcome]:
        try:
            stored = self._stored(list(items.values()), f"write {len(items)} records", batch=True)
        except TooLarge:
            raise
        except (Refused, UnknownOutcome) as error:
            return {key: _failed(key, error) for key in items}
        return {
            key: Outcome(key, "accepted", remote_id=str(item["id"])) for key, item in zip(items, stored, strict=True)
        }

    def _stored(self, items: list[dict[str, Any]], what: str, *, batch: bool = False) -> list[dict[str, Any]]:
        """The records as the server has them now, in the order of the items.

        Raises:
            Refused: nothing was stored, unless it could not encode a text.
            UnknownOutcome: they may be stored; also where the reply is none that this server would give.
        """
        reply = self._bulk(items, what, batch=batch)
        stored = reply.get("items") if isinstance(reply, dict) else None
        sent = [item["external_id"] for item in items]
        if not isinstance(stored, list) or [_external_id(record) for record in stored] != sent:
            raise UnknownOutcome(
                f"{self._http.origin}: sent {len(items)} records, but the reply names others",
                remedy="run the command again",
            )
        self._sent += len(items)
        return stored

    def _item(self, record: Record) -> dict[str, Any]:
        item = item_of(record, self._bound.template, self._bound.repeats, self._bound.properties)
        return {**item, "suggestions": self._with_ids(item["suggestions"])}

    def _with_ids(self, suggestions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"question_id": self._question_ids[body.pop("question")], **body} for body in suggestions]

    def repair(self, records: Sequence[Record]) -> int:
        """Send the suggestions of records that are there without any; nothing else of them."""
        template, repeats = self._bound.template, self._bound.repeats
        bodies = {record.key: self._with_ids(suggestions_of(record, template, repeats)) for record in records}
        short = [
            key for key, found in self.find([key for key in bodies if bodies[key]]).items() if not found[0].suggestions
        ]
        for start in range(0, len(short), BATCH_BESIDE_PEOPLE):
            batch = short[start : start + BATCH_BESIDE_PEOPLE]
            items = [{"external_id": wire_id(key), "suggestions": bodies[key]} for key in batch]
            self._bulk(items, f"send {len(items)} lost suggestions again")
        return len(short)

    def listing(self) -> Iterator[Sequence[tuple[str, Remote]]]:
        """Every record of the database, in the order in which they were made."""
        seen: set[str] = set()
        for records, _ in self._swept(("responses", "suggestions")):
            new = [found for found in map(reading(listed), records) if found[1].id not in seen]
            seen.update(remote.id for _, remote in new)
            yield new

    def _swept(self, include: tuple[str, ...]) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Pages of all records, each with the number still to come; from the beginning again where the list shifted.

        Raises:
            UnexpectedReply: it shifts whenever it is read.
        """
        for _ in range(SCANS):
            done = 0
            for records, total in self._pages(self._id, include):
                done += len(records)
                yield records, total - done
                if done == total:
                    return
        raise UnexpectedReply(
            f"{self._http.origin}: the list of records shifts while it is read ({SCANS} times in a row)",
            remedy="run the command again when nobody deletes records",
        )

    @reading
    def update(self, records: Sequence[Record]) -> list[Outcome]:
        """Put the present texts of records, and the suggestions for them, in place of what is there."""
        held = dict(self._look_up([record.key for record in records]))
        outcomes: dict[str, Outcome] = {}
        items: dict[str, dict[str, Any]] = {}
        for record in records:
            there = held.get(record.key)
            why = why_unchangeable(record, there=there is not None)
            try:
                if why is None and there and listed(there)[1].content != record.content:
                    items[record.key] = self._item(record)
                outcomes[record.key] = why or Outcome(record.key, "accepted", remote_id=str(there and there["id"]))
            except ValueRejected as error:
                outcomes[record.key] = Outcome(record.key, "rejected", error.reason, error.remedy)
        outcomes |= self._change(list(items.items()))
        return [outcomes[record.key] for record in records]

    def _change(self, items: list[tuple[str, dict[str, Any]]]) -> dict[str, Outcome]:
        """The outcomes of those that could not be changed; of a batch that is refused, each half goes by itself."""
        try:
            self._show([item for _, item in items]) if items else None
        except (Refused, UnknownOutcome) as error:
            if isinstance(error, Refused) and len(items) > 1:
                half = len(items) // 2
                return self._change(items[:half]) | self._change(items[half:])
            return {key: _failed(key, error) for key, _ in items}
        return {}

    def _show(self, items: list[dict[str, Any]]) -> None:
        what = f"change the texts of {len(items)} records"
        begun = time.monotonic()
        half = [{**item, "metadata": {**item["metadata"], "bridge_content": unfinished()}} for item in items]
        stored = self._stored(half, what)
        took = time.monotonic() - begun
        finished = []
        for item, record in zip(items, stored, strict=True):
            # Suggestions are replaced question by question; those of other questions belonged to the old text.
            asked = {suggestion["question_id"] for suggestion in item["suggestions"]}
            old = [str(found["id"]) for found in record["suggestions"] if found["question_id"] not in asked]
            if old:
                path = f"/records/{record['id']}/suggestions"
                self._request("DELETE", path, params={"ids": ",".join(old)}, what="take away old suggestions")
            changed = gone_by(moment(record["updated_at"]), took)
            metadata = {**item["metadata"], "bridge_changed": changed}
            finished.append({"external_id": item["external_id"], "metadata": metadata})
        self._stored(finished, what)

    @reading
    def remove(self, ids: Iterable[str]) -> int:
        """Delete those of these records that nobody has answered, skipped or begun to answer."""
        removed = 0
        for id_ in ids:
            # One at a time, so that hardly anybody can answer between the look, which is into the database, and the
            # deletion.
            try:
                record = self._request("GET", f"/records/{id_}", what="look at a record")
            except NotFound:
                continue
            if record["dataset_id"] == self._id and not record["responses"]:
                path = f"/datasets/{self._id}/records"
                self._request("DELETE", path, params={"ids": id_}, what="delete a record that nobody answered")
                removed += 1
        return removed

    @reading
    def finish(self) -> int:
        """Compare the database with the search index, and let the server index again what is missing there."""
        return self._mend_index(self._count(self._id)) if self._sent else 0

    # Answers

    def changes(self, cursor: str = "") -> Iterator[Page]:
        """Everything, if anything happened since the cursor: Argilla cannot tell which answers changed."""
        if cursor and cursor == self._last_activity:
            return
        for records, left in self._swept(("responses",)):
            answered = [self._answered(record) for record in records if record.get("external_id")]
            yield Page(answered if cursor else [a for a in answered if a.annotations], self._last_activity, left)

    @reading
    def _answered(self, record: Mapping[str, Any]) -> Answered:
        metadata = record.get("metadata") or {}
        key = str(metadata.get("bridge_key", record["external_id"]))
        responses = record.get("responses") or ()
        if not responses:
            return Answered(key, str(record["id"]), ())
        content, changed = str(metadata.get("bridge_content", "")), str(metadata.get("bridge_changed", ""))
        fields = original_fields(record["fields"])
        annotations = []
        for response in responses:
            status, updated = response["status"], moment(response["updated_at"])
            if status not in STATUSES:
                raise TypeError(f"status {status!r:.20}")
            # A discarded response holds whatever the page held; nobody meant it as an answer.
            given = {} if status == "discarded" else to_answers(self._questions, response.get("values"), fields)
            annotations.append(
                Annotation(
                    record=key,
                    annotator=self._person(str(response["user_id"])),
                    status=status,
                    answers=given,
                    created_at=moment(response["inserted_at"]),
                    updated_at=updated,
                    source={
                        "server": "argilla",
                        "project": self._id,
                        "task": str(record["id"]),
                        "id": str(response["id"]),
                        **({"content": judged(content, changed, updated)} if content else {}),
                    },
                )
            )
        return Answered(key, str(record["id"]), tuple(annotations))

    @reading
    def answer(self, annotations: Sequence[Annotation]) -> list[Outcome]:
        """Put responses beside the records, in one request; it may be repeated, and changes nothing then."""
        users = {name: id_ for id_, name in names_of(self._members()).items()}
        records = dict(self._look_up({annotation.record for annotation in annotations}))
        outcomes: list[Outcome | None] = []
        for annotation in annotations:
            record = records.get(annotation.record)
            if record is None:
                outcomes.append(Outcome(annotation.record, "rejected", "the record is not there", "push it first"))
                continue
            theirs = [a for a in self._answered(record).annotations if a.annotator == annotation.annotator]
            outcomes.append(why_not(annotation, theirs, users))
        sending = [a for a, outcome in zip(annotations, outcomes, strict=True) if outcome is None]
        sent = iter(self._put_answers(sending, records, users) if sending else ())
        return [outcome or next(sent) for outcome in outcomes]

    def _put_answers(
        self, annotations: Sequence[Annotation], records: Mapping[str, dict[str, Any]], users: Mapping[str, str]
    ) -> list[Outcome]:
        items = items_of(annotations, records, users, self._bound.template, self._bound.repeats)
        try:
            reply = self._bulk(items, f"write {len(annotations)} answers")
        except (Refused, UnknownOutcome) as error:
            return [_failed(a.record, error) for a in annotations]
        stored = {
            (str(item["external_id"]), str(response["user_id"])): str(response["id"])
            for item in expect(reply, "items", list)
            for response in item["responses"]
        }
        ids = [stored.get((wire_id(a.record), users[a.annotator]), "") for a in annotations]
        return [
            Outcome(a.record, "accepted" if id_ else "unknown", remote_id=id_)
            for a, id_ in zip(annotations, ids, strict=True)
        ]

    @reading
    def progress(self) -> Progress:
        """Records as the database counts them, and as the search index does, which counts the others too."""
        submitted = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["submitted"]}
        answered = self._search(self._id, {"filters": {"and": [submitted]}}, limit=1)
        counts = self._request("GET", f"/datasets/{self._id}/progress", what="ask for the progress")
        return Progress(
            records=self._count(self._id),
            answered=expect(answered, "total", int),
            completed=expect(counts, "completed", int),
            indexed=self._indexed(),
        )


def _failed(key: str, error: Refused | UnknownOutcome) -> Outcome:
    if isinstance(error, UnknownOutcome):
        return Outcome(key, "unknown", error.reason, error.remedy, wait_s=error.wait_s)
    # The server stored nothing, unless it says that it could not encode a text.
    return Outcome(key, "unknown" if "codec" in error.reason else "rejected", error.reason, error.remedy)


def _external_id(record: object) -> object:
    return record.get("external_id") if isinstance(record, dict) else None
