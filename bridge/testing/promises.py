"""What must be true of a world when everything has come to rest: nothing twice, nothing lost, everything traceable.

Each function checks one promise, and raises AssertionError with what was found.
"""

from __future__ import annotations

import json
from pathlib import Path

from bridge.annotations import Annotation
from bridge.records import record_key
from bridge.sync.plan import new_key
from bridge.sync.push_result import PushResult
from bridge.testing.world import Answer, Machine, World

STORE = Path(".annobridge", "feedback.jsonl")


def nothing_is_doubled(world: World) -> None:
    """Each record is there once; where a server cannot prevent two, only such copies are left as people answered."""
    for key, copies in _copies(world).items():
        assert len(copies) == 1 or (
            world.truth.profile.repeated == "doubled" and all(_answered(world, id_) for id_ in copies)
        ), f"{key} is there {len(copies)} times: {copies}"


def nothing_was_doubled(world: World) -> None:
    """Before any repair, nothing is doubled that could have been prevented."""
    doubled = {key: copies for key, copies in _copies(world).items() if len(copies) > 1}
    assert world.excuses or not doubled, f"doubled, and nothing excuses it: {doubled}"


def _copies(world: World) -> dict[str, list[str]]:
    copies: dict[str, list[str]] = {}
    for key, remote in world.there():
        if key:  # and not somebody else's
            copies.setdefault(key, []).append(remote.id)
    return copies


def _answered(world: World, id_: str) -> bool:
    return any(place[0] == id_ for place in world.answers)


def every_row_is_accounted_for(world: World, machine: Machine, result: PushResult) -> None:
    """Each row is on the server with its text, or was rejected, deleted or left alone, and is named as that."""
    copies = _copies(world)
    rejects = [json.loads(line) for line in (machine.folder / "out/rejects.jsonl").read_text().splitlines()]
    assert all(reject["reason"] and reject["remedy"] for reject in rejects), rejects
    lines = {reject["line"] for reject in rejects}
    rows = len(machine.keys)
    assert {rows + 1, rows + 2} <= lines, f"the double row and the broken one are not among the rejects: {rejects}"
    refused = {reject["key"] for reject in rejects if reject["line"] not in (rows + 1, rows + 2)}
    assert refused == {key for key in machine.keys if key == "poison"}, f"rejected: {rejects}"
    for key in machine.keys:
        other = new_key(key, _content(world, key))
        if key == "poison" or key in result.changed:
            continue
        if {key, other} & {*result.gone}:
            assert {key, other} & world.deleted, f"{key} is gone, and nobody deleted it"
            continue
        ids = [*copies.get(key, ()), *copies.get(other, ())]
        assert ids, f"{key} is lost"
        if not result.kept:
            texts = {world.text_of(id_) for id_ in ids}
            assert world.texts[key] in texts, f"{key} shows {texts}, and its row says {world.texts[key]}"
    assert (result.reason, result.unknown) == ("", []), f"a push in peace: {result.reason or result.unknown}"


def _content(world: World, key: str) -> str:
    return record_key({"prompt": f"{key}?", "response": world.texts[key]})


def people_keep_their_answers(world: World) -> None:
    """What people answered is on the server as they left it: nothing that we did has changed or removed any of it."""
    there = {
        (line["source"]["task"], line["annotator"]): (line["status"], line["answers"].get("rating", 0))
        for line in world.truth._held.annotations.values()
    }
    given = {
        place: (answer.status, 0 if answer.status == "discarded" else answer.rating)
        for place, answer in world.answers.items()
    }
    assert there == given, f"on the server {there}, but people answered {given}"


def the_store_has_all_answers(world: World, machine: Machine, *, and_no_other: bool) -> None:
    """Each answer is in the store as it is on the server; after a full sweep, no other one counts there."""
    names = machine.campaign.people()
    stored: dict[str, Annotation] = {}
    for annotation in machine.campaign.annotations(history=True):
        stored[annotation.source["id"]] = annotation
    live = {_told(a, names[a.annotator]) for a in stored.values() if not a.deleted}
    held = (Annotation.from_dict(line) for line in world.truth._held.annotations.values() if line["record"])
    there = {_told(annotation, annotation.annotator) for annotation in held}
    assert there <= live, f"{machine.name}: lost: {sorted(there - live)}"
    assert not and_no_other or there == live, f"{machine.name}: not on the server: {sorted(live - there)}"


def _told(annotation: Annotation, person: str) -> tuple[str, ...]:
    said = json.dumps(dict(annotation.answers), sort_keys=True)
    return annotation.record, annotation.source["task"], person, annotation.status, said, annotation.updated_at


def the_store_only_grew(before: bytes, after: bytes) -> None:
    """What was stored whole stays as it was, byte for byte, and each answer's revisions are counted from 1."""
    whole = before[: before.rfind(b"\n") + 1]
    assert after.startswith(whole), "lines of the store were changed"


def revisions_count_up(machine: Machine) -> None:
    """Of each answer, revisions are 1, 2, 3 and so on."""
    last: dict[tuple[str, str], int] = {}
    for a in machine.campaign.annotations(history=True):
        place = a.record, a.source["task"] + a.source["id"]
        assert a.revision == last.get(place, 0) + 1, f"{machine.name}: revision {a.revision} of {place}"
        last[place] = a.revision


def every_row_rests_on_answers(world: World, machine: Machine) -> None:
    """Each exported row is there once, and rests on live answers to the text that it holds; none is missing."""
    names = machine.campaign.people()
    key_of = {new_key(key, _content(world, key)): key for key in machine.keys} | {key: key for key in machine.keys}
    manifest = json.loads((machine.folder / "out/sft.manifest.json").read_text())
    rows = {row["record"]: row for row in manifest["rows"]}
    assert len(rows) == len(manifest["rows"]), "a record was exported twice"
    newest = {(a.record, a.annotator): a.revision for a in machine.campaign.annotations() if not a.deleted}
    for record, row in rows.items():
        judged = _judged(world, record, key_of[record])
        people = {names[who] for who in row["annotators"]}
        assert people <= judged.keys(), f"{record} rests on {people}, but its text was judged by {judged.keys()}"
        for who, revision in row["revisions"].items():
            assert newest[record, who] == revision, f"{record}: revision {revision} of {names[who]} is not the newest"
    for record in machine.campaign.records():
        ratings = {a.rating for answers in _judged(world, record.key, key_of[record.key]).values() for a in answers}
        if ratings and min(ratings) >= 4 and not world.texts_may_have_gone_back:
            assert record.key in rows, f"{record.key} was rated {ratings} and is not exported"
        if not ratings or max(ratings) < 4:
            assert record.key not in rows, f"{record.key} was rated {ratings} and is exported"


def _judged(world: World, record: str, key: str) -> dict[str, list[Answer]]:
    """Who judged a record as its row is now, and how."""
    judged: dict[str, list[Answer]] = {}
    for (_, person), answer in world.answers.items():
        if (answer.key, answer.text, answer.status) == (record, world.texts[key], "submitted"):
            judged.setdefault(person, []).append(answer)
    return judged
