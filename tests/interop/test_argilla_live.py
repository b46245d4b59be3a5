"""Argilla's SDK and annobridge on one live server: what one writes the other finds."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import argilla as sdk
import pytest

from bridge.interop import from_argilla_records, to_argilla_records
from bridge.records import Record, Suggestion
from bridge.servers.argilla import Argilla
from bridge.servers.local_argilla import LocalArgilla
from bridge.servers.protocol import Project
from bridge.sync.push import push
from bridge.templates import TaskTemplate, load_template

pytestmark = pytest.mark.live

_NUMBERS = itertools.count(1)


@pytest.fixture
def client(argilla: LocalArgilla, monkeypatch: pytest.MonkeyPatch) -> Iterator[sdk.Argilla]:
    monkeypatch.setattr(sdk.Argilla, "_default_client", None)
    made = sdk.Argilla(argilla.url, argilla.api_key.reveal())
    yield made
    made.http_client.close()


@pytest.fixture
def server(argilla: LocalArgilla) -> Iterator[Argilla]:
    server = Argilla(argilla.url, argilla.api_key, argilla.workspace)
    yield server
    server.close()


def title() -> str:
    return f"Interop {os.getpid()} {next(_NUMBERS)}"


def records(template: TaskTemplate) -> list[Record]:
    """Records with all kinds of trouble: markup, Windows line ends, emoji before a span, ties, long names."""
    odd = "😀 <b>x</b> &amp; שלום"
    if template.name == "ranking":
        fields = [{"prompt": odd, **{f"response_{n}": f"{odd} {n}" for n in range(1, 4)}}]
        fields.append({"prompt": odd, "response_1": "a", "response_2": "b"})
        ranks: list[dict[str, int]] = [{"response_1": 2, "response_2": 1, "response_3": 1}, {"response_1": 1}]
        return [
            Record(f"key {n} ü", f, [Suggestion("ranking", r, 0.5, "judge")], {"n": n})
            for n, (f, r) in enumerate(zip(fields, ranks, strict=True))
        ]
    if template.name == "span_errors":
        label = template.question("errors").values[0]  # type: ignore[union-attr]
        marks = [{"start": start, "end": end, "label": label} for start, end in ((0, 1), (2, len(odd)))]
        return [Record("", {"prompt": "p", "response": odd}, [Suggestion("errors", marks, 0.25, "m")])]
    if template.name == "summary_review":
        said = [{"role": "Ann: of " + "a" * 30, "content": "one\r\n\r\nBo: two"}]
        return [Record("s1", {"transcript": said, "summary": odd}, [Suggestion("rating", 3)], {"nested": {"a": [1]}})]
    rewrite = Suggestion("improved_response", "<img src=x> ![a](b)\n", 1.0, "m", "human")
    return [
        Record("", {"prompt": "a\r\nb", "response": odd}, [Suggestion("rating", 4, 0.9, "m"), rewrite]),
        Record("r2", {"prompt": "p", "response": odd}, metadata={"source": "web"}),
    ]


@pytest.mark.parametrize("name", ["review", "ranking", "span_errors", "summary_review"])
class TestOneServer:
    def test_a_dataset_of_the_sdk(self, name: str, client: sdk.Argilla, argilla: LocalArgilla) -> None:
        template = load_template(name)
        dataset = sdk.Dataset(
            title(), workspace=argilla.workspace, settings=template.to_argilla_settings(3), client=client
        )
        dataset.create()
        sent = records(template)
        dataset.records.log(to_argilla_records(sent, template, 3))
        back = from_argilla_records(dataset.records(with_suggestions=True), template)
        assert [record.to_dict() for record in back] == [as_read(record).to_dict() for record in sent], back.rejects

    def test_a_dataset_of_annobridge(
        self, name: str, client: sdk.Argilla, server: Argilla, argilla: LocalArgilla
    ) -> None:
        template = load_template(name)
        project = Project(title(), template, repeats=3)
        sent = records(template)
        pushed = push(server, project, sent)
        assert pushed.sent == len(sent)
        dataset = client.datasets(project.title, workspace=argilla.workspace)
        assert dataset is not None
        listed = [*dataset.records(with_suggestions=True)]
        back = from_argilla_records(listed, template)
        # A push leaves metadata at home.
        ours = [Record(r.key, r.fields, r.suggestions) for r in sent if name != "summary_review"]
        assert [record.to_dict() for record in back] == [as_read(record).to_dict() for record in ours]
        if name == "summary_review":  # a pushed transcript is one text
            assert [reject.reason for reject in back.rejects] == [
                "transcript: a text where a list of messages is expected"
            ]

    def test_annobridge_finds_what_the_sdk_wrote(
        self, name: str, client: sdk.Argilla, server: Argilla, argilla: LocalArgilla
    ) -> None:
        template = load_template(name)
        project = Project(title(), template, repeats=3)
        server.ensure(project, create=True)
        dataset = client.datasets(project.title, workspace=argilla.workspace)
        assert dataset is not None
        dataset.records.log(to_argilla_records(records(template), template, 3))
        pushed = push(server, project, records(template))
        assert (pushed.sent, pushed.present, pushed.repaired, pushed.changed) == (0, len(records(template)), 0, [])


def as_read(record: Record) -> Record:
    """A record as the SDK reads it: of a ranking it keeps the order of all cards, and no ties."""
    suggestions = [
        Suggestion(
            s.question,
            {item: n for n, item in enumerate(sorted(s.value, key=lambda item: s.value[item]), 1)}  # type: ignore[index,call-overload,arg-type]
            if s.question == "ranking"
            else s.value,
            s.score,
            s.agent,
            s.kind,
        )
        for s in record.suggestions
    ]
    return Record(record.key, record.fields, suggestions, record.metadata)
