"""A campaign's folder: what it says, and what it holds. What is done with it is in :mod:`bridge.campaign`.

``.annobridge/`` in that folder holds what must be kept (answers, pseudonyms, the ledger), ``out/`` what can be made
again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation, newest
from bridge.config import FILE_NAME, CampaignConfig, load_config
from bridge.errors import ConfigError
from bridge.files import Reject, write_lines
from bridge.keys import origin
from bridge.migration import Side
from bridge.reading import RecordReader, read_records
from bridge.records import Record, record_key
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
        self.state = State(self.folder / ".annobridge")
        self.out = self.folder / "out"
        self._server = server
        self._progress = progress

    def _load_template(self) -> TaskTemplate:
        name = self.config.template
        return load_template(self.folder / name if name.endswith((".yaml", ".yml")) else name)

    def records(self) -> RecordReader:
        """The campaign's records, freshly read, under the keys that they have on the server."""
        with self.state.reading() as ledger:
            beside = ledger.renamed()

        def key_there(record: Record) -> Record:
            other = new_key(record.key, record_key(record.fields))
            return replace(record, key=other) if other in beside else record

        return self._rows(key_there if beside else None)

    def _rows(self, rename: Callable[[Record], Record] | None = None) -> RecordReader:
        where = self.config.records
        return read_records(
            self.folder / where.path, self.template, id_column=where.id, mapping=where.map, rename=rename
        )

    def check(self) -> CheckResult:
        """Read the records without a server; rejected rows go to ``out/rejects.jsonl``."""
        return self._check()

    def _check(self, *, keep: int = 0) -> CheckResult:
        result = check(self._rows(), self.template, self._progress, keep=keep)
        self._write_rejects(result.rejects)
        return result

    def _write_rejects(self, rejects: Sequence[Reject]) -> None:
        path = self.out / "rejects.jsonl"
        if rejects or path.exists():
            write_lines(path, [reject.to_dict() for reject in rejects])

    def _project(self, repeats: int = 0) -> Project:
        return Project(self.config.project, self.template, self.config.annotators_per_record, repeats)

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
        """The answers pulled so far: one per person and record, or every revision.

        Only answers of the project that was last pushed to or pulled from; a folder may have seen others.
        """
        last = self.state.last()
        ours = (last.get("server"), last.get("project"))
        everything = [
            annotation
            for annotation in self._feedback().history
            if not last or (annotation.source.get("server"), annotation.source.get("project")) == ours
        ]
        return everything if history else newest(everything)

    def _merging(self) -> dict[str, Any]:
        """How answers become one, as :func:`bridge.merging.merge` wants to be told."""
        return self.config.merge.model_dump()

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
