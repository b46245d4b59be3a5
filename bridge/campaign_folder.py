"""A campaign's folder: what it says, and what it holds. What is done with it is in :mod:`bridge.campaign`.

``.annobridge/`` in that folder holds what must be kept (answers, pseudonyms, the ledger), ``out/`` what can be made
again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.annotations import Annotation, newest
from bridge.config import FILE_NAME, CampaignConfig, load_config
from bridge.curate.flow import Curation
from bridge.curate.settings import Step
from bridge.curating import BeforePush, told_all
from bridge.errors import ConfigError, ValueRejected
from bridge.files import Reject, write_lines
from bridge.keys import origin
from bridge.last_push import LastPush, fingerprint, last_push
from bridge.merging import Problem
from bridge.migration import Side
from bridge.presenting import Blind, Controls, Hiding, Mixed, Presentation, read_controls
from bridge.problems import unknown_order
from bridge.reading import RecordReader, read_records
from bridge.records import Record
from bridge.results import CheckResult, Progressing, check, silent
from bridge.servers import connect
from bridge.servers.protocol import Project, Server
from bridge.state import State
from bridge.sync.capabilities import check_capabilities
from bridge.sync.feedback import Feedback
from bridge.sync.ledger import Ledger
from bridge.sync.people import People
from bridge.sync.plan import new_key
from bridge.templates import TaskTemplate, load_template

PRESENTATION = "presentation"
"""The note in the ledger: how records are presented in the project that was worked with last."""


class CampaignFolder:
    """A campaign as its folder describes it.

    Args:
        folder: with its ``campaign.yaml``.
        flags: values that win over the file, nested as in it.
        server: a server to use instead of the one that the file names (for tests).
        progress: told what is being done.

    Raises:
        ConfigError, TemplateError: the file or the template is wrong.
    """

    def __init__(
        self,
        folder: str | Path = ".",
        flags: Mapping[str, Any] | None = None,
        *,
        server: Server | None = None,
        progress: Progressing = silent,
    ) -> None:
        self.folder = Path(folder)
        path = self.folder / FILE_NAME
        if not path.exists():
            raise ConfigError(
                f"{path}: there is no campaign here", remedy="run `annobridge init`, or name its folder with --campaign"
            )
        self.config: CampaignConfig = load_config(path, flags)
        self.template: TaskTemplate = self._load_template()
        self.presentation = self._load_presentation(path)
        self.state = State(self.folder / ".annobridge")
        self.out = self.folder / "out"
        self._server = server
        self._progress = progress

    def _load_template(self) -> TaskTemplate:
        name = self.config.template
        return load_template(self.folder / name if name.endswith((".yaml", ".yml")) else name)

    def _load_presentation(self, path: Path) -> Presentation:
        config = self.config
        try:
            order = config.blind
            blind = Blind.of(self.template, order.seed, order.without or "") if order else None
        except ValueRejected as error:
            raise ConfigError(f"{path}: blind: {error.reason}", remedy=error.remedy) from None
        hiding = Hiding(config.anchoring.share, config.anchoring.seed) if config.anchoring else None
        return Presentation(blind, hiding, config.merge.labels)

    @cached_property
    def controls(self) -> Controls:
        """The control items, under the keys that they have in their file; none where the campaign has none.

        Raises:
            InputError: their file cannot be read, or one of them is wrong.
        """
        config, where = self.config.controls, self.config.records
        if config is None:
            return Controls()
        return read_controls(
            self.folder / config.records,
            self.template,
            share=config.share,
            seed=config.seed,
            id_column=where.id,
            mapping=where.map,
        )

    @cached_property
    def curation(self) -> Curation:
        """What becomes of records before they are pushed."""
        return self._curation(self.config.curate.before_push)

    def _curation(self, listed: Sequence[Step]) -> Curation:
        spans = {question.name: question.field for question in self.template.questions if question.type == "span"}
        return Curation(listed, folder=self.folder, spans=spans)

    def records(self, only: Collection[str] | None = None) -> RecordReader:
        """The campaign's records, freshly read, and no control: with texts as the steps before a push leave them.

        A text that was sent beside an older one has the key that it has there.

        Args:
            only: no other records than those of these keys are wanted, though some may come all the same.
        """
        # In the file, `row-7@9f86d081` is still `row-7`.
        wanted = None if only is None else {*only, *(key[:-9] for key in only if key[-9:-8] == "@")}
        return self._rows(self._renaming(), only=wanted)

    def shown(self, left_out: Container[str] = ()) -> Iterator[Record]:
        """The records as people are shown them, controls among them, under the keys that they have on the server."""
        rename = self._renaming()
        controls = self.controls.renamed(rename) if rename else self.controls
        records = (record for record in self._rows(rename) if record.key not in left_out)
        return map(self.presentation.shown, controls.among(records))

    def _renaming(self) -> Callable[[Record], Record] | None:
        """What gives a text that was sent beside an older one its key; None where there is none."""
        with self.state.reading() as ledger:
            beside = ledger.renamed()

        def renamed(record: Record) -> Record:
            other = new_key(record.key, self.presentation.content(record))
            return replace(record, key=other) if other in beside else record

        return renamed if beside else None

    def _rows(
        self,
        rename: Callable[[Record], Record] | None = None,
        *,
        raw: bool = False,
        only: Container[str] | None = None,
    ) -> RecordReader:
        """The records of the file: with texts as they are pushed, or ``raw``; then under other keys."""
        where = self.config.records
        if self.curation.changes and not raw:
            rename = partial(_in_turn, self.curation.change, rename) if rename else self.curation.change
        return read_records(
            self.folder / where.path,
            self.template,
            id_column=where.id,
            mapping=where.map,
            rename=rename,
            refuse=self.controls.refuse if self.controls.items else None,
            only=only,
        )

    def _fingerprint(self) -> str:
        """A hash of all that a push depends on, but for the server and the ledger; empty where that cannot be told."""
        settings = self.config.model_dump_json(), self.template.model_dump_json(), __version__
        return fingerprint(self.inputs, *settings)

    def _last_push(self, inputs: str) -> LastPush | None:
        """The last push, if it was of the very same and left nothing to do."""
        with self.state.reading() as ledger:
            last = last_push(ledger)
            same = last is not None and inputs and last.inputs == inputs
            return last if same and told_all(self.curation, ledger, self.out) else None

    def check(self) -> CheckResult:
        """Read the records without a server; rejected rows go to ``out/rejects.jsonl``."""
        result = self._check()
        self._write_rejects(result.rejects)
        return result

    def _check(self, *, keep: int = 0) -> CheckResult:
        result = check(self._rows(raw=True), self.template, self._progress, keep=keep)
        longest = (self.template.repeats(record.fields) for record in self.controls.records)
        result.repeats = max(result.repeats, *longest, 0)
        return result

    def _write_rejects(self, rejects: Sequence[Reject]) -> None:
        path = self.out / "rejects.jsonl"
        if rejects or path.exists():
            write_lines(path, [reject.to_dict() for reject in rejects])

    def _project(self, repeats: int = 0) -> Project:
        people, variant = self.config.annotators_per_record, self.presentation.variant
        properties = tuple(self.config.properties)
        return Project(self.config.project, self.template, people, repeats, variant, properties=properties)

    @contextmanager
    def _connected(self, project: Project) -> Iterator[Server]:
        """The server, opened for one command; a server that was given stays open."""
        if self._server is not None:
            check_capabilities(project, self._server.capabilities)
            yield self._server
            return
        server = connect(self.config.server, self.state.folder)
        try:
            check_capabilities(project, server.capabilities)
            yield server
        finally:
            server.close()

    def annotations(self, *, history: bool = False) -> list[Annotation]:
        """The answers pulled so far: one per person and record, or every revision. Those to controls are not in it.

        Only answers of the project that was last pushed to or pulled from; a folder may have seen others. They answer
        the records as they are: where those were shown otherwise, that is undone, and ``source`` says how it was.

        Raises:
            ConfigError: they were given while `blind` or `anchoring` in ``campaign.yaml`` were others.
            InputError: records were shown otherwise than they are, and cannot be read.
        """
        return self.answers(history=history)[0]

    def answers(self, *, history: bool = False) -> tuple[list[Annotation], list[Problem]]:
        """The same as :meth:`annotations`, and what of the answers had to be left out of them.

        That is what people answered to records that are not in the file any more: nobody can tell in which order they
        were shown.
        """
        everything, lost = self._undone(self._stored(history=history))
        return self._without_controls(everything), lost

    def _without_controls(self, annotations: list[Annotation]) -> list[Annotation]:
        if not self.controls.items:
            return annotations
        return [annotation for annotation in annotations if annotation.record not in self.controls]

    def _stored(self, *, history: bool = False) -> list[Annotation]:
        """The answers as they came."""
        last = self.state.last()
        ours = (last.get("server"), last.get("project"))
        everything = [
            annotation
            for annotation in self._feedback().history
            if not last or (annotation.source.get("server"), annotation.source.get("project")) == ours
        ]
        return everything if history else newest(everything)

    def _undone(self, annotations: list[Annotation]) -> tuple[list[Annotation], list[Problem]]:
        """Answers in the terms of the records as they are, to controls too; and what cannot be brought back."""
        if not self.presentation.variant or not annotations:
            return annotations, []
        self._check_presentation()
        answered = {annotation.record for annotation in annotations}
        known = {}
        for record in chain(self.records(), self._controls_there().records):
            if (key := self.presentation.key(record)) in answered:
                known[key] = self.presentation.view(record)
        undone = [self.presentation.undone(a, known.get(a.record)) for a in annotations]
        return [answer.annotation for answer in undone], unknown_order(zip(annotations, undone, strict=True))

    def _controls_there(self) -> Controls:
        """The controls under the keys that :meth:`records` would give them."""
        rename = self._renaming() if self.controls.items else None
        return self.controls.renamed(rename) if rename else self.controls

    def _check_presentation(self) -> None:
        """Refuse to read answers by other settings than those that they were given under.

        Raises:
            ConfigError: the settings were changed since the last push or pull.
        """
        with self.state.reading() as ledger:
            before = ledger.note(PRESENTATION)
            if ledger.last() and before != self.presentation.variant:
                raise ConfigError(
                    f"{self.folder / FILE_NAME}: `blind` or `anchoring` are not what they were when people answered",
                    remedy="put them back as they were; if they are, run `annobridge pull`, which asks the server",
                )

    def _note_presentation(self, ledger: Ledger) -> None:
        """Once the server has agreed to it: answers that come from there are given under these settings."""
        if ledger.note(PRESENTATION) != self.presentation.variant:
            ledger.set_note(PRESENTATION, self.presentation.variant)

    def _curated(self, records: Iterable[Record], ledger: Ledger) -> BeforePush:
        """Records as they are in the file, to be curated for a push: what the server has already stays."""
        held = ledger.there()
        if held and self.presentation.blind:
            held |= {record.key for record in self._rows(raw=True) if self.presentation.key(record) in held}
        return BeforePush(self.curation, records, held, ledger, self.out, self._progress)

    def _left_out(self, ledger: Ledger) -> set[str]:
        """Keys of records that a push would leave out."""
        if not self.curation.chooses:
            return set()
        curated = self._curated(self._rows(raw=True), ledger)
        deque(curated, maxlen=0)
        return {case.key for case in curated.dropped}

    def _named(self, keys: Iterable[str]) -> list[str]:
        """Keys on the server as the keys that those records have in the campaign."""
        keys = list(keys)
        if not keys or not self.presentation.blind:
            return keys
        names = {self.presentation.key(r): r.key for r in chain(self.records(), self._controls_there().records)}
        return [names.get(key, key) for key in keys]

    def _among(self, records: Iterable[Record]) -> tuple[Mixed, Iterator[Record]]:
        """Records as they are to be pushed, and the count of controls among them."""
        mixed = self.controls.among(records)
        return mixed, map(self.presentation.shown, mixed)

    def _merging(self) -> dict[str, Any]:
        """How answers become one, as :func:`bridge.merging.merge` wants to be told."""
        return {**self.config.merge.model_dump(), "weights": {}}

    @property
    def inputs(self) -> list[Path]:
        """The files that the campaign's records come from."""
        controls = self.config.controls
        return [self.folder / path for path in (self.config.records.path, controls and controls.records) if path]

    def people(self) -> dict[str, str]:
        """Pseudonym to name on the server. It never leaves the campaign's folder by itself."""
        return dict(People(self.state.folder).names)

    def _counted(self, records: Iterable[Record]) -> Iterator[Record]:
        for number, record in enumerate(records, 1):
            yield record
            if number % 5000 == 0:
                self._progress("reading", number, 0)

    def _exported_to(self, ledger: Ledger) -> list[Path]:
        return [self.folder / folder for folder in json.loads(ledger.note("exports") or "[]") or [self.out.resolve()]]

    def _remember_export(self, folder: Path) -> None:
        """Keep where training sets are, so that a pull can say which of their rows it affects."""
        if self.state.path.exists():
            with self.state.reading() as ledger:
                folders = sorted({*map(str, self._exported_to(ledger)), str(folder.resolve())})
                ledger.set_note("exports", json.dumps(folders))

    def _side(self, project: Project) -> Side:
        return Side(self.config.server, project, self.state.folder, self._server, self.state.adopted())

    def _feedback(self, project: tuple[str, str] | None = None, ledger: Ledger | None = None) -> Feedback:
        return Feedback(self.state.folder / "feedback.jsonl", project, ledger=ledger)

    @property
    def _place(self) -> tuple[str, str]:
        """The server's kind and address, as the ledger knows it."""
        url = self.config.server.url
        return self.config.server.kind, origin(url) if url else ""


def _in_turn(first: Callable[[Record], Record], then: Callable[[Record], Record], record: Record) -> Record:
    return then(first(record))
