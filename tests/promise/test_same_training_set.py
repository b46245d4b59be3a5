"""The promise: the same records, template and answers make the same training set, whichever server people work on.

For every ready-made template, two people give the same answers on both live servers. What annobridge then holds and
writes is compared byte by byte; only ids and times, which each server sets itself, are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from bridge.campaign import Campaign
from bridge.errors import ExportError
from bridge.keys import Secret
from bridge.records import Value
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.templates import load_template, template_names
from bridge.testing import ArgillaPerson, LabelStudioPerson
from tests.comparing import comparable

if TYPE_CHECKING:
    from bridge.servers.local_argilla import LocalArgilla

PEOPLE = ("ann@example.org", "bo@example.org")
CODE = "def f(x):\n\treturn x  # <b>&amp;</b> 😀\r\n\r\n    end"
ODD = "naïve “quotes” e\u0301 \u05e9\u05dc\u05d5\u05dd {{x}} $y %25 \\ ]]> <script>alert(1)</script>"
MEETING = [
    {"speaker": "Änne von und zu Hohenstein", "text": "Shall we ship on Friday?"},
    {"speaker": "Bo", "text": ODD},
    {"speaker": "Änne von und zu Hohenstein", "text": "Then Friday it is.\n\nBo writes the notes."},
]
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": ODD},
    {"role": "assistant", "content": CODE},
]

Answers: TypeAlias = "dict[str, Value] | None"
"""One person's answers to one record; None is a skip."""


@dataclass(frozen=True)
class Script:
    """Fields of a record, and what the two people answer to each of several copies of it."""

    fields: dict[str, Any]
    answers: list[tuple[Answers, Answers]]


def spans(*marks: tuple[int, int, str]) -> Value:
    return [{"start": start, "end": end, "label": label} for start, end, label in marks]


PAIR: dict[str, Any] = {"prompt": ODD, "response": CODE}
SCRIPTS = {
    "rating": Script(PAIR, [({"rating": 5}, {"rating": 4}), ({"rating": 1}, {"rating": 2}), ({"rating": 3}, None)]),
    "label": Script(
        PAIR,
        [
            ({"label": "correct"}, {"label": "correct"}),
            ({"label": "correct"}, {"label": "harmful"}),
            ({"label": "incorrect"}, None),
        ],
    ),
    "multi_label": Script(
        PAIR,
        [
            ({"labels": ["none"]}, {"labels": ["none"]}),
            ({"labels": ["style", "incomplete"]}, {"labels": ["incomplete"]}),
            ({"labels": ["harmful"]}, None),
        ],
    ),
    "rewrite": Script(
        PAIR,
        [
            ({"improved_response": "Better.\n\n  Indented 😀"}, {"improved_response": "Better.\n\n  Indented 😀"}),
            ({"improved_response": ODD}, {"improved_response": "Another <i>one</i>"}),
            ({"improved_response": CODE.replace("\r\n", "\n")}, None),
        ],
    ),
    "review": Script(
        PAIR,
        [
            ({"rating": 5, "label": "correct"}, {"rating": 4, "label": "correct"}),
            (
                {"rating": 2, "label": "incorrect", "improved_response": "Better & <shorter>"},
                {"rating": 3, "label": "incorrect", "improved_response": "Better & <shorter>"},
            ),
            ({"rating": 1, "label": "harmful"}, None),
        ],
    ),
    "preference": Script(
        {"prompt": ODD, "response_a": CODE, "response_b": "b"},
        [
            ({"preference": "A"}, {"preference": "A"}),
            ({"preference": "A"}, {"preference": "B"}),
            ({"preference": "tie"}, {"preference": "both_bad"}),
        ],
    ),
    "ranking": Script(
        {"prompt": ODD, "response_1": CODE, "response_2": "two", "response_3": "three"},
        [
            (
                {"ranking": {"response_1": 2, "response_2": 1, "response_3": 3}},
                {"ranking": {"response_1": 2, "response_2": 1, "response_3": 2}},
            ),
            ({"ranking": {"response_1": 1, "response_2": 1, "response_3": 1}}, None),
        ],
    ),
    "chat_review": Script(
        {"messages": CHAT},
        [
            ({"rating": 5, "label": "correct"}, {"rating": 5, "label": "correct"}),
            ({"rating": 2, "label": "incorrect", "improved_response": "No."}, {"rating": 5, "label": "correct"}),
        ],
    ),
    "summary_review": Script(
        {"transcript": MEETING, "summary": "They ship on Friday."},
        [
            ({"rating": 5, "faithfulness": "faithful"}, {"rating": 4, "faithfulness": "faithful"}),
            ({"rating": 1, "faithfulness": "unfaithful", "improved_summary": "Friday; Bo: notes."}, None),
        ],
    ),
    "action_items": Script(
        {"transcript": MEETING, "action_items": "- Bo: notes"},
        [
            ({"label": "correct"}, {"label": "correct"}),
            (
                {"label": "incorrect", "problems": ["missing_item", "wrong_date"], "improved_action_items": "- Bo"},
                {"label": "incorrect", "problems": ["missing_item"], "improved_action_items": "- Bo"},
            ),
        ],
    ),
    "follow_up_qa": Script(
        {"transcript": MEETING, "question": "When?", "answer": "Friday."},
        [
            ({"rating": 5, "grounding": "supported"}, {"rating": 4, "grounding": "supported"}),
            ({"rating": 1, "grounding": "unsupported", "improved_answer": "On Friday 😀"}, None),
        ],
    ),
    "span_errors": Script(
        {"prompt": "Name them.", "response": "😀👩‍👩‍👧 <b>Bob</b> & e\u0301\r\nשלום Al😀"},
        [
            ({"errors": spans()}, {"errors": spans()}),
            (
                {"errors": spans((0, 1, "unsupported"), (7, 17, "factual_error"))},
                {"errors": spans((28, 31, "unsupported"))},
            ),
        ],
    ),
}


def test_every_ready_made_template_has_a_script() -> None:
    assert {*SCRIPTS, "export_check"} == {*template_names()}, "which makes no training rows"


Person: TypeAlias = "LabelStudioPerson | ArgillaPerson"


class Run:
    """One campaign on one server."""

    def __init__(self, folder: Path, name: str, server: dict[str, str], person: Callable[[str], Person]) -> None:
        script = SCRIPTS[name]
        folder.mkdir()
        rows = [{"id": f"{name}-{n}", **script.fields} for n in range(len(script.answers))]
        (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = {
            "project": f"Promise {os.getpid()} {name}",
            "server": server,
            "records": {"path": "records.jsonl", "id": "id"},
            "template": name,
            "annotators_per_record": 2,
        }
        (folder / "campaign.yaml").write_text(json.dumps(config))
        # Pseudonyms are hashes with a key of the campaign's own; here both have the same one.
        (folder / ".annobridge").mkdir()
        (folder / ".annobridge" / "pseudonym.key").write_text("0" * 64)
        self.folder = folder
        self.campaign = Campaign(folder)
        self._answer(name, script, person)

    def _answer(self, name: str, script: Script, person: Callable[[str], Person]) -> None:
        pushed = self.campaign.push()
        assert (pushed.sent, pushed.complete) == (len(script.answers), True)
        template = load_template(name)
        project = Project(self.campaign.config.project, template, 2, template.repeats(script.fields))
        given = {}
        people = [person(name) for name in PEOPLE]
        for one in people:
            one.ensure(project, create=False)
        for number, pair in enumerate(script.answers):
            for one, answers in zip(people, pair, strict=True):
                status = "discarded" if answers is None else "submitted"
                given[number, one] = one.annotate(f"{name}-{number}", answers or {}, status=status)  # type: ignore[arg-type]
        self.campaign.pull()
        # The first person thinks again about the first record, and then once more.
        first = script.answers[0][0]
        last = script.answers[-1][0]
        assert first is not None
        assert last is not None
        for answers in (last, first):
            people[0].change(given[0, people[0]], answers)
            self.campaign.pull()
        for one in people:
            one.close()

    def annotations(self) -> list[dict[str, Any]]:
        """All revisions, without ids and times, and without the order in which people happened to answer."""
        lines = []
        for annotation in self.campaign.annotations(history=True):
            line = annotation.to_dict()
            for name in ("created_at", "updated_at", "lead_time_s"):
                del line[name]
            line["source"] = {"content": line["source"]["content"]}
            lines.append(line)
        return sorted(lines, key=json.dumps)

    def written(self) -> dict[str, bytes]:
        """Everything that merging and exporting write."""
        self.campaign.merge()
        for kind in ("sft", "dpo"):
            try:
                self.campaign.export([kind])
            except ExportError as error:
                (self.folder / "out" / f"{kind}.error").write_text(error.reason)
        return {path.name: comparable(path) for path in sorted((self.folder / "out").iterdir())}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_both_servers_make_the_same_training_set(
    name: str, label_studio: LocalLabelStudio, argilla: LocalArgilla, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_KEY", label_studio.token.reveal())
    monkeypatch.setenv("ARGILLA_KEY", argilla.api_key.reveal())
    tokens: dict[str, Secret] = {person: label_studio.add_user(person).token for person in PEOPLE}
    keys: dict[str, Secret] = {person: argilla.add_user(person).key for person in PEOPLE}
    one = Run(
        tmp_path / "label-studio",
        name,
        {"kind": "label-studio", "url": label_studio.url, "key_env": "LABEL_STUDIO_KEY"},
        lambda person: LabelStudioPerson(label_studio.url, tokens[person]),
    )
    other = Run(
        tmp_path / "argilla",
        name,
        {"kind": "argilla", "url": argilla.url, "key_env": "ARGILLA_KEY", "workspace": argilla.workspace},
        lambda person: ArgillaPerson(argilla.url, keys[person], argilla.workspace),
    )
    assert one.annotations() == other.annotations()
    ours, theirs = one.written(), other.written()
    assert list(ours) == list(theirs)
    for file, content in ours.items():
        assert content == theirs[file], file
    assert "merged.jsonl" in ours
    assert any(file.endswith(".jsonl") and content for file, content in ours.items())
