"""A campaign: one folder, one ``campaign.yaml``, and the whole loop. The only place that knows all stages.

``.annobridge/`` in that folder holds what must be kept (answers, pseudonyms, cursors), ``out/`` what can be made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bridge.annotations import Annotation, newest
from bridge.config import FILE_NAME, CampaignConfig, ServerConfig, load_config
from bridge.errors import ConfigError, InputError, UsageError
from bridge.exporting import ExportResult, export_all
from bridge.files import Reject, write_lines, write_text
from bridge.keys import origin
from bridge.merging import MergeResult, Problem, check_answers, merge
from bridge.migration import MigrationResult, Side, migrate, moved
from bridge.reading import RecordReader, read_records
from bridge.records import Record
from bridge.servers import connect
from bridge.servers.protocol import Progress, Project, RemoteProject, Server
from bridge.state import State
from bridge.sync.feedback import Feedback
from bridge.sync.people import People
from bridge.sync.pull import PullResult, pull
from bridge.sync.capabilities import check_capabilities
from bridge.sync.push import PushResult, push
from bridge.templates import TaskTemplate, load_template

if TYPE_CHECKING:
    from collections.abc import Sequence

Progressing = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and of how much (0 where nobody knows)."""


def _silent(what: str, done: int, total: int) -> None:
    pass


@dataclass
class CheckResult:
    """What a file would become: how many records would be pushed, and which rows would be rejected, and why.

    ``left_out`` names columns, or cells of them, that would be in no record.
    """

    records: int = 0
    repeats: int = 0
    suggestions: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "records": self.records,
            "suggestions": self.suggestions,
            "rejected": len(self.rejects),
            "rejects": [reject.to_dict() for reject in self.rejects[:100]],
            "left_out": self.left_out,
        }


@dataclass
class StatusResult:
    """How far a campaign is, on the server and in the store.

    ``last_pull`` is up to when the server was last asked: empty where it had no answers to show, None before any pull.
    """

    project: RemoteProject
    progress: Progress
    answers: dict[str, Counter[str]]
    last_pull: str | None

    def to_dict(self) -> dict[str, Any]:
        """The result as ``--json`` prints it."""
        return {
            "project": self.project.id,
            "url": self.project.url,
            "records": self.progress.records,
            "answered": self.progress.answered,
            "completed": self.progress.completed,
            "annotators": {person: dict(counts) for person, counts in sorted(self.answers.items())},
            "last_pull": self.last_pull,
        }


def check(reader: RecordReader, template: TaskTemplate, progress: Progressing = _silent) -> CheckResult:
    """Read all records and keep none: what would be pushed, and what would be rejected."""
    result = CheckResult()
    suggested: Counter[str] = Counter()
    for record in reader:
        result.records += 1
        result.repeats = max(result.repeats, template.repeats(record.fields))
        suggested.update(suggestion.question for suggestion in record.suggestions)
        if result.records % 5000 == 0:
            progress("reading", result.records, 0)
    result.suggestions = dict(sorted(suggested.items()))
    result.rejects = reader.rejects
    result.left_out = reader.left_out
    return result


class Campaign:
    """The loop in Python, by the same names as on the command line.

    Args:
        folder: the campaign's folder, with its ``campaign.yaml``.
        flags: values that win over the file, nested as in it.
        server: a server to use instead of the one that the file names (for tests).

    Raises:
        ConfigError, TemplateError: the file or the template is wrong.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "records.jsonl").write_text('{"prompt": "2 + 2?", "response": "4"}')
    >>> _ = (folder / "campaign.yaml").write_text(
    ...     "{project: Sums, server: {kind: memory}, records: records.jsonl, template: rating}")
    >>> Campaign(folder).push().sent
    1
    """

    def __init__(
        self,
        folder: str | Path = ".",
        flags: Mapping[str, Any] | None = None,
        *,
        server: Server | None = None,
        progress: Progressing = _silent,
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
        """The campaign's records, freshly read."""
        where = self.config.records
        return read_records(self.folder / where.path, self.template, id_column=where.id, mapping=where.map)

    def check(self) -> CheckResult:
        """Read the records without a server; rejected rows go to ``out/rejects.jsonl``."""
        result = check(self.records(), self.template, self._progress)
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

    def push(self) -> PushResult:
        """Send the records that the server does not have yet.

        The whole file is read and checked first, so that a broken file sends nothing at all.

        Raises:
            InputError: the file cannot be read.
            ServerError: the server cannot be used; run it again, nothing is sent twice.
        """
        checked = self.check()
        project = self._project(checked.repeats)
        with self.state.alone(), self._connected(project) as server:
            result = push(
                server,
                project,
                self.records(),
                tick=lambda done: self._progress("pushing", done, checked.records),
            )
        refused = result.rejected
        result.rejected = [*checked.rejects, *refused]
        result.left_out = checked.left_out
        if refused:
            self._write_rejects(result.rejected)
        self.state.remember(self._identity(result.project), self._cursor(result.project))
        return result

    def pull(self, *, full: bool = False) -> PullResult:
        """Bring every annotator's answers into the campaign's store, and check those that are new.

        Answers that cannot count, or that lack something they need, are listed in ``out/problems.jsonl``.

        Args:
            full: sweep everything instead of what changed since the last pull.

        Raises:
            NotFound: nothing was pushed yet.
            ServerError: the sweep broke off; run it again.
        """
        project = self._project()
        with self.state.alone(), self._connected(project) as server:
            remote = server.ensure(project, create=False)
            result = pull(
                server,
                remote.id,
                self._feedback((self.config.server.kind, remote.id)),
                self._side(project).people,
                cursor="" if full else self._cursor(remote) or "",
                tick=lambda done: self._progress("pulling", done, 0),
            )
        self.state.remember(self._identity(remote), result.cursor)
        if result.records:
            changed = set(result.records)
            problems = self._problems()
            write_problems(problems, self.out)
            result.problems = [problem.to_dict() for problem in problems if problem.record in changed]
        return result

    def _problems(self) -> list[Problem]:
        """What is wrong with the answers pulled so far, conditions such as "required when" included."""
        try:
            records = {record.key: record for record in self._counted_records()}
        except InputError:  # the file may be elsewhere today; what needs no record is checked all the same
            records = {}
        problems: list[Problem] = []
        for annotation in self.annotations():
            record = records.get(annotation.record)
            shown = (record.fields, self.template.prefilled(record)) if record else (None, None)
            problems += check_answers(annotation, self.template, *shown)[1]
        return problems

    def status(self) -> StatusResult:
        """Counts from the server, and answers per annotator from the last pull."""
        project = self._project()
        with self._connected(project) as server:
            remote = server.ensure(project, create=False)
            progress = server.progress()
        answers: dict[str, Counter[str]] = {}
        for annotation in self.annotations():
            if not annotation.deleted:
                answers.setdefault(annotation.annotator, Counter())[annotation.status] += 1
        return StatusResult(remote, progress, answers, self._cursor(remote))

    def annotations(self, *, history: bool = False) -> list[Annotation]:
        """The answers pulled so far: one per person and record, or every revision.

        Only answers of the project that was last pushed to or pulled from; a folder may have seen others.
        """
        state = self.state.load()
        ours = (state.get("server"), state.get("project"))
        everything = [
            annotation
            for annotation in self._feedback().history
            if not state or (annotation.source.get("server"), annotation.source.get("project")) == ours
        ]
        return everything if history else newest(everything)

    def people(self) -> dict[str, str]:
        """Pseudonym to name on the server. It never leaves the campaign's folder by itself."""
        return dict(People(self.state.folder).names)

    def merge(self) -> MergeResult:
        """Merge the answers; writes ``out/merged.jsonl`` and, for answers that cannot count, ``out/problems.jsonl``."""
        return self._merge(self._counted_records())

    def _merge(self, records: Iterable[Record]) -> MergeResult:
        result = merge(self.annotations(), self.template, records, quorum=self.config.merge.quorum)
        write_merged(result, self.out / "merged.jsonl")
        return result

    def _counted_records(self) -> Iterator[Record]:
        for number, record in enumerate(self.records(), 1):
            yield record
            if number % 5000 == 0:
                self._progress("reading", number, 0)

    def export(
        self, kinds: Sequence[str] = (), formats: Sequence[str] = (), out: str | Path | None = None
    ) -> list[ExportResult]:
        """Merge, then write training sets.

        Args:
            kinds: ``sft`` or ``dpo``; by default what ``campaign.yaml`` says.
            formats: ``conversational`` or ``plain``; likewise.
            out: the folder; by default the campaign's ``out/``.

        Of several kinds, one may stay empty: its result has no files, and its manifest says why.

        Raises:
            ExportError: no row can be made; nothing was written.
        """
        records = list(self._counted_records())
        merged = self._merge(records)
        return export_all(
            [export_kind(kind) for kind in kinds or self.config.exports.to],
            records,
            merged.merged,
            self.template,
            out or self.out,
            tuple(formats or self.config.exports.formats),
            self.annotations(),
            merge_rule=merged.rule,
        )

    def migrate(
        self,
        to: ServerConfig | Mapping[str, Any],
        *,
        project: str = "",
        annotators: Mapping[str, str] | None = None,
        create_annotators: bool = False,
        server: Server | None = None,
    ) -> MigrationResult:
        """Move to another server with records, suggestions and answers; ``campaign.yaml`` then names that one.

        What is not there as it was is in ``out/migration.jsonl``. Nothing is deleted on the old server, and the old
        file stays as ``campaign.before-migration.yaml``. A run that broke off is simply run again.

        Args:
            to: the new server, as in ``campaign.yaml``.
            project: what the project is called there; by default as now.
            annotators: names on the old server to names on the new one; other people keep their names.
            create_annotators: make accounts for people whom the new server does not know.
            server: a server to use instead of the one that ``to`` names (for tests).

        Raises:
            UsageError: it cannot carry the template, or does not know these people; nothing was written.
            ServerError: one of the servers cannot be used; run it again.

        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "records.jsonl").write_text('{"prompt": "2 + 2?", "response": "4"}')
        >>> _ = (folder / "campaign.yaml").write_text(
        ...     "{project: Sums, server: {kind: memory}, records: records.jsonl, template: rating}")
        >>> campaign = Campaign(folder)
        >>> campaign.push().sent, campaign.migrate({"kind": "memory"}, project="Sums again").pushed.sent
        (1, 1)
        >>> Campaign(folder).config.project
        'Sums again'
        """
        path = self.folder / FILE_NAME
        before = path.read_text(encoding="utf-8")
        after, config = moved(before, str(path), to, project or self.config.project)
        old, checked = self._side(self._project()), self.check()
        title = replace(self._project(checked.repeats), title=config.project)
        new = Side(config.server, title, self.state.folder, server)
        if (new.config, title.title) == (old.config, old.project.title) and not old.adopted:
            with old.opened() as there:
                remote = there.ensure(old.project, create=False)
            return MigrationResult(remote, PushResult(remote), nothing_to_do=True)
        with self.state.alone():
            result = migrate(
                old,
                new,
                list(self.records()),
                self.state.folder / "feedback.jsonl",
                quorum=self.config.merge.quorum,
                annotators=annotators,
                create_annotators=create_annotators,
                tell=self._progress,
            )
            write_lines(self.out / "migration.jsonl", [finding.to_dict() for finding in result.findings])
            # The next pull sweeps everything: what is written for others does not move every server's clock.
            self.state.remember({"server": new.config.kind, "origin": new.origin, "project": result.project.id}, "")
            write_text(self.folder / "campaign.before-migration.yaml", before)
            write_text(path, after)
            self.state.settle()
        self.config, self._server = config, server
        return result

    def _side(self, project: Project) -> Side:
        return Side(self.config.server, project, self.state.folder, self._server, self.state.adopted())

    def _feedback(self, project: tuple[str, str] | None = None) -> Feedback:
        return Feedback(self.state.folder / "feedback.jsonl", project)

    def _identity(self, remote: RemoteProject) -> dict[str, str]:
        url = self.config.server.url
        return {"server": self.config.server.kind, "origin": origin(url) if url else "", "project": remote.id}

    def _cursor(self, remote: RemoteProject) -> str | None:
        return None if remote.created else self.state.cursor(self._identity(remote))


def write_merged(result: MergeResult, path: Path) -> None:
    """Write ``merged.jsonl``, and beside it ``problems.jsonl`` if any answer could not count."""
    write_lines(path, [merged.to_dict() for merged in result.merged])
    write_problems(result.problems, path.parent)


def write_problems(problems: Sequence[Problem], folder: Path) -> None:
    """Write ``problems.jsonl``; where there is nothing to say, an old one is emptied and no new one made."""
    path = folder / "problems.jsonl"
    if problems or path.exists():
        write_lines(path, [problem.to_dict() for problem in problems])


def export_kind(kind: str) -> Literal["sft", "dpo"]:
    """A name as a kind of training set.

    Raises:
        UsageError: there is no such kind.
    """
    if kind == "sft":
        return "sft"
    if kind == "dpo":
        return "dpo"
    raise UsageError(f"{kind!r:.60} is no training set", remedy="use sft or dpo")
